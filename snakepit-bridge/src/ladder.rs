//! The rungs that need Python. The connection's thread says when; it must never wait for the GIL, so that whatever needs
//! that is done by a thread of its own, which may.

use std::ffi::c_int;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use pyo3::Python;
use snakepit_grpc::proto::Rung;
use snakepit_grpc::worker::{Stop, Stopper};

use crate::slot::{Slot, Strike};

/// Stops the calls of one worker.
pub(crate) struct Ladder {
    slots: Mutex<Vec<Arc<Slot>>>,
    /// What interrupts the main thread, where that runs the calls.
    signal: Option<c_int>,
    /// Jobs that may wait for the GIL.
    jobs_max: usize,
    helper: Mutex<Helper>,
}

/// The thread that waits for the GIL. It begins with its first job: most workers never have one.
enum Helper {
    Unborn,
    Running {
        jobs: SyncSender<Job>,
        thread: JoinHandle<()>,
    },
    Ended,
}

struct Job {
    slot: Arc<Slot>,
    request: u64,
    strike: Strike,
}

/// The real-time signal that interrupts a main thread, counted from the first. Others may have taken the lowest.
#[cfg(target_os = "linux")]
const SIGNAL_OFFSET: c_int = 7;

/// The signal that interrupts a main thread; `None` where the system has no real-time signals.
#[cfg_attr(
    target_os = "linux",
    expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")
)]
pub(crate) fn interrupt_signal() -> Option<c_int> {
    #[cfg(target_os = "linux")]
    return Some(libc::SIGRTMIN() + SIGNAL_OFFSET);
    #[cfg(not(target_os = "linux"))]
    return None;
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // An interpreter that ends has no call left.
        Python::try_attach(|py| job.slot.strike(py, job.request, job.strike));
    }
}

// === impl Ladder ===

impl Ladder {
    /// For so many threads that run calls.
    pub(crate) fn new(slots: usize, signal: Option<c_int>) -> Self {
        Self {
            slots: Mutex::default(),
            signal,
            jobs_max: 2 * slots.max(1),
            helper: Mutex::new(Helper::Unborn),
        }
    }

    /// What interrupts the main thread, where that runs the calls.
    pub(crate) fn signal(&self) -> Option<c_int> {
        self.signal
    }

    pub(crate) fn add(&self, slot: Arc<Slot>) {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(slot);
    }

    /// Ends the thread that waits for the GIL, which the caller must not hold.
    pub(crate) fn end(&self) {
        let helper = std::mem::replace(&mut *self.helper(), Helper::Ended);
        if let Helper::Running { jobs, thread } = helper {
            drop(jobs);
            // Had it panicked, there would be nothing left to wait for.
            let _ = thread.join();
        }
    }

    fn slot_of(&self, request: u64) -> Option<Arc<Slot>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().find(|slot| slot.runs(request)).map(Arc::clone)
    }

    fn ask(&self, job: Job) -> Stop {
        let mut helper = self.helper();
        if matches!(*helper, Helper::Unborn) {
            *helper = Helper::new(self.jobs_max);
        }
        let Helper::Running { jobs, .. } = &*helper else {
            return Stop::Unfit;
        };
        match jobs.try_send(job) {
            Ok(()) => Stop::Tried,
            // It waits for the GIL: later, then.
            Err(TrySendError::Full(_)) => Stop::Absent,
            Err(TrySendError::Disconnected(_)) => Stop::Unfit,
        }
    }

    fn helper(&self) -> MutexGuard<'_, Helper> {
        self.helper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stopper for Ladder {
    fn stop(&self, request: u64, rung: Rung) -> Stop {
        let Some(slot) = self.slot_of(request) else {
            return Stop::Absent;
        };
        if rung == Rung::Signal {
            return self
                .signal
                .map_or(Stop::Unfit, |signal| slot.interrupt(request, signal));
        }
        match slot.plan(request, rung) {
            Some(strike) => self.ask(Job {
                slot,
                request,
                strike,
            }),
            None => Stop::Unfit,
        }
    }
}

impl fmt::Debug for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ladder")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

// === impl Helper ===

impl Helper {
    fn new(jobs_max: usize) -> Self {
        let (jobs, waiting) = sync_channel(jobs_max);
        let thread = std::thread::Builder::new()
            .name("snakepit-stop".to_owned())
            .spawn(move || work(&waiting));
        match thread {
            Ok(thread) => Self::Running { jobs, thread },
            // Without it there are signals, and the host.
            Err(_) => Self::Ended,
        }
    }
}
