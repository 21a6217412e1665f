//! Who goes first of those that wait, and for how long one can be overtaken.

use std::time::Duration;

use proptest::prelude::*;
use snakepit_profile::RequestId;

use super::rig::{LONG, Rig, dispatched, of_session, patient, worker};
use crate::core::{CoreConfig, Priority, Terms};
use snakepit_config::Affinity::StrictQueue;

use Priority::{High, Low, Normal};

fn with(priority: Priority) -> impl FnOnce(Terms) -> Terms {
    move |terms| Terms { priority, ..terms }
}

/// One worker of one call, which is busy.
fn busy() -> (Rig, RequestId) {
    let mut config = patient(1, 1);
    config.queue_max = 100;
    let mut rig = Rig::ready(config);
    let running = rig.submit();
    rig.take();
    (rig, running)
}

/// The order in which everything that waits is served, one after the other.
fn order(rig: &mut Rig, mut running: RequestId) -> Vec<RequestId> {
    let mut order = Vec::new();
    loop {
        rig.complete(running);
        let Some(&(next, _)) = dispatched(&rig.take()).first() else {
            return order;
        };
        order.push(next);
        running = next;
    }
}

#[test]
fn the_urgent_go_before_the_others_and_equals_in_the_order_in_which_they_came() {
    let (mut rig, running) = busy();
    let calls = [Low, Normal, High, Low, Normal, High].map(|it| rig.submit_with(with(it)));
    assert_eq!(order(&mut rig, running), [2, 5, 1, 4, 0, 3].map(|at| calls[at]));
}

#[test]
fn an_urgent_call_takes_no_slot_from_one_that_runs() {
    let (mut rig, running) = busy();
    rig.submit_with(with(High));
    assert_eq!(rig.take(), []);
    assert_eq!(rig.core.snapshot().running, 1);
    rig.complete(running);
}

#[test]
fn who_waited_long_enough_goes_before_the_urgent() {
    for (patient, urgent, ageing) in [
        (Normal, High, CoreConfig::AGEING),
        (Low, Normal, CoreConfig::AGEING),
        (Low, High, CoreConfig::AGEING * 2),
    ] {
        for (wait, overtaken) in [
            (ageing.checked_sub(Duration::from_nanos(1)).unwrap(), true),
            (ageing, false),
        ] {
            let (mut rig, running) = busy();
            let first = rig.submit_with(with(patient));
            rig.pass(wait);
            let second = rig.submit_with(with(urgent));
            let expected = if overtaken {
                [second, first]
            } else {
                [first, second]
            };
            assert_eq!(
                order(&mut rig, running),
                expected,
                "{patient:?}, {urgent:?}, {wait:?}"
            );
        }
    }
}

#[test]
fn a_stream_of_urgent_calls_keeps_nobody_waiting_for_ever() {
    let (mut rig, mut running) = busy();
    let low = rig.submit_with(with(Low));
    let begun = rig.now;
    let mut waiting = rig.submit_with(with(High));
    while running != low {
        rig.pass(Duration::from_secs(1));
        rig.complete(running);
        running = dispatched(&rig.take())[0].0;
        if running == waiting {
            waiting = rig.submit_with(with(High));
        }
    }
    assert!(rig.now.since(begun) <= CoreConfig::AGEING * 2 + Duration::from_secs(1));
}

#[test]
fn the_strict_and_the_free_are_ranked_together_on_one_worker() {
    let (mut rig, first) = busy();
    rig.complete(first);
    let running = rig.submit_with(of_session(1, StrictQueue));
    let strict = |priority| move |terms| with(priority)(of_session(1, StrictQueue)(terms));
    let calls = [
        rig.submit_with(strict(Low)),
        rig.submit_with(with(Low)),
        rig.submit_with(with(High)),
        rig.submit_with(strict(High)),
        rig.submit_with(strict(Normal)),
    ];
    rig.take();
    assert_eq!(order(&mut rig, running), [2, 3, 4, 0, 1].map(|at| calls[at]));
}

#[test]
fn a_strict_call_keeps_its_rank_when_it_begins_to_wait_for_its_worker() {
    let mut rig = Rig::ready(patient(2, 1));
    let running = rig.fill();
    let strict = [1; 2].map(|session| rig.submit_with(of_session(session, StrictQueue)));
    let normal = rig.submit();
    let second = rig.submit();
    rig.take();
    rig.complete(running[0]);
    rig.complete(running[1]);
    assert_eq!(
        dispatched(&rig.take()),
        [(strict[0], worker(0, 1)), (normal, worker(1, 1))]
    );
    rig.complete(strict[0]);
    assert_eq!(
        dispatched(&rig.take()),
        [(strict[1], worker(0, 1))],
        "it came before {second}"
    );
}

fn priority() -> impl Strategy<Value = Priority> {
    prop::sample::select(Priority::ALL.to_vec())
}

/// How much later than its coming a request counts.
fn penalty(priority: Priority) -> Duration {
    match priority {
        High => Duration::ZERO,
        Normal => CoreConfig::AGEING,
        Low => CoreConfig::AGEING * 2,
    }
}

proptest! {
    #[test]
    fn whoever_overtakes_is_more_urgent_and_came_soon_after(
        coming in prop::collection::vec((0_u64..4000, priority()), 2..40),
    ) {
        let (mut rig, running) = busy();
        let mut calls = Vec::new();
        for (pause, priority) in coming {
            rig.pass(Duration::from_millis(pause));
            let call = rig.submit_with(|terms| Terms { deadline: rig_deadline(), ..with(priority)(terms) });
            calls.push((call, rig.now, priority));
        }
        let order = order(&mut rig, running);
        prop_assert_eq!(order.len(), calls.len());
        let place = |call| order.iter().position(|&other| other == call).unwrap();
        for (at, &(earlier, came, priority)) in calls.iter().enumerate() {
            for &(later, came_later, other) in &calls[at + 1..] {
                let overtaken = place(later) < place(earlier);
                let bound = penalty(priority).saturating_sub(penalty(other));
                prop_assert_eq!(overtaken, other > priority && came_later.since(came) < bound);
            }
        }
    }
}

fn rig_deadline() -> crate::core::Moment {
    crate::core::Moment::ZERO.after(LONG * 10)
}
