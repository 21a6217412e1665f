//! The handle of one pool.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use snakepit_config::{PoolName, ProfileKind};
use snakepit_profile::{RequestId, WorkerFacts, WorkerName};
use tokio::sync::oneshot;

use crate::book::Evidence;
use crate::call::{Answer, PoolCall};
use crate::core::{Event, Milestones, RecycleReason, WorkerSnapshot, WorkerState};
use crate::driver::Shared;
use crate::error::{ErrorKind, PoolError};
use crate::sessions::{SessionUse, Sessions};
use crate::stats::PoolStats;

/// One pool. Clones are handles of the same pool; when the last one is dropped its workers are killed.
#[derive(Clone)]
pub struct Pool(Arc<Keeper>);

/// Kills the workers when nobody can use them any more.
struct Keeper {
    shared: Arc<Shared>,
    sessions: Sessions,
}

/// One worker, as reports and tests see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerHandle {
    /// Its name.
    pub name: WorkerName,
    /// Its process id.
    pub pid: u32,
    /// Where it is in its life.
    pub state: WorkerState,
    /// Calls that it runs.
    pub load: u32,
    /// Calls that it can run at once.
    pub capacity: u32,
    /// Calls that it has finished.
    pub finished: u64,
    /// What it said of itself, once it is ready.
    pub facts: Option<Arc<WorkerFacts>>,
}

/// Tells the core that a caller has gone, unless it was answered.
struct CancelOnDrop<'a> {
    shared: &'a Shared,
    request: Option<RequestId>,
}

// === impl Pool ===

impl Pool {
    /// The first handle of a pool that has been opened.
    pub(crate) fn of(shared: Arc<Shared>, sessions: Sessions) -> Self {
        // A session that ends is ended here as well; the sessions do not keep the pool alive.
        let pool = Arc::downgrade(&shared);
        sessions.on_end(Box::new(move |session| {
            if let Some(shared) = pool.upgrade() {
                shared.tell(Event::SessionEnded { session });
            }
        }));
        Self(Arc::new(Keeper { shared, sessions }))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PoolName {
        &self.shared().name
    }

    /// How its workers run calls.
    #[must_use]
    pub fn profile(&self) -> ProfileKind {
        self.shared().profile.kind()
    }

    /// Runs a call on the least-loaded worker, or waits for a free slot. Dropping the future cancels the call: out of
    /// the queue at once, or its code is asked to stop and keeps its slot until it has.
    ///
    /// # Errors
    /// Every [`PoolError`] but those about names and waiting for a pool.
    pub async fn call(&self, call: PoolCall) -> Result<Answer, PoolError> {
        let shared = self.shared();
        // Held until the answer: a session does not expire under its call.
        let session = match &call.session {
            Some(name) => Some(self.enter(name)?),
            None => None,
        };
        let (caller, answer) = oneshot::channel();
        let mut cancel = CancelOnDrop {
            shared,
            request: Some(shared.submit(call, session.as_ref().map(SessionUse::id), caller)),
        };
        let answer = answer.await;
        cancel.request = None;
        answer.unwrap_or_else(|_| {
            Err(PoolError::ShuttingDown {
                pool: shared.name.clone(),
            })
        })
    }

    fn enter(&self, session: &str) -> Result<SessionUse, PoolError> {
        self.0.sessions.enter(session).map_err(|error| {
            let mut book = self.shared().book.lock();
            book.refused += 1;
            book.errors[ErrorKind::Session as usize] += 1;
            error.into()
        })
    }

    /// Its workers whose process exists, by slot. A failed pool has none.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerName> {
        self.worker_handles()
            .into_iter()
            .map(|worker| worker.name)
            .collect()
    }

    /// As [`Pool::workers`], with what is known of each.
    #[must_use]
    pub fn worker_handles(&self) -> Vec<WorkerHandle> {
        let book = self.shared().book.lock();
        if book.core.milestones().failed {
            return Vec::new();
        }
        let mut workers: Vec<_> = book
            .core
            .workers()
            .filter(|worker| worker.state.has_process())
            .filter_map(|worker| {
                let occupant = book.roster.get(worker.id)?;
                Some(WorkerHandle {
                    name: book.worker_name(worker.id),
                    pid: occupant.pid,
                    state: worker.state,
                    load: worker.load,
                    capacity: worker.capacity,
                    finished: worker.finished,
                    facts: occupant.facts.clone(),
                })
            })
            .collect();
        workers.sort_by_key(|worker| worker.name.id);
        workers
    }

    /// Its numbers.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let book = self.shared().book.lock();
        let snapshot = book.core.snapshot();
        let counters = snapshot.counters;
        let ready = snapshot
            .workers
            .iter()
            .filter(|worker| worker.state == WorkerState::Ready);
        PoolStats {
            requests: counters.accepted,
            refused: counters.refused + book.refused,
            completed: book.completed,
            cancelled: counters.cancelled,
            errors: book.errors_by_kind(),
            running: snapshot.running,
            lingering: snapshot.lingering,
            queued: snapshot.queued,
            queued_ever: counters.queued_ever,
            queue_timeouts: counters.queue_timeouts,
            saturated: counters.saturated,
            workers: count(
                snapshot
                    .workers
                    .iter()
                    .filter(|worker| worker.state.has_process()),
            ),
            ready: count(ready.clone()),
            load: snapshot.workers.iter().map(|worker| worker.load).sum(),
            capacity: ready.map(|worker| worker.capacity).sum(),
            restarts: counters.restarts,
            retried: counters.retried,
            recycled: RecycleReason::ALL
                .into_iter()
                .zip(counters.recycled)
                .filter(|&(_, count)| count > 0)
                .collect(),
            last_recycled: book.last_recycled.clone(),
            degraded: snapshot.degraded,
        }
    }

    /// Renews a worker: another one is started in its place, and once that is ready, it finishes what it has and goes. No
    /// call fails by it, but what a strict session kept in the worker goes with it, which its next call is told. Returns
    /// at once; [`Pools::events`](crate::Pools::events) tells when it is done.
    ///
    /// # Errors
    /// [`PoolError::WorkerNotFound`] unless it is ready; [`PoolError::ShuttingDown`] and
    /// [`PoolError::PoolNotInitialized`] for a pool that ends or has failed.
    pub fn recycle(&self, worker: &WorkerName) -> Result<(), PoolError> {
        let shared = self.shared();
        let id = worker.id;
        let not_found = || PoolError::WorkerNotFound {
            worker: worker.clone(),
        };
        if worker.pool != shared.name {
            return Err(not_found());
        }
        shared.with_book(|book, after| {
            book.still_open()?;
            let is_ready = |it: WorkerSnapshot| it.id == id && it.state == WorkerState::Ready;
            if !book.core.workers().any(is_ready) {
                return Err(not_found());
            }
            let event = Event::RecycleRequested { worker: id };
            book.step(shared.clock.now(), event, Evidence::None, after);
            Ok(())
        })
    }

    /// Renews every worker that is ready, as many at a time as `surge_max` allows.
    ///
    /// # Errors
    /// [`PoolError::ShuttingDown`] and [`PoolError::PoolNotInitialized`] for a pool that ends or has failed.
    pub fn recycle_all(&self) -> Result<(), PoolError> {
        let shared = self.shared();
        shared.with_book(|book, after| {
            book.still_open()?;
            let now = shared.clock.now();
            for worker in book.core.workers().collect::<Vec<_>>() {
                let event = Event::RecycleRequested { worker: worker.id };
                book.step(now, event, Evidence::None, after);
            }
            Ok(())
        })
    }

    /// Changes the number of its workers. More are started like the first; of those that go, the calls finish.
    ///
    /// # Errors
    /// [`PoolError::InvalidSize`] for none or more than `max_workers`, [`PoolError::ShuttingDown`] and
    /// [`PoolError::PoolNotInitialized`] for a pool that ends or has failed.
    pub fn resize(&self, size: u32) -> Result<(), PoolError> {
        let shared = self.shared();
        let most = shared.size_max;
        let invalid = || PoolError::InvalidSize {
            pool: shared.name.clone(),
            asked: size,
            rule: format!("1 to {most}, by `max_workers`"),
        };
        let size = NonZeroU32::new(size)
            .filter(|&size| size <= most)
            .ok_or_else(invalid)?;
        shared.with_book(|book, after| {
            book.still_open()?;
            book.step(shared.clock.now(), Event::Resized { size }, Evidence::None, after);
            Ok(())
        })
    }

    /// Waits until a worker is ready.
    ///
    /// # Errors
    /// [`PoolError::PoolNotInitialized`] as soon as the pool has failed for good, [`PoolError::ShuttingDown`] if it
    /// stops before, [`PoolError::NotReady`] after `patience`.
    pub async fn await_ready(&self, patience: Duration) -> Result<(), PoolError> {
        let come = |so_far: &Milestones| so_far.ready || so_far.failed || so_far.stopped;
        let milestones = self.reach(patience, come).await?;
        if milestones.failed {
            Err(PoolError::PoolNotInitialized {
                pool: self.name().clone(),
                source: self.shared().book.lock().start_error.clone(),
            })
        } else if milestones.ready {
            Ok(())
        } else {
            Err(PoolError::ShuttingDown {
                pool: self.name().clone(),
            })
        }
    }

    /// Waits until every slot has started or failed.
    ///
    /// # Errors
    /// [`PoolError::NotReady`] after `patience`.
    pub async fn await_started(&self, patience: Duration) -> Result<(), PoolError> {
        self.reach(patience, |so_far| so_far.settled || so_far.stopped)
            .await
            .map(drop)
    }

    /// Accepts nothing new, finishes what waits and runs, and stops the workers. Returns when the last one has ended.
    pub async fn drain(&self) {
        self.shared().tell(Event::DrainRequested);
        self.stopped().await;
    }

    /// Accepts nothing new, refuses what waits, gives what runs `patience`, and stops the workers. Returns when the
    /// last one has ended, at the latest `grace` after that.
    pub async fn shutdown(&self, patience: Duration) {
        let until = self.shared().clock.now().after(patience);
        self.shared().tell(Event::ShutdownRequested { until });
        self.stopped().await;
    }

    pub(crate) fn grace(&self) -> Duration {
        self.shared().grace
    }

    async fn stopped(&self) {
        let mut milestones = self.shared().milestones.subscribe();
        // The sender lives in the pool, and `self` keeps that.
        let _ = milestones.wait_for(|so_far| so_far.stopped).await;
    }

    async fn reach(
        &self,
        patience: Duration,
        come: impl Fn(&Milestones) -> bool,
    ) -> Result<Milestones, PoolError> {
        let shared = self.shared();
        let mut milestones = shared.milestones.subscribe();
        let until = shared.clock.now().after(patience);
        let reached = tokio::select! {
            biased;
            so_far = milestones.wait_for(come) => so_far.ok().map(|so_far| *so_far),
            () = shared.clock.sleep_until(until) => None,
        };
        reached.ok_or_else(|| PoolError::NotReady {
            pool: shared.name.clone(),
            waited: patience,
            source: shared.book.lock().start_error.clone(),
        })
    }
}

fn count<T>(workers: impl Iterator<Item = T>) -> u32 {
    u32::try_from(workers.count()).unwrap_or(u32::MAX)
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.name().as_str()).finish()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.tell(Event::Abandoned);
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            self.shared.cancel(request);
        }
    }
}
