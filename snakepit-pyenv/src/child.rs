//! A child process that is never left behind, read with limits.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// A running child. Dropping it kills and reaps it.
pub(crate) struct Guarded {
    child: Child,
    /// The child leads a process group, and its whole group is killed.
    own_group: bool,
    /// Its id may belong to somebody else by now.
    reaped: bool,
}

/// Where a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Why reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The reader has what it wants.
    Satisfied,
    /// Nobody holds the pipes any more.
    Closed,
    /// The time is up.
    OutOfTime,
}

// === impl Guarded ===

impl Guarded {
    /// Starts `command` at the head of a process group of its own: what it starts is killed with it.
    pub(crate) fn start_group(command: &mut Command) -> io::Result<Self> {
        command.process_group(0);
        Self::start(command, true)
    }

    /// Starts `command` in this process's group, so that Ctrl-C at a terminal reaches it too.
    pub(crate) fn start_beside(command: &mut Command) -> io::Result<Self> {
        Self::start(command, false)
    }

    fn start(command: &mut Command, own_group: bool) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self {
            child,
            own_group,
            reaped: false,
        })
    }

    /// Hands the output to `sink`, piece by piece as it comes, until `sink` breaks, both pipes are closed, or it is
    /// `until`.
    pub(crate) fn read(
        &mut self,
        until: Option<Instant>,
        mut sink: impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
    ) -> io::Result<Reading> {
        let mut out = self.child.stdout.take();
        let mut err = self.child.stderr.take();
        let mut chunk = [0; 8192];
        while out.is_some() || err.is_some() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Reading::OutOfTime);
            }
            let [out_ready, err_ready] = ready(out.as_ref(), err.as_ref(), left)?;
            let pieces = [
                (
                    Stream::Out,
                    out_ready,
                    out.as_mut().map(|pipe| pipe as &mut dyn Read),
                ),
                (
                    Stream::Err,
                    err_ready,
                    err.as_mut().map(|pipe| pipe as &mut dyn Read),
                ),
            ];
            let mut closed = [false; 2];
            for (closed, (stream, ready, pipe)) in closed.iter_mut().zip(pieces) {
                let Some(pipe) = pipe.filter(|_| ready) else {
                    continue;
                };
                let length = read_some(pipe, &mut chunk)?;
                *closed = length == 0;
                if length > 0 && sink(stream, &chunk[..length]).is_break() {
                    return Ok(Reading::Satisfied);
                }
            }
            out = out.filter(|_| !closed[0]);
            err = err.filter(|_| !closed[1]);
        }
        Ok(Reading::Closed)
    }

    /// Waits for the child to end by itself, and kills what it leaves of its group; `None` if it still runs at `until`.
    pub(crate) fn wait(&mut self, until: Instant) -> io::Result<Option<ExitStatus>> {
        let Some(pid) = self.pid() else {
            return Ok(None);
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        // The waiting thread leaves the child unreaped, so its id stays its own until the guard is done with it. The
        // thread ends with the child, at the latest when the guard kills it.
        thread::Builder::new()
            .name("snakepit-probe-wait".to_owned())
            .spawn(move || {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
                // The receiver is gone when the time was up first.
                let _ = sender.send(());
            })?;
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(()) => {
                self.kill();
                self.wait_for_end().map(Some)
            }
            Err(_) => Ok(None),
        }
    }

    /// Waits for the child, however long it takes.
    pub(crate) fn wait_for_end(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }

    /// Kills the child, with its group if it leads one. Only before it is reaped: its id is its own until then.
    fn kill(&mut self) {
        // An error means that nobody is left to be killed.
        match self.pid() {
            Some(pid) if self.own_group => drop(kill_process_group(pid, Signal::KILL)),
            _ => drop(self.child.kill()),
        }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            // After SIGKILL this is short, and there is nobody to tell.
            let _ = self.child.wait();
        }
    }
}

/// Waits until one of the pipes has something to read, and says which.
fn ready(out: Option<&impl AsFd>, err: Option<&impl AsFd>, left: Option<Duration>) -> io::Result<[bool; 2]> {
    let mut streams = Vec::with_capacity(2);
    let mut waiting = Vec::with_capacity(2);
    if let Some(out) = out {
        streams.push(0);
        waiting.push(PollFd::new(out, PollFlags::IN));
    }
    if let Some(err) = err {
        streams.push(1);
        waiting.push(PollFd::new(err, PollFlags::IN));
    }
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut waiting, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut answer = [false; 2];
    for (stream, fd) in streams.into_iter().zip(&waiting) {
        // A hang-up or an error is read as well: that is how the end is seen.
        answer[stream] = !fd.revents().is_empty();
    }
    Ok(answer)
}

/// One read that a signal does not spoil. `0` means that the pipe is closed.
fn read_some(pipe: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match pipe.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
