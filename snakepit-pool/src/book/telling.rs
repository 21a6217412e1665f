//! What subscribers are told.

use std::sync::Arc;
use std::time::Duration;

use snakepit_profile::{CallError, Executed, RequestId, Rung, WorkerId};

use super::{Aftermath, Book, Evidence};
use crate::core::{Notice, Verdict, place_of};
use crate::error::ErrorKind;
use crate::events::{EventJournal, PoolEvent, PoolEventKind};

/// What has stopped code whose caller had gone; `None` where it never began.
fn stopped_by(evidence: &Evidence<'_>) -> Option<Rung> {
    match evidence {
        Evidence::Outcome(Err(CallError::Aborted { stopped_by, started })) if *started => {
            Some(stopped_by.unwrap_or(Rung::Cooperative))
        }
        Evidence::Exit(..) | Evidence::Outcome(Err(CallError::Lost(_))) => Some(Rung::Kill),
        Evidence::Outcome(Err(error)) if error.executed() == Executed::No => None,
        // It had ended by itself before it could be told.
        Evidence::Outcome(_) => Some(Rung::Cooperative),
        Evidence::None => None,
    }
}

impl Book {
    pub(crate) fn tell(&self, kind: impl FnOnce(&Self) -> PoolEventKind) {
        if self.journal.is_watched() {
            let pool = self.pool.clone();
            self.journal.push(PoolEvent {
                pool,
                kind: kind(self),
            });
        }
    }

    pub(super) fn tell_of_failure(&self, verdict: Verdict, error: ErrorKind, tool: Arc<str>) {
        match verdict {
            Verdict::QueueTimeout { .. } | Verdict::DeadlineExceeded { .. } => {
                self.tell(|_| PoolEventKind::CallExpired { tool, error });
            }
            Verdict::Reported(_) | Verdict::WorkerLost(_) | Verdict::Poisoned { .. } => {}
            _ => self.tell(|_| PoolEventKind::CallRejected { tool, error }),
        }
    }

    pub(super) fn note(&mut self, notice: Notice, evidence: &mut Evidence<'_>, after: &mut Aftermath) {
        match notice {
            Notice::Ready { worker, after } => {
                let pid = self.roster.get(worker).map_or(0, |occupant| occupant.pid);
                self.tell(|book| PoolEventKind::WorkerReady {
                    worker: book.worker_name(worker),
                    pid,
                    after,
                });
            }
            Notice::Recycled(recycled) => {
                // Noted now: the old one may be gone when the lock is free.
                let before = self.roster.get(recycled.worker).and_then(|it| it.memory);
                after.recycled.push((recycled, before));
            }
            Notice::Quarantined { worker } => {
                let pid = self.roster.get(worker).map_or(0, |occupant| occupant.pid);
                self.tell(|book| PoolEventKind::WorkerQuarantined {
                    worker: book.worker_name(worker),
                    pid,
                });
            }
            Notice::Stopped {
                request,
                worker,
                after,
            } => self.tell_of_stop(request, worker, after, evidence),
            Notice::Retried {
                request,
                lost_with,
                attempt,
                pause,
            } => {
                let loss = self.loss(lost_with, evidence);
                let waiter = self.waiters.get_mut(place_of(request)).and_then(Option::as_mut);
                let Some(waiter) = waiter.filter(|waiter| waiter.request == request) else {
                    return;
                };
                waiter.loss = Some(loss);
                let tool = Arc::clone(&waiter.call.tool);
                self.tell(|book| PoolEventKind::CallRetried {
                    tool,
                    lost_with: book.worker_name(lost_with),
                    attempt,
                    pause,
                });
            }
            Notice::Saturated { depth } => self.tell(|_| PoolEventKind::Saturated { depth }),
            Notice::Degraded { retry_in } => {
                tracing::error!(pool = %self.pool, ?retry_in, "the pool is degraded: restarts have reached their limit");
                self.tell(|_| PoolEventKind::Degraded { retry_in });
            }
            Notice::Recovered => {
                tracing::info!(pool = %self.pool, "the pool has recovered: a trial start has succeeded");
                self.tell(|_| PoolEventKind::Recovered);
            }
            Notice::CircuitOpened => self.tell(|_| PoolEventKind::CircuitOpened),
            Notice::CircuitClosed => self.tell(|_| PoolEventKind::CircuitClosed),
        }
    }

    /// The code of a call has ended that nobody waited for.
    fn tell_of_stop(
        &mut self,
        request: RequestId,
        worker: WorkerId,
        after: Duration,
        evidence: &Evidence<'_>,
    ) {
        let tool = self.stopping.remove(&request);
        if let (Some(tool), Some(by)) = (tool, stopped_by(evidence)) {
            self.tell(|book| PoolEventKind::CallStopped {
                tool,
                worker: book.worker_name(worker),
                by,
                after,
            });
        }
    }

    /// Readers of events are woken outside the lock.
    pub(crate) fn journal(&self) -> &Arc<EventJournal> {
        &self.journal
    }
}
