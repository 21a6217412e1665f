//! The end of a pool, while it is used.

use std::time::Duration;

use shuttle::future::block_on;
use shuttle::thread::JoinHandle;

use super::explore::explore;
use super::rig::{Rig, Setup, background, call, join};
use crate::core::Milestones;
use crate::error::PoolError;

#[test]
fn a_drain_races_calls() {
    explore(|| {
        let rig = Setup::new(2, 1).start();
        let watcher = watch(&rig);
        let callers = [(); 2].map(|()| rig.call(call("echo")));
        let fickle = rig.fickle("hold", 2);
        block_on(rig.pool.drain());
        for caller in callers {
            assert_served_or_refused(&join(caller).map(drop));
        }
        join(fickle);
        let stats = rig.settle();
        assert_eq!(stats.workers, 0, "the last one has gone before the drain returns");
        drop(rig);
        join(watcher);
    });
}

#[test]
fn a_shutdown_races_calls() {
    explore(|| {
        let rig = Setup {
            // The patience passes, the grace does not.
            horizon: Duration::from_secs(1),
            ..Setup::new(1, 1)
        }
        .start();
        let watcher = watch(&rig);
        let callers = ["echo", "echo"].map(|tool| rig.call(call(tool)));
        block_on(rig.pool.shutdown(Duration::from_secs(1)));
        for caller in callers {
            assert_served_or_refused(&join(caller).map(drop));
        }
        rig.settle();
        drop(rig);
        join(watcher);
    });
}

#[test]
fn the_last_handle_is_dropped_while_callers_go() {
    explore(|| {
        let rig = Setup::new(2, 1).start();
        let watcher = watch(&rig);
        let faults = rig.model.faults();
        let callers = [("echo", 0), ("hold", 2), ("hold", 9)];
        let callers = callers.map(|(tool, patience)| rig.fickle(tool, patience));
        drop(rig);
        callers.into_iter().for_each(join);
        join(watcher);
        assert_eq!(*faults.lock(), Vec::<String>::new());
    });
}

/// Sees a pool to its end. Nothing that has come true is taken back, and the end comes last.
fn watch(rig: &Rig) -> JoinHandle<()> {
    let mut milestones = rig.pool.shared().milestones.subscribe();
    background(async move {
        let mut before = Milestones::default();
        loop {
            let now = *milestones.borrow_and_update();
            assert_eq!(with(before, now), now, "{before:?} came before {now:?}");
            assert!(!(before.stopped && now != before), "{now:?} came after the end");
            before = now;
            if now.stopped || milestones.changed().await.is_err() {
                return;
            }
        }
    })
}

/// Everything that one of them says.
fn with(mut milestones: Milestones, more: Milestones) -> Milestones {
    milestones.merge(more);
    milestones
}

fn assert_served_or_refused(answer: &Result<(), PoolError>) {
    let refused = |error: &PoolError| {
        matches!(
            error,
            PoolError::ShuttingDown { .. } | PoolError::PoolNotInitialized { .. }
        )
    };
    assert!(
        answer.as_ref().is_ok() || answer.as_ref().is_err_and(refused),
        "{answer:?}"
    );
}
