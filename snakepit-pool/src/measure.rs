//! The memory of workers: samples for the limit, and the figures before and after a renewal.

use std::sync::{Arc, Weak};
use std::time::Duration;

use snakepit_profile::WorkerId;

use crate::core::{Event, Recycled};
use crate::driver::Shared;
use crate::events::{PoolEventKind, RecycleReport};

/// Time between two samples of a worker. Several in a row must be too much, so that a peak within a call is forgiven.
const INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for one figure.
const PATIENCE: Duration = Duration::from_secs(1);

/// Measures every worker of a pool again and again, until the pool is gone.
pub(crate) async fn samples(pool: &Weak<Shared>) {
    loop {
        let sleep = {
            let Some(shared) = pool.upgrade() else { return };
            shared.clock.sleep_until(shared.clock.now().after(INTERVAL))
        };
        sleep.await;
        let workers: Vec<_> = {
            let Some(shared) = pool.upgrade() else { return };
            let book = shared.book.lock();
            let ready = book.roster.iter().filter(|occupant| occupant.facts.is_some());
            ready.map(|occupant| occupant.id).collect()
        };
        for worker in workers {
            let Some(shared) = pool.upgrade() else { return };
            if let Some(memory) = memory_of(&shared, worker).await {
                shared.tell(Event::Sampled { worker, memory });
            }
        }
    }
}

/// Measures the worker that `successor` is to follow, while it still does what it does.
pub(crate) async fn predecessor(shared: &Shared, successor: WorkerId) {
    let before = shared.book.lock().roster.predecessor(successor).map(|it| it.id);
    if let Some(worker) = before {
        memory_of(shared, worker).await;
    }
}

/// Measures a worker and takes note of it. Nobody waits long for a figure: it is not worth a delayed start.
async fn memory_of(shared: &Shared, id: WorkerId) -> Option<u64> {
    let worker = shared.book.lock().roster.get(id)?.worker.clone()?;
    let until = shared.clock.now().after(PATIENCE);
    let memory = tokio::select! {
        biased;
        memory = worker.memory() => memory,
        () = shared.clock.sleep_until(until) => None,
    }?;
    if let Some(occupant) = shared.book.lock().roster.get_mut(id) {
        occupant.memory = Some(memory);
    }
    Some(memory)
}

/// Tells of a renewal, with what the successor uses.
pub(crate) async fn report(shared: Arc<Shared>, recycled: Recycled, memory_before: Option<u64>) {
    let memory_after = match recycled.successor {
        Some(successor) => memory_of(&shared, successor).await,
        None => None,
    };
    let report = RecycleReport {
        worker: shared.worker_name(recycled.worker),
        successor: recycled.successor.map(|id| shared.worker_name(id)),
        reason: recycled.reason,
        uptime: recycled.uptime,
        requests: recycled.requests,
        memory_before,
        memory_after,
    };
    let (worker, reason) = (&report.worker, report.reason.as_str());
    tracing::info!(%worker, reason, requests = report.requests, "a worker is renewed");
    shared.with_book(|book, _| {
        book.last_recycled = Some(report.clone());
        book.tell(|_| PoolEventKind::WorkerRecycled(report));
    });
}
