//! What the model keeps: everything that ever was, in plain maps.

use std::collections::BTreeSet;
use std::time::Duration;

use snakepit_profile::{RequestId, WorkerId};

use crate::core::{BreakerConfig, Moment, Terms};

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) terms: Terms,
    pub(super) submitted: Moment,
    pub(super) stage: Stage,
    /// The lower goes first.
    pub(super) rank: (Moment, u64),
    /// When it has waited too long.
    pub(super) expires: Moment,
    /// The one worker it waits for.
    pub(super) bound: Option<WorkerId>,
    /// Where its session has been while it waited for any. The core may have bound it to one of those since.
    pub(super) seen: BTreeSet<WorkerId>,
    /// When it was dispatched last.
    pub(super) since: Moment,
    /// Since when nobody has waited for it, until its end is told.
    pub(super) lingers: Option<Moment>,
    /// Workers that died under it.
    pub(super) losses: u32,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// It comes in this step.
    Arriving,
    Waiting,
    Resting {
        until: Moment,
    },
    Running(WorkerId),
    /// Its end comes in this step, and what follows from it must as well.
    Ending(WorkerId, Ending),
    /// Its caller has gone or was told; in this step its worker must be.
    Unwanted(WorkerId),
    Lingering(WorkerId),
    Ended,
}

/// How a request came off its worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    Served,
    /// The worker's report of its end says so.
    Lost,
    /// The worker's process has ended.
    Gone,
    NotSent,
}

/// One worker, from its spawn on.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a naive model ticks off what has happened"
)]
pub(super) struct Life {
    pub(super) spawned: Moment,
    pub(super) launched: bool,
    pub(super) ready: Option<Moment>,
    /// When it was decided that it gets nothing new.
    pub(super) retired: Option<Moment>,
    /// When it was given up because a call of it did not stop.
    pub(super) quarantined: Option<Moment>,
    pub(super) stopped: Option<Moment>,
    pub(super) terminated: bool,
    pub(super) severed: bool,
    /// It was killed, or is known to be dead.
    pub(super) dying: bool,
    pub(super) ended: bool,
    pub(super) load: u32,
    pub(super) finished: u64,
    /// Heavy samples in a row.
    pub(super) heavy: u32,
    pub(super) was_heavy: bool,
    pub(super) asked: bool,
}

/// One session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Placement {
    pub(super) worker: Option<WorkerId>,
    /// Something of it has run there.
    pub(super) kept: bool,
    pub(super) ended: bool,
}

/// Where the worker of a session is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Own {
    None,
    Here(WorkerId),
    Gone(WorkerId),
}

/// A circuit breaker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circuit {
    pub(super) config: BreakerConfig,
    failures: u32,
    /// It opened, and a trial is possible from then on.
    cools: Option<Moment>,
    trial: Option<RequestId>,
    /// Times that it opened and closed, less the notices of it.
    pub(super) opened: i32,
    pub(super) closed: i32,
}

/// What the core is to have counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) answered: u64,
    pub(super) cancelled: u64,
    pub(super) retried: u64,
    pub(super) poisoned: u64,
    pub(super) saturated: u64,
    pub(super) queue_timeouts: u64,
    pub(super) recycled: [u64; 4],
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(terms: Terms, now: Moment) -> Self {
        Self {
            terms,
            submitted: now,
            stage: Stage::Arriving,
            rank: (now, 0),
            expires: Moment::NEVER,
            bound: None,
            seen: BTreeSet::new(),
            since: now,
            lingers: None,
            losses: 0,
        }
    }

    /// Whether it counts against the limit of the queue.
    pub(super) fn waits(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Resting { .. })
    }

    /// When it must have been looked at.
    pub(super) fn due(&self) -> Moment {
        let deadline = self.terms.deadline;
        match self.stage {
            Stage::Waiting => deadline.min(self.expires),
            Stage::Resting { until } => deadline.min(until),
            Stage::Running(_) => deadline,
            _ => Moment::NEVER,
        }
    }
}

// === impl Life ===

impl Life {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            spawned: now,
            launched: false,
            ready: None,
            retired: None,
            quarantined: None,
            stopped: None,
            terminated: false,
            severed: false,
            dying: false,
            ended: false,
            load: 0,
            finished: 0,
            heavy: 0,
            was_heavy: false,
            asked: false,
        }
    }

    /// It finishes what it has.
    pub(super) fn serves(&self) -> bool {
        self.ready.is_some() && self.stopped.is_none() && !self.dying && !self.ended
    }

    /// It takes anything.
    pub(super) fn takes_calls(&self) -> bool {
        self.serves() && self.retired.is_none()
    }

    pub(super) fn is_starting(&self) -> bool {
        self.launched && self.ready.is_none() && !self.dying && !self.ended
    }

    pub(super) fn is_launching(&self) -> bool {
        !self.launched && !self.ended
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.launched && !self.ended && (self.stopped.is_some() || self.dying)
    }
}

// === impl Placement ===

impl Placement {
    /// The session need not go back to this worker.
    pub(super) fn leave(&mut self, worker: WorkerId) {
        self.worker = self.worker.filter(|&placed| placed != worker);
    }

    /// A request of it has run on this worker.
    pub(super) fn ran(&mut self, worker: WorkerId) {
        self.kept |= self.worker == Some(worker);
    }
}

// === impl Circuit ===

impl Circuit {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            failures: 0,
            cools: None,
            trial: None,
            opened: 0,
            closed: 0,
        }
    }

    pub(super) fn refusal(&self, now: Moment) -> Option<Duration> {
        match (self.trial, self.cools) {
            (Some(_), _) => Some(Duration::ZERO),
            (None, Some(cools)) if now < cools => Some(cools.since(now)),
            _ => None,
        }
    }

    pub(super) fn admit(&mut self, request: RequestId) {
        if self.cools.is_some() {
            self.trial = Some(request);
        }
    }

    pub(super) fn succeeded(&mut self, request: RequestId) {
        self.failures = 0;
        if self.trial == Some(request) {
            (self.trial, self.cools) = (None, None);
            self.closed += 1;
        }
    }

    pub(super) fn failed(&mut self, request: RequestId, now: Moment) {
        let was_trial = self.trial == Some(request);
        self.failures += u32::from(self.cools.is_none());
        if was_trial || self.failures >= self.config.failures.get() {
            (self.failures, self.trial) = (0, None);
            self.cools = Some(now.after(self.config.pause));
            self.opened += 1;
        }
    }

    pub(super) fn abandoned(&mut self, request: RequestId) {
        self.trial = self.trial.filter(|&trial| trial != request);
    }
}
