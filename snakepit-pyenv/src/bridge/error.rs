//! Why there is no bridge.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::BRIDGE_VERSION;

/// Why there is no bridge for an interpreter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The folder that was named has no `snakepit_bridge` package in it.
    #[error("`{}` is not a bridge folder: there is no `snakepit_bridge/__init__.py` in it", .path.display())]
    NoPackage {
        /// The folder.
        path: PathBuf,
    },
    /// The folder that was named has no extension module that this interpreter can load.
    #[error(
        "the bridge in `{}` has nothing for `{}`: it would need {}, and there {}",
        .path.display(), .python.display(), AnyOf(.wanted), Found(.found)
    )]
    NoModule {
        /// The folder.
        path: PathBuf,
        /// The interpreter.
        python: PathBuf,
        /// Names of files that would do.
        wanted: Vec<String>,
        /// The extension modules that are there.
        found: Vec<String>,
    },
    /// The folder that was named holds a bridge of another version.
    #[error("the bridge in `{}` has version {version}, and this program needs {BRIDGE_VERSION}", .path.display())]
    WrongVersion {
        /// The folder.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// None was named, none is installed, and none can be built.
    #[error("there is no bridge for `{}`: none was named, {}, and there is no source checkout to build one from", .python.display(), Installed(.installed.as_deref()))]
    NoBridge {
        /// The interpreter.
        python: PathBuf,
        /// The version of an installed one.
        installed: Option<String>,
    },
    /// A bridge was to be built outside a source checkout.
    #[error("a bridge for `{}` cannot be built here: the source checkout that this program was compiled in is gone", .python.display())]
    NoCheckout {
        /// The interpreter.
        python: PathBuf,
    },
    /// Cargo could not be started.
    #[error("the bridge cannot be built: `{}` cannot be started", .cargo.display())]
    NoCargo {
        /// Cargo's path or name.
        cargo: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Cargo ran and failed.
    #[error("the bridge could not be built: `{command}` ended with {status}{}", Lines(.output))]
    BuildFailed {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last of what it said, at most 40 lines.
        output: Vec<String>,
    },
    /// Cargo ended well, and what it was to make is not there.
    #[error("the bridge could not be built: `{command}` made no extension module")]
    NothingBuilt {
        /// The command.
        command: String,
    },
    /// The sources were edited again and again while they were compiled.
    #[error("the bridge could not be built: the sources in `{}` keep changing", .root.display())]
    SourcesChanged {
        /// The source checkout.
        root: PathBuf,
    },
    /// The folder to build into has something else in it.
    #[error("`{}` is not empty, and is no bridge folder of version {BRIDGE_VERSION}: {found}", .path.display())]
    NotABridge {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// A file could not be read or written.
    #[error("cannot {what} `{}`", .path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

// === impl BridgeError ===

impl BridgeError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPackage { .. } => "SP0220",
            Self::NoModule { .. } => "SP0221",
            Self::WrongVersion { .. } => "SP0222",
            Self::NoBridge { .. } => "SP0223",
            Self::NoCheckout { .. } => "SP0224",
            Self::NoCargo { .. } => "SP0225",
            Self::BuildFailed { .. } => "SP0226",
            Self::NothingBuilt { .. } => "SP0227",
            Self::NotABridge { .. } => "SP0228",
            Self::Io { .. } => "SP0229",
            Self::SourcesChanged { .. } => "SP0230",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPackage { .. } => {
                "name the folder that contains `snakepit_bridge`, as `snakepit bridge build --out DIR` makes it".to_owned()
            }
            Self::NoModule { path, python, .. } => format!(
                "add it: `snakepit bridge build --python {} --out {}`",
                python.display(),
                path.display()
            ),
            Self::WrongVersion { .. } => {
                "build it again with this version's `snakepit bridge build`, in an empty folder".to_owned()
            }
            Self::NoBridge { python, .. } => format!(
                "where snakepit's source is, run `snakepit bridge build --python {} --out DIR`, and name DIR by \
                 `bridge = \"DIR\"` or SNAKEPIT_BRIDGE; or install it: `pip install ./snakepit-bridge`",
                python.display()
            ),
            Self::NoCheckout { .. } => {
                "build it where snakepit's source is, and copy the folder here".to_owned()
            }
            Self::NoCargo { .. } => {
                "install Rust from https://rustup.rs, or name a finished bridge by `bridge = \"DIR\"` or SNAKEPIT_BRIDGE".to_owned()
            }
            Self::BuildFailed { .. } => {
                "read cargo's last lines above; the first build needs the network, to fetch the bridge's dependencies"
                    .to_owned()
            }
            Self::SourcesChanged { .. } => "start again once nobody is writing there".to_owned(),
            Self::NotABridge { .. } => "choose a new or an empty folder".to_owned(),
            Self::NothingBuilt { .. } | Self::Io { .. } => return None,
        };
        Some(hint)
    }

    /// Makes an [`Io`](Self::Io) of what the operating system says.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// `a` or `b`.
struct AnyOf<'a>(&'a [String]);

impl fmt::Display for AnyOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let or = if place == 0 { "" } else { " or " };
            write!(f, "{or}`{name}`")?;
        }
        Ok(())
    }
}

/// The extension modules that are there, as the end of a sentence.
struct Found<'a>(&'a [String]);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("is no extension module at all");
        }
        write!(f, "is only `{}`", self.0.join("`, `"))
    }
}

/// What is installed, in the middle of a sentence.
struct Installed<'a>(Option<&'a str>);

impl fmt::Display for Installed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(
                f,
                "the installed one has version {version} instead of {BRIDGE_VERSION}"
            ),
            None => f.write_str("none is installed"),
        }
    }
}

/// Lines under a message.
struct Lines<'a>(&'a [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
