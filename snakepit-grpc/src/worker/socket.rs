//! The worker's unix socket.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// A unix socket that wakes its task when there is something to read, and for room to write only while a write waits
/// for it.
///
/// tokio's own stream always asks for both. A unix socket has room again whenever its peer has read, so that every
/// message would wake its sender once for nothing: a change of threads for each call. The host keeps tokio's: it has a
/// core to itself more often, and there the wake-up for nothing costs less than the sleep that it prevents.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: AsyncFd<Arc<UnixStream>>,
    /// The same socket once more, to be registered while a write waits. Made at the start: when it is needed, a tool may
    /// have used up all descriptors.
    writer: Arc<UnixStream>,
    room: Option<AsyncFd<Arc<UnixStream>>>,
}

/// Most that is read at once, in bytes: what is read into is zeroed first.
const READ_MAX: usize = 64 * 1024;

impl Socket {
    /// Must be called within a runtime.
    pub(crate) fn new(stream: tokio::net::UnixStream) -> io::Result<Self> {
        // It stays non-blocking.
        let stream = stream.into_std()?;
        Ok(Self {
            writer: Arc::new(stream.try_clone()?),
            stream: watch(Arc::new(stream), Interest::READABLE)?,
            room: None,
        })
    }

    /// Calls `write` until it does not want to wait any more.
    fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(self.stream.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                done => {
                    self.room = None;
                    return Poll::Ready(done);
                }
            }
            let room = match &mut self.room {
                Some(room) => room,
                none => none.insert(watch(Arc::clone(&self.writer), Interest::WRITABLE)?),
            };
            ready!(room.poll_write_ready(cx))?.clear_ready();
        }
    }
}

#[expect(unsafe_code, reason = "tokio cannot check that a type keeps its descriptor")]
fn watch(stream: Arc<UnixStream>, interest: Interest) -> io::Result<AsyncFd<Arc<UnixStream>>> {
    // SAFETY: a `UnixStream` owns its descriptor, gives the same one each time, and closes it only when it is dropped;
    // behind an `Arc`, nobody can put another one in its place.
    Ok(unsafe { AsyncFd::register_with_interest(stream, interest) }?)
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut readable = ready!(self.stream.poll_read_ready(cx))?;
            let space = buffer.initialize_unfilled_to(buffer.remaining().min(READ_MAX));
            let size = space.len();
            match readable.try_io(|stream| stream.get_ref().as_ref().read(space)) {
                Ok(Ok(read)) => {
                    // Less than there was space for: it is empty now, and asking again would only say so.
                    if 0 < read && read < size {
                        readable.clear_ready();
                    }
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_room(cx, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_room(cx, |mut stream| stream.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.get_ref().shutdown(Shutdown::Write))
    }
}
