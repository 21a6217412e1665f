//! Code that does not stop when nobody waits for it any more.

use super::rig::{LONG, Rig, answers, dispatched, kill, ms, patient, spawn, spawned, stop, worker};
use crate::core::{CoreConfig, KillReason, Notice, RecycleReason, Verdict, WorkerState};

const LIMIT: std::time::Duration = CoreConfig::LINGER_MAX;

#[test]
fn a_worker_of_one_call_is_killed_for_code_that_does_not_stop() {
    let mut rig = Rig::ready(patient(1, 1));
    rig.submit_for(ms(300));
    rig.take();
    rig.pass(ms(300));
    assert!(matches!(
        answers(&rig.take())[..],
        [(_, Verdict::DeadlineExceeded { dispatched: true, .. })]
    ));
    rig.pass(LIMIT.checked_sub(ms(1)).unwrap());
    assert_eq!(rig.take(), [], "it has its time");
    rig.pass(ms(1));
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::Hung)]);
}

#[test]
fn it_is_the_same_for_a_caller_that_has_gone() {
    let mut rig = Rig::ready(patient(1, 1));
    let request = rig.submit();
    rig.cancel(request);
    rig.take();
    rig.pass(LIMIT);
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::Hung)]);
}

#[test]
fn the_next_worker_serves_what_has_waited_for_the_slot() {
    let mut rig = Rig::ready(patient(1, 1));
    rig.submit_for(ms(300));
    let waits = rig.submit();
    rig.pass(ms(300) + LIMIT);
    rig.take();
    rig.exit(worker(0, 1));
    let next = rig.await_spawn();
    rig.start(next);
    assert_eq!(dispatched(&rig.take()), [(waits, next)]);
}

#[test]
fn code_that_stops_in_time_costs_nothing_and_is_told() {
    let mut rig = Rig::ready(patient(1, 1));
    let request = rig.submit_for(ms(300));
    rig.pass(ms(300));
    rig.pass(ms(700));
    rig.complete(request);
    let expected = Notice::Stopped {
        request,
        worker: worker(0, 1),
        after: ms(700),
    };
    assert_eq!(rig.stopped(), [expected]);
    rig.take();
    rig.pass(LONG);
    assert_eq!(rig.take(), []);
}

#[test]
fn code_that_ends_with_its_worker_is_told_once() {
    let mut rig = Rig::ready(patient(1, 1));
    let request = rig.submit_for(ms(300));
    rig.pass(ms(300) + LIMIT);
    rig.exit(worker(0, 1));
    let expected = Notice::Stopped {
        request,
        worker: worker(0, 1),
        after: LIMIT,
    };
    assert_eq!(rig.stopped(), [expected]);
    rig.complete(request);
    assert_eq!(rig.stopped(), []);
}

#[test]
fn a_call_whose_caller_waited_is_not_told_as_stopped() {
    let mut rig = Rig::ready(patient(1, 1));
    let request = rig.submit();
    rig.complete(request);
    assert_eq!(rig.stopped(), []);
}

#[test]
fn a_worker_of_several_calls_is_followed_at_once_and_finishes_the_others() {
    let mut rig = Rig::ready(patient(1, 2));
    rig.submit_for(ms(300));
    let honest = rig.submit();
    rig.pass(ms(300));
    rig.take();
    rig.pass(LIMIT);
    assert_eq!(rig.take(), [spawn(worker(0, 2))]);
    assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Retiring));
    rig.start(worker(0, 2));
    let new = rig.submit();
    assert_eq!(
        dispatched(&rig.take()),
        [(new, worker(0, 2))],
        "it takes nothing new"
    );
    rig.complete(honest);
    assert_eq!(
        rig.take(),
        [
            crate::core::Action::Answer {
                request: honest,
                verdict: Verdict::Reported(crate::core::Service {
                    worker: worker(0, 1),
                    queued: ms(0),
                    total: ms(300) + LIMIT,
                }),
            },
            kill(worker(0, 1), KillReason::Hung)
        ],
        "nothing keeps it any more"
    );
}

#[test]
fn a_worker_without_other_calls_is_killed_at_once() {
    let mut rig = Rig::ready(patient(1, 2));
    rig.submit_for(ms(300));
    rig.pass(ms(300));
    rig.take();
    rig.pass(LIMIT);
    assert_eq!(
        rig.take(),
        [spawn(worker(0, 2)), kill(worker(0, 1), KillReason::Hung)]
    );
}

#[test]
fn other_calls_of_a_quarantined_worker_have_its_grace() {
    let mut config = patient(1, 2);
    config.grace = ms(4000);
    let mut rig = Rig::ready(config);
    rig.submit_for(ms(300));
    rig.submit();
    rig.pass(ms(300) + LIMIT);
    rig.take();
    rig.pass(ms(3999));
    assert_eq!(rig.take(), []);
    rig.pass(ms(1));
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::Hung)]);
}

#[test]
fn a_quarantined_worker_whose_code_stops_after_all_goes_in_peace() {
    let mut rig = Rig::ready(patient(1, 2));
    let hangs = rig.submit_for(ms(300));
    let honest = rig.submit();
    rig.pass(ms(300) + LIMIT);
    rig.complete(hangs);
    rig.take();
    rig.pass(ms(10_000));
    assert_eq!(rig.take(), [], "the other call may take its time");
    rig.complete(honest);
    assert_eq!(rig.take()[1..], [stop(worker(0, 1))]);
}

#[test]
fn a_worker_that_is_asked_to_stop_has_its_grace_and_no_more() {
    let mut rig = Rig::ready(patient(1, 2));
    rig.submit_for(ms(300));
    rig.pass(ms(300));
    rig.tell(crate::core::Event::DrainRequested);
    assert!(rig.take().contains(&stop(worker(0, 1))));
    rig.pass(ms(999));
    rig.take();
    rig.pass(ms(1));
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::GraceOver)]);
    rig.pass(LIMIT);
    assert_eq!(rig.take(), []);
}

#[test]
fn quarantine_is_told_and_is_no_restart() {
    let mut config = patient(1, 2);
    config.restarts.slot_max = std::num::NonZeroU32::MIN;
    config.restarts.pool_max = std::num::NonZeroU32::MIN;
    let mut rig = Rig::ready(config);
    for generation in 1..=5 {
        rig.notices();
        rig.submit_for(ms(300));
        rig.pass(ms(300) + LIMIT);
        let given_up = Notice::Quarantined {
            worker: worker(0, generation),
        };
        assert!(rig.notices().contains(&given_up));
        rig.exit(worker(0, generation));
        rig.start(worker(0, generation + 1));
    }
    assert!(!rig.core.snapshot().degraded);
}

#[test]
fn without_a_surplus_the_next_worker_comes_as_soon_as_the_quarantined_one_has_gone() {
    let mut config = patient(1, 2);
    config.recycling.surge_max = 0;
    let mut rig = Rig::ready(config);
    rig.submit_for(ms(300));
    rig.pass(ms(300));
    rig.take();
    rig.pass(LIMIT);
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::Hung)]);
    rig.exit(worker(0, 1));
    assert_eq!(spawned(&rig.take()), [worker(0, 2)], "and without a pause");
}

#[test]
fn a_worker_that_is_renewed_and_hangs_has_one_successor() {
    let mut rig = Rig::ready(patient(1, 2));
    rig.submit_for(ms(300));
    rig.submit();
    rig.recycle(worker(0, 1));
    assert_eq!(spawned(&rig.take()), [worker(0, 2)]);
    rig.pass(ms(300) + LIMIT);
    assert_eq!(spawned(&rig.take()), []);
    assert_eq!(
        rig.core.snapshot().counters.recycled[RecycleReason::Requested as usize],
        0,
        "it goes for another reason"
    );
}
