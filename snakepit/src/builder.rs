//! From configuration to a running pit.

use std::path::PathBuf;
use std::sync::Arc;

use snakepit_config::{ConfigBuilder, PoolConfig, PoolSettings, ProfileKind, Settings};
use snakepit_grpc::host::Host;
use snakepit_grpc::values::Limits;
use snakepit_pool::Pools;
use snakepit_profile::{Launcher, PythonProfile, WorkerProfile};
use snakepit_pyenv::{Bridge, Interpreter, Progress};

use crate::error::Error;
use crate::pit::{Entry, Snakepit};

/// Puts a pit together: configuration first, then [`start`](Builder::start).
#[derive(Default)]
pub struct Builder {
    config: ConfigBuilder,
    progress: Option<Arc<dyn Progress>>,
}

/// One pool's settings with what was found for them: everything that is decided before anything starts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolPlan {
    /// The checked settings.
    pub settings: PoolSettings,
    /// The interpreter that its workers will run.
    pub interpreter: Interpreter,
    /// The bridge for that interpreter.
    pub bridge: Bridge,
}

// === impl PoolPlan ===

impl PoolPlan {
    /// The profile that its workers will have.
    #[must_use]
    pub fn profile(&self) -> ProfileKind {
        self.settings
            .worker_profile
            .on(self.interpreter.facts.gil_enabled)
    }

    /// Calls that each of its workers will run at once.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.settings.slots(self.profile()).get()
    }
}

// === impl Builder ===

impl Builder {
    /// Reads this file. Relative paths in it resolve against its folder.
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = self.config.file(path);
        self
    }

    /// Whether the environment (`SNAKEPIT_…`) has a say. It has, unless this says no.
    #[must_use]
    pub fn env(mut self, read: bool) -> Self {
        self.config = self.config.env(read);
        self
    }

    /// Adds a pool, or overrides keys of the pool with this name. The first pool is the default one.
    #[must_use]
    pub fn pool(mut self, pool: PoolConfig) -> Self {
        self.config = self.config.pool(pool);
        self
    }

    /// Tells `progress` while a bridge is being built. Without it, `tracing` is told.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Checks the configuration and decides everything that can be decided without starting a worker: each pool's
    /// interpreter and bridge. A bridge may be built here, once.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Interpreter`], [`Error::Bridge`].
    pub async fn plan(self) -> Result<Vec<PoolPlan>, Error> {
        let settings = self.config.build()?;
        let progress = self.progress.unwrap_or_else(|| Arc::new(LogProgress));
        // Probing and building wait for other programs, so they have a thread of their own.
        tokio::task::spawn_blocking(move || plan_pools(settings, &*progress))
            .await
            .map_err(|error| Error::interrupted(&error))?
    }

    /// Starts the pit: checks everything, then starts all pools at once. It returns as soon as they are starting; see
    /// [`Snakepit::await_ready`].
    ///
    /// # Errors
    /// Those of [`plan`](Builder::plan), and [`Error::Host`] where no private folder or socket can be made. Nothing has
    /// been started then.
    pub async fn start(self) -> Result<Snakepit, Error> {
        let plans = self.plan().await?;
        let host = Host::bind()?;
        let launcher: Arc<dyn Launcher> = host.clone();

        let pools = Pools::start(
            plans
                .iter()
                .map(
                    |PoolPlan {
                         settings,
                         interpreter,
                         bridge,
                     }| {
                        let profile: Arc<dyn WorkerProfile> = Arc::new(PythonProfile::new(
                            settings,
                            interpreter.clone(),
                            bridge.clone(),
                            Arc::clone(&launcher),
                        ));
                        (settings.clone(), profile)
                    },
                )
                .collect(),
        );

        let entries = pools
            .iter()
            .zip(&plans)
            .map(|(pool, PoolPlan { settings, .. })| Entry {
                pool: pool.clone(),
                limits: Limits {
                    message_max: settings.message_max,
                    depth_max: settings.depth_max,
                },
            })
            .collect();
        Ok(Snakepit::new(pools, entries, host))
    }
}

/// Finds each interpreter and each bridge once, however many pools share them.
fn plan_pools(settings: Settings, progress: &dyn Progress) -> Result<Vec<PoolPlan>, Error> {
    let mut interpreters: Vec<(Option<PathBuf>, Interpreter)> = Vec::new();
    let mut bridges: Vec<((PathBuf, Option<PathBuf>), Bridge)> = Vec::new();
    settings
        .pools
        .into_iter()
        .map(|settings| {
            let wanted = settings.python.as_ref().map(|python| python.path.clone());
            let interpreter = find_or_insert(&mut interpreters, wanted, || {
                snakepit_pyenv::find(settings.python.as_ref()).map_err(|source| Error::Interpreter {
                    pool: settings.name.to_string(),
                    source,
                })
            })?;
            let wanted = (interpreter.path.clone(), settings.bridge.clone());
            let bridge = find_or_insert(&mut bridges, wanted, || {
                snakepit_pyenv::bridge_for(&interpreter, settings.bridge.as_deref(), progress).map_err(
                    |source| Error::Bridge {
                        pool: settings.name.to_string(),
                        source,
                    },
                )
            })?;
            Ok(PoolPlan {
                settings,
                interpreter,
                bridge,
            })
        })
        .collect()
}

fn find_or_insert<K: PartialEq, V: Clone>(
    known: &mut Vec<(K, V)>,
    key: K,
    find: impl FnOnce() -> Result<V, Error>,
) -> Result<V, Error> {
    if let Some((_, value)) = known.iter().find(|(k, _)| *k == key) {
        return Ok(value.clone());
    }
    let value = find()?;
    known.push((key, value.clone()));
    Ok(value)
}

/// Progress for programs that show none: the log.
struct LogProgress;

impl Progress for LogProgress {
    fn started(&self, what: &str) {
        tracing::info!("{what}");
    }

    fn line(&self, line: &str) {
        tracing::debug!("{line}");
    }

    fn finished(&self, ok: bool) {
        tracing::info!(ok, "finished");
    }
}
