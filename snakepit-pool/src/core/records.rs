//! What the core keeps of each request.

use slab::Slab;
use snakepit_profile::{RequestId, SlotPermit, WorkerId};

use super::Moment;
use super::breaker::Admission;
use super::event::Terms;
use super::lanes::Rank;
use super::list::{Chain, Links};

/// An accepted request whose caller waits, or whose code still runs.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) submitted: Moment,
    pub(super) terms: Terms,
    /// Its place among those that wait.
    pub(super) rank: Rank,
    /// Workers that died while they had it.
    pub(super) losses: u32,
    pub(super) admission: Admission,
    pub(super) progress: Progress,
    /// In the one list it is in: a lane, its worker's leases, or those that rest.
    pub(super) links: Links,
}

/// How far a request has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// It waits for a slot, at the longest until `expires`.
    Queued { queue: Queue, expires: Moment },
    /// It was lost with its worker, and is given to another one at `until`.
    Resting { until: Moment },
    /// A worker has it.
    Leased(Lease),
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// A free slot of any worker.
    Shared,
    /// A free slot of the worker in this seat.
    Seat(u32),
}

/// A request's hold on a slot of a worker.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) worker: WorkerId,
    pub(super) seat: u32,
    pub(super) since: Moment,
    /// Since when the caller has gone or has been answered. The slot is taken all the same.
    pub(super) lingers_since: Option<Moment>,
    /// Dropped with the lease: that, and only that, frees the slot.
    _permit: SlotPermit,
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

impl Request {
    /// The lease, while a worker has it.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.progress {
            Progress::Leased(lease) => Some(lease),
            Progress::Queued { .. } | Progress::Resting { .. } => None,
        }
    }
}

impl Chain for Slab<Request> {
    fn links(&self, key: u32) -> Links {
        self[key as usize].links
    }

    fn links_mut(&mut self, key: u32) -> &mut Links {
        &mut self[key as usize].links
    }
}

impl Lease {
    pub(super) fn new(worker: WorkerId, seat: u32, since: Moment, permit: SlotPermit) -> Self {
        Self {
            worker,
            seat,
            since,
            lingers_since: None,
            _permit: permit,
        }
    }

    /// Nobody waits for it.
    pub(super) fn lingers(&self) -> bool {
        self.lingers_since.is_some()
    }
}
