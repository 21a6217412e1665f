//! The one thread that creates processes.

#![expect(unsafe_code, reason = "`pre_exec`: what must happen between fork and exec")]

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::{mpsc, oneshot};

use crate::host::group::Group;
use crate::host::lifeline::{self, Lifeline};

/// A process that has just been created.
pub(super) struct Spawned {
    pub(super) group: Group,
    pub(super) pidfd: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// The only write end of its lifeline: as long as this is open, the host lives.
    pub(super) lifeline: OwnedFd,
}

/// Hands commands to the spawner thread. Creating a process blocks for as long as a copy of the host's page tables
/// takes; and a thread that never ends while the host lives owns no process by accident.
#[derive(Debug)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
    lifeline: Lifeline,
}

struct Job {
    command: Command,
    boot: Vec<u8>,
    created: oneshot::Sender<io::Result<Spawned>>,
}

/// Commands that may wait for the thread; who comes later waits to hand his over.
const JOBS_MAX: usize = 16;

impl Spawner {
    /// Starts the thread, which first tries what the kernel can do.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel(JOBS_MAX);
        let (tried, outcome) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("snakepit-spawn".to_owned())
            .spawn(move || {
                let lifeline = lifeline::self_test();
                let _ = tried.send(lifeline);
                run(inbox, lifeline);
            })?;
        let lifeline = outcome
            .recv()
            .map_err(|_| io::Error::other("the spawner thread ended"))?;
        Ok(Self { jobs, lifeline })
    }

    pub(super) fn lifeline(&self) -> Lifeline {
        self.lifeline
    }

    /// Creates a process that finds `boot` on its standard input.
    pub(super) async fn spawn(&self, command: Command, boot: Vec<u8>) -> io::Result<Spawned> {
        let gone = || io::Error::other("the spawner thread ended");
        let (created, outcome) = oneshot::channel();
        let job = Job {
            command,
            boot,
            created,
        };
        self.jobs.send(job).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

fn run(mut inbox: mpsc::Receiver<Job>, lifeline: Lifeline) {
    while let Some(job) = inbox.blocking_recv() {
        let created = create(job.command, &job.boot, lifeline);
        if let Err(Ok(unwanted)) = job.created.send(created) {
            // Whoever asked for it has gone.
            discard(&unwanted.group, &unwanted.pidfd);
        }
    }
}

fn create(mut command: Command, boot: &[u8], lifeline: Lifeline) -> io::Result<Spawned> {
    let (read, write) = lifeline_pipe(boot)?;
    command.stdin(Stdio::from(read));
    // SAFETY: `arm_in_child` is made for exactly this place, and the closure does nothing else. Standard input is the
    // pipe by then, since the descriptors are in place before the closure runs.
    unsafe {
        command.pre_exec(move || lifeline::arm_in_child(lifeline));
    }
    let mut child = command.spawn()?;
    // Drops our copy of the pipe's read end, so that the worker holds the only one.
    drop(command);
    let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (Some(leader), Some(stdout), Some(stderr)) = (leader, child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the new process lacks its pipes"));
    };
    let group = Group::new(leader);
    match pidfd_open(leader, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Spawned {
            group,
            pidfd,
            stdout: stdout.into(),
            stderr: stderr.into(),
            lifeline: write,
        }),
        Err(error) => {
            group.kill();
            let _ = child.wait();
            Err(error.into())
        }
    }
}

/// A pipe with the boot message in it. It is written before there is a process: an armed pipe is never written to, and
/// a reader that does not read can hold nobody up.
fn lifeline_pipe(boot: &[u8]) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // One pipe of the two may not block: a boot message that does not fit must be an error and not a hang.
    let flags = rustix::fs::fcntl_getfl(&write)?;
    rustix::fs::fcntl_setfl(&write, flags | rustix::fs::OFlags::NONBLOCK)?;
    let mut file = std::fs::File::from(write);
    match file.write(boot) {
        Ok(written) if written == boot.len() => Ok((read, file.into())),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "`adapter_args` are too long: the boot message of {} bytes does not fit into a pipe",
                boot.len()
            ),
        )),
        Err(error) => Err(error),
    }
}

fn discard(group: &Group, pidfd: &OwnedFd) {
    group.kill();
    let mut watched = [rustix::event::PollFd::new(pidfd, rustix::event::PollFlags::IN)];
    let _ = rustix::event::poll(&mut watched, None);
    group.reap(pidfd);
}
