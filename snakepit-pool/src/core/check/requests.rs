//! What holds of requests and their queues.

use std::collections::BTreeMap;

use snakepit_config::Affinity;

use super::ensure;
use crate::core::event::Priority;
use crate::core::lanes::Lanes;
use crate::core::lifecycle::WorkerState;
use crate::core::placement::PlacementState;
use crate::core::records::{Progress, Queue, Request};
use crate::core::seats::Seat;
use crate::core::{Core, Moment};

/// Every queue, with those who wait in it.
fn queues(core: &Core) -> impl Iterator<Item = (Queue, &Lanes)> {
    let own = core
        .seats
        .numbers()
        .map(|seat| (Queue::Seat(seat), &core.seats.get(seat).lanes));
    std::iter::once((Queue::Shared, &core.shared)).chain(own)
}

pub(super) fn queues_in_order(core: &Core) -> Result<(), String> {
    let mut length = 0;
    for (which, lanes) in queues(core) {
        let mut last: BTreeMap<Priority, _> = BTreeMap::new();
        for key in lanes.iter(&core.requests) {
            let request = &core.requests[key as usize];
            let here = matches!(request.progress, Progress::Queued { queue, .. } if queue == which);
            ensure(here, || {
                format!("{} is in {which:?} and waits elsewhere", request.id)
            })?;
            let before = last.insert(request.terms.priority, request.rank);
            ensure(before < Some(request.rank), || {
                format!("{} has overtaken", request.id)
            })?;
            length += 1;
        }
    }
    ensure(length == core.queued, || {
        format!("{length} are linked, {} wait", core.queued)
    })
}

pub(super) fn work_conserving(core: &Core) -> Result<(), String> {
    let mut listed = 0;
    for (level, seats) in core.seats.levels().iter().enumerate() {
        for number in seats.iter(&core.seats.all) {
            let seat = core.seats.get(number);
            ensure(seat.leases.len() as usize == level, || {
                format!("{} is on level {level}", seat.id)
            })?;
            listed += 1;
        }
    }
    let open: Vec<&Seat> = core.seats.all.iter().filter(|seat| seat.is_open()).collect();
    ensure(listed == open.len(), || {
        format!("{} workers have room, {listed} are listed", open.len())
    })?;
    ensure(open.is_empty() || core.shared.is_empty(), || {
        format!(
            "{} wait while {} workers have room",
            core.shared.len(),
            open.len()
        )
    })?;
    for seat in &core.seats.all {
        let serves = matches!(seat.state, WorkerState::Ready | WorkerState::Retiring);
        ensure(seat.lanes.is_empty() || (serves && !seat.has_room()), || {
            format!(
                "{} wait for {}, which is {:?}",
                seat.lanes.len(),
                seat.id,
                seat.state
            )
        })?;
    }
    let least = open.iter().map(|seat| seat.leases.len()).min();
    let first = core.seats.least_loaded();
    let first = first.and_then(|seat| core.seats.get(seat).listed_at());
    ensure(least == first, || {
        format!("least load {least:?}, but {first:?} is next")
    })
}

pub(super) fn queue_within_limit(core: &Core) -> Result<(), String> {
    let (depth, limit) = (core.waiting(), core.config.queue_max);
    ensure(depth <= limit, || format!("{depth} wait, {limit} may"))
}

/// When a request must have been looked at.
fn due(request: &Request) -> Moment {
    let deadline = request.terms.deadline;
    match &request.progress {
        Progress::Queued { expires, .. } => deadline.min(*expires),
        Progress::Resting { until } => deadline.min(*until),
        Progress::Leased(lease) if lease.lingers() => Moment::NEVER,
        Progress::Leased(_) => deadline,
    }
}

pub(super) fn nothing_overdue(core: &Core) -> Result<(), String> {
    core.requests.iter().try_for_each(|(_, request)| {
        if let Some(lease) = request.lease() {
            ensure(lease.since < request.terms.deadline, || {
                format!("{} was dispatched late", request.id)
            })?;
        }
        let due = due(request);
        ensure(due > core.now, || format!("{} was due at {due:?}", request.id))
    })
}

/// While a session is placed on a worker that serves, its strict requests wait for that one, or wait for any until they
/// are looked at. Where they run is compared with a model: a later request may have moved the session since.
pub(super) fn strict_where_placed(core: &Core) -> Result<(), String> {
    for (_, request) in &core.requests {
        let Progress::Queued {
            queue: Queue::Seat(seat),
            ..
        } = request.progress
        else {
            continue;
        };
        ensure(
            request.terms.session.is_some() && request.terms.affinity == Affinity::StrictQueue,
            || format!("{} waits for one worker, and need not", request.id),
        )?;
        let state = core.seats.get(seat).state;
        ensure(
            matches!(state, WorkerState::Ready | WorkerState::Retiring),
            || format!("{} waits for a worker that is {state:?}", request.id),
        )?;
    }
    Ok(())
}

pub(super) fn placements_open(core: &Core) -> Result<(), String> {
    let mut open = BTreeMap::new();
    for (_, request) in &core.requests {
        if let Some(session) = request.terms.session {
            *open.entry(session).or_insert(0) += 1;
        }
    }
    for (session, placement) in core.placements.iter() {
        let found = open.remove(&session).unwrap_or(0);
        ensure(placement.open == found, || {
            format!("{session} has {found} requests, {} are counted", placement.open)
        })?;
        ensure(found > 0 || placement.state != PlacementState::Ended, || {
            format!("{session} has ended and is kept")
        })?;
    }
    ensure(open.is_empty(), || format!("unknown: {open:?}"))
}

pub(super) fn retiring_takes_nothing_new(core: &Core) -> Result<(), String> {
    for seat in &core.seats.all {
        let Some(since) = seat.retired_at else { continue };
        for key in seat.leases.iter(&core.requests) {
            let request = &core.requests[key as usize];
            ensure(request.submitted <= since, || {
                format!("{} came after {} began to retire", request.id, seat.id)
            })?;
        }
    }
    Ok(())
}

pub(super) fn counts_add_up(core: &Core) -> Result<(), String> {
    let counters = &core.counters;
    let running: u32 = core.seats.all.iter().map(Seat::running).sum();
    let open = u64::from(running) + u64::from(core.waiting());
    // A deadline is answered, and a cancellation counted, as the request begins to linger.
    ensure(
        counters.accepted == counters.answered + counters.cancelled + open,
        || format!("{counters:?}, {running} running, {} waiting", core.waiting()),
    )?;
    let live = core.seats.all.iter().filter(|seat| seat.state.is_live()).count() as u64;
    ensure(counters.spawned == live + counters.died, || {
        format!("{counters:?}, {live} live")
    })
}
