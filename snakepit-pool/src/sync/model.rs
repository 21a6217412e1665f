//! The same names beneath the model checker, in the shapes that the crate uses.

use std::future::Future;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use futures_util::future::{AbortHandle, Abortable};
use shuttle::sync::MutexGuard;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize};

/// A lock that is not poisoned.
#[derive(Debug)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// Where tasks run: the checker has one place only.
#[derive(Debug, Clone)]
pub(crate) struct Handle;

/// Tasks that are cancelled with their owner.
#[derive(Debug)]
pub(crate) struct JoinSet<T>(Vec<Task<T>>);

#[derive(Debug)]
struct Task<T> {
    join: shuttle::future::JoinHandle<T>,
    abort: AbortHandle,
}

/// How a task has failed: not at all, since a panic ends the whole execution.
#[derive(Debug, thiserror::Error)]
#[error("a task has failed")]
pub(crate) enum JoinError {}

/// Somebody else may go on here.
pub(crate) fn preempt() {
    // Any access to shared memory is such a place. A yield would be more: a wish not to go on.
    AtomicBool::new(false).load(Ordering::SeqCst);
}

// === impl Mutex ===

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Handle ===

impl Handle {
    pub(crate) fn current() -> Self {
        Self
    }
}

// === impl JoinSet ===

impl JoinSet<()> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn spawn_on(&mut self, task: impl Future<Output = ()> + Send + 'static, _: &Handle) {
        let (abort, registration) = AbortHandle::new_pair();
        let task = Abortable::new(task, registration);
        let join = shuttle::future::spawn(async {
            // Whether it came to its end or was cancelled, nobody asks.
            let _ = task.await;
        });
        self.0.push(Task { join, abort });
    }

    pub(crate) fn try_join_next(&mut self) -> Option<Result<(), JoinError>> {
        let ended = self.0.iter().position(|task| task.join.is_finished())?;
        self.0.swap_remove(ended);
        Some(Ok(()))
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort.abort();
        }
    }
}

// === impl JoinError ===

impl JoinError {
    pub(crate) fn is_panic(&self) -> bool {
        match *self {}
    }
}
