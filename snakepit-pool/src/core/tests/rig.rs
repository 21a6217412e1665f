//! A core with a time of its own, every invariant checked after every step.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_profile::{RequestId, WorkerId};

use snakepit_config::Affinity;

use crate::core::{
    Action, Core, CoreConfig, End, Event, KillReason, Moment, Notice, Priority, RecycleConfig, Recycled,
    RestartConfig, SessionId, Terms, Verdict, WorkerState,
};

pub(super) const LONG: Duration = Duration::from_hours(1);

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) const fn worker(slot: u32, generation: u32) -> WorkerId {
    WorkerId { slot, generation }
}

/// Two workers of two calls, three calls may wait, 1 s for most things, and no limit of restarts that is ever reached.
pub(super) fn config() -> CoreConfig {
    let two = NonZeroU32::new(2).unwrap();
    CoreConfig {
        size: two,
        size_max: NonZeroU32::new(10).unwrap(),
        capacity: two,
        startup_batch_size: NonZeroU32::new(10).unwrap(),
        startup_batch_delay: ms(500),
        startup_timeout: ms(1000),
        queue_max: 3,
        queue_timeout: ms(1000),
        grace: ms(1000),
        recycling: RecycleConfig {
            ttl: None,
            requests: None,
            memory: None,
            jitter: 10,
            missing_max: 0,
            surge_max: 1,
        },
        restarts: RestartConfig {
            slot_max: NonZeroU32::new(1000).unwrap(),
            pool_max: NonZeroU32::new(1000).unwrap(),
            window: ms(5000),
            backoff_min: ms(100),
            backoff_max: ms(30_000),
        },
        breaker: None,
        seed: 7,
    }
}

/// As [`config`], for so many workers of so many calls; ten calls may wait, and for as long as they like.
pub(super) fn patient(size: u32, capacity: u32) -> CoreConfig {
    CoreConfig {
        size: NonZeroU32::new(size).unwrap(),
        capacity: NonZeroU32::new(capacity).unwrap(),
        startup_batch_size: NonZeroU32::new(size.max(10)).unwrap(),
        queue_max: 10,
        queue_timeout: LONG,
        ..config()
    }
}

/// What most requests ask for.
pub(super) fn terms(deadline: Moment) -> Terms {
    Terms {
        deadline,
        priority: Priority::Normal,
        session: None,
        affinity: Affinity::Hint,
        attempts: NonZeroU32::MIN,
    }
}

/// A request of a session.
pub(super) fn of_session(session: u64, affinity: Affinity) -> impl FnOnce(Terms) -> Terms {
    move |terms| Terms {
        session: Some(SessionId(session)),
        affinity,
        ..terms
    }
}

/// A request that may be given to so many workers, one after the other.
pub(super) fn with_attempts(attempts: u32) -> impl FnOnce(Terms) -> Terms {
    move |terms| Terms {
        attempts: NonZeroU32::new(attempts).unwrap(),
        ..terms
    }
}

pub(super) struct Rig {
    pub(super) core: Core,
    pub(super) now: Moment,
    /// Which worker has which request.
    given: BTreeMap<RequestId, WorkerId>,
    /// What was noted since the last [`Rig::notices`].
    notices: Vec<Notice>,
    /// Code that has stopped since the last [`Rig::stopped`].
    stopped: Vec<Notice>,
    /// Actions since the last [`Rig::take`].
    actions: Vec<Action>,
}

impl Rig {
    /// Before anything was started.
    pub(super) fn new(config: CoreConfig) -> Self {
        Self {
            core: Core::new(config),
            now: Moment::ZERO.after(LONG),
            given: BTreeMap::new(),
            notices: Vec::new(),
            stopped: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// With every worker ready.
    pub(super) fn ready(config: CoreConfig) -> Self {
        let size = config.size.get();
        let mut rig = Self::new(config);
        rig.tell(Event::Opened);
        for slot in 0..size {
            rig.start(worker(slot, 1));
        }
        rig.take();
        rig.notices.clear();
        rig
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.core.handle(self.now, event, &mut actions);
        self.follow(actions);
    }

    fn follow(&mut self, actions: Vec<Action>) {
        for action in actions {
            if let Action::Dispatch { request, worker } = action {
                self.given.insert(request, worker);
            }
            match action {
                Action::Note(stopped @ Notice::Stopped { .. }) => self.stopped.push(stopped),
                Action::Note(notice) => self.notices.push(notice),
                action => self.actions.push(action),
            }
        }
        self.check();
    }

    /// Code that has ended since the last time, and that nobody waited for.
    pub(super) fn stopped(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.stopped)
    }

    /// What else was worth telling since the last time.
    pub(super) fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn check(&self) {
        if let Err(violation) = self.core.check() {
            panic!("{violation}\n{:#?}", self.core.snapshot());
        }
    }

    /// Lets time pass, and calls the core whenever it has asked for it.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(due) = self.core.next_deadline().filter(|&due| due <= end) {
            self.now = due;
            let mut actions = Vec::new();
            self.core.handle_timeout(due, &mut actions);
            self.follow(actions);
        }
        self.now = end;
    }

    /// What the core wanted done since the last time.
    pub(super) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(super) fn launch(&mut self, worker: WorkerId) {
        self.tell(Event::Launched { worker });
    }

    pub(super) fn start(&mut self, worker: WorkerId) {
        self.launch(worker);
        self.tell(Event::BecameReady { worker });
    }

    pub(super) fn exit(&mut self, worker: WorkerId) {
        let permanent = false;
        self.tell(Event::Exited { worker, permanent });
    }

    pub(super) fn submit(&mut self) -> RequestId {
        self.submit_for(LONG)
    }

    pub(super) fn submit_for(&mut self, timeout: Duration) -> RequestId {
        let deadline = self.now.after(timeout);
        self.submit_with(|terms| Terms { deadline, ..terms })
    }

    pub(super) fn submit_with(&mut self, change: impl FnOnce(Terms) -> Terms) -> RequestId {
        let request = self.core.next_request();
        let terms = change(terms(self.now.after(LONG)));
        self.tell(Event::Submitted { request, terms });
        request
    }

    pub(super) fn complete(&mut self, request: RequestId) {
        self.end(request, End::Served);
    }

    /// The worker that was given a request last reports its end.
    pub(super) fn end(&mut self, request: RequestId, end: End) {
        let worker = self.given.get(&request).copied().unwrap_or(worker(0, 1));
        self.tell(Event::Completed { request, worker, end });
    }

    /// A strict request of a session, which waits for its worker.
    pub(super) fn submit_strict(&mut self, session: u64) -> RequestId {
        self.submit_with(of_session(session, Affinity::StrictQueue))
    }

    /// A request that is lost with the worker that was given it last.
    pub(super) fn lose(&mut self, request: RequestId) {
        self.end(request, End::Lost);
    }

    pub(super) fn recycle(&mut self, worker: WorkerId) {
        self.tell(Event::RecycleRequested { worker });
    }

    pub(super) fn resize(&mut self, size: u32) {
        let size = NonZeroU32::new(size).unwrap();
        self.tell(Event::Resized { size });
    }

    /// Lets time pass from one deadline of the core to the next, until it starts a worker. Other actions until then are
    /// dropped.
    pub(super) fn await_spawn(&mut self) -> WorkerId {
        loop {
            if let Some(&worker) = spawned(&self.take()).first() {
                return worker;
            }
            let due = self.core.next_deadline().expect("no worker is to be started");
            self.pass(due.since(self.now));
        }
    }

    /// Where a worker is, if it is a present one of its slot.
    pub(super) fn state(&self, worker: WorkerId) -> Option<WorkerState> {
        let found = self.core.workers().find(|it| it.id == worker);
        found.map(|it| it.state)
    }

    pub(super) fn cancel(&mut self, request: RequestId) {
        self.tell(Event::Cancelled { request });
    }

    /// Fills every slot.
    pub(super) fn fill(&mut self) -> Vec<RequestId> {
        let snapshot = self.core.snapshot();
        let slots: u32 = snapshot
            .workers
            .iter()
            .map(|worker| worker.capacity - worker.load)
            .sum();
        (0..slots).map(|_| self.submit()).collect()
    }
}

/// Who was given what.
pub(super) fn dispatched(actions: &[Action]) -> Vec<(RequestId, WorkerId)> {
    let pick = |action: &Action| match *action {
        Action::Dispatch { request, worker } => Some((request, worker)),
        _ => None,
    };
    actions.iter().filter_map(pick).collect()
}

/// Who was told what.
pub(super) fn answers(actions: &[Action]) -> Vec<(RequestId, Verdict)> {
    let pick = |action: &Action| match *action {
        Action::Answer { request, verdict } => Some((request, verdict)),
        _ => None,
    };
    actions.iter().filter_map(pick).collect()
}

pub(super) fn spawned(actions: &[Action]) -> Vec<WorkerId> {
    let pick = |action: &Action| match *action {
        Action::Spawn { worker } => Some(worker),
        _ => None,
    };
    actions.iter().filter_map(pick).collect()
}

/// Who was renewed.
pub(super) fn recycled(notices: &[Notice]) -> Vec<Recycled> {
    let pick = |notice: &Notice| match *notice {
        Notice::Recycled(recycled) => Some(recycled),
        _ => None,
    };
    notices.iter().filter_map(pick).collect()
}

pub(super) fn spawn(worker: WorkerId) -> Action {
    Action::Spawn { worker }
}

pub(super) fn stop(worker: WorkerId) -> Action {
    Action::Stop { worker }
}

pub(super) fn kill(worker: WorkerId, reason: KillReason) -> Action {
    Action::Kill { worker, reason }
}
