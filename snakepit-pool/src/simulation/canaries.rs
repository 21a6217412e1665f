//! The simulation finds what it is for: every deliberate defect, within so many seeds.

use super::simulate;
use crate::core::Canary;

/// Seeds in which a defect must be found.
const SEEDS: u64 = 100;

#[test]
fn every_canary_is_found() {
    for canary in Canary::ALL {
        let found = (0..SEEDS).find_map(|seed| Some((seed, simulate(seed, Some(canary)).broken?)));
        match found {
            Some((seed, broken)) => println!("{canary:?}: seed {} found it: {broken}", seed + 1),
            None => panic!("{canary:?} was not found in {SEEDS} seeds"),
        }
    }
}
