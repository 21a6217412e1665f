//! A map that is put together field by field.

use bytes::Bytes;
use rmp::{decode, encode as msgpack};
use serde::Serialize;

use crate::values::{Limits, ValueError, check, encode};

/// The keyword arguments of a call, encoded as they come.
///
/// The limits of whoever gets the map may not be known yet while it is put together, so only its depth is bounded until
/// [`finish`](Fields::finish).
#[derive(Debug, Clone, Default)]
pub struct Fields {
    count: u32,
    entries: Vec<u8>,
}

/// Encoding recurses into a value, so its depth is bounded from the start.
const WHILE_BUILDING: Limits = Limits {
    message_max: u64::MAX,
    depth_max: 1024,
};

impl Fields {
    /// Adds one field. A name that is there already is not looked for: a worker refuses a call that has one twice.
    ///
    /// # Errors
    /// [`ValueError`] where the value cannot cross the wire.
    pub fn insert<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), ValueError> {
        let value = encode(value, &WHILE_BUILDING)?;
        // Writing into a vector cannot fail.
        let _ = msgpack::write_str(&mut self.entries, name);
        self.entries.extend_from_slice(&value);
        self.count += 1;
        Ok(())
    }

    /// Adds every field of a struct, or every entry of a map.
    ///
    /// # Errors
    /// [`ValueError`] where something in it cannot cross the wire, and where it is no struct and no map.
    pub fn extend<T: Serialize + ?Sized>(&mut self, all: &T) -> Result<(), ValueError> {
        let encoded = encode(all, &WHILE_BUILDING)?;
        let mut entries = &encoded[..];
        let Ok(count) = decode::read_map_len(&mut entries) else {
            return Err(ValueError::Unsupported {
                path: "arguments".to_owned(),
                reason: "only a struct or a map has fields".to_owned(),
            });
        };
        self.entries.extend_from_slice(entries);
        self.count += count;
        Ok(())
    }

    /// The map.
    ///
    /// # Errors
    /// [`ValueError`] where it is larger or deeper than `limits` allow.
    pub fn finish(self, limits: &Limits) -> Result<Bytes, ValueError> {
        let mut map = Vec::with_capacity(self.entries.len() + HEAD_MAX);
        // Writing into a vector cannot fail.
        let _ = msgpack::write_map_len(&mut map, self.count);
        map.extend_from_slice(&self.entries);
        check(&map, limits)?;
        Ok(map.into())
    }
}

/// Most bytes that a map's head takes.
const HEAD_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::values::decode;

    #[test]
    fn fields_from_everywhere_make_one_map() {
        #[derive(Serialize)]
        struct More {
            b: u8,
            c: u8,
        }
        let mut fields = Fields::default();
        fields.insert("a", &1).unwrap();
        fields.extend(&More { b: 2, c: 3 }).unwrap();
        fields.extend(&BTreeMap::from([("d", 4)])).unwrap();
        let map = fields.finish(&Limits::default()).unwrap();
        let map: BTreeMap<String, u8> = decode(&map, &Limits::default()).unwrap();
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("c", 3), ("d", 4)].map(|(k, v)| (k.to_owned(), v))
        );
    }

    #[test]
    fn what_has_no_fields_is_refused() {
        let error = Fields::default().extend(&[1, 2]).unwrap_err();
        assert_eq!(error.to_string(), "arguments: only a struct or a map has fields");
    }

    #[test]
    fn the_limits_of_the_receiver_hold() {
        let fields = |value: &[&[u8]]| {
            let mut fields = Fields::default();
            fields.insert("a", value).unwrap();
            fields
        };
        let limits = Limits {
            message_max: 16,
            depth_max: 2,
        };
        assert!(fields(&[b"1"]).finish(&limits).is_ok());
        assert!(matches!(
            fields(&[&[0; 16]]).finish(&limits),
            Err(ValueError::TooLarge { limit: 16 })
        ));
        let flat = Limits {
            depth_max: 1,
            ..limits
        };
        assert!(matches!(
            fields(&[b"1"]).finish(&flat),
            Err(ValueError::TooDeep { limit: 1, .. })
        ));
    }
}
