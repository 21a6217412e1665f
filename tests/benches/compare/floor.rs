//! The floor: raw frames over a unix socket, a blocking Rust host and a plain Python loop. Nothing that calls Python in
//! another process with a message each way can be much faster.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::job::{Fallible, Job, PAYLOAD, Readings, WARM_UP};
use crate::{place, stats};

/// A frame's length field, in bytes.
const LENGTH: usize = size_of::<u32>();

/// One worker with its connection. Dropping it kills the worker.
struct Worker {
    process: Child,
    stream: UnixStream,
}

/// Measures echoes, one call at a time on each worker: one blocking thread per worker.
pub(crate) fn measure(job: &Job) -> Fallible<Readings> {
    if let Some(cpu) = job.host_cpu {
        place::stay_on(cpu)?;
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("floor.sock");
    let listener = UnixListener::bind(&path)?;
    let workers: Vec<Worker> = (0..job.workers)
        .map(|_| Worker::start(job, &listener, &path))
        .collect::<Fallible<_>>()?;

    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(job.seconds);
    // A single worker is called from this thread: a second one would only add a hand-over.
    let latencies = match <[Worker; 1]>::try_from(workers) {
        Ok([mut only]) => only.call_until(end)?,
        Err(several) => {
            let threads: Vec<_> = several
                .into_iter()
                .map(|mut worker| std::thread::spawn(move || worker.call_until(end)))
                .collect();
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().map_err(|_| "a thread of the floor panicked")??);
            }
            all
        }
    };
    Ok(stats::of_calls(latencies, begin.elapsed()))
}

impl Worker {
    /// Starts a worker, warms it up and puts it where it belongs.
    fn start(job: &Job, listener: &UnixListener, path: &Path) -> Fallible<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/floor_worker.py");
        let process = Command::new(&job.python)
            .arg(script)
            .arg(path)
            .stdin(Stdio::null())
            .spawn()?;
        let (stream, _) = listener.accept()?;
        let mut worker = Self { process, stream };
        for _ in 0..WARM_UP {
            worker.call()?;
        }
        if let Some(cpu) = job.worker_cpu {
            place::move_process(worker.process.id(), cpu)?;
        }
        Ok(worker)
    }

    fn call_until(&mut self, end: Instant) -> Fallible<Vec<Duration>> {
        let mut latencies = Vec::new();
        let mut now = Instant::now();
        while now < end {
            self.call()?;
            let later = Instant::now();
            latencies.push(later - now);
            now = later;
        }
        Ok(latencies)
    }

    /// Sends one frame and reads one: its length, then as much as that says.
    fn call(&mut self) -> Fallible<()> {
        let mut frame = [0; LENGTH + PAYLOAD.len()];
        frame[..LENGTH].copy_from_slice(&u32::try_from(PAYLOAD.len())?.to_le_bytes());
        frame[LENGTH..].copy_from_slice(&PAYLOAD);
        self.stream.write_all(&frame)?;
        let mut length = [0; LENGTH];
        self.stream.read_exact(&mut length)?;
        let mut payload = vec![0; u32::from_le_bytes(length) as usize];
        self.stream.read_exact(&mut payload)?;
        if payload != PAYLOAD {
            return Err("the floor's worker answered something else".into());
        }
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have gone already; then there is nothing to kill, and waiting tells.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
