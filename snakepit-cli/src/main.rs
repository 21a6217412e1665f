//! The `snakepit` program.
//!
//! stdout is data, stderr is everything else. Exit codes: 0 done · 1 Python raised · 2 usage or configuration · 3 refused
//! or out of time · 4 worker lost · 130 interrupted.

mod bridge;
mod call;
mod config;
mod demo;
mod doctor;
mod interrupt;
mod progress;
mod report;
mod source;
mod tools;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Run Python in pools of supervised worker processes.
#[derive(Debug, Parser)]
#[command(name = "snakepit", version, max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(call::Arguments),
    Demo(demo::Arguments),
    Tools(tools::Arguments),
    Doctor(doctor::Arguments),
    /// Look at a configuration without starting anything.
    #[command(subcommand)]
    Config(config::Command),
    /// The Python side of snakepit.
    #[command(subcommand)]
    Bridge(bridge::Command),
}

/// How long the end waits for blocking work.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let program = Program::parse();
    log_to_stderr();

    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::message(&format!("cannot start the runtime: {error}"));
            return ExitCode::from(report::REFUSED);
        }
    };
    let code = runtime.block_on(async {
        match program.command {
            Command::Call(arguments) => call::run(arguments).await,
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Tools(arguments) => tools::run(arguments).await,
            Command::Doctor(arguments) => doctor::run(arguments).await,
            Command::Config(command) => config::run(command).await,
            Command::Bridge(command) => bridge::run(command).await,
        }
    });
    // Something that cannot be interrupted, such as a build of the bridge, must not hold up the end.
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    ExitCode::from(code)
}

/// Warnings, and what workers print; `SNAKEPIT_LOG` asks for more or less. What a pool logs comes with the command's own
/// error, told better.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("SNAKEPIT_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,snakepit_pool=off,snakepit::worker=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(report::stderr_has_colour())
        .without_time()
        .init();
}
