//! Everything that is due at some time: a heap that knows where each timer is, so that setting and clearing one costs
//! O(log n) and never allocates once the heap has grown.

use super::Moment;
use super::list::NONE;

/// What is due. Of two timers at the same moment the lesser fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The next start-up batch.
    Batch,
    /// What runs has had its time: the workers are asked to stop.
    Closing,
    /// A degraded pool tries another start.
    Trial,
    /// The one timer of a seat: what it means depends on the seat's state.
    Seat(u32),
    /// A request's wait ends, in the queue or at its deadline.
    Request(u32),
}

/// Entries below each entry of the heap. With eight, a million timers are seven levels, each of two cache lines: with two
/// it would be twenty levels, and three times the cost.
const CHILDREN: usize = 8;

/// All timers of a pool, each set at most once.
#[derive(Debug)]
pub(super) struct Timers {
    heap: Vec<(Moment, Timer)>,
    batch: u32,
    closing: u32,
    trial: u32,
    seats: Vec<u32>,
    requests: Vec<u32>,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self {
            heap: Vec::new(),
            batch: NONE,
            closing: NONE,
            trial: NONE,
            seats: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<(Moment, Timer)> {
        self.heap.first().copied()
    }

    /// When `timer` is due, where it is set.
    pub(super) fn due(&self, timer: Timer) -> Option<Moment> {
        let place = self.place(timer);
        (place != NONE).then(|| self.heap[place as usize].0)
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Sets `timer`, or moves it.
    pub(super) fn set(&mut self, timer: Timer, due: Moment) {
        let place = match self.place(timer) {
            NONE => {
                self.heap.push((due, timer));
                self.heap.len() - 1
            }
            place => {
                if self.heap[place as usize].0 == due {
                    return;
                }
                self.heap[place as usize].0 = due;
                place as usize
            }
        };
        self.settle(place);
    }

    /// Takes `timer` out, if it is set.
    pub(super) fn clear(&mut self, timer: Timer) {
        let place = self.place(timer);
        if place == NONE {
            return;
        }
        *self.place_mut(timer) = NONE;
        let place = place as usize;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.settle(place);
        }
    }

    /// Moves the entry at `place` up or down until the heap is one again.
    fn settle(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 && entry < self.heap[(place - 1) / CHILDREN] {
            let parent = (place - 1) / CHILDREN;
            self.put(place, self.heap[parent]);
            place = parent;
        }
        loop {
            let first = CHILDREN * place + 1;
            let end = (first + CHILDREN).min(self.heap.len());
            let least = (first..end).min_by_key(|&at| self.heap[at]);
            let Some(at) = least.filter(|&at| self.heap[at] < entry) else {
                break;
            };
            self.put(place, self.heap[at]);
            place = at;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: (Moment, Timer)) {
        self.heap[place] = entry;
        *self.place_mut(entry.1) = u32::try_from(place).unwrap_or(NONE);
    }

    fn place(&self, timer: Timer) -> u32 {
        match timer {
            Timer::Batch => self.batch,
            Timer::Closing => self.closing,
            Timer::Trial => self.trial,
            Timer::Seat(seat) => self.seats.get(seat as usize).copied().unwrap_or(NONE),
            Timer::Request(key) => self.requests.get(key as usize).copied().unwrap_or(NONE),
        }
    }

    fn place_mut(&mut self, timer: Timer) -> &mut u32 {
        match timer {
            Timer::Batch => &mut self.batch,
            Timer::Closing => &mut self.closing,
            Timer::Trial => &mut self.trial,
            Timer::Seat(seat) => slot_of(&mut self.seats, seat),
            Timer::Request(key) => slot_of(&mut self.requests, key),
        }
    }
}

/// The entry at `at`, which is made if need be.
fn slot_of(places: &mut Vec<u32>, at: u32) -> &mut u32 {
    let at = at as usize;
    if at >= places.len() {
        places.resize(at + 1, NONE);
    }
    &mut places[at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_first_is_always_the_earliest_of_those_set(
            steps in prop::collection::vec((0_u32..20, prop::option::of(0_u64..50)), 0..300),
        ) {
            let (mut timers, mut model) = (Timers::new(), BTreeMap::new());
            for (key, due) in steps {
                let timer = Timer::Request(key);
                if let Some(due) = due.map(Moment) {
                    timers.set(timer, due);
                    model.insert(timer, due);
                } else {
                    timers.clear(timer);
                    model.remove(&timer);
                }
                prop_assert_eq!(timers.first(), model.iter().map(|(&timer, &due)| (due, timer)).min());
                prop_assert_eq!(timers.len(), model.len());
                for (&timer, &due) in &model {
                    prop_assert_eq!(timers.due(timer), Some(due));
                }
            }
        }
    }
}
