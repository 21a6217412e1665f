//! The multi-pool engine of snakepit.
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
//!         tool: "mean".into(),
//!         arguments: vec![0x80].into(), // an empty map
//!         timeout: Some(Duration::from_secs(5)),
//!         traceparent: None,
//!     })
//!     .await?;
//! println!("worker {} ran it in {:?}", answer.receipt.worker, answer.receipt.run_time);
//! pools.shutdown().await;
//! # Ok(())
//! # }
//! ```
mod book;
mod call;
mod clock;
pub mod core;
mod driver;
mod error;
mod pool;
mod pools;
mod stats;
mod supervised;

pub use call::{Answer, PoolCall, Receipt};
pub use clock::{Clock, TokioClock};
pub use core::WorkerState;
pub use error::{ErrorKind, PoolError};
pub use pool::{Pool, WorkerHandle};
pub use pools::Pools;
pub use stats::{PoolStats, PoolsStats};
