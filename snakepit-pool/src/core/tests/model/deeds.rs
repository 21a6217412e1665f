//! What is done to the pool, and what follows from it in the books at once.

use std::num::NonZeroU32;

use proptest::sample::Index;
use snakepit_profile::{RequestId, WorkerId};

use super::super::rig::ms;
use super::books::{Ending, Entry, Life, Stage};
use super::script::{Ask, MEMORY_MAX, Op, RequestDeed, WorkerDeed};
use super::{Model, script};
use crate::core::{End, Event, Moment, Phase, SessionId, Terms};

impl Model {
    pub(super) fn act(&mut self, op: &Op) {
        match *op {
            Op::Submit(ref ask) => self.submit(ask),
            Op::Request { which, deed, aimed } => self.do_to_request(which, deed, aimed),
            Op::Worker { which, deed, aimed } => self.do_to_worker(which, deed, aimed),
            Op::Stranger { slot, deed } => {
                let generation = 1 + self.generations(slot);
                self.tell(event(WorkerId { slot, generation }, deed));
            }
            Op::StartAll => self.start_all(),
            Op::Resize(size) => self.tell(Event::Resized {
                size: NonZeroU32::new(size).unwrap(),
            }),
            Op::EndSession(name) => {
                let session = self.names[name];
                self.names[name] = SessionId(session.0 + script::SESSIONS as u64);
                self.tell(Event::SessionEnded { session });
            }
            Op::Pass {
                time,
                times,
                by_event,
            } => self.pass(time, times, by_event),
            Op::Drain => self.tell(Event::DrainRequested),
            Op::ShutDown(time) => self.tell(Event::ShutdownRequested {
                until: self.now.after(ms(time)),
            }),
            Op::Abandon => self.tell(Event::Abandoned),
        }
    }

    fn pass(&mut self, time: u64, times: u64, by_event: bool) {
        for _ in 0..times {
            self.now = self.now.after(ms(time) / u32::try_from(times).unwrap());
            if by_event {
                // It was opened long ago. What is due is done all the same.
                self.cause = None;
                let now = self.now;
                self.step(|core, _, actions| core.handle(now, Event::Opened, actions));
            } else {
                self.call();
            }
        }
    }

    fn submit(&mut self, ask: &Ask) {
        if self.core.next_deadline().is_some_and(|due| due <= self.now) {
            self.call();
        }
        let terms = Terms {
            deadline: self.now.after(ms(ask.timeout)),
            priority: ask.priority,
            session: ask.session.map(|name| self.names[name]),
            affinity: ask.affinity,
            attempts: NonZeroU32::new(ask.attempts).unwrap(),
        };
        let request = self.core.next_request();
        self.tell(Event::Submitted { request, terms });
    }

    fn do_to_request(&mut self, which: Index, deed: RequestDeed, aimed: bool) {
        let apt = |entry: &Entry| match (deed, entry.stage) {
            (RequestDeed::Cancel, stage) => !matches!(stage, Stage::Ended | Stage::Lingering(_)),
            (_, stage) => matches!(stage, Stage::Running(_) | Stage::Lingering(_)),
        };
        let picked = self.entries.iter().filter(|(_, entry)| !aimed || apt(entry));
        let Some(request) = pick(which, picked.map(|(&request, _)| request)) else {
            return;
        };
        match deed {
            RequestDeed::Cancel => self.tell(Event::Cancelled { request }),
            RequestDeed::Complete(end) => self.complete(request, end),
            RequestDeed::CompleteElsewhere(end) => {
                let has_it = self.worker_of(request);
                let elsewhere = self
                    .lives
                    .keys()
                    .copied()
                    .filter(|&worker| Some(worker) != has_it);
                if let Some(worker) = pick(which, elsewhere) {
                    self.tell(Event::Completed { request, worker, end });
                }
            }
        }
    }

    /// The worker that has a request says that it has ended; of one that nobody has, some worker says so.
    pub(super) fn complete(&mut self, request: RequestId, end: End) {
        let worker = self.worker_of(request).or(self.lives.keys().next().copied());
        let worker = worker.expect("a request came only after a worker");
        self.tell(Event::Completed { request, worker, end });
    }

    fn worker_of(&self, request: RequestId) -> Option<WorkerId> {
        match self.entries[&request].stage {
            Stage::Running(worker) | Stage::Lingering(worker) => Some(worker),
            _ => None,
        }
    }

    fn do_to_worker(&mut self, which: Index, deed: WorkerDeed, aimed: bool) {
        let apt = |life: &Life| match deed {
            WorkerDeed::Launch | WorkerDeed::FailToLaunch { .. } => life.is_launching(),
            WorkerDeed::BecomeReady => life.is_starting(),
            WorkerDeed::Exit { .. } => life.launched && !life.ended,
            WorkerDeed::Sever | WorkerDeed::Sample { .. } | WorkerDeed::Recycle => life.serves(),
        };
        let picked = self.lives.iter().filter(|(_, life)| !aimed || apt(life));
        let Some(worker) = pick(which, picked.map(|(&worker, _)| worker)) else {
            return;
        };
        let times = match deed {
            WorkerDeed::Sample { times, .. } => times,
            _ => 1,
        };
        for _ in 0..times {
            self.tell(event(worker, deed));
        }
    }

    /// Every worker that is being started is ready.
    pub(super) fn start_all(&mut self) {
        let starts = |life: &Life| life.is_launching() || life.is_starting();
        while let Some((&worker, life)) = self.lives.iter().find(|(_, life)| starts(life)) {
            let launched = life.launched;
            self.tell(if launched {
                Event::BecameReady { worker }
            } else {
                Event::Launched { worker }
            });
        }
    }

    /// Takes an event down before the core hears of it.
    pub(super) fn expect(&mut self, event: Event) {
        match event {
            Event::Opened => {}
            Event::Submitted { request, terms } => {
                let before = self.entries.insert(request, Entry::new(terms, self.now));
                assert!(before.is_none(), "an id came twice");
            }
            Event::Cancelled { request } => self.expect_cancel(request),
            Event::Completed { request, worker, end } => self.expect_completion(request, worker, end),
            Event::Resized { size } => self.expect_resize(size.get()),
            Event::SessionEnded { session } => {
                if let Some(placement) = self.sessions.get_mut(&session) {
                    placement.ended = true;
                }
            }
            Event::DrainRequested => match self.phase {
                Phase::Open if self.ever_ready => self.phase = Phase::Draining,
                Phase::Open => self.phase = Phase::Closing,
                Phase::Draining | Phase::Closing | Phase::Failed => {}
            },
            Event::ShutdownRequested { until } => self.expect_end(until),
            Event::Abandoned => self.expect_end(Moment::ZERO),
            Event::Launched { worker }
            | Event::LaunchFailed { worker, .. }
            | Event::BecameReady { worker }
            | Event::Severed { worker }
            | Event::Exited { worker, .. }
            | Event::Sampled { worker, .. }
            | Event::RecycleRequested { worker } => self.expect_of_worker(worker, event),
        }
    }

    fn expect_cancel(&mut self, request: RequestId) {
        let entry = self.entries.get_mut(&request).unwrap();
        match entry.stage {
            Stage::Waiting | Stage::Resting { .. } => entry.stage = Stage::Ended,
            Stage::Running(worker) => entry.stage = Stage::Unwanted(worker),
            _ => return,
        }
        self.tally.cancelled += 1;
        if let Some(circuit) = &mut self.circuit {
            circuit.abandoned(request);
        }
    }

    fn expect_completion(&mut self, request: RequestId, worker: WorkerId, end: End) {
        let session = self.entries[&request].terms.session;
        let is_open = |entry: &&Entry| entry.stage != Stage::Ended && entry.terms.session == session;
        let open = self.entries.values().filter(is_open).count();
        let entry = self.entries.get_mut(&request).unwrap();
        let ending = match end {
            End::Served => Ending::Served,
            End::Lost => Ending::Lost,
            End::NotSent => Ending::NotSent,
        };
        entry.stage = match entry.stage {
            Stage::Running(has_it) if has_it == worker => Stage::Ending(worker, ending),
            Stage::Lingering(has_it) if has_it == worker => Stage::Ended,
            _ => return,
        };
        let lingers = self
            .entries
            .values()
            .any(|entry| entry.stage == Stage::Lingering(worker));
        let life = self.lives.get_mut(&worker).unwrap();
        life.quarantined = life.quarantined.filter(|_| lingers);
        life.load -= 1;
        life.finished += u64::from(end == End::Served);
        life.dying |= end != End::Served;
        let Some(session) = session else { return };
        let placement = self.sessions.get_mut(&session).unwrap();
        if end != End::NotSent {
            placement.ran(worker);
        } else if !placement.kept && open == 1 {
            // Nothing of the session was ever there, so that nobody need be told.
            placement.leave(worker);
        }
    }

    fn expect_resize(&mut self, size: u32) {
        if self.phase != Phase::Open || size > self.config.size_max.get() {
            return;
        }
        let old = std::mem::replace(&mut self.size, size);
        for slot in old..size {
            // Where the latest has gone, the next one replaces none.
            let latest = self.lives.iter().rfind(|(id, _)| id.slot == slot);
            if latest.is_none_or(|(_, life)| life.ended) {
                self.last_ended.remove(&slot);
            }
        }
        for worker in self.lives.keys().copied().collect::<Vec<_>>() {
            // One that was followed by another goes when the pool can do without it.
            if worker.slot >= size && !self.was_followed(worker) && self.lives[&worker].takes_calls() {
                self.lives.get_mut(&worker).unwrap().retired = Some(self.now);
            }
        }
        self.failed_starts.retain(|&slot, _| slot < size);
    }

    fn expect_end(&mut self, until: Moment) {
        if self.phase != Phase::Failed {
            self.phase = Phase::Closing;
        } else if until > Moment::ZERO {
            return;
        }
        self.until = self.until.min(until);
    }

    fn expect_of_worker(&mut self, worker: WorkerId, event: Event) {
        let now = self.now;
        let Some(life) = self.lives.get_mut(&worker).filter(|life| !life.ended) else {
            return;
        };
        match event {
            Event::Launched { .. } => life.launched = true,
            Event::LaunchFailed { permanent, .. } if !life.launched => {
                life.ended = true;
                self.count_end(worker, permanent);
            }
            Event::BecameReady { .. } if life.is_starting() => {
                life.ready = Some(now);
                self.ever_ready = true;
            }
            Event::Severed { .. } => life.severed = true,
            Event::Exited { permanent, .. } if life.launched => {
                (life.ended, life.load) = (true, 0);
                self.end_all_on(worker);
                self.count_end(worker, permanent);
            }
            Event::Sampled { memory, .. } => {
                life.heavy = if memory > MEMORY_MAX { life.heavy + 1 } else { 0 };
                life.was_heavy |= life.heavy >= 3 && self.config.recycling.memory.is_some();
            }
            Event::RecycleRequested { .. } => life.asked = true,
            _ => {}
        }
    }

    /// A worker's process has ended, and everything on it.
    fn end_all_on(&mut self, worker: WorkerId) {
        for entry in self.entries.values_mut() {
            entry.stage = match entry.stage {
                Stage::Running(on) if on == worker => Stage::Ending(worker, Ending::Gone),
                Stage::Lingering(on) if on == worker => Stage::Ended,
                _ => continue,
            };
            if let Some(session) = entry.terms.session {
                self.sessions.get_mut(&session).unwrap().ran(worker);
            }
        }
    }

    fn count_end(&mut self, worker: WorkerId, permanent: bool) {
        self.permanent += u32::from(permanent);
        self.last_ended.insert(worker.slot, worker);
        if self.lives[&worker].ready.is_none() {
            *self.failed_starts.entry(worker.slot).or_default() += 1;
        }
    }

    /// Where a session is after a worker was given a request of it.
    pub(super) fn place_session(&mut self, session: SessionId, worker: WorkerId) {
        let placement = self.sessions.entry(session).or_default();
        if placement.ended {
            return;
        }
        placement.kept &= placement.worker == Some(worker);
        placement.worker = Some(worker);
        for entry in self.entries.values_mut() {
            if entry.terms.session == Some(session) && entry.stage == Stage::Waiting && entry.bound.is_none()
            {
                entry.seen.insert(worker);
            }
        }
    }
}

fn event(worker: WorkerId, deed: WorkerDeed) -> Event {
    match deed {
        WorkerDeed::Launch => Event::Launched { worker },
        WorkerDeed::FailToLaunch { permanent } => Event::LaunchFailed { worker, permanent },
        WorkerDeed::BecomeReady => Event::BecameReady { worker },
        WorkerDeed::Sever => Event::Severed { worker },
        WorkerDeed::Exit { permanent } => Event::Exited { worker, permanent },
        WorkerDeed::Sample { heavy, .. } => Event::Sampled {
            worker,
            memory: MEMORY_MAX + u64::from(heavy),
        },
        WorkerDeed::Recycle => Event::RecycleRequested { worker },
    }
}

fn pick<T>(which: Index, from: impl Iterator<Item = T>) -> Option<T> {
    let mut from: Vec<T> = from.collect();
    (!from.is_empty()).then(|| from.swap_remove(which.index(from.len())))
}
