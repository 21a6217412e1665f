//! The start of a worker, and its end.

use std::sync::Arc;

use snakepit_profile::{ExitReport, StartError, Worker, WorkerEvents, WorkerId};

use crate::book::{Aftermath, Book, Evidence};
use crate::core::Event;
use crate::driver::Shared;
use crate::events::{ExitCause, PoolEventKind};
use crate::measure;
use crate::roster::Ending;

/// The duty to tell the core how a launch went. A launch whose task ends early has failed.
struct LaunchDuty {
    shared: Arc<Shared>,
    worker: WorkerId,
    told: bool,
}

/// Starts one worker. The duty exists before the task does: a runtime that has ended drops the task unpolled.
pub(crate) fn launch(shared: Arc<Shared>, worker: WorkerId) -> impl Future<Output = ()> + Send {
    let duty = LaunchDuty {
        shared: Arc::clone(&shared),
        worker,
        told: false,
    };
    async move {
        // All of it moves in, so that it is dropped with the task.
        let mut duty = duty;
        measure::predecessor(&shared, worker).await;
        let events = Arc::clone(&shared.reports) as Arc<dyn WorkerEvents>;
        let started = shared.profile.start(worker, events).await;
        duty.told = true;
        match started {
            Ok(handle) => launched(&shared, worker, handle),
            Err(error) => launch_failed(&shared, worker, error),
        }
    }
}

fn launched(shared: &Shared, worker: WorkerId, handle: Arc<dyn Worker>) {
    let pid = handle.pid();
    let ending = shared.with_book(|book, after| {
        let now = shared.clock.now();
        let early = book.roster.seat(worker, handle);
        book.tell(|book| PoolEventKind::WorkerStarted {
            worker: book.worker_name(worker),
            pid,
        });
        book.step(now, Event::Launched { worker }, Evidence::None, after);
        if early.ready {
            book.step(now, Event::BecameReady { worker }, Evidence::None, after);
        }
        early
            .exited
            .and_then(|report| ended(shared, book, worker, &report, after))
    });
    log(shared, worker, ending);
}

fn launch_failed(shared: &Shared, worker: WorkerId, error: StartError) {
    shared.with_book(|book, after| {
        let permanent = error.is_permanent();
        book.start_error = Some(error.clone());
        book.roster.remove(worker);
        book.tell(|book| PoolEventKind::StartFailed {
            worker: book.worker_name(worker),
            error: error.clone(),
        });
        let event = Event::LaunchFailed { worker, permanent };
        book.step(shared.clock.now(), event, Evidence::None, after);
    });
    log(shared, worker, Some((Ending::NeverReady(error), None)));
}

/// A worker has ended. Where its launch has not returned, that is heard first.
pub(crate) fn exited(shared: &Shared, worker: WorkerId, report: ExitReport) {
    let ending = shared.with_book(|book, after| {
        let report = book.roster.keep_early_exit(worker, report)?;
        ended(shared, book, worker, &report, after)
    });
    log(shared, worker, ending);
}

type Ended = (Ending, Option<ExitReport>);

fn ended(
    shared: &Shared,
    book: &mut Book,
    worker: WorkerId,
    report: &ExitReport,
    after: &mut Aftermath,
) -> Option<Ended> {
    let occupant = book.roster.remove(worker)?;
    let ending = occupant.ending(report, shared.startup_timeout);
    let mut permanent = false;
    match &ending {
        Ending::NeverReady(error) => {
            permanent = error.is_permanent();
            book.start_error = Some(error.clone());
            book.tell(|book| PoolEventKind::StartFailed {
                worker: book.worker_name(worker),
                error: error.clone(),
            });
        }
        Ending::Exited(cause) => book.tell(|book| PoolEventKind::WorkerExited {
            worker: book.worker_name(worker),
            pid: occupant.pid,
            exit: report.exit,
            cause: *cause,
        }),
    }
    let event = Event::Exited { worker, permanent };
    book.step(
        shared.clock.now(),
        event,
        Evidence::Exit(&occupant, report),
        after,
    );
    after.discard_worker(occupant);
    Some((ending, Some(report.clone())))
}

/// Not under the lock: whoever listens may take its time.
fn log(shared: &Shared, worker: WorkerId, ended: Option<Ended>) {
    let worker = shared.worker_name(worker);
    match ended {
        Some((Ending::NeverReady(error), _)) => {
            tracing::warn!(%worker, %error, "a worker could not be started");
        }
        Some((Ending::Exited(ExitCause::Died), Some(report))) => {
            tracing::warn!(%worker, exit = %report.exit, "a worker has died");
        }
        Some((Ending::Exited(_), _)) => tracing::debug!(%worker, "a worker has stopped"),
        None => {}
    }
}

impl Drop for LaunchDuty {
    fn drop(&mut self) {
        if !self.told {
            let source = Arc::new(std::io::Error::other("the task that started it ended early"));
            let program = std::path::PathBuf::from(self.shared.worker_name(self.worker).to_string());
            launch_failed(&self.shared, self.worker, StartError::Spawn { program, source });
        }
    }
}
