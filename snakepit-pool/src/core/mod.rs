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
mod canary;
mod check;
mod config;
mod event;
mod hung;
mod lanes;
mod lifecycle;
mod list;
mod moment;
mod notice;
mod phase;
mod placement;
mod records;
mod recycling;
mod requests;
mod restarts;
mod retries;
mod routing;
mod seats;
mod snapshot;
mod timers;
mod window;
mod workers;

#[cfg(test)]
pub(crate) mod tests;

pub use breaker::{Admission, Breaker, BreakerChange, BreakerConfig, BreakerState};
pub(crate) use canary::Canary;
pub use check::Violation;
pub use config::{CoreConfig, RecycleConfig, RestartConfig};
pub use event::{Action, End, Event, KillReason, Priority, Service, Terms, Verdict};
pub use lifecycle::WorkerState;
pub use moment::Moment;
pub use notice::{Notice, RecycleReason, Recycled};
pub use placement::SessionId;
pub use records::place_of;
pub use snapshot::{Counters, Milestones, Phase, Snapshot, WorkerSnapshot};

use lanes::Lanes;
use list::List;
use placement::Placements;
use records::Request;
use recycling::Renewals;
use restarts::Restarts;
use seats::Seats;
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
    /// Requests that wait for any worker.
    shared: Lanes,
    /// Requests that wait, for any worker or for a certain one.
    queued: u32,
    /// Requests that were lost with a worker, and wait for their next attempt.
    resting: List,
    /// The queue was full, and has not been half empty since.
    saturated: bool,
    /// Of the next request id.
    sequence: u64,
    /// Of the next request that waits.
    ticket: u64,
    placements: Placements,
    breaker: Option<Breaker>,
    seats: Seats,
    /// Slots that the pool is to have.
    size: u32,
    /// Ready workers.
    ready: u32,
    restarts: Restarts,
    renewals: Renewals,
    /// Slots whose first ready worker is awaited, and slots that failed all their first starts.
    unsettled: u32,
    hopeless: u32,
    /// Seats that have no worker and will have none.
    vacant: u32,
    /// The pool ends and nothing waits: workers without running calls are dismissed.
    winding_down: bool,
    /// Running calls no longer keep a worker from being dismissed.
    patience_over: bool,
    timers: Timers,
    counters: Counters,
    /// A deliberate defect, in tests of the tests.
    canary: Option<Canary>,
}

impl Core {
    /// A pool that has not been opened.
    #[must_use]
    pub fn new(config: CoreConfig) -> Self {
        Self::build(config, None)
    }

    /// As [`Core::new`], with a defect.
    #[cfg(test)]
    pub(crate) fn with_canary(config: CoreConfig, canary: Canary) -> Self {
        Self::build(config, Some(canary))
    }

    /// Sessions that it remembers.
    #[cfg(test)]
    pub(crate) fn placed(&self) -> usize {
        self.placements.iter().count()
    }

    fn build(config: CoreConfig, canary: Option<Canary>) -> Self {
        let surge = config.recycling.surge_max;
        let more = u32::from(canary == Some(Canary::Overloads));
        let capacity = config.capacity.saturating_add(more);
        Self {
            now: Moment::ZERO,
            phase: Phase::Open,
            milestones: Milestones::default(),
            requests: Slab::new(),
            shared: Lanes::EMPTY,
            queued: 0,
            resting: List::EMPTY,
            saturated: false,
            sequence: 0,
            ticket: 0,
            placements: Placements::default(),
            breaker: config.breaker.map(Breaker::new),
            seats: Seats::new(config.size, surge, capacity),
            size: config.size.get(),
            ready: 0,
            restarts: Restarts::default(),
            renewals: Renewals::default(),
            unsettled: config.size.get(),
            hopeless: 0,
            vacant: surge,
            winding_down: false,
            patience_over: false,
            timers: Timers::new(),
            counters: Counters::default(),
            canary,
            config,
        }
    }

    /// Takes an event in, after everything that was due before it. Appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        self.fire_due(now, actions);
        match event {
            Event::Opened => self.open(actions),
            Event::Submitted { request, terms } => self.submit(request, terms, actions),
            Event::Cancelled { request } => self.cancel(request, actions),
            Event::Completed { request, worker, end } => self.complete(request, worker, end, actions),
            Event::Launched { worker } => self.launched(worker, actions),
            Event::LaunchFailed { worker, permanent } => self.launch_failed(worker, permanent, actions),
            Event::BecameReady { worker } => self.became_ready(worker, actions),
            Event::Severed { worker } => self.severed(worker, actions),
            Event::Exited { worker, permanent } => self.exited(worker, permanent, actions),
            Event::Sampled { worker, memory } => self.sampled(worker, memory, actions),
            Event::RecycleRequested { worker } => self.recycle(worker, actions),
            Event::Resized { size } => self.resize(size, actions),
            Event::SessionEnded { session } => self.placements.ended(session),
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
        loop {
            self.refuse_if_degraded(actions);
            self.wind_down(actions);
            if self.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            self.fire_due(self.now, actions);
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
                Timer::Trial => self.try_again(actions),
                Timer::Seat(seat) => self.seat_due(seat, actions),
                Timer::Request(key) => self.request_due(key, actions),
            }
        }
    }
}
