//! What is left to do when a pool's lock is free: answers and wake-ups, and whatever runs code of others when it is dropped.

use std::sync::Arc;

use snakepit_profile::{Call, Completion, Outcome, Worker, WorkerId};

use super::{Caller, Waiter};
use crate::call::Answer;
use crate::core::{Milestones, Recycled};
use crate::error::PoolError;
use crate::roster::Occupant;
use crate::sync;

/// What is to be done once the lock is free.
#[derive(Default)]
pub(crate) struct Aftermath {
    pub(crate) launches: Vec<WorkerId>,
    /// With what the old worker used, in bytes.
    pub(crate) recycled: Vec<(Recycled, Option<u64>)>,
    /// Calls whose worker was gone when they were handed over.
    pub(crate) unsent: Vec<Completion>,
    /// The timer task must look again.
    pub(crate) sooner: bool,
    pub(crate) milestones: Option<Milestones>,
    /// The first answer has a place of its own: most steps have one, and a vector would allocate for it.
    answer: Option<(Caller, Result<Answer, PoolError>)>,
    more_answers: Vec<(Caller, Result<Answer, PoolError>)>,
    /// Dropped outside the lock, as all that follows, since that runs code of others.
    pub(super) discarded: Option<Waiter>,
    pub(super) discarded_calls: Vec<Call>,
    pub(super) discarded_outcomes: Vec<Outcome>,
    discarded_workers: Vec<Arc<dyn Worker>>,
}

// === impl Aftermath ===

impl Aftermath {
    pub(super) fn push_answer(&mut self, caller: Caller, result: Result<Answer, PoolError>) {
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

    pub(crate) fn discard_worker(&mut self, occupant: Occupant) {
        self.discarded_workers.extend(occupant.worker);
    }

    /// Sends the answers.
    pub(crate) fn answer(&mut self) {
        for (caller, result) in self.answer.take().into_iter().chain(self.more_answers.drain(..)) {
            sync::preempt();
            // A caller that has just gone wants none.
            let _ = caller.send(result);
        }
    }
}
