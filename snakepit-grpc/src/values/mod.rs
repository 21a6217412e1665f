//! Serde types as the MessagePack that crosses the wire.
//!
//! What survives a round trip exactly: integers that fit `i64` or `u64`, floats with NaN, infinities and -0.0, bytes,
//! strings, lists, maps with string keys, and null. A `Vec<u8>` or `&[u8]` travels as bytes; a struct as a map of its
//! field names; `Option` as the value or null; an enum as its variant's name, or a map of that name to the content.
//! Everything else is a [`ValueError`] that says where in the value it is. Nothing larger or deeper than the [`Limits`]
//! is sent, and nothing such is read either: what came over the wire is [checked](check) before anything is built of it.

mod check;
mod decode;
mod encode;
mod error;
mod fields;
mod path;

pub use check::check;
pub use decode::decode;
pub use encode::encode;
pub use error::ValueError;
pub use fields::Fields;

/// How large and how deep a value may be, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest value, in bytes of MessagePack.
    pub message_max: u64,
    /// Deepest nesting: a number is 0 deep, a list of numbers 1.
    pub depth_max: u32,
}

/// 64 MiB, 128 deep.
impl Default for Limits {
    fn default() -> Self {
        Self {
            message_max: 64 * 1024 * 1024,
            depth_max: 128,
        }
    }
}

#[cfg(feature = "host")]
impl From<snakepit_profile::Limits> for Limits {
    fn from(limits: snakepit_profile::Limits) -> Self {
        Self {
            message_max: limits.message_max,
            depth_max: limits.depth_max,
        }
    }
}

impl From<&crate::proto::Boot> for Limits {
    fn from(boot: &crate::proto::Boot) -> Self {
        Self {
            message_max: boot.message_max,
            depth_max: boot.depth_max,
        }
    }
}
