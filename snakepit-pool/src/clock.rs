//! Where the driver gets time from.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use crate::core::Moment;

/// A monotonic clock that can wake.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;

    /// A moment as the rest of the world knows it; `None` where it lies further ahead than an `Instant` reaches.
    fn instant(&self, at: Moment) -> Option<Instant>;

    /// Returns at `at`, or a little later.
    fn sleep_until(&self, at: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// tokio's clock: the system's monotonic one, or the paused one of a test.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the driver asks a clock"
    )]
    pub fn new() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }

    fn tokio_instant(&self, at: Moment) -> Option<tokio::time::Instant> {
        self.origin.checked_add(at.since(Moment::ZERO))
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::ZERO.after(self.origin.elapsed())
    }

    fn instant(&self, at: Moment) -> Option<Instant> {
        self.tokio_instant(at).map(tokio::time::Instant::into_std)
    }

    fn sleep_until(&self, at: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self.tokio_instant(at) {
            Some(at) => Box::pin(tokio::time::sleep_until(at)),
            None => Box::pin(std::future::pending()),
        }
    }
}
