//! When something happened last, for limits of so often in so long.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Moment;

/// The last times that something happened, as many as the limit allows.
#[derive(Debug, Clone, Default)]
pub(super) struct Window(VecDeque<Moment>);

impl Window {
    /// Whether it would happen more than `limit` times within `span`, if it did at `at`.
    pub(super) fn is_full(&self, at: Moment, limit: NonZeroU32, span: Duration) -> bool {
        let limit = limit.get() as usize;
        // With fewer entries than the limit nothing can be over it.
        let Some(oldest) = self.0.len().checked_sub(limit) else {
            return false;
        };
        self.0[oldest].after(span) > at
    }

    /// Notes that it happens at `at`, and forgets what no longer matters for `limit`.
    pub(super) fn push(&mut self, at: Moment, limit: NonZeroU32) {
        self.0.push_back(at);
        while self.0.len() > limit.get() as usize + 1 {
            self.0.pop_front();
        }
    }

    /// Whether it has happened more than `limit` times within `span`.
    pub(super) fn exceeds(&self, limit: NonZeroU32, span: Duration) -> bool {
        let limit = limit.get() as usize;
        self.0
            .iter()
            .zip(self.0.iter().skip(limit))
            .any(|(first, last)| first.after(span) > *last)
    }
}
