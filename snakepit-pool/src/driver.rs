//! The core in its lock, and the ways into it: callers, workers, and the timer.
//!
//! Whoever has something to tell locks, hands the core an event, and carries out what it answers. What goes to a worker
//! is pushed into its outbox under the lock, so that nothing overtakes. Everything else (answers, new tasks, wake-ups)
//! is done right after unlocking, because it may run code of others.

use std::num::NonZeroU32;
use std::sync::{Arc, Weak};
use std::time::Duration;

use snakepit_config::{Affinity, PoolName, PoolSettings};
use snakepit_profile::{
    Call, CallError, Completions, ExitReport, Outcome, RequestId, WorkerEvents, WorkerFacts, WorkerId,
    WorkerName, WorkerProfile,
};
use tokio::sync::{Notify, watch};

use crate::book::{Aftermath, Book, Caller, Evidence};
use crate::call::PoolCall;
use crate::clock::Clock;
use crate::core::{Core, End, Event, Milestones, SessionId, Terms};
use crate::events::EventJournal;
use crate::launch;
use crate::measure;
use crate::supervised::Supervised;
use crate::sync::{self, Handle, Mutex};

/// One pool, shared by its callers, its workers and its tasks.
pub(crate) struct Shared {
    pub(crate) name: PoolName,
    pub(crate) profile: Arc<dyn WorkerProfile>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) milestones: watch::Sender<Milestones>,
    pub(crate) book: Mutex<Book>,
    pub(crate) grace: Duration,
    pub(crate) size_max: NonZeroU32,
    pub(crate) startup_timeout: Duration,
    /// What calls get that say nothing else.
    defaults: CallDefaults,
    tasks: Supervised,
    /// Wakes the timer task when the next deadline has come nearer.
    sooner: Arc<Notify>,
    pub(crate) reports: Arc<Reports>,
}

/// What pools are made with, beside their settings.
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runtime: Handle,
    pub(crate) journal: Arc<EventJournal>,
    /// Of the jitter in every pause.
    pub(crate) seed: u64,
}

struct CallDefaults {
    timeout: Duration,
    affinity: Affinity,
    attempts: NonZeroU32,
}

/// Where workers report to. It does not keep the pool alive.
pub(crate) struct Reports(pub(crate) Weak<Shared>);

/// Where the calls of one worker report their ends. A request that was lost with one worker may be on another: its end
/// counts only if it comes from there.
pub(crate) struct Desk {
    shared: Weak<Shared>,
    worker: WorkerId,
}

/// Goes with the timer task: a pool whose runtime has ended has no time any more, and must not keep callers waiting.
struct Timekeeper(Weak<Shared>);

// === impl Shared ===

impl Shared {
    /// Makes a pool around its core, and starts its first workers.
    pub(crate) fn open_around(
        core: Core,
        settings: &PoolSettings,
        profile: Arc<dyn WorkerProfile>,
        surroundings: Surroundings,
    ) -> Arc<Self> {
        let shared = Self::around(core, settings, profile, surroundings);
        let sooner = Arc::clone(&shared.sooner);
        let keeper = Timekeeper(Arc::downgrade(&shared));
        shared
            .tasks
            .spawn(async move { keep_time(&keeper.0, sooner).await });
        if settings.worker_memory_max.is_some() {
            let measured = Arc::downgrade(&shared);
            shared
                .tasks
                .spawn(async move { measure::samples(&measured).await });
        }
        shared.tell(Event::Opened);
        shared
    }

    fn around(
        core: Core,
        settings: &PoolSettings,
        profile: Arc<dyn WorkerProfile>,
        surroundings: Surroundings,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            name: settings.name.clone(),
            profile,
            clock: surroundings.clock,
            milestones: watch::Sender::new(Milestones::default()),
            book: Mutex::new(Book::new(
                settings.name.clone(),
                core,
                Weak::clone(me),
                surroundings.journal,
            )),
            grace: settings.grace,
            size_max: settings.max_workers.max(settings.pool_size),
            startup_timeout: settings.startup_timeout,
            defaults: CallDefaults {
                timeout: settings.call_timeout,
                affinity: settings.affinity,
                attempts: settings.retry_attempts,
            },
            tasks: Supervised::new(surroundings.runtime),
            sooner: Arc::new(Notify::new()),
            reports: Arc::new(Reports(Weak::clone(me))),
        })
    }

    /// Hands in a call. Its answer comes through `caller`, for a refusal before this returns.
    pub(crate) fn submit(&self, call: PoolCall, session: Option<SessionId>, caller: Caller) -> RequestId {
        let timeout = call.timeout.unwrap_or(self.defaults.timeout);
        self.with_book(|book, after| {
            let now = self.clock.now();
            // What is due now may free a place, and with it change the id of the next request.
            book.step_timeout(now, after);
            let request = book.core.next_request();
            let idempotent = call.idempotent.unwrap_or_else(|| book.is_idempotent(&call.tool));
            let terms = Terms {
                deadline: now.after(timeout),
                priority: call.priority,
                session,
                affinity: call.affinity.unwrap_or(self.defaults.affinity),
                attempts: if idempotent {
                    call.attempts.unwrap_or(self.defaults.attempts)
                } else {
                    NonZeroU32::MIN
                },
            };
            let call = Call {
                request,
                tool: call.tool,
                arguments: call.arguments,
                deadline: self.clock.instant(terms.deadline),
                traceparent: call.traceparent,
            };
            book.expect(call, caller);
            book.step(now, Event::Submitted { request, terms }, Evidence::None, after);
            request
        })
    }

    /// Nobody waits for a call any more.
    pub(crate) fn cancel(&self, request: RequestId) {
        self.with_book(|book, after| {
            let now = self.clock.now();
            book.step(now, Event::Cancelled { request }, Evidence::None, after);
            after.discard(book.forget(request));
        });
    }

    /// Hands the core an event that needs no evidence.
    pub(crate) fn tell(&self, event: Event) {
        self.with_book(|book, after| book.step(self.clock.now(), event, Evidence::None, after));
    }

    /// Locks, does `work`, and after unlocking what it has left to do.
    pub(crate) fn with_book<T>(&self, work: impl FnOnce(&mut Book, &mut Aftermath) -> T) -> T {
        let mut after = Aftermath::default();
        let (result, journal) = {
            let mut book = self.book.lock();
            let result = work(&mut book, &mut after);
            after.sooner = book.slept_too_long();
            after.milestones = book.news();
            let journal = book.journal().is_watched().then(|| Arc::clone(book.journal()));
            (result, journal)
        };
        self.follow_up(after);
        if let Some(journal) = journal {
            journal.wake();
        }
        result
    }

    fn follow_up(&self, mut after: Aftermath) {
        after.answer();
        for worker in after.launches {
            self.spawn(|shared| launch::launch(shared, worker));
        }
        for (recycled, before) in after.recycled {
            self.spawn(|shared| measure::report(shared, recycled, before));
        }
        sync::preempt();
        if after.sooner {
            self.sooner.notify_one();
        }
        if let Some(news) = after.milestones {
            // Another thread may be faster with later news: nothing is ever taken back.
            if news.failed {
                tracing::error!(pool = %self.name, "the pool has failed: none of its workers could be started");
            }
            sync::preempt();
            self.milestones.send_if_modified(|known| {
                let before = *known;
                known.merge(news);
                *known != before
            });
        }
        for completion in after.unsent {
            sync::preempt();
            completion.complete(Err(CallError::NotSent));
        }
    }

    /// Starts a task that holds the pool, which may be about to end.
    fn spawn<F>(&self, task: impl FnOnce(Arc<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Some(shared) = self.reports.0.upgrade() {
            self.tasks.spawn(task(shared));
        }
    }

    pub(crate) fn worker_name(&self, id: WorkerId) -> WorkerName {
        WorkerName {
            pool: self.name.clone(),
            id,
        }
    }
}

/// The timer of one pool. Callers with a distant deadline do not wake it: it looks again when the one it sleeps for
/// has passed.
async fn keep_time(shared: &Weak<Shared>, sooner: Arc<Notify>) {
    loop {
        let sleep = {
            let Some(shared) = shared.upgrade() else { return };
            let due = shared.with_book(|book, after| {
                book.step_timeout(shared.clock.now(), after);
                book.sleep()
            });
            shared.clock.sleep_until(due)
        };
        sync::preempt();
        tokio::select! {
            biased;
            () = sooner.notified() => {}
            () = sleep => {}
        }
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.tell(Event::Abandoned);
        }
    }
}

// === impl Desk ===

impl Desk {
    pub(crate) fn new(shared: Weak<Shared>, worker: WorkerId) -> Self {
        Self { shared, worker }
    }
}

impl Completions for Desk {
    fn completed(&self, request: RequestId, outcome: Outcome) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        shared.with_book(|book, after| {
            let event = Event::Completed {
                request,
                worker: self.worker,
                end: match outcome {
                    Err(CallError::Lost(_)) => End::Lost,
                    Err(CallError::NotSent) => End::NotSent,
                    _ => End::Served,
                },
            };
            book.step(shared.clock.now(), event, Evidence::Outcome(outcome), after);
        });
    }
}

// === impl Reports ===

impl WorkerEvents for Reports {
    fn ready(&self, worker: &WorkerName, facts: Arc<WorkerFacts>) {
        let Some(shared) = self.0.upgrade() else { return };
        tracing::debug!(%worker, pid = facts.pid, python = facts.python_version, "a worker is ready");
        let worker = worker.id;
        shared.with_book(|book, after| {
            if book.introduce(worker, facts) {
                let event = Event::BecameReady { worker };
                book.step(shared.clock.now(), event, Evidence::None, after);
            }
        });
    }

    fn exited(&self, worker: &WorkerName, report: ExitReport) {
        let Some(shared) = self.0.upgrade() else { return };
        launch::exited(&shared, worker.id, report);
    }
}
