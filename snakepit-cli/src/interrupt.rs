//! Ctrl-C and SIGTERM: the first asks for a drain, the second for a kill, the third aborts.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the user has asked the program to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(watch::Receiver<u8>);

impl Interrupts {
    /// Starts to listen.
    ///
    /// # Errors
    /// Where the handlers cannot be installed.
    pub(crate) fn listen() -> std::io::Result<Self> {
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

    /// Returns once the user has asked so often.
    pub(crate) async fn reached(&mut self, count: u8) {
        if self.0.wait_for(|seen| *seen >= count).await.is_err() {
            // The listener ends only with the runtime: then there is nothing left to interrupt.
            std::future::pending::<()>().await;
        }
    }
}
