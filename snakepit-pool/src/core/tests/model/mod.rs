//! Random events, sensible and not, against a naive model.
//!
//! Some of what the core decides cannot be foretold from outside, such as its pauses. The model therefore foretells
//! nothing that it need not: it keeps books of its own, follows every action in them, and judges whether it was right
//! at that moment. It recomputes everything from what it has written down, and knows no list and no timer.

mod books;
mod deeds;
mod heal;
mod invariants;
mod requests;
mod routing;
mod script;
mod workers;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use snakepit_profile::{RequestId, WorkerId};

use crate::core::{Action, Core, CoreConfig, Event, Moment, Notice, Phase, SessionId};
use books::{Circuit, Entry, Life, Placement, Tally};
pub(in crate::core::tests) use script::{Op, Script};

/// A pool with the books of its model.
pub(in crate::core::tests) struct Model {
    config: CoreConfig,
    core: Core,
    /// Is told the same, and must do the same.
    twin: Core,
    now: Moment,
    /// What the present step began with: an event, or the timer.
    cause: Option<Event>,
    entries: BTreeMap<RequestId, Entry>,
    lives: BTreeMap<WorkerId, Life>,
    sessions: BTreeMap<SessionId, Placement>,
    /// The sessions that have not ended.
    names: [SessionId; script::SESSIONS],
    circuit: Option<Circuit>,
    size: u32,
    phase: Phase,
    /// Nothing new can come and nothing waits.
    winding: bool,
    /// When what runs has had its time.
    until: Moment,
    ever_ready: bool,
    /// Before the present step.
    was_degraded: bool,
    /// Workers that ended for a reason that can only come again.
    permanent: u32,
    /// Starts that failed, by slot.
    failed_starts: BTreeMap<u32, u32>,
    /// The worker of each slot that has ended last.
    last_ended: BTreeMap<u32, WorkerId>,
    /// Which slot was restarted when.
    restarts: Vec<(u32, Moment)>,
    /// The next place in the line.
    line: u64,
    tally: Tally,
}

impl StateMachineTest for Model {
    type SystemUnderTest = Self;
    type Reference = Script;

    fn init_test(script: &Script) -> Self {
        Self::new(script)
    }

    fn apply(mut model: Self, _: &Script, op: Op) -> Self {
        model.act(&op);
        model
    }

    fn teardown(mut model: Self, _: Script) {
        model.heal();
    }
}

prop_state_machine! {
    // `PROPTEST_CASES` wins over this.
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_the_books_agree_and_a_pool_left_in_peace_becomes_whole(sequential 1..100 => Model);
}

impl Model {
    /// A pool that has just been opened.
    fn new(script: &Script) -> Self {
        let config = script.config.clone();
        let core = || match script.canary {
            Some(canary) => Core::with_canary(config.clone(), canary),
            None => Core::new(config.clone()),
        };
        let mut model = Self {
            core: core(),
            twin: core(),
            now: Moment::ZERO,
            cause: None,
            entries: BTreeMap::new(),
            lives: BTreeMap::new(),
            sessions: BTreeMap::new(),
            names: std::array::from_fn(|name| SessionId(name as u64)),
            circuit: config.breaker.map(Circuit::new),
            size: config.size.get(),
            phase: Phase::Open,
            winding: false,
            until: Moment::NEVER,
            ever_ready: false,
            was_degraded: false,
            permanent: 0,
            failed_starts: BTreeMap::new(),
            last_ended: BTreeMap::new(),
            restarts: Vec::new(),
            line: 0,
            tally: Tally::default(),
            config,
        };
        model.tell(Event::Opened);
        if script.warm {
            model.start_all();
        }
        model
    }

    /// Tells the core of something, after everything that was due before.
    fn tell(&mut self, event: Event) {
        if self.core.next_deadline().is_some_and(|due| due <= self.now) {
            self.call();
        }
        self.expect(event);
        self.cause = Some(event);
        let step = |core: &mut Core, now, actions: &mut Vec<Action>| core.handle(now, event, actions);
        self.step(step);
    }

    /// Calls the core as its timer does.
    fn call(&mut self) {
        self.cause = None;
        self.step(Core::handle_timeout);
    }

    fn step(&mut self, step: impl Fn(&mut Core, Moment, &mut Vec<Action>)) {
        let (mut actions, mut same) = (Vec::new(), Vec::new());
        step(&mut self.core, self.now, &mut actions);
        step(&mut self.twin, self.now, &mut same);
        assert_eq!(actions, same, "the same events gave other actions");
        self.note_failure();
        for action in actions {
            self.follow(action);
        }
        self.settle();
        self.judge();
    }

    /// Carries an action out in the books, and judges it.
    fn follow(&mut self, action: Action) {
        match action {
            Action::Dispatch { request, worker } => self.dispatched(request, worker),
            Action::Answer { request, verdict } => self.answered(request, verdict),
            Action::Abort { request, worker } => self.aborted(request, worker),
            Action::Spawn { worker } => self.spawned(worker),
            Action::Stop { worker } => self.stopped(worker),
            Action::Terminate { worker } => self.terminated(worker),
            Action::Kill { worker, reason } => self.killed(worker, reason),
            Action::Note(notice) => self.noted(notice),
        }
    }

    fn noted(&mut self, notice: Notice) {
        match notice {
            Notice::Ready { worker, after } => {
                assert_eq!(self.cause, Some(Event::BecameReady { worker }));
                let life = self.lives[&worker];
                assert_eq!(life.ready, Some(self.now));
                assert_eq!(after, self.now.since(life.spawned));
            }
            Notice::Recycled(recycled) => self.recycled(&recycled),
            Notice::Quarantined { worker } => self.quarantined(worker),
            Notice::Stopped { request, after, .. } => self.has_stopped(request, after),
            Notice::Retried {
                request,
                lost_with,
                attempt,
                pause,
            } => self.retried(request, lost_with, attempt, pause),
            Notice::Saturated { depth } => assert_eq!(depth, self.config.queue_max),
            Notice::Degraded { .. } | Notice::Recovered => {}
            Notice::CircuitOpened => self.circuit.as_mut().unwrap().opened -= 1,
            Notice::CircuitClosed => self.circuit.as_mut().unwrap().closed -= 1,
        }
    }
}
