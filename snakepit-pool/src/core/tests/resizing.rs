//! Pools that grow and shrink while they serve.

use std::num::NonZeroU32;

use super::rig::{
    LONG, Rig, answers, config, dispatched, kill, ms, patient, recycled, spawn, spawned, stop, worker,
};
use crate::core::{Event, KillReason, Notice, Phase, Verdict, WorkerState};

fn exit_all(rig: &mut Rig) {
    let present: Vec<_> = rig.core.workers().map(|it| it.id).collect();
    for it in present {
        rig.exit(it);
    }
}

#[test]
fn a_pool_grows_in_batches() {
    let mut config = config();
    config.startup_batch_size = NonZeroU32::new(2).unwrap();
    let mut rig = Rig::new(config);
    rig.tell(Event::Opened);
    rig.start(worker(0, 1));
    rig.start(worker(1, 1));
    rig.take();
    rig.resize(5);
    assert_eq!(rig.take(), [spawn(worker(2, 1)), spawn(worker(3, 1))]);
    rig.pass(ms(499));
    assert_eq!(rig.take(), []);
    rig.pass(ms(1));
    assert_eq!(rig.take(), [spawn(worker(4, 1))]);
    assert_eq!(rig.core.snapshot().size, 5);
}

#[test]
fn new_workers_serve_what_waits() {
    let mut rig = Rig::ready(patient(1, 1));
    rig.fill();
    let waiting = [rig.submit(), rig.submit()];
    rig.resize(3);
    rig.take();
    rig.start(worker(1, 1));
    rig.start(worker(2, 1));
    assert_eq!(
        dispatched(&rig.take()),
        [(waiting[0], worker(1, 1)), (waiting[1], worker(2, 1))]
    );
}

#[test]
fn a_pool_that_shrinks_finishes_the_calls_of_those_that_go() {
    let mut rig = Rig::ready(patient(2, 1));
    let running = rig.fill();
    let waiting = rig.submit();
    rig.take();
    rig.resize(1);
    assert_eq!(rig.take(), []);
    rig.complete(running[1]);
    let actions = rig.take();
    assert_eq!(
        (dispatched(&actions), actions.last()),
        (vec![], Some(&stop(worker(1, 1))))
    );
    rig.complete(running[0]);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 1))]);
    rig.exit(worker(1, 1));
    rig.pass(LONG);
    assert_eq!(rig.take().len(), 2, "the last call's deadline, and no new worker");
}

#[test]
fn a_pool_that_shrinks_serves_who_waits_for_one_that_goes() {
    let mut rig = Rig::ready(patient(2, 1));
    let elsewhere = rig.submit();
    let running = rig.submit_strict(1);
    let waiting = rig.submit_strict(1);
    rig.complete(elsewhere);
    rig.take();
    rig.resize(1);
    rig.complete(running);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(1, 1))]);
    let told = rig.submit_strict(1);
    let verdict = Verdict::SessionWorkerUnavailable { worker: worker(1, 1) };
    assert_eq!(answers(&rig.take()), [(told, verdict)]);
    rig.complete(waiting);
    assert_eq!(rig.take().last(), Some(&stop(worker(1, 1))));
}

#[test]
fn shrinking_ends_what_has_not_served_yet() {
    let mut rig = Rig::new(patient(4, 1));
    rig.tell(Event::Opened);
    rig.start(worker(0, 1));
    rig.launch(worker(2, 1));
    rig.take();
    rig.resize(1);
    assert_eq!(rig.take(), [kill(worker(2, 1), KillReason::NotNeeded)]);
    for slot in [1, 3] {
        rig.launch(worker(slot, 1));
        assert_eq!(rig.take(), [kill(worker(slot, 1), KillReason::NotNeeded)]);
    }
    exit_all(&mut rig);
    rig.take();
    rig.pass(ms(125));
    assert_eq!(
        spawned(&rig.take()),
        [worker(0, 2)],
        "only what is wanted comes back"
    );
}

#[test]
fn a_slot_that_is_wanted_again_gets_its_next_worker_when_the_old_one_has_gone() {
    let mut rig = Rig::ready(patient(2, 1));
    let running = rig.fill();
    rig.resize(1);
    rig.resize(2);
    rig.take();
    rig.pass(ms(1000));
    assert_eq!(rig.take(), [], "the old one still runs a call");
    rig.complete(running[1]);
    assert_eq!(rig.take().last(), Some(&stop(worker(1, 1))));
    rig.exit(worker(1, 1));
    assert_eq!(rig.take(), [spawn(worker(1, 2))]);
}

#[test]
fn a_start_that_was_ended_and_is_wanted_again_was_not_too_slow() {
    let mut rig = Rig::ready(patient(1, 1));
    rig.resize(2);
    rig.resize(1);
    rig.resize(2);
    rig.take();
    rig.launch(worker(1, 1));
    assert_eq!(rig.take(), [kill(worker(1, 1), KillReason::NotNeeded)]);
    rig.exit(worker(1, 1));
    assert_eq!(rig.await_spawn(), worker(1, 2));
}

#[test]
fn a_worker_that_waits_to_go_goes_as_soon_as_fewer_are_enough() {
    let mut rig = Rig::ready(patient(3, 1));
    rig.recycle(worker(0, 1));
    rig.exit(worker(2, 1));
    rig.start(worker(0, 2));
    assert_eq!(rig.state(worker(0, 1)), Some(WorkerState::Ready));
    rig.take();
    rig.resize(2);
    assert_eq!(rig.take(), [stop(worker(0, 1))]);
}

#[test]
fn a_pool_that_shrinks_in_the_middle_of_a_renewal_ends_both() {
    let mut rig = Rig::ready(patient(2, 1));
    rig.recycle(worker(1, 1));
    rig.launch(worker(1, 2));
    rig.take();
    rig.resize(1);
    assert_eq!(
        rig.take(),
        [kill(worker(1, 2), KillReason::NotNeeded), stop(worker(1, 1))]
    );
    rig.exit(worker(1, 1));
    rig.exit(worker(1, 2));
    assert_eq!(recycled(&rig.notices()), [], "it went for another reason");
    rig.recycle(worker(0, 1));
    assert_eq!(rig.take(), [spawn(worker(0, 2))], "the surplus is free again");
}

#[test]
fn a_successor_that_is_no_longer_to_follow_anybody_does_not_come_back() {
    for old_first in [true, false] {
        let mut rig = Rig::ready(patient(2, 1));
        rig.recycle(worker(1, 1));
        rig.resize(1);
        if old_first {
            rig.exit(worker(1, 1));
        }
        rig.resize(2);
        rig.launch(worker(1, 2));
        rig.exit(worker(1, 2));
        if !old_first {
            rig.exit(worker(1, 1));
        }
        let next = rig.await_spawn();
        rig.start(next);
        rig.take();
        rig.pass(LONG);
        assert_eq!(rig.take(), [], "old first: {old_first}");
        assert_eq!(rig.core.workers().count(), 2);
    }
}

#[test]
fn more_than_the_most_is_not_granted() {
    let mut rig = Rig::ready(config());
    rig.resize(11);
    assert_eq!(rig.take(), []);
    assert_eq!(rig.core.snapshot().size, 2);
    rig.resize(10);
    assert_eq!(spawned(&rig.take()).len(), 8);
}

#[test]
fn a_pool_resized_before_it_is_opened_starts_with_its_last_size() {
    let mut rig = Rig::new(config());
    for size in [4, 1, 3] {
        rig.resize(size);
        assert_eq!(rig.take(), []);
    }
    rig.tell(Event::Opened);
    assert_eq!(spawned(&rig.take()), [worker(0, 1), worker(1, 1), worker(2, 1)]);
    rig.start(worker(0, 1));
    rig.start(worker(1, 1));
    assert!(!rig.core.milestones().settled, "the third has not started");
    rig.start(worker(2, 1));
    assert!(rig.core.milestones().settled);
}

#[test]
fn a_pool_that_shrank_and_grew_before_it_was_ready_can_still_fail() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.resize(1);
    rig.resize(2);
    for _ in 0..4 {
        exit_all_starting(&mut rig);
        rig.pass(ms(900));
    }
    assert_eq!(
        rig.core.phase(),
        Phase::Failed,
        "no start has succeeded, three times in each slot"
    );
}

fn exit_all_starting(rig: &mut Rig) {
    let starting =
        |it: &crate::core::WorkerSnapshot| matches!(it.state, WorkerState::Launching | WorkerState::Unwanted);
    let present: Vec<_> = rig.core.workers().filter(starting).map(|it| it.id).collect();
    for worker in present {
        rig.launch(worker);
        rig.exit(worker);
    }
}

#[test]
fn a_pool_that_ends_keeps_its_size() {
    let mut rig = Rig::ready(config());
    rig.fill();
    rig.take();
    rig.tell(Event::DrainRequested);
    for size in [1, 5] {
        rig.resize(size);
        assert_eq!(rig.take(), []);
    }
}

#[test]
fn a_successor_of_a_slot_that_was_taken_away_follows_nobody() {
    let mut config = patient(2, 1);
    config.recycling.surge_max = 2;
    let mut rig = Rig::ready(config);
    rig.recycle(worker(1, 1));
    rig.resize(1);
    rig.exit(worker(1, 1));
    rig.resize(2);
    rig.start(worker(1, 3));
    rig.launch(worker(1, 2));
    // That one is on its way out, and this one is wanted.
    rig.recycle(worker(1, 3));
    rig.exit(worker(1, 2));
    rig.take();
    rig.pass(ms(500));
    assert_eq!(rig.take(), []);
    rig.start(worker(1, 4));
    rig.exit(worker(1, 3));
    assert_eq!(rig.state(worker(1, 4)), Some(WorkerState::Ready));
    assert_eq!(rig.core.workers().count(), 2);
}

#[test]
fn a_pool_that_has_shrunk_to_what_serves_is_no_longer_degraded() {
    let mut config = patient(2, 1);
    config.restarts.slot_max = NonZeroU32::MIN;
    let mut rig = Rig::ready(config);
    rig.exit(worker(1, 1));
    let second = rig.await_spawn();
    rig.start(second);
    rig.exit(second);
    assert!(rig.core.snapshot().degraded);
    rig.notices();
    rig.resize(1);
    assert_eq!(rig.notices(), [Notice::Recovered]);
    assert!(!rig.core.snapshot().degraded);
}
