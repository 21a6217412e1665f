//! The journal, and a pool that writes into it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use shuttle::thread::JoinHandle;

use super::explore::explore;
use super::rig::{Rig, Setup, background, call, join};
use crate::events::{Events, Observed, PoolEventKind};
use crate::journal::{Journal, Occurrence, Reader};
use crate::sync::Mutex;

/// Less than is written, so that slow readers miss some.
const KEPT: NonZeroUsize = NonZeroUsize::new(2).unwrap();

#[test]
fn readers_account_for_every_event() {
    explore(|| {
        let journal = Arc::new(Journal::new(KEPT));
        let readers = [(); 2].map(|()| count(journal.subscribe()));
        // Each writer numbers its events under the lock that orders them, as a pool does.
        let order = Arc::new(Mutex::new(0_u64));
        let writers = [(); 2].map(|()| {
            let (journal, order) = (Arc::clone(&journal), Arc::clone(&order));
            background(async move {
                for _ in 0..3 {
                    {
                        let mut number = order.lock();
                        *number += 1;
                        journal.push(*number);
                    }
                    journal.wake();
                }
            })
        });
        // One that comes and goes, and takes nothing from the others.
        drop(journal.subscribe());
        drop(journal);
        writers.into_iter().for_each(join);
        for reader in readers {
            assert_eq!(join(reader), 6);
        }
    });
}

/// Reads to the end: so many events came or were missed, in their order.
fn count(mut reader: Reader<u64>) -> JoinHandle<u64> {
    background(async move {
        let mut so_far = 0;
        while let Some(occurrence) = reader.next().await {
            match occurrence {
                Occurrence::Missed(missed) => so_far += missed,
                Occurrence::Event(number) => {
                    so_far += 1;
                    assert_eq!(number, so_far);
                }
            }
        }
        so_far
    })
}

#[test]
fn a_reader_is_woken_for_what_comes_while_it_falls_asleep() {
    explore(|| {
        let journal = Arc::new(Journal::new(KEPT));
        let mut reader = journal.subscribe();
        let reading = background(async move { [reader.next().await, reader.next().await] });
        let writers = [(); 2].map(|()| {
            let journal = Arc::clone(&journal);
            background(async move {
                journal.push(7);
                journal.wake();
            })
        });
        // The journal lives on: only their wake-ups can end the wait.
        let seven = || Some(Occurrence::Event(7));
        assert_eq!(join(reading), [seven(), seven()]);
        writers.into_iter().for_each(join);
        drop(journal);
    });
}

#[test]
fn a_pool_tells_of_every_start_and_every_end() {
    explore(|| {
        let rig = Rig::ready(Setup::new(2, 1));
        let mut events = Events::of(&rig.journal);
        let watcher = background(async move {
            let mut exits = 0;
            while let Some(seen) = events.next().await {
                let Observed::Event(event) = seen else {
                    panic!("few events, and some were missed: {seen:?}");
                };
                exits += u32::from(matches!(event.kind, PoolEventKind::WorkerExited { .. }));
            }
            exits
        });
        let fickle = rig.fickle("hold", 1);
        let answer = join(rig.call(call("echo")));
        assert!(answer.is_ok(), "{answer:?}");
        join(fickle);
        rig.settle();
        drop(rig);
        assert_eq!(join(watcher), 2);
    });
}
