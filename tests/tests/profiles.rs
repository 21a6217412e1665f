//! The process and the thread profile, on real Python: each test asserts the fact, not just success.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use serde::Deserialize;
use snakepit::pyenv;
use snakepit::{PoolConfig, ProfileKind, WorkerProfileChoice};
use snakepit_tests::{PATIENCE, Python, Signalled, Wanted, on_every_python, ready_pit, wait_until};

#[derive(Debug, Deserialize)]
struct Held {
    pid: u32,
    most: u32,
    began: f64,
    ended: f64,
}

#[derive(Debug, Deserialize)]
struct Where {
    pid: u32,
    thread: String,
    gil: bool,
    version: [u8; 3],
}

fn threads(pool: PoolConfig, threads: u32) -> PoolConfig {
    pool.worker_profile(ProfileKind::Thread)
        .pool_size(1)
        .threads_per_worker(threads)
}

on_every_python!(
    process_and_thread_pools_run_side_by_side,
    four_calls_of_a_second_overlap_on_one_worker_of_four_threads,
    a_third_call_waits_for_one_of_two_slots,
    a_process_worker_never_runs_two_at_once,
    the_environment_reaches_the_worker_and_wins_over_the_caps,
    a_class_is_set_up_before_the_first_call_and_cleaned_up_in_peace,
    a_call_knows_what_time_is_left,
);

async fn process_and_thread_pools_run_side_by_side(python: Python) {
    let pit = ready_pit([
        python.pool("processes", "probe.py").pool_size(1),
        threads(python.pool("threads", "probe.py"), 8),
    ])
    .await;

    let worker = pit
        .pool("threads")
        .expect("a pool")
        .worker_handles()
        .pop()
        .expect("its worker");
    assert_eq!(worker.capacity, 8);
    assert_eq!(
        pit.pool("threads").expect("a pool").profile(),
        ProfileKind::Thread
    );
    let facts = worker.facts.expect("a ready worker has told its facts");
    assert_eq!(
        facts.gil_enabled,
        python.has_gil(),
        "importing the bridge must not change the GIL"
    );
    assert_eq!(facts.free_threaded, python.interpreter.facts.free_threaded);

    let in_process: Where = pit.call("where").pool("processes").await.expect("an answer");
    let in_thread: Where = pit.call("where").pool("threads").await.expect("an answer");
    assert_ne!(in_process.pid, in_thread.pid);
    assert_eq!(in_process.thread, "MainThread");
    assert!(in_thread.thread.starts_with("snakepit-"), "{}", in_thread.thread);
    assert_eq!(in_thread.gil, python.has_gil());
    let version = python.interpreter.facts.version;
    assert_eq!(in_thread.version, [version.major, version.minor, version.micro]);
    pit.shutdown().await;
}

async fn four_calls_of_a_second_overlap_on_one_worker_of_four_threads(python: Python) {
    let pit = ready_pit([threads(python.pool("threads", "probe.py"), 4)]).await;

    let started = Instant::now();
    let held: Vec<Held> =
        try_join_all((0..4).map(|_| async { pit.call::<Held>("hold").arg("seconds", 1.0).await }))
            .await
            .expect("four answers");
    let took = started.elapsed();

    assert!(
        took < Duration::from_secs(2),
        "four seconds of calls took {took:?}"
    );
    assert_eq!(
        held.iter().map(|held| held.pid).collect::<BTreeSet<_>>().len(),
        1,
        "one worker"
    );
    let last_began = held.iter().map(|held| held.began).fold(f64::MIN, f64::max);
    let first_ended = held.iter().map(|held| held.ended).fold(f64::MAX, f64::min);
    assert!(last_began < first_ended, "all four ran at the same time");
    assert_eq!(held.iter().map(|held| held.most).max(), Some(4));
    pit.shutdown().await;
}

async fn a_third_call_waits_for_one_of_two_slots(python: Python) {
    let pit = ready_pit([threads(python.pool("threads", "probe.py"), 2)]).await;
    let signal = Signalled::new();
    let calls =
        try_join_all((0..3).map(|_| async { pit.call::<Held>("hold").arg("until", signal.path()).await }));
    let give = async {
        let full = wait_until(PATIENCE, || {
            let total = pit.stats().total;
            (total.load, total.queued) == (2, 1)
        });
        assert!(full.await, "two run and one waits: {:?}", pit.stats());
        signal.give();
    };
    let (held, ()) = tokio::join!(calls, give);
    let held = held.expect("three answers");

    let most = held.iter().map(|held| held.most).max().expect("three");
    assert!(most <= 2, "never more than two, counted inside Python: {most}");
    let mut began: Vec<f64> = held.iter().map(|held| held.began).collect();
    began.sort_by(f64::total_cmp);
    let first_ended = held.iter().map(|held| held.ended).fold(f64::MAX, f64::min);
    assert!(began[2] >= first_ended, "the third began before a slot was free");
    pit.shutdown().await;
}

async fn a_process_worker_never_runs_two_at_once(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let held: Vec<Held> =
        try_join_all((0..5).map(|_| async { pit.call::<Held>("hold").arg("seconds", 0.02).await }))
            .await
            .expect("five answers");
    assert_eq!(held.iter().map(|held| held.most).max(), Some(1));
    pit.shutdown().await;
}

async fn the_environment_reaches_the_worker_and_wins_over_the_caps(python: Python) {
    let pit = ready_pit([
        python
            .pool("processes", "probe.py")
            .pool_size(1)
            .adapter_env("FLAVOUR", "salt"),
        python
            .pool("own_cap", "probe.py")
            .pool_size(1)
            .adapter_env("OMP_NUM_THREADS", "7"),
    ])
    .await;
    let variable = async |pool: &str, name: &str| {
        pit.call::<Option<String>>("environment")
            .pool(pool)
            .arg("name", name)
            .await
            .expect("an answer")
    };
    assert_eq!(variable("processes", "FLAVOUR").await.as_deref(), Some("salt"));
    assert_eq!(
        variable("processes", "OMP_NUM_THREADS").await.as_deref(),
        Some("1")
    );
    assert_eq!(
        variable("processes", "OPENBLAS_NUM_THREADS").await.as_deref(),
        Some("1")
    );
    assert_eq!(
        variable("own_cap", "OMP_NUM_THREADS").await.as_deref(),
        Some("7"),
        "the user's own value wins"
    );
    assert_eq!(variable("own_cap", "FLAVOUR").await, None, "another pool's value");
    pit.shutdown().await;
}

async fn a_class_is_set_up_before_the_first_call_and_cleaned_up_in_peace(python: Python) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let note = folder.path().join("cleaned_up");
    let pool = threads(python.pool("counts", "classy.py"), 4)
        .adapter_env("CLEANED_UP", note.to_str().expect("a plain path"));
    let pit = ready_pit([pool]).await;

    let mut counts =
        join_all((0..8).map(|_| async { pit.call::<u32>("up").await.expect("an answer") })).await;
    counts.sort_unstable();
    assert_eq!(
        counts,
        (101..=108).collect::<Vec<_>>(),
        "one instance, set up once"
    );
    pit.shutdown().await;
    assert_eq!(std::fs::read_to_string(note).expect("cleanup has run"), "108\n");
}

async fn a_call_knows_what_time_is_left(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let left: f64 = pit
        .call("left")
        .timeout(Duration::from_secs(30))
        .await
        .expect("an answer");
    assert!(left > 0.0 && left <= 30.0, "{left}");
    pit.shutdown().await;
}

#[test]
fn an_ordinary_and_a_free_threaded_build_are_told_apart() {
    let (Some(ordinary), Some(free)) = (Python::find(Wanted::V3_13), Python::find(Wanted::V3_13t)) else {
        return;
    };
    let (ordinary, free) = (&ordinary.interpreter.facts, &free.interpreter.facts);
    assert_eq!((ordinary.version.minor, free.version.minor), (13, 13));
    assert!(!ordinary.free_threaded && ordinary.gil_enabled);
    assert!(free.free_threaded && !free.gil_enabled);
    assert_eq!(ordinary.recommended_profile(), ProfileKind::Process);
    assert_eq!(free.recommended_profile(), ProfileKind::Thread);
    assert_eq!(
        pyenv::recommend_profile_by_version(ordinary.version),
        ProfileKind::Thread,
        "the old answer, for those who ask"
    );
}

/// `worker_profile = "auto"`.
#[tokio::test(flavor = "multi_thread")]
async fn auto_means_threads_where_the_gil_is_off_and_processes_elsewhere() {
    for (wanted, profile) in [
        (Wanted::V3_13, ProfileKind::Process),
        (Wanted::V3_13t, ProfileKind::Thread),
    ] {
        let Some(python) = Python::find(wanted) else {
            continue;
        };
        let pit = ready_pit([python
            .pool("auto", "probe.py")
            .pool_size(1)
            .worker_profile(WorkerProfileChoice::Auto)])
        .await;
        assert_eq!(pit.pool("auto").expect("a pool").profile(), profile);
        pit.shutdown().await;
    }
}
