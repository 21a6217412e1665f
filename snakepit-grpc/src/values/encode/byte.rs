//! One byte out of a list of bytes.

use serde::ser::{Impossible, Serialize, Serializer};

use super::{Failure, What};

/// Takes a `u8`. Nothing else is ever given to it, since the list's items have been found to be bytes.
pub(super) struct ByteOnly;

type Never = Impossible<u8, Failure>;

fn unexpected<T>() -> Result<T, Failure> {
    Err(What::Unsupported("a byte that is none".to_owned()).into())
}

macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)+) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, Failure> {
            unexpected()
        })+
    };
}

impl Serializer for ByteOnly {
    type Ok = u8;
    type Error = Failure;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_u8(self, v: u8) -> Result<u8, Failure> {
        Ok(v)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, Failure> {
        unexpected()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<u8, Failure> {
        unexpected()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<u8, Failure> {
        unexpected()
    }

    refuse! {
        serialize_bool(bool) -> u8;
        serialize_i8(i8) -> u8;
        serialize_i16(i16) -> u8;
        serialize_i32(i32) -> u8;
        serialize_i64(i64) -> u8;
        serialize_i128(i128) -> u8;
        serialize_u16(u16) -> u8;
        serialize_u32(u32) -> u8;
        serialize_u64(u64) -> u8;
        serialize_u128(u128) -> u8;
        serialize_f32(f32) -> u8;
        serialize_f64(f64) -> u8;
        serialize_bytes(&[u8]) -> u8;
        serialize_none() -> u8;
        serialize_unit() -> u8;
        serialize_unit_struct(&'static str) -> u8;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_str(&str) -> u8;
        serialize_char(char) -> u8;
        serialize_unit_variant(&'static str, u32, &'static str) -> u8;
    }
}
