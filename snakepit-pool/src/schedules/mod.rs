//! The driver under a model checker, which searches the schedules of its threads and tasks for a bad one.
//!
//! A property is a small program of a few threads that panics, or waits for ever, where a promise is broken. It runs
//! thousands of times, each time with another thread first wherever that can matter: at each lock, each flag and each
//! [`preempt`](crate::sync::preempt). Time is a number in here, and workers are threads.
//!
//! When a property fails the checker prints the schedule. It is run again, step by step, with
//! `PIT_TEST_SCHEDULE=<schedule> cargo test -p snakepit-pool --features shuttle <name of the test>`.

mod calls;
mod canaries;
mod ending;
mod explore;
mod journal;
mod model_clock;
mod model_worker;
mod rig;
mod sessions;
mod time;
mod workers;
