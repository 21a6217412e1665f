//! Which Python this is, and the bridge for it.
//!
//! [`find`] looks for an interpreter where people expect it and asks it what it is: version, implementation, whether it
//! was built without a GIL, and whether its GIL is on. [`bridge_for`] finds the `snakepit_bridge` package for it, or
//! builds it in a source checkout. [`libraries`] knows which common libraries may be used from many threads.
//!
//! ```no_run
//! use snakepit_pyenv::{Silent, bridge_for, find};
//!
//! let python = find(None)?;
//! println!("{} is Python {}", python.path.display(), python.facts.version);
//! println!("its profile is {}", python.facts.recommended_profile());
//!
//! let bridge = bridge_for(&python, None, &Silent)?;
//! println!("its bridge: {:?}", bridge.path);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An interpreter that somebody chose is used or reported, never replaced by another. Paths are never canonicalised: a
//! virtual environment's `python3` is a link, and followed it would be another Python. Nothing is installed, and nothing
//! is written outside the checkout's `target` folder or the folder that [`build_bridge`] was given.
//!
//! Everything here blocks: a probe for the start of an interpreter, a build for as long as cargo runs. It does not start
//! workers, and knows of no pools.

mod bridge;
mod child;
mod error;
mod facts;
mod find;
pub mod libraries;
mod probe;
mod progress;

pub use bridge::{BRIDGE_VERSION, BridgeError, bridge_for, bridge_status, build_bridge};
pub use error::{FindError, ProbeError};
pub use facts::{
    Bridge, BridgeOrigin, Interpreter, InterpreterFacts, InterpreterOrigin, MINIMUM_VERSION, Version,
    recommend_profile_by_version,
};
pub use find::{Search, find};
pub use probe::{PROBE_TIME_LIMIT, installed_distributions, probe};
pub use progress::{Progress, Silent};
pub use snakepit_config::ProfileKind;

#[cfg(test)]
mod tests;
