//! The invariants, each a clause.

mod requests;
mod workers;

use std::fmt;

use super::Core;

/// An invariant that does not hold: a defect of the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause.
    pub clause: &'static str,
    /// What is wrong.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.clause, self.found)
    }
}

impl std::error::Error for Violation {}

type Clause = (&'static str, fn(&Core) -> Result<(), String>);

/// Determinism and "exactly one answer" are about several steps: tests compare those with a model.
const CLAUSES: &[Clause] = &[
    ("load never exceeds capacity", workers::load_within_capacity),
    (
        "the loads are the live leases, each of a live worker of its generation",
        workers::leases_are_live,
    ),
    (
        "each queue holds what waits for it, by priority in the order in which it came",
        requests::queues_in_order,
    ),
    (
        "nothing waits while a slot is free for it",
        requests::work_conserving,
    ),
    ("the queue is within its limit", requests::queue_within_limit),
    ("nothing is kept past its deadline", requests::nothing_overdue),
    (
        "a strict request runs and waits only where its session is",
        requests::strict_where_placed,
    ),
    (
        "sessions are held by their open requests",
        requests::placements_open,
    ),
    (
        "a worker that retires gets nothing that came after that was decided",
        requests::retiring_takes_nothing_new,
    ),
    (
        "a pool that accepts nothing and has nothing waiting stops its idle workers",
        workers::winds_down,
    ),
    (
        "code that does not stop costs its worker",
        workers::hung_code_costs_its_worker,
    ),
    (
        "every slot has its seat, and every other seat its role",
        workers::seats_belong,
    ),
    (
        "no more workers than the size and the surplus",
        workers::surplus_within_limit,
    ),
    (
        "restarts are within their limits",
        workers::restarts_within_limits,
    ),
    (
        "a degraded pool without a ready worker keeps nobody waiting, and tries again",
        workers::degraded_refuses,
    ),
    (
        "every timer lies ahead and belongs to something",
        workers::timers_belong,
    ),
    ("the counts add up", requests::counts_add_up),
];

fn ensure(holds: bool, found: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(found()) }
}

impl Core {
    /// Verifies every invariant, in time linear in what the pool holds.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        CLAUSES
            .iter()
            .try_for_each(|&(clause, holds)| holds(self).map_err(|found| Violation { clause, found }))
    }
}
