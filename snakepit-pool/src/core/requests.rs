//! The way of a request: submitted, queued, dispatched, ended.

use snakepit_profile::{RequestId, Slots};

use super::event::{Action, Service, Verdict};
use super::list::Links;
use super::records::{Lease, PLACES, Progress, Request, place_of};
use super::timers::Timer;
use super::{Core, Moment, Phase};

impl Core {
    pub(super) fn submit(&mut self, id: RequestId, deadline: Moment, actions: &mut Vec<Action>) {
        if id != self.next_request() {
            self.counters.spurious += 1;
            return;
        }
        self.sequence += 1;
        if let Some(verdict) = self.refusal(deadline) {
            self.counters.refused += 1;
            actions.push(Action::Answer { request: id, verdict });
            return;
        }
        self.counters.accepted += 1;
        let free = self.seats.least_loaded();
        let expires = self.now.after(self.config.queue_timeout);
        let key = self.requests.insert(Request {
            id,
            submitted: self.now,
            deadline,
            progress: Progress::Queued { expires },
            links: Links::ALONE,
        });
        let key = narrow(key);
        // Whenever a slot is free nothing waits, so that this request overtakes nobody.
        if let Some(slot) = free {
            self.dispatch(key, slot, actions);
        } else {
            self.counters.queued_ever += 1;
            self.queue.push_back(&mut self.requests, key);
            self.timers.set(Timer::Request(key), expires.min(deadline));
        }
    }

    /// Why a request with this deadline is not accepted now.
    fn refusal(&mut self, deadline: Moment) -> Option<Verdict> {
        match self.phase {
            Phase::Open => {}
            Phase::Failed => return Some(Verdict::NotInitialized),
            Phase::Draining | Phase::Closing => return Some(Verdict::ShuttingDown),
        }
        if !self.milestones.ready {
            return Some(Verdict::NotInitialized);
        }
        if deadline <= self.now {
            return Some(Verdict::DeadlineExceeded {
                dispatched: false,
                after: std::time::Duration::ZERO,
            });
        }
        let (depth, limit) = (self.queue.len(), self.config.queue_max);
        let must_wait = self.seats.least_loaded().is_none();
        if (must_wait && depth >= limit) || self.requests.len() >= PLACES {
            self.counters.saturated += 1;
            return Some(Verdict::Saturated { depth, limit });
        }
        None
    }

    /// Gives waiting requests to free slots until one of them runs out.
    pub(super) fn pump(&mut self, actions: &mut Vec<Action>) {
        while let Some(key) = self.queue.first()
            && let Some(slot) = self.seats.least_loaded()
        {
            self.queue.remove(&mut self.requests, key);
            self.dispatch(key, slot, actions);
        }
    }

    /// Gives the request at `key`, which is in no list, to a worker with room.
    fn dispatch(&mut self, key: u32, slot: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(slot);
        let permit =
            Slots::try_acquire(&seat.slots).expect("a worker is listed only while it has a free slot");
        let request = &mut self.requests[key as usize];
        request.progress = Progress::Leased(Lease::new(seat.id, self.now, permit));
        let (id, deadline, worker) = (request.id, request.deadline, seat.id);
        seat.leases.push_back(&mut self.requests, key);
        self.seats.file(slot);
        self.timers.set(Timer::Request(key), deadline);
        actions.push(Action::Dispatch { request: id, worker });
    }

    pub(super) fn cancel(&mut self, id: RequestId, actions: &mut Vec<Action>) {
        let Some(key) = self.find(id) else {
            self.counters.spurious += 1;
            return;
        };
        match self.requests[key as usize].progress {
            Progress::Queued { .. } => {
                self.counters.cancelled += 1;
                self.unqueue(key);
            }
            Progress::Leased(_) => {
                if self.let_linger(key, actions) {
                    self.counters.cancelled += 1;
                } else {
                    self.counters.spurious += 1;
                }
            }
        }
    }

    pub(super) fn complete(&mut self, id: RequestId, lost: bool, actions: &mut Vec<Action>) {
        let Some((slot, service)) = self.find(id).and_then(|key| self.end_lease(key)) else {
            // Late, repeated, or never dispatched: nothing can be freed by it.
            self.counters.stale += 1;
            return;
        };
        if let Some(service) = service {
            actions.push(Action::Answer {
                request: id,
                verdict: Verdict::Reported(service),
            });
        }
        if lost {
            self.give_up(slot);
        } else {
            self.seats.get_mut(slot).served = true;
        }
        self.seats.file(slot);
        self.pump(actions);
        self.relieve(slot, actions);
    }

    /// Forgets a leased request and frees its slot. Gives the slot, and the service if its caller still waits for it.
    /// The slot is to be filed again.
    pub(super) fn end_lease(&mut self, key: u32) -> Option<(u32, Option<Service>)> {
        let request = &self.requests[key as usize];
        let Progress::Leased(lease) = &request.progress else {
            return None;
        };
        let service = Service {
            worker: lease.worker,
            queued: lease.since.since(request.submitted),
            total: self.now.since(request.submitted),
        };
        let (slot, lingered) = (lease.worker.slot, lease.lingers);
        let seat = self.seats.get_mut(slot);
        seat.leases.remove(&mut self.requests, key);
        if lingered {
            seat.lingering -= 1;
        } else {
            self.counters.answered += 1;
        }
        self.timers.clear(Timer::Request(key));
        self.requests.remove(key as usize);
        Some((slot, (!lingered).then_some(service)))
    }

    /// The caller of a running request no longer waits: its code is asked to stop, and keeps its slot until it has.
    /// False where nobody has waited anyway.
    fn let_linger(&mut self, key: u32, actions: &mut Vec<Action>) -> bool {
        let request = &mut self.requests[key as usize];
        let id = request.id;
        let worker = match &mut request.progress {
            Progress::Leased(lease) if !lease.lingers => {
                lease.lingers = true;
                lease.worker
            }
            Progress::Leased(_) | Progress::Queued { .. } => return false,
        };
        self.seats.get_mut(worker.slot).lingering += 1;
        self.timers.clear(Timer::Request(key));
        actions.push(Action::Abort { request: id, worker });
        self.relieve(worker.slot, actions);
        true
    }

    fn unqueue(&mut self, key: u32) {
        self.queue.remove(&mut self.requests, key);
        self.timers.clear(Timer::Request(key));
        self.requests.remove(key as usize);
    }

    /// A request's wait is over.
    pub(super) fn request_due(&mut self, key: u32, actions: &mut Vec<Action>) {
        let request = &self.requests[key as usize];
        let (id, after) = (request.id, self.now.since(request.submitted));
        let dispatched = matches!(request.progress, Progress::Leased(_));
        let verdict = match request.progress {
            Progress::Queued { expires } if expires < request.deadline => {
                self.counters.queue_timeouts += 1;
                Verdict::QueueTimeout { waited: after }
            }
            Progress::Queued { .. } | Progress::Leased(_) => Verdict::DeadlineExceeded { dispatched, after },
        };
        self.counters.answered += 1;
        actions.push(Action::Answer { request: id, verdict });
        if dispatched {
            self.let_linger(key, actions);
        } else {
            self.unqueue(key);
        }
    }

    /// Answers everything that waits.
    pub(super) fn refuse_queued(&mut self, verdict: Verdict, actions: &mut Vec<Action>) {
        while let Some(key) = self.queue.first() {
            self.counters.answered += 1;
            actions.push(Action::Answer {
                request: self.requests[key as usize].id,
                verdict,
            });
            self.unqueue(key);
        }
    }

    /// Where a live request is kept.
    fn find(&self, id: RequestId) -> Option<u32> {
        let place = place_of(id);
        let request = self.requests.get(place)?;
        (request.id == id).then(|| narrow(place))
    }
}

/// A place as links and timers keep it. Places are below 2^24, so that nothing is cut off.
fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
