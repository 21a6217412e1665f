//! Callers, the ends of their calls, and callers that go.

use super::explore::explore;
use super::rig::{Rig, Setup, call, join};

#[test]
fn every_caller_is_answered_and_every_slot_comes_back() {
    explore(|| {
        let rig = Rig::ready(Setup::new(2, 1));
        let patient = [(); 3].map(|()| rig.call(call("echo")));
        let fickle = [("echo", 1), ("hold", 4)].map(|(tool, patience)| rig.fickle(tool, patience));
        for caller in patient {
            let answer = join(caller);
            assert!(answer.is_ok(), "{answer:?}");
        }
        fickle.into_iter().for_each(join);
        let stats = rig.settle();
        assert!(stats.completed >= 3, "{stats:#?}");
        assert_eq!(stats.completed + stats.cancelled, 5, "{stats:#?}");
    });
}

#[test]
fn calls_wait_while_every_slot_is_taken_and_no_longer() {
    explore(|| {
        let rig = Rig::ready(Setup::new(1, 2));
        let holding = [(); 2].map(|()| rig.call(call("hold")));
        let waiting = [(); 2].map(|()| rig.call(call("echo")));
        rig.model.workers().remove(0).release();
        for caller in holding.into_iter().chain(waiting) {
            let answer = join(caller);
            assert!(answer.is_ok(), "{answer:?}");
        }
        assert_eq!(rig.settle().completed, 4);
    });
}

#[test]
fn a_caller_may_go_at_any_point() {
    explore(|| {
        let rig = Rig::ready(Setup::new(1, 1));
        // Before anything else, while its call is dispatched, runs, waits behind another, ends, and is answered.
        let callers = [("hold", 0), ("hold", 3), ("echo", 0), ("echo", 7), ("echo", 20)];
        let callers = callers.map(|(tool, patience)| rig.fickle(tool, patience));
        let after_all = rig.call(call("echo"));
        callers.into_iter().for_each(join);
        let answer = join(after_all);
        assert!(answer.is_ok(), "{answer:?}");
        let stats = rig.settle();
        assert_eq!(stats.completed + stats.cancelled, 6, "{stats:#?}");
        assert_eq!(stats.requests, 6, "{stats:#?}");
    });
}

#[test]
fn no_abort_overtakes_its_call() {
    explore(aborts_race_dispatches);
}

/// Every caller goes, so that most calls are aborted; some as they are dispatched out of the queue.
pub(super) fn aborts_race_dispatches() {
    aborted(Setup::new(1, 2));
}

/// As [`aborts_race_dispatches`], in a pool that may have a defect.
pub(super) fn aborted(setup: Setup) {
    let rig = Rig::ready(setup);
    let callers = [0, 1, 2, 5].map(|patience| rig.fickle("hold", patience));
    callers.into_iter().for_each(join);
    let faults = rig.model.faults();
    let mut milestones = rig.pool.shared().milestones.subscribe();
    drop(rig);
    // The sender may be gone as well, and every worker with it.
    let _ = shuttle::future::block_on(milestones.wait_for(|so_far| so_far.stopped));
    assert_eq!(*faults.lock(), Vec::<String>::new());
}
