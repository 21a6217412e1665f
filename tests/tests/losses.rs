//! Workers that die, raise, or are never alive: one call's trouble, on real Python.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::Value;
use snakepit::{CallError, Error, Executed, Exit, PoolError, ProfileKind, Snakepit};
use snakepit_tests::{PATIENCE, Process, Python, Signalled, on_every_python, ready_pit, wait_until};

on_every_python!(
    a_killed_worker_fails_its_calls_at_once_and_is_replaced,
    a_worker_that_leaves_says_with_which_code_and_last_words,
    a_crash_is_told_with_its_signal_and_stack,
    an_exception_arrives_with_its_story_and_the_worker_lives,
    an_unknown_tool_or_argument_never_runs_and_names_what_there_is,
    a_dropped_call_frees_its_slot,
    a_dropped_pit_leaves_no_process,
);

fn victim(pit: &Snakepit, pool: &str) -> Process {
    let worker = pit
        .pool(pool)
        .expect("a pool")
        .worker_handles()
        .pop()
        .expect("a worker");
    Process::of(worker.pid).expect("a living one")
}

/// Whole again: the one worker is ready, every slot free, nothing queued.
async fn whole(pit: &Snakepit) {
    let whole = wait_until(PATIENCE, || {
        let total = pit.stats().total;
        (total.ready, total.load, total.queued) == (1, 0, 0)
    })
    .await;
    assert!(whole, "the pool is not whole again: {:?}", pit.stats());
}

async fn a_killed_worker_fails_its_calls_at_once_and_is_replaced(python: Python) {
    let pool = python
        .pool("threads", "probe.py")
        .worker_profile(ProfileKind::Thread)
        .pool_size(1)
        .threads_per_worker(3);
    let pit = ready_pit([pool]).await;
    let process = victim(&pit, "threads");

    let calls = join_all((0..3).map(|_| pit.call::<Value>("hold").arg("seconds", 600).into_future()));
    let kill = async {
        assert!(
            wait_until(PATIENCE, || pit.stats().total.load == 3).await,
            "three calls run"
        );
        process.signal(Signal::KILL);
        Instant::now()
    };
    let (answers, killed) = tokio::join!(calls, kill);
    let took = killed.elapsed();

    for answer in answers {
        let error = answer.expect_err("the worker is gone");
        let lost = error
            .worker_lost()
            .unwrap_or_else(|| panic!("not a lost worker: {error:?}"));
        assert_eq!((lost.pid, lost.exit), (process.pid, Exit::Signal(9)));
        assert_eq!(lost.worker.to_string(), "threads/0#1");
        assert_eq!(error.executed(), Executed::Maybe);
        assert!(error.to_string().contains("signal 9"), "{error}");
    }
    // Far above what it takes, far below any timeout: they were told, they did not wait.
    assert!(took < Duration::from_secs(5), "{took:?}");

    whole(&pit).await;
    assert_eq!(
        pit.workers("threads").expect("a pool")[0].to_string(),
        "threads/0#2"
    );
    pit.call::<Value>("where").await.expect("the replacement serves");
    pit.shutdown().await;
}

async fn a_worker_that_leaves_says_with_which_code_and_last_words(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let error = pit
        .call::<Value>("leave")
        .arg("code", 3)
        .await
        .expect_err("it left");
    let lost = error.worker_lost().expect("a lost worker");
    assert_eq!(lost.exit, Exit::Code(3));
    assert!(
        lost.output.iter().any(|line| line.contains("about to leave")),
        "{:?}",
        lost.output
    );
    whole(&pit).await;
    pit.shutdown().await;
}

async fn a_crash_is_told_with_its_signal_and_stack(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let error = pit.call::<Value>("crash").await.expect_err("it crashed");
    let lost = error.worker_lost().expect("a lost worker");
    assert_eq!(lost.exit, Exit::Signal(11));
    assert!(
        lost.output.iter().any(|line| line.contains("in crash")),
        "the Python stack: {:?}",
        lost.output
    );
    whole(&pit).await;
    pit.shutdown().await;
}

async fn an_exception_arrives_with_its_story_and_the_worker_lives(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let process = victim(&pit, "processes");
    let error = pit
        .call::<Value>("fail")
        .arg("message", "no such luck")
        .await
        .expect_err("it raised");
    assert_eq!(error.executed(), Executed::Yes);
    let raised = error.python_error().expect("a Python exception");
    assert_eq!(
        (raised.type_name.as_str(), raised.module.as_str()),
        ("ValueError", "builtins")
    );
    assert_eq!(raised.message, "no such luck");
    assert_eq!(
        raised.mro,
        [
            "builtins.ValueError",
            "builtins.Exception",
            "builtins.BaseException"
        ]
    );
    let frame = raised.frames.last().expect("a frame");
    assert_eq!(
        (frame.function.as_str(), frame.source.as_str()),
        ("fail", "raise ValueError(message)")
    );
    assert!(raised.traceback.contains("probe.py"), "{}", raised.traceback);
    assert!(
        !raised.traceback.contains("snakepit_bridge"),
        "the bridge's own frames tell nothing: {}",
        raised.traceback
    );
    assert!(process.is_alive());
    assert_eq!(pit.stats().total.load, 0);
    pit.shutdown().await;
}

async fn an_unknown_tool_or_argument_never_runs_and_names_what_there_is(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let error = pit
        .call::<Value>("wher")
        .await
        .expect_err("there is no such tool");
    assert!(
        matches!(error, Error::Pool(PoolError::Call(CallError::UnknownTool { .. }))),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("`where`") && error.to_string().contains("`echo`"),
        "{error}"
    );
    assert_eq!(error.executed(), Executed::No);

    let error = pit
        .call::<Value>("hold")
        .arg("minutes", 1)
        .await
        .expect_err("it takes seconds");
    assert!(
        matches!(
            error,
            Error::Pool(PoolError::Call(CallError::InvalidArguments { .. }))
        ),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("minutes") && error.to_string().contains("seconds: float"),
        "{error}"
    );
    assert_eq!(error.executed(), Executed::No);
    pit.shutdown().await;
}

async fn a_dropped_call_frees_its_slot(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let signal = Signalled::new();
    {
        let call = pit
            .call::<Value>("hold")
            .arg("until", signal.path())
            .into_future();
        let running = wait_until(PATIENCE, || pit.stats().total.load == 1);
        tokio::select! {
            answer = call => panic!("it ended before it was dropped: {answer:?}"),
            running = running => assert!(running, "the call runs"),
        }
    }
    assert_eq!(pit.stats().total.load, 1, "its code has not stopped yet");
    signal.give();
    whole(&pit).await;
    pit.call::<Value>("where").await.expect("the worker serves on");
    pit.shutdown().await;
}

async fn a_dropped_pit_leaves_no_process(python: Python) {
    let pit = ready_pit([python.pool("processes", "probe.py").pool_size(1)]).await;
    let child: u32 = pit.call("grandchild").await.expect("a pid");
    let family = [
        victim(&pit, "processes"),
        Process::of(child).expect("a living child"),
    ];
    drop(pit);
    let gone = wait_until(Duration::from_secs(1), || {
        family.iter().all(|process| !process.is_alive())
    })
    .await;
    assert!(gone, "{family:?} outlived their pit");
}
