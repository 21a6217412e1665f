//! From checked layers to settings: which pools there are, and the rules between keys.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::layer::{Given, Layer};
use crate::merge::{Merged, merge};
use crate::place::{Origin, Place};
use crate::settings::{
    Adapter, AdapterSource, CapacityStrategy, ExplicitPython, InheritEnv, PoolName, PoolSettings,
    ProfileKind, Settings, TimeoutProfile, WorkerProfileChoice,
};
use crate::value::Value;

/// The pool of the single-pool form.
pub(crate) const SINGLE: &str = "default";

const THREADS: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// The settings that the layers amount to. Where there are errors, they must be thrown away.
pub(crate) fn settle(
    file: &Layer,
    environment: &Layer,
    builder: &Layer,
    errors: &mut Vec<ConfigError>,
) -> Settings {
    let layers = [file, environment, builder];
    let defaults = Layer::of_defaults();
    let names = pool_names(file, environment, builder);
    refuse_both_forms(&layers, &names, errors);
    let top = merge([&defaults.top, &file.top, &environment.top, &builder.top]);
    let max_workers = match top.get("max_workers").and_then(|given| given.value.as_ref()) {
        Some(Value::Count(count)) => *count,
        // A flawed value is already an error, and must not become a second one.
        _ => u32::MAX,
    };
    let mut pools = Vec::new();
    for name in &names {
        let own = layers.map(|layer| layer.pool(name.as_str()).map(|pool| &pool.level));
        let top = [&defaults.top, &file.top, &environment.top, &builder.top];
        let mut check = PoolCheck {
            name,
            origin: pool_origin(name, file, &layers),
            merged: merge(top.into_iter().chain(own.into_iter().flatten())),
            max_workers,
            errors,
        };
        check.adapter_exists();
        check.size_in_range();
        pools.push(check.settings());
    }
    refuse_threads_without_effect(&layers, &pools, errors);
    Settings { pools }
}

/// The file's pools, the builder's, and those that only the environment defines: it cannot change which is first.
fn pool_names(file: &Layer, environment: &Layer, builder: &Layer) -> Vec<PoolName> {
    let mut names: Vec<PoolName> = Vec::new();
    for pool in [file, builder, environment]
        .into_iter()
        .flat_map(|layer| &layer.pools)
    {
        let Some(name) = PoolName::new(&pool.name) else {
            continue;
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let listed = file.listed || builder.listed;
    if names.is_empty() && !listed {
        names.extend(PoolName::new(SINGLE));
    }
    names
}

/// Where a pool is defined; for errors about what nobody wrote.
fn pool_origin(name: &PoolName, file: &Layer, layers: &[&Layer]) -> Origin {
    if let Some(pool) = layers.iter().find_map(|layer| layer.pool(name.as_str())) {
        return pool.origin.clone();
    }
    Origin::new(file.file.clone().unwrap_or(Place::Nowhere), "")
}

/// `pool_size` at top level describes the one pool of the single-pool form. A file in that form keeps its pool: the
/// environment cannot turn it into a list of others.
fn refuse_both_forms(layers: &[&Layer; 3], names: &[PoolName], errors: &mut Vec<ConfigError>) {
    let [file, environment, builder] = layers;
    if !file.listed && names.iter().all(|name| name.as_str() == SINGLE) {
        return;
    }
    for given in layers.iter().filter_map(|layer| layer.top.given("pool_size")) {
        errors.push(ConfigError::new(given.origin.clone(), ConfigErrorKind::BothForms));
    }
    if !file.listed && !builder.listed && file.top.given("adapter").is_some() {
        for pool in environment.pools.iter().filter(|pool| pool.name != SINGLE) {
            errors.push(ConfigError::new(pool.origin.clone(), ConfigErrorKind::BothForms));
        }
    }
}

/// `threads_per_worker` means nothing to the process profile: in a pool of it, and at top level over nothing else.
fn refuse_threads_without_effect(
    layers: &[&Layer; 3],
    pools: &[PoolSettings],
    errors: &mut Vec<ConfigError>,
) {
    let process = WorkerProfileChoice::Fixed(ProfileKind::Process);
    let mut refuse = |given: &Given, whose: String| {
        errors.push(ConfigError::new(
            given.origin.clone(),
            ConfigErrorKind::ThreadsWithoutThreads { whose },
        ));
    };
    let processes: Vec<&PoolSettings> = pools
        .iter()
        .filter(|pool| pool.worker_profile == process)
        .collect();
    for pool in &processes {
        for layer in layers {
            let given = layer
                .pool(pool.name.as_str())
                .and_then(|pool| pool.level.given("threads_per_worker"));
            if let Some(given) = given {
                refuse(given, format!("pool `{}` has", pool.name));
            }
        }
    }
    if !pools.is_empty() && processes.len() == pools.len() {
        for given in layers
            .iter()
            .filter_map(|layer| layer.top.given("threads_per_worker"))
        {
            refuse(given, "every pool has".to_owned());
        }
    }
}

/// One pool on its way to its settings.
struct PoolCheck<'a, 'e> {
    name: &'a PoolName,
    origin: Origin,
    merged: Merged<'a>,
    max_workers: u32,
    errors: &'e mut Vec<ConfigError>,
}

impl PoolCheck<'_, '_> {
    fn adapter_exists(&mut self) {
        let Some(given) = self.merged.get("adapter") else {
            let pool = self.name.to_string();
            self.errors.push(ConfigError::new(
                self.origin.clone(),
                ConfigErrorKind::NoAdapter { pool },
            ));
            return;
        };
        let Some(Value::Adapter(Adapter {
            source: AdapterSource::File(path),
            ..
        })) = &given.value
        else {
            return;
        };
        let problem = match path.metadata() {
            Ok(metadata) if metadata.is_file() => return,
            Ok(_) => "is not a file",
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => "cannot be reached",
            Err(_) => "does not exist",
        };
        let error = ConfigError::new(
            given.origin.clone(),
            ConfigErrorKind::AdapterFile {
                path: path.clone(),
                problem,
            },
        );
        // Pools that share an adapter from top level would all report it.
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn size_in_range(&mut self) {
        let Some(given) = self.merged.get("pool_size") else {
            return;
        };
        if let Some(Value::Count(size)) = given.value
            && size > self.max_workers
        {
            let kind = ConfigErrorKind::TooManyWorkers {
                pool: self.name.to_string(),
                given: size,
                max: self.max_workers,
            };
            self.errors.push(ConfigError::new(given.origin.clone(), kind));
        }
    }

    /// The settings. A flawed value is already an error; what stands in for it only lets the walk go on.
    fn settings(&self) -> PoolSettings {
        let profile = match self.value("worker_profile") {
            Some(Value::Profile(profile)) => *profile,
            _ => WorkerProfileChoice::Auto,
        };
        let limits = match self.value("timeout_profile") {
            Some(Value::Timeouts(profile)) => profile.limits(),
            _ => TimeoutProfile::Balanced.limits(),
        };
        let threads = match profile {
            WorkerProfileChoice::Fixed(ProfileKind::Process) => NonZeroU32::MIN,
            _ => self.positive("threads_per_worker").unwrap_or(THREADS),
        };
        PoolSettings {
            name: self.name.clone(),
            worker_profile: profile,
            pool_size: self
                .positive("pool_size")
                .unwrap_or_else(|| default_size(self.max_workers)),
            threads_per_worker: threads,
            adapter: self.adapter(),
            adapter_args: match self.value("adapter_args") {
                Some(Value::List(arguments)) => arguments.clone(),
                _ => Vec::new(),
            },
            adapter_env: self.variables(),
            inherit_env: match self.value("inherit_env") {
                Some(Value::Inherit(inherit)) => inherit.clone(),
                _ => InheritEnv::Nothing,
            },
            python: self.python(),
            bridge: self.path("bridge"),
            require_free_threading: matches!(self.value("require_free_threading"), Some(Value::Switch(true))),
            startup_batch_size: self.positive("startup_batch_size").unwrap_or(NonZeroU32::MIN),
            startup_batch_delay: self.span("startup_batch_delay").unwrap_or_default(),
            startup_timeout: self.span("startup_timeout").unwrap_or_default(),
            handshake_timeout: self.span("handshake_timeout").unwrap_or_default(),
            capacity_strategy: match self.value("capacity_strategy") {
                Some(Value::Strategy(strategy)) => *strategy,
                _ => CapacityStrategy::Pool,
            },
            queue_max: self.count("queue_max").unwrap_or_default(),
            queue_timeout: self.span("queue_timeout").unwrap_or(limits.queue),
            call_timeout: self.span("call_timeout").unwrap_or(limits.call),
            message_max: match self.value("message_max") {
                Some(Value::Size(bytes)) => *bytes,
                _ => 0,
            },
            depth_max: self.count("depth_max").unwrap_or_default(),
            grace: self.span("grace").unwrap_or_default(),
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.merged.get(key)?.value.as_ref()
    }

    fn count(&self, key: &str) -> Option<u32> {
        match self.value(key)? {
            Value::Count(count) => Some(*count),
            _ => None,
        }
    }

    fn positive(&self, key: &str) -> Option<NonZeroU32> {
        self.count(key).and_then(NonZeroU32::new)
    }

    fn span(&self, key: &str) -> Option<Duration> {
        match self.value(key)? {
            Value::Span(span) => Some(*span),
            _ => None,
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        match self.value(key)? {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    fn adapter(&self) -> Adapter {
        match self.value("adapter") {
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
            path: self.path("python")?,
            named_by: self.merged.get("python")?.origin.named_by(),
        })
    }
}

/// Two workers for each CPU, as far as `max_workers` allows.
fn default_size(max_workers: u32) -> NonZeroU32 {
    let cpus =
        std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
    let size = cpus.saturating_mul(2).min(max_workers);
    NonZeroU32::new(size).unwrap_or(NonZeroU32::MIN)
}
