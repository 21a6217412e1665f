//! What a worker owes: the calls it has been given and the pings it has not answered.

use std::collections::HashMap;
use std::sync::Arc;

use snakepit_profile::{CallError, Completion};
use tokio::sync::oneshot;

/// A call that was handed over.
#[derive(Debug)]
pub(super) struct PendingCall {
    pub(super) tool: Arc<str>,
    pub(super) completion: Completion,
    pub(super) aborted: bool,
}

/// Everything that is still to come from one worker.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) calls: HashMap<u64, PendingCall>,
    pub(super) pings: HashMap<u64, oneshot::Sender<()>>,
    /// Calls that were refused before they were sent. Whoever submitted them must not be called back from within, so
    /// the worker's task tells him.
    pub(super) refused: Vec<(Completion, CallError)>,
    last_nonce: u64,
}

/// Pings that may wait for an answer, so that they leave room for calls.
pub(super) const PINGS_MAX: usize = 16;

impl Pending {
    /// Calls that hold a slot.
    pub(super) fn load(&self) -> usize {
        self.calls.len() + self.refused.len()
    }

    /// Notes a ping. `None`: too many wait already.
    pub(super) fn ping(&mut self) -> Option<(u64, oneshot::Receiver<()>)> {
        self.pings.retain(|_, waiting| !waiting.is_closed());
        if self.pings.len() >= PINGS_MAX {
            return None;
        }
        self.last_nonce += 1;
        let (answer, answered) = oneshot::channel();
        self.pings.insert(self.last_nonce, answer);
        Some((self.last_nonce, answered))
    }
}
