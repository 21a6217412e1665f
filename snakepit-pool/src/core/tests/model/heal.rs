//! Faults stop: every worker does what it is asked, and every call ends. Then every pool becomes whole.

use super::Model;
use super::books::{Life, Stage};
use crate::core::{CoreConfig, End, Event, Phase};

/// Times that the timer is heard before a pool must be whole.
const PATIENCE: u32 = 300;

impl Model {
    pub(super) fn heal(&mut self) {
        for _ in 0..PATIENCE {
            while self.cooperate() {}
            if self.is_whole() {
                break;
            }
            if let Some(due) = self.core.next_deadline() {
                self.now = self.now.max(due);
                self.call();
            }
        }
        for (request, entry) in &self.entries {
            assert_eq!(entry.stage, Stage::Ended, "{request} never ended");
        }
        assert!(self.is_whole(), "{:#?}", self.core.snapshot());
    }

    /// Lets every worker do what it is asked now, and every call end. False if there was nothing to do.
    fn cooperate(&mut self) -> bool {
        let mut events = Vec::new();
        for (&worker, life) in &self.lives {
            let permanent = false;
            if life.is_launching() {
                events.push(Event::Launched { worker });
            } else if life.is_starting() {
                events.push(Event::BecameReady { worker });
            } else if life.is_leaving() {
                events.push(Event::Exited { worker, permanent });
            }
        }
        let runs = |stage| matches!(stage, Stage::Running(_) | Stage::Lingering(_));
        let running = self.entries.iter().filter(|(_, entry)| runs(entry.stage));
        let running: Vec<_> = running.map(|(&request, _)| request).collect();
        let acted = !events.is_empty() || !running.is_empty();
        for event in events {
            self.tell(event);
        }
        for request in running {
            self.complete(request, End::Served);
        }
        acted
    }

    /// Whether nothing is left to be done: every slot has its worker and there is no other, or all have gone.
    fn is_whole(&self) -> bool {
        let living = || self.lives.iter().filter(|(_, life)| !life.ended);
        let at_rest = self.entries.values().all(|entry| entry.stage == Stage::Ended);
        if self.phase != Phase::Open {
            return at_rest && living().next().is_none() && self.core.milestones().stopped;
        }
        let settled = living()
            .all(|(worker, life)| worker.slot < self.size && life.takes_calls() && !self.is_due(life));
        let mut missing = self.size as usize - living().count().min(self.size as usize);
        if self.core.snapshot().degraded && self.has_given_up() {
            missing = 0;
        }
        at_rest && settled && missing == 0 && living().count() <= self.size as usize
    }

    /// Whether a worker is to be renewed, beyond doubt.
    fn is_due(&self, life: &Life) -> bool {
        let limits = self.config.recycling;
        let old = limits
            .ttl
            .zip(life.ready)
            .is_some_and(|(ttl, ready)| self.now.since(ready) >= ttl);
        let worn = limits.requests.is_some_and(|most| life.finished >= most.get());
        old || worn
    }

    /// A pool of which some workers serve, and whose other slots fail for a reason that can only come again, is left
    /// as it is.
    fn has_given_up(&self) -> bool {
        self.permanent >= CoreConfig::PERMANENT_ATTEMPTS && self.core.next_deadline().is_none()
    }
}
