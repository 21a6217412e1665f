//! Plain interpreters, as the measure of what starting Python costs and weighs by itself.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::job::{Fallible, Metric, Readings};
use crate::{place, stats};

/// Measures from nothing until `count` interpreters have imported `modules` and said so, and what they weigh then.
pub(crate) fn measure_start(python: &Path, count: u32, modules: &[String]) -> Fallible<Readings> {
    let begin = Instant::now();
    let mut started = Started(
        (0..count)
            .map(|_| spawn(python, modules))
            .collect::<Result<_, _>>()?,
    );
    for process in &mut started.0 {
        let stdout = process.stdout.as_mut().ok_or("an interpreter has no stdout")?;
        stdout
            .read_exact(&mut [0])
            .map_err(|_| "an interpreter ended before it answered")?;
    }
    let elapsed = begin.elapsed();

    let weights = started
        .0
        .iter()
        .map(|process| place::rss_anon_mb(process.id()))
        .collect::<Fallible<Vec<_>>>()?;
    Ok(Readings::from([
        (Metric::StartMs, elapsed.as_secs_f64() * 1e3),
        (Metric::RssAnonMb, stats::typical(&weights)),
    ]))
}

/// The program behind `python`, which may be a script that looks for one: its time is none of the figures.
pub(crate) fn executable(python: &Path) -> Fallible<PathBuf> {
    Ok(ask(python, "import sys; print(sys.executable)")?
        .trim_end()
        .into())
}

/// What an interpreter has imported before it runs a line of anybody's.
pub(crate) fn imported_by_a_bare_one(python: &Path) -> Fallible<Vec<String>> {
    Ok(ask(python, "import sys; print(*sys.modules)")?
        .split_whitespace()
        .map(str::to_owned)
        .collect())
}

fn ask(python: &Path, code: &str) -> Fallible<String> {
    let output = Command::new(python).args(["-c", code]).output()?;
    if !output.status.success() {
        return Err(format!(
            "{}: {}",
            python.display(),
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// One byte is the answer; then it idles until its input ends.
fn spawn(python: &Path, modules: &[String]) -> std::io::Result<Child> {
    let modules = modules
        .iter()
        .map(String::as_str)
        .chain(["os"])
        .collect::<Vec<_>>()
        .join(", ");
    Command::new(python)
        .arg("-c")
        .arg(format!("import {modules}\nos.write(1, b'.')\nos.read(0, 1)"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

/// Running interpreters. Dropping them kills them.
struct Started(Vec<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // It may have gone already; then there is nothing to kill, and waiting tells.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
