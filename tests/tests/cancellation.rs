//! Code that nobody waits for any more: how it is stopped, and what that costs, on real Python.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;
use snakepit::{
    Error, ExitCause, PoolConfig, PoolError, PoolEventKind, ProfileKind, Rung, Snakepit, WorkerName,
};
use snakepit_tests::{PATIENCE, Python, Watch, on_every_python, ready_pit, wait_until};

on_every_python!(
    each_code_of_a_process_is_stopped_by_the_mildest_means_that_it_obeys,
    a_process_whose_code_obeys_nothing_is_killed_and_replaced,
    each_code_of_a_thread_is_stopped_by_the_mildest_means_that_it_obeys,
    a_worker_with_a_thread_that_obeys_nothing_is_replaced_and_its_other_call_succeeds,
    a_dropped_call_is_stopped_like_one_that_is_late,
    a_tool_may_ask_not_to_be_interrupted,
    a_shield_holds_back_what_would_interrupt_and_no_longer,
    code_that_is_interrupted_puts_things_in_order,
    an_interrupted_loop_is_not_used_again,
    calls_that_end_as_they_are_interrupted_leave_nothing_to_the_next,
    calls_that_end_as_they_are_signalled_leave_nothing_to_the_next,
);

/// The caller's patience.
const DEADLINE: Duration = Duration::from_millis(300);

/// By then the caller has its answer.
const ANSWERED: Duration = Duration::from_millis(1500);

/// By then the pool is as if nothing had happened.
const WHOLE: Duration = Duration::from_secs(5);

fn process(python: &Python) -> PoolConfig {
    python
        .pool("nasty", "nasty.py")
        .worker_profile(ProfileKind::Process)
        .pool_size(1)
}

fn thread(python: &Python, threads: u32) -> PoolConfig {
    python
        .pool("nasty", "nasty.py")
        .worker_profile(ProfileKind::Thread)
        .pool_size(1)
        .threads_per_worker(threads)
}

/// Calls a tool with arguments that does not end in time. Gives the time until its caller was told.
async fn late(pit: &Snakepit, tool: &str, arguments: &[(&str, Value)]) -> Duration {
    let begun = Instant::now();
    let call = arguments
        .iter()
        .fold(pit.call::<Value>(tool), |call, (name, value)| {
            call.arg(name, value)
        });
    let error = call.timeout(DEADLINE).await.expect_err("it does not end");
    let late = matches!(error, Error::Pool(PoolError::DeadlineExceeded { .. }));
    assert!(late, "{error:?}");
    begun.elapsed()
}

async fn until_stopped(watch: &mut Watch) -> (String, WorkerName, Rung, Duration) {
    watch
        .until(|event| match &event.kind {
            PoolEventKind::CallStopped {
                tool,
                worker,
                by,
                after,
            } => Some((tool.to_string(), worker.clone(), *by, *after)),
            _ => None,
        })
        .await
}

async fn until_killed(watch: &mut Watch) -> WorkerName {
    watch
        .until(|event| match &event.kind {
            PoolEventKind::WorkerExited {
                worker,
                cause: ExitCause::Killed(reason),
                ..
            } => {
                assert_eq!(*reason, "its code did not stop when it was told to");
                Some(worker.clone())
            }
            _ => None,
        })
        .await
}

async fn whole(pit: &Snakepit) {
    let whole = wait_until(WHOLE, || {
        let total = pit.stats().total;
        (total.ready, total.load, total.queued) == (1, 0, 0)
    })
    .await;
    assert!(whole, "the pool is not whole again: {:#?}", pit.stats());
    let answer: u32 = pit.call("echo").arg("value", 7).await.expect("it serves");
    assert_eq!(answer, 7);
}

/// Each tool, and what stops it; the worker lives.
async fn all_stop(pit: &Snakepit, tools: &[(&str, Rung)]) {
    let mut watch = Watch::new(pit.events());
    let pid: u32 = pit.call("where").await.expect("its process");
    for &(tool, rung) in tools {
        let told = late(pit, tool, &[]).await;
        assert!(told < ANSWERED, "{tool}: {told:?}");
        let (stopped, worker, by, after) = until_stopped(&mut watch).await;
        assert_eq!((stopped.as_str(), by), (tool, rung), "{worker}, after {after:?}");
        whole(pit).await;
        for value in 0..20 {
            let answer: u32 = pit
                .call("innocent")
                .arg("number", value)
                .await
                .expect("the next call");
            assert_eq!(answer, value, "after {tool}");
        }
        let after: u32 = pit.call("where").await.expect("its process");
        assert_eq!(pid, after, "{tool} has cost the worker");
    }
    assert_eq!(pit.stats().total.restarts, 0);
}

async fn each_code_of_a_process_is_stopped_by_the_mildest_means_that_it_obeys(python: Python) {
    let pit = ready_pit([process(&python)]).await;
    let tools = [
        ("polite", Rung::Cooperative),
        ("doze", Rung::Task),
        ("spin", Rung::Exception),
        ("stubborn", Rung::Exception),
        ("nap", Rung::Signal),
        ("deadlock", Rung::Signal),
        ("backtrack", Rung::Signal),
    ];
    all_stop(&pit, &tools).await;
    pit.shutdown().await;
}

async fn a_process_whose_code_obeys_nothing_is_killed_and_replaced(python: Python) {
    let pit = ready_pit([process(&python)]).await;
    for (generation, tool) in (1..).zip(["deaf", "deny"]) {
        let mut watch = Watch::new(pit.events());
        let told = late(&pit, tool, &[]).await;
        assert!(told < ANSWERED, "{tool}: {told:?}");
        let (stopped, worker, by, after) = until_stopped(&mut watch).await;
        assert_eq!((stopped.as_str(), by), (tool, Rung::Kill));
        assert!(after >= Duration::from_millis(1500), "{after:?}");
        assert_eq!(until_killed(&mut watch).await, worker);
        assert_eq!(worker.to_string(), format!("nasty/0#{generation}"));
        whole(&pit).await;
    }
    pit.shutdown().await;
}

async fn each_code_of_a_thread_is_stopped_by_the_mildest_means_that_it_obeys(python: Python) {
    let pit = ready_pit([thread(&python, 2)]).await;
    let tools = [
        ("polite", Rung::Cooperative),
        ("doze", Rung::Task),
        ("spin", Rung::Exception),
        ("stubborn", Rung::Exception),
    ];
    let honest = pit.call::<f64>("honest").arg("seconds", 1.0).into_future();
    let (honest, ()) = tokio::join!(honest, all_stop(&pit, &tools));
    honest.expect("it is another call");
    pit.shutdown().await;
}

async fn a_worker_with_a_thread_that_obeys_nothing_is_replaced_and_its_other_call_succeeds(python: Python) {
    let pit = ready_pit([thread(&python, 2)]).await;
    let mut tools = vec!["nap", "deadlock", "deny"];
    if !python.has_gil() {
        // With a GIL nobody else runs beside it.
        tools.push("backtrack");
    }
    for tool in tools {
        let mut watch = Watch::new(pit.events());
        // Longer than the worker has, so that it is still there when the worker is given up.
        let honest = pit
            .call::<f64>("honest")
            .arg("seconds", 3.0)
            .timeout(PATIENCE)
            .into_future();
        let (honest, told) = tokio::join!(honest, late(&pit, tool, &[]));
        assert!(told < ANSWERED, "{tool}: {told:?}");
        honest.expect("it is another call");
        let (stopped, worker, by, _) = until_stopped(&mut watch).await;
        assert_eq!((stopped.as_str(), by), (tool, Rung::Kill));
        assert_eq!(until_killed(&mut watch).await, worker);
        whole(&pit).await;
    }
    assert!(!pit.stats().total.degraded);
    pit.shutdown().await;
}

async fn a_dropped_call_is_stopped_like_one_that_is_late(python: Python) {
    let pit = ready_pit([process(&python)]).await;
    let mut watch = Watch::new(pit.events());
    let call = pit.call::<Value>("nap").into_future();
    tokio::time::timeout(DEADLINE, call)
        .await
        .expect_err("it does not end");
    let (tool, _, by, _) = until_stopped(&mut watch).await;
    assert_eq!((tool.as_str(), by), ("nap", Rung::Signal));
    whole(&pit).await;
    assert_eq!(pit.stats().total.restarts, 0);
    pit.shutdown().await;
}

async fn a_tool_may_ask_not_to_be_interrupted(python: Python) {
    let pit = ready_pit([process(&python)]).await;
    let mut watch = Watch::new(pit.events());
    late(&pit, "unhurried", &[("seconds", 1.3.into())]).await;
    let (_, _, by, after) = until_stopped(&mut watch).await;
    assert_eq!(by, Rung::Cooperative);
    assert!(after >= Duration::from_millis(900), "{after:?}");
    whole(&pit).await;
    assert_eq!(pit.stats().total.restarts, 0);
    pit.shutdown().await;
}

async fn a_shield_holds_back_what_would_interrupt_and_no_longer(python: Python) {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, pool) in [process(&python), thread(&python, 2)].into_iter().enumerate() {
        let pit = ready_pit([pool]).await;
        let mut watch = Watch::new(pit.events());
        let diary = folder.path().join(format!("diary-{number}"));
        let arguments = [("seconds", 1.3.into()), ("diary", diary.to_string_lossy().into())];
        late(&pit, "shielded", &arguments).await;
        let (_, _, by, after) = until_stopped(&mut watch).await;
        assert!(matches!(by, Rung::Exception | Rung::Signal), "{by:?}");
        assert!(after >= Duration::from_millis(900), "{after:?}");
        let diary = std::fs::read_to_string(diary).expect("a diary");
        assert_eq!(diary, "begun done cancelled");
        whole(&pit).await;
        assert_eq!(pit.stats().total.restarts, 0);
        pit.shutdown().await;
    }
}

async fn code_that_is_interrupted_puts_things_in_order(python: Python) {
    let folder = tempfile::tempdir().expect("a folder");
    let diary = folder.path().join("diary");
    let pit = ready_pit([process(&python)]).await;
    let mut watch = Watch::new(pit.events());
    late(&pit, "tidy", &[("diary", diary.to_string_lossy().into())]).await;
    let (_, _, by, _) = until_stopped(&mut watch).await;
    assert_eq!(by, Rung::Signal);
    assert_eq!(std::fs::read_to_string(diary).expect("a diary"), "tidy");
    pit.shutdown().await;
}

async fn an_interrupted_loop_is_not_used_again(python: Python) {
    for pool in [process(&python), thread(&python, 1)] {
        let pit = ready_pit([pool]).await;
        let mut watch = Watch::new(pit.events());
        for _ in 0..3 {
            late(&pit, "stubborn", &[]).await;
            let (_, _, by, _) = until_stopped(&mut watch).await;
            assert_eq!(by, Rung::Exception);
            let waited: f64 = pit
                .call("wait")
                .arg("seconds", 0.01)
                .await
                .expect("the next call has a loop of its own");
            assert!((waited - 0.01).abs() < 1e-9, "{waited}");
        }
        assert_eq!(pit.stats().total.restarts, 0);
        pit.shutdown().await;
    }
}

/// Calls that end about when they are interrupted, each followed by one that nobody may interrupt.
async fn races(pit: &Snakepit, lanes: u32, rounds: u32, after: f64, spared: u32) {
    let mut watch = Watch::new(pit.events());
    let lane = |lane: u32| async move {
        for round in 0..rounds {
            let late = pit
                .call::<Value>("narrow")
                .arg("after", after)
                .arg("spread", 0.008)
                .arg("spared", spared)
                .timeout(Duration::from_millis(100));
            match late.await {
                Err(Error::Pool(PoolError::DeadlineExceeded { .. })) => {}
                other => panic!("{other:?}"),
            }
            let number = lane * rounds + round;
            let answer = pit.call::<u32>("innocent").arg("number", number);
            let answer = answer.timeout(PATIENCE).await.expect("the next call");
            assert_eq!(answer, number);
        }
    };
    let racing = async {
        join_all((0..lanes).map(lane)).await;
        let free = wait_until(PATIENCE, || pit.stats().total.load == 0).await;
        assert!(free, "{:#?}", pit.stats());
        // Those that watch know by it that nothing else comes.
        late(pit, "polite", &[]).await;
    };
    let watching = async {
        let mut by_rung = BTreeMap::<Rung, u32>::new();
        loop {
            let (tool, _, by, _) = until_stopped(&mut watch).await;
            if tool == "polite" {
                return by_rung;
            }
            *by_rung.entry(by).or_default() += 1;
        }
    };
    let ((), by_rung) = tokio::join!(racing, watching);
    // A race that always goes one way proves nothing.
    assert!(by_rung.len() >= 2, "{by_rung:?}");
    assert!(!by_rung.contains_key(&Rung::Kill), "{by_rung:?}");
    assert_eq!(pit.stats().total.restarts, 0, "{by_rung:?}");
}

/// How often each race is run, times `PIT_TEST_ROUNDS`.
fn rounds(some: u32) -> u32 {
    let times = std::env::var("PIT_TEST_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    some * times.unwrap_or(1)
}

async fn calls_that_end_as_they_are_interrupted_leave_nothing_to_the_next(python: Python) {
    let lanes = 40;
    let pit = ready_pit([thread(&python, lanes)]).await;
    races(&pit, lanes, rounds(15), 0.2, 0).await;
    pit.shutdown().await;
}

async fn calls_that_end_as_they_are_signalled_leave_nothing_to_the_next(python: Python) {
    let lanes = 6;
    let pit = ready_pit([process(&python).pool_size(lanes)]).await;
    races(&pit, lanes, rounds(8), 0.5, 1).await;
    pit.shutdown().await;
}
