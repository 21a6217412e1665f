//! Which pools there are, and what their workers run.

use super::{Key, KeyDefault, Scope};
use crate::value::Kind;

pub(super) const KEYS: &[Key] = &[
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
];
