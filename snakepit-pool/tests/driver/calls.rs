//! Calls: answers, receipts, limits, cancellation.

use snakepit_pool::{ErrorKind, PoolCall, PoolError};
use snakepit_profile::{CallError, Executed};

use crate::rig::{SECOND, assert_adds_up, begin, call, ms, now, pool, settings, whole};

#[tokio::test(start_paused = true)]
async fn an_answer_has_a_receipt_whose_times_add_up() {
    let (pool, _sim) = pool(settings(|p| p), 1).await;
    let first = begin(&pool, call("wait:100")).await;
    let second = begin(&pool, call("wait:60")).await;
    assert_eq!(first.await.unwrap().unwrap().receipt.queue_time, ms(0));
    let receipt = second.await.unwrap().unwrap().receipt;
    assert_eq!(
        (receipt.worker.to_string().as_str(), receipt.pid),
        ("p/0#1", 1001)
    );
    assert_eq!((receipt.queue_time, receipt.run_time), (ms(100), ms(30)));
    assert_eq!(receipt.transfer_time, ms(30), "the rest of the 60 ms");
    assert!(!receipt.gil_enabled);
}

#[tokio::test(start_paused = true)]
async fn with_a_capacity_of_two_the_third_call_waits_and_succeeds() {
    let (pool, sim) = pool(settings(|p| p), 2).await;
    let started = now();
    let calls = [
        begin(&pool, call("wait:100")).await,
        begin(&pool, call("wait:100")).await,
        begin(&pool, call("wait:100")).await,
    ];
    assert_eq!((pool.stats().running, pool.stats().queued), (2, 1));
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(started.elapsed(), ms(200));
    assert_eq!(sim.worker(0).most(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_call_too_many_is_refused_at_once_with_depth_and_limit() {
    let (pool, sim) = pool(settings(|p| p.queue_max(2)), 1).await;
    let _running = begin(&pool, call("hold")).await;
    let _waiting = [begin(&pool, call("hold")).await, begin(&pool, call("hold")).await];
    let before = now();
    let error = pool.call(call("echo")).await.unwrap_err();
    assert!(
        matches!(
            error,
            PoolError::PoolSaturated {
                depth: 2,
                limit: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        (error.executed(), error.is_retryable(), before.elapsed()),
        (Executed::No, true, ms(0))
    );
    assert_eq!(sim.worker(0).tools(), ["hold"]);
    assert_eq!(pool.stats().saturated, 1);
    assert_adds_up(&pool.stats());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_too_long_never_runs() {
    let (pool, sim) = pool(settings(|p| p.queue_timeout(SECOND)), 1).await;
    let running = begin(&pool, call("wait:5000")).await;
    let error = pool.call(call("late")).await.unwrap_err();
    assert!(
        matches!(error, PoolError::QueueTimeout { waited, .. } if waited == SECOND),
        "{error}"
    );
    running.await.unwrap().unwrap();
    pool.call(call("echo")).await.unwrap();
    assert_eq!(sim.worker(0).tools(), ["wait:5000", "echo"]);
    let stats = whole(&pool, 1).await;
    assert_eq!(
        (stats.queue_timeouts, stats.errors[&ErrorKind::QueueTimeout]),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_answers_the_caller_and_leaves_the_slot_to_the_code() {
    let (pool, sim) = pool(settings(|p| p), 1).await;
    let begun = now();
    let error = pool
        .call(PoolCall {
            timeout: Some(SECOND),
            ..call("stuck")
        })
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            PoolError::DeadlineExceeded {
                ran: Executed::Maybe,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(begun.elapsed(), SECOND);

    let next = begin(&pool, call("echo")).await;
    let stats = pool.stats();
    assert_eq!(
        (stats.load, stats.running, stats.lingering, stats.queued),
        (1, 0, 1, 1)
    );
    sim.worker(0).finish("stuck");
    next.await.unwrap().unwrap();
    whole(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_of_its_own_a_call_has_the_one_of_the_pool() {
    let (pool, _sim) = pool(settings(|p| p.call_timeout(SECOND)), 1).await;
    let begun = now();
    let error = pool.call(call("hold")).await.unwrap_err();
    assert!(matches!(error, PoolError::DeadlineExceeded { .. }), "{error}");
    assert_eq!(begun.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_waiting_leaves_the_queue() {
    let (pool, sim) = pool(settings(|p| p), 1).await;
    let running = begin(&pool, call("wait:100")).await;
    let gone = begin(&pool, call("gone")).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    assert_eq!((pool.stats().queued, pool.stats().cancelled), (0, 1));
    running.await.unwrap().unwrap();
    assert_eq!(sim.worker(0).tools(), ["wait:100"]);
    whole(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_running_has_the_code_stopped_and_then_the_slot_freed() {
    let (pool, _sim) = pool(settings(|p| p), 1).await;
    let gone = begin(&pool, call("hold")).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    pool.call(call("echo")).await.unwrap();
    let stats = whole(&pool, 1).await;
    assert_eq!((stats.requests, stats.completed, stats.cancelled), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_exception_is_the_callers_and_frees_the_slot() {
    let (pool, _sim) = pool(settings(|p| p), 1).await;
    let error = pool.call(call("raise")).await.unwrap_err();
    assert!(matches!(error, PoolError::Call(CallError::Raised(_))), "{error}");
    assert_eq!((error.code(), error.executed()), ("SP0310", Executed::Yes));
    let stats = whole(&pool, 1).await;
    assert_eq!(stats.errors[&ErrorKind::Raised], 1);
}

/// Arguments whose owner asks the pool as they are dropped.
struct Nosy(snakepit_pool::Pool);

impl AsRef<[u8]> for Nosy {
    fn as_ref(&self) -> &[u8] {
        &[0x80]
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        assert_adds_up(&self.0.stats());
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_are_dropped_outside_the_lock() {
    let (pool, _sim) = pool(settings(|p| p), 1).await;
    let nosy = || PoolCall::new("echo", bytes::Bytes::from_owner(Nosy(pool.clone())));
    pool.call(nosy()).await.unwrap();
    pool.drain().await;
    pool.call(nosy()).await.unwrap_err();
}
