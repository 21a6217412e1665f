//! A host, workers written in Rust, and somebody who writes down what becomes of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use snakepit_grpc::host::Host;
use snakepit_profile::{
    Adapter, AdapterSource, Call, Completion, Completions, ExitReport, InheritEnv, LaunchSpec, Launcher,
    Limits, Outcome, PoolName, ProfileKind, RequestId, Worker, WorkerEvents, WorkerFacts, WorkerId,
    WorkerName,
};
use tokio::sync::mpsc;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An example program of this crate, next to the test program.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "build it first: cargo build -p snakepit-grpc --example {name}"
    );
    path
}

pub(crate) fn spec(mode: &str, slots: u32) -> LaunchSpec {
    LaunchSpec {
        worker: WorkerName {
            pool: PoolName::new("test").unwrap(),
            id: WorkerId {
                slot: 0,
                generation: 1,
            },
        },
        kind: if slots == 1 {
            ProfileKind::Process
        } else {
            ProfileKind::Thread
        },
        slots: NonZeroU32::new(slots).unwrap(),
        python: example("echo_worker"),
        bridge: None,
        adapter: Adapter {
            source: AdapterSource::Module("none".to_owned()),
            class: None,
        },
        adapter_args: vec![mode.to_owned()],
        inherit_env: InheritEnv::All,
        environment: std::collections::BTreeMap::new(),
        handshake_timeout: Duration::from_secs(10),
        limits: Limits {
            message_max: 1 << 16,
            depth_max: 16,
        },
        require_free_threading: false,
    }
}

/// What was told of one worker, in order.
pub(crate) enum Told {
    Ready(Arc<WorkerFacts>),
    Completed(u64, Outcome),
    Exited(ExitReport),
}

struct Teller(Mutex<mpsc::Sender<Told>>);

impl Teller {
    fn tell(&self, told: Told) {
        self.0
            .lock()
            .unwrap()
            .try_send(told)
            .expect("the test reads what it is told");
    }
}

impl WorkerEvents for Teller {
    fn ready(&self, _: &WorkerName, facts: Arc<WorkerFacts>) {
        self.tell(Told::Ready(facts));
    }

    fn exited(&self, _: &WorkerName, report: ExitReport) {
        self.tell(Told::Exited(report));
    }
}

impl Completions for Teller {
    fn completed(&self, request: RequestId, outcome: Outcome) {
        self.tell(Told::Completed(request.0, outcome));
    }
}

/// A worker and what is told of it.
pub(crate) struct Subject {
    pub(crate) worker: Arc<dyn Worker>,
    teller: Arc<Teller>,
    told: mpsc::Receiver<Told>,
}

impl Subject {
    pub(crate) async fn start(host: &Arc<Host>, spec: LaunchSpec) -> Self {
        let (sender, told) = mpsc::channel(64);
        let teller = Arc::new(Teller(Mutex::new(sender)));
        let worker = host
            .launch(spec, teller.clone())
            .await
            .expect("the process can be created");
        Self { worker, teller, told }
    }

    /// Started and ready.
    pub(crate) async fn ready(host: &Arc<Host>, spec: LaunchSpec) -> Self {
        let mut subject = Self::start(host, spec).await;
        subject.until_ready().await;
        subject
    }

    pub(crate) async fn until_ready(&mut self) -> Arc<WorkerFacts> {
        match self.next().await {
            Told::Ready(facts) => facts,
            Told::Completed(..) => panic!("completed before it was ready"),
            Told::Exited(report) => panic!("exited before it was ready: {report:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> Told {
        tokio::time::timeout(PATIENCE, self.told.recv())
            .await
            .expect("something is told")
            .expect("the host lives")
    }

    pub(crate) fn submit(&self, request: u64, tool: &str, arguments: impl Into<Bytes>) {
        assert!(
            self.try_submit(request, tool, arguments),
            "the worker takes calls"
        );
    }

    pub(crate) fn try_submit(&self, request: u64, tool: &str, arguments: impl Into<Bytes>) -> bool {
        let call = Call {
            request: RequestId(request),
            tool: tool.into(),
            arguments: arguments.into(),
            deadline: None,
            traceparent: None,
        };
        let given_back = self
            .worker
            .submit(call, Completion::new(RequestId(request), self.teller.clone()));
        match given_back {
            Ok(()) => true,
            Err((_, completion)) => {
                // Dropping it would report an end.
                std::mem::forget(completion);
                false
            }
        }
    }

    pub(crate) async fn completed(&mut self) -> (u64, Outcome) {
        match self.next().await {
            Told::Completed(request, outcome) => (request, outcome),
            Told::Ready(_) => panic!("ready twice"),
            Told::Exited(report) => panic!("exited: {report:?}"),
        }
    }

    pub(crate) async fn call(&mut self, request: u64, tool: &str, arguments: impl Into<Bytes>) -> Outcome {
        self.submit(request, tool, arguments);
        let (completed, outcome) = self.completed().await;
        assert_eq!(completed, request);
        outcome
    }

    /// Its end, which is the last thing told.
    pub(crate) async fn exited(&mut self) -> ExitReport {
        let report = match self.next().await {
            Told::Exited(report) => report,
            Told::Ready(_) => panic!("ready, but it should have ended"),
            Told::Completed(request, outcome) => panic!("request {request} ended with {outcome:?}"),
        };
        assert_eq!(self.worker.exited().await, report.exit);
        assert!(self.told.try_recv().is_err(), "nothing comes after the end");
        report
    }

    /// Kills it and waits for its end.
    pub(crate) async fn killed(&mut self) -> ExitReport {
        self.worker.kill("the test is over");
        self.exited().await
    }
}

/// Whether a process that is no child of this one is gone within `patience`.
pub(crate) fn is_gone(pid: u32, patience: Duration) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return true;
    };
    let patience = Timespec::try_from(patience).unwrap();
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience)).unwrap() == 1
}

pub(crate) fn number(bytes: &Bytes) -> u32 {
    u32::from_be_bytes(bytes.as_ref().try_into().unwrap())
}
