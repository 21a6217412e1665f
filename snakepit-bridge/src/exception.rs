//! An exception on its way from Python to the wire.

use pyo3::prelude::*;
use snakepit_grpc::proto::{Frame, PythonError};

/// An exception as `_errors.describe` gives it; its causes are the further elements of a list.
#[derive(FromPyObject)]
pub(crate) struct Link {
    #[pyo3(item("type"))]
    class: String,
    #[pyo3(item)]
    module: String,
    #[pyo3(item)]
    message: String,
    #[pyo3(item)]
    mro: Vec<String>,
    #[pyo3(item)]
    notes: Vec<String>,
    #[pyo3(item)]
    frames: Vec<(String, u32, String, String)>,
    #[pyo3(item)]
    traceback: String,
}

/// The outermost exception, with its causes inside it.
pub(crate) fn nested(chain: Vec<Link>) -> Option<PythonError> {
    chain.into_iter().rev().fold(None, |cause, link| {
        let frames = link.frames.into_iter();
        Some(PythonError {
            r#type: link.class,
            module: link.module,
            message: link.message,
            mro: link.mro,
            notes: link.notes,
            frames: frames
                .map(|(file, line, function, source)| Frame {
                    file,
                    line,
                    function,
                    source,
                })
                .collect(),
            cause: cause.map(Box::new),
            traceback: link.traceback,
        })
    })
}
