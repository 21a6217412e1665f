//! The few settings the core needs.

use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_config::PoolSettings;

/// What a pool's behaviour depends on. The same configuration and the same events give the same actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreConfig {
    /// Number of workers.
    pub size: NonZeroU32,
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
    /// Wait before a dead worker is replaced, the first time.
    pub backoff_min: Duration,
    /// Longest such wait. A worker that was ready for so long has proved itself.
    pub backoff_max: Duration,
    /// Of the back-off's jitter.
    pub seed: u64,
}

impl CoreConfig {
    /// Starts that a slot may fail before it counts as failed, while no worker of the pool was ever ready.
    pub const START_ATTEMPTS: u32 = 3;

    /// The part of `settings` that matters here, for workers that run `capacity` calls at once.
    #[must_use]
    pub fn new(settings: &PoolSettings, capacity: NonZeroU32, seed: u64) -> Self {
        Self {
            size: settings.pool_size,
            capacity,
            startup_batch_size: settings.startup_batch_size,
            startup_batch_delay: settings.startup_batch_delay,
            startup_timeout: settings.startup_timeout,
            queue_max: settings.queue_max,
            queue_timeout: settings.queue_timeout,
            grace: settings.grace,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            seed,
        }
    }

    /// Wait before the worker that follows `generation` in `slot` starts, after so many failures in a row: doubled each
    /// time, and moved by up to a quarter either way, so that workers that died together do not return together.
    pub(super) fn backoff(&self, slot: u32, generation: u32, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let wait = self
            .backoff_min
            .saturating_mul(1 << doublings)
            .min(self.backoff_max);
        let noise = mix(self.seed ^ mix((u64::from(slot) << 32) | u64::from(generation)));
        let spread = u32::try_from(noise >> 33).unwrap_or(0); // 31 bits: below 2^31
        wait * 3 / 4 + (wait / 2).mul_f64(f64::from(spread) / f64::from(1_u32 << 31))
    }
}

/// The finaliser of splitmix64: every bit of the input moves every bit of the output.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
