//! The worker: its connection, and the loop that runs calls.

use std::collections::HashMap;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use snakepit_grpc::proto::completed::Outcome;
use snakepit_grpc::proto::{
    Aborted, Boot, Completed, Hello, Interpreter, PythonError, StartFailed, Tool as ToolFacts, UnknownTool,
    Unsendable, boot, start_failed,
};
use snakepit_grpc::worker::{IncomingCall, Next, Stopper, WorkerEnd};

use crate::boot::{connections_to, take_standard_input};
use crate::call::{Call, Cancelled, is_forked};
use crate::encode::{Limits, to_bytes};
use crate::exception::{Link, nested};
use crate::forked::leave_forked_child;
use crate::ladder::{Ladder, interrupt_signal};
use crate::path::Problem;
use crate::slot::Slot;
use crate::tool::Tool;

/// A worker process's own side: made once, by the program's first lines.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub(crate) struct Worker {
    boot: Boot,
    name: Arc<str>,
    limits: Limits,
    lifeline: Mutex<Option<OwnedFd>>,
    lifeline_number: i32,
    /// Never dropped: in a process that a tool forks off, its thread does not exist and could not be joined.
    end: OnceLock<&'static WorkerEnd>,
    ladder: Arc<Ladder>,
}

/// What the loop needs for every call.
struct Loop<'a, 'py> {
    py: Python<'py>,
    worker: &'a Worker,
    slot: Arc<Slot>,
    tools: HashMap<String, Bound<'py, Tool>>,
    describe: &'a Bound<'py, PyAny>,
    /// `sys._is_gil_enabled` of a free-threaded build. In any other the GIL is on.
    gil_probe: Option<Bound<'py, PyAny>>,
}

#[pymethods]
impl Worker {
    /// Reads what the host wrote into standard input. Raises `OSError` where no host has started this process.
    #[new]
    fn new() -> PyResult<Self> {
        let (boot, lifeline) = take_standard_input()?;
        Ok(Self {
            name: boot.worker.as_str().into(),
            limits: Limits {
                depth_max: boot.depth_max as usize,
                size_max: usize::try_from(boot.message_max).unwrap_or(usize::MAX),
            },
            lifeline_number: lifeline.as_raw_fd(),
            lifeline: Mutex::new(Some(lifeline)),
            end: OnceLock::new(),
            ladder: Arc::new(Ladder::new(
                boot.slots as usize,
                // In another thread no handler of a signal ever runs.
                interrupt_signal().filter(|_| !boot.threads),
            )),
            boot,
        })
    }

    /// `<pool>/<slot>#<generation>`.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Absolute path of the adapter, where it is a file.
    #[getter]
    fn adapter_file(&self) -> Option<&str> {
        match &self.boot.adapter {
            Some(boot::Adapter::AdapterFile(file)) => Some(file),
            _ => None,
        }
    }

    /// Name of the adapter's module, where it is not a file.
    #[getter]
    fn adapter_module(&self) -> Option<&str> {
        match &self.boot.adapter {
            Some(boot::Adapter::AdapterModule(module)) => Some(module),
            _ => None,
        }
    }

    /// The class that was named, or an empty string.
    #[getter]
    fn adapter_class(&self) -> &str {
        &self.boot.adapter_class
    }

    /// What the adapter sees as `sys.argv[1:]`.
    #[getter]
    fn adapter_args(&self) -> Vec<String> {
        self.boot.adapter_args.clone()
    }

    /// Calls that run at once, each in a thread of its own; 0: one at a time, on the main thread.
    #[getter]
    fn threads(&self) -> u32 {
        if self.boot.threads {
            self.boot.slots.max(1)
        } else {
            0
        }
    }

    /// The signal that `interrupted` is to handle; `None` where it is not used.
    #[getter]
    fn interrupt_signal(&self) -> Option<i32> {
        self.ladder.signal()
    }

    /// Descriptors that a process forked off by a tool must close: the lifeline and the connection.
    fn descriptors(&self) -> Vec<i32> {
        let mut numbers = connections_to(&self.boot.socket);
        numbers.push(self.lifeline_number);
        numbers
    }

    /// Connects to the host, introduces this worker and waits until it is accepted. Raises `ConnectionError`.
    #[pyo3(signature = (tools, *, version, implementation, free_threaded, gil_enabled, gil_enabled_by = None, thread_safe = None))]
    #[expect(
        clippy::too_many_arguments,
        clippy::needless_pass_by_value,
        reason = "arguments of a Python method"
    )]
    fn connect(
        &self,
        py: Python<'_>,
        tools: Vec<PyRef<'_, Tool>>,
        version: String,
        implementation: String,
        free_threaded: bool,
        gil_enabled: bool,
        gil_enabled_by: Option<String>,
        thread_safe: Option<bool>,
    ) -> PyResult<()> {
        let tools = tools.iter().map(|tool| ToolFacts {
            name: tool.name.clone(),
            signature: tool.signature.clone(),
            summary: tool.summary.clone(),
            idempotent: tool.idempotent,
        });
        let hello = Hello {
            bridge_version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            interpreter: Some(Interpreter {
                version,
                implementation,
                free_threaded,
                gil_enabled,
                gil_enabled_by: gil_enabled_by.unwrap_or_default(),
            }),
            tools: tools.collect(),
            thread_safe,
            ..Hello::default()
        };
        let lifeline = self
            .lifeline
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let connected = py.detach(|| WorkerEnd::connect(&self.boot, hello, lifeline));
        let end = connected.map_err(|error| PyConnectionError::new_err(error.to_string()))?;
        end.stop_with(Arc::clone(&self.ladder) as Arc<dyn Stopper>);
        self.end
            .set(Box::leak(Box::new(end)))
            .map_err(|_| PyRuntimeError::new_err("this worker is connected already"))
    }

    /// Says that calls may come.
    fn ready(&self) -> PyResult<()> {
        self.end()?.ready();
        Ok(())
    }

    /// Says that this worker cannot start: `stage` is `"import"` or `"initialize"`. Returns once that has been sent.
    fn start_failed(&self, py: Python<'_>, stage: &str, chain: Vec<Link>) -> PyResult<()> {
        let stage = match stage {
            "import" => start_failed::Stage::Import,
            "initialize" => start_failed::Stage::Initialize,
            other => return Err(PyValueError::new_err(format!("there is no stage {other:?}"))),
        };
        let end = self.end()?;
        let failure = StartFailed {
            stage: stage.into(),
            error: nested(chain),
        };
        py.detach(|| end.start_failed(failure));
        Ok(())
    }

    /// Runs calls until there will be no more. Several threads may do so at once.
    ///
    /// `tools` maps names to `Tool`s; `describe` turns an exception into the list that `start_failed` takes. Between
    /// calls the thread waits without the GIL, and looks for pending signals every `patience` seconds.
    fn serve(
        &self,
        py: Python<'_>,
        tools: HashMap<String, Bound<'_, Tool>>,
        describe: &Bound<'_, PyAny>,
        patience: f64,
    ) -> PyResult<()> {
        let end = self.end()?;
        let patience = Duration::try_from_secs_f64(patience)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let sys = py.import("sys")?;
        let free_threaded = sys.getattr("abiflags")?.extract::<String>()?.contains('t');
        let gil_probe = if free_threaded {
            Some(sys.getattr("_is_gil_enabled")?)
        } else {
            None
        };
        let slot = Slot::of_this_thread(py)?;
        self.ladder.add(Arc::clone(&slot));
        let calls = Loop {
            py,
            worker: self,
            slot,
            tools,
            describe,
            gil_probe,
        };
        let mut next = py.detach(|| end.next_call(patience));
        loop {
            next = match next {
                Next::Drained => return Ok(()),
                Next::Nothing => {
                    if let Err(error) = py.check_signals() {
                        // A signal handler of the adapter raised. There is no tool that it could interrupt.
                        error.write_unraisable(py, None);
                    }
                    py.detach(|| end.next_call(patience))
                }
                Next::Call(call) => {
                    let completed = calls.run(call);
                    // One switch for both: with several threads, taking the GIL back is what costs.
                    py.detach(|| {
                        // An answer that nobody waits for any more, since the host is gone, needs no report.
                        let _ = end.complete(completed);
                        end.next_call(patience)
                    })
                }
            };
        }
    }

    /// Sends what is on its way and ends the connection. In a process that a tool forked off it does nothing.
    fn close(&self, py: Python<'_>) {
        if let (Some(end), false) = (self.end.get(), is_forked()) {
            py.detach(|| {
                end.close();
                self.ladder.end();
            });
        }
    }
}

impl Worker {
    fn end(&self) -> PyResult<&'static WorkerEnd> {
        self.end
            .get()
            .copied()
            .ok_or_else(|| PyRuntimeError::new_err("this worker is not connected"))
    }
}

// === impl Loop ===

impl<'py> Loop<'_, 'py> {
    fn run(&self, incoming: IncomingCall) -> Completed {
        let IncomingCall {
            request,
            tool,
            arguments,
            deadline,
            abort,
            ..
        } = incoming;
        let worker = Arc::clone(&self.worker.name);
        let call = Arc::new(Call {
            request,
            tool,
            worker,
            deadline,
            abort,
        });
        let (outcome, run_time) = match self.prepare(&call, &arguments) {
            Ok((tool, arguments)) => self.execute(&call, tool.get(), arguments),
            Err(outcome) => (*outcome, Duration::ZERO),
        };
        Completed {
            request,
            outcome: Some(outcome),
            run_time_ns: u64::try_from(run_time.as_nanos()).unwrap_or(u64::MAX),
            gil_enabled: self.gil_enabled(),
        }
    }

    /// What to run, or why nothing runs.
    fn prepare(
        &self,
        call: &Call,
        arguments: &Bytes,
    ) -> Result<(&Bound<'py, Tool>, Bound<'py, PyDict>), Box<Outcome>> {
        if call.is_over() {
            return Err(Outcome::Aborted(Aborted::default()).into());
        }
        let Some(tool) = self.tools.get(&call.tool) else {
            let mut available: Vec<String> = self.tools.keys().cloned().collect();
            available.sort_unstable();
            return Err(Outcome::UnknownTool(UnknownTool { available }).into());
        };
        match tool.get().arguments(self.py, arguments, self.worker.limits) {
            Ok(arguments) => Ok((tool, arguments)),
            Err(reason) => Err(Outcome::InvalidArguments(reason).into()),
        }
    }

    /// Runs the tool. Returns how it ended and how long it took.
    fn execute(&self, call: &Arc<Call>, tool: &Tool, arguments: Bound<'py, PyDict>) -> (Outcome, Duration) {
        self.slot.enter(self.py, Arc::clone(call), tool.interruptible);
        let started = Instant::now();
        let result = tool.run(self.py, &arguments);
        let run_time = started.elapsed();
        if is_forked() {
            leave_forked_child(self.py, result.err());
        }
        // Encoding and destructors are still part of the call: the code of the values' own types may run in them.
        let encoded = result.map(|value| to_bytes(&value, self.worker.limits, "result"));
        drop(arguments);
        let checked = |error: &PyErr| error.is_instance_of::<Cancelled>(self.py) && call.is_over();
        let encoded = if call.abort.is_set() || encoded.as_ref().is_err_and(checked) {
            // Nobody wants to know how it has ended, and what it leaves is destroyed as a part of it.
            drop(encoded);
            None
        } else {
            Some(encoded)
        };
        let rung = self.slot.leave(self.py);
        let outcome = match encoded {
            None => Outcome::Aborted(Aborted {
                started: true,
                stopped_by: rung.into(),
            }),
            Some(Ok(Ok(value))) => Outcome::Value(value.into()),
            Some(Ok(Err(Problem { path, reason }))) => Outcome::Unsendable(Unsendable { path, reason }),
            Some(Err(error)) => Outcome::Raised(self.raised(error)),
        };
        (outcome, run_time)
    }

    fn raised(&self, error: PyErr) -> PythonError {
        // Not `PyErr::value`: only this puts the traceback into the exception, on every version.
        let exception = error.into_value(self.py).into_bound(self.py);
        let chain = self
            .describe
            .call1((&exception,))
            .and_then(|chain| chain.extract::<Vec<Link>>());
        chain.ok().and_then(nested).unwrap_or_else(|| {
            let class = exception.get_type().qualname();
            PythonError {
                r#type: class.map_or_else(|_| "?".to_owned(), |name| name.to_string()),
                message: "<the exception could not be described>".to_owned(),
                ..PythonError::default()
            }
        })
    }

    fn gil_enabled(&self) -> bool {
        let Some(probe) = &self.gil_probe else { return true };
        probe
            .call0()
            .and_then(|enabled| enabled.extract())
            .unwrap_or(true)
    }
}
