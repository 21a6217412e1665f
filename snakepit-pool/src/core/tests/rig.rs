//! A core with a time of its own, every invariant checked after every step.

use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_profile::{RequestId, WorkerId};

use crate::core::{Action, Core, CoreConfig, Event, KillReason, Moment, Verdict};

pub(super) const LONG: Duration = Duration::from_hours(1);

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn worker(slot: u32, generation: u32) -> WorkerId {
    WorkerId { slot, generation }
}

/// Two workers of two calls, three calls may wait, 1 s for most things.
pub(super) fn config() -> CoreConfig {
    let two = NonZeroU32::new(2).unwrap();
    CoreConfig {
        size: two,
        capacity: two,
        startup_batch_size: NonZeroU32::new(10).unwrap(),
        startup_batch_delay: ms(500),
        startup_timeout: ms(1000),
        queue_max: 3,
        queue_timeout: ms(1000),
        grace: ms(1000),
        backoff_min: ms(100),
        backoff_max: ms(30_000),
        seed: 7,
    }
}

pub(super) struct Rig {
    pub(super) core: Core,
    pub(super) now: Moment,
    /// Actions since the last [`Rig::take`].
    actions: Vec<Action>,
}

impl Rig {
    /// Before anything was started.
    pub(super) fn new(config: CoreConfig) -> Self {
        Self {
            core: Core::new(config),
            now: Moment::ZERO.after(LONG),
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
        rig
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.core.handle(self.now, event, &mut self.actions);
        self.check();
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
            self.core.handle_timeout(due, &mut self.actions);
            self.check();
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
        let request = self.core.next_request();
        let deadline = self.now.after(timeout);
        self.tell(Event::Submitted { request, deadline });
        request
    }

    pub(super) fn complete(&mut self, request: RequestId) {
        let lost = false;
        self.tell(Event::Completed { request, lost });
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

pub(super) fn kill(worker: WorkerId, reason: KillReason) -> Action {
    Action::Kill { worker, reason }
}
