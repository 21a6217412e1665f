//! Which workers are expected, and which are alive.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::rand::{GetRandomFlags, getrandom};
use snakepit_profile::LaunchSpec;
use tokio::sync::oneshot;
use tonic::Streaming;

use crate::host::link::Link;
use crate::proto::WorkerMessage;

/// Bytes of a token.
const TOKEN: usize = 32;

/// One worker's secret. It opens one connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Token([u8; TOKEN]);

/// A worker whose process exists and which has not dialled home yet.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) link: Arc<Link>,
    /// Where its messages are waited for.
    pub(super) connected: oneshot::Sender<Streaming<WorkerMessage>>,
}

/// The place of a worker to come. It is taken before there is a process, since a quick worker dials home before the
/// host has even noted its pid.
pub(super) struct Place {
    handshake_timeout: Duration,
    pub(super) expected: oneshot::Receiver<Expected>,
}

#[derive(Default)]
pub(super) struct Registry(Mutex<State>);

#[derive(Default)]
struct State {
    /// Looked up by a keyed hash of the token, so that the time a wrong one takes says nothing of the right one.
    places: HashMap<Token, Place>,
    alive: HashMap<u32, Arc<Link>>,
    /// Largest message of any worker that was ever expected: a decoder is made before it is known whose it is.
    message_max: u64,
    closed: bool,
}

impl Registry {
    /// Takes a place for a worker to come. `None`: the host is shutting down.
    pub(super) fn reserve(&self, token: Token, spec: &LaunchSpec) -> Option<oneshot::Sender<Expected>> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.message_max = state.message_max.max(spec.limits.message_max);
        let (sender, expected) = oneshot::channel();
        let handshake_timeout = spec.handshake_timeout;
        state.places.insert(
            token,
            Place {
                handshake_timeout,
                expected,
            },
        );
        Some(sender)
    }

    /// Gives up a place, whoever was expected there.
    pub(super) fn revoke(&self, token: &Token) {
        self.lock().places.remove(token);
    }

    /// The place that a token belongs to, for which it stops being good.
    pub(super) fn claim(&self, token: &[u8]) -> Option<(Token, Place)> {
        let token = Token(token.try_into().ok()?);
        self.lock().places.remove_entry(&token)
    }

    /// Makes a token good again: it was presented by somebody it does not belong to.
    pub(super) fn give_back(&self, token: Token, expected: Expected) {
        let handshake_timeout = expected.link.spec().handshake_timeout;
        let (sender, receiver) = oneshot::channel();
        // The receiver is here: it takes what is sent.
        let _ = sender.send(expected);
        let mut state = self.lock();
        if !state.closed {
            state.places.insert(
                token,
                Place {
                    handshake_timeout,
                    expected: receiver,
                },
            );
        }
    }

    /// Notes a new process. `false`: the host is shutting down, and it must not stay.
    pub(super) fn enlist(&self, link: &Arc<Link>) -> bool {
        let mut state = self.lock();
        if !state.closed {
            state.alive.insert(link.group().pid(), Arc::clone(link));
        }
        !state.closed
    }

    /// A worker has ended and been reported.
    pub(super) fn forget(&self, link: &Arc<Link>) {
        let mut state = self.lock();
        let pid = link.group().pid();
        // Its number may already be that of the next.
        if state
            .alive
            .get(&pid)
            .is_some_and(|alive| Arc::ptr_eq(alive, link))
        {
            state.alive.remove(&pid);
        }
    }

    /// Expects nobody any more, and returns who is alive.
    pub(super) fn close(&self) -> Vec<Arc<Link>> {
        let (alive, places) = {
            let mut state = self.lock();
            state.closed = true;
            let alive = state.alive.values().cloned().collect();
            (alive, std::mem::take(&mut state.places))
        };
        // Without the lock: a place may hold the last reference to more than itself.
        drop(places);
        alive
    }

    pub(super) fn message_max(&self) -> u64 {
        self.lock().message_max
    }

    /// The longest that any expected worker may take for its handshake.
    pub(super) fn handshake_timeout(&self) -> Option<Duration> {
        self.lock()
            .places
            .values()
            .map(|place| place.handshake_timeout)
            .max()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    pub(super) fn random() -> io::Result<Self> {
        let mut token = [0; TOKEN];
        let mut filled = 0;
        while filled < TOKEN {
            filled += getrandom(&mut token[filled..], GetRandomFlags::empty())?;
        }
        Ok(Self(token))
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}
