//! Requests whose worker died: tried again, put back, or given up.

use std::num::NonZeroU32;
use std::time::Duration;

use snakepit_config::Affinity::StrictQueue;

use super::rig::{LONG, Rig, answers, dispatched, ms, of_session, patient, with_attempts, worker};
use crate::core::{BreakerConfig, End, Event, Moment, Notice, Priority, Terms, Verdict};

/// Lets time pass until something is given to a worker, and says how long that took. Other actions until then are
/// dropped.
fn await_dispatch(rig: &mut Rig) -> Duration {
    let from = rig.now;
    rig.take();
    loop {
        let due = rig.core.next_deadline().expect("something is to be dispatched");
        rig.pass(due.since(rig.now));
        if !dispatched(&rig.take()).is_empty() {
            return rig.now.since(from);
        }
    }
}

#[test]
fn a_call_that_may_have_run_is_not_run_again() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit();
    rig.lose(call);
    assert!(matches!(answers(&rig.take())[..], [(lost, Verdict::Reported(_))] if lost == call));
    rig.exit(worker(0, 1));
    rig.pass(LONG);
    assert_eq!(dispatched(&rig.take()), []);
    assert_eq!(rig.notices(), []);
}

#[test]
fn a_call_that_may_run_twice_is_given_to_another_worker_after_a_pause() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_with(with_attempts(2));
    rig.take();
    rig.exit(worker(0, 1));
    assert_eq!(rig.take(), [], "nobody is answered, and nothing runs yet");
    let [
        Notice::Retried {
            request,
            lost_with,
            attempt,
            pause,
        },
    ] = rig.notices()[..]
    else {
        panic!("it is told that the call is tried again");
    };
    assert_eq!((request, lost_with, attempt), (call, worker(0, 1), 1));
    rig.pass(pause.checked_sub(Duration::from_nanos(1)).unwrap());
    assert_eq!(dispatched(&rig.take()), []);
    rig.pass(Duration::from_nanos(1));
    assert_eq!(dispatched(&rig.take()), [(call, worker(1, 1))]);
    rig.complete(call);
    assert!(
        matches!(answers(&rig.take())[..], [(_, Verdict::Reported(service))] if service.worker == worker(1, 1))
    );
    assert_eq!(rig.core.snapshot().counters.retried, 1);
}

#[test]
fn pauses_differ_by_at_most_a_quarter_either_way() {
    let mut pauses = Vec::new();
    for seed in 0..50 {
        let mut config = patient(2, 1);
        config.seed = seed;
        let mut rig = Rig::ready(config);
        let call = rig.submit_with(with_attempts(2));
        rig.lose(call);
        pauses.push(await_dispatch(&mut rig));
    }
    assert!(
        pauses.iter().all(|pause| (ms(75)..=ms(125)).contains(pause)),
        "{pauses:?}"
    );
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(
        *most > *least + ms(40),
        "they would all come back together: {pauses:?}"
    );
}

#[test]
fn a_request_under_which_two_workers_died_is_given_to_no_third() {
    let mut rig = Rig::ready(patient(3, 1));
    let call = rig.submit_with(with_attempts(100));
    rig.lose(call);
    await_dispatch(&mut rig);
    rig.take();
    rig.exit(worker(1, 1));
    let [(poisoned, Verdict::Poisoned { service, workers })] = answers(&rig.take())[..] else {
        panic!("it was not answered once");
    };
    assert_eq!((poisoned, service.worker, workers), (call, worker(1, 1), 2));
    assert_eq!(rig.core.snapshot().counters.poisoned, 1);
}

#[test]
fn a_loss_is_no_longer_heard_of_once_the_request_is_elsewhere() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_with(with_attempts(2));
    rig.lose(call);
    await_dispatch(&mut rig);
    rig.take();
    for end in [End::Served, End::Lost, End::NotSent] {
        let worker = worker(0, 1);
        rig.tell(Event::Completed {
            request: call,
            worker,
            end,
        });
    }
    rig.exit(worker(0, 1));
    assert_eq!(rig.take(), []);
    assert_eq!(rig.core.snapshot().running, 1);
    rig.complete(call);
    assert_eq!(answers(&rig.take()).len(), 1);
}

#[test]
fn a_call_that_never_reached_its_worker_is_given_to_another_at_once() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit();
    rig.take();
    rig.end(call, End::NotSent);
    assert_eq!(dispatched(&rig.take()), [(call, worker(1, 1))], "it has not run");
    rig.end(call, End::NotSent);
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    assert_eq!(answers(&rig.take()), []);
    let next = rig.await_spawn();
    rig.start(next);
    assert_eq!(
        dispatched(&rig.take()),
        [(call, next)],
        "however often that happens"
    );
    assert_eq!(rig.core.snapshot().counters.retried, 0);
}

#[test]
fn calls_that_never_reached_their_worker_wait_where_they_have_waited() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut rig = Rig::ready(patient(1, 3));
        let calls = rig.fill();
        let waiting = rig.submit();
        for at in order {
            rig.end(calls[at], End::NotSent);
        }
        rig.exit(worker(0, 1));
        let next = rig.await_spawn();
        rig.start(next);
        let sent: Vec<_> = dispatched(&rig.take()).iter().map(|&(call, _)| call).collect();
        assert_eq!(sent, calls, "whichever was reported first");
        rig.complete(calls[0]);
        assert_eq!(dispatched(&rig.take()), [(waiting, next)]);
    }
}

#[test]
fn a_call_that_never_reached_its_worker_is_answered_where_the_queue_is_full() {
    let mut config = patient(1, 1);
    config.queue_max = 1;
    let mut rig = Rig::ready(config);
    let (unsent, waiting) = (rig.submit(), rig.submit());
    rig.take();
    rig.end(unsent, End::NotSent);
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::Reported(_))] if call == unsent));
    rig.exit(worker(0, 1));
    let next = rig.await_spawn();
    rig.start(next);
    assert_eq!(dispatched(&rig.take()), [(waiting, next)]);
}

#[test]
fn a_call_that_rests_has_a_place_in_the_queue() {
    let mut config = patient(2, 1);
    config.queue_max = 1;
    let mut rig = Rig::ready(config);
    let (first, second) = (
        rig.submit_with(with_attempts(2)),
        rig.submit_with(with_attempts(2)),
    );
    rig.take();
    rig.lose(first);
    assert_eq!(rig.core.snapshot().queued, 1);
    rig.lose(second);
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::Reported(_))] if call == second));
    let refused = rig.submit();
    assert_eq!(
        answers(&rig.take()),
        [(refused, Verdict::Saturated { depth: 1, limit: 1 })]
    );
}

#[test]
fn a_call_whose_deadline_passes_while_it_rests_is_told_that_it_may_have_run() {
    let mut rig = Rig::ready(patient(2, 1));
    let deadline = rig.now.after(ms(50));
    let call = rig.submit_with(|terms| Terms {
        deadline,
        ..with_attempts(2)(terms)
    });
    rig.lose(call);
    rig.take();
    rig.pass(LONG);
    let verdict = Verdict::DeadlineExceeded {
        dispatched: true,
        after: ms(50),
    };
    assert_eq!(answers(&rig.take()), [(call, verdict)]);
}

#[test]
fn a_call_that_rested_and_waits_again_is_told_that_it_may_have_run() {
    let mut rig = Rig::ready(patient(2, 1));
    let deadline = rig.now.after(ms(500));
    let call = rig.submit_with(|terms| Terms {
        deadline,
        ..with_attempts(2)(terms)
    });
    rig.submit();
    rig.lose(call);
    rig.take();
    rig.pass(ms(500));
    let verdict = Verdict::DeadlineExceeded {
        dispatched: true,
        after: ms(500),
    };
    assert_eq!(answers(&rig.take()), [(call, verdict)]);
}

#[test]
fn a_call_that_is_cancelled_while_it_rests_is_forgotten() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_with(with_attempts(2));
    rig.lose(call);
    rig.cancel(call);
    rig.take();
    rig.exit(worker(0, 1));
    rig.pass(ms(1000));
    let actions = rig.take();
    assert_eq!((answers(&actions), dispatched(&actions)), (vec![], vec![]));
    assert_eq!(rig.core.snapshot().queued, 0);
}

#[test]
fn a_call_whose_caller_has_gone_is_not_tried_again() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_with(with_attempts(2));
    rig.cancel(call);
    rig.exit(worker(0, 1));
    assert_eq!(rig.core.snapshot().queued, 0);
    assert_eq!(rig.notices(), []);
}

#[test]
fn a_call_that_rested_stands_in_line_as_if_it_had_just_come() {
    let mut rig = Rig::ready(patient(2, 1));
    let (lost, running) = (rig.submit_with(with_attempts(2)), rig.submit());
    rig.lose(lost);
    let meanwhile = rig.submit();
    rig.pass(ms(130));
    let later = rig.submit();
    rig.take();
    let mut order = Vec::new();
    let mut free = running;
    for _ in 0..3 {
        rig.complete(free);
        free = dispatched(&rig.take())[0].0;
        order.push(free);
    }
    assert_eq!(order, [meanwhile, lost, later]);
}

#[test]
fn the_state_of_a_strict_session_is_lost_with_its_worker_so_that_its_calls_are_not_tried_again() {
    let mut rig = Rig::ready(patient(2, 1));
    let strict = |terms| with_attempts(5)(of_session(1, StrictQueue)(terms));
    let call = rig.submit_with(strict);
    rig.lose(call);
    assert!(matches!(answers(&rig.take())[..], [(lost, Verdict::Reported(_))] if lost == call));
}

#[test]
fn nothing_is_tried_again_while_the_pool_ends() {
    let endings = [
        Event::DrainRequested,
        Event::ShutdownRequested { until: Moment::NEVER },
    ];
    for ending in endings {
        let mut rig = Rig::ready(patient(2, 1));
        let call = rig.submit_with(with_attempts(2));
        rig.tell(ending);
        rig.take();
        rig.exit(worker(0, 1));
        assert!(matches!(answers(&rig.take())[..], [(lost, Verdict::WorkerLost(_))] if lost == call));
    }
}

#[test]
fn a_call_that_rests_when_a_drain_begins_is_still_served() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_with(with_attempts(2));
    rig.lose(call);
    rig.tell(Event::DrainRequested);
    await_dispatch(&mut rig);
    rig.complete(call);
    assert_eq!(answers(&rig.take()).len(), 1);
}

#[test]
fn a_shutdown_answers_what_rests() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_with(with_attempts(2));
    rig.lose(call);
    rig.take();
    rig.tell(Event::ShutdownRequested { until: Moment::NEVER });
    assert_eq!(answers(&rig.take()), [(call, Verdict::ShuttingDown)]);
}

#[test]
fn a_call_that_never_reached_its_worker_does_not_wait_for_one_that_a_draining_pool_no_longer_starts() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit();
    rig.tell(Event::DrainRequested);
    rig.take();
    rig.end(call, End::NotSent);
    assert!(matches!(answers(&rig.take())[..], [(unsent, Verdict::Reported(_))] if unsent == call));
    rig.exit(worker(0, 1));
    rig.exit(worker(1, 1));
    assert!(rig.core.milestones().stopped);
}

#[test]
fn a_trial_of_the_breaker_that_is_lost_has_failed_whatever_becomes_of_its_call() {
    let mut config = patient(3, 1);
    config.breaker = Some(BreakerConfig {
        failures: NonZeroU32::MIN,
        pause: ms(50),
    });
    let mut rig = Rig::ready(config);
    let first = rig.submit();
    rig.lose(first);
    rig.pass(ms(50));
    let trial = rig.submit_with(with_attempts(2));
    rig.lose(trial);
    rig.take();
    let refused = rig.submit();
    assert_eq!(
        answers(&rig.take()),
        [(refused, Verdict::CircuitOpen { retry_in: ms(50) })]
    );
    await_dispatch(&mut rig);
    rig.complete(trial);
    let second = rig.submit();
    assert_eq!(
        rig.core.snapshot().running,
        1,
        "its second attempt was no trial; this is"
    );
    rig.complete(second);
}

#[test]
fn priorities_last_over_a_rest() {
    let mut rig = Rig::ready(patient(2, 1));
    let urgent = |terms| Terms {
        priority: Priority::High,
        ..with_attempts(2)(terms)
    };
    let (lost, running) = (rig.submit_with(urgent), rig.submit());
    let waiting = rig.submit();
    rig.lose(lost);
    rig.pass(ms(130));
    rig.take();
    rig.complete(running);
    assert_eq!(dispatched(&rig.take()), [(lost, worker(1, 1))]);
    rig.complete(lost);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(1, 1))]);
}
