//! The wire between a snakepit host and its Python workers, both ends of it.
//!
//! A worker dials home: the host starts its process, the worker connects to the host's unix socket, proves itself with
//! a one-time token and keeps one bidirectional gRPC stream for its whole life. The protocol is the file
//! `proto/snakepit/v1/worker.proto`; a worker can be written in any language from it alone.
//!
//! - [`values`]: serde types as MessagePack, with limits that are checked before anything is sent or allocated.
//! - [`worker`]: the worker end, without any feature. Its user needs no async runtime.
//! - [`host`], under the feature of that name, which is on by default: the host end and the processes behind it. It
//!   implements `snakepit_profile::Launcher`.
//!
//! ```
//! use snakepit_grpc::values::{self, Limits};
//!
//! let limits = Limits::default();
//! let bytes = values::encode(&("mean", [1.0, 2.5]), &limits)?;
//! let back: (String, Vec<f64>) = values::decode(&bytes, &limits)?;
//! assert_eq!(back, ("mean".to_owned(), vec![1.0, 2.5]));
//! # Ok::<(), values::ValueError>(())
//! ```
//!
//! Not here: which worker gets a call and who waits for one (`snakepit-pool`), and everything Python
//! (`snakepit-bridge`).

#[cfg(feature = "host")]
pub mod host;
mod outbox;
pub mod proto;
pub mod values;
mod window;
pub mod worker;

/// Version of the protocol. Host and worker must speak the same.
pub const PROTOCOL: u32 = 1;
