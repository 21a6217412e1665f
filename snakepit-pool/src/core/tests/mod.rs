//! Promises of the core, as scripts on a [`Rig`](rig::Rig), and its invariants under random events.

mod canaries;
mod ending;
mod model;
mod rig;
mod scale;
mod serving;
mod workers;
