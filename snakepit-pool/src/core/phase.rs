//! The way of the whole pool: opened, resized, drained, shut down, failed.

use std::num::NonZeroU32;

use super::event::{Action, KillReason, Verdict};
use super::lifecycle::{Input, WorkerState};
use super::seats::{Debut, Role};
use super::timers::Timer;
use super::{Core, Moment, Phase};

impl Core {
    pub(super) fn open(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Open || self.milestones.opened {
            self.counters.spurious += 1;
            return;
        }
        self.milestones.opened = true;
        let first = self.seats.posts.iter().filter(|post| post.wanted);
        self.restarts.waiting.extend(first.map(|post| post.seat));
        self.start_batch(actions);
    }

    /// Changes the number of slots. New ones are started like the first; of those that go the calls finish.
    pub(super) fn resize(&mut self, size: NonZeroU32, actions: &mut Vec<Action>) {
        if self.phase != Phase::Open || size > self.config.size_max {
            self.counters.spurious += 1;
            return;
        }
        let (old, new) = (self.size, size.get());
        self.size = new;
        // All at once: what one of them gives free must not begin anything in the next.
        for slot in new..old {
            self.seats.post_mut(slot).wanted = false;
        }
        for slot in new..old {
            self.remove_slot(slot, actions);
        }
        for slot in old..new {
            self.restore_slot(slot);
        }
        if self.milestones.opened {
            self.start_waiting(actions);
        }
        // With fewer workers to keep ready, one that waited to go may go.
        self.let_go(actions);
        if self.hopeless >= new && !self.milestones.ready {
            self.fail(actions);
        }
    }

    fn remove_slot(&mut self, slot: u32, actions: &mut Vec<Action>) {
        let post = self.seats.post_mut(slot);
        let (seat, successor) = (post.seat, post.successor.take());
        // A slot that never had a ready worker begins anew if it is wanted again.
        match post.debut {
            Debut::Awaited => self.one_settled(),
            Debut::Made => {}
            Debut::Hopeless => {
                post.debut = Debut::Awaited;
                self.hopeless -= 1;
            }
        }
        if let Some(successor) = successor {
            // If the slot is wanted again before it has ended, it follows nobody.
            self.seats.get_mut(successor).role = Role::Outgoing;
        }
        for number in successor.into_iter().chain([seat]) {
            // If it was due, it no longer goes for that reason.
            self.seats.get_mut(number).due = None;
            match self.seats.get(number).state {
                WorkerState::Ready => self.retire(number, actions),
                WorkerState::Retiring => {}
                _ => self.dismiss(number, actions),
            }
        }
    }

    /// Makes a slot that the pool did not have, or had before. A worker that is still on its way out of it goes first.
    fn restore_slot(&mut self, slot: u32) {
        if slot as usize == self.seats.posts.len() {
            let seat = self.seats.add_slot();
            self.unsettled += 1;
            if self.milestones.opened {
                self.restarts.waiting.push_back(seat);
            }
            return;
        }
        let post = self.seats.post_mut(slot);
        post.wanted = true;
        post.failures = 0;
        post.failed_starts = 0;
        let (seat, debut) = (post.seat, post.debut);
        self.unsettled += u32::from(debut == Debut::Awaited);
        if self.step(seat, Input::Wanted).is_some() {
            self.seats.post_mut(slot).unfilled = true;
            if self.milestones.opened {
                self.restarts.waiting.push_back(seat);
            }
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
        self.refuse_waiting(Verdict::ShuttingDown, actions);
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
        for seat in self.seats.numbers() {
            self.relieve(seat, actions);
        }
    }

    /// The pool will never be ready: everything is refused from now on.
    pub(super) fn fail(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Open {
            self.phase = Phase::Failed;
            self.milestones.failed = true;
            self.milestones.settled = true;
            self.refuse_waiting(Verdict::NotInitialized, actions);
        }
    }

    pub(super) fn abandon(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Failed {
            self.phase = Phase::Closing;
        }
        self.refuse_waiting(Verdict::ShuttingDown, actions);
        self.timers.clear(Timer::Closing);
        self.patience_over = true;
        for seat in self.seats.numbers() {
            self.condemn(seat, KillReason::Abandoned, actions);
        }
    }

    /// Once nothing new can come and nothing waits, every worker without running calls is dismissed. Runs over all
    /// seats once; from then on [`Core::relieve`] looks after each.
    pub(super) fn wind_down(&mut self, actions: &mut Vec<Action>) {
        if !self.winding_down && self.phase != Phase::Open && self.waiting() == 0 {
            self.winding_down = true;
            self.timers.clear(Timer::Batch);
            self.restarts.waiting.clear();
            for seat in self.seats.numbers() {
                self.relieve(seat, actions);
            }
        }
        self.milestones.stopped = self.winding_down && self.vacant as usize == self.seats.all.len();
    }

    /// Dismisses a seat's worker if it is on its way out, and nobody waits for what it runs or will run.
    pub(super) fn relieve(&mut self, number: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get(number);
        let goes = self.winding_down || seat.state == WorkerState::Retiring;
        let serves = matches!(seat.state, WorkerState::Ready | WorkerState::Retiring);
        let busy = serves && (seat.running() > 0 || !seat.lanes.is_empty()) && !self.patience_over;
        if goes && !busy && serves && seat.quarantined {
            self.condemn(number, KillReason::Hung, actions);
        } else if goes && !busy {
            self.dismiss(number, actions);
        }
    }
}
