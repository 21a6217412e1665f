//! Sees every step of a pool, and judges it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use snakepit_config::Affinity;
use snakepit_profile::{RequestId, WorkerId};

use super::world::World;
use crate::core::{
    Action, Core, End, Event, KillReason, Notice, Phase, SessionId, Terms, Verdict, WorkerState,
};
use crate::pool::Pool;

/// What a witness remembers of one pool.
#[derive(Debug, Default)]
struct Memory {
    /// Requests whose callers wait.
    open: BTreeSet<RequestId>,
    /// Requests of sessions.
    guests: BTreeMap<RequestId, Guest>,
    /// Where each session was, one after the other, and is.
    homes: BTreeMap<SessionId, Vec<Option<WorkerId>>>,
    /// Workers that retired after the last step.
    retiring: BTreeSet<WorkerId>,
    /// Requests that were to stop, and where their code runs.
    stopping: BTreeMap<RequestId, WorkerId>,
}

/// A request of a session.
#[derive(Debug)]
struct Guest {
    session: SessionId,
    strict: bool,
    /// Which home its session had when it came.
    since: usize,
}

impl Memory {
    fn welcome(&mut self, request: RequestId, terms: &Terms) {
        if let Some(session) = terms.session {
            let homes = self.homes.entry(session).or_insert_with(|| vec![None]);
            let guest = Guest {
                session,
                strict: terms.affinity != Affinity::Hint,
                since: homes.len() - 1,
            };
            self.guests.insert(request, guest);
        }
    }

    fn may_be_on(&self, request: RequestId, worker: WorkerId) -> bool {
        self.guests.get(&request).is_none_or(|guest| {
            let homes = &self.homes[&guest.session];
            !guest.strict || homes.last() == Some(&None) || homes[guest.since..].contains(&Some(worker))
        })
    }

    /// A request was given to `worker`, which is its session's home from now on. One that retires serves what has waited
    /// for it, and is nobody's home any more.
    fn settle(&mut self, request: RequestId, worker: WorkerId) {
        if let Some(guest) = self.guests.get(&request)
            && let Some(homes) = self.homes.get_mut(&guest.session)
            && !self.retiring.contains(&worker)
        {
            homes.push(Some(worker));
        }
    }

    /// If the session of a request is at home on `worker`, it has no home from now on.
    fn leave(&mut self, request: RequestId, worker: WorkerId) {
        if let Some(guest) = self.guests.get(&request)
            && let Some(homes) = self.homes.get_mut(&guest.session)
            && homes.last() == Some(&Some(worker))
        {
            homes.push(None);
        }
    }
}

/// Judges every step of the world's pool of this number, from now on.
pub(super) fn watch(world: &Arc<World>, number: usize, pool: &Pool) {
    let world = Arc::clone(world);
    let memory = Mutex::new(Memory::default());
    pool.shared().book.lock().probe = Some(Box::new(move |core, event, actions| {
        if world.log.is_broken() {
            return;
        }
        if let Err(violation) = core.check() {
            let name = &world.layouts[number].settings.name;
            world
                .log
                .accuse("the core's invariants hold", format!("{name}: {violation}"));
        }
        let mut memory = memory.lock();
        answers_once(&world, &mut memory.open, event, actions);
        keeps_sessions_at_home(&world, &mut memory, core, event, actions);
        keeps_the_floor(&world, number, core, event, actions);
        gives_up_nobody_in_vain(&world, &mut memory.stopping, event, actions);
    }));
}

/// Exactly one answer for each request whose caller has not gone.
fn answers_once(world: &World, open: &mut BTreeSet<RequestId>, event: Option<Event>, actions: &[Action]) {
    if let Some(Event::Submitted { request, .. }) = event {
        open.insert(request);
    }
    for action in actions {
        if let Action::Answer { request, verdict } = action
            && !open.remove(request)
        {
            let found = format!("{request}: {verdict:?}");
            world
                .log
                .accuse("a caller is answered once, and only while it waits", found);
        }
    }
}

/// A strict request runs where its session is, or was while it waited: on the worker that had a request of it last,
/// unless a caller was told that this one is gone.
fn keeps_sessions_at_home(
    world: &World,
    memory: &mut Memory,
    core: &Core,
    event: Option<Event>,
    actions: &[Action],
) {
    match event {
        Some(Event::Submitted { request, terms }) => memory.welcome(request, &terms),
        // What never got there has left nothing there.
        Some(Event::Completed {
            request,
            worker,
            end: End::NotSent,
        }) => memory.leave(request, worker),
        _ => {}
    }
    let workers = core.workers().filter(|it| it.state == WorkerState::Retiring);
    let retiring: BTreeSet<_> = workers.map(|it| it.id).collect();
    for action in actions {
        match *action {
            Action::Dispatch { request, worker } => {
                world.demand(
                    memory.may_be_on(request, worker),
                    "a strict call runs on its session's worker",
                    || format!("{request} on {worker:?}: {:?}", memory.guests.get(&request)),
                );
                memory.settle(request, worker);
                // Where it has begun to retire in this step, it may have got this before or after: nobody knows.
                if retiring.contains(&worker) {
                    memory.leave(request, worker);
                }
            }
            Action::Answer {
                request,
                verdict: Verdict::SessionWorkerUnavailable { worker },
            } => memory.leave(request, worker),
            _ => {}
        }
    }
    memory.retiring = retiring;
}

/// A worker is given up for code that runs in it, and that nobody waits for.
fn gives_up_nobody_in_vain(
    world: &World,
    stopping: &mut BTreeMap<RequestId, WorkerId>,
    event: Option<Event>,
    actions: &[Action],
) {
    for action in actions {
        match *action {
            Action::Abort { request, worker } => {
                stopping.insert(request, worker);
            }
            Action::Kill {
                worker,
                reason: KillReason::Hung,
            }
            | Action::Note(Notice::Quarantined { worker }) => world.demand(
                stopping.values().any(|on| *on == worker),
                "a worker is given up for code that does not stop",
                || format!("{worker:?} had none: {stopping:?}"),
            ),
            _ => {}
        }
    }
    // After the actions: what was due is done before the event is heard.
    match event {
        Some(Event::Completed { request, worker, .. }) if stopping.get(&request) == Some(&worker) => {
            stopping.remove(&request);
        }
        Some(Event::Exited { worker, .. }) => stopping.retain(|_, on| *on != worker),
        _ => {}
    }
}

/// Renewal alone never takes the ready workers below the floor. In a step that loses workers for another reason this
/// cannot be told, nor in a pool that ends, which lets its idle workers go.
fn keeps_the_floor(world: &World, number: usize, core: &Core, event: Option<Event>, actions: &[Action]) {
    let renewed = |action: &Action| matches!(action, Action::Note(Notice::Recycled(_)));
    let severed = |action: &Action| {
        let reason = KillReason::Severed;
        matches!(action, Action::Kill { reason: why, .. } if *why == reason)
    };
    let elsewhere = matches!(
        event,
        Some(Event::Exited { .. } | Event::Severed { .. } | Event::Resized { .. } | Event::Abandoned)
    );
    let ends = core.phase() != Phase::Open;
    if ends || elsewhere || !actions.iter().any(renewed) || actions.iter().any(severed) {
        return;
    }
    let ready = core.workers().filter(|worker| worker.state == WorkerState::Ready);
    let ready = u32::try_from(ready.count()).unwrap_or(u32::MAX);
    let floor = world.layouts[number].floor(core.snapshot().size);
    world.demand(ready >= floor, "renewal keeps the floor", || {
        format!("{ready} workers of p{number} are ready, and the floor is {floor}")
    });
}
