//! What a pool costs: a step of the core, and a whole call through the driver with a worker that takes no time.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use snakepit_config::{PoolConfig, ProfileKind, Settings};
use snakepit_pool::core::{Action, Core, CoreConfig, Event, Moment};
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
    config.startup_batch_size = config.size;
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
fn submit(core: &mut Core, now: &mut Moment, actions: &mut Vec<Action>) -> RequestId {
    *now = now.after(Duration::from_micros(1));
    let request = core.next_request();
    let deadline = now.after(Duration::from_mins(5));
    core.handle(*now, Event::Submitted { request, deadline }, actions);
    request
}

fn core_steps(criterion: &mut Criterion) {
    for size in [16, 10_000] {
        criterion.bench_function(
            &format!("two core steps: submit to dispatch, complete ({size} workers)"),
            |bench| {
                let (mut core, mut now, mut actions) = (core(size), Moment::ZERO, Vec::new());
                bench.iter(|| {
                    actions.clear();
                    let request = submit(&mut core, &mut now, &mut actions);
                    core.handle(now, Event::Completed { request, lost: false }, &mut actions);
                    actions.len()
                });
            },
        );
        criterion.bench_function(
            &format!("two core steps: complete to next, submit to queue ({size} workers)"),
            |bench| {
                let (mut core, mut now, mut actions) = (core(size), Moment::ZERO, Vec::new());
                let mut open: std::collections::VecDeque<_> = (0..size * 2 + 100)
                    .map(|_| submit(&mut core, &mut now, &mut actions))
                    .collect();
                bench.iter(|| {
                    actions.clear();
                    let request = open.pop_front().expect("always as many");
                    core.handle(now, Event::Completed { request, lost: false }, &mut actions);
                    open.push_back(submit(&mut core, &mut now, &mut actions));
                    actions.len()
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
                let mut call = pin!(pool.call(PoolCall {
                    tool: Arc::clone(&tool),
                    arguments: Bytes::new(),
                    timeout: None,
                    traceparent: None,
                }));
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
