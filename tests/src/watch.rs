//! Waiting for what happens in pools.

use snakepit::{Events, Observed, PoolEvent, PoolEventKind, WorkerName};

use crate::PATIENCE;

/// The events of pools, one after the other. A test that waits for one in vain fails.
#[derive(Debug)]
pub struct Watch(Events);

// === impl Watch ===

impl Watch {
    /// What these events tell from now on.
    #[must_use]
    pub fn new(events: Events) -> Self {
        Self(events)
    }

    /// The next event.
    ///
    /// # Panics
    /// Where none comes, or some were lost.
    pub async fn next(&mut self) -> PoolEvent {
        match tokio::time::timeout(PATIENCE, self.0.next()).await {
            Ok(Some(Observed::Event(event))) => event,
            other => panic!("an event was awaited, not {other:?}"),
        }
    }

    /// Waits for the first event that `wanted` makes something of, and gives that. Those before it are gone.
    ///
    /// # Panics
    /// Where it does not come.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(&PoolEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        loop {
            let Ok(next) = tokio::time::timeout(PATIENCE, self.0.next()).await else {
                panic!("it did not come; what came was {seen:#?}");
            };
            match next {
                Some(Observed::Event(event)) => match wanted(&event) {
                    Some(found) => return found,
                    None => seen.push(event),
                },
                other => panic!("{other:?} after {seen:#?}"),
            }
        }
    }

    /// Waits until some worker takes calls, and says which.
    ///
    /// # Panics
    /// Where none ever does.
    pub async fn until_ready(&mut self) -> WorkerName {
        self.until(|event| match &event.kind {
            PoolEventKind::WorkerReady { worker, .. } => Some(worker.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until some worker has ended, and says which.
    ///
    /// # Panics
    /// Where none ever does.
    pub async fn until_exited(&mut self) -> WorkerName {
        self.until(|event| match &event.kind {
            PoolEventKind::WorkerExited { worker, .. } => Some(worker.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until some worker is renewed, and says how.
    ///
    /// # Panics
    /// Where none ever is.
    pub async fn until_recycled(&mut self) -> snakepit::RecycleReport {
        self.until(|event| match &event.kind {
            PoolEventKind::WorkerRecycled(report) => Some(report.clone()),
            _ => None,
        })
        .await
    }
}
