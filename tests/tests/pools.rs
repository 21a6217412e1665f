//! Many named pools at once, on real Python.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use snakepit::{Error, PoolError, Snakepit};
use snakepit_tests::{PATIENCE, Python, on_every_python, ready_pit, start_pit};

#[derive(Debug, Deserialize)]
struct Where {
    pid: u32,
    main: bool,
}

async fn pids(pit: &Snakepit, pool: &str, calls: usize) -> BTreeSet<u32> {
    let calls = (0..calls).map(|_| async {
        pit.call::<Where>("where")
            .pool(pool)
            .await
            .expect("an answer")
            .pid
    });
    join_all(calls).await.into_iter().collect()
}

fn worker_pids(pit: &Snakepit, pool: &str) -> BTreeSet<u32> {
    pit.pool(pool)
        .expect("it is there")
        .worker_handles()
        .into_iter()
        .map(|worker| worker.pid)
        .collect()
}

on_every_python!(
    each_pool_answers_with_its_own_workers_only,
    calls_go_to_the_named_pool_and_else_to_the_first,
    a_pool_that_cannot_start_refuses_at_once_and_harms_no_other,
);

async fn each_pool_answers_with_its_own_workers_only(python: Python) {
    let pools = [
        python.pool("two", "probe.py").pool_size(2),
        python.pool("three", "probe.py").pool_size(3),
    ];
    let pit = ready_pit(pools).await;

    let (two, three) = tokio::join!(pids(&pit, "two", 10), pids(&pit, "three", 10));
    let (all_two, all_three) = (worker_pids(&pit, "two"), worker_pids(&pit, "three"));
    assert!(two.is_subset(&all_two), "{two:?} are not all of {all_two:?}");
    assert!(
        three.is_subset(&all_three),
        "{three:?} are not all of {all_three:?}"
    );
    assert!(all_two.is_disjoint(&all_three), "pools share a worker");
    assert_eq!((all_two.len(), all_three.len()), (2, 3));
    assert!(
        two.len() == 2 && three.len() == 3,
        "ten calls at once reach every worker: {two:?}, {three:?}"
    );

    let names = |pool| {
        pit.workers(pool)
            .expect("a pool")
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("two"), ["two/0#1", "two/1#1"]);
    assert_eq!(names("three"), ["three/0#1", "three/1#1", "three/2#1"]);
    assert_eq!(pit.all_workers().len(), 5);

    let stats = pit.stats();
    let completed = |pool: &str| {
        stats
            .pools
            .iter()
            .find(|(name, _)| name.as_str() == pool)
            .map(|(_, s)| s.completed)
    };
    assert_eq!((completed("two"), completed("three")), (Some(10), Some(10)));
    assert_eq!(stats.total.completed, 20);
    pit.shutdown().await;
}

async fn calls_go_to_the_named_pool_and_else_to_the_first(python: Python) {
    let pools = [
        python.pool("first", "probe.py").pool_size(1),
        python.pool("second", "probe.py").pool_size(1),
    ];
    let pit = ready_pit(pools).await;

    let unnamed: Where = pit.call("where").await.expect("an answer");
    let named: Where = pit.call("where").pool("second").await.expect("an answer");
    assert_eq!(BTreeSet::from([unnamed.pid]), worker_pids(&pit, "first"));
    assert_eq!(BTreeSet::from([named.pid]), worker_pids(&pit, "second"));
    assert!(
        unnamed.main && named.main,
        "process workers run tools on the main thread"
    );

    let (_, receipt) = pit
        .call::<Where>("where")
        .pool("second")
        .with_receipt()
        .await
        .expect("an answer");
    assert_eq!(receipt.worker.to_string(), "second/0#1");
    assert_eq!(receipt.gil_enabled, python.has_gil());

    let error = pit
        .call::<Where>("where")
        .pool("third")
        .await
        .expect_err("there is no such pool");
    match &error {
        Error::Pool(PoolError::PoolNotFound { pool, available, .. }) => {
            assert_eq!(pool, "third");
            assert_eq!(available, &["first", "second"]);
        }
        other => panic!("not the error for an unknown pool: {other:?}"),
    }
    pit.shutdown().await;
}

async fn a_pool_that_cannot_start_refuses_at_once_and_harms_no_other(python: Python) {
    let pools = [
        python
            .pool("broken", "no_import.py")
            .pool_size(2)
            .queue_timeout(Duration::from_mins(10)),
        python.pool("healthy", "probe.py").pool_size(2),
    ];
    let pit = start_pit(pools).await;

    let error = pit
        .await_ready(PATIENCE)
        .await
        .expect_err("one pool has failed for good");
    assert!(error.to_string().contains("broken"), "{error}");
    let import = error.python_error().expect("the exception is told");
    assert_eq!(import.type_name, "ModuleNotFoundError");
    assert!(import.message.contains("a_module_that_is_nowhere"), "{import}");

    pit.pool("healthy")
        .expect("a pool")
        .await_ready(PATIENCE)
        .await
        .expect("it starts");
    let refused = pit
        .call::<Where>("where")
        .pool("broken")
        .await
        .expect_err("it has failed");
    assert!(
        matches!(refused, Error::Pool(PoolError::PoolNotInitialized { .. })),
        "{refused:?}"
    );
    assert_eq!(refused.executed(), snakepit::Executed::No);
    assert_eq!(pit.workers("broken").expect("a pool").len(), 0);
    let served: Where = pit
        .call("where")
        .pool("healthy")
        .await
        .expect("the healthy pool serves");
    assert!(worker_pids(&pit, "healthy").contains(&served.pid));
    pit.shutdown().await;
}

/// The single-pool form of a configuration file: its keys at top level make the pool `default`.
#[tokio::test]
async fn the_legacy_form_serves_calls_without_a_pool() {
    let Some(python) = Python::find(snakepit_tests::Wanted::Default) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("snakepit.toml");
    let adapter = snakepit_tests::adapter("probe.py");
    let text = format!(
        "python = {:?}\nadapter = {adapter:?}\npool_size = 1\nadapter_args = [\"--fast\"]\n\n[adapter_env]\nCOLOUR = \"blue\"\n",
        python.interpreter.path,
    );
    std::fs::write(&file, text).expect("a writable folder");

    let pit = Snakepit::builder()
        .env(false)
        .config_file(&file)
        .start()
        .await
        .expect("it starts");
    pit.await_ready(PATIENCE).await.expect("it becomes ready");
    assert_eq!(pit.workers("default").expect("the pool").len(), 1);
    let colour: String = pit
        .call("environment")
        .arg("name", "COLOUR")
        .await
        .expect("an answer");
    assert_eq!(colour, "blue");
    let arguments: Vec<String> = pit.call("arguments").await.expect("an answer");
    assert_eq!(arguments, [adapter.to_str().expect("a plain path"), "--fast"]);
    pit.shutdown().await;
}
