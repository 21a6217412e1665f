//! The worker end as its user sees it.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use prost::Message as _;

use crate::PROTOCOL;
use crate::proto::{
    Boot, Completed, Hello, PythonError, Ready, StartFailed, Unsendable, WorkerMessage, completed,
};
use crate::window::HANDSHAKE_MAX;
use crate::worker::calls::Next;
use crate::worker::connection::{self, Shared};
use crate::worker::error::ConnectError;
use crate::worker::ladder::Stopper;

/// A worker's connection to its host.
///
/// Every method may be called from any thread, several at once. None needs an async runtime, and only
/// [`connect`](Self::connect), [`next_call`](Self::next_call), [`start_failed`](Self::start_failed) and
/// [`close`](Self::close) wait.
#[derive(Debug)]
pub struct WorkerEnd {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Most of an exception's message that is kept where the whole exception does not fit, in bytes.
const SHORTENED: usize = 512;

impl WorkerEnd {
    /// Connects to the host, says `hello` and waits for its answer. Token and protocol version of `hello` are filled in
    /// from here; the rest is the caller's.
    ///
    /// With a `lifeline`, the end of the host is the end of this process: at end of file on it, or when the host ends
    /// the stream unasked, the process and the group it leads are killed. The descriptor stays open until then.
    /// Without one, [`Next::Drained`] is all that is seen.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing is left running then.
    pub fn connect(boot: &Boot, hello: Hello, lifeline: Option<OwnedFd>) -> Result<Self, ConnectError> {
        let hello = Hello {
            token: boot.token.clone(),
            protocol: PROTOCOL,
            ..hello
        };
        let hello = WorkerMessage::from(hello);
        let (size, limit) = (hello.encoded_len() as u64, boot.message_max.max(HANDSHAKE_MAX));
        if size > limit {
            return Err(ConnectError::HelloTooLarge { size, limit });
        }
        let (shared, thread) = connection::start(boot, hello, lifeline)?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Gives the rungs above [`Rung::Cooperative`](crate::proto::Rung::Cooperative) to `stopper`: without one, code whose
    /// caller has gone is only told. To be said once, before [`ready`](Self::ready); what comes later is ignored.
    pub fn stop_with(&self, stopper: Arc<dyn Stopper>) {
        let _ = self.shared.stopper.set(stopper);
    }

    /// Says that calls may come.
    pub fn ready(&self) {
        self.shared.send(Ready {}.into());
    }

    /// Says that this worker cannot start, and closes. It returns once that has been sent, or cannot be.
    pub fn start_failed(&self, mut failure: StartFailed) {
        let fits = |failure: &StartFailed| failure.encoded_len() as u64 + ENVELOPE <= HANDSHAKE_MAX;
        if !fits(&failure) {
            failure.error = failure.error.as_ref().map(shortened);
        }
        self.shared.send(failure.into());
        self.close();
    }

    /// Waits for a call, at most `patience`. Each call goes to one of those who wait.
    #[must_use]
    pub fn next_call(&self, patience: Duration) -> Next {
        self.shared.calls.next(patience)
    }

    /// Ends a call. An outcome that would make a message larger than the limit is replaced by one that says so.
    ///
    /// `false`: no such call is open. It has been completed before, or the host is gone; nothing is sent.
    pub fn complete(&self, completed: Completed) -> bool {
        let completed = self.fitted(completed);
        let open = self.shared.calls.finish(completed.request);
        if open {
            self.shared.send(completed.into());
        }
        open
    }

    /// Sends what is on its way, ends the stream and the native thread, and returns. It gives the host two seconds.
    /// Closing twice is closing once.
    pub fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has nothing left to send.
            let _ = thread.join();
        }
    }

    fn fitted(&self, mut completed: Completed) -> Completed {
        let limit = self.shared.message_max;
        let size = message_size(&completed);
        if size <= limit {
            return completed;
        }
        completed.outcome = match completed.outcome {
            Some(completed::Outcome::Raised(error)) => Some(completed::Outcome::Raised(shortened(&error))),
            other => other,
        };
        if message_size(&completed) > limit {
            completed.outcome = Some(completed::Outcome::Unsendable(Unsendable {
                path: "result".to_owned(),
                reason: format!("it makes a message of {size} bytes, and `message_max` is {limit}"),
            }));
        }
        completed
    }
}

impl Drop for WorkerEnd {
    fn drop(&mut self) {
        self.close();
    }
}

/// Most that [`WorkerMessage`] adds around its content, in bytes: a tag and a length.
const ENVELOPE: u64 = 11;

fn message_size(completed: &Completed) -> u64 {
    let inner = completed.encoded_len();
    (1 + prost::length_delimiter_len(inner) + inner) as u64
}

/// What of an exception always fits.
fn shortened(error: &PythonError) -> PythonError {
    let clip = |text: &str| text[..text.floor_char_boundary(SHORTENED)].to_owned();
    PythonError {
        r#type: clip(&error.r#type),
        module: clip(&error.module),
        message: clip(&error.message),
        notes: vec!["the exception was too large to be sent in full".to_owned()],
        ..PythonError::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_completion_is_that_of_its_message() {
        for length in [0, 100, 200, 20_000] {
            let completed = Completed {
                request: 300,
                outcome: Some(completed::Outcome::Value(vec![1; length].into())),
                ..Completed::default()
            };
            let message = WorkerMessage::from(completed.clone());
            assert_eq!(message_size(&completed), message.encoded_len() as u64);
        }
    }

    #[test]
    fn a_shortened_exception_keeps_whole_characters() {
        let error = PythonError {
            message: "é".repeat(SHORTENED),
            ..PythonError::default()
        };
        assert_eq!(shortened(&error).message, "é".repeat(SHORTENED / 2));
    }
}
