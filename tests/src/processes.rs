//! Processes as the operating system sees them.

use std::time::{Duration, Instant};

/// One process, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    started: u64,
}

impl Process {
    /// The process that has this id now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let (state, started) = stat(&format!("/proc/{pid}"))?;
        (state != 'Z').then_some(Self { pid, started })
    }

    /// Whether it still lives; a zombie does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends it SIGSTOP, and waits until all its threads stand still: the kernel stops them one by one.
    ///
    /// # Panics
    /// Where it does not stop.
    pub async fn stop(self) {
        self.signal(rustix::process::Signal::STOP);
        let stopped = wait_until(crate::PATIENCE, || self.is_stopped()).await;
        assert!(stopped, "{self:?} did not stop");
    }

    fn is_stopped(self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            return false;
        };
        let mut states = threads
            .flatten()
            .map(|thread| stat(&thread.path().to_string_lossy()));
        states.all(|state| matches!(state, Some(('T', _))))
    }

    /// Sends it a signal. One that has gone gets none.
    pub fn signal(self, signal: rustix::process::Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// State and start time from the `stat` of a process's or thread's folder (proc(5)): fields 3 and 22, counted behind the
/// name, which may hold anything up to its last parenthesis.
fn stat(folder: &str) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("{folder}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Polls until `holds`, for at most `patience`; says whether it did.
pub async fn wait_until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        tick.tick().await;
    }
}
