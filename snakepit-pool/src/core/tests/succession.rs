//! Workers that are well are renewed: the successor first, and nobody's call is lost by it.

use std::num::NonZeroU32;

use super::rig::{LONG, Rig, answers, config, dispatched, kill, ms, patient, recycled, spawn, stop, worker};
use crate::core::{Action, CoreConfig, Event, KillReason, Verdict, WorkerState};

/// So many workers of two calls, of which so many may be missing, or too many, while others are renewed.
fn renewing(size: u32, missing: u32, surge: u32) -> CoreConfig {
    let mut config = patient(size, 2);
    config.recycling.missing_max = missing;
    config.recycling.surge_max = surge;
    config
}

#[test]
fn a_worker_serves_until_its_successor_is_ready() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    rig.recycle(worker(0, 1));
    rig.launch(worker(0, 2));
    let before = rig.submit();
    assert_eq!(
        rig.take(),
        [
            spawn(worker(0, 2)),
            Action::Dispatch {
                request: before,
                worker: worker(0, 1)
            }
        ]
    );
    rig.tell(Event::BecameReady { worker: worker(0, 2) });
    assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Retiring));
    let after = [rig.submit(), rig.submit(), rig.submit()];
    assert_eq!(
        dispatched(&rig.take()),
        [(after[0], worker(0, 2)), (after[1], worker(0, 2))],
        "the old one has room, and takes nothing new"
    );
}

#[test]
fn what_runs_on_a_worker_that_retires_is_finished_before_it_stops() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    let running = rig.fill();
    rig.recycle(worker(0, 1));
    rig.start(worker(0, 2));
    rig.take();
    rig.pass(ms(60_000));
    assert_eq!(rig.take(), []);
    rig.complete(running[0]);
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::Reported(_))] if call == running[0]));
    rig.complete(running[1]);
    assert_eq!(rig.take().last(), Some(&stop(worker(0, 1))));
    rig.exit(worker(0, 1));
    assert_eq!(rig.take(), []);
    assert_eq!(rig.core.workers().count(), 1);
}

#[test]
fn a_worker_that_retires_does_not_wait_for_code_that_nobody_waits_for() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    let late = rig.submit_for(ms(500));
    let cancelled = rig.submit();
    rig.recycle(worker(0, 1));
    rig.start(worker(0, 2));
    rig.cancel(cancelled);
    rig.take();
    rig.pass(ms(500));
    let verdict = Verdict::DeadlineExceeded {
        dispatched: true,
        after: ms(500),
    };
    assert_eq!(answers(&rig.take()), [(late, verdict)]);
    assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Stopping));
    rig.pass(ms(1000));
    assert_eq!(
        rig.take().last(),
        Some(&kill(worker(0, 1), KillReason::GraceOver))
    );
}

#[test]
fn a_worker_that_retires_goes_when_the_last_who_waited_for_it_has_gone() {
    let leaves: [fn(&mut Rig, _); 2] = [|rig, call| rig.cancel(call), |rig, _| rig.pass(ms(1000))];
    for leave in leaves {
        let mut config = renewing(1, 0, 1);
        config.capacity = NonZeroU32::MIN;
        config.queue_timeout = ms(1000);
        let mut rig = Rig::ready(config);
        let stuck = rig.submit_strict(1);
        let waiting = rig.submit_strict(1);
        rig.cancel(stuck);
        rig.recycle(worker(0, 1));
        rig.start(worker(0, 2));
        assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Retiring));
        leave(&mut rig, waiting);
        assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Stopping));
    }
}

#[test]
fn an_old_worker_serves_on_while_another_one_is_missing() {
    let mut rig = Rig::ready(renewing(2, 0, 1));
    rig.recycle(worker(0, 1));
    rig.exit(worker(1, 1));
    rig.start(worker(0, 2));
    assert_eq!(
        rig.state(worker(0, 1)),
        Some(WorkerState::Ready),
        "two are to be ready"
    );
    assert_eq!(recycled(&rig.notices()), []);
    rig.take();
    assert_eq!(rig.await_spawn(), worker(1, 2));
    rig.start(worker(1, 2));
    assert_eq!(rig.take(), [stop(worker(0, 1))]);
    assert_eq!(recycled(&rig.notices()).len(), 1);
}

#[test]
fn an_old_worker_that_serves_on_can_lose_its_successor_again() {
    let mut rig = Rig::ready(renewing(2, 0, 1));
    rig.recycle(worker(0, 1));
    rig.exit(worker(1, 1));
    rig.start(worker(0, 2));
    rig.exit(worker(0, 2));
    let calls = [rig.submit(), rig.submit()];
    assert_eq!(
        dispatched(&rig.take()),
        calls.map(|call| (call, worker(0, 1))),
        "it is the only one left"
    );
    for _ in 0..2 {
        let next = rig.await_spawn();
        rig.start(next);
    }
    assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Retiring));
    assert_eq!(recycled(&rig.notices())[0].successor, Some(worker(0, 3)));
}

#[test]
fn several_that_are_due_are_renewed_one_after_the_other() {
    let mut rig = Rig::ready(renewing(3, 0, 1));
    for slot in [1, 0, 2] {
        rig.recycle(worker(slot, 1));
    }
    for slot in [1, 0, 2] {
        assert_eq!(
            rig.take(),
            [spawn(worker(slot, 2))],
            "in the order in which they were due"
        );
        rig.start(worker(slot, 2));
        assert_eq!(
            rig.take(),
            [stop(worker(slot, 1))],
            "until it has gone it is one too many"
        );
        rig.exit(worker(slot, 1));
    }
    assert_eq!(rig.core.workers().count(), 3);
}

#[test]
fn as_many_are_renewed_at_once_as_may_be_too_many() {
    let mut rig = Rig::ready(renewing(3, 0, 2));
    for slot in 0..3 {
        rig.recycle(worker(slot, 1));
    }
    assert_eq!(rig.take(), [spawn(worker(0, 2)), spawn(worker(1, 2))]);
    rig.start(worker(1, 2));
    assert_eq!(rig.take(), [stop(worker(1, 1))]);
    rig.exit(worker(1, 1));
    assert_eq!(rig.take(), [spawn(worker(2, 2))]);
}

#[test]
fn a_pool_without_surplus_stops_first_as_many_as_may_be_missing() {
    let mut rig = Rig::ready(renewing(2, 1, 0));
    rig.recycle(worker(0, 1));
    rig.recycle(worker(1, 1));
    assert_eq!(rig.take(), [stop(worker(0, 1))]);
    assert_eq!(recycled(&rig.notices())[0].successor, None);
    rig.exit(worker(0, 1));
    assert_eq!(
        rig.take(),
        [spawn(worker(0, 2))],
        "without a pause: it has not failed"
    );
    rig.launch(worker(0, 2));
    assert_eq!(rig.take(), []);
    rig.tell(Event::BecameReady { worker: worker(0, 2) });
    assert_eq!(rig.take(), [stop(worker(1, 1))]);
}

#[test]
fn a_pool_without_surplus_renews_nobody_while_one_has_died() {
    let mut rig = Rig::ready(renewing(2, 1, 0));
    rig.exit(worker(1, 1));
    rig.take();
    rig.recycle(worker(0, 1));
    assert_eq!(rig.take(), []);
    assert_eq!(rig.await_spawn(), worker(1, 2));
    rig.start(worker(1, 2));
    assert_eq!(rig.take(), [stop(worker(0, 1))]);
}

#[test]
fn a_pool_that_may_neither_have_more_nor_fewer_renews_nobody() {
    let mut rig = Rig::ready(renewing(2, 0, 0));
    rig.recycle(worker(0, 1));
    rig.pass(LONG);
    assert_eq!(rig.take(), []);
    rig.resize(1);
    assert_eq!(
        rig.take(),
        [stop(worker(1, 1))],
        "the pool has shrunk by the other one, and is as short as before"
    );
}

#[test]
fn a_successor_that_fails_to_start_is_tried_again_while_the_old_one_serves() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    rig.recycle(worker(0, 1));
    rig.launch(worker(0, 2));
    rig.take();
    rig.pass(ms(1000));
    assert_eq!(rig.take(), [kill(worker(0, 2), KillReason::StartupTimeout)]);
    rig.exit(worker(0, 2));
    let call = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(call, worker(0, 1))]);
    let (died, next) = (rig.now, rig.await_spawn());
    assert_eq!(next, worker(0, 3));
    assert!(rig.now.since(died) >= ms(75));
    rig.start(next);
    assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Retiring));
}

#[test]
fn a_worker_that_dies_before_its_successor_is_ready_is_followed_by_that_one() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    let running = rig.submit();
    rig.recycle(worker(0, 1));
    rig.launch(worker(0, 2));
    rig.take();
    rig.exit(worker(0, 1));
    let waiting = rig.submit();
    let actions = rig.take();
    assert!(matches!(answers(&actions)[..], [(call, Verdict::WorkerLost(_))] if call == running));
    rig.pass(ms(500));
    assert_eq!(rig.take(), [], "no third one is started");
    rig.tell(Event::BecameReady { worker: worker(0, 2) });
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 2))]);
    assert_eq!(recycled(&rig.notices()), [], "it died, and was not renewed");
    rig.recycle(worker(0, 2));
    assert_eq!(
        rig.take(),
        [spawn(worker(0, 3))],
        "its place beyond the size is free again"
    );
}

#[test]
fn a_severed_worker_is_followed_by_the_successor_that_has_begun() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    rig.recycle(worker(0, 1));
    rig.launch(worker(0, 2));
    rig.tell(Event::Severed { worker: worker(0, 1) });
    rig.take();
    rig.tell(Event::BecameReady { worker: worker(0, 2) });
    rig.exit(worker(0, 1));
    assert_eq!(rig.take(), []);
    assert_eq!(
        rig.core.workers().map(|it| it.id).collect::<Vec<_>>(),
        [worker(0, 2)]
    );
}

#[test]
fn a_worker_that_dies_while_it_retires_is_not_replaced_again() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    rig.fill();
    rig.recycle(worker(0, 1));
    rig.start(worker(0, 2));
    rig.take();
    rig.exit(worker(0, 1));
    assert_eq!(answers(&rig.take()).len(), 2, "its calls are lost all the same");
    rig.pass(LONG);
    assert_eq!(rig.take(), []);
}

#[test]
fn a_pool_that_drains_forgets_renewals() {
    let mut rig = Rig::ready(renewing(2, 0, 1));
    rig.recycle(worker(0, 1));
    rig.recycle(worker(1, 1));
    rig.launch(worker(0, 2));
    rig.take();
    rig.tell(Event::DrainRequested);
    assert_eq!(
        rig.take(),
        [
            stop(worker(0, 1)),
            stop(worker(1, 1)),
            kill(worker(0, 2), KillReason::NotNeeded)
        ]
    );
    for gone in [worker(0, 1), worker(0, 2), worker(1, 1)] {
        rig.exit(gone);
    }
    assert!(rig.core.milestones().stopped);
    assert_eq!(rig.take(), []);
}

#[test]
fn a_pool_that_drains_with_calls_waiting_still_hands_over() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    let running = rig.fill();
    let waiting = rig.submit();
    rig.recycle(worker(0, 1));
    rig.launch(worker(0, 2));
    rig.tell(Event::DrainRequested);
    rig.take();
    rig.tell(Event::BecameReady { worker: worker(0, 2) });
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 2))]);
    for call in running.into_iter().chain([waiting]) {
        rig.complete(call);
    }
    rig.exit(worker(0, 1));
    rig.exit(worker(0, 2));
    assert!(rig.core.milestones().stopped);
}

#[test]
fn a_pool_that_shuts_down_gives_a_worker_that_retires_its_time() {
    let mut rig = Rig::ready(renewing(1, 0, 1));
    let running = rig.fill();
    let waiting = rig.submit_strict(1);
    rig.recycle(worker(0, 1));
    rig.start(worker(0, 2));
    rig.take();
    rig.complete(waiting);
    let until = rig.now.after(ms(300));
    rig.tell(Event::ShutdownRequested { until });
    assert_eq!(rig.take().last(), Some(&stop(worker(0, 2))));
    rig.pass(ms(299));
    rig.complete(running[0]);
    assert_eq!(answers(&rig.take()).len(), 1);
    rig.pass(ms(1));
    assert_eq!(rig.take(), [stop(worker(0, 1))]);
}

#[test]
fn an_abandoned_pool_kills_the_old_and_the_new() {
    let mut rig = Rig::ready(config());
    rig.recycle(worker(0, 1));
    rig.launch(worker(0, 2));
    rig.take();
    rig.tell(Event::Abandoned);
    let killed = [worker(0, 1), worker(1, 1), worker(0, 2)];
    assert_eq!(rig.take(), killed.map(|it| kill(it, KillReason::Abandoned)));
    for it in killed {
        rig.exit(it);
    }
    assert!(rig.core.milestones().stopped);
}
