//! The call that a thread is running, as the tool sees it: `context()`.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pyo3::create_exception;
use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::prelude::*;
use snakepit_grpc::worker::AbortFlag;

create_exception!(
    snakepit_bridge,
    Cancelled,
    PyBaseException,
    "Nobody waits for this call any more. Not an `Exception`, so that `except Exception` does not swallow it."
);

thread_local! {
    /// The call that this thread runs.
    static CURRENT: RefCell<Option<Arc<Call>>> = const { RefCell::new(None) };
}

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

/// Makes a call the thread's own for as long as it lives.
pub(crate) struct Running(());

/// The call that is running here.
#[pyclass(frozen, module = "snakepit_bridge")]
pub(crate) struct Context(Arc<Call>);

/// The running call. Raises `RuntimeError` outside one.
#[pyfunction]
pub(crate) fn context() -> PyResult<Context> {
    if is_forked() {
        return Err(PyRuntimeError::new_err(
            "context() was called in a process that a tool forked off: only the worker itself is connected to the host",
        ));
    }
    match CURRENT.with_borrow(Option::clone) {
        Some(call) => Ok(Context(call)),
        None => Err(PyRuntimeError::new_err(
            "context() was called outside a call: it works in the thread that runs a tool, while it runs",
        )),
    }
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

// === impl Running ===

impl Running {
    pub(crate) fn enter(call: Arc<Call>) -> Self {
        CURRENT.set(Some(call));
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

// === impl Context ===

#[pymethods]
impl Context {
    /// The request's number, unique within this worker.
    #[getter]
    fn request(&self) -> u64 {
        self.0.request
    }

    /// Name of the tool that was called.
    #[getter]
    fn tool(&self) -> &str {
        &self.0.tool
    }

    /// The worker's name: `<pool>/<slot>#<generation>`.
    #[getter]
    fn worker(&self) -> &str {
        &self.0.worker
    }

    /// Seconds until the caller stops waiting, 0.0 where it has; `None` where it waits for ever.
    fn remaining(&self) -> Option<f64> {
        let deadline = self.0.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()).as_secs_f64())
    }

    /// Raises `Cancelled` if nobody waits for this call any more.
    fn check(&self) -> PyResult<()> {
        if self.0.is_over() {
            Err(Cancelled::new_err("the caller no longer waits for this call"))
        } else {
            Ok(())
        }
    }

    fn __repr__(&self) -> String {
        format!(
            "<Context of request {} ({}) on {}>",
            self.0.request, self.0.tool, self.0.worker
        )
    }
}
