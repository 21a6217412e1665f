//! Why a host does not come up.

use std::io;

/// What [`Host::bind`](crate::host::Host::bind) needs could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The private run directory could not be made.
    #[error("cannot make a private run directory in `{parent}`: {source}")]
    RunDirectory {
        /// Where it was to be.
        parent: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A unix socket's path is limited by the operating system.
    #[error("the socket's path would be {length} bytes long below `{parent}`; at most {limit} are possible")]
    PathTooLong {
        /// Where it was to be.
        parent: String,
        /// The path's length, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Something else the host needs: its socket, its thread, the runtime.
    #[error("cannot {what}: {source}")]
    Setup {
        /// What was tried.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl HostError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::RunDirectory { .. } => "SP0520",
            Self::PathTooLong { .. } => "SP0521",
            Self::Setup { .. } => "SP0522",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::RunDirectory { .. } => {
                Some("set XDG_RUNTIME_DIR or TMPDIR to a folder that can be written to")
            }
            Self::PathTooLong { .. } => Some("set XDG_RUNTIME_DIR or TMPDIR to a shorter path"),
            Self::Setup { .. } => None,
        }
    }
}
