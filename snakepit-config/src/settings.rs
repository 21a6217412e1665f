//! The checked configuration: what the other crates read.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration that passed every check.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// At least one pool; the first is the default pool. Names are unique.
    pub pools: Vec<PoolSettings>,
    /// Sessions, which belong to no single pool.
    pub sessions: SessionSettings,
}

/// The limits of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSettings {
    /// A session that was not used for so long ends.
    pub ttl: Duration,
    /// Most sessions at once; one more is refused.
    pub max: NonZeroU32,
}

/// One pool's checked settings.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PoolSettings {
    /// The name calls use.
    pub name: PoolName,
    /// How workers run calls, as configured; `auto` is decided once the interpreter is known.
    pub worker_profile: WorkerProfileChoice,
    /// Number of worker processes.
    pub pool_size: NonZeroU32,
    /// Most workers that a pool may ask for, also when it is resized. The same for every pool.
    pub max_workers: NonZeroU32,
    /// Threads of one worker under the thread profile.
    pub threads_per_worker: NonZeroU32,
    /// The Python code that answers calls.
    pub adapter: Adapter,
    /// What the adapter finds in `sys.argv[1:]`.
    pub adapter_args: Vec<String>,
    /// Set in the worker's environment; wins over everything snakepit sets itself.
    pub adapter_env: BTreeMap<String, String>,
    /// What a worker inherits of the host's environment.
    pub inherit_env: InheritEnv,
    /// The interpreter somebody named, if anybody did; otherwise one is looked for.
    pub python: Option<ExplicitPython>,
    /// The bridge folder somebody named, already absolute.
    pub bridge: Option<PathBuf>,
    /// Make a GIL that is on an error under the thread profile, instead of a warning.
    pub require_free_threading: bool,
    /// Workers started at once while the pool starts.
    pub startup_batch_size: NonZeroU32,
    /// Pause between two batches.
    pub startup_batch_delay: Duration,
    /// From spawn to ready, for each worker.
    pub startup_timeout: Duration,
    /// From connect to `Hello`.
    pub handshake_timeout: Duration,
    /// What counts as a worker's capacity.
    pub capacity_strategy: CapacityStrategy,
    /// Requests that may wait; one more is refused.
    pub queue_max: u32,
    /// Longest wait in the queue.
    pub queue_timeout: Duration,
    /// Deadline of a call that names none.
    pub call_timeout: Duration,
    /// What a call of a session does where its worker is busy.
    pub affinity: Affinity,
    /// Most times that a call is tried where trying again is safe; 1 repeats nothing.
    pub retry_attempts: NonZeroU32,
    /// The circuit breaker, if it is on.
    pub circuit_breaker: Option<BreakerSettings>,
    /// Largest message in either direction, in bytes.
    pub message_max: u64,
    /// Deepest nesting of a value.
    pub depth_max: u32,
    /// Age at which a worker is replaced, if at any.
    pub worker_ttl: Option<Duration>,
    /// Calls after which a worker is replaced, if after any.
    pub worker_max_requests: Option<NonZeroU64>,
    /// Memory of a worker and its children at which it is replaced, in bytes, if at any.
    pub worker_memory_max: Option<u64>,
    /// How far the limits of workers are spread, in percent of the limit, from 0 to 100.
    pub recycle_jitter: u32,
    /// Workers that replacing others must leave ready; at most `pool_size`. It is less than that where `surge_max` is
    /// 0 and one of the limits above is set: a worker can always be replaced.
    pub ready_floor: u32,
    /// Workers above `pool_size` that may run while others are replaced.
    pub surge_max: u32,
    /// Restarts of one worker within `restart_window`.
    pub restart_max: NonZeroU32,
    /// Restarts of all the pool's workers within `restart_window`.
    pub restart_pool_max: NonZeroU32,
    /// The time over which restarts are counted.
    pub restart_window: Duration,
    /// Pause before a worker that died is started again, for the first time.
    pub restart_backoff: Duration,
    /// Longest such pause; at least `restart_backoff`.
    pub restart_backoff_max: Duration,
    /// Time between asking a worker to stop and killing it.
    pub grace: Duration,
}

/// When the circuit breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures: NonZeroU32,
    /// How long it refuses calls before it lets one through as a trial.
    pub pause: Duration,
}

/// A pool's name: `[A-Za-z0-9][A-Za-z0-9_-]*`, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolName(std::sync::Arc<str>);

/// How a worker runs calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProfileKind {
    /// One call at a time per process, on Python's main thread.
    Process,
    /// Many calls at once per process, each on a thread.
    Thread,
}

/// `worker_profile` as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerProfileChoice {
    /// Always this one.
    Fixed(ProfileKind),
    /// Thread where the GIL is off, else process.
    Auto,
}

/// What counts as a worker's capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityStrategy {
    /// `threads_per_worker`.
    Pool,
    /// One call per worker, whatever the profile could do.
    Profile,
    /// As `Pool`, and the profile checks every dispatch against a count of its own.
    Hybrid,
}

/// What a call of a session does where the worker that served the session before is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Affinity {
    /// It takes another worker.
    #[default]
    Hint,
    /// It waits for its worker.
    StrictQueue,
    /// It fails at once.
    StrictFailFast,
}

/// The Python code of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Where the code is.
    pub source: AdapterSource,
    /// The adapter class, where one was named (`module:Class`).
    pub class: Option<String>,
}

/// Where an adapter's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdapterSource {
    /// A Python file, absolute. Its folder is first on `sys.path`.
    File(PathBuf),
    /// A module to import.
    Module(String),
}

/// What a worker inherits of the host's environment. `SNAKEPIT_*` never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InheritEnv {
    /// Everything else.
    All,
    /// Nothing.
    Nothing,
    /// These names only.
    Only(Vec<String>),
}

/// An interpreter that somebody named. It is used or reported, never replaced by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplicitPython {
    /// As given, made absolute where it has a separator; a bare name is looked up in `PATH`. Never canonicalised.
    pub path: PathBuf,
    /// Who named it, for messages: `` `pools[1].python` in snakepit.toml:7 `` or `SNAKEPIT_PYTHON`.
    pub named_by: String,
}

/// A family of default time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are the documentation; the figures are in `limits`"
)]
pub enum TimeoutProfile {
    Balanced,
    Production,
    ProductionStrict,
    Development,
    MlInference,
    Batch,
}

// === impl PoolSettings ===

impl PoolSettings {
    /// Calls that one worker runs at once under `kind`, by the configured strategy.
    #[must_use]
    pub fn slots(&self, kind: ProfileKind) -> NonZeroU32 {
        match (kind, self.capacity_strategy) {
            (ProfileKind::Process, _) | (_, CapacityStrategy::Profile) => NonZeroU32::MIN,
            (ProfileKind::Thread, CapacityStrategy::Pool | CapacityStrategy::Hybrid) => {
                self.threads_per_worker
            }
        }
    }
}

// === impl WorkerProfileChoice ===

impl WorkerProfileChoice {
    /// The profile that this means on an interpreter whose GIL is on or off.
    #[must_use]
    pub fn on(self, gil_enabled: bool) -> ProfileKind {
        match self {
            Self::Fixed(kind) => kind,
            Self::Auto if gil_enabled => ProfileKind::Process,
            Self::Auto => ProfileKind::Thread,
        }
    }
}

// === impl PoolName ===

impl PoolName {
    /// Longest name, in characters.
    pub const MAX: usize = 64;

    /// The name, if it is one: `[A-Za-z0-9][A-Za-z0-9_-]*`, at most [`PoolName::MAX`] characters.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = name.bytes();
        let first = bytes.next()?;
        let valid = name.len() <= Self::MAX
            && first.is_ascii_alphanumeric()
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        valid.then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

// === impl ProfileKind ===

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Process => "process",
            Self::Thread => "thread",
        })
    }
}

// === impl Adapter ===

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            AdapterSource::File(path) => write!(f, "`{}", path.display())?,
            AdapterSource::Module(module) => write!(f, "`{module}")?,
        }
        match &self.class {
            Some(class) => write!(f, ":{class}`"),
            None => f.write_str("`"),
        }
    }
}
