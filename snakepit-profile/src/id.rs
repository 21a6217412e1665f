//! Names of workers and requests.

use std::fmt;

use snakepit_config::PoolName;

/// A worker within its pool: the slot it fills and how many workers that slot has had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId {
    /// Counted from 0; a replacement keeps it.
    pub slot: u32,
    /// Counted from 1; a replacement gets the next.
    pub generation: u32,
}

/// A worker's name to the outside: `<pool>/<slot>#<generation>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerName {
    /// The pool it belongs to.
    pub pool: PoolName,
    /// Which of the pool's workers.
    pub id: WorkerId,
}

/// A request, unique within its pool for the pool's whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.slot, self.generation)
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.id)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}
