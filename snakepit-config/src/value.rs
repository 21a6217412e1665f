//! Kinds of values: how each is read from text and from TOML, and what range it must keep to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml_edit::{Array, Item};

use crate::adapter;
use crate::keys;
use crate::settings::{
    Adapter, Affinity, CapacityStrategy, InheritEnv, PoolName, TimeoutProfile, WorkerProfileChoice,
};
use crate::size;

/// What a key's value is. A range includes both its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The list of pools; its own walk reads it.
    Pools,
    /// A pool's name; read with the pool.
    Name,
    Adapter,
    List,
    /// Environment variables; each is an entry of its own, so that they merge one by one.
    Variables,
    Inherit,
    /// A path, or a bare name for `PATH`.
    Program,
    Folder,
    Profile,
    Switch,
    Strategy,
    Timeouts,
    Affinity,
    Count(u32, u32),
    /// From 0 to 100, with or without the sign.
    Percent,
    Span(Duration, Duration),
    Size(u64, u64),
    /// A limit that a later layer can take away.
    OrOff(&'static Self),
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Adapter(Adapter),
    List(Vec<String>),
    /// One environment variable's value.
    Text(String),
    Inherit(InheritEnv),
    Path(PathBuf),
    Profile(WorkerProfileChoice),
    Switch(bool),
    Strategy(CapacityStrategy),
    Timeouts(TimeoutProfile),
    Affinity(Affinity),
    /// A number, or a percentage.
    Count(u32),
    Span(Duration),
    Size(u64),
    /// No limit.
    Off,
}

/// How "no limit" is spelled.
pub(crate) const OFF: &str = "off";

// === impl Kind ===

impl Kind {
    /// What is allowed, in words.
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Pools => "a list of pools: `[[pools]]`".to_owned(),
            Self::Name => format!(
                "a name of letters, digits, `_` and `-`, the first a letter or digit, at most {} long",
                PoolName::MAX
            ),
            Self::Adapter => adapter::ALLOWED.to_owned(),
            Self::List => "a list of texts".to_owned(),
            Self::Variables => "a table of texts, one for each environment variable".to_owned(),
            Self::Inherit => "`true`, `false`, or a list of names of environment variables".to_owned(),
            Self::Program => "a path, or a name to look up in PATH".to_owned(),
            Self::Folder => "a path".to_owned(),
            Self::Profile => one_of(WorkerProfileChoice::WORDS),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::Strategy => one_of(CapacityStrategy::WORDS),
            Self::Timeouts => one_of(TimeoutProfile::WORDS),
            Self::Affinity => one_of(Affinity::WORDS),
            Self::Percent => "a percentage from 0 to 100, such as `10` or `10%`".to_owned(),
            Self::Count(least, most) => format!("a whole number from {least} to {most}"),
            Self::Span(least, most) => {
                let from = if least == keys::INSTANT {
                    "more than 0s".to_owned()
                } else {
                    format!("from {}", humantime::format_duration(least))
                };
                let most = humantime::format_duration(most);
                format!("a duration such as `90s`, `2h` or `500ms`, {from}, at most {most}")
            }
            Self::Size(least, most) => {
                let (least, most) = (size::format(least), size::format(most));
                format!("a size such as `512MiB`, or a number of bytes, from {least} to {most}")
            }
            Self::OrOff(limit) => format!("{}; or `{OFF}`", limit.allowed()),
        }
    }

    /// The value that `text` spells; relative paths start at `folder`. None where it is not allowed.
    pub(crate) fn read_text(self, text: &str, folder: &Path) -> Option<Value> {
        let word = text.trim();
        if word.is_empty() || text.contains('\0') {
            return None;
        }
        let value = match self {
            // Read by the walk over the pools; no single text spells them.
            Self::Pools | Self::Name | Self::Variables => return None,
            Self::Adapter => Value::Adapter(adapter::parse(text, folder)?),
            Self::List => Value::List(list_from_text(text)?),
            Self::Inherit => Value::Inherit(match word {
                "true" => InheritEnv::All,
                "false" => InheritEnv::Nothing,
                _ => InheritEnv::Only(list_from_text(text)?),
            }),
            Self::Program | Self::Folder => Value::Path(self.resolve(Path::new(text), folder)?),
            Self::Profile => Value::Profile(named(WorkerProfileChoice::WORDS, word)?),
            Self::Switch => Value::Switch(named(&[("true", true), ("false", false)], word)?),
            Self::Strategy => Value::Strategy(named(CapacityStrategy::WORDS, word)?),
            Self::Timeouts => Value::Timeouts(named(TimeoutProfile::WORDS, word)?),
            Self::Affinity => Value::Affinity(named(Affinity::WORDS, word)?),
            Self::Count(..) => Value::Count(word.parse().ok()?),
            Self::Percent => Value::Count(word.strip_suffix('%').unwrap_or(word).trim_end().parse().ok()?),
            Self::Span(..) => Value::Span(humantime::parse_duration(word).ok()?),
            Self::Size(..) => Value::Size(size::parse(word)?),
            Self::OrOff(_) if word == OFF => Value::Off,
            Self::OrOff(limit) => limit.read_text(text, folder)?,
        };
        self.admits(&value).then_some(value)
    }

    /// The value that a TOML item spells; relative paths start at `folder`. None where it is not allowed.
    pub(crate) fn read_toml(self, item: &Item, folder: &Path) -> Option<Value> {
        let value = match self {
            Self::Count(..) => Value::Count(item.as_integer()?.try_into().ok()?),
            Self::Switch => Value::Switch(item.as_bool()?),
            Self::List => Value::List(list_from_toml(item.as_array()?)?),
            Self::Inherit => Value::Inherit(match item.as_bool() {
                Some(true) => InheritEnv::All,
                Some(false) => InheritEnv::Nothing,
                None => InheritEnv::Only(list_from_toml(item.as_array()?)?),
            }),
            Self::Size(..) if item.is_integer() => Value::Size(item.as_integer()?.try_into().ok()?),
            Self::Percent if item.is_integer() => Value::Count(item.as_integer()?.try_into().ok()?),
            Self::OrOff(limit) if item.as_str() != Some(OFF) => limit.read_toml(item, folder)?,
            _ => return self.read_text(item.as_str()?, folder),
        };
        self.admits(&value).then_some(value)
    }

    /// Whether a value of this kind is in range.
    pub(crate) fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::OrOff(limit), value) => *value == Value::Off || limit.admits(value),
            (Self::Count(least, most), Value::Count(count)) => (least..=most).contains(count),
            (Self::Percent, Value::Count(percent)) => *percent <= 100,
            (Self::Span(least, most), Value::Span(span)) => (least..=most).contains(span),
            (Self::Size(least, most), Value::Size(bytes)) => (least..=most).contains(bytes),
            (Self::List, Value::List(texts)) => texts.iter().all(|text| !text.contains('\0')),
            (Self::Inherit, Value::Inherit(InheritEnv::Only(names))) => {
                // A `*` is refused since it would be taken for a pattern, and match nothing.
                !names.is_empty() && names.iter().all(|name| is_variable(name) && !name.contains('*'))
            }
            (Self::Variables, Value::Text(text)) => !text.contains('\0'),
            (Self::Program | Self::Folder, Value::Path(path)) => {
                let bytes = path.as_os_str().as_encoded_bytes();
                !bytes.is_empty() && !bytes.contains(&0)
            }
            _ => true,
        }
    }

    /// A path as the settings hold it: absolute, but for a program's bare name.
    pub(crate) fn resolve(self, path: &Path, folder: &Path) -> Option<PathBuf> {
        let bare = !path.as_os_str().as_encoded_bytes().contains(&b'/');
        if path.as_os_str().is_empty() || (self == Self::Program && bare) {
            return Some(path.to_owned());
        }
        adapter::absolute(path, folder)
    }
}

/// Whether an environment may hold a variable of this name.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !name.contains(char::is_whitespace)
}

fn one_of<T>(words: &[(&str, T)]) -> String {
    keys::list(words.iter().map(|(word, _)| word))
}

fn named<T: Copy>(words: &[(&str, T)], wanted: &str) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| *word == wanted)
        .map(|(_, value)| *value)
}

/// A list in an environment variable: a TOML array, or texts between commas.
fn list_from_text(text: &str) -> Option<Vec<String>> {
    if text.trim_start().starts_with('[') {
        let value: toml_edit::Value = text.trim().parse().ok()?;
        return list_from_toml(value.as_array()?);
    }
    Some(text.split(',').map(|part| part.trim().to_owned()).collect())
}

fn list_from_toml(array: &Array) -> Option<Vec<String>> {
    array
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect()
}
