//! What the code of a call does.

use std::time::Duration;

use bytes::Bytes;
use snakepit_profile::{Call, CallError, Exit, Outcome, Reply};

/// What the code of a call does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Returns this value at once.
    Return(Bytes),
    /// Fails at once.
    Fail(CallError),
    /// Returns after so long, unless it is aborted. Half of the time counts as run time, so that there is something left
    /// for the transfer.
    Wait(Duration),
    /// As [`Behaviour::Wait`], but an abort does not stop it.
    Busy(Duration),
    /// Runs until it is aborted.
    Hold,
    /// Runs until the test ends it, or the worker's end does. An abort does not stop it.
    Stuck,
    /// As [`Behaviour::Stuck`], but once its worker has ended it returns all the same, when that end has been reported.
    Late,
    /// The worker ends in the middle of it.
    Die(Exit),
    /// Takes so many bytes for good, and returns at once.
    Leak(u64),
}

/// What a tool may be called, as an unknown one is told.
const TOOLS: [&str; 9] = [
    "busy:MS", "die:CODE", "echo", "hold", "late", "leak:MB", "raise", "stuck", "wait:MS",
];

// === impl Behaviour ===

impl Behaviour {
    /// What the name of a call's tool says: `echo` returns the arguments, `raise` raises, and `wait:MS`, `busy:MS`, `hold`,
    /// `stuck`, `late`, `die:CODE` and `leak:MB` (in MiB) do as the variants of their names. Any other tool is unknown.
    #[must_use]
    pub fn named(call: &Call) -> Self {
        let (name, number) = match call.tool.split_once(':') {
            Some((name, number)) => (name, number.parse::<u32>().ok()),
            None => (&*call.tool, None),
        };
        match (name, number) {
            ("echo", None) => Self::Return(call.arguments.clone()),
            ("raise", None) => Self::Fail(CallError::Raised(Box::default())),
            ("hold", None) => Self::Hold,
            ("stuck", None) => Self::Stuck,
            ("late", None) => Self::Late,
            ("wait", Some(ms)) => Self::Wait(Duration::from_millis(ms.into())),
            ("busy", Some(ms)) => Self::Busy(Duration::from_millis(ms.into())),
            ("die", Some(code)) => Self::Die(Exit::Code(i32::try_from(code).unwrap_or(i32::MAX))),
            ("leak", Some(mib)) => Self::Leak(u64::from(mib) << 20),
            _ => Self::Fail(CallError::UnknownTool {
                tool: call.tool.clone(),
                available: TOOLS.map(str::to_owned).to_vec(),
            }),
        }
    }

    /// Whether an abort stops it.
    pub(super) fn heeds_aborts(&self) -> bool {
        !matches!(self, Self::Busy(_) | Self::Stuck | Self::Late)
    }

    /// How it ends where nothing keeps it from ending.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Return(value) => Ok(reply(value, Duration::ZERO)),
            Self::Fail(error) => Err(error),
            Self::Wait(time) | Self::Busy(time) => Ok(reply(Bytes::new(), time / 2)),
            Self::Hold | Self::Stuck | Self::Late | Self::Die(_) | Self::Leak(_) => {
                Ok(reply(Bytes::new(), Duration::ZERO))
            }
        }
    }
}

fn reply(value: Bytes, run_time: Duration) -> Reply {
    Reply {
        value,
        run_time,
        gil_enabled: false,
    }
}
