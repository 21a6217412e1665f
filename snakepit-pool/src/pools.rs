//! All pools together.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use snakepit_config::PoolSettings;
use snakepit_profile::{WorkerName, WorkerProfile};

use crate::clock::{Clock, TokioClock};
use crate::core::{Core, CoreConfig};
use crate::driver::{Shared, Surroundings};
use crate::error::PoolError;
use crate::events::{EventJournal, Events, journal};
use crate::pool::Pool;
use crate::sessions::Sessions;
use crate::stats::{PoolStats, PoolsStats};
use crate::supervised::Supervised;
use crate::sync::Handle;

/// Named pools side by side, each with workers of its own. Clones are handles of the same pools.
#[derive(Clone)]
pub struct Pools(Arc<Inner>);

struct Inner {
    /// In the order of the configuration: the first is the default pool.
    pools: Vec<Pool>,
    sessions: Sessions,
    journal: Arc<EventJournal>,
    /// Sweeps sessions for as long as there are pools.
    _sweeper: Supervised,
}

/// What pools start with, beside their settings.
#[derive(Clone)]
pub struct PoolsOptions {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Of the jitter in every pause. Hosts that start together must not retry together: drawn at random by default.
    pub seed: u64,
    /// A session that was not used for so long ends.
    pub session_ttl: Duration,
    /// Most sessions at once.
    pub session_max: NonZeroU32,
}

/// Time between two looks for sessions that nobody uses any more.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

impl Default for PoolsOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(TokioClock::new()),
            seed: RandomState::new().build_hasher().finish(),
            session_ttl: Duration::from_hours(1),
            session_max: NonZeroU32::new(10_000).unwrap_or(NonZeroU32::MAX),
        }
    }
}

impl Pools {
    /// Starts the pools, on the current tokio runtime. It returns at once: a pool answers calls as soon as one of its
    /// workers is ready, and one that cannot start harms no other.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(pools: Vec<(PoolSettings, Arc<dyn WorkerProfile>)>) -> Self {
        Self::start_with(pools, PoolsOptions::default())
    }

    /// As [`Pools::start`], with `options`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start_with(pools: Vec<(PoolSettings, Arc<dyn WorkerProfile>)>, options: PoolsOptions) -> Self {
        Self::start_around(pools, options, Core::new)
    }

    /// As [`Pools::start_with`], around the cores that `core` makes.
    pub(crate) fn start_around(
        pools: Vec<(PoolSettings, Arc<dyn WorkerProfile>)>,
        options: PoolsOptions,
        core: impl Fn(CoreConfig) -> Core,
    ) -> Self {
        let PoolsOptions {
            clock,
            seed,
            session_ttl,
            session_max,
        } = options;
        let runtime = Handle::current();
        let journal = Arc::new(journal());
        let sessions = Sessions::new(session_ttl, session_max, Arc::clone(&clock));
        let open = |(number, (settings, profile)): (u64, (PoolSettings, Arc<dyn WorkerProfile>))| {
            let surroundings = Surroundings {
                clock: Arc::clone(&clock),
                runtime: runtime.clone(),
                journal: Arc::clone(&journal),
                // Each pool draws its own noise.
                seed: seed.wrapping_add(number),
            };
            let core = core(CoreConfig::new(&settings, profile.capacity(), surroundings.seed));
            let shared = Shared::open_around(core, &settings, profile, surroundings);
            Pool::of(shared, sessions.clone())
        };
        let pools = (0..).zip(pools).map(open).collect();
        let sweeper = Supervised::new(runtime);
        sweeper.spawn(sweep(sessions.clone(), clock));
        Self(Arc::new(Inner {
            pools,
            sessions,
            journal,
            _sweeper: sweeper,
        }))
    }

    /// The sessions of all pools.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// What happens in the pools from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::of(&self.0.journal)
    }

    /// The pool of this name.
    ///
    /// # Errors
    /// [`PoolError::PoolNotFound`], with the names there are.
    pub fn pool(&self, name: &str) -> Result<&Pool, PoolError> {
        self.iter()
            .find(|pool| pool.name().as_str() == name)
            .ok_or_else(|| PoolError::PoolNotFound {
                pool: name.to_owned(),
                available: self.iter().map(|pool| pool.name().to_string()).collect(),
            })
    }

    /// The first pool.
    ///
    /// # Errors
    /// [`PoolError::PoolNotFound`] if there is no pool at all, which a checked configuration rules out.
    pub fn default_pool(&self) -> Result<&Pool, PoolError> {
        self.0.pools.first().ok_or_else(|| PoolError::PoolNotFound {
            pool: "default".to_owned(),
            available: Vec::new(),
        })
    }

    /// Every pool, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.0.pools.iter()
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

impl std::fmt::Debug for PoolsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolsOptions")
            .field("seed", &self.seed)
            .field("session_ttl", &self.session_ttl)
            .field("session_max", &self.session_max)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pools").field(&self.0.pools).finish()
    }
}

/// Ends the sessions that nobody uses any more, again and again.
async fn sweep(sessions: Sessions, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep_until(clock.now().after(SWEEP_INTERVAL)).await;
        sessions.sweep();
    }
}
