//! What the core keeps of each request and each slot.

use std::num::NonZeroU32;
use std::sync::Arc;

use slab::Slab;
use snakepit_profile::{RequestId, SlotPermit, Slots, WorkerId};

use super::Moment;
use super::lifecycle::WorkerState;
use super::list::{Chain, Links, List, NONE};

/// An accepted request whose caller waits, or whose code still runs.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) submitted: Moment,
    pub(super) deadline: Moment,
    pub(super) progress: Progress,
    /// In the queue, or in its worker's list of leases.
    pub(super) links: Links,
}

/// How far a request has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// It waits for a slot, at the longest until `expires`.
    Queued { expires: Moment },
    /// A worker has it.
    Leased(Lease),
}

/// A request's hold on a slot of a worker.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) worker: WorkerId,
    pub(super) since: Moment,
    /// The caller has gone or has been answered. The slot is taken all the same.
    pub(super) lingers: bool,
    /// Dropped with the lease: that, and only that, frees the slot.
    _permit: SlotPermit,
}

/// One slot of the pool: the worker in it, or its successor to be.
#[derive(Debug)]
pub(super) struct Seat {
    /// The present worker, or the last one.
    pub(super) id: WorkerId,
    pub(super) state: WorkerState,
    /// The one count of the worker's load.
    pub(super) slots: Arc<Slots>,
    pub(super) leases: List,
    /// Leases whose caller no longer waits.
    pub(super) lingering: u32,
    /// Since when the present worker is or was ready.
    pub(super) ready_since: Option<Moment>,
    /// The present worker has ended a call.
    pub(super) served: bool,
    /// When the present worker is killed, once it was asked to stop.
    pub(super) grace_ends: Moment,
    /// Deaths in a row of workers that never proved themselves: what the back-off grows with.
    pub(super) failures: u32,
    /// Starts that failed before the slot's first worker was ready.
    pub(super) failed_starts: u32,
    /// It has had a ready worker, or has failed [`START_ATTEMPTS`](super::CoreConfig::START_ATTEMPTS) times.
    pub(super) settled: bool,
    /// In the level of its load, where it is ready and has a free slot.
    pub(super) links: Links,
    /// Which level that is.
    level: u32,
}

/// All slots, and the ready ones that have room by their load.
#[derive(Debug)]
pub(super) struct Seats {
    pub(super) all: Vec<Seat>,
    /// `levels[n]`: ready workers with `n` calls and room for more; the longest unused first.
    levels: Vec<List>,
    /// The lowest level that is not empty, or past the end.
    least: usize,
}

// === impl RequestId ===

/// Bits of a request id that say where the request is kept. The rest is a sequence: an id comes back only after 2^40
/// requests, years even at 10,000 in a second.
const PLACE_BITS: u32 = 24;

/// Requests that a pool can have at once, waiting and running.
pub(super) const PLACES: usize = 1 << PLACE_BITS;

/// The id of the request that is kept at `place`.
pub(super) fn request_id(sequence: u64, place: usize) -> RequestId {
    RequestId((sequence << PLACE_BITS) | (place as u64 & (PLACES as u64 - 1)))
}

/// Where the request is kept: below 2^24, and no two live requests share it.
#[must_use]
pub fn place_of(request: RequestId) -> usize {
    usize::try_from(request.0 & (PLACES as u64 - 1)).unwrap_or(0)
}

// === impl Request ===

impl Chain for Slab<Request> {
    fn links(&self, key: u32) -> Links {
        self[key as usize].links
    }

    fn links_mut(&mut self, key: u32) -> &mut Links {
        &mut self[key as usize].links
    }
}

impl Lease {
    pub(super) fn new(worker: WorkerId, since: Moment, permit: SlotPermit) -> Self {
        Self {
            worker,
            since,
            lingers: false,
            _permit: permit,
        }
    }
}

// === impl Seat ===

impl Seat {
    fn new(slot: u32, capacity: NonZeroU32) -> Self {
        Self {
            id: WorkerId { slot, generation: 0 },
            state: WorkerState::Waiting,
            slots: Arc::new(Slots::new(capacity)),
            leases: List::EMPTY,
            lingering: 0,
            ready_since: None,
            served: false,
            grace_ends: Moment::NEVER,
            failures: 0,
            failed_starts: 0,
            settled: false,
            links: Links::ALONE,
            level: NONE,
        }
    }

    /// Leases whose caller waits.
    pub(super) fn running(&self) -> u32 {
        self.leases.len() - self.lingering
    }

    pub(super) fn listed_at(&self) -> Option<u32> {
        (self.level != NONE).then_some(self.level)
    }
}

impl Chain for Vec<Seat> {
    fn links(&self, key: u32) -> Links {
        self[key as usize].links
    }

    fn links_mut(&mut self, key: u32) -> &mut Links {
        &mut self[key as usize].links
    }
}

// === impl Seats ===

impl Seats {
    pub(super) fn new(size: NonZeroU32, capacity: NonZeroU32) -> Self {
        Self {
            all: (0..size.get()).map(|slot| Seat::new(slot, capacity)).collect(),
            levels: Vec::new(),
            least: 0,
        }
    }

    /// The slot of `worker`, if that is its present worker.
    pub(super) fn current(&self, worker: WorkerId) -> Option<u32> {
        let seat = self.all.get(worker.slot as usize)?;
        (seat.id == worker).then_some(worker.slot)
    }

    pub(super) fn get(&self, slot: u32) -> &Seat {
        &self.all[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Seat {
        &mut self.all[slot as usize]
    }

    /// Every slot's number.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// The ready worker with the fewest calls and room for one more; of several the longest unused.
    pub(super) fn least_loaded(&self) -> Option<u32> {
        self.levels.get(self.least)?.first()
    }

    pub(super) fn levels(&self) -> &[List] {
        &self.levels
    }

    /// Puts a slot where its state and load belong. To be called whenever one of them has changed.
    pub(super) fn file(&mut self, slot: u32) {
        let seat = self.get(slot);
        let room = seat.state == WorkerState::Ready && seat.leases.len() < seat.slots.capacity().get();
        let old = seat.level;
        let new = if room { seat.leases.len() } else { NONE };
        if old != NONE {
            self.levels[old as usize].remove(&mut self.all, slot);
        }
        if new != NONE {
            let level = new as usize;
            if level >= self.levels.len() {
                self.levels.resize(level + 1, List::EMPTY);
            }
            self.levels[level].push_back(&mut self.all, slot);
            self.least = self.least.min(level);
        }
        self.get_mut(slot).level = new;
        while self.levels.get(self.least).is_some_and(List::is_empty) {
            self.least += 1;
        }
    }
}
