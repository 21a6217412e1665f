//! Workers: death, replacement, and starts that go wrong.

use snakepit_pool::sim::Start;
use snakepit_pool::{ErrorKind, PoolError};
use snakepit_profile::{CallError, Executed, Exit, StartError};

use crate::rig::{MINUTE, SECOND, begin, call, ms, now, pool, settings, start, whole, workers};

#[tokio::test(start_paused = true)]
async fn a_worker_killed_in_mid_call_answers_its_callers_and_is_replaced() {
    let (pool, sim) = pool(settings(|p| p.pool_size(2)), 2).await;
    let calls = [
        begin(&pool, call("hold")).await,
        begin(&pool, call("wait:1")).await,
        begin(&pool, call("hold")).await,
    ];
    let begun = now();
    sim.worker(0).die(Exit::Signal(9));
    let [first, other, third] = calls;
    for lost in [first, third] {
        let error = lost.await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.executed()),
            (ErrorKind::WorkerLost, Executed::Maybe)
        );
        let PoolError::Call(CallError::Lost(lost)) = error else {
            panic!("{error}");
        };
        assert_eq!(
            (lost.exit, lost.worker.to_string().as_str()),
            (Exit::Signal(9), "p/0#1")
        );
    }
    assert_eq!(begun.elapsed(), ms(0), "at once");
    other.await.unwrap().unwrap();
    let stats = whole(&pool, 2).await;
    assert_eq!(stats.restarts, 1);
    let names: Vec<_> = pool.workers().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["p/0#2", "p/1#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_reported_dead_before_its_calls_loses_them_once() {
    let (pool, sim) = pool(settings(|p| p), 2).await;
    let calls = [begin(&pool, call("hold")).await, begin(&pool, call("hold")).await];
    sim.worker(0).die_before_its_calls(Exit::Code(3));
    for lost in calls {
        let PoolError::Call(CallError::Lost(lost)) = lost.await.unwrap().unwrap_err() else {
            panic!("it was not lost");
        };
        assert_eq!((lost.exit, lost.pid, lost.output.len()), (Exit::Code(3), 1001, 1));
    }
    let stats = whole(&pool, 1).await;
    assert_eq!(stats.errors[&ErrorKind::WorkerLost], 2);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_not_given_to_a_worker_that_is_dying() {
    let (pool, sim) = pool(settings(|p| p), 1).await;
    let lost = begin(&pool, call("hold")).await;
    let waiting = begin(&pool, call("echo")).await;
    sim.worker(0).die(Exit::Signal(11));
    lost.await.unwrap().unwrap_err();
    assert_eq!(waiting.await.unwrap().unwrap().receipt.worker.id.generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_did_not_reach_its_worker_is_served_by_the_next() {
    let (pool, sim) = pool(settings(|p| p), 1).await;
    sim.worker(0).sever();
    let calls = [begin(&pool, call("echo")).await, begin(&pool, call("echo")).await];
    let [first, second] = calls;
    for call in [first, second] {
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer.receipt.worker.id.generation, 2);
    }
    assert_eq!(
        sim.worker(0).tools(),
        ["echo", "echo"],
        "in the order in which they came, once each"
    );
    assert_eq!(
        sim.all()[0].killed_because().as_deref(),
        Some("it took no more calls")
    );
    whole(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_may_be_ready_before_its_launch_has_returned() {
    let sim = workers(1, |_| Start::ReadyEarly);
    let pool = start(settings(|p| p), &sim);
    pool.await_ready(SECOND).await.unwrap();
    pool.call(call("echo")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_may_have_ended_before_its_launch_has_returned() {
    let sim = workers(1, |id| {
        if id.generation < 3 {
            Start::ExitEarly(Exit::Code(4))
        } else {
            Start::Ready
        }
    });
    let pool = start(settings(|p| p), &sim);
    pool.await_ready(SECOND).await.unwrap();
    assert_eq!(pool.stats().restarts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_panics_has_failed_and_is_tried_again() {
    let sim = workers(1, |id| {
        if id.generation == 1 {
            Start::Panic
        } else {
            Start::Ready
        }
    });
    let pool = start(settings(|p| p), &sim);
    pool.await_ready(SECOND).await.unwrap();
    assert_eq!(pool.workers()[0].id.generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_hangs_in_its_start_is_killed_and_the_pool_says_why_it_failed() {
    let sim = workers(1, |_| Start::Hang);
    let pool = start(settings(|p| p.startup_timeout(SECOND)), &sim);
    let error = pool.await_ready(MINUTE).await.unwrap_err();
    let PoolError::PoolNotInitialized {
        source: Some(StartError::Timeout { after, output }),
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((after, output), (SECOND, vec!["last words".to_owned()]));
    assert_eq!(sim.all().len(), 3);
    assert!(sim.all().iter().all(|worker| worker.has_ended()));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ends_in_its_start_is_reported_with_its_last_words() {
    let sim = workers(1, |_| Start::Exit(ms(0), Exit::Code(3)));
    let pool = start(settings(|p| p), &sim);
    let error = pool.await_ready(MINUTE).await.unwrap_err();
    let PoolError::PoolNotInitialized {
        source: Some(StartError::Exited { exit, output }),
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((exit, output.len()), (Exit::Code(3), 1));
}

#[tokio::test(start_paused = true)]
async fn handles_tell_of_every_worker_that_lives() {
    let sim = workers(3, |id| if id.slot == 0 { Start::Ready } else { Start::Hang });
    let pool = start(settings(|p| p.pool_size(2)), &sim);
    pool.await_ready(SECOND).await.unwrap();
    let _running = begin(&pool, call("hold")).await;
    let told: Vec<_> = pool
        .worker_handles()
        .into_iter()
        .map(|worker| {
            let ready = worker.facts.is_some();
            (
                worker.name.to_string(),
                worker.pid,
                format!("{:?}", worker.state),
                worker.load,
                worker.capacity,
                ready,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("p/0#1".to_owned(), 1001, "Ready".to_owned(), 1, 3, true),
            ("p/1#1".to_owned(), 1101, "Starting".to_owned(), 0, 3, false),
        ]
    );
}
