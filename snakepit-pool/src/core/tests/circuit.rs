//! A pool's circuit breaker: what it counts, whom it refuses, and how it closes.

use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_config::Affinity::StrictFailFast;
use snakepit_profile::RequestId;

use super::rig::{LONG, Rig, answers, dispatched, ms, of_session, patient, worker};
use crate::core::{BreakerConfig, BreakerState, End, Event, Moment, Notice, Terms, Verdict};

const PAUSE: Duration = Duration::from_secs(30);

/// One worker of many calls, whose breaker opens after so many failures.
fn guarded(failures: u32) -> Rig {
    let mut config = patient(1, 100);
    config.breaker = Some(BreakerConfig {
        failures: NonZeroU32::new(failures).unwrap(),
        pause: PAUSE,
    });
    Rig::ready(config)
}

/// A call whose deadline passes while it runs.
fn fail(rig: &mut Rig) {
    rig.take();
    let call = rig.submit_for(ms(1));
    assert_eq!(dispatched(&rig.take()).len(), 1);
    rig.pass(ms(1));
    rig.complete(call);
    rig.take();
}

fn succeed(rig: &mut Rig) {
    let call = rig.submit();
    rig.complete(call);
    assert_eq!(answers(&rig.take()).len(), 1);
}

fn state(rig: &Rig) -> Option<BreakerState> {
    rig.core.snapshot().breaker
}

fn refused(rig: &mut Rig) -> Option<Duration> {
    let call = rig.submit();
    match answers(&rig.take())[..] {
        [(told, Verdict::CircuitOpen { retry_in })] if told == call => Some(retry_in),
        _ => {
            rig.complete(call);
            rig.take();
            None
        }
    }
}

/// Open, and its pause over: the next call is the trial.
fn cooled() -> (Rig, RequestId) {
    let mut rig = guarded(1);
    fail(&mut rig);
    rig.pass(PAUSE);
    rig.notices();
    let trial = rig.submit();
    assert_eq!(dispatched(&rig.take()).len(), 1);
    (rig, trial)
}

#[test]
fn so_many_failures_in_a_row_open_it_and_calls_are_refused_with_the_time() {
    let mut rig = guarded(3);
    fail(&mut rig);
    fail(&mut rig);
    assert_eq!(rig.notices(), []);
    fail(&mut rig);
    assert_eq!(rig.notices(), [Notice::CircuitOpened]);
    rig.pass(ms(10_000));
    assert_eq!(refused(&mut rig), PAUSE.checked_sub(ms(10_000)));
}

#[test]
fn a_success_begins_the_count_anew() {
    let mut rig = guarded(3);
    for _ in 0..5 {
        fail(&mut rig);
        fail(&mut rig);
        succeed(&mut rig);
    }
    assert_eq!(state(&rig), Some(BreakerState::Closed));
}

#[test]
fn a_pool_without_one_refuses_nothing() {
    let mut rig = Rig::ready(patient(1, 100));
    for _ in 0..50 {
        fail(&mut rig);
    }
    assert_eq!((state(&rig), refused(&mut rig)), (None, None));
}

#[test]
fn after_the_pause_one_call_is_tried_and_its_success_closes_it() {
    let (mut rig, trial) = cooled();
    assert_eq!(refused(&mut rig), Some(ms(0)), "one at a time");
    rig.complete(trial);
    assert_eq!(rig.notices(), [Notice::CircuitClosed]);
    rig.take();
    assert_eq!(refused(&mut rig), None);
}

#[test]
fn a_trial_that_fails_opens_it_for_another_pause() {
    let (mut rig, trial) = cooled();
    rig.lose(trial);
    rig.exit(worker(0, 1));
    assert_eq!(rig.notices(), [Notice::CircuitOpened]);
    rig.take();
    assert_eq!(refused(&mut rig), Some(PAUSE));
}

#[test]
fn a_trial_that_tells_nothing_lets_the_next_call_try() {
    let (mut rig, trial) = cooled();
    rig.cancel(trial);
    assert_eq!(state(&rig), Some(BreakerState::Cooled));
    let next = rig.submit();
    assert_eq!(dispatched(&rig.take()).len(), 1);
    rig.complete(trial);
    assert_eq!(
        state(&rig),
        Some(BreakerState::Trying),
        "the code of the first has ended; that is no news"
    );
    rig.complete(next);
    assert_eq!(state(&rig), Some(BreakerState::Closed));
}

#[test]
fn a_trial_that_never_runs_lets_the_next_call_try() {
    let leaves: [fn(&mut Rig, RequestId); 3] = [
        |rig, trial| rig.cancel(trial),
        |rig, _| rig.pass(ms(1000)),
        |rig, _| rig.pass(ms(500)),
    ];
    for (leave, timeout) in leaves.into_iter().zip([LONG, LONG, ms(500)]) {
        let mut config = patient(1, 1);
        config.queue_timeout = ms(1000);
        config.breaker = Some(BreakerConfig {
            failures: NonZeroU32::MIN,
            pause: ms(100),
        });
        let mut rig = Rig::ready(config);
        let stuck = rig.submit_for(ms(1));
        rig.pass(ms(101));
        let trial = rig.submit_for(timeout);
        assert_eq!(
            state(&rig),
            Some(BreakerState::Trying),
            "it waits for the slot of the late one"
        );
        leave(&mut rig, trial);
        assert_eq!(state(&rig), Some(BreakerState::Cooled));
        rig.complete(stuck);
    }
}

#[test]
fn a_trial_that_its_dead_worker_never_got_is_still_the_trial_elsewhere() {
    let mut config = patient(2, 1);
    config.breaker = Some(BreakerConfig {
        failures: NonZeroU32::MIN,
        pause: ms(100),
    });
    let mut rig = Rig::ready(config);
    fail(&mut rig);
    rig.pass(ms(100));
    let trial = rig.submit();
    rig.end(trial, End::NotSent);
    assert_eq!(state(&rig), Some(BreakerState::Trying));
    rig.complete(trial);
    assert_eq!(state(&rig), Some(BreakerState::Closed));
}

#[test]
fn a_refusal_is_no_trial() {
    let mut config = patient(2, 1);
    config.queue_max = 0;
    config.breaker = Some(BreakerConfig {
        failures: NonZeroU32::MIN,
        pause: ms(100),
    });
    let mut rig = Rig::ready(config);
    rig.submit_with(of_session(1, StrictFailFast));
    fail(&mut rig);
    rig.pass(ms(100));
    let busy = rig.submit_with(of_session(1, StrictFailFast));
    let late = rig.submit_with(|terms| Terms {
        deadline: Moment::ZERO,
        ..terms
    });
    let told: Vec<_> = answers(&rig.take()).into_iter().map(|(call, _)| call).collect();
    assert_eq!(told, [busy, late]);
    assert_eq!(state(&rig), Some(BreakerState::Cooled));
}

#[test]
fn lost_workers_and_deadlines_while_running_are_failures_and_nothing_else_is() {
    type Way = fn(&mut Rig);
    let ways: [(Way, BreakerState); 6] = [
        (fail, BreakerState::Open),
        (
            |rig| {
                let call = rig.submit();
                rig.lose(call);
            },
            BreakerState::Open,
        ),
        (
            |rig| {
                rig.submit();
                rig.exit(worker(0, 1));
            },
            BreakerState::Open,
        ),
        (
            |rig| {
                let call = rig.submit();
                rig.cancel(call);
                rig.exit(worker(0, 1));
            },
            BreakerState::Closed,
        ),
        (
            |rig| {
                let call = rig.submit();
                rig.end(call, End::NotSent);
            },
            BreakerState::Closed,
        ),
        (
            |rig| {
                rig.fill();
                rig.submit_for(ms(10));
                rig.pass(ms(10));
            },
            BreakerState::Closed,
        ),
    ];
    for (at, (way, expected)) in ways.into_iter().enumerate() {
        let mut rig = guarded(1);
        way(&mut rig);
        assert_eq!(state(&rig), Some(expected), "way {at}");
    }
}

#[test]
fn a_worker_that_dies_under_many_calls_has_failed_as_often() {
    let mut rig = guarded(5);
    for _ in 0..5 {
        rig.submit();
    }
    rig.exit(worker(0, 1));
    assert_eq!(rig.notices(), [Notice::CircuitOpened], "it is told once");
}

#[test]
fn what_was_let_through_before_it_opened_neither_closes_it_nor_extends_its_pause() {
    let mut rig = guarded(1);
    let (slow, doomed) = (rig.submit(), rig.submit_for(ms(5000)));
    fail(&mut rig);
    rig.pass(ms(10_000));
    rig.complete(slow);
    rig.complete(doomed);
    rig.take();
    assert_eq!(refused(&mut rig), PAUSE.checked_sub(ms(10_000)));
}

#[test]
fn an_open_circuit_leaves_what_waits_and_the_workers_alone() {
    let mut config = patient(1, 1);
    config.breaker = Some(BreakerConfig {
        failures: NonZeroU32::MIN,
        pause: PAUSE,
    });
    let mut rig = Rig::ready(config);
    let late = rig.submit_for(ms(10));
    let waiting = rig.submit();
    rig.pass(ms(10));
    rig.take();
    rig.complete(late);
    assert_eq!(dispatched(&rig.take()).len(), 1, "it was accepted before");
    rig.complete(waiting);
    rig.tell(Event::DrainRequested);
}
