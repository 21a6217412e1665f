//! Calls over the real wire, between a host and a worker end that are both Rust.

#[expect(dead_code, reason = "another test uses the rest")]
mod harness;

use std::time::Duration;

use bytes::Bytes;
use harness::{PATIENCE, Subject, Told, spec};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use snakepit_grpc::host::Host;
use snakepit_profile::{CallError, Exit, Health, RequestId, Rung, StartError};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_what_it_is_and_answers() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::start(&host, spec("", 1)).await;
    assert!(
        subject.worker.facts().is_none(),
        "nothing is known before it is ready"
    );
    assert!(
        !subject.try_submit(1, "echo", "early"),
        "nothing is taken before it is ready"
    );
    let facts = subject.until_ready().await;
    assert_eq!(facts.pid, subject.worker.pid());
    assert_eq!(facts.python_version, "3.13.0");
    let idempotent = facts.tools.iter().filter(|tool| tool.idempotent);
    assert_eq!(
        idempotent.map(|tool| tool.name.as_str()).collect::<Vec<_>>(),
        ["echo"]
    );
    assert!(facts.tools.len() > 1);
    let reply = subject.call(1, "echo", "hello").await.unwrap();
    assert_eq!(reply.value, "hello");
    assert_eq!(reply.run_time, Duration::from_nanos(1));
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_out_of_order_by_their_ids() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 3)).await;
    subject.submit(1, "wait", "");
    subject.submit(2, "echo", "two");
    assert_eq!(
        subject.completed().await.0,
        2,
        "the second call does not wait for the first"
    );
    subject.submit(3, "echo", "three");
    let (request, outcome) = subject.completed().await;
    assert_eq!((request, outcome.unwrap().value), (3, Bytes::from("three")));
    subject.worker.abort(RequestId(1));
    let (request, outcome) = subject.completed().await;
    assert_eq!(
        (request, outcome),
        (
            1,
            Err(CallError::Aborted {
                started: true,
                stopped_by: Some(Rung::Cooperative)
            })
        )
    );
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_each_get_their_own_answer() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 8)).await;
    for round in 0..50 {
        for call in 0..8 {
            let request = round * 8 + call;
            subject.submit(request, "echo", request.to_string());
        }
        for _ in 0..8 {
            let (request, outcome) = subject.completed().await;
            assert_eq!(outcome.unwrap().value, request.to_string());
        }
    }
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tool_is_answered_with_what_there_is() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let error = subject.call(1, "nonsense", "").await.unwrap_err();
    assert!(matches!(&error, CallError::UnknownTool { tool, available }
        if tool.as_ref() == "nonsense" && available.contains(&"echo".to_owned())));
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_no_more_calls_than_it_has_slots() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.submit(1, "wait", "");
    assert!(!subject.try_submit(2, "echo", ""));
    subject.worker.abort(RequestId(1));
    assert_eq!(subject.completed().await.0, 1);
    assert!(subject.call(3, "echo", "").await.is_ok());
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_the_limit_is_refused_before_it_is_sent_and_the_worker_lives() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let limit = spec("", 1).limits.message_max;
    let error = subject.call(1, "echo", vec![0; 1 << 16]).await.unwrap_err();
    assert!(matches!(error, CallError::TooLarge { size, limit: told, .. } if told == limit && size > limit));
    assert!(
        subject.call(2, "echo", vec![0; 60_000]).await.is_ok(),
        "just below the limit it passes"
    );
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_over_the_limit_is_refused_by_the_worker_which_lives() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let error = subject.call(1, "grow", "").await.unwrap_err();
    assert!(
        matches!(&error, CallError::Unsendable { reason, .. } if reason.contains("message_max")),
        "{error}"
    );
    assert!(subject.call(2, "echo", "").await.is_ok());
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_passes_both_ways_where_the_limit_allows_it() {
    let host = Host::bind().unwrap();
    let mut large = spec("", 1);
    large.limits.message_max = 64 << 20;
    let mut subject = Subject::ready(&host, large).await;
    let value = Bytes::from(vec![0xab; 32 << 20]);
    assert_eq!(subject.call(1, "echo", value.clone()).await.unwrap().value, value);
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_finishes_what_it_has_and_exits_with_0() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 2)).await;
    subject.submit(1, "wait", "");
    subject.worker.drain();
    subject.worker.abort(RequestId(1));
    assert_eq!(subject.completed().await.0, 1, "what it had is answered first");
    assert_eq!(subject.exited().await.exit, Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_before_the_handshake_is_not_lost() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::start(&host, spec("", 1)).await;
    subject.worker.drain();
    subject.until_ready().await;
    assert_eq!(subject.exited().await.exit, Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_while_a_call_runs_and_not_by_a_stopped_worker() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.submit(1, "wait", "");
    assert!(matches!(subject.worker.health(PATIENCE).await, Health::Alive(_)));
    let pid = Pid::from_raw(i32::try_from(subject.worker.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    // The signal is on its way until the process has really stopped.
    waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT).unwrap();
    assert_eq!(
        subject.worker.health(Duration::from_millis(50)).await,
        Health::Silent
    );
    subject.worker.kill("the test is over");
    assert!(matches!(
        subject.next().await,
        Told::Completed(1, Err(CallError::Lost(_)))
    ));
    subject.exited().await;
    assert_eq!(subject.worker.health(PATIENCE).await, Health::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_and_harms_nobody() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("wrong_token_first", 1)).await;
    assert!(subject.call(1, "echo", "").await.is_ok());
    let output = subject.killed().await.output;
    assert!(
        output
            .iter()
            .any(|line| line.contains("refused: Unauthenticated")),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_the_right_token_is_refused_and_the_worker_still_gets_in() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("stranger_first", 1)).await;
    assert!(subject.call(1, "echo", "").await.is_ok());
    let output = subject.killed().await.output;
    assert!(
        output
            .iter()
            .any(|line| line.contains("refused: PermissionDenied")),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_one_connection() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("token_twice", 1)).await;
    assert!(subject.call(1, "echo", "").await.is_ok());
    let output = subject.killed().await.output;
    assert!(
        output
            .iter()
            .any(|line| line.contains("refused: Unauthenticated")),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_refused_with_both_versions_and_the_remedy() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::start(&host, spec("old_version", 1)).await;
    let report = subject.exited().await;
    let Some(StartError::Refused { reason }) = report.start_error else {
        panic!("{report:?}")
    };
    assert!(
        reason.contains("protocol 1") && reason.contains("protocol 2"),
        "{reason}"
    );
    assert!(reason.contains("snakepit bridge build"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_hello_is_cut_off_in_time() {
    let host = Host::bind().unwrap();
    let mut hasty = spec("silent", 1);
    hasty.handshake_timeout = Duration::from_millis(100);
    let mut subject = Subject::start(&host, hasty).await;
    let report = subject.exited().await;
    assert_eq!(report.exit, Exit::Code(0));
    assert!(matches!(report.start_error, Some(StartError::Exited { .. })));
    assert_eq!(report.output, ["cut off"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_hung_up_on() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::start(&host, spec("garbage", 1)).await;
    assert_eq!(subject.exited().await.output, ["the host hung up"]);
    let mut next = Subject::ready(&host, spec("", 1)).await;
    next.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_ends_the_worker() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("stray_answer", 1)).await;
    assert_eq!(subject.exited().await.exit, Exit::Signal(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_start_says_why() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::start(&host, spec("cannot_start", 1)).await;
    let report = subject.exited().await;
    assert_eq!(report.exit, Exit::Code(0));
    let Some(StartError::AdapterImport { error, .. }) = report.start_error else {
        panic!("{report:?}")
    };
    assert_eq!(error.type_name, "ImportError");
}
