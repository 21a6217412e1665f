//! What the profiles ask of a launcher, and one call on one worker without a pool.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use snakepit_config::{CapacityStrategy, PoolConfig, PoolSettings, Settings, WorkerProfileChoice};
use snakepit_profile::{
    Call, CallError, Completion, Exit, ExitReport, Health, LaunchSpec, Launcher, ProfileKind, PythonProfile,
    Reply, RequestId, Slots, StartError, Tool, Worker, WorkerEvents, WorkerFacts, WorkerId, WorkerName,
    WorkerProfile,
};
use snakepit_pyenv::{Bridge, BridgeOrigin, Interpreter, InterpreterFacts, InterpreterOrigin, Version};
use tokio::sync::watch;

/// Keeps what it was asked to launch.
#[derive(Default)]
struct Recorder {
    specs: Mutex<Vec<LaunchSpec>>,
}

/// Holds every call until the test ends it.
struct HeldWorker {
    name: WorkerName,
    calls: Mutex<BTreeMap<RequestId, Completion>>,
    aborted: Mutex<Vec<RequestId>>,
    asked: Mutex<Vec<&'static str>>,
    /// Which request makes it exit.
    exits_on: &'static str,
    exit: watch::Sender<Option<Exit>>,
}

struct NoEvents;

impl WorkerEvents for NoEvents {
    fn ready(&self, _: &WorkerName, _: Arc<WorkerFacts>) {}
    fn exited(&self, _: &WorkerName, _: ExitReport) {}
}

#[async_trait]
impl Launcher for Recorder {
    async fn launch(
        &self,
        spec: LaunchSpec,
        _: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        let worker = HeldWorker::new(spec.worker.clone(), "drain");
        self.specs.lock().push(spec);
        Ok(worker)
    }
}

impl HeldWorker {
    fn new(name: WorkerName, exits_on: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            calls: Mutex::default(),
            aborted: Mutex::default(),
            asked: Mutex::default(),
            exits_on,
            exit: watch::Sender::new(None),
        })
    }

    fn asked(&self, what: &'static str) {
        self.asked.lock().push(what);
        if what == self.exits_on {
            self.exit.send_replace(Some(if what == "drain" {
                Exit::Code(0)
            } else {
                Exit::Signal(9)
            }));
        }
    }

    fn finish(&self, request: u64) {
        let completion = self
            .calls
            .lock()
            .remove(&RequestId(request))
            .expect("a call that runs");
        completion.complete(Ok(reply()));
    }
}

#[async_trait]
impl Worker for HeldWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn pid(&self) -> u32 {
        1
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        None
    }

    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        if self.exit.borrow().is_some() {
            return Err((call, completion));
        }
        self.calls.lock().insert(call.request, completion);
        Ok(())
    }

    fn abort(&self, request: RequestId) {
        self.aborted.lock().push(request);
    }

    fn drain(&self) {
        self.asked("drain");
    }

    fn terminate(&self) {
        self.asked("terminate");
    }

    fn kill(&self, _: &str) {
        self.asked("kill");
    }

    async fn health(&self, _: Duration) -> Health {
        Health::Alive(Duration::ZERO)
    }

    async fn memory(&self) -> Option<u64> {
        None
    }

    async fn exited(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        let exit = exit
            .wait_for(Option::is_some)
            .await
            .expect("the sender lives as long as this");
        exit.expect("waited for")
    }
}

fn reply() -> Reply {
    Reply {
        value: Bytes::from_static(&[0xc0]),
        run_time: Duration::ZERO,
        gil_enabled: true,
    }
}

fn call(request: u64) -> Call {
    Call {
        request: RequestId(request),
        tool: "t".into(),
        arguments: Bytes::from_static(&[0x80]),
        deadline: None,
        traceparent: None,
    }
}

fn settings(pool: PoolConfig) -> PoolSettings {
    Settings::builder()
        .env(false)
        .pool(pool.adapter("some.module"))
        .build()
        .expect("valid")
        .pools
        .remove(0)
}

fn python(gil_enabled: bool) -> Interpreter {
    Interpreter {
        path: PathBuf::from("/usr/bin/python3"),
        origin: InterpreterOrigin::SearchPath("python3"),
        facts: InterpreterFacts {
            version: Version {
                major: 3,
                minor: 13,
                micro: 0,
            },
            implementation: "cpython".to_owned(),
            free_threaded: !gil_enabled,
            gil_enabled,
            executable: PathBuf::from("/usr/bin/python3"),
            prefix: PathBuf::from("/usr"),
            extension_suffix: ".so".to_owned(),
            installed_bridge: None,
        },
    }
}

fn bridge() -> Bridge {
    Bridge {
        path: Some(PathBuf::from("/bridge")),
        origin: BridgeOrigin::Given,
    }
}

fn slots(capacity: u32) -> Arc<Slots> {
    Arc::new(Slots::new(NonZeroU32::new(capacity).expect("not zero")))
}

async fn launched(
    pool: PoolConfig,
    gil_enabled: bool,
) -> (Arc<dyn WorkerProfile>, LaunchSpec, Arc<dyn Worker>) {
    let recorder = Arc::new(Recorder::default());
    let profile: Arc<dyn WorkerProfile> = Arc::new(PythonProfile::new(
        &settings(pool),
        python(gil_enabled),
        bridge(),
        Arc::clone(&recorder) as _,
    ));
    let worker = profile
        .start(
            WorkerId {
                slot: 3,
                generation: 2,
            },
            Arc::new(NoEvents),
        )
        .await
        .expect("it starts");
    let spec = recorder.specs.lock().remove(0);
    (profile, spec, worker)
}

#[tokio::test]
async fn a_process_worker_has_one_slot_and_one_thread_for_every_library() {
    let (profile, spec, _) = launched(PoolConfig::new("p").adapter_env("MKL_NUM_THREADS", "5"), true).await;
    assert_eq!(
        (profile.kind(), profile.capacity().get()),
        (ProfileKind::Process, 1)
    );
    assert_eq!((spec.kind, spec.slots.get()), (ProfileKind::Process, 1));
    assert_eq!(spec.worker.to_string(), "p/3#2");
    assert_eq!(spec.environment["OMP_NUM_THREADS"], "1");
    assert_eq!(
        spec.environment["MKL_NUM_THREADS"], "5",
        "the user's own value wins"
    );
}

#[tokio::test]
async fn a_thread_worker_has_a_slot_for_every_thread() {
    let pool = PoolConfig::new("t")
        .worker_profile(ProfileKind::Thread)
        .threads_per_worker(8);
    let (profile, spec, _) = launched(pool, false).await;
    assert_eq!(
        (profile.kind(), profile.capacity().get()),
        (ProfileKind::Thread, 8)
    );
    assert_eq!((spec.kind, spec.slots.get()), (ProfileKind::Thread, 8));
}

#[tokio::test]
async fn the_profile_strategy_gives_a_thread_worker_one_slot() {
    let pool = PoolConfig::new("t")
        .worker_profile(ProfileKind::Thread)
        .threads_per_worker(8)
        .capacity_strategy(CapacityStrategy::Profile);
    let (profile, spec, _) = launched(pool, false).await;
    assert_eq!((profile.capacity().get(), spec.slots.get()), (1, 1));
}

#[tokio::test]
async fn auto_follows_the_gil_that_is_on_now() {
    for (gil_enabled, kind) in [(true, ProfileKind::Process), (false, ProfileKind::Thread)] {
        let (profile, ..) = launched(
            PoolConfig::new("a").worker_profile(WorkerProfileChoice::Auto),
            gil_enabled,
        )
        .await;
        assert_eq!(profile.kind(), kind);
    }
}

#[tokio::test]
async fn the_hybrid_strategy_refuses_what_a_pool_should_not_have_sent() {
    let pool = PoolConfig::new("t")
        .worker_profile(ProfileKind::Thread)
        .threads_per_worker(2)
        .capacity_strategy(CapacityStrategy::Hybrid);
    let (profile, _, worker) = launched(pool, false).await;
    // A counter that is wrong, as a pool's would be: it allows three.
    let wrong = slots(3);
    let executed = |request| profile.execute(&*worker, &wrong, call(request));
    let (first, second, third) = (executed(1), executed(2), executed(3));
    tokio::pin!(first, second);
    assert!(futures_are_pending(&mut first, &mut second).await);
    assert_eq!(third.await, Err(CallError::NotSent));
    assert_eq!(wrong.load(), 2, "the refused call gave its slot back");
}

/// Polls both once.
async fn futures_are_pending<A: Future + Unpin, B: Future + Unpin>(a: &mut A, b: &mut B) -> bool {
    std::future::poll_fn(|context| {
        let pending = [
            std::pin::Pin::new(&mut *a).poll(context).is_pending(),
            std::pin::Pin::new(&mut *b).poll(context).is_pending(),
        ];
        std::task::Poll::Ready(pending == [true, true])
    })
    .await
}

#[tokio::test]
async fn execute_takes_a_slot_answers_and_gives_it_back() {
    let (profile, ..) = launched(PoolConfig::new("p"), true).await;
    let worker = HeldWorker::new(name(), "drain");
    let slots = slots(1);

    let running = profile.execute(&*worker, &slots, call(1));
    tokio::pin!(running);
    assert!(futures_are_pending(&mut running, &mut std::future::pending::<()>()).await);
    assert_eq!(profile.load(&slots), 1);
    assert_eq!(
        profile.execute(&*worker, &slots, call(2)).await,
        Err(CallError::Busy { capacity: 1 })
    );

    worker.finish(1);
    assert_eq!(slots.load(), 0, "free before the caller hears of it");
    assert_eq!(running.await, Ok(reply()));
}

#[tokio::test]
async fn a_dropped_execute_aborts_and_keeps_the_slot_until_the_code_has_stopped() {
    let (profile, ..) = launched(PoolConfig::new("p"), true).await;
    let worker = HeldWorker::new(name(), "drain");
    let slots = slots(1);
    {
        let running = profile.execute(&*worker, &slots, call(7));
        tokio::pin!(running);
        assert!(futures_are_pending(&mut running, &mut std::future::pending::<()>()).await);
    }
    assert_eq!(*worker.aborted.lock(), [RequestId(7)]);
    assert_eq!(slots.load(), 1);
    worker.finish(7);
    assert_eq!(slots.load(), 0);
}

#[tokio::test]
async fn a_call_to_a_worker_that_is_gone_is_not_sent() {
    let (profile, ..) = launched(PoolConfig::new("p"), true).await;
    let worker = HeldWorker::new(name(), "drain");
    worker.drain();
    let slots = slots(1);
    assert_eq!(
        profile.execute(&*worker, &slots, call(1)).await,
        Err(CallError::NotSent)
    );
    assert_eq!(slots.load(), 0);
}

#[tokio::test(start_paused = true)]
async fn stop_asks_then_terminates_then_kills_within_its_grace() {
    let (profile, ..) = launched(PoolConfig::new("p"), true).await;
    let grace = Duration::from_secs(6);
    for (exits_on, asked, after) in [
        ("drain", &["drain"][..], 0),
        ("terminate", &["drain", "terminate"], 3),
        ("kill", &["drain", "terminate", "kill"], 6),
    ] {
        let worker = HeldWorker::new(name(), exits_on);
        let started = tokio::time::Instant::now();
        profile.stop(&*worker, grace).await;
        assert_eq!(*worker.asked.lock(), asked);
        assert_eq!(started.elapsed().as_secs(), after, "{exits_on}");
    }
}

#[tokio::test]
async fn a_worker_is_accepted_by_what_it_says_of_itself() {
    let pool = |required| {
        PoolConfig::new("t")
            .worker_profile(ProfileKind::Thread)
            .threads_per_worker(2)
            .require_free_threading(required)
    };
    let tools = vec![Tool {
        name: "t".to_owned(),
        ..Tool::default()
    }];
    let with_gil = WorkerFacts {
        gil_enabled: true,
        gil_enabled_by: Some("old".to_owned()),
        tools,
        ..WorkerFacts::default()
    };

    let (_, spec, _) = launched(pool(false), true).await;
    assert!(spec.accept(&with_gil).is_ok(), "a warning is all");
    assert!(matches!(
        spec.accept(&WorkerFacts::default()),
        Err(StartError::NoTools { .. })
    ));

    let (_, spec, _) = launched(pool(true), true).await;
    let error = spec.accept(&with_gil).expect_err("it must be off");
    assert!(error.is_permanent());
    assert_eq!(
        error.to_string(),
        "the GIL of /usr/bin/python3 is on: importing `old` turned it on"
    );
    assert!(
        spec.accept(&WorkerFacts {
            gil_enabled: false,
            ..with_gil
        })
        .is_ok()
    );
}

fn name() -> WorkerName {
    WorkerName {
        pool: settings(PoolConfig::new("p")).name,
        id: WorkerId {
            slot: 0,
            generation: 1,
        },
    }
}
