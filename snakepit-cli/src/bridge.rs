//! `snakepit bridge`: the Python side, for machines without cargo.

use std::path::PathBuf;

use clap::Subcommand;
use snakepit::pyenv;

use crate::progress::BuildProgress;
use crate::report;

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the bridge for an interpreter into a folder that can be copied to machines without cargo.
    ///
    /// One folder serves every ordinary CPython from 3.9 on; for a free-threaded interpreter, build into the same folder
    /// again with that interpreter.
    Build {
        /// Interpreter that it is for [default: the one that `snakepit doctor` names first]
        #[arg(long, value_name = "PATH")]
        python: Option<PathBuf>,
        /// Folder to make or to add to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Runs the command and returns its exit code.
pub(crate) async fn run(command: Command) -> u8 {
    let Command::Build { python, out } = command;
    let built = tokio::task::spawn_blocking(move || build(python, &out)).await;
    match built {
        Ok(Ok(folder)) => report::data(&folder.display().to_string()),
        Ok(Err(code)) => code,
        Err(error) => {
            report::message(&format!("the build was interrupted: {error}"));
            report::REFUSED
        }
    }
}

fn build(python: Option<PathBuf>, out: &std::path::Path) -> Result<PathBuf, u8> {
    let usage = |message: String, hint: Option<String>| {
        report::message(&message);
        if let Some(text) = hint {
            report::hint(&text);
        }
        report::USAGE
    };
    let explicit = python.map(|path| snakepit::ExplicitPython {
        path,
        named_by: "--python".to_owned(),
    });
    let interpreter =
        pyenv::find(explicit.as_ref()).map_err(|error| usage(error.to_string(), error.hint()))?;
    pyenv::build_bridge(&interpreter, out, &BuildProgress::default())
        .map_err(|error| usage(error.to_string(), error.hint()))
}
