//! The memory of workers: samples for the limit, and the figures before and after a renewal.

use std::sync::{Arc, Weak};
use std::time::Duration;

use snakepit_profile::{Worker, WorkerId};

use crate::core::{Event, Recycled};
use crate::driver::Shared;
use crate::events::{PoolEventKind, RecycleReport};

/// Time between two samples of a worker. Several in a row must be too much, so that a peak within a call is forgiven.
const INTERVAL: Duration = Duration::from_millis(500);

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
            ready.filter_map(|it| Some((it.id, it.worker.clone()?))).collect()
        };
        for (id, worker) in workers {
            let memory = worker.memory().await;
            drop(worker);
            let Some(shared) = pool.upgrade() else { return };
            if let Some(memory) = memory {
                note(&shared, id, memory);
                shared.tell(Event::Sampled { worker: id, memory });
            }
        }
    }
}

/// Measures the worker that `successor` is to follow, while it still does what it does.
pub(crate) async fn predecessor(shared: &Shared, successor: WorkerId) {
    let before = {
        let book = shared.book.lock();
        let before = book.roster.predecessor(successor);
        before.and_then(|it| Some((it.id, it.worker.clone()?)))
    };
    if let Some((id, worker)) = before
        && let Some(memory) = worker.memory().await
    {
        note(shared, id, memory);
    }
}

fn note(shared: &Shared, worker: WorkerId, memory: u64) {
    if let Some(occupant) = shared.book.lock().roster.get_mut(worker) {
        occupant.memory = Some(memory);
    }
}

/// Tells of a renewal, with what the successor uses.
pub(crate) fn report(shared: Arc<Shared>, recycled: Recycled) -> impl Future<Output = ()> + Send {
    // The old one may be gone before the task runs.
    let before = {
        let book = shared.book.lock();
        book.roster.get(recycled.worker).and_then(|it| it.memory)
    };
    async move {
        let successor = recycled.successor.and_then(|id| handle(&shared, id));
        let memory_after = match successor {
            Some(worker) => worker.memory().await,
            None => None,
        };
        let report = RecycleReport {
            worker: shared.worker_name(recycled.worker),
            successor: recycled.successor.map(|id| shared.worker_name(id)),
            reason: recycled.reason,
            uptime: recycled.uptime,
            requests: recycled.requests,
            memory_before: before,
            memory_after,
        };
        let (worker, reason) = (&report.worker, report.reason.as_str());
        tracing::info!(%worker, reason, requests = report.requests, "a worker is renewed");
        shared.with_book(|book, _| {
            book.last_recycled = Some(report.clone());
            book.tell(|_| PoolEventKind::WorkerRecycled(report));
        });
    }
}

fn handle(shared: &Shared, id: WorkerId) -> Option<Arc<dyn Worker>> {
    shared.book.lock().roster.get(id)?.worker.clone()
}
