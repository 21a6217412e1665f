//! The environment layer: `SNAKEPIT_KEY`, and `SNAKEPIT_POOLS__NAME__KEY` for one pool.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::keys::{self, KEYS, Key, Scope};
use crate::layer::{Layer, Level, PoolLevel, invalid, not_allowed};
use crate::place::{Origin, Place};
use crate::settings::PoolName;
use crate::value::Kind;

const PREFIX: &str = "SNAKEPIT_";
const POOLS: &str = "POOLS__";
/// Where a pool's key belongs, for a variable that names none.
const ONE_KEY: &str = "a variable sets one key of one pool: SNAKEPIT_POOLS__<NAME>__<KEY>";
const VARIABLES: &str = "ADAPTER_ENV__";

/// Walks the variables; `known` are the pools that the file and the builder define.
pub(crate) fn walk(
    variables: &BTreeMap<OsString, OsString>,
    known: &[&str],
    folder: &Path,
    errors: &mut Vec<ConfigError>,
) -> Layer {
    let mut walk = Walk {
        known,
        folder,
        errors,
        layer: Layer::default(),
    };
    for (name, value) in variables {
        let lossy = name.to_string_lossy();
        let Some(rest) = lossy.strip_prefix(PREFIX) else {
            continue;
        };
        // The log filter of the program; no key of the configuration.
        if rest == "LOG" {
            continue;
        }
        let origin = Origin::new(
            Place::Environment {
                variable: lossy.to_string(),
            },
            "",
        );
        if let (Some(_), Some(text)) = (name.to_str(), value.to_str()) {
            walk.variable(rest, text, origin);
        } else {
            let given = format!("{:?}", value.to_string_lossy());
            walk.errors.push(invalid(origin, &given, "UTF-8"));
        }
    }
    walk.refuse_unknown_pools();
    walk.layer
}

/// How the environment spells a pool's name: upper case, with `_` for `-`.
fn spelled(pool: &str) -> String {
    pool.to_ascii_uppercase().replace('-', "_")
}

struct Walk<'a> {
    known: &'a [&'a str],
    folder: &'a Path,
    errors: &'a mut Vec<ConfigError>,
    layer: Layer,
}

impl Walk<'_> {
    fn variable(&mut self, rest: &str, text: &str, origin: Origin) {
        let Some(tail) = rest.strip_prefix(POOLS) else {
            let mut top = std::mem::take(&mut self.layer.top);
            self.entry(rest, PREFIX, text, origin, Scope::Top, &mut top);
            self.layer.top = top;
            return;
        };
        let Some((pool, key)) = self.pool_and_key(tail, &origin) else {
            return;
        };
        if key.is_empty() {
            self.errors.push(ConfigError::new(
                origin,
                ConfigErrorKind::MisplacedKey { place: ONE_KEY },
            ));
            return;
        }
        let prefix = format!("{PREFIX}{POOLS}{}__", spelled(&pool));
        let mut level = Level::default();
        self.entry(&key, &prefix, text, origin.clone(), Scope::Pool, &mut level);
        match self.layer.pools.iter_mut().find(|known| known.name == pool) {
            Some(known) => known.level.entries.append(&mut level.entries),
            None => self.layer.pools.push(PoolLevel {
                name: pool,
                origin,
                level,
            }),
        }
    }

    /// Which pool `NAME__KEY` means. A name may hold `__` itself, so known pools are tried first, the longest first.
    fn pool_and_key(&mut self, tail: &str, origin: &Origin) -> Option<(String, String)> {
        let matching = |pool: &&&str| {
            tail.strip_prefix(&spelled(pool))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
        };
        let longest = self
            .known
            .iter()
            .filter(matching)
            .map(|pool| spelled(pool))
            .max_by_key(String::len);
        if let Some(spelling) = longest {
            let pools: Vec<String> = self
                .known
                .iter()
                .filter(|pool| spelled(pool) == spelling)
                .map(ToString::to_string)
                .collect();
            let key = tail.strip_prefix(&spelling)?.trim_start_matches("__").to_owned();
            if let [pool] = pools.as_slice() {
                return Some((pool.clone(), key));
            }
            self.errors.push(ConfigError::new(
                origin.clone(),
                ConfigErrorKind::AmbiguousPool { pools },
            ));
            return None;
        }
        let (name, key) = tail.split_once("__").unwrap_or((tail, ""));
        let pool = name.to_ascii_lowercase();
        if PoolName::new(&pool).is_none() {
            self.errors
                .push(not_allowed(origin.clone(), Kind::Name, &format!("{name:?}")));
            return None;
        }
        if spelled(&pool) != name {
            self.unknown_pool(name, origin.clone());
            return None;
        }
        Some((pool, key.to_owned()))
    }

    fn entry(
        &mut self,
        rest: &str,
        prefix: &str,
        text: &str,
        origin: Origin,
        scope: Scope,
        level: &mut Level,
    ) {
        let variable = rest.strip_prefix(VARIABLES);
        let found = match variable {
            Some(_) => keys::find("adapter_env"),
            None => KEYS.iter().find(|key| key.variable() == rest),
        };
        let Some(key) = found else {
            let spellings: Vec<String> = scope.keys().map(str::to_ascii_uppercase).collect();
            let nearest = keys::nearest(&rest.to_ascii_uppercase(), spellings.iter().map(String::as_str))
                .map(|key| format!("{prefix}{key}"));
            self.errors.push(ConfigError::new(
                origin,
                ConfigErrorKind::UnknownKey { nearest, scope },
            ));
            return;
        };
        if let Some(place) = misplaced(key, scope) {
            self.errors
                .push(ConfigError::new(origin, ConfigErrorKind::MisplacedKey { place }));
            return;
        }
        let given = || format!("{text:?}");
        match (key.kind, variable) {
            (Kind::Variables, Some(variable)) => {
                level.put_variable(key, variable, origin, Ok(text), self.errors);
            }
            (Kind::Variables, None) => {
                let allowed = format!("one variable at a time: {prefix}{VARIABLES}<NAME>");
                self.errors.push(invalid(origin, &given(), &allowed));
            }
            (kind, _) => {
                let value = kind.read_text(text, self.folder);
                level.put(key, origin, value, given, self.errors);
            }
        }
    }

    /// A pool that only the environment defines must have its adapter there: a slip in a pool's name is otherwise
    /// a new pool, made of the defaults.
    fn refuse_unknown_pools(&mut self) {
        let pools = std::mem::take(&mut self.layer.pools);
        for pool in pools {
            let known = self.known.contains(&pool.name.as_str());
            if known || pool.level.given("adapter").is_some() {
                self.layer.pools.push(pool);
            } else {
                self.unknown_pool(&spelled(&pool.name), pool.origin);
            }
        }
    }

    fn unknown_pool(&mut self, name: &str, origin: Origin) {
        let spellings: Vec<String> = self.known.iter().map(|pool| spelled(pool)).collect();
        let nearest = keys::nearest(&spelled(name), spellings.iter().map(String::as_str)).map(str::to_owned);
        let name = name.to_owned();
        self.errors.push(ConfigError::new(
            origin,
            ConfigErrorKind::UnknownPool { name, nearest },
        ));
    }
}

/// Where a key belongs that cannot stand at this level of the environment.
fn misplaced(key: &Key, scope: Scope) -> Option<&'static str> {
    match (key.kind, key.scope, scope) {
        (Kind::Pools, ..) => Some(ONE_KEY),
        (Kind::Name, ..) => {
            Some("a pool's name is part of the variable's name: SNAKEPIT_POOLS__<NAME>__<KEY>")
        }
        (_, Scope::Top, Scope::Pool) => Some("it belongs at top level"),
        (_, Scope::Pool, Scope::Top) => Some("it belongs in a pool"),
        _ => None,
    }
}
