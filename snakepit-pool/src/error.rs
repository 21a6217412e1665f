//! Why a call, or a wait for a pool, has failed.

use std::time::Duration;

use snakepit_config::PoolName;
use snakepit_profile::{CallError, Executed, StartError};

/// Why a pool has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// There is no such pool.
    #[error("there is no pool `{pool}`; there is {}", .available.join(", "))]
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
        Executed::Maybe | Executed::Yes => "; its worker was told to stop it",
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
            | Self::NotReady { .. } => Executed::No,
            Self::DeadlineExceeded { ran, .. } => *ran,
            Self::Call(error) => error.executed(),
        }
    }

    /// Whether the same call may succeed a little later, and cannot have run: to try it again harms nothing.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::PoolSaturated { .. } | Self::QueueTimeout { .. } | Self::NotReady { .. } => true,
            // Without a reason it is still starting.
            Self::PoolNotInitialized { source, .. } => source.is_none(),
            Self::Call(error) => matches!(error, CallError::NotSent | CallError::Busy { .. }),
            Self::PoolNotFound { .. } | Self::DeadlineExceeded { .. } | Self::ShuttingDown { .. } => false,
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
            Self::PoolNotFound { .. } | Self::ShuttingDown { .. } | Self::Call(_) => None,
        }
    }
}

// === impl ErrorKind ===

impl ErrorKind {
    /// Every kind, in order.
    pub(crate) const ALL: [Self; 16] = [
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
        Self::Other,
    ];
}
