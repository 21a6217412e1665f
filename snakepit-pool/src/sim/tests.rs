//! What simulated workers promise whoever drives them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use snakepit_config::PoolName;
use snakepit_profile::{
    Call, Completion, Completions, Exit, ExitReport, Health, Outcome, RequestId, Worker as _, WorkerEvents,
    WorkerFacts, WorkerId, WorkerName, WorkerProfile as _,
};
use tokio::task::yield_now;

use super::{Misuse, Record, Script, SimProfile, SimWorker, Start};
use crate::clock::TokioClock;

const SECOND: Duration = Duration::from_secs(1);

/// One worker, and whoever listens to it.
struct Stage {
    profile: SimProfile,
    worker: Arc<SimWorker>,
    heard: Arc<Heard>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// What was reported, in order.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Completions for Heard {
    fn completed(&self, request: RequestId, outcome: Outcome) {
        let how = match outcome {
            Ok(reply) => format!("{} bytes", reply.value.len()),
            Err(error) => error.code().to_owned(),
        };
        self.0.lock().push(format!("{request}: {how}"));
    }
}

impl WorkerEvents for Heard {
    fn ready(&self, worker: &WorkerName, _: Arc<WorkerFacts>) {
        self.0.lock().push(format!("{worker} ready"));
    }

    fn exited(&self, worker: &WorkerName, report: ExitReport) {
        self.0.lock().push(format!("{worker} {}", report.exit));
    }
}

impl Stage {
    /// A worker of two slots.
    async fn new(start: Start) -> Self {
        let (heard, lines) = (Arc::<Heard>::default(), Arc::<Mutex<Vec<String>>>::default());
        let written = Arc::clone(&lines);
        let record = Record::new(Arc::new(TokioClock::new()), move |line| {
            written.lock().push(line.to_owned());
        });
        let pool = PoolName::new("p").expect("a name");
        let capacity = NonZeroU32::new(2).expect("two");
        let script = Script::new(move |_| start.clone());
        let profile = SimProfile::new(pool, capacity, script, Arc::new(record));
        let id = WorkerId {
            slot: 0,
            generation: 1,
        };
        profile
            .start(id, Arc::clone(&heard) as _)
            .await
            .expect("it starts");
        let worker = profile.worker(0);
        Self {
            profile,
            worker,
            heard,
            lines,
        }
    }

    async fn ready() -> Self {
        let stage = Self::new(Start::ReadyEarly).await;
        stage.heard.0.lock().clear();
        stage
    }

    /// Whether the worker took it.
    fn call(&self, request: u64, tool: &str) -> bool {
        let request = RequestId(request);
        let call = Call {
            request,
            tool: tool.into(),
            arguments: Bytes::from_static(b"abc"),
            deadline: None,
            traceparent: None,
        };
        let completion = Completion::new(request, Arc::clone(&self.heard) as _);
        self.worker.submit(call, completion).is_ok()
    }

    /// What was reported since it was last asked, once nothing but a timer is left to do.
    async fn hears(&self) -> Vec<String> {
        for _ in 0..100 {
            yield_now().await;
        }
        std::mem::take(&mut *self.heard.0.lock())
    }

    fn misuses(&self) -> Vec<Misuse> {
        let violations = self.profile.record().violations();
        violations.into_iter().map(|violation| violation.misuse).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_is_ready_or_over_before_the_launch_returns_or_later_as_the_script_says() {
    let early = Stage::new(Start::ReadyEarly).await;
    assert_eq!(*early.heard.0.lock(), ["p/0#1 ready"]);
    let over = Stage::new(Start::ExitEarly(Exit::Code(4))).await;
    assert_eq!(*over.heard.0.lock(), ["p/0#1 exit code 4"]);

    let at_once = Stage::new(Start::Ready).await;
    assert!(
        at_once.heard.0.lock().is_empty(),
        "not before the launch returned"
    );
    assert_eq!(at_once.hears().await, ["p/0#1 ready"]);

    let slow = Stage::new(Start::ReadyAfter(SECOND)).await;
    assert!(slow.hears().await.is_empty());
    tokio::time::sleep(SECOND).await;
    assert_eq!(slow.hears().await, ["p/0#1 ready"]);
    assert!(slow.worker.facts().is_some());

    let broken = Stage::new(Start::Exit(SECOND, Exit::Code(3))).await;
    assert!(broken.hears().await.is_empty());
    assert_eq!(broken.worker.exited().await, Exit::Code(3));
}

#[tokio::test(start_paused = true)]
async fn calls_end_as_the_names_of_their_tools_say() {
    let stage = Stage::ready().await;
    for (request, tool, heard) in [
        (1, "echo", "request 1: 3 bytes"),
        (2, "raise", "request 2: SP0310"),
        (3, "leak:2", "request 3: 0 bytes"),
        (4, "unheard", "request 4: SP0311"),
        (5, "wait:soon", "request 5: SP0311"),
    ] {
        assert!(stage.call(request, tool));
        assert_eq!(stage.hears().await, [heard]);
    }
    assert_eq!(stage.worker.memory().await, Some(2 << 20));
    assert!(stage.call(6, "wait:1000") && stage.call(7, "hold"));
    tokio::time::sleep(SECOND).await;
    assert_eq!(stage.hears().await, ["request 6: 0 bytes"]);
    assert!(stage.call(8, "die:3"));
    assert_eq!(
        stage.hears().await,
        ["request 7: SP0318", "request 8: SP0318", "p/0#1 exit code 3"]
    );
    assert_eq!(stage.worker.memory().await, None);
    assert!(!stage.call(9, "echo"), "it is gone");
    assert_eq!(stage.misuses(), []);
}

#[tokio::test(start_paused = true)]
async fn an_abort_acts_after_its_dispatch_and_some_code_does_not_heed_it() {
    let stage = Stage::ready().await;
    assert!(stage.call(1, "hold") && stage.call(2, "stuck"));
    stage.worker.abort(RequestId(1));
    stage.worker.abort(RequestId(2));
    assert_eq!(stage.hears().await, ["request 1: SP0315"]);
    stage.worker.finish("stuck");
    assert_eq!(stage.hears().await, ["request 2: 0 bytes"]);
    stage.worker.abort(RequestId(2));

    assert!(stage.call(3, "busy:1000"));
    stage.worker.abort(RequestId(3));
    assert!(stage.hears().await.is_empty());
    tokio::time::sleep(SECOND).await;
    assert_eq!(stage.hears().await, ["request 3: 0 bytes"]);
    assert_eq!(stage.misuses(), []);
}

#[tokio::test(start_paused = true)]
async fn a_late_call_ends_after_its_workers_end_was_reported() {
    let stage = Stage::ready().await;
    assert!(stage.call(1, "late") && stage.call(2, "hold"));
    stage.worker.kill("of a test");
    assert_eq!(
        stage.hears().await,
        ["request 2: SP0318", "p/0#1 signal 9 (SIGKILL)"]
    );
    tokio::time::sleep(SECOND).await;
    assert_eq!(stage.hears().await, ["request 1: 0 bytes"]);

    let stage = Stage::ready().await;
    assert!(stage.call(1, "hold"));
    stage.worker.die_before_its_calls(Exit::Code(3));
    assert_eq!(stage.hears().await, ["p/0#1 exit code 3"]);
    tokio::time::sleep(SECOND).await;
    assert_eq!(stage.hears().await, ["request 1: SP0318"]);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_worker_does_nothing_until_it_is_thawed_or_killed() {
    let stage = Stage::ready().await;
    stage.worker.freeze();
    assert!(stage.call(1, "echo") && stage.call(2, "hold"));
    stage.worker.abort(RequestId(2));
    stage.worker.drain();
    assert_eq!(stage.worker.health(SECOND).await, Health::Silent);
    assert!(stage.hears().await.is_empty());
    assert_eq!(stage.worker.memory().await, Some(0), "it still has its memory");
    stage.worker.thaw();
    assert_eq!(
        stage.hears().await,
        ["request 1: 3 bytes", "request 2: SP0315", "p/0#1 exit code 0"]
    );
    assert_eq!(stage.worker.health(SECOND).await, Health::Gone);

    let stage = Stage::ready().await;
    stage.worker.freeze();
    let (health, ()) = tokio::join!(stage.worker.health(SECOND), async { stage.worker.thaw() });
    assert_eq!(health, Health::Alive(Duration::ZERO));
    stage.worker.freeze();
    stage.worker.terminate();
    assert!(stage.hears().await.is_empty());
    stage.worker.kill("of a test");
    assert_eq!(stage.hears().await, ["p/0#1 signal 9 (SIGKILL)"]);
}

#[tokio::test(start_paused = true)]
async fn a_stubborn_worker_ends_only_by_a_kill_and_a_severed_one_takes_nothing() {
    let stage = Stage::ready().await;
    stage.worker.sever();
    assert!(!stage.call(1, "echo"));
    assert_eq!(
        stage.hears().await,
        ["request 1: SP0315"],
        "its completion came back, and was dropped"
    );
    stage.worker.abort(RequestId(1));
    stage.worker.be_stubborn();
    stage.worker.drain();
    stage.worker.terminate();
    assert!(stage.hears().await.is_empty());
    stage.worker.kill("of a test");
    assert_eq!(stage.worker.exited().await, Exit::Signal(9));
    assert_eq!(stage.worker.killed_because().as_deref(), Some("of a test"));
    assert_eq!(
        stage.misuses(),
        [],
        "it was given request 1, whether it took it or not"
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_must_never_be_done_to_a_worker_is_a_violation() {
    let early = Stage::new(Start::Hang).await;
    early.call(1, "hold");
    assert_eq!(early.misuses(), [Misuse::Early]);

    let stage = Stage::ready().await;
    stage.worker.abort(RequestId(7));
    stage.call(1, "hold");
    assert!(!stage.call(1, "hold"), "it has that one");
    stage.call(2, "hold");
    stage.call(3, "hold");
    stage.worker.drain();
    stage.call(4, "hold");
    assert_eq!(
        stage.misuses(),
        [
            Misuse::StrayAbort,
            Misuse::Repeated,
            Misuse::OverCapacity,
            Misuse::OverCapacity,
            Misuse::AfterStop
        ]
    );
    assert_eq!(stage.worker.most(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_same_events_give_the_same_record_byte_for_byte() {
    let play = async || {
        let stage = Stage::new(Start::ReadyAfter(SECOND)).await;
        tokio::time::sleep(SECOND).await;
        stage.hears().await;
        assert!(stage.call(1, "wait:20") && stage.call(2, "wait:20"));
        stage.worker.abort(RequestId(1));
        tokio::time::sleep(SECOND).await;
        stage.worker.drain();
        stage.worker.exited().await;
        std::mem::take(&mut *stage.lines.lock())
    };
    let first = play().await;
    assert_eq!(
        first,
        [
            "0.000000000 p/0#1 start: ready after 1s",
            "1.000000000 p/0#1 ready",
            "1.000000000 p/0#1 dispatch request 1 wait:20",
            "1.000000000 p/0#1 dispatch request 2 wait:20",
            "1.000000000 p/0#1 abort request 1",
            "1.000000000 p/0#1 complete request 1: SP0315",
            "1.020000000 p/0#1 complete request 2: ok",
            "2.000000000 p/0#1 drain",
            "2.000000000 p/0#1 exit: exit code 0",
        ]
    );
    assert_eq!(play().await, first);
}
