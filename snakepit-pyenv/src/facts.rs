//! What is known of an interpreter.

use std::fmt;
use std::path::PathBuf;

use snakepit_config::ProfileKind;

/// An interpreter that was found and probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The path to start it with: as given or found, never canonicalised, since it may be a venv's link.
    pub path: PathBuf,
    /// Where the choice came from.
    pub origin: InterpreterOrigin,
    /// What it says of itself.
    pub facts: InterpreterFacts,
}

/// Why this interpreter and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterpreterOrigin {
    /// Somebody named it; the text says who.
    Explicit(String),
    /// `.venv` in the current folder.
    LocalVenv,
    /// `$VIRTUAL_ENV`.
    ActiveVenv,
    /// Found on `PATH` under this name.
    SearchPath(&'static str),
}

/// The four facts (version, implementation, free-threaded build, GIL on now), and what the bridge needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterpreterFacts {
    /// `sys.version_info`.
    pub version: Version,
    /// `sys.implementation.name`: `cpython`, `pypy`, …
    pub implementation: String,
    /// Built without a GIL (`Py_GIL_DISABLED`).
    pub free_threaded: bool,
    /// Whether the GIL is on in a fresh interpreter: `PYTHON_GIL` can turn it on in a free-threaded build.
    pub gil_enabled: bool,
    /// `sys.executable`.
    pub executable: PathBuf,
    /// `sys.prefix`: the venv, if it is one.
    pub prefix: PathBuf,
    /// `EXT_SUFFIX` of extension modules, like `.cpython-313t-x86_64-linux-gnu.so`.
    pub extension_suffix: String,
    /// An installed `snakepit_bridge`: its version and the folder that contains the package.
    pub installed_bridge: Option<(String, PathBuf)>,
}

/// A Python version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct Version {
    pub major: u8,
    pub minor: u8,
    pub micro: u8,
}

/// The oldest Python that snakepit supports.
pub const MINIMUM_VERSION: Version = Version {
    major: 3,
    minor: 9,
    micro: 0,
};

/// A folder with the `snakepit_bridge` package in it, for one interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Goes on `PYTHONPATH`; `None` where the interpreter has the package installed.
    pub path: Option<PathBuf>,
    /// How it was found.
    pub origin: BridgeOrigin,
}

/// How a bridge was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BridgeOrigin {
    /// Named by `bridge` or `SNAKEPIT_BRIDGE`.
    Given,
    /// Installed in the interpreter's environment.
    Installed,
    /// Built by cargo from this source checkout, now or earlier.
    Built,
}

// === impl InterpreterFacts ===

impl InterpreterFacts {
    /// Thread where the build is free-threaded, process otherwise.
    #[must_use]
    pub fn recommended_profile(&self) -> ProfileKind {
        if self.free_threaded {
            ProfileKind::Thread
        } else {
            ProfileKind::Process
        }
    }
}

/// The profile by version alone: thread from 3.13 on, process before.
///
/// This is how earlier snakepits recommended, and it is wrong for every ordinary build of 3.13, whose GIL is on.
/// [`InterpreterFacts::recommended_profile`] knows better; this one is kept for those who rely on the old answer.
#[must_use]
pub fn recommend_profile_by_version(version: Version) -> ProfileKind {
    if (version.major, version.minor) >= (3, 13) {
        ProfileKind::Thread
    } else {
        ProfileKind::Process
    }
}

// === impl InterpreterOrigin ===

impl fmt::Display for InterpreterOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(named_by) => f.write_str(named_by),
            Self::LocalVenv => f.write_str("`.venv` in the current folder"),
            Self::ActiveVenv => f.write_str("VIRTUAL_ENV"),
            Self::SearchPath(name) => write!(f, "`{name}` on PATH"),
        }
    }
}

// === impl Version ===

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}
