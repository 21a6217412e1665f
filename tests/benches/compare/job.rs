//! What a contestant is told, and what it answers: both are JSON, because one of the contestants is a Python program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Anything that stops the comparison, said as it will be printed.
pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One measurement, made by one contestant in a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The interpreter of every worker, and of the executor itself.
    pub(crate) python: PathBuf,
    /// Where everything runs that `worker_cpu` does not move; `None`: wherever the kernel likes.
    pub(crate) host_cpu: Option<usize>,
    /// Where the workers run, if not beside the host.
    pub(crate) worker_cpu: Option<usize>,
    /// Worker processes.
    pub(crate) workers: u32,
    /// Threads of each worker; above 1 it is the thread profile.
    pub(crate) threads: u32,
    /// Calls in flight: per worker for snakepit and the floor, in all for the executor.
    pub(crate) in_flight: u32,
    /// How long to measure, after warming up.
    pub(crate) seconds: f64,
}

/// What is measured. The names carry the units, since they are the keys of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Median time of a call, in microseconds.
    P50Us,
    /// The time that 99 of 100 calls stay under, in microseconds.
    P99Us,
    /// Calls answered in a second.
    CallsPerS,
    /// From nothing until every worker has answered, in milliseconds.
    StartMs,
    /// The same without the search for the interpreter and its bridge, in milliseconds.
    WorkersMs,
    /// Memory of its own that an idle process keeps resident (`RssAnon`), in MB of 1024 × 1024 bytes.
    RssAnonMb,
    /// One event of the pool's core with the actions it leads to, in nanoseconds.
    CoreStepNs,
}

/// The answer to one job.
pub(crate) type Readings = BTreeMap<Metric, f64>;

/// What is echoed.
pub(crate) const PAYLOAD: [u8; 64] = [0xa5; 64];

/// Calls that each caller makes before the clock starts.
pub(crate) const WARM_UP: u32 = 200;
