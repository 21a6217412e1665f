//! Interpreters to try: real ones where the machine has them, and scripts that misbehave.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::facts::InterpreterFacts;
use crate::probe::probe;

/// Writes an executable script.
///
/// A process of its own writes it: a descriptor open for writing here could be inherited by a child that another test
/// starts at this moment, and the script would be "busy".
pub(crate) fn script(path: &Path, body: &str) -> PathBuf {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", r#"cat > "$1" && chmod 755 "$1""#, "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin
        .write_all(format!("#!/bin/sh\n{body}\n").as_bytes())
        .unwrap();
    drop(stdin);
    assert!(shell.wait().unwrap().success());
    path.to_owned()
}

/// A script that answers the probe with this JSON.
pub(crate) fn answering(path: &Path, json: &str) -> PathBuf {
    script(
        path,
        &format!(r#"printf '<<<snakepit %s%s' "$4" '{json}'; printf 'snakepit %s>>>' "$4""#),
    )
}

/// Every real interpreter that snakepit supports and this machine has: those in `PIT_TEST_PYTHONS`, on `PATH`, and
/// among pyenv's versions. At least one is expected: without any, snakepit has no use here.
pub(crate) fn real() -> &'static [(PathBuf, InterpreterFacts)] {
    static REAL: OnceLock<Vec<(PathBuf, InterpreterFacts)>> = OnceLock::new();
    REAL.get_or_init(|| {
        let found: Vec<_> = candidates()
            .into_iter()
            .filter_map(|path| probe(&path).ok().map(|facts| (path, facts)))
            .collect();
        assert!(!found.is_empty(), "these tests need a Python, 3.9 or later");
        found
    })
}

/// A real interpreter with a GIL, or without one; `None` where the machine has none.
pub(crate) fn real_with(free_threaded: bool) -> Option<&'static (PathBuf, InterpreterFacts)> {
    let found = real()
        .iter()
        .find(|(_, facts)| facts.free_threaded == free_threaded);
    if found.is_none() {
        // Where everything must be there, a skip is a failure.
        assert!(
            env::var_os("PIT_TEST_NO_SKIP").is_none(),
            "no interpreter with free_threaded = {free_threaded}"
        );
        // Not `eprintln!`: what a passing test prints with that is never shown.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {test}: no interpreter with free_threaded = {free_threaded} is here"
        );
    }
    found
}

fn candidates() -> Vec<PathBuf> {
    let list = |name: &str| env::var_os(name).unwrap_or_default();
    let mut paths: Vec<_> = env::split_paths(&list("PIT_TEST_PYTHONS"))
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    for folder in env::split_paths(&list("PATH")) {
        paths.extend(["python3", "python3.13t"].map(|name| folder.join(name)));
    }
    let versions = Path::new(&list("HOME")).join(".pyenv/versions");
    for version in std::fs::read_dir(versions).into_iter().flatten().flatten() {
        paths.push(version.path().join("bin/python3"));
    }
    paths.retain(|path| path.is_file());
    paths
}

/// A message with the test's folder named `DIR`, so that it is the same on every machine.
pub(crate) fn portable(text: &impl ToString, dir: &Path) -> String {
    text.to_string().replace(&dir.display().to_string(), "DIR")
}
