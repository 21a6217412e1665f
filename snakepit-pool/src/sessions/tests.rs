//! The handle: time from a clock, listeners, warnings, threads.

use super::*;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// A clock that stands until it is set.
#[derive(Default)]
struct Standing(AtomicU64);

impl Standing {
    fn wait(&self, time: Duration) {
        self.0
            .fetch_add(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Standing {
    fn now(&self) -> Moment {
        Moment(self.0.load(Ordering::Relaxed))
    }

    fn instant(&self, _: Moment) -> Option<Instant> {
        None
    }

    fn sleep_until(&self, _: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

const TTL: Duration = Duration::from_secs(10);
const ALMOST: Duration = Duration::from_nanos(9_999_999_999);

fn sessions(max: u32) -> (Sessions, Arc<Standing>) {
    let clock = Arc::new(Standing::default());
    let sessions = Sessions::new(TTL, NonZeroU32::new(max).unwrap(), Arc::clone(&clock) as _);
    (sessions, clock)
}

/// Where the ids are told of.
fn ended(sessions: &Sessions) -> Arc<Mutex<Vec<SessionId>>> {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&ended);
    sessions.on_end(Box::new(move |id| told.lock().push(id)));
    ended
}

#[test]
fn a_session_expires_when_nobody_has_used_it_for_its_time_to_live() {
    let (sessions, clock) = sessions(4);
    assert_eq!(sessions.create("s"), Ok(true));
    clock.wait(ALMOST);
    assert_eq!(sessions.create("s"), Ok(false));
    clock.wait(ALMOST);
    assert_eq!(sessions.put("s", "k", Bytes::from_static(b"v")), Ok(()));
    clock.wait(ALMOST);
    assert_eq!(sessions.get("s", "k"), Ok(Some(Bytes::from_static(b"v"))));
    clock.wait(ALMOST);
    assert_eq!(sessions.keys("s"), Ok(vec!["k".to_owned()]));
    clock.wait(ALMOST);
    assert_eq!(sessions.remove("s", "k"), Ok(true));
    assert_eq!(sessions.remove("s", "k"), Ok(false));
    clock.wait(ALMOST);
    // To look at it is not to use it.
    assert!(sessions.exists("s"));
    assert_eq!(sessions.list().len(), 1);
    clock.wait(Duration::from_nanos(1));
    assert_eq!(sessions.get("s", "k"), Err(SessionError::unknown("s")));
    assert_eq!(sessions.create("s"), Ok(true));
}

#[test]
fn a_session_in_use_does_not_expire_and_leaving_it_is_a_use() {
    let (sessions, clock) = sessions(4);
    let first = sessions.enter("s").unwrap();
    let second = sessions.enter("s").unwrap();
    assert_eq!(first.id(), second.id());
    drop(first);
    clock.wait(TTL * 5);
    let info = |idle, in_use| SessionInfo {
        name: "s".into(),
        values: 0,
        bytes: 0,
        idle,
        in_use,
    };
    assert_eq!(sessions.list(), [info(Duration::ZERO, true)]);
    drop(second);
    clock.wait(ALMOST);
    assert_eq!(sessions.list(), [info(ALMOST, false)]);
    clock.wait(Duration::from_nanos(1));
    assert_eq!(sessions.list(), []);
}

#[test]
fn a_session_that_ends_in_use_frees_its_name_at_once_and_is_told_of_after_its_last_use() {
    let (sessions, _clock) = sessions(1);
    let ended = ended(&sessions);
    let using = sessions.enter("s").unwrap();
    sessions.put("s", "k", Bytes::new()).unwrap();
    assert!(sessions.end("s"));
    assert!(!sessions.end("s"));
    let anew = sessions.enter("s").unwrap();
    assert_ne!(using.id(), anew.id());
    assert_eq!(sessions.get("s", "k"), Ok(None));
    assert_eq!(*ended.lock(), []);
    let id = using.id();
    drop(using);
    assert_eq!(*ended.lock(), [id]);
}

#[test]
fn listeners_are_told_once_by_a_sweep_and_may_use_the_sessions() {
    let (sessions, clock) = sessions(4);
    let ended = ended(&sessions);
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let (seen, these) = (Arc::clone(&left), sessions.clone());
    sessions.on_end(Box::new(move |_| {
        seen.store(these.list().len(), Ordering::Relaxed);
    }));
    let id = sessions.enter("s").unwrap().id();
    clock.wait(TTL);
    sessions.sweep();
    sessions.sweep();
    assert_eq!(*ended.lock(), [id]);
    assert_eq!(left.load(Ordering::Relaxed), 0);
}

#[test]
fn a_value_does_not_keep_the_message_alive_that_it_came_in() {
    let (sessions, _clock) = sessions(4);
    sessions.create("s").unwrap();
    let message = Bytes::from(vec![7; 1 << 20]);
    sessions.put("s", "k", message.slice(..3)).unwrap();
    assert!(message.is_unique());
    assert_eq!(sessions.get("s", "k"), Ok(Some(Bytes::from_static(&[7; 3]))));
}

#[test]
fn every_error_says_what_is_wrong() {
    let (sessions, _clock) = sessions(1);
    let longest = "n".repeat(256);
    assert_eq!(sessions.create(&longest), Ok(true));
    assert_eq!(sessions.put(&longest, &longest, Bytes::new()), Ok(()));
    sessions.end(&longest);
    sessions.create("s").unwrap();
    let too_large = Bytes::from(vec![0; 64 << 20]);
    let errors = [
        sessions.create("t").unwrap_err(),
        sessions.enter("t").unwrap_err(),
        sessions.create("").unwrap_err(),
        sessions.create(&"n".repeat(257)).unwrap_err(),
        sessions.keys("é\n").unwrap_err(),
        sessions.get("s", "").unwrap_err(),
        sessions.remove("s", &"k".repeat(1 << 20)).unwrap_err(),
        sessions.keys("t").unwrap_err(),
        sessions.put("s", "k", too_large).unwrap_err(),
    ];
    let lines: Vec<_> = errors
        .iter()
        .map(|error| format!("{}: {error}", error.code()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert!(errors.iter().all(|error| error.hint().is_some()));
}

/// Counts warnings.
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn the_creation_that_comes_near_the_quota_warns_once() {
    let (sessions, _clock) = sessions(5);
    let warnings = Arc::new(AtomicUsize::new(0));
    tracing::subscriber::with_default(Warnings(Arc::clone(&warnings)), || {
        for (name, expected) in [("a", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 1)] {
            sessions.create(name).unwrap();
            assert_eq!(warnings.load(Ordering::Relaxed), expected, "after {name}");
        }
    });
}

#[test]
fn threads_that_enter_and_end_the_same_sessions_leave_each_told_of_once() {
    let (sessions, _clock) = sessions(8);
    let ended = ended(&sessions);
    thread::scope(|scope| {
        for thread in 0..4 {
            let sessions = &sessions;
            scope.spawn(move || {
                for round in 0..2_000 {
                    let name = ["a", "b", "c"][(thread + round) % 3];
                    let using = sessions.enter(name).unwrap();
                    if round % 4 == thread {
                        sessions.end(name);
                    }
                    drop(using);
                }
            });
        }
    });
    for info in sessions.list() {
        assert!(!info.in_use);
        assert!(sessions.end(&info.name));
    }
    let mut ended = ended.lock().clone();
    ended.sort_unstable();
    assert!(ended.len() > 100, "sessions ended while they were used");
    let ids: Vec<_> = (0..ended.len() as u64).map(SessionId).collect();
    assert_eq!(ended, ids);
}
