//! Draining, shutting down, and being dropped.

use super::rig::{LONG, Rig, answers, config, dispatched, kill, ms, spawned, worker};
use crate::core::{Action, Event, KillReason, Moment, Verdict};

fn stop(slot: u32) -> Action {
    Action::Stop {
        worker: worker(slot, 1),
    }
}

#[test]
fn a_drained_pool_finishes_what_waits_and_runs_and_takes_nothing_new() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting = rig.submit();
    rig.take();
    rig.tell(Event::DrainRequested);
    assert_eq!(rig.take(), []);
    let refused = rig.submit();
    assert_eq!(answers(&rig.take()), [(refused, Verdict::ShuttingDown)]);

    rig.complete(running[0]);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 1))]);
    rig.complete(running[1]);
    rig.complete(running[2]);
    rig.take();
    rig.complete(running[3]);
    assert_eq!(
        rig.take().last(),
        Some(&stop(1)),
        "the other one still runs a call"
    );
    rig.complete(waiting);
    assert_eq!(rig.take().last(), Some(&stop(0)));
    rig.exit(worker(0, 1));
    assert!(!rig.core.milestones().stopped);
    rig.exit(worker(1, 1));
    assert!(rig.core.milestones().stopped);
    rig.pass(LONG);
    assert_eq!(rig.take(), [], "nothing is replaced");
}

#[test]
fn a_draining_pool_with_waiting_calls_replaces_dead_workers() {
    let mut rig = Rig::ready(config());
    rig.fill();
    let waiting = rig.submit();
    rig.tell(Event::DrainRequested);
    rig.exit(worker(0, 1));
    rig.take();
    rig.pass(ms(125));
    assert_eq!(spawned(&rig.take()), [worker(0, 2)]);
    rig.start(worker(0, 2));
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 2))]);
}

#[test]
fn code_that_nobody_waits_for_does_not_hold_up_a_drain() {
    let mut rig = Rig::ready(config());
    let stuck = rig.submit();
    rig.cancel(stuck);
    rig.take();
    rig.tell(Event::DrainRequested);
    assert_eq!(rig.take(), [stop(0), stop(1)]);
    rig.pass(ms(1000));
    assert!(rig.take().contains(&kill(worker(0, 1), KillReason::GraceOver)));
}

#[test]
fn a_worker_that_does_not_stop_is_terminated_and_then_killed() {
    let mut rig = Rig::ready(config());
    rig.tell(Event::DrainRequested);
    assert_eq!(rig.take(), [stop(0), stop(1)]);
    rig.exit(worker(1, 1));
    rig.pass(ms(499));
    assert_eq!(rig.take(), []);
    rig.pass(ms(1));
    assert_eq!(rig.take(), [Action::Terminate { worker: worker(0, 1) }]);
    rig.pass(ms(500));
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::GraceOver)]);
    rig.exit(worker(0, 1));
    assert!(rig.core.milestones().stopped);
}

#[test]
fn a_grace_of_zero_kills_at_once() {
    let mut config = config();
    config.grace = ms(0);
    let mut rig = Rig::ready(config);
    rig.tell(Event::DrainRequested);
    let kills = rig
        .take()
        .into_iter()
        .filter(|action| matches!(action, Action::Kill { .. }));
    assert_eq!(kills.count(), 2);
}

#[test]
fn a_shutdown_refuses_what_waits_and_gives_what_runs_its_time() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting = rig.submit();
    rig.complete(running[0]);
    rig.complete(waiting);
    let waiting = [rig.submit(), rig.submit()];
    rig.take();
    let until = rig.now.after(ms(700));
    rig.tell(Event::ShutdownRequested { until });
    assert_eq!(
        rig.take(),
        [Action::Answer {
            request: waiting[1],
            verdict: Verdict::ShuttingDown
        }]
    );
    rig.pass(ms(699));
    assert_eq!(rig.take(), []);
    rig.complete(running[1]);
    rig.complete(running[3]);
    assert_eq!(rig.take().last(), Some(&stop(1)), "it is idle");
    rig.pass(ms(1));
    assert_eq!(rig.take(), [stop(0)], "its calls have had their time");
    rig.complete(running[2]);
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::Reported(_))] if call == running[2]));
    rig.exit(worker(0, 1));
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::WorkerLost(_))] if call == waiting[0]));
    rig.exit(worker(1, 1));
    assert!(rig.core.milestones().stopped);
}

#[test]
fn a_second_shutdown_can_only_shorten_the_first() {
    let mut rig = Rig::ready(config());
    rig.fill();
    rig.take();
    for wait in [700, 300, 900] {
        let until = rig.now.after(ms(wait));
        rig.tell(Event::ShutdownRequested { until });
    }
    rig.pass(ms(299));
    assert_eq!(rig.take(), []);
    rig.pass(ms(1));
    assert_eq!(rig.take(), [stop(0), stop(1)]);
}

#[test]
fn workers_that_still_start_are_killed_when_the_pool_ends() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.launch(worker(0, 1));
    rig.take();
    rig.tell(Event::DrainRequested);
    assert_eq!(rig.take(), [kill(worker(0, 1), KillReason::NotNeeded)]);
    rig.launch(worker(1, 1));
    assert_eq!(rig.take(), [kill(worker(1, 1), KillReason::NotNeeded)]);
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    assert!(rig.core.milestones().stopped);
}

#[test]
fn a_pool_that_was_never_opened_stops_at_once() {
    let mut rig = Rig::new(config());
    rig.tell(Event::ShutdownRequested { until: Moment::NEVER });
    assert!(rig.core.milestones().stopped);
    rig.tell(Event::Opened);
    rig.pass(LONG);
    assert_eq!(rig.take(), []);
}

#[test]
fn an_abandoned_pool_kills_every_worker_at_once() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting = rig.submit();
    rig.take();
    rig.tell(Event::Abandoned);
    assert_eq!(
        rig.take(),
        [
            Action::Answer {
                request: waiting,
                verdict: Verdict::ShuttingDown
            },
            kill(worker(0, 1), KillReason::Abandoned),
            kill(worker(1, 1), KillReason::Abandoned),
        ]
    );
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    let lost: Vec<_> = answers(&rig.take())
        .into_iter()
        .map(|(request, _)| request)
        .collect();
    assert_eq!(lost, [running[0], running[2], running[1], running[3]]);
}
