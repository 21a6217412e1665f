//! The values of one session, and their limits.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{MAX_BYTES, MAX_VALUES};

/// Values by key.
#[derive(Debug, Default)]
pub(super) struct Values {
    by_key: BTreeMap<String, Bytes>,
    /// Of all keys and values.
    bytes: usize,
}

/// The value does not fit.
#[derive(Debug)]
pub(super) struct NoRoom;

impl Values {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: &str) -> Option<&Bytes> {
        self.by_key.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_key.keys()
    }

    /// Puts a value, and returns the one whose place it takes.
    pub(super) fn put(&mut self, key: &str, value: Bytes) -> Result<Option<Bytes>, NoRoom> {
        let old = self.by_key.get(key).map_or(0, |old| key.len() + old.len());
        let bytes = self.bytes - old + key.len() + value.len();
        if bytes > MAX_BYTES {
            return Err(NoRoom);
        }
        let replaced = if let Some(place) = self.by_key.get_mut(key) {
            Some(std::mem::replace(place, value))
        } else if self.by_key.len() < MAX_VALUES {
            self.by_key.insert(key.to_owned(), value)
        } else {
            return Err(NoRoom);
        };
        self.bytes = bytes;
        Ok(replaced)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Bytes> {
        let value = self.by_key.remove(key)?;
        self.bytes -= key.len() + value.len();
        Some(value)
    }
}

#[cfg(test)]
impl Values {
    /// The bytes, counted anew.
    pub(super) fn counted(&self) -> usize {
        self.by_key
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum()
    }
}
