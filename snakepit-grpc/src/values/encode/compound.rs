//! Lists and maps, element by element.

use rmp::encode as msgpack;
use serde::ser::{self, Serialize};

use super::key::KeyText;
use super::{Encoder, Failure, What, length_of};
use crate::values::path::Step;

/// A list or a map that is being written.
pub(super) struct Compound<'a> {
    encoder: &'a mut Encoder,
    kind: Kind,
    /// Where the head is, and what it promised. A length that nobody knew beforehand is filled in at the end.
    head: usize,
    promised: Option<u32>,
    written: u32,
    /// The key whose value comes next.
    key: String,
    variant: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Map,
}

impl<'a> Compound<'a> {
    pub(super) fn begin(
        encoder: &'a mut Encoder,
        kind: Kind,
        length: Option<usize>,
    ) -> Result<Self, Failure> {
        let promised = length.map(length_of).transpose()?;
        let head = encoder.out.len();
        encoder.small(|out| match (kind, promised) {
            // Writing into a vector cannot fail.
            (Kind::List, Some(length)) => drop(msgpack::write_array_len(out, length)),
            (Kind::Map, Some(length)) => drop(msgpack::write_map_len(out, length)),
            (Kind::List, None) => out.extend([0xdd, 0, 0, 0, 0]),
            (Kind::Map, None) => out.extend([0xdf, 0, 0, 0, 0]),
        })?;
        Ok(Self {
            encoder,
            kind,
            head,
            promised,
            written: 0,
            key: String::new(),
            variant: None,
        })
    }

    pub(super) fn of_variant(mut self, variant: &'static str) -> Self {
        self.variant = Some(variant);
        self
    }

    fn write_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.key = key.serialize(KeyText).map_err(|failure| self.placed(failure))?;
        let key = std::mem::take(&mut self.key);
        let written = self.encoder.text(&key);
        self.key = key;
        written
    }

    fn write_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if let Err(failure) = value.serialize(&mut *self.encoder) {
            let step = match self.kind {
                Kind::List => Step::Index(u64::from(self.written)),
                Kind::Map => Step::key(&self.key),
            };
            return Err(self.placed(failure.within(step)));
        }
        self.written = self.written.checked_add(1).ok_or(What::TooLarge)?;
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        match self.promised {
            Some(promised) if promised == self.written => {}
            Some(promised) => {
                let reason = format!("it announced {promised} elements and has {}", self.written);
                return Err(self.placed(What::Unsupported(reason).into()));
            }
            None => {
                let length = self.written.to_be_bytes();
                self.encoder.out[self.head + 1..self.head + 5].copy_from_slice(&length);
            }
        }
        self.encoder.depth -= if self.variant.is_some() { 2 } else { 1 };
        Ok(())
    }

    /// Adds the step that an enum's variant is.
    fn placed(&self, failure: Failure) -> Failure {
        match self.variant {
            Some(variant) => failure.within(Step::key(variant)),
            None => failure,
        }
    }
}

impl ser::SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}

impl ser::SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.write_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}

impl ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.write_key(key)?;
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.write_key(key)?;
        self.write_value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.finish()
    }
}
