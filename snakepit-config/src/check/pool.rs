//! The settings of one pool, from the values that win for it.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use super::PoolCheck;
use crate::layer::Given;
use crate::settings::{
    Adapter, AdapterSource, Affinity, BreakerSettings, CapacityStrategy, ExplicitPython, InheritEnv,
    PoolSettings, ProfileKind, TimeoutProfile, WorkerProfileChoice,
};
use crate::value::Value;

const THREADS: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
/// Restarts within the window that a pool may have for each of its workers.
const RESTARTS_PER_WORKER: NonZeroU32 = NonZeroU32::new(3).expect("three is not zero");

impl PoolCheck<'_, '_> {
    /// The settings. A flawed value is already an error; what stands in for it only lets the walk go on.
    pub(super) fn settings(&self) -> PoolSettings {
        let values = &self.merged;
        let size = self.size().unwrap_or(NonZeroU32::MIN);
        let profile = match values.value("worker_profile") {
            Some(Value::Profile(profile)) => *profile,
            _ => WorkerProfileChoice::Auto,
        };
        let limits = match values.value("timeout_profile") {
            Some(Value::Timeouts(profile)) => profile.limits(),
            _ => TimeoutProfile::Balanced.limits(),
        };
        let threads = match profile {
            WorkerProfileChoice::Fixed(ProfileKind::Process) => NonZeroU32::MIN,
            _ => values.positive("threads_per_worker").unwrap_or(THREADS),
        };
        PoolSettings {
            name: self.name.clone(),
            worker_profile: profile,
            pool_size: size,
            max_workers: self.max_workers,
            threads_per_worker: threads,
            adapter: self.adapter(),
            adapter_args: match values.value("adapter_args") {
                Some(Value::List(arguments)) => arguments.clone(),
                _ => Vec::new(),
            },
            adapter_env: self.variables(),
            inherit_env: match values.value("inherit_env") {
                Some(Value::Inherit(inherit)) => inherit.clone(),
                _ => InheritEnv::Nothing,
            },
            python: self.python(),
            bridge: values.path("bridge"),
            require_free_threading: values.on("require_free_threading"),
            startup_batch_size: values.positive("startup_batch_size").unwrap_or(NonZeroU32::MIN),
            startup_batch_delay: values.span("startup_batch_delay").unwrap_or_default(),
            startup_timeout: values.span("startup_timeout").unwrap_or_default(),
            handshake_timeout: values.span("handshake_timeout").unwrap_or_default(),
            capacity_strategy: match values.value("capacity_strategy") {
                Some(Value::Strategy(strategy)) => *strategy,
                _ => CapacityStrategy::Pool,
            },
            queue_max: values.count("queue_max").unwrap_or_default(),
            queue_timeout: values.span("queue_timeout").unwrap_or(limits.queue),
            call_timeout: values.span("call_timeout").unwrap_or(limits.call),
            affinity: match values.value("affinity") {
                Some(Value::Affinity(affinity)) => *affinity,
                _ => Affinity::Hint,
            },
            retry_attempts: values.positive("retry_attempts").unwrap_or(NonZeroU32::MIN),
            circuit_breaker: values.on("circuit_breaker").then(|| self.breaker()),
            message_max: values.size("message_max").unwrap_or_default(),
            depth_max: values.count("depth_max").unwrap_or_default(),
            worker_ttl: values.span("worker_ttl"),
            worker_max_requests: values.positive("worker_max_requests").map(NonZeroU64::from),
            worker_memory_max: values.size("worker_memory_max"),
            recycle_jitter: values.count("recycle_jitter").unwrap_or_default(),
            ready_floor: values.count("ready_floor").unwrap_or(size.get()),
            surge_max: values.count("surge_max").unwrap_or_default(),
            restart_max: values.positive("restart_max").unwrap_or(NonZeroU32::MIN),
            restart_pool_max: values
                .positive("restart_pool_max")
                .unwrap_or(size.saturating_mul(RESTARTS_PER_WORKER)),
            restart_window: values.span("restart_window").unwrap_or_default(),
            restart_backoff: values.span("restart_backoff").unwrap_or_default(),
            restart_backoff_max: values.span("restart_backoff_max").unwrap_or_default(),
            grace: values.span("grace").unwrap_or_default(),
        }
    }

    /// The number of workers; None where it is flawed.
    pub(super) fn size(&self) -> Option<NonZeroU32> {
        match self.merged.get("pool_size") {
            Some(_) => self.merged.positive("pool_size"),
            None => Some(default_size(self.max_workers)),
        }
    }

    fn breaker(&self) -> BreakerSettings {
        let values = &self.merged;
        BreakerSettings {
            failures: values
                .positive("circuit_breaker_failures")
                .unwrap_or(NonZeroU32::MIN),
            pause: values.span("circuit_breaker_pause").unwrap_or_default(),
        }
    }

    fn adapter(&self) -> Adapter {
        match self.merged.value("adapter") {
            Some(Value::Adapter(adapter)) => adapter.clone(),
            _ => Adapter {
                source: AdapterSource::Module(String::new()),
                class: None,
            },
        }
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let text = |given: &Given| match &given.value {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let variables = self.merged.variables.iter();
        variables
            .filter_map(|(name, given)| Some((name.clone(), text(given)?)))
            .collect()
    }

    fn python(&self) -> Option<ExplicitPython> {
        Some(ExplicitPython {
            path: self.merged.path("python")?,
            named_by: self.merged.get("python")?.origin.named_by(),
        })
    }
}

/// Two workers for each CPU, as far as `max_workers` allows.
fn default_size(max_workers: NonZeroU32) -> NonZeroU32 {
    let cpus =
        std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
    let size = NonZeroU32::new(cpus.saturating_mul(2)).unwrap_or(NonZeroU32::MIN);
    size.min(max_workers)
}
