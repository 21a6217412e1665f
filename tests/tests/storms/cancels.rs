//! Callers that go, ten thousand of them.

use std::time::Duration;

use futures_util::future::join_all;
use snakepit::ProfileKind;
use snakepit_tests::{PATIENCE, Python, on_every_python, ready_pit, wait_until};

on_every_python!(ten_thousand_calls_that_are_cancelled_leave_nothing_behind);

const CALLS: u32 = 10_000;

async fn ten_thousand_calls_that_are_cancelled_leave_nothing_behind(python: Python) {
    let pool = python
        .pool("left", "conformance.py")
        .worker_profile(ProfileKind::Process)
        .pool_size(2)
        .queue_max(CALLS)
        .queue_timeout(PATIENCE);
    let pit = ready_pit([pool]).await;
    // Each would run for ever, so that none is answered.
    let calls = (0..CALLS).map(|number| {
        let patience = Duration::from_millis(u64::from(number % 11));
        tokio::time::timeout(patience, pit.call::<()>("hold").into_future())
    });
    for outcome in join_all(calls).await {
        outcome.expect_err("its caller has gone");
    }
    let stats = pit.stats().total;
    assert_eq!(stats.queued, 0, "{stats:#?}");
    assert_eq!(
        (stats.requests, stats.cancelled),
        (u64::from(CALLS), u64::from(CALLS))
    );

    let free = wait_until(PATIENCE, || pit.stats().total.load == 0).await;
    assert!(free, "{:#?}", pit.stats());
    // A late answer would be somebody else's.
    let echoes = (0..100).map(|value| pit.call::<u32>("echo").arg("value", value).into_future());
    for (value, answer) in (0..).zip(join_all(echoes).await) {
        assert_eq!(answer.expect("an echo"), value);
    }
    let stats = pit.stats().total;
    assert_eq!(
        (stats.completed, stats.errors.len(), stats.ready),
        (100, 0, 2),
        "{stats:#?}"
    );
    assert_eq!(stats.restarts, 0);
    pit.shutdown().await;
}
