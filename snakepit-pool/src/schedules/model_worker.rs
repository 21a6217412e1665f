//! Workers that are threads of the model.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use shuttle::future::block_on;
use snakepit_config::{PoolName, ProfileKind};
use snakepit_profile::{
    Call, CallError, Completion, Exit, ExitReport, Health, Outcome, Reply, RequestId, Rung, StartError,
    Worker, WorkerEvents, WorkerFacts, WorkerId, WorkerLost, WorkerName, WorkerProfile,
};
use tokio::sync::Notify;

use crate::sync::preempt;

/// Workers that are ready at once. `echo` ends at once, `hold` when it is aborted or released.
pub(super) struct ModelProfile {
    capacity: NonZeroU32,
    workers: Mutex<Vec<Arc<ModelWorker>>>,
    faults: Arc<Mutex<Vec<String>>>,
}

/// One worker.
pub(super) struct ModelWorker {
    name: WorkerName,
    capacity: usize,
    inbox: Mutex<Inbox>,
    stirred: Notify,
    /// What a pool must never do to it, and has done.
    faults: Arc<Mutex<Vec<String>>>,
}

#[derive(Default)]
struct Inbox {
    orders: VecDeque<Order>,
    /// Every call that was handed over, or was to be.
    seen: BTreeSet<RequestId>,
    /// Calls that have not ended.
    open: usize,
    /// It dies as soon as its thread runs, and takes nothing any more.
    dying: bool,
}

enum Order {
    Run(Call, Completion),
    Abort(RequestId),
    Drain,
    /// Everything that is held ends, and nothing is held any more.
    Release,
}

// === impl ModelProfile ===

impl ModelProfile {
    /// Workers of pool `p`.
    pub(super) fn new(capacity: NonZeroU32) -> Self {
        Self {
            capacity,
            workers: Mutex::default(),
            faults: Arc::default(),
        }
    }

    /// The workers that were ever started.
    pub(super) fn workers(&self) -> Vec<Arc<ModelWorker>> {
        self.workers.lock().clone()
    }

    /// What must never happen to a worker, and has happened.
    pub(super) fn faults(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.faults)
    }
}

#[async_trait]
impl WorkerProfile for ModelProfile {
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
        let worker = Arc::new(ModelWorker {
            name: WorkerName {
                pool: PoolName::new("p").expect("a name"),
                id,
            },
            capacity: self.capacity.get() as usize,
            inbox: Mutex::default(),
            stirred: Notify::new(),
            faults: Arc::clone(&self.faults),
        });
        self.workers.lock().push(Arc::clone(&worker));
        let process = Arc::clone(&worker);
        // It may be ready, and dead again, before the launch has returned.
        drop(shuttle::thread::spawn(move || {
            block_on(process.run(events.as_ref()));
        }));
        preempt();
        Ok(worker)
    }
}

// === impl ModelWorker ===

impl ModelWorker {
    /// It dies. Its calls are lost.
    pub(super) fn die(&self) {
        self.inbox.lock().dying = true;
        self.stirred.notify_one();
    }

    /// What it holds ends, and from now on `hold` is like `echo`.
    pub(super) fn release(&self) {
        self.order(Order::Release);
    }

    async fn run(&self, events: &dyn WorkerEvents) {
        events.ready(&self.name, Arc::default());
        let mut held = BTreeMap::new();
        let (mut draining, mut released) = (false, false);
        let exit = loop {
            let order = {
                let mut inbox = self.inbox.lock();
                if inbox.dying {
                    break Exit::Signal(9);
                }
                let order = inbox.orders.pop_front();
                if order.is_none() && draining && held.is_empty() {
                    inbox.dying = true;
                    break Exit::Code(0);
                }
                order
            };
            match order {
                None => self.stirred.notified().await,
                Some(Order::Run(call, completion)) if &*call.tool == "hold" && !released => {
                    held.insert(call.request, completion);
                }
                Some(Order::Run(_, completion)) => self.end(completion, Ok(reply())),
                Some(Order::Abort(request)) => {
                    if let Some(completion) = held.remove(&request) {
                        self.end(
                            completion,
                            Err(CallError::Aborted {
                                started: true,
                                stopped_by: Some(Rung::Cooperative),
                            }),
                        );
                    }
                }
                Some(Order::Drain) => draining = true,
                Some(Order::Release) => {
                    released = true;
                    while let Some((_, completion)) = held.pop_first() {
                        self.end(completion, Ok(reply()));
                    }
                }
            }
        };
        let unread = std::mem::take(&mut self.inbox.lock().orders);
        for order in unread {
            if let Order::Run(_, completion) = order {
                self.end(completion, Err(CallError::NotSent));
            }
        }
        for completion in held.into_values() {
            let lost = WorkerLost::new(self.name.clone(), 1, exit);
            self.end(completion, Err(CallError::Lost(Box::new(lost))));
        }
        let report = ExitReport {
            exit,
            start_error: None,
            output: Vec::new(),
        };
        events.exited(&self.name, report);
    }

    fn end(&self, completion: Completion, outcome: Outcome) {
        self.inbox.lock().open -= 1;
        completion.complete(outcome);
    }

    fn order(&self, order: Order) {
        let mut inbox = self.inbox.lock();
        if !inbox.dying {
            inbox.orders.push_back(order);
            drop(inbox);
            self.stirred.notify_one();
        }
    }

    fn fault(&self, what: String) {
        self.faults.lock().push(what);
    }
}

fn reply() -> Reply {
    Reply {
        value: Bytes::new(),
        run_time: Duration::ZERO,
        gil_enabled: false,
    }
}

#[async_trait]
impl Worker for ModelWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn pid(&self) -> u32 {
        1
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        Some(Arc::default())
    }

    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        let mut inbox = self.inbox.lock();
        if !inbox.seen.insert(call.request) {
            self.fault(format!("{} was handed over twice", call.request));
        }
        if inbox.dying {
            return Err((call, completion));
        }
        inbox.open += 1;
        if inbox.open > self.capacity {
            self.fault(format!("{} is one call too many", call.request));
        }
        inbox.orders.push_back(Order::Run(call, completion));
        drop(inbox);
        self.stirred.notify_one();
        Ok(())
    }

    fn abort(&self, request: RequestId) {
        if !self.inbox.lock().seen.contains(&request) {
            self.fault(format!("the abort of {request} has overtaken it"));
        }
        self.order(Order::Abort(request));
    }

    fn drain(&self) {
        self.order(Order::Drain);
    }

    fn terminate(&self) {
        self.die();
    }

    fn kill(&self, _: &str) {
        self.die();
    }

    async fn health(&self, _: Duration) -> Health {
        Health::Alive(Duration::ZERO)
    }

    async fn memory(&self) -> Option<u64> {
        None
    }

    async fn exited(&self) -> Exit {
        // Pools hear of an exit through `WorkerEvents` only.
        std::future::pending().await
    }
}
