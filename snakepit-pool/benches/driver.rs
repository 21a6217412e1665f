//! What a call costs on its whole way through core and driver, with workers that take no time: by the number of callers
//! and threads, of workers, and of calls that wait.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use snakepit_config::{PoolConfig, ProfileKind, Settings};
use snakepit_pool::{Answer, Pool, PoolCall, PoolError, Pools};
use snakepit_profile::{
    Call, Completion, Exit, Health, Reply, RequestId, StartError, Worker, WorkerEvents, WorkerFacts,
    WorkerId, WorkerName, WorkerProfile,
};
use tokio::runtime::{Builder, Runtime};

/// Calls that workers have, the oldest first.
type Taken = Arc<Mutex<VecDeque<Completion>>>;

/// A worker whose calls end when the benchmark says so.
struct Instantly {
    name: WorkerName,
    taken: Taken,
}

struct Profile(Taken);

/// A pool of such workers, and what they have.
struct Bench {
    pool: Pool,
    taken: Taken,
    tool: Arc<str>,
}

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
        self.taken.lock().expect("nobody panics").push_back(completion);
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

// === impl Bench ===

impl Bench {
    fn new(runtime: &Runtime, workers: u32) -> Self {
        let pool = PoolConfig::new("p")
            .adapter("none")
            .pool_size(workers)
            .startup_batch_size(workers)
            .queue_max(1_000_000)
            .queue_timeout(Duration::from_mins(4));
        let settings = Settings::builder()
            .env(false)
            .set_max_workers(workers)
            .pool(pool)
            .build();
        let settings = settings.expect("valid settings").pools.remove(0);
        let taken = Taken::default();
        let profile = Arc::new(Profile(Arc::clone(&taken)));
        let pools = runtime.block_on(async {
            let pools = Pools::start(vec![(settings, profile as _)]);
            let started = pools.await_started(Duration::from_mins(1)).await;
            started.expect("they start");
            pools
        });
        Self {
            pool: pools.default_pool().expect("there is one").clone(),
            taken,
            tool: "echo".into(),
        }
    }

    fn call(&self) -> impl Future<Output = Result<Answer, PoolError>> + Send + use<> {
        let (pool, tool) = (self.pool.clone(), Arc::clone(&self.tool));
        async move { pool.call(PoolCall::new(tool, Bytes::new())).await }
    }

    /// Ends the oldest call that a worker has. False if there is none.
    fn complete_one(&self) -> bool {
        let oldest = self.taken.lock().expect("nobody panics").pop_front();
        let Some(completion) = oldest else { return false };
        completion.complete(Ok(Reply {
            value: Bytes::new(),
            run_time: Duration::ZERO,
            gil_enabled: false,
        }));
        true
    }

    /// Hands in a call, ends whatever the workers have, and waits for the answer.
    async fn one_call(&self) {
        let mut call = pin!(self.call());
        let first = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        while self.complete_one() {}
        if first.is_pending() {
            call.await.expect("it is served");
        }
    }
}

/// Many callers on a runtime: they meet at the pool's lock.
fn callers(criterion: &mut Criterion) {
    for threads in [1, 2] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .expect("a runtime");
        for callers in [1, 16, 256] {
            let bench = Arc::new(Bench::new(&runtime, 16));
            criterion.bench_function(
                &format!("a call through the driver: {callers} callers on {threads} threads, 16 workers"),
                |bencher| bencher.iter_custom(|calls| runtime.block_on(share(&bench, callers, calls))),
            );
        }
    }
}

/// Lets `callers` tasks make so many calls, and gives the time that all took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn share(bench: &Arc<Bench>, callers: u64, calls: u64) -> Duration {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let bench = Arc::clone(bench);
            let mine = calls / callers + u64::from(caller < calls % callers);
            tokio::runtime::Handle::current().spawn(async move {
                for _ in 0..mine {
                    bench.one_call().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("nobody panics");
    }
    begun.elapsed()
}

/// One call after the other while others wait: each is handed in, the oldest that runs ends, and the first that waits runs.
fn queued(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for (workers, waiting) in [(10, 0), (10_000, 0), (10, 1_000_000), (10_000, 1_000_000)] {
        let bench = Bench::new(&runtime, workers);
        let mut context = Context::from_waker(Waker::noop());
        let mut open: VecDeque<Pin<Box<dyn Future<Output = _>>>> = VecDeque::new();
        let full = if waiting > 0 { workers + waiting - 1 } else { 0 };
        let submit = |open: &mut VecDeque<_>, context: &mut Context<'_>| {
            let mut call: Pin<Box<dyn Future<Output = Result<Answer, PoolError>>>> = Box::pin(bench.call());
            assert!(call.as_mut().poll(context).is_pending());
            open.push_back(call);
        };
        for _ in 0..full {
            submit(&mut open, &mut context);
        }
        criterion.bench_function(
            &format!("a call through the driver: {workers} workers, {waiting} waiting"),
            |bencher| {
                bencher.iter(|| {
                    submit(&mut open, &mut context);
                    assert!(bench.complete_one());
                    let mut oldest = open.pop_front().expect("it was handed in");
                    assert!(oldest.as_mut().poll(&mut context).is_ready());
                });
            },
        );
    }
}

criterion_group!(benches, callers, queued);
criterion_main!(benches);
