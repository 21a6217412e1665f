//! Calls that wait.

use std::time::Duration;

use snakepit::{Executed, PoolError, PoolErrorKind, PoolEventKind, Priority};
use snakepit_pool::PoolCall;

use crate::on_every_subject;
use crate::stage::{echo, hold};
use crate::subject::Subject;

on_every_subject!(
    what_waits_is_served_in_the_order_in_which_it_came,
    an_urgent_call_goes_before_others,
    one_call_too_many_is_refused_at_once,
    a_call_that_waits_too_long_never_runs,
    a_deadline_that_passes_in_the_queue_is_told_as_such,
    a_call_that_is_dropped_in_the_queue_never_runs,
);

const SHORT: Duration = Duration::from_millis(20);

async fn what_waits_is_served_in_the_order_in_which_it_came(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let mut held = stage.fill();
    for round in 0..3 {
        let first = stage.begin(echo(round));
        let second = stage.begin(hold());
        let mut third = stage.begin(echo(round));
        assert_eq!(stage.stats().queued, 3);
        drop(held.pop().expect("one that runs"));
        first.end().await.expect("an echo");
        // With the end of the first, the one slot went to the second, which keeps it.
        assert_eq!(stage.stats().queued, 1);
        assert!(!third.is_answered(), "it was overtaken by the one after it");
        drop(second);
        third.end().await.expect("an echo");
        held.extend(stage.fill());
    }
    assert_eq!(stage.stats().queued_ever, 9);
    drop(held);
    stage.end().await;
}

async fn an_urgent_call_goes_before_others(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let mut held = stage.fill();
    let of = |priority, call| PoolCall { priority, ..call };
    let mut low = stage.begin(of(Priority::Low, echo(1)));
    let normal = stage.begin(of(Priority::Normal, hold()));
    let high = stage.begin(of(Priority::High, echo(2)));
    drop(held.pop().expect("one that runs"));
    high.end().await.expect("an echo");
    assert_eq!(stage.stats().queued, 1);
    assert!(!low.is_answered(), "it waits behind the one of normal priority");
    drop(normal);
    low.end().await.expect("an echo");
    drop(held);
    stage.end().await;
}

async fn one_call_too_many_is_refused_at_once(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1).queue_max(2)).await;
    let held = stage.fill();
    let mut watch = stage.watch();
    let waiting = [1, 2].map(|value| stage.begin(echo(value)));
    match stage.begin(echo(3)).refusal() {
        PoolError::PoolSaturated { depth, limit, .. } => assert_eq!((depth, limit), (2, 2)),
        other => panic!("{other:?}"),
    }
    let depth = watch.until(|event| match event.kind {
        PoolEventKind::Saturated { depth } => Some(depth),
        _ => None,
    });
    assert_eq!(depth.await, 2);
    let rejected = watch.until(|event| match event.kind {
        PoolEventKind::CallRejected { error, .. } => Some(error),
        _ => None,
    });
    assert_eq!(rejected.await, PoolErrorKind::PoolSaturated);
    drop(held);
    for call in waiting {
        call.end().await.expect("those that wait are served");
    }
    let stats = stage.stats();
    assert_eq!((stats.saturated, stats.refused), (1, 1));
    stage.end().await;
}

async fn a_call_that_waits_too_long_never_runs(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1).queue_timeout(SHORT)).await;
    let held = stage.fill();
    let mut watch = stage.watch();
    match stage.call(echo(1)).await {
        Err(PoolError::QueueTimeout { waited, .. }) => assert!(waited >= SHORT, "{waited:?}"),
        other => panic!("{other:?}"),
    }
    let expired = watch.until(|event| match event.kind {
        PoolEventKind::CallExpired { error, .. } => Some(error),
        _ => None,
    });
    assert_eq!(expired.await, PoolErrorKind::QueueTimeout);
    drop(held);
    stage.whole(1).await;
    let stats = stage.stats();
    assert_eq!((stats.queue_timeouts, stats.completed), (1, 0));
    stage.end().await;
}

async fn a_deadline_that_passes_in_the_queue_is_told_as_such(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let held = stage.fill();
    let impatient = PoolCall {
        timeout: Some(SHORT),
        ..echo(1)
    };
    match stage.call(impatient).await {
        Err(PoolError::DeadlineExceeded { after, ran, .. }) => {
            assert!(after >= SHORT, "{after:?}");
            assert_eq!(ran, Executed::No);
        }
        other => panic!("{other:?}"),
    }
    drop(held);
    stage.whole(1).await;
    assert_eq!(stage.stats().completed, 0);
    stage.end().await;
}

async fn a_call_that_is_dropped_in_the_queue_never_runs(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let held = stage.fill();
    let (dropped, kept) = (stage.begin(echo(1)), stage.begin(echo(2)));
    assert_eq!(stage.stats().queued, 2);
    drop(dropped);
    let stats = stage.stats();
    assert_eq!((stats.queued, stats.cancelled), (1, 1));
    drop(held);
    kept.end().await.expect("the other one is served");
    stage.whole(1).await;
    assert_eq!(stage.stats().completed, 1);
    stage.end().await;
}
