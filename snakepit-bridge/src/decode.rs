//! MessagePack to Python object.
//!
//! As `encode`, with a stack of its own. A length that is announced is believed only as far as there are bytes left, so
//! a short message cannot make the worker allocate.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};
use rmp::Marker;

use crate::encode::Limits;
use crate::path::{Path, Problem};

/// A container that is being filled.
enum Open<'py> {
    List {
        list: Bound<'py, PyList>,
        left: usize,
    },
    Map {
        dict: Bound<'py, PyDict>,
        key: Bound<'py, PyString>,
        left: usize,
    },
}

/// What the next bytes hold.
enum Token<'py> {
    Value(Bound<'py, PyAny>),
    Array(usize),
    Map(usize),
}

/// Reads one message from its front.
pub(crate) struct Decoder<'py, 'a> {
    py: Python<'py>,
    rest: &'a [u8],
    open: Vec<Open<'py>>,
    /// Levels around what is read, which the caller reads itself.
    outer: usize,
    depth_max: usize,
}

/// Decodes a value. Raises `ValueError` where it is malformed or nested too deeply.
#[pyfunction]
#[pyo3(signature = (data, *, depth_max = 128))]
pub(crate) fn decode<'py>(py: Python<'py>, data: &[u8], depth_max: usize) -> PyResult<Bound<'py, PyAny>> {
    let mut decoder = Decoder::new(
        py,
        data,
        Limits {
            depth_max,
            size_max: data.len(),
        },
    );
    let value = decoder.value().and_then(|value| decoder.end().map(|()| value));
    value.map_err(|reason| {
        let Problem { path, reason } = decoder.problem("value", reason);
        PyValueError::new_err(format!("{path}: {reason}"))
    })
}

impl<'py, 'a> Decoder<'py, 'a> {
    pub(crate) fn new(py: Python<'py>, message: &'a [u8], limits: Limits) -> Self {
        Self {
            py,
            rest: message,
            open: Vec::new(),
            outer: 0,
            depth_max: limits.depth_max,
        }
    }

    pub(crate) fn python(&self) -> Python<'py> {
        self.py
    }

    /// The number of entries of the map that the message is.
    pub(crate) fn map(&mut self) -> Result<usize, String> {
        match self.token()? {
            Token::Map(len) => {
                self.outer = 1;
                Ok(len)
            }
            Token::Value(_) | Token::Array(_) => Err("arguments are a map".to_owned()),
        }
    }

    /// A map's next key.
    pub(crate) fn key(&mut self) -> Result<&'a str, String> {
        let len = match self.marker()? {
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 => self.unsigned(1)?,
            Marker::Str16 => self.unsigned(2)?,
            Marker::Str32 => self.unsigned(4)?,
            _ => return Err("a map has a key that is not a str".to_owned()),
        };
        self.text(len)
    }

    /// One whole value.
    pub(crate) fn value(&mut self) -> Result<Bound<'py, PyAny>, String> {
        loop {
            let mut value = match self.token()? {
                Token::Value(value) => value,
                Token::Array(0) => PyList::empty(self.py).into_any(),
                Token::Map(0) => PyDict::new(self.py).into_any(),
                Token::Array(left) => {
                    self.open.push(Open::List {
                        list: PyList::empty(self.py),
                        left,
                    });
                    continue;
                }
                Token::Map(left) => {
                    let key = PyString::new(self.py, self.key()?);
                    self.open.push(Open::Map {
                        dict: PyDict::new(self.py),
                        key,
                        left,
                    });
                    continue;
                }
            };
            // Hands the value to the container around it, which may thereby be complete itself, and so on outwards.
            loop {
                let complete = match self.open.last_mut() {
                    None => return Ok(value),
                    Some(Open::List { list, left }) => {
                        list.append(value).map_err(|error| error.to_string())?;
                        *left -= 1;
                        *left == 0
                    }
                    Some(Open::Map { dict, key, left }) => {
                        dict.set_item(&*key, value).map_err(|error| error.to_string())?;
                        *left -= 1;
                        *left == 0
                    }
                };
                if !complete {
                    self.next_key()?;
                    break;
                }
                value = match self.open.pop() {
                    Some(Open::List { list, .. }) => list.into_any(),
                    Some(Open::Map { dict, .. }) => dict.into_any(),
                    None => return Err("the walk lost its place".to_owned()),
                };
            }
        }
    }

    /// Says that nothing may follow.
    pub(crate) fn end(&self) -> Result<(), String> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(format!("{more} bytes follow the value")),
        }
    }

    /// `reason`, with the place that has been reached.
    pub(crate) fn problem(&self, root: &str, reason: String) -> Problem {
        let mut path = Path::new(root);
        for open in &self.open {
            match open {
                Open::List { list, .. } => path.index(list.len()),
                Open::Map { key, .. } => path.key(&key.to_string_lossy()),
            }
        }
        Problem {
            path: path.finish(),
            reason,
        }
    }

    fn next_key(&mut self) -> Result<(), String> {
        if let Some(Open::Map { .. }) = self.open.last() {
            let next = PyString::new(self.py, self.key()?);
            if let Some(Open::Map { key, .. }) = self.open.last_mut() {
                *key = next;
            }
        }
        Ok(())
    }

    fn token(&mut self) -> Result<Token<'py>, String> {
        let py = self.py;
        Ok(Token::Value(match self.marker()? {
            Marker::Null => py.None().into_bound(py),
            Marker::True => PyBool::new(py, true).to_owned().into_any(),
            Marker::False => PyBool::new(py, false).to_owned().into_any(),
            Marker::FixPos(number) => self.integer(number),
            Marker::FixNeg(number) => self.integer(number),
            Marker::U8 => self.fixed(u8::from_be_bytes).map(|number| self.integer(number))?,
            Marker::U16 => self
                .fixed(u16::from_be_bytes)
                .map(|number| self.integer(number))?,
            Marker::U32 => self
                .fixed(u32::from_be_bytes)
                .map(|number| self.integer(number))?,
            Marker::U64 => self
                .fixed(u64::from_be_bytes)
                .map(|number| self.integer(number))?,
            Marker::I8 => self.fixed(i8::from_be_bytes).map(|number| self.integer(number))?,
            Marker::I16 => self
                .fixed(i16::from_be_bytes)
                .map(|number| self.integer(number))?,
            Marker::I32 => self
                .fixed(i32::from_be_bytes)
                .map(|number| self.integer(number))?,
            Marker::I64 => self
                .fixed(i64::from_be_bytes)
                .map(|number| self.integer(number))?,
            Marker::F32 => PyFloat::new(py, f64::from(self.fixed(f32::from_be_bytes)?)).into_any(),
            Marker::F64 => PyFloat::new(py, self.fixed(f64::from_be_bytes)?).into_any(),
            Marker::FixStr(len) => self.string(usize::from(len))?,
            Marker::Str8 => self.unsigned(1).and_then(|len| self.string(len))?,
            Marker::Str16 => self.unsigned(2).and_then(|len| self.string(len))?,
            Marker::Str32 => self.unsigned(4).and_then(|len| self.string(len))?,
            Marker::Bin8 => self.unsigned(1).and_then(|len| self.binary(len))?,
            Marker::Bin16 => self.unsigned(2).and_then(|len| self.binary(len))?,
            Marker::Bin32 => self.unsigned(4).and_then(|len| self.binary(len))?,
            Marker::FixArray(len) => return self.opening(usize::from(len), 1).map(Token::Array),
            Marker::Array16 => {
                return self
                    .unsigned(2)
                    .and_then(|len| self.opening(len, 1))
                    .map(Token::Array);
            }
            Marker::Array32 => {
                return self
                    .unsigned(4)
                    .and_then(|len| self.opening(len, 1))
                    .map(Token::Array);
            }
            Marker::FixMap(len) => return self.opening(usize::from(len), 2).map(Token::Map),
            Marker::Map16 => {
                return self
                    .unsigned(2)
                    .and_then(|len| self.opening(len, 2))
                    .map(Token::Map);
            }
            Marker::Map32 => {
                return self
                    .unsigned(4)
                    .and_then(|len| self.opening(len, 2))
                    .map(Token::Map);
            }
            other => return Err(format!("{other:?} is not a type of this protocol")),
        }))
    }

    /// Checks the head of a container with `len` elements of at least `least` bytes each.
    fn opening(&self, len: usize, least: usize) -> Result<usize, String> {
        if self.open.len() + self.outer >= self.depth_max {
            return Err(format!(
                "nested deeper than {} levels (`depth_max`)",
                self.depth_max
            ));
        }
        if len.saturating_mul(least) > self.rest.len() {
            return Err("the message ends in the middle of a value".to_owned());
        }
        Ok(len)
    }

    fn string(&mut self, len: usize) -> Result<Bound<'py, PyAny>, String> {
        Ok(PyString::new(self.py, self.text(len)?).into_any())
    }

    fn binary(&mut self, len: usize) -> Result<Bound<'py, PyAny>, String> {
        Ok(PyBytes::new(self.py, self.take(len)?).into_any())
    }

    fn text(&mut self, len: usize) -> Result<&'a str, String> {
        std::str::from_utf8(self.take(len)?).map_err(|_| "a str is not valid UTF-8".to_owned())
    }

    fn integer<T>(&self, number: T) -> Bound<'py, PyAny>
    where
        T: IntoPyObject<'py, Target = PyInt, Output = Bound<'py, PyInt>, Error = std::convert::Infallible>,
    {
        let Ok(number) = number.into_pyobject(self.py);
        number.into_any()
    }

    fn marker(&mut self) -> Result<Marker, String> {
        Ok(Marker::from_u8(self.take(1)?[0]))
    }

    fn unsigned(&mut self, width: usize) -> Result<usize, String> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    fn fixed<const N: usize, T>(&mut self, from: fn([u8; N]) -> T) -> Result<T, String> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(ended)?;
        self.rest = rest;
        Ok(from(*head))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(ended)?;
        self.rest = rest;
        Ok(head)
    }
}

fn ended() -> String {
    "the message ends in the middle of a value".to_owned()
}
