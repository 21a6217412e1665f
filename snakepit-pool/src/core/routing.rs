//! Which worker serves a request, and which request a free slot is for.

use snakepit_config::Affinity;
use snakepit_profile::{Slots, WorkerId};

use super::Core;
use super::canary::Canary;
use super::event::{Action, Terms, Verdict};
use super::lanes::Rank;
use super::lifecycle::WorkerState;
use super::placement::PlacementState;
use super::records::{Lease, Progress, Queue};
use super::timers::Timer;

/// Where a request belongs at this moment.
pub(super) enum Place {
    /// On the worker in this seat, which has room.
    Now(u32),
    /// In this queue.
    Wait(Queue),
}

/// The worker of a session.
enum Own {
    /// It has none.
    None,
    /// It is in this seat, and takes calls.
    Here(u32),
    /// It is gone, and nobody was told.
    Gone(WorkerId),
}

impl Core {
    /// Where a request with these terms belongs, or why it belongs nowhere. Says so without doing anything.
    pub(super) fn place(&self, terms: &Terms) -> Result<Place, Verdict> {
        let own = self.own_worker(terms);
        let strict = terms.is_strict() && !self.has(Canary::StrictAnywhere);
        match own {
            Own::Here(seat) if self.seats.get(seat).is_open() => Ok(Place::Now(seat)),
            Own::Here(seat) if strict && terms.affinity == Affinity::StrictQueue => {
                Ok(Place::Wait(Queue::Seat(seat)))
            }
            Own::Here(seat) if strict => Err(Verdict::WorkerBusy {
                worker: self.seats.get(seat).id,
            }),
            Own::Gone(worker) if strict => Err(Verdict::SessionWorkerUnavailable { worker }),
            Own::None | Own::Here(_) | Own::Gone(_) => Ok(match self.seats.least_loaded() {
                Some(seat) => Place::Now(seat),
                None => Place::Wait(Queue::Shared),
            }),
        }
    }

    fn own_worker(&self, terms: &Terms) -> Own {
        let placement = terms.session.and_then(|session| self.placements.get(session));
        let Some((state, worker)) = placement.and_then(|it| Some((it.state, it.worker?))) else {
            return Own::None;
        };
        match state {
            PlacementState::Unplaced | PlacementState::Ended => Own::None,
            PlacementState::Placed => match self.seats.find(worker) {
                Some(seat) if self.seats.get(seat).state == WorkerState::Ready => Own::Here(seat),
                _ => Own::Gone(worker),
            },
        }
    }

    /// A request has ended on `worker`: its session may have something there.
    pub(super) fn note_served(&mut self, key: u32, worker: WorkerId) {
        if let Some(session) = self.requests[key as usize].terms.session {
            self.placements.served(session, worker);
        }
    }

    /// A request has not reached `worker`, which is dead.
    pub(super) fn note_not_sent(&mut self, key: u32, worker: WorkerId) {
        if let Some(session) = self.requests[key as usize].terms.session {
            self.placements.not_sent(session, worker);
        }
    }

    /// Takes note of a refusal that frees a session from its worker.
    pub(super) fn note_refusal(&mut self, terms: &Terms, verdict: Verdict) {
        if let (Verdict::SessionWorkerUnavailable { worker }, Some(session)) = (verdict, terms.session) {
            self.placements.told(session, worker);
        }
    }

    /// Puts the request at `key`, which is in no list, where it belongs. False, and nothing has changed, where it would
    /// have to wait and the queue is full.
    pub(super) fn settle_request(&mut self, key: u32, actions: &mut Vec<Action>) -> bool {
        let terms = self.requests[key as usize].terms;
        match self.place(&terms) {
            Ok(Place::Now(seat)) => self.dispatch(key, seat, actions),
            Ok(Place::Wait(_)) if self.waiting() >= self.config.queue_max => return false,
            Ok(Place::Wait(queue)) => self.enqueue(key, queue),
            Err(verdict) => self.dismiss_request(key, verdict, actions),
        }
        true
    }

    /// Requests that wait for a slot, now or after their rest.
    pub(super) fn waiting(&self) -> u32 {
        self.queued + self.resting.len()
    }

    /// Lets a request wait from now on.
    pub(super) fn enqueue(&mut self, key: u32, queue: Queue) {
        let request = &mut self.requests[key as usize];
        let expires = self.now.after(self.config.queue_timeout);
        request.progress = Progress::Queued { queue, expires };
        let due = expires.min(request.terms.deadline);
        self.timers.set(Timer::Request(key), due);
        self.line_up(key, queue);
    }

    /// A place at the end of its priority.
    pub(super) fn next_rank(&mut self, terms: &Terms) -> Rank {
        self.ticket += 1;
        Rank::new(self.now, terms.priority, self.ticket)
    }

    fn line_up(&mut self, key: u32, queue: Queue) {
        self.queued += 1;
        match queue {
            Queue::Shared => self.shared.insert(&mut self.requests, key),
            Queue::Seat(seat) => self.seats.get_mut(seat).lanes.insert(&mut self.requests, key),
        }
    }

    /// Takes a request out of its queue.
    pub(super) fn step_out(&mut self, key: u32, queue: Queue) {
        self.queued -= 1;
        match queue {
            Queue::Shared => self.shared.remove(&mut self.requests, key),
            Queue::Seat(seat) => self.seats.get_mut(seat).lanes.remove(&mut self.requests, key),
        }
        if self.waiting() <= self.config.queue_max / 2 {
            self.saturated = false;
        }
    }

    /// Gives the free slots of the worker in `seat` to those that wait for them, the first of all first.
    pub(super) fn feed(&mut self, seat: u32, actions: &mut Vec<Action>) {
        while let Some((key, queue)) = self.next_for(seat) {
            self.step_out(key, queue);
            let terms = self.requests[key as usize].terms;
            // What waits for any worker may belong to a session that has been placed since it came.
            match (queue, self.place(&terms)) {
                (Queue::Seat(_), _) => self.dispatch(key, seat, actions),
                (Queue::Shared, Ok(Place::Now(other))) => self.dispatch(key, other, actions),
                (Queue::Shared, Ok(Place::Wait(queue))) => self.change_queue(key, queue),
                (Queue::Shared, Err(verdict)) => self.dismiss_request(key, verdict, actions),
            }
        }
    }

    /// Lets a request wait for something else, no longer than before.
    fn change_queue(&mut self, key: u32, to: Queue) {
        if let Progress::Queued { queue, .. } = &mut self.requests[key as usize].progress {
            *queue = to;
        }
        self.line_up(key, to);
    }

    /// Who is to have the next free slot of the worker in `seat`, if it has one. A worker that retires serves only
    /// those that have waited for it.
    fn next_for(&self, seat: u32) -> Option<(u32, Queue)> {
        let it = self.seats.get(seat);
        let open_to_all = match it.state {
            WorkerState::Ready => true,
            WorkerState::Retiring => false,
            _ => return None,
        };
        if !it.has_room() {
            return None;
        }
        let first = |found: Option<(Rank, u32)>, queue| found.map(|(rank, key)| (rank, key, queue));
        let own = first(it.lanes.first(&self.requests), Queue::Seat(seat));
        let shared = first(self.shared.first(&self.requests), Queue::Shared).filter(|_| open_to_all);
        own.into_iter()
            .chain(shared)
            .min_by_key(|&(rank, ..)| rank)
            .map(|(_, key, queue)| (key, queue))
    }

    /// Gives the request at `key`, which is in no list, to the worker in `seat`, which has room.
    pub(super) fn dispatch(&mut self, key: u32, number: u32, actions: &mut Vec<Action>) {
        let seat = self.seats.get_mut(number);
        let permit =
            Slots::try_acquire(&seat.slots).expect("a worker is chosen only while it has a free slot");
        let request = &mut self.requests[key as usize];
        request.progress = Progress::Leased(Lease::new(seat.id, number, self.now, permit));
        let (id, terms, worker) = (request.id, request.terms, seat.id);
        let stays = seat.state == WorkerState::Ready;
        seat.leases.push_back(&mut self.requests, key);
        self.seats.file(number);
        // A worker that retires serves what has waited for it. Its sessions go, or have gone, to others.
        if let Some(session) = terms.session.filter(|_| stays) {
            self.placements.dispatched(session, worker);
        }
        self.timers.set(Timer::Request(key), terms.deadline);
        actions.push(Action::Dispatch { request: id, worker });
    }

    /// Nobody who waits for the worker in `seat` alone will get it.
    pub(super) fn strand(&mut self, seat: u32, actions: &mut Vec<Action>) {
        let worker = self.seats.get(seat).id;
        while let Some((_, key)) = self.seats.get(seat).lanes.first(&self.requests) {
            self.step_out(key, Queue::Seat(seat));
            self.dismiss_request(key, Verdict::SessionWorkerUnavailable { worker }, actions);
        }
    }
}
