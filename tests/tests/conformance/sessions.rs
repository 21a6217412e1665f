//! Calls that belong to a session.

use snakepit::{Affinity, PoolError, PoolErrorKind, WorkerName};
use snakepit_pool::PoolCall;

use crate::on_every_subject;
use crate::stage::{Stage, die, echo, hold};
use crate::subject::Subject;

on_every_subject!(
    a_strict_session_waits_for_its_worker,
    a_strict_session_that_does_not_wait_is_told_who_is_busy,
    a_session_that_does_not_mind_goes_elsewhere,
    a_strict_session_is_told_once_that_its_worker_is_gone,
);

fn in_session(affinity: Affinity, call: PoolCall) -> PoolCall {
    PoolCall {
        session: Some("s".into()),
        affinity: Some(affinity),
        ..call
    }
}

/// Where a call of the session is served.
async fn place(stage: &Stage, affinity: Affinity) -> WorkerName {
    let answer = stage.call(in_session(affinity, echo(1))).await;
    answer.expect("an echo").receipt.worker
}

async fn a_strict_session_waits_for_its_worker(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(2)).await;
    let own = place(&stage, Affinity::StrictQueue).await;
    let slots = 0..stage.slots;
    let held: Vec<_> = slots
        .map(|_| stage.begin(in_session(Affinity::StrictQueue, hold())))
        .collect();
    assert_eq!(stage.laden().name, own);
    let mut waiting = stage.begin(in_session(Affinity::StrictQueue, echo(2)));
    assert_eq!(stage.stats().queued, 1);
    // Others overtake, since they do not want the same worker.
    let other = stage.echoes(3).await;
    assert_ne!(other.receipt.worker, own);
    assert!(!waiting.is_answered());
    drop(held);
    let answer = waiting.end().await.expect("an echo");
    assert_eq!(answer.receipt.worker, own);
    for _ in 0..5 {
        assert_eq!(place(&stage, Affinity::StrictQueue).await, own);
    }
    stage.end().await;
}

async fn a_strict_session_that_does_not_wait_is_told_who_is_busy(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(2)).await;
    let own = place(&stage, Affinity::StrictFailFast).await;
    let slots = 0..stage.slots;
    let held: Vec<_> = slots
        .map(|_| stage.begin(in_session(Affinity::StrictFailFast, hold())))
        .collect();
    match stage
        .begin(in_session(Affinity::StrictFailFast, echo(2)))
        .refusal()
    {
        PoolError::WorkerBusy { worker } => assert_eq!(worker, own),
        other => panic!("{other:?}"),
    }
    drop(held);
    stage.whole(2).await;
    assert_eq!(place(&stage, Affinity::StrictFailFast).await, own);
    stage.end().await;
}

async fn a_session_that_does_not_mind_goes_elsewhere(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(2)).await;
    let own = place(&stage, Affinity::Hint).await;
    let slots = 0..stage.slots;
    let held: Vec<_> = slots
        .map(|_| stage.begin(in_session(Affinity::Hint, hold())))
        .collect();
    assert_eq!(stage.laden().name, own, "while there is room it stays");
    assert_ne!(place(&stage, Affinity::Hint).await, own);
    drop(held);
    stage.end().await;
}

async fn a_strict_session_is_told_once_that_its_worker_is_gone(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(2)).await;
    let mut watch = stage.watch();
    let own = place(&stage, Affinity::StrictQueue).await;
    // Told to be idempotent, and still not tried again: what the session kept in its worker is gone.
    let deadly = PoolCall {
        idempotent: Some(true),
        ..die()
    };
    let error = stage
        .call(in_session(Affinity::StrictQueue, deadly))
        .await
        .expect_err("it kills");
    assert_eq!(error.kind(), PoolErrorKind::WorkerLost);
    assert_eq!(watch.until_exited().await, own);
    match stage.begin(in_session(Affinity::StrictQueue, echo(2))).refusal() {
        PoolError::SessionWorkerUnavailable { worker } => assert_eq!(worker, own),
        other => panic!("{other:?}"),
    }
    let next = place(&stage, Affinity::StrictQueue).await;
    assert_ne!(next, own);
    stage.whole(2).await;
    assert_eq!(place(&stage, Affinity::StrictQueue).await, next);
    stage.end().await;
}
