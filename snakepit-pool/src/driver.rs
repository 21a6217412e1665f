//! The core in its lock, and the ways into it: callers, workers, and the timer.
//!
//! Whoever has something to tell locks, hands the core an event, and carries out what it answers. What goes to a worker
//! is pushed into its outbox under the lock, so that nothing overtakes. Everything else (answers, new tasks, wake-ups)
//! is done right after unlocking, because it may run code of others.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use snakepit_config::{PoolName, PoolSettings};
use snakepit_profile::{
    Call, CallError, Completions, ExitReport, Outcome, RequestId, StartError, Worker, WorkerEvents,
    WorkerFacts, WorkerId, WorkerName, WorkerProfile,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::book::{Aftermath, Book, Caller, Ending, Evidence};
use crate::call::PoolCall;
use crate::clock::Clock;
use crate::core::{Core, CoreConfig, Event, Milestones};
use crate::supervised::Supervised;

/// One pool, shared by its callers, its workers and its tasks.
pub(crate) struct Shared {
    pub(crate) name: PoolName,
    pub(crate) profile: Arc<dyn WorkerProfile>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) milestones: watch::Sender<Milestones>,
    pub(crate) book: Mutex<Book>,
    pub(crate) grace: Duration,
    call_timeout: Duration,
    startup_timeout: Duration,
    tasks: Supervised,
    /// Wakes the timer task when the next deadline has come nearer.
    sooner: Arc<Notify>,
    reports: Arc<Reports>,
}

/// Where workers report to. It does not keep the pool alive.
pub(crate) struct Reports(Weak<Shared>);

/// Goes with the timer task: a pool whose runtime has ended has no time any more, and must not keep callers waiting.
struct Timekeeper(Weak<Shared>);

/// The duty to tell the core how a launch went. A launch whose task ends early has failed.
struct LaunchDuty {
    shared: Arc<Shared>,
    worker: WorkerId,
    told: bool,
}

// === impl Shared ===

impl Shared {
    /// Makes a pool and starts its first workers, on `runtime`.
    pub(crate) fn open(
        settings: &PoolSettings,
        profile: Arc<dyn WorkerProfile>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        seed: u64,
    ) -> Arc<Self> {
        let core = Core::new(CoreConfig::new(settings, profile.capacity(), seed));
        let shared = Arc::new_cyclic(|me: &Weak<Self>| {
            let reports = Arc::new(Reports(Weak::clone(me)));
            Self {
                name: settings.name.clone(),
                profile,
                clock,
                milestones: watch::Sender::new(Milestones::default()),
                book: Mutex::new(Book::new(settings.name.clone(), core, Arc::clone(&reports) as _)),
                grace: settings.grace,
                call_timeout: settings.call_timeout,
                startup_timeout: settings.startup_timeout,
                tasks: Supervised::new(runtime),
                sooner: Arc::new(Notify::new()),
                reports,
            }
        });
        let sooner = Arc::clone(&shared.sooner);
        let keeper = Timekeeper(Arc::downgrade(&shared));
        shared
            .tasks
            .spawn(async move { keep_time(&keeper.0, sooner).await });
        shared.tell(Event::Opened);
        shared
    }

    /// Hands in a call. Its answer comes through `caller`, for a refusal before this returns.
    pub(crate) fn submit(&self, call: PoolCall, caller: Caller) -> RequestId {
        let timeout = call.timeout.unwrap_or(self.call_timeout);
        self.with_book(|book, after| {
            let now = self.clock.now();
            let deadline = now.after(timeout);
            // What is due now may free a place, and with it change the id of the next request.
            book.step_timeout(now, after);
            let request = book.core.next_request();
            let call = Call {
                request,
                tool: call.tool,
                arguments: call.arguments,
                deadline: self.clock.instant(deadline),
                traceparent: call.traceparent,
            };
            book.expect(call, caller);
            book.step(now, Event::Submitted { request, deadline }, Evidence::None, after);
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
    fn with_book<T>(&self, work: impl FnOnce(&mut Book, &mut Aftermath) -> T) -> T {
        let mut after = Aftermath::default();
        let result = {
            let mut book = self.book.lock();
            let result = work(&mut book, &mut after);
            after.sooner = book.slept_too_long();
            after.milestones = book.news();
            result
        };
        self.follow_up(after);
        result
    }

    fn follow_up(&self, mut after: Aftermath) {
        after.answer();
        for worker in after.launches {
            if let Some(shared) = self.reports.0.upgrade() {
                self.tasks.spawn(launch(shared, worker));
            }
        }
        if after.sooner {
            self.sooner.notify_one();
        }
        if let Some(news) = after.milestones {
            // Another thread may be faster with later news: nothing is ever taken back.
            if news.failed {
                tracing::error!(pool = %self.name, "the pool has failed: none of its workers could be started");
            }
            self.milestones.send_if_modified(|known| {
                let before = *known;
                known.merge(news);
                *known != before
            });
        }
        for completion in after.unsent {
            completion.complete(Err(CallError::NotSent));
        }
    }

    fn launched(&self, worker: WorkerId, handle: Arc<dyn Worker>) {
        let ending = self.with_book(|book, after| {
            let now = self.clock.now();
            let early = book.seat(worker, handle);
            book.step(now, Event::Launched { worker }, Evidence::None, after);
            if early.ready {
                book.step(now, Event::BecameReady { worker }, Evidence::None, after);
            }
            early
                .exited
                .map(|report| self.ended(book, worker, &report, after))
        });
        self.log(worker, ending);
    }

    fn launch_failed(&self, worker: WorkerId, error: StartError) {
        self.with_book(|book, after| {
            let permanent = error.is_permanent();
            book.start_error = Some(error.clone());
            let event = Event::LaunchFailed { worker, permanent };
            book.step(self.clock.now(), event, Evidence::None, after);
        });
        self.log(worker, Some(Ending::NeverReady(error)));
    }

    fn ended(&self, book: &mut Book, worker: WorkerId, report: &ExitReport, after: &mut Aftermath) -> Ending {
        let ending = book.ending_of(worker, report, self.startup_timeout);
        let mut permanent = false;
        if let Ending::NeverReady(error) = &ending {
            permanent = error.is_permanent();
            book.start_error = Some(error.clone());
        }
        let event = Event::Exited { worker, permanent };
        book.step(self.clock.now(), event, Evidence::Exit(report), after);
        after.discard_worker(book.unseat(worker));
        ending
    }

    /// Not under the lock: whoever listens may take its time.
    fn log(&self, worker: WorkerId, ending: Option<Ending>) {
        let worker = self.worker_name(worker);
        match ending {
            Some(Ending::NeverReady(error)) => {
                tracing::warn!(%worker, %error, "a worker could not be started");
            }
            Some(Ending::Died(exit)) => tracing::warn!(%worker, %exit, "a worker has died"),
            Some(Ending::Asked) => tracing::debug!(%worker, "a worker has stopped"),
            None => {}
        }
    }

    fn worker_name(&self, id: WorkerId) -> WorkerName {
        WorkerName {
            pool: self.name.clone(),
            id,
        }
    }
}

/// Starts one worker. The duty exists before the task does: a runtime that has ended drops the task unpolled.
fn launch(shared: Arc<Shared>, worker: WorkerId) -> impl Future<Output = ()> + Send {
    let duty = LaunchDuty {
        shared: Arc::clone(&shared),
        worker,
        told: false,
    };
    async move {
        // All of it moves in, so that it is dropped with the task.
        let mut duty = duty;
        let events = Arc::clone(&shared.reports) as Arc<dyn WorkerEvents>;
        let started = shared.profile.start(worker, events).await;
        duty.told = true;
        match started {
            Ok(handle) => shared.launched(worker, handle),
            Err(error) => shared.launch_failed(worker, error),
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

impl Drop for LaunchDuty {
    fn drop(&mut self) {
        if !self.told {
            let source = Arc::new(std::io::Error::other("the task that started it ended early"));
            let program = std::path::PathBuf::from(self.shared.worker_name(self.worker).to_string());
            self.shared
                .launch_failed(self.worker, StartError::Spawn { program, source });
        }
    }
}

// === impl Reports ===

impl Completions for Reports {
    fn completed(&self, request: RequestId, outcome: Outcome) {
        let Some(shared) = self.0.upgrade() else { return };
        shared.with_book(|book, after| {
            let lost = matches!(outcome, Err(CallError::Lost(_) | CallError::NotSent));
            let event = Event::Completed { request, lost };
            book.step(shared.clock.now(), event, Evidence::Outcome(outcome), after);
        });
    }
}

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
        let ending = shared.with_book(|book, after| {
            let report = book.keep_early_exit(worker.id, report)?;
            Some(shared.ended(book, worker.id, &report, after))
        });
        shared.log(worker.id, ending);
    }
}
