//! Workers of real Python that are renewed while they serve: by age, by calls, by memory.

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use snakepit::{PoolEventKind, ProfileKind, RecycleReason, Snakepit};
use snakepit_tests::{Python, Wanted, Watch, on_every_python, ready_pit};

on_every_python!(
    each_pool_counts_its_own_calls,
    a_worker_that_leaks_is_renewed_and_its_successor_measured_at_its_own_size,
);

/// Process ids of a pool's workers.
fn pids(pit: &Snakepit, pool: &str) -> Vec<u32> {
    let workers = pit.pool(pool).expect("a pool").worker_handles();
    workers.into_iter().map(|worker| worker.pid).collect()
}

async fn pid(pit: &Snakepit, pool: &str) -> u32 {
    pit.call("pid").pool(pool).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_of_short_lived_workers_has_new_ones_and_the_other_its_first() {
    let Some(python) = Python::find(Wanted::Default) else {
        return;
    };
    let pool = |name, ttl| {
        python
            .pool(name, "conformance.py")
            .worker_profile(ProfileKind::Process)
            .pool_size(1)
            .worker_ttl(ttl)
    };
    let began = Instant::now();
    let pit = ready_pit([
        pool("short", Duration::from_secs(1)),
        pool("long", Duration::from_hours(1)),
    ])
    .await;
    let mut watch = Watch::new(pit.events());
    let (short, long) = (pids(&pit, "short"), pids(&pit, "long"));
    while began.elapsed() < Duration::from_secs(3) {
        let report = watch.until_recycled().await;
        assert_eq!(
            (report.worker.pool.as_str(), report.reason),
            ("short", RecycleReason::Age)
        );
    }
    assert!(!short.contains(&pid(&pit, "short").await));
    assert_eq!(pids(&pit, "long"), long);
    assert!(long.contains(&pid(&pit, "long").await));
    let stats = pit.pool("long").expect("a pool").stats();
    assert_eq!((stats.restarts, stats.recycled.len()), (0, 0));
    pit.shutdown().await;
}

async fn each_pool_counts_its_own_calls(python: Python) {
    let pool = |name, calls| {
        python
            .pool(name, "conformance.py")
            .worker_profile(ProfileKind::Process)
            .pool_size(1)
            .worker_max_requests(calls)
            .recycle_jitter(0)
    };
    let pit = ready_pit([pool("few", 5), pool("many", 100)]).await;
    let mut watch = Watch::new(pit.events());
    let first = pids(&pit, "many");
    for generation in 1..=2 {
        for _ in 0..5 {
            pid(&pit, "few").await;
            pid(&pit, "many").await;
        }
        let report = watch.until_recycled().await;
        assert_eq!(report.worker.to_string(), format!("few/0#{generation}"));
        assert_eq!((report.reason, report.requests), (RecycleReason::Requests, 5));
    }
    let ready = |pool| {
        pit.workers(pool)
            .expect("a pool")
            .pop()
            .expect("a worker")
            .to_string()
    };
    assert_eq!(
        (ready("few"), ready("many")),
        ("few/0#3".to_owned(), "many/0#1".to_owned())
    );
    assert_eq!(pids(&pit, "many"), first);
    pit.shutdown().await;
}

async fn a_worker_that_leaks_is_renewed_and_its_successor_measured_at_its_own_size(python: Python) {
    let limit = 150_000_000;
    let pool = python
        .pool("leaky", "leaky.py")
        .worker_profile(ProfileKind::Process)
        .pool_size(1)
        .worker_memory_max(limit);
    let pit = ready_pit([pool]).await;
    let mut watch = Watch::new(pit.events());
    let victim = ready_pid(&pit);
    let mut leaked = 0;
    while leaked * 1_000_000 <= limit {
        leaked = pit.call("leak").arg("megabytes", 20).await.expect("it takes it");
    }
    let report = watch.until_recycled().await;
    assert_eq!(
        (report.reason, report.worker.id.generation),
        (RecycleReason::Memory, 1)
    );
    let (before, after) = (report.memory_before, report.memory_after);
    assert!(before.is_some_and(|before| before > limit), "{report:?}");
    // A fresh interpreter, and nothing of what its predecessor keeps.
    assert!(
        after.is_some_and(|after| after > 0 && after < limit / 3),
        "{report:?}"
    );
    let kept: u64 = pit.call("kept").await.expect("the successor serves");
    assert_eq!(kept, 0);
    assert_ne!(ready_pid(&pit), victim);
    pit.shutdown().await;
}

/// Process id of the one worker that takes calls.
fn ready_pid(pit: &Snakepit) -> u32 {
    let workers = pit.default_pool().worker_handles();
    let ready = workers
        .iter()
        .find(|worker| worker.state == snakepit::WorkerState::Ready);
    ready.expect("one is ready").pid
}

/// Calls a second, whatever becomes of the workers.
const RATE: u32 = 100;
const SIZE: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_steady_load_no_call_notices_that_workers_are_renewed() {
    let Some(python) = Python::find(Wanted::Default) else {
        return;
    };
    let pool = python
        .pool("steady", "conformance.py")
        .worker_profile(ProfileKind::Process)
        .pool_size(SIZE)
        .worker_ttl(Duration::from_secs(1));
    let pit = ready_pit([pool]).await;
    let mut events = Watch::new(pit.events());
    let on_duty = || {
        let stats = pit.stats().total;
        assert!(stats.ready >= SIZE, "below the floor: {stats:#?}");
        assert_eq!(stats.errors.values().sum::<u64>(), 0, "{stats:#?}");
    };

    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut left = seconds() * RATE;
    let mut calls = FuturesUnordered::new();
    while left > 0 || !calls.is_empty() {
        tokio::select! {
            _ = tick.tick(), if left > 0 => {
                left -= 1;
                calls.push(pit.call::<u32>("echo").arg("value", left).into_future());
            }
            Some(answer) = calls.next() => { answer.expect("no call fails"); }
            event = events.next() => {
                let refused = matches!(event.kind, PoolEventKind::CallRejected { .. });
                assert!(!refused, "{event:?}");
            }
        }
        on_duty();
    }
    drop(calls);

    let stats = pit.stats().total;
    assert_eq!(stats.completed, u64::from(seconds() * RATE));
    let renewed = stats
        .recycled
        .get(&RecycleReason::Age)
        .copied()
        .unwrap_or_default();
    assert!(
        renewed >= u64::from(SIZE),
        "every worker, at least once: {stats:#?}"
    );
    pit.shutdown().await;
}

/// How long the load lasts: `PIT_TEST_SECONDS`, or a few.
fn seconds() -> u32 {
    let given = std::env::var("PIT_TEST_SECONDS").ok();
    given.map_or(6, |seconds| seconds.parse().expect("whole seconds"))
}
