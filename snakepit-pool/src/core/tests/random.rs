//! Random events, sensible and not: the core against the [`Model`].

use proptest::prelude::*;
use proptest::sample::Index;
use snakepit_profile::{RequestId, WorkerId};

use super::model::{Entry, Model, Stage};
use super::rig::ms;
use crate::core::{Event, Phase, WorkerState};

/// What is done to the pool. Slots mean their present worker, requests any that ever was.
#[derive(Debug, Clone)]
enum Op {
    Submit {
        timeout: u64,
    },
    Cancel(Index),
    Complete {
        request: Index,
        lost: bool,
    },
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
        40 => (any::<Index>(), prop::bool::weighted(0.1)).prop_map(|(request, lost)| Op::Complete { request, lost }),
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

impl Model {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Submit { timeout } => self.submit(timeout),
            Op::Cancel(index) => {
                if let Some(request) = self.pick(index) {
                    self.cancel(request);
                }
            }
            Op::Complete { request, lost } => {
                if let Some(request) = self.pick(request) {
                    self.complete(request, lost);
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
            Phase::Draining | Phase::Closing | Phase::Failed => state == WorkerState::Vacant,
        };
        assert!(
            snapshot.workers.iter().all(|worker| settled(worker.state)),
            "{snapshot:#?}"
        );
    }

    /// Lets every worker do what it is asked now, and every call end. False if there was nothing to do.
    fn cooperate(&mut self) -> bool {
        let mut acted = false;
        for worker in self.core.workers().collect::<Vec<_>>() {
            let slot = worker.id.slot;
            match worker.state {
                WorkerState::Launching | WorkerState::Unwanted => self.apply(&Op::Launched(slot)),
                WorkerState::Starting => self.apply(&Op::BecameReady(slot)),
                WorkerState::Stopping | WorkerState::Dying => self.exit(worker.id, false),
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
            self.complete(request, false);
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
