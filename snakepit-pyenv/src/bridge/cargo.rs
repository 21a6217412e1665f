//! Running cargo to build the extension module.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::folder::PACKAGE;
use super::{Abi, BridgeError};
use crate::child::{Guarded, Stream};
use crate::progress::Progress;

/// How many of cargo's last lines go into an error.
const LINES_MAX: usize = 40;
/// Longest line that is kept, in bytes; what is beyond it is cut off. Cargo's own messages about artifacts are shorter.
const LINE_MAX: usize = 256 << 10;

/// Variables that an outer cargo, clippy or virtual environment sets, and that would make the build another one: built
/// elsewhere, with other flags, or again and again.
const LEFT_OUT: [&str; 9] = [
    "CONDA_PREFIX",
    "MAKEFLAGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "VIRTUAL_ENV",
];
/// What is kept of cargo's own variables: where its files are and how it reaches the network.
const CARGO_KEPT: [&str; 7] = [
    "CARGO_BUILD_JOBS",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
];

/// What is to be built, and with what.
pub(super) struct Build<'a> {
    pub(super) cargo: &'a OsStr,
    pub(super) root: &'a Path,
    pub(super) target: &'a Path,
    pub(super) abi: &'a Abi,
    pub(super) python: &'a Path,
}

/// Runs cargo and returns the path of the library it made. Blocks for as long as that takes.
pub(super) fn build(build: &Build<'_>, progress: &dyn Progress) -> Result<PathBuf, BridgeError> {
    let mut command = build.command();
    let shown = shown(&command);
    tracing::info!(command = %shown, "building the bridge");
    let no_cargo = |source| BridgeError::NoCargo {
        cargo: build.cargo.into(),
        source,
    };
    // Beside this process, so that Ctrl-C at a terminal ends both.
    let mut child = Guarded::start_beside(&mut command).map_err(no_cargo)?;
    let mut module = None;
    let mut last_lines = VecDeque::with_capacity(LINES_MAX);
    let mut messages = Lines::default();
    let mut said = Lines::default();
    child
        .read(None, |stream, piece| {
            match stream {
                Stream::Out => messages.take(piece, |line| module = artifact(line).or(module.take())),
                Stream::Err => said.take(piece, |line| {
                    let line = String::from_utf8_lossy(line).into_owned();
                    progress.line(&line);
                    if last_lines.len() == LINES_MAX {
                        last_lines.pop_front();
                    }
                    last_lines.push_back(line);
                }),
            }
            ControlFlow::Continue(())
        })
        .map_err(no_cargo)?;
    let status = child.wait_for_end().map_err(no_cargo)?;
    if !status.success() {
        return Err(BridgeError::BuildFailed {
            command: shown,
            status,
            output: last_lines.into(),
        });
    }
    module
        .filter(|module: &PathBuf| module.is_file())
        .ok_or(BridgeError::NothingBuilt { command: shown })
}

/// Checks that there is a cargo to build with, by starting it.
pub(super) fn check(cargo: &OsStr) -> Result<(), BridgeError> {
    match Guarded::start_group(Command::new(cargo).arg("--version")) {
        Ok(_started) => Ok(()),
        Err(source) => Err(BridgeError::NoCargo {
            cargo: cargo.into(),
            source,
        }),
    }
}

// === impl Build ===

impl Build<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.cargo);
        command
            .current_dir(self.root)
            .args(["build", "--profile", "bridge", "--locked", "--color=never"])
            // Where the library is, cargo knows best: configuration may put it in a folder of the target's name.
            .arg("--message-format=json-render-diagnostics")
            .arg("--manifest-path")
            .arg(self.root.join("snakepit-bridge/Cargo.toml"))
            .arg("--target-dir")
            .arg(self.target);
        for (name, _) in env::vars_os() {
            if is_left_out(&name) {
                command.env_remove(name);
            }
        }
        match self.abi {
            Abi::Stable => command.env("PYO3_NO_PYTHON", "1"),
            Abi::Own { .. } => command
                .arg("--no-default-features")
                .env("PYO3_PYTHON", self.python),
        };
        command
    }
}

/// Whether a variable could make the build another one.
fn is_left_out(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let of_cargo = name.starts_with("CARGO_") || name.starts_with("__CARGO");
    let kept = CARGO_KEPT.iter().any(|kept| name.starts_with(kept))
        // A linker is part of the machine, not of the outer build.
        || (name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER"));
    (of_cargo && !kept) || name.starts_with("PYO3_") || LEFT_OUT.contains(&&*name)
}

/// The library, if a line of cargo's messages is about it.
fn artifact(line: &[u8]) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        target: Option<Target>,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }

    let message: Message = serde_json::from_slice(line).ok()?;
    if message.reason != "compiler-artifact" || message.target?.name != PACKAGE {
        return None;
    }
    message.filenames.into_iter().find(|file| {
        file.extension()
            .is_some_and(|kind| kind == "so" || kind == "dylib")
    })
}

/// A command as somebody would type it, without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Puts lines together from pieces.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
}

// === impl Lines ===

impl Lines {
    fn take(&mut self, piece: &[u8], mut sink: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, whole) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            let room = LINE_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if whole {
                sink(&self.line);
                self.line.clear();
            }
        }
    }
}
