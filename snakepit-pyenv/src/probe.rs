//! Asking an interpreter about itself.
//!
//! One process per question. It is isolated from what would make its answer wrong (`PYTHONPATH`, the current folder,
//! `PYTHONINSPECT`, `PYTHONWARNINGS`) and from nothing else: `-I` would also hide the user's site-packages and
//! `PYTHON_GIL`, and the answer would not hold for a worker, which has both. Nothing is written into the environment,
//! not even byte code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::child::{Guarded, Reading, Stream};
use crate::error::ProbeError;
use crate::facts::{InterpreterFacts, MINIMUM_VERSION, Version};

/// How long an interpreter may take to answer.
pub const PROBE_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Most bytes a probe may print, noise of `sitecustomize` included.
const OUTPUT_MAX: usize = 4 << 20;
/// How much of what it printed goes into an error, in bytes from the end.
const EXCERPT_MAX: usize = 2 << 10;
/// Variables that would make the answer wrong.
const LEFT_OUT: [&str; 5] = [
    "PYTHONPATH",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
    "__PYVENV_LAUNCHER__",
];

/// Asks the interpreter at `path` what it is.
///
/// Blocks for the start of one interpreter, at most [`PROBE_TIME_LIMIT`]. Nothing of it runs afterwards.
pub fn probe(path: &Path) -> Result<InterpreterFacts, ProbeError> {
    probe_within(path, PROBE_TIME_LIMIT)
}

pub(crate) fn probe_within(path: &Path, limit: Duration) -> Result<InterpreterFacts, ProbeError> {
    let started = Instant::now();
    let answer: Answer = ask(path, include_str!("probe/facts.py"), limit)?;
    let facts = facts(path, answer)?;
    tracing::debug!(
        path = %path.display(),
        version = %facts.version,
        free_threaded = facts.free_threaded,
        gil_enabled = facts.gil_enabled,
        took = ?started.elapsed(),
        "probed an interpreter"
    );
    Ok(facts)
}

/// Lists the distributions installed for the interpreter at `path`: version by name, as their metadata spells them.
///
/// Blocks for the start of one interpreter, at most [`PROBE_TIME_LIMIT`].
pub fn installed_distributions(path: &Path) -> Result<BTreeMap<String, String>, ProbeError> {
    ask(path, include_str!("probe/distributions.py"), PROBE_TIME_LIMIT)
}

/// What `facts.py` answers.
#[derive(Deserialize)]
struct Answer {
    version: [u8; 3],
    implementation: String,
    /// Missing where the version is too old to be asked.
    rest: Option<Rest>,
}

#[derive(Deserialize)]
struct Rest {
    free_threaded: bool,
    gil_enabled: bool,
    /// Paths are bytes: not every path is text.
    executable: Vec<u8>,
    prefix: Vec<u8>,
    extension_suffix: String,
    bridge: Option<InstalledBridge>,
}

#[derive(Deserialize)]
struct InstalledBridge {
    version: String,
    folder: Vec<u8>,
}

/// Checks that snakepit can work with what answered.
fn facts(path: &Path, answer: Answer) -> Result<InterpreterFacts, ProbeError> {
    let [major, minor, micro] = answer.version;
    let version = Version { major, minor, micro };
    if version < MINIMUM_VERSION {
        return Err(ProbeError::TooOld {
            path: path.to_owned(),
            version,
        });
    }
    if answer.implementation != "cpython" {
        return Err(ProbeError::NotCPython {
            path: path.to_owned(),
            implementation: answer.implementation,
        });
    }
    let rest = answer
        .rest
        .filter(|rest| !rest.extension_suffix.is_empty())
        .ok_or_else(|| ProbeError::Garbled {
            path: path.to_owned(),
            reason: "the answer is not complete".to_owned(),
        })?;
    let to_path = |bytes| PathBuf::from(OsString::from_vec(bytes));
    Ok(InterpreterFacts {
        version,
        implementation: answer.implementation,
        free_threaded: rest.free_threaded,
        gil_enabled: rest.gil_enabled,
        executable: to_path(rest.executable),
        prefix: to_path(rest.prefix),
        extension_suffix: rest.extension_suffix,
        installed_bridge: rest.bridge.map(|bridge| (bridge.version, to_path(bridge.folder))),
    })
}

/// Runs `script` in the interpreter at `path` and reads its answer.
fn ask<T: for<'de> Deserialize<'de>>(path: &Path, script: &str, limit: Duration) -> Result<T, ProbeError> {
    check_file(path)?;
    let until = Instant::now() + limit;
    let nonce = nonce();
    let mut command = Command::new(path);
    // -B: no byte code is written.
    command.args(["-B", "-c", script, &nonce]);
    for name in LEFT_OUT {
        command.env_remove(name);
    }
    let cannot_start = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => ProbeError::NotExecutable {
            path: path.to_owned(),
        },
        _ => ProbeError::CannotStart {
            path: path.to_owned(),
            error,
        },
    };
    let mut child = Guarded::start_group(&mut command).map_err(cannot_start)?;
    let mut answer = Collected::new(&nonce);
    let reading = child
        .read(Some(until), |stream, piece| answer.take(stream, piece))
        .map_err(cannot_start)?;
    let garbled = |reason| ProbeError::Garbled {
        path: path.to_owned(),
        reason,
    };
    if let Some(json) = answer.json() {
        return serde_json::from_slice(json)
            .map_err(|error| garbled(format!("the answer is not what was asked for: {error}")));
    }
    let ended = match reading {
        Reading::Satisfied => return Err(garbled(format!("it printed more than {OUTPUT_MAX} bytes"))),
        Reading::Closed => child.wait(until).map_err(cannot_start)?,
        Reading::OutOfTime => None,
    };
    Err(match ended {
        Some(status) => ProbeError::NotPython {
            path: path.to_owned(),
            status,
            output: answer.excerpt(),
        },
        None => ProbeError::TimedOut {
            path: path.to_owned(),
            limit,
        },
    })
}

/// Tells apart what the operating system calls `ENOENT` and `EACCES`.
fn check_file(path: &Path) -> Result<(), ProbeError> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Err(ProbeError::Missing {
                path: path.to_owned(),
                link_to: path.read_link().ok(),
            });
        }
        Err(error) => {
            return Err(ProbeError::CannotStart {
                path: path.to_owned(),
                error,
            });
        }
    };
    if metadata.is_dir() {
        return Err(ProbeError::Directory {
            path: path.to_owned(),
        });
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(ProbeError::NotExecutable {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// A word that no `sitecustomize` prints by chance.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// The output so far, within its limits.
struct Collected {
    begin: Vec<u8>,
    end: Vec<u8>,
    out: Vec<u8>,
    err: Vec<u8>,
}

// === impl Collected ===

impl Collected {
    fn new(nonce: &str) -> Self {
        Self {
            begin: format!("<<<snakepit {nonce}").into_bytes(),
            end: format!("snakepit {nonce}>>>").into_bytes(),
            out: Vec::new(),
            err: Vec::new(),
        }
    }

    /// Keeps a piece of output. Breaks when the answer is there, or when it can no longer be expected.
    fn take(&mut self, stream: Stream, piece: &[u8]) -> ControlFlow<()> {
        match stream {
            Stream::Err => keep_tail(&mut self.err, piece),
            Stream::Out => {
                let seen = self.out.len().saturating_sub(self.end.len());
                self.out.extend_from_slice(piece);
                if position(&self.out[seen..], &self.end).is_some() || self.out.len() > OUTPUT_MAX {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What is between the markers, if both are there.
    fn json(&self) -> Option<&[u8]> {
        let end = position(&self.out, &self.end)?;
        let begin = position(&self.out[..end], &self.begin)? + self.begin.len();
        Some(&self.out[begin..end])
    }

    /// The last of what it said, for people: standard error if there is any.
    fn excerpt(&self) -> String {
        let said = if self.err.is_empty() { &self.out } else { &self.err };
        let tail = &said[said.len().saturating_sub(EXCERPT_MAX)..];
        String::from_utf8_lossy(tail).trim().to_owned()
    }
}

/// Appends `piece` and forgets what is too old to be shown.
fn keep_tail(tail: &mut Vec<u8>, piece: &[u8]) {
    tail.extend_from_slice(piece);
    if let Some(excess) = tail.len().checked_sub(EXCERPT_MAX) {
        tail.drain(..excess);
    }
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
