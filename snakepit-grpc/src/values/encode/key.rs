//! The key of a map: a string, or something that is written as one.

use serde::ser::{Impossible, Serialize, Serializer};

use super::{Failure, What};

/// Takes a key's text and refuses everything else.
pub(super) struct KeyText;

/// One method per type that cannot be a key.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $ok:ty: $found:literal;)+) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, Failure> {
            Err(What::Key($found).into())
        })+
    };
}

type Never = Impossible<String, Failure>;

impl Serializer for KeyText {
    type Ok = String;
    type Error = Failure;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, v: &str) -> Result<String, Failure> {
        Ok(v.to_owned())
    }

    fn serialize_char(self, v: char) -> Result<String, Failure> {
        Ok(v.into())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, Failure> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, Failure> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, Failure> {
        Err(What::Key("a map").into())
    }

    refuse! {
        serialize_bool(bool) -> String: "a boolean";
        serialize_i8(i8) -> String: "an integer";
        serialize_i16(i16) -> String: "an integer";
        serialize_i32(i32) -> String: "an integer";
        serialize_i64(i64) -> String: "an integer";
        serialize_i128(i128) -> String: "an integer";
        serialize_u8(u8) -> String: "an integer";
        serialize_u16(u16) -> String: "an integer";
        serialize_u32(u32) -> String: "an integer";
        serialize_u64(u64) -> String: "an integer";
        serialize_u128(u128) -> String: "an integer";
        serialize_f32(f32) -> String: "a float";
        serialize_f64(f64) -> String: "a float";
        serialize_bytes(&[u8]) -> String: "bytes";
        serialize_none() -> String: "null";
        serialize_unit() -> String: "null";
        serialize_unit_struct(&'static str) -> String: "null";
        serialize_seq(Option<usize>) -> Never: "a list";
        serialize_tuple(usize) -> Never: "a list";
        serialize_tuple_struct(&'static str, usize) -> Never: "a list";
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never: "a map";
        serialize_map(Option<usize>) -> Never: "a map";
        serialize_struct(&'static str, usize) -> Never: "a map";
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never: "a map";
    }
}
