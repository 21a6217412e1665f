//! The one counter of load.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The slots of one worker. Load never exceeds capacity, from however many tasks it is used.
#[derive(Debug)]
pub struct Slots {
    capacity: NonZeroU32,
    load: AtomicU32,
}

/// The right to run one call on one worker. It cannot be copied, and dropping it frees the slot: a slot is counted
/// once and returned once, whatever happens to the call.
#[derive(Debug)]
#[must_use = "dropping the permit frees the slot"]
pub struct SlotPermit {
    slots: Arc<Slots>,
}

impl Slots {
    /// All slots free.
    #[must_use]
    pub fn new(capacity: NonZeroU32) -> Self {
        Self {
            capacity,
            load: AtomicU32::new(0),
        }
    }

    /// Takes a slot, or says that none is free.
    pub fn try_acquire(slots: &Arc<Self>) -> Option<SlotPermit> {
        slots
            .load
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |load| {
                (load < slots.capacity.get()).then_some(load + 1)
            })
            .ok()
            .map(|_| SlotPermit {
                slots: Arc::clone(slots),
            })
    }

    /// Slots there are.
    #[must_use]
    pub fn capacity(&self) -> NonZeroU32 {
        self.capacity
    }

    /// Slots taken now.
    #[must_use]
    pub fn load(&self) -> u32 {
        self.load.load(Ordering::Acquire)
    }
}

impl Drop for SlotPermit {
    fn drop(&mut self) {
        // A permit exists only after its own increment, so this never goes below zero.
        self.slots.load.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots(capacity: u32) -> Arc<Slots> {
        Arc::new(Slots::new(NonZeroU32::new(capacity).unwrap()))
    }

    proptest! {
        /// Against a naive model: any order of taking and returning.
        #[test]
        fn load_is_the_number_of_live_permits_and_never_above_capacity(
            capacity in 1_u32..12,
            steps in prop::collection::vec(prop::option::of(any::<prop::sample::Index>()), 0..200),
        ) {
            let slots = slots(capacity);
            let mut live = Vec::new();
            for step in steps {
                match step {
                    None => {
                        if let Some(permit) = Slots::try_acquire(&slots) {
                            live.push(permit);
                        } else {
                            prop_assert_eq!(live.len(), capacity as usize, "refused although a slot is free");
                        }
                    }
                    Some(_) if live.is_empty() => {}
                    Some(index) => drop(live.swap_remove(index.index(live.len()))),
                }
                prop_assert_eq!(slots.load() as usize, live.len());
                prop_assert!(slots.load() <= slots.capacity().get());
            }
        }

        /// From many threads at once: what each holder sees while it holds, and that none is shut out.
        #[test]
        fn load_never_exceeds_capacity_from_many_threads(capacity in 1_u32..6, threads in 2_usize..8) {
            let slots = slots(capacity);
            let inside = AtomicU32::new(0);
            let most = AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let mut turns = 0;
                        while turns < 10 {
                            let Some(permit) = Slots::try_acquire(&slots) else {
                                std::thread::yield_now();
                                continue;
                            };
                            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            most.fetch_max(slots.load(), Ordering::SeqCst);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                            turns += 1;
                        }
                    });
                }
            });
            prop_assert!(most.load(Ordering::SeqCst) <= capacity);
            prop_assert_eq!(slots.load(), 0);
        }
    }
}
