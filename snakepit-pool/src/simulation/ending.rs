//! The end of the pools, in one of three ways: nothing may be left.

use std::time::Duration;

use super::callers::Plan;
use super::layout::RECOVERY;
use super::play::Play;
use super::recovery::{LONGEST_CALL, is_true_within};
use super::workers::{self, DEATH};
use crate::pools::Pools;

impl Play {
    /// One of the three ways to end pools, then the last judgement.
    pub(super) async fn end(mut self) {
        let (way, burst) = self
            .world
            .draw(|random| (random.between(0, 2), random.between(0, 20)));
        for _ in 0..burst {
            self.call(Plan::draw(&self.world, self.sizes.len()));
        }
        let pause = self.world.draw(|random| random.ms(0, 50));
        tokio::time::sleep(pause).await;
        let graces = self.world.layouts.iter().map(|layout| layout.settings.grace);
        let grace = graces.max().expect("there are pools");
        let within = match way {
            0 => {
                self.world.log.write("shut down");
                let pools = self.pools.clone();
                self.go(async move { pools.shutdown().await });
                2 * grace + DEATH
            }
            1 => {
                self.world.log.write("drain");
                for pool in self.pools.clone().iter() {
                    let pool = pool.clone();
                    self.go(async move { pool.drain().await });
                }
                LONGEST_CALL
            }
            _ => LONGEST_CALL,
        };
        self.finish_tasks(within).await;
        if way < 2 {
            self.all_end_within(DEATH).await;
        }
        self.close_sessions().await;
        for (number, pool) in self.pools.iter().enumerate() {
            self.world.judge.compare(&self.world.log, number, pool);
        }
        if self.is_over() {
            return;
        }
        self.world.log.write("the last handle is dropped");
        let Self { pools, .. } = &mut self;
        let nobody = Pools::start(Vec::new());
        drop(std::mem::replace(pools, nobody));
        self.all_end_within(DEATH).await;
        self.world.judge.settle(&self.world.log, &self.profiles);
        self.finish_readers().await;
    }

    async fn all_end_within(&self, time: Duration) {
        if !is_true_within(time, || workers::living(&self.profiles).is_empty()).await {
            let left = workers::living(&self.profiles);
            let names = left
                .iter()
                .map(|worker| snakepit_profile::Worker::name(&**worker).to_string());
            let found = names.collect::<Vec<_>>().join(", ");
            self.world.log.accuse("no worker outlives its pool", found);
        }
    }

    async fn close_sessions(&self) {
        let sessions = self.pools.sessions();
        for session in sessions.list() {
            self.world
                .demand(!session.in_use, "nobody uses a session without a call", || {
                    session.name.to_string()
                });
            sessions.end(&session.name);
        }
        // A session stays known while code of its calls runs, also after their callers were answered.
        let idle = || self.pools.iter().all(|pool| pool.stats().load == 0);
        self.world
            .demand(is_true_within(LONGEST_CALL, idle).await, "all code ends", || {
                format!("{:?}", self.pools.stats())
            });
        for pool in self.pools.iter() {
            let placed = pool.shared().book.lock().core.placed();
            self.world
                .demand(placed == 0, "a pool forgets the sessions that have ended", || {
                    format!("{} remembers {placed}", pool.name())
                });
        }
    }

    /// Readers learn that there is nothing more, and each knows of every event.
    async fn finish_readers(self) {
        let mut counts = Vec::new();
        for reader in self.readers {
            match tokio::time::timeout(RECOVERY, reader).await {
                Ok(Ok(count)) => counts.push(count),
                other => {
                    let found = format!("{other:?}");
                    self.world.log.accuse("readers end with the pools", found);
                    return;
                }
            }
        }
        let same = counts.windows(2).all(|pair| pair[0] == pair[1]);
        self.world
            .demand(same, "a slow reader knows how many events it has lost", || {
                format!("{counts:?}")
            });
    }
}
