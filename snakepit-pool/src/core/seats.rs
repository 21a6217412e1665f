//! What the core keeps of each slot, and of each worker in it.

use std::num::NonZeroU32;
use std::sync::Arc;

use snakepit_profile::{Slots, WorkerId};

use super::Moment;
use super::lanes::Lanes;
use super::lifecycle::WorkerState;
use super::list::{Chain, Links, List, NONE};
use super::notice::RecycleReason;
use super::window::Window;

/// A place for one worker process after the other. A slot has one; while its worker is renewed it has two.
#[derive(Debug)]
pub(super) struct Seat {
    /// The present worker, or the last one.
    pub(super) id: WorkerId,
    pub(super) state: WorkerState,
    pub(super) role: Role,
    /// The one count of the worker's load.
    pub(super) slots: Arc<Slots>,
    pub(super) leases: List,
    /// Requests that wait for this worker and for no other.
    pub(super) lanes: Lanes,
    /// Leases whose caller no longer waits.
    pub(super) lingering: u32,
    pub(super) spawned: Moment,
    /// Since when the present worker is or was ready.
    pub(super) ready_since: Option<Moment>,
    /// Calls that the present worker has finished.
    pub(super) finished: u64,
    /// Samples in a row in which the present worker used too much memory.
    pub(super) heavy: u32,
    /// Why the present worker is to be renewed.
    pub(super) due: Option<RecycleReason>,
    /// When the present worker was told to finish although it was well. Its end is no failure.
    pub(super) retired_at: Option<Moment>,
    /// The present worker was given up for code that does not stop: it has `grace` to finish its other calls.
    pub(super) quarantined: bool,
    /// When the present worker is killed, once it was asked to stop.
    pub(super) grace_ends: Moment,
    /// In the level of its load, where it is ready and has a free slot.
    links: Links,
    /// Which level that is.
    level: u32,
}

/// What a seat is to its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its worker is the slot's.
    Current,
    /// Its worker is to follow the slot's as soon as it is ready.
    Successor,
    /// Its worker was followed by another one, and goes.
    Outgoing,
    /// It belongs to no slot.
    Spare,
}

/// Whether a slot has ever had a ready worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Debut {
    /// Not yet.
    Awaited,
    /// It has.
    Made,
    /// Not yet, and it has failed [`START_ATTEMPTS`](super::CoreConfig::START_ATTEMPTS) times.
    Hopeless,
}

/// One slot: a number of workers, one after the other.
#[derive(Debug)]
pub(super) struct Post {
    /// Where its worker is.
    pub(super) seat: u32,
    /// Where the worker is that is to follow.
    pub(super) successor: Option<u32>,
    /// Of its latest worker.
    pub(super) generation: u32,
    /// Deaths in a row of workers that never proved themselves: what the back-off grows with.
    pub(super) failures: u32,
    /// Starts that failed before the slot's first worker was ready.
    pub(super) failed_starts: u32,
    pub(super) debut: Debut,
    /// The pool is large enough to have it.
    pub(super) wanted: bool,
    /// Its next worker replaces none: it is the first, or the first since the pool has grown back.
    pub(super) unfilled: bool,
    pub(super) restarts: Window,
}

/// All slots and seats, and the ready ones that have room by their load.
#[derive(Debug)]
pub(super) struct Seats {
    pub(super) all: Vec<Seat>,
    /// By slot.
    pub(super) posts: Vec<Post>,
    /// Seats that belong to no slot: that many workers may be started beyond the pool's size.
    pub(super) spare: Vec<u32>,
    /// Seats of successors and of those that go.
    extra: Vec<u32>,
    capacity: NonZeroU32,
    /// `levels[n]`: ready workers with `n` calls and room for more; the longest unused first.
    levels: Vec<List>,
    /// The lowest level that is not empty, or past the end.
    least: usize,
}

// === impl Seat ===

impl Seat {
    fn new(slot: u32, state: WorkerState, role: Role, capacity: NonZeroU32) -> Self {
        Self {
            id: WorkerId { slot, generation: 0 },
            state,
            role,
            slots: Arc::new(Slots::new(capacity)),
            leases: List::EMPTY,
            lanes: Lanes::EMPTY,
            lingering: 0,
            spawned: Moment::ZERO,
            ready_since: None,
            finished: 0,
            heavy: 0,
            due: None,
            retired_at: None,
            quarantined: false,
            grace_ends: Moment::NEVER,
            links: Links::ALONE,
            level: NONE,
        }
    }

    /// Begins the life of another worker.
    pub(super) fn begin(&mut self, id: WorkerId, now: Moment) {
        self.id = id;
        self.spawned = now;
        self.ready_since = None;
        self.finished = 0;
        self.heavy = 0;
        self.due = None;
        self.retired_at = None;
        self.quarantined = false;
    }

    /// Leases whose caller waits.
    pub(super) fn running(&self) -> u32 {
        self.leases.len() - self.lingering
    }

    /// A slot of its worker is free, whether or not it takes anything.
    pub(super) fn has_room(&self) -> bool {
        self.leases.len() < self.slots.capacity().get()
    }

    /// It takes new requests.
    pub(super) fn is_open(&self) -> bool {
        self.state == WorkerState::Ready && self.has_room()
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
    /// A seat for each of `size` slots, and `spare` more.
    pub(super) fn new(size: NonZeroU32, spare: u32, capacity: NonZeroU32) -> Self {
        let mut seats = Self {
            all: Vec::new(),
            posts: Vec::new(),
            spare: Vec::new(),
            extra: Vec::new(),
            capacity,
            levels: Vec::new(),
            least: 0,
        };
        for _ in 0..size.get() {
            seats.add_slot();
        }
        for _ in 0..spare {
            let seat = seats.add_seat(u32::MAX, WorkerState::Vacant, Role::Spare);
            seats.spare.push(seat);
        }
        seats
    }

    /// Makes another slot with a seat for its first worker, and gives that.
    pub(super) fn add_slot(&mut self) -> u32 {
        let slot = len(&self.posts);
        let seat = self.add_seat(slot, WorkerState::Waiting, Role::Current);
        self.posts.push(Post {
            seat,
            successor: None,
            generation: 0,
            failures: 0,
            failed_starts: 0,
            debut: Debut::Awaited,
            wanted: true,
            unfilled: true,
            restarts: Window::default(),
        });
        seat
    }

    fn add_seat(&mut self, slot: u32, state: WorkerState, role: Role) -> u32 {
        self.all.push(Seat::new(slot, state, role, self.capacity));
        len(&self.all) - 1
    }

    /// Where `worker` is, if that is a present worker of its slot.
    pub(super) fn find(&self, worker: WorkerId) -> Option<u32> {
        let post = self.posts.get(worker.slot as usize)?;
        if self.get(post.seat).id == worker {
            return Some(post.seat);
        }
        self.extra
            .iter()
            .copied()
            .find(|&seat| self.get(seat).id == worker)
    }

    pub(super) fn get(&self, seat: u32) -> &Seat {
        &self.all[seat as usize]
    }

    pub(super) fn get_mut(&mut self, seat: u32) -> &mut Seat {
        &mut self.all[seat as usize]
    }

    pub(super) fn post(&self, slot: u32) -> &Post {
        &self.posts[slot as usize]
    }

    pub(super) fn post_mut(&mut self, slot: u32) -> &mut Post {
        &mut self.posts[slot as usize]
    }

    /// Every seat's number.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        0..len(&self.all)
    }

    /// Seats of successors and of those that go.
    pub(super) fn extra(&self) -> &[u32] {
        &self.extra
    }

    /// Gives a spare seat to a slot, for its next worker.
    pub(super) fn take_spare(&mut self, slot: u32) -> Option<u32> {
        let seat = self.spare.pop()?;
        self.extra.push(seat);
        let taken = self.get_mut(seat);
        taken.role = Role::Successor;
        taken.id = WorkerId { slot, generation: 0 };
        self.post_mut(slot).successor = Some(seat);
        Some(seat)
    }

    /// Makes a slot's successor its worker, and gives the seat of the one before.
    pub(super) fn promote(&mut self, slot: u32) -> Option<u32> {
        let successor = self.post_mut(slot).successor.take()?;
        let before = std::mem::replace(&mut self.post_mut(slot).seat, successor);
        self.get_mut(successor).role = Role::Current;
        self.get_mut(before).role = Role::Outgoing;
        self.extra.retain(|&seat| seat != successor);
        self.extra.push(before);
        Some(before)
    }

    /// Takes back a seat that was given to a slot for a while.
    pub(super) fn give_back(&mut self, seat: u32) {
        let returned = self.get_mut(seat);
        if returned.role == Role::Successor {
            let slot = returned.id.slot;
            self.post_mut(slot).successor = None;
        }
        self.get_mut(seat).role = Role::Spare;
        self.extra.retain(|&other| other != seat);
        self.spare.push(seat);
    }

    /// The seat of the ready worker with the fewest calls and room for one more; of several the longest unused.
    pub(super) fn least_loaded(&self) -> Option<u32> {
        self.levels.get(self.least)?.first()
    }

    pub(super) fn levels(&self) -> &[List] {
        &self.levels
    }

    /// Puts a seat where its state and load belong. To be called whenever one of them has changed.
    pub(super) fn file(&mut self, number: u32) {
        let seat = self.get(number);
        let old = seat.level;
        let new = if seat.is_open() { seat.leases.len() } else { NONE };
        if old != NONE {
            self.levels[old as usize].remove(&mut self.all, number);
        }
        if new != NONE {
            let level = new as usize;
            if level >= self.levels.len() {
                self.levels.resize(level + 1, List::EMPTY);
            }
            self.levels[level].push_back(&mut self.all, number);
            self.least = self.least.min(level);
        }
        self.get_mut(number).level = new;
        while self.levels.get(self.least).is_some_and(List::is_empty) {
            self.least += 1;
        }
    }
}

/// Slots and seats are counted in 32 bits: their number is bounded by the configuration.
fn len<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(u32::MAX)
}
