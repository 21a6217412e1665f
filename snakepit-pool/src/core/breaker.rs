//! A circuit breaker: after so many failures in a row it lets nothing through for a while, then one call to try.
//!
//! A pure machine, as the rest of the core: time is passed in, and it needs no timer. Every admitted call is to be
//! reported once, by [`Breaker::succeeded`], [`Breaker::failed`] or [`Breaker::abandoned`]: a trial that is not would
//! keep everything out for ever.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Moment;
use crate::table;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row that open it.
    pub failures: NonZeroU32,
    /// Time between its opening and the trial.
    pub pause: Duration,
}

/// Where a breaker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BreakerState {
    /// Lets every call through.
    Closed,
    /// Lets nothing through.
    Open,
    /// The pause is over: the next call is the trial.
    Cooled,
    /// The trial runs, and nothing else is let through.
    Trying,
}

/// What moves a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// So many ordinary calls in a row have failed.
    Tripped,
    /// The pause is over.
    CooledDown,
    /// A call was let through.
    Admitted,
    /// The trial succeeded.
    Succeeded,
    /// The trial failed.
    Failed,
    /// The trial ended and told nothing: its caller went away, or it never ran.
    Abandoned,
}

use BreakerState::{Closed, Cooled, Open, Trying};
use Input::{Abandoned, Admitted, CooledDown, Failed, Succeeded, Tripped};

/// Every change there is. What is not here changes nothing.
#[rustfmt::skip]
const TRANSITIONS: &[(BreakerState, Input, BreakerState)] = &[
    (Closed, Tripped,    Open),
    (Open,   CooledDown, Cooled),
    (Cooled, Admitted,   Trying),
    (Trying, Succeeded,  Closed),
    (Trying, Failed,     Open),
    // It said nothing about the pool's health: the next call tries again, without another pause.
    (Trying, Abandoned,  Cooled),
];

/// As what a call was let through. To be given back with its result.
#[must_use = "a trial that is never reported keeps every other call out"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Admission {
    /// One of many.
    Ordinary,
    /// The one whose result decides.
    Trial,
}

/// What a result has done to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerChange {
    /// The pause begins: there were so many failures in a row, or the trial has failed.
    Opened,
    /// The trial succeeded: everything is let through again.
    Closed,
}

/// One breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: BreakerConfig,
    /// Open also when the pause is over and nobody has come since.
    state: BreakerState,
    /// Ordinary calls in a row that have failed. Counted while it is closed, and zero elsewhere.
    failures: u32,
    /// When the latest pause ends.
    cool_at: Moment,
}

// === impl BreakerState ===

impl BreakerState {
    /// Where `input` leads from here, if anywhere.
    fn on(self, input: Input) -> Option<Self> {
        table::next(TRANSITIONS, self, input)
    }
}

// === impl Breaker ===

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            state: Closed,
            failures: 0,
            cool_at: Moment::ZERO,
        }
    }

    /// Where it is at `now`.
    #[must_use]
    pub fn state(&self, now: Moment) -> BreakerState {
        if now >= self.cool_at {
            self.state.on(CooledDown).unwrap_or(self.state)
        } else {
            self.state
        }
    }

    /// Why nothing may pass at `now`, as the time until a call may be tried: zero while the trial runs, for it may end
    /// at any time. `None` where a call may pass.
    #[must_use]
    pub fn refusal(&self, now: Moment) -> Option<Duration> {
        match self.state(now) {
            Closed | Cooled => None,
            Open => Some(self.cool_at.since(now)),
            Trying => Some(Duration::ZERO),
        }
    }

    /// Lets a call through. To be called only where [`Breaker::refusal`] is `None`; elsewhere the call is an ordinary
    /// one, whose result decides nothing.
    pub fn admit(&mut self, now: Moment) -> Admission {
        match self.state(now).on(Admitted) {
            Some(to) => {
                self.state = to;
                Admission::Trial
            }
            None => Admission::Ordinary,
        }
    }

    /// A call has succeeded.
    pub fn succeeded(&mut self, admission: Admission) -> Option<BreakerChange> {
        match admission {
            Admission::Ordinary => {
                self.failures = 0;
                None
            }
            Admission::Trial => self.step(Succeeded).then_some(BreakerChange::Closed),
        }
    }

    /// A call has failed, at `now`. An ordinary one that was let through before the breaker opened changes nothing
    /// until it is closed again.
    pub fn failed(&mut self, now: Moment, admission: Admission) -> Option<BreakerChange> {
        let opened = match admission {
            Admission::Ordinary if self.state == Closed => {
                self.failures += 1;
                self.failures >= self.config.failures.get() && self.step(Tripped)
            }
            Admission::Ordinary => false,
            Admission::Trial => self.step(Failed),
        };
        opened.then(|| {
            self.failures = 0;
            self.cool_at = now.after(self.config.pause);
            BreakerChange::Opened
        })
    }

    /// A call has ended and says nothing about the pool's health.
    pub fn abandoned(&mut self, admission: Admission) {
        if admission == Admission::Trial {
            self.step(Abandoned);
        }
    }

    /// Moves, and says whether it did.
    fn step(&mut self, input: Input) -> bool {
        let to = self.state.on(input);
        self.state = to.unwrap_or(self.state);
        to.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::proof;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const STATES: [BreakerState; 4] = [Closed, Open, Cooled, Trying];
    const INPUTS: [Input; 6] = [Tripped, CooledDown, Admitted, Succeeded, Failed, Abandoned];

    fn breaker(failures: u32, pause: u64) -> Breaker {
        Breaker::new(BreakerConfig {
            failures: NonZeroU32::new(failures).unwrap(),
            pause: Duration::from_nanos(pause),
        })
    }

    #[test]
    fn every_state_with_every_input() {
        insta::assert_snapshot!(proof::matrix(TRANSITIONS, &STATES, &INPUTS, (12, 8)));
    }

    #[test]
    fn the_graph() {
        let edges = proof::edges(TRANSITIONS, |state| format!("{state:?}"));
        insta::assert_snapshot!(format!("stateDiagram-v2\n    [*] --> Closed\n{edges}"));
    }

    #[test]
    fn one_state_and_input_lead_to_one_place() {
        proof::assert_none_is_shadowed(TRANSITIONS);
    }

    #[test]
    fn every_state_can_be_reached_from_every_other() {
        for start in STATES {
            let seen = proof::reach(TRANSITIONS, start);
            assert_eq!(seen, BTreeSet::from(STATES), "from {start:?}");
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_starts_the_count_anew() {
        let mut breaker = breaker(2, 10);
        for _ in 0..3 {
            assert_eq!(breaker.failed(Moment(0), Admission::Ordinary), None);
            assert_eq!(breaker.succeeded(Admission::Ordinary), None);
        }
        assert_eq!(breaker.failed(Moment(1), Admission::Ordinary), None);
        assert_eq!(
            breaker.failed(Moment(2), Admission::Ordinary),
            Some(BreakerChange::Opened)
        );
        assert_eq!(breaker.state(Moment(2)), Open);
        assert_eq!(breaker.refusal(Moment(2)), Some(Duration::from_nanos(10)));
        assert_eq!(breaker.refusal(Moment(11)), Some(Duration::from_nanos(1)));
        assert_eq!(breaker.refusal(Moment(12)), None);
    }

    #[test]
    fn after_the_pause_one_call_is_tried_and_its_success_closes_it() {
        let mut breaker = breaker(1, 10);
        assert!(breaker.failed(Moment(0), Admission::Ordinary).is_some());
        assert_eq!(breaker.state(Moment(10)), Cooled);
        assert_eq!(breaker.admit(Moment(10)), Admission::Trial);
        assert_eq!(breaker.refusal(Moment(11)), Some(Duration::ZERO));
        assert_eq!(breaker.succeeded(Admission::Trial), Some(BreakerChange::Closed));
        assert_eq!(breaker.refusal(Moment(11)), None);
        assert_eq!(breaker.admit(Moment(11)), Admission::Ordinary);
    }

    #[test]
    fn a_trial_that_fails_begins_another_pause_and_one_that_is_abandoned_does_not() {
        let mut breaker = breaker(1, 10);
        assert!(breaker.failed(Moment(0), Admission::Ordinary).is_some());
        assert_eq!(breaker.admit(Moment(20)), Admission::Trial);
        breaker.abandoned(Admission::Trial);
        assert_eq!(breaker.state(Moment(20)), Cooled);
        assert_eq!(breaker.admit(Moment(20)), Admission::Trial);
        assert_eq!(
            breaker.failed(Moment(25), Admission::Trial),
            Some(BreakerChange::Opened)
        );
        assert_eq!(breaker.refusal(Moment(25)), Some(Duration::from_nanos(10)));
    }

    #[test]
    fn the_longest_pause_never_ends() {
        let mut breaker = breaker(1, u64::MAX);
        assert!(breaker.failed(Moment(5), Admission::Ordinary).is_some());
        assert_eq!(breaker.state(Moment(u64::MAX - 1)), Open);
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wait(u64),
        Admit,
        Succeed(Admission),
        Fail(Admission),
        Abandon(Admission),
    }

    fn a_step() -> impl Strategy<Value = Step> {
        let admission = prop_oneof![3 => Just(Admission::Ordinary), 2 => Just(Admission::Trial)];
        prop_oneof![
            3 => (0_u64..8).prop_map(Step::Wait),
            4 => Just(Step::Admit),
            1 => admission.clone().prop_map(Step::Succeed),
            5 => admission.clone().prop_map(Step::Fail),
            1 => admission.prop_map(Step::Abandon),
        ]
    }

    /// The rules in words of their own: nothing but what has happened, and when.
    #[derive(Default)]
    struct Model {
        /// Results of ordinary calls while everything was let through, since it last began to be.
        results: Vec<bool>,
        opened_at: Option<u64>,
        trial: bool,
    }

    impl Model {
        /// A result: `None` where it tells nothing.
        fn result(
            &mut self,
            limit: usize,
            now: u64,
            admission: Admission,
            good: Option<bool>,
        ) -> Option<BreakerChange> {
            match (admission, good) {
                (Admission::Ordinary, Some(good)) if self.opened_at.is_none() => {
                    self.results.push(good);
                    let in_a_row = self.results.iter().rev().take_while(|&&good| !good).count();
                    (in_a_row >= limit).then(|| self.open(now))
                }
                (Admission::Trial, good) if self.trial => {
                    self.trial = false;
                    if good? {
                        self.opened_at = None;
                        Some(BreakerChange::Closed)
                    } else {
                        Some(self.open(now))
                    }
                }
                _ => None,
            }
        }

        fn open(&mut self, now: u64) -> BreakerChange {
            self.results.clear();
            self.opened_at = Some(now);
            BreakerChange::Opened
        }

        fn state(&self, now: u64, pause: u64) -> BreakerState {
            match self.opened_at {
                None => Closed,
                Some(_) if self.trial => Trying,
                Some(at) if now - at < pause => Open,
                Some(_) => Cooled,
            }
        }
    }

    proptest! {
        #[test]
        fn does_what_the_naive_model_does(
            limit in 1_u32..4,
            pause in 0_u64..12,
            steps in prop::collection::vec(a_step(), 0..200),
        ) {
            let (mut breaker, mut model, mut now) = (breaker(limit, pause), Model::default(), 0);
            let at_most = limit as usize;
            for step in steps {
                let at = Moment(now);
                match step {
                    Step::Wait(time) => now += time,
                    Step::Admit => {
                        let cooled = model.state(now, pause) == Cooled;
                        model.trial |= cooled;
                        let expected = if cooled { Admission::Trial } else { Admission::Ordinary };
                        prop_assert_eq!(breaker.admit(at), expected);
                    }
                    Step::Succeed(admission) => prop_assert_eq!(
                        breaker.succeeded(admission),
                        model.result(at_most, now, admission, Some(true))
                    ),
                    Step::Fail(admission) => prop_assert_eq!(
                        breaker.failed(at, admission),
                        model.result(at_most, now, admission, Some(false))
                    ),
                    Step::Abandon(admission) => {
                        breaker.abandoned(admission);
                        prop_assert_eq!(model.result(at_most, now, admission, None), None);
                    }
                }
                let state = model.state(now, pause);
                prop_assert_eq!(breaker.state(Moment(now)), state);
                let refusal = match state {
                    Closed | Cooled => None,
                    Open => model.opened_at.map(|at| Duration::from_nanos(at + pause - now)),
                    Trying => Some(Duration::ZERO),
                };
                prop_assert_eq!(breaker.refusal(Moment(now)), refusal);
            }
        }
    }
}
