//! Workers that die while they are given calls.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use snakepit_profile::CallError;

use super::explore::explore;
use super::rig::{Rig, Setup, background, call, join};
use crate::call::PoolCall;
use crate::error::PoolError;
use crate::sync::preempt;

/// Enough for every pause before a retry or a restart, and far less than any deadline.
const PAUSES: Duration = Duration::from_mins(1);

#[test]
fn a_dying_worker_takes_along_only_what_it_had() {
    explore(|| lost_with_their_worker(Setup::new(1, 2)));
}

/// Calls that must run once at most, and a worker that dies under some of them.
pub(super) fn lost_with_their_worker(setup: Setup) {
    let rig = Rig::ready(Setup {
        horizon: PAUSES,
        ..setup
    });
    let callers = ["hold", "echo", "echo"].map(|tool| rig.call(call(tool)));
    let victim = rig.model.workers().remove(0);
    victim.die();
    // The one that holds may be on the successor.
    let successor = loop {
        if let Some(worker) = rig.model.workers().get(1) {
            break Arc::clone(worker);
        }
        shuttle::thread::yield_now();
    };
    successor.release();
    for caller in callers {
        match join(caller) {
            Ok(_) | Err(PoolError::Call(CallError::Lost(_))) => {}
            // That a call was not sent is the pool's business: another worker gets it.
            other => panic!("{other:?}"),
        }
    }
    let stats = rig.settle();
    assert_eq!((stats.requests, stats.retried), (3, 0), "{stats:#?}");
}

#[test]
fn a_call_that_may_be_repeated_survives_its_worker() {
    explore(|| {
        let rig = Rig::ready(Setup {
            horizon: PAUSES,
            ..Setup::new(2, 1)
        });
        let repeatable = || PoolCall {
            idempotent: Some(true),
            attempts: NonZeroU32::new(3),
            ..call("echo")
        };
        let callers = [(); 2].map(|()| rig.call(repeatable()));
        let fickle = rig.fickle("hold", 2);
        let victim = rig.model.workers().remove(0);
        let death = background(async move {
            (0..3).for_each(|_| preempt());
            victim.die();
        });
        for caller in callers {
            let answer = join(caller);
            assert!(answer.is_ok(), "only one worker has died: {answer:?}");
        }
        join(fickle);
        join(death);
        rig.settle();
    });
}

#[test]
fn a_worker_that_dies_as_it_starts_is_replaced() {
    explore(|| {
        let rig = Setup {
            horizon: PAUSES,
            ..Setup::new(1, 1)
        }
        .start();
        let mut milestones = rig.pool.shared().milestones.subscribe();
        let launched = loop {
            if let Some(first) = rig.model.workers().pop() {
                break first;
            }
            shuttle::thread::yield_now();
        };
        // Before it is ready, before its launch has returned, or after both.
        launched.die();
        let settled = shuttle::future::block_on(milestones.wait_for(|so_far| so_far.settled));
        assert!(settled.is_ok_and(|so_far| so_far.ready));
        let answer = join(rig.call(PoolCall {
            idempotent: Some(true),
            ..call("echo")
        }));
        assert!(answer.is_ok(), "{answer:?}");
        assert_eq!(rig.model.workers().len(), 2, "it was replaced once");
        rig.settle();
    });
}
