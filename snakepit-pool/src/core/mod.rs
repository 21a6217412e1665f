//! The pool as a pure state machine, for whoever drives it: [`Pools`](crate::Pools) does, and so do simulations and
//! benchmarks.
//!
//! Events go in, actions come out, and time is passed in as a number. There is no clock, no I/O, no task and no
//! randomness in here: the same configuration and the same events give the same actions.
//!
//! - [`Core::handle`] takes an event. Carry out the actions it appends, in order, then ask [`Core::next_deadline`].
//! - [`Core::handle_timeout`] is to be called at or after that moment. Too early or too often does nothing.
//! - [`Core::check`] verifies every invariant; tests call it after every step.

mod breaker;
mod check;
mod config;
mod event;
mod lifecycle;
mod list;
mod moment;
mod phase;
mod records;
mod requests;
mod snapshot;
mod timers;
mod workers;

#[cfg(test)]
mod tests;

pub use breaker::{Admission, Breaker, BreakerChange, BreakerConfig, BreakerState};
pub use check::Violation;
pub use config::CoreConfig;
pub use event::{Action, Event, KillReason, Service, Verdict};
pub use lifecycle::WorkerState;
pub use moment::Moment;
pub use records::place_of;
pub use snapshot::{Counters, Milestones, Phase, Snapshot, WorkerSnapshot};

use list::List;
use records::{Request, Seats};
use slab::Slab;
use snakepit_profile::RequestId;
use timers::{Timer, Timers};

/// One pool.
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    /// The latest moment it was told of: time does not run backwards in here.
    now: Moment,
    phase: Phase,
    milestones: Milestones,
    requests: Slab<Request>,
    /// Requests that wait, in the order in which they came.
    queue: List,
    /// Of the next request id.
    sequence: u64,
    seats: Seats,
    /// The first slot that no start-up batch has reached.
    unstarted: u32,
    /// Slots that are not settled, slots that failed all their first starts, and slots that are gone.
    unsettled: u32,
    hopeless: u32,
    gone: u32,
    /// The pool ends and nothing waits: workers without running calls are dismissed.
    winding_down: bool,
    /// Running calls no longer keep a worker from being dismissed.
    patience_over: bool,
    timers: Timers,
    counters: Counters,
}

impl Core {
    /// A pool that has not been opened.
    #[must_use]
    pub fn new(config: CoreConfig) -> Self {
        let seats = Seats::new(config.size, config.capacity);
        Self {
            now: Moment::ZERO,
            phase: Phase::Open,
            milestones: Milestones::default(),
            requests: Slab::new(),
            queue: List::EMPTY,
            sequence: 0,
            unstarted: 0,
            unsettled: config.size.get(),
            hopeless: 0,
            gone: 0,
            winding_down: false,
            patience_over: false,
            timers: Timers::new(seats.all.len()),
            counters: Counters::default(),
            seats,
            config,
        }
    }

    /// Takes an event in, after everything that was due before it. Appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        self.fire_due(now, actions);
        match event {
            Event::Opened => self.open(actions),
            Event::Submitted { request, deadline } => self.submit(request, deadline, actions),
            Event::Cancelled { request } => self.cancel(request, actions),
            Event::Completed { request, lost } => self.complete(request, lost, actions),
            Event::Launched { worker } => self.launched(worker, actions),
            Event::LaunchFailed { worker, permanent } => self.launch_failed(worker, permanent, actions),
            Event::BecameReady { worker } => self.became_ready(worker, actions),
            Event::Severed { worker } => self.severed(worker, actions),
            Event::Exited { worker, permanent } => self.exited(worker, permanent, actions),
            Event::DrainRequested => self.drain(),
            Event::ShutdownRequested { until } => self.shut_down(until, actions),
            Event::Abandoned => self.abandon(actions),
        }
        self.finish(actions);
    }

    /// Does everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.fire_due(now, actions);
        self.finish(actions);
    }

    /// When [`Core::handle_timeout`] is to be called next, if nothing happens before. Later than any moment the core
    /// was told of.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.timers.first().map(|(due, _)| due)
    }

    /// The id under which the next request is to be submitted. Any event, and anything that was due, may change it: call
    /// [`Core::handle_timeout`] first, and submit at the same moment.
    #[must_use]
    pub fn next_request(&self) -> RequestId {
        records::request_id(self.sequence, self.requests.vacant_key())
    }

    /// The end of every step: a delay of zero that it has set is over at once.
    fn finish(&mut self, actions: &mut Vec<Action>) {
        self.wind_down(actions);
        while self.next_deadline().is_some_and(|due| due <= self.now) {
            self.fire_due(self.now, actions);
            self.wind_down(actions);
        }
    }

    fn fire_due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.now = self.now.max(now);
        while let Some((due, timer)) = self.timers.first()
            && due <= self.now
        {
            self.timers.clear(timer);
            match timer {
                Timer::Batch => self.start_batch(actions),
                Timer::Closing => self.lose_patience(actions),
                Timer::Slot(slot) => self.slot_due(slot, actions),
                Timer::Request(key) => self.request_due(key, actions),
            }
        }
    }
}
