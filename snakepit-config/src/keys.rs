//! The keys, as one table: it drives parsing, ranges, suggestions and the printed reference.

use std::time::Duration;

use crate::value::Kind;

/// One key of the configuration.
#[derive(Debug)]
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

const MINUTE: Duration = Duration::from_mins(1);
/// A limit of everything that lasts, far below where adding it to a clock could overflow.
const YEAR: Duration = Duration::from_hours(8766);
/// The least that is more than nothing.
const INSTANT: Duration = Duration::from_nanos(1);

/// Every key there is, in the order of the reference.
pub static KEYS: &[Key] = &[
    Key {
        name: "pools",
        scope: Scope::Top,
        default: KeyDefault::Words("one pool named `default`, described by the keys at top level"),
        doc: "The pools; the first is the default pool.",
        kind: Kind::Pools,
    },
    Key {
        name: "name",
        scope: Scope::Pool,
        default: KeyDefault::Words("none: a pool of the list must have one"),
        doc: "The name calls use, unique among the pools.",
        kind: Kind::Name,
    },
    Key {
        name: "adapter",
        scope: Scope::Both,
        default: KeyDefault::Words("none: every pool needs one"),
        doc: "The Python code that answers calls.",
        kind: Kind::Adapter,
    },
    Key {
        name: "adapter_args",
        scope: Scope::Both,
        default: KeyDefault::Value("[]"),
        doc: "What the adapter finds in `sys.argv[1:]`.",
        kind: Kind::List,
    },
    Key {
        name: "adapter_env",
        scope: Scope::Both,
        default: KeyDefault::Words("nothing"),
        doc: "Set in the workers' environment, above everything else. Levels and layers merge by variable.",
        kind: Kind::Variables,
    },
    Key {
        name: "inherit_env",
        scope: Scope::Both,
        default: KeyDefault::Value("true"),
        doc: "What a worker inherits of the host's environment; SNAKEPIT_ variables never.",
        kind: Kind::Inherit,
    },
    Key {
        name: "python",
        scope: Scope::Both,
        default: KeyDefault::Words("the first of .venv here, $VIRTUAL_ENV, python3 and python"),
        doc: "The interpreter; a name without a separator is looked up in PATH.",
        kind: Kind::Program,
    },
    Key {
        name: "bridge",
        scope: Scope::Both,
        default: KeyDefault::Words("found or built for the interpreter"),
        doc: "A folder made by `snakepit bridge build`.",
        kind: Kind::Folder,
    },
    Key {
        name: "worker_profile",
        scope: Scope::Both,
        default: KeyDefault::Value("process"),
        doc: "How a worker runs calls: one at a time, on threads, or on threads where the GIL is off.",
        kind: Kind::Profile,
    },
    Key {
        name: "require_free_threading",
        scope: Scope::Both,
        default: KeyDefault::Value("false"),
        doc: "Under the thread profile, make a GIL that is on an error instead of a warning.",
        kind: Kind::Switch,
    },
    Key {
        name: "pool_size",
        scope: Scope::Both,
        default: KeyDefault::Words("2 for each CPU, at most `max_workers`"),
        doc: "Worker processes of a pool, at most `max_workers`. At top level only without `pools`.",
        kind: Kind::Count(1, 100_000),
    },
    Key {
        name: "max_workers",
        scope: Scope::Top,
        default: KeyDefault::Value("150"),
        doc: "Most workers that a pool may ask for.",
        kind: Kind::Count(1, 100_000),
    },
    Key {
        name: "threads_per_worker",
        scope: Scope::Both,
        default: KeyDefault::Words("10 with the thread profile; always 1 with the process profile"),
        doc: "Threads of a worker. An error where every pool it is meant for has the process profile.",
        kind: Kind::Count(1, 1024),
    },
    Key {
        name: "capacity_strategy",
        scope: Scope::Both,
        default: KeyDefault::Value("pool"),
        doc: "A worker's capacity: `threads_per_worker`, one, or the first checked by the profile as well.",
        kind: Kind::Strategy,
    },
    Key {
        name: "timeout_profile",
        scope: Scope::Both,
        default: KeyDefault::Value("balanced"),
        doc: "Decides `call_timeout` and `queue_timeout` where they are not set themselves.",
        kind: Kind::Timeouts,
    },
    Key {
        name: "call_timeout",
        scope: Scope::Both,
        default: KeyDefault::Words("by `timeout_profile`"),
        doc: "Deadline of a call that names none.",
        kind: Kind::Span(INSTANT, YEAR),
    },
    Key {
        name: "queue_timeout",
        scope: Scope::Both,
        default: KeyDefault::Words("by `timeout_profile`"),
        doc: "Longest wait for a free worker.",
        kind: Kind::Span(INSTANT, YEAR),
    },
    Key {
        name: "queue_max",
        scope: Scope::Both,
        default: KeyDefault::Value("1000"),
        doc: "Calls that may wait; one more is refused. With 0 nothing waits.",
        kind: Kind::Count(0, 1_000_000),
    },
    Key {
        name: "startup_batch_size",
        scope: Scope::Both,
        default: KeyDefault::Value("10"),
        doc: "Workers started at once while a pool starts.",
        kind: Kind::Count(1, 100_000),
    },
    Key {
        name: "startup_batch_delay",
        scope: Scope::Both,
        default: KeyDefault::Value("500ms"),
        doc: "Pause between two batches.",
        kind: Kind::Span(Duration::ZERO, MINUTE),
    },
    Key {
        name: "startup_timeout",
        scope: Scope::Both,
        default: KeyDefault::Value("30s"),
        doc: "From a worker's spawn until it is ready.",
        kind: Kind::Span(INSTANT, YEAR),
    },
    Key {
        name: "handshake_timeout",
        scope: Scope::Both,
        default: KeyDefault::Value("10s"),
        doc: "From a worker's connection to its first message.",
        kind: Kind::Span(INSTANT, YEAR),
    },
    Key {
        name: "message_max",
        scope: Scope::Both,
        default: KeyDefault::Value("64MiB"),
        doc: "Largest message, in either direction.",
        kind: Kind::Size(1 << 10, 1 << 31),
    },
    Key {
        name: "depth_max",
        scope: Scope::Both,
        default: KeyDefault::Value("128"),
        doc: "Deepest nesting of a value.",
        kind: Kind::Count(1, 1024),
    },
    Key {
        name: "grace",
        scope: Scope::Both,
        default: KeyDefault::Value("6s"),
        doc: "Time between asking a worker to stop and killing it. With 0s it is killed at once.",
        kind: Kind::Span(Duration::ZERO, YEAR),
    },
];

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
