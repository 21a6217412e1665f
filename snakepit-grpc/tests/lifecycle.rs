//! How workers end, and what is told of it.

mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Subject, Told, is_gone, number, spec};
use snakepit_grpc::host::Host;
use snakepit_profile::{
    CallError, Exit, ExitReport, LaunchSpec, Launcher, StartError, WorkerEvents, WorkerFacts, WorkerLost,
    WorkerName,
};

async fn lost(subject: &mut Subject) -> WorkerLost {
    match subject.next().await {
        Told::Completed(1, Err(CallError::Lost(lost))) => *lost,
        Told::Completed(_, outcome) => panic!("{outcome:?}"),
        Told::Ready(_) | Told::Exited(_) => panic!("the call is told first"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_in_mid_call_is_told_with_code_and_last_lines() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.submit(1, "exit", "");
    let lost = lost(&mut subject).await;
    assert_eq!((lost.exit, lost.pid), (Exit::Code(3), subject.worker.pid()));
    assert_eq!(lost.output, ["leaving with 3"]);
    let report = subject.exited().await;
    assert_eq!(report.exit, Exit::Code(3));
    assert!(report.start_error.is_none(), "it had been ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_mid_call_is_told_with_its_signal() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.submit(1, "abort", "");
    assert_eq!(lost(&mut subject).await.exit, Exit::Signal(6));
    subject.exited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_from_outside_fails_all_calls_at_once() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 2)).await;
    subject.submit(1, "wait", "");
    subject.submit(2, "wait", "");
    let pid = rustix::process::Pid::from_raw(i32::try_from(subject.worker.pid()).unwrap()).unwrap();
    let killed = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    for _ in 0..2 {
        let (_, outcome) = subject.completed().await;
        let Err(CallError::Lost(lost)) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(lost.exit, Exit::Signal(9));
        assert_eq!(lost.killed_because, None, "it was not the host");
    }
    assert!(
        killed.elapsed() < Duration::from_secs(1),
        "{:?}",
        killed.elapsed()
    );
    subject.exited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_by_the_host_says_why() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.submit(1, "wait", "");
    subject.worker.kill("its deadline has passed");
    let lost = lost(&mut subject).await;
    assert_eq!(lost.killed_because.as_deref(), Some("its deadline has passed"));
    assert_eq!(lost.exit, Exit::Signal(9));
    subject.exited().await;
    assert!(!subject.try_submit(2, "echo", ""), "a dead worker takes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_closes_its_connection_but_lives_is_killed() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.submit(1, "hang_up", "");
    let lost = lost(&mut subject).await;
    assert_eq!(lost.exit, Exit::Signal(9));
    assert!(lost.killed_because.unwrap().contains("connection"));
    subject.exited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_never_connects_can_be_killed_and_is_told() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::start(&host, spec("mute", 1)).await;
    let report = subject.killed().await;
    assert!(matches!(
        report.start_error,
        Some(StartError::Exited {
            exit: Exit::Signal(9),
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_worker_dies_of_sigterm() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.worker.terminate();
    assert_eq!(subject.exited().await.exit, Exit::Signal(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_64_lines_are_kept() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("talkative", 1)).await;
    subject.submit(1, "exit", "");
    let output = lost(&mut subject).await.output;
    assert_eq!(output.len(), 64);
    assert_eq!(
        (output[0].as_str(), output[63].as_str()),
        ("line 37", "leaving with 3")
    );
    subject.exited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_a_worker_dies_with_it() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let child = number(&subject.call(1, "spawn", "").await.unwrap().value);
    assert!(!is_gone(child, Duration::ZERO));
    subject.submit(1, "exit", "");
    lost(&mut subject).await;
    subject.exited().await;
    assert!(is_gone(child, Duration::from_secs(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_host_kills_workers_and_their_children() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let child = number(&subject.call(1, "spawn", "").await.unwrap().value);
    drop(host);
    assert_eq!(subject.exited().await.exit, Exit::Signal(9));
    assert!(is_gone(child, Duration::from_secs(1)));
}

#[test]
fn the_end_of_the_runtime_is_the_end_of_the_workers() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (host, pid) = runtime.block_on(async {
        let host = Host::bind().unwrap();
        let subject = Subject::ready(&host, spec("", 1)).await;
        (host, subject.worker.pid())
    });
    drop(runtime);
    assert!(is_gone(pid, Duration::from_secs(1)));
    drop(host);
}

/// Hears of nothing, since nothing is started.
struct Deaf;

impl WorkerEvents for Deaf {
    fn ready(&self, _: &WorkerName, _: Arc<WorkerFacts>) {
        panic!("nothing was started");
    }

    fn exited(&self, _: &WorkerName, _: ExitReport) {
        panic!("nothing was started");
    }
}

async fn cannot_launch(host: &Host, spec: LaunchSpec) -> (StartError, String) {
    let Err(error) = host.launch(spec, Arc::new(Deaf)).await else {
        panic!("it cannot start")
    };
    let cause = std::error::Error::source(&error)
        .expect("the system said something")
        .to_string();
    (error, cause)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_shut_down_has_told_everything_and_starts_nothing() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    host.shutdown().await;
    assert_eq!(subject.exited().await.exit, Exit::Signal(9));
    let (_, cause) = cannot_launch(&host, spec("", 1)).await;
    assert!(cause.contains("shut down"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    let host = Host::bind().unwrap();
    let mut nothing = spec("", 1);
    nothing.python = "/nonexistent/python3".into();
    let (error, _) = cannot_launch(&host, nothing).await;
    assert!(error.is_permanent());
    assert!(error.to_string().contains("/nonexistent/python3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_do_not_fit_the_pipe_are_an_error_and_not_a_hang() {
    let host = Host::bind().unwrap();
    let mut huge = spec("", 1);
    huge.adapter_args = vec!["x".repeat(100_000)];
    let (error, cause) = cannot_launch(&host, huge).await;
    assert!(error.is_permanent());
    assert!(cause.contains("adapter_args"), "{cause}");
}
