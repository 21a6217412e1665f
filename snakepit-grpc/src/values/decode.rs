//! MessagePack to serde types.

use rmp_serde::decode::Error;
use serde::de::DeserializeOwned;

use crate::values::check::kind;
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
        reason: reason::<T>(&error),
    })
}

/// rmp-serde names markers where a reader expects kinds of values.
fn reason<T>(error: &Error) -> String {
    match error {
        Error::TypeMismatch(marker) => {
            format!(
                "found {} where `{}` has something else",
                kind(*marker),
                std::any::type_name::<T>()
            )
        }
        Error::Syntax(reason) => reason.clone(),
        other => other.to_string(),
    }
}
