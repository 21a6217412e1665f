//! Promises of the core, as scripts.
