//! What the pools of one seed are like.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use snakepit_config::{Affinity, PoolConfig, PoolSettings, ProfileKind, Settings};

use super::random::Random;

/// One pool, before it starts.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) settings: PoolSettings,
    /// Of each worker.
    pub(super) capacity: NonZeroU32,
}

/// How bad the times are, each in percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    /// Starts of workers that go wrong.
    pub(super) starts: u32,
    /// Calls whose code misbehaves.
    pub(super) calls: u32,
    /// Steps of the script in which something happens to a worker.
    pub(super) workers: u32,
}

/// Most workers of a pool.
pub(super) const SIZE_MAX: u32 = 6;

/// What a worker may use, where it is limited, in bytes.
const MEMORY_MAX: u64 = 100 << 20;

// === impl Layout ===

impl Layout {
    pub(super) fn draw(name: &str, random: &mut Random) -> Self {
        let pool = PoolConfig::new(name)
            .adapter("simulated")
            .worker_profile(ProfileKind::Thread)
            .pool_size(1)
            .circuit_breaker(random.chance(25))
            .circuit_breaker_failures(random.between(1, 5))
            .circuit_breaker_pause(random.ms(100, 2000));
        let settings = Settings::builder().env(false).pool(pool).build();
        let mut settings = settings.expect("valid settings").pools.remove(0);
        let size = random.between(1, 5);
        settings.pool_size = count(size);
        settings.max_workers = count(SIZE_MAX);
        settings.startup_batch_size = count(random.between(1, 5));
        settings.startup_batch_delay = random.ms(0, 300);
        settings.startup_timeout = random.ms(500, 2000);
        settings.queue_max = random.pick([0, 1, 3, 10, 40]);
        settings.queue_timeout = random.ms(5, 1000);
        settings.call_timeout = random.ms(100, 4000);
        settings.affinity = random.pick([Affinity::Hint, Affinity::StrictQueue, Affinity::StrictFailFast]);
        settings.retry_attempts = count(random.between(1, 4));
        settings.grace = random.ms(50, 1000);
        draw_recycling(&mut settings, size, random);
        draw_restarts(&mut settings, size, random);
        Self {
            settings,
            capacity: count(random.between(1, 4)),
        }
    }

    /// Whether workers are renewed without anybody asking for it.
    pub(super) fn renews(&self) -> bool {
        let settings = &self.settings;
        settings.worker_ttl.is_some()
            || settings.worker_max_requests.is_some()
            || settings.worker_memory_max.is_some()
    }

    /// Ready workers that renewal leaves, in a pool of so many.
    pub(super) fn floor(&self, size: u32) -> u32 {
        let missing = self.settings.pool_size.get() - self.settings.ready_floor;
        size.saturating_sub(missing)
    }
}

fn draw_recycling(settings: &mut PoolSettings, size: u32, random: &mut Random) {
    settings.worker_ttl = random.maybe(30, |random| random.ms(300, 4000));
    settings.worker_max_requests = random
        .maybe(30, |random| NonZeroU64::new(random.between(1, 20).into()))
        .flatten();
    settings.worker_memory_max = random.chance(30).then_some(MEMORY_MAX);
    settings.recycle_jitter = random.pick([0, 10, 100]);
    settings.surge_max = random.pick([0, 1, 1, 2, 5]);
    // Where there is no surplus, one may be missing: otherwise nothing could be renewed.
    let missing = if settings.surge_max == 0 {
        1
    } else {
        random.pick([0, 0, 1])
    };
    settings.ready_floor = size.saturating_sub(missing);
}

fn draw_restarts(settings: &mut PoolSettings, size: u32, random: &mut Random) {
    settings.restart_max = count(random.pick([1, 3, 1000]));
    settings.restart_pool_max = count(random.pick([1, size, 3 * size, 1000]));
    settings.restart_window = random.ms(200, 3000);
    settings.restart_backoff = random.ms(1, 100);
    settings.restart_backoff_max = settings.restart_backoff + random.ms(0, 2000);
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("at least one")
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = &self.settings;
        write!(
            f,
            "{}: {} × {}, batches of {} every {:?}, start within {:?}, grace {:?}; ",
            it.name,
            it.pool_size,
            self.capacity,
            it.startup_batch_size,
            it.startup_batch_delay,
            it.startup_timeout,
            it.grace,
        )?;
        write!(
            f,
            "queue {} for {:?}, calls {:?}, {:?}, attempts {}, breaker {:?}; ",
            it.queue_max,
            it.queue_timeout,
            it.call_timeout,
            it.affinity,
            it.retry_attempts,
            it.circuit_breaker,
        )?;
        write!(
            f,
            "renewed after {:?}, {:?} calls, {:?} bytes ± {} %, floor {}, surge {}; ",
            it.worker_ttl,
            it.worker_max_requests,
            it.worker_memory_max,
            it.recycle_jitter,
            it.ready_floor,
            it.surge_max,
        )?;
        write!(
            f,
            "restarts {} of {} in {:?}, back-off {:?} to {:?}",
            it.restart_max,
            it.restart_pool_max,
            it.restart_window,
            it.restart_backoff,
            it.restart_backoff_max,
        )
    }
}

// === impl Weather ===

impl Weather {
    pub(super) const FINE: Self = Self {
        starts: 0,
        calls: 0,
        workers: 0,
    };

    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            starts: random.pick([0, 5, 20, 60]),
            calls: random.pick([0, 10, 30, 60]),
            workers: random.pick([0, 5, 15]),
        }
    }
}

/// Longest time from the end of all faults to pools that are whole. Every wait in the settings is shorter than 4 s; a trial
/// start may be put off several times.
pub(super) const RECOVERY: Duration = Duration::from_mins(2);
