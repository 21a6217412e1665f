//! The tasks of one pool.

use std::future::Future;
use std::sync::Arc;

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
        // A runtime that has ended drops a task at once, and what that drops may start another one: not under the lock.
        let task = Arc::new(Mutex::new(Some(Box::pin(task))));
        let kept = Arc::clone(&task);
        let task = async move {
            let task = task.lock().take();
            if let Some(task) = task {
                task.await;
            }
        };
        let mut ended = Vec::new();
        {
            let mut tasks = self.tasks.lock();
            // Ended tasks are kept until they are joined: taking them here bounds the set.
            while let Some(task) = tasks.try_join_next() {
                ended.push(task);
            }
            tasks.spawn_on(task, &self.runtime);
        }
        drop(kept);
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

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    struct SpawnsAtItsEnd(Arc<Supervised>);

    impl Drop for SpawnsAtItsEnd {
        fn drop(&mut self) {
            self.0.spawn(async {});
        }
    }

    #[test]
    fn a_task_that_an_ended_runtime_drops_may_start_another() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let tasks = Arc::new(Supervised::new(runtime.handle().clone()));
        drop(runtime);
        let (done, end) = sync_channel(1);
        std::thread::spawn(move || {
            let duty = SpawnsAtItsEnd(Arc::clone(&tasks));
            tasks.spawn(async move { drop(duty) });
            done.send(()).unwrap();
        });
        end.recv_timeout(Duration::from_mins(1))
            .expect("it waits for itself");
    }
}
