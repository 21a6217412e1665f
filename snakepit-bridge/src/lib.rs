//! The Python side of snakepit, as an extension module: `snakepit_bridge._native`.
//!
//! A worker is a Python process that imports the package `snakepit_bridge`. The package's Python files load the adapter
//! and describe its tools; this module does the rest, in Rust:
//!
//! - it reads what the host wrote into the worker's standard input and keeps the lifeline out of reach of user code
//!   (`boot`);
//! - it runs calls: take one from the connection, decode its arguments, call the tool, encode the result, report it
//!   (`worker`, `call`). Between two tools no Python code runs;
//! - it converts values, Python object to MessagePack and back, with limits and with paths in its errors (`encode`,
//!   `decode`, `path`). A callable's parameters are checked while its arguments are decoded (`tool`).
//! - it stops a call that nobody waits for any more, by an exception or a signal, and only that call (`ladder`, `slot`).
//! - it puts what a tool raised on the wire (`exception`); the package's `_errors` has read it off the exception.
//!
//! The connection itself, with its own native thread that needs no GIL, is `snakepit_grpc::worker`.
//!
//! ```python
//! from snakepit_bridge import tool, context
//!
//! @tool
//! def mean(values: list[float]) -> float:
//!     context().check()          # raises if nobody waits any more
//!     return sum(values) / len(values)
//! ```
//!
//! It does not link with Rust programs (it is a `cdylib` only), does not pickle, does not import NumPy, and does not turn
//! the GIL on in a free-threaded interpreter.

mod boot;
mod call;
mod decode;
mod encode;
mod exception;
mod forked;
mod ladder;
mod path;
mod slot;
mod tool;
mod worker;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::call::{Cancelled, Context, Shield, context, forked};
    #[pymodule_export]
    use crate::decode::decode;
    #[pymodule_export]
    use crate::encode::encode;
    #[pymodule_export]
    use crate::slot::{cancel_by, interrupted, was_interrupted};
    #[pymodule_export]
    use crate::tool::Tool;
    #[pymodule_export]
    use crate::worker::Worker;

    /// Version of the bridge.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
