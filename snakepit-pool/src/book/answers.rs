//! What callers are told.

use std::sync::Arc;

use snakepit_profile::{CallError, Executed, Reply, RequestId, WorkerId};

use super::{Aftermath, Book, Evidence, Waiter};
use crate::call::{Answer, Receipt};
use crate::core::{Canary, Service, Verdict};
use crate::error::PoolError;

/// How a call ends whose worker has not said how.
fn ended_unreported() -> CallError {
    CallError::Aborted {
        started: true,
        stopped_by: None,
    }
}

impl Book {
    pub(super) fn answer(
        &mut self,
        request: RequestId,
        verdict: Verdict,
        evidence: &mut Evidence<'_>,
        after: &mut Aftermath,
    ) {
        let Some(waiter) = self.forget(request) else {
            let expected = self.core.has(Canary::AnswersTwice);
            debug_assert!(expected, "{request} is answered twice");
            return;
        };
        let Waiter {
            caller, call, loss, ..
        } = waiter;
        let tool = Arc::clone(&call.tool);
        if matches!(verdict, Verdict::DeadlineExceeded { dispatched: true, .. }) {
            self.expired = Some((request, Arc::clone(&tool)));
        }
        let result = self.conclude(verdict, evidence, loss, &tool);
        // Its arguments may be somebody else's, whose code runs when they are dropped.
        after.discarded_calls.push(call);
        match &result {
            Ok(_) => self.completed += 1,
            Err(error) => {
                self.errors[error.kind() as usize] += 1;
                self.tell_of_failure(verdict, error.kind(), tool);
            }
        }
        after.push_answer(caller, result);
    }

    /// What a caller is told. What was lost with a worker and was given to no other is still lost, whatever has kept it
    /// from another attempt.
    fn conclude(
        &self,
        verdict: Verdict,
        evidence: &mut Evidence<'_>,
        loss: Option<CallError>,
        tool: &Arc<str>,
    ) -> Result<Answer, PoolError> {
        let pool = self.pool.clone();
        Err(match (verdict, loss) {
            (Verdict::Reported(service), loss) => match std::mem::replace(evidence, Evidence::None) {
                Evidence::Outcome(Ok(reply)) => return Ok(self.served(service, reply)),
                // It did not run there, but may have run where it was lost before.
                Evidence::Outcome(Err(error)) if error.executed() == Executed::No => {
                    loss.unwrap_or(error).into()
                }
                Evidence::Outcome(Err(error)) => error.into(),
                Evidence::None | Evidence::Exit(..) => ended_unreported().into(),
            },
            (Verdict::WorkerLost(service), _) => self.loss(service.worker, evidence).into(),
            (Verdict::Poisoned { service, workers }, _) => PoolError::Poisoned {
                pool,
                tool: tool.to_string(),
                workers,
                source: Some(Box::new(self.loss(service.worker, evidence))),
            },
            (Verdict::DeadlineExceeded { dispatched, after }, _) => PoolError::DeadlineExceeded {
                pool,
                after,
                ran: if dispatched { Executed::Maybe } else { Executed::No },
            },
            (_, Some(loss)) => loss.into(),
            (Verdict::WorkerBusy { worker }, None) => PoolError::WorkerBusy {
                worker: self.worker_name(worker),
            },
            (Verdict::SessionWorkerUnavailable { worker }, None) => PoolError::SessionWorkerUnavailable {
                worker: self.worker_name(worker),
            },
            (Verdict::NotInitialized, None) => PoolError::PoolNotInitialized {
                pool,
                source: self.start_error.clone(),
            },
            (Verdict::Degraded { retry_in }, None) => PoolError::Degraded {
                pool,
                retry_in,
                source: self.start_error.clone(),
            },
            (Verdict::CircuitOpen { retry_in }, None) => PoolError::CircuitOpen { pool, retry_in },
            (Verdict::Saturated { depth, limit }, None) => PoolError::PoolSaturated { pool, depth, limit },
            (Verdict::QueueTimeout { waited }, None) => PoolError::QueueTimeout { pool, waited },
            (Verdict::ShuttingDown, None) => PoolError::ShuttingDown { pool },
        })
    }

    fn served(&self, service: Service, reply: Reply) -> Answer {
        let occupant = self.roster.get(service.worker);
        let receipt = Receipt {
            worker: self.worker_name(service.worker),
            pid: occupant.map_or(0, |occupant| occupant.pid),
            queue_time: service.queued,
            transfer_time: service
                .total
                .saturating_sub(service.queued)
                .saturating_sub(reply.run_time),
            run_time: reply.run_time,
            gil_enabled: reply.gil_enabled,
        };
        Answer { reply, receipt }
    }

    /// How a call was lost with its worker.
    pub(super) fn loss(&self, worker: WorkerId, evidence: &mut Evidence<'_>) -> CallError {
        if let Evidence::Exit(occupant, report) = evidence {
            let lost = occupant.lost(self.worker_name(worker), report.exit, &report.output);
            return CallError::Lost(Box::new(lost));
        }
        match std::mem::replace(evidence, Evidence::None) {
            Evidence::Outcome(Err(error)) => error,
            _ => ended_unreported(),
        }
    }
}
