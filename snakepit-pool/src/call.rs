//! A call to a pool, and its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use snakepit_profile::{Reply, WorkerName};

/// A call to a pool.
#[derive(Debug, Clone)]
pub struct PoolCall {
    /// Name of the tool.
    pub tool: Arc<str>,
    /// Keyword arguments: a MessagePack map.
    pub arguments: Bytes,
    /// The caller's patience for queue, transfer and run together; the pool's `call_timeout` where it is not given.
    pub timeout: Option<Duration>,
    /// W3C trace context, where the caller has one.
    pub traceparent: Option<Arc<str>>,
}

/// What a call gave.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What the tool returned.
    pub reply: Reply,
    /// How it was served.
    pub receipt: Receipt,
}

/// How a call was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// By which worker.
    pub worker: WorkerName,
    /// Its process id.
    pub pid: u32,
    /// Time in the queue.
    pub queue_time: Duration,
    /// Everything else: to the worker and back, and waits in between.
    pub transfer_time: Duration,
    /// From the start of the tool to its end, measured by the worker.
    pub run_time: Duration,
    /// Whether the worker's GIL was on.
    pub gil_enabled: bool,
}

// === impl PoolCall ===

impl PoolCall {
    /// A call of `tool` with a MessagePack map of keyword arguments, and everything else as the pool has it by default.
    pub fn new(tool: impl Into<Arc<str>>, arguments: impl Into<Bytes>) -> Self {
        Self {
            tool: tool.into(),
            arguments: arguments.into(),
            timeout: None,
            traceparent: None,
        }
    }
}
