//! The task behind one worker: what it says, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use snakepit_profile::{CallError, Exit, ExitReport, StartError, WorkerLost};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Streaming;

use crate::host::exit::ExitWatch;
use crate::host::facts;
use crate::host::link::{Link, Phase};
use crate::host::registry::{Registry, Token};
use crate::proto::{Completed, WorkerMessage, worker_message::Body};
use crate::window::decode_max;

/// How long a worker that has said it cannot start may take to exit by itself.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// How long after its connection a worker may end by itself.
const EXIT_PATIENCE: Duration = Duration::from_millis(100);

/// How long the stream of a dead worker may take to end: what it sent before is still taken.
const STREAM_PATIENCE: Duration = Duration::from_millis(100);

/// How long callers wait for the last lines of a dead worker, and how long its pipes may stay open before that is a
/// finding.
const LAST_LINES_PATIENCE: Duration = Duration::from_millis(30);
const PIPES_PATIENCE: Duration = Duration::from_millis(200);

/// How long a process may take to be gone after SIGKILL.
const REAP_PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Drives one worker from its creation to its end. Whatever ends this task, the runtime's own end included, ends the
/// worker and tells everybody.
pub(super) struct Supervisor {
    link: Arc<Link>,
    registry: Arc<Registry>,
    token: Token,
    exit: ExitWatch,
    pipes: JoinSet<()>,
    told: bool,
}

impl Supervisor {
    pub(super) fn new(
        link: Arc<Link>,
        registry: Arc<Registry>,
        token: Token,
        exit: ExitWatch,
        pipes: JoinSet<()>,
    ) -> Self {
        Self {
            link,
            registry,
            token,
            exit,
            pipes,
            told: false,
        }
    }

    pub(super) async fn run(mut self, connected: oneshot::Receiver<Streaming<WorkerMessage>>) {
        {
            let mut conversation = std::pin::pin!(converse(&self.link, connected));
            tokio::select! {
                biased;
                end = &mut conversation => {
                    self.after_hanging_up(end).await;
                    self.exit.ended().await;
                }
                () = self.exit.ended() => {
                    // Its children hold the connection too: without the kill the stream would not end.
                    self.link.group().kill();
                    self.registry.revoke(&self.token);
                    // What it said before it died counts.
                    let _ = timeout(STREAM_PATIENCE, conversation).await;
                }
            }
        }
        self.link.hang_up();
        let exit = self
            .link
            .group()
            .reap(self.exit.pidfd())
            .unwrap_or(Exit::Signal(KILLED));
        let in_time = self.pipes_end(LAST_LINES_PATIENCE).await;
        self.fail_calls(exit);
        if !in_time
            && !self
                .pipes_end(PIPES_PATIENCE.saturating_sub(LAST_LINES_PATIENCE))
                .await
        {
            tracing::warn!(
                worker = %self.link.spec().worker,
                pid = self.link.group().pid(),
                "a worker is dead, but its output stays open: a descendant has left its process group and lives on"
            );
        }
        self.tell(exit);
    }

    /// The stream has ended while the process lives.
    async fn after_hanging_up(&self, end: Hangup) {
        self.link.hang_up();
        match end {
            Hangup::Ended if self.link.may_leave() => {
                // A drained worker has the pool's `grace`, and the pool kills it after that.
                let failed = self.link.lock().phase == Phase::Failed;
                if failed && !self.exits_within(LEAVE_PATIENCE).await {
                    self.link
                        .kill_because("it said that it cannot start, and did not exit");
                }
            }
            // A worker that dies loses its connection a moment before its end is seen, maybe within a message. It must
            // not be told that the host killed it.
            Hangup::Ended | Hangup::Unreadable(_) if self.exits_within(EXIT_PATIENCE).await => {}
            Hangup::Ended => self.link.kill_because("its connection ended while it was alive"),
            Hangup::Broken(reason) | Hangup::Unreadable(reason) => {
                tracing::error!(worker = %self.link.spec().worker, reason, "a worker broke the protocol");
                self.link
                    .kill_because(&format!("it broke the protocol: {reason}"));
            }
            Hangup::Refused => self.link.kill_because("it was refused"),
        }
    }

    async fn exits_within(&self, patience: Duration) -> bool {
        timeout(patience, self.exit.ended()).await.is_ok()
    }

    async fn pipes_end(&mut self, patience: Duration) -> bool {
        timeout(patience, async {
            while self.pipes.join_next().await.is_some() {}
        })
        .await
        .is_ok()
    }

    /// Completes what the worker still owed.
    fn fail_calls(&self, exit: Exit) {
        let link = &self.link;
        let (calls, refused, lost) = {
            let mut state = link.lock();
            state.phase = Phase::Ended;
            let mut lost = WorkerLost::new(link.spec().worker.clone(), link.group().pid(), exit);
            // Where it ended otherwise, a kill came too late to be the cause.
            lost.killed_because = state
                .killed_because
                .clone()
                .filter(|_| exit == Exit::Signal(KILLED));
            lost.output = link.output.lines();
            state.pending.pings.clear();
            let calls = std::mem::take(&mut state.pending.calls);
            (calls, std::mem::take(&mut state.pending.refused), lost)
        };
        for call in calls.into_values() {
            call.completion
                .complete(Err(CallError::Lost(Box::new(lost.clone()))));
        }
        for (completion, error) in refused {
            completion.complete(Err(error));
        }
    }

    /// Waits a moment for a process that was just killed, so that it does not stay a zombie for as long as this program
    /// lives. There is no runtime any more to wait on.
    fn reap_killed(&self) -> Exit {
        let mut watched = [PollFd::new(self.exit.pidfd(), PollFlags::IN)];
        let _ = poll(&mut watched, Some(&REAP_PATIENCE));
        self.link
            .group()
            .reap(self.exit.pidfd())
            .unwrap_or(Exit::Signal(KILLED))
    }

    /// The last word about this worker.
    fn tell(&mut self, exit: Exit) {
        self.told = true;
        let link = &self.link;
        self.registry.revoke(&self.token);
        let output = link.output.lines();
        let start_error = {
            let mut state = link.lock();
            let became_ready = state.was_ready;
            state.start_error.take().or_else(|| {
                (!became_ready).then(|| StartError::Exited {
                    exit,
                    output: output.clone(),
                })
            })
        };
        link.events().exited(
            &link.spec().worker,
            ExitReport {
                exit,
                start_error,
                output,
            },
        );
        link.announce_exit(exit);
        self.registry.forget(link);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if !self.told {
            self.link.kill_because("the host's runtime ended");
            let exit = self.reap_killed();
            self.fail_calls(exit);
            self.tell(exit);
        }
    }
}

/// SIGKILL, for a process that was killed but whose status could not be waited for.
const KILLED: i32 = 9;

/// How a conversation ended.
enum Hangup {
    /// The worker ended its stream, or its connection was lost.
    Ended,
    /// It said something that it must not say.
    Broken(String),
    /// What came could not be read: no message of this protocol, one that is too large, or half of one.
    Unreadable(String),
    /// The host does not want this worker.
    Refused,
}

async fn converse(link: &Link, connected: oneshot::Receiver<Streaming<WorkerMessage>>) -> Hangup {
    let Ok(mut incoming) = connected.await else {
        // The handshake was refused, or the host shuts down and kills everybody.
        return Hangup::Refused;
    };
    loop {
        let message = tokio::select! {
            biased;
            message = incoming.message() => message,
            () = link.refusals.notified() => {
                tell_refused(link);
                continue;
            }
        };
        match message {
            Ok(Some(message)) => {
                if let Err(end) = in_bounds(link, &message).and_then(|()| take_in(link, message)) {
                    return end;
                }
            }
            Ok(None) => return Hangup::Ended,
            Err(status) => match status.code() {
                // The connection was lost, in one of the ways in which that happens.
                tonic::Code::Unknown | tonic::Code::Cancelled | tonic::Code::Unavailable => {
                    return Hangup::Ended;
                }
                _ => return Hangup::Unreadable(status.message().to_owned()),
            },
        }
    }
}

/// The decoder's limit is the largest of all workers'.
fn in_bounds(link: &Link, message: &WorkerMessage) -> Result<(), Hangup> {
    let (size, limit) = (message.encoded_len(), decode_max(link.spec().limits.message_max));
    if size > limit {
        return Err(Hangup::Broken(format!(
            "a message of {size} bytes, where {limit} are allowed"
        )));
    }
    Ok(())
}

fn tell_refused(link: &Link) {
    let refused = std::mem::take(&mut link.lock().pending.refused);
    for (completion, error) in refused {
        completion.complete(Err(error));
    }
}

fn take_in(link: &Link, message: WorkerMessage) -> Result<(), Hangup> {
    match message.body {
        Some(Body::Completed(completed)) => finish(link, completed),
        Some(Body::Pong(pong)) => {
            // A late answer is nobody's.
            if let Some(waiting) = link.lock().pending.pings.remove(&pong.nonce) {
                let _ = waiting.send(());
            }
            Ok(())
        }
        Some(Body::Ready(_)) => ready(link),
        Some(Body::StartFailed(failed)) => {
            let mut state = link.lock();
            if state.phase != Phase::Greeted {
                return Err(Hangup::Broken("`StartFailed` after `Ready`".to_owned()));
            }
            state.start_error = Some(facts::start_error(link.spec(), failed));
            state.phase = Phase::Failed;
            Ok(())
        }
        Some(Body::Hello(_)) => Err(Hangup::Broken("a second `Hello`".to_owned())),
        None => Err(Hangup::Broken("a message without content".to_owned())),
    }
}

fn finish(link: &Link, completed: Completed) -> Result<(), Hangup> {
    let request = completed.request;
    let Some(call) = link.lock().pending.calls.remove(&request) else {
        return Err(Hangup::Broken(format!(
            "`Completed` for request {request}, which it does not have"
        )));
    };
    if let Some(outcome) = facts::outcome(&call.tool, completed) {
        call.completion.complete(outcome);
        return Ok(());
    }
    // It goes back, to be completed as lost with all the others.
    link.lock().pending.calls.insert(request, call);
    Err(Hangup::Broken(format!(
        "`Completed` for request {request} without an outcome"
    )))
}

fn ready(link: &Link) -> Result<(), Hangup> {
    let facts = {
        let mut state = link.lock();
        if state.phase != Phase::Greeted {
            return Err(Hangup::Broken("`Ready` twice, or after `StartFailed`".to_owned()));
        }
        if state.start_error.is_some() {
            return Err(Hangup::Refused);
        }
        state.phase = Phase::Ready;
        state.was_ready = true;
        state.facts.clone().unwrap_or_default()
    };
    link.events().ready(&link.spec().worker, facts);
    Ok(())
}
