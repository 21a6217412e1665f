//! Calls on their way from the connection's thread to the threads that run tools, and what is open.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::AbortHandle;

/// One call to run. Whoever takes it owes the host one [`complete`](crate::worker::WorkerEnd::complete).
#[derive(Debug)]
pub struct IncomingCall {
    /// Its id, unique on this connection.
    pub request: u64,
    /// Name of the tool.
    pub tool: String,
    /// A MessagePack map of keyword arguments, not checked yet.
    pub arguments: Bytes,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// W3C trace context, where the caller has one.
    pub traceparent: Option<String>,
    /// Set once the caller has gone.
    pub abort: AbortFlag,
}

/// Says whether a call's caller has gone. Its code should stop as soon as it can.
#[derive(Debug, Clone, Default)]
pub struct AbortFlag(Arc<AtomicBool>);

/// What [`next_call`](crate::worker::WorkerEnd::next_call) found.
#[derive(Debug)]
pub enum Next {
    /// A call to run.
    Call(IncomingCall),
    /// Nothing came in time.
    Nothing,
    /// Nothing will come any more: the host has asked to drain, or is gone. Clean up and close.
    Drained,
}

/// The calls a worker has: waiting ones in order, and all that are open.
#[derive(Debug)]
pub(crate) struct Calls {
    state: Mutex<State>,
    arrived: Condvar,
    slots: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<IncomingCall>,
    /// Every call that is not completed, waiting ones included.
    open: HashMap<u64, OpenCall>,
    ended: bool,
}

/// A call that is not completed.
#[derive(Debug)]
struct OpenCall {
    abort: AbortFlag,
    /// The task that tries to stop its code. It ends with the call.
    stopping: Option<AbortHandle>,
}

/// The host dispatched what it must not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unexpected {
    /// More calls than slots.
    TooMany,
    /// A request id that is in use.
    Repeated,
}

/// What an abort found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AbortOutcome {
    /// Nobody had taken the call; it is gone and must be answered as never started.
    Unstarted,
    /// Its code runs and has been told.
    Told,
    /// It has ended already.
    Ended,
}

impl AbortFlag {
    /// Whether the caller has gone.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Calls {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            slots,
        }
    }

    /// Takes in a call from the host.
    pub(crate) fn arrive(&self, call: IncomingCall) -> Result<(), Unexpected> {
        let mut state = self.lock();
        if state.open.contains_key(&call.request) {
            return Err(Unexpected::Repeated);
        }
        if state.open.len() >= self.slots {
            return Err(Unexpected::TooMany);
        }
        let open = OpenCall {
            abort: call.abort.clone(),
            stopping: None,
        };
        state.open.insert(call.request, open);
        state.waiting.push_back(call);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for a call, at most `patience`. Waiting calls are handed out even after the end was announced.
    pub(crate) fn next(&self, patience: Duration) -> Next {
        let nothing_to_say = |state: &mut State| state.waiting.is_empty() && !state.ended;
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(self.lock(), patience, nothing_to_say)
            .unwrap_or_else(PoisonError::into_inner);
        match state.waiting.pop_front() {
            Some(call) => Next::Call(call),
            None if state.ended => Next::Drained,
            None => Next::Nothing,
        }
    }

    /// The caller of `request` has gone.
    pub(crate) fn abort(&self, request: u64) -> AbortOutcome {
        let mut state = self.lock();
        let running = state.open.get(&request).map(|call| call.abort.set());
        match state.waiting.iter().position(|call| call.request == request) {
            Some(index) => {
                state.waiting.remove(index);
                state.open.remove(&request);
                AbortOutcome::Unstarted
            }
            None if running.is_some() => AbortOutcome::Told,
            None => AbortOutcome::Ended,
        }
    }

    /// Keeps the task that tries to stop the code of `request`, for as long as that runs.
    pub(crate) fn stop_with(&self, request: u64, task: AbortHandle) {
        match self.lock().open.get_mut(&request) {
            Some(call) => call.stopping = Some(task),
            None => task.abort(),
        }
    }

    /// Ends one open call. `false`: there is none by that id.
    pub(crate) fn finish(&self, request: u64) -> bool {
        self.lock().open.remove(&request).is_some()
    }

    /// Announces that nothing more will come.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_all();
    }

    /// The host is gone: nobody wants what waits or runs.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.open.drain().for_each(|(_, call)| call.abort.set());
        state.ended = true;
        drop(state);
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl OpenCall ===

impl Drop for OpenCall {
    fn drop(&mut self) {
        if let Some(task) = self.stopping.take() {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(request: u64) -> IncomingCall {
        IncomingCall {
            request,
            tool: "t".to_owned(),
            arguments: Bytes::new(),
            deadline: None,
            traceparent: None,
            abort: AbortFlag::default(),
        }
    }

    #[test]
    fn the_host_cannot_have_more_calls_open_than_there_are_slots() {
        let calls = Calls::new(1);
        calls.arrive(call(1)).unwrap();
        assert_eq!(calls.arrive(call(2)), Err(Unexpected::TooMany));
        assert!(matches!(calls.next(Duration::ZERO), Next::Call(_)));
        assert_eq!(
            calls.arrive(call(2)),
            Err(Unexpected::TooMany),
            "a running call holds its slot"
        );
        assert!(calls.finish(1));
        assert!(!calls.finish(1), "a call ends once");
        calls.arrive(call(2)).unwrap();
    }

    #[test]
    fn a_request_id_is_used_once_at_a_time() {
        let calls = Calls::new(2);
        calls.arrive(call(1)).unwrap();
        assert_eq!(calls.arrive(call(1)), Err(Unexpected::Repeated));
    }

    #[test]
    fn an_abort_takes_a_waiting_call_back_and_tells_a_running_one() {
        let calls = Calls::new(2);
        calls.arrive(call(1)).unwrap();
        assert_eq!(calls.abort(1), AbortOutcome::Unstarted);
        assert!(matches!(calls.next(Duration::ZERO), Next::Nothing));
        calls.arrive(call(2)).unwrap();
        let Next::Call(running) = calls.next(Duration::ZERO) else {
            panic!("a call waits")
        };
        assert!(!running.abort.is_set());
        assert_eq!(calls.abort(2), AbortOutcome::Told);
        assert!(running.abort.is_set());
        assert_eq!(
            calls.abort(99),
            AbortOutcome::Ended,
            "an abort that comes too late is ignored"
        );
    }

    #[test]
    fn draining_hands_out_what_waits_before_it_says_so() {
        let calls = Calls::new(1);
        calls.arrive(call(1)).unwrap();
        calls.end();
        assert!(matches!(calls.next(Duration::ZERO), Next::Call(_)));
        assert!(matches!(calls.next(Duration::from_mins(1)), Next::Drained));
    }

    #[test]
    fn a_waiting_thread_is_woken_by_a_call() {
        let calls = Arc::new(Calls::new(1));
        let waiting = Arc::clone(&calls);
        let thread = std::thread::spawn(move || waiting.next(Duration::from_mins(1)));
        calls.arrive(call(5)).unwrap();
        let Next::Call(got) = thread.join().unwrap() else {
            panic!("the call was there")
        };
        assert_eq!(got.request, 5);
    }
}
