//! All sessions, as pure data: time is passed in, and what is to be done outside is handed out as an [`Aftermath`].

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::error::{check_key, check_name};
use super::life::{Input, Life};
use super::values::Values;
use super::{SessionError, SessionInfo};
use crate::core::Moment;
use crate::core::SessionId;

/// The sessions of all pools. Every operation first forgets what has expired, each session once, and is then of the
/// order of the logarithm of their number; [`SessionStore::list`] alone looks at all.
#[derive(Debug)]
pub(super) struct SessionStore {
    /// Time from the last use of a session to its end.
    ttl: Duration,
    limit: NonZeroU32,
    /// The latest moment it was told of: time does not run backwards in here.
    now: Moment,
    /// The id of the next session.
    next_id: u64,
    /// The sessions that are listed. Those that have ended in use may share their names with others.
    by_name: BTreeMap<Arc<str>, SessionId>,
    by_id: BTreeMap<SessionId, Session>,
    /// When each idle session expires.
    expiries: BTreeSet<(Moment, SessionId)>,
    /// The quota's warning was given, and is not due again yet.
    warned: bool,
    aftermath: Aftermath,
}

#[derive(Debug)]
struct Session {
    name: Arc<str>,
    life: Life,
    /// Calls that use it.
    uses: u64,
    /// When it was last used; of no meaning while it is in use.
    used_at: Moment,
    values: Values,
}

/// What operations leave to be done, outside the lock.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// Sessions that have ended and that nothing uses any more.
    pub(super) forgotten: Vec<SessionId>,
    /// A creation has brought the store near its quota: a warning is due.
    pub(super) crowded: Option<Crowd>,
    /// What they held: freed when this is dropped.
    values: Vec<Values>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crowd {
    pub(super) sessions: usize,
    pub(super) limit: u32,
}

// === impl SessionStore ===

impl SessionStore {
    pub(super) fn new(ttl: Duration, limit: NonZeroU32) -> Self {
        Self {
            ttl,
            limit,
            now: Moment::ZERO,
            next_id: 0,
            by_name: BTreeMap::new(),
            by_id: BTreeMap::new(),
            expiries: BTreeSet::new(),
            warned: false,
            aftermath: Aftermath::default(),
        }
    }

    /// What the operations since the last time have left to be done.
    pub(super) fn take_aftermath(&mut self) -> Aftermath {
        std::mem::take(&mut self.aftermath)
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&mut self, now: Moment) {
        self.now = self.now.max(now);
        while let Some(&(due, id)) = self.expiries.first()
            && due <= self.now
        {
            self.step(id, Input::Expired);
        }
    }

    /// Makes sure that the session exists, and says whether it is new.
    pub(super) fn create(&mut self, now: Moment, name: &str) -> Result<bool, SessionError> {
        check_name(name)?;
        self.sweep(now);
        if let Some(&id) = self.by_name.get(name) {
            self.step(id, Input::Used);
            return Ok(false);
        }
        let id = self.prepare(name)?;
        self.step(id, Input::Created);
        Ok(true)
    }

    /// Begins a use of the session, which exists from now on. Every use is to be ended by [`SessionStore::leave`].
    pub(super) fn enter(&mut self, now: Moment, name: &str) -> Result<SessionId, SessionError> {
        check_name(name)?;
        self.sweep(now);
        let id = match self.by_name.get(name) {
            Some(&id) => id,
            None => self.prepare(name)?,
        };
        if let Some(session) = self.by_id.get_mut(&id) {
            session.uses += 1;
        }
        self.step(id, Input::Entered);
        Ok(id)
    }

    /// Ends a use.
    pub(super) fn leave(&mut self, now: Moment, id: SessionId) {
        self.now = self.now.max(now);
        if let Some(session) = self.by_id.get_mut(&id) {
            session.uses = session.uses.saturating_sub(1);
            if session.uses == 0 {
                self.step(id, Input::LeftLast);
            }
        }
    }

    /// Ends the session, and says whether there was one.
    pub(super) fn end(&mut self, now: Moment, name: &str) -> bool {
        self.sweep(now);
        let Some(&id) = self.by_name.get(name) else {
            return false;
        };
        self.step(id, Input::EndRequested);
        true
    }

    /// Whether the session exists. To ask is not to use.
    pub(super) fn exists(&mut self, now: Moment, name: &str) -> bool {
        self.sweep(now);
        self.by_name.contains_key(name)
    }

    /// Puts a value, and returns the one whose place it takes.
    pub(super) fn put(
        &mut self,
        now: Moment,
        name: &str,
        key: &str,
        value: Bytes,
    ) -> Result<Option<Bytes>, SessionError> {
        check_name(name)?;
        check_key(name, key)?;
        let values = self.used(now, name)?;
        let wanted = key.len() + value.len();
        values.put(key, value).map_err(|_| SessionError::Full {
            name: name.to_owned(),
            values: values.len(),
            bytes: values.bytes(),
            wanted,
        })
    }

    pub(super) fn get(&mut self, now: Moment, name: &str, key: &str) -> Result<Option<Bytes>, SessionError> {
        check_name(name)?;
        check_key(name, key)?;
        Ok(self.used(now, name)?.get(key).cloned())
    }

    pub(super) fn remove(
        &mut self,
        now: Moment,
        name: &str,
        key: &str,
    ) -> Result<Option<Bytes>, SessionError> {
        check_name(name)?;
        check_key(name, key)?;
        Ok(self.used(now, name)?.remove(key))
    }

    /// The keys of its values, in order.
    pub(super) fn keys(&mut self, now: Moment, name: &str) -> Result<Vec<String>, SessionError> {
        check_name(name)?;
        Ok(self.used(now, name)?.keys().cloned().collect())
    }

    /// All sessions, in the order of their names. To look at them is not to use them.
    pub(super) fn list(&mut self, now: Moment) -> Vec<SessionInfo> {
        self.sweep(now);
        let listed = self.by_name.values().filter_map(|id| self.by_id.get(id));
        listed.map(|session| session.info(self.now)).collect()
    }

    /// A session that does not exist before its first step, which is to follow at once.
    fn prepare(&mut self, name: &str) -> Result<SessionId, SessionError> {
        let limit = self.limit.get();
        if self.by_name.len() >= limit as usize {
            return Err(SessionError::Quota { limit });
        }
        let id = SessionId(self.next_id);
        self.next_id += 1;
        let session = Session {
            name: name.into(),
            life: Life::Absent,
            uses: 0,
            used_at: self.now,
            values: Values::default(),
        };
        self.by_id.insert(id, session);
        Ok(id)
    }

    /// The values of a session, which is used by that.
    fn used(&mut self, now: Moment, name: &str) -> Result<&mut Values, SessionError> {
        self.sweep(now);
        let id = self.by_name.get(name).copied();
        if let Some(id) = id {
            self.step(id, Input::Used);
        }
        id.and_then(|id| self.by_id.get_mut(&id))
            .map(|session| &mut session.values)
            .ok_or_else(|| SessionError::unknown(name))
    }

    /// Moves a session, and everything that depends on where it is.
    fn step(&mut self, id: SessionId, input: Input) {
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        let Some(to) = session.life.on(input) else {
            return;
        };
        let from = std::mem::replace(&mut session.life, to);
        if from == Life::Idle {
            self.expiries.remove(&(session.used_at.after(self.ttl), id));
        }
        if to == Life::Idle {
            session.used_at = self.now;
            self.expiries.insert((session.used_at.after(self.ttl), id));
        }
        match (from.is_listed(), to.is_listed()) {
            (false, true) => {
                self.by_name.insert(Arc::clone(&session.name), id);
                self.warn_when_crowded();
            }
            (true, false) => {
                self.by_name.remove(&session.name);
                self.aftermath.values.push(std::mem::take(&mut session.values));
                // Ten percent below the warning, so that a store that comes and goes about it warns once.
                self.warned &= !self.is_below(70);
            }
            _ => {}
        }
        if to == Life::Absent {
            self.by_id.remove(&id);
            self.aftermath.forgotten.push(id);
        }
    }

    fn warn_when_crowded(&mut self) {
        if !self.warned && !self.is_below(80) {
            self.warned = true;
            self.aftermath.crowded = Some(Crowd {
                sessions: self.by_name.len(),
                limit: self.limit.get(),
            });
        }
    }

    /// Whether there are fewer sessions than so many percent of the quota.
    fn is_below(&self, percent: u64) -> bool {
        (self.by_name.len() as u64) * 100 < u64::from(self.limit.get()) * percent
    }
}

// === impl Session ===

impl Session {
    fn info(&self, now: Moment) -> SessionInfo {
        let in_use = self.life == Life::InUse;
        SessionInfo {
            name: Arc::clone(&self.name),
            values: self.values.len(),
            bytes: self.values.bytes(),
            idle: if in_use {
                Duration::ZERO
            } else {
                now.since(self.used_at)
            },
            in_use,
        }
    }
}

#[cfg(test)]
mod tests;
