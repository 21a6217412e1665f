//! Requests that wait for the same workers, in the order in which they are served.

use slab::Slab;

use super::event::Priority;
use super::list::List;
use super::records::Request;
use super::{CoreConfig, Moment};

/// Where a request stands among all that wait: the lower goes first.
///
/// It is the time from which it would be the oldest if all had the same priority. Of one priority the first come goes
/// first; and whatever comes later than [`CoreConfig::AGEING`] after a request of the next lower priority stands
/// behind it, so that nothing starves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    from: Moment,
    ticket: u64,
}

/// One list for each priority. In each, ranks ascend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes([List; Priority::ALL.len()]);

// === impl Rank ===

impl Rank {
    /// Of a request that begins to wait now. Tickets ascend.
    pub(super) fn new(now: Moment, priority: Priority, ticket: u64) -> Self {
        let penalty = match priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        Self {
            from: now.after(CoreConfig::AGEING * penalty),
            ticket,
        }
    }
}

// === impl Lanes ===

impl Lanes {
    pub(super) const EMPTY: Self = Self([List::EMPTY; Priority::ALL.len()]);

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(List::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(List::is_empty)
    }

    /// Who goes first.
    pub(super) fn first(&self, requests: &Slab<Request>) -> Option<(Rank, u32)> {
        self.0
            .iter()
            .filter_map(List::first)
            .map(|key| (requests[key as usize].rank, key))
            .min()
    }

    /// Puts a request where its rank belongs: at the end, unless it has waited before.
    pub(super) fn insert(&mut self, requests: &mut Slab<Request>, key: u32) {
        let request = &requests[key as usize];
        let (rank, lane) = (request.rank, &mut self.0[request.terms.priority as usize]);
        let goes_first = |requests: &Slab<Request>, other: u32| requests[other as usize].rank < rank;
        match lane.last() {
            Some(last) if !goes_first(requests, last) => lane.insert_after(requests, key, goes_first),
            _ => lane.push_back(requests, key),
        }
    }

    pub(super) fn remove(&mut self, requests: &mut Slab<Request>, key: u32) {
        let priority = requests[key as usize].terms.priority;
        self.0[priority as usize].remove(requests, key);
    }

    /// Every request, one priority after the other.
    pub(super) fn iter<'a>(&'a self, requests: &'a Slab<Request>) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().flat_map(|lane| lane.iter(requests))
    }
}
