//! The call that a thread is running, as the tool sees it: `context()`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pyo3::create_exception;
use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::prelude::*;
use snakepit_grpc::worker::AbortFlag;

use crate::slot::{self, CANCELLED, Slot};

create_exception!(
    snakepit_bridge,
    Cancelled,
    PyBaseException,
    "Nobody waits for this call any more. Not an `Exception`, so that `except Exception` does not swallow it."
);

/// Set in a process that was forked off by a tool: it has no connection.
static FORKED: AtomicBool = AtomicBool::new(false);

/// One call, from its start to its end.
pub(crate) struct Call {
    pub(crate) request: u64,
    pub(crate) tool: String,
    pub(crate) worker: Arc<str>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) abort: AbortFlag,
}

/// The call that is running here.
#[pyclass(frozen, module = "snakepit_bridge")]
pub(crate) struct Context {
    call: Arc<Call>,
    slot: Arc<Slot>,
}

/// Within it, the running call is not interrupted.
#[pyclass(frozen, module = "snakepit_bridge")]
pub(crate) struct Shield {
    request: u64,
    slot: Arc<Slot>,
}

/// The running call. Raises `RuntimeError` outside one.
#[pyfunction]
pub(crate) fn context(py: Python<'_>) -> PyResult<Context> {
    if is_forked() {
        return Err(PyRuntimeError::new_err(
            "context() was called in a process that a tool forked off: only the worker itself is connected to the host",
        ));
    }
    slot::here()
        .and_then(|slot| {
            Some(Context {
                call: slot.call(py)?,
                slot,
            })
        })
        .ok_or_else(|| {
            PyRuntimeError::new_err(
                "context() was called outside a call: it works in the thread that runs a tool, while it runs",
            )
        })
}

/// Says that this process was forked off the worker.
#[pyfunction]
pub(crate) fn forked() {
    FORKED.store(true, Ordering::Release);
}

pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Acquire)
}

// === impl Call ===

impl Call {
    /// Whether nobody waits for it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.abort.is_set() || self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }
}

// === impl Context ===

#[pymethods]
impl Context {
    /// The request's number, unique within this worker.
    #[getter]
    fn request_id(&self) -> u64 {
        self.call.request
    }

    /// Name of the tool that was called.
    #[getter]
    fn tool(&self) -> &str {
        &self.call.tool
    }

    /// The worker's name: `<pool>/<slot>#<generation>`.
    #[getter]
    fn worker(&self) -> &str {
        &self.call.worker
    }

    /// Seconds until the caller stops waiting, 0.0 where it has; `None` where it waits for ever.
    fn remaining(&self) -> Option<f64> {
        let deadline = self.call.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()).as_secs_f64())
    }

    /// Whether nobody waits for this call any more.
    #[getter]
    fn cancelled(&self) -> bool {
        self.call.is_over()
    }

    /// Raises `Cancelled` if nobody waits for this call any more.
    fn check(&self) -> PyResult<()> {
        if self.call.is_over() {
            Err(Cancelled::new_err(CANCELLED))
        } else {
            Ok(())
        }
    }

    /// A block in which the call is not interrupted, although nobody waits for it any more: `with context().shield():`.
    /// What would have interrupted it raises `Cancelled` as the block ends. The pool's patience does not grow by it.
    fn shield(&self) -> Shield {
        Shield {
            request: self.call.request,
            slot: Arc::clone(&self.slot),
        }
    }

    fn __repr__(&self) -> String {
        format!(
            "<Context of request {} ({}) on {}>",
            self.call.request, self.call.tool, self.call.worker
        )
    }
}

// === impl Shield ===

#[pymethods]
impl Shield {
    fn __enter__(&self, py: Python<'_>) {
        if !is_forked() {
            self.slot.shield(py, self.request);
        }
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let held_back = !is_forked() && self.slot.unshield(py, self.request);
        // What is on its way already ends the block as well as this would.
        if held_back && class.is_none() {
            return Err(Cancelled::new_err(CANCELLED));
        }
        Ok(())
    }
}
