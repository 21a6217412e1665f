//! Races: many tasks on several threads at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use proptest::prelude::*;
use snakepit_pool::core::Moment;
use snakepit_pool::sim::Start;
use snakepit_pool::{Clock, PoolCall, PoolError, Pools, PoolsOptions, TokioClock};
use snakepit_profile::{CallError, Exit};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::rig::{MINUTE, call, ms, now, pool, settings, whole, workers};

fn threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
}

proptest! {
    // Each case starts a runtime and runs hundreds of calls. `PROPTEST_CASES` wins over this.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_worker_ever_has_more_calls_than_it_has_threads(
        threads_per_worker in 1_u32..5,
        workers in 1_u32..4,
        tasks in 1_usize..40,
    ) {
        threads().block_on(async {
            let (pool, sim) = pool(settings(|p| p.pool_size(workers)), threads_per_worker).await;
            let tasks: Vec<_> = (0..tasks)
                .map(|n| {
                    let pool = pool.clone();
                    tokio::runtime::Handle::current().spawn(async move {
                        for round in 0..20 {
                            let tool = if (n + round) % 5 == 0 { "wait:1" } else { "echo" };
                            pool.call(call(tool)).await.unwrap();
                        }
                    })
                })
                .collect();
            let count = tasks.len() as u64;
            for task in tasks {
                task.await.unwrap();
            }
            let stats = whole(&pool, workers).await;
            assert_eq!((stats.requests, stats.completed), (count * 20, count * 20));
            assert!(sim.all().iter().all(|worker| worker.most() <= threads_per_worker));
            assert_eq!(sim.record().violations(), []);
        });
    }

    #[test]
    fn callers_that_go_at_any_point_leak_nothing(
        patiences in prop::collection::vec(0_usize..12, 1..120),
        capacity in 1_u32..4,
    ) {
        threads().block_on(async {
            let (pool, sim) = pool(settings(|p| p.queue_max(20)), capacity).await;
            let tasks: Vec<_> = patiences
                .into_iter()
                .enumerate()
                .map(|(n, patience)| {
                    let pool = pool.clone();
                    tokio::runtime::Handle::current().spawn(async move {
                        let patience = async {
                            for _ in 0..patience {
                                yield_now().await;
                            }
                        };
                        let tool = ["echo", "hold", "wait:1", "raise"][n % 4];
                        tokio::select! {
                            biased;
                            _ = pool.call(call(tool)) => {}
                            () = patience => {}
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            tokio::time::timeout(MINUTE, whole(&pool, 1)).await.expect("every slot comes back");
            pool.call(call("echo")).await.unwrap();
            assert_eq!(sim.record().violations(), []);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_die_at_any_time_lose_their_own_calls_and_nothing_else() {
    let often = settings(|p| p.pool_size(4).restart_max(100).restart_pool_max(400));
    let (pool, sim) = pool(often, 3).await;
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..32)
        .map(|n| {
            let (pool, over) = (pool.clone(), Arc::clone(&over));
            tokio::runtime::Handle::current().spawn(async move {
                let (mut served, mut lost) = (0, 0);
                while !over.load(Ordering::SeqCst) {
                    let tool = if (n + served) % 3 == 0 { "wait:2" } else { "echo" };
                    match pool.call(call(tool)).await {
                        Ok(_) => served += 1,
                        Err(PoolError::Call(CallError::Lost(_) | CallError::NotSent)) => lost += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                (served, lost)
            })
        })
        .collect();
    for generation in 1..=4 {
        for slot in 0..4 {
            sim.has_made(slot, generation).await;
            sim.worker(slot).die(Exit::Signal(9));
        }
    }
    over.store(true, Ordering::SeqCst);
    let (mut served, mut lost) = (0, 0);
    for caller in callers {
        let (more, fewer) = caller.await.unwrap();
        (served, lost) = (served + more, lost + fewer);
    }
    let stats = tokio::time::timeout(MINUTE, whole(&pool, 4)).await;
    let stats = stats.expect("the pool becomes whole");
    assert_eq!((stats.completed, stats.requests), (served, served + lost));
    assert_eq!(sim.record().violations(), []);
    assert_eq!(stats.restarts, 16);
}

/// Counts how often the pool goes to sleep.
struct Counting {
    clock: TokioClock,
    sleeps: AtomicU32,
}

impl Clock for Counting {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn instant(&self, at: Moment) -> Option<Instant> {
        self.clock.instant(at)
    }

    fn sleep_until(&self, at: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.sleeps.fetch_add(1, Ordering::SeqCst);
        self.clock.sleep_until(at)
    }
}

#[tokio::test(start_paused = true)]
async fn calls_with_a_distant_deadline_do_not_wake_the_timer() {
    let clock = Arc::new(Counting {
        clock: TokioClock::new(),
        sleeps: AtomicU32::new(0),
    });
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let sim = workers(1, |_| Start::Ready);
    let options = PoolsOptions {
        clock: shared,
        ..PoolsOptions::default()
    };
    let pools = Pools::start_with(vec![(settings(|p| p), sim)], options);
    pools.await_ready(MINUTE).await.unwrap();
    let pool = pools.default_pool().unwrap();
    pool.call(call("echo")).await.unwrap();
    let before = clock.sleeps.load(Ordering::SeqCst);
    for _ in 0..1000 {
        pool.call(call("wait:1")).await.unwrap();
    }
    assert!(clock.sleeps.load(Ordering::SeqCst) - before <= 1);
    // A nearer deadline does wake it.
    let hurried = PoolCall {
        timeout: Some(ms(10)),
        ..call("hold")
    };
    let begun = now();
    pool.call(hurried).await.unwrap_err();
    assert_eq!(begun.elapsed(), ms(10));
}
