//! Time as the core sees it.

use std::time::Duration;

/// A point in time: nanoseconds since an origin that the driver chooses. It never comes from a clock in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// Later than anything that will happen (584 years).
    pub const NEVER: Self = Self(u64::MAX);

    /// This much later, at most [`Moment::NEVER`].
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Time since `earlier`, zero where that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
