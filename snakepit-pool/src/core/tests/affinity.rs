//! Sessions and their workers: preferred, waited for, or gone.

use snakepit_config::Affinity::{Hint, StrictFailFast, StrictQueue};

use super::rig::{Rig, answers, dispatched, kill, ms, of_session, patient, worker};
use crate::core::{End, Event, KillReason, Moment, SessionId, Terms, Verdict};

const GONE: Verdict = Verdict::SessionWorkerUnavailable { worker: worker(0, 1) };

/// Two workers of one call each. Session 1 is placed on the first, which is free.
fn placed() -> Rig {
    let mut rig = Rig::ready(patient(2, 1));
    let first = rig.submit_with(of_session(1, Hint));
    assert_eq!(dispatched(&rig.take()), [(first, worker(0, 1))]);
    rig.complete(first);
    rig.take();
    rig
}

#[test]
fn a_hint_prefers_the_worker_that_served_its_session_last() {
    let mut rig = placed();
    let again = rig.submit_with(of_session(1, Hint));
    assert_eq!(
        dispatched(&rig.take()),
        [(again, worker(0, 1))],
        "although the other one is unused"
    );
}

#[test]
fn a_hint_takes_any_worker_where_its_own_is_full_and_stays_there() {
    let mut rig = placed();
    let calls = [
        rig.submit_with(of_session(1, Hint)),
        rig.submit_with(of_session(1, Hint)),
    ];
    assert_eq!(
        dispatched(&rig.take()),
        [(calls[0], worker(0, 1)), (calls[1], worker(1, 1))]
    );
    for call in calls {
        rig.complete(call);
    }
    rig.take();
    let next = rig.submit_with(of_session(1, Hint));
    assert_eq!(dispatched(&rig.take()), [(next, worker(1, 1))]);
}

#[test]
fn a_hint_that_has_to_wait_takes_the_first_free_slot() {
    let mut rig = placed();
    let running = rig.fill();
    let waiting = rig.submit_with(of_session(1, Hint));
    rig.take();
    let elsewhere = running[0];
    rig.complete(elsewhere);
    assert_eq!(
        dispatched(&rig.take()),
        [(waiting, worker(1, 1))],
        "its own worker is still full"
    );
}

#[test]
fn a_hint_whose_worker_is_gone_is_told_nothing() {
    let mut rig = placed();
    rig.exit(worker(0, 1));
    rig.take();
    let next = rig.submit_with(of_session(1, Hint));
    assert_eq!(dispatched(&rig.take()), [(next, worker(1, 1))]);
}

#[test]
fn a_strict_call_waits_for_its_worker_and_others_overtake_it_only_elsewhere() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let strict = rig.submit_strict(1);
    assert_eq!(
        dispatched(&rig.take()),
        [(running, worker(0, 1))],
        "the other worker is free, and not for it"
    );
    let overtaking = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(overtaking, worker(1, 1))]);
    let later = rig.submit();
    rig.complete(running);
    assert_eq!(
        dispatched(&rig.take()),
        [(strict, worker(0, 1))],
        "on its own worker it goes before what came later"
    );
    rig.complete(overtaking);
    assert_eq!(dispatched(&rig.take()), [(later, worker(1, 1))]);
}

#[test]
fn a_strict_call_overtakes_nobody_on_its_worker() {
    let mut rig = placed();
    let running = [rig.submit_strict(1), rig.submit()];
    let earlier = rig.submit();
    let strict = rig.submit_strict(1);
    rig.take();
    rig.complete(running[0]);
    assert_eq!(dispatched(&rig.take()), [(earlier, worker(0, 1))]);
    rig.complete(running[1]);
    assert_eq!(dispatched(&rig.take()), []);
    rig.complete(earlier);
    assert_eq!(dispatched(&rig.take()), [(strict, worker(0, 1))]);
}

#[test]
fn strict_calls_have_their_places_in_the_one_queue() {
    let mut config = patient(2, 1);
    config.queue_max = 1;
    let mut rig = Rig::ready(config);
    rig.submit_strict(1);
    rig.submit_strict(1);
    rig.take();
    let refused = rig.submit_strict(1);
    assert_eq!(
        answers(&rig.take()),
        [(refused, Verdict::Saturated { depth: 1, limit: 1 })]
    );
    let elsewhere = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(elsewhere, worker(1, 1))]);
}

#[test]
fn who_waits_for_one_worker_waits_no_longer_than_others() {
    let mut config = patient(2, 1);
    config.queue_timeout = ms(1000);
    let mut rig = Rig::ready(config);
    let running = rig.submit_strict(1);
    let (impatient, cancelled) = (rig.submit_strict(1), rig.submit_strict(1));
    rig.take();
    rig.cancel(cancelled);
    rig.pass(ms(1000));
    assert_eq!(
        answers(&rig.take()),
        [(impatient, Verdict::QueueTimeout { waited: ms(1000) })]
    );
    rig.complete(running);
    assert_eq!(dispatched(&rig.take()), []);
}

#[test]
fn a_call_that_does_not_want_to_wait_is_told_that_its_worker_is_busy() {
    let mut rig = placed();
    let running = rig.submit_with(of_session(1, StrictFailFast));
    rig.take();
    let refused = rig.submit_with(of_session(1, StrictFailFast));
    let verdict = Verdict::WorkerBusy { worker: worker(0, 1) };
    assert_eq!(answers(&rig.take()), [(refused, verdict)]);
    rig.complete(running);
    rig.take();
    let served = rig.submit_with(of_session(1, StrictFailFast));
    assert_eq!(dispatched(&rig.take()), [(served, worker(0, 1))]);
}

#[test]
fn strict_calls_that_came_before_their_session_had_a_worker_end_up_on_one_in_order() {
    let mut rig = Rig::ready(patient(2, 1));
    let running = rig.fill();
    let strict = [1; 3].map(|session| rig.submit_strict(session));
    rig.take();
    rig.complete(running[1]);
    assert_eq!(dispatched(&rig.take()), [(strict[0], worker(1, 1))]);
    rig.complete(running[0]);
    assert_eq!(
        dispatched(&rig.take()),
        [],
        "the free worker is not their session's"
    );
    let other = rig.submit();
    assert_eq!(dispatched(&rig.take()), [(other, worker(0, 1))]);
    for pair in strict.windows(2) {
        rig.complete(pair[0]);
        assert_eq!(dispatched(&rig.take()), [(pair[1], worker(1, 1))]);
    }
}

#[test]
fn a_call_that_does_not_want_to_wait_waits_only_until_its_session_has_a_worker() {
    let mut rig = Rig::ready(patient(2, 1));
    let running = rig.fill();
    let calls = [1; 2].map(|session| rig.submit_with(of_session(session, StrictFailFast)));
    rig.take();
    rig.complete(running[0]);
    assert_eq!(dispatched(&rig.take()), [(calls[0], worker(0, 1))]);
    rig.complete(running[1]);
    let verdict = Verdict::WorkerBusy { worker: worker(0, 1) };
    assert_eq!(answers(&rig.take())[1..], [(calls[1], verdict)]);
}

#[test]
fn who_ran_on_a_dead_worker_is_lost_and_who_waited_for_it_is_told_so() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let waiting = [rig.submit_strict(1), rig.submit_strict(1)];
    rig.take();
    rig.exit(worker(0, 1));
    let told = answers(&rig.take());
    assert!(matches!(told[0], (call, Verdict::WorkerLost(_)) if call == running));
    assert_eq!(told[1..], waiting.map(|call| (call, GONE)));
    let next = rig.submit_strict(1);
    assert_eq!(
        dispatched(&rig.take()),
        [(next, worker(1, 1))],
        "the session knows, and begins anew"
    );
}

#[test]
fn a_session_whose_worker_died_is_told_once_and_begins_anew() {
    let mut rig = placed();
    rig.exit(worker(0, 1));
    rig.await_spawn();
    rig.start(worker(0, 2));
    rig.take();
    let told = rig.submit_strict(1);
    assert_eq!(
        answers(&rig.take()),
        [(told, GONE)],
        "its slot has a worker again, but not that one"
    );
    let next = rig.submit_strict(1);
    assert_eq!(dispatched(&rig.take()), [(next, worker(1, 1))]);
}

#[test]
fn a_refused_call_of_a_session_is_not_how_it_learns_that_its_worker_died() {
    let mut rig = placed();
    rig.exit(worker(0, 1));
    rig.submit();
    rig.take();
    let late = rig.submit_with(|terms| Terms {
        deadline: Moment::ZERO,
        ..of_session(1, StrictQueue)(terms)
    });
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::DeadlineExceeded { .. })] if call == late));
    let told = rig.submit_strict(1);
    assert_eq!(answers(&rig.take()), [(told, GONE)]);
}

#[test]
fn a_severed_worker_is_no_longer_waited_for() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let waiting = rig.submit_strict(1);
    rig.take();
    rig.tell(Event::Severed { worker: worker(0, 1) });
    let actions = rig.take();
    assert!(actions.contains(&kill(worker(0, 1), KillReason::Severed)));
    assert_eq!(answers(&actions), [(waiting, GONE)]);
    rig.exit(worker(0, 1));
    assert!(matches!(answers(&rig.take())[..], [(call, Verdict::WorkerLost(_))] if call == running));
}

#[test]
fn a_strict_call_that_its_dead_worker_never_got_is_told_so_and_does_not_run_elsewhere() {
    let mut rig = placed();
    let unsent = rig.submit_strict(1);
    rig.take();
    rig.end(unsent, End::NotSent);
    let actions = rig.take();
    assert_eq!(
        (answers(&actions), dispatched(&actions)),
        (vec![(unsent, GONE)], vec![])
    );
}

#[test]
fn strict_calls_that_wait_for_a_renewed_worker_are_served_by_it() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let waiting = rig.submit_strict(1);
    rig.recycle(worker(0, 1));
    rig.start(worker(0, 2));
    rig.take();
    rig.complete(running);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 1))]);
    let told = rig.submit_strict(1);
    assert_eq!(answers(&rig.take()), [(told, GONE)], "it takes nothing new");
}

#[test]
fn a_session_moves_away_from_a_renewed_worker_once() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let waiting = rig.submit_strict(1);
    rig.recycle(worker(0, 1));
    rig.start(worker(0, 2));
    let told = rig.submit_strict(1);
    assert_eq!(answers(&rig.take()), [(told, GONE)]);
    let moved = rig.submit_strict(1);
    assert_eq!(dispatched(&rig.take()), [(moved, worker(1, 1))]);
    rig.complete(moved);
    rig.complete(running);
    rig.complete(waiting);
    rig.take();
    let next = rig.submit_strict(1);
    assert_eq!(
        dispatched(&rig.take()),
        [(next, worker(1, 1))],
        "what the old worker still had to do does not move the session back"
    );
}

#[test]
fn an_ended_session_is_served_to_its_last_call() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let waiting = rig.submit_strict(1);
    rig.take();
    rig.tell(Event::SessionEnded {
        session: SessionId(1),
    });
    rig.complete(running);
    assert_eq!(dispatched(&rig.take()), [(waiting, worker(0, 1))]);
    rig.complete(waiting);
    rig.take();
    let stranger = rig.submit_strict(2);
    assert_eq!(
        dispatched(&rig.take()),
        [(stranger, worker(1, 1))],
        "its name is used again, and it is another session"
    );
}

#[test]
fn calls_of_a_session_that_ended_before_it_had_a_worker_run_on_any() {
    let mut rig = Rig::ready(patient(2, 1));
    let running = rig.fill();
    let strict = [1; 2].map(|session| rig.submit_strict(session));
    rig.tell(Event::SessionEnded {
        session: SessionId(1),
    });
    rig.take();
    for call in running {
        rig.complete(call);
    }
    assert_eq!(
        dispatched(&rig.take()),
        [(strict[0], worker(0, 1)), (strict[1], worker(1, 1))]
    );
}

#[test]
fn each_call_has_an_affinity_of_its_own() {
    let mut rig = placed();
    let running = rig.submit_strict(1);
    let strict = rig.submit_strict(1);
    let hint = rig.submit_with(of_session(1, Hint));
    assert_eq!(
        dispatched(&rig.take()),
        [(running, worker(0, 1)), (hint, worker(1, 1))]
    );
    let verdict = Verdict::WorkerBusy { worker: worker(1, 1) };
    let busy = rig.submit_with(of_session(1, StrictFailFast));
    assert_eq!(
        answers(&rig.take()),
        [(busy, verdict)],
        "the hint has moved the session"
    );
    rig.complete(running);
    assert_eq!(
        dispatched(&rig.take()),
        [(strict, worker(0, 1))],
        "who waited for a worker still gets that one"
    );
}

#[test]
fn a_strict_call_without_a_session_is_like_any_other() {
    let mut rig = Rig::ready(patient(1, 1));
    rig.fill();
    rig.take();
    let call = rig.submit_with(|terms| Terms {
        affinity: StrictFailFast,
        ..terms
    });
    assert_eq!(answers(&rig.take()), []);
    assert_eq!(rig.core.snapshot().queued, 1);
    rig.cancel(call);
}

#[test]
fn a_first_strict_call_that_did_not_reach_its_worker_goes_to_another() {
    let mut rig = Rig::ready(patient(2, 1));
    let call = rig.submit_strict(1);
    rig.take();
    rig.end(call, End::NotSent);
    assert_eq!(dispatched(&rig.take()), [(call, worker(1, 1))]);
}
