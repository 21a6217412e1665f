//! Why a session cannot be had, or does not take a value.

use super::{MAX_BYTES, MAX_NAME_BYTES, MAX_VALUES};

/// Why an operation on a session failed. It changed nothing, and no code of a call ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There are as many sessions as may be.
    #[error("the quota of sessions is used up: `session_max` is {limit}")]
    Quota {
        /// How many there may be.
        limit: u32,
    },
    /// No session can have this name.
    #[error("no session can be named {name:?}: the name {fault}")]
    InvalidName {
        /// The name; shortened, where it is long.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// No value can have this key.
    #[error("no value of session `{name}` can have the key {key:?}: the key {fault}")]
    InvalidKey {
        /// The session.
        name: String,
        /// The key; shortened, where it is long.
        key: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// There is no such session: it was never created, has expired or was ended.
    #[error("there is no session `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The session has no room for the value. What it holds is unchanged.
    #[error(
        "session `{name}` has no room for a key and value of {wanted} bytes: it holds {values} values of {bytes} bytes, \
         and {MAX_VALUES} values and {MAX_BYTES} bytes are the most, keys included"
    )]
    Full {
        /// The session.
        name: String,
        /// Values that it holds.
        values: usize,
        /// Bytes of their keys and values.
        bytes: usize,
        /// Bytes of the key and the value refused.
        wanted: usize,
    },
}

/// What is wrong with a name or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("has {bytes} bytes, and {MAX_NAME_BYTES} are the most")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has a control character, which only names may not have.
    #[error("has a control character at byte {at}")]
    Control {
        /// Where, in bytes from its beginning.
        at: usize,
    },
}

// === impl SessionError ===

impl SessionError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Quota { .. } => "SP0413",
            Self::InvalidName { .. } | Self::InvalidKey { .. } => "SP0414",
            Self::Unknown { .. } => "SP0415",
            Self::Full { .. } => "SP0416",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Quota { .. } => {
                Some("end sessions that are done, shorten `session_ttl`, or raise `session_max`".to_owned())
            }
            Self::InvalidName { .. } => Some(format!(
                "name it with 1 to {MAX_NAME_BYTES} bytes of text without control characters"
            )),
            Self::InvalidKey { .. } => Some(format!("use a key of 1 to {MAX_NAME_BYTES} bytes")),
            Self::Unknown { .. } => Some(
                "create it first; one that nobody used for `session_ttl` is gone, with its values".to_owned(),
            ),
            Self::Full { .. } => {
                Some("remove values, or keep large ones elsewhere and their place in the session".to_owned())
            }
        }
    }

    pub(super) fn unknown(name: &str) -> Self {
        Self::Unknown {
            name: name.to_owned(),
        }
    }
}

/// Whether a session can have this name.
pub(super) fn check_name(name: &str) -> Result<(), SessionError> {
    let fault = match check_length(name) {
        Err(fault) => fault,
        Ok(()) => match name.char_indices().find(|(_, char)| char.is_control()) {
            Some((at, _)) => NameFault::Control { at },
            None => return Ok(()),
        },
    };
    Err(SessionError::InvalidName {
        name: shortened(name),
        fault,
    })
}

/// Whether a value of the session can have this key.
pub(super) fn check_key(name: &str, key: &str) -> Result<(), SessionError> {
    check_length(key).map_err(|fault| SessionError::InvalidKey {
        name: name.to_owned(),
        key: shortened(key),
        fault,
    })
}

fn check_length(text: &str) -> Result<(), NameFault> {
    match text.len() {
        0 => Err(NameFault::Empty),
        1..=MAX_NAME_BYTES => Ok(()),
        bytes => Err(NameFault::TooLong { bytes }),
    }
}

/// An error does not carry megabytes, whatever was asked for.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
