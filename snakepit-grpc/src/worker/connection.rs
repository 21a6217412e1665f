//! The native thread that owns the connection.

use std::error::Error;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

use crate::outbox::{Outbox, Outgoing};
use crate::proto::worker_host_client::WorkerHostClient;
use crate::proto::{
    Aborted, Boot, Completed, Dispatch, HostMessage, Pong, WorkerMessage, completed, host_message,
};
use crate::window::{FRAME, WINDOW, decode_max};
use crate::worker::calls::{AbortFlag, AbortOutcome, Calls, IncomingCall};
use crate::worker::error::ConnectError;
use crate::worker::ladder::{self, Stopper};
use crate::worker::lifeline::{Lifeline, end_process};
use crate::worker::socket::Socket;

/// What the native thread and the threads that run tools have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) calls: Calls,
    pub(super) message_max: u64,
    pub(super) stopper: OnceLock<Arc<dyn Stopper>>,
    outbox: Arc<Outbox<WorkerMessage>>,
    closing: AtomicBool,
    closed: Notify,
}

/// Pongs that may wait to be sent; a host that asks faster than it reads loses some.
const PONGS_MAX: usize = 16;

/// `Hello`, `Ready` or `StartFailed`: never more than these besides completions and pongs.
const HANDSHAKE_MESSAGES: usize = 3;

/// How long [`Shared::close`] lets the host take to read what is on its way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Starts the thread and waits for the host's answer to `hello`.
pub(super) fn start(
    boot: &Boot,
    hello: WorkerMessage,
    lifeline: Option<OwnedFd>,
) -> Result<(Arc<Shared>, JoinHandle<()>), ConnectError> {
    let slots = boot.slots.max(1) as usize;
    // Room for one completion of every open call: pushing one can never find the outbox full.
    let (outbox, outgoing) = Outbox::new(PONGS_MAX + HANDSHAKE_MESSAGES + slots);
    let shared = Arc::new(Shared {
        calls: Calls::new(slots),
        message_max: boot.message_max,
        stopper: OnceLock::new(),
        outbox,
        closing: AtomicBool::new(false),
        closed: Notify::new(),
    });
    shared.send(hello);
    let (answer, answered) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("snakepit-io".to_owned())
        .spawn({
            let (boot, shared) = (boot.clone(), Arc::clone(&shared));
            move || run(&boot, &shared, outgoing, lifeline, &answer)
        })
        .map_err(ConnectError::Thread)?;
    match answered.recv() {
        Ok(Ok(())) => Ok((shared, thread)),
        Ok(Err(error)) => {
            let _ = thread.join();
            Err(error)
        }
        Err(_) => Err(ConnectError::Protocol {
            reason: "the connection's thread ended".to_owned(),
        }),
    }
}

type Answer = SyncSender<Result<(), ConnectError>>;

fn run(
    boot: &Boot,
    shared: &Arc<Shared>,
    outgoing: Outgoing<WorkerMessage>,
    lifeline: Option<OwnedFd>,
    answer: &Answer,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = answer.send(Err(ConnectError::Thread(error)));
            return;
        }
    };
    runtime.block_on(async {
        let lifeline = match lifeline.map(Lifeline::watch).transpose() {
            Ok(lifeline) => lifeline,
            Err(error) => {
                let _ = answer.send(Err(ConnectError::Thread(error)));
                return;
            }
        };
        let attached = tokio::select! {
            () = host_gone(lifeline.as_ref()) => end_process(),
            attached = live(boot, shared, outgoing, answer) => attached,
        };
        // A host that ends the stream unasked is as good as gone. After a refused handshake the caller decides.
        if let (true, false, Some(_)) = (attached, shared.is_closing(), &lifeline) {
            end_process();
        }
        if let Some(lifeline) = lifeline {
            lifeline.keep_open();
        }
    });
    shared.calls.abandon();
    shared.outbox.close();
}

async fn host_gone(lifeline: Option<&Lifeline>) {
    match lifeline {
        Some(lifeline) => lifeline.end().await,
        None => std::future::pending().await,
    }
}

/// The life of the connection. Returns whether the handshake was accepted.
async fn live(boot: &Boot, shared: &Arc<Shared>, outgoing: Outgoing<WorkerMessage>, answer: &Answer) -> bool {
    let incoming = match attach(boot, outgoing).await {
        Ok(incoming) => incoming,
        Err(error) => {
            let _ = answer.send(Err(error));
            return false;
        }
    };
    let _ = answer.send(Ok(()));
    let patience_over = async {
        shared.closed.notified().await;
        tokio::time::sleep(CLOSE_PATIENCE).await;
    };
    // A task of its own: when the connection's task wakes it, it runs next, without a look at the descriptors between.
    let mut receiving = tokio::spawn(receive(incoming, Arc::clone(shared)));
    tokio::select! {
        () = patience_over => receiving.abort(),
        _ = &mut receiving => {}
    }
    true
}

async fn attach(
    boot: &Boot,
    outgoing: Outgoing<WorkerMessage>,
) -> Result<Streaming<HostMessage>, ConnectError> {
    let channel = connect(boot.socket.clone()).await?;
    let mut client = WorkerHostClient::new(channel)
        .max_decoding_message_size(decode_max(boot.message_max))
        .max_encoding_message_size(decode_max(boot.message_max));
    let mut incoming = client
        .attach(outgoing)
        .await
        .map_err(|status| refused(&status))?
        .into_inner();
    let first = incoming.message().await.map_err(|status| refused(&status))?;
    match first.and_then(|message| message.body) {
        Some(host_message::Body::Welcome(_)) => Ok(incoming),
        Some(_) => Err(ConnectError::Protocol {
            reason: "its first message is not `Welcome`".to_owned(),
        }),
        None => Err(ConnectError::Protocol {
            reason: "it ended the stream before `Welcome`".to_owned(),
        }),
    }
}

async fn connect(socket: String) -> Result<Channel, ConnectError> {
    // The address is never looked up: the connector knows where to go.
    Endpoint::from_static("http://snakepit.invalid")
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .connect_with_connector(tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { Socket::new(UnixStream::connect(socket).await?).map(TokioIo::new) }
        }))
        .await
        .map_err(|error| ConnectError::Unreachable {
            reason: innermost(&error),
        })
}

/// The outer errors only say "transport error".
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn refused(status: &Status) -> ConnectError {
    let reason = status.message().to_owned();
    match status.code() {
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::DeadlineExceeded => ConnectError::Refused { reason },
        Code::Unavailable | Code::Cancelled | Code::Unknown => ConnectError::Unreachable { reason },
        _ => ConnectError::Protocol { reason },
    }
}

/// Takes in messages until the stream ends, from either side.
async fn receive(mut incoming: Streaming<HostMessage>, shared: Arc<Shared>) {
    loop {
        match incoming.message().await {
            Ok(Some(HostMessage { body: Some(body) })) => {
                if let Err(reason) = shared.take_in(body) {
                    // The worker's output ends up with the host, which is where somebody looks for it.
                    eprintln!("snakepit: the host broke the protocol: {reason}");
                    return;
                }
            }
            // A message without a body is one that this version does not know; equal versions know all.
            Ok(Some(HostMessage { body: None })) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Queues a message. Once the stream has ended there is nobody to miss it.
    pub(super) fn send(&self, message: WorkerMessage) {
        let _ = self.outbox.push(message);
    }

    /// Ends the stream behind what is queued.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.calls.end();
        self.outbox.close();
        self.closed.notify_one();
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn take_in(&self, body: host_message::Body) -> Result<(), String> {
        match body {
            host_message::Body::Dispatch(dispatch) => {
                let request = dispatch.request;
                self.calls
                    .arrive(incoming(dispatch))
                    .map_err(|unexpected| format!("dispatch of request {request}: {unexpected:?}"))?;
            }
            host_message::Body::Abort(abort) => {
                self.abort(abort.request);
            }
            host_message::Body::Ping(ping) => {
                let _ = self
                    .outbox
                    .push_below(Pong { nonce: ping.nonce }.into(), PONGS_MAX);
            }
            host_message::Body::Drain(_) => self.calls.end(),
            host_message::Body::Welcome(_) => return Err("a second `Welcome`".to_owned()),
        }
        Ok(())
    }

    fn abort(&self, request: u64) {
        match self.calls.abort(request) {
            AbortOutcome::Unstarted => self.send(never_started(request).into()),
            AbortOutcome::Told => {
                if let Some(stopper) = self.stopper.get() {
                    let task = tokio::spawn(ladder::climb(Arc::clone(stopper), request));
                    self.calls.stop_with(request, task.abort_handle());
                }
            }
            AbortOutcome::Ended => {}
        }
    }
}

fn incoming(dispatch: Dispatch) -> IncomingCall {
    IncomingCall {
        request: dispatch.request,
        tool: dispatch.tool,
        arguments: dispatch.arguments,
        // A deadline too far to be counted is none.
        deadline: dispatch
            .time_left_ns
            .and_then(|left| Instant::now().checked_add(Duration::from_nanos(left))),
        traceparent: Some(dispatch.traceparent).filter(|text| !text.is_empty()),
        abort: AbortFlag::default(),
    }
}

fn never_started(request: u64) -> Completed {
    Completed {
        request,
        outcome: Some(completed::Outcome::Aborted(Aborted::default())),
        ..Completed::default()
    }
}
