//! The timer task, and deadlines that come nearer while it goes to sleep.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use shuttle::future::block_on;

use super::explore::explore;
use super::rig::{Rig, Setup, call, join};
use crate::call::PoolCall;
use crate::error::PoolError;

#[test]
fn a_deadline_that_comes_nearer_is_not_slept_through() {
    explore(|| {
        // Not awaited: the timer task may not have run at all yet.
        let rig = Setup::new(1, 1).start();
        block_on(rig.pool.await_ready(Duration::MAX)).expect("it becomes ready");
        let holding = rig.call(PoolCall {
            timeout: Some(Duration::from_hours(1)),
            ..call("hold")
        });
        let mut hurried = Box::pin(rig.pool.call(PoolCall {
            timeout: Some(Duration::from_secs(1)),
            ..call("hold")
        }));
        let at_once = block_on(poll_fn(|context| {
            Poll::Ready(hurried.as_mut().poll(context).is_ready())
        }));
        assert!(!at_once, "nothing is due");
        // From here on nobody but the timer can notice.
        rig.clock.advance(Duration::from_secs(2));
        let answer = block_on(hurried);
        assert!(
            matches!(answer, Err(PoolError::DeadlineExceeded { .. })),
            "{answer:?}"
        );
        rig.model.workers().remove(0).release();
        let answer = join(holding);
        assert!(answer.is_ok(), "{answer:?}");
        rig.settle();
    });
}

#[test]
fn a_deadline_races_the_end_of_its_call() {
    explore(|| {
        let rig = Rig::ready(Setup {
            // Four deadlines of a second, one after the other at worst; and after each the worker may be given up, because
            // time was faster than what it was told.
            horizon: Duration::from_mins(1),
            ..Setup::new(1, 1)
        });
        let hurried = |tool: &str| {
            rig.call(PoolCall {
                timeout: Some(Duration::from_secs(1)),
                ..call(tool)
            })
        };
        let callers = [hurried("echo"), hurried("hold"), hurried("echo")];
        let fickle = rig.fickle("echo", 3);
        for caller in callers {
            let answer = join(caller);
            assert!(
                matches!(answer, Ok(_) | Err(PoolError::DeadlineExceeded { .. })),
                "{answer:?}"
            );
        }
        join(fickle);
        rig.settle();
    });
}
