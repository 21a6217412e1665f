//! A running pit: its pools, and the host behind them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use snakepit_grpc::host::Host;
use snakepit_grpc::values::Limits;
use snakepit_pool::{Events, Pool, PoolError, Pools, PoolsStats, SessionInfo, Sessions};
use snakepit_profile::WorkerName;

use crate::builder::Builder;
use crate::call::Call;
use crate::error::Error;
use crate::session::Session;

/// Named pools of Python workers, running.
///
/// Dropping it kills every worker at once; [`shutdown`](Snakepit::shutdown) lets them finish first.
pub struct Snakepit {
    // Fields drop in this order: pools first, so that nothing is dispatched into a host that is going away.
    pools: Pools,
    /// In the order of the configuration, never empty: the first is the default pool.
    entries: Vec<Entry>,
    host: Arc<Host>,
}

/// What a call needs of its pool.
pub(crate) struct Entry {
    pub(crate) pool: Pool,
    pub(crate) limits: Limits,
}

impl Snakepit {
    /// Starts to put a pit together.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(pools: Pools, entries: Vec<Entry>, host: Arc<Host>) -> Self {
        Self { pools, entries, host }
    }

    /// A call of this tool. Add arguments, then `.await` it.
    pub fn call<T>(&self, tool: &str) -> Call<'_, T> {
        Call::new(self, tool)
    }

    /// Returns once every pool has a worker that is warm and ready.
    ///
    /// # Errors
    /// As soon as a pool has failed for good, or once `patience` is over.
    pub async fn await_ready(&self, patience: Duration) -> Result<(), Error> {
        Ok(self.pools.await_ready(patience).await?)
    }

    /// Returns once every slot of every pool has started or failed.
    ///
    /// # Errors
    /// Once `patience` is over.
    pub async fn await_started(&self, patience: Duration) -> Result<(), Error> {
        Ok(self.pools.await_started(patience).await?)
    }

    /// One pool, for control and numbers.
    ///
    /// # Errors
    /// [`PoolError::PoolNotFound`], which lists the pools there are.
    pub fn pool(&self, name: &str) -> Result<&Pool, Error> {
        Ok(self.pools.pool(name)?)
    }

    /// The pool of calls that name none: the first one.
    #[must_use]
    pub fn default_pool(&self) -> &Pool {
        &self.entries[0].pool
    }

    /// The living workers of one pool; of a failed one, none.
    ///
    /// # Errors
    /// [`PoolError::PoolNotFound`].
    pub fn workers(&self, pool: &str) -> Result<Vec<WorkerName>, Error> {
        Ok(self.pools.pool(pool)?.workers())
    }

    /// The living workers of all pools, one pool after the other.
    #[must_use]
    pub fn all_workers(&self) -> Vec<WorkerName> {
        self.pools.workers()
    }

    /// A session: values that the host keeps, and calls that stay with a worker. It begins with its first use.
    #[must_use]
    pub fn session(&self, name: impl Into<Arc<str>>) -> Session<'_> {
        Session::new(self, name.into())
    }

    /// Every session there is, by name.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.pools.sessions().list()
    }

    /// What happens in the pools from now on. A slow subscriber loses events, and knows how many.
    #[must_use]
    pub fn events(&self) -> Events {
        self.pools.events()
    }

    /// Numbers of every pool, and in total.
    #[must_use]
    pub fn stats(&self) -> PoolsStats {
        self.pools.stats()
    }

    /// Ends the pit in peace: nothing new is accepted, waiting calls are refused, running ones finish within their pool's
    /// `grace`, adapters clean up, workers exit; what is left then is killed.
    pub async fn shutdown(self) {
        self.pools.shutdown().await;
        self.host.shutdown().await;
    }

    pub(crate) fn session_store(&self) -> &Sessions {
        self.pools.sessions()
    }

    pub(crate) fn entry(&self, pool: Option<&str>) -> Result<&Entry, PoolError> {
        let Some(name) = pool else {
            return Ok(&self.entries[0]);
        };
        self.entries
            .iter()
            .find(|entry| entry.pool.name().as_str() == name)
            .ok_or_else(|| PoolError::PoolNotFound {
                pool: name.to_owned(),
                available: self
                    .entries
                    .iter()
                    .map(|entry| entry.pool.name().to_string())
                    .collect(),
            })
    }
}

impl fmt::Debug for Snakepit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snakepit")
            .field("pools", &self.pools)
            .finish_non_exhaustive()
    }
}
