//! The latest events, for any number of readers.
//!
//! Writing never waits for a reader: a slow one loses the oldest events, and learns how many. To write and to wake are
//! two steps. An event is pushed under the lock that orders it against others, a pool's, and the readers are woken when
//! that lock is free again.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::sync::{self, AtomicBool, AtomicUsize, Mutex};

/// Where events are written. Its end is the end of what readers get: they do not keep it alive.
pub(crate) struct Journal<T> {
    ring: Arc<Ring<T>>,
}

/// One reader, of everything that is pushed after it has subscribed.
pub(crate) struct Reader<T> {
    ring: Arc<Ring<T>>,
    /// The number of the event that it reads next.
    next: u64,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occurrence<T> {
    /// The next event.
    Event(T),
    /// So many events came and went before they were read. What comes next is the oldest that is left.
    Missed(u64),
}

struct Ring<T> {
    capacity: usize,
    kept: Mutex<Kept<T>>,
    /// Changed under the lock only. Without it, it says whether a push has anything to do.
    readers: AtomicUsize,
    /// Something was pushed, and nobody has been woken since.
    news: AtomicBool,
    bell: Notify,
}

struct Kept<T> {
    /// The latest, oldest first.
    events: VecDeque<T>,
    /// The number of the oldest. Numbers go up by one while anybody reads.
    first: u64,
    /// The journal is gone: nothing is pushed any more.
    closed: bool,
}

// === impl Journal ===

impl<T> Journal<T> {
    /// One that keeps the last `capacity` events.
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            ring: Arc::new(Ring {
                capacity: capacity.get(),
                kept: Mutex::new(Kept {
                    events: VecDeque::new(),
                    first: 0,
                    closed: false,
                }),
                readers: AtomicUsize::new(0),
                news: AtomicBool::new(false),
                bell: Notify::new(),
            }),
        }
    }

    /// Whether anybody reads. Costs no lock: ask it before an event is made.
    pub(crate) fn is_watched(&self) -> bool {
        self.ring.readers.load(Ordering::Relaxed) > 0
    }

    /// Writes an event down, and wakes nobody: it may be called under any lock. Nothing is kept while nobody reads.
    pub(crate) fn push(&self, event: T) {
        if !self.is_watched() {
            return;
        }
        let mut kept = self.ring.kept.lock();
        // The last reader may have gone a moment ago.
        if !self.is_watched() {
            return;
        }
        let oldest = if kept.events.len() == self.ring.capacity {
            kept.first += 1;
            kept.events.pop_front()
        } else {
            None
        };
        kept.events.push_back(event);
        self.ring.news.store(true, Ordering::Release);
        // What an event owns is freed outside the lock.
        drop(kept);
        drop(oldest);
    }

    /// Wakes the readers that wait, if anything was pushed since this was last called. To be called after every push,
    /// once the locks of the push are released.
    pub(crate) fn wake(&self) {
        // The flag is raised after its event is in the ring. So whoever takes it down wakes for every event that another
        // caller then finds no flag for.
        if self.ring.news.load(Ordering::Acquire) && self.ring.news.swap(false, Ordering::AcqRel) {
            self.ring.bell.notify_waiters();
        }
    }

    /// A reader of all that comes from now on.
    pub(crate) fn subscribe(&self) -> Reader<T> {
        let kept = self.ring.kept.lock();
        self.ring.readers.fetch_add(1, Ordering::Relaxed);
        Reader {
            ring: Arc::clone(&self.ring),
            next: kept.first + kept.events.len() as u64,
        }
    }
}

impl<T> Drop for Journal<T> {
    fn drop(&mut self) {
        self.ring.kept.lock().closed = true;
        self.ring.bell.notify_waiters();
    }
}

// === impl Reader ===

impl<T: Clone> Reader<T> {
    /// The next event, or how many were missed before it. `None` once the journal is gone and all was read. Nothing is
    /// lost where the future is dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Option<Occurrence<T>> {
        let ring = Arc::clone(&self.ring);
        loop {
            // Made before the look: it hears every call of `notify_waiters` from here on, so also the one for an event that
            // is pushed after the look.
            let bell = ring.bell.notified();
            match self.read() {
                Ok(occurrence) => return Some(occurrence),
                Err(Nothing::Ever) => return None,
                Err(Nothing::Yet) => {
                    sync::preempt();
                    bell.await;
                }
            }
        }
    }

    fn read(&mut self) -> Result<Occurrence<T>, Nothing> {
        let kept = self.ring.kept.lock();
        if self.next < kept.first {
            let missed = kept.first - self.next;
            self.next = kept.first;
            return Ok(Occurrence::Missed(missed));
        }
        // The ring holds no more than `capacity` events, and an index beyond it is one not pushed yet.
        let at = usize::try_from(self.next - kept.first).unwrap_or(usize::MAX);
        match kept.events.get(at) {
            Some(event) => {
                self.next += 1;
                Ok(Occurrence::Event(event.clone()))
            }
            None if kept.closed => Err(Nothing::Ever),
            None => Err(Nothing::Yet),
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        let mut kept = self.ring.kept.lock();
        if self.ring.readers.fetch_sub(1, Ordering::Relaxed) == 1 {
            let unread = std::mem::take(&mut kept.events);
            drop(kept);
            drop(unread);
        }
    }
}

/// Why there is nothing to read.
enum Nothing {
    Yet,
    Ever,
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
