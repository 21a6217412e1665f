//! Whether what the core did with a worker was right.

use snakepit_profile::WorkerId;

use super::Model;
use super::books::{Entry, Life, Stage};
use crate::core::{CoreConfig, Event, KillReason, Moment, Phase, RecycleReason, Recycled};

impl Model {
    /// Workers that the slot has had.
    pub(super) fn generations(&self, slot: u32) -> u32 {
        let of_slot = self.lives.keys().filter(|worker| worker.slot == slot);
        u32::try_from(of_slot.count()).unwrap()
    }

    /// Whether a later worker of its slot has been ready.
    pub(super) fn was_followed(&self, worker: WorkerId) -> bool {
        self.lives.iter().any(|(other, life)| {
            other.slot == worker.slot && other.generation > worker.generation && life.ready.is_some()
        })
    }

    pub(super) fn spawned(&mut self, worker: WorkerId) {
        let WorkerId { slot, generation } = worker;
        assert!(slot < self.size && !self.winding, "nobody needs {worker}");
        assert_eq!(generation, self.generations(slot) + 1);
        if self.is_restart(worker) {
            self.restarts.push((slot, self.now));
            self.judge_restarts(slot);
        }
        self.lives.insert(worker, Life::new(self.now));
        let mut surplus = 0;
        for slot in 0..self.size {
            let living = self
                .lives
                .iter()
                .filter(|(id, life)| id.slot == slot && !life.ended);
            surplus += living.count().saturating_sub(1);
        }
        assert!(
            surplus <= self.config.recycling.surge_max as usize,
            "{surplus} workers too many"
        );
    }

    /// Whether a worker that begins replaces one that died before its time. What was told to go is no restart, and
    /// neither is the successor of one that lives.
    fn is_restart(&self, worker: WorkerId) -> bool {
        let before = self.lives.iter().rfind(|(id, _)| id.slot == worker.slot);
        let last = self.last_ended.get(&worker.slot).map(|last| self.lives[last]);
        before.is_some_and(|(_, life)| life.ended) && last.is_some_and(|life| life.retired.is_none())
    }

    fn judge_restarts(&self, slot: u32) {
        let limits = self.config.restarts;
        let recent = self
            .restarts
            .iter()
            .filter(|(_, at)| at.after(limits.window) > self.now);
        let pool = recent.clone().count();
        let of_slot = recent.filter(|(of, _)| *of == slot).count();
        assert!(
            of_slot <= limits.slot_max.get() as usize && pool <= limits.pool_max.get() as usize,
            "{of_slot} restarts of slot {slot}, {pool} of the pool"
        );
    }

    pub(super) fn stopped(&mut self, worker: WorkerId) {
        let life = self.lives[&worker];
        assert!(life.serves(), "{worker} was stopped: {life:?}");
        let ends = self.phase != Phase::Open && self.waiting() == 0;
        assert!(
            life.retired.is_some() || ends,
            "{worker} was stopped and is needed"
        );
        let needed = |stage, bound| match stage {
            Stage::Running(on) => on == worker,
            Stage::Waiting => bound == Some(worker),
            _ => false,
        };
        let busy = self
            .entries
            .values()
            .any(|entry| needed(entry.stage, entry.bound));
        assert!(!busy || self.until <= self.now, "{worker} was stopped at work");
        self.lives.get_mut(&worker).unwrap().stopped = Some(self.now);
    }

    pub(super) fn terminated(&mut self, worker: WorkerId) {
        let life = self.lives.get_mut(&worker).unwrap();
        let due = life.stopped.map(|at| at.after(self.config.grace / 2));
        let right =
            life.is_leaving() && !life.terminated && !life.dying && due.is_some_and(|due| due <= self.now);
        assert!(right, "{worker} was terminated: {life:?}");
        life.terminated = true;
    }

    pub(super) fn killed(&mut self, worker: WorkerId, reason: KillReason) {
        let hung = self.costs_its_worker(worker);
        let life = self.lives.get_mut(&worker).unwrap();
        assert!(
            life.launched && !life.ended && !life.dying,
            "{worker} is not there"
        );
        let right = match reason {
            KillReason::StartupTimeout => {
                life.ready.is_none() && life.spawned.after(self.config.startup_timeout) <= self.now
            }
            // It was terminated before, unless the timer is heard that late.
            KillReason::GraceOver => life
                .stopped
                .is_some_and(|at| at.after(self.config.grace) <= self.now),
            KillReason::Hung => hung,
            KillReason::NotNeeded => life.ready.is_none(),
            KillReason::Severed => self.cause == Some(Event::Severed { worker }),
            KillReason::Abandoned => self.cause == Some(Event::Abandoned),
        };
        assert!(right, "{worker} was killed because {}: {life:?}", reason.as_str());
        life.dying = true;
    }

    /// Whether a call on this worker lingers, and when the first of them must have stopped.
    fn lingers(&self, worker: WorkerId) -> Option<Moment> {
        let here = |entry: &&Entry| entry.stage == Stage::Lingering(worker);
        let since = self.entries.values().filter(here).filter_map(|it| it.lingers);
        since.min().map(|since| since.after(CoreConfig::LINGER_MAX))
    }

    /// Whether a worker may be killed for a call that does not stop.
    fn costs_its_worker(&self, worker: WorkerId) -> bool {
        let Some(end) = self.lingers(worker) else {
            return false;
        };
        if self.config.capacity.get() == 1 {
            return end <= self.now;
        }
        let waits = |entry: &Entry| entry.stage == Stage::Waiting && entry.bound == Some(worker);
        let needs = |entry: &Entry| entry.stage == Stage::Running(worker) || waits(entry);
        let idle = !self.entries.values().any(needs);
        let patience = idle || self.until <= self.now;
        let given_up = self.lives[&worker].quarantined;
        given_up.is_some_and(|at| patience || at.after(self.config.grace) <= self.now)
    }

    pub(super) fn quarantined(&mut self, worker: WorkerId) {
        let overdue = self.lingers(worker).is_some_and(|end| end <= self.now);
        let life = self.lives.get_mut(&worker).unwrap();
        let right = overdue && life.serves() && life.quarantined.is_none() && self.config.capacity.get() > 1;
        assert!(right, "{worker} was given up: {life:?}");
        life.quarantined = Some(self.now);
        life.retired.get_or_insert(self.now);
    }

    pub(super) fn recycled(&mut self, recycled: &Recycled) {
        let limits = self.config.recycling;
        let ready = self.ready();
        let floor = self.size.saturating_sub(limits.missing_max) as usize;
        let worker = recycled.worker;
        let life = self.lives[&worker];
        assert!(life.takes_calls(), "{worker} was renewed: {life:?}");
        assert!(ready > floor, "{worker} leaves {} of {floor} workers", ready - 1);
        let uptime = self.now.since(life.ready.unwrap());
        assert_eq!((recycled.uptime, recycled.requests), (uptime, life.finished));
        // Jitter takes at most so much of a hundred.
        let left = 100 - limits.jitter;
        let due = match recycled.reason {
            RecycleReason::Age => limits.ttl.is_some_and(|ttl| uptime >= ttl * left / 100),
            RecycleReason::Requests => {
                let most = limits.requests.map(std::num::NonZeroU64::get);
                most.is_some_and(|most| life.finished >= (most * u64::from(left)).div_ceil(100).max(1))
            }
            RecycleReason::Memory => life.was_heavy,
            RecycleReason::Requested => life.asked,
        };
        assert!(
            due,
            "{worker} was renewed because {}: {life:?}",
            recycled.reason.as_str()
        );
        let right = match recycled.successor {
            Some(next) => {
                let follows = next.slot == worker.slot && next.generation > worker.generation;
                limits.surge_max > 0 && follows && self.was_followed(worker)
            }
            None => limits.surge_max == 0,
        };
        assert!(right, "{worker} was followed by {:?}", recycled.successor);
        self.tally.recycled[recycled.reason as usize] += 1;
        self.lives.get_mut(&worker).unwrap().retired = Some(self.now);
    }
}
