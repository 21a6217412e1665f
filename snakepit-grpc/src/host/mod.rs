//! The host end: one private socket, one server, and the worker processes behind them.
//!
//! A [`Host`] is a `snakepit_profile::Launcher`: it creates a worker's process, lets it dial home, and hands out the
//! running worker. Nothing it started outlives it: dropping it kills every process group at once, and if the whole
//! program dies the kernel does, through each worker's [lifeline](Lifeline).
//!
//! It needs Linux 5.3 or later: exits are seen through pidfds.
//!
//! ```no_run
//! # async fn example() -> Result<(), snakepit_grpc::host::HostError> {
//! use std::sync::Arc;
//! use snakepit_grpc::host::Host;
//! use snakepit_profile::Launcher;
//!
//! let host = Host::bind()?;
//! let launcher: Arc<dyn Launcher> = host.clone();
//! // … profiles start their workers through `launcher` …
//! host.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod accept;
mod command;
mod directory;
mod error;
mod exit;
mod facts;
mod group;
mod handshake;
mod launch;
mod lifeline;
mod link;
mod memory;
mod output;
mod pending;
mod registry;
mod server;
mod spawner;
mod supervise;

pub use command::WORKER_CODE;
pub use error::HostError;
pub use launch::Host;
pub use lifeline::Lifeline;
