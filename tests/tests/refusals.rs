//! Full queues and waits that are too long, on real Python.

use std::time::Duration;

use futures_util::future::join_all;
use snakepit::{Error, Executed, PoolError, Snakepit};
use snakepit_tests::{PATIENCE, Python, Signalled, on_every_python, ready_pit, wait_until};

/// Starts a call that holds the only slot, and returns once it runs.
fn hold(pit: &Snakepit, seconds: f64, mark: &str) -> impl Future<Output = Result<serde_json::Value, Error>> {
    pit.call("hold")
        .arg("seconds", seconds)
        .arg("mark", mark)
        .into_future()
}

on_every_python!(
    a_full_queue_refuses_at_once_with_depth_and_limit,
    a_call_that_waited_too_long_never_runs,
    a_call_past_its_deadline_is_answered_while_its_code_still_holds_the_slot,
);

async fn a_full_queue_refuses_at_once_with_depth_and_limit(python: Python) {
    let pit = ready_pit([python.pool("small", "probe.py").pool_size(1).queue_max(2)]).await;
    let answers = join_all((0..5).map(|_| hold(&pit, 0.3, ""))).await;

    let refused: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 2, "one runs, two wait, two are too many");
    for error in refused {
        match error {
            Error::Pool(PoolError::PoolSaturated { depth, limit, .. }) => {
                assert_eq!((*depth, *limit), (2, 2));
            }
            other => panic!("not the error of a full queue: {other:?}"),
        }
        assert_eq!(error.executed(), Executed::No);
        assert!(error.is_retryable());
    }
    let stats = pit.stats().total;
    assert_eq!((stats.completed, stats.saturated, stats.queued), (3, 2, 0));
    pit.shutdown().await;
}

async fn a_call_that_waited_too_long_never_runs(python: Python) {
    let pool = python
        .pool("patient", "probe.py")
        .pool_size(1)
        .queue_timeout(Duration::from_millis(100));
    let pit = ready_pit([pool]).await;
    let (first, second) = tokio::join!(hold(&pit, 0.6, "first"), hold(&pit, 0.0, "second"));

    first.expect("the first one ran");
    let error = second.expect_err("the second one waited too long");
    assert!(
        matches!(error, Error::Pool(PoolError::QueueTimeout { .. })),
        "{error:?}"
    );
    assert_eq!(error.executed(), Executed::No);
    let ran: Vec<String> = pit.call("ran").await.expect("an answer");
    assert_eq!(ran, ["first"]);
    assert_eq!(pit.stats().total.queue_timeouts, 1);
    pit.shutdown().await;
}

async fn a_call_past_its_deadline_is_answered_while_its_code_still_holds_the_slot(python: Python) {
    let pit = ready_pit([python.pool("slow", "probe.py").pool_size(1)]).await;
    let signal = Signalled::new();
    let call = pit.call::<serde_json::Value>("hold").arg("until", signal.path());
    let error = call
        .timeout(Duration::from_millis(200))
        .await
        .expect_err("its time was over");
    assert!(
        matches!(error, Error::Pool(PoolError::DeadlineExceeded { .. })),
        "{error:?}"
    );
    assert_eq!(error.executed(), Executed::Maybe);

    assert_eq!(pit.stats().total.load, 1, "the code still runs");
    signal.give();
    let free = wait_until(PATIENCE, || pit.stats().total.load == 0).await;
    assert!(free, "the slot is free once the code has stopped");
    let next: f64 = pit
        .call("echo")
        .arg("value", 1.0)
        .await
        .expect("the worker lives");
    assert!((next - 1.0).abs() < f64::EPSILON);
    pit.shutdown().await;
}
