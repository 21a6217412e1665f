//! What can be wrong with an interpreter, and with the search for one.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::facts::{MINIMUM_VERSION, Version};

/// Why an interpreter cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is no such file.
    #[error("`{}` does not exist{}", .path.display(), LinkTo(.link_to.as_ref()))]
    Missing {
        /// The interpreter's path.
        path: PathBuf,
        /// Where a dangling link points.
        link_to: Option<PathBuf>,
    },
    /// The file may not be executed.
    #[error("`{}` is not executable", .path.display())]
    NotExecutable {
        /// The interpreter's path.
        path: PathBuf,
    },
    /// It is a folder.
    #[error("`{}` is a directory, not a Python interpreter", .path.display())]
    Directory {
        /// The interpreter's path.
        path: PathBuf,
    },
    /// It ran and ended without an answer.
    #[error("`{}` does not work as Python: it ended with {status} and no answer{}", .path.display(), Said(.output))]
    NotPython {
        /// The interpreter's path.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last of what it printed, at most 2 KiB.
        output: String,
    },
    /// It is an older Python than snakepit supports.
    #[error("`{}` is Python {version}, and snakepit needs {MINIMUM_VERSION} or later", .path.display())]
    TooOld {
        /// The interpreter's path.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// It is a Python for which there is no bridge.
    #[error("`{}` is {implementation}, and snakepit needs CPython", .path.display())]
    NotCPython {
        /// The interpreter's path.
        path: PathBuf,
        /// `sys.implementation.name`.
        implementation: String,
    },
    /// It did not answer in time, and was killed.
    #[error("`{}` did not say within {limit:?} which Python it is, and was killed", .path.display())]
    TimedOut {
        /// The interpreter's path.
        path: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// It answered, but not what was asked.
    #[error("`{}` did not answer as Python does: {reason}", .path.display())]
    Garbled {
        /// The interpreter's path.
        path: PathBuf,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The operating system did not run it.
    #[error("`{}` cannot be started: {error}", .path.display())]
    CannotStart {
        /// The interpreter's path.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

/// Why there is no interpreter to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The interpreter that was chosen cannot be used. No other is put in its place.
    #[error("{error} (chosen by {chosen_by})")]
    Chosen {
        /// Who chose it.
        chosen_by: String,
        /// What is wrong with it.
        error: ProbeError,
    },
    /// An interpreter was chosen by a bare name, and `PATH` has none of that name.
    #[error("there is no `{name}` on PATH (chosen by {chosen_by})")]
    NotOnPath {
        /// The name.
        name: String,
        /// Who chose it.
        chosen_by: String,
    },
    /// Nobody chose an interpreter, and none was found that can be used.
    #[error("no usable Python was found:{}", Attempts(.attempts))]
    NotFound {
        /// What was looked at, in order, and why it was not used.
        attempts: Vec<String>,
    },
}

// === impl ProbeError ===

impl ProbeError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SP0201",
            Self::NotExecutable { .. } => "SP0202",
            Self::Directory { .. } => "SP0203",
            Self::NotPython { .. } => "SP0204",
            Self::TooOld { .. } => "SP0205",
            Self::NotCPython { .. } => "SP0206",
            Self::TimedOut { .. } => "SP0207",
            Self::Garbled { .. } => "SP0208",
            Self::CannotStart { .. } => "SP0209",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { link_to: Some(_), .. } => {
                "the Python it was made from is gone: make the virtual environment again".to_owned()
            }
            Self::Missing { .. } => "check the path; `which -a python3` lists what there is".to_owned(),
            Self::NotExecutable { path } => format!(
                "name the interpreter itself, or make it executable: `chmod +x {}`",
                path.display()
            ),
            Self::Directory { path } => format!(
                "name the interpreter in it, for a virtual environment `{}`",
                path.join("bin/python3").display()
            ),
            Self::NotPython { path, .. } | Self::Garbled { path, .. } => format!(
                "run `{} -c \"import sys, json; print(sys.version)\"` to see what it does",
                path.display()
            ),
            Self::TooOld { .. } => format!("choose Python {MINIMUM_VERSION} or later"),
            Self::NotCPython { .. } => {
                "choose a CPython: snakepit's bridge is an extension module for it".to_owned()
            }
            Self::TimedOut { .. } => {
                "look for a `sitecustomize` or a wrapper script that waits for something".to_owned()
            }
            Self::CannotStart { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                "if it is a script, its first line names a program that is gone".to_owned()
            }
            Self::CannotStart { .. } => return None,
        };
        Some(hint)
    }
}

// === impl FindError ===

impl FindError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Chosen { error, .. } => error.code(),
            Self::NotOnPath { .. } => "SP0210",
            Self::NotFound { .. } => "SP0211",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Chosen { error, .. } => error.hint(),
            Self::NotOnPath { .. } => {
                Some("give the interpreter's whole path, or put its folder on PATH".to_owned())
            }
            Self::NotFound { .. } => Some(format!(
                "install Python {MINIMUM_VERSION} or later, or name one by `python = \"PATH\"` or SNAKEPIT_PYTHON"
            )),
        }
    }
}

/// Where a dangling link points, as the end of a sentence.
struct LinkTo<'a>(Option<&'a PathBuf>);

impl fmt::Display for LinkTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(target) => write!(f, ": it is a link to `{}`, which is gone", target.display()),
            None => Ok(()),
        }
    }
}

/// What a process printed, indented under the message.
struct Said<'a>(&'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        f.write_str(". It said:")?;
        self.0.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// A list with one line each.
struct Attempts<'a>(&'a [String]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  - {line}"))
    }
}
