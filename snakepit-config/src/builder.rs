//! The builder: which layers there are, and the last of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check;
use crate::environment;
use crate::error::{ConfigError, ConfigErrorKind, ConfigErrors};
use crate::file;
use crate::keys;
use crate::layer::{Layer, Level, PoolLevel, not_allowed};
use crate::place::{Origin, Place};
use crate::pool_config::{PoolConfig, Written};
use crate::settings::{PoolName, SessionSettings, Settings, TimeoutProfile};
use crate::value::{Kind, Value};

/// Collects the layers of a configuration: a file, the environment, and what the program says itself.
///
/// The later wins: defaults, file, environment, builder. A pool's own key wins over one at top level, in whichever
/// layer either stands.
#[derive(Debug, Clone, Default)]
#[must_use = "a configuration is read and checked by `build`"]
pub struct ConfigBuilder {
    file: Option<NamedFile>,
    environment: Environment,
    top: Vec<(&'static str, Written)>,
    pools: Vec<PoolConfig>,
}

#[derive(Debug, Clone)]
struct NamedFile {
    path: PathBuf,
    optional: bool,
}

#[derive(Debug, Clone, Default)]
enum Environment {
    #[default]
    Process,
    Without,
    Given(BTreeMap<OsString, OsString>),
}

impl Settings {
    /// A configuration of defaults and the environment, to add to.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }
}

// === impl ConfigBuilder ===

impl ConfigBuilder {
    /// Reads this TOML file, which must exist. Replaces a file named before.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(NamedFile {
            path: path.into(),
            optional: false,
        });
        self
    }

    /// Reads this TOML file if it exists. Replaces a file named before.
    pub fn optional_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(NamedFile {
            path: path.into(),
            optional: true,
        });
        self
    }

    /// Whether the process's environment has a say. It has, unless this says no.
    pub fn env(mut self, read: bool) -> Self {
        self.environment = if read {
            Environment::Process
        } else {
            Environment::Without
        };
        self
    }

    /// Takes these variables for the environment, instead of the process's own.
    pub fn environment<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.environment = Environment::Given(variables.collect());
        self
    }

    /// Adds a pool, or changes the pool of this name that the file or the environment defines.
    pub fn pool(mut self, pool: PoolConfig) -> Self {
        self.pools.push(pool);
        self
    }

    /// The interpreter of every pool that names none itself. Wins over `SNAKEPIT_PYTHON`.
    pub fn set_python(self, path: impl Into<PathBuf>) -> Self {
        self.set("python", Value::Path(path.into()))
    }

    /// The bridge folder of every pool that names none itself. Wins over `SNAKEPIT_BRIDGE`.
    pub fn set_bridge(self, folder: impl Into<PathBuf>) -> Self {
        self.set("bridge", Value::Path(folder.into()))
    }

    /// The default time limits of every pool that names none itself.
    pub fn set_timeout_profile(self, profile: TimeoutProfile) -> Self {
        self.set("timeout_profile", Value::Timeouts(profile))
    }

    /// Most workers that a pool may ask for.
    pub fn set_max_workers(self, workers: u32) -> Self {
        self.set("max_workers", Value::Count(workers))
    }

    /// A session that was not used for so long ends.
    pub fn set_session_ttl(self, ttl: Duration) -> Self {
        self.set("session_ttl", Value::Span(ttl))
    }

    /// Most sessions at once; one more is refused.
    pub fn set_session_max(self, sessions: u32) -> Self {
        self.set("session_max", Value::Count(sessions))
    }

    /// Reads and checks all layers.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once. Only a file that cannot be read, or is not TOML, is reported alone: what it
    /// was meant to say decides what else is an error.
    pub fn build(self) -> Result<Settings, ConfigErrors> {
        let mut errors = Vec::new();
        let settings = self.read_and_check(&mut errors);
        match ConfigErrors::some(errors) {
            Some(errors) => Err(errors),
            None => Ok(settings),
        }
    }

    fn read_and_check(self, errors: &mut Vec<ConfigError>) -> Settings {
        // Stands in where there is an error; it is thrown away.
        let none = Settings {
            pools: Vec::new(),
            sessions: SessionSettings {
                ttl: Duration::ZERO,
                max: NonZeroU32::MIN,
            },
        };
        let current = match std::env::current_dir() {
            Ok(current) => current,
            Err(error) => {
                let origin = Origin::new(Place::Nowhere, "the current folder");
                let reason = error.to_string();
                errors.push(ConfigError::new(origin, ConfigErrorKind::Unreadable { reason }));
                return none;
            }
        };
        let file = self
            .file
            .as_ref()
            .and_then(|named| file::read(&named.path, named.optional, &current, errors))
            .unwrap_or_default();
        let broken = |error: &ConfigError| {
            matches!(
                error.kind(),
                ConfigErrorKind::Unreadable { .. } | ConfigErrorKind::Syntax { .. }
            )
        };
        if errors.iter().any(broken) {
            return none;
        }
        let builder = self.own_layer(&current, errors);
        let mut known: Vec<&str> = file.pools.iter().map(|pool| pool.name.as_str()).collect();
        known.extend(
            builder
                .pools
                .iter()
                .map(|pool| pool.name.as_str())
                .filter(|name| file.pool(name).is_none()),
        );
        if known.is_empty() && !file.listed {
            known.push(check::SINGLE);
        }
        let variables = match self.environment {
            Environment::Process => std::env::vars_os().collect(),
            Environment::Without => BTreeMap::new(),
            Environment::Given(variables) => variables,
        };
        let environment = environment::walk(&variables, &known, &current, errors);
        check::settle(&file, &environment, &builder, errors)
    }

    /// The layer of what the program said itself.
    fn own_layer(&self, current: &Path, errors: &mut Vec<ConfigError>) -> Layer {
        let mut layer = Layer::default();
        put_all(&self.top, "", current, &mut layer.top, errors);
        for pool in &self.pools {
            let name = pool.name.clone();
            let prefix = format!("pools.{name}");
            let mut level = Level::default();
            put_all(&pool.values, &format!("{prefix}."), current, &mut level, errors);
            pool.put_variables(&prefix, &mut level, errors);
            let origin = Origin::new(Place::Builder, prefix);
            if PoolName::new(&name).is_none() {
                errors.push(not_allowed(origin, Kind::Name, &format!("{name:?}")));
            } else if layer.pool(&name).is_some() {
                errors.push(ConfigError::new(origin, ConfigErrorKind::DuplicatePool { name }));
            } else {
                layer.pools.push(PoolLevel { name, origin, level });
            }
        }
        layer.listed = !self.pools.is_empty();
        layer
    }

    fn set(mut self, key: &'static str, value: Value) -> Self {
        self.top.push((key, Written::Value(value)));
        self
    }
}

/// Takes in values that the program wrote, in the order it wrote them: the last of a key wins.
fn put_all(
    values: &[(&'static str, Written)],
    prefix: &str,
    current: &Path,
    level: &mut Level,
    errors: &mut Vec<ConfigError>,
) {
    for (name, written) in values {
        let Some(key) = keys::find(name) else { continue };
        let origin = Origin::new(Place::Builder, format!("{prefix}{name}"));
        let value = match written {
            Written::Text(text) => key.kind.read_text(text, current),
            Written::Value(Value::Path(path)) => key.kind.resolve(path, current).map(Value::Path),
            Written::Value(value) => Some(value.clone()),
        };
        let value = value.filter(|value| key.kind.admits(value));
        level.put(key, origin, value, || written.shown(), errors);
    }
}
