//! What the program says when something went wrong, and the exit code that goes with it.

use std::io::Write as _;

use anstream::{AutoStream, ColorChoice, eprintln};
use anstyle::{AnsiColor, Style};
use snakepit::{Error, ErrorKind, PythonError};

/// Done.
pub(crate) const DONE: u8 = 0;
/// Python raised, or its result cannot be used.
pub(crate) const PYTHON: u8 = 1;
/// The user must change something.
pub(crate) const USAGE: u8 = 2;
/// Refused or out of time.
pub(crate) const REFUSED: u8 = 3;
/// The worker died while it had the call.
pub(crate) const LOST: u8 = 4;
/// The user interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Prints the error with everything that helps, and returns its exit code.
pub(crate) fn error(error: &Error) -> u8 {
    if let Some(traceback) = error.python_error().map(traceback) {
        eprintln!("{}", traceback.trim_end());
    }
    let output = error
        .worker_lost()
        .map(|lost| lost.output.as_slice())
        .or_else(|| error.start_error().map(snakepit::StartError::output))
        .unwrap_or_default();
    for line in output {
        eprintln!("worker: {line}");
    }
    eprintln!("{ERROR}error{ERROR:#}[{}]: {error}", error.code());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
    if let Some(text) = error.hint() {
        hint(&text);
    }
    match error.kind() {
        ErrorKind::Usage => USAGE,
        ErrorKind::Python => PYTHON,
        ErrorKind::WorkerLost => LOST,
        _ => REFUSED,
    }
}

/// Prints a message of the program's own.
pub(crate) fn message(text: &str) {
    eprintln!("{ERROR}error{ERROR:#}: {text}");
}

/// Prints what to do about it.
pub(crate) fn hint(text: &str) {
    eprintln!("{HINT}hint{HINT:#}: {text}");
}

/// Writes data to stdout and returns the exit code. A reader that has gone (`| head`) is no error.
pub(crate) fn data(text: &str) -> u8 {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            message(&format!("cannot write to standard output: {error}"));
            REFUSED
        }
        _ => DONE,
    }
}

/// Whether stderr wants colour: a terminal, and no `NO_COLOR`.
pub(crate) fn stderr_has_colour() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// The traceback as Python prints it, or what stands for it.
fn traceback(error: &PythonError) -> String {
    if error.traceback.is_empty() {
        error.to_string()
    } else {
        error.traceback.clone()
    }
}
