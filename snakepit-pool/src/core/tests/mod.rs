//! Promises of the core, as scripts on a [`Rig`](rig::Rig), and its invariants under random events.

mod ending;
mod model;
mod random;
mod rig;
mod scale;
mod serving;
mod workers;
