//! Why a worker did not start, and how one was lost.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::call::PythonError;
use crate::id::WorkerName;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A worker that died while it had work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerLost {
    /// Which worker.
    pub worker: WorkerName,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
    /// Why the host ended it, where it did.
    pub killed_because: Option<String>,
    /// The last lines it wrote, at most 64.
    pub output: Vec<String>,
}

/// Why a worker did not become ready.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The process could not be created.
    #[error("cannot start `{}`", .program.display())]
    Spawn {
        /// What was to be run.
        program: PathBuf,
        /// What the operating system said.
        source: std::sync::Arc<std::io::Error>,
    },
    /// The adapter could not be imported, or is not what it should be.
    #[error("adapter {adapter} cannot be imported by {}: {error}", .python.display())]
    AdapterImport {
        /// The adapter as configured.
        adapter: String,
        /// The interpreter that tried.
        python: PathBuf,
        /// What it raised.
        error: Box<PythonError>,
    },
    /// The adapter's `initialize` raised.
    #[error("`initialize` of adapter {adapter} raised {error}")]
    Initialize {
        /// The adapter as configured.
        adapter: String,
        /// What it raised.
        error: Box<PythonError>,
    },
    /// The adapter has no tool at all.
    #[error("adapter {adapter} has no tools")]
    NoTools {
        /// The adapter as configured.
        adapter: String,
    },
    /// The worker was not ready in time and was killed.
    #[error("the worker was not ready within {after:?}")]
    Timeout {
        /// `startup_timeout`.
        after: Duration,
        /// The last lines it wrote.
        output: Vec<String>,
    },
    /// The process ended before it was ready.
    #[error("the worker ended before it was ready ({exit})")]
    Exited {
        /// How.
        exit: Exit,
        /// The last lines it wrote.
        output: Vec<String>,
    },
    /// Its handshake was refused.
    #[error("the worker's handshake was refused: {reason}")]
    Refused {
        /// Why, with both versions where it is about versions.
        reason: String,
    },
    /// The thread profile was asked to insist on a GIL that is off, and it is on.
    #[error("the GIL of {} is on{}", .python.display(), .by.as_ref().map(|m| format!(": importing `{m}` turned it on")).unwrap_or_default())]
    GilEnabled {
        /// The interpreter.
        python: PathBuf,
        /// The import that turned it on, where that is known.
        by: Option<String>,
    },
}

impl StartError {
    /// Whether trying again with the same configuration can only fail again.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::AdapterImport { .. }
            | Self::NoTools { .. }
            | Self::Refused { .. }
            | Self::GilEnabled { .. } => true,
            // ENOENT, EACCES, ENOEXEC and the like; EAGAIN and EMFILE pass.
            Self::Spawn { source, .. } => {
                matches!(
                    source.kind(),
                    std::io::ErrorKind::NotFound
                        | std::io::ErrorKind::PermissionDenied
                        | std::io::ErrorKind::InvalidInput
                        | std::io::ErrorKind::NotADirectory
                ) || source.raw_os_error() == Some(8)
            }
            Self::Initialize { .. } | Self::Timeout { .. } | Self::Exited { .. } => false,
        }
    }

    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Spawn { .. } => "SP0301",
            Self::AdapterImport { .. } => "SP0302",
            Self::Initialize { .. } => "SP0303",
            Self::NoTools { .. } => "SP0304",
            Self::Timeout { .. } => "SP0305",
            Self::Exited { .. } => "SP0306",
            Self::Refused { .. } => "SP0307",
            Self::GilEnabled { .. } => "SP0308",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::AdapterImport { error, python, .. } => error.type_name.ends_with("ModuleNotFoundError").then(|| {
                format!(
                    "install the missing module for {}, or name another interpreter with `python`",
                    python.display()
                )
            }),
            Self::NoTools { .. } => Some(
                "mark a function with `@tool` (`from snakepit_bridge import tool`), or a method of a `BaseAdapter`"
                    .to_owned(),
            ),
            Self::Timeout { .. } => Some("raise `startup_timeout`, or look for an import that hangs".to_owned()),
            Self::GilEnabled { .. } => Some(
                "use a free-threaded build and modules made for it, or set `require_free_threading = false`".to_owned(),
            ),
            Self::Spawn { .. } | Self::Initialize { .. } | Self::Exited { .. } | Self::Refused { .. } => None,
        }
    }

    /// The last lines the worker wrote, where there were any.
    #[must_use]
    pub fn output(&self) -> &[String] {
        match self {
            Self::Timeout { output, .. } | Self::Exited { output, .. } => output,
            _ => &[],
        }
    }

    /// The Python exception behind it, where there is one.
    #[must_use]
    pub fn python_error(&self) -> Option<&PythonError> {
        match self {
            Self::AdapterImport { error, .. } | Self::Initialize { error, .. } => Some(error),
            _ => None,
        }
    }
}

// === impl WorkerLost ===

impl WorkerLost {
    /// A loss with what is always known.
    #[must_use]
    pub fn new(worker: WorkerName, pid: u32, exit: Exit) -> Self {
        Self {
            worker,
            pid,
            exit,
            killed_because: None,
            output: Vec::new(),
        }
    }
}

impl fmt::Display for WorkerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "worker {} (pid {}) was lost: {}",
            self.worker, self.pid, self.exit
        )?;
        match &self.killed_because {
            Some(reason) => write!(f, ", killed by the host: {reason}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for WorkerLost {}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
        }
    }
}

/// Names of the signals that end Python workers in practice (signal(7), x86 and arm).
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        _ => return None,
    })
}
