//! The few settings the core needs.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use snakepit_config::PoolSettings;

use super::breaker::BreakerConfig;

/// What a pool's behaviour depends on. The same configuration and the same events give the same actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreConfig {
    /// Number of workers.
    pub size: NonZeroU32,
    /// Most workers that a resize may ask for.
    pub size_max: NonZeroU32,
    /// Calls that one worker runs at once.
    pub capacity: NonZeroU32,
    /// Workers started at once while the pool starts.
    pub startup_batch_size: NonZeroU32,
    /// Pause between two batches.
    pub startup_batch_delay: Duration,
    /// From spawn to ready.
    pub startup_timeout: Duration,
    /// Requests that may wait.
    pub queue_max: u32,
    /// Longest wait in the queue.
    pub queue_timeout: Duration,
    /// From asking a worker to stop to killing it.
    pub grace: Duration,
    /// When and how workers are renewed.
    pub recycling: RecycleConfig,
    /// How often dead workers are replaced.
    pub restarts: RestartConfig,
    /// When calls are refused because too many have failed.
    pub breaker: Option<BreakerConfig>,
    /// Of the jitter in every pause.
    pub seed: u64,
}

/// When and how workers are renewed while they are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecycleConfig {
    /// Longest time a worker serves.
    pub ttl: Option<Duration>,
    /// Most calls a worker serves.
    pub requests: Option<NonZeroU64>,
    /// Most memory a worker may use, in bytes.
    pub memory: Option<u64>,
    /// By how much of a hundred `ttl` and `requests` may be undercut, so that workers of one age do not go together.
    pub jitter: u32,
    /// Ready workers that may be missing to the pool's size while others are renewed.
    pub missing_max: u32,
    /// Workers beyond the pool's size, while others are renewed.
    pub surge_max: u32,
}

/// How often and how fast dead workers are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartConfig {
    /// Restarts of one slot within the window.
    pub slot_max: NonZeroU32,
    /// Restarts of the whole pool within the window.
    pub pool_max: NonZeroU32,
    /// The window.
    pub window: Duration,
    /// Wait before a dead worker is replaced, the first time.
    pub backoff_min: Duration,
    /// Longest such wait. A worker that was ready for so long has proved itself.
    pub backoff_max: Duration,
}

/// What a jitter is for: no two uses draw the same noise.
#[derive(Debug, Clone, Copy)]
pub(super) enum Noise {
    Backoff,
    Trial,
    Age,
    Requests,
    Retry,
}

impl CoreConfig {
    /// Starts that a slot may fail before it counts as failed, while no worker of the pool was ever ready.
    pub const START_ATTEMPTS: u32 = 3;
    /// Starts in a row that may fail for a reason that can only come again. After that nothing is tried any more.
    pub const PERMANENT_ATTEMPTS: u32 = 3;
    /// Workers that may die under one request. It is given to no other.
    pub const POISONOUS: u32 = 2;
    /// Longest time that code may take to stop once nobody waits for it: every way in which a worker tries to stop it has
    /// had its turn by then, with a margin for a busy machine. Beyond it the code costs its worker.
    pub const LINGER_MAX: Duration = Duration::from_millis(1500);
    /// Samples in a row that a worker's memory must be too much.
    pub const HEAVY_SAMPLES: u32 = 3;
    /// How much later than it came a request of normal priority is served, as if it had come then; one of low priority
    /// twice as much. That is the longest that one can be overtaken by what came after it.
    pub const AGEING: Duration = Duration::from_secs(5);
    /// Wait before a request is given to a worker again, the first time.
    pub const RETRY_PAUSE: Duration = Duration::from_millis(100);
    /// Longest such wait.
    pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);

    /// The part of `settings` that matters here, for workers that run `capacity` calls at once.
    #[must_use]
    pub fn new(settings: &PoolSettings, capacity: NonZeroU32, seed: u64) -> Self {
        Self {
            size: settings.pool_size,
            size_max: settings.max_workers.max(settings.pool_size),
            capacity,
            startup_batch_size: settings.startup_batch_size,
            startup_batch_delay: settings.startup_batch_delay,
            startup_timeout: settings.startup_timeout,
            queue_max: settings.queue_max,
            queue_timeout: settings.queue_timeout,
            grace: settings.grace,
            recycling: RecycleConfig {
                ttl: settings.worker_ttl,
                requests: settings.worker_max_requests,
                memory: settings.worker_memory_max,
                jitter: settings.recycle_jitter,
                // Without a surplus the old worker goes first, and is missing until the next one is ready. The settings
                // rule out a full floor where there is a limit; a renewal on demand is meant all the same.
                missing_max: settings
                    .pool_size
                    .get()
                    .saturating_sub(settings.ready_floor)
                    .max(u32::from(settings.surge_max == 0)),
                surge_max: settings.surge_max,
            },
            restarts: RestartConfig {
                slot_max: settings.restart_max,
                pool_max: settings.restart_pool_max,
                window: settings.restart_window,
                backoff_min: settings.restart_backoff,
                backoff_max: settings.restart_backoff_max,
            },
            breaker: settings.circuit_breaker.map(|breaker| BreakerConfig {
                failures: breaker.failures,
                pause: breaker.pause,
            }),
            seed,
        }
    }

    /// Wait before the worker that follows `generation` in `slot` starts, after so many failures in a row.
    pub(super) fn backoff(&self, slot: u32, generation: u32, failures: u32) -> Duration {
        let RestartConfig {
            backoff_min,
            backoff_max,
            ..
        } = self.restarts;
        let wait = doubled(backoff_min, failures.saturating_sub(1), backoff_max);
        self.spread(wait, Noise::Backoff, pair(slot, generation))
    }

    /// Wait before a degraded pool tries another start, after so many that failed. Never less than the window, so that
    /// the slot's restarts lie behind it.
    pub(super) fn trial_pause(&self, failed: u32) -> Duration {
        let RestartConfig {
            window, backoff_max, ..
        } = self.restarts;
        let wait = doubled(window, failed, backoff_max).max(window);
        wait + wait.mul_f64(self.noise(Noise::Trial, u64::from(failed)) / 4.0)
    }

    /// Wait before a request is given to a worker again, after so many losses.
    pub(super) fn retry_pause(&self, request: u64, losses: u32) -> Duration {
        let wait = doubled(Self::RETRY_PAUSE, losses.saturating_sub(1), Self::RETRY_PAUSE_MAX);
        self.spread(wait, Noise::Retry, request ^ u64::from(losses))
    }

    /// How long a worker serves.
    pub(super) fn ttl(&self, slot: u32, generation: u32) -> Option<Duration> {
        let cut = self.cut(Noise::Age, pair(slot, generation));
        self.recycling.ttl.map(|ttl| ttl.mul_f64(1.0 - cut))
    }

    /// How many calls a worker serves: at least one.
    pub(super) fn requests(&self, slot: u32, generation: u32) -> Option<u64> {
        let limit = self.recycling.requests?.get();
        let most = limit.saturating_mul(u64::from(self.recycling.jitter)) / 100;
        let drawn = mix(self.seed ^ mix(pair(slot, generation) ^ Noise::Requests.salt()));
        Some((limit - drawn % (most + 1)).max(1))
    }

    /// Up to a quarter either way, so that what failed together does not return together.
    fn spread(&self, wait: Duration, noise: Noise, of: u64) -> Duration {
        wait * 3 / 4 + (wait / 2).mul_f64(self.noise(noise, of))
    }

    /// By which part a limit is undercut.
    fn cut(&self, noise: Noise, of: u64) -> f64 {
        self.noise(noise, of) * f64::from(self.recycling.jitter.min(100)) / 100.0
    }

    /// In 0.0 .. 1.0, always the same for the same question.
    fn noise(&self, noise: Noise, of: u64) -> f64 {
        let drawn = mix(self.seed ^ mix(of ^ noise.salt()));
        let bits = u32::try_from(drawn >> 33).unwrap_or(0); // 31 bits: below 2^31
        f64::from(bits) / f64::from(1_u32 << 31)
    }
}

impl RecycleConfig {
    /// Ready workers that renewal alone must leave in a pool of this size.
    pub(super) fn floor(&self, size: u32) -> u32 {
        size.saturating_sub(self.missing_max)
    }
}

impl Noise {
    fn salt(self) -> u64 {
        mix(self as u64 + 1)
    }
}

fn pair(slot: u32, generation: u32) -> u64 {
    (u64::from(slot) << 32) | u64::from(generation)
}

fn doubled(wait: Duration, times: u32, most: Duration) -> Duration {
    wait.saturating_mul(1 << times.min(31)).min(most)
}

/// The finaliser of splitmix64: every bit of the input moves every bit of the output.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
