//! What goes into the core, and what comes out.

use std::time::Duration;

use snakepit_profile::{RequestId, WorkerId};

use super::Moment;

/// Something that has happened. Any event is defined in any state; one that makes no sense there does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The pool may start its workers.
    Opened,
    /// A caller has handed in a request, under the id that [`Core::next_request`](super::Core::next_request) gave.
    Submitted {
        /// Its id.
        request: RequestId,
        /// When its caller stops waiting.
        deadline: Moment,
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
        /// It ended because its worker has died or never got it: nothing more is to be given to that worker.
        lost: bool,
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
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As the worker reported in [`Event::Completed`].
    Reported(Service),
    /// Its worker has ended.
    WorkerLost(Service),
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
    /// It was still starting when its pool ended.
    NotNeeded,
    /// It took no more calls.
    Severed,
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
            Self::NotNeeded => "it was still starting when its pool ended",
            Self::Severed => "it took no more calls",
            Self::Abandoned => "the host dropped its pool",
        }
    }
}
