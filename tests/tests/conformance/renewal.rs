//! Workers that are renewed while they are well.

use std::collections::BTreeSet;
use std::time::Duration;

use snakepit::{ExitCause, PoolEventKind, RecycleReason};

use crate::on_every_subject;
use crate::stage::{echo, tool};
use crate::subject::Subject;

on_every_subject!(
    a_worker_is_renewed_on_demand_and_finishes_what_it_runs,
    a_worker_is_renewed_after_its_calls,
    a_worker_is_renewed_at_its_age,
    all_workers_are_renewed_and_none_is_missed,
);

async fn a_worker_is_renewed_on_demand_and_finishes_what_it_runs(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(1)).await;
    let worker = stage.pool().worker_handles().remove(0);
    let old = &worker.name;
    let mut watch = stage.watch();
    // It runs a call for as long as it stands still.
    stage.freeze(&worker).await;
    let running = stage.begin(echo(1));
    stage.pool().recycle(old).expect("it is ready");

    let started = watch.until(|event| match &event.kind {
        PoolEventKind::WorkerStarted { worker, .. } => Some(worker.clone()),
        _ => None,
    });
    let new = started.await;
    assert_eq!((new.id.slot, new.id.generation), (old.id.slot, 2));
    assert_eq!(watch.until_ready().await, new);
    let report = watch.until_recycled().await;
    assert_eq!((&report.worker, report.successor.as_ref()), (old, Some(&new)));
    assert_eq!(report.reason, RecycleReason::Requested);
    let measured = report.memory_before.is_some() && report.memory_after.is_some();
    assert!(measured, "{report:?}");
    assert_eq!(stage.echoes(2).await.receipt.worker, new);

    stage.thaw(&worker);
    let answer = running.end().await.expect("it finishes");
    assert_eq!(&answer.receipt.worker, old);
    let exited = watch.until(|event| match &event.kind {
        PoolEventKind::WorkerExited { worker, cause, .. } => Some((worker.clone(), *cause)),
        _ => None,
    });
    assert_eq!(exited.await, (old.clone(), ExitCause::Asked));
    assert_eq!(stage.pool().workers(), [new]);
    stage.pool().recycle(old).expect_err("it is gone");
    let stats = stage.stats();
    assert_eq!(
        stats.recycled.into_iter().collect::<Vec<_>>(),
        [(RecycleReason::Requested, 1)]
    );
    assert_eq!(stats.last_recycled, Some(report));
    stage.end().await;
}

async fn a_worker_is_renewed_after_its_calls(subject: Subject) {
    let stage = subject
        .start(|pool| pool.pool_size(1).worker_max_requests(3))
        .await;
    let mut watch = stage.watch();
    for generation in 1..=2 {
        for value in 0..3 {
            stage.echoes(value).await;
        }
        let report = watch.until_recycled().await;
        assert_eq!((report.worker.id.generation, report.requests), (generation, 3));
        assert_eq!(report.reason, RecycleReason::Requests);
    }
    stage.end().await;
}

async fn a_worker_is_renewed_at_its_age(subject: Subject) {
    let ttl = Duration::from_millis(300);
    let stage = subject.start(|pool| pool.pool_size(1).worker_ttl(ttl)).await;
    let mut watch = stage.watch();
    let report = watch.until_recycled().await;
    assert_eq!(report.reason, RecycleReason::Age);
    assert!(report.uptime >= ttl, "{report:?}");
    stage.end().await;
}

async fn all_workers_are_renewed_and_none_is_missed(subject: Subject) {
    let stage = subject.start(|pool| pool.pool_size(3)).await;
    let mut watch = stage.watch();
    let before: BTreeSet<_> = stage.pool().workers().into_iter().collect();
    stage.pool().recycle_all().expect("it is open");
    let mut left = before.clone();
    while !left.is_empty() {
        let event = watch.next().await;
        let stats = stage.stats();
        assert!(stats.ready >= 3, "{stats:#?}");
        assert!(stats.workers <= 4, "one more than its size: {stats:#?}");
        if let PoolEventKind::WorkerExited { worker, .. } = event.kind {
            left.remove(&worker);
        }
        stage.call(tool("pid")).await.expect("it serves all the while");
    }
    stage.whole(3).await;
    let after: BTreeSet<_> = stage.pool().workers().into_iter().collect();
    assert!(before.is_disjoint(&after), "{before:?} and {after:?}");
    stage.end().await;
}
