//! The keys, as one table: it drives parsing, ranges, suggestions and the printed reference.

mod calls;
mod pools;
mod workers;

use std::time::Duration;

use crate::value::Kind;

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, as TOML spells it.
    pub name: &'static str,
    /// The levels it may stand at.
    pub scope: Scope,
    /// What holds where nobody sets it.
    pub default: KeyDefault,
    /// What it does.
    pub doc: &'static str,
    pub(crate) kind: Kind,
}

/// The levels of a configuration that a key may stand at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only at top level.
    Top,
    /// Only in a pool.
    Pool,
    /// In a pool, and at top level as the default of every pool.
    Both,
}

/// What holds where nobody sets a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDefault {
    /// This value, written as it would be in the environment.
    Value(&'static str),
    /// A value that depends on others, or none: said in words.
    Words(&'static str),
}

/// The least that is more than nothing.
pub(crate) const INSTANT: Duration = Duration::from_nanos(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// A limit of everything that lasts, far below where adding it to a clock could overflow.
const YEAR: Duration = Duration::from_hours(8766);

/// The table, by subject.
const GROUPS: [&[Key]; 3] = [pools::KEYS, calls::KEYS, workers::KEYS];

/// Every key there is, in the order of the reference.
pub static KEYS: &[Key] = &joined::<{ count() }>();

/// How many keys there are.
const fn count() -> usize {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
}

/// The groups as one list. The compiler runs it, so a wrong `N` does not compile.
const fn joined<const N: usize>() -> [Key; N] {
    let mut keys = [GROUPS[0][0]; N];
    let (mut filled, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut index = 0;
        while index < GROUPS[group].len() {
            keys[filled] = GROUPS[group][index];
            filled += 1;
            index += 1;
        }
        group += 1;
    }
    assert!(filled == N, "every key has its own place");
    keys
}

/// The key of this name, wherever it belongs.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The nearest of `names`, where one is near enough that a slip of the pen explains the difference.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Half of the letters in place: `que_max` finds `queue_max`, and `logging` finds nothing.
    const NEAR: f64 = 0.55;
    names
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// Names as a message lists them.
pub(crate) fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    names.join(", ")
}

// === impl Key ===

impl Key {
    /// What its value may be, in words.
    #[must_use]
    pub fn rule(&self) -> String {
        self.kind.allowed()
    }

    /// Its name in the environment, without `SNAKEPIT_` and without a pool.
    pub(crate) fn variable(&self) -> String {
        self.name.to_ascii_uppercase()
    }

    pub(crate) fn allowed_in(&self, level: Scope) -> bool {
        self.scope == Scope::Both || self.scope == level
    }
}

// === impl Scope ===

impl Scope {
    /// The keys that may stand at this level.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static str> {
        KEYS.iter()
            .filter(move |key| key.allowed_in(self))
            .map(|key| key.name)
    }
}

// === impl KeyDefault ===

impl std::fmt::Display for KeyDefault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(text) | Self::Words(text) => f.pad(text),
        }
    }
}
