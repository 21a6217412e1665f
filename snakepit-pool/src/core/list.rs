//! A doubly linked list threaded through the entries of a collection: members are taken from the middle in O(1), and no
//! membership allocates.

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// An entry's neighbours in the one list it may be in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    prev: u32,
    next: u32,
}

/// The ends of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

/// A collection whose entries have links.
pub(super) trait Chain {
    fn links(&self, key: u32) -> Links;
    fn links_mut(&mut self, key: u32) -> &mut Links;
}

impl Links {
    pub(super) const ALONE: Self = Self {
        prev: NONE,
        next: NONE,
    };
}

impl List {
    pub(super) const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
        len: 0,
    };

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    pub(super) fn last(&self) -> Option<u32> {
        (self.tail != NONE).then_some(self.tail)
    }

    pub(super) fn push_back(&mut self, chain: &mut impl Chain, key: u32) {
        *chain.links_mut(key) = Links {
            prev: self.tail,
            next: NONE,
        };
        if self.tail == NONE {
            self.head = key;
        } else {
            chain.links_mut(self.tail).next = key;
        }
        self.tail = key;
        self.len += 1;
    }

    /// Puts `key` behind the last entry that `goes_first`, where those come before all others. Looks from both ends at
    /// once, so that it costs the distance to the nearer one.
    pub(super) fn insert_after<C: Chain>(
        &mut self,
        chain: &mut C,
        key: u32,
        goes_first: impl Fn(&C, u32) -> bool,
    ) {
        let (mut front, mut back) = (self.head, self.tail);
        let next = loop {
            if front == NONE || !goes_first(chain, front) {
                break front;
            }
            if back == NONE || goes_first(chain, back) {
                break if back == NONE {
                    self.head
                } else {
                    chain.links(back).next
                };
            }
            front = chain.links(front).next;
            back = chain.links(back).prev;
        };
        if next == NONE {
            self.push_back(chain, key);
            return;
        }
        let prev = chain.links(next).prev;
        *chain.links_mut(key) = Links { prev, next };
        chain.links_mut(next).prev = key;
        if prev == NONE {
            self.head = key;
        } else {
            chain.links_mut(prev).next = key;
        }
        self.len += 1;
    }

    /// Takes out `key`, which must be in this list.
    pub(super) fn remove(&mut self, chain: &mut impl Chain, key: u32) {
        let Links { prev, next } = std::mem::replace(chain.links_mut(key), Links::ALONE);
        if prev == NONE {
            self.head = next;
        } else {
            chain.links_mut(prev).next = next;
        }
        if next == NONE {
            self.tail = prev;
        } else {
            chain.links_mut(next).prev = prev;
        }
        self.len -= 1;
    }

    pub(super) fn iter<'a, C: Chain>(&self, chain: &'a C) -> impl Iterator<Item = u32> + use<'a, C> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let key = (at != NONE).then_some(at)?;
            at = chain.links(key).next;
            Some(key)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, VecDeque};

    impl Chain for Vec<Links> {
        fn links(&self, key: u32) -> Links {
            self[key as usize]
        }

        fn links_mut(&mut self, key: u32) -> &mut Links {
            &mut self[key as usize]
        }
    }

    proptest! {
        #[test]
        fn keeps_the_order_of_a_deque_when_members_leave_from_anywhere(
            steps in prop::collection::vec(0_u32..24, 0..300),
        ) {
            let mut chain = vec![Links::ALONE; 24];
            let (mut list, mut model) = (List::EMPTY, VecDeque::new());
            for key in steps {
                if let Some(at) = model.iter().position(|&k| k == key) {
                    model.remove(at);
                    list.remove(&mut chain, key);
                } else {
                    model.push_back(key);
                    list.push_back(&mut chain, key);
                }
                prop_assert_eq!(list.iter(&chain).collect::<VecDeque<_>>(), model.clone());
                prop_assert_eq!(list.len() as usize, model.len());
                prop_assert_eq!(list.first(), model.front().copied());
                prop_assert_eq!(list.last(), model.back().copied());
            }
        }

        #[test]
        fn keeps_an_order_in_which_members_arrive_late(keys in prop::collection::vec(0_u32..24, 0..100)) {
            let mut chain = vec![Links::ALONE; 24];
            let (mut list, mut model) = (List::EMPTY, BTreeSet::new());
            for key in keys {
                if model.remove(&key) {
                    list.remove(&mut chain, key);
                } else {
                    model.insert(key);
                    list.insert_after(&mut chain, key, |_, other| other < key);
                }
                prop_assert_eq!(list.iter(&chain).collect::<BTreeSet<_>>(), model.clone());
                prop_assert!(list.iter(&chain).is_sorted());
                prop_assert_eq!((list.first(), list.last()), (model.first().copied(), model.last().copied()));
                prop_assert_eq!(list.len() as usize, model.len());
            }
        }
    }
}
