//! snakepit beside its peers, in one run.
//!
//! ```text
//! cargo bench -p snakepit-tests --bench compare -- [--quick] [--json FILE] [--python PYTHON]
//! ```
//!
//! Every contestant answers the same question in a process of its own, one after the other; then all again, in another
//! order, for as many rounds as there are. A figure is the median over the rounds, so that a busy second of the machine
//! hurts nobody more than the others. What the figures mean, and which were seen, is in `docs/benchmarks.md`.
//!
//! A missed target is reported and is no failure: how fast a machine is today is no property of the code.

mod child;
mod core_step;
mod floor;
mod interpreters;
mod job;
mod pit;
mod place;
mod report;
mod stats;
mod targets;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::job::{Fallible, Job};
use crate::report::{Conditions, Samples};

/// Compares snakepit with raw frames over a socket and with `ProcessPoolExecutor`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Two short rounds, about 20 s: shows that everything runs. The figures mean little.
    #[arg(long)]
    quick: bool,
    /// Writes every figure to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The interpreter for everything; the one that snakepit finds, if not given.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Given by `cargo bench` to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// This program measuring one contestant, for another run of it.
    #[command(hide = true)]
    Contestant { name: ContestantName, job: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ContestantName {
    Floor,
    Snakepit,
    SnakepitStart,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.role {
        Some(Role::Contestant { name, job }) => be_contestant(*name, job),
        None => compare(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("compare: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn be_contestant(name: ContestantName, job: &str) -> Fallible<()> {
    let job: Job = serde_json::from_str(job)?;
    let readings = match name {
        ContestantName::Floor => floor::measure(&job)?,
        ContestantName::Snakepit => pit::measure(&job)?,
        ContestantName::SnakepitStart => pit::measure_start(&job)?,
    };
    println!("{}", serde_json::to_string(&readings)?);
    Ok(())
}

fn compare(arguments: &Arguments) -> Fallible<()> {
    let (rounds, seconds) = if arguments.quick { (2, 0.1) } else { (11, 0.5) };
    let python = match &arguments.python {
        Some(python) => std::path::absolute(python)?,
        None => pit::default_python()?,
    };
    let python = interpreters::executable(&python)?;
    // The first start may build the bridge, which is none of the figures.
    eprintln!("compare: a first start with {}", python.display());
    let bare = interpreters::imported_by_a_bare_one(&python)?;
    let mut imports = pit::imported_by_a_worker(&python)?;
    imports.retain(|module| !bare.contains(module));

    let cpus = place::cpus()?;
    let trials = trials::all(&python, &cpus, seconds, &imports);
    let mut samples = Samples::default();
    for round in 0..rounds {
        eprintln!("compare: round {} of {rounds}", round + 1);
        // Each round starts elsewhere, so that nobody always runs after the same neighbour's heat.
        for at in 0..trials.len() {
            let trial = &trials[(at + round * 5) % trials.len()];
            samples.add(trial, &trial.run()?);
        }
    }
    let report = samples.report(Conditions {
        python,
        cpus: cpus.len(),
        rounds,
        seconds,
        imports,
    });
    if let Some(file) = &arguments.json {
        std::fs::write(file, report.to_json()?).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    print!("{report}");
    Ok(())
}
