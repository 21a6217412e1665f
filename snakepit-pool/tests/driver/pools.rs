//! Several pools side by side.

use std::sync::Arc;

use snakepit_pool::sim::{SimProfile, Start};
use snakepit_pool::{PoolError, Pools};
use snakepit_profile::{Executed, Exit, StartError, Worker as _};

use crate::rig::{MINUTE, SECOND, assert_adds_up, begin, call, ms, named, now, start, workers, workers_of};

fn hopeless() -> StartError {
    StartError::NoTools {
        adapter: "`simulated`".to_owned(),
    }
}

/// Pools `a` of two workers and `b` of three.
async fn two() -> (Pools, [Arc<SimProfile>; 2]) {
    let sims = ["a", "b"].map(|pool| workers_of(pool, 1, |_| Start::Ready));
    let pools = Pools::start(vec![
        (named("a", |p| p.pool_size(2)), Arc::clone(&sims[0]) as _),
        (named("b", |p| p.pool_size(3)), Arc::clone(&sims[1]) as _),
    ]);
    pools.await_started(MINUTE).await.expect("they start");
    (pools, sims)
}

#[tokio::test(start_paused = true)]
async fn calls_run_on_the_workers_of_the_pool_they_name() {
    let (pools, _sims) = two().await;
    for name in ["a", "b"] {
        for _ in 0..10 {
            let answer = pools.pool(name).unwrap().call(call("echo")).await.unwrap();
            assert_eq!(answer.receipt.worker.pool.as_str(), name);
        }
    }
    let names: Vec<_> = pools.workers().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a/0#1", "a/1#1", "b/0#1", "b/1#1", "b/2#1"]);
    assert_eq!(pools.pool("a").unwrap().workers().len(), 2);
    assert_eq!(pools.pool("b").unwrap().workers().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_first_pool_is_the_default_and_an_unknown_one_is_told_the_others() {
    let (pools, _sims) = two().await;
    assert_eq!(pools.default_pool().unwrap().name().as_str(), "a");
    let error = pools.pool("c").unwrap_err();
    assert_eq!(error.to_string(), "there is no pool `c`; there is a, b");
    assert_eq!(error.executed(), Executed::No);
}

#[tokio::test(start_paused = true)]
async fn a_broken_pool_refuses_at_once_and_harms_no_other() {
    let broken = workers_of("broken", 1, |_| Start::Fail(hopeless()));
    let healthy = workers_of("healthy", 1, |_| Start::Ready);
    let pools = Pools::start(vec![
        (named("broken", |p| p), broken),
        (named("healthy", |p| p), healthy),
    ]);
    let begun = now();
    let error = pools.await_ready(MINUTE).await.unwrap_err();
    let told = |error: &PoolError| matches!(error, PoolError::PoolNotInitialized { pool, source: Some(StartError::NoTools { .. }) } if pool.as_str() == "broken");
    assert!(told(&error), "{error:?}");
    assert!(!error.is_retryable());
    pools.await_started(MINUTE).await.unwrap();

    let broken = pools.pool("broken").unwrap();
    assert!(told(&broken.call(call("echo")).await.unwrap_err()));
    assert!(broken.workers().is_empty());
    assert_eq!(begun.elapsed(), ms(0), "nobody has waited for anything");
    pools.pool("healthy").unwrap().call(call("echo")).await.unwrap();
    pools.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn workers_killed_because_their_pool_failed_do_not_hide_why_it_did() {
    let sim = workers(1, |id| {
        if id.slot == 0 {
            Start::Fail(hopeless())
        } else {
            Start::Hang
        }
    });
    let pools = Pools::start(vec![(named("p", |p| p.pool_size(2)), Arc::clone(&sim) as _)]);
    sim.has_made(1, 1).await;
    pools.await_ready(MINUTE).await.unwrap_err();
    sim.worker(1).exited().await;
    pools.shutdown().await;
    let error = pools
        .default_pool()
        .unwrap()
        .call(call("echo"))
        .await
        .unwrap_err();
    let source = std::error::Error::source(&error).expect("a reason");
    assert_eq!(source.to_string(), "adapter `simulated` has no tools");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_still_starts_refuses_at_once_and_says_so() {
    let sim = workers(1, |_| Start::Hang);
    let pools = Pools::start(vec![(named("p", |p| p), sim)]);
    let begun = now();
    let error = pools
        .default_pool()
        .unwrap()
        .call(call("echo"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, PoolError::PoolNotInitialized { source: None, .. }),
        "{error:?}"
    );
    assert!(error.is_retryable());
    assert_eq!(begun.elapsed(), ms(0));
    let error = pools.await_ready(SECOND).await.unwrap_err();
    assert!(
        matches!(error, PoolError::NotReady { waited, .. } if waited == SECOND),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn started_waits_for_every_slot_and_ready_for_one_of_each_pool() {
    let sim = workers(1, |id| {
        if id.slot == 1 && id.generation < 3 {
            Start::Exit(ms(0), Exit::Code(3))
        } else {
            Start::Ready
        }
    });
    let pools = Pools::start(vec![(named("p", |p| p.pool_size(2)), sim)]);
    pools.await_ready(MINUTE).await.unwrap();
    assert_eq!(pools.stats().total.ready, 1);
    pools.await_started(MINUTE).await.unwrap();
    assert_eq!(pools.stats().total.ready, 2);
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_each_pool_and_of_all_add_up() {
    let (pools, _sims) = two().await;
    for tool in ["echo", "raise", "echo"] {
        let _ = pools.pool("a").unwrap().call(call(tool)).await;
    }
    let b = pools.pool("b").unwrap();
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(begin(b, call("hold")).await);
    }
    let stats = pools.stats();
    for (_, stats) in &stats.pools {
        assert_adds_up(stats);
    }
    assert_adds_up(&stats.total);
    let total = &stats.total;
    assert_eq!(
        (total.requests, total.completed, total.errors.values().sum()),
        (8, 2, 1)
    );
    assert_eq!((total.queued, total.queued_ever, total.running), (2, 2, 3));
    assert_eq!(
        (total.workers, total.ready, total.load, total.capacity),
        (5, 5, 3, 5)
    );
    assert_eq!(stats.pools[0].1.capacity, 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_pool_that_has_failed_since_is_told() {
    let sim = workers_of("p", 1, |worker| match worker.generation {
        1 => Start::Ready,
        _ => Start::Fail(hopeless()),
    });
    let pool = start(named("p", |p| p), &sim);
    pool.await_ready(MINUTE).await.unwrap();
    pool.call(call("die:1")).await.unwrap_err();
    let failed = pool.await_ready(MINUTE * 10);
    // The last trial comes half a minute after the one before.
    tokio::time::sleep(MINUTE * 5).await;
    let error = failed.await.unwrap_err();
    assert!(
        matches!(error, PoolError::PoolNotInitialized { source: Some(_), .. }),
        "{error}"
    );
}
