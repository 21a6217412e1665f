//! What the [`Model`](super::model::Model) has found by chance, each as small as it gets.

use std::num::NonZeroU32;

use snakepit_config::Affinity;

use super::rig::{Rig, answers, config, dispatched, kill, ms, of_session, stop, worker};
use crate::core::{CoreConfig, End, Event, KillReason, Moment, Terms, Verdict};

fn of_one_call(size: u32) -> CoreConfig {
    CoreConfig {
        size: NonZeroU32::new(size).unwrap(),
        capacity: NonZeroU32::MIN,
        ..config()
    }
}

#[test]
fn a_slot_that_is_taken_away_does_not_begin_a_renewal_first() {
    let mut config = of_one_call(3);
    config.recycling.surge_max = 1;
    let mut rig = Rig::ready(config);
    rig.tell(Event::RecycleRequested { worker: worker(1, 1) });
    rig.tell(Event::LaunchFailed {
        worker: worker(1, 2),
        permanent: false,
    });
    rig.tell(Event::RecycleRequested { worker: worker(2, 1) });
    rig.take();
    // The seat that waited for another successor of slot 1 becomes free.
    rig.tell(Event::Resized {
        size: NonZeroU32::MIN,
    });
    assert_eq!(rig.take(), [stop(worker(1, 1)), stop(worker(2, 1))]);
}

#[test]
fn a_start_that_a_smaller_pool_gave_up_did_not_time_out() {
    let mut rig = Rig::new(config());
    rig.tell(Event::Opened);
    rig.tell(Event::Resized {
        size: NonZeroU32::MIN,
    });
    rig.tell(Event::Resized {
        size: NonZeroU32::new(2).unwrap(),
    });
    rig.take();
    rig.launch(worker(1, 1));
    assert_eq!(rig.take(), [kill(worker(1, 1), KillReason::NotNeeded)]);
}

#[test]
fn a_session_that_has_moved_is_not_freed_by_who_waited_for_its_old_worker() {
    let mut rig = Rig::ready(of_one_call(3));
    let hint = |rig: &mut Rig| rig.submit_with(of_session(1, Affinity::Hint));
    let strict = |rig: &mut Rig| rig.submit_with(of_session(1, Affinity::StrictQueue));
    hint(&mut rig);
    let left_behind = strict(&mut rig);
    let moved = hint(&mut rig);
    rig.take();
    rig.exit(worker(0, 1));
    let gone = Verdict::SessionWorkerUnavailable { worker: worker(0, 1) };
    assert!(answers(&rig.take()).contains(&(left_behind, gone)));
    // There is a free worker, and it is not the session's.
    let next = strict(&mut rig);
    assert_eq!(dispatched(&rig.take()), []);
    rig.complete(moved);
    assert_eq!(dispatched(&rig.take()), [(next, worker(1, 1))]);
}

#[test]
fn a_call_that_rests_is_not_given_to_a_worker_after_its_deadline_however_late_the_timer() {
    let mut rig = Rig::ready(config());
    let attempts = NonZeroU32::new(2).unwrap();
    let deadline = rig.now.after(ms(150));
    let request = rig.submit_with(|terms| Terms {
        deadline,
        attempts,
        ..terms
    });
    rig.exit(worker(0, 1));
    rig.take();
    rig.now = rig.now.after(ms(200));
    rig.tell(Event::Opened);
    let late = Verdict::DeadlineExceeded {
        dispatched: true,
        after: ms(200),
    };
    let actions = rig.take();
    assert_eq!(dispatched(&actions), []);
    assert_eq!(answers(&actions), [(request, late)]);
}

#[test]
fn a_call_that_never_reached_its_worker_does_not_wait_in_a_pool_that_has_dismissed_the_others() {
    let mut rig = Rig::ready(of_one_call(2));
    let request = rig.submit();
    rig.tell(Event::DrainRequested);
    rig.take();
    rig.end(request, End::NotSent);
    let answered = answers(&rig.take());
    assert!(matches!(answered[..], [(answered, Verdict::Reported(_))] if answered == request));
}

#[test]
fn a_call_that_is_lost_while_its_pool_still_starts_leaves_nobody_waiting_for_its_worker() {
    let mut rig = Rig::new(of_one_call(2));
    rig.now = Moment::ZERO;
    rig.tell(Event::Opened);
    rig.start(worker(0, 1));
    let lost = rig.submit();
    let waits = rig.submit();
    rig.launch(worker(1, 1));
    rig.tell(Event::Exited {
        worker: worker(1, 1),
        permanent: false,
    });
    rig.end(lost, End::Lost);
    let answered: Vec<_> = answers(&rig.take())
        .into_iter()
        .map(|(request, _)| request)
        .collect();
    assert_eq!(answered, [lost]);
    rig.complete(waits);
    assert_eq!(answers(&rig.take()), [], "nobody had it");
}
