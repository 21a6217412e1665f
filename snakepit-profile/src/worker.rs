//! A running worker, as a pool sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::call::{Call, Completion};
use crate::error::{Exit, StartError};
use crate::id::{RequestId, WorkerName};

/// A worker's process, from its creation to its end.
///
/// `submit`, `abort`, `drain` and `kill` are a push into the worker's bounded outbox: they never block, never wait and
/// never call back before they return, so that a pool may use them under its lock. They are carried out in the order in
/// which they were made; only `kill` may overtake.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &WorkerName;

    /// Its process id.
    fn pid(&self) -> u32;

    /// What it said of itself, once it is ready.
    fn facts(&self) -> Option<Arc<WorkerFacts>>;

    /// Hands over one call. `Err` gives everything back: the worker is gone, and the call did not run.
    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)>;

    /// Asks the worker to stop a call whose caller has gone. The call's completion still comes.
    fn abort(&self, request: RequestId);

    /// Asks the worker to finish its calls, clean up and exit.
    fn drain(&self);

    /// Sends SIGTERM to its group: the second word, after [`drain`](Worker::drain).
    fn terminate(&self);

    /// Kills its whole group at once. `reason` goes into what its callers see.
    fn kill(&self, reason: &str);

    /// Asks the worker's native thread for an answer, and gives it `patience`. A worker whose Python is stuck answers.
    async fn health(&self, patience: Duration) -> Health;

    /// Real memory of its process group now, in bytes: anonymous memory, resident or swapped out. What it shares with
    /// other processes by mapping the same file is not counted. `None` where that cannot be told, as of a process that
    /// has ended.
    async fn memory(&self) -> Option<u64>;

    /// Returns when the process has ended and its group is killed.
    async fn exited(&self) -> Exit;
}

/// Where a worker's life is reported to.
pub trait WorkerEvents: Send + Sync + 'static {
    /// Its handshake and warm-up are done: calls may come.
    fn ready(&self, worker: &WorkerName, facts: Arc<WorkerFacts>);

    /// It has ended, and everything it had been given is completed. Comes once, and last.
    fn exited(&self, worker: &WorkerName, report: ExitReport);
}

/// How a worker ended.
#[derive(Debug, Clone)]
pub struct ExitReport {
    /// Code or signal.
    pub exit: Exit,
    /// Why it never became ready, where it never did.
    pub start_error: Option<StartError>,
    /// The last lines it wrote, at most 64.
    pub output: Vec<String>,
}

/// What [`Worker::health`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answered after so long.
    Alive(Duration),
    /// It did not answer in time. It may be suspended.
    Silent,
    /// Its process has ended.
    Gone,
}

/// What a worker says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerFacts {
    /// Its process id.
    pub pid: u32,
    /// Like `3.13.0`.
    pub python_version: String,
    /// Like `cpython`.
    pub implementation: String,
    /// Built without a GIL.
    pub free_threaded: bool,
    /// Whether the GIL is on, after the adapter has been imported.
    pub gil_enabled: bool,
    /// The import that turned it on, where that is known.
    pub gil_enabled_by: Option<String>,
    /// Version of its bridge.
    pub bridge_version: String,
    /// What it offers, sorted by name.
    pub tools: Vec<Tool>,
    /// `__thread_safe__` of the adapter, where it says so.
    pub thread_safe: Option<bool>,
}

/// One tool of an adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// As Python writes it: `(values: list[float]) -> float`.
    pub signature: String,
    /// First line of its documentation.
    pub summary: String,
    /// Whether its author promises that running it twice does no harm. Such a call may be tried again on another worker
    /// when it is not known whether it ran.
    pub idempotent: bool,
}
