//! Promises of the core, as scripts on a [`Rig`](rig::Rig), and its invariants under random events.

mod affinity;
mod canaries;
mod circuit;
mod ending;
mod findings;
mod hung;
mod model;
mod others;
mod priorities;
mod recycling;
mod resizing;
mod restarts;
mod retries;
mod rig;
mod scale;
mod serving;
mod succession;
mod workers;
