//! Sizes at which anything that walks a list would be noticed.

use std::num::NonZeroU32;

use super::rig::{LONG, config, terms, worker};
use crate::core::{Action, Core, CoreConfig, Event, Moment};

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
