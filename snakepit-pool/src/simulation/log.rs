//! What has happened, line by line. It ends with the first rule that was broken: nothing after that means anything.

use std::fmt::Display;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{Clock, TokioClock};
use crate::core::Moment;

/// The log of one simulation.
pub(super) struct Log {
    clock: TokioClock,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    lines: Vec<String>,
    broken: Option<String>,
}

// === impl Log ===

impl Log {
    pub(super) fn new(clock: TokioClock) -> Self {
        Self {
            clock,
            pages: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now().since(Moment::ZERO)
    }

    /// Adds a line, with the time.
    pub(super) fn write(&self, what: impl Display) {
        let now = self.now();
        self.add(format!("{}.{:09} {what}", now.as_secs(), now.subsec_nanos()));
    }

    /// Adds a line that has its time.
    pub(super) fn add(&self, line: String) {
        let mut pages = self.pages.lock();
        if pages.broken.is_none() {
            pages.lines.push(line);
        }
    }

    /// A rule was broken.
    pub(super) fn accuse(&self, rule: &str, found: impl Display) {
        let broken = format!("{rule}: {found}");
        self.write(format_args!("VIOLATION {broken}"));
        self.pages.lock().broken.get_or_insert(broken);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.pages.lock().broken.is_some()
    }

    /// All lines, and the rule that was broken.
    pub(super) fn take(&self) -> (Vec<String>, Option<String>) {
        let pages = std::mem::take(&mut *self.pages.lock());
        (pages.lines, pages.broken)
    }
}
