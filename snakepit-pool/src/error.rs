//! Why a call, or a wait for a pool, has failed.

use std::time::Duration;

use snakepit_config::PoolName;
use snakepit_profile::{CallError, Executed, StartError, WorkerName};

use crate::sessions::SessionError;

/// Why a pool has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// There is no such pool.
    #[error("there is no pool `{pool}`; there is {}", if .available.is_empty() { "none".to_owned() } else { .available.join(", ") })]
    PoolNotFound {
        /// What was asked for.
        pool: String,
        /// What there is, in the order of the configuration.
        available: Vec<String>,
    },
    /// The pool has not started yet, or could not.
    #[error("pool `{pool}` {}", if .source.is_some() { "could not start" } else { "has not started yet" })]
    PoolNotInitialized {
        /// Which pool.
        pool: PoolName,
        /// Why its last start failed, where one has.
        source: Option<StartError>,
    },
    /// As many calls wait as may.
    #[error("pool `{pool}` is saturated: {depth} calls wait, and `queue_max` is {limit}")]
    PoolSaturated {
        /// Which pool.
        pool: PoolName,
        /// Calls that wait.
        depth: u32,
        /// How many may.
        limit: u32,
    },
    /// No worker became free in time. The call never runs.
    #[error("no worker of pool `{pool}` became free within {waited:?}")]
    QueueTimeout {
        /// Which pool.
        pool: PoolName,
        /// How long the call waited.
        waited: Duration,
    },
    /// The call's deadline has passed.
    #[error("the call to pool `{pool}` was not answered within {after:?}{}", match .ran {
        Executed::No => "; it never ran",
        Executed::Maybe | Executed::Yes => "; it may have run",
    })]
    DeadlineExceeded {
        /// Which pool.
        pool: PoolName,
        /// Time since it was made.
        after: Duration,
        /// Whether it may have run.
        ran: Executed,
    },
    /// The pool accepts nothing any more.
    #[error("pool `{pool}` is shutting down")]
    ShuttingDown {
        /// Which pool.
        pool: PoolName,
    },
    /// The pool did not get so far in the time given; it goes on starting.
    #[error("pool `{pool}` was not ready within {waited:?}")]
    NotReady {
        /// Which pool.
        pool: PoolName,
        /// The time given.
        waited: Duration,
        /// Why its last start failed, where one has.
        source: Option<StartError>,
    },
    /// The worker of the call's session is full, and the call is not to wait for it.
    #[error("worker {worker}, to which the session is bound, is busy")]
    WorkerBusy {
        /// Which worker.
        worker: WorkerName,
    },
    /// The worker of the call's session is gone, with whatever the session kept in its memory. The next call of the
    /// session goes to any worker.
    #[error("worker {worker}, to which the session was bound, is gone")]
    SessionWorkerUnavailable {
        /// Which worker.
        worker: WorkerName,
    },
    /// Too many workers have died in a short time, and none is ready.
    #[error("pool `{pool}` is degraded: its workers die, and restarts have reached their limit")]
    Degraded {
        /// Which pool.
        pool: PoolName,
        /// Until the next start is tried; zero while one is.
        retry_in: Duration,
        /// Why its last start failed, where one has.
        source: Option<StartError>,
    },
    /// Too many calls have failed in a row.
    #[error("the circuit of pool `{pool}` is open: too many calls in a row have failed")]
    CircuitOpen {
        /// Which pool.
        pool: PoolName,
        /// Until a call may be tried; zero while one is.
        retry_in: Duration,
    },
    /// The call was on several workers when they died. It is given to no other.
    #[error("{workers} workers of pool `{pool}` died while they had this call of `{tool}`")]
    Poisoned {
        /// Which pool.
        pool: PoolName,
        /// The call's tool.
        tool: String,
        /// How many have died.
        workers: u32,
        /// How the last one died.
        source: Option<Box<CallError>>,
    },
    /// The pool cannot have so many workers.
    #[error("pool `{pool}` cannot have {asked} workers: {rule}")]
    InvalidSize {
        /// Which pool.
        pool: PoolName,
        /// What was asked for.
        asked: u32,
        /// What is allowed.
        rule: String,
    },
    /// The pool has no such worker, or it is not in service.
    #[error("worker {worker} is not in service")]
    WorkerNotFound {
        /// What was asked for.
        worker: WorkerName,
    },
    /// The call's session cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A worker had the call, and it has no value.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The kinds of failure that statistics tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each is documented where it arises: `PoolError` and `CallError`"
)]
pub enum ErrorKind {
    PoolNotFound,
    PoolNotInitialized,
    PoolSaturated,
    QueueTimeout,
    DeadlineExceeded,
    ShuttingDown,
    NotReady,
    Raised,
    UnknownTool,
    InvalidArguments,
    Unsendable,
    TooLarge,
    Aborted,
    NotSent,
    WorkerLost,
    WorkerBusy,
    SessionWorkerUnavailable,
    Degraded,
    CircuitOpen,
    Poisoned,
    InvalidSize,
    WorkerNotFound,
    Session,
    Other,
}

// === impl PoolError ===

impl PoolError {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::PoolNotFound { .. } => ErrorKind::PoolNotFound,
            Self::PoolNotInitialized { .. } => ErrorKind::PoolNotInitialized,
            Self::PoolSaturated { .. } => ErrorKind::PoolSaturated,
            Self::QueueTimeout { .. } => ErrorKind::QueueTimeout,
            Self::DeadlineExceeded { .. } => ErrorKind::DeadlineExceeded,
            Self::ShuttingDown { .. } => ErrorKind::ShuttingDown,
            Self::NotReady { .. } => ErrorKind::NotReady,
            Self::WorkerBusy { .. } => ErrorKind::WorkerBusy,
            Self::SessionWorkerUnavailable { .. } => ErrorKind::SessionWorkerUnavailable,
            Self::Degraded { .. } => ErrorKind::Degraded,
            Self::CircuitOpen { .. } => ErrorKind::CircuitOpen,
            Self::Poisoned { .. } => ErrorKind::Poisoned,
            Self::InvalidSize { .. } => ErrorKind::InvalidSize,
            Self::WorkerNotFound { .. } => ErrorKind::WorkerNotFound,
            Self::Session(_) => ErrorKind::Session,
            Self::Call(error) => match error {
                CallError::Raised(_) => ErrorKind::Raised,
                CallError::UnknownTool { .. } => ErrorKind::UnknownTool,
                CallError::InvalidArguments { .. } => ErrorKind::InvalidArguments,
                CallError::Unsendable { .. } => ErrorKind::Unsendable,
                CallError::TooLarge { .. } => ErrorKind::TooLarge,
                CallError::Aborted { .. } => ErrorKind::Aborted,
                CallError::NotSent => ErrorKind::NotSent,
                CallError::Lost(_) => ErrorKind::WorkerLost,
                _ => ErrorKind::Other,
            },
        }
    }

    /// Whether the call's code ran.
    #[must_use]
    pub fn executed(&self) -> Executed {
        match self {
            Self::PoolNotFound { .. }
            | Self::PoolNotInitialized { .. }
            | Self::PoolSaturated { .. }
            | Self::QueueTimeout { .. }
            | Self::ShuttingDown { .. }
            | Self::NotReady { .. }
            | Self::WorkerBusy { .. }
            | Self::SessionWorkerUnavailable { .. }
            | Self::Degraded { .. }
            | Self::CircuitOpen { .. }
            | Self::InvalidSize { .. }
            | Self::WorkerNotFound { .. }
            | Self::Session(_) => Executed::No,
            Self::Poisoned { .. } => Executed::Maybe,
            Self::DeadlineExceeded { ran, .. } => *ran,
            Self::Call(error) => error.executed(),
        }
    }

    /// Whether the same call may succeed a little later, and cannot have run: to try it again harms nothing.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::PoolSaturated { .. }
            | Self::QueueTimeout { .. }
            | Self::NotReady { .. }
            | Self::WorkerBusy { .. }
            | Self::SessionWorkerUnavailable { .. }
            | Self::Degraded { .. }
            | Self::CircuitOpen { .. } => true,
            // Without a reason it is still starting.
            Self::PoolNotInitialized { source, .. } => source.is_none(),
            Self::Call(error) => matches!(error, CallError::NotSent | CallError::Busy { .. }),
            Self::Session(error) => matches!(error, SessionError::Quota { .. }),
            Self::PoolNotFound { .. }
            | Self::DeadlineExceeded { .. }
            | Self::ShuttingDown { .. }
            | Self::Poisoned { .. }
            | Self::InvalidSize { .. }
            | Self::WorkerNotFound { .. } => false,
        }
    }

    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::PoolNotFound { .. } => "SP0401",
            Self::PoolNotInitialized { .. } => "SP0402",
            Self::PoolSaturated { .. } => "SP0403",
            Self::QueueTimeout { .. } => "SP0404",
            Self::DeadlineExceeded { .. } => "SP0405",
            Self::ShuttingDown { .. } => "SP0406",
            Self::NotReady { .. } => "SP0407",
            Self::WorkerBusy { .. } => "SP0408",
            Self::SessionWorkerUnavailable { .. } => "SP0409",
            Self::Degraded { .. } => "SP0410",
            Self::CircuitOpen { .. } => "SP0411",
            Self::Poisoned { .. } => "SP0412",
            Self::InvalidSize { .. } => "SP0417",
            Self::WorkerNotFound { .. } => "SP0418",
            Self::Session(error) => error.code(),
            Self::Call(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PoolNotInitialized { source, .. } => match source {
                Some(error) => error.hint(),
                None => Some("wait for `await_ready` before the first call".to_owned()),
            },
            Self::NotReady { source, .. } => match source {
                Some(error) => error.hint(),
                None => Some("give it more time, or look for an import that hangs".to_owned()),
            },
            Self::PoolSaturated { .. } => {
                Some("send fewer calls at once, or raise `pool_size` or `queue_max`".to_owned())
            }
            Self::QueueTimeout { .. } => Some("raise `pool_size` or `queue_timeout`".to_owned()),
            Self::DeadlineExceeded { .. } => Some("give the call a longer `timeout`".to_owned()),
            Self::WorkerBusy { .. } => {
                Some("try again when its call has ended, or use the affinity `strict_queue`".to_owned())
            }
            Self::SessionWorkerUnavailable { .. } => {
                Some("build up again what the session kept in the worker, then call again".to_owned())
            }
            Self::Degraded { retry_in, source, .. } => {
                Some(match source.as_ref().and_then(StartError::hint) {
                    Some(hint) => hint,
                    None => format!("look at why its workers die; {}", when("a start", *retry_in)),
                })
            }
            Self::CircuitOpen { retry_in, .. } => Some(format!(
                "look at why its calls fail; {}",
                when("a call", *retry_in)
            )),
            Self::Poisoned { .. } => {
                Some("do not send this call again before the crash is understood".to_owned())
            }
            Self::Session(error) => error.hint(),
            Self::PoolNotFound { .. }
            | Self::ShuttingDown { .. }
            | Self::InvalidSize { .. }
            | Self::WorkerNotFound { .. }
            | Self::Call(_) => None,
        }
    }
}

/// When something is tried again.
fn when(what: &str, retry_in: Duration) -> String {
    if retry_in.is_zero() {
        format!("{what} is being tried now")
    } else {
        format!("{what} is tried in {retry_in:.1?}")
    }
}

// === impl ErrorKind ===

impl ErrorKind {
    /// Every kind, in order.
    pub(crate) const ALL: [Self; 24] = [
        Self::PoolNotFound,
        Self::PoolNotInitialized,
        Self::PoolSaturated,
        Self::QueueTimeout,
        Self::DeadlineExceeded,
        Self::ShuttingDown,
        Self::NotReady,
        Self::Raised,
        Self::UnknownTool,
        Self::InvalidArguments,
        Self::Unsendable,
        Self::TooLarge,
        Self::Aborted,
        Self::NotSent,
        Self::WorkerLost,
        Self::WorkerBusy,
        Self::SessionWorkerUnavailable,
        Self::Degraded,
        Self::CircuitOpen,
        Self::Poisoned,
        Self::InvalidSize,
        Self::WorkerNotFound,
        Self::Session,
        Self::Other,
    ];
}
