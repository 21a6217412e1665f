//! A host that is going to be killed: brings its workers into a state, tells their process ids and their children's, and
//! waits.
//!
//! `doomed_host STATE PYTHON`, where STATE is `starting`, `idle`, `python_loop`, `holding_gil` or `stopped`.

use std::time::Duration;

use futures_util::future::try_join_all;
use rustix::process::Signal;
use serde_json::Value;
use snakepit::{PoolConfig, Snakepit};
use snakepit_tests::{PATIENCE, Process, adapter, ready_pit, start_pit, wait_until};

const WORKERS: u32 = 2;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let state = arguments.next().expect("a state");
    let python = arguments.next().expect("an interpreter");

    let pit = if state == "starting" {
        starting(&python).await
    } else {
        ready(&python).await
    };
    let calls: Vec<_> = match state.as_str() {
        "python_loop" => vec!["spin"; WORKERS as usize],
        "holding_gil" => vec!["hold_gil"; WORKERS as usize],
        _ => Vec::new(),
    };
    let running = calls.len();
    let calls = call_all(&pit, calls);
    let told = async {
        assert!(
            wait_until(PATIENCE, || pit.stats().total.load as usize == running).await,
            "the calls run"
        );
        if state == "stopped" {
            for process in workers(&pit) {
                process.signal(Signal::STOP);
            }
        }
        println!("ready");
        // Until somebody kills this process.
        std::future::pending::<()>().await;
    };
    tokio::join!(calls, told);
}

/// Workers that have a child already and never become ready.
async fn starting(python: &str) -> Snakepit {
    let children = tempfile::tempdir().expect("a temporary folder");
    let pool = PoolConfig::new("doomed")
        .adapter(adapter("starts_for_ever.py"))
        .python(python)
        .pool_size(WORKERS)
        .startup_timeout(Duration::from_mins(10))
        .adapter_env("CHILDREN", children.path().to_str().expect("a plain path"));
    let pit = start_pit([pool]).await;
    let mut found = Vec::new();
    let all = wait_until(PATIENCE, || {
        found = std::fs::read_dir(children.path())
            .expect("a readable folder")
            .flatten()
            .map(|e| e.path())
            .collect();
        found.len() == WORKERS as usize
    });
    assert!(all.await, "every worker has a child");
    for path in &found {
        tell(
            path.file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok())
                .expect("a pid"),
        );
    }
    tell_workers(&pit);
    pit
}

/// Ready workers, each with a child.
async fn ready(python: &str) -> Snakepit {
    let pool = PoolConfig::new("doomed")
        .adapter(adapter("probe.py"))
        .python(python)
        .pool_size(WORKERS);
    let pit = ready_pit([pool]).await;
    for child in call_all(&pit, vec!["grandchild"; WORKERS as usize]).await {
        tell(
            child
                .as_u64()
                .and_then(|pid| u32::try_from(pid).ok())
                .expect("a pid"),
        );
    }
    tell_workers(&pit);
    pit
}

/// Makes these calls at once.
async fn call_all(pit: &Snakepit, tools: Vec<&str>) -> Vec<Value> {
    let calls = tools
        .into_iter()
        .map(|tool| pit.call(tool).timeout(Duration::from_hours(1)).into_future());
    try_join_all(calls).await.expect("answers")
}

fn workers(pit: &Snakepit) -> impl Iterator<Item = Process> {
    let pids = pit
        .default_pool()
        .worker_handles()
        .into_iter()
        .map(|worker| worker.pid);
    pids.filter_map(Process::of)
}

fn tell_workers(pit: &Snakepit) {
    let mut count = 0;
    for process in workers(pit) {
        tell(process.pid);
        count += 1;
    }
    assert_eq!(count, WORKERS, "every worker is told");
}

fn tell(pid: u32) {
    println!("pid {pid}");
}
