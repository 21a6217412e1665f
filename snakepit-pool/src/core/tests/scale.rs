//! Sizes at which anything that walks a list would be noticed.

use std::num::NonZeroU32;

use snakepit_config::Affinity;
use snakepit_profile::RequestId;

use super::rig::{LONG, answers, config, dispatched, ms, terms, worker};
use crate::core::{Action, Core, CoreConfig, End, Event, Moment, Priority, SessionId, Terms};

/// A ready pool, without a check after every step: those cost time in proportion to what it holds.
fn ready(config: CoreConfig) -> (Core, Vec<Action>) {
    let mut actions = Vec::new();
    let size = config.size.get();
    let mut core = Core::new(config);
    core.handle(Moment::ZERO, Event::Opened, &mut actions);
    for slot in 0..size {
        let worker = worker(slot, 1);
        core.handle(Moment::ZERO, Event::Launched { worker }, &mut actions);
        core.handle(Moment::ZERO, Event::BecameReady { worker }, &mut actions);
    }
    core.check().unwrap();
    actions.clear();
    (core, actions)
}

#[test]
fn a_million_calls_may_wait_and_leave_from_the_middle() {
    let mut config = config();
    config.queue_max = 1_000_000;
    config.queue_timeout = LONG;
    let (mut core, mut actions) = ready(config);
    let mut waiting = Vec::new();
    for n in 0..1_000_004 {
        let request = core.next_request();
        let deadline = Moment::ZERO.after(LONG);
        core.handle(
            Moment(n),
            Event::Submitted {
                request,
                terms: terms(deadline),
            },
            &mut actions,
        );
        waiting.push(request);
    }
    assert_eq!(actions.len(), 4, "four run, nobody was refused");
    core.check().unwrap();
    // From the middle outwards: a walk to each would take half an hour.
    for n in 0..500_000 {
        for request in [
            waiting[500_003 - n],
            waiting[500_004 + n - usize::from(n == 500_000)],
        ] {
            core.handle(Moment(2_000_000), Event::Cancelled { request }, &mut actions);
        }
    }
    assert_eq!(core.snapshot().queued, 0);
    core.check().unwrap();
}

/// What a crowd asks for: every priority, and every other one strictly of one of two sessions.
fn mixed(number: u64) -> Terms {
    let place = usize::try_from(number % 6).unwrap();
    Terms {
        priority: Priority::ALL[place / 2],
        session: (place % 2 == 0).then_some(SessionId(number / 6 % 2)),
        affinity: Affinity::StrictQueue,
        ..terms(Moment::ZERO.after(LONG))
    }
}

fn submit(core: &mut Core, now: Moment, terms: Terms, actions: &mut Vec<Action>) -> RequestId {
    let request = core.next_request();
    core.handle(now, Event::Submitted { request, terms }, actions);
    request
}

#[test]
fn a_million_calls_of_every_kind_may_leave_every_lane_from_the_middle() {
    let mut config = config();
    config.capacity = NonZeroU32::MIN;
    config.queue_max = 1_000_000;
    config.queue_timeout = LONG;
    let (mut core, mut actions) = ready(config);
    // Each session has its worker, which is busy: the strict wait for that one, all others for any.
    for session in 0..2 {
        let terms = Terms {
            session: Some(SessionId(session)),
            ..terms(Moment::ZERO.after(LONG))
        };
        submit(&mut core, Moment::ZERO, terms, &mut actions);
    }
    let waiting: Vec<_> = (0..1_000_000)
        .map(|number| submit(&mut core, Moment(number), mixed(number), &mut actions))
        .collect();
    assert_eq!((core.snapshot().queued, actions.len()), (1_000_000, 2));
    core.check().unwrap();
    let (before, after) = waiting.split_at(500_000);
    // A walk through a lane of 160,000 for each would take hours.
    for (&one, &other) in before.iter().rev().zip(after) {
        for request in [one, other] {
            core.handle(Moment(2_000_000), Event::Cancelled { request }, &mut actions);
        }
    }
    assert_eq!((core.snapshot().queued, actions.len()), (0, 2));
    core.check().unwrap();
}

#[test]
fn ten_thousand_calls_cancelled_within_10_ms_leave_nothing_behind() {
    let mut config = config();
    config.queue_max = 10_000;
    config.queue_timeout = ms(1000);
    let (mut core, mut actions) = ready(config);
    let calls: Vec<_> = (0..10_000)
        .map(|number| submit(&mut core, Moment(number), mixed(number), &mut actions))
        .collect();
    let running = dispatched(&actions);
    assert_eq!(running.len(), 4);
    // In an order that is neither that of their coming nor the reverse, a microsecond apart.
    for number in 0..10_000_u64 {
        let now = Moment(10_000 + 1000 * number);
        let request = calls[usize::try_from(number * 7919 % 10_000).unwrap()];
        core.handle(now, Event::Cancelled { request }, &mut actions);
    }
    let snapshot = core.snapshot();
    assert_eq!((snapshot.queued, snapshot.running, snapshot.lingering), (0, 0, 4));
    for (request, worker) in running {
        let end = End::Served;
        core.handle(
            Moment::ZERO.after(ms(20)),
            Event::Completed { request, worker, end },
            &mut actions,
        );
    }
    core.handle_timeout(Moment::ZERO.after(LONG * 2), &mut actions);
    assert_eq!(answers(&actions), [], "nobody is answered who has gone");
    assert_eq!(dispatched(&actions).len(), 4, "and nothing of it runs later");
    assert!(core.workers().all(|worker| worker.load == 0));
    assert_eq!(core.next_deadline(), None);
    core.check().unwrap();
}

#[test]
fn ten_thousand_workers_share_the_calls_evenly() {
    let mut config = config();
    config.size = NonZeroU32::new(10_000).unwrap();
    config.size_max = config.size;
    config.startup_batch_size = config.size;
    let (mut core, mut actions) = ready(config);
    for round in 1..=2 {
        for _ in 0..10_000 {
            let request = core.next_request();
            let deadline = Moment::ZERO.after(LONG);
            core.handle(
                Moment::ZERO,
                Event::Submitted {
                    request,
                    terms: terms(deadline),
                },
                &mut actions,
            );
        }
        assert!(core.workers().all(|worker| worker.load == round));
    }
    core.check().unwrap();
}
