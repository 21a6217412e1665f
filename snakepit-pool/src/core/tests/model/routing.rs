//! Who may have what, recomputed from the books every time.

use std::time::Duration;

use snakepit_config::Affinity;
use snakepit_profile::WorkerId;

use super::Model;
use super::books::{Entry, Life, Own, Stage};
use crate::core::{Phase, Terms, Verdict};

impl Model {
    /// Workers that take calls.
    pub(super) fn ready(&self) -> usize {
        self.lives.values().filter(|life| life.takes_calls()).count()
    }

    /// Requests that count against the limit of the queue.
    pub(super) fn waiting(&self) -> usize {
        self.entries.values().filter(|entry| entry.waits()).count()
    }

    pub(super) fn has_room(&self, life: &Life) -> bool {
        life.load < self.config.capacity.get()
    }

    fn is_open(&self, worker: WorkerId) -> bool {
        let life = &self.lives[&worker];
        life.takes_calls() && self.has_room(life)
    }

    /// Workers that take calls and have room, with their loads.
    pub(super) fn open(&self) -> impl Iterator<Item = (WorkerId, u32)> {
        self.lives
            .iter()
            .filter(|(_, life)| life.takes_calls() && self.has_room(life))
            .map(|(&worker, life)| (worker, life.load))
    }

    /// Where the worker is that a request's session was on last.
    pub(super) fn own(&self, terms: &Terms) -> Own {
        let placement = terms.session.and_then(|session| self.sessions.get(&session));
        match placement.filter(|it| !it.ended).and_then(|it| it.worker) {
            None => Own::None,
            Some(worker) if self.lives[&worker].takes_calls() => Own::Here(worker),
            Some(worker) => Own::Gone(worker),
        }
    }

    /// Why a request is refused as it comes, if it is. The time until a degraded pool tries again is not foretold.
    pub(super) fn refusal(&self, terms: &Terms) -> Option<Verdict> {
        match self.phase {
            Phase::Open if self.ever_ready => {}
            Phase::Open | Phase::Failed => return Some(Verdict::NotInitialized),
            Phase::Draining | Phase::Closing => return Some(Verdict::ShuttingDown),
        }
        if terms.deadline <= self.now {
            return Some(Verdict::DeadlineExceeded {
                dispatched: false,
                after: Duration::ZERO,
            });
        }
        if self.refuses_as_degraded() {
            let retry_in = Duration::ZERO;
            return Some(Verdict::Degraded { retry_in });
        }
        if let Some(retry_in) = self.circuit.and_then(|circuit| circuit.refusal(self.now)) {
            return Some(Verdict::CircuitOpen { retry_in });
        }
        if is_strict(terms) {
            match self.own(terms) {
                Own::Gone(worker) => return Some(Verdict::SessionWorkerUnavailable { worker }),
                Own::Here(worker) if self.is_open(worker) => return None,
                Own::Here(worker) if terms.affinity == Affinity::StrictFailFast => {
                    return Some(Verdict::WorkerBusy { worker });
                }
                Own::Here(_) => return self.saturation(),
                Own::None => {}
            }
        }
        if self.open().next().is_some() {
            return None;
        }
        self.saturation()
    }

    fn saturation(&self) -> Option<Verdict> {
        let limit = self.config.queue_max;
        let depth = u32::try_from(self.waiting()).unwrap();
        (depth >= limit).then_some(Verdict::Saturated { depth, limit })
    }

    /// A degraded pool has no ready worker. It may have been degraded before this step and have given up in it.
    pub(super) fn refuses_as_degraded(&self) -> bool {
        self.ready() == 0 && (self.was_degraded || self.core.snapshot().degraded)
    }

    /// Whether a request that waits is for a free slot of this worker, beyond doubt. A strict one that waits for any
    /// worker, and whose session has been placed meanwhile, may or may not have been bound to that one.
    pub(super) fn is_eligible(&self, entry: &Entry, worker: WorkerId) -> bool {
        debug_assert_eq!(entry.stage, Stage::Waiting);
        if !self.lives[&worker].takes_calls() {
            return entry.bound == Some(worker);
        }
        if let Some(bound) = entry.bound {
            return bound == worker;
        }
        if !is_strict(&entry.terms) {
            return true;
        }
        match self.own(&entry.terms) {
            Own::None => entry.seen.is_empty(),
            Own::Here(own) => own == worker && entry.seen.iter().all(|&seen| seen == worker),
            Own::Gone(_) => false,
        }
    }

    /// Whether a worker may be given a request: the session's own, or the least loaded.
    pub(super) fn may_have(&self, entry: &Entry, worker: WorkerId) -> bool {
        let life = &self.lives[&worker];
        if entry.bound == Some(worker) || entry.seen.contains(&worker) {
            return life.retired.is_none_or(|at| entry.submitted <= at);
        }
        let load = life.load;
        let is_least = life.takes_calls() && self.open().all(|(_, other)| load <= other);
        match self.own(&entry.terms) {
            _ if entry.bound.is_some() => false,
            Own::Here(own) if own == worker => life.takes_calls(),
            Own::Here(own) => !is_strict(&entry.terms) && !self.is_open(own) && is_least,
            Own::Gone(_) => !is_strict(&entry.terms) && is_least,
            Own::None => is_least,
        }
    }
}

pub(super) fn is_strict(terms: &Terms) -> bool {
    terms.session.is_some() && terms.affinity != Affinity::Hint
}
