//! Pools of simulated workers, and what most tests do with them.

use std::future::{Future as _, poll_fn};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use snakepit_config::{PoolConfig, PoolName, PoolSettings, ProfileKind, Settings};
use snakepit_pool::sim::{Record, Script, SimProfile, Start};
use snakepit_pool::{Answer, Pool, PoolCall, PoolError, PoolStats, Pools};
use snakepit_profile::WorkerId;
use tokio::runtime::Handle;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test measures what the paused clock says has passed"
)]
pub(crate) fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// One pool's settings, with what most tests want.
pub(crate) fn settings(change: impl FnOnce(PoolConfig) -> PoolConfig) -> PoolSettings {
    named("p", change)
}

pub(crate) fn named(name: &str, change: impl FnOnce(PoolConfig) -> PoolConfig) -> PoolSettings {
    let pool = PoolConfig::new(name)
        .adapter("simulated")
        .worker_profile(ProfileKind::Thread)
        .pool_size(1)
        .queue_max(100)
        .queue_timeout(MINUTE);
    let settings = Settings::builder().env(false).pool(change(pool)).build();
    settings.expect("valid settings").pools.remove(0)
}

/// Workers of pool `p` that start so.
pub(crate) fn workers(
    capacity: u32,
    start: impl Fn(WorkerId) -> Start + Send + Sync + 'static,
) -> Arc<SimProfile> {
    workers_of("p", capacity, start)
}

pub(crate) fn workers_of(
    pool: &str,
    capacity: u32,
    start: impl Fn(WorkerId) -> Start + Send + Sync + 'static,
) -> Arc<SimProfile> {
    recorded(pool, capacity, start, Record::silent())
}

pub(crate) fn recorded(
    pool: &str,
    capacity: u32,
    start: impl Fn(WorkerId) -> Start + Send + Sync + 'static,
    record: Record,
) -> Arc<SimProfile> {
    let pool = PoolName::new(pool).expect("a name");
    let capacity = NonZeroU32::new(capacity).expect("a worker has a slot");
    Arc::new(SimProfile::new(
        pool,
        capacity,
        Script::new(start),
        Arc::new(record),
    ))
}

/// A pool of simulated workers, all of them ready.
pub(crate) async fn pool(settings: PoolSettings, capacity: u32) -> (Pool, Arc<SimProfile>) {
    let sim = workers(capacity, |_| Start::Ready);
    let pool = start(settings, &sim);
    pool.await_started(MINUTE).await.expect("simulated workers start");
    (pool, sim)
}

pub(crate) fn start(settings: PoolSettings, sim: &Arc<SimProfile>) -> Pool {
    let pools = Pools::start(vec![(settings, Arc::clone(sim) as _)]);
    pools.default_pool().expect("there is one").clone()
}

pub(crate) fn call(tool: &str) -> PoolCall {
    PoolCall::new(tool, bytes::Bytes::new())
}

/// Starts a call that goes on by itself. It is submitted when this returns.
pub(crate) async fn begin(pool: &Pool, call: PoolCall) -> tokio::task::JoinHandle<Result<Answer, PoolError>> {
    let (pool, handed_in) = (pool.clone(), Arc::new(tokio::sync::Notify::new()));
    let told = Arc::clone(&handed_in);
    let task = Handle::current().spawn(async move {
        let mut answer = std::pin::pin!(pool.call(call));
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        told.notify_one();
        match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => answer.await,
        }
    });
    handed_in.notified().await;
    task
}

/// The identity that a pool's numbers promise.
pub(crate) fn assert_adds_up(stats: &PoolStats) {
    let ended = stats.completed + stats.cancelled + stats.errors.values().sum::<u64>();
    let open = u64::from(stats.running) + u64::from(stats.queued);
    assert_eq!(stats.requests + stats.refused, ended + open, "{stats:#?}");
    assert_eq!(stats.load, stats.running + stats.lingering, "{stats:#?}");
}

/// Polls, since a pool has no event for it, until `pool` has nothing waiting, nothing running, and every worker ready.
pub(crate) async fn whole(pool: &Pool, size: u32) -> PoolStats {
    loop {
        let stats = pool.stats();
        assert_adds_up(&stats);
        if stats.ready == size && stats.load == 0 && stats.queued == 0 {
            return stats;
        }
        tokio::time::sleep(ms(1)).await;
    }
}
