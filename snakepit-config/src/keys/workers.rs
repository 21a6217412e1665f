//! The life of a worker: its start, its replacement, its restart after a death, its end.

use std::time::Duration;

use super::{HOUR, INSTANT, Key, KeyDefault, MILLISECOND, MINUTE, Scope, YEAR};
use crate::value::Kind;

/// A worker needs about as long to start; less would only replace workers.
const LEAST_TTL: Duration = Duration::from_millis(100);

pub(super) const KEYS: &[Key] = &[
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
        name: "worker_ttl",
        scope: Scope::Both,
        default: KeyDefault::Value("off"),
        doc: "Age at which a worker is replaced, once its calls have ended.",
        kind: Kind::OrOff(&Kind::Span(LEAST_TTL, YEAR)),
    },
    Key {
        name: "worker_max_requests",
        scope: Scope::Both,
        default: KeyDefault::Value("off"),
        doc: "Calls after which a worker is replaced.",
        kind: Kind::OrOff(&Kind::Count(1, 1_000_000_000)),
    },
    Key {
        name: "worker_memory_max",
        scope: Scope::Both,
        default: KeyDefault::Value("off"),
        doc: "Memory of a worker and its children at which it is replaced: anonymous pages and swap.",
        kind: Kind::OrOff(&Kind::Size(1 << 20, 1 << 44)),
    },
    Key {
        name: "recycle_jitter",
        scope: Scope::Both,
        default: KeyDefault::Value("10"),
        doc: "How far the limits of workers are spread, so that workers of one age are not replaced together.",
        kind: Kind::Percent,
    },
    Key {
        name: "ready_floor",
        scope: Scope::Both,
        default: KeyDefault::Words("`pool_size`"),
        doc: "Workers that replacing others must leave ready; at most `pool_size`.",
        kind: Kind::Count(0, 100_000),
    },
    Key {
        name: "surge_max",
        scope: Scope::Both,
        default: KeyDefault::Value("1"),
        doc: "Workers above `pool_size` that may run while others are replaced.",
        kind: Kind::Count(0, 100),
    },
    Key {
        name: "restart_max",
        scope: Scope::Both,
        default: KeyDefault::Value("3"),
        doc: "Restarts of one worker within `restart_window`; beyond it the pool is degraded.",
        kind: Kind::Count(1, 1000),
    },
    Key {
        name: "restart_pool_max",
        scope: Scope::Both,
        default: KeyDefault::Words("3 for each worker of `pool_size`"),
        doc: "Restarts of all workers of a pool within `restart_window`; beyond it the pool is degraded.",
        kind: Kind::Count(1, 100_000),
    },
    Key {
        name: "restart_window",
        scope: Scope::Both,
        default: KeyDefault::Value("5s"),
        doc: "The time over which restarts are counted.",
        kind: Kind::Span(INSTANT, HOUR),
    },
    Key {
        name: "restart_backoff",
        scope: Scope::Both,
        default: KeyDefault::Value("100ms"),
        doc: "Pause before a worker that died is started again; it grows with each death.",
        kind: Kind::Span(MILLISECOND, HOUR),
    },
    Key {
        name: "restart_backoff_max",
        scope: Scope::Both,
        default: KeyDefault::Value("30s"),
        doc: "Longest pause before a worker that died is started again.",
        kind: Kind::Span(MILLISECOND, HOUR),
    },
    Key {
        name: "grace",
        scope: Scope::Both,
        default: KeyDefault::Value("6s"),
        doc: "Time between asking a worker to stop and killing it. With 0s it is killed at once.",
        kind: Kind::Span(Duration::ZERO, YEAR),
    },
];
