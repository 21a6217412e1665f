//! The project's own commands: `cargo xtask --help`. Nothing to install.

mod outside;
mod steps;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;

use crate::steps::{Failed, cargo, tool_if_installed};

/// Commands for people who work on snakepit.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Xtask {
    /// Format, lints and, where they are installed, ruff, mypy and cargo-deny
    Check,
    /// All tests that `cargo test --workspace` runs
    Test,
    /// The benchmarks: the core by itself, then snakepit beside its peers and the floor, in one run
    Bench {
        /// A run of seconds that shows that it works; its figures say little
        #[arg(long)]
        quick: bool,
    },
    /// The long counts: rounds and cases that are too many for every change; prints what it did
    Prove {
        /// Kills of a host in each state
        #[arg(long, default_value_t = 100)]
        rounds: u32,
        /// Seeds of the simulation
        #[arg(long, default_value_t = 100_000)]
        seeds: u64,
        /// Cases of each property test
        #[arg(long, default_value_t = 20_000)]
        cases: u32,
        /// Repeats of the tests on real Python
        #[arg(long, default_value_t = 20)]
        repeats: u32,
    },
    /// The log of one seed of the simulation, and whether it breaks a rule
    Sim {
        /// As a failed run has named it
        seed: u64,
    },
    /// The tests that let a model checker search the driver for a bad schedule: about two minutes
    Schedules,
    /// The README's program in a project outside the workspace, and its binary without cargo
    Outside,
}

/// What is to be proved must not be skipped.
const NO_SKIP: (&str, &str) = ("PIT_TEST_NO_SKIP", "1");

fn main() -> ExitCode {
    let done = match Xtask::parse() {
        Xtask::Check => check(),
        Xtask::Test => cargo("the tests", &["test", "--workspace"], &[]),
        Xtask::Bench { quick } => bench(quick),
        Xtask::Prove {
            rounds,
            seeds,
            cases,
            repeats,
        } => prove(rounds, seeds, cases, repeats),
        Xtask::Sim { seed } => simulate(seed),
        Xtask::Schedules => schedules(),
        Xtask::Outside => outside::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(what)) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), Failed> {
    cargo("the format", &["fmt", "--all", "--check"], &[])?;
    cargo(
        "the lints",
        &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        &[],
    )?;
    cargo(
        "the documentation",
        &["doc", "--workspace", "--no-deps", "--quiet"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )?;
    tool_if_installed("ruff", &["check", "."])?;
    tool_if_installed("ruff", &["format", "--check", "."])?;
    tool_if_installed(
        "mypy",
        &[
            "--config-file",
            "snakepit-bridge/pyproject.toml",
            "snakepit-bridge/python",
        ],
    )?;
    // Advisories come from elsewhere and change without us: they are looked at when dependencies are.
    tool_if_installed("cargo-deny", &["check", "bans", "licenses", "sources"])
}

fn bench(quick: bool) -> Result<(), Failed> {
    let core: &[&str] = if quick { &["--", "--quick"] } else { &[] };
    cargo(
        "the core's benchmark",
        &[
            &[
                "bench",
                "-p",
                "snakepit-pool",
                "--bench",
                "core",
                "--bench",
                "driver",
            ],
            core,
        ]
        .concat(),
        &[],
    )?;
    cargo(
        "the comparison",
        &[&["bench", "-p", "snakepit-tests", "--bench", "compare"], core].concat(),
        &[],
    )
}

/// The test of the simulation, which takes its seeds from the environment.
const SIMULATION: [&str; 6] = [
    "-p",
    "snakepit-pool",
    "--lib",
    "--",
    "--exact",
    "simulation::every_seed_keeps_the_promises",
];

fn simulate(seed: u64) -> Result<(), Failed> {
    cargo(
        &format!("the simulation of seed {seed}"),
        &[&["test", "-q"][..], &SIMULATION, &["--nocapture"]].concat(),
        &[("PIT_SIM_SEED", &seed.to_string())],
    )
}

fn schedules() -> Result<(), Failed> {
    cargo(
        "the driver under a model checker",
        &[
            "test",
            "-p",
            "snakepit-pool",
            "--features",
            "shuttle",
            "--lib",
            "schedules",
        ],
        &[],
    )
}

fn prove(rounds: u32, seeds: u64, cases: u32, repeats: u32) -> Result<(), Failed> {
    // Tests have the same cases every time; here they have others, which this seed gives again.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let draw = (now.as_nanos() & u128::from(u64::MAX)).to_string();
    eprintln!("── the cases of properties are those of PROPTEST_RNG_SEED={draw}");
    let rounds = rounds.to_string();
    cargo(
        &format!("{rounds} kills of the host in each state"),
        &["test", "-p", "snakepit-tests", "--test", "host_death"],
        &[("PIT_TEST_ROUNDS", &rounds), NO_SKIP],
    )?;
    cargo(
        &format!("{seeds} seeds of the simulation"),
        &[&["test", "--release"][..], &SIMULATION].concat(),
        &[("PIT_SIM_SEEDS", &seeds.to_string())],
    )?;
    // A case of the driver's races starts a runtime and runs hundreds of calls: a hundredth of them takes as long.
    for (which, tests, cases) in [
        ("the core", &["-p", "snakepit-pool", "--lib"][..], cases),
        // The model is where the core's defects show: it has five times as many.
        (
            "the core's model",
            &["-p", "snakepit-pool", "--lib", "core::tests::model"],
            5 * cases,
        ),
        (
            "the driver",
            &["-p", "snakepit-pool", "--test", "driver"],
            cases / 100,
        ),
        ("the counter of load", &["-p", "snakepit-profile", "--lib"], cases),
        ("the configuration", &["-p", "snakepit-config", "--tests"], cases),
        ("the values", &["-p", "snakepit-grpc", "--test", "values"], cases),
    ] {
        let cases = cases.to_string();
        cargo(
            &format!("{cases} cases of each property of {which}"),
            &[&["test"], tests].concat(),
            &[("PROPTEST_CASES", &cases), ("PROPTEST_RNG_SEED", &draw)],
        )?;
    }
    schedules()?;
    for repeat in 1..=repeats {
        cargo(
            &format!("the tests on real Python, {repeat} of {repeats}"),
            &["test", "-q", "-p", "snakepit-tests"],
            &[("PIT_TEST_SECONDS", "30"), NO_SKIP],
        )?;
    }
    Ok(())
}
