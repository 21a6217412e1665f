//! What a pool costs: a step of the core, and a whole call through the driver with a worker that takes no time.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use snakepit_config::Affinity;
use snakepit_config::{PoolConfig, ProfileKind, Settings};
use snakepit_pool::core::{Action, Core, CoreConfig, End, Event, Moment, Priority, Terms};
use snakepit_pool::{PoolCall, Pools};
use snakepit_profile::{
    Call, Completion, Exit, Health, Reply, RequestId, StartError, Worker, WorkerEvents, WorkerFacts,
    WorkerId, WorkerName, WorkerProfile,
};

/// A ready core of `size` workers with two slots each.
fn core(size: u32) -> Core {
    let pool = PoolConfig::new("p").adapter("none").pool_size(1);
    let settings = Settings::builder()
        .env(false)
        .pool(pool)
        .build()
        .expect("valid settings");
    let two = NonZeroU32::new(2).expect("not zero");
    let mut config = CoreConfig::new(&settings.pools[0], two, 0);
    config.size = NonZeroU32::new(size).expect("not zero");
    config.size_max = config.size;
    config.startup_batch_size = config.size;
    config.queue_max = 2_000_000;
    let mut core = Core::new(config);
    let mut actions = Vec::new();
    core.handle(Moment::ZERO, Event::Opened, &mut actions);
    for slot in 0..size {
        let worker = WorkerId { slot, generation: 1 };
        core.handle(Moment::ZERO, Event::Launched { worker }, &mut actions);
        core.handle(Moment::ZERO, Event::BecameReady { worker }, &mut actions);
    }
    core
}

/// Submits a request one microsecond later.
fn submit(core: &mut Core, now: &mut Moment, actions: &mut Vec<Action>) {
    *now = now.after(Duration::from_micros(1));
    let terms = Terms {
        deadline: now.after(Duration::from_mins(5)),
        priority: Priority::Normal,
        session: None,
        affinity: Affinity::Hint,
        attempts: NonZeroU32::MIN,
    };
    let request = core.next_request();
    core.handle(*now, Event::Submitted { request, terms }, actions);
}

/// Takes note of what was given to workers.
fn follow(actions: &mut Vec<Action>, running: &mut VecDeque<(RequestId, WorkerId)>) {
    for action in actions.drain(..) {
        if let Action::Dispatch { request, worker } = action {
            running.push_back((request, worker));
        }
    }
}

fn core_steps(criterion: &mut Criterion) {
    for (workers, queued) in [(10, 0), (10_000, 0), (10, 1_000_000), (10_000, 1_000_000)] {
        criterion.bench_function(
            &format!("two core steps: submit and complete ({workers} workers, {queued} queued)"),
            |bench| {
                let (mut core, mut now, mut actions) = (core(workers), Moment::ZERO, Vec::new());
                let mut running = VecDeque::new();
                let full = if queued > 0 { workers * 2 + queued } else { 0 };
                for _ in 0..full {
                    submit(&mut core, &mut now, &mut actions);
                }
                follow(&mut actions, &mut running);
                bench.iter(|| {
                    submit(&mut core, &mut now, &mut actions);
                    follow(&mut actions, &mut running);
                    let (request, worker) = running.pop_front().expect("something runs");
                    let end = End::Served;
                    core.handle(now, Event::Completed { request, worker, end }, &mut actions);
                    follow(&mut actions, &mut running);
                });
            },
        );
    }
}

/// A worker whose calls end when the benchmark says so.
struct Instantly {
    name: WorkerName,
    taken: Arc<Mutex<Vec<Completion>>>,
}

struct Profile(Arc<Mutex<Vec<Completion>>>);

#[async_trait]
impl WorkerProfile for Profile {
    fn kind(&self) -> ProfileKind {
        ProfileKind::Process
    }

    fn capacity(&self) -> NonZeroU32 {
        NonZeroU32::MIN
    }

    async fn start(
        &self,
        id: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        let pool = snakepit_config::PoolName::new("p").expect("a name");
        let name = WorkerName { pool, id };
        events.ready(&name, Arc::default());
        let taken = Arc::clone(&self.0);
        Ok(Arc::new(Instantly { name, taken }))
    }
}

#[async_trait]
impl Worker for Instantly {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn pid(&self) -> u32 {
        1
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        None
    }

    fn submit(&self, _: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        self.taken.lock().expect("nobody panics").push(completion);
        Ok(())
    }

    fn abort(&self, _: RequestId) {}

    fn drain(&self) {}

    fn terminate(&self) {}

    fn kill(&self, _: &str) {}

    async fn health(&self, _: Duration) -> Health {
        Health::Gone
    }

    async fn memory(&self) -> Option<u64> {
        None
    }

    async fn exited(&self) -> Exit {
        std::future::pending().await
    }
}

fn acquire_and_release(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let taken = Arc::new(Mutex::new(Vec::new()));
    let pools = runtime.block_on(async {
        let pool = PoolConfig::new("p")
            .adapter("none")
            .pool_size(16)
            .startup_batch_size(16);
        let settings = Settings::builder()
            .env(false)
            .pool(pool)
            .build()
            .expect("valid settings");
        let profile: Arc<dyn WorkerProfile> = Arc::new(Profile(Arc::clone(&taken)));
        let pools = Pools::start(
            settings
                .pools
                .into_iter()
                .map(|pool| (pool, Arc::clone(&profile)))
                .collect(),
        );
        pools
            .await_started(Duration::from_mins(1))
            .await
            .expect("they start");
        pools
    });
    let pool = pools.default_pool().expect("there is one");
    let tool: Arc<str> = "echo".into();
    criterion.bench_function(
        "a call through the driver: acquire, release, answer (16 workers)",
        |bench| {
            bench.iter(|| {
                let mut call = pin!(pool.call(PoolCall::new(Arc::clone(&tool), Bytes::new())));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(call.as_mut().poll(&mut context).is_pending());
                let completion = taken
                    .lock()
                    .expect("nobody panics")
                    .pop()
                    .expect("it was dispatched");
                completion.complete(Ok(Reply {
                    value: Bytes::new(),
                    run_time: Duration::ZERO,
                    gil_enabled: false,
                }));
                assert!(call.as_mut().poll(&mut context).is_ready());
            });
        },
    );
}

criterion_group!(benches, core_steps, acquire_and_release);
criterion_main!(benches);
