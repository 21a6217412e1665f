//! What can be seen of a pool.

use snakepit_profile::WorkerId;

use super::lifecycle::WorkerState;
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
    /// Nothing: it never had a ready worker, and never will.
    Failed,
}

/// What has come true of a pool. None of it is ever taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each of which only ever becomes true"
)]
pub struct Milestones {
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
    /// Requests that wait.
    pub queued: u32,
    /// Requests that run and whose caller waits.
    pub running: u32,
    /// Slots held by code whose caller has gone or has been answered.
    pub lingering: u32,
    /// What has been counted.
    pub counters: Counters,
    /// Every slot.
    pub workers: Vec<WorkerSnapshot>,
}

/// One slot at one moment.
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
}

impl Milestones {
    /// Adds what has come true according to `other`.
    pub fn merge(&mut self, other: Self) {
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
            queued: self.queue.len(),
            running: workers.iter().map(|worker| worker.load).sum::<u32>() - lingering,
            lingering,
            counters: self.counters,
            workers,
        }
    }

    /// Every slot, in order.
    pub fn workers(&self) -> impl Iterator<Item = WorkerSnapshot> {
        self.seats.all.iter().map(|seat| WorkerSnapshot {
            id: seat.id,
            state: seat.state,
            load: seat.slots.load(),
            capacity: seat.slots.capacity().get(),
        })
    }

    /// What has come true of the pool.
    #[must_use]
    pub fn milestones(&self) -> Milestones {
        self.milestones
    }
}
