//! The kinds of worker.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use snakepit::pyenv::{Silent, bridge_for};
use snakepit::{CallError, Exit, Host, PoolConfig, PoolSettings, ProfileKind, PythonError, Settings, Tool};
use snakepit_grpc::values::{self, Limits};
use snakepit_pool::sim::{Behaviour, Record, Script, SimProfile, SimWorker, Start};
use snakepit_pool::{Pools, PoolsOptions};
use snakepit_profile::{Call, PythonProfile, Worker as _, WorkerProfile};
use snakepit_tests::{PATIENCE, Python, Wanted, WireProfile, adapter};

use crate::stage::{Actors, Stage};

/// Calls that a worker of the thread profile runs at once.
const THREADS: u32 = 2;

/// A kind of worker.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// Workers that exist only in this process, each with [`THREADS`] slots.
    Simulated,
    /// Processes without Python, over the real wire.
    Wire,
    /// Python, in either profile.
    Python(Box<Python>, ProfileKind),
}

/// The arguments of all tools together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Arguments {
    value: Value,
    ms: u32,
    message: String,
    code: i32,
}

// === impl Subject ===

impl Subject {
    /// Processes of the Python that is found by default, or `None` after the test was told to be skipped.
    pub(crate) fn processes() -> Option<Self> {
        let python = Python::find(Wanted::Default)?;
        Some(Self::Python(Box::new(python), ProfileKind::Process))
    }

    /// As [`Subject::processes`], with threads of a Python without a GIL.
    pub(crate) fn threads() -> Option<Self> {
        let python = Python::find(Wanted::V3_13t)?;
        Some(Self::Python(Box::new(python), ProfileKind::Thread))
    }

    /// One pool, named `p`, as `change` wants it. All its workers are ready.
    pub(crate) async fn start(&self, change: impl FnOnce(PoolConfig) -> PoolConfig) -> Stage {
        self.start_all([change(self.pool("p"))]).await
    }

    /// These pools, all workers of which are ready.
    pub(crate) async fn start_all(&self, pools: impl IntoIterator<Item = PoolConfig>) -> Stage {
        let builder = pools
            .into_iter()
            .fold(Settings::builder().env(false), snakepit::ConfigBuilder::pool);
        let settings = builder.build().expect("valid settings").pools;
        let actors = self.actors(&settings).await;
        let profiles = settings.into_iter().zip(actors.profiles()).collect();
        // The same seed, so that the same scenario has the same jitter.
        let options = PoolsOptions {
            seed: 1,
            ..PoolsOptions::default()
        };
        let pools = Pools::start_with(profiles, options);
        pools.await_ready(PATIENCE).await.expect("every pool is ready");
        pools.await_started(PATIENCE).await.expect("every worker starts");
        Stage::new(pools, actors, self.slots())
    }

    /// What every pool of this kind is configured with.
    pub(crate) fn pool(&self, name: &str) -> PoolConfig {
        let pool = PoolConfig::new(name)
            .adapter(adapter("conformance.py"))
            .recycle_jitter(0)
            .queue_timeout(PATIENCE)
            .call_timeout(PATIENCE);
        let pool = match self {
            Self::Python(python, _) => pool.python(&python.interpreter.path),
            Self::Simulated | Self::Wire => pool,
        };
        match self.profile() {
            ProfileKind::Process => pool.worker_profile(ProfileKind::Process),
            ProfileKind::Thread => pool
                .worker_profile(ProfileKind::Thread)
                .threads_per_worker(THREADS),
        }
    }

    fn profile(&self) -> ProfileKind {
        match self {
            Self::Simulated => ProfileKind::Thread,
            Self::Wire => ProfileKind::Process,
            Self::Python(_, profile) => *profile,
        }
    }

    fn slots(&self) -> u32 {
        match self.profile() {
            ProfileKind::Process => 1,
            ProfileKind::Thread => THREADS,
        }
    }

    async fn actors(&self, settings: &[PoolSettings]) -> Actors {
        if let Self::Simulated = self {
            return Actors::Simulated(settings.iter().map(simulated).collect());
        }
        let host = Host::bind().expect("a host");
        let mut profiles = Vec::new();
        for settings in settings {
            profiles.push(self.processes_of(settings, &host).await);
        }
        Actors::Processes(profiles, host)
    }

    async fn processes_of(&self, settings: &PoolSettings, host: &Arc<Host>) -> Arc<dyn WorkerProfile> {
        let Self::Python(python, _) = self else {
            let program = env!("CARGO_BIN_EXE_wire_worker");
            return Arc::new(WireProfile::new(program, settings, host));
        };
        let interpreter = python.interpreter.clone();
        let looked_at = interpreter.clone();
        let bridge = tokio::task::spawn_blocking(move || bridge_for(&looked_at, None, &Silent))
            .await
            .expect("it is looked for")
            .expect("there is a bridge");
        let launcher = Arc::clone(host) as _;
        Arc::new(PythonProfile::new(settings, interpreter, bridge, launcher))
    }
}

/// Simulated workers that offer the tools of `adapters/conformance.py`.
fn simulated(settings: &PoolSettings) -> Arc<SimProfile> {
    let capacity = NonZeroU32::new(THREADS).expect("a worker has a slot");
    let idempotent = Tool {
        name: "echo_idempotent".to_owned(),
        idempotent: true,
        ..Tool::default()
    };
    let script = Script::new(|_| Start::Ready)
        .tools(vec![idempotent])
        .calls(behaviour);
    let record = Arc::new(Record::silent());
    Arc::new(SimProfile::new(settings.name.clone(), capacity, script, record))
}

fn behaviour(worker: &SimWorker, call: &Call) -> Behaviour {
    let limits = Limits::default();
    let Arguments {
        value,
        ms,
        message,
        code,
    } = values::decode(&call.arguments, &limits).expect("the suite's own arguments");
    let time = Duration::from_millis(ms.into());
    match &*call.tool {
        "echo" | "echo_idempotent" => returns(&value),
        "pid" => returns(&worker.pid()),
        "whoami" => {
            returns(&json!({"pid": worker.pid(), "worker": worker.name().to_string(), "thread": "simulated"}))
        }
        "sleep" => Behaviour::Wait(time),
        "busy" => Behaviour::Busy(time),
        "hold" => Behaviour::Hold,
        "die" => Behaviour::Die(Exit::Code(code)),
        "raise_error" => Behaviour::Fail(CallError::Raised(Box::new(PythonError {
            type_name: "ValueError".to_owned(),
            module: "builtins".to_owned(),
            message,
            ..PythonError::default()
        }))),
        _ => Behaviour::Fail(CallError::UnknownTool {
            tool: Arc::clone(&call.tool),
            available: Vec::new(),
        }),
    }
}

fn returns(value: &impl Serialize) -> Behaviour {
    Behaviour::Return(values::encode(value, &Limits::default()).expect("it can be sent"))
}
