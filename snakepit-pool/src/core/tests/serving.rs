//! Requests: queue, choice of a worker, time limits, cancellation.

use super::rig::{Rig, answers, config, dispatched, ms, worker};
use crate::core::{Action, Event, Moment, Verdict};

#[test]
fn a_pool_without_a_ready_worker_so_far_refuses_at_once() {
    let mut rig = Rig::new(config());
    let early = rig.submit();
    rig.tell(Event::Opened);
    rig.launch(worker(0, 1));
    let starting = rig.submit();
    assert_eq!(
        answers(&rig.take()),
        [
            (early, Verdict::NotInitialized),
            (starting, Verdict::NotInitialized)
        ]
    );
    rig.tell(Event::BecameReady { worker: worker(0, 1) });
    let served = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(served, worker(0, 1))]);
}

#[test]
fn a_free_slot_runs_a_call_at_once_on_the_least_loaded_worker() {
    let mut rig = Rig::ready(config());
    let calls: Vec<_> = (0..4).map(|_| rig.submit()).collect();
    let workers: Vec<_> = dispatched(&rig.take())
        .iter()
        .map(|(_, worker)| worker.slot)
        .collect();
    assert_eq!(workers, [0, 1, 0, 1]);
    rig.complete(calls[1]);
    let next = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(next, worker(1, 1))]);
}

#[test]
fn of_equally_loaded_workers_the_longest_unused_is_next() {
    let mut rig = Rig::ready(config());
    let mut slots = Vec::new();
    for _ in 0..4 {
        let call = rig.submit();
        slots.push(dispatched(&rig.take())[0].1.slot);
        rig.complete(call);
    }
    assert_eq!(slots, [0, 1, 0, 1]);
}

#[test]
fn what_waits_runs_in_the_order_in_which_it_came() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting: Vec<_> = (0..3).map(|_| rig.submit()).collect();
    rig.take();
    for &call in &running[..3] {
        rig.complete(call);
    }
    let order: Vec<_> = dispatched(&rig.take())
        .iter()
        .map(|(request, _)| *request)
        .collect();
    assert_eq!(order, waiting);
}

#[test]
fn the_one_call_too_many_is_refused_in_the_same_step() {
    let mut rig = Rig::ready(config());
    rig.fill();
    for _ in 0..3 {
        rig.submit();
    }
    assert!(answers(&rig.take()).is_empty());
    let refused = rig.submit();
    assert_eq!(
        rig.take(),
        [Action::Answer {
            request: refused,
            verdict: Verdict::Saturated { depth: 3, limit: 3 }
        }]
    );
}

#[test]
fn a_queue_of_none_refuses_what_cannot_run_at_once() {
    let mut config = config();
    config.queue_max = 0;
    let mut rig = Rig::ready(config);
    rig.fill();
    assert!(answers(&rig.take()).is_empty());
    let refused = rig.submit();
    assert_eq!(
        answers(&rig.take()),
        [(refused, Verdict::Saturated { depth: 0, limit: 0 })]
    );
}

#[test]
fn who_waited_too_long_is_told_once_and_never_runs() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting = rig.submit();
    rig.take();
    rig.pass(ms(999));
    assert_eq!(rig.take(), []);
    rig.pass(ms(5000));
    assert_eq!(
        answers(&rig.take()),
        [(waiting, Verdict::QueueTimeout { waited: ms(1000) })]
    );
    for call in running {
        rig.complete(call);
    }
    assert!(dispatched(&rig.take()).is_empty());
}

#[test]
fn a_queue_timeout_of_zero_waits_not_at_all() {
    let mut config = config();
    config.queue_timeout = ms(0);
    let mut rig = Rig::ready(config);
    rig.fill();
    rig.take();
    let late = rig.submit();
    assert_eq!(
        answers(&rig.take()),
        [(late, Verdict::QueueTimeout { waited: ms(0) })]
    );
}

#[test]
fn one_deadline_covers_queue_and_run() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let call = rig.submit_for(ms(600));
    rig.pass(ms(400));
    rig.complete(running[0]);
    rig.take();
    rig.pass(ms(200));
    let verdict = Verdict::DeadlineExceeded {
        dispatched: true,
        after: ms(600),
    };
    assert_eq!(
        rig.take(),
        [
            Action::Answer {
                request: call,
                verdict
            },
            Action::Abort {
                request: call,
                worker: worker(0, 1)
            },
        ]
    );
}

#[test]
fn a_deadline_in_the_queue_says_that_the_call_never_ran() {
    let mut rig = Rig::ready(config());
    rig.fill();
    let call = rig.submit_for(ms(1000));
    rig.take();
    rig.pass(ms(1000));
    let verdict = Verdict::DeadlineExceeded {
        dispatched: false,
        after: ms(1000),
    };
    assert_eq!(
        rig.take(),
        [Action::Answer {
            request: call,
            verdict
        }],
        "the deadline wins over a queue timeout"
    );
}

#[test]
fn nothing_is_dispatched_at_its_deadline_even_if_a_slot_is_free_just_then() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let call = rig.submit_for(ms(500));
    rig.take();
    // The completion arrives at the very moment, before the timer was heard.
    rig.now = rig.now.after(ms(500));
    rig.complete(running[0]);
    let actions = rig.take();
    assert!(dispatched(&actions).is_empty());
    assert!(
        matches!(answers(&actions)[0], (request, Verdict::DeadlineExceeded { dispatched: false, .. }) if request == call)
    );

    let too_late = rig.submit_for(ms(0));
    let verdict = Verdict::DeadlineExceeded {
        dispatched: false,
        after: ms(0),
    };
    assert_eq!(
        rig.take(),
        [Action::Answer {
            request: too_late,
            verdict
        }]
    );
}

#[test]
fn a_slot_is_free_only_when_the_code_has_stopped() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    rig.cancel(running[0]);
    assert_eq!(
        rig.take()[4..],
        [Action::Abort {
            request: running[0],
            worker: worker(0, 1)
        }]
    );
    let waiting = rig.submit();
    assert!(
        dispatched(&rig.take()).is_empty(),
        "the cancelled call's code still runs"
    );
    assert_eq!(rig.core.snapshot().lingering, 1);
    rig.complete(running[0]);
    assert_eq!(
        rig.take(),
        [Action::Dispatch {
            request: waiting,
            worker: worker(0, 1)
        }]
    );
    assert_eq!(rig.core.snapshot().lingering, 0);
}

#[test]
fn who_is_cancelled_in_the_queue_leaves_it_without_a_trace() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let waiting: Vec<_> = (0..3).map(|_| rig.submit()).collect();
    rig.take();
    rig.cancel(waiting[1]);
    assert_eq!(rig.take(), []);
    for call in running {
        rig.complete(call);
    }
    let order: Vec<_> = dispatched(&rig.take())
        .iter()
        .map(|(request, _)| *request)
        .collect();
    assert_eq!(order, [waiting[0], waiting[2]]);
}

#[test]
fn a_completion_that_comes_twice_frees_one_slot() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    rig.complete(running[0]);
    rig.take();
    rig.complete(running[0]);
    assert_eq!(rig.take(), []);
    assert_eq!(rig.core.snapshot().running, 3);
    assert_eq!(rig.core.snapshot().counters.stale, 1);
    // Its place is used again; its id is not.
    let next = rig.submit();
    assert_ne!(next, running[0]);
    rig.complete(running[0]);
    assert_eq!(rig.core.snapshot().running, 4);
}

#[test]
fn a_completion_of_a_call_that_still_waits_means_nothing() {
    let mut rig = Rig::ready(config());
    rig.fill();
    let waiting = rig.submit();
    rig.take();
    rig.complete(waiting);
    assert_eq!(rig.take(), []);
    assert_eq!(rig.core.snapshot().queued, 1);
}

#[test]
fn an_answer_says_how_long_the_call_waited_and_took() {
    let mut rig = Rig::ready(config());
    let running = rig.fill();
    let call = rig.submit();
    rig.pass(ms(300));
    rig.complete(running[3]);
    rig.pass(ms(200));
    rig.take();
    rig.complete(call);
    let [(_, Verdict::Reported(service))] = answers(&rig.take())[..] else {
        panic!("it was not answered once");
    };
    assert_eq!(
        (service.worker, service.queued, service.total),
        (worker(1, 1), ms(300), ms(500))
    );
}

#[test]
fn time_does_not_run_backwards() {
    let mut rig = Rig::ready(config());
    let call = rig.submit_for(ms(100));
    rig.pass(ms(50));
    rig.take();
    rig.now = Moment::ZERO;
    rig.complete(call);
    let [(_, Verdict::Reported(service))] = answers(&rig.take())[..] else {
        panic!("it was not answered once");
    };
    assert_eq!(
        service.total,
        ms(0),
        "the core was never told of a later moment than that of the submission"
    );
}
