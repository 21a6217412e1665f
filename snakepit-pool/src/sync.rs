//! What tasks and threads of this crate share, in one place: so that tests can put a model checker beneath it, which then
//! decides who runs next wherever that can matter.
//!
//! Outside such tests this is a list of names of other crates, and costs nothing.

#[cfg(all(test, feature = "shuttle"))]
mod model;

#[cfg(all(test, feature = "shuttle"))]
pub(crate) use model::{AtomicBool, AtomicUsize, Handle, JoinError, JoinSet, Mutex, preempt};

#[cfg(not(all(test, feature = "shuttle")))]
pub(crate) use parking_lot::Mutex;
#[cfg(not(all(test, feature = "shuttle")))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(not(all(test, feature = "shuttle")))]
pub(crate) use tokio::{
    runtime::Handle,
    task::{JoinError, JoinSet},
};

/// Here somebody else may go on between two steps. Only the model checker has to be told: the steps are those of
/// channels, which it does not know.
#[cfg(not(all(test, feature = "shuttle")))]
#[inline]
pub(crate) fn preempt() {}
