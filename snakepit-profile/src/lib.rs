//! How workers run calls: the [`WorkerProfile`] trait, the process and thread profiles of Python
//! workers, and the one counter of load.
//!
//! A profile decides *policy*: how many calls a worker may run at once, which thread caps its environment gets, and
//! whether an interpreter is fit for it. The *mechanism*, how a worker is started and spoken to, is a [`Launcher`],
//! which `snakepit-grpc` implements. A pool sees only [`WorkerProfile`] and [`Worker`].
//!
//! ```
//! use std::num::NonZeroU32;
//! use std::sync::Arc;
//! use snakepit_profile::Slots;
//!
//! let slots = Arc::new(Slots::new(NonZeroU32::MIN));
//! let permit = Slots::try_acquire(&slots).expect("a fresh worker is free");
//! assert!(Slots::try_acquire(&slots).is_none(), "one slot, one call");
//! drop(permit);
//! assert_eq!(slots.load(), 0);
//! ```
//!
//! Not here: queues and routing (`snakepit-pool`), processes and the wire (`snakepit-grpc`).

mod call;
mod checked;
mod environment;
mod error;
mod id;
mod launch;
mod profile;
mod python;
mod slots;
mod worker;

pub use call::{
    Call, CallError, Completion, Completions, Executed, Outcome, PythonError, PythonFrame, Reply, Rung,
};
pub use environment::{THREAD_CAPS, thread_caps};
pub use error::{Exit, StartError, WorkerLost};
pub use id::{RequestId, WorkerId, WorkerName};
pub use launch::{LaunchSpec, Launcher, Limits};
pub use profile::WorkerProfile;
pub use python::PythonProfile;
pub use slots::{SlotPermit, Slots};
pub use snakepit_config::{Adapter, AdapterSource, InheritEnv, PoolName, ProfileKind};
pub use worker::{ExitReport, Health, Tool, Worker, WorkerEvents, WorkerFacts};
