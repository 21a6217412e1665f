//! The Python side's own tests, on every interpreter.

use std::process::Stdio;

use snakepit::pyenv::{self, Progress};
use snakepit_tests::{Python, on_every_python};
use tokio::process::Command;

on_every_python!(
    the_python_side_passes_its_own_tests,
    importing_the_bridge_stays_cheap
);

struct Silent;

impl Progress for Silent {
    fn started(&self, _: &str) {}
    fn line(&self, _: &str) {}
    fn finished(&self, _: bool) {}
}

async fn python_with_bridge(python: &Python) -> Command {
    let interpreter = python.interpreter.clone();
    let bridge = tokio::task::spawn_blocking(move || pyenv::bridge_for(&interpreter, None, &Silent))
        .await
        .expect("no panic")
        .expect("the bridge can be built");
    let mut command = Command::new(&python.interpreter.path);
    if let Some(path) = bridge.path {
        command.env("PYTHONPATH", path);
    }
    command.stdin(Stdio::null());
    command
}

async fn the_python_side_passes_its_own_tests(python: Python) {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../snakepit-bridge/tests");
    let output = python_with_bridge(&python)
        .await
        .args(["-m", "unittest", "discover", "-s", tests, "-t", tests])
        .output()
        .await
        .expect("Python starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("\nRan ") && !told.contains("\nRan 0 tests"),
        "{told}"
    );
}

/// These cost tens of milliseconds together; a worker imports them when a tool needs them.
async fn importing_the_bridge_stays_cheap(python: Python) {
    let script = "import sys; before = set(sys.modules); import snakepit_bridge, snakepit_bridge._worker; \
                  print(*sorted((set(sys.modules) - before) & {'asyncio', 'inspect', 'typing', 'logging'}))";
    let output = python_with_bridge(&python)
        .await
        .args(["-c", script])
        .output()
        .await
        .expect("Python starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "");
}
