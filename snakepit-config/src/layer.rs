//! One layer of the configuration (defaults, file, environment, builder), walked and checked on its own.

use crate::error::{ConfigError, ConfigErrorKind};
use crate::keys::{KEYS, Key, KeyDefault};
use crate::place::{Origin, Place};
use crate::value::{Kind, Value};

/// What one layer says.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) top: Level,
    pub(crate) pools: Vec<PoolLevel>,
    /// Whether it has a list of pools at all: one whose pools are all flawed is still a list.
    pub(crate) listed: bool,
    /// The file that it is, if it is one.
    pub(crate) file: Option<Place>,
}

/// What one layer says of one pool.
#[derive(Debug)]
pub(crate) struct PoolLevel {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) level: Level,
}

/// What one layer says at one level: at top level, or in one pool.
#[derive(Debug, Default)]
pub(crate) struct Level {
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static Key,
    /// Which environment variable, for `adapter_env`.
    pub(crate) variable: Option<String>,
    pub(crate) given: Given,
}

/// A value and where it was written.
#[derive(Debug)]
pub(crate) struct Given {
    /// None where it is not allowed: that is already an error, and it must not become another one.
    pub(crate) value: Option<Value>,
    pub(crate) origin: Origin,
}

// === impl Layer ===

impl Layer {
    /// The layer of the keys' own defaults.
    pub(crate) fn of_defaults() -> Self {
        let mut layer = Self::default();
        for key in KEYS {
            if let KeyDefault::Value(text) = key.default {
                let folder = std::path::Path::new("/");
                let given = Given {
                    value: key.kind.read_text(text, folder),
                    origin: Origin::new(Place::Nowhere, key.name),
                };
                layer.top.entries.push(Entry {
                    key,
                    variable: None,
                    given,
                });
            }
        }
        layer
    }

    pub(crate) fn pool(&self, name: &str) -> Option<&PoolLevel> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}

// === impl Level ===

impl Level {
    /// Takes a value in, or the error that it is not allowed; `given` is how the error shows it.
    pub(crate) fn put(
        &mut self,
        key: &'static Key,
        origin: Origin,
        value: Option<Value>,
        given: impl FnOnce() -> String,
        errors: &mut Vec<ConfigError>,
    ) {
        if value.is_none() {
            errors.push(not_allowed(origin.clone(), key.kind, &given()));
        }
        self.entries.push(Entry {
            key,
            variable: None,
            given: Given { value, origin },
        });
    }

    /// Takes in one variable of `adapter_env`, whose value is a text or else of the type named. A value is never shown:
    /// it may be a secret.
    pub(crate) fn put_variable(
        &mut self,
        key: &'static Key,
        variable: &str,
        origin: Origin,
        text: Result<&str, &str>,
        errors: &mut Vec<ConfigError>,
    ) {
        let value = match text.map(|text| Value::Text(text.to_owned())) {
            Ok(value) if key.kind.admits(&value) => Some(value),
            Ok(_) => {
                errors.push(invalid(
                    origin.clone(),
                    "a text with a NUL character",
                    "a text without one",
                ));
                None
            }
            Err(kind) => {
                errors.push(invalid(
                    origin.clone(),
                    &format!("a value of type {kind}"),
                    "a text, in quotes",
                ));
                None
            }
        };
        if !crate::value::is_variable(variable) {
            let allowed = "a variable's name: not empty, without `=` and without spaces";
            errors.push(invalid(
                origin.clone(),
                &format!("{variable:?} as a name"),
                allowed,
            ));
        }
        self.entries.push(Entry {
            key,
            variable: Some(variable.to_owned()),
            given: Given { value, origin },
        });
    }

    pub(crate) fn given(&self, key: &str) -> Option<&Given> {
        self.entries
            .iter()
            .find(|entry| entry.key.name == key)
            .map(|entry| &entry.given)
    }
}

/// The error of a value that its key does not allow.
pub(crate) fn not_allowed(origin: Origin, kind: Kind, given: &str) -> ConfigError {
    invalid(origin, given, &kind.allowed())
}

pub(crate) fn invalid(origin: Origin, given: &str, allowed: &str) -> ConfigError {
    let kind = ConfigErrorKind::InvalidValue {
        given: shortened(given),
        allowed: allowed.to_owned(),
    };
    ConfigError::new(origin, kind)
}

/// One line of at most 60 characters: enough to recognise a value by.
fn shortened(given: &str) -> String {
    const MOST: usize = 60;
    let line = given.lines().next().unwrap_or_default();
    if line.chars().count() > MOST || given.lines().count() > 1 {
        let start: String = line.chars().take(MOST).collect();
        return format!("{start} ...");
    }
    line.to_owned()
}
