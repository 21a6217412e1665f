//! A naive model of a pool that keeps books of its own, and judges what the core wants done.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

use snakepit_profile::{RequestId, WorkerId};

use super::rig::{config, ms, terms};
use crate::core::{Action, Core, CoreConfig, End, Event, Moment, Verdict, WorkerState};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
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
pub(super) struct Entry {
    pub(super) submitted: Moment,
    pub(super) deadline: Moment,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a naive model ticks off what has happened"
)]
pub(super) struct Life {
    pub(super) launched: bool,
    pub(super) ready: bool,
    pub(super) dismissed: bool,
    pub(super) ended: bool,
    pub(super) load: u32,
}

pub(super) struct Model {
    pub(super) config: CoreConfig,
    pub(super) core: Core,
    pub(super) now: Moment,
    pub(super) entries: BTreeMap<RequestId, Entry>,
    pub(super) queue: VecDeque<RequestId>,
    pub(super) lives: BTreeMap<WorkerId, Life>,
    pub(super) ever_ready: bool,
    pub(super) ending: bool,
    /// Every action, for comparing two runs.
    pub(super) log: Vec<Action>,
}

impl Model {
    pub(super) fn new() -> Self {
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

    pub(super) fn submit(&mut self, timeout: u64) {
        let request = self.core.next_request();
        let deadline = self.now.after(ms(timeout));
        let entry = Entry {
            submitted: self.now,
            deadline,
            stage: Stage::Waiting,
        };
        assert!(self.entries.insert(request, entry).is_none(), "an id came twice");
        self.queue.push_back(request);
        self.tell(Event::Submitted {
            request,
            terms: terms(deadline),
        });
        assert!(
            self.queue.len() <= self.config.queue_max as usize,
            "the queue is over its limit"
        );
    }

    pub(super) fn cancel(&mut self, request: RequestId) {
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

    pub(super) fn complete(&mut self, request: RequestId, lost: bool) {
        let entry = self.entries.get_mut(&request).unwrap();
        let mut by = WorkerId {
            slot: 0,
            generation: 1,
        };
        if let Stage::Running(worker) | Stage::Lingering(worker) = entry.stage {
            by = worker;
            let told = matches!(entry.stage, Stage::Lingering(_));
            entry.stage = if told { Stage::Ended } else { Stage::Reported };
            let life = self.lives.get_mut(&worker).unwrap();
            life.load -= 1;
            life.dismissed |= lost;
        }
        let end = if lost { End::Lost } else { End::Served };
        self.tell(Event::Completed {
            request,
            worker: by,
            end,
        });
    }

    pub(super) fn exit(&mut self, worker: WorkerId, permanent: bool) {
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

    pub(super) fn stranger(&mut self, slot: u32, older: u32, kind: u8) {
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

    pub(super) fn tell(&mut self, event: Event) {
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

    pub(super) fn timeout(&mut self) {
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
                Action::Note(_) => {}
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
            Verdict::Degraded { .. } => before == Stage::Waiting && free == 0,
            Verdict::Poisoned { .. }
            | Verdict::WorkerBusy { .. }
            | Verdict::SessionWorkerUnavailable { .. }
            | Verdict::CircuitOpen { .. } => false,
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
}
