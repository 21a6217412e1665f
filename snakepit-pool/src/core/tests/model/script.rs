//! What a test does to a pool: random configurations, and random events on their way to it.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest_state_machine::ReferenceStateMachine;
use snakepit_config::Affinity;

use super::super::rig::{config, ms};
use crate::core::{BreakerConfig, Canary, CoreConfig, End, Priority, RecycleConfig, RestartConfig};

/// One case: which pool, and how far the test has gone with it.
#[derive(Debug, Clone)]
pub(in crate::core::tests) struct Script {
    pub(super) config: CoreConfig,
    pub(super) canary: Option<Canary>,
    /// Every first worker is ready before the first operation.
    pub(super) warm: bool,
    operations: u32,
}

/// What is done to the pool.
#[derive(Debug, Clone)]
pub(in crate::core::tests) enum Op {
    Submit(Ask),
    /// To a request. Where it is aimed, one for which that makes sense is picked, if there is any.
    Request {
        which: Index,
        deed: RequestDeed,
        aimed: bool,
    },
    /// To a worker, picked likewise.
    Worker {
        which: Index,
        deed: WorkerDeed,
        aimed: bool,
    },
    /// An event of a worker that never was.
    Stranger {
        slot: u32,
        deed: WorkerDeed,
    },
    /// Every worker that is being started is ready.
    StartAll,
    Resize(u32),
    EndSession(usize),
    /// Time passes, and the core is called so often on the way: by its timer, or by an event that means nothing.
    Pass {
        time: u64,
        times: u64,
        by_event: bool,
    },
    Drain,
    ShutDown(u64),
    Abandon,
}

/// A request, as its caller words it.
#[derive(Debug, Clone)]
pub(in crate::core::tests) struct Ask {
    pub(super) timeout: u64,
    pub(super) priority: Priority,
    pub(super) session: Option<usize>,
    pub(super) affinity: Affinity,
    pub(super) attempts: u32,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::core::tests) enum RequestDeed {
    Cancel,
    Complete(End),
    /// As a worker says that does not have it.
    CompleteElsewhere(End),
}

#[derive(Debug, Clone, Copy)]
pub(in crate::core::tests) enum WorkerDeed {
    Launch,
    FailToLaunch {
        permanent: bool,
    },
    BecomeReady,
    Sever,
    Exit {
        permanent: bool,
    },
    /// So often in a row.
    Sample {
        heavy: bool,
        times: u32,
    },
    Recycle,
}

/// Sessions that are used at once.
pub(super) const SESSIONS: usize = 3;

/// What a heavy sample exceeds.
pub(super) const MEMORY_MAX: u64 = 1000;

/// Before so many operations the pool is not ended.
const UNENDED: u32 = 50;

// === impl Script ===

impl Script {
    /// The same, on a core with a defect.
    pub(in crate::core::tests) fn with(mut self, canary: Canary) -> Self {
        self.canary = Some(canary);
        self
    }
}

impl ReferenceStateMachine for Script {
    type State = Self;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Self> {
        (pool(), prop::bool::weighted(0.9))
            .prop_map(|(config, warm)| Self {
                config,
                canary: None,
                warm,
                operations: 0,
            })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Op> {
        // Made once: this is asked before every operation.
        static GO_ON: LazyLock<SBoxedStrategy<Op>> = LazyLock::new(|| op().sboxed());
        static GO_ON_OR_END: LazyLock<SBoxedStrategy<Op>> =
            LazyLock::new(|| prop_oneof![40 => op(), 1 => end()].sboxed());
        if state.operations < UNENDED {
            GO_ON.clone().boxed()
        } else {
            GO_ON_OR_END.clone().boxed()
        }
    }

    fn apply(mut state: Self, _: &Op) -> Self {
        state.operations += 1;
        state
    }
}

fn pool() -> impl Strategy<Value = CoreConfig> {
    let sizes = (1_u32..=4, 1_u32..=3, 0_u32..=4, 1_u32..=3);
    let breaker = prop::option::weighted(0.4, 1_u32..=3);
    (sizes, recycling(), restarts(), breaker, any::<u64>()).prop_map(
        |((size, capacity, queue_max, batch), recycling, restarts, breaker, seed)| CoreConfig {
            size: positive(size),
            capacity: positive(capacity),
            startup_batch_size: positive(batch),
            queue_max,
            recycling,
            restarts,
            breaker: breaker.map(|failures| BreakerConfig {
                failures: positive(failures),
                pause: ms(1000),
            }),
            seed,
            ..config()
        },
    )
}

fn recycling() -> impl Strategy<Value = RecycleConfig> {
    let limits = (
        prop::option::weighted(0.4, 500_u64..4000),
        prop::option::weighted(0.4, 1_u64..6),
        prop::option::weighted(0.4, Just(MEMORY_MAX)),
        prop_oneof![Just(0_u32), Just(10), Just(100)],
    );
    (limits, 0_u32..=2, 0_u32..=2).prop_map(|((ttl, requests, memory, jitter), missing, surge)| {
        RecycleConfig {
            ttl: ttl.map(ms),
            requests: requests.and_then(NonZeroU64::new),
            memory,
            jitter,
            // Without either no worker could be renewed at all.
            missing_max: if surge == 0 { missing.max(1) } else { missing },
            surge_max: surge,
        }
    })
}

fn restarts() -> impl Strategy<Value = RestartConfig> {
    let limit = || prop_oneof![2 => 1_u32..=3, 1 => Just(1000_u32)];
    (limit(), limit(), 500_u64..3000).prop_map(|(slot, pool, window)| RestartConfig {
        slot_max: positive(slot),
        pool_max: positive(pool),
        window: ms(window),
        ..config().restarts
    })
}

fn op() -> impl Strategy<Value = Op> {
    let aimed = || prop::bool::weighted(0.9);
    prop_oneof![
        70 => ask().prop_map(Op::Submit),
        50 => (any::<Index>(), request_deed(), aimed())
            .prop_map(|(which, deed, aimed)| Op::Request { which, deed, aimed }),
        50 => (any::<Index>(), worker_deed(), aimed())
            .prop_map(|(which, deed, aimed)| Op::Worker { which, deed, aimed }),
        2 => (0_u32..6, worker_deed()).prop_map(|(slot, deed)| Op::Stranger { slot, deed }),
        12 => Just(Op::StartAll),
        4 => (1_u32..=5).prop_map(Op::Resize),
        3 => (0..SESSIONS).prop_map(Op::EndSession),
        40 => (time(), 1_u64..4, any::<bool>())
            .prop_map(|(time, times, by_event)| Op::Pass { time, times, by_event }),
    ]
}

fn end() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Drain),
        2 => (0_u64..2000).prop_map(Op::ShutDown),
        1 => Just(Op::Abandon),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..300, 4 => 300_u64..1500, 1 => 1500_u64..12_000]
}

fn ask() -> impl Strategy<Value = Ask> {
    let affinity = prop_oneof![
        1 => Just(Affinity::Hint),
        2 => Just(Affinity::StrictQueue),
        1 => Just(Affinity::StrictFailFast),
    ];
    let timeout = prop_oneof![1 => 0_u64..200, 4 => 200_u64..3000, 2 => Just(60_000_u64)];
    let session = prop::option::weighted(0.6, 0..SESSIONS);
    (timeout, 0_usize..3, session, affinity, 1_u32..=3).prop_map(
        |(timeout, priority, session, affinity, attempts)| Ask {
            timeout,
            priority: Priority::ALL[priority],
            session,
            affinity,
            attempts,
        },
    )
}

fn request_deed() -> impl Strategy<Value = RequestDeed> {
    let end = || prop_oneof![5 => Just(End::Served), 2 => Just(End::Lost), 1 => Just(End::NotSent)];
    prop_oneof![
        4 => Just(RequestDeed::Cancel),
        14 => end().prop_map(RequestDeed::Complete),
        1 => end().prop_map(RequestDeed::CompleteElsewhere),
    ]
}

fn worker_deed() -> impl Strategy<Value = WorkerDeed> {
    let permanent = || prop::bool::weighted(0.3);
    prop_oneof![
        10 => Just(WorkerDeed::Launch),
        2 => permanent().prop_map(|permanent| WorkerDeed::FailToLaunch { permanent }),
        12 => Just(WorkerDeed::BecomeReady),
        1 => Just(WorkerDeed::Sever),
        5 => permanent().prop_map(|permanent| WorkerDeed::Exit { permanent }),
        6 => (prop::bool::weighted(0.8), 1_u32..=4)
            .prop_map(|(heavy, times)| WorkerDeed::Sample { heavy, times }),
        3 => Just(WorkerDeed::Recycle),
    ]
}

fn positive(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}
