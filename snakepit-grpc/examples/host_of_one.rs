//! A host with one worker, for the test that kills it. It prints the pids of the worker and of the worker's child, and
//! then waits to be killed.
//!
//! Usage: `host_of_one PATH-OF-WORKER`

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use snakepit_grpc::host::Host;
use snakepit_profile::{
    Adapter, AdapterSource, Call, Completion, Completions, ExitReport, InheritEnv, LaunchSpec, Launcher,
    Limits, Outcome, PoolName, ProfileKind, RequestId, WorkerEvents, WorkerFacts, WorkerId, WorkerName,
};
use tokio::sync::mpsc;

struct Told(mpsc::Sender<Outcome>, mpsc::Sender<()>);

impl WorkerEvents for Told {
    fn ready(&self, _: &WorkerName, _: Arc<WorkerFacts>) {
        let _ = self.1.try_send(());
    }

    fn exited(&self, _: &WorkerName, report: ExitReport) {
        eprintln!("{report:?}");
    }
}

impl Completions for Told {
    fn completed(&self, _: RequestId, outcome: Outcome) {
        let _ = self.0.try_send(outcome);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let worker = std::env::args_os()
        .nth(1)
        .ok_or("usage: host_of_one PATH-OF-WORKER")?;
    let host = Host::bind()?;
    let (answer, mut answers) = mpsc::channel(1);
    let (ready, mut readies) = mpsc::channel(1);
    let told = Arc::new(Told(answer, ready));
    let spec = LaunchSpec {
        worker: WorkerName {
            pool: PoolName::new("one").ok_or("a pool's name")?,
            id: WorkerId {
                slot: 0,
                generation: 1,
            },
        },
        kind: ProfileKind::Process,
        slots: NonZeroU32::MIN,
        python: worker.into(),
        bridge: None,
        adapter: Adapter {
            source: AdapterSource::Module("none".to_owned()),
            class: None,
        },
        adapter_args: Vec::new(),
        inherit_env: InheritEnv::All,
        environment: std::collections::BTreeMap::new(),
        handshake_timeout: Duration::from_secs(10),
        limits: Limits {
            message_max: 1 << 20,
            depth_max: 16,
        },
        require_free_threading: false,
    };
    let worker = host.launch(spec, told.clone()).await?;
    readies.recv().await.ok_or("the worker is not ready")?;
    let call = Call {
        request: RequestId(1),
        tool: "spawn".into(),
        arguments: Bytes::new(),
        deadline: None,
        traceparent: None,
    };
    worker
        .submit(call, Completion::new(RequestId(1), told))
        .map_err(|_| "the worker takes no call")?;
    let reply = answers.recv().await.ok_or("no answer")??;
    let child = u32::from_be_bytes(reply.value.as_ref().try_into()?);
    println!("{} {child}", worker.pid());
    std::future::pending().await
}
