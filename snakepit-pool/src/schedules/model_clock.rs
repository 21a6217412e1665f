//! Time as a property wants it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::core::Moment;

/// A clock that stands until a test advances it, or somebody sleeps for something not too far away.
pub(super) struct ModelClock {
    /// Whoever sleeps until then, or less, sees time pass: any other step may come before, and none has to. What lies
    /// beyond comes only if the test says so.
    horizon: Moment,
    time: Arc<Mutex<Time>>,
}

#[derive(Default)]
struct Time {
    now: Moment,
    sleepers: Vec<(Moment, Waker)>,
}

// === impl ModelClock ===

impl ModelClock {
    pub(super) fn new(horizon: Duration) -> Self {
        Self {
            horizon: Moment::ZERO.after(horizon),
            time: Arc::default(),
        }
    }

    /// So much time passes.
    pub(super) fn advance(&self, by: Duration) {
        let due = {
            let mut time = self.time.lock();
            time.now = time.now.after(by);
            let now = time.now;
            time.sleepers
                .extract_if(.., |(at, _)| *at <= now)
                .collect::<Vec<_>>()
        };
        for (_, sleeper) in due {
            sleeper.wake();
        }
    }
}

impl Clock for ModelClock {
    fn now(&self) -> Moment {
        self.time.lock().now
    }

    fn instant(&self, _: Moment) -> Option<Instant> {
        None
    }

    fn sleep_until(&self, at: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (time, passes) = (Arc::clone(&self.time), at <= self.horizon);
        let mut asleep = false;
        Box::pin(poll_fn(move |context| {
            let mut time = time.lock();
            if passes && asleep {
                time.now = time.now.max(at);
            }
            if time.now >= at {
                return Poll::Ready(());
            }
            asleep = true;
            if passes {
                context.waker().wake_by_ref();
            } else {
                time.sleepers.push((at, context.waker().clone()));
            }
            Poll::Pending
        }))
    }
}
