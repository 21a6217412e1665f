//! The core and its driver under everything that can go wrong, decided by one seed.
//!
//! A seed draws the pools' settings, what workers do and suffer, what callers and operators want, and when. All of it runs
//! on one thread and a clock that waits for nobody, so that the same seed gives the same log, byte for byte. Rules are
//! judged after every step of a core, at every answer, and in the end: after the faults have stopped, every pool must
//! become whole by itself, and nothing may be left of it when it ends.
//!
//! `cargo xtask sim SEED` replays a seed and prints its log.

mod callers;
mod canaries;
mod ending;
mod judge;
mod layout;
mod log;
mod panics;
mod play;
mod random;
mod readers;
mod recovery;
mod witness;
mod workers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::core::Canary;
use play::Play;
use world::World;

/// Seeds of an ordinary run.
const SEEDS: u64 = 500;
/// Lines before a violation that are shown.
const LAST_LINES: usize = 60;

/// How a simulation went.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    log: Vec<String>,
    /// The rule that was broken first, if one was.
    broken: Option<String>,
}

/// Plays a seed, with a defect where one is to be found.
fn simulate(seed: u64, canary: Option<Canary>) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let watch = panics::Watch::begin();
    let world = {
        let _entered = runtime.enter();
        Arc::new(World::new(seed, canary))
    };
    let whole = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let play = Play::begin(Arc::clone(&world), seed);
            play.perform().await;
        });
    }));
    drop(catch_unwind(AssertUnwindSafe(|| drop(runtime))));
    let panics = watch.end();
    if whole.is_err() || !panics.is_empty() {
        world.log.accuse("nothing panics", panics.join("; "));
    }
    let (log, broken) = world.log.take();
    Ended { log, broken }
}

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    let given = std::env::var(variable).ok()?;
    Some(
        given
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {given}")),
    )
}

#[test]
fn every_seed_keeps_the_promises() {
    if let Some(seed) = number("PIT_SIM_SEED") {
        let ended = simulate(seed, None);
        for line in &ended.log {
            println!("{line}");
        }
        assert_eq!(ended.broken, None, "seed {seed}");
        return;
    }
    let from = number("PIT_SIM_FROM").unwrap_or(0);
    let seeds = number("PIT_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in from..from + seeds {
        let Ended { log, broken } = simulate(seed, None);
        if let Some(broken) = broken {
            let last = log.len().saturating_sub(LAST_LINES);
            panic!(
                "seed {seed} broke a rule: {broken}\n{}\nTo replay it: cargo xtask sim {seed}",
                log[last..].join("\n")
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let mut lines = 0;
    for seed in 0..20 {
        let (first, again) = (simulate(seed, None), simulate(seed, None));
        assert_eq!(first, again, "seed {seed}");
        lines += first.log.len();
    }
    assert!(lines > 2000, "what does next to nothing is easily the same");
}
