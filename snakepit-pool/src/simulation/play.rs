//! The script: callers, operators and faults at random, then no more faults, then the end.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{JoinHandle, JoinSet};

use super::callers::{self, Plan, SESSIONS};
use super::layout::SIZE_MAX;
use super::random::Table;
use super::readers;
use super::witness;
use super::workers;
use super::world::World;
use crate::core::Core;
use crate::pools::{Pools, PoolsOptions};
use crate::sim::{Record, SimProfile};

/// Everything that runs.
pub(super) struct Play {
    pub(super) world: Arc<World>,
    pub(super) pools: Pools,
    pub(super) profiles: Vec<Arc<SimProfile>>,
    record: Arc<Record>,
    /// Workers that each pool is to have.
    pub(super) sizes: Vec<u32>,
    /// Callers and operators that wait for something.
    pub(super) tasks: JoinSet<()>,
    pub(super) readers: Vec<JoinHandle<u64>>,
}

/// What the script does next.
#[derive(Debug, Clone, Copy)]
enum Act {
    Call,
    Storm,
    Flood,
    Session,
    Resize,
    Recycle,
    RecycleAll,
    Drain,
    ShutDown,
}

#[rustfmt::skip]
const ACTS: &Table<Act> = &[
    (800, Act::Call),
    ( 20, Act::Storm),
    (  1, Act::Flood),
    ( 60, Act::Session),
    ( 20, Act::Resize),
    ( 30, Act::Recycle),
    ( 10, Act::RecycleAll),
    (  2, Act::Drain),
    (  2, Act::ShutDown),
];

/// Callers that come at once.
const STORM: u32 = 50;
/// More events than are kept.
const FLOOD: u32 = 1100;

// === impl Play ===

impl Play {
    pub(super) fn begin(world: Arc<World>, seed: u64) -> Self {
        let log = Arc::clone(&world);
        let record = Record::new(Arc::new(world.clock), move |line| log.log.add(line.to_owned()));
        let record = Arc::new(record);
        let profiles: Vec<_> = (0..world.layouts.len())
            .map(|number| workers::profile(&world, number, &record))
            .collect();
        let options = world.draw(|random| PoolsOptions {
            clock: Arc::new(world.clock),
            seed,
            session_ttl: random.pick([Duration::from_secs(3), Duration::from_hours(1)]),
            session_max: NonZeroU32::new(random.pick([3, 100, 100])).expect("some"),
        });
        let settings = world.layouts.iter().map(|layout| layout.settings.clone());
        let members = settings.zip(profiles.iter().map(|profile| Arc::clone(profile) as _));
        let pools = Pools::start_around(members.collect(), options, |config| match world.canary {
            Some(canary) => Core::with_canary(config, canary),
            None => Core::new(config),
        });
        for (number, pool) in pools.iter().enumerate() {
            witness::watch(&world, number, pool);
        }
        let runtime = tokio::runtime::Handle::current();
        let readers = vec![
            runtime.spawn(readers::keen(Arc::clone(&world), pools.events())),
            runtime.spawn(readers::slow(Arc::clone(&world), pools.events())),
        ];
        let sizes = world.layouts.iter().map(|layout| layout.settings.pool_size.get());
        Self {
            sizes: sizes.collect(),
            world,
            pools,
            profiles,
            record,
            tasks: JoinSet::new(),
            readers,
        }
    }

    /// All of it, or as much as there is before a rule is broken.
    pub(super) async fn perform(mut self) {
        let acts = self.world.draw(|random| random.between(20, 120));
        for _ in 0..acts {
            let pause = self.world.draw(|random| {
                if random.chance(30) {
                    Duration::ZERO
                } else {
                    random.ms(0, 100)
                }
            });
            tokio::time::sleep(pause).await;
            if self
                .world
                .draw(|random| random.chance(self.world.weather().workers))
            {
                workers::strike(&self.world, &self.profiles);
            }
            self.act();
            if self.is_over() {
                return;
            }
        }
        self.recover().await;
        if !self.is_over() {
            self.end().await;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        for violation in self.record.violations() {
            self.world
                .log
                .accuse("no worker is misused", format!("{violation:?}"));
        }
        for (number, pool) in self.pools.iter().enumerate() {
            let stats = pool.stats();
            let ended = stats.completed + stats.cancelled + stats.errors.values().sum::<u64>();
            let open = u64::from(stats.running) + u64::from(stats.queued);
            let sums = stats.requests + stats.refused == ended + open
                && stats.load == stats.running + stats.lingering;
            self.world.demand(sums, "the numbers of a pool add up", || {
                format!("p{number}: {stats:?}")
            });
        }
        self.world.log.is_broken()
    }

    // Callers and operators.

    fn act(&mut self) {
        let world = Arc::clone(&self.world);
        let number =
            world.draw(|random| random.between(0, u32::try_from(self.sizes.len()).expect("few pools") - 1));
        let number = number as usize;
        let pool = self.pools.iter().nth(number).expect("there is one").clone();
        match world.draw(|random| random.weigh(ACTS)) {
            Act::Call => self.call(Plan::draw(&world, self.sizes.len())),
            Act::Storm => {
                for _ in 0..STORM {
                    self.call(Plan::draw(&world, self.sizes.len()));
                }
            }
            Act::Flood => {
                for _ in 0..FLOOD {
                    self.call(Plan::hopeless(&world, number));
                }
            }
            Act::Session => self.use_session(),
            Act::Resize => {
                let size = world.draw(|random| random.between(1, SIZE_MAX));
                world.log.write(format_args!("resize p{number} to {size}"));
                if pool.resize(size).is_ok() {
                    self.sizes[number] = size;
                }
            }
            Act::Recycle => {
                if let Some(worker) = world.draw(|random| random.one_of(&pool.workers())) {
                    world.log.write(format_args!("recycle {worker}"));
                    // It may be on its way out already.
                    let _ = pool.recycle(&worker);
                }
            }
            Act::RecycleAll => {
                world.log.write(format_args!("recycle all of p{number}"));
                // It may have ended.
                let _ = pool.recycle_all();
            }
            Act::Drain => {
                world.log.write(format_args!("drain p{number}"));
                self.go(async move { pool.drain().await });
            }
            Act::ShutDown => {
                let patience = world.draw(|random| random.ms(0, 2000));
                world
                    .log
                    .write(format_args!("shut p{number} down within {patience:?}"));
                self.go(async move { pool.shutdown(patience).await });
            }
        }
    }

    /// Somebody goes on beside the script.
    pub(super) fn go(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &tokio::runtime::Handle::current());
    }

    pub(super) fn call(&mut self, plan: Plan) {
        let (world, pools) = (Arc::clone(&self.world), self.pools.clone());
        self.go(async move {
            callers::call(world, pools, plan).await;
        });
    }

    fn use_session(&mut self) {
        let name = self.world.draw(|random| random.pick(SESSIONS));
        let sessions = self.pools.sessions();
        let what = self.world.draw(|random| random.between(0, 3));
        let said = match what {
            0 => format!(
                "create: {:?}",
                sessions.create(name).map_err(|error| error.code())
            ),
            1 => {
                let value = Bytes::from_static(b"value");
                format!(
                    "put: {:?}",
                    sessions.put(name, "key", value).map_err(|error| error.code())
                )
            }
            2 => format!(
                "get: {:?}",
                sessions.get(name, "key").map_err(|error| error.code())
            ),
            _ => format!("end: {}", sessions.end(name)),
        };
        self.world.log.write(format_args!("session {name}: {said}"));
    }
}
