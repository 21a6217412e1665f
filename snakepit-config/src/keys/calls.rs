//! What happens to a call: limits of its time, its way to a worker, and what it may carry.

use super::{INSTANT, Key, KeyDefault, SECOND, Scope, YEAR};
use crate::value::Kind;

pub(super) const KEYS: &[Key] = &[
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
        name: "affinity",
        scope: Scope::Both,
        default: KeyDefault::Value("hint"),
        doc: "What a call of a session does where its worker is busy: take another, wait, or fail.",
        kind: Kind::Affinity,
    },
    Key {
        name: "session_ttl",
        scope: Scope::Top,
        default: KeyDefault::Value("1h"),
        doc: "A session that was not used for so long ends.",
        kind: Kind::Span(SECOND, YEAR),
    },
    Key {
        name: "session_max",
        scope: Scope::Top,
        default: KeyDefault::Value("10000"),
        doc: "Most sessions at once; one more is refused.",
        kind: Kind::Count(1, 1_000_000),
    },
    Key {
        name: "retry_attempts",
        scope: Scope::Both,
        default: KeyDefault::Value("2"),
        doc: "Most times that a call is tried where trying again is safe. With 1, or where nothing may wait, nothing is repeated.",
        kind: Kind::Count(1, 10),
    },
    Key {
        name: "circuit_breaker",
        scope: Scope::Both,
        default: KeyDefault::Value("false"),
        doc: "After failures in a row, refuse calls for a while instead of trying them.",
        kind: Kind::Switch,
    },
    Key {
        name: "circuit_breaker_failures",
        scope: Scope::Both,
        default: KeyDefault::Value("5"),
        doc: "Failures in a row that open the circuit breaker.",
        kind: Kind::Count(1, 1000),
    },
    Key {
        name: "circuit_breaker_pause",
        scope: Scope::Both,
        default: KeyDefault::Value("30s"),
        doc: "How long an open circuit breaker refuses calls before it lets one through as a trial.",
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
];
