//! A thread that runs calls, and what stops the one that it runs.
//!
//! What is set from outside must reach that call and nothing else: no later call, and no code of the bridge between two.
//! So it is set under the slot's lock, while that call runs; and a call is left under the same lock, which takes back
//! what has not arrived. A signal cannot be taken back: its handler looks here whether it is meant.

use std::cell::RefCell;
use std::ffi::{c_int, c_long, c_ulong};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::ffi;
use pyo3::prelude::*;
use snakepit_grpc::proto::Rung;
use snakepit_grpc::worker::Stop;

use crate::call::{Call, Cancelled, is_forked};

thread_local! {
    /// What this thread is, if it runs calls.
    static HERE: RefCell<Option<Arc<Slot>>> = const { RefCell::new(None) };
}

/// A thread that runs calls.
pub(crate) struct Slot {
    /// As Python numbers threads.
    ident: c_long,
    /// As the system does.
    thread: libc::pthread_t,
    /// Nobody waits while he holds it, for the GIL least of all.
    running: Mutex<Option<Running>>,
}

/// The call that a thread runs, and how far stopping it has come.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which something else is done about"
)]
struct Running {
    call: Arc<Call>,
    /// Its tool allows more than to be told.
    interruptible: bool,
    /// Shields that it has entered and not left.
    shields: u32,
    /// Something would have been raised, but for a shield.
    held_back: bool,
    /// The last that was tried.
    reached: Rung,
    /// An exception was set. It may have been raised since.
    exception_set: bool,
    /// The signal was sent, and its handler has not run since.
    signalled: bool,
    /// Cancels the task that it runs as, where it is one.
    cancel: Option<Py<PyAny>>,
}

/// What is to be done to a running call by a thread that has the GIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    CancelTask,
    SetException,
}

/// The slot of this thread. A process that a tool has forked off has none: another thread may have held the lock of its copy.
pub(crate) fn here() -> Option<Arc<Slot>> {
    HERE.with_borrow(Option::clone).filter(|_| !is_forked())
}

/// Handles the signal that interrupts the main thread: raises `Cancelled` where the running call is meant.
#[pyfunction]
pub(crate) fn interrupted(py: Python<'_>, _signal: c_int, _frame: &Bound<'_, PyAny>) -> PyResult<()> {
    match here() {
        Some(slot) if slot.take_signal(py) => Err(Cancelled::new_err(CANCELLED)),
        _ => Ok(()),
    }
}

/// Says how to cancel the task that the running call is. Outside a call it does nothing.
#[pyfunction]
pub(crate) fn cancel_by(py: Python<'_>, cancel: Py<PyAny>) {
    if let Some(slot) = here()
        && let Some(running) = slot.lock(py).as_mut()
    {
        running.cancel = Some(cancel);
    }
}

/// Whether the running call was to be stopped by more than a word: what it has interrupted may be in any state.
#[pyfunction]
pub(crate) fn was_interrupted(py: Python<'_>) -> bool {
    here().is_some_and(|slot| {
        let running = slot.lock(py);
        running.as_ref().is_some_and(|it| it.reached >= Rung::Exception)
    })
}

/// The message of every `Cancelled` that has one.
pub(crate) const CANCELLED: &str = "the caller no longer waits for this call";

// === impl Slot ===

impl Slot {
    /// Makes this thread one that runs calls.
    pub(crate) fn of_this_thread(py: Python<'_>) -> PyResult<Arc<Self>> {
        let ident: c_ulong = py.import("_thread")?.getattr("get_ident")?.call0()?.extract()?;
        let slot = Arc::new(Self {
            // The same bits: Python's header says `unsigned`, and the binding does not.
            ident: ident.cast_signed(),
            thread: this_thread(),
            running: Mutex::new(None),
        });
        HERE.set(Some(Arc::clone(&slot)));
        Ok(slot)
    }

    /// A call begins.
    pub(crate) fn enter(&self, py: Python<'_>, call: Arc<Call>, interruptible: bool) {
        *self.lock(py) = Some(Running {
            call,
            interruptible,
            shields: 0,
            held_back: false,
            reached: Rung::Cooperative,
            exception_set: false,
            signalled: false,
            cancel: None,
        });
    }

    /// The call has ended: nothing that was set for it arrives any more. Gives the last rung that was tried.
    pub(crate) fn leave(&self, py: Python<'_>) -> Rung {
        let running = {
            let mut running = self.lock(py);
            if running.as_ref().is_some_and(|it| it.exception_set) {
                self.set_exception(py, None);
            }
            running.take()
        };
        running.map_or(Rung::Unspecified, |it| it.reached)
    }

    pub(crate) fn call(&self, py: Python<'_>) -> Option<Arc<Call>> {
        self.lock(py).as_ref().map(|it| Arc::clone(&it.call))
    }

    /// Whether this thread runs `request`. Needs no GIL, as does [`Slot::plan`] and [`Slot::interrupt`].
    pub(crate) fn runs(&self, request: u64) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_some_and(|it| it.call.request == request)
    }

    /// What `rung` means for the running call, where a thread with the GIL is needed for it.
    pub(crate) fn plan(&self, request: u64, rung: Rung) -> Option<Strike> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running
            .as_ref()
            .filter(|it| it.call.request == request && it.interruptible)?;
        match rung {
            Rung::Task if running.cancel.is_some() => Some(Strike::CancelTask),
            Rung::Exception => Some(Strike::SetException),
            _ => None,
        }
    }

    /// Sends the signal whose handler is [`interrupted`] to this thread.
    pub(crate) fn interrupt(&self, request: u64, signal: c_int) -> Stop {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = running.as_mut().filter(|it| it.call.request == request) else {
            return Stop::Absent;
        };
        if !running.interruptible {
            return Stop::Unfit;
        }
        if running.shields > 0 {
            running.held_back = true;
            return Stop::Tried;
        }
        running.reached = Rung::Signal;
        running.signalled = true;
        self.send(signal);
        Stop::Tried
    }

    /// Carries out what was planned, if `request` still runs.
    pub(crate) fn strike(&self, py: Python<'_>, request: u64, strike: Strike) {
        let cancel = {
            let mut running = self.lock(py);
            let Some(running) = running.as_mut().filter(|it| it.call.request == request) else {
                return;
            };
            match strike {
                Strike::CancelTask => running.reached = running.reached.max(Rung::Task),
                // It waited for the GIL for so long that a signal was faster.
                Strike::SetException if running.reached > Rung::Exception => return,
                Strike::SetException if running.shields > 0 => {
                    running.held_back = true;
                    return;
                }
                Strike::SetException => {
                    self.set_exception(py, Some(&py.get_type::<Cancelled>()));
                    running.exception_set = true;
                    running.reached = Rung::Exception;
                }
            }
            running.cancel.as_ref().map(|cancel| cancel.clone_ref(py))
        };
        // It also wakes a loop that waits, for without bytecode no exception is raised. A loop that is closed has no task
        // to cancel.
        if let Some(cancel) = cancel {
            let _ = cancel.call0(py);
        }
    }

    /// Whether the signal was meant for the code that runs here, and nothing shields that.
    fn take_signal(&self, py: Python<'_>) -> bool {
        let mut running = self.lock(py);
        let Some(running) = running.as_mut().filter(|it| it.signalled) else {
            return false;
        };
        running.signalled = false;
        if running.shields > 0 {
            running.held_back = true;
            return false;
        }
        // One is enough: a second would hit what the first one lets run.
        if std::mem::take(&mut running.exception_set) {
            self.set_exception(py, None);
        }
        true
    }

    /// The running call is not to be interrupted until it says so.
    pub(crate) fn shield(&self, py: Python<'_>, request: u64) {
        let mut running = self.lock(py);
        if let Some(running) = running.as_mut().filter(|it| it.call.request == request) {
            running.shields += 1;
            if std::mem::take(&mut running.exception_set) {
                self.set_exception(py, None);
            }
        }
    }

    /// Leaves a shield. `true`: it was the last, and has held back what is to be raised now.
    pub(crate) fn unshield(&self, py: Python<'_>, request: u64) -> bool {
        let mut running = self.lock(py);
        let Some(running) = running.as_mut().filter(|it| it.call.request == request) else {
            return false;
        };
        running.shields = running.shields.saturating_sub(1);
        let raises = running.shields == 0 && std::mem::take(&mut running.held_back);
        if raises {
            running.reached = running.reached.max(Rung::Exception);
        }
        raises
    }

    /// Locks while this thread has the GIL. It does not wait with it, or in a free-threaded interpreter without being
    /// ready for whoever stops all threads.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Option<Running>> {
        loop {
            match self.running.try_lock() {
                Ok(running) => return running,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    py.detach(|| drop(self.running.lock().unwrap_or_else(PoisonError::into_inner)));
                }
            }
        }
    }

    /// Sets the exception that this thread raises next, or takes it back.
    #[expect(unsafe_code, reason = "Python has this as a C function only")]
    fn set_exception(&self, _attached: Python<'_>, class: Option<&Bound<'_, pyo3::types::PyType>>) {
        let class = class.map_or(std::ptr::null_mut(), Bound::as_ptr);
        // SAFETY: this thread is attached to the interpreter, and the class is alive; Python takes a reference of its own.
        // The number is that of a thread that runs a call, or of this one: it is not another thread's by now.
        unsafe { ffi::PyThreadState_SetAsyncExc(self.ident, class) };
    }

    #[expect(unsafe_code, reason = "no safe crate sends a signal to one thread")]
    fn send(&self, signal: c_int) {
        // SAFETY: only the main thread's slot is sent signals, and that thread lives as long as the process. A handler
        // for the signal was installed before the first call.
        unsafe { libc::pthread_kill(self.thread, signal) };
    }
}

#[expect(
    unsafe_code,
    reason = "no safe crate gives the number that `pthread_kill` takes"
)]
fn this_thread() -> libc::pthread_t {
    // SAFETY: it has no preconditions.
    unsafe { libc::pthread_self() }
}
