//! The rules between the keys of one pool.

use std::time::Duration;

use super::PoolCheck;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::layer::Given;
use crate::place::Place;
use crate::settings::{Adapter, AdapterSource};
use crate::value::Value;

/// The keys that make a pool replace its workers.
const RECYCLING: [&str; 3] = ["worker_ttl", "worker_max_requests", "worker_memory_max"];

impl PoolCheck<'_, '_> {
    /// Reports every rule that the pool breaks. A flawed value is already an error, and breaks none.
    pub(super) fn rules(&mut self) {
        self.adapter_exists();
        self.size_in_range();
        self.floor_within_size();
        self.workers_can_be_replaced();
        self.backoff_within_its_most();
    }

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
        let max = self.max_workers.get();
        if let Some(given) = self.merged.count("pool_size")
            && given > max
        {
            let pool = self.name.to_string();
            self.report("pool_size", ConfigErrorKind::TooManyWorkers { pool, given, max });
        }
    }

    fn floor_within_size(&mut self) {
        let Some(size) = self.size() else { return };
        if let Some(floor) = self.merged.count("ready_floor")
            && floor > size.get()
        {
            let kind = self.above("ready_floor", floor.to_string(), "pool_size", size.to_string());
            self.report("ready_floor", kind);
        }
    }

    /// Without a worker to spare, and without leave to add one, a worker at its limit would stay for ever.
    fn workers_can_be_replaced(&mut self) {
        let Some(size) = self.size() else { return };
        let floor = match self.merged.get("ready_floor") {
            None => size.get(),
            Some(_) => match self.merged.count("ready_floor") {
                Some(floor) => floor,
                None => return,
            },
        };
        let limit = RECYCLING
            .into_iter()
            .find(|key| !matches!(self.merged.value(key), None | Some(Value::Off)));
        if let Some(limit) = limit
            && self.merged.count("surge_max") == Some(0)
            && floor == size.get()
        {
            let pool = self.name.to_string();
            self.report("surge_max", ConfigErrorKind::NeverReplaced { pool, limit });
        }
    }

    fn backoff_within_its_most(&mut self) {
        let (key, limit) = ("restart_backoff", "restart_backoff_max");
        let (Some(first), Some(most)) = (self.merged.span(key), self.merged.span(limit)) else {
            return;
        };
        if first > most {
            let text = |span: Duration| humantime::format_duration(span).to_string();
            let kind = self.above(key, text(first), limit, text(most));
            // Where only the most was written, the error must not point at a default.
            let written = |given: &Given| given.origin.place != Place::Nowhere;
            let blamed = if self.merged.get(key).is_some_and(written) {
                key
            } else {
                limit
            };
            self.report(blamed, kind);
        }
    }

    fn above(&self, key: &'static str, given: String, limit: &'static str, most: String) -> ConfigErrorKind {
        ConfigErrorKind::AboveOther {
            pool: self.name.to_string(),
            key,
            given,
            limit,
            most,
        }
    }

    /// Reports an error where a key was written.
    fn report(&mut self, key: &str, kind: ConfigErrorKind) {
        let origin = match self.merged.get(key) {
            Some(given) => given.origin.clone(),
            None => self.origin.clone(),
        };
        self.errors.push(ConfigError::new(origin, kind));
    }
}
