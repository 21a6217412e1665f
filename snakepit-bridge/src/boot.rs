//! The first moments of a worker: what the host wrote, and the lifeline behind it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use snakepit_grpc::proto::Boot;
use snakepit_grpc::worker::read_boot;

/// Descriptor numbers to start looking from: above what user code guesses, and below common limits.
const HIGH: [i32; 3] = [512, 128, 3];

/// Longest name of a thread that the kernel keeps, in bytes.
const THREAD_NAME_MAX: usize = 15;

/// Reads the boot message from standard input, takes the descriptor away from number 0 and leaves `/dev/null` there.
pub(crate) fn take_standard_input() -> PyResult<(Boot, OwnedFd)> {
    let lifeline = File::from(moved(rustix::stdio::stdin()).map_err(io::Error::from)?);
    let boot = read_boot(&lifeline).map_err(|error| PyOSError::new_err(error.to_string()))?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY, Mode::empty()).map_err(io::Error::from)?;
    rustix::stdio::dup2_stdin(null.as_fd()).map_err(io::Error::from)?;
    name_this_thread(&boot.worker);
    Ok((boot, lifeline.into()))
}

/// A copy of the descriptor at a high number, closed on exec. Signals that are armed on it stay so: they belong to what
/// it refers to, not to the number.
fn moved(descriptor: impl std::os::fd::AsFd) -> Result<OwnedFd, Errno> {
    let mut refusal = Errno::INVAL;
    for lowest in HIGH {
        match rustix::io::fcntl_dupfd_cloexec(&descriptor, lowest) {
            Ok(copy) => return Ok(copy),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// So that `ps -L` and `top` tell workers apart. It is a courtesy: a kernel that refuses is no reason to stop.
fn name_this_thread(worker: &str) {
    let name: Vec<u8> = worker
        .bytes()
        .filter(|byte| *byte != 0)
        .take(THREAD_NAME_MAX)
        .collect();
    if let Ok(name) = std::ffi::CString::new(name) {
        let _ = rustix::thread::set_name(&name);
    }
}

/// Numbers of this process's descriptors that are connected to the unix socket `path`.
pub(crate) fn connections_to(path: &str) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/dev/fd") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| peer(*number).as_deref() == Some(path.as_bytes()))
        .collect()
}

/// The path of the unix socket that a descriptor is connected to, where it is one and has one.
#[expect(
    unsafe_code,
    reason = "a descriptor that belongs to somebody else can only be named by its number"
)]
fn peer(number: i32) -> Option<Vec<u8>> {
    // SAFETY: the number was just listed as open, so it is not -1. The borrow ends with the one system call it is for,
    // which reads and changes nothing; on a descriptor that was closed meanwhile it fails.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let address = rustix::net::getpeername(descriptor).ok()??;
    let address = rustix::net::SocketAddrUnix::try_from(address).ok()?;
    Some(address.path_bytes()?.to_vec())
}
