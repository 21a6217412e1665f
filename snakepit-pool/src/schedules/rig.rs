//! A pool of modelled workers, and what properties do with it.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use shuttle::future::block_on;
use shuttle::thread::JoinHandle;
use snakepit_config::{PoolConfig, PoolSettings, ProfileKind, Settings};
use snakepit_profile::WorkerProfile as _;

use super::model_clock::ModelClock;
use super::model_worker::ModelProfile;
use crate::call::{Answer, PoolCall};
use crate::core::{Canary, Core, CoreConfig};
use crate::driver::{Shared, Surroundings};
use crate::error::PoolError;
use crate::events::{EventJournal, journal};
use crate::pool::Pool;
use crate::sessions::Sessions;
use crate::stats::PoolStats;
use crate::sync::{Handle, preempt};

/// Further away than any property gets.
const FAR: Duration = Duration::from_hours(24);

/// What all pools have in common. Made once: it takes longer than most schedules.
static SETTINGS: LazyLock<PoolSettings> = LazyLock::new(|| {
    let pool = PoolConfig::new("p")
        .adapter("modelled")
        .worker_profile(ProfileKind::Thread)
        .queue_max(100)
        .startup_timeout(FAR)
        .queue_timeout(FAR)
        .call_timeout(FAR)
        .grace(FAR);
    let settings = Settings::builder().env(false).pool(pool).build();
    settings.expect("valid settings").pools.remove(0)
});

/// What a property's pool is like.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub(super) workers: u32,
    /// Of each worker.
    pub(super) capacity: u32,
    /// Time that passes where somebody sleeps for it.
    pub(super) horizon: Duration,
    pub(super) canary: Option<Canary>,
}

/// A pool, and everything around it.
pub(super) struct Rig {
    pub(super) pool: Pool,
    pub(super) sessions: Sessions,
    pub(super) journal: Arc<EventJournal>,
    pub(super) clock: Arc<ModelClock>,
    pub(super) model: Arc<ModelProfile>,
}

// === impl Setup ===

impl Setup {
    pub(super) const fn new(workers: u32, capacity: u32) -> Self {
        Self {
            workers,
            capacity,
            horizon: Duration::ZERO,
            canary: None,
        }
    }

    /// A pool like this. It may still be starting.
    pub(super) fn start(self) -> Rig {
        let settings = self.settings();
        let clock = Arc::new(ModelClock::new(self.horizon));
        let capacity = NonZeroU32::new(self.capacity).expect("a worker has a slot");
        let model = Arc::new(ModelProfile::new(capacity));
        let config = CoreConfig::new(&settings, model.capacity(), 0);
        let core = match self.canary {
            Some(canary) => Core::with_canary(config, canary),
            None => Core::new(config),
        };
        let journal = Arc::new(journal());
        let surroundings = Surroundings {
            clock: Arc::clone(&clock) as _,
            runtime: Handle::current(),
            journal: Arc::clone(&journal),
            seed: 0,
        };
        let sessions = Sessions::new(FAR, NonZeroU32::MAX, Arc::clone(&clock) as _);
        let shared = Shared::open_around(core, &settings, Arc::clone(&model) as _, surroundings);
        Rig {
            pool: Pool::of(shared, sessions.clone()),
            sessions,
            journal,
            clock,
            model,
        }
    }

    fn settings(self) -> PoolSettings {
        let workers = NonZeroU32::new(self.workers).expect("a pool has a worker");
        let mut settings = SETTINGS.clone();
        settings.pool_size = workers;
        settings.ready_floor = self.workers;
        settings.startup_batch_size = workers;
        settings
    }
}

// === impl Rig ===

impl Rig {
    /// Starts a pool whose workers are all ready.
    pub(super) fn ready(setup: Setup) -> Self {
        let rig = setup.start();
        block_on(rig.pool.await_started(FAR)).expect("modelled workers start");
        rig
    }

    /// A caller with a thread of its own.
    pub(super) fn call(&self, call: PoolCall) -> JoinHandle<Result<Answer, PoolError>> {
        let pool = self.pool.clone();
        background(async move { pool.call(call).await })
    }

    /// A caller that goes after so many places where others may have gone on, unless it was answered before.
    pub(super) fn fickle(&self, tool: &'static str, patience: usize) -> JoinHandle<()> {
        let pool = self.pool.clone();
        shuttle::thread::spawn(move || {
            let mut call = Box::pin(pool.call(call(tool)));
            let answered = block_on(poll_fn(|context| {
                Poll::Ready(call.as_mut().poll(context).is_ready())
            }));
            if !answered {
                (0..patience).for_each(|_| preempt());
            }
        })
    }

    /// The end of most properties: every slot has come back, the numbers add up, and nothing was done to a worker that
    /// must not be.
    pub(super) fn settle(&self) -> PoolStats {
        block_on(self.pool.drain());
        let stats = self.pool.stats();
        let ended = stats.completed + stats.cancelled + stats.errors.values().sum::<u64>();
        assert_eq!(stats.requests + stats.refused, ended, "{stats:#?}");
        assert_eq!((stats.load, stats.running, stats.queued), (0, 0, 0), "{stats:#?}");
        self.check();
        stats
    }

    /// What must hold at any time.
    pub(super) fn check(&self) {
        assert_eq!(self.pool.shared().book.lock().core.check(), Ok(()));
        assert_eq!(*self.model.faults().lock(), Vec::<String>::new());
    }
}

pub(super) fn call(tool: &str) -> PoolCall {
    PoolCall::new(tool, Bytes::new())
}

/// A thread of the model. An execution does not end before it.
pub(super) fn background<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    shuttle::thread::spawn(|| block_on(work))
}

pub(super) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a panic ends the execution")
}
