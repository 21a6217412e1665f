//! A call to a pool, and its answer.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use snakepit_config::Affinity;
use snakepit_profile::{Reply, WorkerName};

use crate::core::Priority;

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
    /// The session it belongs to. It begins with its first call, also where that is refused, unless it was created
    /// before.
    pub session: Option<Arc<str>>,
    /// What it expects of its session's last worker; the pool's `affinity` where it is not given.
    pub affinity: Option<Affinity>,
    /// Who goes first of those that wait.
    pub priority: Priority,
    /// Whether running it twice does no harm; as the tool says where it is not given. Only such a call is tried again
    /// after its worker has died.
    pub idempotent: Option<bool>,
    /// How often an idempotent call is given to a worker; the pool's `retry_attempts` where it is not given.
    pub attempts: Option<NonZeroU32>,
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
    /// From submission until the worker that answered was given it.
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
            session: None,
            affinity: None,
            priority: Priority::Normal,
            idempotent: None,
            attempts: None,
        }
    }
}
