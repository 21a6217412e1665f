//! Which Python this is, and the bridge for it.

mod facts;

pub use facts::{Bridge, BridgeOrigin, Interpreter, InterpreterFacts, InterpreterOrigin, Version};
pub use snakepit_config::ProfileKind;
