//! A worker's process group, which can be killed at any time but never by mistake.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use snakepit_profile::Exit;

/// The group that a worker leads. Its number is the worker's pid and cannot be given to another process before the
/// worker has been reaped: reaping and signalling exclude each other, and nothing is signalled afterwards.
#[derive(Debug)]
pub(super) struct Group {
    leader: Pid,
    exit: Mutex<Option<Exit>>,
}

impl Group {
    /// `leader` must be an unreaped child of this process that leads a group of its own.
    pub(super) fn new(leader: Pid) -> Self {
        Self {
            leader,
            exit: Mutex::new(None),
        }
    }

    pub(super) fn leader(&self) -> Pid {
        self.leader
    }

    pub(super) fn pid(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether the leader's exit status has been collected. Its number may be a stranger's from then on.
    pub(super) fn is_reaped(&self) -> bool {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Sends `signal` to everybody in the group, unless its leader has been reaped.
    pub(super) fn signal(&self, signal: Signal) {
        let exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.is_none() {
            // The only error left is a group whose members are all gone already.
            let _ = kill_process_group(self.leader, signal);
        }
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Kills what is left of the group and collects the leader's exit status, once the leader has ended. `None`: it
    /// has not.
    pub(super) fn reap(&self, leader: &OwnedFd) -> Option<Exit> {
        let mut exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.is_some() {
            return *exit;
        }
        let status = match waitid(
            WaitId::PidFd(leader.as_fd()),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
        ) {
            Ok(None) | Err(Errno::INTR) => return None,
            Ok(status) => status,
            Err(error) => {
                tracing::warn!(%error, pid = self.pid(), "somebody else in this process has collected a worker's exit status");
                None
            }
        };
        if status.is_some() {
            // While the leader is a zombie, its number still means this group.
            let _ = kill_process_group(self.leader, Signal::KILL);
            let _ = waitid(
                WaitId::PidFd(leader.as_fd()),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            );
        }
        let found = status.map_or(Exit::Code(UNKNOWN_CODE), |status| {
            match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Code(UNKNOWN_CODE),
            }
        });
        *exit = Some(found);
        *exit
    }
}

/// Stands for an exit status that another part of the program has collected.
const UNKNOWN_CODE: i32 = -1;
