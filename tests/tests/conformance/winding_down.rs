//! Pools that become larger and smaller, and that end.

use std::time::Duration;

use snakepit::{ExitCause, PoolError, PoolErrorKind, PoolEventKind};

use crate::on_every_subject;
use crate::stage::{assert_adds_up, busy, echo, hold, raise_error};
use crate::subject::Subject;

on_every_subject!(
    a_pool_that_grows_serves_what_waits,
    a_pool_that_shrinks_finishes_what_runs,
    a_draining_pool_finishes_what_it_has_and_takes_nothing_new,
    a_pool_that_shuts_down_refuses_what_waits_and_ends_what_runs,
    every_call_is_counted_once,
);

async fn a_pool_that_grows_serves_what_waits(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let mut watch = stage.watch();
    let held = stage.fill();
    let waiting = stage.begin(echo(1));
    assert_eq!(stage.stats().queued, 1);
    stage.pool().resize(3).expect("a size that is allowed");
    let answer = waiting.end().await.expect("a new worker serves it");
    assert_ne!(answer.receipt.worker.id.slot, 0);
    watch.until_ready().await;
    watch.until_ready().await;
    assert_eq!(stage.stats().ready, 3);
    drop(held);
    stage.end().await;
}

async fn a_pool_that_shrinks_finishes_what_runs(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(3)).await;
    let mut watch = stage.watch();
    let calls: Vec<_> = (0..=3 * stage.slots)
        .map(|_| stage.begin(busy(Duration::from_millis(100))))
        .collect();
    let stats = stage.stats();
    assert_eq!((stats.load, stats.queued), (3 * stage.slots, 1));
    stage.pool().resize(1).expect("a size that is allowed");
    for call in calls {
        call.end()
            .await
            .expect("each finishes, the one that waits as well");
    }
    for _ in 0..2 {
        let exited = watch.until(|event| match &event.kind {
            PoolEventKind::WorkerExited { worker, cause, .. } => Some((worker.id.slot, *cause)),
            _ => None,
        });
        let (slot, cause) = exited.await;
        assert!(slot > 0 && cause == ExitCause::Asked, "slot {slot}: {cause:?}");
    }
    stage.whole(1).await;
    match stage.pool().resize(0) {
        Err(PoolError::InvalidSize { asked, .. }) => assert_eq!(asked, 0),
        other => panic!("{other:?}"),
    }
    stage.end().await;
}

async fn a_draining_pool_finishes_what_it_has_and_takes_nothing_new(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let calls: Vec<_> = (0..=stage.slots)
        .map(|_| stage.begin(busy(Duration::from_millis(100))))
        .collect();
    assert_eq!(stage.stats().queued, 1);
    let served = async {
        let late = stage.begin(echo(1));
        assert_eq!(late.refusal().kind(), PoolErrorKind::ShuttingDown);
        for call in calls {
            call.end().await.expect("what it has is finished");
        }
    };
    // It is asked to drain before the late call comes: both are polled in this order.
    tokio::join!(biased; stage.pool().drain(), served);
    assert_eq!(stage.pool().workers(), []);
    stage.end().await;
}

async fn a_pool_that_shuts_down_refuses_what_waits_and_ends_what_runs(subject: Subject) {
    let grace = Duration::from_millis(400);
    let stage = subject.start(|pool| pool.pool_size(1).grace(grace)).await;
    let held = stage.fill();
    let waiting = stage.begin(echo(1));
    let told = async {
        let error = waiting.end().await.expect_err("it waits");
        assert_eq!(error.kind(), PoolErrorKind::ShuttingDown);
        for call in held {
            let error = call.end().await.expect_err("it would never end");
            assert_eq!(error.kind(), PoolErrorKind::WorkerLost);
        }
    };
    tokio::join!(stage.pools.shutdown(), told);
    assert_eq!(stage.begin(hold()).refusal().kind(), PoolErrorKind::ShuttingDown);
    stage.end().await;
}

async fn every_call_is_counted_once(subject: Subject) {
    let pools = ["left", "right"].map(|name| subject.pool(name).pool_size(1).queue_max(1));
    let stage = subject.start_all(pools).await;
    let right = stage.pools.pool("right").expect("a pool");
    right.call(echo(1)).await.expect("an echo");
    stage.echoes(1).await;
    stage.call(raise_error("no")).await.expect_err("it raises");
    let held = stage.fill();
    let waiting = stage.begin(echo(2));
    stage.begin(echo(3)).refusal();
    drop(waiting);
    assert_adds_up(&stage.stats());
    drop(held);
    stage.whole(1).await;

    let stats = stage.stats();
    let dropped = u64::from(stage.slots) + 1;
    assert_eq!((stats.requests, stats.refused), (2 + dropped, 1));
    assert_eq!((stats.completed, stats.cancelled), (1, dropped));
    let errors = [(PoolErrorKind::PoolSaturated, 1), (PoolErrorKind::Raised, 1)];
    assert_eq!(stats.errors.into_iter().collect::<Vec<_>>(), errors);
    let all = stage.pools.stats();
    assert_eq!(all.total.requests, stats.requests + 1);
    assert_eq!((all.total.completed, all.total.ready), (2, 2));
    assert_adds_up(&all.total);
    stage.end().await;
}
