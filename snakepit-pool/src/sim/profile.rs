//! A pool's profile whose workers are simulated.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use snakepit_config::{PoolName, ProfileKind};
use snakepit_profile::{StartError, Worker, WorkerEvents, WorkerId, WorkerName, WorkerProfile};
use tokio::sync::watch;

use super::process::Fate;
use super::record::Record;
use super::script::{Script, Start};
use super::worker::SimWorker;
use crate::supervised::Supervised;
use crate::sync::Handle;

/// Simulated workers of one pool. They end with it: a worker's task belongs to its profile.
#[derive(Debug)]
pub struct SimProfile {
    pool: PoolName,
    capacity: NonZeroU32,
    script: Arc<Script>,
    record: Arc<Record>,
    tasks: Supervised,
    /// Every worker there ever was.
    workers: watch::Sender<Vec<Arc<SimWorker>>>,
}

// === impl SimProfile ===

impl SimProfile {
    /// Workers of `pool`, each with `capacity` slots, on the runtime it is called from.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(pool: PoolName, capacity: NonZeroU32, script: Script, record: Arc<Record>) -> Self {
        Self {
            pool,
            capacity,
            script: Arc::new(script),
            record,
            tasks: Supervised::new(Handle::current()),
            workers: watch::Sender::default(),
        }
    }

    /// What happened to its workers.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Every worker there ever was, in the order of their starts. A launch that failed made none.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<SimWorker>> {
        self.workers.borrow().clone()
    }

    /// The last worker of a slot.
    ///
    /// # Panics
    /// If the slot never had one.
    #[must_use]
    pub fn worker(&self, slot: u32) -> Arc<SimWorker> {
        let workers = self.workers.borrow();
        let last = workers.iter().rev().find(|worker| worker.name().id.slot == slot);
        Arc::clone(last.expect("the slot had a worker"))
    }

    /// Waits until the slot has had so many workers.
    pub async fn has_made(&self, slot: u32, generation: u32) {
        let id = WorkerId { slot, generation };
        let mut workers = self.workers.subscribe();
        let made = |workers: &Vec<Arc<SimWorker>>| workers.iter().any(|worker| worker.name().id == id);
        // The sender is in `self`, which outlives this.
        let _ = workers.wait_for(made).await;
    }
}

#[async_trait]
impl WorkerProfile for SimProfile {
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
        let start = (self.script.start)(id);
        let name = WorkerName {
            pool: self.pool.clone(),
            id,
        };
        self.record.write(&name, format_args!("start: {start}"));
        let early = matches!(start, Start::ReadyEarly | Start::ExitEarly(_));
        let (wait, fate) = match start {
            Start::Fail(error) => return Err(error),
            // Without the panic hook: nobody wants to read of a panic that the script wants.
            Start::Panic => std::panic::resume_unwind(Box::new("as the script wants it")),
            Start::Hang => (Duration::ZERO, None),
            Start::Ready | Start::ReadyEarly => (Duration::ZERO, Some(Fate::Ready)),
            Start::ReadyAfter(wait) => (wait, Some(Fate::Ready)),
            Start::Exit(wait, exit) => (wait, Some(Fate::Exit(exit))),
            Start::ExitEarly(exit) => (Duration::ZERO, Some(Fate::Exit(exit))),
        };
        let fate = fate.map(|fate| (self.record.now().after(wait), fate));
        let (script, record) = (Arc::clone(&self.script), Arc::clone(&self.record));
        let worker = SimWorker::new(name, self.capacity.get(), script, record, events, fate);
        let worker = Arc::new(worker);
        self.workers
            .send_modify(|workers| workers.push(Arc::clone(&worker)));
        if early {
            worker.be_early();
        }
        if !worker.has_ended() {
            self.tasks.spawn(Arc::clone(&worker).live());
        }
        Ok(worker)
    }
}
