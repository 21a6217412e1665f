//! A worker without Python: the tools of `adapters/conformance.py`, served over the real wire. Started in place of an
//! interpreter it ignores its command line, the adapter and its arguments.

use std::error::Error;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use snakepit_grpc::proto::completed::Outcome;
use snakepit_grpc::proto::{
    Aborted, Boot, Completed, Hello, Interpreter, PythonError, Rung, Tool, UnknownTool, Unsendable,
};
use snakepit_grpc::values::{self, Limits};
use snakepit_grpc::worker::{AbortFlag, IncomingCall, Next, WorkerEnd, read_boot};

/// Names and signatures, sorted.
const TOOLS: [(&str, &str); 9] = [
    ("busy", "(ms: float) -> None"),
    ("die", "(code: int) -> None"),
    ("echo", "(value: object) -> object"),
    (IDEMPOTENT, "(value: object) -> object"),
    ("hold", "() -> None"),
    ("pid", "() -> int"),
    ("raise_error", "(message: str) -> None"),
    ("sleep", "(ms: float) -> None"),
    ("whoami", "() -> dict[str, object]"),
];

/// The one tool that may run twice.
const IDEMPOTENT: &str = "echo_idempotent";

/// How often a tool looks whether its caller has gone. Nobody wakes it, as nobody wakes Python code.
const CHECK: Duration = Duration::from_millis(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    ms: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: i32,
}

#[derive(Serialize)]
struct WhoAmI<'a> {
    pid: u32,
    worker: &'a str,
    thread: &'a str,
}

/// What every call needs.
struct Tools<'a> {
    boot: &'a Boot,
    limits: Limits,
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wire_worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let boot = read_boot(std::io::stdin())?;
    let lifeline = std::io::stdin().as_fd().try_clone_to_owned()?;
    let end = WorkerEnd::connect(&boot, hello(), Some(lifeline))?;
    let tools = Tools {
        boot: &boot,
        limits: Limits::from(&boot),
    };
    end.ready();
    std::thread::scope(|scope| {
        for slot in 0..boot.slots {
            std::thread::Builder::new()
                .name(format!("snakepit-{slot}"))
                .spawn_scoped(scope, || tools.serve_slot(&end))?;
        }
        Ok::<_, std::io::Error>(())
    })?;
    end.close();
    Ok(())
}

fn hello() -> Hello {
    Hello {
        bridge_version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        interpreter: Some(Interpreter {
            version: "3.13.0".to_owned(),
            implementation: "none".to_owned(),
            free_threaded: true,
            ..Interpreter::default()
        }),
        tools: TOOLS
            .map(|(name, signature)| Tool {
                name: name.to_owned(),
                signature: signature.to_owned(),
                idempotent: name == IDEMPOTENT,
                ..Tool::default()
            })
            .into(),
        thread_safe: Some(true),
        ..Hello::default()
    }
}

// === impl Tools ===

impl Tools<'_> {
    fn serve_slot(&self, end: &WorkerEnd) {
        loop {
            match end.next_call(Duration::from_mins(1)) {
                Next::Call(call) => {
                    let began = Instant::now();
                    let request = call.request;
                    let outcome = self.run(&call).unwrap_or_else(Outcome::InvalidArguments);
                    // An answer that nobody waits for any more, since the host is gone, needs no report.
                    let _ = end.complete(Completed {
                        request,
                        outcome: Some(outcome),
                        run_time_ns: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
                        gil_enabled: false,
                    });
                }
                Next::Nothing => {}
                Next::Drained => return,
            }
        }
    }

    /// `Err` says what of the arguments does not fit.
    fn run(&self, call: &IncomingCall) -> Result<Outcome, String> {
        Ok(match call.tool.as_str() {
            "echo" | IDEMPOTENT => Outcome::Value(self.only_value(&call.arguments)?),
            "sleep" => {
                let Wait { ms } = self.arguments(call)?;
                self.wait_until(Some(deadline(ms)?), Some(&call.abort))
            }
            "busy" => {
                let Wait { ms } = self.arguments(call)?;
                self.wait_until(Some(deadline(ms)?), None)
            }
            "hold" => {
                let Nothing {} = self.arguments(call)?;
                self.wait_until(None, Some(&call.abort))
            }
            "raise_error" => {
                let Message { message } = self.arguments(call)?;
                Outcome::Raised(value_error(message))
            }
            "die" => {
                let Code { code } = self.arguments(call)?;
                std::process::exit(code)
            }
            "pid" => {
                let Nothing {} = self.arguments(call)?;
                self.value(&std::process::id())
            }
            "whoami" => {
                let Nothing {} = self.arguments(call)?;
                self.value(&WhoAmI {
                    pid: std::process::id(),
                    worker: &self.boot.worker,
                    thread: std::thread::current().name().unwrap_or_default(),
                })
            }
            _ => Outcome::UnknownTool(UnknownTool {
                available: TOOLS.map(|(name, _)| name.to_owned()).into(),
            }),
        })
    }

    fn arguments<T: DeserializeOwned>(&self, call: &IncomingCall) -> Result<T, String> {
        values::decode(&call.arguments, &self.limits).map_err(|error| error.to_string())
    }

    /// The value of a map whose only key is `value`, byte for byte.
    fn only_value(&self, arguments: &Bytes) -> Result<Bytes, String> {
        values::check(arguments, &self.limits).map_err(|error| error.to_string())?;
        // A map of one entry, and a string of five bytes.
        if arguments.starts_with(b"\x81\xa5value") {
            Ok(arguments.slice(b"\x81\xa5value".len()..))
        } else {
            Err("`value` is the one argument".to_owned())
        }
    }

    fn value(&self, value: &impl Serialize) -> Outcome {
        match values::encode(value, &self.limits) {
            Ok(value) => Outcome::Value(value),
            Err(error) => Outcome::Unsendable(Unsendable {
                path: "result".to_owned(),
                reason: error.to_string(),
            }),
        }
    }

    /// Waits until the time has come, or for ever; less where somebody looks at `abort`.
    fn wait_until(&self, end: Option<Instant>, abort: Option<&AbortFlag>) -> Outcome {
        loop {
            if abort.is_some_and(AbortFlag::is_set) {
                return Outcome::Aborted(Aborted {
                    started: true,
                    stopped_by: Rung::Cooperative.into(),
                });
            }
            let left = end.map_or(CHECK, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return self.value(&());
            }
            std::thread::park_timeout(left.min(CHECK));
        }
    }
}

fn deadline(ms: f64) -> Result<Instant, String> {
    Duration::try_from_secs_f64(ms / 1000.0)
        .ok()
        .and_then(|wait| Instant::now().checked_add(wait))
        .ok_or_else(|| format!("{ms} ms is no time to wait"))
}

/// As the bridge would tell it.
fn value_error(message: String) -> PythonError {
    let bases = ["ValueError", "Exception", "BaseException"];
    PythonError {
        r#type: "ValueError".to_owned(),
        module: "builtins".to_owned(),
        traceback: format!("ValueError: {message}\n"),
        message,
        mro: bases.map(|base| format!("builtins.{base}")).into(),
        ..PythonError::default()
    }
}
