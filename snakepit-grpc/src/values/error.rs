//! What is wrong with a value.

/// A value that cannot be sent, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// It takes more bytes than a message may have.
    #[error("the value takes more than {limit} bytes, which is `message_max`")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is nested deeper than allowed.
    #[error("{path}: nested deeper than {limit}, which is `depth_max`")]
    TooDeep {
        /// Where.
        path: String,
        /// The limit.
        limit: u32,
    },
    /// An integer outside `i64` and `u64`.
    #[error("{path}: {integer} fits neither 64-bit signed nor unsigned")]
    IntegerRange {
        /// Where.
        path: String,
        /// The integer.
        integer: String,
    },
    /// A map's key is something else than a string.
    #[error("{path}: a key is {found}, and only strings can be keys")]
    KeyNotString {
        /// Which map.
        path: String,
        /// What the key is.
        found: &'static str,
    },
    /// A MessagePack extension type.
    #[error("{path}: extension types are not supported")]
    Extension {
        /// Where.
        path: String,
    },
    /// Its own `Serialize` failed, or does what MessagePack has no form for.
    #[error("{path}: {reason}")]
    Unsupported {
        /// Where.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// The bytes are not one MessagePack value.
    #[error("not a MessagePack value: {reason} at byte {offset}")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
        /// Where, counted from 0.
        offset: usize,
    },
    /// The value is sound, but not what the type expects.
    #[error("the value does not fit the expected type: {reason}")]
    Mismatch {
        /// What was found and what was expected.
        reason: String,
    },
}

impl ValueError {
    /// A stable code, one page each under `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "SP0510",
            Self::TooDeep { .. } => "SP0511",
            Self::IntegerRange { .. } => "SP0512",
            Self::KeyNotString { .. } => "SP0513",
            Self::Extension { .. } => "SP0514",
            Self::Unsupported { .. } => "SP0515",
            Self::Malformed { .. } => "SP0516",
            Self::Mismatch { .. } => "SP0517",
        }
    }

    /// Where in the value, like `items[3].price`, where that is known.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::TooDeep { path, .. }
            | Self::IntegerRange { path, .. }
            | Self::KeyNotString { path, .. }
            | Self::Extension { path }
            | Self::Unsupported { path, .. } => Some(path),
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::Mismatch { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { .. } => Some("raise `message_max`, or send less at once"),
            Self::TooDeep { .. } => Some("raise `depth_max`, or flatten the value"),
            Self::IntegerRange { .. } => Some("send it as a string"),
            Self::KeyNotString { .. } => Some("use string keys, or a list of pairs"),
            _ => None,
        }
    }
}
