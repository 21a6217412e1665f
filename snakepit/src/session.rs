//! One session, as a program uses it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use snakepit_grpc::values::{self, Limits, ValueError};
use snakepit_pool::PoolError;

use crate::call::Call;
use crate::error::Error;
use crate::pit::Snakepit;

/// A session of a pit: values of any serde type that the host keeps by key, and calls that stay with a worker.
///
/// It begins with its first use, and ends by [`end`](Session::end) or when nobody has used it for `session_ttl`.
#[derive(Clone)]
pub struct Session<'p> {
    pit: &'p Snakepit,
    name: Arc<str>,
}

impl<'p> Session<'p> {
    pub(crate) fn new(pit: &'p Snakepit, name: Arc<str>) -> Self {
        Self { pit, name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A call of this session.
    pub fn call<T>(&self, tool: &str) -> Call<'p, T> {
        self.pit.call(tool).session(Arc::clone(&self.name))
    }

    /// Makes sure that it exists, and says whether it is new.
    ///
    /// # Errors
    /// [`PoolError::Session`] for a name that cannot be one, and where there are as many sessions as may be.
    pub fn create(&self) -> Result<bool, Error> {
        let created = self.pit.session_store().create(&self.name);
        Ok(created.map_err(PoolError::from)?)
    }

    /// Keeps a value, in place of the one that the key may have.
    ///
    /// # Errors
    /// [`Error::SessionValue`] for a value that has no place in MessagePack, [`PoolError::Session`] where the session
    /// cannot be made or would hold too much.
    pub fn put(&self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        let store = self.pit.session_store();
        let value =
            values::encode(value, &Limits::default()).map_err(|source| self.misfit(key, false, source))?;
        store.create(&self.name).map_err(PoolError::from)?;
        Ok(store.put(&self.name, key, value).map_err(PoolError::from)?)
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// [`Error::SessionValue`] for a value of another type, [`PoolError::Session`] for a session that does not exist.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let kept = self
            .pit
            .session_store()
            .get(&self.name, key)
            .map_err(PoolError::from)?;
        kept.map(|value| values::decode(&value, &Limits::default()))
            .transpose()
            .map_err(|source| self.misfit(key, true, source))
    }

    /// Forgets a value, and says whether there was one.
    ///
    /// # Errors
    /// [`PoolError::Session`] for a session that does not exist.
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        let removed = self.pit.session_store().remove(&self.name, key);
        Ok(removed.map_err(PoolError::from)?)
    }

    /// The keys that have values, sorted.
    ///
    /// # Errors
    /// [`PoolError::Session`] for a session that does not exist.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        Ok(self
            .pit
            .session_store()
            .keys(&self.name)
            .map_err(PoolError::from)?)
    }

    /// Ends it, and says whether it existed. Its values are gone at once; calls of it that run finish.
    #[expect(
        clippy::must_use_candidate,
        reason = "most callers want it gone, and need not know"
    )]
    pub fn end(&self) -> bool {
        self.pit.session_store().end(&self.name)
    }

    fn misfit(&self, key: &str, kept: bool, source: ValueError) -> Error {
        Error::SessionValue {
            session: self.name.to_string(),
            key: key.to_owned(),
            kept,
            source,
        }
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.name).finish()
    }
}
