//! Tests of the test: of each deliberate defect the [`Model`] must take notice.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest as _};

use super::model::{Model, Op, Script};
use crate::core::Canary;

/// Within so many random cases a defect must be found.
const CASES: u32 = 500;

thread_local! {
    /// What panics on this thread is expected to.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn the_model_finds_every_deliberate_defect_of_the_core() {
    for canary in Canary::ALL {
        // That one is a defect of the driver.
        if canary == Canary::AbortOvertakes {
            continue;
        }
        let found = first_finding(canary);
        let (case, finding) = found.unwrap_or_else(|| panic!("{canary:?} was not found in {CASES} cases"));
        println!(
            "{canary:?}: case {case}, {}",
            finding.lines().next().unwrap_or_default()
        );
    }
}

/// The case that finds the defect, always the same one, and what it finds. Without the defect it finds nothing.
fn first_finding(canary: Canary) -> Option<(u32, String)> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let cases = Script::sequential_strategy(1..100);
    for case in 1..=CASES {
        let (script, ops, _) = cases.new_tree(&mut runner).unwrap().current();
        if let Some(finding) = play(script.clone().with(canary), ops.clone()) {
            let other = play(script, ops);
            assert_eq!(other, None, "case {case} fails without {canary:?}, too");
            return Some((case, finding));
        }
    }
    None
}

/// Plays one case, and gives what the model finds wrong.
fn play(script: Script, ops: Vec<Op>) -> Option<String> {
    hush();
    QUIET.set(true);
    let play = || Model::test_sequential(ProptestConfig::default(), script, ops, None);
    let result = panic::catch_unwind(AssertUnwindSafe(play));
    QUIET.set(false);
    let panic = result.err()?;
    let message = panic.downcast_ref::<String>().cloned();
    Some(message.unwrap_or_else(|| "a panic without a message".to_owned()))
}

/// Keeps expected panics out of the output. Those of other threads are reported as before.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                report(panic);
            }
        }));
    });
}
