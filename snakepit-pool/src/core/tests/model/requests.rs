//! Whether what the core did with a request was right.

use std::time::Duration;

use snakepit_config::Affinity;
use snakepit_profile::{RequestId, WorkerId};

use super::super::rig::ms;
use super::Model;
use super::books::{Ending, Entry, Own, Stage};
use super::routing::is_strict;
use crate::core::{CoreConfig, Event, Phase, Priority, Service, Verdict};

impl Model {
    pub(super) fn dispatched(&mut self, request: RequestId, worker: WorkerId) {
        let entry = self.entries[&request].clone();
        let life = self.lives[&worker];
        assert!(life.serves(), "{worker} takes no calls");
        assert!(self.has_room(&life), "{worker} is overloaded");
        assert!(
            self.now < entry.terms.deadline,
            "{request} was dispatched too late"
        );
        assert!(
            self.may_have(&entry, worker),
            "{request} is not for {worker}: {entry:?}"
        );
        let goes_first = match entry.stage {
            Stage::Arriving => {
                assert_eq!(self.refusal(&entry.terms), None, "{request} was to be refused");
                self.enter(request);
                false
            }
            Stage::Waiting => {
                assert!(self.now < entry.expires, "{request} had waited too long");
                true
            }
            Stage::Resting { until } => {
                assert!(until <= self.now, "{request} was to rest");
                self.line_up(request);
                false
            }
            Stage::Ending(_, Ending::NotSent) => false,
            other => panic!("{request} was {other:?} and dispatched"),
        };
        for (other, waiting) in &self.entries {
            let overtaken = waiting.stage == Stage::Waiting
                && self.is_eligible(waiting, worker)
                && (!goes_first || waiting.rank < entry.rank);
            assert!(!overtaken, "{request} overtook {other} on {worker}: {waiting:?}");
        }
        let entry = self.entries.get_mut(&request).unwrap();
        (entry.stage, entry.since) = (Stage::Running(worker), self.now);
        entry.bound = None;
        entry.seen.clear();
        self.lives.get_mut(&worker).unwrap().load += 1;
        // One that retires only serves what has waited for it.
        if let Some(session) = entry.terms.session.filter(|_| life.retired.is_none()) {
            self.place_session(session, worker);
        }
    }

    pub(super) fn aborted(&mut self, request: RequestId, worker: WorkerId) {
        let entry = self.entries.get_mut(&request).unwrap();
        assert_eq!(entry.stage, Stage::Unwanted(worker), "an abort without a reason");
        (entry.stage, entry.lingers) = (Stage::Lingering(worker), Some(self.now));
    }

    pub(super) fn has_stopped(&mut self, request: RequestId, after: Duration) {
        let entry = self.entries.get_mut(&request).unwrap();
        let since = entry.lingers.take();
        assert_eq!(since.map(|since| self.now.since(since)), Some(after));
        assert_eq!(entry.stage, Stage::Ended, "{request} has not stopped");
    }

    pub(super) fn retried(&mut self, request: RequestId, lost_with: WorkerId, attempt: u32, pause: Duration) {
        let may = self.may_try_again(request);
        let entry = self.entries.get_mut(&request).unwrap();
        let lost =
            matches!(entry.stage, Stage::Ending(worker, Ending::Lost | Ending::Gone) if worker == lost_with);
        assert!(lost && may, "{request} was retried: {entry:?}");
        entry.losses += 1;
        assert_eq!(attempt, entry.losses);
        // A quarter either way.
        assert!((ms(75)..=ms(125)).contains(&pause), "it rests for {pause:?}");
        entry.stage = Stage::Resting {
            until: self.now.after(pause),
        };
        self.tally.retried += 1;
        if let Some(circuit) = &mut self.circuit {
            circuit.failed(request, self.now);
        }
    }

    /// Whether a request that is lost now may run again.
    fn may_try_again(&self, request: RequestId) -> bool {
        let entry = &self.entries[&request];
        let losses = entry.losses + 1;
        losses < CoreConfig::POISONOUS
            && losses < entry.terms.attempts.get()
            && !is_strict(&entry.terms)
            && self.phase == Phase::Open
            && self.waiting() < self.config.queue_max as usize
    }

    pub(super) fn answered(&mut self, request: RequestId, verdict: Verdict) {
        let entry = self.entries[&request].clone();
        let right = match entry.stage {
            Stage::Arriving => self.is_refused(&entry, verdict),
            Stage::Waiting | Stage::Resting { .. } => self.is_dismissed(&entry, verdict),
            Stage::Running(_) => {
                let after = self.now.since(entry.submitted);
                let dispatched = true;
                entry.terms.deadline <= self.now && verdict == Verdict::DeadlineExceeded { dispatched, after }
            }
            Stage::Ending(_, Ending::NotSent) => self.is_not_taken_back(&entry, verdict),
            Stage::Ending(worker, ending) => {
                !self.may_try_again_after(request, ending) && verdict == self.outcome(&entry, worker, ending)
            }
            Stage::Unwanted(_) | Stage::Lingering(_) | Stage::Ended => false,
        };
        assert!(
            right,
            "{request} got {verdict:?}, the pool being {:?}: {entry:?}",
            self.phase
        );
        self.take_down(request, &entry, verdict);
    }

    /// What an answer changes.
    fn take_down(&mut self, request: RequestId, entry: &Entry, verdict: Verdict) {
        self.entries.get_mut(&request).unwrap().stage = match entry.stage {
            Stage::Running(worker) => Stage::Unwanted(worker),
            _ => Stage::Ended,
        };
        if entry.stage == Stage::Arriving {
            self.tally.refused += 1;
            self.tally.saturated += u64::from(matches!(verdict, Verdict::Saturated { .. }));
        } else {
            self.tally.answered += 1;
        }
        self.tally.queue_timeouts += u64::from(matches!(verdict, Verdict::QueueTimeout { .. }));
        self.tally.poisoned += u64::from(matches!(verdict, Verdict::Poisoned { .. }));
        if let Some(circuit) = &mut self.circuit {
            match entry.stage {
                Stage::Ending(_, Ending::Served) => circuit.succeeded(request),
                Stage::Running(_) | Stage::Ending(_, Ending::Lost | Ending::Gone) => {
                    circuit.failed(request, self.now);
                }
                _ => circuit.abandoned(request),
            }
        }
        if let (Verdict::SessionWorkerUnavailable { worker }, Some(session)) = (verdict, entry.terms.session)
        {
            self.sessions.get_mut(&session).unwrap().leave(worker);
        }
    }

    fn is_refused(&self, entry: &Entry, verdict: Verdict) -> bool {
        let expected = self.refusal(&entry.terms);
        match (expected, verdict) {
            (Some(Verdict::Degraded { .. }), Verdict::Degraded { .. }) => true,
            _ => expected == Some(verdict),
        }
    }

    /// Whether this is a reason for a request to wait no longer.
    fn is_dismissed(&self, entry: &Entry, verdict: Verdict) -> bool {
        let (now, deadline) = (self.now, entry.terms.deadline);
        let waited = now.since(entry.submitted);
        let waits = entry.stage == Stage::Waiting;
        match verdict {
            Verdict::QueueTimeout { waited: told } => {
                waits && entry.expires <= now && entry.expires < deadline && told == waited
            }
            Verdict::DeadlineExceeded { dispatched, after } => {
                let first = deadline <= entry.expires || !waits;
                deadline <= now && first && dispatched == (entry.losses > 0) && after == waited
            }
            Verdict::ShuttingDown => matches!(
                self.cause,
                Some(Event::ShutdownRequested { .. } | Event::Abandoned)
            ),
            Verdict::NotInitialized => self.phase == Phase::Failed,
            Verdict::Degraded { .. } => entry.bound.is_none() && self.refuses_as_degraded(),
            Verdict::SessionWorkerUnavailable { worker } => self.is_without(entry, worker),
            Verdict::WorkerBusy { worker } => self.is_busy(entry, worker),
            _ => false,
        }
    }

    /// Whether this is a reason for not taking back a request that its worker never got.
    fn is_not_taken_back(&self, entry: &Entry, verdict: Verdict) -> bool {
        let Stage::Ending(worker, _) = entry.stage else {
            return false;
        };
        match verdict {
            Verdict::Reported(service) => {
                let full = self.waiting() >= self.config.queue_max as usize;
                let ends = self.winding || !matches!(self.phase, Phase::Open | Phase::Draining);
                (ends || full) && service == self.service(entry, worker)
            }
            Verdict::Degraded { .. } => self.refuses_as_degraded(),
            Verdict::SessionWorkerUnavailable { worker } => self.is_without(entry, worker),
            Verdict::WorkerBusy { worker } => self.is_busy(entry, worker),
            _ => false,
        }
    }

    /// Whether a strict request may be told that this worker is gone.
    fn is_without(&self, entry: &Entry, worker: WorkerId) -> bool {
        let belongs = entry.bound == Some(worker)
            || entry.seen.contains(&worker)
            || self.own(&entry.terms) == Own::Gone(worker);
        is_strict(&entry.terms) && belongs && !self.lives[&worker].takes_calls()
    }

    fn is_busy(&self, entry: &Entry, worker: WorkerId) -> bool {
        entry.terms.affinity == Affinity::StrictFailFast
            && self.own(&entry.terms) == Own::Here(worker)
            && !self.has_room(&self.lives[&worker])
    }

    fn may_try_again_after(&self, request: RequestId, ending: Ending) -> bool {
        matches!(ending, Ending::Lost | Ending::Gone) && self.may_try_again(request)
    }

    /// What the caller of a request is told that came off its worker and runs no more.
    fn outcome(&self, entry: &Entry, worker: WorkerId, ending: Ending) -> Verdict {
        let service = self.service(entry, worker);
        let workers = entry.losses + 1;
        match ending {
            Ending::Lost | Ending::Gone if workers >= CoreConfig::POISONOUS => {
                Verdict::Poisoned { service, workers }
            }
            Ending::Gone => Verdict::WorkerLost(service),
            Ending::Lost | Ending::Served | Ending::NotSent => Verdict::Reported(service),
        }
    }

    fn service(&self, entry: &Entry, worker: WorkerId) -> Service {
        Service {
            worker,
            queued: entry.since.since(entry.submitted),
            total: self.now.since(entry.submitted),
        }
    }

    /// A request is accepted.
    pub(super) fn enter(&mut self, request: RequestId) {
        self.tally.accepted += 1;
        if let Some(circuit) = &mut self.circuit {
            circuit.admit(request);
        }
        if let Some(session) = self.entries[&request].terms.session {
            self.sessions.entry(session).or_default();
        }
        self.line_up(request);
    }

    /// A request takes its place among those that wait: it is as old as it is, less what its priority costs it.
    pub(super) fn line_up(&mut self, request: RequestId) {
        self.line += 1;
        let entry = self.entries.get_mut(&request).unwrap();
        let penalty = match entry.terms.priority {
            Priority::High => ms(0),
            Priority::Normal => ms(5_000),
            Priority::Low => ms(10_000),
        };
        entry.rank = (self.now.after(penalty), self.line);
    }
}
