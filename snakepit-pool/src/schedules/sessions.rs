//! Sessions that begin, are used and end at the same time.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use snakepit_config::Affinity;

use super::explore::explore;
use super::model_clock::ModelClock;
use super::rig::{Rig, Setup, background, call, join};
use crate::call::PoolCall;
use crate::core::SessionId;
use crate::sessions::Sessions;
use crate::sync::preempt;

const TTL: Duration = Duration::from_secs(1);

/// What a test knows of each session.
#[derive(Default)]
struct Seen {
    uses: u32,
    ends: u32,
}

type Ledger = Arc<Mutex<BTreeMap<SessionId, Seen>>>;

#[test]
fn a_session_ends_once_and_not_under_its_uses() {
    explore(|| {
        let (sessions, clock, ledger) = sessions();
        let users = [(); 2].map(|()| {
            let (sessions, ledger) = (sessions.clone(), Arc::clone(&ledger));
            background(async move {
                for _ in 0..2 {
                    let using = sessions.enter("s").expect("there is room");
                    ledger.lock().entry(using.id()).or_default().uses += 1;
                    preempt();
                    ledger.lock().entry(using.id()).or_default().uses -= 1;
                    drop(using);
                }
            })
        });
        let ender = {
            let sessions = sessions.clone();
            background(async move {
                sessions.end("s");
                clock.advance(TTL);
                sessions.sweep();
            })
        };
        users.into_iter().for_each(join);
        join(ender);
        sessions.end("s");
        assert_eq!(sessions.list(), []);
        for (id, seen) in &*ledger.lock() {
            assert_eq!((seen.uses, seen.ends), (0, 1), "{id:?}");
        }
    });
}

#[test]
fn a_value_is_kept_or_its_session_is_known_to_be_gone() {
    explore(|| {
        let (sessions, _, _) = sessions();
        sessions.create("s").expect("there is room");
        let writer = {
            let sessions = sessions.clone();
            background(async move { sessions.put("s", "key", Bytes::from_static(b"value")).is_ok() })
        };
        let ended = sessions.end("s");
        assert!(ended, "it was there");
        let again = sessions.create("s").expect("there is room");
        let kept = join(writer);
        let value = sessions.get("s", "key").expect("it was created again");
        // Written before the end, it is gone; after, it is in the new one.
        assert!(again, "its name was free");
        assert!(value.is_none() || kept);
    });
}

#[test]
fn calls_of_a_session_race_its_end() {
    explore(|| {
        let rig = Rig::ready(Setup::new(2, 1));
        let of_session = || PoolCall {
            session: Some("s".into()),
            affinity: Some(Affinity::StrictQueue),
            ..call("echo")
        };
        let callers = [(); 3].map(|()| rig.call(of_session()));
        rig.sessions.end("s");
        for caller in callers {
            let answer = join(caller);
            assert!(answer.is_ok(), "{answer:?}");
        }
        rig.sessions.end("s");
        assert_eq!(rig.sessions.list(), []);
        rig.settle();
    });
}

/// Sessions, the time in which they expire, and a ledger that checks each end as it is told.
fn sessions() -> (Sessions, Arc<ModelClock>, Ledger) {
    let clock = Arc::new(ModelClock::new(Duration::ZERO));
    let sessions = Sessions::new(TTL, NonZeroU32::new(10).expect("ten"), Arc::clone(&clock) as _);
    let ledger = Ledger::default();
    let told = Arc::clone(&ledger);
    sessions.on_end(Box::new(move |id| {
        preempt();
        let mut told = told.lock();
        let seen = told.entry(id).or_default();
        assert_eq!(seen.uses, 0, "{id:?} ended under its uses");
        seen.ends += 1;
    }));
    (sessions, clock, ledger)
}
