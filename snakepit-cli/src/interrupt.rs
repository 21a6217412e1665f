//! Ctrl-C and SIGTERM: the first asks for a drain, the second for a kill, the third aborts.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::report;

/// How often the user has asked the program to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(watch::Receiver<u8>);

/// Does a command's work until it has ended, or until the user wants it killed: then everything that it holds is dropped,
/// and with it every worker. Returns the exit code.
pub(crate) async fn unless_killed(work: impl AsyncFnOnce(Interrupts) -> u8) -> u8 {
    let mut interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            report::message(&format!("cannot listen for signals: {error}"));
            return report::REFUSED;
        }
    };
    tokio::select! {
        code = work(interrupts.clone()) => {
            // What fails after the user has interrupted it most likely fails because of that.
            if code != report::DONE && interrupts.asked() { report::INTERRUPTED } else { code }
        }
        () = interrupts.reached(2) => report::INTERRUPTED,
    }
}

impl Interrupts {
    /// Starts to listen.
    ///
    /// # Errors
    /// Where the handlers cannot be installed.
    fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (count, counted) = watch::channel(0_u8);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                match *count.borrow() {
                    0 => anstream::eprintln!("finishing what runs; again to kill it"),
                    1 => anstream::eprintln!("killing the workers"),
                    // The lifeline ends every worker with this process.
                    _ => std::process::abort(),
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(counted))
    }

    /// Whether the user has asked at all.
    fn asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Returns once the user has asked so often.
    pub(crate) async fn reached(&mut self, count: u8) {
        if self.0.wait_for(|seen| *seen >= count).await.is_err() {
            // The listener ends only with the runtime: then there is nothing left to interrupt.
            std::future::pending::<()>().await;
        }
    }
}
