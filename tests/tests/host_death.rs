//! SIGKILL of the host: no worker and no child of a worker outlives it, whatever they were doing.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use snakepit_tests::{Process, Python, Wanted, wait_until};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// What the user is promised.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Rounds of each state; `PIT_TEST_ROUNDS` asks for more.
fn rounds() -> u32 {
    std::env::var("PIT_TEST_ROUNDS")
        .ok()
        .map_or(1, |rounds| rounds.parse().expect("PIT_TEST_ROUNDS is a number"))
}

/// Brings a host's workers into `state`, kills the host, and asserts that nothing is left.
async fn nothing_is_left(state: &str) {
    let Some(python) = Python::find(Wanted::Default) else {
        return;
    };
    for round in 0..rounds() {
        let mut host = Command::new(env!("CARGO_BIN_EXE_doomed_host"))
            .arg(state)
            .arg(&python.interpreter.path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the host starts");
        let mut lines = BufReader::new(host.stdout.take().expect("a pipe")).lines();
        let mut family = Vec::new();
        loop {
            let line = lines
                .next_line()
                .await
                .expect("readable")
                .expect("the host tells until it is ready");
            if line == "ready" {
                break;
            }
            let pid = line
                .strip_prefix("pid ")
                .and_then(|pid| pid.parse().ok())
                .expect("a pid");
            family.push(Process::of(pid).unwrap_or_else(|| panic!("{pid} was told and does not live")));
        }
        assert_eq!(family.len(), 4, "two workers with a child each");

        Process::of(host.id().expect("it runs"))
            .expect("it lives")
            .signal(Signal::KILL);
        let gone = wait_until(GONE_WITHIN, || family.iter().all(|process| !process.is_alive())).await;
        let left: Vec<_> = family.iter().filter(|process| process.is_alive()).collect();
        for process in &left {
            process.signal(Signal::KILL);
        }
        assert!(gone, "round {round}, {state}: {left:?} outlived the host");
        host.wait().await.expect("it has ended");
    }
}

#[tokio::test]
async fn while_workers_are_starting() {
    nothing_is_left("starting").await;
}

#[tokio::test]
async fn while_workers_are_idle() {
    nothing_is_left("idle").await;
}

#[tokio::test]
async fn while_workers_are_in_a_python_loop() {
    nothing_is_left("python_loop").await;
}

#[tokio::test]
async fn while_workers_are_in_c_code_that_holds_the_gil() {
    nothing_is_left("holding_gil").await;
}

#[tokio::test]
async fn while_workers_are_stopped() {
    nothing_is_left("stopped").await;
}
