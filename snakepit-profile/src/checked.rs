//! The `hybrid` capacity strategy: a worker that counts by itself.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::call::{Call, Completion, Completions, Outcome};
use crate::error::Exit;
use crate::id::{RequestId, WorkerName};
use crate::slots::{SlotPermit, Slots};
use crate::worker::{Health, Worker, WorkerFacts};

/// Counts what it has been given, and takes no more than it has slots.
pub(crate) struct CheckedWorker {
    worker: Arc<dyn Worker>,
    slots: Arc<Slots>,
}

/// Frees the checked worker's slot, then passes the end on.
struct CheckedCompletion(Mutex<Option<(Completion, SlotPermit)>>);

// === impl CheckedWorker ===

impl CheckedWorker {
    pub(crate) fn new(worker: Arc<dyn Worker>, capacity: NonZeroU32) -> Self {
        Self {
            worker,
            slots: Arc::new(Slots::new(capacity)),
        }
    }
}

impl CheckedCompletion {
    fn take(&self) -> Option<(Completion, SlotPermit)> {
        self.0.lock().take()
    }
}

impl Completions for CheckedCompletion {
    fn completed(&self, _: RequestId, outcome: Outcome) {
        if let Some((completion, permit)) = self.take() {
            drop(permit);
            completion.complete(outcome);
        }
    }
}

#[async_trait]
impl Worker for CheckedWorker {
    fn name(&self) -> &WorkerName {
        self.worker.name()
    }

    fn pid(&self) -> u32 {
        self.worker.pid()
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        self.worker.facts()
    }

    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        let Some(permit) = Slots::try_acquire(&self.slots) else {
            tracing::error!(worker = %self.name(), "the pool gave this worker more calls than its profile allows");
            return Err((call, completion));
        };
        let request = completion.request();
        let checked = Arc::new(CheckedCompletion(Mutex::new(Some((completion, permit)))));
        self.worker
            .submit(call, Completion::new(request, Arc::clone(&checked) as _))
            .map_err(|(call, ours)| {
                // Taken back first, so that dropping our own completion reports nothing.
                let (completion, _permit) = checked.take().expect("a refused completion is still untold");
                drop(ours);
                (call, completion)
            })
    }

    fn abort(&self, request: RequestId) {
        self.worker.abort(request);
    }

    fn drain(&self) {
        self.worker.drain();
    }

    fn terminate(&self) {
        self.worker.terminate();
    }

    fn kill(&self, reason: &str) {
        self.worker.kill(reason);
    }

    async fn health(&self, patience: Duration) -> Health {
        self.worker.health(patience).await
    }

    async fn memory(&self) -> Option<u64> {
        self.worker.memory().await
    }

    async fn exited(&self) -> Exit {
        self.worker.exited().await
    }
}
