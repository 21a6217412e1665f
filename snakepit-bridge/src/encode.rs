//! Python object to MessagePack.
//!
//! One walker with a stack of its own: nesting costs memory on the heap and ends at the depth limit, never in the
//! native stack, and the path of a problem is read off that stack. Exact built-in types are tried first, then their
//! subclasses, which travel as what they are derived from.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
    iter::BoundDictIterator,
};
use rmp::encode as write;

use crate::path::{Path, Problem};

/// Room for the answer of a small call, in bytes, so that it is written without growing.
const SMALL: usize = 128;

/// Limits of one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Deepest nesting: a list of numbers has depth 1.
    pub(crate) depth_max: usize,
    /// Largest encoding, in bytes.
    pub(crate) size_max: usize,
}

/// A container that is being written.
enum Open<'py> {
    List {
        list: Bound<'py, PyList>,
        next: usize,
        len: usize,
    },
    Tuple {
        tuple: Bound<'py, PyTuple>,
        next: usize,
        len: usize,
    },
    Dict {
        entries: BoundDictIterator<'py>,
        key: Option<Bound<'py, PyString>>,
    },
}

struct Encoder<'py> {
    out: Vec<u8>,
    open: Vec<Open<'py>>,
    limits: Limits,
}

/// Encodes `value`. `root` is how problems call it.
pub(crate) fn to_bytes(value: &Bound<'_, PyAny>, limits: Limits, root: &str) -> Result<Vec<u8>, Problem> {
    let mut encoder = Encoder {
        out: Vec::with_capacity(SMALL),
        open: Vec::new(),
        limits,
    };
    match encoder.walk(value) {
        Ok(()) => Ok(encoder.out),
        Err(reason) => Err(Problem {
            path: encoder.path(root),
            reason,
        }),
    }
}

/// Encodes a value as a tool's result would be. Raises `ValueError` with the path of what cannot be sent.
#[pyfunction]
#[pyo3(signature = (value, *, depth_max = 128, message_max = 64 << 20))]
pub(crate) fn encode<'py>(
    value: &Bound<'py, PyAny>,
    depth_max: usize,
    message_max: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    match to_bytes(
        value,
        Limits {
            depth_max,
            size_max: message_max,
        },
        "result",
    ) {
        Ok(bytes) => Ok(PyBytes::new(value.py(), &bytes)),
        Err(Problem { path, reason }) => Err(PyValueError::new_err(format!("{path}: {reason}"))),
    }
}

impl<'py> Encoder<'py> {
    fn walk(&mut self, value: &Bound<'py, PyAny>) -> Result<(), String> {
        self.value(value)?;
        while let Some(value) = self.advance()? {
            self.value(&value)?;
        }
        Ok(())
    }

    /// The next element of the innermost open container, closing those that are finished.
    fn advance(&mut self) -> Result<Option<Bound<'py, PyAny>>, String> {
        loop {
            match self.open.last_mut() {
                None => return Ok(None),
                Some(Open::List { list, next, len }) if *next < *len => {
                    *next += 1;
                    // Its length is written already, and another thread may have shortened it since.
                    let item = list.get_item(*next - 1);
                    return item
                        .map(Some)
                        .map_err(|_| "the list became shorter while it was read".to_owned());
                }
                Some(Open::Tuple { tuple, next, len }) if *next < *len => {
                    *next += 1;
                    return tuple
                        .get_item(*next - 1)
                        .map(Some)
                        .map_err(|error| error.to_string());
                }
                Some(Open::Dict { entries, key }) => {
                    *key = None;
                    if let Some((name, value)) = entries.next() {
                        let Ok(name) = name.cast_into::<PyString>() else {
                            return Err(
                                "a dict is sent as a map, and this one has a key that is not a str"
                                    .to_owned(),
                            );
                        };
                        self.text(&name)?;
                        if let Some(Open::Dict { key, .. }) = self.open.last_mut() {
                            *key = Some(name);
                        }
                        return Ok(Some(value));
                    }
                    self.open.pop();
                }
                Some(_) => {
                    self.open.pop();
                }
            }
        }
    }

    /// Writes a scalar, or the head of a container that is opened by it.
    fn value(&mut self, value: &Bound<'py, PyAny>) -> Result<(), String> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.integer(number)
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            infallible(write::write_f64(&mut self.out, number.value()))?;
            self.room(0)
        } else if value.is_none() {
            infallible(write::write_nil(&mut self.out))?;
            self.room(0)
        } else if let Ok(flag) = value.cast_exact::<PyBool>() {
            infallible(write::write_bool(&mut self.out, flag.is_true()))?;
            self.room(0)
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(dict)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.list(list)
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.tuple(tuple)
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            self.binary(bytes.as_bytes())
        } else {
            self.uncommon(value)
        }
    }

    /// Subclasses, the other bytes-like types, and what is not supported.
    fn uncommon(&mut self, value: &Bound<'py, PyAny>) -> Result<(), String> {
        if let Ok(text) = value.cast::<PyString>() {
            self.text(text)
        } else if let Ok(number) = value.cast::<PyInt>() {
            self.integer(number)
        } else if let Ok(number) = value.cast::<PyFloat>() {
            infallible(write::write_f64(&mut self.out, number.value()))?;
            self.room(0)
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.dict(dict)
        } else if let Ok(list) = value.cast::<PyList>() {
            self.list(list)
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.tuple(tuple)
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            self.binary(bytes.as_bytes())
        } else if let Ok(bytes) = value.cast::<PyByteArray>() {
            self.binary(&bytes.to_vec())
        } else if value.cast::<PyMemoryView>().is_ok() {
            // The C buffer API is not in the stable ABI below 3.11.
            let copied = value
                .call_method0("tobytes")
                .map_err(|error| format!("memoryview: {error}"))?;
            let bytes = copied
                .cast_into::<PyBytes>()
                .map_err(|_| "memoryview gave no bytes".to_owned())?;
            self.binary(bytes.as_bytes())
        } else {
            self.foreign(value)
        }
    }

    /// Not a built-in type: a NumPy scalar travels as the Python number it stands for.
    fn foreign(&mut self, value: &Bound<'py, PyAny>) -> Result<(), String> {
        let class = value.get_type();
        let name = class
            .qualname()
            .map_or_else(|_| "its type".to_owned(), |name| name.to_string());
        let module = class
            .module()
            .map(|module| module.to_string())
            .unwrap_or_default();
        if module != "numpy" {
            return Err(format!("{name} is not supported"));
        }
        if name == "ndarray" {
            return Err("ndarray is not supported: return its `.tolist()`".to_owned());
        }
        let plain = value
            .call_method0("item")
            .map_err(|_| format!("numpy.{name} is not supported"))?;
        // What `item` cannot convert it returns as it is, or as a type of another module.
        if plain.is_none() || plain.get_type().module().is_ok_and(|module| module != "builtins") {
            return Err(format!("numpy.{name} is not supported"));
        }
        self.value(&plain)
    }

    fn text(&mut self, text: &Bound<'py, PyString>) -> Result<(), String> {
        let bytes = text
            .encode_utf8()
            .map_err(|_| "a str with lone surrogates is not valid Unicode".to_owned())?;
        let bytes = bytes.as_bytes();
        self.room(bytes.len())?;
        infallible(write::write_str_len(&mut self.out, length(bytes.len())?))?;
        self.out.extend_from_slice(bytes);
        self.room(0)
    }

    fn binary(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.room(bytes.len())?;
        infallible(write::write_bin_len(&mut self.out, length(bytes.len())?))?;
        self.out.extend_from_slice(bytes);
        self.room(0)
    }

    fn integer(&mut self, number: &Bound<'py, PyInt>) -> Result<(), String> {
        if let Ok(number) = number.extract::<i64>() {
            infallible(write::write_sint(&mut self.out, number))?;
        } else if let Ok(number) = number.extract::<u64>() {
            infallible(write::write_uint(&mut self.out, number))?;
        } else {
            return Err("an int outside -2**63 ..= 2**64-1 is not supported".to_owned());
        }
        self.room(0)
    }

    fn list(&mut self, list: &Bound<'py, PyList>) -> Result<(), String> {
        let len = list.len();
        self.container(len)?;
        infallible(write::write_array_len(&mut self.out, length(len)?))?;
        self.open.push(Open::List {
            list: list.clone(),
            next: 0,
            len,
        });
        Ok(())
    }

    fn tuple(&mut self, tuple: &Bound<'py, PyTuple>) -> Result<(), String> {
        let len = tuple.len();
        self.container(len)?;
        infallible(write::write_array_len(&mut self.out, length(len)?))?;
        self.open.push(Open::Tuple {
            tuple: tuple.clone(),
            next: 0,
            len,
        });
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) -> Result<(), String> {
        // A copy of its own: another thread, or a value's own code, may change the original during the walk.
        let entries = dict.copy().map_err(|error| error.to_string())?;
        self.container(entries.len().saturating_mul(2))?;
        infallible(write::write_map_len(&mut self.out, length(entries.len())?))?;
        self.open.push(Open::Dict {
            entries: entries.into_iter(),
            key: None,
        });
        Ok(())
    }

    /// Whether a container with so many elements may be opened: every one takes a byte at least.
    fn container(&mut self, elements: usize) -> Result<(), String> {
        if self.open.len() >= self.limits.depth_max {
            return Err(format!(
                "nested deeper than {} levels (`depth_max`)",
                self.limits.depth_max
            ));
        }
        self.room(elements)
    }

    fn room(&self, more: usize) -> Result<(), String> {
        if self.out.len().saturating_add(more) > self.limits.size_max {
            return Err(format!(
                "the value is larger than {} bytes (`message_max`)",
                self.limits.size_max
            ));
        }
        Ok(())
    }

    fn path(&self, root: &str) -> String {
        let mut path = Path::new(root);
        for open in &self.open {
            match open {
                Open::List { next, .. } | Open::Tuple { next, .. } => path.index(next.saturating_sub(1)),
                Open::Dict { key: Some(key), .. } => path.key(&key.to_string_lossy()),
                Open::Dict { key: None, .. } => {}
            }
        }
        path.finish()
    }
}

/// MessagePack counts in 32 bits.
fn length(length: usize) -> Result<u32, String> {
    u32::try_from(length).map_err(|_| "longer than 2**32-1".to_owned())
}

/// Writing into a `Vec` cannot fail, which `rmp` cannot say in its types.
fn infallible<T, E: std::fmt::Display>(written: Result<T, E>) -> Result<(), String> {
    written.map(|_| ()).map_err(|error| error.to_string())
}
