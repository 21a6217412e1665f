//! Code that does not stop when it is told to costs its worker: at once where it is alone in it, and otherwise as soon as
//! the others in there are done.

use super::event::{Action, KillReason};
use super::lifecycle::WorkerState;
use super::notice::Notice;
use super::seats::Role;
use super::timers::Timer;
use super::{Core, Phase};

impl Core {
    /// Nobody has waited for a call of this worker for too long, and its code still runs.
    pub(super) fn overstayed(&mut self, number: u32, actions: &mut Vec<Action>) {
        if self.config.capacity.get() == 1 {
            self.condemn(number, KillReason::Hung, actions);
        } else {
            self.quarantine(number, actions);
        }
    }

    /// A worker gets nothing new, and is followed at once. Its other calls have `grace` to finish; then it is killed. One
    /// that was asked to stop has its grace already.
    fn quarantine(&mut self, number: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(number);
        let serves = matches!(seat.state, WorkerState::Ready | WorkerState::Retiring);
        if !serves || std::mem::replace(&mut seat.quarantined, true) {
            return;
        }
        // It goes for this reason now, and for no other.
        seat.due = None;
        let worker = seat.id;
        actions.push(Action::Note(Notice::Quarantined { worker }));
        self.follow_at_once(number, actions);
        self.retire(number, actions);
        if self.seats.get(number).state == WorkerState::Retiring {
            let end = self.now.after(self.config.grace);
            self.timers.set(Timer::Seat(number), end);
            self.relieve(number, actions);
        }
    }

    /// Starts the next worker of a seat's slot beside the present one, if the surplus allows it and none is on its way.
    /// Otherwise it is started when the present one has ended.
    fn follow_at_once(&mut self, number: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get(number);
        let (slot, role) = (seat.id.slot, seat.role);
        let post = self.seats.post(slot);
        if self.phase == Phase::Open
            && role == Role::Current
            && post.wanted
            && post.successor.is_none()
            && let Some(successor) = self.seats.take_spare(slot)
        {
            self.spawn(successor, actions);
        }
    }
}
