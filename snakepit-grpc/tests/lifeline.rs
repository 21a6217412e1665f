//! Nothing outlives the host, however it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "another test uses the rest")]
mod harness;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::{example, is_gone};
use rustix::process::{Pid, Signal, kill_process};

/// A host in a process of its own, its worker, and the worker's child.
fn host_of_one() -> (Child, u32, u32) {
    let mut host = Command::new(example("host_of_one"))
        .arg(example("echo_worker"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (worker, child) = line.trim().split_once(' ').expect("the host prints two pids");
    (host, worker.parse().unwrap(), child.parse().unwrap())
}

fn kill(mut host: Child) {
    host.kill().unwrap();
    host.wait().unwrap();
}

#[test]
fn a_killed_host_leaves_nothing_alive() {
    let (host, worker, child) = host_of_one();
    assert!(!is_gone(worker, Duration::ZERO) && !is_gone(child, Duration::ZERO));
    kill(host);
    assert!(is_gone(worker, Duration::from_secs(1)));
    assert!(is_gone(child, Duration::from_secs(1)));
}

#[test]
fn a_killed_host_leaves_nothing_alive_even_if_the_worker_was_stopped() {
    let (host, worker, child) = host_of_one();
    for pid in [worker, child] {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
    }
    kill(host);
    assert!(is_gone(worker, Duration::from_secs(1)));
    assert!(is_gone(child, Duration::from_secs(1)));
}
