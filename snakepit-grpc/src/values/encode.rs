//! Serde types to MessagePack.
//!
//! Not rmp-serde's serializer: that one writes 128-bit integers as bytes, keys of any type, and knows neither the size
//! it may use nor where in a value it is.

use std::any::type_name;
use std::fmt;

use bytes::Bytes;
use rmp::encode as msgpack;
use serde::ser::{self, Serialize};

use crate::values::path::{Step, spelled};
use crate::values::{Limits, ValueError};

mod byte;
mod compound;
mod key;

use byte::ByteOnly;
use compound::{Compound, Kind};

/// Writes one value.
///
/// # Errors
/// [`ValueError`] where the value, or something in it, cannot cross the wire within `limits`.
pub fn encode<T: Serialize + ?Sized>(value: &T, limits: &Limits) -> Result<Bytes, ValueError> {
    let mut encoder = Encoder {
        out: Vec::new(),
        depth: 0,
        limits: *limits,
    };
    match value.serialize(&mut encoder) {
        Ok(()) => Ok(encoder.out.into()),
        Err(failure) => Err(failure.into_error(limits)),
    }
}

struct Encoder {
    out: Vec<u8>,
    depth: u32,
    limits: Limits,
}

/// What went wrong, and on the way out of the value the steps to it, innermost first.
#[derive(Debug)]
struct Failure {
    what: What,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum What {
    TooLarge,
    TooDeep,
    Integer(String),
    Key(&'static str),
    Extension,
    Unsupported(String),
}

/// A struct that rmp-serde and its users take for an extension type.
const EXTENSION: &str = "_ExtStruct";

impl Encoder {
    /// Makes room for `more` bytes, or says that there is none.
    fn room(&mut self, more: usize) -> Result<&mut Vec<u8>, Failure> {
        if (self.out.len() as u64).saturating_add(more as u64) > self.limits.message_max {
            return Err(What::TooLarge.into());
        }
        Ok(&mut self.out)
    }

    /// Writes something small through rmp.
    fn small(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        write(&mut self.out);
        self.room(0).map(drop)
    }

    fn text(&mut self, text: &str) -> Result<(), Failure> {
        let length = length_of(text.len())?;
        self.room(text.len())?;
        // Writing into a vector cannot fail.
        self.small(|out| drop(msgpack::write_str_len(out, length)))?;
        self.room(text.len())?.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn bytes_head(&mut self, length: usize) -> Result<(), Failure> {
        self.room(length)?;
        let length = length_of(length)?;
        self.small(|out| drop(msgpack::write_bin_len(out, length)))
    }

    fn enter(&mut self, kind: Kind, length: Option<usize>) -> Result<Compound<'_>, Failure> {
        if self.depth >= self.limits.depth_max {
            return Err(What::TooDeep.into());
        }
        self.depth += 1;
        Compound::begin(self, kind, length)
    }

    /// `{variant: …}`, what an enum with content becomes.
    fn variant(&mut self, variant: &str) -> Result<(), Failure> {
        if self.depth >= self.limits.depth_max {
            return Err(What::TooDeep.into());
        }
        self.depth += 1;
        self.small(|out| drop(msgpack::write_map_len(out, 1)))?;
        self.text(variant)
    }
}

fn length_of(length: usize) -> Result<u32, Failure> {
    u32::try_from(length).map_err(|_| What::TooLarge.into())
}

impl<'a> ser::Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, v: bool) -> Result<(), Failure> {
        self.small(|out| drop(msgpack::write_bool(out, v)))
    }

    fn serialize_i8(self, v: i8) -> Result<(), Failure> {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Result<(), Failure> {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Result<(), Failure> {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Result<(), Failure> {
        self.small(|out| drop(msgpack::write_sint(out, v)))
    }

    fn serialize_i128(self, v: i128) -> Result<(), Failure> {
        match (i64::try_from(v), u64::try_from(v)) {
            (Ok(v), _) => self.serialize_i64(v),
            (_, Ok(v)) => self.serialize_u64(v),
            _ => Err(What::Integer(v.to_string()).into()),
        }
    }

    fn serialize_u8(self, v: u8) -> Result<(), Failure> {
        self.serialize_u64(v.into())
    }

    fn serialize_u16(self, v: u16) -> Result<(), Failure> {
        self.serialize_u64(v.into())
    }

    fn serialize_u32(self, v: u32) -> Result<(), Failure> {
        self.serialize_u64(v.into())
    }

    fn serialize_u64(self, v: u64) -> Result<(), Failure> {
        self.small(|out| drop(msgpack::write_uint(out, v)))
    }

    fn serialize_u128(self, v: u128) -> Result<(), Failure> {
        match u64::try_from(v) {
            Ok(v) => self.serialize_u64(v),
            Err(_) => Err(What::Integer(v.to_string()).into()),
        }
    }

    fn serialize_f32(self, v: f32) -> Result<(), Failure> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), Failure> {
        self.small(|out| drop(msgpack::write_f64(out, v)))
    }

    fn serialize_char(self, v: char) -> Result<(), Failure> {
        self.text(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Result<(), Failure> {
        self.text(v)
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), Failure> {
        self.bytes_head(v.len())?;
        self.room(v.len())?.extend_from_slice(v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.small(|out| drop(msgpack::write_nil(out)))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failure> {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        if name == EXTENSION {
            return Err(What::Extension.into());
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.variant(variant)?;
        value
            .serialize(&mut *self)
            .map_err(|failure| failure.within(Step::key(variant)))?;
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'a>, Failure> {
        self.enter(Kind::List, length)
    }

    fn serialize_tuple(self, length: usize) -> Result<Compound<'a>, Failure> {
        self.enter(Kind::List, Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Compound<'a>, Failure> {
        self.enter(Kind::List, Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, Failure> {
        self.variant(variant)?;
        Ok(self.enter(Kind::List, Some(length))?.of_variant(variant))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Compound<'a>, Failure> {
        self.enter(Kind::Map, length)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Compound<'a>, Failure> {
        self.enter(Kind::Map, Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, Failure> {
        self.variant(variant)?;
        Ok(self.enter(Kind::Map, Some(length))?.of_variant(variant))
    }

    /// What slices and vectors call. Serde does not tell `Vec<u8>` from other lists, but the name of its items does;
    /// should a compiler ever name them otherwise, they travel as a list of integers, which reads back the same.
    fn collect_seq<I>(self, iter: I) -> Result<(), Failure>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let iter = iter.into_iter();
        let exact = match iter.size_hint() {
            (least, Some(most)) if least == most => Some(least),
            _ => None,
        };
        if let (Some(length), "u8" | "&u8") = (exact, type_name::<I::Item>()) {
            self.bytes_head(length)?;
            for byte in iter {
                self.out.push(byte.serialize(ByteOnly)?);
            }
            return Ok(());
        }
        let mut list = self.serialize_seq(exact)?;
        for item in iter {
            ser::SerializeSeq::serialize_element(&mut list, &item)?;
        }
        ser::SerializeSeq::end(list)
    }
}

// === impl Failure ===

impl Failure {
    /// On the way out.
    fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn into_error(self, limits: &Limits) -> ValueError {
        let path = spelled(self.steps.iter().rev());
        match self.what {
            What::TooLarge => ValueError::TooLarge {
                limit: limits.message_max,
            },
            What::TooDeep => ValueError::TooDeep {
                path,
                limit: limits.depth_max,
            },
            What::Integer(integer) => ValueError::IntegerRange { path, integer },
            What::Key(found) => ValueError::KeyNotString { path, found },
            What::Extension => ValueError::Extension { path },
            What::Unsupported(reason) => ValueError::Unsupported { path, reason },
        }
    }
}

impl From<What> for Failure {
    fn from(what: What) -> Self {
        Self {
            what,
            steps: Vec::new(),
        }
    }
}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        What::Unsupported(reason.to_string()).into()
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}
