//! The end of a process, as an event.

#![expect(
    unsafe_code,
    reason = "tokio's registration of a descriptor asks for a promise"
)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for the end of a process by its pidfd.
pub(super) struct ExitWatch(AsyncFd<OwnedFd>);

impl ExitWatch {
    /// Must be called within a runtime.
    pub(super) fn new(pidfd: OwnedFd) -> io::Result<Self> {
        // SAFETY: the `AsyncFd` owns the descriptor, which is therefore open and stays the same until it is dropped.
        let registered = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Returns once the process has ended; it is a zombie then, until somebody reaps it.
    pub(super) async fn ended(&self) {
        // An error means that the runtime shuts down; whoever waits is dropped with it.
        if self.0.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        self.0.get_ref()
    }
}
