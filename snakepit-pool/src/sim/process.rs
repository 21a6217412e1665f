//! What a simulated process has before it, and what it does next. No task and no clock: time is passed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use snakepit_profile::{CallError, Completion, Exit, Outcome, RequestId, Rung};

use super::behaviour::Behaviour;
use super::record::Misuse;
use crate::core::Moment;

/// A simulated process.
#[derive(Debug)]
pub(super) struct Process {
    phase: Phase,
    stop: Stop,
    /// What becomes of its start, and when.
    fate: Option<(Moment, Fate)>,
    /// It ends at once, whatever it does.
    death: Option<Death>,
    /// What was asked of it, in order.
    outbox: VecDeque<Order>,
    running: BTreeMap<RequestId, Running>,
    /// Every request that ever came, also those it did not take.
    got: BTreeSet<RequestId>,
    pub(super) faults: Faults,
    /// Tools of the calls it took, in order.
    pub(super) tools: Vec<Arc<str>>,
    /// Most calls that it ever had at once.
    pub(super) most: u32,
    /// In bytes.
    pub(super) memory: Option<u64>,
    pub(super) killed_because: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Gone,
}

/// How far its orderly end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// Nobody wants it.
    Unasked,
    /// It was asked, and need not have heard of it.
    Asked,
    /// It ends when it has no calls.
    Heard,
}

/// What is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// It takes no more calls.
    pub(super) severed: bool,
    /// It heeds nothing but a kill.
    pub(super) stubborn: bool,
    /// It does nothing until it is thawed.
    pub(super) frozen: bool,
}

/// What becomes of a start.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Ready,
    Exit(Exit),
}

/// How it dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    pub(super) exit: Exit,
    /// Its exit is reported before the ends of its calls.
    pub(super) calls_last: bool,
}

#[derive(Debug)]
pub(super) enum Order {
    Start(RequestId),
    Abort(RequestId),
    Drain,
    Terminate,
}

#[derive(Debug)]
pub(super) struct Running {
    tool: Arc<str>,
    behaviour: Behaviour,
    completion: Completion,
    /// When it ends, where that is known.
    due: Option<Moment>,
}

/// What it does next. Whoever is given one carries it out.
#[derive(Debug)]
pub(super) enum Deed {
    BecomeReady,
    Complete(Completion, Outcome),
    /// Its last deed.
    End {
        exit: Exit,
        /// Calls that are lost with it.
        lost: Vec<Completion>,
        /// Calls whose ends come after the report of its exit.
        late: Vec<Late>,
    },
    /// Nothing, until then or until something comes.
    Rest(Option<Moment>),
}

/// A call that ends after its worker, and how; lost, where there is no outcome.
pub(super) type Late = (Completion, Option<Outcome>);

// === impl Process ===

impl Process {
    pub(super) fn new(fate: Option<(Moment, Fate)>) -> Self {
        Self {
            phase: Phase::Starting,
            stop: Stop::Unasked,
            fate,
            death: None,
            outbox: VecDeque::new(),
            running: BTreeMap::new(),
            got: BTreeSet::new(),
            faults: Faults::default(),
            tools: Vec::new(),
            most: 0,
            memory: Some(0),
            killed_because: None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    // What comes.

    /// Judges a call that is about to be taken: what is wrong with it, and whether the process takes it.
    pub(super) fn judge(&mut self, request: RequestId, capacity: u32) -> (Vec<Misuse>, bool) {
        let load = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        let wrong = [
            (Misuse::Early, self.phase == Phase::Starting),
            (Misuse::OverCapacity, load >= capacity),
            (Misuse::AfterStop, self.stop > Stop::Unasked),
            (Misuse::Repeated, !self.got.insert(request)),
        ];
        let misuses = wrong.into_iter().filter(|&(_, is)| is).map(|(misuse, _)| misuse);
        // One that it still has is not taken again: its completion would be dropped under the pool's lock.
        let taken = !self.is_gone() && !self.faults.severed && !self.running.contains_key(&request);
        (misuses.collect(), taken)
    }

    pub(super) fn take(&mut self, tool: &Arc<str>, behaviour: Behaviour, completion: Completion) {
        let request = completion.request();
        self.tools.push(Arc::clone(tool));
        let running = Running {
            tool: Arc::clone(tool),
            behaviour,
            completion,
            due: None,
        };
        self.running.insert(request, running);
        self.most = self
            .most
            .max(u32::try_from(self.running.len()).unwrap_or(u32::MAX));
        self.outbox.push_back(Order::Start(request));
    }

    /// False for a request that never came.
    pub(super) fn abort(&mut self, request: RequestId) -> bool {
        self.order(Order::Abort(request));
        self.got.contains(&request)
    }

    pub(super) fn stop(&mut self, order: Order) {
        self.stop = self.stop.max(Stop::Asked);
        self.order(order);
    }

    pub(super) fn kill(&mut self, reason: &str) {
        self.stop = self.stop.max(Stop::Asked);
        self.killed_because = Some(reason.to_owned());
        self.die(Death::of(Exit::Signal(9)));
    }

    /// The first death counts.
    pub(super) fn die(&mut self, death: Death) {
        self.death.get_or_insert(death);
    }

    /// Lets every call of `tool` end now.
    pub(super) fn finish(&mut self, tool: &str, now: Moment) {
        for running in self.running.values_mut().filter(|it| &*it.tool == tool) {
            running.due = Some(now);
        }
    }

    fn order(&mut self, order: Order) {
        if !self.is_gone() {
            self.outbox.push_back(order);
        }
    }

    // What it does.

    pub(super) fn next(&mut self, now: Moment) -> Deed {
        if let Some(death) = self.death.take() {
            return self.end(death);
        }
        if self.faults.frozen {
            return Deed::Rest(None);
        }
        match self.fate.take_if(|(at, _)| *at <= now) {
            Some((_, Fate::Ready)) => {
                self.phase = Phase::Ready;
                return Deed::BecomeReady;
            }
            Some((_, Fate::Exit(exit))) => return self.end(Death::of(exit)),
            None => {}
        }
        while let Some(order) = self.outbox.pop_front() {
            if let Some(deed) = self.obey(&order, now) {
                return deed;
            }
        }
        let first = self.first_due();
        if let Some((at, request)) = first
            && at <= now
            && let Some(deed) = self.complete(request, None)
        {
            return deed;
        }
        if self.stop == Stop::Heard && self.running.is_empty() && !self.faults.stubborn {
            return self.end(Death::of(Exit::Code(0)));
        }
        let due = first.map(|(at, _)| at);
        let fate = self.fate.map(|(at, _)| at);
        Deed::Rest(due.into_iter().chain(fate).min())
    }

    fn obey(&mut self, order: &Order, now: Moment) -> Option<Deed> {
        match *order {
            Order::Start(request) => self.start(request, now),
            Order::Abort(request) => {
                let heeds = self.running.get(&request)?.behaviour.heeds_aborts();
                let aborted = Err(CallError::Aborted {
                    started: true,
                    stopped_by: Some(Rung::Cooperative),
                });
                heeds.then(|| self.complete(request, Some(aborted))).flatten()
            }
            Order::Drain => {
                self.stop = Stop::Heard;
                None
            }
            Order::Terminate if self.faults.stubborn => None,
            Order::Terminate => Some(self.end(Death::of(Exit::Signal(15)))),
        }
    }

    fn start(&mut self, request: RequestId, now: Moment) -> Option<Deed> {
        let running = self.running.get_mut(&request)?;
        match running.behaviour {
            Behaviour::Return(_) | Behaviour::Fail(_) => self.complete(request, None),
            Behaviour::Wait(time) | Behaviour::Busy(time) => {
                running.due.get_or_insert(now.after(time));
                None
            }
            Behaviour::Hold | Behaviour::Stuck | Behaviour::Late => None,
            Behaviour::Die(exit) => Some(self.end(Death::of(exit))),
            Behaviour::Leak(bytes) => {
                self.memory = self.memory.map(|memory| memory.saturating_add(bytes));
                self.complete(request, None)
            }
        }
    }

    /// Ends a call with `outcome`, or as its behaviour has it.
    fn complete(&mut self, request: RequestId, outcome: Option<Outcome>) -> Option<Deed> {
        let running = self.running.remove(&request)?;
        let outcome = outcome.unwrap_or_else(|| running.behaviour.outcome());
        Some(Deed::Complete(running.completion, outcome))
    }

    fn first_due(&self) -> Option<(Moment, RequestId)> {
        let due = self
            .running
            .iter()
            .filter_map(|(&request, it)| it.due.map(|at| (at, request)));
        due.min()
    }

    fn end(&mut self, death: Death) -> Deed {
        self.phase = Phase::Gone;
        self.outbox.clear();
        let (mut lost, mut late) = (Vec::new(), Vec::new());
        for running in std::mem::take(&mut self.running).into_values() {
            if running.behaviour == Behaviour::Late {
                late.push((running.completion, Some(running.behaviour.outcome())));
            } else if death.calls_last {
                late.push((running.completion, None));
            } else {
                lost.push(running.completion);
            }
        }
        Deed::End {
            exit: death.exit,
            lost,
            late,
        }
    }
}

// === impl Death ===

impl Death {
    pub(super) fn of(exit: Exit) -> Self {
        Self {
            exit,
            calls_last: false,
        }
    }
}
