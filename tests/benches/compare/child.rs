//! Measurements in processes of their own: affinity is inherited, and no contestant inherits another one's threads or
//! heap.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::job::{Fallible, Job, Readings};

/// Many times what any trial takes; what is not done by then hangs.
const LIMIT: Duration = Duration::from_secs(90);

/// Has this program measure itself as `contestant`.
pub(crate) fn run_self(contestant: &str, job: &Job) -> Fallible<Readings> {
    let mut program = Command::new(std::env::current_exe()?);
    program.args(["contestant", contestant]);
    run(program, job)
}

/// Has the executor's own Python measure it.
pub(crate) fn run_executor(job: &Job) -> Fallible<Readings> {
    let mut program = Command::new(&job.python);
    program.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/benches/compare/executor.py"
    ));
    run(program, job)
}

fn run(mut program: Command, job: &Job) -> Fallible<Readings> {
    let mut process = program
        .arg(serde_json::to_string(job)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut stdout = process.stdout.take().ok_or("no pipe to the contestant")?;
    let (done, answer) = sync_channel(1);
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        // The one receiver may have given up; nobody misses the text then.
        let _ = done.send(stdout.read_to_string(&mut text).map(|_| text));
    });
    let answer = answer.recv_timeout(LIMIT);
    if answer.is_err() {
        // The group, so that the executor's workers go with it. Those of snakepit go with their host.
        if let Some(group) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
            kill_process_group(group, Signal::KILL)?;
        }
    }
    let status = process.wait()?;
    reader
        .join()
        .map_err(|_| "the reader of the contestant's answer panicked")?;
    let answer = answer.map_err(|_| format!("no answer within {LIMIT:?}"))??;
    if !status.success() {
        return Err(format!("the contestant ended with {status}").into());
    }
    Ok(serde_json::from_str(&answer)?)
}
