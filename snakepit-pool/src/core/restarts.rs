//! Dead workers are replaced: after a pause, and only so often. Beyond that their slots stay empty, and the pool is
//! degraded until a trial start succeeds.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::canary::Canary;
use super::event::{Action, Verdict};
use super::lifecycle::{Input, WorkerState};
use super::notice::Notice;
use super::timers::Timer;
use super::window::Window;
use super::{Core, CoreConfig, Phase};

/// What the pool remembers of its restarts.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// Of all slots.
    pub(super) window: Window,
    /// Seats that the next batches start.
    pub(super) waiting: VecDeque<u32>,
    /// Seats that stay empty until a trial start succeeds. While there is one the pool is degraded.
    pub(super) parked: BTreeSet<u32>,
    /// The seat in which a start is tried.
    pub(super) trial: Option<u32>,
    /// Trial starts in a row that failed.
    failed_trials: u32,
    /// Those of them, the last in a row, that failed for a reason that can only come again.
    permanent: u32,
}

impl Core {
    /// The pool has restarted its workers too often, and waits for a trial start.
    pub(super) fn is_degraded(&self) -> bool {
        !self.restarts.parked.is_empty() || self.restarts.trial.is_some()
    }

    /// Whether calls are refused because the pool is degraded and nobody could serve them; if so, the time until the
    /// next start is tried.
    pub(super) fn fail_fast(&self) -> Option<Duration> {
        (self.is_degraded() && self.ready == 0).then(|| {
            let due = self.timers.due(Timer::Trial);
            due.map_or(Duration::ZERO, |due| due.since(self.now))
        })
    }

    /// A dead worker is to be replaced.
    pub(super) fn replace(&mut self, number: u32, permanent: bool, actions: &mut Vec<Action>) {
        let seat = self.seats.get(number);
        let (id, finished, was_ready) = (seat.id, seat.finished, seat.ready_since);
        let proved = was_ready
            .is_some_and(|since| finished > 0 || self.now.since(since) >= self.config.restarts.backoff_max);
        let post = self.seats.post_mut(id.slot);
        post.failures = if proved {
            1
        } else {
            post.failures.saturating_add(1)
        };
        let pause = self.config.backoff(id.slot, id.generation, post.failures);
        let due = self.now.after(pause);
        let was_trial = self.restarts.trial == Some(number);
        if was_trial || permanent || self.over_limit(id.slot, due) {
            self.park(number, permanent, actions);
        } else {
            self.timers.set(Timer::Seat(number), due);
        }
        self.check_service(actions);
    }

    /// The pause before a restart is over.
    pub(super) fn restart(&mut self, number: u32, actions: &mut Vec<Action>) {
        let slot = self.seats.get(number).id.slot;
        if self.over_limit(slot, self.now) {
            self.park(number, false, actions);
            self.check_service(actions);
        } else {
            self.spawn_again(number, actions);
        }
    }

    fn spawn_again(&mut self, number: u32, actions: &mut Vec<Action>) {
        let limits = self.config.restarts;
        let slot = self.seats.get(number).id.slot;
        let post = self.seats.post_mut(slot);
        if !post.unfilled {
            post.restarts.push(self.now, limits.slot_max);
            self.restarts.window.push(self.now, limits.pool_max);
        }
        self.spawn(number, actions);
    }

    /// Whether a restart of `slot` at this moment would be one too many.
    fn over_limit(&self, slot: u32, at: super::Moment) -> bool {
        let limits = self.config.restarts;
        let post = self.seats.post(slot);
        let full = post.restarts.is_full(at, limits.slot_max, limits.window)
            || self.restarts.window.is_full(at, limits.pool_max, limits.window);
        full && !post.unfilled && !self.has(Canary::RestartsForEver)
    }

    fn trial_failed(&mut self, permanent: bool) {
        let restarts = &mut self.restarts;
        restarts.trial = None;
        restarts.failed_trials = restarts.failed_trials.saturating_add(1);
        restarts.permanent = if permanent { restarts.permanent + 1 } else { 0 };
    }

    /// Nothing is tried any more: every trial fails for a reason that can only come again.
    pub(super) fn has_given_up(&self) -> bool {
        self.restarts.permanent >= CoreConfig::PERMANENT_ATTEMPTS
    }

    /// Sets the timer of the next trial, where one is to come and none is set.
    fn plan_trial(&mut self) {
        let none_runs = self.restarts.trial.is_none() && self.timers.due(Timer::Trial).is_none();
        if none_runs && !self.restarts.parked.is_empty() && !self.has_given_up() {
            let pause = self.config.trial_pause(self.restarts.failed_trials);
            self.timers.set(Timer::Trial, self.now.after(pause));
        }
    }

    /// Tries starts again, if none was to be tried any more.
    pub(super) fn hope_again(&mut self) {
        self.restarts.permanent = 0;
        if !self.winding_down {
            self.plan_trial();
        }
    }

    fn park(&mut self, number: u32, permanent: bool, actions: &mut Vec<Action>) {
        let was_degraded = self.is_degraded();
        if self.step(number, Input::LimitReached).is_none() {
            return;
        }
        self.timers.clear(Timer::Seat(number));
        self.restarts.parked.insert(number);
        if self.restarts.trial == Some(number) {
            self.trial_failed(permanent);
        }
        self.plan_trial();
        if !was_degraded {
            self.counters.degraded += 1;
            let due = self.timers.due(Timer::Trial);
            let retry_in = due.map_or(Duration::ZERO, |due| due.since(self.now));
            actions.push(Action::Note(Notice::Degraded { retry_in }));
        }
    }

    /// Forgets that a seat waits for a trial. A pool that has shrunk to those that do not has recovered by that.
    pub(super) fn unpark(&mut self, number: u32, actions: &mut Vec<Action>) {
        let was_degraded = self.is_degraded();
        self.restarts.parked.remove(&number);
        if self.restarts.trial == Some(number) {
            self.restarts.trial = None;
        }
        if self.restarts.parked.is_empty() {
            self.timers.clear(Timer::Trial);
        } else if !self.winding_down {
            self.plan_trial();
        }
        if was_degraded && !self.is_degraded() && self.phase == Phase::Open {
            self.restarts.failed_trials = 0;
            actions.push(Action::Note(Notice::Recovered));
        }
    }

    /// Nobody waits for any worker in a degraded pool that has none.
    pub(super) fn refuse_if_degraded(&mut self, actions: &mut Vec<Action>) {
        if self.shared.is_empty() || self.phase != Phase::Open {
            return;
        }
        if let Some(retry_in) = self.fail_fast() {
            self.refuse_shared(Verdict::Degraded { retry_in }, actions);
        }
    }

    /// A pool that has no worker and will get none any more has failed. One that is about to end counts: it is followed,
    /// or its seat is vacated, and then this is asked again.
    pub(super) fn check_service(&mut self, actions: &mut Vec<Action>) {
        let empty = |state| matches!(state, WorkerState::Parked | WorkerState::Vacant);
        if self.has_given_up() && self.seats.all.iter().all(|seat| empty(seat.state)) {
            self.fail(actions);
        }
    }

    /// A degraded pool tries one of its empty seats.
    pub(super) fn try_again(&mut self, actions: &mut Vec<Action>) {
        let Some(&number) = self.restarts.parked.first() else {
            return;
        };
        let slot = self.seats.get(number).id.slot;
        if self.over_limit(slot, self.now) {
            let later = self.now.after(self.config.restarts.window);
            self.timers.set(Timer::Trial, later);
            return;
        }
        self.restarts.parked.remove(&number);
        self.restarts.trial = Some(number);
        self.spawn_again(number, actions);
    }

    /// A worker is ready. If its start was the trial, the pool has recovered.
    pub(super) fn start_succeeded(&mut self, number: u32, actions: &mut Vec<Action>) {
        self.restarts.permanent = 0;
        if self.restarts.trial != Some(number) {
            // If nothing was tried any more, it is now.
            self.plan_trial();
            return;
        }
        self.restarts.trial = None;
        self.restarts.failed_trials = 0;
        self.timers.clear(Timer::Trial);
        for seat in std::mem::take(&mut self.restarts.parked) {
            if self.step(seat, Input::Released).is_some() {
                self.restarts.waiting.push_back(seat);
            }
        }
        actions.push(Action::Note(Notice::Recovered));
        self.start_waiting(actions);
    }

    /// Starts the seats that wait for it, unless a batch has just been started.
    pub(super) fn start_waiting(&mut self, actions: &mut Vec<Action>) {
        if self.timers.due(Timer::Batch).is_none() {
            self.start_batch(actions);
        }
    }

    /// Starts the next batch, and sets the timer of the one after it.
    pub(super) fn start_batch(&mut self, actions: &mut Vec<Action>) {
        let mut left = self.config.startup_batch_size.get();
        while left > 0
            && let Some(number) = self.restarts.waiting.pop_front()
        {
            // It may have been vacated meanwhile.
            if self.seats.get(number).state != WorkerState::Waiting {
                continue;
            }
            let slot = self.seats.get(number).id.slot;
            if self.over_limit(slot, self.now) {
                self.park(number, false, actions);
                self.check_service(actions);
            } else {
                self.spawn_again(number, actions);
                left -= 1;
            }
        }
        if !self.restarts.waiting.is_empty() {
            let next = self.now.after(self.config.startup_batch_delay);
            self.timers.set(Timer::Batch, next);
        }
    }
}
