//! The invariants, each a clause.

use std::fmt;

use super::lifecycle::WorkerState;
use super::records::Progress;
use super::timers::Timer;
use super::{Core, Phase};

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

/// The order of the queue, determinism and "exactly one answer" are about several steps: tests compare those with a
/// model.
const CLAUSES: &[Clause] = &[
    ("load never exceeds capacity", load_within_capacity),
    (
        "the loads are the live leases, each of a live worker of its generation",
        leases_are_live,
    ),
    (
        "the queue holds what waits, in the order in which it came",
        queue_in_order,
    ),
    ("nothing waits while a slot is free", work_conserving),
    ("the queue is within its limit", queue_within_limit),
    ("nothing is kept past its deadline", nothing_overdue),
    (
        "a pool that accepts nothing and has nothing waiting stops its idle workers",
        winds_down,
    ),
    ("every timer lies ahead and belongs to something", timers_belong),
    ("the counts add up", counts_add_up),
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

fn load_within_capacity(core: &Core) -> Result<(), String> {
    core.seats.all.iter().try_for_each(|seat| {
        let (load, capacity) = (seat.slots.load(), core.config.capacity.get());
        ensure(
            load <= capacity && seat.slots.capacity().get() == capacity,
            || format!("{} runs {load} calls of {capacity}", seat.id),
        )
    })
}

fn leases_are_live(core: &Core) -> Result<(), String> {
    let mut leases = 0;
    for seat in &core.seats.all {
        let mut lingering = 0;
        for key in seat.leases.iter(&core.requests) {
            let request = &core.requests[key as usize];
            let Progress::Leased(lease) = &request.progress else {
                return Err(format!("{} is queued and leased", request.id));
            };
            lingering += u32::from(lease.lingers);
            ensure(lease.worker == seat.id && seat.state.has_process(), || {
                format!(
                    "{} is leased to {}, which is {:?}",
                    request.id, lease.worker, seat.state
                )
            })?;
            leases += 1;
        }
        ensure(
            seat.leases.len() == seat.slots.load() && seat.lingering == lingering,
            || {
                format!(
                    "{}: {} leases, load {}",
                    seat.id,
                    seat.leases.len(),
                    seat.slots.load()
                )
            },
        )?;
    }
    let held = core.requests.len() - core.queue.len() as usize;
    ensure(leases == held, || {
        format!("{leases} leases are listed, {held} are held")
    })
}

fn queue_in_order(core: &Core) -> Result<(), String> {
    let mut last = None;
    let mut length = 0;
    for key in core.queue.iter(&core.requests) {
        let request = &core.requests[key as usize];
        ensure(matches!(request.progress, Progress::Queued { .. }), || {
            format!("{} is in the queue and does not wait", request.id)
        })?;
        // Ids ascend with the sequence, whatever their place.
        ensure(last < Some(request.id), || {
            format!("{} has overtaken", request.id)
        })?;
        last = Some(request.id);
        length += 1;
    }
    ensure(length == core.queue.len(), || {
        format!("{length} of {} are linked", core.queue.len())
    })
}

fn work_conserving(core: &Core) -> Result<(), String> {
    let mut listed = 0;
    for (level, seats) in core.seats.levels().iter().enumerate() {
        for slot in seats.iter(&core.seats.all) {
            let seat = core.seats.get(slot);
            ensure(seat.leases.len() as usize == level, || {
                format!("{} is on level {level}", seat.id)
            })?;
            listed += 1;
        }
    }
    let free = |seat: &&super::records::Seat| {
        seat.state == WorkerState::Ready && seat.leases.len() < core.config.capacity.get()
    };
    let room = core.seats.all.iter().filter(free).count();
    ensure(listed == room, || {
        format!("{room} workers have room, {listed} are listed")
    })?;
    ensure(room == 0 || core.queue.is_empty(), || {
        format!("{} wait while {room} workers have room", core.queue.len())
    })?;
    let least = core
        .seats
        .all
        .iter()
        .filter(free)
        .map(|seat| seat.leases.len())
        .min();
    let first = core
        .seats
        .least_loaded()
        .and_then(|slot| core.seats.get(slot).listed_at());
    ensure(least == first, || {
        format!("least load {least:?}, but {first:?} is next")
    })
}

fn queue_within_limit(core: &Core) -> Result<(), String> {
    let (depth, limit) = (core.queue.len(), core.config.queue_max);
    ensure(depth <= limit, || format!("{depth} wait, {limit} may"))
}

fn nothing_overdue(core: &Core) -> Result<(), String> {
    core.requests.iter().try_for_each(|(_, request)| {
        let due = match &request.progress {
            Progress::Queued { expires } => request.deadline.min(*expires),
            Progress::Leased(lease) => {
                ensure(lease.since < request.deadline, || {
                    format!("{} was dispatched late", request.id)
                })?;
                if lease.lingers {
                    return Ok(());
                }
                request.deadline
            }
        };
        ensure(due > core.now, || format!("{} was due at {due:?}", request.id))
    })
}

fn winds_down(core: &Core) -> Result<(), String> {
    let ends = core.phase != Phase::Open;
    ensure(core.winding_down == (ends && core.queue.is_empty()), || {
        "it goes on".to_owned()
    })?;
    for seat in &core.seats.all {
        let busy = seat.running() > 0 && !core.patience_over;
        let gone = matches!(
            seat.state,
            WorkerState::Unwanted | WorkerState::Stopping | WorkerState::Dying | WorkerState::Gone
        );
        ensure(!core.winding_down || gone || busy, || {
            format!("{} is {:?}", seat.id, seat.state)
        })?;
    }
    let all_gone = core.seats.all.iter().all(|seat| seat.state == WorkerState::Gone);
    ensure(core.milestones.stopped == all_gone, || {
        "it is wrong about having stopped".to_owned()
    })?;
    ensure(!all_gone || core.requests.is_empty(), || {
        "a stopped pool holds requests".to_owned()
    })
}

fn timers_belong(core: &Core) -> Result<(), String> {
    if let Some((due, timer)) = core.timers.first() {
        ensure(due > core.now, || format!("{timer:?} was due at {due:?}"))?;
    }
    let mut expected = 0;
    for (key, request) in &core.requests {
        let waits = !matches!(&request.progress, Progress::Leased(lease) if lease.lingers);
        let key = u32::try_from(key).map_err(|_| "a place is out of range".to_owned())?;
        let set = core.timers.due(Timer::Request(key)).is_some();
        ensure(set == waits, || {
            format!("{} waits: {waits}, timer: {set}", request.id)
        })?;
        expected += usize::from(waits);
    }
    for seat in &core.seats.all {
        let timed = matches!(
            seat.state,
            WorkerState::Launching | WorkerState::Starting | WorkerState::Stopping | WorkerState::BackingOff
        );
        let set = core.timers.due(Timer::Slot(seat.id.slot)).is_some();
        ensure(set == timed, || {
            format!("{} is {:?}, timer: {set}", seat.id, seat.state)
        })?;
        expected += usize::from(timed);
    }
    expected += usize::from(core.timers.due(Timer::Batch).is_some());
    expected += usize::from(core.timers.due(Timer::Closing).is_some());
    ensure(core.timers.len() == expected, || {
        format!("{} timers, {expected} expected", core.timers.len())
    })
}

fn counts_add_up(core: &Core) -> Result<(), String> {
    let counters = &core.counters;
    let running: u32 = core.seats.all.iter().map(super::records::Seat::running).sum();
    let open = u64::from(running) + u64::from(core.queue.len());
    // A deadline is answered, and a cancellation counted, as the request begins to linger.
    ensure(
        counters.accepted == counters.answered + counters.cancelled + open,
        || format!("{counters:?}, {running} running, {} queued", core.queue.len()),
    )?;
    let live = core.seats.all.iter().filter(|seat| seat.state.is_live()).count() as u64;
    ensure(counters.spawned == live + counters.died, || {
        format!("{counters:?}, {live} live")
    })
}
