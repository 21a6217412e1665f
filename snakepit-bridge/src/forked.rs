//! The end of a process that a tool has forked off.

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// A tool forked, and its child has left the tool too. The call is the parent's to answer; the child ends here, as a
/// program whose last line this was.
pub(crate) fn leave_forked_child(py: Python<'_>, error: Option<PyErr>) -> ! {
    let status = error.map_or(0, |error| exit_status(py, &error));
    // Python's own way out would run the exit handlers of the worker, and cannot be taken from a forked thread.
    let _ = py
        .import("os")
        .and_then(|os| os.getattr("_exit")?.call1((status,)));
    std::process::abort()
}

/// The status of a program that ends by this exception; says so on standard error where Python would.
fn exit_status(py: Python<'_>, error: &PyErr) -> i32 {
    if !error.is_instance_of::<PySystemExit>(py) {
        error.print(py);
        return 1;
    }
    match error.value(py).getattr("code") {
        Ok(code) if code.is_none() => 0,
        Ok(code) => code.extract().unwrap_or_else(|_| {
            eprintln!("{code}");
            1
        }),
        Err(_) => 1,
    }
}
