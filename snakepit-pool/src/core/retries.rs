//! Requests whose worker died: given back, tried again, or answered.

use super::breaker::Admission;
use super::canary::Canary;
use super::event::{Action, Service, Verdict};
use super::notice::Notice;
use super::records::Progress;
use super::timers::Timer;
use super::{Core, CoreConfig, Phase};

impl Core {
    /// A worker died while it had this request, which is in no list. It is tried again if that does no harm, and
    /// answered with `verdict` otherwise.
    pub(super) fn lose(&mut self, key: u32, service: Service, verdict: Verdict, actions: &mut Vec<Action>) {
        self.report(key, false, actions);
        let request = &mut self.requests[key as usize];
        request.losses += 1;
        // If it was a trial, that is over.
        request.admission = Admission::Ordinary;
        let losses = request.losses;
        if losses >= CoreConfig::POISONOUS {
            self.counters.poisoned += 1;
            let workers = losses;
            self.conclude(key, Verdict::Poisoned { service, workers }, actions);
        } else if self.may_try_again(key) {
            self.rest(key, service, actions);
        } else {
            self.conclude(key, verdict, actions);
        }
    }

    /// Whether a request that was lost may be given to another worker: its caller allows it, and there is one to give
    /// it to. What a strict session kept in its worker is lost with it, so that its requests are not.
    fn may_try_again(&self, key: u32) -> bool {
        let request = &self.requests[key as usize];
        let allowed = request.losses < request.terms.attempts.get() || self.has(Canary::RetriesEverything);
        allowed
            && !request.terms.is_strict()
            && self.phase == Phase::Open
            && self.waiting() < self.config.queue_max
    }

    fn rest(&mut self, key: u32, service: Service, actions: &mut Vec<Action>) {
        let request = &mut self.requests[key as usize];
        let pause = self.config.retry_pause(request.id.0, request.losses);
        let until = self.now.after(pause);
        request.progress = Progress::Resting { until };
        actions.push(Action::Note(Notice::Retried {
            request: request.id,
            lost_with: service.worker,
            attempt: request.losses,
            pause,
        }));
        let due = until.min(request.terms.deadline);
        self.resting.push_back(&mut self.requests, key);
        self.timers.set(Timer::Request(key), due);
        self.counters.retried += 1;
    }

    /// A request has rested: it stands in line as if it had just come.
    pub(super) fn rested(&mut self, key: u32, actions: &mut Vec<Action>) {
        self.resting.remove(&mut self.requests, key);
        if let Some(retry_in) = self.fail_fast() {
            self.dismiss_request(key, Verdict::Degraded { retry_in }, actions);
            return;
        }
        let terms = self.requests[key as usize].terms;
        self.requests[key as usize].rank = self.next_rank(&terms);
        // Those that rest have their places in the queue.
        self.settle_request(key, actions);
    }

    /// A worker died before it got this request, which is in no list: it waits where it waited, as if it had never been
    /// dispatched. Where the queue has no room, or the pool ends and its workers go, it is answered with `verdict`.
    pub(super) fn give_back(&mut self, key: u32, verdict: Verdict, actions: &mut Vec<Action>) {
        let accepted = matches!(self.phase, Phase::Open | Phase::Draining) && !self.winding_down;
        if let Some(retry_in) = self.fail_fast() {
            self.dismiss_request(key, Verdict::Degraded { retry_in }, actions);
        } else if !accepted || !self.settle_request(key, actions) {
            self.dismiss_request(key, verdict, actions);
        }
    }
}
