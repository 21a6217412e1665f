//! What the user of snakepit wrote, checked.
//!
//! A configuration has four layers, of which the later wins: the defaults, a TOML file (`snakepit.toml`), the environment
//! (`SNAKEPIT_…`), and the [`ConfigBuilder`] of the program. [`ConfigBuilder::build`] gives either [`Settings`] that
//! passed every check, or [`ConfigErrors`]: everything that is wrong, each with its file and line, its key, what was
//! given and what is allowed. Nothing is guessed and nothing falls back: a flawed configuration gives no settings.
//!
//! ```
//! use std::time::Duration;
//! use snakepit_config::{PoolConfig, ProfileKind, Settings};
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("snakepit.toml");
//! std::fs::write(&file, r#"
//!     timeout_profile = "production_strict"
//!
//!     [[pools]]
//!     name = "default"
//!     adapter = "my_package.stats"
//!
//!     [[pools]]
//!     name = "compute"
//!     adapter = "my_package.models:Predictor"
//!     worker_profile = "thread"
//!     threads_per_worker = 8
//! "#)?;
//!
//! let settings = Settings::builder()
//!     .file(&file)
//!     .environment([("SNAKEPIT_POOLS__COMPUTE__QUEUE_MAX", "50")])
//!     .pool(PoolConfig::new("compute").pool_size(2))
//!     .build()?;
//!
//! let compute = &settings.pools[1];
//! assert_eq!(compute.slots(ProfileKind::Thread).get(), 8);
//! assert_eq!(compute.queue_max, 50);
//! assert_eq!(compute.pool_size.get(), 2);
//! assert_eq!(compute.call_timeout, Duration::from_secs(60));
//!
//! let errors = Settings::builder()
//!     .environment([("SNAKEPIT_ADAPTER", "my_package.stats"), ("SNAKEPIT_POL_SIZE", "4")])
//!     .build()
//!     .unwrap_err();
//! assert_eq!(errors.to_string(), "SNAKEPIT_POL_SIZE: unknown key; did you mean `SNAKEPIT_POOL_SIZE`?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Pools
//!
//! `[[pools]]` lists the pools; the first is the default pool. A key at top level is the default of every pool, and a
//! pool's own key wins over it, in whichever layer either stands. Without a list there is one pool, `default`, described
//! at top level: only then may `pool_size` stand there. Pools of the same name merge across the layers, and `adapter_env`
//! merges by variable.
//!
//! # The environment
//!
//! `SNAKEPIT_KEY` sets a key at top level, `SNAKEPIT_POOLS__NAME__KEY` one of a pool, whose name is written in upper case
//! and with `_` for `-`. `SNAKEPIT_ADAPTER_ENV__NAME` sets a variable of the workers. A list is a TOML array, or texts
//! between commas. A pool that only the environment defines needs its adapter there too. `SNAKEPIT_LOG` is not ours.
//!
//! # Not here
//!
//! Whether an interpreter or a bridge exists and fits (`snakepit-pyenv`), and whether an adapter can be imported (its
//! first worker). [`KEYS`] is the reference of all keys, as data.

mod adapter;
mod builder;
mod check;
mod environment;
mod error;
mod file;
mod keys;
mod layer;
mod merge;
mod place;
mod pool_config;
mod settings;
mod size;
mod value;
mod words;

pub use builder::ConfigBuilder;
pub use error::{ConfigError, ConfigErrorKind, ConfigErrors};
pub use keys::{KEYS, Key, KeyDefault, Scope};
pub use place::Place;
pub use pool_config::PoolConfig;
pub use settings::{
    Adapter, AdapterSource, Affinity, BreakerSettings, CapacityStrategy, ExplicitPython, InheritEnv,
    PoolName, PoolSettings, ProfileKind, SessionSettings, Settings, TimeoutProfile, WorkerProfileChoice,
};
pub use words::TimeLimits;
