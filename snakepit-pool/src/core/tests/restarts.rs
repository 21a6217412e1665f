//! Dead workers are replaced only so often. Beyond that the pool is degraded, and tries again.

use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_profile::WorkerId;

use super::rig::{LONG, Rig, answers, dispatched, ms, patient, spawned, stop, with_attempts, worker};
use crate::core::{CoreConfig, Event, Notice, Phase, Verdict, WorkerState};

const WINDOW: Duration = Duration::from_secs(5);

/// So many workers of one call. Each may be restarted `slot` times in the window, all together `pool` times.
fn limited(size: u32, slot: u32, pool: u32) -> CoreConfig {
    let mut config = patient(size, 1);
    config.restarts.slot_max = NonZeroU32::new(slot).unwrap();
    config.restarts.pool_max = NonZeroU32::new(pool).unwrap();
    config.restarts.window = WINDOW;
    config
}

fn gone(rig: &mut Rig, worker: WorkerId, permanent: bool) {
    rig.tell(Event::Exited { worker, permanent });
}

/// The present worker of a slot dies `times` times, each but the last time after it was restarted and ready.
fn die(rig: &mut Rig, slot: u32, times: u32) {
    for time in 0..times {
        let present = rig.core.workers().nth(slot as usize).unwrap().id;
        rig.exit(present);
        if time + 1 < times {
            let next = rig.await_spawn();
            rig.start(next);
        }
    }
    rig.take();
}

fn parked(rig: &Rig) -> Vec<u32> {
    let parked = rig.core.workers().filter(|it| it.state == WorkerState::Parked);
    parked.map(|it| it.id.slot).collect()
}

/// Until the trial start, as it was announced.
fn retry_in(rig: &mut Rig) -> Duration {
    let announced = rig.notices().into_iter().rev().find_map(|notice| match notice {
        Notice::Degraded { retry_in } => Some(retry_in),
        _ => None,
    });
    announced.expect("the pool is degraded")
}

#[test]
fn a_slot_is_restarted_so_often_and_then_stays_empty() {
    let mut rig = Rig::ready(limited(2, 2, 100));
    die(&mut rig, 0, 2);
    assert_eq!(rig.await_spawn(), worker(0, 3), "the second restart is the last");
    rig.start(worker(0, 3));
    assert!(!rig.core.snapshot().degraded);
    rig.exit(worker(0, 3));
    assert_eq!(parked(&rig), [0]);
    let pause = retry_in(&mut rig);
    assert!((WINDOW..=WINDOW * 5 / 4).contains(&pause), "{pause:?}");
    rig.take();
    rig.pass(pause.checked_sub(ms(1)).unwrap());
    assert_eq!(rig.take(), []);
}

#[test]
fn a_pool_is_restarted_so_often_whichever_its_slots() {
    let mut rig = Rig::ready(limited(3, 100, 2));
    for slot in 0..2 {
        rig.exit(worker(slot, 1));
        rig.take();
        assert_eq!(rig.await_spawn(), worker(slot, 2));
        rig.start(worker(slot, 2));
    }
    rig.exit(worker(2, 1));
    assert_eq!(parked(&rig), [2]);
    rig.exit(worker(0, 2));
    assert_eq!(parked(&rig), [0, 2]);
    let degraded = rig
        .notices()
        .into_iter()
        .filter(|it| matches!(it, Notice::Degraded { .. }));
    assert_eq!(degraded.count(), 1, "it is told once");
    assert_eq!(rig.core.snapshot().counters.degraded, 1);
}

#[test]
fn two_that_die_at_once_share_what_is_left() {
    let mut rig = Rig::ready(limited(2, 100, 1));
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    rig.take();
    rig.pass(ms(125));
    assert_eq!(spawned(&rig.take()).len(), 1);
    assert_eq!(parked(&rig).len(), 1);
}

#[test]
fn what_lies_behind_the_window_no_longer_counts() {
    let mut rig = Rig::ready(limited(1, 2, 100));
    for _ in 0..10 {
        let present = rig.core.workers().next().unwrap().id;
        rig.exit(present);
        rig.take();
        let next = rig.await_spawn();
        rig.start(next);
        rig.pass(WINDOW / 2);
    }
    assert!(!rig.core.snapshot().degraded);
}

#[test]
fn a_degraded_pool_serves_with_the_workers_it_has() {
    let mut rig = Rig::ready(limited(2, 1, 100));
    die(&mut rig, 0, 2);
    assert!(rig.core.snapshot().degraded);
    let (running, waiting) = (rig.submit(), rig.submit());
    assert_eq!(dispatched(&rig.take()), [(running, worker(1, 1))]);
    rig.complete(running);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(1, 1))]);
    rig.complete(waiting);
    rig.exit(worker(1, 1));
    rig.take();
    assert_eq!(
        rig.await_spawn(),
        worker(1, 2),
        "the other slot has its own count"
    );
}

#[test]
fn a_degraded_pool_without_a_worker_refuses_at_once_also_what_waits() {
    let mut rig = Rig::ready(limited(1, 1, 100));
    rig.exit(worker(0, 1));
    let waited = rig.submit();
    rig.take();
    assert_eq!(rig.await_spawn(), worker(0, 2));
    rig.launch(worker(0, 2));
    rig.exit(worker(0, 2));
    let retry_in = retry_in(&mut rig);
    assert_eq!(answers(&rig.take()), [(waited, Verdict::Degraded { retry_in })]);
    rig.pass(ms(1000));
    let refused = rig.submit();
    let left = retry_in.checked_sub(ms(1000)).unwrap();
    assert_eq!(
        answers(&rig.take()),
        [(refused, Verdict::Degraded { retry_in: left })]
    );
    rig.pass(left);
    assert_eq!(spawned(&rig.take()), [worker(0, 3)]);
    let refused = rig.submit();
    let verdict = Verdict::Degraded { retry_in: ms(0) };
    assert_eq!(
        answers(&rig.take()),
        [(refused, verdict)],
        "the trial may succeed at any time"
    );
}

#[test]
fn a_call_that_rests_is_refused_as_soon_as_it_would_wait_for_nobody() {
    let mut rig = Rig::ready(limited(1, 1, 1));
    die(&mut rig, 0, 1);
    let next = rig.await_spawn();
    rig.start(next);
    let call = rig.submit_with(with_attempts(2));
    rig.exit(next);
    assert_eq!(answers(&rig.take()), []);
    rig.pass(ms(125));
    assert!(matches!(answers(&rig.take())[..], [(told, Verdict::Degraded { .. })] if told == call));
}

#[test]
fn trials_that_fail_come_after_pauses_that_double() {
    let mut rig = Rig::ready(limited(2, 1, 100));
    die(&mut rig, 0, 2);
    let mut pauses = Vec::new();
    let mut failed = rig.now;
    for _ in 0..5 {
        let trial = rig.await_spawn();
        pauses.push(rig.now.since(failed));
        rig.launch(trial);
        rig.exit(trial);
        rig.take();
        failed = rig.now;
        assert_eq!(parked(&rig), [0], "one attempt, and no restart after it");
    }
    for (pause, base) in pauses.iter().zip([5, 10, 20, 30, 30].map(Duration::from_secs)) {
        assert!((base..=base * 5 / 4).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_trial_that_succeeds_fills_every_slot_again_in_batches() {
    let mut config = limited(4, 1, 100);
    config.startup_batch_size = NonZeroU32::new(2).unwrap();
    let mut rig = Rig::new(config);
    rig.tell(Event::Opened);
    rig.pass(ms(500));
    for slot in 0..4 {
        rig.start(worker(slot, 1));
    }
    rig.take();
    for slot in 0..4 {
        die(&mut rig, slot, 2);
    }
    assert_eq!(parked(&rig), [0, 1, 2, 3]);
    let trial = rig.await_spawn();
    rig.launch(trial);
    assert_eq!(spawned(&rig.take()), [], "one at a time");
    rig.notices();
    rig.tell(Event::BecameReady { worker: trial });
    assert!(rig.notices().contains(&Notice::Recovered));
    assert!(!rig.core.snapshot().degraded);
    assert_eq!(spawned(&rig.take()), [worker(1, 3), worker(2, 3)]);
    rig.pass(ms(500));
    assert_eq!(spawned(&rig.take()), [worker(3, 3)]);
}

#[test]
fn a_pool_that_has_recovered_begins_anew_with_its_pauses() {
    let mut rig = Rig::ready(limited(1, 1, 100));
    die(&mut rig, 0, 2);
    for _ in 0..3 {
        let trial = rig.await_spawn();
        rig.launch(trial);
        rig.exit(trial);
        rig.take();
    }
    let trial = rig.await_spawn();
    rig.start(trial);
    let proof = rig.submit();
    rig.complete(proof);
    rig.pass(WINDOW);
    rig.notices();
    die(&mut rig, 0, 2);
    assert!(retry_in(&mut rig) <= WINDOW * 5 / 4);
}

#[test]
fn a_start_that_can_only_fail_again_is_not_repeated() {
    let mut rig = Rig::ready(limited(2, 100, 100));
    gone(&mut rig, worker(0, 1), true);
    assert_eq!(parked(&rig), [0]);
    assert!(retry_in(&mut rig) >= WINDOW);
}

/// Slot 0 has failed for good: three trials in a row could only fail again.
fn given_up(rig: &mut Rig) {
    let present = rig.core.workers().next().unwrap().id;
    gone(rig, present, true);
    for _ in 0..3 {
        rig.take();
        let trial = rig.await_spawn();
        rig.launch(trial);
        gone(rig, trial, true);
    }
    rig.take();
}

#[test]
fn a_pool_that_could_only_fail_again_three_times_has_failed() {
    let mut rig = Rig::ready(limited(1, 100, 100));
    given_up(&mut rig);
    assert_eq!(rig.core.phase(), Phase::Failed);
    assert!(rig.core.milestones().stopped);
    let refused = rig.submit();
    assert_eq!(answers(&rig.take()), [(refused, Verdict::NotInitialized)]);
    rig.pass(LONG);
    assert_eq!(rig.take(), []);
}

#[test]
fn a_failed_slot_leaves_the_others_alone() {
    let mut rig = Rig::ready(limited(2, 100, 100));
    given_up(&mut rig);
    rig.pass(LONG);
    assert_eq!(rig.take(), [], "it is tried no more");
    let served = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(served, worker(1, 1))]);
}

#[test]
fn a_start_that_succeeds_shows_that_the_others_can() {
    let mut rig = Rig::ready(limited(2, 100, 100));
    given_up(&mut rig);
    rig.exit(worker(1, 1));
    assert_eq!(rig.await_spawn(), worker(1, 2));
    rig.start(worker(1, 2));
    rig.take();
    let trial = rig.await_spawn();
    assert_eq!(trial.slot, 0);
    rig.start(trial);
    assert!(!rig.core.snapshot().degraded);
}

#[test]
fn a_pool_fails_whichever_way_its_last_worker_goes() {
    let ways: [fn(&mut Rig); 2] = [
        |rig| {
            rig.exit(worker(1, 1));
            let next = rig.await_spawn();
            rig.launch(next);
            gone(rig, next, true);
        },
        |rig| {
            rig.resize(1);
            rig.exit(worker(1, 1));
        },
    ];
    for way in ways {
        let mut rig = Rig::ready(limited(2, 100, 100));
        given_up(&mut rig);
        way(&mut rig);
        assert_eq!(rig.core.phase(), Phase::Failed);
    }
}

#[test]
fn a_pool_has_not_failed_while_one_worker_is_about_to_be_replaced() {
    let mut rig = Rig::ready(limited(2, 100, 100));
    gone(&mut rig, worker(0, 1), true);
    for time in 0..3 {
        rig.take();
        let trial = rig.await_spawn();
        rig.launch(trial);
        if time == 2 {
            rig.tell(Event::Severed { worker: worker(1, 1) });
        }
        gone(&mut rig, trial, true);
    }
    assert_eq!(rig.core.phase(), Phase::Open);
    rig.exit(worker(1, 1));
    rig.take();
    let next = rig.await_spawn();
    rig.start(next);
    let served = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(served, next)]);
}

#[test]
fn a_degraded_pool_that_drains_stops_without_another_trial() {
    let mut rig = Rig::ready(limited(2, 1, 100));
    die(&mut rig, 0, 2);
    let running = rig.submit();
    rig.take();
    rig.tell(Event::DrainRequested);
    rig.complete(running);
    assert_eq!(rig.take().last(), Some(&stop(worker(1, 1))));
    rig.exit(worker(1, 1));
    assert!(rig.core.milestones().stopped);
    rig.pass(LONG);
    assert_eq!(rig.take(), []);
}

#[test]
fn a_degraded_pool_that_drains_while_calls_wait_still_tries() {
    let mut rig = Rig::ready(limited(2, 1, 100));
    die(&mut rig, 0, 2);
    let (running, waiting) = (rig.submit(), rig.submit());
    rig.tell(Event::DrainRequested);
    rig.take();
    let trial = rig.await_spawn();
    assert_eq!(trial.slot, 0);
    rig.start(trial);
    assert_eq!(dispatched(&rig.take()), [(waiting, trial)]);
    rig.complete(waiting);
    rig.complete(running);
    rig.exit(trial);
    rig.exit(worker(1, 1));
    assert!(rig.core.milestones().stopped);
}

#[test]
fn a_pool_that_shrinks_by_its_empty_slots_is_whole() {
    let mut rig = Rig::ready(limited(2, 1, 100));
    die(&mut rig, 1, 2);
    rig.resize(1);
    assert!(!rig.core.snapshot().degraded);
    rig.take();
    rig.pass(LONG);
    assert_eq!(rig.take(), [], "nothing is tried any more");
}

#[test]
fn growing_back_is_no_restart() {
    let mut rig = Rig::ready(limited(2, 1, 1));
    for generation in 1..=5 {
        rig.resize(1);
        rig.exit(worker(1, generation));
        rig.resize(2);
        rig.start(worker(1, generation + 1));
    }
    assert_eq!(rig.state(worker(1, 6)), Some(WorkerState::Ready));
}
