//! What the lock of a pool protects: the core, those who wait for it, and the workers it speaks of.

use std::sync::Arc;
use std::time::Duration;

use snakepit_config::PoolName;
use snakepit_profile::{
    Call, CallError, Completion, Completions, Executed, Exit, ExitReport, Outcome, RequestId, StartError,
    Worker, WorkerFacts, WorkerId, WorkerLost, WorkerName,
};
use tokio::sync::oneshot;

use crate::call::{Answer, Receipt};
use crate::core::{Action, Core, Event, KillReason, Milestones, Moment, Service, Verdict, place_of};
use crate::error::{ErrorKind, PoolError};

/// Who is answered.
pub(crate) type Caller = oneshot::Sender<Result<Answer, PoolError>>;

/// The core and everything it decides about.
pub(crate) struct Book {
    pub(crate) core: Core,
    pub(crate) completed: u64,
    /// By [`ErrorKind`].
    pub(crate) errors: [u64; ErrorKind::ALL.len()],
    /// Why the last start failed, if one has.
    pub(crate) start_error: Option<StartError>,
    /// One per slot.
    pub(crate) occupants: Vec<Occupant>,
    pool: PoolName,
    actions: Vec<Action>,
    /// By [`place_of`] their request: no two live requests share a place.
    waiters: Vec<Option<Waiter>>,
    sink: Arc<dyn Completions>,
    /// What the timer task sleeps for.
    sleeps_until: Moment,
    published: Milestones,
}

/// A caller.
pub(crate) struct Waiter {
    request: RequestId,
    caller: Caller,
    /// Until it is dispatched.
    call: Option<Call>,
}

/// The present or last worker of a slot.
#[derive(Default)]
pub(crate) struct Occupant {
    /// `None` before the first.
    pub(crate) id: Option<WorkerId>,
    /// From the launch to the end.
    pub(crate) worker: Option<Arc<dyn Worker>>,
    pub(crate) pid: u32,
    /// Since it is ready.
    pub(crate) facts: Option<Arc<WorkerFacts>>,
    /// The launch has not returned. What is reported meanwhile waits for it, so that the core hears it in order.
    launching: bool,
    early_exit: Option<ExitReport>,
    /// Why the pool killed it, if it did.
    killed: Option<KillReason>,
    /// The pool has asked it to stop.
    dismissed: bool,
}

/// What was reported of a worker before its launch had returned.
pub(crate) struct Early {
    pub(crate) ready: bool,
    pub(crate) exited: Option<ExitReport>,
}

/// How a worker has ended.
pub(crate) enum Ending {
    /// As the pool had asked it to.
    Asked,
    /// By itself, after it was ready.
    Died(Exit),
    /// Before it was ready.
    NeverReady(StartError),
}

/// What answers are made of, beside the core's verdict.
pub(crate) enum Evidence<'a> {
    None,
    Outcome(Outcome),
    Exit(&'a ExitReport),
}

/// What is to be done once the lock is free.
#[derive(Default)]
pub(crate) struct Aftermath {
    pub(crate) launches: Vec<WorkerId>,
    /// Calls whose worker was gone when they were handed over.
    pub(crate) unsent: Vec<Completion>,
    /// The timer task must look again.
    pub(crate) sooner: bool,
    pub(crate) milestones: Option<Milestones>,
    /// The first answer has a place of its own: most steps have one, and a vector would allocate for it.
    answer: Option<(Caller, Result<Answer, PoolError>)>,
    more_answers: Vec<(Caller, Result<Answer, PoolError>)>,
    /// Dropped outside the lock, since that runs code of others.
    discarded: Option<Waiter>,
    discarded_workers: Vec<Arc<dyn Worker>>,
}

// === impl Book ===

impl Book {
    pub(crate) fn new(pool: PoolName, core: Core, sink: Arc<dyn Completions>) -> Self {
        Self {
            occupants: core.workers().map(|_| Occupant::default()).collect(),
            core,
            completed: 0,
            errors: [0; ErrorKind::ALL.len()],
            start_error: None,
            pool,
            actions: Vec::new(),
            waiters: Vec::new(),
            sink,
            sleeps_until: Moment::ZERO,
            published: Milestones::default(),
        }
    }

    /// Hands the core an event and carries out what it answers.
    pub(crate) fn step(&mut self, now: Moment, event: Event, evidence: Evidence<'_>, after: &mut Aftermath) {
        self.core.handle(now, event, &mut self.actions);
        self.perform(now, evidence, after);
    }

    pub(crate) fn step_timeout(&mut self, now: Moment, after: &mut Aftermath) {
        self.core.handle_timeout(now, &mut self.actions);
        self.perform(now, Evidence::None, after);
    }

    /// Carries out the actions in their order.
    fn perform(&mut self, now: Moment, mut evidence: Evidence<'_>, after: &mut Aftermath) {
        let mut at = 0;
        while let Some(&action) = self.actions.get(at) {
            at += 1;
            match action {
                Action::Dispatch { request, worker } => self.dispatch(now, request, worker, after),
                Action::Answer { request, verdict } => {
                    let result = self.conclude(verdict, &mut evidence);
                    match &result {
                        Ok(_) => self.completed += 1,
                        Err(error) => self.errors[error.kind() as usize] += 1,
                    }
                    if let Some(waiter) = self.forget(request) {
                        after.push_answer(waiter.caller, result);
                    }
                }
                Action::Abort { request, worker } => self.on_worker(worker, |it| it.abort(request)),
                Action::Spawn { worker } => {
                    self.occupants[worker.slot as usize] = Occupant {
                        id: Some(worker),
                        launching: true,
                        ..Occupant::default()
                    };
                    after.launches.push(worker);
                }
                Action::Stop { worker } => {
                    self.occupants[worker.slot as usize].dismissed = true;
                    self.on_worker(worker, Worker::drain);
                }
                Action::Terminate { worker } => self.on_worker(worker, Worker::terminate),
                Action::Kill { worker, reason } => {
                    // A worker that takes no more calls has died by itself, and the kill only makes sure.
                    if reason != KillReason::Severed {
                        self.occupants[worker.slot as usize].killed = Some(reason);
                    }
                    self.on_worker(worker, |it| it.kill(reason.as_str()));
                }
            }
        }
        self.actions.clear();
    }

    /// Hands a request to its worker. The completion of one that could not be handed over is not dropped here: that
    /// would report under the lock.
    fn dispatch(&mut self, now: Moment, request: RequestId, worker: WorkerId, after: &mut Aftermath) {
        let completion = Completion::new(request, Arc::clone(&self.sink));
        let waiter = self.waiters.get_mut(place_of(request)).and_then(Option::as_mut);
        let call = waiter
            .filter(|waiter| waiter.request == request)
            .and_then(|waiter| waiter.call.take());
        let (Some(call), Some(handle)) = (call, &self.occupants[worker.slot as usize].worker) else {
            after.unsent.push(completion);
            return;
        };
        if let Err((_, completion)) = handle.submit(call, completion) {
            after.unsent.push(completion);
            // Otherwise a dead worker, always idle, would take and fail everything that waits.
            self.core
                .handle(now, Event::Severed { worker }, &mut self.actions);
        }
    }

    fn on_worker(&self, worker: WorkerId, ask: impl FnOnce(&dyn Worker)) {
        let occupant = &self.occupants[worker.slot as usize];
        if occupant.id == Some(worker)
            && let Some(handle) = &occupant.worker
        {
            ask(handle.as_ref());
        }
    }

    /// What a caller is told.
    fn conclude(&self, verdict: Verdict, evidence: &mut Evidence<'_>) -> Result<Answer, PoolError> {
        let pool = self.pool.clone();
        Err(match verdict {
            Verdict::Reported(service) => match std::mem::replace(evidence, Evidence::None) {
                Evidence::Outcome(Ok(reply)) => return Ok(self.answer(service, reply)),
                Evidence::Outcome(Err(error)) => error.into(),
                Evidence::None | Evidence::Exit(_) => CallError::Aborted { started: true }.into(),
            },
            Verdict::WorkerLost(service) => match evidence {
                Evidence::Exit(report) => {
                    let occupant = &self.occupants[service.worker.slot as usize];
                    let mut lost =
                        WorkerLost::new(self.worker_name(service.worker), occupant.pid, report.exit);
                    lost.killed_because = occupant.killed.map(|reason| reason.as_str().to_owned());
                    lost.output.clone_from(&report.output);
                    CallError::Lost(Box::new(lost)).into()
                }
                Evidence::None | Evidence::Outcome(_) => CallError::Aborted { started: true }.into(),
            },
            Verdict::NotInitialized => PoolError::PoolNotInitialized {
                pool,
                source: self.start_error.clone(),
            },
            Verdict::Saturated { depth, limit } => PoolError::PoolSaturated { pool, depth, limit },
            Verdict::QueueTimeout { waited } => PoolError::QueueTimeout { pool, waited },
            Verdict::DeadlineExceeded { dispatched, after } => PoolError::DeadlineExceeded {
                pool,
                after,
                ran: if dispatched { Executed::Maybe } else { Executed::No },
            },
            Verdict::ShuttingDown => PoolError::ShuttingDown { pool },
        })
    }

    fn answer(&self, service: Service, reply: snakepit_profile::Reply) -> Answer {
        let receipt = Receipt {
            worker: self.worker_name(service.worker),
            pid: self.occupants[service.worker.slot as usize].pid,
            queue_time: service.queued,
            transfer_time: service
                .total
                .saturating_sub(service.queued)
                .saturating_sub(reply.run_time),
            run_time: reply.run_time,
            gil_enabled: reply.gil_enabled,
        };
        Answer { reply, receipt }
    }

    fn worker_name(&self, id: WorkerId) -> WorkerName {
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
            call: Some(call),
        });
    }

    pub(crate) fn forget(&mut self, request: RequestId) -> Option<Waiter> {
        let waiter = self.waiters.get_mut(place_of(request))?;
        waiter.take_if(|waiter| waiter.request == request)
    }

    // Workers.

    /// A launch has returned.
    pub(crate) fn seat(&mut self, id: WorkerId, worker: Arc<dyn Worker>) -> Early {
        let occupant = &mut self.occupants[id.slot as usize];
        occupant.launching = false;
        occupant.pid = worker.pid();
        occupant.worker = Some(worker);
        Early {
            ready: occupant.facts.is_some(),
            exited: occupant.early_exit.take(),
        }
    }

    /// A worker has ended.
    pub(crate) fn unseat(&mut self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        let occupant = self.occupants.get_mut(id.slot as usize)?;
        (occupant.id == Some(id))
            .then(|| occupant.worker.take())
            .flatten()
    }

    /// Notes a worker's facts. False while its launch has not returned.
    pub(crate) fn introduce(&mut self, id: WorkerId, facts: Arc<WorkerFacts>) -> bool {
        match self.occupants.get_mut(id.slot as usize) {
            Some(occupant) if occupant.id == Some(id) => {
                occupant.facts = Some(facts);
                !occupant.launching
            }
            _ => true,
        }
    }

    /// Keeps the report of a worker whose launch has not returned; gives any other back.
    pub(crate) fn keep_early_exit(&mut self, id: WorkerId, report: ExitReport) -> Option<ExitReport> {
        match self.occupants.get_mut(id.slot as usize) {
            Some(occupant) if occupant.id == Some(id) && occupant.launching => {
                occupant.early_exit = Some(report);
                None
            }
            _ => Some(report),
        }
    }

    /// What kind of end a worker has come to.
    pub(crate) fn ending_of(&self, id: WorkerId, report: &ExitReport, patience: Duration) -> Ending {
        let occupant = self
            .occupants
            .get(id.slot as usize)
            .filter(|occupant| occupant.id == Some(id));
        let Some(occupant) = occupant else {
            return Ending::Asked;
        };
        let (exit, output) = (report.exit, report.output.clone());
        match occupant.killed {
            Some(KillReason::StartupTimeout) => Ending::NeverReady(StartError::Timeout {
                after: patience,
                output,
            }),
            // Its end says nothing about the adapter: it must not hide why a start has failed.
            Some(_) => Ending::Asked,
            None if occupant.dismissed => Ending::Asked,
            None if occupant.facts.is_some() => Ending::Died(exit),
            None => {
                let told = report.start_error.clone();
                Ending::NeverReady(told.unwrap_or(StartError::Exited { exit, output }))
            }
        }
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
}

// === impl Aftermath ===

impl Aftermath {
    fn push_answer(&mut self, caller: Caller, result: Result<Answer, PoolError>) {
        if self.answer.is_none() {
            self.answer = Some((caller, result));
        } else {
            self.more_answers.push((caller, result));
        }
    }

    /// Keeps a waiter until the lock is free.
    pub(crate) fn discard(&mut self, waiter: Option<Waiter>) {
        self.discarded = waiter;
    }

    pub(crate) fn discard_worker(&mut self, worker: Option<Arc<dyn Worker>>) {
        self.discarded_workers.extend(worker);
    }

    /// Sends the answers.
    pub(crate) fn answer(&mut self) {
        for (caller, result) in self.answer.take().into_iter().chain(self.more_answers.drain(..)) {
            // A caller that has just gone wants none.
            let _ = caller.send(result);
        }
    }
}
