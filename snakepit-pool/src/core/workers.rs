//! The way of a worker: spawned, ready, stopped, dead.

use snakepit_profile::WorkerId;

use super::event::{Action, KillReason, Verdict};
use super::lifecycle::{Input, WorkerState};
use super::notice::{Notice, RecycleReason};
use super::seats::{Debut, Role};
use super::timers::Timer;
use super::{Core, CoreConfig};

impl Core {
    /// Moves a seat along the table. `None`: the input means nothing in its state, and nothing has changed.
    pub(super) fn step(&mut self, number: u32, input: Input) -> Option<WorkerState> {
        let seat = self.seats.get_mut(number);
        let from = seat.state;
        let to = from.on(input)?;
        seat.state = to;
        let is = |state, which| u32::from(state == which);
        self.ready = self.ready + is(to, WorkerState::Ready) - is(from, WorkerState::Ready);
        self.vacant = self.vacant + is(to, WorkerState::Vacant) - is(from, WorkerState::Vacant);
        if from.is_live() && !to.is_live() {
            self.counters.died += 1;
        }
        if from == WorkerState::Ready || to == WorkerState::Ready {
            self.seats.file(number);
        }
        Some(to)
    }

    /// The seat of an event's worker. An older generation, or one that never was, changes only a counter.
    pub(super) fn present(&mut self, worker: WorkerId) -> Option<u32> {
        let seat = self.seats.find(worker);
        if seat.is_none() {
            self.counters.stale += 1;
        }
        seat
    }

    pub(super) fn spawn(&mut self, number: u32, actions: &mut Vec<Action>) {
        if self.step(number, Input::Spawned).is_none() {
            return;
        }
        let slot = self.seats.get(number).id.slot;
        let post = self.seats.post_mut(slot);
        post.generation = post.generation.saturating_add(1);
        post.unfilled = false;
        let worker = WorkerId {
            slot,
            generation: post.generation,
        };
        self.seats.get_mut(number).begin(worker, self.now);
        self.counters.spawned += 1;
        self.counters.restarts += u64::from(worker.generation > 1);
        let timeout = self.now.after(self.config.startup_timeout);
        self.timers.set(Timer::Seat(number), timeout);
        actions.push(Action::Spawn { worker });
    }

    pub(super) fn launched(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(number) = self.present(worker) else {
            return;
        };
        if self.step(number, Input::Launched) == Some(WorkerState::Dying) {
            let timeout = self.seats.get(number).spawned.after(self.config.startup_timeout);
            // Its slot may be wanted again: that tells nothing about why it was not.
            let reason = if timeout <= self.now {
                KillReason::StartupTimeout
            } else {
                KillReason::NotNeeded
            };
            actions.push(Action::Kill { worker, reason });
        }
    }

    pub(super) fn launch_failed(&mut self, worker: WorkerId, permanent: bool, actions: &mut Vec<Action>) {
        let Some(seat) = self.present(worker) else { return };
        if self.step(seat, Input::LaunchFailed).is_some() {
            self.died(seat, permanent, actions);
        }
    }

    pub(super) fn became_ready(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(number) = self.present(worker) else {
            return;
        };
        if self.step(number, Input::BecameReady).is_none() {
            return;
        }
        let now = self.now;
        let seat = self.seats.get_mut(number);
        seat.ready_since = Some(now);
        let (role, after) = (seat.role, now.since(seat.spawned));
        match self.config.ttl(worker.slot, worker.generation) {
            Some(ttl) => self.timers.set(Timer::Seat(number), now.after(ttl)),
            None => self.timers.clear(Timer::Seat(number)),
        }
        self.milestones.ready = true;
        self.settle(worker.slot, Debut::Made);
        actions.push(Action::Note(Notice::Ready { worker, after }));
        self.start_succeeded(number, actions);
        if role == Role::Successor {
            self.hand_over(worker.slot);
        }
        self.feed(number, actions);
        self.relieve(number, actions);
        self.let_go(actions);
    }

    pub(super) fn severed(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(seat) = self.present(worker) else { return };
        self.condemn(seat, KillReason::Severed, actions);
    }

    pub(super) fn exited(&mut self, worker: WorkerId, permanent: bool, actions: &mut Vec<Action>) {
        let Some(seat) = self.present(worker) else { return };
        if self.step(seat, Input::Exited).is_none() {
            self.counters.spurious += 1;
            return;
        }
        while let Some(key) = self.seats.get(seat).leases.first() {
            self.note_served(key, worker);
            actions.extend(self.stopped(key).map(Action::Note));
            match self.release(key) {
                (_, Some(service)) => self.lose(key, service, Verdict::WorkerLost(service), actions),
                (_, None) => self.forget(key),
            }
        }
        self.strand(seat, actions);
        self.died(seat, permanent, actions);
    }

    /// A seat has no worker any more. Who is to follow depends on what the seat is to its slot.
    fn died(&mut self, number: u32, permanent: bool, actions: &mut Vec<Action>) {
        let seat = self.seats.get(number);
        let (slot, role, retired) = (seat.id.slot, seat.role, seat.retired_at.is_some());
        if seat.ready_since.is_none() {
            self.count_failed_start(slot, permanent, actions);
        }
        let post = self.seats.post(slot);
        if self.winding_down || !post.wanted || role == Role::Outgoing {
            self.vacate(number, actions);
        } else if role == Role::Current && post.successor.is_some() {
            // It was to be renewed, and has gone before its time: its successor is the slot's only worker now.
            self.seats.promote(slot);
            self.vacate(number, actions);
        } else if retired {
            self.spawn(number, actions);
        } else {
            self.replace(number, permanent, actions);
        }
    }

    /// Counts a start that failed. A pool without any ready worker so far may have failed for good.
    fn count_failed_start(&mut self, slot: u32, permanent: bool, actions: &mut Vec<Action>) {
        let post = self.seats.post_mut(slot);
        post.failed_starts = post.failed_starts.saturating_add(1);
        if post.wanted && post.failed_starts == CoreConfig::START_ATTEMPTS {
            self.settle(slot, Debut::Hopeless);
        }
        let hopeless = permanent || self.hopeless >= self.size;
        if hopeless && !self.milestones.ready {
            self.fail(actions);
        }
    }

    /// The slot has had a ready worker for the first time, or has failed for the first time.
    fn settle(&mut self, slot: u32, debut: Debut) {
        let post = self.seats.post_mut(slot);
        if post.debut == Debut::Awaited {
            post.debut = debut;
            self.hopeless += u32::from(debut == Debut::Hopeless);
            self.one_settled();
        }
    }

    /// One slot fewer keeps the pool from having started.
    pub(super) fn one_settled(&mut self) {
        self.unsettled -= 1;
        self.milestones.settled |= self.unsettled == 0;
    }

    pub(super) fn seat_due(&mut self, number: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get(number);
        let (worker, grace_ends) = (seat.id, seat.grace_ends);
        match seat.state {
            WorkerState::BackingOff => self.restart(number, actions),
            WorkerState::Launching | WorkerState::Starting => {
                if self.step(number, Input::StartupTimedOut) == Some(WorkerState::Dying) {
                    let reason = KillReason::StartupTimeout;
                    actions.push(Action::Kill { worker, reason });
                }
            }
            WorkerState::Ready => self.mark_due(number, RecycleReason::Age, actions),
            WorkerState::Stopping if self.now < grace_ends => {
                actions.push(Action::Terminate { worker });
                self.timers.set(Timer::Seat(number), grace_ends);
            }
            WorkerState::Stopping => {
                self.step(number, Input::GraceOver);
                let reason = KillReason::GraceOver;
                actions.push(Action::Kill { worker, reason });
            }
            WorkerState::Retiring => self.condemn(number, KillReason::Hung, actions),
            WorkerState::Waiting
            | WorkerState::Unwanted
            | WorkerState::Dying
            | WorkerState::Parked
            | WorkerState::Vacant => {}
        }
    }

    /// Ends a worker that is no longer needed: with manners if it has served, at once if it never was ready.
    pub(super) fn dismiss(&mut self, number: u32, actions: &mut Vec<Action>) {
        let worker = self.seats.get(number).id;
        match self.step(number, Input::Dismissed) {
            Some(WorkerState::Stopping) => {
                self.seats.get_mut(number).grace_ends = self.now.after(self.config.grace);
                let half = self.now.after(self.config.grace / 2);
                self.timers.set(Timer::Seat(number), half);
                actions.push(Action::Stop { worker });
            }
            Some(WorkerState::Dying) => {
                self.timers.clear(Timer::Seat(number));
                let reason = KillReason::NotNeeded;
                actions.push(Action::Kill { worker, reason });
            }
            // It is killed as soon as it exists.
            Some(_) => self.timers.clear(Timer::Seat(number)),
            None => self.vacate(number, actions),
        }
    }

    /// Leaves a seat without a worker for good, if it has none.
    pub(super) fn vacate(&mut self, number: u32, actions: &mut Vec<Action>) {
        if self.step(number, Input::Retired).is_none() {
            return;
        }
        self.timers.clear(Timer::Seat(number));
        self.unpark(number, actions);
        self.restarts.waiting.retain(|&waiting| waiting != number);
        if self.seats.get(number).role != Role::Current {
            self.seats.give_back(number);
            self.renew(actions);
        }
        self.check_service(actions);
    }

    /// Gives nothing more to a worker that has died: the report of its end is on its way.
    pub(super) fn give_up(&mut self, number: u32, actions: &mut Vec<Action>) {
        if self.step(number, Input::Condemned).is_some() {
            self.timers.clear(Timer::Seat(number));
            self.strand(number, actions);
        }
    }

    /// Ends a worker without manners.
    pub(super) fn condemn(&mut self, number: u32, reason: KillReason, actions: &mut Vec<Action>) {
        let worker = self.seats.get(number).id;
        if let Some(to) = self.step(number, Input::Condemned) {
            self.timers.clear(Timer::Seat(number));
            if to == WorkerState::Dying {
                actions.push(Action::Kill { worker, reason });
            }
            self.strand(number, actions);
        }
    }
}
