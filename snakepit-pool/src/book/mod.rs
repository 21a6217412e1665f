//! What the lock of a pool protects: the core, those who wait for it, and the workers it speaks of.

mod aftermath;
mod answers;
mod telling;

pub(crate) use aftermath::Aftermath;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use snakepit_config::PoolName;
use snakepit_profile::{
    Call, CallError, Completion, Completions, ExitReport, Outcome, RequestId, StartError, Worker,
    WorkerFacts, WorkerId, WorkerName,
};
use tokio::sync::oneshot;

use crate::call::Answer;
use crate::core::{Action, Canary, Core, Event, KillReason, Milestones, Moment, Phase, place_of};
use crate::driver::{Desk, Shared};
use crate::error::{ErrorKind, PoolError};
use crate::events::{EventJournal, RecycleReport};
use crate::roster::{Occupant, Roster};

/// Who is answered.
pub(crate) type Caller = oneshot::Sender<Result<Answer, PoolError>>;

/// The core and everything it decides about.
pub(crate) struct Book {
    pub(crate) core: Core,
    pub(crate) completed: u64,
    /// Calls that were refused before the core heard of them.
    pub(crate) refused: u64,
    /// By [`ErrorKind`].
    pub(crate) errors: [u64; ErrorKind::ALL.len()],
    /// Why the last start failed, if one has.
    pub(crate) start_error: Option<StartError>,
    pub(crate) last_recycled: Option<RecycleReport>,
    pub(crate) roster: Roster,
    pool: PoolName,
    actions: Vec<Action>,
    /// By [`place_of`] their request: no two live requests share a place.
    waiters: Vec<Option<Waiter>>,
    /// Tools of calls whose caller has gone and whose code may still run.
    stopping: BTreeMap<RequestId, Arc<str>>,
    /// Whose deadline was answered last, in this step: its worker may be told next.
    expired: Option<(RequestId, Arc<str>)>,
    /// Tools that say of themselves that running them twice does no harm, according to the newest worker.
    idempotent: BTreeSet<String>,
    /// Who the workers' calls report to.
    desk: Weak<Shared>,
    journal: Arc<EventJournal>,
    /// What the timer task sleeps for.
    sleeps_until: Moment,
    published: Milestones,
    /// What [`Canary::AbortOvertakes`] holds back.
    held_back: Vec<(RequestId, WorkerId)>,
    /// What a test sees of every step.
    #[cfg(test)]
    pub(crate) probe: Option<Probe>,
}

/// Sees the core after a step, the event that it took, and what is to be done: before it is.
#[cfg(test)]
pub(crate) type Probe = Box<dyn Fn(&Core, Option<Event>, &[Action]) + Send>;

/// A caller.
pub(crate) struct Waiter {
    request: RequestId,
    caller: Caller,
    /// Kept until the answer: what is lost with a worker may be given to another.
    call: Call,
    /// How the call was lost last, while it waits for another attempt.
    loss: Option<CallError>,
}

/// What answers are made of, beside the core's verdict.
pub(crate) enum Evidence<'a> {
    None,
    Outcome(Outcome),
    Exit(&'a Occupant, &'a ExitReport),
}
// === impl Book ===

impl Book {
    pub(crate) fn new(pool: PoolName, core: Core, desk: Weak<Shared>, journal: Arc<EventJournal>) -> Self {
        Self {
            core,
            completed: 0,
            refused: 0,
            errors: [0; ErrorKind::ALL.len()],
            start_error: None,
            last_recycled: None,
            roster: Roster::default(),
            pool,
            actions: Vec::new(),
            waiters: Vec::new(),
            stopping: BTreeMap::new(),
            expired: None,
            idempotent: BTreeSet::new(),
            desk,
            journal,
            sleeps_until: Moment::ZERO,
            published: Milestones::default(),
            held_back: Vec::new(),
            #[cfg(test)]
            probe: None,
        }
    }

    /// Hands the core an event and carries out what it answers.
    pub(crate) fn step(&mut self, now: Moment, event: Event, evidence: Evidence<'_>, after: &mut Aftermath) {
        self.core.handle(now, event, &mut self.actions);
        #[cfg(test)]
        self.look(Some(event), 0);
        self.perform(now, evidence, after);
    }

    pub(crate) fn step_timeout(&mut self, now: Moment, after: &mut Aftermath) {
        self.core.handle_timeout(now, &mut self.actions);
        #[cfg(test)]
        self.look(None, 0);
        self.perform(now, Evidence::None, after);
    }

    /// Shows a test the core, and its actions since the one of this number.
    #[cfg(test)]
    fn look(&self, event: Option<Event>, from: usize) {
        if let Some(probe) = &self.probe {
            probe(&self.core, event, &self.actions[from..]);
        }
    }

    /// Carries out the actions in their order.
    fn perform(&mut self, now: Moment, mut evidence: Evidence<'_>, after: &mut Aftermath) {
        let overtaken = std::mem::take(&mut self.held_back);
        let mut at = 0;
        while let Some(&action) = self.actions.get(at) {
            at += 1;
            match action {
                Action::Dispatch { request, worker } if self.core.has(Canary::AbortOvertakes) => {
                    self.held_back.push((request, worker));
                }
                Action::Dispatch { request, worker } => self.dispatch(now, request, worker, after),
                Action::Answer { request, verdict } => self.answer(request, verdict, &mut evidence, after),
                Action::Abort { request, worker } => self.abort(request, worker),
                Action::Spawn { worker } => {
                    let sink = Arc::new(Desk::new(Weak::clone(&self.desk), worker));
                    self.roster.add(worker, sink as Arc<dyn Completions>);
                    after.launches.push(worker);
                }
                Action::Stop { worker } => {
                    if let Some(occupant) = self.roster.get_mut(worker) {
                        occupant.dismissed = true;
                    }
                    self.roster.ask(worker, Worker::drain);
                }
                Action::Terminate { worker } => self.roster.ask(worker, Worker::terminate),
                Action::Kill { worker, reason } => self.kill(worker, reason),
                Action::Note(notice) => self.note(notice, &mut evidence, after),
            }
        }
        self.actions.clear();
        if let Evidence::Outcome(unused) = evidence {
            after.discarded_outcomes.push(unused);
        }
        for (request, worker) in overtaken {
            self.dispatch(now, request, worker, after);
        }
    }

    /// Hands a request to its worker. The completion of one that could not be handed over is not dropped here: that
    /// would report under the lock.
    fn dispatch(&mut self, now: Moment, request: RequestId, worker: WorkerId, after: &mut Aftermath) {
        let Some(occupant) = self.roster.get(worker) else {
            return;
        };
        let completion = Completion::new(request, Arc::clone(&occupant.sink));
        let waiter = self.waiters.get(place_of(request)).and_then(Option::as_ref);
        let waiter = waiter.filter(|waiter| waiter.request == request);
        let (Some(waiter), Some(handle)) = (waiter, &occupant.worker) else {
            after.unsent.push(completion);
            return;
        };
        if let Err((_, completion)) = handle.submit(waiter.call.clone(), completion) {
            after.unsent.push(completion);
            // Otherwise a dead worker, always idle, would take and fail everything that waits.
            let event = Event::Severed { worker };
            #[cfg(test)]
            let from = self.actions.len();
            self.core.handle(now, event, &mut self.actions);
            #[cfg(test)]
            self.look(Some(event), from);
        }
    }

    /// Its caller is forgotten in the same step, so that this is the last time its tool is known.
    fn abort(&mut self, request: RequestId, worker: WorkerId) {
        let waiter = self.waiters.get(place_of(request)).and_then(Option::as_ref);
        let waiting = waiter.filter(|waiter| waiter.request == request);
        let answered = self.expired.take_if(|(expired, _)| *expired == request);
        let tool = waiting.map(|waiter| Arc::clone(&waiter.call.tool));
        if let Some(tool) = tool.or(answered.map(|(_, tool)| tool)) {
            self.stopping.insert(request, tool);
        }
        self.roster.ask(worker, |it| it.abort(request));
    }

    fn kill(&mut self, worker: WorkerId, reason: KillReason) {
        // A worker that takes no more calls has died by itself, and the kill only makes sure.
        if reason != KillReason::Severed
            && let Some(occupant) = self.roster.get_mut(worker)
        {
            occupant.killed = Some(reason);
        }
        self.roster.ask(worker, |it| it.kill(reason.as_str()));
    }

    pub(crate) fn worker_name(&self, id: WorkerId) -> WorkerName {
        WorkerName {
            pool: self.pool.clone(),
            id,
        }
    }

    // Callers.

    /// Notes who waits for a call that is about to be submitted.
    pub(crate) fn expect(&mut self, call: Call, caller: Caller) {
        let request = call.request;
        let place = place_of(request);
        if place >= self.waiters.len() {
            self.waiters.resize_with(place + 1, || None);
        }
        self.waiters[place] = Some(Waiter {
            request,
            caller,
            call,
            loss: None,
        });
    }

    pub(crate) fn forget(&mut self, request: RequestId) -> Option<Waiter> {
        let waiter = self.waiters.get_mut(place_of(request))?;
        waiter.take_if(|waiter| waiter.request == request)
    }

    // Workers.

    /// A worker says what it is and offers.
    pub(crate) fn introduce(&mut self, id: WorkerId, facts: Arc<WorkerFacts>) -> bool {
        let idempotent = facts.tools.iter().filter(|tool| tool.idempotent);
        self.idempotent = idempotent.map(|tool| tool.name.clone()).collect();
        self.roster.introduce(id, facts)
    }

    /// Whether a tool says of itself that running it twice does no harm.
    pub(crate) fn is_idempotent(&self, tool: &str) -> bool {
        !self.idempotent.is_empty() && self.idempotent.contains(tool)
    }

    // Time.

    /// What the timer task shall sleep for.
    pub(crate) fn sleep(&mut self) -> Moment {
        self.sleeps_until = self.core.next_deadline().unwrap_or(Moment::NEVER);
        self.sleeps_until
    }

    /// Whether the timer task sleeps past the next deadline. Says so once.
    pub(crate) fn slept_too_long(&mut self) -> bool {
        let due = self.core.next_deadline().unwrap_or(Moment::NEVER);
        let too_long = due < self.sleeps_until;
        self.sleeps_until = self.sleeps_until.min(due);
        too_long
    }

    /// Milestones that nobody was told of.
    pub(crate) fn news(&mut self) -> Option<Milestones> {
        let milestones = self.core.milestones();
        (std::mem::replace(&mut self.published, milestones) != milestones).then_some(milestones)
    }

    /// Whether the pool may still be changed.
    pub(crate) fn still_open(&self) -> Result<(), PoolError> {
        let pool = self.pool.clone();
        match self.core.phase() {
            Phase::Open => Ok(()),
            Phase::Failed => Err(PoolError::PoolNotInitialized {
                pool,
                source: self.start_error.clone(),
            }),
            Phase::Draining | Phase::Closing => Err(PoolError::ShuttingDown { pool }),
        }
    }

    /// Counts by kind, without those that never came.
    pub(crate) fn errors_by_kind(&self) -> BTreeMap<ErrorKind, u64> {
        let counted = ErrorKind::ALL.into_iter().zip(self.errors);
        counted.filter(|&(_, count)| count > 0).collect()
    }
}
