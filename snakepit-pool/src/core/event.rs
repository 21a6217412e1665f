//! What goes into the core, and what comes out.

use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_config::Affinity;
use snakepit_profile::{RequestId, WorkerId};

use super::notice::Notice;
use super::{Moment, SessionId};

/// Something that has happened. Any event is defined in any state; one that makes no sense there does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The pool may start its workers.
    Opened,
    /// A caller has handed in a request, under the id that [`Core::next_request`](super::Core::next_request) gave.
    Submitted {
        /// Its id.
        request: RequestId,
        /// How it is to be served.
        terms: Terms,
    },
    /// A caller no longer waits.
    Cancelled {
        /// What it had asked for.
        request: RequestId,
    },
    /// A worker's process exists.
    Launched {
        /// Which worker.
        worker: WorkerId,
    },
    /// A worker's process could not be created.
    LaunchFailed {
        /// Which worker.
        worker: WorkerId,
        /// Trying again can only fail again.
        permanent: bool,
    },
    /// A worker's handshake and warm-up are done.
    BecameReady {
        /// Which worker.
        worker: WorkerId,
    },
    /// A worker no longer takes calls: its connection is gone.
    Severed {
        /// Which worker.
        worker: WorkerId,
    },
    /// A worker's process has ended, and all its code with it.
    Exited {
        /// Which worker.
        worker: WorkerId,
        /// It failed to start, and trying again can only fail again.
        permanent: bool,
    },
    /// A worker has ended a call; its code no longer runs.
    Completed {
        /// Which call.
        request: RequestId,
        /// Which worker. A request that was lost with one worker may be on another now.
        worker: WorkerId,
        /// How it ended.
        end: End,
    },
    /// A worker's memory was measured.
    Sampled {
        /// Which worker.
        worker: WorkerId,
        /// What it uses, in bytes.
        memory: u64,
    },
    /// A worker is to be renewed.
    RecycleRequested {
        /// Which worker.
        worker: WorkerId,
    },
    /// The pool is to have another number of workers.
    Resized {
        /// How many, at most [`CoreConfig::size_max`](super::CoreConfig::size_max).
        size: NonZeroU32,
    },
    /// A session has ended: it is not heard of again.
    SessionEnded {
        /// Which one.
        session: SessionId,
    },
    /// Nothing new is to be accepted; what there is finishes, then the workers stop.
    DrainRequested,
    /// As draining, but what waits is refused, and what runs has until this moment.
    ShutdownRequested {
        /// When the workers are asked to stop, whatever they run.
        until: Moment,
    },
    /// Nobody can use the pool any more.
    Abandoned,
}

/// How a request is to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// When its caller stops waiting.
    pub deadline: Moment,
    /// Who goes first of those that wait.
    pub priority: Priority,
    /// The session it belongs to.
    pub session: Option<SessionId>,
    /// What it expects of the worker that served its session last. Means nothing without a session.
    pub affinity: Affinity,
    /// How often it may be given to a worker that then dies: once, unless running it again does no harm.
    pub attempts: NonZeroU32,
}

/// Who goes first of those that wait. Nobody waits for ever: see [`CoreConfig::AGEING`](super::CoreConfig::AGEING).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Work that can wait.
    Low,
    /// Everything else.
    #[default]
    Normal,
    /// Somebody is waiting.
    High,
}

/// How a call ended on its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a value or an error; the worker goes on.
    Served,
    /// With its worker, which has died. It may have run.
    Lost,
    /// Its worker died before it got it. It did not run.
    NotSent,
}

/// Something the driver must do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Hand a request to a worker.
    Dispatch {
        /// Which request.
        request: RequestId,
        /// Which worker.
        worker: WorkerId,
    },
    /// Tell a caller how its request has ended. Comes exactly once per submitted request, unless the caller cancelled.
    Answer {
        /// Which request.
        request: RequestId,
        /// How.
        verdict: Verdict,
    },
    /// Ask a worker to end a call that nobody waits for. Its completion still comes.
    Abort {
        /// Which request.
        request: RequestId,
        /// The worker that runs it.
        worker: WorkerId,
    },
    /// Create a worker's process.
    Spawn {
        /// Which worker.
        worker: WorkerId,
    },
    /// Ask a worker to finish, clean up and exit.
    Stop {
        /// Which worker.
        worker: WorkerId,
    },
    /// Send a worker SIGTERM.
    Terminate {
        /// Which worker.
        worker: WorkerId,
    },
    /// Kill a worker.
    Kill {
        /// Which worker.
        worker: WorkerId,
        /// Why.
        reason: KillReason,
    },
    /// Tell whoever listens.
    Note(Notice),
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As the worker reported in [`Event::Completed`].
    Reported(Service),
    /// Its worker has ended.
    WorkerLost(Service),
    /// It was on so many workers when they died that it is given to no other.
    Poisoned {
        /// By whom it was served last.
        service: Service,
        /// How many have died.
        workers: u32,
    },
    /// The worker of its session is full, and it does not want to wait.
    WorkerBusy {
        /// Which worker.
        worker: WorkerId,
    },
    /// The worker of its session is gone, and what it kept in there with it.
    SessionWorkerUnavailable {
        /// Which worker.
        worker: WorkerId,
    },
    /// Too many workers have died in a short time, and none is ready.
    Degraded {
        /// Until the next start is tried.
        retry_in: Duration,
    },
    /// Too many calls have failed in a row.
    CircuitOpen {
        /// Until a call may be tried; zero while one is.
        retry_in: Duration,
    },
    /// No worker of the pool was ever ready.
    NotInitialized,
    /// The queue is full.
    Saturated {
        /// Requests that wait.
        depth: u32,
        /// How many may.
        limit: u32,
    },
    /// It waited too long. It never runs.
    QueueTimeout {
        /// How long.
        waited: Duration,
    },
    /// Its deadline has passed.
    DeadlineExceeded {
        /// Whether a worker had it: its code may still run.
        dispatched: bool,
        /// Time since it was submitted.
        after: Duration,
    },
    /// The pool accepts nothing any more.
    ShuttingDown,
}

/// By whom a request was served, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The worker.
    pub worker: WorkerId,
    /// Time in the queue.
    pub queued: Duration,
    /// From submission to now.
    pub total: Duration,
}

/// Why a worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillReason {
    /// It was not ready within `startup_timeout`.
    StartupTimeout,
    /// It did not stop within its grace.
    GraceOver,
    /// It was still starting when it was no longer needed.
    NotNeeded,
    /// It took no more calls.
    Severed,
    /// Its code did not stop within [`CoreConfig::LINGER_MAX`](super::CoreConfig::LINGER_MAX).
    Hung,
    /// Nobody can use its pool any more.
    Abandoned,
}

impl KillReason {
    /// As its callers read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StartupTimeout => "it was not ready within `startup_timeout`",
            Self::GraceOver => "it did not stop within its grace",
            Self::NotNeeded => "it was still starting when it was no longer needed",
            Self::Severed => "it took no more calls",
            Self::Hung => "its code did not stop when it was told to",
            Self::Abandoned => "the host dropped its pool",
        }
    }
}

impl Terms {
    /// Its affinity, where that binds it to one worker.
    pub(super) fn is_strict(&self) -> bool {
        self.session.is_some() && self.affinity != Affinity::Hint
    }
}

impl Priority {
    /// Every priority, in order.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];
}
