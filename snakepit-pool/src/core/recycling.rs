//! Workers that are well are renewed: the successor is ready before the old one stops taking calls, and what the old one
//! runs finishes.

use std::collections::VecDeque;

use snakepit_profile::WorkerId;

use super::canary::Canary;
use super::event::Action;
use super::lifecycle::{Input, WorkerState};
use super::notice::{Notice, RecycleReason, Recycled};
use super::seats::Role;
use super::{Core, CoreConfig, Phase};

/// Workers on their way out, in the order in which it was decided.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// Those that are to be renewed, and for which nothing was begun.
    pub(super) due: VecDeque<WorkerId>,
    /// Those whose successor serves, and that serve as well until the pool can do without them.
    pub(super) leaving: VecDeque<WorkerId>,
}

impl Core {
    /// A worker has finished a call.
    pub(super) fn count_finished(&mut self, number: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(number);
        seat.finished += 1;
        let (id, finished) = (seat.id, seat.finished);
        let limit = self.config.requests(id.slot, id.generation);
        if limit.is_some_and(|limit| finished >= limit) {
            self.mark_due(number, RecycleReason::Requests, actions);
        }
    }

    /// A worker's memory was measured.
    pub(super) fn sampled(&mut self, worker: WorkerId, memory: u64, actions: &mut Vec<Action>) {
        let Some(number) = self.present(worker) else {
            return;
        };
        let heavy = self.config.recycling.memory.is_some_and(|most| memory > most);
        let seat = self.seats.get_mut(number);
        seat.heavy = if heavy { seat.heavy.saturating_add(1) } else { 0 };
        if seat.heavy >= CoreConfig::HEAVY_SAMPLES {
            self.mark_due(number, RecycleReason::Memory, actions);
        }
    }

    /// Somebody wants a worker renewed.
    pub(super) fn recycle(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        if let Some(number) = self.present(worker) {
            // Whoever asks may have mended what made every start fail.
            self.hope_again();
            self.mark_due(number, RecycleReason::Requested, actions);
        }
    }

    /// A worker is to be renewed, unless it is on its way out anyway.
    pub(super) fn mark_due(&mut self, number: u32, reason: RecycleReason, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(number);
        let settled = seat.state == WorkerState::Ready && seat.role == Role::Current && seat.due.is_none();
        if settled && self.phase == Phase::Open {
            seat.due = Some(reason);
            self.renewals.due.push_back(seat.id);
            self.renew(actions);
        }
    }

    /// Begins with as many of those that are due as the pool's surplus allows.
    pub(super) fn renew(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Open {
            return;
        }
        while let Some(&worker) = self.renewals.due.front() {
            let wanted = self.seats.post(worker.slot).wanted;
            if let Some(number) = self.still(worker, Role::Current).filter(|_| wanted) {
                if self.config.recycling.surge_max == 0 || self.has(Canary::RecyclesEarly) {
                    if !self.can_spare_one() && !self.has(Canary::RecyclesEarly) {
                        return;
                    }
                    self.retire(number, actions);
                } else {
                    let Some(successor) = self.seats.take_spare(worker.slot) else {
                        return;
                    };
                    self.spawn(successor, actions);
                }
            }
            self.renewals.due.pop_front();
        }
    }

    /// A successor is ready: it is the slot's worker from now on.
    pub(super) fn hand_over(&mut self, slot: u32) {
        if let Some(before) = self.seats.promote(slot) {
            self.renewals.leaving.push_back(self.seats.get(before).id);
        }
    }

    /// Lets go of those whose successor serves, as far as the pool can do without them.
    pub(super) fn let_go(&mut self, actions: &mut Vec<Action>) {
        while let Some(&worker) = self.renewals.leaving.front() {
            if let Some(number) = self.still(worker, Role::Outgoing) {
                if !self.can_spare_one() {
                    return;
                }
                self.retire(number, actions);
            }
            self.renewals.leaving.pop_front();
        }
        self.renew(actions);
    }

    /// Where a worker is, if it is still ready, and this to its slot.
    fn still(&self, worker: WorkerId, role: Role) -> Option<u32> {
        self.seats.find(worker).filter(|&number| {
            let seat = self.seats.get(number);
            seat.state == WorkerState::Ready && seat.role == role
        })
    }

    /// One ready worker fewer would be enough.
    fn can_spare_one(&self) -> bool {
        self.ready > self.config.recycling.floor(self.size)
    }

    /// A worker takes nothing new from now on, and is stopped once it has finished what it has.
    pub(super) fn retire(&mut self, number: u32, actions: &mut Vec<Action>) {
        if self.step(number, Input::Superseded).is_none() {
            return;
        }
        self.timers.clear(super::Timer::Seat(number));
        let seat = self.seats.get_mut(number);
        seat.retired_at = Some(self.now);
        let (worker, requests, reason) = (seat.id, seat.finished, seat.due);
        let uptime = seat
            .ready_since
            .map_or_else(Default::default, |since| self.now.since(since));
        let follower = self.seats.get(self.seats.post(worker.slot).seat).id;
        if let Some(reason) = reason {
            self.counters.recycled[reason as usize] += 1;
            actions.push(Action::Note(Notice::Recycled(Recycled {
                worker,
                successor: (follower != worker).then_some(follower),
                reason,
                uptime,
                requests,
            })));
        }
        self.relieve(number, actions);
    }
}
