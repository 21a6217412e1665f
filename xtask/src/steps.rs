//! Running other programs, one step after the other.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A step that failed, in a sentence.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The cargo that runs this.
pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs cargo in the workspace's root.
pub(crate) fn cargo(what: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), Failed> {
    run(
        what,
        cargo_command().args(arguments).envs(environment.iter().copied()),
    )
}

/// Runs a tool that people may have; says so where they have not, which is a failure where nothing may be skipped.
pub(crate) fn tool_if_installed(tool: &str, arguments: &[&str]) -> Result<(), Failed> {
    let installed = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if installed.is_err() && std::env::var_os("PIT_TEST_NO_SKIP").is_some() {
        return Err(Failed(format!(
            "{tool} is not installed, and nothing may be skipped"
        )));
    }
    if installed.is_err() {
        eprintln!("skipped: {tool} is not installed");
        return Ok(());
    }
    run(tool, Command::new(tool).args(arguments).current_dir(root()))
}

/// Runs a command and says how long it took.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<(), Failed> {
    eprintln!("── {what}");
    let started = Instant::now();
    let status = command
        .status()
        .map_err(|error| Failed(format!("{what}: cannot run {command:?}: {error}")))?;
    if status.success() {
        eprintln!("── {what}: done in {:.1} s", started.elapsed().as_secs_f64());
        Ok(())
    } else {
        Err(Failed(format!("{what}: {command:?} ended with {status}")))
    }
}

/// Runs a command and returns what it printed.
pub(crate) fn output(what: &str, command: &mut Command) -> Result<String, Failed> {
    eprintln!("── {what}");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failed(format!("{what}: cannot run {command:?}: {error}")))?;
    if !output.status.success() {
        return Err(Failed(format!(
            "{what}: {command:?} ended with {}",
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
