//! What is worth telling to whoever watches a pool, beside the answers to its callers.

use std::time::Duration;

use snakepit_profile::{RequestId, WorkerId};

/// Something worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A worker takes calls.
    Ready {
        /// Which worker.
        worker: WorkerId,
        /// Time since it was spawned.
        after: Duration,
    },
    /// A worker takes nothing new, because it is renewed.
    Recycled(Recycled),
    /// A request was lost with its worker and is given to another one after a pause.
    Retried {
        /// Which request.
        request: RequestId,
        /// The worker that had it.
        lost_with: WorkerId,
        /// How many workers have had it.
        attempt: u32,
        /// How long it rests.
        pause: Duration,
    },
    /// A worker takes nothing new, because a call of it did not stop when it was told to. It is killed once its other calls
    /// have ended, or have had their time.
    Quarantined {
        /// Which worker.
        worker: WorkerId,
    },
    /// A request's slot is free again: its caller had gone, and its code has ended since, or never began.
    Stopped {
        /// Which request.
        request: RequestId,
        /// The worker that had it.
        worker: WorkerId,
        /// Time since its caller had gone.
        after: Duration,
    },
    /// The queue is full. Said again only after it was half empty.
    Saturated {
        /// How many wait.
        depth: u32,
    },
    /// Restarts have reached their limit: slots are left empty until a trial start succeeds.
    Degraded {
        /// Until the next start is tried.
        retry_in: Duration,
    },
    /// A trial start has succeeded: every slot is filled again.
    Recovered,
    /// Too many calls have failed in a row: all are refused for a while.
    CircuitOpened,
    /// The trial call has succeeded: calls are accepted again.
    CircuitClosed,
}

/// A worker that was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recycled {
    /// The old one.
    pub worker: WorkerId,
    /// The one in its place, ready since before the old one stopped; `None` where the pool allows no surplus, so that it
    /// is started after the old one has gone.
    pub successor: Option<WorkerId>,
    /// Why.
    pub reason: RecycleReason,
    /// How long it was ready.
    pub uptime: Duration,
    /// Calls it has finished.
    pub requests: u64,
}

/// Why a worker is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecycleReason {
    /// It has served for `worker_ttl`.
    Age,
    /// It has finished `worker_max_requests` calls.
    Requests,
    /// It used more than `worker_memory_max`, several times in a row.
    Memory,
    /// Somebody asked for it.
    Requested,
}

impl RecycleReason {
    /// Every reason, in order.
    pub const ALL: [Self; 4] = [Self::Age, Self::Requests, Self::Memory, Self::Requested];

    /// As logs say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "it has served for `worker_ttl`",
            Self::Requests => "it has finished `worker_max_requests` calls",
            Self::Memory => "it used more than `worker_memory_max`",
            Self::Requested => "it was asked for",
        }
    }
}
