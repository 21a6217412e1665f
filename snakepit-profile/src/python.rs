//! The profiles of Python workers.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use snakepit_config::{CapacityStrategy, PoolSettings, ProfileKind};
use snakepit_pyenv::{Bridge, Interpreter};

use crate::checked::CheckedWorker;
use crate::environment::thread_caps;
use crate::error::StartError;
use crate::id::{WorkerId, WorkerName};
use crate::launch::{LaunchSpec, Launcher, Limits};
use crate::profile::WorkerProfile;
use crate::worker::{Worker, WorkerEvents};

/// What the Python workers of one pool have in common: under the process profile one call at a time, on Python's main
/// thread; under the thread profile `threads_per_worker` at a time, each on a thread.
pub struct PythonProfile {
    settings: PoolSettings,
    kind: ProfileKind,
    python: Interpreter,
    bridge: Bridge,
    processors: NonZeroU32,
    launcher: Arc<dyn Launcher>,
}

impl PythonProfile {
    /// The profile that `settings` ask for on this interpreter.
    #[must_use]
    pub fn new(
        settings: &PoolSettings,
        python: Interpreter,
        bridge: Bridge,
        launcher: Arc<dyn Launcher>,
    ) -> Self {
        let kind = settings.worker_profile.on(python.facts.gil_enabled);
        let processors = std::thread::available_parallelism()
            .ok()
            .and_then(|n| u32::try_from(n.get()).ok())
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN);
        Self {
            settings: settings.clone(),
            kind,
            python,
            bridge,
            processors,
            launcher,
        }
    }

    fn spec(&self, id: WorkerId) -> LaunchSpec {
        let settings = &self.settings;
        LaunchSpec {
            worker: WorkerName {
                pool: settings.name.clone(),
                id,
            },
            kind: self.kind,
            slots: self.capacity(),
            python: self.python.path.clone(),
            bridge: self.bridge.path.clone(),
            adapter: settings.adapter.clone(),
            adapter_args: settings.adapter_args.clone(),
            inherit_env: settings.inherit_env.clone(),
            environment: self.environment(),
            handshake_timeout: settings.handshake_timeout,
            limits: Limits {
                message_max: settings.message_max,
                depth_max: settings.depth_max,
            },
            require_free_threading: settings.require_free_threading,
        }
    }

    /// Thread caps, and over them what the user set: `adapter_env` always wins.
    fn environment(&self) -> BTreeMap<String, String> {
        thread_caps(self.kind, self.capacity(), self.processors)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.settings.adapter_env.clone())
            .collect()
    }
}

#[async_trait]
impl WorkerProfile for PythonProfile {
    fn kind(&self) -> ProfileKind {
        self.kind
    }

    fn capacity(&self) -> NonZeroU32 {
        self.settings.slots(self.kind)
    }

    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        let worker = self.launcher.launch(self.spec(worker), events).await?;
        Ok(match self.settings.capacity_strategy {
            CapacityStrategy::Hybrid => Arc::new(CheckedWorker::new(worker, self.capacity())),
            CapacityStrategy::Pool | CapacityStrategy::Profile => worker,
        })
    }
}
