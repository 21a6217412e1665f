//! Workers without Python, behind the real wire.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use snakepit::pyenv::{Bridge, BridgeOrigin, Interpreter, InterpreterFacts, InterpreterOrigin, Version};
use snakepit::{Host, PoolSettings, ProfileKind, StartError};
use snakepit_profile::{PythonProfile, Worker, WorkerEvents, WorkerId, WorkerProfile};

/// Workers that are processes of `wire_worker`, which offers the tools of `adapters/conformance.py`. Everything between
/// a pool and a tool is as with Python, but for Python itself. The settings' adapter is not looked at.
pub struct WireProfile(PythonProfile);

impl WireProfile {
    /// The profile that `settings` ask for, like one of free-threaded Python. `program` is the worker: what
    /// `env!("CARGO_BIN_EXE_wire_worker")` names in a test.
    pub fn new(program: impl Into<PathBuf>, settings: &PoolSettings, host: &Arc<Host>) -> Self {
        let program = program.into();
        let interpreter = Interpreter {
            facts: InterpreterFacts {
                version: Version {
                    major: 3,
                    minor: 13,
                    micro: 0,
                },
                implementation: "none".to_owned(),
                free_threaded: true,
                gil_enabled: false,
                executable: program.clone(),
                prefix: PathBuf::new(),
                extension_suffix: String::new(),
                installed_bridge: None,
            },
            path: program,
            origin: InterpreterOrigin::Explicit("the tests".to_owned()),
        };
        let bridge = Bridge {
            path: None,
            origin: BridgeOrigin::Installed,
        };
        Self(PythonProfile::new(
            settings,
            interpreter,
            bridge,
            Arc::clone(host) as _,
        ))
    }
}

#[async_trait]
impl WorkerProfile for WireProfile {
    fn kind(&self) -> ProfileKind {
        self.0.kind()
    }

    fn capacity(&self) -> NonZeroU32 {
        self.0.capacity()
    }

    async fn start(
        &self,
        worker: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        self.0.start(worker, events).await
    }
}
