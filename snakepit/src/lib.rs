//! Run Python from Rust, in named pools of supervised worker processes.
//!
//! ```no_run
//! use std::time::Duration;
//! use snakepit::{PoolConfig, Snakepit};
//!
//! # async fn program() -> Result<(), snakepit::Error> {
//! let pit = Snakepit::builder().pool(PoolConfig::new("default").adapter("stats.py").pool_size(2)).start().await?;
//! pit.await_ready(Duration::from_secs(30)).await?;
//!
//! let mean: f64 = pit.call("mean").arg("values", [1.0, 2.0, 3.0]).await?;
//! println!("{mean}");
//!
//! pit.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! where `stats.py` is
//!
//! ```python
//! from snakepit_bridge import tool
//!
//! @tool
//! def mean(values: list[float]) -> float:
//!     return sum(values) / len(values)
//! ```
//!
//! This crate is the front of the workspace: a builder, typed calls, and one error type. The parts behind it can be used
//! by themselves: `snakepit-config` (what the user wrote), `snakepit-pyenv` (which Python), `snakepit-profile` (how a
//! worker runs calls), `snakepit-pool` (queues and routing), `snakepit-grpc` (the wire and the processes).
//!
//! Not here: Python inside this process. Every call crosses to a worker process, so that a crash, a leak or a GIL held
//! for ever stays there.

mod builder;
mod call;
mod error;
mod pit;
mod plan;
mod session;

pub use builder::Builder;
pub use call::{Call, CallWithReceipt};
pub use error::{Error, ErrorKind};
pub use pit::Snakepit;
pub use plan::PoolPlan;
pub use session::Session;

pub use snakepit_config::{
    Affinity, BreakerSettings, CapacityStrategy, ConfigBuilder, ConfigErrors, ExplicitPython, InheritEnv,
    PoolConfig, PoolSettings, ProfileKind, SessionSettings, Settings, TimeoutProfile, WorkerProfileChoice,
};
pub use snakepit_grpc::host::{Host, HostError, Lifeline};
pub use snakepit_grpc::values::ValueError;
pub use snakepit_pool::{
    ErrorKind as PoolErrorKind, Events, ExitCause, Observed, Pool, PoolError, PoolEvent, PoolEventKind,
    PoolStats, PoolsStats, Priority, Receipt, RecycleReason, RecycleReport, SessionError, SessionInfo,
    WorkerHandle, WorkerState,
};
pub use snakepit_profile::{
    CallError, Executed, Exit, PythonError, PythonFrame, Rung, StartError, Tool, WorkerFacts, WorkerLost,
    WorkerName,
};
pub use snakepit_pyenv as pyenv;
