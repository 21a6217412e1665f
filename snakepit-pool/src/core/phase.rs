//! The way of the whole pool: opened, drained, shut down, failed.

use super::event::{Action, KillReason, Verdict};
use super::lifecycle::WorkerState;
use super::timers::Timer;
use super::{Core, Moment, Phase};

impl Core {
    pub(super) fn open(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Open && self.unstarted == 0 {
            self.start_batch(actions);
        } else {
            self.counters.spurious += 1;
        }
    }

    /// Starts the next batch, and sets the timer of the one after it.
    pub(super) fn start_batch(&mut self, actions: &mut Vec<Action>) {
        let size = self.config.size.get();
        let end = self
            .unstarted
            .saturating_add(self.config.startup_batch_size.get())
            .min(size);
        for slot in self.unstarted..end {
            self.spawn(slot, actions);
        }
        self.unstarted = end;
        if end < size {
            let next = self.now.after(self.config.startup_batch_delay);
            self.timers.set(Timer::Batch, next);
        }
    }

    pub(super) fn drain(&mut self) {
        match self.phase {
            Phase::Open if self.milestones.ready => self.phase = Phase::Draining,
            // Nothing was ever accepted, so that there is nothing to finish.
            Phase::Open => self.phase = Phase::Closing,
            Phase::Draining | Phase::Closing | Phase::Failed => self.counters.spurious += 1,
        }
    }

    pub(super) fn shut_down(&mut self, until: Moment, actions: &mut Vec<Action>) {
        if self.phase == Phase::Failed {
            self.counters.spurious += 1;
            return;
        }
        self.phase = Phase::Closing;
        self.refuse_queued(Verdict::ShuttingDown, actions);
        if self.patience_over {
            return;
        }
        let earlier = self
            .timers
            .due(Timer::Closing)
            .map_or(until, |due| due.min(until));
        if earlier > self.now {
            self.timers.set(Timer::Closing, earlier);
        } else {
            self.lose_patience(actions);
        }
    }

    /// What still runs has had its time.
    pub(super) fn lose_patience(&mut self, actions: &mut Vec<Action>) {
        self.timers.clear(Timer::Closing);
        self.patience_over = true;
        for slot in self.seats.numbers() {
            self.relieve(slot, actions);
        }
    }

    /// The pool will never be ready: everything is refused from now on.
    pub(super) fn fail(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Open {
            self.phase = Phase::Failed;
            self.milestones.failed = true;
            self.milestones.settled = true;
            self.refuse_queued(Verdict::NotInitialized, actions);
        }
    }

    pub(super) fn abandon(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Failed {
            self.phase = Phase::Closing;
        }
        self.refuse_queued(Verdict::ShuttingDown, actions);
        self.timers.clear(Timer::Closing);
        self.patience_over = true;
        for slot in self.seats.numbers() {
            self.condemn(slot, KillReason::Abandoned, actions);
        }
    }

    /// Once nothing new can come and nothing waits, every worker without running calls is dismissed. Runs over all
    /// slots once; from then on [`Core::relieve`] looks after each.
    pub(super) fn wind_down(&mut self, actions: &mut Vec<Action>) {
        if self.winding_down || self.phase == Phase::Open || !self.queue.is_empty() {
            return;
        }
        self.winding_down = true;
        self.timers.clear(Timer::Batch);
        for slot in self.seats.numbers() {
            self.relieve(slot, actions);
        }
    }

    /// Dismisses a slot's worker if the pool winds down and nobody waits for what it runs.
    pub(super) fn relieve(&mut self, slot: u32, actions: &mut Vec<Action>) {
        if !self.winding_down {
            return;
        }
        let seat = self.seats.get(slot);
        let busy = seat.state == WorkerState::Ready && seat.running() > 0 && !self.patience_over;
        if !busy {
            self.dismiss(slot, actions);
        }
    }
}
