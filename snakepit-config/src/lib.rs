//! What the user of snakepit wrote, checked.

mod settings;

pub use settings::{
    Adapter, AdapterSource, CapacityStrategy, ExplicitPython, InheritEnv, PoolName, PoolSettings,
    ProfileKind, Settings, TimeoutProfile, WorkerProfileChoice,
};
