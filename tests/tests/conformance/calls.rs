//! One call: its answer, its exception, its deadline, its end before time.

use std::time::Duration;

use snakepit::{CallError, Executed, PoolError, PoolErrorKind};
use snakepit_pool::PoolCall;

use crate::on_every_subject;
use crate::stage::{WhoAmI, echo, hold, raise_error, read, tool};
use crate::subject::Subject;

on_every_subject!(
    a_call_is_answered_with_the_receipt_of_its_worker,
    an_exception_is_the_callers_alone,
    an_unknown_tool_never_runs,
    an_unknown_pool_is_told_which_pools_there_are,
    pools_share_no_worker,
    at_its_deadline_a_caller_is_told_and_the_slot_stays_with_its_code,
    a_dropped_call_keeps_its_slot_until_its_code_stops,
    code_that_looks_stops_when_its_caller_goes,
);

const SHORT: Duration = Duration::from_millis(20);

async fn a_call_is_answered_with_the_receipt_of_its_worker(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(2)).await;
    for value in 0..5 {
        let receipt = stage.echoes(value).await.receipt;
        let workers = stage.pool().worker_handles();
        let worker = workers.iter().find(|worker| worker.name == receipt.worker);
        assert_eq!(worker.expect("one of its workers").pid, receipt.pid);
    }
    let answer = stage.call(tool("whoami")).await.expect("an answer");
    let told: WhoAmI = read(&answer);
    assert_eq!(told.pid, answer.receipt.pid);
    assert_eq!(told.worker, answer.receipt.worker.to_string());
    assert_eq!(stage.stats().completed, 6);
    stage.end().await;
}

async fn an_exception_is_the_callers_alone(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let before = stage.pool().workers();
    let error = stage
        .call(raise_error("no such luck"))
        .await
        .expect_err("it raised");
    assert_eq!(error.executed(), Executed::Yes);
    let PoolError::Call(CallError::Raised(raised)) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (raised.type_name.as_str(), raised.message.as_str()),
        ("ValueError", "no such luck")
    );
    stage.echoes(1).await;
    assert_eq!(stage.pool().workers(), before, "the worker lives");
    let stats = stage.stats();
    assert_eq!(
        stats.errors.into_iter().collect::<Vec<_>>(),
        [(PoolErrorKind::Raised, 1)]
    );
    stage.end().await;
}

async fn an_unknown_tool_never_runs(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let error = stage.call(tool("ehco")).await.expect_err("there is none");
    assert_eq!(
        (error.kind(), error.executed()),
        (PoolErrorKind::UnknownTool, Executed::No)
    );
    stage.echoes(1).await;
    stage.end().await;
}

async fn an_unknown_pool_is_told_which_pools_there_are(subject: Subject) {
    let pools = ["left", "right"].map(|name| subject.pool(name).pool_size(1));
    let stage = subject.start_all(pools).await;
    match stage.pools.pool("middle") {
        Err(PoolError::PoolNotFound { pool, available }) => {
            assert_eq!(
                (pool.as_str(), available),
                ("middle", vec!["left".to_owned(), "right".to_owned()])
            );
        }
        other => panic!("{other:?}"),
    }
    stage.end().await;
}

async fn pools_share_no_worker(subject: Subject) {
    let pools = ["left", "right"].map(|name| subject.pool(name).pool_size(1));
    let stage = subject.start_all(pools).await;
    // A pool without a free slot delays no other.
    let held = stage.fill();
    let right = stage.pools.pool("right").expect("a pool");
    let answer = right.call(echo(1)).await.expect("an answer");
    assert_eq!(answer.receipt.worker.pool.as_str(), "right");
    drop(held);
    stage.end().await;
}

async fn at_its_deadline_a_caller_is_told_and_the_slot_stays_with_its_code(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let worker = stage.pool().worker_handles().remove(0);
    // Code of a worker that stands still does not stop, whoever asks.
    stage.freeze(&worker).await;
    let impatient = stage.begin(PoolCall {
        timeout: Some(SHORT),
        ..hold()
    });
    let held = stage.fill();
    match impatient.end().await {
        Err(PoolError::DeadlineExceeded { after, ran, .. }) => {
            assert!(after >= SHORT, "{after:?}");
            assert_eq!(ran, Executed::Maybe);
        }
        other => panic!("{other:?}"),
    }
    let next = stage.begin(echo(1));
    let stats = stage.stats();
    assert_eq!((stats.lingering, stats.queued), (1, 1), "{stats:#?}");
    stage.thaw(&worker);
    next.end()
        .await
        .expect("its slot is free once its code has stopped");
    drop(held);
    stage.end().await;
}

async fn a_dropped_call_keeps_its_slot_until_its_code_stops(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let worker = stage.pool().worker_handles().remove(0);
    stage.freeze(&worker).await;
    let dropped = stage.begin(hold());
    let held = stage.fill();
    drop(dropped);
    let next = stage.begin(echo(1));
    let stats = stage.stats();
    assert_eq!(
        (stats.cancelled, stats.lingering, stats.queued),
        (1, 1, 1),
        "{stats:#?}"
    );
    stage.thaw(&worker);
    next.end()
        .await
        .expect("its slot is free once its code has stopped");
    drop(held);
    stage.end().await;
}

async fn code_that_looks_stops_when_its_caller_goes(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    for round in 0..3 {
        drop(stage.fill());
        // Each would run for ever, so that a slot is free only because it was stopped.
        stage.echoes(round).await;
    }
    let impatient = PoolCall {
        timeout: Some(SHORT),
        ..hold()
    };
    let error = stage.call(impatient).await.expect_err("its time was over");
    assert_eq!(error.kind(), PoolErrorKind::DeadlineExceeded);
    stage.whole(1).await;
    stage.end().await;
}
