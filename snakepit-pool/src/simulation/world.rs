//! What everybody in a simulation shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use snakepit_profile::WorkerName;

use super::judge::Judge;
use super::layout::{Layout, Weather};
use super::log::Log;
use super::random::Random;
use crate::clock::TokioClock;
use crate::core::Canary;

/// One simulation. Everything in it is drawn from one seed, in the order of what happens.
pub(super) struct World {
    pub(super) clock: TokioClock,
    pub(super) log: Log,
    pub(super) judge: Judge,
    pub(super) layouts: Vec<Layout>,
    pub(super) canary: Option<Canary>,
    weather: Weather,
    healed: AtomicBool,
    random: Mutex<Random>,
    wards: Mutex<Wards>,
}

/// What does not get well by itself.
#[derive(Debug, Default)]
pub(super) struct Wards {
    /// Calls that end only when they are told to.
    pub(super) stuck: Vec<(WorkerName, Arc<str>)>,
    /// Workers that do nothing, unless they were thawed.
    pub(super) frozen: Vec<WorkerName>,
    /// Workers that take no calls, and nobody need have noticed.
    pub(super) severed: Vec<WorkerName>,
    /// Numbers of pools that had a start fail for good: they may have given up.
    pub(super) discouraged: Vec<usize>,
}

// === impl World ===

impl World {
    /// On the clock of the runtime it is called from.
    pub(super) fn new(seed: u64, canary: Option<Canary>) -> Self {
        let mut random = Random::new(seed);
        let clock = TokioClock::new();
        let pools = random.pick([1, 1, 2, 3]);
        let layouts: Vec<_> = (0..pools)
            .map(|number| Layout::draw(&format!("p{number}"), &mut random))
            .collect();
        let weather = Weather::draw(&mut random);
        let log = Log::new(clock);
        log.write(format_args!("seed {seed}: {weather:?}"));
        for layout in &layouts {
            log.write(layout);
        }
        Self {
            clock,
            log,
            judge: Judge::new(pools),
            layouts,
            canary,
            weather,
            healed: AtomicBool::new(false),
            random: Mutex::new(random),
            wards: Mutex::default(),
        }
    }

    pub(super) fn draw<T>(&self, what: impl FnOnce(&mut Random) -> T) -> T {
        what(&mut self.random.lock())
    }

    pub(super) fn weather(&self) -> Weather {
        if self.has_healed() {
            Weather::FINE
        } else {
            self.weather
        }
    }

    pub(super) fn has_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    /// No new faults from now on.
    pub(super) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
        self.log.write("all faults stop");
    }

    pub(super) fn note(&self, what: impl FnOnce(&mut Wards)) {
        what(&mut self.wards.lock());
    }

    pub(super) fn wards(&self) -> Wards {
        std::mem::take(&mut *self.wards.lock())
    }

    /// A rule, unless it holds.
    pub(super) fn demand<D: std::fmt::Display>(&self, holds: bool, rule: &str, found: impl FnOnce() -> D) {
        if !holds {
            self.log.accuse(rule, found());
        }
    }
}
