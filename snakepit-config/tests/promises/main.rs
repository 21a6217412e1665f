//! What this crate promises, from the outside: a configuration goes in, settings or errors come out.

mod errors;
mod harness;
mod layers;
mod lives;
mod pools;
mod random;
mod reference;
mod values;
