//! Numbers of pools.

use std::collections::BTreeMap;

use snakepit_config::PoolName;

use crate::core::RecycleReason;
use crate::error::ErrorKind;
use crate::events::RecycleReport;

/// One pool's numbers, or the sum of several.
///
/// They add up: `requests + refused = completed + cancelled + Σ errors + running + queued`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Calls that were accepted.
    pub requests: u64,
    /// Calls that were refused as they came: not started, saturated, shutting down, or already too late.
    pub refused: u64,
    /// Calls that were answered with a value.
    pub completed: u64,
    /// Calls whose caller dropped them.
    pub cancelled: u64,
    /// Calls that were answered with an error, refused ones included. Kinds that never came are left out.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Calls that run, and whose caller waits.
    pub running: u32,
    /// Slots held by code whose caller has gone or has been answered.
    pub lingering: u32,
    /// Calls that wait.
    pub queued: u32,
    /// Calls that had to wait as they came.
    pub queued_ever: u64,
    /// Calls that waited too long.
    pub queue_timeouts: u64,
    /// Calls that found the queue full.
    pub saturated: u64,
    /// Workers whose process exists.
    pub workers: u32,
    /// Those of them that take calls.
    pub ready: u32,
    /// Slots that are taken.
    pub load: u32,
    /// Slots of the ready workers.
    pub capacity: u32,
    /// Workers that replaced another, for whatever reason.
    pub restarts: u64,
    /// Attempts of idempotent calls after their first.
    pub retried: u64,
    /// Workers that were renewed while they were well. Reasons that never came are left out.
    pub recycled: BTreeMap<RecycleReason, u64>,
    /// The last of them; in the sum of several pools, none.
    pub last_recycled: Option<RecycleReport>,
    /// Restarts have reached their limit, and a trial start is awaited; in the sum, for any of the pools.
    pub degraded: bool,
}

/// All pools' numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolsStats {
    /// The sum.
    pub total: PoolStats,
    /// Each pool, in the order of the configuration.
    pub pools: Vec<(PoolName, PoolStats)>,
}

impl PoolStats {
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.completed += other.completed;
        self.cancelled += other.cancelled;
        for (&kind, count) in &other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.running += other.running;
        self.lingering += other.lingering;
        self.queued += other.queued;
        self.queued_ever += other.queued_ever;
        self.queue_timeouts += other.queue_timeouts;
        self.saturated += other.saturated;
        self.workers += other.workers;
        self.ready += other.ready;
        self.load += other.load;
        self.capacity += other.capacity;
        self.restarts += other.restarts;
        self.retried += other.retried;
        for (&reason, count) in &other.recycled {
            *self.recycled.entry(reason).or_default() += count;
        }
        self.last_recycled = None;
        self.degraded |= other.degraded;
    }
}
