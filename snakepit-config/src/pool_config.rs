//! One pool as the program describes it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::ConfigError;
use crate::keys;
use crate::layer::Level;
use crate::place::{Origin, Place};
use crate::settings::{Affinity, CapacityStrategy, InheritEnv, TimeoutProfile, WorkerProfileChoice};
use crate::size;
use crate::value::{OFF, Value};

/// One pool as the program describes it: a setter for each key, all optional but for the adapter.
///
/// Nothing is checked before [`ConfigBuilder::build`](crate::ConfigBuilder::build), which reports everything at once.
#[derive(Debug, Clone)]
#[must_use = "a pool is added to a configuration by `ConfigBuilder::pool`"]
pub struct PoolConfig {
    pub(crate) name: String,
    pub(crate) values: Vec<(&'static str, Written)>,
    variables: BTreeMap<String, String>,
}

/// A value as the program wrote it.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Text(String),
    Value(Value),
}

// === impl PoolConfig ===

impl PoolConfig {
    /// A pool of this name: `[A-Za-z0-9][A-Za-z0-9_-]*`, at most 64 characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            values: Vec::new(),
            variables: BTreeMap::new(),
        }
    }

    /// The Python code that answers calls: a file (`adapter.py`), a module, or a class in one of them
    /// (`module:Class`). A relative file starts at the current folder. A path must be UTF-8, as all text of a
    /// configuration.
    pub fn adapter(mut self, adapter: impl AsRef<OsStr>) -> Self {
        let adapter = adapter.as_ref().to_string_lossy().into_owned();
        self.values.push(("adapter", Written::Text(adapter)));
        self
    }

    /// What the adapter finds in `sys.argv[1:]`. Replaces arguments given before.
    pub fn adapter_args<T: Into<String>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        self.set("adapter_args", Value::List(arguments))
    }

    /// Sets one variable of the workers' environment, above everything else.
    pub fn adapter_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// What a worker inherits of this process's environment.
    pub fn inherit_env(self, inherit: InheritEnv) -> Self {
        self.set("inherit_env", Value::Inherit(inherit))
    }

    /// The interpreter: a path, or a name to look up in `PATH`.
    pub fn python(self, path: impl Into<PathBuf>) -> Self {
        self.set("python", Value::Path(path.into()))
    }

    /// A folder made by `snakepit bridge build`.
    pub fn bridge(self, folder: impl Into<PathBuf>) -> Self {
        self.set("bridge", Value::Path(folder.into()))
    }

    /// How a worker runs calls: `ProfileKind::Process`, `ProfileKind::Thread` or `WorkerProfileChoice::Auto`.
    pub fn worker_profile(self, profile: impl Into<WorkerProfileChoice>) -> Self {
        self.set("worker_profile", Value::Profile(profile.into()))
    }

    /// Make a GIL that is on an error under the thread profile, instead of a warning.
    pub fn require_free_threading(self, require: bool) -> Self {
        self.set("require_free_threading", Value::Switch(require))
    }

    /// Number of worker processes.
    pub fn pool_size(self, workers: u32) -> Self {
        self.set("pool_size", Value::Count(workers))
    }

    /// Threads of one worker under the thread profile.
    pub fn threads_per_worker(self, threads: u32) -> Self {
        self.set("threads_per_worker", Value::Count(threads))
    }

    /// What counts as a worker's capacity.
    pub fn capacity_strategy(self, strategy: CapacityStrategy) -> Self {
        self.set("capacity_strategy", Value::Strategy(strategy))
    }

    /// The default time limits; a limit that is set itself wins.
    pub fn timeout_profile(self, profile: TimeoutProfile) -> Self {
        self.set("timeout_profile", Value::Timeouts(profile))
    }

    /// Deadline of a call that names none.
    pub fn call_timeout(self, timeout: Duration) -> Self {
        self.set("call_timeout", Value::Span(timeout))
    }

    /// Longest wait for a free worker.
    pub fn queue_timeout(self, timeout: Duration) -> Self {
        self.set("queue_timeout", Value::Span(timeout))
    }

    /// Calls that may wait; one more is refused. With 0 nothing waits.
    pub fn queue_max(self, calls: u32) -> Self {
        self.set("queue_max", Value::Count(calls))
    }

    /// What a call of a session does where its worker is busy.
    pub fn affinity(self, affinity: Affinity) -> Self {
        self.set("affinity", Value::Affinity(affinity))
    }

    /// Most times that a call is tried where trying again is safe. With 1 nothing is repeated.
    pub fn retry_attempts(self, attempts: u32) -> Self {
        self.set("retry_attempts", Value::Count(attempts))
    }

    /// After failures in a row, refuse calls for a while instead of trying them.
    pub fn circuit_breaker(self, on: bool) -> Self {
        self.set("circuit_breaker", Value::Switch(on))
    }

    /// Failures in a row that open the circuit breaker.
    pub fn circuit_breaker_failures(self, failures: u32) -> Self {
        self.set("circuit_breaker_failures", Value::Count(failures))
    }

    /// How long an open circuit breaker refuses calls before it lets one through as a trial.
    pub fn circuit_breaker_pause(self, pause: Duration) -> Self {
        self.set("circuit_breaker_pause", Value::Span(pause))
    }

    /// Workers started at once while the pool starts.
    pub fn startup_batch_size(self, workers: u32) -> Self {
        self.set("startup_batch_size", Value::Count(workers))
    }

    /// Pause between two batches.
    pub fn startup_batch_delay(self, delay: Duration) -> Self {
        self.set("startup_batch_delay", Value::Span(delay))
    }

    /// From a worker's spawn until it is ready.
    pub fn startup_timeout(self, timeout: Duration) -> Self {
        self.set("startup_timeout", Value::Span(timeout))
    }

    /// From a worker's connection to its first message.
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.set("handshake_timeout", Value::Span(timeout))
    }

    /// Largest message in either direction, in bytes.
    pub fn message_max(self, bytes: u64) -> Self {
        self.set("message_max", Value::Size(bytes))
    }

    /// Deepest nesting of a value.
    pub fn depth_max(self, depth: u32) -> Self {
        self.set("depth_max", Value::Count(depth))
    }

    /// Age at which a worker is replaced, once its calls have ended; `None` for no limit.
    pub fn worker_ttl(self, age: impl Into<Option<Duration>>) -> Self {
        self.set("worker_ttl", age.into().map_or(Value::Off, Value::Span))
    }

    /// Calls after which a worker is replaced; `None` for no limit.
    pub fn worker_max_requests(self, calls: impl Into<Option<u32>>) -> Self {
        self.set(
            "worker_max_requests",
            calls.into().map_or(Value::Off, Value::Count),
        )
    }

    /// Memory of a worker and its children, in bytes, at which it is replaced; `None` for no limit.
    pub fn worker_memory_max(self, bytes: impl Into<Option<u64>>) -> Self {
        self.set("worker_memory_max", bytes.into().map_or(Value::Off, Value::Size))
    }

    /// How far the limits of workers are spread, in percent, so that workers of one age are not replaced together.
    pub fn recycle_jitter(self, percent: u32) -> Self {
        self.set("recycle_jitter", Value::Count(percent))
    }

    /// Workers that replacing others must leave ready; at most `pool_size`.
    pub fn ready_floor(self, workers: u32) -> Self {
        self.set("ready_floor", Value::Count(workers))
    }

    /// Workers above `pool_size` that may run while others are replaced.
    pub fn surge_max(self, workers: u32) -> Self {
        self.set("surge_max", Value::Count(workers))
    }

    /// Restarts of one worker within `restart_window`.
    pub fn restart_max(self, restarts: u32) -> Self {
        self.set("restart_max", Value::Count(restarts))
    }

    /// Restarts of all the pool's workers within `restart_window`.
    pub fn restart_pool_max(self, restarts: u32) -> Self {
        self.set("restart_pool_max", Value::Count(restarts))
    }

    /// The time over which restarts are counted.
    pub fn restart_window(self, window: Duration) -> Self {
        self.set("restart_window", Value::Span(window))
    }

    /// Pause before a worker that died is started again; it grows with each death.
    pub fn restart_backoff(self, pause: Duration) -> Self {
        self.set("restart_backoff", Value::Span(pause))
    }

    /// Longest pause before a worker that died is started again.
    pub fn restart_backoff_max(self, pause: Duration) -> Self {
        self.set("restart_backoff_max", Value::Span(pause))
    }

    /// Time between asking a worker to stop and killing it.
    pub fn grace(self, grace: Duration) -> Self {
        self.set("grace", Value::Span(grace))
    }

    fn set(mut self, key: &'static str, value: Value) -> Self {
        self.values.push((key, Written::Value(value)));
        self
    }

    pub(crate) fn put_variables(&self, prefix: &str, level: &mut Level, errors: &mut Vec<ConfigError>) {
        let Some(key) = keys::find("adapter_env") else {
            return;
        };
        for (name, value) in &self.variables {
            let origin = Origin::new(Place::Builder, format!("{prefix}.adapter_env.{name}"));
            level.put_variable(key, name, origin, Ok(value), errors);
        }
    }
}

// === impl Written ===

impl Written {
    /// As an error shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Value(Value::Count(count)) => count.to_string(),
            Self::Value(Value::Span(span)) => humantime::format_duration(*span).to_string(),
            Self::Value(Value::Size(bytes)) => size::format(*bytes),
            Self::Value(Value::Off) => OFF.to_owned(),
            Self::Value(Value::Path(path)) => format!("{:?}", path.to_string_lossy()),
            Self::Value(Value::List(texts) | Value::Inherit(InheritEnv::Only(texts))) => format!("{texts:?}"),
            Self::Value(other) => format!("{other:?}"),
        }
    }
}
