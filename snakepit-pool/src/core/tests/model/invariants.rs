//! What holds after every step.

use super::Model;
use super::books::{Ending, Own, Stage};
use super::routing::is_strict;
use crate::core::{CoreConfig, Phase, Snapshot, place_of};

impl Model {
    /// Takes down what the core did without an action: whom it let wait.
    pub(super) fn settle(&mut self) {
        let (now, expires) = (self.now, self.now.after(self.config.queue_timeout));
        let mut rested = Vec::new();
        let mut waits = Vec::new();
        for (&request, entry) in &self.entries {
            match entry.stage {
                Stage::Arriving | Stage::Ending(_, Ending::NotSent) => waits.push(request),
                Stage::Resting { until } if until <= now => rested.push((until, place_of(request), request)),
                _ => {}
            }
        }
        for &request in &waits {
            let entry = self.entries[&request].clone();
            if entry.stage == Stage::Arriving {
                assert_eq!(self.refusal(&entry.terms), None, "{request} was to be refused");
                self.enter(request);
            }
        }
        // In the order in which their rest was over.
        rested.sort_unstable();
        for (_, _, request) in rested {
            self.line_up(request);
            waits.push(request);
        }
        for request in waits {
            let own = self.own(&self.entries[&request].terms);
            let entry = self.entries.get_mut(&request).unwrap();
            (entry.stage, entry.expires) = (Stage::Waiting, expires);
            if let (true, Own::Here(worker)) = (is_strict(&entry.terms), own) {
                entry.bound = Some(worker);
            }
        }
        self.winding |= self.phase != Phase::Open && self.waiting() == 0;
    }

    /// Takes down that the pool has failed, and judges whether it may have.
    pub(super) fn note_failure(&mut self) {
        if self.core.phase() != Phase::Failed || self.phase == Phase::Failed {
            return;
        }
        assert_eq!(self.phase, Phase::Open, "a pool that ends has failed");
        let attempts = CoreConfig::START_ATTEMPTS;
        let failed = |slot| {
            self.failed_starts
                .get(&slot)
                .is_some_and(|&failed| failed >= attempts)
        };
        let never = !self.ever_ready && (self.permanent > 0 || (0..self.size).all(failed));
        let no_more = self.permanent >= CoreConfig::PERMANENT_ATTEMPTS && self.ready() == 0;
        assert!(never || no_more, "the pool has failed without a reason");
        self.phase = Phase::Failed;
    }

    pub(super) fn judge(&mut self) {
        let snapshot = self.core.snapshot();
        self.judge_requests(&snapshot);
        self.judge_workers(&snapshot);
        self.judge_counts(&snapshot);
        self.was_degraded = snapshot.degraded;
        if let Some(circuit) = &mut self.circuit {
            let owed = (
                std::mem::take(&mut circuit.opened),
                std::mem::take(&mut circuit.closed),
            );
            assert_eq!(owed, (0, 0), "notices of the circuit breaker are wrong");
        }
        let due = self.core.next_deadline();
        assert!(due.is_none_or(|due| due > self.now), "it was due, and still is");
        if let Err(violation) = self.core.check() {
            panic!("{violation}\n{:#?}", self.core.snapshot());
        }
    }

    fn judge_requests(&self, snapshot: &Snapshot) {
        let in_vain = snapshot.degraded && self.ready() == 0 && self.phase == Phase::Open;
        for (request, entry) in &self.entries {
            let owed = matches!(
                entry.stage,
                Stage::Arriving | Stage::Ending(..) | Stage::Unwanted(_)
            ) || (entry.stage == Stage::Ended && entry.lingers.is_some());
            assert!(!owed, "{request} was forgotten: {entry:?}");
            assert!(
                self.now < entry.due(),
                "{request} waits beyond its time: {entry:?}"
            );
            if entry.stage != Stage::Waiting {
                continue;
            }
            for (worker, life) in &self.lives {
                let idle = life.serves() && self.has_room(life) && self.is_eligible(entry, *worker);
                assert!(!idle, "{request} waits while {worker} has room: {entry:?}");
            }
            let served = entry.bound.is_none_or(|worker| self.lives[&worker].serves());
            assert!(served, "{request} waits for a worker that has gone: {entry:?}");
            assert!(
                !in_vain || entry.bound.is_some(),
                "{request} waits in a degraded pool without a worker"
            );
        }
        let most = self.config.queue_max as usize;
        assert!(self.waiting() <= most, "{} wait, {most} may", self.waiting());
    }

    fn judge_workers(&self, snapshot: &Snapshot) {
        let mut load = 0;
        for worker in &snapshot.workers {
            let expected = self
                .lives
                .get(&worker.id)
                .map_or((0, 0), |life| (life.load, life.finished));
            assert_eq!((worker.load, worker.finished), expected, "{}", worker.id);
            load += worker.load;
        }
        let mut leases = 0;
        for (request, entry) in &self.entries {
            if let Stage::Running(worker) | Stage::Lingering(worker) = entry.stage {
                let life = self.lives[&worker];
                assert!(
                    life.launched && !life.ended,
                    "{request} runs on {worker}: {life:?}"
                );
                leases += 1;
            }
        }
        assert_eq!(load, leases, "the loads are not the leases");
        let stopped = self.winding && self.lives.values().all(|life| life.ended);
        assert_eq!(snapshot.milestones.stopped, stopped, "{snapshot:#?}");
        assert!(!stopped || leases == 0, "a stopped pool runs something");
    }

    fn judge_counts(&self, snapshot: &Snapshot) {
        let count = |stage: fn(Stage) -> bool| self.entries.values().filter(|it| stage(it.stage)).count();
        let running = count(|stage| matches!(stage, Stage::Running(_)));
        let lingering = count(|stage| matches!(stage, Stage::Lingering(_)));
        assert_eq!(snapshot.phase, self.phase);
        assert_eq!(snapshot.size, self.size);
        assert_eq!(snapshot.queued as usize, self.waiting());
        assert_eq!(snapshot.running as usize, running);
        assert_eq!(snapshot.lingering as usize, lingering);
        let (counters, tally) = (snapshot.counters, &self.tally);
        let ended = self.lives.values().filter(|life| life.ended).count() as u64;
        let open = (running + self.waiting()) as u64;
        assert_eq!(counters.accepted, counters.answered + counters.cancelled + open);
        assert_eq!(
            (counters.spawned, counters.died),
            (self.lives.len() as u64, ended)
        );
        assert_eq!(
            [
                counters.accepted,
                counters.refused,
                counters.answered,
                counters.cancelled
            ],
            [tally.accepted, tally.refused, tally.answered, tally.cancelled],
        );
        assert_eq!(
            [
                counters.retried,
                counters.poisoned,
                counters.saturated,
                counters.queue_timeouts
            ],
            [
                tally.retried,
                tally.poisoned,
                tally.saturated,
                tally.queue_timeouts
            ],
        );
        assert_eq!(counters.recycled, tally.recycled);
    }
}
