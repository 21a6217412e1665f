//! The tasks of one pool.

use std::future::Future;

use crate::sync::{Handle, JoinError, JoinSet, Mutex};

/// Tasks that end with their owner, and whose panics are reported.
#[derive(Debug)]
pub(crate) struct Supervised {
    /// Tasks are started from any thread, also from one that belongs to no runtime.
    runtime: Handle,
    tasks: Mutex<JoinSet<()>>,
}

impl Supervised {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            tasks: Mutex::new(JoinSet::new()),
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut ended = Vec::new();
        {
            let mut tasks = self.tasks.lock();
            // Ended tasks are kept until they are joined: taking them here bounds the set.
            while let Some(task) = tasks.try_join_next() {
                ended.push(task);
            }
            tasks.spawn_on(task, &self.runtime);
        }
        ended.into_iter().for_each(report);
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a task of a pool panicked");
    }
}
