//! MessagePack to serde types.

use serde::de::DeserializeOwned;

use crate::values::{Limits, ValueError, check};

/// Reads one value of type `T`. An integer is read where a float is expected; bytes are read as `Vec<u8>`.
///
/// # Errors
/// Whatever [`check`] finds, and [`ValueError::Mismatch`] where the value is not a `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, ValueError> {
    check(bytes, limits)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // The depth has been checked: rmp-serde's own limit, which counts a little differently, must not come first.
    deserializer.set_max_depth((limits.depth_max as usize).saturating_mul(2).saturating_add(8));
    T::deserialize(&mut deserializer).map_err(|error| ValueError::Mismatch {
        reason: error.to_string(),
    })
}
