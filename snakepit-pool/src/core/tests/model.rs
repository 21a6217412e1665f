//! Random events, sensible and not, against a naive model that keeps books of its own.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

use proptest::prelude::*;
use proptest::sample::Index;
use snakepit_profile::{RequestId, WorkerId};

use super::rig::{config, ms};
use crate::core::{Action, Core, CoreConfig, Event, Moment, Phase, Verdict, WorkerState};

/// What is done to the pool. Slots mean their present worker, requests any that ever was.
#[derive(Debug, Clone)]
enum Op {
    Submit {
        timeout: u64,
    },
    Cancel(Index),
    Complete(Index),
    Launched(u32),
    LaunchFailed {
        slot: u32,
        permanent: bool,
    },
    BecameReady(u32),
    Severed(u32),
    Exited {
        slot: u32,
        permanent: bool,
    },
    /// An event of a worker that is gone, or never was.
    Stranger {
        slot: u32,
        older: u32,
        kind: u8,
    },
    /// Time passes, and the timer is heard this often on the way.
    Pass {
        time: u64,
        times: u64,
    },
    Drain,
    ShutDown(u64),
    Abandon,
}

fn op() -> impl Strategy<Value = Op> {
    let slot = || 0_u32..3;
    prop_oneof![
        60 => (0_u64..3000).prop_map(|timeout| Op::Submit { timeout }),
        15 => any::<Index>().prop_map(Op::Cancel),
        40 => any::<Index>().prop_map(Op::Complete),
        20 => slot().prop_map(Op::Launched),
        2 => (slot(), any::<bool>()).prop_map(|(slot, permanent)| Op::LaunchFailed { slot, permanent }),
        30 => slot().prop_map(Op::BecameReady),
        2 => slot().prop_map(Op::Severed),
        5 => (slot(), any::<bool>()).prop_map(|(slot, permanent)| Op::Exited { slot, permanent }),
        5 => (0_u32..5, 0_u32..3, any::<u8>()).prop_map(|(slot, older, kind)| Op::Stranger { slot, older, kind }),
        40 => (0_u64..900, 1_u64..4).prop_map(|(time, times)| Op::Pass { time, times }),
        1 => Just(Op::Drain),
        1 => (0_u64..2000).prop_map(Op::ShutDown),
        1 => Just(Op::Abandon),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Waiting,
    Running(WorkerId),
    /// Its end is reported, and its caller must be told in this step.
    Reported,
    Lost,
    /// Its caller has gone or was told; in this step its worker must be.
    Unwanted(WorkerId),
    Lingering(WorkerId),
    Ended,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    submitted: Moment,
    deadline: Moment,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, Default)]
struct Life {
    launched: bool,
    ready: bool,
    dismissed: bool,
    ended: bool,
    load: u32,
}

struct Model {
    config: CoreConfig,
    core: Core,
    now: Moment,
    entries: BTreeMap<RequestId, Entry>,
    queue: VecDeque<RequestId>,
    lives: BTreeMap<WorkerId, Life>,
    ever_ready: bool,
    ending: bool,
    /// Every action, for comparing two runs.
    log: Vec<Action>,
}

impl Model {
    fn new() -> Self {
        let mut config = config();
        config.size = NonZeroU32::new(3).unwrap();
        config.startup_batch_size = NonZeroU32::new(2).unwrap();
        Self {
            core: Core::new(config.clone()),
            config,
            now: Moment::ZERO,
            entries: BTreeMap::new(),
            queue: VecDeque::new(),
            lives: BTreeMap::new(),
            ever_ready: false,
            ending: false,
            log: Vec::new(),
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Submit { timeout } => self.submit(timeout),
            Op::Cancel(index) => {
                if let Some(request) = self.pick(index) {
                    self.cancel(request);
                }
            }
            Op::Complete(index) => {
                if let Some(request) = self.pick(index) {
                    self.complete(request);
                }
            }
            Op::Launched(slot) => self.tell(Event::Launched {
                worker: self.present(slot),
            }),
            Op::LaunchFailed { slot, permanent } => {
                let worker = self.present(slot);
                if let Some(life) = self.lives.get_mut(&worker).filter(|life| !life.launched) {
                    life.ended = true;
                }
                self.tell(Event::LaunchFailed { worker, permanent });
            }
            Op::BecameReady(slot) => self.tell(Event::BecameReady {
                worker: self.present(slot),
            }),
            Op::Severed(slot) => self.tell(Event::Severed {
                worker: self.present(slot),
            }),
            Op::Exited { slot, permanent } => self.exit(self.present(slot), permanent),
            Op::Stranger { slot, older, kind } => self.stranger(slot, older, kind),
            Op::Pass { time, times } => {
                for _ in 0..times {
                    self.now = self.now.after(ms(time / times));
                    self.timeout();
                }
            }
            Op::Drain => {
                self.ending = true;
                self.tell(Event::DrainRequested);
            }
            Op::ShutDown(time) => {
                self.ending = true;
                self.tell(Event::ShutdownRequested {
                    until: self.now.after(ms(time)),
                });
            }
            Op::Abandon => {
                self.ending = true;
                self.tell(Event::Abandoned);
            }
        }
    }

    fn pick(&self, index: Index) -> Option<RequestId> {
        (!self.entries.is_empty()).then(|| *self.entries.keys().nth(index.index(self.entries.len())).unwrap())
    }

    fn present(&self, slot: u32) -> WorkerId {
        self.core.workers().nth(slot as usize).unwrap().id
    }

    fn submit(&mut self, timeout: u64) {
        let request = self.core.next_request();
        let deadline = self.now.after(ms(timeout));
        let entry = Entry {
            submitted: self.now,
            deadline,
            stage: Stage::Waiting,
        };
        assert!(self.entries.insert(request, entry).is_none(), "an id came twice");
        self.queue.push_back(request);
        self.tell(Event::Submitted { request, deadline });
        assert!(
            self.queue.len() <= self.config.queue_max as usize,
            "the queue is over its limit"
        );
    }

    fn cancel(&mut self, request: RequestId) {
        let entry = self.entries.get_mut(&request).unwrap();
        match entry.stage {
            Stage::Waiting => {
                entry.stage = Stage::Ended;
                self.queue.retain(|&waiting| waiting != request);
            }
            Stage::Running(worker) => entry.stage = Stage::Unwanted(worker),
            _ => {}
        }
        self.tell(Event::Cancelled { request });
    }

    fn complete(&mut self, request: RequestId) {
        let entry = self.entries.get_mut(&request).unwrap();
        if let Stage::Running(worker) | Stage::Lingering(worker) = entry.stage {
            let told = matches!(entry.stage, Stage::Lingering(_));
            entry.stage = if told { Stage::Ended } else { Stage::Reported };
            self.lives.get_mut(&worker).unwrap().load -= 1;
        }
        self.tell(Event::Completed { request });
    }

    fn exit(&mut self, worker: WorkerId, permanent: bool) {
        if let Some(life) = self
            .lives
            .get_mut(&worker)
            .filter(|life| life.launched && !life.ended)
        {
            life.ended = true;
            life.load = 0;
            for entry in self.entries.values_mut() {
                match entry.stage {
                    Stage::Running(on) if on == worker => entry.stage = Stage::Lost,
                    Stage::Lingering(on) if on == worker => entry.stage = Stage::Ended,
                    _ => {}
                }
            }
        }
        self.tell(Event::Exited { worker, permanent });
    }

    fn stranger(&mut self, slot: u32, older: u32, kind: u8) {
        let present = self
            .core
            .workers()
            .nth(slot as usize)
            .map_or(1, |worker| worker.id.generation);
        // A generation of 0 is that of a slot without a worker so far, so that nothing may happen to it either.
        let worker = WorkerId {
            slot,
            generation: present.saturating_sub(older + 1),
        };
        if self
            .core
            .workers()
            .any(|other| other.id == worker && other.state != WorkerState::Waiting)
        {
            return;
        }
        let logged = self.log.len();
        self.tell(match kind % 5 {
            0 => Event::Launched { worker },
            1 => Event::LaunchFailed {
                worker,
                permanent: true,
            },
            2 => Event::BecameReady { worker },
            3 => Event::Severed { worker },
            _ => Event::Exited {
                worker,
                permanent: true,
            },
        });
        assert_eq!(self.log.len(), logged, "an event of a stranger had a consequence");
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Launched { worker } => {
                if let Some(life) = self.lives.get_mut(&worker).filter(|life| !life.ended) {
                    life.launched = true;
                }
            }
            Event::BecameReady { worker } => {
                let usable = |life: &&mut Life| life.launched && !life.dismissed && !life.ended;
                if let Some(life) = self.lives.get_mut(&worker).filter(usable) {
                    life.ready = true;
                    self.ever_ready = true;
                }
            }
            _ => {}
        }
        let mut actions = Vec::new();
        self.core.handle(self.now, event, &mut actions);
        self.follow(actions);
    }

    fn timeout(&mut self) {
        let mut actions = Vec::new();
        self.core.handle_timeout(self.now, &mut actions);
        self.follow(actions);
        assert!(
            self.core.next_deadline().is_none_or(|due| due > self.now),
            "it was due, and still is"
        );
        for entry in self.entries.values() {
            let due = match entry.stage {
                Stage::Waiting => entry
                    .deadline
                    .min(entry.submitted.after(self.config.queue_timeout)),
                Stage::Running(_) => entry.deadline,
                _ => continue,
            };
            assert!(due > self.now, "somebody waits beyond the time: {entry:?}");
        }
    }

    /// Carries the actions out in the model, and judges each.
    fn follow(&mut self, actions: Vec<Action>) {
        for action in &actions {
            match *action {
                Action::Dispatch { request, worker } => self.dispatched(request, worker),
                Action::Answer { request, verdict } => self.answered(request, verdict),
                Action::Abort { request, worker } => {
                    let stage = &mut self.entries.get_mut(&request).unwrap().stage;
                    assert_eq!(*stage, Stage::Unwanted(worker), "an abort without a reason");
                    *stage = Stage::Lingering(worker);
                }
                Action::Spawn { worker } => {
                    let others = self.lives.iter().filter(|(id, _)| id.slot == worker.slot);
                    assert!(
                        others.clone().all(|(_, life)| life.ended),
                        "{worker} has a living twin"
                    );
                    assert_eq!(others.count(), worker.generation as usize - 1);
                    self.lives.insert(worker, Life::default());
                }
                Action::Stop { worker } | Action::Terminate { worker } | Action::Kill { worker, .. } => {
                    let life = self.lives.get_mut(&worker).unwrap();
                    assert!(life.launched && !life.ended, "{worker} is not there");
                    life.dismissed = true;
                }
            }
        }
        self.log.extend(actions);
        self.judge();
    }

    fn dispatched(&mut self, request: RequestId, worker: WorkerId) {
        assert_eq!(
            self.queue.pop_front(),
            Some(request),
            "it was not the first that waits"
        );
        let least = self.free().map(|(_, life)| life.load).min();
        let life = self.lives.get_mut(&worker).unwrap();
        assert!(
            life.ready && !life.dismissed && !life.ended,
            "{worker} takes no calls"
        );
        assert_eq!(
            Some(life.load),
            least,
            "{worker} is not the least loaded with room"
        );
        life.load += 1;
        let entry = self.entries.get_mut(&request).unwrap();
        assert_eq!(entry.stage, Stage::Waiting);
        assert!(self.now < entry.deadline, "dispatched too late");
        entry.stage = Stage::Running(worker);
    }

    /// Workers with room.
    fn free(&self) -> impl Iterator<Item = (&WorkerId, &Life)> {
        let capacity = self.config.capacity.get();
        self.lives
            .iter()
            .filter(move |(_, life)| life.ready && !life.dismissed && !life.ended && life.load < capacity)
    }

    fn answered(&mut self, request: RequestId, verdict: Verdict) {
        let free = self.free().count();
        let entry = self.entries.get_mut(&request).unwrap();
        let before = entry.stage;
        let waited = self.now.since(entry.submitted);
        entry.stage = Stage::Ended;
        let right = match verdict {
            Verdict::Reported(_) => before == Stage::Reported,
            Verdict::WorkerLost(_) => before == Stage::Lost,
            Verdict::QueueTimeout { .. } => before == Stage::Waiting && waited >= self.config.queue_timeout,
            Verdict::DeadlineExceeded { dispatched, .. } => {
                if let Stage::Running(worker) = before {
                    entry.stage = Stage::Unwanted(worker);
                }
                self.now >= entry.deadline && dispatched == matches!(before, Stage::Running(_))
            }
            Verdict::Saturated { depth, limit } => {
                before == Stage::Waiting
                    && (depth, limit) == (self.config.queue_max, self.config.queue_max)
                    && free == 0
                    && self.queue.len() > limit as usize
                    && self.queue.back() == Some(&request)
            }
            Verdict::NotInitialized => before == Stage::Waiting && !self.ever_ready,
            Verdict::ShuttingDown => before == Stage::Waiting && self.ending,
        };
        assert!(right, "{request} was {before:?} and got {verdict:?}");
        self.queue.retain(|&waiting| waiting != request);
    }

    /// What holds after every step.
    fn judge(&self) {
        if let Err(violation) = self.core.check() {
            panic!("{violation}\n{:#?}", self.core.snapshot());
        }
        for (request, entry) in &self.entries {
            let owed = matches!(entry.stage, Stage::Reported | Stage::Lost | Stage::Unwanted(_));
            assert!(!owed, "{request} was forgotten: {entry:?}");
        }
        assert!(
            self.queue.is_empty() || self.free().next().is_none(),
            "somebody waits while a slot is free"
        );
        let snapshot = self.core.snapshot();
        assert_eq!(snapshot.queued as usize, self.queue.len());
        let count =
            |stage: fn(&Stage) -> bool| self.entries.values().filter(|entry| stage(&entry.stage)).count();
        assert_eq!(
            snapshot.running as usize,
            count(|stage| matches!(stage, Stage::Running(_)))
        );
        assert_eq!(
            snapshot.lingering as usize,
            count(|stage| matches!(stage, Stage::Lingering(_)))
        );
        for worker in &snapshot.workers {
            assert_eq!(
                worker.load,
                self.lives.get(&worker.id).map_or(0, |life| life.load),
                "{}",
                worker.id
            );
        }
    }

    /// Faults stop: every worker does what it is asked, and every call ends.
    fn heal(&mut self) {
        for _ in 0..1000 {
            while self.cooperate() {}
            let snapshot = self.core.snapshot();
            let whole = if snapshot.phase == Phase::Open {
                snapshot
                    .workers
                    .iter()
                    .all(|worker| worker.state == WorkerState::Ready)
            } else {
                snapshot.milestones.stopped
            };
            if whole {
                break;
            }
            if let Some(due) = self.core.next_deadline() {
                self.now = self.now.max(due);
                self.timeout();
            }
        }
        let snapshot = self.core.snapshot();
        assert_eq!(
            (snapshot.queued, snapshot.running, snapshot.lingering),
            (0, 0, 0),
            "{snapshot:#?}"
        );
        for (request, entry) in &self.entries {
            assert_eq!(entry.stage, Stage::Ended, "{request} never ended");
        }
        let settled = |state| match snapshot.phase {
            Phase::Open => state == WorkerState::Ready,
            Phase::Draining | Phase::Closing | Phase::Failed => state == WorkerState::Gone,
        };
        assert!(
            snapshot.workers.iter().all(|worker| settled(worker.state)),
            "{snapshot:#?}"
        );
    }
}

impl Model {
    /// Lets every worker do what it is asked now, and every call end. False if there was nothing to do.
    fn cooperate(&mut self) -> bool {
        let mut acted = false;
        for worker in self.core.workers().collect::<Vec<_>>() {
            let slot = worker.id.slot;
            match worker.state {
                WorkerState::Launching | WorkerState::Unwanted => self.apply(&Op::Launched(slot)),
                WorkerState::Starting => self.apply(&Op::BecameReady(slot)),
                WorkerState::Stopping | WorkerState::Killed => self.exit(worker.id, false),
                _ => continue,
            }
            acted = true;
        }
        let leased = |entry: &Entry| matches!(entry.stage, Stage::Running(_) | Stage::Lingering(_));
        let ended: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| leased(entry))
            .map(|(&id, _)| id)
            .collect();
        acted |= !ended.is_empty();
        for request in ended {
            self.complete(request);
        }
        acted
    }
}

/// Plays `ops` on a pool that has just been opened.
fn play(ops: &[Op]) -> Model {
    let mut model = Model::new();
    model.tell(Event::Opened);
    for op in ops {
        model.apply(op);
    }
    model
}

proptest! {
    #[test]
    fn whatever_happens_the_books_agree_and_a_pool_left_in_peace_becomes_whole(
        ops in prop::collection::vec(op(), 0..250),
    ) {
        play(&ops).heal();
    }

    #[test]
    fn the_same_events_give_the_same_actions(ops in prop::collection::vec(op(), 0..250)) {
        let (one, other) = (play(&ops), play(&ops));
        prop_assert_eq!(one.log, other.log);
        prop_assert_eq!(one.core.snapshot(), other.core.snapshot());
    }
}
