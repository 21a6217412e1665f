//! A tool, and the check of its arguments.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::decode::Decoder;
use crate::encode::Limits;
use crate::path::Problem;

/// Something callable with a name, and what is known of its parameters.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub(crate) struct Tool {
    /// What callers call it.
    #[pyo3(get)]
    pub(crate) name: String,
    /// As Python writes it: `(values: list[float]) -> float`. Empty where it is not known.
    #[pyo3(get)]
    pub(crate) signature: String,
    /// First line of its documentation.
    #[pyo3(get)]
    pub(crate) summary: String,
    /// Whether running it twice does no harm, as its author says.
    #[pyo3(get)]
    pub(crate) idempotent: bool,
    /// Whether it may be interrupted when nobody waits for it any more; otherwise it is only told.
    #[pyo3(get)]
    pub(crate) interruptible: bool,
    /// Why it cannot be called, where it cannot.
    #[pyo3(get)]
    pub(crate) refusal: Option<String>,
    callable: Py<PyAny>,
    parameters: Vec<Parameter>,
    /// Whether other names are accepted too: it has `**kwargs`, or its parameters are not known.
    open: bool,
}

/// A parameter that can be given by name.
struct Parameter {
    name: String,
    /// The same, as the interpreter's own copy: Python finds a parameter by pointer first.
    interned: Py<PyString>,
    required: bool,
}

#[pymethods]
impl Tool {
    /// `parameters` are pairs of a name and whether it must be given.
    #[new]
    #[pyo3(signature = (name, callable, *, parameters = Vec::new(), open = true, signature = String::new(), summary = String::new(), idempotent = false, interruptible = true, refusal = None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments of a Python constructor"
    )]
    fn new(
        py: Python<'_>,
        name: String,
        callable: Py<PyAny>,
        parameters: Vec<(String, bool)>,
        open: bool,
        signature: String,
        summary: String,
        idempotent: bool,
        interruptible: bool,
        refusal: Option<String>,
    ) -> Self {
        let parameters = parameters
            .into_iter()
            .map(|(name, required)| Parameter {
                interned: PyString::intern(py, &name).unbind(),
                name,
                required,
            })
            .collect();
        Self {
            name,
            signature,
            summary,
            idempotent,
            interruptible,
            refusal,
            callable,
            parameters,
            open,
        }
    }

    /// Runs the tool as the host would, with a MessagePack map of arguments. Raises `TypeError` where they do not fit.
    #[pyo3(signature = (arguments, *, depth_max = 128))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        arguments: Vec<u8>,
        depth_max: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let limits = Limits {
            depth_max,
            size_max: arguments.len(),
        };
        match self.arguments(py, &arguments.into(), limits) {
            Ok(arguments) => self.run(py, &arguments),
            Err(reason) => Err(pyo3::exceptions::PyTypeError::new_err(reason)),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Tool {}{}>", self.name, self.signature)
    }
}

impl Tool {
    /// Runs its code.
    pub(crate) fn run<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.callable.bind(py).call((), Some(arguments))
    }

    /// Decodes the arguments of a call and checks them against the signature. No code of the tool runs.
    ///
    /// # Errors
    /// What does not fit, with the signature.
    pub(crate) fn arguments<'py>(
        &self,
        py: Python<'py>,
        message: &Bytes,
        limits: Limits,
    ) -> Result<Bound<'py, PyDict>, String> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let mut decoder = Decoder::new(py, message, limits);
        let mut path = String::from("arguments");
        let (arguments, unknown) = self
            .read(&mut decoder, &mut path)
            .map_err(|reason| decoder.problem(&path, reason))
            .map_err(|Problem { path, reason }| format!("{path}: {reason}"))?;
        let missing = self.parameters.iter().filter(|parameter| {
            parameter.required && !arguments.contains(parameter.interned.bind(py)).unwrap_or(false)
        });
        let mut wrong: Vec<String> = missing
            .map(|parameter| format!("`{}` is missing", parameter.name))
            .collect();
        wrong.extend(unknown.iter().map(|name| format!("`{name}` is unknown")));
        if wrong.is_empty() {
            return Ok(arguments);
        }
        Err(format!(
            "{}; the signature is {}{}",
            wrong.join(", "),
            self.name,
            self.signature
        ))
    }

    /// The arguments, and the names that no parameter has. `path` follows the argument that is being read.
    fn read<'py, 'a>(
        &self,
        decoder: &mut Decoder<'py, 'a>,
        path: &mut String,
    ) -> Result<(Bound<'py, PyDict>, Vec<&'a str>), String> {
        let py = decoder.python();
        let arguments = PyDict::new(py);
        let mut unknown = Vec::new();
        for count in 1..=decoder.map()? {
            let name = decoder.key()?;
            let parameter = self.parameters.iter().find(|parameter| parameter.name == name);
            let key = match parameter {
                Some(parameter) => parameter.interned.bind(py).clone(),
                None if self.open => PyString::new(py, name),
                None => {
                    unknown.push(name);
                    PyString::new(py, name)
                }
            };
            let value = match decoder.value() {
                Ok(value) => value,
                Err(reason) => {
                    path.push('.');
                    path.push_str(name);
                    return Err(reason);
                }
            };
            arguments
                .set_item(key, value)
                .map_err(|error| error.to_string())?;
            if arguments.len() < count {
                return Err(format!("`{name}` is given twice"));
            }
        }
        decoder.end()?;
        Ok((arguments, unknown))
    }
}
