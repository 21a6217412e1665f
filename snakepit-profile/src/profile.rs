//! How a pool uses its workers.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use snakepit_config::ProfileKind;
use tokio::sync::oneshot;

use crate::call::{Call, CallError, Completion, Completions, Outcome};
use crate::error::{Exit, StartError};
use crate::id::{RequestId, WorkerId};
use crate::slots::{SlotPermit, Slots};
use crate::worker::{Health, Worker, WorkerEvents, WorkerFacts};

/// How a pool's workers are started, used and stopped.
///
/// Load is counted in one place, the worker's [`Slots`]: a pool counts its leases with them, and
/// [`execute`](WorkerProfile::execute) counts with them where there is no pool.
#[async_trait]
pub trait WorkerProfile: Send + Sync + 'static {
    /// Which profile this is.
    fn kind(&self) -> ProfileKind;

    /// Calls that one of its workers runs at once.
    fn capacity(&self) -> NonZeroU32;

    /// Starts a worker. It returns as soon as the process exists; readiness and end arrive in `events`.
    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError>;

    /// Stops a worker: asks it to finish, sends SIGTERM in the middle of `grace`, kills its group at the end of it.
    async fn stop(&self, worker: &dyn Worker, grace: Duration) -> Exit {
        worker.drain();
        if let Ok(exit) = tokio::time::timeout(grace / 2, worker.exited()).await {
            return exit;
        }
        worker.terminate();
        if let Ok(exit) = tokio::time::timeout(grace / 2, worker.exited()).await {
            return exit;
        }
        worker.kill("it did not stop within its grace");
        worker.exited().await
    }

    /// Runs one call on one worker, without a pool: takes a slot, waits for the end, gives the slot back once the code
    /// has stopped. If the future is dropped the call is aborted, and its slot stays taken until it has ended.
    ///
    /// # Errors
    /// [`CallError::Busy`] where no slot is free, and whatever becomes of the call.
    async fn execute(&self, worker: &dyn Worker, slots: &Arc<Slots>, call: Call) -> Outcome {
        let permit = Slots::try_acquire(slots).ok_or(CallError::Busy {
            capacity: slots.capacity().get(),
        })?;
        let (answer, answered) = oneshot::channel();
        let waiter = Arc::new(Waiter(Mutex::new(Some((answer, permit)))));
        let request = call.request;
        let completion = Completion::new(request, waiter);
        if let Err((_, completion)) = worker.submit(call, completion) {
            completion.complete(Err(CallError::NotSent));
        }
        let mut abort = AbortOnDrop {
            worker,
            request,
            armed: true,
        };
        let outcome = answered.await.unwrap_or(Err(CallError::Aborted {
            started: true,
            stopped_by: None,
        }));
        abort.armed = false;
        outcome
    }

    /// Calls that a worker runs now.
    fn load(&self, slots: &Slots) -> u32 {
        slots.load()
    }

    /// Whether a worker answers.
    async fn health(&self, worker: &dyn Worker, patience: Duration) -> Health {
        worker.health(patience).await
    }

    /// What a worker said of itself, once it is ready.
    fn metadata(&self, worker: &dyn Worker) -> Option<Arc<WorkerFacts>> {
        worker.facts()
    }
}

/// Waits for one call for [`WorkerProfile::execute`], and holds its slot until the code has stopped.
struct Waiter(Mutex<Option<(oneshot::Sender<Outcome>, SlotPermit)>>);

impl Completions for Waiter {
    fn completed(&self, _: RequestId, outcome: Outcome) {
        let waiting = self.0.lock().take();
        if let Some((answer, permit)) = waiting {
            // The slot is free before the caller hears of it, so that it can use it at once.
            drop(permit);
            // A caller that has gone wants no answer.
            let _ = answer.send(outcome);
        }
    }
}

struct AbortOnDrop<'a> {
    worker: &'a dyn Worker,
    request: RequestId,
    armed: bool,
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.worker.abort(self.request);
        }
    }
}
