//! Why a worker end does not come up.

use std::io;

/// The boot message could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The input ended before the message did.
    #[error(
        "standard input ended before a boot message was read: this program is started by a snakepit host"
    )]
    Ended,
    /// More is announced than a host writes.
    #[error("standard input announces a boot message of {size} bytes; a host writes at most {limit}")]
    TooLarge {
        /// What is announced, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The message is none.
    #[error("standard input holds no boot message: {0}")]
    Malformed(#[source] prost::DecodeError),
    /// Reading failed.
    #[error("cannot read the boot message: {0}")]
    Read(#[source] io::Error),
    /// The host speaks another version.
    #[error("the host speaks protocol {host}, this bridge protocol {worker}")]
    Version {
        /// The host's version.
        host: u32,
        /// The version of this end.
        worker: u32,
    },
}

/// The connection to the host did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The native thread could not be started.
    #[error("cannot start the connection's thread: {0}")]
    Thread(#[source] io::Error),
    /// The host cannot be reached.
    #[error("cannot reach the host: {reason}")]
    Unreachable {
        /// What went wrong, without the socket's path.
        reason: String,
    },
    /// The host refused the handshake.
    #[error("the host refused the handshake: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// There is too much to say in the first message.
    #[error("the names and signatures of the tools take {size} bytes; at most {limit} fit")]
    HelloTooLarge {
        /// What `Hello` would take, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The host did not keep to the protocol.
    #[error("the host broke the protocol: {reason}")]
    Protocol {
        /// What it did.
        reason: String,
    },
}

impl BootError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ended | Self::TooLarge { .. } | Self::Malformed(_) | Self::Read(_) => "SP0501",
            Self::Version { .. } => "SP0502",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Version { .. } => {
                Some("use the bridge that was made with this host: `snakepit bridge build`")
            }
            _ => None,
        }
    }
}

impl ConnectError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Thread(_) => "SP0503",
            Self::Unreachable { .. } => "SP0504",
            Self::Refused { .. } => "SP0505",
            Self::Protocol { .. } => "SP0506",
            Self::HelloTooLarge { .. } => "SP0507",
        }
    }
}
