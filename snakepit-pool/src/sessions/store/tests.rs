//! The store against a naive model that looks at every session each time.

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", ""];
const KEYS: [&str; 3] = ["k", "key", ""];
/// The large ones reach the limit of a session's bytes in one to four steps.
const SIZES: [usize; 5] = [0, 1, 20 << 20, 40 << 20, (64 << 20) - 1];
/// Every value is a part of this.
static ZEROS: LazyLock<Bytes> = LazyLock::new(|| vec![0; 64 << 20].into());

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Create(usize),
    Enter(usize),
    /// The use with this index, if there are so many.
    Leave(usize),
    End(usize),
    Exists(usize),
    Put(usize, usize, usize),
    Get(usize, usize),
    Remove(usize, usize),
    Keys(usize),
    List,
    Sweep,
}

fn a_step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    let key = || 0..KEYS.len();
    prop_oneof![
        6 => (0_u64..6).prop_map(Step::Wait),
        4 => name().prop_map(Step::Create),
        4 => name().prop_map(Step::Enter),
        4 => (0_usize..4).prop_map(Step::Leave),
        2 => name().prop_map(Step::End),
        1 => name().prop_map(Step::Exists),
        6 => (name(), key(), 0..SIZES.len()).prop_map(|(name, key, size)| Step::Put(name, key, size)),
        3 => (name(), key()).prop_map(|(name, key)| Step::Get(name, key)),
        2 => (name(), key()).prop_map(|(name, key)| Step::Remove(name, key)),
        1 => name().prop_map(Step::Keys),
        2 => Just(Step::List),
        1 => Just(Step::Sweep),
    ]
}

/// A session, as the model has it.
#[derive(Debug, Clone)]
struct Plain {
    id: u64,
    name: &'static str,
    ended: bool,
    uses: usize,
    used_at: u64,
    values: BTreeMap<&'static str, usize>,
}

#[derive(Debug)]
struct Model {
    ttl: u64,
    limit: usize,
    now: u64,
    created: u64,
    sessions: Vec<Plain>,
    warned: bool,
    /// Of the latest step.
    forgotten: Vec<SessionId>,
    crowded: bool,
}

type Code = &'static str;

impl Plain {
    fn bytes(&self) -> usize {
        self.values.iter().map(|(key, size)| key.len() + size).sum()
    }
}

impl Model {
    /// Drops what is over, and begins a step.
    fn purge(&mut self) {
        let (ttl, now) = (self.ttl, self.now);
        self.forget(|session| session.uses == 0 && (session.ended || now >= session.used_at + ttl));
    }

    fn forget(&mut self, is_over: impl Fn(&Plain) -> bool) {
        let over = self.sessions.extract_if(.., |session| is_over(session));
        self.forgotten.extend(over.map(|session| SessionId(session.id)));
        self.calm_down();
    }

    fn calm_down(&mut self) {
        if self.listed() * 10 < self.limit * 7 {
            self.warned = false;
        }
    }

    fn listed(&self) -> usize {
        self.sessions.iter().filter(|session| !session.ended).count()
    }

    fn find(&mut self, name: &str) -> Option<&mut Plain> {
        self.sessions
            .iter_mut()
            .find(|session| session.name == name && !session.ended)
    }

    /// Finds it, as a use.
    fn used(&mut self, name: &str, key: Option<&str>) -> Result<&mut Plain, Code> {
        if name.is_empty() || key.is_some_and(str::is_empty) {
            return Err("SP0414");
        }
        let now = self.now;
        let session = self.find(name).ok_or("SP0415")?;
        session.used_at = now;
        Ok(session)
    }

    fn create(&mut self, name: &'static str) -> Result<bool, Code> {
        match self.used(name, None) {
            Ok(_) => return Ok(false),
            Err("SP0415") => {}
            Err(code) => return Err(code),
        }
        if self.listed() == self.limit {
            return Err("SP0413");
        }
        self.sessions.push(Plain {
            id: self.created,
            name,
            ended: false,
            uses: 0,
            used_at: self.now,
            values: BTreeMap::new(),
        });
        self.created += 1;
        self.crowded = !self.warned && self.listed() * 5 >= self.limit * 4;
        self.warned |= self.crowded;
        Ok(true)
    }

    fn put(&mut self, name: &str, key: &'static str, size: usize) -> Result<(), Code> {
        let session = self.used(name, Some(key))?;
        let before = session.values.insert(key, size);
        if session.bytes() > 64 << 20 {
            match before {
                Some(before) => session.values.insert(key, before),
                None => session.values.remove(key),
            };
            return Err("SP0416");
        }
        Ok(())
    }

    fn list(&self) -> Vec<SessionInfo> {
        let mut list: Vec<_> = self.sessions.iter().filter(|session| !session.ended).collect();
        list.sort_by_key(|session| session.name);
        list.into_iter()
            .map(|session| SessionInfo {
                name: session.name.into(),
                values: session.values.len(),
                bytes: session.bytes(),
                idle: Duration::from_nanos(if session.uses > 0 {
                    0
                } else {
                    self.now - session.used_at
                }),
                in_use: session.uses > 0,
            })
            .collect()
    }
}

/// One step in both.
fn take(
    step: Step,
    store: &mut SessionStore,
    model: &mut Model,
    uses: &mut Vec<u64>,
) -> Result<(), TestCaseError> {
    fn code<T>(result: Result<T, SessionError>) -> Result<T, Code> {
        result.map_err(|error| error.code())
    }
    let now = Moment(model.now);
    if !matches!(step, Step::Leave(_) | Step::Wait(_)) && !names_nothing(step) {
        model.purge();
    }
    match step {
        Step::Wait(time) => model.now += time,
        Step::Create(name) => {
            prop_assert_eq!(code(store.create(now, NAMES[name])), model.create(NAMES[name]));
        }
        Step::Enter(name) => {
            let expected = model.create(NAMES[name]).map(|_| {
                let session = model.find(NAMES[name]).unwrap();
                session.uses += 1;
                session.id
            });
            prop_assert_eq!(code(store.enter(now, NAMES[name])).map(|id| id.0), expected);
            uses.extend(expected);
        }
        Step::Leave(at) if at < uses.len() => {
            let id = uses.remove(at);
            store.leave(now, SessionId(id));
            let left = model.now;
            let session = model
                .sessions
                .iter_mut()
                .find(|session| session.id == id)
                .unwrap();
            session.uses -= 1;
            session.used_at = left;
            model.forget(|session| session.ended && session.uses == 0);
        }
        Step::Leave(_) => {}
        Step::End(name) => {
            let found = model.find(NAMES[name]).map(|session| session.ended = true);
            prop_assert_eq!(store.end(now, NAMES[name]), found.is_some());
            model.forget(|session| session.ended && session.uses == 0);
        }
        Step::Exists(name) => {
            prop_assert_eq!(store.exists(now, NAMES[name]), model.find(NAMES[name]).is_some());
        }
        Step::Put(name, key, size) => {
            let (name, key, size) = (NAMES[name], KEYS[key], SIZES[size]);
            let put = store.put(now, name, key, ZEROS.slice(..size));
            prop_assert_eq!(code(put).map(drop), model.put(name, key, size));
        }
        Step::Get(name, key) => {
            let (name, key) = (NAMES[name], KEYS[key]);
            let expected = model
                .used(name, Some(key))
                .map(|session| session.values.get(key).copied());
            prop_assert_eq!(
                code(store.get(now, name, key)).map(|value| value.map(|value| value.len())),
                expected
            );
        }
        Step::Remove(name, key) => {
            let (name, key) = (NAMES[name], KEYS[key]);
            let expected = model
                .used(name, Some(key))
                .map(|session| session.values.remove(key));
            let removed = code(store.remove(now, name, key)).map(|value| value.map(|value| value.len()));
            prop_assert_eq!(removed, expected);
        }
        Step::Keys(name) => {
            let expected = model.used(NAMES[name], None).map(|session| {
                session
                    .values
                    .keys()
                    .map(|&key| key.to_owned())
                    .collect::<Vec<_>>()
            });
            prop_assert_eq!(code(store.keys(now, NAMES[name])), expected);
        }
        Step::List => prop_assert_eq!(store.list(now), model.list()),
        Step::Sweep => store.sweep(now),
    }
    Ok(())
}

/// A name or a key that is refused before anything is looked at.
fn names_nothing(step: Step) -> bool {
    match step {
        Step::Create(name) | Step::Enter(name) | Step::Keys(name) => NAMES[name].is_empty(),
        Step::Put(name, key, _) | Step::Get(name, key) | Step::Remove(name, key) => {
            NAMES[name].is_empty() || KEYS[key].is_empty()
        }
        _ => false,
    }
}

/// What holds of the store by itself after every step.
fn check(store: &SessionStore) {
    let mut listed = BTreeMap::new();
    let mut expiries = BTreeSet::new();
    for (&id, session) in &store.by_id {
        assert_ne!(session.life, Life::Absent);
        assert_eq!(session.uses > 0, session.life != Life::Idle);
        assert_eq!(session.values.bytes(), session.values.counted());
        if session.life.is_listed() {
            assert_eq!(listed.insert(Arc::clone(&session.name), id), None);
        } else {
            assert_eq!(session.values.len(), 0);
        }
        if session.life == Life::Idle {
            expiries.insert((session.used_at.after(store.ttl), id));
        }
    }
    assert_eq!(store.by_name, listed);
    assert_eq!(store.expiries, expiries);
}

proptest! {
    #[test]
    fn does_what_the_naive_model_does(
        ttl in 1_u64..12,
        limit in 1_u32..7,
        steps in prop::collection::vec(a_step(), 0..150),
    ) {
        let mut store = SessionStore::new(Duration::from_nanos(ttl), NonZeroU32::new(limit).unwrap());
        let mut model = Model {
            ttl,
            limit: limit as usize,
            now: 0,
            created: 0,
            sessions: Vec::new(),
            warned: false,
            forgotten: Vec::new(),
            crowded: false,
        };
        let mut uses = Vec::new();
        for step in steps {
            take(step, &mut store, &mut model, &mut uses)?;
            check(&store);
            let mut aftermath = store.take_aftermath();
            aftermath.forgotten.sort_unstable();
            model.forgotten.sort_unstable();
            prop_assert_eq!(aftermath.forgotten, std::mem::take(&mut model.forgotten));
            prop_assert_eq!(aftermath.crowded.is_some(), std::mem::take(&mut model.crowded));
        }
    }
}

#[test]
fn a_session_holds_so_many_values_and_no_more() {
    let mut store = SessionStore::new(Duration::from_secs(1), NonZeroU32::MIN);
    let now = Moment::ZERO;
    store.create(now, "s").unwrap();
    for key in 0..1024 {
        store.put(now, "s", &key.to_string(), Bytes::new()).unwrap();
    }
    let refused = store.put(now, "s", "another", Bytes::from_static(b"value"));
    assert_eq!(
        refused,
        Err(SessionError::Full {
            name: "s".to_owned(),
            values: 1024,
            bytes: (0..1024).map(|key| key.to_string().len()).sum(),
            wanted: 12,
        })
    );
    // One that is there may still change, and one that leaves makes room.
    store.put(now, "s", "7", Bytes::from_static(b"value")).unwrap();
    store.remove(now, "s", "8").unwrap();
    store.put(now, "s", "another", Bytes::new()).unwrap();
}

#[test]
fn a_crowded_store_warns_once_until_it_was_well_below() {
    let mut store = SessionStore::new(Duration::from_secs(1), NonZeroU32::new(10).unwrap());
    let now = Moment::ZERO;
    let mut warns = |create: bool, name: u32| {
        if create {
            store.create(now, &name.to_string()).unwrap();
        } else {
            assert!(store.end(now, &name.to_string()));
        }
        store.take_aftermath().crowded
    };
    for name in 1..8 {
        assert_eq!(warns(true, name), None);
    }
    let warning = Some(Crowd {
        sessions: 8,
        limit: 10,
    });
    assert_eq!(warns(true, 8), warning);
    // Seven are seventy percent, and not below.
    assert_eq!(warns(false, 8), None);
    assert_eq!(warns(true, 8), None);
    for name in [8, 7] {
        assert_eq!(warns(false, name), None);
    }
    assert_eq!(warns(true, 7), None);
    assert_eq!(warns(true, 8), warning);
}
