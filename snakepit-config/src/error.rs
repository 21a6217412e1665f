//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use crate::keys::{self, Scope};
use crate::place::{Origin, Place};

/// Everything that is wrong with a configuration: the file from top to bottom, the environment, the program. Never
/// empty.
///
/// Its text is a readable list of the first 50; [`ConfigErrors::iter`] gives the errors one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

/// One thing that is wrong: where, under which key, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    origin: Origin,
    kind: ConfigErrorKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A file, or the current folder, cannot be read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML.
    #[error("not valid TOML: {message}")]
    Syntax {
        /// What the parser said, in one line.
        message: String,
    },
    /// No key of this name exists.
    #[error("unknown key{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// The nearest key, spelled as this place spells keys, where one is near.
        nearest: Option<String>,
        /// Where the key stands: decides which keys are allowed.
        scope: Scope,
    },
    /// The key exists, but not at this level.
    #[error("not allowed here: {place}")]
    MisplacedKey {
        /// Where it belongs.
        place: &'static str,
    },
    /// The value has the wrong type, or lies outside its range.
    #[error("given {given}, allowed: {allowed}")]
    InvalidValue {
        /// What was given, shortened where it is long.
        given: String,
        /// What is allowed.
        allowed: String,
    },
    /// The single-pool form, which describes one pool at top level, beside a list of pools.
    #[error("the single-pool form (keys at top level, no `pools`) and a list of pools at once")]
    BothForms,
    /// A pool of the list has no name.
    #[error("this pool has no `name`")]
    UnnamedPool,
    /// Two pools of one layer have the same name.
    #[error("two pools are named `{name}`")]
    DuplicatePool {
        /// The name.
        name: String,
    },
    /// An environment variable names a pool that nobody defines.
    #[error("there is no pool `{name}`{}", suggestion(.nearest.as_deref()))]
    UnknownPool {
        /// The name as the variable spells it.
        name: String,
        /// The nearest pool, where one is near.
        nearest: Option<String>,
    },
    /// An environment variable's pool could be any of several.
    #[error("could mean any of the pools {}", keys::list(.pools))]
    AmbiguousPool {
        /// The pools.
        pools: Vec<String>,
    },
    /// A pool has no adapter.
    #[error("pool `{pool}` has no adapter")]
    NoAdapter {
        /// The pool.
        pool: String,
    },
    /// The adapter's file cannot be used.
    #[error("the adapter's file {} {problem}", path.display())]
    AdapterFile {
        /// The file, absolute.
        path: PathBuf,
        /// What is wrong with it: that it does not exist, or is no file.
        problem: &'static str,
    },
    /// `pool_size` is above `max_workers`.
    #[error("pool `{pool}` has {given} workers, allowed: at most {max} (`max_workers`)")]
    TooManyWorkers {
        /// The pool.
        pool: String,
        /// Its `pool_size`.
        given: u32,
        /// The value of `max_workers`.
        max: u32,
    },
    /// `threads_per_worker` where no pool runs calls on threads.
    #[error("set without effect: {whose} the process profile, which runs one call at a time")]
    ThreadsWithoutThreads {
        /// Whose profile that is: `` pool `a` has `` or `every pool has`.
        whose: String,
    },
    /// A value is above another key's, which limits it.
    #[error("pool `{pool}` has `{key}` {given}, allowed: at most {most} (`{limit}`)")]
    AboveOther {
        /// The pool.
        pool: String,
        /// The key whose value is too large.
        key: &'static str,
        /// Its value.
        given: String,
        /// The key that limits it.
        limit: &'static str,
        /// The value of that key.
        most: String,
    },
    /// Workers have a limit, but none could be replaced: all must stay ready and none may be added.
    #[error(
        "pool `{pool}` could never replace a worker at its `{limit}`: `surge_max` is 0, and `ready_floor` is all of `pool_size`"
    )]
    NeverReplaced {
        /// The pool.
        pool: String,
        /// The limit's key; the first, where there are several.
        limit: &'static str,
    },
}

/// Most errors that the text of [`ConfigErrors`] shows. Whoever reads on has repaired these first.
const SHOWN_MAX: usize = 50;

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

// === impl ConfigErrorKind ===

impl ConfigErrorKind {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SP0101",
            Self::Syntax { .. } => "SP0102",
            Self::UnknownKey { .. } => "SP0103",
            Self::MisplacedKey { .. } => "SP0104",
            Self::InvalidValue { .. } => "SP0105",
            Self::BothForms => "SP0106",
            Self::UnnamedPool => "SP0107",
            Self::DuplicatePool { .. } => "SP0108",
            Self::UnknownPool { .. } => "SP0109",
            Self::AmbiguousPool { .. } => "SP0110",
            Self::NoAdapter { .. } => "SP0111",
            Self::AdapterFile { .. } => "SP0112",
            Self::TooManyWorkers { .. } => "SP0113",
            Self::ThreadsWithoutThreads { .. } => "SP0114",
            Self::AboveOther { .. } => "SP0115",
            Self::NeverReplaced { .. } => "SP0116",
        }
    }

    /// What to do about it, where that is more than the message says.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownKey { scope, .. } => {
                return Some(format!("allowed here: {}", keys::list(scope.keys())));
            }
            Self::BothForms => {
                "list every pool under `[[pools]]`, each with its own `pool_size` (in the environment: SNAKEPIT_POOLS__<NAME>__POOL_SIZE)"
            }
            Self::UnnamedPool => "add `name = \"...\"` to this [[pools]]",
            Self::DuplicatePool { .. } => "rename one of them, or merge the two into one",
            Self::UnknownPool { .. } => {
                "a pool that only the environment defines needs its adapter there too: SNAKEPIT_POOLS__<NAME>__ADAPTER"
            }
            Self::AmbiguousPool { .. } => "name the pools so that they differ in more than case, `-` and `_`",
            Self::NoAdapter { .. } => {
                "set `adapter` to a Python file (`adapter.py`), a module (`package.module`) or a class in one of them (`module:Class`)"
            }
            Self::AdapterFile { .. } => {
                "a relative path in a file starts at that file's folder, anywhere else at the current folder"
            }
            Self::TooManyWorkers { .. } => "lower `pool_size`, or raise `max_workers` at top level",
            Self::ThreadsWithoutThreads { .. } => {
                "set `worker_profile = \"thread\"`, or leave `threads_per_worker` out and raise `pool_size`"
            }
            Self::AboveOther { key, limit, .. } => {
                return Some(format!("lower `{key}`, or raise `{limit}`"));
            }
            Self::NeverReplaced { .. } => {
                "set `surge_max` to 1 or more, or `ready_floor` below `pool_size`, or the limit to \"off\""
            }
            Self::Unreadable { .. }
            | Self::Syntax { .. }
            | Self::MisplacedKey { .. }
            | Self::InvalidValue { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}

// === impl ConfigError ===

impl ConfigError {
    pub(crate) fn new(origin: Origin, kind: ConfigErrorKind) -> Self {
        Self { origin, kind }
    }

    /// Where it was written.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.origin.place
    }

    /// The key's path at that place, such as `pools[1].queue_max`; empty where the place says it all.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.origin.key
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ConfigErrorKind {
        &self.kind
    }

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What to do about it, where that is more than the message says.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.kind.hint()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin.place)?;
        if !self.origin.key.is_empty() {
            write!(f, "{}: ", self.origin.key)?;
        }
        write!(f, "{}", self.kind)
    }
}

impl std::error::Error for ConfigError {}

// === impl ConfigErrors ===

impl ConfigErrors {
    /// The errors, if there are any, as a person goes through them: the file from top to bottom, then the rest.
    pub(crate) fn some(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(|error| match &error.origin.place {
            Place::File { line, .. } => (0, *line),
            Place::Environment { .. } => (1, None),
            Place::Builder => (2, None),
            Place::Nowhere => (3, None),
        });
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The errors one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// The code of the first error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.first().map_or("SP0101", ConfigError::code)
    }

    /// The hint, where there is one error and it has one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self.0.as_slice() {
            [only] => only.hint(),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "{only}"),
            errors => {
                write!(f, "{} errors in the configuration:", errors.len())?;
                errors
                    .iter()
                    .take(SHOWN_MAX)
                    .try_for_each(|error| write!(f, "\n  {error}"))?;
                match errors.len().saturating_sub(SHOWN_MAX) {
                    0 => Ok(()),
                    more => write!(f, "\n  ... and {more} more"),
                }
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl IntoIterator for ConfigErrors {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
