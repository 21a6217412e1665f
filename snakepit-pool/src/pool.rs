//! The handle of one pool.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use snakepit_config::{PoolName, PoolSettings, ProfileKind};
use snakepit_profile::{RequestId, WorkerFacts, WorkerName, WorkerProfile};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::call::{Answer, PoolCall};
use crate::clock::Clock;
use crate::core::{Event, Milestones, WorkerState};
use crate::driver::Shared;
use crate::error::{ErrorKind, PoolError};
use crate::stats::PoolStats;

/// One pool. Clones are handles of the same pool; when the last one is dropped its workers are killed.
#[derive(Clone)]
pub struct Pool(Arc<Keeper>);

/// Kills the workers when nobody can use them any more.
struct Keeper(Arc<Shared>);

/// One worker, as reports and tests see it.
#[derive(Debug, Clone)]
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
    pub(crate) fn open(
        settings: &PoolSettings,
        profile: Arc<dyn WorkerProfile>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        seed: u64,
    ) -> Self {
        Self(Arc::new(Keeper(Shared::open(
            settings, profile, clock, runtime, seed,
        ))))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
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
        let (caller, answer) = oneshot::channel();
        let mut cancel = CancelOnDrop {
            shared,
            request: Some(shared.submit(call, caller)),
        };
        let answer = answer.await;
        cancel.request = None;
        answer.unwrap_or_else(|_| {
            Err(PoolError::ShuttingDown {
                pool: shared.name.clone(),
            })
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
        book.core
            .workers()
            .zip(&book.occupants)
            .filter(|(worker, _)| worker.state.has_process())
            .map(|(worker, occupant)| WorkerHandle {
                name: WorkerName {
                    pool: self.shared().name.clone(),
                    id: worker.id,
                },
                pid: occupant.pid,
                state: worker.state,
                load: worker.load,
                capacity: worker.capacity,
                facts: occupant.facts.clone(),
            })
            .collect()
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
        let errors: BTreeMap<_, _> = ErrorKind::ALL
            .into_iter()
            .zip(book.errors)
            .filter(|&(_, count)| count > 0)
            .collect();
        PoolStats {
            requests: counters.accepted,
            refused: counters.refused,
            completed: book.completed,
            cancelled: counters.cancelled,
            errors,
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
        }
    }

    /// Waits until a worker is ready.
    ///
    /// # Errors
    /// [`PoolError::PoolNotInitialized`] as soon as the pool has failed for good, [`PoolError::ShuttingDown`] if it
    /// stops before, [`PoolError::NotReady`] after `patience`.
    pub async fn await_ready(&self, patience: Duration) -> Result<(), PoolError> {
        let come = |so_far: &Milestones| so_far.ready || so_far.failed || so_far.stopped;
        let milestones = self.reach(patience, come).await?;
        if milestones.ready {
            Ok(())
        } else if milestones.failed {
            Err(PoolError::PoolNotInitialized {
                pool: self.name().clone(),
                source: self.shared().book.lock().start_error.clone(),
            })
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
        self.0.tell(Event::Abandoned);
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            self.shared.cancel(request);
        }
    }
}
