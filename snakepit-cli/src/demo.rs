//! `snakepit demo`: real work on real input, through both worker profiles.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use snakepit::{Error, PoolConfig, ProfileKind, Snakepit};

use crate::interrupt::{Interrupts, unless_killed};
use crate::progress::BuildProgress;
use crate::report;

mod table;
mod totals;

use totals::Totals;

const ADAPTER: &str = include_str!("demo/adapter.py");
const ADAPTER_FILE: &str = "analyse.py";
/// Workers of the process pool, and threads of the thread pool's one worker: the same parallelism for both.
const PARALLEL: u32 = 2;
const READY_PATIENCE: Duration = Duration::from_mins(1);
/// One file of the standard library takes milliseconds; this is for a machine that is badly overloaded.
const CALL_TIMEOUT: Duration = Duration::from_mins(2);

/// Analyse the whole standard library of Python, once through a process pool and once through a thread pool.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Interpreter of the process pool [default: the one that is found]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Interpreter of the thread pool, best a free-threaded one [default: the same]
    #[arg(long, value_name = "PATH")]
    thread_python: Option<PathBuf>,
    /// Analyse only the first N files
    #[arg(long, value_name = "N")]
    files: Option<usize>,
}

/// What one pool did.
struct PoolRun {
    pool: &'static str,
    profile: ProfileKind,
    interpreter: String,
    gil_enabled: bool,
    elapsed: Duration,
    totals: Totals,
}

/// Answer of the adapter's `analyse`.
#[derive(Debug, Deserialize)]
struct Analysis {
    parsed: bool,
    lines: u64,
    functions: u64,
    branches: u64,
    most_complex: Vec<Function>,
}

/// One function of one file.
#[derive(Debug, Deserialize)]
struct Function {
    complexity: u64,
    line: u64,
    name: String,
}

/// Runs the command and returns its exit code.
pub(crate) async fn run(arguments: Arguments) -> u8 {
    unless_killed(async |interrupts| demo(arguments, interrupts).await).await
}

async fn demo(arguments: Arguments, mut interrupts: Interrupts) -> u8 {
    let adapter = match write_adapter() {
        Ok(adapter) => adapter,
        Err(error) => {
            report::message(&format!(
                "cannot write the demo's adapter to the temporary folder: {error}"
            ));
            return report::REFUSED;
        }
    };
    let pit = match start(&arguments, &adapter.path().join(ADAPTER_FILE)).await {
        Ok(pit) => pit,
        Err(error) => return report::error(&error),
    };
    let code = tokio::select! {
        result = both_pools(&pit, arguments.files) => match result {
            Ok(runs) => conclude(&runs),
            Err(error) => report::error(&error),
        },
        // Dropping the work takes what waits out of the queue; what runs is finished by the shutdown below.
        () = interrupts.reached(1) => report::INTERRUPTED,
    };
    pit.shutdown().await;
    code
}

async fn start(arguments: &Arguments, adapter: &std::path::Path) -> Result<Snakepit, Error> {
    let python = |pool: PoolConfig, path: Option<&PathBuf>| match path {
        Some(path) => pool.python(path),
        None => pool,
    };
    let processes = PoolConfig::new("processes").adapter(adapter).pool_size(PARALLEL);
    let threads = PoolConfig::new("threads")
        .adapter(adapter)
        .worker_profile(ProfileKind::Thread)
        .pool_size(1)
        .threads_per_worker(PARALLEL);
    let pit = Snakepit::builder()
        .progress(Arc::new(BuildProgress::default()))
        .pool(python(processes, arguments.python.as_ref()))
        .pool(python(
            threads,
            arguments.thread_python.as_ref().or(arguments.python.as_ref()),
        ))
        .start()
        .await?;
    pit.await_ready(READY_PATIENCE).await?;
    Ok(pit)
}

async fn both_pools(pit: &Snakepit, most: Option<usize>) -> Result<Vec<PoolRun>, Error> {
    // One list for both: their interpreters may be different ones, the work must not be.
    let mut files: Vec<String> = pit.call("standard_library").timeout(CALL_TIMEOUT).await?;
    files.truncate(most.unwrap_or(usize::MAX));
    let mut runs = Vec::new();
    for (pool, profile) in [
        ("processes", ProfileKind::Process),
        ("threads", ProfileKind::Thread),
    ] {
        runs.push(one_pool(pit, pool, profile, &files).await?);
    }
    Ok(runs)
}

async fn one_pool(
    pit: &Snakepit,
    pool: &'static str,
    profile: ProfileKind,
    files: &[String],
) -> Result<PoolRun, Error> {
    let bar = progress_bar(pool, files.len());
    let started = Instant::now();
    let totals = stream::iter(files)
        .map(|path| async move {
            let call = pit
                .call::<Analysis>("analyse")
                .pool(pool)
                .arg("path", path)
                .timeout(CALL_TIMEOUT);
            Ok::<_, Error>((path, call.await?))
        })
        // Twice the slots: a worker that ends a call finds the next one already in the queue.
        .buffer_unordered(2 * PARALLEL as usize)
        .try_fold(Totals::default(), |mut totals, (path, analysis)| {
            bar.inc(1);
            totals.add(path, analysis);
            std::future::ready(Ok(totals))
        })
        .await?;
    let elapsed = started.elapsed();
    bar.finish_and_clear();

    let facts = pit
        .pool(pool)?
        .worker_handles()
        .into_iter()
        .find_map(|worker| worker.facts);
    let (interpreter, gil_enabled) = facts.map_or_else(
        || (String::from("?"), true),
        |facts| {
            (
                format!("{} {}", facts.implementation, facts.python_version),
                facts.gil_enabled,
            )
        },
    );
    Ok(PoolRun {
        pool,
        profile,
        interpreter,
        gil_enabled,
        elapsed,
        totals,
    })
}

fn conclude(runs: &[PoolRun]) -> u8 {
    let tables = table::render(runs);
    if runs
        .windows(2)
        .all(|pair| pair[0].totals.agrees_with(&pair[1].totals))
    {
        return report::data(&format!("{tables}\nBoth pools found the same totals."));
    }
    report::data(&tables);
    report::message("the pools found different totals: one of them lost, repeated or garbled a call");
    report::PYTHON
}

fn progress_bar(pool: &'static str, files: usize) -> ProgressBar {
    let bar = ProgressBar::new(files as u64);
    if let Ok(style) =
        ProgressStyle::with_template("{prefix:>10} {wide_bar} {pos}/{len} files {per_sec:>12} {eta:>4}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(pool);
    bar
}

/// The adapter lies in a folder of its own for as long as the demo runs: that folder is on the workers' `sys.path`.
fn write_adapter() -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("snakepit-demo-").tempdir()?;
    std::fs::write(folder.path().join(ADAPTER_FILE), ADAPTER)?;
    Ok(folder)
}
