//! The search finds deliberate defects, and what it finds can be run again.

use super::calls::aborted;
use super::explore::{Failure, replay, search};
use super::rig::{Rig, Setup, call, join};
use super::workers::lost_with_their_worker;
use crate::core::Canary;

#[test]
fn an_abort_that_overtakes_its_call_is_found() {
    let property = || {
        aborted(Setup {
            canary: Some(Canary::AbortOvertakes),
            ..Setup::new(1, 2)
        });
    };
    let failure = found(property);
    assert!(
        failure.message.contains("has overtaken it"),
        "{}",
        failure.message
    );
}

#[test]
fn a_slot_that_leaks_with_its_caller_is_found() {
    let failure = found(|| {
        let rig = Rig::ready(Setup {
            canary: Some(Canary::LeaksSlotOnCancel),
            ..Setup::new(1, 1)
        });
        join(rig.fickle("hold", 0));
        let answer = join(rig.call(call("echo")));
        assert!(answer.is_ok(), "{answer:?}");
    });
    assert!(failure.message.starts_with("deadlock"), "{}", failure.message);
}

#[test]
fn a_free_slot_that_nobody_gives_to_the_queue_is_found() {
    let failure = found(|| {
        let rig = Rig::ready(Setup {
            canary: Some(Canary::LosesWakeUp),
            ..Setup::new(1, 1)
        });
        for caller in [(); 2].map(|()| rig.call(call("echo"))) {
            let answer = join(caller);
            assert!(answer.is_ok(), "{answer:?}");
        }
    });
    assert!(failure.message.starts_with("deadlock"), "{}", failure.message);
}

#[test]
fn a_call_that_is_repeated_without_leave_is_found() {
    let failure = found(|| {
        lost_with_their_worker(Setup {
            canary: Some(Canary::RetriesEverything),
            ..Setup::new(1, 2)
        });
    });
    assert!(failure.message.contains("retried: 1"), "{}", failure.message);
}

/// A schedule under which a property fails. The same schedule fails again in the same way.
fn found(property: fn()) -> Failure {
    let failure = search(property).expect("a schedule under which it fails");
    assert_eq!(replay(&failure, property).as_ref(), Some(&failure.message));
    failure
}
