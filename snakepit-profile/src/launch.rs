//! The seam between policy and mechanism: what is to be started, and who starts it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use snakepit_config::{Adapter, InheritEnv, ProfileKind};

use crate::error::StartError;
use crate::id::WorkerName;
use crate::worker::{Worker, WorkerEvents, WorkerFacts};

/// Everything a launcher needs to start one worker.
#[derive(Debug, Clone)]
pub struct LaunchSpec {
    /// Its name.
    pub worker: WorkerName,
    /// How it runs calls.
    pub kind: ProfileKind,
    /// Calls it must be able to run at once.
    pub slots: NonZeroU32,
    /// The interpreter, as found: argv\[0\].
    pub python: PathBuf,
    /// Goes first on `PYTHONPATH`; `None` where the bridge is installed.
    pub bridge: Option<PathBuf>,
    /// The code it serves.
    pub adapter: Adapter,
    /// `sys.argv[1:]` of the adapter.
    pub adapter_args: Vec<String>,
    /// What it inherits of the host's environment.
    pub inherit_env: InheritEnv,
    /// What is set on top of that.
    pub environment: BTreeMap<String, String>,
    /// From connect to `Hello`.
    pub handshake_timeout: Duration,
    /// Size and depth of what may cross the wire.
    pub limits: Limits,
    /// Refuse a worker whose GIL is on.
    pub require_free_threading: bool,
}

/// Limits of one message, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, in bytes.
    pub message_max: u64,
    /// Deepest nesting of a value.
    pub depth_max: u32,
}

/// Starts workers. `snakepit-grpc` has the real one.
#[async_trait]
pub trait Launcher: Send + Sync + 'static {
    /// Creates the worker's process. It returns as soon as that exists; whether it becomes ready, and that it has
    /// ended, arrives in `events`: after `Ok`, [`WorkerEvents::exited`] comes exactly once, and last.
    async fn launch(
        &self,
        spec: LaunchSpec,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError>;
}

impl LaunchSpec {
    /// Whether a worker that says this of itself may serve. A launcher asks once, on `Hello`.
    ///
    /// # Errors
    /// [`StartError::GilEnabled`] where free threading is required and the GIL is on; [`StartError::NoTools`].
    pub fn accept(&self, facts: &WorkerFacts) -> Result<(), StartError> {
        if facts.tools.is_empty() {
            return Err(StartError::NoTools {
                adapter: self.adapter.to_string(),
            });
        }
        if self.kind == ProfileKind::Thread && facts.gil_enabled {
            if self.require_free_threading {
                return Err(StartError::GilEnabled {
                    python: self.python.clone(),
                    by: facts.gil_enabled_by.clone(),
                });
            }
            tracing::warn!(
                worker = %self.worker,
                python = %self.python.display(),
                turned_on_by = facts.gil_enabled_by.as_deref(),
                "the GIL is on: the threads of this worker will not run CPU-bound Python in parallel"
            );
        }
        Ok(())
    }
}
