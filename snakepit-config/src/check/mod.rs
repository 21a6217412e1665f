//! From checked layers to settings: which pools there are, and the rules between pools.

mod pool;
mod rules;

use std::num::NonZeroU32;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::layer::{Given, Layer};
use crate::merge::{Merged, merge};
use crate::place::{Origin, Place};
use crate::settings::{PoolName, PoolSettings, ProfileKind, SessionSettings, Settings, WorkerProfileChoice};

/// The pool of the single-pool form.
pub(crate) const SINGLE: &str = "default";

/// One pool on its way to its settings.
struct PoolCheck<'a, 'e> {
    name: &'a PoolName,
    origin: Origin,
    merged: Merged<'a>,
    max_workers: NonZeroU32,
    errors: &'e mut Vec<ConfigError>,
}

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
    // A flawed value is already an error, and must not become a second one.
    let max_workers = top.positive("max_workers").unwrap_or(NonZeroU32::MAX);
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
        check.rules();
        pools.push(check.settings());
    }
    refuse_threads_without_effect(&layers, &pools, errors);
    let sessions = SessionSettings {
        ttl: top.span("session_ttl").unwrap_or_default(),
        max: top.positive("session_max").unwrap_or(NonZeroU32::MIN),
    };
    Settings { pools, sessions }
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
