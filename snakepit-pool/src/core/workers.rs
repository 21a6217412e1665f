//! The way of a worker: spawned, ready, stopped, dead, replaced.

use snakepit_profile::WorkerId;

use super::event::{Action, KillReason, Verdict};
use super::lifecycle::{Input, WorkerState};
use super::timers::Timer;
use super::{Core, CoreConfig};

impl Core {
    /// Moves a slot along the table. `None`: the input means nothing in its state, and nothing has changed.
    fn step(&mut self, slot: u32, input: Input) -> Option<WorkerState> {
        let seat = self.seats.get_mut(slot);
        let from = seat.state;
        let to = from.on(input)?;
        seat.state = to;
        if from.is_live() && !to.is_live() {
            self.counters.died += 1;
        }
        if from == WorkerState::Ready || to == WorkerState::Ready {
            self.seats.file(slot);
        }
        Some(to)
    }

    /// The slot of an event's worker. An older generation, or one that never was, changes only a counter.
    fn present(&mut self, worker: WorkerId) -> Option<u32> {
        let slot = self.seats.current(worker);
        if slot.is_none() {
            self.counters.stale += 1;
        }
        slot
    }

    pub(super) fn spawn(&mut self, slot: u32, actions: &mut Vec<Action>) {
        if self.step(slot, Input::Spawned).is_none() {
            return;
        }
        let timeout = self.now.after(self.config.startup_timeout);
        let seat = self.seats.get_mut(slot);
        seat.id.generation = seat.id.generation.saturating_add(1);
        seat.ready_since = None;
        seat.served = false;
        let worker = seat.id;
        self.counters.spawned += 1;
        self.counters.restarts += u64::from(worker.generation > 1);
        self.timers.set(Timer::Slot(slot), timeout);
        actions.push(Action::Spawn { worker });
    }

    pub(super) fn launched(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(slot) = self.present(worker) else { return };
        if self.step(slot, Input::Launched) == Some(WorkerState::Dying) {
            let reason = if self.winding_down {
                KillReason::NotNeeded
            } else {
                KillReason::StartupTimeout
            };
            actions.push(Action::Kill { worker, reason });
        }
    }

    pub(super) fn launch_failed(&mut self, worker: WorkerId, permanent: bool, actions: &mut Vec<Action>) {
        let Some(slot) = self.present(worker) else { return };
        if self.step(slot, Input::LaunchFailed).is_some() {
            self.died(slot, permanent, actions);
        }
    }

    pub(super) fn became_ready(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(slot) = self.present(worker) else { return };
        if self.step(slot, Input::BecameReady).is_none() {
            return;
        }
        self.timers.clear(Timer::Slot(slot));
        self.seats.get_mut(slot).ready_since = Some(self.now);
        self.milestones.ready = true;
        self.settle(slot);
        self.pump(actions);
        self.relieve(slot, actions);
    }

    pub(super) fn severed(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(slot) = self.present(worker) else { return };
        self.condemn(slot, KillReason::Severed, actions);
    }

    pub(super) fn exited(&mut self, worker: WorkerId, permanent: bool, actions: &mut Vec<Action>) {
        let Some(slot) = self.present(worker) else { return };
        if self.step(slot, Input::Exited).is_none() {
            self.counters.spurious += 1;
            return;
        }
        while let Some(key) = self.seats.get(slot).leases.first() {
            let request = self.requests[key as usize].id;
            if let Some((_, Some(service))) = self.end_lease(key) {
                actions.push(Action::Answer {
                    request,
                    verdict: Verdict::WorkerLost(service),
                });
            }
        }
        self.died(slot, permanent, actions);
    }

    /// A slot has no worker any more. Another one follows after a pause, unless the pool has failed by it or ends.
    fn died(&mut self, slot: u32, permanent: bool, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(slot);
        let proved = seat
            .ready_since
            .is_some_and(|since| seat.served || self.now.since(since) >= self.config.backoff_max);
        seat.failures = if proved {
            1
        } else {
            seat.failures.saturating_add(1)
        };
        let pause = self.config.backoff(slot, seat.id.generation, seat.failures);
        let was_ready = seat.ready_since.is_some();
        self.timers.set(Timer::Slot(slot), self.now.after(pause));
        if !was_ready {
            self.start_failed(slot, permanent, actions);
        }
        self.relieve(slot, actions);
    }

    /// Counts a start that failed. A pool without any ready worker so far may have failed for good.
    fn start_failed(&mut self, slot: u32, permanent: bool, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(slot);
        seat.failed_starts = seat.failed_starts.saturating_add(1);
        if seat.failed_starts == CoreConfig::START_ATTEMPTS && !seat.settled {
            self.hopeless += 1;
            self.settle(slot);
        }
        let hopeless = permanent || self.hopeless == self.config.size.get();
        if hopeless && !self.milestones.ready {
            self.fail(actions);
        }
    }

    /// The slot has had a ready worker, or has failed.
    fn settle(&mut self, slot: u32) {
        let seat = self.seats.get_mut(slot);
        if !std::mem::replace(&mut seat.settled, true) {
            self.unsettled -= 1;
            self.milestones.settled |= self.unsettled == 0;
        }
    }

    pub(super) fn slot_due(&mut self, slot: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get(slot);
        let (worker, grace_ends) = (seat.id, seat.grace_ends);
        match seat.state {
            WorkerState::BackingOff => self.spawn(slot, actions),
            WorkerState::Launching | WorkerState::Starting => {
                if self.step(slot, Input::StartupTimedOut) == Some(WorkerState::Dying) {
                    let reason = KillReason::StartupTimeout;
                    actions.push(Action::Kill { worker, reason });
                }
            }
            WorkerState::Stopping if self.now < grace_ends => {
                actions.push(Action::Terminate { worker });
                self.timers.set(Timer::Slot(slot), grace_ends);
            }
            WorkerState::Stopping => {
                self.step(slot, Input::GraceOver);
                let reason = KillReason::GraceOver;
                actions.push(Action::Kill { worker, reason });
            }
            WorkerState::Waiting
            | WorkerState::Unwanted
            | WorkerState::Ready
            | WorkerState::Dying
            | WorkerState::Gone => {}
        }
    }

    /// Ends a worker that is no longer needed: with manners if it has served, at once if it never was ready.
    pub(super) fn dismiss(&mut self, slot: u32, actions: &mut Vec<Action>) {
        if self.step(slot, Input::Retired).is_some() {
            self.timers.clear(Timer::Slot(slot));
            self.gone += 1;
            self.milestones.stopped = self.gone == self.config.size.get();
            return;
        }
        let worker = self.seats.get(slot).id;
        match self.step(slot, Input::Dismissed) {
            Some(WorkerState::Stopping) => {
                self.seats.get_mut(slot).grace_ends = self.now.after(self.config.grace);
                let half = self.now.after(self.config.grace / 2);
                self.timers.set(Timer::Slot(slot), half);
                actions.push(Action::Stop { worker });
            }
            Some(WorkerState::Dying) => {
                self.timers.clear(Timer::Slot(slot));
                let reason = KillReason::NotNeeded;
                actions.push(Action::Kill { worker, reason });
            }
            // It is killed as soon as it exists.
            Some(_) => self.timers.clear(Timer::Slot(slot)),
            None => {}
        }
    }

    /// Gives nothing more to a worker that has died: the report of its end is on its way.
    pub(super) fn give_up(&mut self, slot: u32) {
        if self.step(slot, Input::Condemned).is_some() {
            self.timers.clear(Timer::Slot(slot));
        }
    }

    /// Ends a worker without manners.
    pub(super) fn condemn(&mut self, slot: u32, reason: KillReason, actions: &mut Vec<Action>) {
        let worker = self.seats.get(slot).id;
        if let Some(to) = self.step(slot, Input::Condemned) {
            self.timers.clear(Timer::Slot(slot));
            if to == WorkerState::Dying {
                actions.push(Action::Kill { worker, reason });
            }
        }
    }
}
