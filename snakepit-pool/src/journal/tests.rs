use super::*;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use std::sync::mpsc::sync_channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Far longer than anything takes here: a test that comes to it has lost a wake-up.
const LOST: Duration = Duration::from_secs(20);

fn journal<T>(capacity: usize) -> Journal<T> {
    Journal::new(NonZeroUsize::new(capacity).unwrap())
}

/// What can be read without waiting.
fn read_now<T: Clone>(reader: &mut Reader<T>) -> Poll<Option<Occurrence<T>>> {
    reader.next().now_or_never().map_or(Poll::Pending, Poll::Ready)
}

fn event<T>(event: T) -> Poll<Option<Occurrence<T>>> {
    Poll::Ready(Some(Occurrence::Event(event)))
}

#[test]
fn a_reader_gets_what_is_pushed_after_it_has_subscribed() {
    let journal = journal(4);
    let mut early = journal.subscribe();
    journal.push(1);
    let mut late = journal.subscribe();
    journal.push(2);
    assert_eq!(read_now(&mut early), event(1));
    assert_eq!(read_now(&mut early), event(2));
    assert_eq!(read_now(&mut early), Poll::Pending);
    assert_eq!(read_now(&mut late), event(2));
}

#[test]
fn nothing_is_kept_while_nobody_reads() {
    let journal = journal(4);
    let token = Arc::new(());
    journal.push(Arc::clone(&token));
    assert!(!journal.is_watched());
    assert_eq!(Arc::strong_count(&token), 1);

    let readers = [journal.subscribe(), journal.subscribe()];
    journal.push(Arc::clone(&token));
    assert!(journal.is_watched());
    assert_eq!(Arc::strong_count(&token), 2);

    drop(readers);
    assert!(!journal.is_watched());
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_reader_does_not_keep_the_journal_alive_and_reads_to_its_end() {
    let journal = journal(4);
    let mut reader = journal.subscribe();
    journal.push(1);
    drop(journal);
    assert_eq!(read_now(&mut reader), event(1));
    assert_eq!(read_now(&mut reader), Poll::Ready(None));
    assert_eq!(read_now(&mut reader), Poll::Ready(None));
}

struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_push_wakes_nobody_and_the_wake_after_it_everybody_once() {
    let journal = journal(4);
    let mut readers = [journal.subscribe(), journal.subscribe()];
    let rings = Arc::new(Rings(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&rings));
    let mut context = Context::from_waker(&waker);
    let mut waiting: Vec<_> = readers.iter_mut().map(|reader| Box::pin(reader.next())).collect();
    for next in &mut waiting {
        assert_eq!(next.as_mut().poll(&mut context), Poll::Pending);
    }
    // No news, no wake-up.
    journal.wake();
    journal.push(7);
    assert_eq!(rings.0.load(Ordering::Relaxed), 0);
    journal.wake();
    assert_eq!(rings.0.load(Ordering::Relaxed), 2);
    for mut next in waiting {
        assert_eq!(
            next.as_mut().poll(&mut context),
            Poll::Ready(Some(Occurrence::Event(7)))
        );
    }

    let mut next = Box::pin(readers[0].next());
    assert_eq!(next.as_mut().poll(&mut context), Poll::Pending);
    journal.wake();
    assert_eq!(rings.0.load(Ordering::Relaxed), 2);
}

#[test]
fn the_end_of_the_journal_wakes_who_waits() {
    let journal = journal::<u8>(4);
    let mut reader = journal.subscribe();
    let rings = Arc::new(Rings(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&rings));
    let mut context = Context::from_waker(&waker);
    let mut next = Box::pin(reader.next());
    assert_eq!(next.as_mut().poll(&mut context), Poll::Pending);
    drop(journal);
    assert_eq!(rings.0.load(Ordering::Relaxed), 1);
    assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(None));
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let journal = journal(4);
    let mut reader = journal.subscribe();
    assert_eq!(read_now(&mut reader), Poll::Pending);
    journal.push(1);
    journal.wake();
    assert_eq!(read_now(&mut reader), event(1));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Push,
    Subscribe,
    Leave(usize),
    Read(usize),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Push),
        1 => Just(Step::Subscribe),
        1 => (0_usize..4).prop_map(Step::Leave),
        5 => (0_usize..4).prop_map(Step::Read),
    ]
}

/// What a reader is still to get: a queue of its own.
#[derive(Default)]
struct Due {
    missed: u64,
    events: VecDeque<u32>,
}

impl Due {
    fn push(&mut self, event: u32, capacity: usize) {
        self.events.push_back(event);
        if self.events.len() > capacity {
            self.events.pop_front();
            self.missed += 1;
        }
    }

    fn next(&mut self) -> Option<Occurrence<u32>> {
        match std::mem::take(&mut self.missed) {
            0 => self.events.pop_front().map(Occurrence::Event),
            missed => Some(Occurrence::Missed(missed)),
        }
    }
}

proptest! {
    #[test]
    fn every_reader_gets_everything_in_order_or_the_exact_number_of_what_it_missed(
        capacity in 1_usize..6,
        steps in prop::collection::vec(a_step(), 0..200),
    ) {
        let journal = journal(capacity);
        let mut readers: Vec<(Reader<u32>, Due)> = Vec::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Push => {
                    journal.push(number);
                    for (_, due) in &mut readers {
                        due.push(number, capacity);
                    }
                }
                Step::Subscribe => readers.push((journal.subscribe(), Due::default())),
                Step::Leave(at) if at < readers.len() => drop(readers.remove(at)),
                Step::Read(at) if at < readers.len() => {
                    let (reader, due) = &mut readers[at];
                    let expected = due.next().map_or(Poll::Pending, |occurrence| Poll::Ready(Some(occurrence)));
                    prop_assert_eq!(read_now(reader), expected);
                }
                Step::Leave(_) | Step::Read(_) => {}
            }
            prop_assert_eq!(journal.is_watched(), !readers.is_empty());
        }
        drop(journal);
        for (mut reader, mut due) in readers {
            loop {
                let expected = due.next();
                prop_assert_eq!(read_now(&mut reader), Poll::Ready(expected.clone()));
                if expected.is_none() {
                    break;
                }
            }
        }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(LOST, future)
            .await
            .expect("a wake-up was lost")
    })
}

#[test]
fn readers_on_other_threads_account_for_every_event_of_many_writers() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 5_000;
    let journal = journal(64);
    // The lock that gives the events their order, as a pool's does.
    let count = Mutex::new(0_u64);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let mut reader = journal.subscribe();
            thread::spawn(move || {
                block_on(async {
                    let mut expected = 0;
                    while let Some(occurrence) = reader.next().await {
                        match occurrence {
                            Occurrence::Event(number) => {
                                assert_eq!(number, expected);
                                expected += 1;
                            }
                            Occurrence::Missed(missed) => expected += missed,
                        }
                    }
                    expected
                })
            })
        })
        .collect();
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let mut count = count.lock();
                    journal.push(*count);
                    *count += 1;
                    drop(count);
                    journal.wake();
                }
            });
        }
    });
    drop(journal);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), WRITERS * EACH);
    }
}

#[test]
fn a_reader_that_begins_to_wait_just_as_an_event_comes_is_woken() {
    let journal = journal(1);
    let mut reader = journal.subscribe();
    let (told, answers) = sync_channel(1);
    let reading = thread::spawn(move || {
        block_on(async {
            while let Some(occurrence) = reader.next().await {
                told.send(occurrence).unwrap();
            }
        });
    });
    for number in 0..5_000 {
        journal.push(number);
        journal.wake();
        // Each event is read before the next one comes, which would make up for a lost wake-up.
        assert_eq!(answers.recv_timeout(LOST).unwrap(), Occurrence::Event(number));
    }
    drop(journal);
    reading.join().unwrap();
}
