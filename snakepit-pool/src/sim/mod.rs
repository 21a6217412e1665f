//! Workers without processes, for tests of whoever drives pools.
//!
//! A [`SimProfile`] starts [`SimWorker`]s, and a [`Script`] says what becomes of each start and of each call. Faults come
//! from the script or from the test, which may freeze a worker, sever it or let it die. What happens is written line by
//! line into a [`Record`], which also keeps what a pool must never do to a worker.
//!
//! ```
//! use std::num::NonZeroU32;
//! use std::sync::Arc;
//! use snakepit_config::PoolName;
//! use snakepit_pool::sim::{Record, Script, SimProfile, Start};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
//! # let _entered = runtime.enter();
//! let script = Script::new(|worker| if worker.generation == 1 { Start::Panic } else { Start::Ready });
//! let pool = PoolName::new("p").expect("a name");
//! let profile = SimProfile::new(pool, NonZeroU32::MIN, script, Arc::new(Record::silent()));
//! assert!(profile.all().is_empty(), "nothing runs before a pool starts it");
//! ```
//!
//! A worker is one task, which does one thing after the other, and nothing in here is random. On a current-thread
//! runtime with paused time the same pool with the same calls therefore gives the same record, byte for byte.
//!
//! Not here: a call that ends twice. A worker owns a `Completion`, and reporting it consumes it. Nor streams, output and
//! child processes. And nothing is ever forgotten: a profile keeps every worker it has started, and a worker every
//! request it has got, which suits a test and nothing else.

mod behaviour;
mod process;
mod profile;
mod record;
mod script;
#[cfg(test)]
mod tests;
mod worker;

pub use behaviour::Behaviour;
pub use profile::SimProfile;
pub use record::{Misuse, Record, Violation};
pub use script::{Script, Start};
pub use worker::SimWorker;
