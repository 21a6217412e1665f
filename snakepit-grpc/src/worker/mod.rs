//! The worker end: what runs inside a worker process, whatever language its tools are written in.
//!
//! One native thread owns the connection. It answers pings by itself, so that a worker whose tools are stuck is not
//! taken for dead, and it hands calls to whoever waits in [`WorkerEnd::next_call`]. Nothing here needs an async runtime
//! of the caller: every method may be used from any thread.
//!
//! ```no_run
//! use std::time::Duration;
//! use snakepit_grpc::proto::{Completed, Hello, completed::Outcome};
//! use snakepit_grpc::worker::{Next, WorkerEnd, read_boot};
//!
//! let boot = read_boot(std::io::stdin())?;
//! let end = WorkerEnd::connect(&boot, Hello { pid: std::process::id(), ..Hello::default() }, None)?;
//! end.ready();
//! loop {
//!     match end.next_call(Duration::from_secs(1)) {
//!         Next::Call(call) => {
//!             end.complete(Completed {
//!                 request: call.request,
//!                 outcome: Some(Outcome::Value(call.arguments)),
//!                 ..Completed::default()
//!             });
//!         }
//!         Next::Nothing => {}
//!         Next::Drained => break,
//!     }
//! }
//! end.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod boot;
mod calls;
mod connection;
mod end;
mod error;
mod ladder;
mod lifeline;
mod socket;

pub use boot::{BOOT_MAX, read_boot};
pub use calls::{AbortFlag, IncomingCall, Next};
pub use end::WorkerEnd;
pub use error::{BootError, ConnectError};
pub use ladder::{Stop, Stopper};
