//! Workers without processes. What a call does is written in its tool's name, and what a start does in a [`Start`].

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use snakepit_config::{PoolConfig, PoolSettings, ProfileKind, Settings};
use snakepit_pool::{Answer, Pool, PoolCall, PoolError, PoolStats, Pools};
use snakepit_profile::{
    Call, CallError, Completion, Exit, ExitReport, Health, Outcome, Reply, RequestId, StartError, Worker,
    WorkerEvents, WorkerFacts, WorkerId, WorkerLost, WorkerName, WorkerProfile,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

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

/// What becomes of a worker that is started.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// It is ready at once.
    Ready,
    /// It is ready before the launch has returned.
    ReadyEarly,
    /// It has ended before the launch has returned.
    ExitEarly,
    /// It never becomes ready.
    Hang,
    /// It ends before it is ready.
    Exit,
    /// It cannot be launched.
    Fail(StartError),
    /// Whoever launches it panics.
    Panic,
}

type Script = Box<dyn Fn(WorkerId) -> Start + Send + Sync>;

/// Simulated workers of one pool.
pub(crate) struct Sim {
    capacity: NonZeroU32,
    script: Script,
    runtime: Handle,
    /// Every worker there ever was.
    workers: watch::Sender<Vec<Arc<SimWorker>>>,
    /// Tools in the order in which they began to run.
    log: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct SimWorker {
    name: WorkerName,
    capacity: u32,
    runtime: Handle,
    events: Arc<dyn WorkerEvents>,
    calls: Mutex<Calls>,
    /// Most calls that it ever had at once.
    most: AtomicU32,
    exit: watch::Sender<Option<Exit>>,
    log: Arc<Mutex<Vec<String>>>,
    me: std::sync::Weak<Self>,
}

#[derive(Default)]
struct Calls {
    running: BTreeMap<RequestId, (Arc<str>, Completion)>,
    draining: bool,
    gone: bool,
    /// It ignores everything but a kill.
    stubborn: bool,
    killed_because: Option<String>,
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

/// A pool of simulated workers, the first of them ready.
pub(crate) async fn pool(settings: PoolSettings, capacity: u32) -> (Pool, Arc<Sim>) {
    let sim = Sim::new(capacity, |_| Start::Ready);
    let pool = start(settings, &sim);
    pool.await_started(MINUTE).await.expect("simulated workers start");
    (pool, sim)
}

pub(crate) fn start(settings: PoolSettings, sim: &Arc<Sim>) -> Pool {
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

// === impl Sim ===

impl Sim {
    pub(crate) fn new(
        capacity: u32,
        script: impl Fn(WorkerId) -> Start + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            capacity: NonZeroU32::new(capacity).expect("a worker has a slot"),
            script: Box::new(script),
            runtime: Handle::current(),
            workers: watch::Sender::default(),
            log: Arc::default(),
        })
    }

    /// The last worker of a slot.
    pub(crate) fn worker(&self, slot: u32) -> Arc<SimWorker> {
        let workers = self.workers.borrow();
        let last = workers.iter().rev().find(|worker| worker.name.id.slot == slot);
        Arc::clone(last.expect("the slot had a worker"))
    }

    pub(crate) fn all(&self) -> Vec<Arc<SimWorker>> {
        self.workers.borrow().clone()
    }

    /// Waits until the slot has had so many workers.
    pub(crate) async fn has_made(&self, slot: u32, generation: u32) {
        let mut workers = self.workers.subscribe();
        let id = WorkerId { slot, generation };
        let made = workers
            .wait_for(|workers| workers.iter().any(|worker| worker.name.id == id))
            .await;
        made.expect("the sender is in `self`");
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    fn make(&self, id: WorkerId, events: Arc<dyn WorkerEvents>) -> Arc<SimWorker> {
        let worker = Arc::new_cyclic(|me| SimWorker {
            name: WorkerName {
                pool: snakepit_config::PoolName::new("p").expect("a name"),
                id,
            },
            capacity: self.capacity.get(),
            runtime: self.runtime.clone(),
            events,
            calls: Mutex::default(),
            most: AtomicU32::new(0),
            exit: watch::Sender::new(None),
            log: Arc::clone(&self.log),
            me: me.clone(),
        });
        self.workers
            .send_modify(|workers| workers.push(Arc::clone(&worker)));
        worker
    }
}

#[async_trait]
impl WorkerProfile for Sim {
    fn kind(&self) -> ProfileKind {
        ProfileKind::Thread
    }

    fn capacity(&self) -> NonZeroU32 {
        self.capacity
    }

    async fn start(
        &self,
        id: WorkerId,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        let start = (self.script)(id);
        match start {
            Start::Fail(error) => return Err(error),
            Start::Panic => panic!("as the test wants it"),
            _ => {}
        }
        let worker = self.make(id, events);
        match start {
            Start::Ready => {
                let later = Arc::clone(&worker);
                self.runtime.spawn(async move { later.become_ready() });
            }
            Start::ReadyEarly => worker.become_ready(),
            Start::ExitEarly => worker.end(Exit::Code(4)),
            Start::Exit => worker.end_soon(Exit::Code(3)),
            Start::Hang | Start::Fail(_) | Start::Panic => {}
        }
        Ok(worker)
    }
}

// === impl SimWorker ===

impl SimWorker {
    pub(crate) fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// It takes no more calls, and nobody has noticed.
    pub(crate) fn sever(&self) {
        self.calls.lock().gone = true;
    }

    pub(crate) fn be_stubborn(&self) {
        self.calls.lock().stubborn = true;
    }

    pub(crate) fn killed_because(&self) -> Option<String> {
        self.calls.lock().killed_because.clone()
    }

    /// Ends every running call of this tool.
    pub(crate) fn finish(&self, tool: &str) {
        let running: Vec<_> = {
            let calls = self.calls.lock();
            let named = calls.running.iter().filter(|(_, (name, _))| &**name == tool);
            named.map(|(&request, _)| request).collect()
        };
        for request in running {
            self.complete(request, Ok(done(Duration::ZERO)));
        }
    }

    /// As if it had died of `exit`.
    pub(crate) fn die(&self, exit: Exit) {
        self.end(exit);
    }

    /// As [`SimWorker::die`], but its calls end only after it was reported.
    pub(crate) fn die_before_its_calls(&self, exit: Exit) {
        let running = std::mem::take(&mut self.calls.lock().running);
        self.end(exit);
        drop(running);
    }

    fn become_ready(&self) {
        if !self.has_ended() {
            let facts = WorkerFacts {
                pid: self.pid(),
                ..WorkerFacts::default()
            };
            self.events.ready(&self.name, Arc::new(facts));
        }
    }

    fn complete(&self, request: RequestId, outcome: Outcome) {
        let ended = {
            let mut calls = self.calls.lock();
            let ended = calls.running.remove(&request);
            (
                ended,
                calls.draining && calls.running.is_empty() && !calls.stubborn,
            )
        };
        if let Some((_, completion)) = ended.0 {
            completion.complete(outcome);
        }
        if ended.1 {
            self.end(Exit::Code(0));
        }
    }

    fn later(&self, what: impl FnOnce(&Self) + Send + 'static) {
        if let Some(me) = self.me.upgrade() {
            self.runtime.spawn(async move { what(&me) });
        }
    }

    fn end_soon(&self, exit: Exit) {
        self.later(move |me| me.end(exit));
    }

    /// The end: its calls are lost, then its exit is reported, once.
    fn end(&self, exit: Exit) {
        let running = {
            let mut calls = self.calls.lock();
            calls.gone = true;
            std::mem::take(&mut calls.running)
        };
        if self.exit.send_replace(Some(exit)).is_some() {
            return;
        }
        for (_, completion) in running.into_values() {
            let lost = WorkerLost::new(self.name.clone(), self.pid(), exit);
            completion.complete(Err(CallError::Lost(Box::new(lost))));
        }
        let report = ExitReport {
            exit,
            start_error: None,
            output: vec!["last words".to_owned()],
        };
        self.events.exited(&self.name, report);
    }
}

fn done(run_time: Duration) -> Reply {
    Reply {
        value: bytes::Bytes::new(),
        run_time,
        gil_enabled: false,
    }
}

#[async_trait]
impl Worker for SimWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn pid(&self) -> u32 {
        1000 + self.name.id.slot * 100 + self.name.id.generation
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        None
    }

    /// `echo` returns at once, `wait:MS` after a while, `raise` fails, `hold` runs until the test or an abort ends it,
    /// `stuck` until the test does.
    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        let mut calls = self.calls.lock();
        if calls.gone {
            return Err((call, completion));
        }
        let request = call.request;
        calls
            .running
            .insert(request, (Arc::clone(&call.tool), completion));
        let load = u32::try_from(calls.running.len()).expect("few calls");
        self.most.fetch_max(load, Ordering::SeqCst);
        assert!(load <= self.capacity, "{} has {load} calls", self.name);
        self.log.lock().push(call.tool.to_string());
        drop(calls);
        if &*call.tool == "echo" {
            self.later(move |me| me.complete(request, Ok(done(Duration::ZERO))));
        } else if &*call.tool == "raise" {
            let error = CallError::Raised(Box::default());
            self.later(move |me| me.complete(request, Err(error)));
        } else if let Some(wait) = call.tool.strip_prefix("wait:")
            && let Some(me) = self.me.upgrade()
        {
            let wait = ms(wait.parse().expect("milliseconds"));
            self.runtime.spawn(async move {
                tokio::time::sleep(wait).await;
                me.complete(request, Ok(done(wait / 2)));
            });
        }
        Ok(())
    }

    fn abort(&self, request: RequestId) {
        self.later(move |me| {
            let tool = {
                let calls = me.calls.lock();
                calls.running.get(&request).map(|(tool, _)| Arc::clone(tool))
            };
            if tool.is_some_and(|tool| &*tool != "stuck") {
                me.complete(request, Err(CallError::Aborted { started: true }));
            }
        });
    }

    fn drain(&self) {
        let mut calls = self.calls.lock();
        calls.draining = true;
        if calls.running.is_empty() && !calls.stubborn {
            self.end_soon(Exit::Code(0));
        }
    }

    fn terminate(&self) {
        self.log.lock().push("SIGTERM".to_owned());
        if !self.calls.lock().stubborn {
            self.end_soon(Exit::Signal(15));
        }
    }

    fn kill(&self, reason: &str) {
        self.calls.lock().killed_because = Some(reason.to_owned());
        self.end_soon(Exit::Signal(9));
    }

    async fn health(&self, _: Duration) -> Health {
        Health::Alive(Duration::ZERO)
    }

    async fn memory(&self) -> Option<u64> {
        None
    }

    async fn exited(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        let ended = exit
            .wait_for(Option::is_some)
            .await
            .expect("the sender is in `self`");
        ended.expect("it has just been awaited")
    }
}
