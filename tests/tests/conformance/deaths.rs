//! Workers that die, and what becomes of their calls.

use std::num::NonZeroU32;

use snakepit::{CallError, Executed, Exit, ExitCause, PoolError, PoolErrorKind, PoolEventKind};
use snakepit_pool::PoolCall;

use crate::on_every_subject;
use crate::stage::{die, echo_idempotent, hold};
use crate::subject::Subject;

on_every_subject!(
    a_worker_takes_only_its_own_calls_with_it_and_is_replaced,
    an_idempotent_call_is_tried_again_after_its_worker_died,
    a_call_that_killed_two_workers_is_given_to_no_third,
    a_call_to_a_worker_that_has_just_gone_is_served_by_the_next,
);

async fn a_worker_takes_only_its_own_calls_with_it_and_is_replaced(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(2)).await;
    let mut watch = stage.watch();
    // The least-loaded worker is another one each time.
    let mut spared = stage.begin(hold());
    let neighbour = stage.laden().name;
    match stage.call(die()).await {
        Err(PoolError::Call(CallError::Lost(lost))) => {
            assert_eq!(lost.exit, Exit::Code(7));
            assert_ne!(lost.worker, neighbour);
        }
        other => panic!("{other:?}"),
    }
    let (exit, cause) = watch
        .until(|event| match event.kind {
            PoolEventKind::WorkerExited { exit, cause, .. } => Some((exit, cause)),
            _ => None,
        })
        .await;
    assert_eq!((exit, cause), (Exit::Code(7), ExitCause::Died));
    let successor = watch.until_ready().await;
    assert_eq!(successor.id.generation, 2);
    assert!(!spared.is_answered(), "it runs on");
    assert_eq!(stage.stats().ready, 2);
    drop(spared);
    stage.whole(2).await;
    let stats = stage.stats();
    assert_eq!(
        stats.errors.into_iter().collect::<Vec<_>>(),
        [(PoolErrorKind::WorkerLost, 1)]
    );
    assert_eq!((stats.restarts, stats.retried), (1, 0));
    stage.end().await;
}

async fn an_idempotent_call_is_tried_again_after_its_worker_died(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let mut watch = stage.watch();
    let victim = stage.pool().worker_handles().remove(0);
    stage.freeze(&victim).await;
    // Its tool says of itself that it may run twice.
    let call = stage.begin(echo_idempotent(1));
    stage.kill(&victim);
    let (lost_with, attempt) = watch
        .until(|event| match &event.kind {
            PoolEventKind::CallRetried {
                lost_with, attempt, ..
            } => Some((lost_with.clone(), *attempt)),
            _ => None,
        })
        .await;
    assert_eq!((&lost_with, attempt), (&victim.name, 1));
    let answer = call.end().await.expect("the second attempt is answered");
    assert_ne!(answer.receipt.worker, victim.name);
    stage.whole(1).await;
    let stats = stage.stats();
    assert_eq!((stats.requests, stats.completed, stats.retried), (1, 1, 1));
    stage.end().await;
}

async fn a_call_that_killed_two_workers_is_given_to_no_third(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let deadly = PoolCall {
        idempotent: Some(true),
        attempts: NonZeroU32::new(9),
        ..die()
    };
    let error = stage.call(deadly).await.expect_err("it kills");
    assert_eq!(error.executed(), Executed::Maybe);
    match error {
        PoolError::Poisoned { workers, tool, .. } => assert_eq!((workers, tool.as_str()), (2, "die")),
        other => panic!("{other:?}"),
    }
    stage.whole(1).await;
    stage.echoes(1).await;
    let stats = stage.stats();
    assert_eq!((stats.restarts, stats.retried), (2, 1));
    stage.end().await;
}

async fn a_call_to_a_worker_that_has_just_gone_is_served_by_the_next(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let worker = stage.pool().worker_handles().remove(0);
    stage.sever(&worker);
    let calls: Vec<_> = (0..5).map(|value| stage.begin(echo_idempotent(value))).collect();
    for call in calls {
        let answer = call.end().await.expect("no caller hears of it");
        assert_ne!(answer.receipt.worker, worker.name);
    }
    stage.whole(1).await;
    stage.end().await;
}
