//! One call on one worker, and how it ends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::error::WorkerLost;
use crate::id::RequestId;

/// A call, ready for a worker.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its id; the answer carries the same.
    pub request: RequestId,
    /// Name of the tool.
    pub tool: Arc<str>,
    /// Keyword arguments: a MessagePack map.
    pub arguments: Bytes,
    /// When the caller stops waiting. It crosses the wire as time left.
    pub deadline: Option<Instant>,
    /// W3C trace context, where the caller has one.
    pub traceparent: Option<Arc<str>>,
}

/// What a tool returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The value as MessagePack.
    pub value: Bytes,
    /// From the start of the tool to its end, measured by the worker.
    pub run_time: Duration,
    /// Whether the worker's GIL was on when it ended.
    pub gil_enabled: bool,
}

/// How a call ended.
pub type Outcome = Result<Reply, CallError>;

/// Whether a call's code ran: what decides if it may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executed {
    /// It provably did not run.
    No,
    /// It may have run, in part or in full.
    Maybe,
    /// It ran.
    Yes,
}

/// Why a dispatched call has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The tool raised.
    #[error("{0}")]
    Raised(Box<PythonError>),
    /// The adapter has no such tool.
    #[error("there is no tool `{tool}`; the adapter offers {}", Listed(.available))]
    UnknownTool {
        /// What was asked for.
        tool: Arc<str>,
        /// What there is, sorted.
        available: Vec<String>,
    },
    /// The arguments do not fit the tool's signature.
    #[error("the arguments do not fit tool `{tool}`: {reason}")]
    InvalidArguments {
        /// What was asked for.
        tool: Arc<str>,
        /// What does not fit, with the signature.
        reason: String,
    },
    /// What the tool returned cannot be sent.
    #[error("tool `{tool}` returned something that cannot be sent: {path}: {reason}")]
    Unsendable {
        /// What was asked for.
        tool: Arc<str>,
        /// Where in the value, like `result.items[3].price`.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// A message would be larger than `message_max`. The worker lives.
    #[error("{what} is {size} bytes, and `message_max` is {limit}")]
    TooLarge {
        /// Which message.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The caller had gone, and the code stopped or never started.
    #[error("the call was aborted{}", if *.started { "" } else { " before it started" })]
    Aborted {
        /// Whether any of its code ran.
        started: bool,
        /// What has stopped its code, where that is known.
        stopped_by: Option<Rung>,
    },
    /// The worker was gone before the call was handed to it.
    #[error("the worker was gone before the call reached it")]
    NotSent,
    /// The worker has no free slot. Only [`WorkerProfile::execute`](crate::WorkerProfile::execute) says so: a pool queues.
    #[error("the worker already runs {capacity} calls, its capacity")]
    Busy {
        /// The worker's slots.
        capacity: u32,
    },
    /// The worker died while it had the call.
    #[error("{0}")]
    Lost(Box<WorkerLost>),
}

/// What has stopped code whose caller had gone: the last that was tried before it ended, from the mildest to the
/// roughest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rung {
    /// It was told, and looked; or it ended by itself in that time.
    Cooperative,
    /// The task that it ran as was cancelled.
    Task,
    /// An exception was set in its thread.
    Exception,
    /// A signal interrupted its thread, and the signal's handler raised.
    Signal,
    /// It has ended with its worker.
    Kill,
}

/// A Python exception, as the worker saw it. Every text is bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonError {
    /// Qualified name of its class, without the module.
    pub type_name: String,
    /// The class's module.
    pub module: String,
    /// `str(exception)`, or a placeholder where that raised.
    pub message: String,
    /// Full class names along the method resolution order, without `object`.
    pub mro: Vec<String>,
    /// `__notes__`.
    pub notes: Vec<String>,
    /// Outermost first; the bridge's own frames are left out.
    pub frames: Vec<PythonFrame>,
    /// `__cause__`, or `__context__` where it is not suppressed.
    pub cause: Option<Box<PythonError>>,
    /// The traceback as Python prints it.
    pub traceback: String,
}

/// One line of a Python traceback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonFrame {
    /// Path of the source file.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Function name.
    pub function: String,
    /// The source line, where it could be read.
    pub source: String,
}

/// Whoever waits for calls to end.
pub trait Completions: Send + Sync + 'static {
    /// The call has ended and its code no longer runs. Called once per [`Completion`].
    fn completed(&self, request: RequestId, outcome: Outcome);
}

/// The duty to report one call's end, exactly once. Dropping it unreported reports an aborted call that may have run:
/// a holder's mistake cannot leave a caller waiting.
#[must_use = "somebody waits for this call to end"]
pub struct Completion {
    request: RequestId,
    sink: Option<Arc<dyn Completions>>,
}

// === impl CallError ===

impl CallError {
    /// Whether the call's code ran.
    #[must_use]
    pub fn executed(&self) -> Executed {
        match self {
            Self::Raised(_) | Self::Unsendable { .. } => Executed::Yes,
            Self::UnknownTool { .. }
            | Self::InvalidArguments { .. }
            | Self::TooLarge { .. }
            | Self::NotSent
            | Self::Busy { .. } => Executed::No,
            Self::Aborted { started, .. } => {
                if *started {
                    Executed::Maybe
                } else {
                    Executed::No
                }
            }
            Self::Lost(_) => Executed::Maybe,
        }
    }

    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Raised(_) => "SP0310",
            Self::UnknownTool { .. } => "SP0311",
            Self::InvalidArguments { .. } => "SP0312",
            Self::Unsendable { .. } => "SP0313",
            Self::TooLarge { .. } => "SP0314",
            Self::Aborted { .. } => "SP0315",
            Self::NotSent => "SP0316",
            Self::Busy { .. } => "SP0317",
            Self::Lost(_) => "SP0318",
        }
    }
}

/// Names in a message: `a, b and c`, or `nothing`.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("nothing"),
            [one] => write!(f, "`{one}`"),
            [head @ .., last] => {
                let head = head.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                write!(f, "{} and `{last}`", head.join(", "))
            }
        }
    }
}

// === impl Rung ===

impl Rung {
    /// Every rung, in order.
    pub const ALL: [Self; 5] = [
        Self::Cooperative,
        Self::Task,
        Self::Exception,
        Self::Signal,
        Self::Kill,
    ];

    /// As logs say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cooperative => "it was told",
            Self::Task => "its task was cancelled",
            Self::Exception => "an exception was set in its thread",
            Self::Signal => "its thread was interrupted by a signal",
            Self::Kill => "its worker was killed or has died",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl PythonError ===

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_empty() && self.module != "builtins" {
            write!(f, "{}.", self.module)?;
        }
        f.write_str(&self.type_name)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for PythonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

// === impl Completion ===

impl Completion {
    /// A duty towards `sink`.
    pub fn new(request: RequestId, sink: Arc<dyn Completions>) -> Self {
        Self {
            request,
            sink: Some(sink),
        }
    }

    /// The call it is about.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Reports the end.
    pub fn complete(mut self, outcome: Outcome) {
        if let Some(sink) = self.sink.take() {
            sink.completed(self.request, outcome);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.take() {
            let aborted = CallError::Aborted {
                started: true,
                stopped_by: None,
            };
            sink.completed(self.request, Err(aborted));
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
