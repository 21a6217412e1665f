//! What holds of workers, seats and timers.

use super::ensure;
use crate::core::lifecycle::WorkerState;
use crate::core::records::Lease;
use crate::core::seats::{Role, Seat};
use crate::core::timers::Timer;
use crate::core::{Core, CoreConfig, Phase};

pub(super) fn load_within_capacity(core: &Core) -> Result<(), String> {
    core.seats.all.iter().try_for_each(|seat| {
        let (load, capacity) = (seat.slots.load(), core.config.capacity.get());
        ensure(load <= capacity, || {
            format!("{} runs {load} calls of {capacity}", seat.id)
        })
    })
}

pub(super) fn leases_are_live(core: &Core) -> Result<(), String> {
    let mut leases = 0;
    for (number, seat) in core.seats.numbers().zip(&core.seats.all) {
        let mut lingering = 0;
        for key in seat.leases.iter(&core.requests) {
            let request = &core.requests[key as usize];
            let Some(lease) = request.lease() else {
                return Err(format!("{} is queued and leased", request.id));
            };
            lingering += u32::from(lease.lingers());
            let here = lease.worker == seat.id && lease.seat == number;
            ensure(here && seat.state.has_process(), || {
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
    let held = core.requests.len() - core.waiting() as usize;
    ensure(leases == held, || {
        format!("{leases} leases are listed, {held} are held")
    })
}

pub(super) fn winds_down(core: &Core) -> Result<(), String> {
    let ends = core.phase != Phase::Open;
    ensure(core.winding_down == (ends && core.waiting() == 0), || {
        "it goes on".to_owned()
    })?;
    for seat in &core.seats.all {
        let busy = seat.running() > 0 && !core.patience_over;
        let gone = matches!(
            seat.state,
            WorkerState::Unwanted | WorkerState::Stopping | WorkerState::Dying | WorkerState::Vacant
        );
        ensure(!core.winding_down || gone || busy, || {
            format!("{} is {:?}", seat.id, seat.state)
        })?;
        ensure(
            seat.state != WorkerState::Retiring || busy || !seat.lanes.is_empty(),
            || format!("{} retires for ever", seat.id),
        )?;
    }
    let all_gone = core
        .seats
        .all
        .iter()
        .all(|seat| seat.state == WorkerState::Vacant);
    ensure(core.milestones.stopped == (ends && all_gone), || {
        "it is wrong about having stopped".to_owned()
    })?;
    ensure(!core.milestones.stopped || core.requests.is_empty(), || {
        "a stopped pool holds requests".to_owned()
    })
}

pub(super) fn seats_belong(core: &Core) -> Result<(), String> {
    let count = |role| core.seats.all.iter().filter(|seat| seat.role == role).count();
    ensure(count(Role::Current) == core.seats.posts.len(), || {
        format!(
            "{} slots, {} seats are theirs",
            core.seats.posts.len(),
            count(Role::Current)
        )
    })?;
    ensure(count(Role::Spare) == core.seats.spare.len(), || {
        "a spare seat is lost".to_owned()
    })?;
    for (slot, post) in (0..).zip(&core.seats.posts) {
        let seat = core.seats.get(post.seat);
        ensure(seat.role == Role::Current && seat.id.slot == slot, || {
            format!("slot {slot} has the seat of {}, {:?}", seat.id, seat.role)
        })?;
        ensure(post.wanted == (slot < core.size), || {
            format!("slot {slot} is wanted: {}", post.wanted)
        })?;
        ensure(
            seat.state != WorkerState::Vacant || !post.wanted || core.winding_down,
            || format!("slot {slot} is left empty"),
        )?;
        let follows = post.successor.map(|seat| core.seats.get(seat));
        ensure(
            follows.is_none_or(|it| it.role == Role::Successor && it.id.slot == slot),
            || format!("slot {slot} is followed by a stranger"),
        )?;
    }
    let vacant = core
        .seats
        .all
        .iter()
        .filter(|seat| seat.state == WorkerState::Vacant);
    ensure(vacant.count() == core.vacant as usize, || {
        "vacant seats are miscounted".to_owned()
    })?;
    let ready = core
        .seats
        .all
        .iter()
        .filter(|seat| seat.state == WorkerState::Ready);
    ensure(ready.count() == core.ready as usize, || {
        "ready workers are miscounted".to_owned()
    })
}

/// Workers of slots that are no longer wanted are on their way out, and not counted.
pub(super) fn surplus_within_limit(core: &Core) -> Result<(), String> {
    let extra = core.seats.extra().len();
    let most = core.config.recycling.surge_max as usize;
    ensure(extra <= most, || {
        format!("{extra} workers beyond the size, {most} may be")
    })
}

pub(super) fn restarts_within_limits(core: &Core) -> Result<(), String> {
    let limits = core.config.restarts;
    for (slot, post) in core.seats.posts.iter().enumerate() {
        ensure(!post.restarts.exceeds(limits.slot_max, limits.window), || {
            format!("slot {slot} was restarted too often: {:?}", post.restarts)
        })?;
    }
    ensure(
        !core.restarts.window.exceeds(limits.pool_max, limits.window),
        || format!("the pool was restarted too often: {:?}", core.restarts.window),
    )
}

pub(super) fn degraded_refuses(core: &Core) -> Result<(), String> {
    let parked = core
        .seats
        .all
        .iter()
        .filter(|seat| seat.state == WorkerState::Parked);
    ensure(parked.count() == core.restarts.parked.len(), || {
        "parked seats are miscounted".to_owned()
    })?;
    if core.phase != Phase::Open || !core.is_degraded() {
        return Ok(());
    }
    let tries = core.restarts.trial.is_some() || core.timers.due(Timer::Trial).is_some();
    ensure(tries || core.has_given_up(), || {
        "no start is tried any more".to_owned()
    })?;
    ensure(core.ready > 0 || core.shared.is_empty(), || {
        format!("{} wait for nobody", core.shared.len())
    })
}

fn is_timed(core: &Core, seat: &Seat) -> bool {
    match seat.state {
        WorkerState::Launching | WorkerState::Starting | WorkerState::Stopping | WorkerState::BackingOff => {
            true
        }
        WorkerState::Retiring => seat.quarantined,
        // Once its age was noticed it has none any more.
        WorkerState::Ready => core.config.recycling.ttl.is_some(),
        _ => false,
    }
}

/// Nobody has waited for it for so long that its worker must pay for it.
fn overstays(core: &Core, lease: &Lease) -> bool {
    let end = lease
        .lingers_since
        .map(|since| since.after(CoreConfig::LINGER_MAX));
    end.is_some_and(|end| end <= core.now)
}

pub(super) fn hung_code_costs_its_worker(core: &Core) -> Result<(), String> {
    for (_, request) in &core.requests {
        let Some(lease) = request.lease().filter(|lease| overstays(core, lease)) else {
            continue;
        };
        let seat = core.seats.get(lease.seat);
        let goes = match seat.state {
            WorkerState::Dying => true,
            WorkerState::Stopping => core.config.capacity.get() > 1,
            WorkerState::Retiring => seat.quarantined && (seat.running() > 0 || !seat.lanes.is_empty()),
            _ => false,
        };
        ensure(goes, || {
            format!(
                "{} does not stop, and {} is {:?}",
                request.id, seat.id, seat.state
            )
        })?;
    }
    Ok(())
}

pub(super) fn timers_belong(core: &Core) -> Result<(), String> {
    if let Some((due, timer)) = core.timers.first() {
        ensure(due > core.now, || format!("{timer:?} was due at {due:?}"))?;
    }
    let mut expected = 0;
    for (key, request) in &core.requests {
        let waits = !request.lease().is_some_and(|lease| overstays(core, lease));
        let key = u32::try_from(key).map_err(|_| "a place is out of range".to_owned())?;
        let set = core.timers.due(Timer::Request(key)).is_some();
        ensure(set == waits, || {
            format!("{} waits: {waits}, timer: {set}", request.id)
        })?;
        expected += usize::from(waits);
    }
    for (number, seat) in core.seats.numbers().zip(&core.seats.all) {
        let set = core.timers.due(Timer::Seat(number)).is_some();
        let may = is_timed(core, seat);
        let must = may && seat.state != WorkerState::Ready;
        ensure(set == may || (!set && !must), || {
            format!("{} is {:?}, timer: {set}", seat.id, seat.state)
        })?;
        expected += usize::from(set);
    }
    for timer in [Timer::Batch, Timer::Closing, Timer::Trial] {
        expected += usize::from(core.timers.due(timer).is_some());
    }
    ensure(core.timers.len() == expected, || {
        format!("{} timers, {expected} expected", core.timers.len())
    })?;
    let tries = core.timers.due(Timer::Trial).is_some();
    ensure(!tries || !core.restarts.parked.is_empty(), || {
        "a trial of nothing".to_owned()
    })
}
