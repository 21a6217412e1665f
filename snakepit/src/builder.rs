//! From configuration to a running pit.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use snakepit_config::{ConfigBuilder, PoolConfig};
use snakepit_grpc::host::Host;
use snakepit_grpc::values::Limits;
use snakepit_pool::{Pools, PoolsOptions};
use snakepit_profile::{Launcher, PythonProfile};
use snakepit_pyenv::{Bridge, Progress};

use crate::error::Error;
use crate::pit::{Entry, Snakepit};
use crate::plan::{self, PoolPlan};

/// Puts a pit together: configuration first, then [`start`](Builder::start).
#[derive(Default)]
pub struct Builder {
    config: ConfigBuilder,
    progress: Option<Arc<dyn Progress>>,
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

    /// Checks the configuration and finds each pool's interpreter. Nothing is started or built.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Interpreter`], and [`Error::Bridge`] for a named folder that is no bridge.
    pub async fn plan(self) -> Result<Vec<PoolPlan>, Error> {
        let settings = self.config.build()?;
        blocking(move || plan::pools(settings)).await
    }

    /// Starts the pit: checks everything, then starts all pools at once. It returns as soon as they are starting; see
    /// [`Snakepit::await_ready`]. A bridge may be built here, once.
    ///
    /// # Errors
    /// Those of [`plan`](Builder::plan), [`Error::Bridge`] where a bridge can neither be found nor built, and
    /// [`Error::Host`] where no private folder or socket can be made. Nothing has been started then.
    pub async fn start(mut self) -> Result<Snakepit, Error> {
        let progress = self.progress.take().unwrap_or_else(|| Arc::new(LogProgress));
        let settings = self.config.build()?;
        let sessions = settings.sessions;
        let plans = blocking(move || plan::pools(settings)).await?;
        let plans = blocking(move || plan::with_bridges(plans, &*progress)).await?;
        let host = Host::bind()?;

        let profile = |PoolPlan {
                           settings,
                           interpreter,
                           ..
                       }: &PoolPlan,
                       bridge: &Bridge| {
            let launcher: Arc<dyn Launcher> = host.clone();
            Arc::new(PythonProfile::new(
                settings,
                interpreter.clone(),
                bridge.clone(),
                launcher,
            )) as _
        };
        let options = PoolsOptions {
            session_ttl: sessions.ttl,
            session_max: sessions.max,
            ..PoolsOptions::default()
        };
        let pools = plans
            .iter()
            .map(|(plan, bridge)| (plan.settings.clone(), profile(plan, bridge)))
            .collect();
        let pools = Pools::start_with(pools, options);
        let entries = pools
            .iter()
            .zip(&plans)
            .map(|(pool, (PoolPlan { settings, .. }, _))| Entry {
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

/// Probing and building wait for other programs, so they have a thread of their own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::interrupted(&error))?
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

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
