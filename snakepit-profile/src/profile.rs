//! The profiles.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use snakepit_config::{CapacityStrategy, PoolSettings, ProfileKind};
use snakepit_pyenv::{Bridge, Interpreter};
use tokio::sync::oneshot;

use crate::call::{Call, CallError, Completion, Completions, Outcome};
use crate::environment::thread_caps;
use crate::error::{Exit, StartError};
use crate::id::{RequestId, WorkerId, WorkerName};
use crate::launch::{LaunchSpec, Launcher, Limits};
use crate::slots::{SlotPermit, Slots};
use crate::worker::{Health, Worker, WorkerEvents, WorkerFacts};

/// How a pool's workers are started, used and stopped.
///
/// Load is counted in one place, the worker's [`Slots`]: a pool counts its leases with them, and
/// [`execute`](WorkerProfile::execute) counts with them where there is no pool.
#[async_trait]
pub trait WorkerProfile: Send + Sync + 'static {
    /// Which profile this is.
    fn kind(&self) -> ProfileKind;

    /// Calls that one of its workers runs at once.
    fn capacity(&self) -> NonZeroU32;

    /// Starts a worker. It returns as soon as the process exists; readiness and end arrive in `events`.
    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError>;

    /// Stops a worker: asks it to finish, sends SIGTERM in the middle of `grace`, kills its group at the end of it.
    async fn stop(&self, worker: &dyn Worker, grace: Duration) -> Exit {
        worker.drain();
        if let Ok(exit) = tokio::time::timeout(grace / 2, worker.exited()).await {
            return exit;
        }
        worker.terminate();
        if let Ok(exit) = tokio::time::timeout(grace / 2, worker.exited()).await {
            return exit;
        }
        worker.kill("it did not stop within its grace");
        worker.exited().await
    }

    /// Runs one call on one worker, without a pool: takes a slot, waits for the end, gives the slot back once the code
    /// has stopped. If the future is dropped the call is aborted, and its slot stays taken until it has ended.
    ///
    /// # Errors
    /// [`CallError::Busy`] where no slot is free, and whatever becomes of the call.
    async fn execute(&self, worker: &dyn Worker, slots: &Arc<Slots>, call: Call) -> Outcome {
        let permit = Slots::try_acquire(slots).ok_or(CallError::Busy {
            capacity: slots.capacity().get(),
        })?;
        let (answer, answered) = oneshot::channel();
        let waiter = Arc::new(Waiter(Mutex::new(Some((answer, permit)))));
        let request = call.request;
        let completion = Completion::new(request, waiter);
        if let Err((_, completion)) = worker.submit(call, completion) {
            completion.complete(Err(CallError::NotSent));
        }
        let mut abort = AbortOnDrop {
            worker,
            request,
            armed: true,
        };
        let outcome = answered
            .await
            .unwrap_or(Err(CallError::Aborted { started: true }));
        abort.armed = false;
        outcome
    }

    /// Calls that a worker runs now.
    fn load(&self, slots: &Slots) -> u32 {
        slots.load()
    }

    /// Whether a worker answers.
    async fn health(&self, worker: &dyn Worker, patience: Duration) -> Health {
        worker.health(patience).await
    }

    /// What a worker said of itself, once it is ready.
    fn metadata(&self, worker: &dyn Worker) -> Option<Arc<WorkerFacts>> {
        worker.facts()
    }
}

/// One call at a time per process, on Python's main thread.
pub struct ProcessProfile(Template);

/// `threads_per_worker` calls at a time per process, each on a thread.
pub struct ThreadProfile(Template);

/// What the workers of one pool have in common.
struct Template {
    settings: PoolSettings,
    kind: ProfileKind,
    python: Interpreter,
    bridge: Bridge,
    processors: NonZeroU32,
    launcher: Arc<dyn Launcher>,
}

/// The profile that `settings` ask for on this interpreter.
#[must_use]
pub fn profile_for(
    settings: &PoolSettings,
    python: Interpreter,
    bridge: Bridge,
    launcher: Arc<dyn Launcher>,
) -> Arc<dyn WorkerProfile> {
    match settings.worker_profile.on(python.facts.gil_enabled) {
        ProfileKind::Process => Arc::new(ProcessProfile::new(settings, python, bridge, launcher)),
        ProfileKind::Thread => Arc::new(ThreadProfile::new(settings, python, bridge, launcher)),
    }
}

// === impl ProcessProfile ===

impl ProcessProfile {
    /// The profile of one pool.
    #[must_use]
    pub fn new(
        settings: &PoolSettings,
        python: Interpreter,
        bridge: Bridge,
        launcher: Arc<dyn Launcher>,
    ) -> Self {
        Self(Template::new(
            settings,
            ProfileKind::Process,
            python,
            bridge,
            launcher,
        ))
    }
}

#[async_trait]
impl WorkerProfile for ProcessProfile {
    fn kind(&self) -> ProfileKind {
        ProfileKind::Process
    }

    fn capacity(&self) -> NonZeroU32 {
        self.0.slots()
    }

    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        self.0.start(worker, events).await
    }
}

// === impl ThreadProfile ===

impl ThreadProfile {
    /// The profile of one pool.
    #[must_use]
    pub fn new(
        settings: &PoolSettings,
        python: Interpreter,
        bridge: Bridge,
        launcher: Arc<dyn Launcher>,
    ) -> Self {
        Self(Template::new(
            settings,
            ProfileKind::Thread,
            python,
            bridge,
            launcher,
        ))
    }
}

#[async_trait]
impl WorkerProfile for ThreadProfile {
    fn kind(&self) -> ProfileKind {
        ProfileKind::Thread
    }

    fn capacity(&self) -> NonZeroU32 {
        self.0.slots()
    }

    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        self.0.start(worker, events).await
    }
}

// === impl Template ===

impl Template {
    fn new(
        settings: &PoolSettings,
        kind: ProfileKind,
        python: Interpreter,
        bridge: Bridge,
        launcher: Arc<dyn Launcher>,
    ) -> Self {
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

    fn slots(&self) -> NonZeroU32 {
        self.settings.slots(self.kind)
    }

    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        let worker = self.launcher.launch(self.spec(worker), events).await?;
        Ok(match self.settings.capacity_strategy {
            CapacityStrategy::Hybrid => Arc::new(CheckedWorker::new(worker, self.slots())),
            CapacityStrategy::Pool | CapacityStrategy::Profile => worker,
        })
    }

    fn spec(&self, id: WorkerId) -> LaunchSpec {
        let settings = &self.settings;
        LaunchSpec {
            worker: WorkerName {
                pool: settings.name.clone(),
                id,
            },
            kind: self.kind,
            slots: self.slots(),
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
        thread_caps(self.kind, self.slots(), self.processors)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.settings.adapter_env.clone())
            .collect()
    }
}

/// Waits for one call for [`WorkerProfile::execute`], and holds its slot until the code has stopped.
struct Waiter(Mutex<Option<(oneshot::Sender<Outcome>, SlotPermit)>>);

impl Completions for Waiter {
    fn completed(&self, _: RequestId, outcome: Outcome) {
        let waiting = self.0.lock().take();
        if let Some((answer, permit)) = waiting {
            // The slot is free before the caller hears of it, so that it can use it at once.
            drop(permit);
            // A caller that has gone wants no answer.
            let _ = answer.send(outcome);
        }
    }
}

struct AbortOnDrop<'a> {
    worker: &'a dyn Worker,
    request: RequestId,
    armed: bool,
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.worker.abort(self.request);
        }
    }
}

/// A worker of the `hybrid` capacity strategy: counts by itself what it has been given, and takes no more.
struct CheckedWorker {
    worker: Arc<dyn Worker>,
    slots: Arc<Slots>,
}

/// Frees the checked worker's slot, then passes the end on.
struct CheckedCompletion(Mutex<Option<(Completion, SlotPermit)>>);

// === impl CheckedWorker ===

impl CheckedWorker {
    fn new(worker: Arc<dyn Worker>, capacity: NonZeroU32) -> Self {
        Self {
            worker,
            slots: Arc::new(Slots::new(capacity)),
        }
    }
}

impl CheckedCompletion {
    fn take(&self) -> Option<(Completion, SlotPermit)> {
        self.0.lock().take()
    }
}

impl Completions for CheckedCompletion {
    fn completed(&self, _: RequestId, outcome: Outcome) {
        if let Some((completion, permit)) = self.take() {
            drop(permit);
            completion.complete(outcome);
        }
    }
}

#[async_trait]
impl Worker for CheckedWorker {
    fn name(&self) -> &WorkerName {
        self.worker.name()
    }

    fn pid(&self) -> u32 {
        self.worker.pid()
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        self.worker.facts()
    }

    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        let Some(permit) = Slots::try_acquire(&self.slots) else {
            tracing::error!(worker = %self.name(), "the pool gave this worker more calls than its profile allows");
            return Err((call, completion));
        };
        let request = completion.request();
        let checked = Arc::new(CheckedCompletion(Mutex::new(Some((completion, permit)))));
        self.worker
            .submit(call, Completion::new(request, Arc::clone(&checked) as _))
            .map_err(|(call, ours)| {
                // Taken back first, so that dropping our own completion reports nothing.
                let (completion, _permit) = checked.take().expect("a refused completion is still untold");
                drop(ours);
                (call, completion)
            })
    }

    fn abort(&self, request: RequestId) {
        self.worker.abort(request);
    }

    fn drain(&self) {
        self.worker.drain();
    }

    fn terminate(&self) {
        self.worker.terminate();
    }

    fn kill(&self, reason: &str) {
        self.worker.kill(reason);
    }

    async fn health(&self, patience: Duration) -> Health {
        self.worker.health(patience).await
    }

    async fn exited(&self) -> Exit {
        self.worker.exited().await
    }
}
