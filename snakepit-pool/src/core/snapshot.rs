//! What can be seen of a pool.

use snakepit_profile::WorkerId;

use super::breaker::BreakerState;
use super::lifecycle::WorkerState;
use super::notice::RecycleReason;
use super::seats::{Role, Seat};
use super::{Core, Moment};

/// What a pool accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Requests, as soon as a worker has been ready.
    Open,
    /// Nothing new; what waits and runs finishes.
    Draining,
    /// Nothing new, and nothing waits.
    Closing,
    /// Nothing: it never had a ready worker, or lost them all, and never will have one.
    Failed,
}

/// What has come true of a pool. None of it is ever taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which only ever becomes true"
)]
pub struct Milestones {
    /// Its first workers were started.
    pub opened: bool,
    /// A worker has been ready.
    pub ready: bool,
    /// Every slot has had a ready worker, or has failed.
    pub settled: bool,
    /// The pool has failed for good.
    pub failed: bool,
    /// It has no worker any more, and never will.
    pub stopped: bool,
}

/// What has been counted since the pool was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests that were accepted.
    pub accepted: u64,
    /// Requests that were refused as they came.
    pub refused: u64,
    /// Accepted requests whose caller was answered.
    pub answered: u64,
    /// Accepted requests whose caller went before.
    pub cancelled: u64,
    /// Requests that had to wait.
    pub queued_ever: u64,
    /// Requests that waited too long.
    pub queue_timeouts: u64,
    /// Requests that found the queue full.
    pub saturated: u64,
    /// Workers that were started.
    pub spawned: u64,
    /// Workers that have ended, or could not be started.
    pub died: u64,
    /// Workers that followed another in the same slot.
    pub restarts: u64,
    /// Completions that came late or twice, and events of earlier workers.
    pub stale: u64,
    /// Events that made no sense.
    pub spurious: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Requests that were given up because workers died under them.
    pub poisoned: u64,
    /// Times that restarts have reached their limit.
    pub degraded: u64,
    /// Workers that were renewed, by [`RecycleReason`].
    pub recycled: [u64; RecycleReason::ALL.len()],
}

/// A pool at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The latest moment it was told of.
    pub now: Moment,
    /// What it accepts.
    pub phase: Phase,
    /// What has come true of it.
    pub milestones: Milestones,
    /// Slots that it is to have.
    pub size: u32,
    /// Restarts have reached their limit, and a trial start is awaited.
    pub degraded: bool,
    /// Whether calls are let through, where the pool has a circuit breaker.
    pub breaker: Option<BreakerState>,
    /// Requests that wait, those that rest before another attempt included.
    pub queued: u32,
    /// Requests that run and whose caller waits.
    pub running: u32,
    /// Slots held by code whose caller has gone or has been answered.
    pub lingering: u32,
    /// What has been counted.
    pub counters: Counters,
    /// Every slot's worker, and those that are renewed twice: the old one and its successor.
    pub workers: Vec<WorkerSnapshot>,
}

/// One worker at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSnapshot {
    /// The present worker or the last one; generation 0 is none so far.
    pub id: WorkerId,
    /// Where it is.
    pub state: WorkerState,
    /// Slots of it that are taken.
    pub load: u32,
    /// Slots it has.
    pub capacity: u32,
    /// Calls that it has finished.
    pub finished: u64,
}

impl Milestones {
    /// Adds what has come true according to `other`.
    pub fn merge(&mut self, other: Self) {
        self.opened |= other.opened;
        self.ready |= other.ready;
        self.settled |= other.settled;
        self.failed |= other.failed;
        self.stopped |= other.stopped;
    }
}

impl Core {
    /// The pool as it is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let workers: Vec<_> = self.workers().collect();
        let lingering = self.seats.all.iter().map(|seat| seat.lingering).sum();
        Snapshot {
            now: self.now,
            phase: self.phase,
            milestones: self.milestones,
            size: self.size,
            degraded: self.is_degraded(),
            breaker: self.breaker.as_ref().map(|breaker| breaker.state(self.now)),
            queued: self.waiting(),
            running: workers.iter().map(|worker| worker.load).sum::<u32>() - lingering,
            lingering,
            counters: self.counters,
            workers,
        }
    }

    /// The worker of every slot in order, then those that are about to follow one or to go.
    pub fn workers(&self) -> impl Iterator<Item = WorkerSnapshot> {
        let present = self.seats.posts.iter().map(|post| self.seats.get(post.seat));
        let extra = self.seats.extra().iter().map(|&seat| self.seats.get(seat));
        present.chain(extra).map(Seat::snapshot)
    }

    /// What it accepts.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What has come true of the pool.
    #[must_use]
    pub fn milestones(&self) -> Milestones {
        self.milestones
    }
}

impl Seat {
    fn snapshot(&self) -> WorkerSnapshot {
        debug_assert_ne!(self.role, Role::Spare, "a spare seat is nobody's");
        WorkerSnapshot {
            id: self.id,
            state: self.state,
            load: self.slots.load(),
            capacity: self.slots.capacity().get(),
            finished: self.finished,
        }
    }
}
