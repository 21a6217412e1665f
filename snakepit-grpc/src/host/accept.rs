//! Connections on their way in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use crate::host::registry::Registry;

/// From connect to `Hello`, where no worker is expected that has a limit of its own.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing is accepted after the system had no descriptor or memory for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of our own user. It never ends and never fails: what keeps one connection out must not keep out the
/// next.
pub(super) struct Incoming {
    listener: UnixListener,
    registry: Arc<Registry>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(super) fn new(listener: UnixListener, registry: Arc<Registry>) -> Self {
        Self {
            listener,
            registry,
            pause: None,
        }
    }

    fn admit(&self, stream: UnixStream) -> Option<Connection> {
        let peer = stream.peer_cred().ok()?;
        if peer.uid() != rustix::process::geteuid().as_raw() {
            tracing::warn!(
                uid = peer.uid(),
                "another user's process has connected and was turned away"
            );
            return None;
        }
        let patience = self.registry.handshake_timeout().unwrap_or(HANDSHAKE_TIMEOUT);
        Some(Connection {
            stream,
            peer: Peer {
                cred: peer,
                greeted: Arc::default(),
            },
            patience: Some(Box::pin(sleep(patience))),
        })
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(cx)) {
                Ok((stream, _)) => {
                    if let Some(connection) = self.admit(stream) {
                        return Poll::Ready(Some(Ok(connection)));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a worker's connection cannot be accepted now");
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
            }
        }
    }
}

/// A connection that is cut off if no accepted `Hello` comes in time, however far it got: silent, half a preface, or a
/// stream without a message.
pub(super) struct Connection {
    stream: UnixStream,
    peer: Peer,
    patience: Option<Pin<Box<Sleep>>>,
}

/// Who is at the other end.
#[derive(Clone)]
pub(super) struct Peer {
    cred: UCred,
    greeted: Arc<AtomicBool>,
}

impl Peer {
    /// Its process, where this process can see it at all.
    pub(super) fn pid(&self) -> Option<i32> {
        self.cred.pid().filter(|pid| *pid > 0)
    }

    /// The handshake is done: the connection may live.
    pub(super) fn greeted(&self) {
        self.greeted.store(true, Ordering::Release);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(patience) = &mut this.patience {
            if this.peer.greeted.load(Ordering::Acquire) {
                this.patience = None;
            } else if patience.as_mut().poll(cx).is_ready() {
                tracing::warn!("a connection was closed: it said no `Hello` in time");
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
