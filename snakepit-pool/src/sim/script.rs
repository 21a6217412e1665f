//! What simulated workers do: their starts, and their calls.

use std::fmt;
use std::time::Duration;

use snakepit_profile::{Call, Exit, StartError, Tool, WorkerId};

use super::behaviour::Behaviour;
use super::worker::SimWorker;

/// What becomes of a worker that is started.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Start {
    /// It is ready as soon as its task runs, which is after the launch has returned.
    Ready,
    /// It is ready after so long.
    ReadyAfter(Duration),
    /// It is ready before the launch has returned.
    ReadyEarly,
    /// It never becomes ready.
    Hang,
    /// It ends after so long, before it is ready.
    Exit(Duration, Exit),
    /// It has ended before the launch has returned.
    ExitEarly(Exit),
    /// It cannot be launched. Whether that is for good is the error's to say.
    Fail(StartError),
    /// Whoever launches it panics.
    Panic,
}

/// What the workers of a profile do. It is asked in the order of what happens, so that it may count.
pub struct Script {
    pub(super) start: Starts,
    pub(super) call: Calls,
    pub(super) tools: Vec<Tool>,
}

type Starts = Box<dyn Fn(WorkerId) -> Start + Send + Sync>;
type Calls = Box<dyn Fn(&SimWorker, &Call) -> Behaviour + Send + Sync>;

// === impl Script ===

impl Script {
    /// Workers that start so, and whose calls do what the names of their tools say ([`Behaviour::named`]).
    pub fn new(start: impl Fn(WorkerId) -> Start + Send + Sync + 'static) -> Self {
        Self {
            start: Box::new(start),
            call: Box::new(|_, call| Behaviour::named(call)),
            tools: Vec::new(),
        }
    }

    /// Says what calls do. It is asked for each call that a worker is given, under the lock of the pool, which it must not
    /// use.
    #[must_use]
    pub fn calls(mut self, call: impl Fn(&SimWorker, &Call) -> Behaviour + Send + Sync + 'static) -> Self {
        self.call = Box::new(call);
        self
    }

    /// Says what a worker tells of its tools once it is ready.
    #[must_use]
    pub fn tools(mut self, tools: Vec<Tool>) -> Self {
        self.tools = tools;
        self
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("tools", &self.tools)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::ReadyAfter(time) => write!(f, "ready after {time:?}"),
            Self::ReadyEarly => f.write_str("ready early"),
            Self::Hang => f.write_str("hang"),
            Self::Exit(time, exit) => write!(f, "{exit} after {time:?}"),
            Self::ExitEarly(exit) => write!(f, "{exit} early"),
            Self::Fail(error) => write!(f, "fail with {}", error.code()),
            Self::Panic => f.write_str("panic"),
        }
    }
}
