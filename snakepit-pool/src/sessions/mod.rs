//! Sessions: named values that outlive a call, and the ids by which calls stay with a worker.
//!
//! A session lives until somebody ends it, or until nobody has used it for its time to live. The host owns the values;
//! they are bytes in here.

mod error;
mod life;
mod store;
mod values;

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

pub use error::{NameFault, SessionError};

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::core::{Moment, SessionId};
use crate::sync::Mutex;
use store::{Aftermath, SessionStore};

const MAX_NAME_BYTES: usize = 256;
const MAX_VALUES: usize = 1024;
const MAX_BYTES: usize = 64 << 20;

/// The sessions of a program. A clone is another handle to the same ones.
///
/// No operation waits for more than the lock around the store, which each holds as long as it takes to look a name up
/// and to forget what has expired; only [`Sessions::list`] looks at all sessions.
#[derive(Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    store: Mutex<SessionStore>,
    listeners: Mutex<Vec<Listener>>,
}

type Listener = Arc<dyn Fn(SessionId) + Send + Sync>;

/// What there is to know about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its name.
    pub name: Arc<str>,
    /// How many values it holds.
    pub values: usize,
    /// Bytes of their keys and values.
    pub bytes: usize,
    /// Time since its last use; zero while it is in use.
    pub idle: Duration,
    /// Whether a [`SessionUse`] of it lives.
    pub in_use: bool,
}

/// A use of a session, which does not expire while this lives. Its drop is the session's latest use.
///
/// The drop of the last use of a session that was ended tells the listeners, on the thread that drops it: do not drop
/// it under a lock that a listener takes.
#[must_use = "the session may expire as soon as this is dropped"]
#[derive(Debug)]
pub struct SessionUse {
    sessions: Sessions,
    id: SessionId,
}

// === impl Sessions ===

impl Sessions {
    /// Longest name of a session and longest key of a value, in bytes. The shortest has one.
    pub const MAX_NAME_BYTES: usize = MAX_NAME_BYTES;
    /// Most values of one session.
    pub const MAX_VALUES: usize = MAX_VALUES;
    /// Most bytes of all keys and values of one session: 64 MiB.
    pub const MAX_BYTES: usize = MAX_BYTES;

    /// No sessions yet. Each lives until nobody has used it for `ttl`, and there are at most `max` at a time.
    #[must_use]
    pub fn new(ttl: Duration, max: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                store: Mutex::new(SessionStore::new(ttl, max)),
                listeners: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Makes sure that a session exists, and says whether it is new. For one that exists it is a use.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidName`], and [`SessionError::Quota`] where it does not exist and there are as many as may
    /// be.
    pub fn create(&self, name: &str) -> Result<bool, SessionError> {
        self.with(|store, now| store.create(now, name))
    }

    /// Whether a session exists. This is no use of it.
    #[must_use]
    pub fn exists(&self, name: &str) -> bool {
        self.with(|store, now| store.exists(now, name))
    }

    /// Gives a key its value, in place of the one that it may have. A use, also where the value is refused.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidName`], [`SessionError::InvalidKey`], [`SessionError::Unknown`] and
    /// [`SessionError::Full`].
    pub fn put(&self, name: &str, key: &str, value: Bytes) -> Result<(), SessionError> {
        // A copy, made outside the lock: what comes in may be a small part of a large message, which it would keep alive
        // beyond all limits. What is too large by itself is about to be refused.
        let value = if value.len() <= MAX_BYTES {
            Bytes::copy_from_slice(&value)
        } else {
            value
        };
        // The old value is freed outside the lock.
        self.with(|store, now| store.put(now, name, key, value)).map(drop)
    }

    /// The value of a key, if it has one. A use.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidName`], [`SessionError::InvalidKey`] and [`SessionError::Unknown`].
    pub fn get(&self, name: &str, key: &str) -> Result<Option<Bytes>, SessionError> {
        self.with(|store, now| store.get(now, name, key))
    }

    /// Takes a key's value away, and says whether it had one. A use.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidName`], [`SessionError::InvalidKey`] and [`SessionError::Unknown`].
    pub fn remove(&self, name: &str, key: &str) -> Result<bool, SessionError> {
        // The value is freed outside the lock.
        let removed = self.with(|store, now| store.remove(now, name, key))?;
        Ok(removed.is_some())
    }

    /// The keys that have values, in order. A use.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidName`] and [`SessionError::Unknown`].
    pub fn keys(&self, name: &str) -> Result<Vec<String>, SessionError> {
        self.with(|store, now| store.keys(now, name))
    }

    /// All sessions, in the order of their names. This is no use of them.
    #[must_use]
    pub fn list(&self) -> Vec<SessionInfo> {
        self.with(SessionStore::list)
    }

    /// Ends a session, and says whether there was one. Its values are gone at once, and its name is free. Calls that use
    /// it go on.
    #[expect(
        clippy::must_use_candidate,
        reason = "most callers want the end, and not whether there was a beginning"
    )]
    pub fn end(&self, name: &str) -> bool {
        self.with(|store, now| store.end(now, name))
    }

    /// Begins a use of a session, which is created where it does not exist.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidName`], and [`SessionError::Quota`] where it does not exist and there are as many as may
    /// be.
    pub fn enter(&self, name: &str) -> Result<SessionUse, SessionError> {
        let id = self.with(|store, now| store.enter(now, name))?;
        Ok(SessionUse {
            sessions: self.clone(),
            id,
        })
    }

    /// Forgets the sessions whose time is over. Nobody sees them even before; this frees what they hold, and tells the
    /// listeners, also where no other operation comes. To be called now and then.
    pub fn sweep(&self) {
        self.with(SessionStore::sweep);
    }

    /// Has `listener` told of every session that ends from now on, by its time to live or by [`Sessions::end`], once:
    /// when its last use is over, so that its id is never seen again. It is called outside the store's lock, by whatever
    /// thread found the end, and should neither wait nor panic. It lives as long as the sessions do: whatever holds these
    /// sessions itself, it should hold weakly.
    pub fn on_end(&self, listener: Box<dyn Fn(SessionId) + Send + Sync>) {
        self.shared.listeners.lock().push(Arc::from(listener));
    }

    /// One step of the store, and then, outside its lock, what it has left to be done.
    fn with<R>(&self, step: impl FnOnce(&mut SessionStore, Moment) -> R) -> R {
        let now = self.shared.clock.now();
        let (result, aftermath) = {
            let mut store = self.shared.store.lock();
            let result = step(&mut store, now);
            (result, store.take_aftermath())
        };
        self.carry_out(&aftermath);
        result
    }

    fn carry_out(&self, aftermath: &Aftermath) {
        if let Some(crowd) = aftermath.crowded {
            tracing::warn!(
                sessions = crowd.sessions,
                limit = crowd.limit,
                "sessions near their quota: end those that are done, shorten `session_ttl`, or raise `session_max`"
            );
        }
        if aftermath.forgotten.is_empty() {
            return;
        }
        // Copied, so that no lock is held while they run.
        let listeners = self.shared.listeners.lock().clone();
        for &id in &aftermath.forgotten {
            for listener in &listeners {
                listener(id);
            }
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

// === impl SessionUse ===

impl SessionUse {
    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }
}

impl Drop for SessionUse {
    fn drop(&mut self) {
        self.sessions.with(|store, now| store.leave(now, self.id));
    }
}
