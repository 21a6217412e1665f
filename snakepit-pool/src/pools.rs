//! All pools together.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use snakepit_config::PoolSettings;
use snakepit_profile::{WorkerName, WorkerProfile};
use tokio::runtime::Handle;

use crate::clock::{Clock, TokioClock};
use crate::error::PoolError;
use crate::pool::Pool;
use crate::stats::{PoolStats, PoolsStats};

/// Named pools side by side, each with workers of its own. Clones are handles of the same pools.
#[derive(Debug, Clone)]
pub struct Pools {
    /// In the order of the configuration: the first is the default pool.
    pools: Arc<[Pool]>,
}

impl Pools {
    /// Starts the pools, on the current tokio runtime. It returns at once: a pool answers calls as soon as one of its
    /// workers is ready, and one that cannot start harms no other.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(pools: Vec<(PoolSettings, Arc<dyn WorkerProfile>)>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        Self::start_with_clock(pools, &clock)
    }

    /// As [`Pools::start`], with time from `clock`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start_with_clock(
        pools: Vec<(PoolSettings, Arc<dyn WorkerProfile>)>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let runtime = Handle::current();
        let pools = pools
            .into_iter()
            .map(|(settings, profile)| {
                // Hosts that start together must not retry together: each pool draws a seed of its own.
                let seed = RandomState::new().build_hasher().finish();
                Pool::open(&settings, profile, Arc::clone(clock), runtime.clone(), seed)
            })
            .collect();
        Self { pools }
    }

    /// The pool of this name.
    ///
    /// # Errors
    /// [`PoolError::PoolNotFound`], with the names there are.
    pub fn pool(&self, name: &str) -> Result<&Pool, PoolError> {
        self.pools
            .iter()
            .find(|pool| pool.name().as_str() == name)
            .ok_or_else(|| PoolError::PoolNotFound {
                pool: name.to_owned(),
                available: self.pools.iter().map(|pool| pool.name().to_string()).collect(),
            })
    }

    /// The first pool.
    ///
    /// # Errors
    /// [`PoolError::PoolNotFound`] if there is no pool at all, which a checked configuration rules out.
    pub fn default_pool(&self) -> Result<&Pool, PoolError> {
        self.pools.first().ok_or_else(|| PoolError::PoolNotFound {
            pool: "default".to_owned(),
            available: Vec::new(),
        })
    }

    /// Every pool, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.pools.iter()
    }

    /// Waits until every pool has a ready worker.
    ///
    /// # Errors
    /// As [`Pool::await_ready`], as soon as it holds for one pool.
    pub async fn await_ready(&self, patience: Duration) -> Result<(), PoolError> {
        try_join_all(self.iter().map(|pool| pool.await_ready(patience)))
            .await
            .map(drop)
    }

    /// Waits until every slot of every pool has started or failed.
    ///
    /// # Errors
    /// [`PoolError::NotReady`] after `patience`.
    pub async fn await_started(&self, patience: Duration) -> Result<(), PoolError> {
        try_join_all(self.iter().map(|pool| pool.await_started(patience)))
            .await
            .map(drop)
    }

    /// The workers of all pools, one pool after the other.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerName> {
        self.iter().flat_map(Pool::workers).collect()
    }

    /// The numbers of each pool, and their sum.
    #[must_use]
    pub fn stats(&self) -> PoolsStats {
        let pools: Vec<_> = self
            .iter()
            .map(|pool| (pool.name().clone(), pool.stats()))
            .collect();
        let mut total = PoolStats::default();
        for (_, stats) in &pools {
            total.add(stats);
        }
        PoolsStats { total, pools }
    }

    /// Shuts all pools down at once: what waits is refused, what runs has each pool's `grace`, then the workers are
    /// stopped. Returns when the last one has ended, after twice the longest `grace` at the latest.
    pub async fn shutdown(&self) {
        join_all(self.iter().map(|pool| pool.shutdown(pool.grace()))).await;
    }
}
