//! The multi-pool engine of snakepit: named pools of workers, side by side.
//!
//! A pool runs each call on its least-loaded ready worker, or lets it wait in a bounded queue, in order. It starts its
//! workers, replaces those that die, and answers every call exactly once, whatever happens:
//!
//! - A worker never has more calls than it has slots. A slot is free only when its code has stopped, also after the
//!   caller was answered.
//! - Code that does not stop once nobody waits for it costs its worker: the only call of it at once, and one of several
//!   after the others had their grace, with the next worker beside it.
//! - One deadline covers queue and run. Nothing is dispatched at or after it.
//! - A pool that cannot start refuses its calls at once and harms no other.
//! - Workers are renewed by age, calls or memory without a failed call: the successor is ready first.
//! - Dead workers are replaced, but only so often; beyond that the pool is degraded until a trial start succeeds.
//! - A call that its caller says is idempotent is tried again when its worker died, unless it seems to be the cause.
//! - A session stays with its worker as far as its calls ask for it.
//! - Every error says whether the code ran.
//!
//! ```no_run
//! # async fn example(
//! #     settings: snakepit_config::PoolSettings,
//! #     profile: std::sync::Arc<dyn snakepit_profile::WorkerProfile>,
//! # ) -> Result<(), snakepit_pool::PoolError> {
//! use std::time::Duration;
//! use snakepit_pool::{PoolCall, Pools};
//!
//! let pools = Pools::start(vec![(settings, profile)]);
//! pools.await_ready(Duration::from_secs(30)).await?;
//! let answer = pools
//!     .default_pool()?
//!     .call(PoolCall {
//!         timeout: Some(Duration::from_secs(5)),
//!         ..PoolCall::new("mean", vec![0x80]) // with an empty map of arguments
//!     })
//!     .await?;
//! println!("worker {} ran it in {:?}", answer.receipt.worker, answer.receipt.run_time);
//! pools.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Inside are two layers. The [`core`] decides: a pure state machine without clock, tasks or I/O, whose every invariant
//! tests check after every step. The driver around it holds it in one lock per pool, which the caller's own task enters,
//! and carries out what it says.
//!
//! Not here: what a worker is and how it is started (`snakepit-profile`), processes and the wire (`snakepit-grpc`), and
//! values: arguments and results are bytes.

mod book;
mod call;
mod clock;
pub mod core;
mod driver;
mod error;
mod events;
mod journal;
mod launch;
mod measure;
mod pool;
mod pools;
mod roster;
#[cfg(all(test, feature = "shuttle"))]
mod schedules;
mod sessions;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(all(test, not(feature = "shuttle")))]
mod simulation;
mod stats;
mod supervised;
mod sync;
mod table;

pub use call::{Answer, PoolCall, Receipt};
pub use clock::{Clock, TokioClock};
pub use core::{Priority, RecycleReason, WorkerState};
pub use error::{ErrorKind, PoolError};
pub use events::{Events, ExitCause, Observed, PoolEvent, PoolEventKind, RecycleReport};
pub use pool::{Pool, WorkerHandle};
pub use pools::{Pools, PoolsOptions};
pub use sessions::{NameFault, SessionError, SessionInfo, SessionUse, Sessions};
pub use stats::{PoolStats, PoolsStats};
