//! The settings that are one word of several, and how each word is spelled.

use std::fmt;
use std::time::Duration;

use crate::settings::{Affinity, CapacityStrategy, ProfileKind, TimeoutProfile, WorkerProfileChoice};

/// The limits that a [`TimeoutProfile`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Deadline of a call that names none.
    pub call: Duration,
    /// Longest wait in the queue.
    pub queue: Duration,
}

// === impl WorkerProfileChoice ===

impl WorkerProfileChoice {
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("process", Self::Fixed(ProfileKind::Process)),
        ("thread", Self::Fixed(ProfileKind::Thread)),
        ("auto", Self::Auto),
    ];
}

impl From<ProfileKind> for WorkerProfileChoice {
    fn from(kind: ProfileKind) -> Self {
        Self::Fixed(kind)
    }
}

impl fmt::Display for WorkerProfileChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(word(Self::WORDS, *self))
    }
}

// === impl CapacityStrategy ===

impl CapacityStrategy {
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("pool", Self::Pool),
        ("profile", Self::Profile),
        ("hybrid", Self::Hybrid),
    ];
}

impl fmt::Display for CapacityStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(word(Self::WORDS, *self))
    }
}

// === impl Affinity ===

impl Affinity {
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("hint", Self::Hint),
        ("strict_queue", Self::StrictQueue),
        ("strict_fail_fast", Self::StrictFailFast),
    ];
}

impl fmt::Display for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(word(Self::WORDS, *self))
    }
}

// === impl TimeoutProfile ===

impl TimeoutProfile {
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("balanced", Self::Balanced),
        ("production", Self::Production),
        ("production_strict", Self::ProductionStrict),
        ("development", Self::Development),
        ("ml_inference", Self::MlInference),
        ("batch", Self::Batch),
    ];

    /// The limits it stands for. A key that is set itself wins over them.
    #[must_use]
    pub fn limits(self) -> TimeLimits {
        let (call, queue) = match self {
            Self::Balanced | Self::Production => (300, 10),
            Self::ProductionStrict => (60, 5),
            Self::Development | Self::MlInference => (900, 60),
            Self::Batch => (3600, 300),
        };
        TimeLimits {
            call: Duration::from_secs(call),
            queue: Duration::from_secs(queue),
        }
    }
}

impl fmt::Display for TimeoutProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(word(Self::WORDS, *self))
    }
}

/// The word of a value. Every value is in its table; a test holds the tables to it.
fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words
        .iter()
        .find(|(_, known)| *known == value)
        .map_or("?", |(word, _)| word)
}
