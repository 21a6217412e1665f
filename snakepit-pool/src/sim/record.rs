//! What happened, and what should not have.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use snakepit_profile::{RequestId, WorkerName};

use crate::clock::{Clock, TokioClock};
use crate::core::Moment;

/// Violations that are kept. The first one tells more than the thousandth.
const VIOLATIONS_MAX: usize = 100;

/// What happened to the workers of one or more profiles.
pub struct Record {
    clock: Arc<dyn Clock>,
    sink: Option<Sink>,
    violations: Mutex<Vec<Violation>>,
}

type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Something that a pool must never do to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which worker.
    pub worker: WorkerName,
    /// By which request.
    pub request: RequestId,
    /// What was done.
    pub misuse: Misuse,
}

/// How a worker was misused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Misuse {
    /// It got a call before it was ready.
    Early,
    /// It got more calls than it has slots.
    OverCapacity,
    /// It got a call after it had been asked to stop, or killed.
    AfterStop,
    /// It got the same request twice.
    Repeated,
    /// It was asked to abort a request that it had never got.
    StrayAbort,
}

// === impl Record ===

impl Record {
    /// A record with the time of `clock`, whose every line goes to `sink` as it comes: time in seconds, worker, and what
    /// happened.
    ///
    /// `sink` is called under the locks of the pool and the worker. It must be quick, and ask neither of them anything.
    pub fn new(clock: Arc<dyn Clock>, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            clock,
            sink: Some(Box::new(sink)),
            violations: Mutex::default(),
        }
    }

    /// A record of nothing but violations, with tokio's time.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            clock: Arc::new(TokioClock::new()),
            sink: None,
            violations: Mutex::default(),
        }
    }

    /// What pools did that they must not, the first 100 of it.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.violations.lock().clone()
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Returns at `at`, or never.
    pub(super) async fn sleep_until(&self, at: Option<Moment>) {
        match at {
            Some(at) => self.clock.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn write(&self, worker: &WorkerName, what: fmt::Arguments<'_>) {
        if let Some(sink) = &self.sink {
            let time = self.now().since(Moment::ZERO);
            let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
            sink(&format!("{seconds}.{nanos:09} {worker} {what}"));
        }
    }

    pub(super) fn accuse(&self, worker: &WorkerName, request: RequestId, misuse: Misuse) {
        self.write(worker, format_args!("VIOLATION {request}: {misuse}"));
        let mut violations = self.violations.lock();
        if violations.len() < VIOLATIONS_MAX {
            violations.push(Violation {
                worker: worker.clone(),
                request,
                misuse,
            });
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("violations", &self.violations)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Early => "a call before the worker was ready",
            Self::OverCapacity => "more calls than slots",
            Self::AfterStop => "a call after the worker was asked to stop",
            Self::Repeated => "the same request twice",
            Self::StrayAbort => "an abort of a request that never came",
        })
    }
}
