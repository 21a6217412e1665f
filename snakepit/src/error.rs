//! The one error type of the facade.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use snakepit_config::ConfigErrors;
use snakepit_grpc::host::HostError;
use snakepit_grpc::values::ValueError;
use snakepit_pool::{PoolError, SessionError};
use snakepit_profile::{CallError, Executed, PythonError, StartError, WorkerLost};
use snakepit_pyenv::{BridgeError, FindError};

/// Anything that can go wrong between a Rust program and its Python.
///
/// `Display` says what happened in one line; `source()` leads to the causes. `Debug` is the whole story for a person, with
/// causes and hint: it is what a `main` that returns this error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is invalid: every mistake, at once.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A pool has no usable interpreter.
    #[error("pool `{pool}` has no Python to run")]
    Interpreter {
        /// The pool.
        pool: String,
        /// What is wrong with it.
        source: FindError,
    },
    /// There is no bridge for a pool's interpreter.
    #[error("pool `{pool}` has no bridge for its Python")]
    Bridge {
        /// The pool.
        pool: String,
        /// Why not.
        source: BridgeError,
    },
    /// The private folder and socket of this pit cannot be made.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The call was refused, ran out of time, or failed.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The arguments cannot be sent. The call was not made.
    #[error("the arguments of `{tool}` cannot be sent")]
    Arguments {
        /// The tool.
        tool: Arc<str>,
        /// What is wrong with them.
        source: ValueError,
    },
    /// The result is not of the type that was asked for. The tool ran.
    #[error("the result of `{tool}` is not what was asked for")]
    Result {
        /// The tool.
        tool: Arc<str>,
        /// What does not fit.
        source: ValueError,
    },
    /// A value of a session cannot be kept, or is not of the type that was asked for.
    #[error("the value `{key}` of session `{session}` cannot be {}", if *.kept { "read as what was asked for" } else { "kept" })]
    SessionValue {
        /// The session.
        session: String,
        /// The value's key.
        key: String,
        /// It was kept, and was to be read.
        kept: bool,
        /// What does not fit.
        source: ValueError,
    },
    /// The program's runtime ended while the pit was being put together.
    #[error("the runtime ended before the pit was ready to start: {reason}")]
    Interrupted {
        /// What it said.
        reason: String,
    },
}

/// Coarse kinds of [`Error`], for programs that decide by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The user must change something: configuration, interpreter, pool name, tool name, arguments.
    Usage,
    /// Python raised, or what it returned cannot be used.
    Python,
    /// The pool refused the call, or its time was over.
    Refused,
    /// The worker died while it had the call.
    WorkerLost,
    /// The machine did not give what a pit needs.
    System,
}

// === impl Error ===

impl Error {
    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_)
            | Self::Interpreter { .. }
            | Self::Bridge { .. }
            | Self::Arguments { .. }
            | Self::SessionValue { .. } => ErrorKind::Usage,
            Self::Host(_) | Self::Interrupted { .. } => ErrorKind::System,
            Self::Result { .. } => ErrorKind::Python,
            Self::Pool(error) => pool_kind(error),
        }
    }

    /// Whether the call's code ran.
    #[must_use]
    pub fn executed(&self) -> Executed {
        match self {
            Self::Pool(error) => error.executed(),
            Self::Result { .. } => Executed::Yes,
            _ => Executed::No,
        }
    }

    /// Whether the same call may succeed if it is made again and did not run.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Pool(error) if error.is_retryable())
    }

    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(errors) => errors.code(),
            Self::Interpreter { source, .. } => source.code(),
            Self::Bridge { source, .. } => source.code(),
            Self::Host(error) => error.code(),
            Self::Pool(error) => error.code(),
            Self::Arguments { .. } => "SP0601",
            Self::Result { .. } => "SP0602",
            Self::Interrupted { .. } => "SP0603",
            Self::SessionValue { .. } => "SP0604",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Interpreter { source, .. } => source.hint(),
            Self::Bridge { source, .. } => source.hint(),
            Self::Host(error) => error.hint().map(str::to_owned),
            Self::Pool(error) => error.hint(),
            Self::Arguments { source, .. }
            | Self::Result { source, .. }
            | Self::SessionValue { source, .. } => source.hint().map(str::to_owned),
            Self::Config(_) | Self::Interrupted { .. } => None,
        }
    }

    /// The Python exception behind it, where there is one.
    #[must_use]
    pub fn python_error(&self) -> Option<&PythonError> {
        match self {
            Self::Pool(PoolError::Call(CallError::Raised(error))) => Some(error),
            _ => self.start_error().and_then(StartError::python_error),
        }
    }

    /// Why the pool's workers do not start, where that is the reason.
    #[must_use]
    pub fn start_error(&self) -> Option<&StartError> {
        match self {
            Self::Pool(
                PoolError::PoolNotInitialized { source, .. }
                | PoolError::NotReady { source, .. }
                | PoolError::Degraded { source, .. },
            ) => source.as_ref(),
            _ => None,
        }
    }

    /// How the worker was lost, where that is the reason.
    #[must_use]
    pub fn worker_lost(&self) -> Option<&WorkerLost> {
        match self {
            Self::Pool(PoolError::Call(error)) => lost(error),
            Self::Pool(PoolError::Poisoned { source, .. }) => source.as_deref().and_then(lost),
            _ => None,
        }
    }

    /// What happened, the causes, and what to do, in lines.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let _ = write!(report, "\n  because {error}");
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            let _ = write!(report, "\nhint: {hint}");
        }
        report
    }

    pub(crate) fn interrupted(error: &tokio::task::JoinError) -> Self {
        Self::Interrupted {
            reason: error.to_string(),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code(), self.report())
    }
}

fn lost(error: &CallError) -> Option<&WorkerLost> {
    match error {
        CallError::Lost(lost) => Some(lost),
        _ => None,
    }
}

fn pool_kind(error: &PoolError) -> ErrorKind {
    match error {
        PoolError::PoolNotFound { .. } | PoolError::InvalidSize { .. } | PoolError::WorkerNotFound { .. } => {
            ErrorKind::Usage
        }
        PoolError::Session(SessionError::Quota { .. }) => ErrorKind::Refused,
        PoolError::Session(_) => ErrorKind::Usage,
        PoolError::Poisoned { .. } => ErrorKind::WorkerLost,
        // A pool that will never start needs its user; one that merely has not started yet needs time.
        PoolError::PoolNotInitialized {
            source: Some(error), ..
        } if error.is_permanent() => ErrorKind::Usage,
        PoolError::Call(error) => match error {
            CallError::Raised(_) | CallError::Unsendable { .. } => ErrorKind::Python,
            CallError::UnknownTool { .. }
            | CallError::InvalidArguments { .. }
            | CallError::TooLarge { .. } => ErrorKind::Usage,
            CallError::Lost(_) => ErrorKind::WorkerLost,
            _ => ErrorKind::Refused,
        },
        _ => ErrorKind::Refused,
    }
}
