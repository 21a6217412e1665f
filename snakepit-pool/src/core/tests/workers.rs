//! Workers: start-up, death, replacement, and pools that cannot start.

use std::num::NonZeroU32;
use std::time::Duration;

use super::rig::{LONG, Rig, answers, config, dispatched, kill, ms, spawned, worker};
use crate::core::End;
use crate::core::{Action, Event, KillReason, Phase, Verdict, WorkerState};

#[test]
fn workers_start_in_batches() {
    let mut config = config();
    config.size = NonZeroU32::new(5).unwrap();
    config.startup_batch_size = NonZeroU32::new(2).unwrap();
    config.startup_timeout = LONG;
    let mut rig = Rig::new(config);
    rig.tell(Event::Opened);
    assert_eq!(spawned(&rig.take()), [worker(0, 1), worker(1, 1)]);
    rig.pass(ms(499));
    assert_eq!(rig.take(), []);
    rig.pass(ms(1));
    assert_eq!(spawned(&rig.take()), [worker(2, 1), worker(3, 1)]);
    rig.pass(ms(500));
    assert_eq!(spawned(&rig.take()), [worker(4, 1)]);
    rig.pass(ms(5000));
    assert_eq!(rig.take(), []);
}

#[test]
fn batches_without_a_pause_start_everything_at_once() {
    let mut config = config();
    config.size = NonZeroU32::new(5).unwrap();
    config.startup_batch_size = NonZeroU32::MIN;
    config.startup_batch_delay = ms(0);
    let mut rig = Rig::new(config);
    rig.tell(Event::Opened);
    assert_eq!(spawned(&rig.take()).len(), 5);
}

#[test]
fn a_dead_worker_is_replaced_after_a_pause_and_its_calls_are_answered() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting = rig.submit();
    rig.cancel(running[2]);
    rig.take();
    rig.exit(worker(0, 1));
    let actions = rig.take();
    let [(lost, Verdict::WorkerLost(service))] = answers(&actions)[..] else {
        panic!("one of its two callers still waits: {actions:?}");
    };
    assert_eq!((lost, service.worker), (running[0], worker(0, 1)));
    assert!(spawned(&actions).is_empty());
    rig.pass(ms(125));
    assert_eq!(rig.take(), [Action::Spawn { worker: worker(0, 2) }]);
    rig.start(worker(0, 2));
    assert_eq!(
        rig.take(),
        [Action::Dispatch {
            request: waiting,
            worker: worker(0, 2)
        }]
    );
}

#[test]
fn a_pool_that_was_ready_queues_while_it_has_no_worker() {
    let mut rig = Rig::ready(config());
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    let waiting = rig.submit();
    assert_eq!(rig.take(), []);
    rig.pass(ms(200));
    rig.start(worker(1, 2));
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(1, 2))]);
}

/// Pauses before each of the next replacements, while `live` decides what becomes of each worker.
fn pauses(rig: &mut Rig, count: usize, mut live: impl FnMut(&mut Rig, u32)) -> Vec<Duration> {
    let mut generation = 1;
    (0..count)
        .map(|_| {
            rig.exit(worker(0, generation));
            let died = rig.now;
            while rig.take()
                != [Action::Spawn {
                    worker: worker(0, generation + 1),
                }]
            {
                let due = rig.core.next_deadline().expect("a dead worker has a timer");
                rig.pass(due.since(rig.now));
            }
            generation += 1;
            live(rig, generation);
            rig.now.since(died)
        })
        .collect()
}

#[test]
fn the_pause_doubles_from_100_ms_to_30_s_within_a_quarter() {
    let mut rig = Rig::ready(config());
    let pauses = pauses(&mut rig, 12, |rig, generation| rig.launch(worker(0, generation)));
    for (count, pause) in pauses.iter().enumerate() {
        let base = ms(100 << count).min(ms(30_000));
        assert!(
            *pause >= base * 3 / 4 && *pause <= base * 5 / 4,
            "pause {count} was {pause:?}, base {base:?}"
        );
    }
}

#[test]
fn the_pause_is_short_again_once_a_worker_has_served() {
    let mut rig = Rig::ready(config());
    let pauses = pauses(&mut rig, 6, |rig, generation| {
        rig.start(worker(0, generation));
        if generation == 5 {
            let call = rig.submit();
            assert_eq!(dispatched(&rig.take()), [(call, worker(1, 1))]);
            let call = rig.submit();
            assert_eq!(dispatched(&rig.take()), [(call, worker(0, 5))]);
            rig.complete(call);
            rig.take();
        }
    });
    assert!(pauses[3] > ms(500), "{pauses:?}");
    assert!(pauses[4] <= ms(125), "{pauses:?}");
    assert!(pauses[5] > ms(125), "{pauses:?}");
}

#[test]
fn the_pause_is_short_again_once_a_worker_has_lived_a_while() {
    let mut rig = Rig::ready(config());
    let pauses = pauses(&mut rig, 5, |rig, generation| {
        rig.start(worker(0, generation));
        if generation == 4 {
            rig.pass(ms(30_000));
        }
    });
    assert!(pauses[2] > ms(250) && pauses[3] <= ms(125), "{pauses:?}");
}

#[test]
fn workers_that_died_together_do_not_return_together() {
    let mut rig = Rig::ready(config());
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    rig.take();
    let first = rig.core.next_deadline().unwrap();
    rig.pass(first.since(rig.now));
    assert_eq!(spawned(&rig.take()).len(), 1);
}

#[test]
fn a_worker_that_is_not_ready_in_time_is_killed_and_replaced() {
    let mut rig = Rig::ready(config());
    rig.exit(worker(0, 1));
    rig.pass(ms(125));
    rig.launch(worker(0, 2));
    rig.take();
    rig.pass(ms(1000));
    assert_eq!(rig.take(), [kill(worker(0, 2), KillReason::StartupTimeout)]);
    rig.tell(Event::BecameReady { worker: worker(0, 2) });
    assert_eq!(
        rig.core.snapshot().workers[0].state,
        WorkerState::Dying,
        "too late"
    );
    rig.exit(worker(0, 2));
    rig.pass(ms(250));
    assert_eq!(spawned(&rig.take()), [worker(0, 3)]);
}

#[test]
fn a_launch_that_takes_too_long_is_killed_when_it_returns() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.take();
    rig.pass(ms(60_000));
    assert_eq!(rig.take(), []);
    rig.launch(worker(0, 1));
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::StartupTimeout)]);
}

#[test]
fn events_of_an_earlier_generation_change_only_a_counter() {
    let mut rig = Rig::ready(config());
    rig.exit(worker(0, 1));
    rig.pass(ms(125));
    rig.start(worker(0, 2));
    rig.take();
    let before = rig.core.snapshot();
    for stranger in [worker(0, 1), worker(0, 9), worker(7, 1)] {
        rig.launch(stranger);
        rig.tell(Event::BecameReady { worker: stranger });
        rig.tell(Event::Severed { worker: stranger });
        rig.tell(Event::LaunchFailed {
            worker: stranger,
            permanent: true,
        });
        rig.exit(stranger);
    }
    assert_eq!(rig.take(), []);
    let mut expected = before;
    expected.counters.stale = 15;
    assert_eq!(rig.core.snapshot(), expected);
}

#[test]
fn a_severed_worker_gets_nothing_new_and_is_killed() {
    let mut rig = Rig::ready(config());
    rig.tell(Event::Severed { worker: worker(0, 1) });
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::Severed)]);
    let calls = [rig.submit(), rig.submit(), rig.submit()];
    let expected = [(calls[0], worker(1, 1)), (calls[1], worker(1, 1))];
    assert_eq!(dispatched(&rig.take()), expected, "the third waits");
}

#[test]
fn a_worker_that_has_lost_a_call_gets_nothing_new_and_has_proved_nothing() {
    let mut config = config();
    config.size = NonZeroU32::MIN;
    let mut rig = Rig::ready(config);
    let pauses = pauses(&mut rig, 4, |rig, generation| {
        rig.start(worker(0, generation));
        let running = rig.fill();
        let waiting = rig.submit();
        rig.take();
        rig.end(running[0], End::Lost);
        assert!(dispatched(&rig.take()).is_empty(), "it would be lost as well");
        rig.cancel(waiting);
    });
    assert!(pauses[3] > ms(500), "{pauses:?}");
}

#[test]
fn a_start_that_can_only_fail_again_fails_a_pool_that_was_never_ready() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.launch(worker(1, 1));
    rig.take();
    rig.tell(Event::LaunchFailed {
        worker: worker(0, 1),
        permanent: true,
    });
    assert_eq!(rig.core.snapshot().phase, Phase::Failed);
    assert_eq!(rig.take(), [kill(worker(1, 1), KillReason::NotNeeded)]);
    let refused = rig.submit();
    assert_eq!(answers(&rig.take()), [(refused, Verdict::NotInitialized)]);
    rig.exit(worker(1, 1));
    rig.pass(LONG);
    assert_eq!(rig.take(), [], "nothing is tried again");
    assert!(rig.core.milestones().stopped && rig.core.milestones().settled);
}

#[test]
fn a_start_that_can_only_fail_again_does_not_fail_a_pool_that_has_served() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.start(worker(0, 1));
    rig.launch(worker(1, 1));
    rig.tell(Event::Exited {
        worker: worker(1, 1),
        permanent: true,
    });
    assert_eq!(rig.core.snapshot().phase, Phase::Open);
    let served = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(served, worker(0, 1))]);
}

#[test]
fn a_pool_whose_every_slot_failed_three_starts_has_failed() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    for generation in 1..=3 {
        assert_eq!(spawned(&rig.take()).len(), 2);
        for slot in 0..2 {
            assert_eq!(
                rig.core.snapshot().phase,
                Phase::Open,
                "start {generation} of slot {slot} is to come"
            );
            rig.launch(worker(slot, generation));
            rig.exit(worker(slot, generation));
        }
        rig.pass(ms(900));
    }
    assert_eq!(rig.core.snapshot().phase, Phase::Failed);
    assert_eq!(rig.take(), []);
}

#[test]
fn started_means_that_every_slot_was_ready_or_failed_three_times() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.start(worker(0, 1));
    for generation in 1..=3 {
        assert!(!rig.core.milestones().settled);
        rig.launch(worker(1, generation));
        rig.exit(worker(1, generation));
        rig.pass(ms(900));
    }
    assert!(rig.core.milestones().settled);
    assert_eq!(rig.core.snapshot().phase, Phase::Open);
}
