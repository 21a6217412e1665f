//! Probing and finding, with real interpreters and with programs that only pretend to be one.

pub(crate) mod fakes;
mod finding;
mod probing;
