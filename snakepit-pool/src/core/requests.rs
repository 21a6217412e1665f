//! The way of a request: submitted, queued, dispatched, ended.

use std::time::Duration;

use snakepit_profile::{RequestId, WorkerId};

use super::breaker::{Admission, BreakerChange};
use super::canary::Canary;
use super::event::{Action, End, Service, Terms, Verdict};
use super::lifecycle::WorkerState;
use super::list::Links;
use super::notice::Notice;
use super::records::{Lease, PLACES, Progress, Queue, Request, place_of};
use super::routing::Place;
use super::timers::Timer;
use super::{Core, CoreConfig, Phase};

impl Core {
    pub(super) fn submit(&mut self, id: RequestId, terms: Terms, actions: &mut Vec<Action>) {
        if id != self.next_request() {
            self.counters.spurious += 1;
            return;
        }
        self.sequence += 1;
        let place = match self.admit(&terms, actions) {
            Ok(place) => place,
            Err(verdict) => {
                self.counters.refused += 1;
                self.note_refusal(&terms, verdict);
                actions.push(Action::Answer { request: id, verdict });
                return;
            }
        };
        let key = self.accept(id, terms);
        match place {
            // Whenever a slot is free nobody waits for it, so that this request overtakes no one.
            Place::Now(seat) => self.dispatch(key, seat, actions),
            Place::Wait(queue) => {
                self.counters.queued_ever += 1;
                self.enqueue(key, queue);
            }
        }
    }

    /// Where a request with these terms goes, or why it is not accepted now.
    fn admit(&mut self, terms: &Terms, actions: &mut Vec<Action>) -> Result<Place, Verdict> {
        match self.phase {
            Phase::Open => {}
            Phase::Failed => return Err(Verdict::NotInitialized),
            Phase::Draining | Phase::Closing => return Err(Verdict::ShuttingDown),
        }
        if !self.milestones.ready {
            return Err(Verdict::NotInitialized);
        }
        if terms.deadline <= self.now {
            return Err(Verdict::DeadlineExceeded {
                dispatched: false,
                after: Duration::ZERO,
            });
        }
        if let Some(retry_in) = self.fail_fast() {
            return Err(Verdict::Degraded { retry_in });
        }
        if let Some(retry_in) = self.breaker.as_ref().and_then(|it| it.refusal(self.now)) {
            return Err(Verdict::CircuitOpen { retry_in });
        }
        let place = self.place(terms)?;
        let depth = self.waiting();
        let full = matches!(place, Place::Wait(_)) && depth >= self.config.queue_max;
        if full || self.requests.len() >= PLACES {
            return Err(self.saturate(depth, actions));
        }
        Ok(place)
    }

    fn saturate(&mut self, depth: u32, actions: &mut Vec<Action>) -> Verdict {
        self.counters.saturated += 1;
        if !std::mem::replace(&mut self.saturated, true) {
            actions.push(Action::Note(Notice::Saturated { depth }));
        }
        Verdict::Saturated {
            depth,
            limit: self.config.queue_max,
        }
    }

    fn accept(&mut self, id: RequestId, terms: Terms) -> u32 {
        self.counters.accepted += 1;
        if let Some(session) = terms.session {
            self.placements.opened(session);
        }
        let admission = match &mut self.breaker {
            Some(breaker) => breaker.admit(self.now),
            None => Admission::Ordinary,
        };
        let rank = self.next_rank(&terms);
        let key = self.requests.insert(Request {
            id,
            submitted: self.now,
            terms,
            rank,
            losses: 0,
            admission,
            // Until it is put where it belongs, in the same step.
            progress: Progress::Resting { until: self.now },
            links: Links::ALONE,
        });
        narrow(key)
    }

    pub(super) fn cancel(&mut self, id: RequestId, actions: &mut Vec<Action>) {
        let Some(key) = self.find(id) else {
            self.counters.spurious += 1;
            return;
        };
        let admission = self.requests[key as usize].admission;
        if self.leave(key, actions) {
            self.counters.cancelled += 1;
            self.forget(key);
        } else if self.let_linger(key, actions) {
            self.counters.cancelled += 1;
        } else {
            self.counters.spurious += 1;
            return;
        }
        if let Some(breaker) = &mut self.breaker {
            breaker.abandoned(admission);
        }
    }

    pub(super) fn complete(&mut self, id: RequestId, worker: WorkerId, end: End, actions: &mut Vec<Action>) {
        let leased = self.find(id).filter(|&key| {
            let lease = self.requests[key as usize].lease();
            lease.is_some_and(|lease| lease.worker == worker)
        });
        let Some(key) = leased else {
            // Late, repeated, or never dispatched: nothing can be freed by it.
            self.counters.stale += 1;
            return;
        };
        if self.has(Canary::LeaksSlotOnCancel) && self.lingers(key) {
            return;
        }
        match end {
            End::NotSent => self.note_not_sent(key, worker),
            End::Served | End::Lost => self.note_served(key, worker),
        }
        let stopped = self.stopped(key);
        let (seat, service) = self.release(key);
        if end != End::Served {
            // Nothing more goes to that worker, least of all this request again.
            self.give_up(seat, actions);
        }
        match (end, service) {
            (End::Served, Some(service)) => {
                self.report(key, true, actions);
                self.conclude(key, Verdict::Reported(service), actions);
                if self.has(Canary::AnswersTwice) {
                    let verdict = Verdict::Reported(service);
                    actions.push(Action::Answer { request: id, verdict });
                }
            }
            (End::Lost, Some(service)) => self.lose(key, service, Verdict::Reported(service), actions),
            (End::NotSent, Some(service)) => self.give_back(key, Verdict::Reported(service), actions),
            (_, None) => self.forget(key),
        }
        actions.extend(stopped.map(Action::Note));
        if end == End::Served {
            self.count_finished(seat, actions);
        }
        self.seats.file(seat);
        if !self.has(Canary::LosesWakeUp) {
            self.feed(seat, actions);
        }
        self.relieve(seat, actions);
    }

    /// Ends a request's hold on its slot. Gives the seat, and the service if its caller still waits for it. The seat is
    /// to be filed again, and the request to be put elsewhere or forgotten.
    pub(super) fn release(&mut self, key: u32) -> (u32, Option<Service>) {
        let request = &mut self.requests[key as usize];
        let submitted = request.submitted;
        let resting = Progress::Resting { until: self.now };
        let Progress::Leased(lease) = std::mem::replace(&mut request.progress, resting) else {
            unreachable!("whoever calls has seen the lease");
        };
        let service = Service {
            worker: lease.worker,
            queued: lease.since.since(submitted),
            total: self.now.since(submitted),
        };
        let seat = self.seats.get_mut(lease.seat);
        seat.leases.remove(&mut self.requests, key);
        seat.lingering -= u32::from(lease.lingers());
        if seat.lingering == 0 && std::mem::take(&mut seat.quarantined) && seat.state == WorkerState::Retiring
        {
            // It has stopped after all: what else runs there may take its time.
            self.timers.clear(Timer::Seat(lease.seat));
        }
        self.timers.clear(Timer::Request(key));
        (lease.seat, (!lease.lingers()).then_some(service))
    }

    /// What is told of a request that ends now and whose caller had gone before.
    pub(super) fn stopped(&self, key: u32) -> Option<Notice> {
        let request = &self.requests[key as usize];
        let lease = request.lease()?;
        Some(Notice::Stopped {
            request: request.id,
            worker: lease.worker,
            after: self.now.since(lease.lingers_since?),
        })
    }

    /// Tells the breaker how a request went, while its caller waits.
    pub(super) fn report(&mut self, key: u32, well: bool, actions: &mut Vec<Action>) {
        let admission = self.requests[key as usize].admission;
        let Some(breaker) = &mut self.breaker else { return };
        let change = if well {
            breaker.succeeded(admission)
        } else {
            breaker.failed(self.now, admission)
        };
        match change {
            Some(BreakerChange::Opened) => actions.push(Action::Note(Notice::CircuitOpened)),
            Some(BreakerChange::Closed) => actions.push(Action::Note(Notice::CircuitClosed)),
            None => {}
        }
    }

    /// The caller of a running request no longer waits: its code is asked to stop, and keeps its slot until it has. It has
    /// a while for that.
    /// False where nobody has waited anyway.
    fn let_linger(&mut self, key: u32, actions: &mut Vec<Action>) -> bool {
        let now = self.now;
        let request = &mut self.requests[key as usize];
        let id = request.id;
        let (worker, seat) = match &mut request.progress {
            Progress::Leased(lease) if !lease.lingers() => {
                lease.lingers_since = Some(now);
                (lease.worker, lease.seat)
            }
            _ => return false,
        };
        self.seats.get_mut(seat).lingering += 1;
        let end = now.after(CoreConfig::LINGER_MAX);
        self.timers.set(Timer::Request(key), end);
        actions.push(Action::Abort { request: id, worker });
        self.relieve(seat, actions);
        true
    }

    /// Takes a request out of the queue, or out of its rest. False where a worker has it.
    fn leave(&mut self, key: u32, actions: &mut Vec<Action>) -> bool {
        match self.requests[key as usize].progress {
            Progress::Queued { queue, .. } => {
                self.step_out(key, queue);
                self.waits_no_longer(queue, actions);
            }
            Progress::Resting { .. } => self.resting.remove(&mut self.requests, key),
            Progress::Leased(_) => return false,
        }
        self.timers.clear(Timer::Request(key));
        true
    }

    /// A request has left this queue without having been served. It may have been what a worker that retires stayed for.
    fn waits_no_longer(&mut self, queue: Queue, actions: &mut Vec<Action>) {
        if let Queue::Seat(seat) = queue {
            self.relieve(seat, actions);
        }
    }

    /// A request's wait is over.
    pub(super) fn request_due(&mut self, key: u32, actions: &mut Vec<Action>) {
        let request = &self.requests[key as usize];
        let (id, after) = (request.id, self.now.since(request.submitted));
        let deadline = request.terms.deadline;
        match request.progress {
            Progress::Queued { .. } if self.has(Canary::DispatchesExpired) => {}
            Progress::Queued { expires, queue } => {
                let verdict = if expires < deadline {
                    self.counters.queue_timeouts += 1;
                    Verdict::QueueTimeout { waited: after }
                } else {
                    self.too_late(key)
                };
                self.step_out(key, queue);
                self.dismiss_request(key, verdict, actions);
                self.waits_no_longer(queue, actions);
            }
            // The timer may be heard so late that both are over.
            Progress::Resting { .. } if self.now < deadline => self.rested(key, actions),
            Progress::Resting { .. } => {
                let verdict = self.too_late(key);
                self.resting.remove(&mut self.requests, key);
                self.dismiss_request(key, verdict, actions);
            }
            Progress::Leased(Lease { seat, .. }) if self.lingers(key) => self.overstayed(seat, actions),
            Progress::Leased(_) => {
                self.counters.answered += 1;
                let verdict = self.too_late(key);
                actions.push(Action::Answer { request: id, verdict });
                self.report(key, false, actions);
                self.let_linger(key, actions);
            }
        }
    }

    /// What the caller of a request is told whose deadline has passed.
    fn too_late(&self, key: u32) -> Verdict {
        let request = &self.requests[key as usize];
        Verdict::DeadlineExceeded {
            dispatched: request.lease().is_some() || request.losses > 0,
            after: self.now.since(request.submitted),
        }
    }

    /// Answers a request that is in no list and never got, or no longer gets, a worker.
    pub(super) fn dismiss_request(&mut self, key: u32, verdict: Verdict, actions: &mut Vec<Action>) {
        let Request { terms, admission, .. } = self.requests[key as usize];
        self.note_refusal(&terms, verdict);
        if let Some(breaker) = &mut self.breaker {
            breaker.abandoned(admission);
        }
        self.conclude(key, verdict, actions);
    }

    /// Answers a request that is in no list, and forgets it.
    pub(super) fn conclude(&mut self, key: u32, verdict: Verdict, actions: &mut Vec<Action>) {
        let request = self.requests[key as usize].id;
        self.counters.answered += 1;
        actions.push(Action::Answer { request, verdict });
        self.forget(key);
    }

    /// Forgets a request that is in no list.
    pub(super) fn forget(&mut self, key: u32) {
        self.timers.clear(Timer::Request(key));
        let request = self.requests.remove(key as usize);
        if let Some(session) = request.terms.session {
            self.placements.closed(session);
        }
    }

    /// Answers everything that waits for any worker.
    pub(super) fn refuse_shared(&mut self, verdict: Verdict, actions: &mut Vec<Action>) {
        while let Some((_, key)) = self.shared.first(&self.requests) {
            self.step_out(key, Queue::Shared);
            self.dismiss_request(key, verdict, actions);
        }
    }

    /// Answers everything that waits.
    pub(super) fn refuse_waiting(&mut self, verdict: Verdict, actions: &mut Vec<Action>) {
        self.refuse_shared(verdict, actions);
        for seat in self.seats.numbers() {
            while let Some((_, key)) = self.seats.get(seat).lanes.first(&self.requests) {
                self.step_out(key, Queue::Seat(seat));
                self.dismiss_request(key, verdict, actions);
            }
        }
        while let Some(key) = self.resting.first() {
            self.resting.remove(&mut self.requests, key);
            self.dismiss_request(key, verdict, actions);
        }
    }

    fn lingers(&self, key: u32) -> bool {
        self.requests[key as usize].lease().is_some_and(Lease::lingers)
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
