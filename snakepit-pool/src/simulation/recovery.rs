//! After the faults: every pool becomes whole again, and serves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::callers::{self, Plan};
use super::layout::RECOVERY;
use super::play::Play;
use super::workers::{self, DEATH};
use crate::core::Phase;
use crate::pool::Pool;

/// Every call has ended after so long: no time limit in a layout is longer.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(10);
/// Between two looks at something that nobody is told of.
const GLANCE: Duration = Duration::from_millis(20);

impl Play {
    /// No new faults, and none that stays: then all of it must be well in bounded time.
    pub(super) async fn recover(&mut self) {
        let discouraged = workers::heal(&self.world, &self.profiles);
        self.finish_tasks(LONGEST_CALL).await;
        tokio::time::sleep(DEATH).await;
        self.become_whole(&discouraged).await;
        if !self.is_over() {
            self.prove_health().await;
        }
    }

    /// Waits for callers and operators.
    pub(super) async fn finish_tasks(&mut self, within: Duration) {
        let tasks = &mut self.tasks;
        let world = &self.world;
        let all = async {
            while let Some(task) = tasks.join_next().await {
                if let Err(error) = task {
                    world.log.accuse("nobody panics", error);
                }
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            let found = format!("{} of them wait after {within:?}", self.tasks.len());
            self.world.log.accuse("every call and every order ends", found);
        }
    }

    /// Every pool becomes whole by itself. Only one whose starts have failed for good may need somebody to ask for it.
    async fn become_whole(&self, discouraged: &[usize]) {
        for (number, pool) in self.pools.iter().enumerate() {
            if self.world.log.is_broken() {
                return;
            }
            let alone = if discouraged.contains(&number) {
                RECOVERY / 2
            } else {
                RECOVERY
            };
            if is_true_within(alone, || self.is_whole(number, pool)).await {
                continue;
            }
            if discouraged.contains(&number) {
                self.world.log.write(format_args!("p{number} is started anew"));
                for size in [1, self.sizes[number]] {
                    let _ = pool.resize(size);
                }
                let _ = pool.recycle_all();
                if is_true_within(RECOVERY, || self.is_whole(number, pool)).await {
                    continue;
                }
            }
            let snapshot = pool.shared().book.lock().core.snapshot();
            let found = format!("p{number} of {}: {snapshot:?}", self.sizes[number]);
            self.world
                .log
                .accuse("once faults stop, a pool becomes whole", found);
        }
        self.world.log.write("all pools are whole");
    }

    fn is_whole(&self, number: usize, pool: &Pool) -> bool {
        let layout = &self.world.layouts[number];
        let stats = pool.stats();
        let (phase, stopped) = {
            let book = pool.shared().book.lock();
            (book.core.phase(), book.core.milestones().stopped)
        };
        let idle = stats.load == 0 && stats.queued == 0;
        let size = self.sizes[number];
        // Where workers are renewed all the time, one may always be missing; but one must have come for a pool to be whole.
        let enough = if layout.renews() {
            layout.floor(size).max(1)
        } else {
            size
        };
        let full = stats.ready >= enough && stats.ready <= size + layout.settings.surge_max;
        idle && if phase == Phase::Open {
            full && !stats.degraded
        } else {
            stopped
        }
    }

    /// Every open pool serves as many calls at once as it has slots.
    async fn prove_health(&mut self) {
        for number in 0..self.sizes.len() {
            let pool = self.pools.iter().nth(number).expect("there is one").clone();
            if pool.shared().book.lock().core.phase() != Phase::Open {
                continue;
            }
            // A circuit that is open closes with the first one.
            if !self.serves_within(number, RECOVERY).await {
                let found = format!("p{number} serves nobody: {:?}", pool.stats());
                self.world.log.accuse("once faults stop, a pool serves", found);
                return;
            }
            let layout = &self.world.layouts[number];
            let size = self.sizes[number];
            let workers = if layout.renews() { layout.floor(size) } else { size };
            let slots = workers * layout.capacity.get();
            let plans: Vec<_> = (0..slots).map(|_| Plan::plain(&self.world, number)).collect();
            let calls = plans
                .into_iter()
                .map(|plan| callers::call(Arc::clone(&self.world), self.pools.clone(), plan));
            for ended in join_all(calls).await {
                let served = matches!(ended, Some(Ok(_)));
                self.world
                    .demand(served, "once faults stop, a whole pool fills its slots", || {
                        format!("p{number}: {ended:?}")
                    });
            }
        }
    }

    async fn serves_within(&self, number: usize, within: Duration) -> bool {
        let mut left = within;
        loop {
            let plan = Plan::plain(&self.world, number);
            let (world, pools) = (Arc::clone(&self.world), self.pools.clone());
            if matches!(callers::call(world, pools, plan).await, Some(Ok(_))) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            // A pool whose only worker is renewed has none for a moment.
            let pause = Duration::from_millis(100).min(left);
            tokio::time::sleep(pause).await;
            left -= pause;
        }
    }
}

/// Looks again and again.
pub(super) async fn is_true_within(time: Duration, mut what: impl FnMut() -> bool) -> bool {
    let looks = time.as_millis() / GLANCE.as_millis();
    for _ in 0..looks {
        if what() {
            return true;
        }
        tokio::time::sleep(GLANCE).await;
    }
    what()
}
