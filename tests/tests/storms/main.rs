//! Pools of real Python while everything around them goes wrong at once.

mod cancels;
mod kills;
mod restarts;
