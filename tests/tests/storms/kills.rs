//! Workers that are killed faster than they start, while callers call.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use rustix::process::Signal;
use snakepit::{
    Error, PoolConfig, PoolErrorKind, PoolEventKind, ProfileKind, Snakepit, WorkerHandle, WorkerState,
};
use snakepit_tests::{Process, Python, Wanted, Watch, ready_pit};
use tokio::task::unconstrained;

const SIZE: u32 = 8;
const CALLERS: u32 = 16;
const CALLS: u32 = 200;
/// From one round of kills to the next.
const PACE: Duration = Duration::from_millis(25);
/// In which a pool must be whole again.
const RECOVERY: Duration = Duration::from_secs(30);

/// What callers saw.
#[derive(Debug, Default)]
struct Seen {
    answers: u64,
    errors: BTreeMap<PoolErrorKind, u64>,
}

/// Kills workers, and knows which.
struct Killer<'p> {
    pit: &'p Snakepit,
    watch: Watch,
    killed: BTreeSet<u32>,
    processes: Vec<Process>,
    last: Instant,
}

fn pool(python: &Python) -> PoolConfig {
    python
        .pool("storm", "conformance.py")
        .worker_profile(ProfileKind::Process)
        .pool_size(SIZE)
        .queue_timeout(RECOVERY)
}

/// Calls of 16 callers, one after the other each, until all together have made 200. Every other one may run twice.
async fn call_all(pit: &Snakepit) -> Seen {
    let made = Cell::new(0);
    let caller = async || {
        let mut seen = Seen::default();
        while made.get() < CALLS {
            let number = made.replace(made.get() + 1);
            let idempotent = number.is_multiple_of(2);
            let call = pit.call::<()>("sleep").arg("ms", 40).idempotent(idempotent);
            match call.await {
                Ok(()) => seen.answers += 1,
                Err(Error::Pool(error)) => {
                    let kind = error.kind();
                    let allowed = match kind {
                        PoolErrorKind::WorkerLost | PoolErrorKind::Degraded => true,
                        PoolErrorKind::Poisoned => idempotent,
                        _ => false,
                    };
                    assert!(allowed, "call {number}: {error:?}");
                    *seen.errors.entry(kind).or_default() += 1;
                }
                Err(error) => panic!("call {number}: {error:?}"),
            }
        }
        seen
    };
    let all = join_all((0..CALLERS).map(|_| caller())).await;
    all.into_iter().fold(Seen::default(), |mut sum, seen| {
        sum.answers += seen.answers;
        for (kind, count) in seen.errors {
            *sum.errors.entry(kind).or_default() += count;
        }
        sum
    })
}

/// What callers saw is what the pool counted, and nothing is still open.
fn assert_counted(pit: &Snakepit, seen: &Seen, calls: u32) {
    let stats = pit.stats().total;
    assert_eq!(seen.answers + seen.errors.values().sum::<u64>(), u64::from(calls));
    assert_eq!((stats.completed, &stats.errors), (seen.answers, &seen.errors));
    assert_eq!(
        (stats.running, stats.lingering, stats.queued, stats.load),
        (0, 0, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_once_while_workers_are_killed_and_the_pool_is_whole_again() {
    let Some(python) = Python::find(Wanted::Default) else {
        return;
    };
    let pool = pool(&python)
        .restart_max(1000)
        .restart_pool_max(1000)
        .restart_backoff(Duration::from_millis(10))
        .restart_backoff_max(Duration::from_millis(50));
    let pit = ready_pit([pool]).await;
    let mut killer = Killer::new(&pit);
    let rounds = async {
        let mut pace = tokio::time::interval(PACE);
        for round in 0..30 {
            pace.tick().await;
            killer.kill_two(round).await;
        }
    };
    let (seen, ()) = tokio::join!(call_all(&pit), rounds);

    assert!(!seen.errors.contains_key(&PoolErrorKind::Degraded), "{seen:?}");
    assert!(seen.answers > 0, "{seen:?}");
    killer.until_whole().await;
    assert_eq!(killer.killed.len(), 60);
    assert_counted(&pit, &seen, CALLS);
    let processes = killer.processes();
    pit.shutdown().await;
    assert!(
        !processes.iter().any(|process| process.is_alive()),
        "{processes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_whose_workers_are_killed_too_often_refuses_at_once_and_recovers_by_itself() {
    let Some(python) = Python::find(Wanted::Default) else {
        return;
    };
    let pit = ready_pit([pool(&python)]).await;
    let mut killer = Killer::new(&pit);
    let (mut seen, ()) = tokio::join!(call_all(&pit), killer.kill_until_refused());
    killer
        .watch
        .until(|event| matches!(event.kind, PoolEventKind::Recovered).then_some(()))
        .await;
    killer.until_whole().await;
    assert!(!pit.stats().total.degraded);

    // The killer's own call was refused like the callers'.
    *seen.errors.entry(PoolErrorKind::Degraded).or_default() += 1;
    assert_counted(&pit, &seen, CALLS + 1);
    pit.call::<u32>("pid").await.expect("it serves again");
    let processes = killer.processes();
    pit.shutdown().await;
    assert!(
        !processes.iter().any(|process| process.is_alive()),
        "{processes:?}"
    );
}

// === impl Killer ===

impl<'p> Killer<'p> {
    fn new(pit: &'p Snakepit) -> Self {
        Self {
            pit,
            watch: Watch::new(pit.events()),
            killed: BTreeSet::new(),
            processes: Vec::new(),
            last: Instant::now(),
        }
    }

    /// The workers that take calls, without those whose end the pool has not heard of yet.
    fn ready(&self) -> Vec<WorkerHandle> {
        let mut workers = self.pit.default_pool().worker_handles();
        workers.retain(|it| it.state == WorkerState::Ready && !self.killed.contains(&it.pid));
        workers
    }

    fn kill(&mut self, worker: &WorkerHandle) {
        if let Some(process) = Process::of(worker.pid) {
            process.signal(Signal::KILL);
            self.processes.push(process);
        }
        self.killed.insert(worker.pid);
        self.last = Instant::now();
    }

    /// Kills two that are ready, other ones each round; where there are fewer, once there are two.
    async fn kill_two(&mut self, round: usize) {
        let mut ready = self.ready();
        while ready.len() < 2 {
            self.watch.next().await;
            ready = self.ready();
        }
        let first = round % ready.len();
        let second = (first + 1) % ready.len();
        for at in [first, second] {
            self.kill(&ready[at]);
        }
    }

    /// Kills whatever is ready until a call is refused because of it.
    async fn kill_until_refused(&mut self) {
        loop {
            for worker in self.ready() {
                self.kill(&worker);
            }
            let stats = self.pit.stats().total;
            if stats.degraded && stats.ready == 0 {
                // At once: its first poll has the answer, unless one more was ready just then.
                let call = unconstrained(self.pit.call::<u32>("pid").into_future());
                match call.now_or_never() {
                    Some(Err(Error::Pool(error))) if error.kind() == PoolErrorKind::Degraded => return,
                    None => {}
                    other => panic!("{other:?}"),
                }
            }
            self.watch.next().await;
        }
    }

    /// Waits until every worker is ready.
    async fn until_whole(&mut self) {
        while self.ready().len() < SIZE as usize {
            self.watch.next().await;
        }
        assert!(self.last.elapsed() < RECOVERY, "{:?}", self.last.elapsed());
    }

    /// Every process that it has killed, and those there are.
    fn processes(&self) -> Vec<Process> {
        let living = self.ready();
        let living = living.iter().filter_map(|worker| Process::of(worker.pid));
        self.processes.iter().copied().chain(living).collect()
    }
}
