//! One worker as its pool sees it: the way to its process and the account of what it owes.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prost::Message as _;
use rustix::process::Signal;
use snakepit_profile::{
    Call, CallError, Completion, Exit, Health, LaunchSpec, RequestId, StartError, Worker, WorkerEvents,
    WorkerFacts, WorkerName,
};
use tokio::sync::{Notify, watch};
use tonic::Status;

use crate::host::group::Group;
use crate::host::memory::Census;
use crate::host::output::Ring;
use crate::host::pending::{PINGS_MAX, Pending, PendingCall};
use crate::outbox::{Outbox, Outgoing};
use crate::proto::{Abort, Dispatch, Drain, HostMessage, Ping, Welcome};

/// What the response stream carries.
pub(super) type ToWorker = Result<HostMessage, Status>;

/// One worker's process, connection and debts. The pool holds it as [`Worker`], its own task drives it.
pub(super) struct Link {
    spec: LaunchSpec,
    group: Group,
    census: Arc<Census>,
    outbox: Arc<Outbox<ToWorker>>,
    state: Mutex<State>,
    events: Arc<dyn WorkerEvents>,
    exit: watch::Sender<Option<Exit>>,
    /// Calls were refused before they were sent.
    pub(super) refusals: Notify,
    pub(super) output: Ring,
    _lifeline: OwnedFd,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) pending: Pending,
    pub(super) outgoing: Option<Outgoing<ToWorker>>,
    pub(super) facts: Option<Arc<WorkerFacts>>,
    pub(super) start_error: Option<StartError>,
    pub(super) killed_because: Option<String>,
    pub(super) was_ready: bool,
    draining: bool,
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// Its process exists.
    #[default]
    Created,
    /// Its handshake is accepted.
    Greeted,
    /// Its warm-up is done.
    Ready,
    /// It has said that it cannot start.
    Failed,
    /// It has ended.
    Ended,
}

impl Link {
    pub(super) fn new(
        spec: LaunchSpec,
        events: Arc<dyn WorkerEvents>,
        group: Group,
        lifeline: OwnedFd,
        census: Arc<Census>,
    ) -> Arc<Self> {
        let slots = spec.slots.get() as usize;
        // A dispatch and an abort for every slot, `Welcome` and `Drain`, and beside them the pings: what is pushed by
        // the rules always fits.
        let (outbox, outgoing) = Outbox::new(PINGS_MAX + 2 + 2 * slots);
        Arc::new(Self {
            output: Ring::new(spec.worker.clone()),
            spec,
            group,
            census,
            outbox,
            state: Mutex::new(State {
                outgoing: Some(outgoing),
                ..State::default()
            }),
            events,
            exit: watch::Sender::new(None),
            refusals: Notify::new(),
            _lifeline: lifeline,
        })
    }

    pub(super) fn spec(&self) -> &LaunchSpec {
        &self.spec
    }

    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    pub(super) fn events(&self) -> &dyn WorkerEvents {
        &*self.events
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts the handshake: `Welcome` is the first message of the stream that is returned. `None`: it has been taken.
    pub(super) fn welcome(&self, facts: WorkerFacts) -> Option<Outgoing<ToWorker>> {
        let mut state = self.lock();
        let outgoing = state.outgoing.take()?;
        state.facts = Some(Arc::new(facts));
        state.phase = Phase::Greeted;
        self.send(Welcome {}.into());
        if state.draining {
            self.send(Drain {}.into());
        }
        Some(outgoing)
    }

    /// Kills the group. The first reason given is the one that is told.
    pub(super) fn kill_because(&self, reason: &str) {
        {
            let mut state = self.lock();
            if state.phase != Phase::Ended {
                state.killed_because.get_or_insert_with(|| reason.to_owned());
            }
        }
        self.group.kill();
    }

    /// Whether the end of its stream is what was asked for, or announced.
    pub(super) fn may_leave(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Failed || (state.draining && state.pending.calls.is_empty())
    }

    /// Ends the stream towards the worker.
    pub(super) fn hang_up(&self) {
        self.outbox.close();
        // A stream that nobody ever took would keep what is queued in it.
        self.lock().outgoing = None;
    }

    pub(super) fn announce_exit(&self, exit: Exit) {
        self.exit.send_replace(Some(exit));
    }

    fn send(&self, message: HostMessage) {
        // Refused means that the connection is gone, which the worker's task sees by itself.
        let _ = self.outbox.push(Ok(message));
    }

    fn too_large(&self, message: &HostMessage) -> Option<CallError> {
        let (size, limit) = (message.encoded_len() as u64, self.spec.limits.message_max);
        (size > limit).then_some(CallError::TooLarge {
            what: "the call",
            size,
            limit,
        })
    }
}

fn dispatch(call: &Call) -> HostMessage {
    let left = call
        .deadline
        .map(|deadline| deadline.saturating_duration_since(Instant::now()));
    Dispatch {
        request: call.request.0,
        tool: call.tool.as_ref().to_owned(),
        arguments: call.arguments.clone(),
        time_left_ns: left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX)),
        traceparent: call.traceparent.as_deref().unwrap_or_default().to_owned(),
    }
    .into()
}

#[async_trait]
impl Worker for Link {
    fn name(&self) -> &WorkerName {
        &self.spec.worker
    }

    fn pid(&self) -> u32 {
        self.group.pid()
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        let state = self.lock();
        state.facts.clone().filter(|_| state.was_ready)
    }

    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        let message = dispatch(&call);
        let too_large = self.too_large(&message);
        let mut state = self.lock();
        if state.phase != Phase::Ready {
            return Err((call, completion));
        }
        let request = call.request.0;
        if state.pending.load() >= self.spec.slots.get() as usize
            || state.pending.calls.contains_key(&request)
        {
            tracing::error!(worker = %self.spec.worker, %call.request, "a worker was given a call that it has no slot for");
            return Err((call, completion));
        }
        if let Some(error) = too_large {
            state.pending.refused.push((completion, error));
            drop(state);
            self.refusals.notify_one();
            return Ok(());
        }
        // Under the lock, so that the end of the worker finds the call either sent or given back.
        if self.outbox.push(Ok(message)).is_err() {
            return Err((call, completion));
        }
        state.pending.calls.insert(
            request,
            PendingCall {
                tool: call.tool,
                completion,
                aborted: false,
            },
        );
        Ok(())
    }

    fn abort(&self, request: RequestId) {
        let mut state = self.lock();
        let Some(call) = state.pending.calls.get_mut(&request.0) else {
            return;
        };
        if !std::mem::replace(&mut call.aborted, true) {
            self.send(Abort { request: request.0 }.into());
        }
    }

    fn drain(&self) {
        let mut state = self.lock();
        let greeted = state.phase != Phase::Created;
        if !std::mem::replace(&mut state.draining, true) && greeted {
            self.send(Drain {}.into());
        }
    }

    fn terminate(&self) {
        self.group.signal(Signal::TERM);
    }

    fn kill(&self, reason: &str) {
        self.kill_because(reason);
    }

    async fn health(&self, patience: Duration) -> Health {
        let asked = Instant::now();
        let ping = {
            let mut state = self.lock();
            match state.phase {
                Phase::Ended => return Health::Gone,
                // Nothing may be sent before `Welcome`.
                Phase::Created => return Health::Silent,
                Phase::Greeted | Phase::Ready | Phase::Failed => {}
            }
            let ping = state.pending.ping();
            if let Some((nonce, _)) = &ping {
                let message = Ping { nonce: *nonce }.into();
                // What is not sent is not answered.
                let _ = self.outbox.push_below(Ok(message), PINGS_MAX);
            }
            ping
        };
        let Some((_, answered)) = ping else {
            return Health::Silent;
        };
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(())) => Health::Alive(asked.elapsed()),
            // The worker's end drops the other side.
            Ok(Err(_)) => Health::Gone,
            Err(_) => Health::Silent,
        }
    }

    async fn memory(&self) -> Option<u64> {
        let (census, group) = (Arc::clone(&self.census), self.group.leader().as_raw_nonzero());
        let measuring = tokio::task::spawn_blocking(move || census.memory(group.get()));
        let memory = measuring.await.ok().flatten()?;
        // Asked afterwards: as long as the leader is not reaped, its number means nobody else.
        (!self.group.is_reaped()).then_some(memory)
    }

    async fn exited(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        loop {
            if let Some(exit) = *exit.borrow_and_update() {
                return exit;
            }
            // The sender is part of `self`: it cannot go away while this waits.
            let _ = exit.changed().await;
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("worker", &self.spec.worker)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
