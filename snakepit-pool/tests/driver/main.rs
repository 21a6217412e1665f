//! The driver with simulated workers: on paused time where order matters, on several threads where races do.

mod calls;
mod concurrency;
mod ending;
mod pools;
mod rig;
mod workers;
