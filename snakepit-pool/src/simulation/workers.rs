//! The faults of workers: in their starts, in their calls, and out of the blue.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use snakepit_profile::{Call, CallError, Exit, StartError, Tool, Worker, WorkerId};

use super::random::{Random, Table};
use super::world::World;
use crate::sim::{Behaviour, Record, Script, SimProfile, SimWorker, Start};

/// How a start goes wrong.
#[derive(Debug, Clone, Copy)]
enum BadStart {
    Late,
    Never,
    Dies,
    DiesAtOnce,
    NotLaunched,
    NeverLaunched,
    LauncherPanics,
}

#[rustfmt::skip]
const BAD_STARTS: &Table<BadStart> = &[
    (20, BadStart::Late),
    (10, BadStart::Never),
    (30, BadStart::Dies),
    (15, BadStart::DiesAtOnce),
    (15, BadStart::NotLaunched),
    ( 5, BadStart::NeverLaunched),
    ( 5, BadStart::LauncherPanics),
];

/// How the code of a call misbehaves.
#[derive(Debug, Clone, Copy)]
enum BadCall {
    Raises,
    Slow,
    HeedsNothing,
    Holds,
    Sticks,
    AnswersAfterDeath,
    Kills,
    Leaks,
}

#[rustfmt::skip]
const BAD_CALLS: &Table<BadCall> = &[
    (20, BadCall::Raises),
    (15, BadCall::Slow),
    (15, BadCall::HeedsNothing),
    (10, BadCall::Holds),
    ( 5, BadCall::Sticks),
    ( 5, BadCall::AnswersAfterDeath),
    (20, BadCall::Kills),
    (10, BadCall::Leaks),
];

/// What happens to a worker whatever it does.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Dies,
    DiesBeforeItsCalls,
    Freezes,
    Thaws,
    IsSevered,
    TurnsStubborn,
}

#[rustfmt::skip]
const BLOWS: &Table<Blow> = &[
    (30, Blow::Dies),
    (15, Blow::DiesBeforeItsCalls),
    (10, Blow::Freezes),
    (10, Blow::Thaws),
    (10, Blow::IsSevered),
    (10, Blow::TurnsStubborn),
];

/// Calls by number whose tool says of itself that running it twice does no harm.
pub(super) fn is_idempotent(number: usize) -> bool {
    number.is_multiple_of(10)
}

/// The tool of a call: each has its own, so that a worker's record tells which calls it had.
pub(super) fn tool(number: usize) -> String {
    format!("c{number}")
}

/// Tools that workers tell of. Calls beyond are not idempotent by themselves.
pub(super) const TOLD: usize = 300;

/// The profile of a world's pool of this number.
pub(super) fn profile(world: &Arc<World>, number: usize, record: &Arc<Record>) -> Arc<SimProfile> {
    let layout = &world.layouts[number];
    let (starts, calls) = (Arc::clone(world), Arc::clone(world));
    let most: NonZeroU32 = layout.capacity;
    let told = (0..TOLD).step_by(10).map(|number| Tool {
        name: tool(number),
        signature: String::new(),
        summary: String::new(),
        idempotent: is_idempotent(number),
    });
    let script = Script::new(move |id| start(&starts, number, id))
        .calls(move |worker, call| behave(&calls, worker, call))
        .tools(told.collect());
    Arc::new(SimProfile::new(
        layout.settings.name.clone(),
        most,
        script,
        Arc::clone(record),
    ))
}

fn start(world: &World, number: usize, _id: WorkerId) -> Start {
    let bad = world.weather().starts;
    world.draw(|random| {
        if !random.chance(bad) {
            return match random.between(0, 9) {
                0..4 => Start::Ready,
                4..8 => Start::ReadyAfter(random.ms(1, 200)),
                _ => Start::ReadyEarly,
            };
        }
        match random.weigh(BAD_STARTS) {
            BadStart::Late => Start::ReadyAfter(random.ms(200, 3000)),
            BadStart::Never => Start::Hang,
            BadStart::Dies => Start::Exit(random.ms(0, 500), exit(random)),
            BadStart::DiesAtOnce => Start::ExitEarly(exit(random)),
            BadStart::NotLaunched => Start::Fail(not_launched(std::io::ErrorKind::WouldBlock)),
            BadStart::NeverLaunched => {
                world.note(|wards| wards.discouraged.push(number));
                Start::Fail(not_launched(std::io::ErrorKind::NotFound))
            }
            BadStart::LauncherPanics => Start::Panic,
        }
    })
}

fn not_launched(kind: std::io::ErrorKind) -> StartError {
    StartError::Spawn {
        program: "python".into(),
        source: Arc::new(kind.into()),
    }
}

fn exit(random: &mut Random) -> Exit {
    random.pick([Exit::Code(0), Exit::Code(3), Exit::Signal(9), Exit::Signal(11)])
}

/// What the code of a call does. What it returns at once are its arguments, which name the call.
fn behave(world: &World, worker: &SimWorker, call: &Call) -> Behaviour {
    let bad = world.weather().calls;
    let behaviour = world.draw(|random| {
        if !random.chance(bad) {
            return if random.chance(50) {
                Behaviour::Return(call.arguments.clone())
            } else {
                Behaviour::Wait(random.ms(1, 200))
            };
        }
        match random.weigh(BAD_CALLS) {
            BadCall::Raises => Behaviour::Fail(CallError::Raised(Box::default())),
            BadCall::Slow => Behaviour::Wait(random.ms(200, 8000)),
            BadCall::HeedsNothing => Behaviour::Busy(random.ms(10, 3000)),
            BadCall::Holds => Behaviour::Hold,
            BadCall::Sticks => Behaviour::Stuck,
            BadCall::AnswersAfterDeath => Behaviour::Late,
            BadCall::Kills => Behaviour::Die(exit(random)),
            BadCall::Leaks => Behaviour::Leak(u64::from(random.between(1, 80)) << 20),
        }
    });
    if matches!(behaviour, Behaviour::Hold | Behaviour::Stuck | Behaviour::Late) {
        let stuck = (worker.name().clone(), Arc::clone(&call.tool));
        world.note(|wards| wards.stuck.push(stuck));
    }
    behaviour
}

/// Something happens to one of the living workers.
pub(super) fn strike(world: &World, profiles: &[Arc<SimProfile>]) {
    let Some(worker) = world.draw(|random| random.one_of(&living(profiles))) else {
        return;
    };
    match world.draw(|random| random.weigh(BLOWS)) {
        Blow::Dies => worker.die(world.draw(exit)),
        Blow::DiesBeforeItsCalls => worker.die_before_its_calls(world.draw(exit)),
        Blow::Freezes => {
            world.note(|wards| wards.frozen.push(worker.name().clone()));
            worker.freeze();
        }
        Blow::Thaws => worker.thaw(),
        Blow::IsSevered => {
            world.note(|wards| wards.severed.push(worker.name().clone()));
            worker.sever();
        }
        Blow::TurnsStubborn => worker.be_stubborn(),
    }
}

/// Ends what would not end by itself. Returns the numbers of the pools that may have given up.
pub(super) fn heal(world: &World, profiles: &[Arc<SimProfile>]) -> Vec<usize> {
    world.heal();
    let wards = world.wards();
    for worker in living(profiles) {
        if wards.frozen.contains(worker.name()) {
            worker.thaw();
        }
        for (_, tool) in wards.stuck.iter().filter(|(name, _)| name == worker.name()) {
            worker.finish(tool);
        }
        if wards.severed.contains(worker.name()) {
            worker.die(Exit::Signal(9));
        }
    }
    wards.discouraged
}

/// Workers whose end has not been reported.
pub(super) fn living(profiles: &[Arc<SimProfile>]) -> Vec<Arc<SimWorker>> {
    let all = profiles.iter().flat_map(|profile| profile.all());
    all.filter(|worker| !worker.has_ended()).collect()
}

/// Time in which a worker that was killed is gone.
pub(super) const DEATH: Duration = Duration::from_millis(50);
