//! What a worker does when its host is gone.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use tokio::net::unix::pipe;

/// The read end of the pipe whose only write end the host holds.
pub(super) struct Lifeline(pipe::Receiver);

impl Lifeline {
    /// Must be called within a runtime. The pipe's other flags are kept: the kernel's signal hangs on `O_ASYNC`.
    pub(super) fn watch(descriptor: OwnedFd) -> io::Result<Self> {
        pipe::Receiver::from_owned_fd(descriptor).map(Self)
    }

    /// Stops watching, and leaves the descriptor open for the rest of the process: the kernel's signal needs it.
    pub(super) fn keep_open(self) {
        if let Ok(descriptor) = self.0.into_nonblocking_fd() {
            std::mem::forget(descriptor);
        }
    }

    /// Returns when the host is gone. The host never writes; should anything come, it is thrown away.
    pub(super) async fn end(&self) {
        let mut scrap = [0; 64];
        while self.0.readable().await.is_ok() {
            match self.0.try_read(&mut scrap) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Ends this process at once, in any state of its other threads, and with it the group it leads: what the kernel does
/// by itself where it can.
pub(super) fn end_process() -> ! {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
    // SIGKILL to oneself cannot fail and cannot be survived; `abort` keeps the promise of the type.
    std::process::abort()
}
