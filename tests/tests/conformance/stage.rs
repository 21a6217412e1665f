//! Running pools of one kind of worker, and what scenarios do with them.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use snakepit::{Exit, Host, Pool, PoolError, PoolStats, WorkerHandle, WorkerName};
use snakepit_grpc::values::{self, Fields, Limits};
use snakepit_pool::sim::{SimProfile, SimWorker};
use snakepit_pool::{Answer, PoolCall, Pools};
use snakepit_profile::{Worker as _, WorkerProfile};
use snakepit_tests::{PATIENCE, Process, Watch, wait_until};

pub(crate) type Outcome = Result<Answer, PoolError>;

/// Pools of one kind of worker, running.
pub(crate) struct Stage {
    pub(crate) pools: Pools,
    /// Calls that each worker runs at once.
    pub(crate) slots: u32,
    actors: Actors,
}

/// The workers of every pool, in the order of the pools.
pub(crate) enum Actors {
    Simulated(Vec<Arc<SimProfile>>),
    Processes(Vec<Arc<dyn WorkerProfile>>, Arc<Host>),
}

/// A call that was handed in. Dropping it cancels it.
#[must_use = "dropping it cancels the call"]
pub(crate) struct Begun(Pin<Box<MaybeDone<BoxFuture<'static, Outcome>>>>);

/// What `whoami` tells.
#[derive(Debug, Deserialize)]
pub(crate) struct WhoAmI {
    pub(crate) pid: u32,
    pub(crate) worker: String,
}

// === The tools ===

pub(crate) fn tool(name: &str) -> PoolCall {
    PoolCall::new(name, arguments(Fields::default()))
}

pub(crate) fn echo(value: u32) -> PoolCall {
    with("echo", "value", &value)
}

pub(crate) fn echo_idempotent(value: u32) -> PoolCall {
    with("echo_idempotent", "value", &value)
}

pub(crate) fn hold() -> PoolCall {
    tool("hold")
}

pub(crate) fn busy(time: Duration) -> PoolCall {
    with("busy", "ms", &whole_ms(time))
}

pub(crate) fn die() -> PoolCall {
    with("die", "code", &7)
}

pub(crate) fn raise_error(message: &str) -> PoolCall {
    with("raise_error", "message", &message)
}

fn with(tool: &str, name: &str, value: &impl Serialize) -> PoolCall {
    let mut fields = Fields::default();
    fields.insert(name, value).expect("it can be sent");
    PoolCall::new(tool, arguments(fields))
}

fn arguments(fields: Fields) -> bytes::Bytes {
    fields.finish(&Limits::default()).expect("it fits")
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a time that a test waits")
}

/// What a call has returned.
pub(crate) fn read<T: DeserializeOwned>(answer: &Answer) -> T {
    values::decode(&answer.reply.value, &Limits::default()).expect("the value is of this type")
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new(pools: Pools, actors: Actors, slots: u32) -> Self {
        Self { pools, slots, actors }
    }

    /// The first pool.
    pub(crate) fn pool(&self) -> &Pool {
        self.pools.default_pool().expect("there is one")
    }

    pub(crate) fn stats(&self) -> PoolStats {
        self.pool().stats()
    }

    /// What happens from now on.
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.pools.events())
    }

    pub(crate) async fn call(&self, call: PoolCall) -> Outcome {
        self.pool().call(call).await
    }

    /// A call that is expected to return what it was given.
    pub(crate) async fn echoes(&self, value: u32) -> Answer {
        let answer = self.call(echo(value)).await.expect("an echo");
        assert_eq!(read::<u32>(&answer), value);
        answer
    }

    /// Hands in a call, and does not wait for its answer.
    pub(crate) fn begin(&self, call: PoolCall) -> Begun {
        let pool = self.pool().clone();
        // What a look at it finds must not depend on how much this task has done before.
        let answer = tokio::task::unconstrained(async move { pool.call(call).await });
        let mut begun = Begun(Box::pin(maybe_done(Box::pin(answer))));
        begun.look();
        begun
    }

    /// Takes every free slot.
    pub(crate) fn fill(&self) -> Vec<Begun> {
        let stats = self.stats();
        let held = (stats.load..stats.capacity).map(|_| self.begin(hold())).collect();
        let stats = self.stats();
        assert_eq!((stats.load, stats.queued), (stats.capacity, 0), "{stats:#?}");
        held
    }

    /// The worker that runs something, where there is just one such.
    pub(crate) fn laden(&self) -> WorkerHandle {
        let mut laden = self.pool().worker_handles();
        laden.retain(|worker| worker.load > 0);
        assert_eq!(laden.len(), 1, "{laden:?}");
        laden.remove(0)
    }

    /// Lets a worker do nothing more, so that what it is given does not run.
    pub(crate) async fn freeze(&self, worker: &WorkerHandle) {
        match &self.actors {
            Actors::Simulated(profiles) => simulated(profiles, &worker.name).freeze(),
            Actors::Processes(..) => process(worker).stop().await,
        }
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, worker: &WorkerHandle) {
        match &self.actors {
            Actors::Simulated(profiles) => simulated(profiles, &worker.name).thaw(),
            Actors::Processes(..) => process(worker).signal(Signal::CONT),
        }
    }

    /// Ends a worker without asking it.
    pub(crate) fn kill(&self, worker: &WorkerHandle) {
        match &self.actors {
            Actors::Simulated(profiles) => simulated(profiles, &worker.name).die(Exit::Signal(9)),
            Actors::Processes(..) => process(worker).signal(Signal::KILL),
        }
    }

    /// Cuts a worker off, so that its pool learns of it only when it is next given a call, if the kind of worker allows it;
    /// otherwise it is killed.
    pub(crate) fn sever(&self, worker: &WorkerHandle) {
        match &self.actors {
            Actors::Simulated(profiles) => simulated(profiles, &worker.name).sever(),
            Actors::Processes(..) => process(worker).signal(Signal::KILL),
        }
    }

    /// Waits until nothing runs or waits, and so many workers are ready.
    pub(crate) async fn whole(&self, ready: u32) {
        let whole = wait_until(PATIENCE, || {
            let stats = self.stats();
            (stats.ready, stats.workers, stats.load, stats.queued) == (ready, ready, 0, 0)
        })
        .await;
        assert!(whole, "{:#?}", self.stats());
    }

    /// Ends everything: nothing is left, and the numbers add up.
    pub(crate) async fn end(self) {
        let processes: Vec<_> = match &self.actors {
            Actors::Simulated(_) => Vec::new(),
            Actors::Processes(..) => self
                .pools
                .iter()
                .flat_map(Pool::worker_handles)
                .filter_map(|worker| Process::of(worker.pid))
                .collect(),
        };
        self.pools.shutdown().await;
        for pool in self.pools.iter() {
            let stats = pool.stats();
            assert_adds_up(&stats);
            let left = (stats.running, stats.load, stats.queued, stats.workers);
            assert_eq!(left, (0, 0, 0, 0), "{stats:#?}");
        }
        match self.actors {
            Actors::Simulated(profiles) => {
                for profile in profiles {
                    assert_eq!(profile.record().violations(), []);
                }
            }
            Actors::Processes(_, host) => host.shutdown().await,
        }
        let left: Vec<_> = processes.into_iter().filter(|it| it.is_alive()).collect();
        assert_eq!(left, [], "they outlived their pools");
    }
}

/// The identity that a pool's numbers promise.
pub(crate) fn assert_adds_up(stats: &PoolStats) {
    let ended = stats.completed + stats.cancelled + stats.errors.values().sum::<u64>();
    let open = u64::from(stats.running) + u64::from(stats.queued);
    assert_eq!(stats.requests + stats.refused, ended + open, "{stats:#?}");
    assert_eq!(stats.load, stats.running + stats.lingering, "{stats:#?}");
}

fn simulated(profiles: &[Arc<SimProfile>], name: &WorkerName) -> Arc<SimWorker> {
    let workers = profiles.iter().flat_map(|profile| profile.all());
    let mut named = workers.filter(|worker| worker.name() == name);
    named.next().expect("the worker was started")
}

fn process(worker: &WorkerHandle) -> Process {
    Process::of(worker.pid).expect("a living one")
}

// === impl Actors ===

impl Actors {
    pub(crate) fn profiles(&self) -> Vec<Arc<dyn WorkerProfile>> {
        match self {
            Self::Simulated(profiles) => profiles.iter().map(|it| Arc::clone(it) as _).collect(),
            Self::Processes(profiles, _) => profiles.clone(),
        }
    }
}

// === impl Begun ===

impl Begun {
    /// Its answer.
    pub(crate) async fn end(mut self) -> Outcome {
        self.0.as_mut().await;
        self.0.as_mut().take_output().expect("nobody has taken it")
    }

    /// Whether it has its answer.
    pub(crate) fn is_answered(&mut self) -> bool {
        self.look();
        matches!(*self.0, MaybeDone::Done(_))
    }

    /// What it was told in the moment it was handed in.
    pub(crate) fn refusal(mut self) -> PoolError {
        let outcome = self.0.as_mut().take_output();
        outcome
            .expect("it was answered at once")
            .expect_err("it was refused")
    }

    fn look(&mut self) {
        let _ = self.0.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}
