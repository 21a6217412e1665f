//! One simulated worker: a process, and the task that carries out what it does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use snakepit_profile::{
    Call, CallError, Completion, Exit, ExitReport, Health, Outcome, RequestId, Worker, WorkerEvents,
    WorkerFacts, WorkerLost, WorkerName,
};
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;

use super::process::{Death, Deed, Fate, Late, Order, Process};
use super::record::{Misuse, Record};
use super::script::Script;
use crate::core::Moment;

/// How long after the report of an exit the ends of late calls come: the successor may be ready by then.
const LATENESS: Duration = Duration::from_millis(1);

/// What a worker writes before it ends.
const LAST_WORDS: &str = "last words";

/// One simulated worker.
#[derive(Debug)]
pub struct SimWorker {
    name: WorkerName,
    capacity: u32,
    script: Arc<Script>,
    record: Arc<Record>,
    events: Reporter,
    process: Mutex<Process>,
    /// Wakes its task: something came, or changed.
    stirred: Notify,
    facts: watch::Sender<Option<Arc<WorkerFacts>>>,
    /// Wakes whoever waits for a sign of life.
    thawed: Notify,
    exit: watch::Sender<Option<Exit>>,
}

/// Where its life is reported to.
struct Reporter(Arc<dyn WorkerEvents>);

// === impl SimWorker ===

impl SimWorker {
    pub(super) fn new(
        name: WorkerName,
        capacity: u32,
        script: Arc<Script>,
        record: Arc<Record>,
        events: Arc<dyn WorkerEvents>,
        fate: Option<(Moment, Fate)>,
    ) -> Self {
        Self {
            name,
            capacity,
            script,
            record,
            events: Reporter(events),
            process: Mutex::new(Process::new(fate)),
            stirred: Notify::new(),
            facts: watch::Sender::new(None),
            thawed: Notify::new(),
            exit: watch::Sender::new(None),
        }
    }

    // What a test sees.

    /// Tools of the calls that it took, in order.
    #[must_use]
    pub fn tools(&self) -> Vec<String> {
        let process = self.process.lock();
        process.tools.iter().map(ToString::to_string).collect()
    }

    /// Most calls that it ever had at once.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.process.lock().most
    }

    /// Whether its end has been reported.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Why it was killed, where it was.
    #[must_use]
    pub fn killed_because(&self) -> Option<String> {
        self.process.lock().killed_because.clone()
    }

    // What a test does to it.

    /// Lets every call of `tool` that it has end by itself.
    pub fn finish(&self, tool: &str) {
        self.happen(&format!("finish {tool}"), |process| {
            process.finish(tool, self.record.now());
        });
    }

    /// It takes no more calls, and nobody has noticed.
    pub fn sever(&self) {
        self.happen("sever", |process| process.faults.severed = true);
    }

    /// It ignores drain and terminate from now on.
    pub fn be_stubborn(&self) {
        self.happen("be stubborn", |process| process.faults.stubborn = true);
    }

    /// It does nothing and answers nothing until it is thawed, as after SIGSTOP. A kill ends it all the same.
    pub fn freeze(&self) {
        self.happen("freeze", |process| process.faults.frozen = true);
    }

    /// It goes on where it was. What has become due in the meantime happens now.
    pub fn thaw(&self) {
        self.happen("thaw", |process| process.faults.frozen = false);
        self.thawed.notify_waiters();
    }

    /// It dies of `exit`, and its calls are lost.
    pub fn die(&self, exit: Exit) {
        self.happen("die", |process| process.die(Death::of(exit)));
    }

    /// As [`SimWorker::die`], but its calls end only after its end was reported.
    pub fn die_before_its_calls(&self, exit: Exit) {
        let death = Death {
            exit,
            calls_last: true,
        };
        self.happen("die before its calls", |process| process.die(death));
    }

    /// Sets what [`Worker::memory`] says, in bytes; it begins with 0.
    pub fn set_memory(&self, bytes: Option<u64>) {
        self.process.lock().memory = bytes;
    }

    fn happen(&self, what: &str, change: impl FnOnce(&mut Process)) {
        let mut process = self.process.lock();
        self.record.write(&self.name, format_args!("{what}"));
        change(&mut process);
        drop(process);
        self.stirred.notify_one();
    }

    // What it does.

    /// Its whole life.
    pub(super) async fn live(self: Arc<Self>) {
        loop {
            let deed = self.process.lock().next(self.record.now());
            if let Deed::Rest(until) = deed {
                tokio::select! {
                    biased;
                    () = self.stirred.notified() => {}
                    () = self.record.sleep_until(until) => {}
                }
                continue;
            }
            if let Some((exit, late)) = self.carry_out(deed) {
                let later = self.record.now().after(LATENESS);
                if !late.is_empty() {
                    self.record.sleep_until(Some(later)).await;
                }
                for (completion, outcome) in late {
                    let outcome = outcome.unwrap_or_else(|| Err(self.lost(exit)));
                    self.complete(completion, outcome);
                }
                return;
            }
            // Whoever was told goes first, as it would beside a process.
            yield_now().await;
        }
    }

    /// Does what is due before the launch returns.
    pub(super) fn be_early(&self) {
        let deed = self.process.lock().next(self.record.now());
        self.carry_out(deed);
    }

    /// Its exit and its late calls, where that was its last deed.
    fn carry_out(&self, deed: Deed) -> Option<(Exit, Vec<Late>)> {
        match deed {
            Deed::Rest(_) => None,
            Deed::BecomeReady => {
                let facts = Arc::new(WorkerFacts {
                    pid: self.pid(),
                    tools: self.script.tools.clone(),
                    ..WorkerFacts::default()
                });
                self.facts.send_replace(Some(Arc::clone(&facts)));
                self.record.write(&self.name, format_args!("ready"));
                self.events.0.ready(&self.name, facts);
                None
            }
            Deed::Complete(completion, outcome) => {
                self.complete(completion, outcome);
                None
            }
            Deed::End { exit, lost, late } => {
                for completion in lost {
                    self.complete(completion, Err(self.lost(exit)));
                }
                self.record.write(&self.name, format_args!("exit: {exit}"));
                self.exit.send_replace(Some(exit));
                let report = ExitReport {
                    exit,
                    start_error: None,
                    output: vec![LAST_WORDS.to_owned()],
                };
                self.events.0.exited(&self.name, report);
                Some((exit, late))
            }
        }
    }

    fn complete(&self, completion: Completion, outcome: Outcome) {
        let how = outcome.as_ref().err().map_or("ok", CallError::code);
        let request = completion.request();
        self.record
            .write(&self.name, format_args!("complete {request}: {how}"));
        completion.complete(outcome);
    }

    fn lost(&self, exit: Exit) -> CallError {
        let mut lost = WorkerLost::new(self.name.clone(), self.pid(), exit);
        lost.killed_because = self.killed_because();
        lost.output = vec![LAST_WORDS.to_owned()];
        CallError::Lost(Box::new(lost))
    }
}

#[async_trait]
impl Worker for SimWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn pid(&self) -> u32 {
        1000 + self.name.id.slot * 100 + self.name.id.generation
    }

    fn facts(&self) -> Option<Arc<WorkerFacts>> {
        self.facts.borrow().clone()
    }

    fn submit(&self, call: Call, completion: Completion) -> Result<(), (Call, Completion)> {
        let (request, tool) = (call.request, &call.tool);
        let behaviour = (self.script.call)(self, &call);
        let mut process = self.process.lock();
        let (misuses, taken) = process.judge(request, self.capacity);
        for misuse in misuses {
            self.record.accuse(&self.name, request, misuse);
        }
        if !taken {
            self.record
                .write(&self.name, format_args!("refuse {request} {tool}"));
            return Err((call, completion));
        }
        self.record
            .write(&self.name, format_args!("dispatch {request} {tool}"));
        process.take(tool, behaviour, completion);
        drop(process);
        self.stirred.notify_one();
        Ok(())
    }

    fn abort(&self, request: RequestId) {
        let mut known = true;
        self.happen(&format!("abort {request}"), |process| {
            known = process.abort(request);
        });
        if !known {
            self.record.accuse(&self.name, request, Misuse::StrayAbort);
        }
    }

    fn drain(&self) {
        self.happen("drain", |process| process.stop(Order::Drain));
    }

    fn terminate(&self) {
        self.happen("terminate", |process| process.stop(Order::Terminate));
    }

    fn kill(&self, reason: &str) {
        self.happen(&format!("kill: {reason}"), |process| process.kill(reason));
    }

    async fn health(&self, patience: Duration) -> Health {
        let asked = self.record.now();
        let thawed = self.thawed.notified();
        if self.process.lock().faults.frozen {
            tokio::select! {
                biased;
                _ = self.exited() => {}
                () = thawed => {}
                () = self.record.sleep_until(Some(asked.after(patience))) => return Health::Silent,
            }
        }
        if self.has_ended() {
            Health::Gone
        } else {
            Health::Alive(self.record.now().since(asked))
        }
    }

    async fn memory(&self) -> Option<u64> {
        let process = self.process.lock();
        process.memory.filter(|_| !process.is_gone())
    }

    async fn exited(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        let ended = exit.wait_for(Option::is_some).await;
        let ended = ended.expect("the sender is in `self`");
        ended.expect("it has just been awaited")
    }
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}
