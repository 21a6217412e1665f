//! The workers that the core speaks of.

use std::sync::Arc;
use std::time::Duration;

use snakepit_profile::{
    Completions, Exit, ExitReport, StartError, Worker, WorkerFacts, WorkerId, WorkerLost, WorkerName,
};

use crate::core::KillReason;
use crate::events::ExitCause;

/// Every worker that is being launched or lives, by slot. A slot has one, or two while its worker is renewed.
#[derive(Default)]
pub(crate) struct Roster(Vec<Vec<Occupant>>);

/// One worker, from the decision to start it until its end.
pub(crate) struct Occupant {
    pub(crate) id: WorkerId,
    /// Since the launch has returned.
    pub(crate) worker: Option<Arc<dyn Worker>>,
    pub(crate) pid: u32,
    /// Since it is ready.
    pub(crate) facts: Option<Arc<WorkerFacts>>,
    /// Where its calls report their ends.
    pub(crate) sink: Arc<dyn Completions>,
    /// What it was measured to use last, in bytes.
    pub(crate) memory: Option<u64>,
    /// The launch has not returned. What is reported meanwhile waits for it, so that the core hears it in order.
    launching: bool,
    early_exit: Option<ExitReport>,
    /// Why the pool killed it, if it did.
    pub(crate) killed: Option<KillReason>,
    /// The pool has asked it to stop.
    pub(crate) dismissed: bool,
}

/// What was reported of a worker before its launch had returned.
pub(crate) struct Early {
    pub(crate) ready: bool,
    pub(crate) exited: Option<ExitReport>,
}

/// How a worker has ended.
pub(crate) enum Ending {
    /// After it was ready, or because the pool no longer needed it.
    Exited(ExitCause),
    /// Before it was ready.
    NeverReady(StartError),
}

// === impl Roster ===

impl Roster {
    /// A worker is to be launched.
    pub(crate) fn add(&mut self, id: WorkerId, sink: Arc<dyn Completions>) {
        let slot = id.slot as usize;
        if slot >= self.0.len() {
            self.0.resize_with(slot + 1, Vec::new);
        }
        self.0[slot].push(Occupant {
            id,
            worker: None,
            pid: 0,
            facts: None,
            sink,
            memory: None,
            launching: true,
            early_exit: None,
            killed: None,
            dismissed: false,
        });
    }

    pub(crate) fn get(&self, id: WorkerId) -> Option<&Occupant> {
        self.0.get(id.slot as usize)?.iter().find(|it| it.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Occupant> {
        self.0
            .get_mut(id.slot as usize)?
            .iter_mut()
            .find(|it| it.id == id)
    }

    /// A worker has ended. Gives what is to be dropped outside the lock.
    pub(crate) fn remove(&mut self, id: WorkerId) -> Option<Occupant> {
        let slot = self.0.get_mut(id.slot as usize)?;
        let at = slot.iter().position(|it| it.id == id)?;
        Some(slot.remove(at))
    }

    /// The worker that another one of the same slot is to follow.
    pub(crate) fn predecessor(&self, of: WorkerId) -> Option<&Occupant> {
        let slot = self.0.get(of.slot as usize)?;
        slot.iter().rev().find(|it| it.id.generation < of.generation)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.0.iter().flatten()
    }

    /// Does something to a worker, if it has a process.
    pub(crate) fn ask(&self, id: WorkerId, what: impl FnOnce(&dyn Worker)) {
        if let Some(worker) = self.get(id).and_then(|occupant| occupant.worker.as_ref()) {
            what(worker.as_ref());
        }
    }

    /// A launch has returned.
    pub(crate) fn seat(&mut self, id: WorkerId, worker: Arc<dyn Worker>) -> Early {
        let Some(occupant) = self.get_mut(id) else {
            return Early {
                ready: false,
                exited: None,
            };
        };
        occupant.launching = false;
        occupant.pid = worker.pid();
        occupant.worker = Some(worker);
        Early {
            ready: occupant.facts.is_some(),
            exited: occupant.early_exit.take(),
        }
    }

    /// Notes a worker's facts. False while its launch has not returned.
    pub(crate) fn introduce(&mut self, id: WorkerId, facts: Arc<WorkerFacts>) -> bool {
        let Some(occupant) = self.get_mut(id) else {
            return true;
        };
        occupant.facts = Some(facts);
        !occupant.launching
    }

    /// Keeps the report of a worker whose launch has not returned; gives any other back.
    pub(crate) fn keep_early_exit(&mut self, id: WorkerId, report: ExitReport) -> Option<ExitReport> {
        match self.get_mut(id) {
            Some(occupant) if occupant.launching => {
                occupant.early_exit = Some(report);
                None
            }
            _ => Some(report),
        }
    }
}

// === impl Occupant ===

impl Occupant {
    /// What kind of end it has come to.
    pub(crate) fn ending(&self, report: &ExitReport, startup_timeout: Duration) -> Ending {
        let (exit, output) = (report.exit, report.output.clone());
        match self.killed {
            Some(KillReason::StartupTimeout) => Ending::NeverReady(StartError::Timeout {
                after: startup_timeout,
                output,
            }),
            // Its end says nothing about the adapter: it must not hide why a start has failed.
            Some(reason) => Ending::Exited(ExitCause::Killed(reason.as_str())),
            None if self.dismissed => Ending::Exited(ExitCause::Asked),
            None if self.facts.is_some() => Ending::Exited(ExitCause::Died),
            None => {
                let told = report.start_error.clone();
                Ending::NeverReady(told.unwrap_or(StartError::Exited { exit, output }))
            }
        }
    }

    /// What the caller of a call is told that was lost with it.
    pub(crate) fn lost(&self, name: WorkerName, exit: Exit, output: &[String]) -> WorkerLost {
        let mut lost = WorkerLost::new(name, self.pid, exit);
        lost.killed_because = self.killed.map(|reason| reason.as_str().to_owned());
        lost.output = output.to_vec();
        lost
    }
}
