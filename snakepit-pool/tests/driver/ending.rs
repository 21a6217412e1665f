//! Draining, shutting down, and dropping.

use std::sync::Arc;

use parking_lot::Mutex;
use snakepit_pool::sim::{Record, Start};
use snakepit_pool::{PoolError, TokioClock};
use snakepit_profile::{CallError, Exit, Worker as _};

use crate::rig::{SECOND, assert_adds_up, begin, call, ms, now, pool, recorded, settings, start, workers};

#[tokio::test(start_paused = true)]
async fn a_drained_pool_finishes_what_it_has_and_holds_nothing() {
    let (pool, sim) = pool(settings(|p| p), 1).await;
    let calls = [
        begin(&pool, call("wait:100")).await,
        begin(&pool, call("wait:100")).await,
    ];
    let begun = now();
    let refused = async {
        let error = pool.call(call("echo")).await.unwrap_err();
        assert!(matches!(error, PoolError::ShuttingDown { .. }), "{error}");
    };
    tokio::join!(pool.drain(), refused);
    assert_eq!(begun.elapsed(), ms(200));
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(sim.worker(0).has_ended() && pool.workers().is_empty());
    let stats = pool.stats();
    assert_eq!((stats.workers, stats.load, stats.queued), (0, 0, 0));
    assert_adds_up(&stats);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_refuses_what_waits_and_lets_what_runs_finish() {
    let (pool, _sim) = pool(settings(|p| p), 1).await;
    let running = begin(&pool, call("wait:500")).await;
    let waiting = begin(&pool, call("wait:500")).await;
    let begun = now();
    pool.shutdown(SECOND).await;
    assert_eq!(begun.elapsed(), ms(500));
    running.await.unwrap().unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, PoolError::ShuttingDown { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_stop_is_terminated_at_half_its_grace_and_killed_at_the_end() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&lines);
    let record = Record::new(Arc::new(TokioClock::new()), move |line| {
        written.lock().push(line.to_owned());
    });
    let sim = recorded("p", 1, |_| Start::Ready, record);
    let pool = start(settings(|p| p.grace(SECOND)), &sim);
    pool.await_ready(SECOND).await.unwrap();
    sim.worker(0).be_stubborn();
    let running = begin(&pool, call("stuck")).await;
    let begun = now();
    pool.shutdown(ms(300)).await;
    assert_eq!(begun.elapsed(), ms(1300));
    assert_eq!(
        *lines.lock(),
        [
            "0.000000000 p/0#1 start: ready",
            "0.000000000 p/0#1 ready",
            "0.000000000 p/0#1 be stubborn",
            "0.000000000 p/0#1 dispatch request 0 stuck",
            "0.300000000 p/0#1 drain",
            "0.800000000 p/0#1 terminate",
            "1.300000000 p/0#1 kill: it did not stop within its grace",
            "1.300000000 p/0#1 complete request 0: SP0318",
            "1.300000000 p/0#1 exit: signal 9 (SIGKILL)",
        ]
    );
    assert_eq!(sim.worker(0).exited().await, Exit::Signal(9));
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, PoolError::Call(CallError::Lost(_))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_kills_the_workers() {
    let (pool, sim) = pool(settings(|p| p.pool_size(3)), 1).await;
    let other = pool.clone();
    drop(pool);
    other.call(call("echo")).await.unwrap();
    drop(other);
    for worker in sim.all() {
        assert_eq!(worker.exited().await, Exit::Signal(9));
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_still_being_launched_does_not_survive_its_pool() {
    let sim = workers(1, |_| Start::Ready);
    drop(start(settings(|p| p), &sim));
    // Its launch had not begun: the task that launches it outlives the handle.
    sim.has_made(0, 1).await;
    assert_eq!(sim.worker(0).exited().await, Exit::Signal(9));
}

#[test]
fn a_pool_whose_runtime_has_ended_keeps_nobody_waiting() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    };
    let (its_own, another) = (runtime(), runtime());
    let (pool, _sim) = its_own.block_on(pool(settings(|p| p), 1));
    let [_running, waiting] = ["hold", "echo"].map(|tool| {
        let pool = pool.clone();
        another.spawn(async move { pool.call(call(tool)).await })
    });
    another.block_on(async {
        while pool.stats().queued == 0 {
            tokio::task::yield_now().await;
        }
    });
    drop(its_own);

    let waited = another.block_on(waiting).unwrap();
    assert!(
        matches!(waited, Err(PoolError::ShuttingDown { .. })),
        "{waited:?}"
    );
    let late = another.block_on(pool.call(call("echo")));
    assert!(matches!(late, Err(PoolError::ShuttingDown { .. })), "{late:?}");
}
