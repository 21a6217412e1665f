//! Messages as the types that a pool knows.

use std::sync::Arc;
use std::time::Duration;

use snakepit_profile::{
    CallError, LaunchSpec, Outcome, PythonError, PythonFrame, Reply, Rung, StartError, Tool, WorkerFacts,
};

use crate::proto::{self, Completed, Hello, StartFailed, completed, start_failed::Stage};

/// What `hello` says of its worker. `pid` is the host's view: within another pid namespace the worker sees another.
pub(super) fn facts(hello: Hello, pid: u32) -> WorkerFacts {
    let interpreter = hello.interpreter.unwrap_or_default();
    let mut tools: Vec<_> = hello
        .tools
        .into_iter()
        .map(|tool| Tool {
            name: tool.name,
            signature: tool.signature,
            summary: tool.summary,
            idempotent: tool.idempotent,
        })
        .collect();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    WorkerFacts {
        pid,
        python_version: interpreter.version,
        implementation: interpreter.implementation,
        free_threaded: interpreter.free_threaded,
        gil_enabled: interpreter.gil_enabled,
        gil_enabled_by: Some(interpreter.gil_enabled_by).filter(|module| !module.is_empty()),
        bridge_version: hello.bridge_version,
        tools,
        thread_safe: hello.thread_safe,
    }
}

/// How a call of `tool` ended. `None`: the message does not say.
pub(super) fn outcome(tool: &Arc<str>, completed: Completed) -> Option<Outcome> {
    let tool = || Arc::clone(tool);
    Some(match completed.outcome? {
        completed::Outcome::Value(value) => Ok(Reply {
            value,
            run_time: Duration::from_nanos(completed.run_time_ns),
            gil_enabled: completed.gil_enabled,
        }),
        completed::Outcome::Raised(error) => Err(CallError::Raised(Box::new(python_error(error)))),
        completed::Outcome::UnknownTool(unknown) => {
            let mut available = unknown.available;
            available.sort();
            Err(CallError::UnknownTool {
                tool: tool(),
                available,
            })
        }
        completed::Outcome::InvalidArguments(reason) => {
            Err(CallError::InvalidArguments { tool: tool(), reason })
        }
        completed::Outcome::Unsendable(what) => Err(CallError::Unsendable {
            tool: tool(),
            path: what.path,
            reason: what.reason,
        }),
        completed::Outcome::Aborted(aborted) => Err(CallError::Aborted {
            started: aborted.started,
            stopped_by: rung(aborted.stopped_by()),
        }),
    })
}

fn rung(rung: proto::Rung) -> Option<Rung> {
    match rung {
        proto::Rung::Unspecified => None,
        proto::Rung::Cooperative => Some(Rung::Cooperative),
        proto::Rung::Task => Some(Rung::Task),
        proto::Rung::Exception => Some(Rung::Exception),
        proto::Rung::Signal => Some(Rung::Signal),
    }
}

/// Why a worker says that it cannot start.
pub(super) fn start_error(spec: &LaunchSpec, failed: StartFailed) -> StartError {
    let stage = failed.stage();
    let error = Box::new(failed.error.map(python_error).unwrap_or_default());
    let adapter = spec.adapter.to_string();
    match stage {
        Stage::Initialize => StartError::Initialize { adapter, error },
        Stage::Import | Stage::Unspecified => StartError::AdapterImport {
            adapter,
            python: spec.python.clone(),
            error,
        },
    }
}

/// prost bounds the depth of a message, and so of the causes.
fn python_error(error: proto::PythonError) -> PythonError {
    PythonError {
        type_name: error.r#type,
        module: error.module,
        message: error.message,
        mro: error.mro,
        notes: error.notes,
        frames: error
            .frames
            .into_iter()
            .map(|frame| PythonFrame {
                file: frame.file,
                line: frame.line,
                function: frame.function,
                source: frame.source,
            })
            .collect(),
        cause: error.cause.map(|cause| Box::new(python_error(*cause))),
        traceback: error.traceback,
    }
}
