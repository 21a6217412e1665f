//! The pipe by which the kernel ends a worker whose host is gone.

#![expect(
    unsafe_code,
    reason = "the calls have no safe form: the first runs between fork and exec"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};

use libc::{F_GETFL, F_SETFL, F_SETOWN, O_ASYNC, c_int};
use rustix::pipe::{PipeFlags, pipe_with};

/// What ends the workers when the host dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifeline {
    /// The kernel sends SIGKILL to the worker's whole group, whatever state its processes are in.
    Kernel,
    /// The kernel sends no such signal here. The worker's native thread sees the end of the pipe and ends its group; a
    /// worker that is stopped, or a child that outlived its worker, can remain.
    EndOfFile,
}

// From the kernel's fcntl.h, the same on all architectures; libc does not name them everywhere.
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const F_OWNER_TID: c_int = 0;

/// What `F_SETOWN_EX` takes.
#[repr(C)]
struct Owner {
    kind: c_int,
    id: libc::pid_t,
}

/// Makes the calling process the leader of a session of its own and arms its standard input: when the last write end of
/// that pipe closes, the kernel kills the group. An armed pipe must never be written to, since that kills as well.
///
/// # Safety
/// For a child between fork and exec, whose standard input is the pipe. It makes only system calls that are
/// async-signal-safe, allocates nothing and takes no lock.
pub(super) unsafe fn arm_in_child(lifeline: Lifeline) -> io::Result<()> {
    // SAFETY: plain system calls on this process and descriptor 0; the set is initialised by `sigemptyset` before use.
    unsafe {
        checked(libc::setsid())?;
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        // A mask outlives exec, and an interpreter cannot know which thread of the host it came from.
        checked(libc::sigprocmask(
            libc::SIG_SETMASK,
            none.as_ptr(),
            std::ptr::null_mut(),
        ))?;
        if lifeline == Lifeline::Kernel {
            checked(libc::fcntl(0, F_SETOWN, -libc::getpid()))?;
            arm(0, libc::SIGKILL)?;
        }
    }
    Ok(())
}

/// Tries once, without any process, whether the kernel sends the signal.
///
/// The signal is a real-time one that is blocked in this thread, sent to this thread and taken from its queue, so that
/// no handler of the program ever sees it.
pub(super) fn self_test() -> Lifeline {
    match signal_arrives() {
        Ok(true) => Lifeline::Kernel,
        Ok(false) => Lifeline::EndOfFile,
        Err(error) => {
            tracing::debug!(%error, "the lifeline's signal could not be tried");
            Lifeline::EndOfFile
        }
    }
}

fn signal_arrives() -> io::Result<bool> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let signal = libc::SIGRTMIN() + 3;
    // SAFETY: both sets and `owner` live through the calls that use them, and the sets are initialised before.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        let mut before = MaybeUninit::uninit();
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
        let arrived = arrives(&read, write, signal, set.as_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        arrived
    }
}

/// # Safety
/// `set` must be an initialised set that holds `signal`, and this thread must block it.
unsafe fn arrives(
    read: &OwnedFd,
    write: OwnedFd,
    signal: c_int,
    set: *const libc::sigset_t,
) -> io::Result<bool> {
    let patience = libc::timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    // SAFETY: `owner` and `patience` outlive the calls; `set` is the caller's promise.
    unsafe {
        let owner = Owner {
            kind: F_OWNER_TID,
            id: libc::gettid(),
        };
        checked(libc::fcntl(read.as_raw_fd(), F_SETOWN_EX, &raw const owner))?;
        arm(read.as_raw_fd(), signal)?;
        drop(write);
        Ok(libc::sigtimedwait(set, std::ptr::null_mut(), &raw const patience) == signal)
    }
}

/// # Safety
/// `descriptor` must be open. Async-signal-safe.
unsafe fn arm(descriptor: c_int, signal: c_int) -> io::Result<()> {
    // SAFETY: fcntl with integer arguments on an open descriptor.
    unsafe {
        checked(libc::fcntl(descriptor, F_SETSIG, signal))?;
        let flags = checked(libc::fcntl(descriptor, F_GETFL))?;
        checked(libc::fcntl(descriptor, F_SETFL, flags | O_ASYNC))?;
    }
    Ok(())
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On Linux the kernel has had this since 2.4; a test machine without it would prove nothing of what we promise.
    #[test]
    fn the_kernel_signals_the_end_of_a_pipe() {
        let tried = std::thread::spawn(self_test).join().unwrap();
        assert_eq!(tried, Lifeline::Kernel);
    }
}
