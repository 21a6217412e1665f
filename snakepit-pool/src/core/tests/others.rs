//! Rules that other pools have shipped, each as a small model beside ours under the same script: the rule fails, and
//! ours does not. That the wrong rule fails is what shows that the script could find the mistake.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::time::Duration;

use snakepit_profile::RequestId;

use super::rig::{LONG, Rig, answers, config, dispatched, ms, patient};
use crate::core::Action;

// The idle worker that had left: CPython's `ProcessPoolExecutor` with `max_tasks_per_child`, 3.11 to 3.14.

/// An executor of one worker that leaves after so many calls. It counts a token for every call that has finished, and
/// takes each for a worker that is idle. A worker fetches its next call by itself and takes no token, so that tokens
/// outlive the worker; when that leaves, a token keeps the executor from starting another.
struct CountsCompletions {
    calls_per_worker: u32,
    queue: VecDeque<u32>,
    idle_tokens: u32,
    /// Calls that the present worker may still take.
    worker: Option<u32>,
    served: u32,
}

impl CountsCompletions {
    fn new(calls_per_worker: u32) -> Self {
        Self {
            calls_per_worker,
            queue: VecDeque::new(),
            idle_tokens: 0,
            worker: None,
            served: 0,
        }
    }

    fn submit(&mut self, call: u32) {
        self.queue.push_back(call);
        self.start_one_if_none_is_idle();
    }

    fn start_one_if_none_is_idle(&mut self) {
        if self.idle_tokens > 0 {
            self.idle_tokens -= 1;
        } else if self.worker.is_none() {
            self.worker = Some(self.calls_per_worker);
        }
    }

    /// The present worker serves one call, if there are both.
    fn work(&mut self) -> bool {
        let (Some(left), Some(_)) = (self.worker, self.queue.pop_front()) else {
            return false;
        };
        self.served += 1;
        if left > 1 {
            self.worker = Some(left - 1);
            self.idle_tokens += 1;
        } else {
            self.worker = None;
            self.start_one_if_none_is_idle();
        }
        true
    }
}

#[test]
fn a_worker_that_leaves_after_its_calls_leaves_no_call_behind() {
    let (calls, calls_per_worker) = (10, 2);

    let mut theirs = CountsCompletions::new(calls_per_worker);
    (0..calls).for_each(|call| theirs.submit(call));
    while theirs.work() {}
    assert_eq!(
        (theirs.served, theirs.worker),
        (2, None),
        "eight wait for a worker that is idle by count, and gone"
    );

    let mut config = patient(1, 1);
    config.recycling.requests = NonZeroU64::new(u64::from(calls_per_worker));
    config.recycling.jitter = 0;
    let mut ours = Rig::ready(config);
    (0..calls).for_each(|_| {
        ours.submit();
    });
    let served = serve_everything(&mut ours);
    assert_eq!(served, calls);
}

/// Plays the workers of a pool until nothing is left to do: each ends its calls, starts, and stops as it is told.
fn serve_everything(rig: &mut Rig) -> u32 {
    let mut served = 0;
    loop {
        let actions = rig.take();
        if actions.is_empty() {
            return served;
        }
        for action in actions {
            match action {
                Action::Dispatch { request, .. } => rig.complete(request),
                Action::Spawn { worker } => rig.start(worker),
                Action::Stop { worker } => rig.exit(worker),
                Action::Answer { .. } => served += 1,
                _ => {}
            }
        }
    }
}

// The token that nobody gave back: a router that acquires in one step and sends in the next.

/// A router that takes a worker's token as it chooses it, sends the call in its next step, and gives the token back when
/// the call's end is reported. A call that is dropped in between is never sent, so that no end of it is ever reported.
struct AcquiresThenSends {
    tokens: u32,
    acquired: VecDeque<u32>,
    sent: BTreeSet<u32>,
}

impl AcquiresThenSends {
    fn submit(&mut self, call: u32) -> bool {
        let acquired = self.tokens > 0;
        if acquired {
            self.tokens -= 1;
            self.acquired.push_back(call);
        }
        acquired
    }

    fn send(&mut self) {
        self.sent.extend(self.acquired.drain(..));
    }

    fn drop_call(&mut self, call: u32) {
        self.acquired.retain(|&other| other != call);
        // Where it was sent already the worker still reports its end.
    }

    fn ended(&mut self, call: u32) {
        self.tokens += u32::from(self.sent.remove(&call));
    }
}

#[test]
fn a_call_that_is_dropped_at_any_moment_gives_its_slot_back() {
    let slots = 4;

    let mut theirs = AcquiresThenSends {
        tokens: slots,
        acquired: VecDeque::new(),
        sent: BTreeSet::new(),
    };
    for call in 0..slots {
        assert!(theirs.submit(call));
        theirs.drop_call(call);
        theirs.send();
        theirs.ended(call);
    }
    assert!(
        !theirs.submit(slots),
        "every slot is held by a call that never was"
    );

    let mut ours = Rig::ready(config());
    for _ in 0..slots {
        let call = ours.submit();
        // Its caller goes before anything was sent. The worker is told both, in that order, and reports the end.
        ours.cancel(call);
        let [
            Action::Dispatch { request, .. },
            Action::Abort { request: aborted, .. },
        ] = ours.take()[..]
        else {
            panic!("a call is aborted after it was dispatched, and only then");
        };
        assert_eq!((request, aborted), (call, call));
        ours.complete(call);
    }
    let calls: Vec<_> = (0..slots).map(|_| ours.submit()).collect();
    let started: Vec<_> = dispatched(&ours.take()).iter().map(|&(call, _)| call).collect();
    assert_eq!(started, calls, "all slots are free");
}

// The timer that came too late: a queue that leaves its timers set.

/// A queue that sets a timer for each call that begins to wait, and answers the caller when it fires. Nobody takes the
/// timer back when the call leaves the queue.
struct ForgetsItsTimers {
    timers: BTreeMap<Duration, u32>,
    queue: VecDeque<u32>,
    answers: Vec<(u32, &'static str)>,
}

impl ForgetsItsTimers {
    fn wait(&mut self, call: u32, until: Duration) {
        self.queue.push_back(call);
        self.timers.insert(until, call);
    }

    fn slot_free(&mut self) {
        let served = self.queue.pop_front();
        self.answers.extend(served.map(|call| (call, "served")));
    }

    fn pass(&mut self, until: Duration) {
        while let Some(timer) = self.timers.first_entry().filter(|it| *it.key() <= until) {
            let call = timer.remove();
            self.queue.retain(|&other| other != call);
            self.answers.push((call, "queue timeout"));
        }
    }
}

#[test]
fn who_was_served_in_time_hears_nothing_of_the_queue_s_timer() {
    let mut theirs = ForgetsItsTimers {
        timers: BTreeMap::new(),
        queue: VecDeque::new(),
        answers: Vec::new(),
    };
    theirs.wait(7, ms(1000));
    theirs.slot_free();
    theirs.pass(ms(1000));
    assert_eq!(
        theirs.answers,
        [(7, "served"), (7, "queue timeout")],
        "the caller is answered twice"
    );

    let mut ours = Rig::ready(config());
    let running = ours.fill();
    let call = ours.submit();
    ours.pass(ms(999));
    ours.complete(running[0]);
    ours.complete(call);
    ours.pass(LONG);
    let told: Vec<RequestId> = answers(&ours.take()).into_iter().map(|(call, _)| call).collect();
    assert_eq!(told.iter().filter(|&&other| other == call).count(), 1);
}
