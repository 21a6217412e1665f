//! One pass over bytes from the other end, before anything is built of them.

use rmp::Marker;

use crate::values::path::{Step, spelled};
use crate::values::{Limits, ValueError};

/// Makes sure that `bytes` are exactly one value of the kind that crosses this wire, within `limits`.
///
/// It does not recurse and allocates nothing but a note per level of nesting, so it may be given anything.
///
/// # Errors
/// Every [`ValueError`] but `Unsupported` and `Mismatch`.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), ValueError> {
    if bytes.len() as u64 > limits.message_max {
        return Err(ValueError::TooLarge {
            limit: limits.message_max,
        });
    }
    let mut scan = Scan {
        bytes,
        at: 0,
        open: Vec::new(),
        depth_max: limits.depth_max,
    };
    while scan.value()? == Read::Head || scan.close_finished() {}
    if scan.at < bytes.len() {
        return Err(scan.malformed("more bytes follow the value"));
    }
    Ok(())
}

/// What was read.
#[derive(PartialEq, Eq)]
enum Read {
    /// A whole value.
    Value,
    /// The head of a list or map that has content.
    Head,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The lists and maps around the current place.
    open: Vec<Open<'a>>,
    depth_max: u32,
}

enum Open<'a> {
    List { length: u64, done: u64 },
    Map { left: u64, key: Option<&'a [u8]> },
}

impl<'a> Scan<'a> {
    /// Reads one value, after its key where it is in a map.
    fn value(&mut self) -> Result<Read, ValueError> {
        self.key_if_due()?;
        let marker = Marker::from_u8(self.byte()?);
        match marker {
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                Ok(Read::Value)
            }
            Marker::U8 | Marker::I8 => self.skip(1),
            Marker::U16 | Marker::I16 => self.skip(2),
            Marker::U32 | Marker::I32 | Marker::F32 => self.skip(4),
            Marker::U64 | Marker::I64 | Marker::F64 => self.skip(8),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                self.text(marker).map(|_| Read::Value)
            }
            Marker::Bin8 => self.length(1).and_then(|length| self.skip(length)),
            Marker::Bin16 => self.length(2).and_then(|length| self.skip(length)),
            Marker::Bin32 => self.length(4).and_then(|length| self.skip(length)),
            Marker::FixArray(length) => self.enter_list(u64::from(length)),
            Marker::Array16 => self.length(2).and_then(|length| self.enter_list(length)),
            Marker::Array32 => self.length(4).and_then(|length| self.enter_list(length)),
            Marker::FixMap(length) => self.enter_map(u64::from(length)),
            Marker::Map16 => self.length(2).and_then(|length| self.enter_map(length)),
            Marker::Map32 => self.length(4).and_then(|length| self.enter_map(length)),
            Marker::Reserved => Err(self.malformed("a reserved marker")),
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => Err(ValueError::Extension { path: self.path() }),
        }
    }

    /// Leaves every list and map whose last value was just read. `false`: the outermost value is complete.
    fn close_finished(&mut self) -> bool {
        while let Some(open) = self.open.last_mut() {
            match open {
                Open::List { length, done } => {
                    *done += 1;
                    if done < length {
                        return true;
                    }
                }
                Open::Map { left, key } => {
                    *key = None;
                    *left -= 1;
                    if *left > 0 {
                        return true;
                    }
                }
            }
            self.open.pop();
        }
        false
    }

    fn key_if_due(&mut self) -> Result<(), ValueError> {
        let Some(Open::Map { key: None, .. }) = self.open.last() else {
            return Ok(());
        };
        let marker = Marker::from_u8(self.byte()?);
        if !matches!(
            marker,
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32
        ) {
            return Err(ValueError::KeyNotString {
                path: self.path(),
                found: kind(marker),
            });
        }
        let text = self.text(marker)?;
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(text);
        }
        Ok(())
    }

    fn enter_list(&mut self, length: u64) -> Result<Read, ValueError> {
        self.enter(length, length, Open::List { length, done: 0 })
    }

    fn enter_map(&mut self, pairs: u64) -> Result<Read, ValueError> {
        self.enter(
            pairs,
            pairs * 2,
            Open::Map {
                left: pairs,
                key: None,
            },
        )
    }

    /// `least`: bytes that so many elements take at least. A length that cannot be true is not believed.
    fn enter(&mut self, length: u64, least: u64, open: Open<'a>) -> Result<Read, ValueError> {
        if self.open.len() as u64 >= u64::from(self.depth_max) {
            return Err(ValueError::TooDeep {
                path: self.path(),
                limit: self.depth_max,
            });
        }
        if least > (self.bytes.len() - self.at) as u64 {
            return Err(self.malformed("the value ends too early"));
        }
        if length == 0 {
            return Ok(Read::Value);
        }
        self.open.push(open);
        Ok(Read::Head)
    }

    fn text(&mut self, marker: Marker) -> Result<&'a [u8], ValueError> {
        let length = match marker {
            Marker::FixStr(length) => u64::from(length),
            Marker::Str8 => self.length(1)?,
            Marker::Str16 => self.length(2)?,
            _ => self.length(4)?,
        };
        let start = self.at;
        self.skip(length)?;
        let text = &self.bytes[start..self.at];
        match std::str::from_utf8(text) {
            Ok(_) => Ok(text),
            Err(error) => {
                self.at = start + error.valid_up_to();
                Err(self.malformed("a string that is not UTF-8"))
            }
        }
    }

    fn byte(&mut self) -> Result<u8, ValueError> {
        let byte = self.bytes.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte.ok_or_else(|| self.malformed("the value ends too early"))
    }

    /// A big-endian length of so many bytes.
    fn length(&mut self, width: usize) -> Result<u64, ValueError> {
        (0..width).try_fold(0, |length, _| Ok(length << 8 | u64::from(self.byte()?)))
    }

    fn skip(&mut self, count: u64) -> Result<Read, ValueError> {
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(self.malformed("the value ends too early"));
        }
        // It fits, since it is no more than the length of a slice.
        self.at += usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Read::Value)
    }

    fn malformed(&self, reason: &'static str) -> ValueError {
        ValueError::Malformed {
            reason,
            offset: self.at,
        }
    }

    fn path(&self) -> String {
        let steps: Vec<_> = self
            .open
            .iter()
            .filter_map(|open| match open {
                Open::List { done, .. } => Some(Step::Index(*done)),
                Open::Map { key, .. } => key.map(|key| Step::key(&String::from_utf8_lossy(key))),
            })
            .collect();
        spelled(&steps)
    }
}

/// What a value with this marker is.
pub(super) fn kind(marker: Marker) -> &'static str {
    match marker {
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "a string",
        Marker::Null => "null",
        Marker::True | Marker::False => "a boolean",
        Marker::F32 | Marker::F64 => "a float",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bytes",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "a list",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        Marker::FixPos(_)
        | Marker::FixNeg(_)
        | Marker::U8
        | Marker::U16
        | Marker::U32
        | Marker::U64
        | Marker::I8
        | Marker::I16
        | Marker::I32
        | Marker::I64 => "an integer",
        _ => "an extension",
    }
}
