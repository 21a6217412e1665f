//! What happens in pools, for programs that want to watch.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use snakepit_config::PoolName;
use snakepit_profile::{Exit, Rung, StartError, WorkerName};

use crate::core::RecycleReason;
use crate::error::ErrorKind;
use crate::journal::{Journal, Occurrence, Reader};

/// Something that happened in a pool.
#[derive(Debug, Clone)]
pub struct PoolEvent {
    /// Which pool.
    pub pool: PoolName,
    /// What.
    pub kind: PoolEventKind,
}

/// What can happen in a pool.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PoolEventKind {
    /// A worker's process exists.
    WorkerStarted {
        /// Which worker.
        worker: WorkerName,
        /// Its process id.
        pid: u32,
    },
    /// A worker takes calls.
    WorkerReady {
        /// Which worker.
        worker: WorkerName,
        /// Its process id.
        pid: u32,
        /// Time since it was to be started.
        after: Duration,
    },
    /// A worker that was well takes nothing new, because it is renewed. This is told once its successor was measured,
    /// so that the old one's [`WorkerExited`](Self::WorkerExited) may come before.
    WorkerRecycled(RecycleReport),
    /// A worker has ended.
    WorkerExited {
        /// Which worker.
        worker: WorkerName,
        /// Its process id.
        pid: u32,
        /// Code or signal.
        exit: Exit,
        /// Why.
        cause: ExitCause,
    },
    /// A worker could not be started, or was never ready.
    StartFailed {
        /// Which worker.
        worker: WorkerName,
        /// Why.
        error: StartError,
    },
    /// The queue is full. Said again only after it was half empty.
    Saturated {
        /// Calls that wait.
        depth: u32,
    },
    /// Restarts have reached their limit. The pool serves with the workers it has, and refuses its calls where it has
    /// none, until a trial start succeeds.
    Degraded {
        /// Until that is tried.
        retry_in: Duration,
    },
    /// The trial start has succeeded.
    Recovered,
    /// Too many calls have failed in a row: all are refused for a while.
    CircuitOpened,
    /// The trial call has succeeded.
    CircuitClosed,
    /// A call was refused as it came, or given up before a worker had served it.
    CallRejected {
        /// Its tool.
        tool: Arc<str>,
        /// Why.
        error: ErrorKind,
    },
    /// A call has waited too long, in the queue or for its answer.
    CallExpired {
        /// Its tool.
        tool: Arc<str>,
        /// Which limit it was.
        error: ErrorKind,
    },
    /// A worker takes nothing new, because a call of it did not stop when it was told to. The next one is started in its
    /// place. It is killed once its other calls have ended, at the latest after `grace`.
    WorkerQuarantined {
        /// Which worker.
        worker: WorkerName,
        /// Its process id.
        pid: u32,
    },
    /// The code of a call has ended whose caller had gone: by its deadline, or because it dropped the call. The slot is free
    /// again, or its worker is gone.
    CallStopped {
        /// Its tool.
        tool: Arc<str>,
        /// The worker that had it.
        worker: WorkerName,
        /// What has stopped it.
        by: Rung,
        /// Time since its caller had gone.
        after: Duration,
    },
    /// A call was lost with its worker, and is given to another one.
    CallRetried {
        /// Its tool.
        tool: Arc<str>,
        /// The worker that had it.
        lost_with: WorkerName,
        /// How many workers have had it.
        attempt: u32,
        /// How long it rests before.
        pause: Duration,
    },
}

/// Why a worker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitCause {
    /// The pool had asked it to: it was renewed, or is no longer needed.
    Asked,
    /// The pool has killed it, for this reason.
    Killed(&'static str),
    /// By itself.
    Died,
}

/// How a worker was renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecycleReport {
    /// The old one.
    pub worker: WorkerName,
    /// The one in its place; `None` where it is started only after the old one has gone.
    pub successor: Option<WorkerName>,
    /// Why.
    pub reason: RecycleReason,
    /// How long the old one was ready.
    pub uptime: Duration,
    /// Calls it had finished.
    pub requests: u64,
    /// Its memory when its successor was started, or at the last sample, in bytes; `None` where that is not known.
    pub memory_before: Option<u64>,
    /// The successor's memory when it was ready, in bytes; `None` where that is not known.
    pub memory_after: Option<u64>,
}

/// What one subscriber of [`Pools::events`](crate::Pools::events) sees next.
#[derive(Debug, Clone)]
pub enum Observed {
    /// This happened.
    Event(PoolEvent),
    /// The subscriber was slow: so many events are lost to it.
    Missed(u64),
}

/// The events of all pools, from the moment of subscription on. Those of one pool come in their order.
///
/// The last 1,024 are kept for slow subscribers; whatever is older is lost to them, and counted.
pub struct Events(Reader<PoolEvent>);

/// Where the pools write.
pub(crate) type EventJournal = Journal<PoolEvent>;

/// Events that are kept for slow subscribers.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

pub(crate) fn journal() -> EventJournal {
    Journal::new(KEPT)
}

impl Events {
    pub(crate) fn of(journal: &EventJournal) -> Self {
        Self(journal.subscribe())
    }

    /// The next event; `None` once the pools are gone. Cancel-safe: a dropped future takes nothing with it.
    pub async fn next(&mut self) -> Option<Observed> {
        Some(match self.0.next().await? {
            Occurrence::Event(event) => Observed::Event(event),
            Occurrence::Missed(count) => Observed::Missed(count),
        })
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
