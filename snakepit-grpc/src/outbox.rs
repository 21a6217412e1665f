//! What one end wants to send, as the stream that its connection polls.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio_stream::Stream;

/// A bounded queue that is itself the outgoing stream of a connection: a push and a wake, without a task in between.
/// Pushing never waits, so it may be done from any thread and under any lock.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    reader: Option<Waker>,
    closed: bool,
}

/// Why something was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing more is sent on this stream.
    Closed,
    /// The other end does not read.
    Full,
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Outgoing<T>(Arc<Outbox<T>>);

impl<T> Outbox<T> {
    pub(crate) fn new(capacity: usize) -> (Arc<Self>, Outgoing<T>) {
        let outbox = Arc::new(Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                reader: None,
                closed: false,
            }),
            capacity,
        });
        (Arc::clone(&outbox), Outgoing(outbox))
    }

    /// Queues `message` behind what is there.
    pub(crate) fn push(&self, message: T) -> Result<(), Refused> {
        self.push_below(message, self.capacity)
    }

    /// Queues `message` if fewer than `limit` wait: what may be lost leaves room for what may not.
    pub(crate) fn push_below(&self, message: T, limit: usize) -> Result<(), Refused> {
        let reader = {
            let mut state = self.lock();
            if state.closed {
                return Err(Refused::Closed);
            }
            if state.queue.len() >= limit {
                return Err(Refused::Full);
            }
            state.queue.push_back(message);
            state.reader.take()
        };
        // Woken without the lock, so that the reader does not run into it.
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// Ends the stream behind what is queued. Closing twice is closing once.
    pub(crate) fn close(&self) {
        let reader = {
            let mut state = self.lock();
            state.closed = true;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Stream for Outgoing<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        match state.queue.pop_front() {
            Some(message) => Poll::Ready(Some(message)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The connection is gone: whoever pushes afterwards hears of it.
impl<T> Drop for Outgoing<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt as _;

    #[tokio::test]
    async fn messages_come_out_in_order_and_closing_lets_them_out_first() {
        let (outbox, mut outgoing) = Outbox::new(2);
        outbox.push(1).unwrap();
        outbox.push(2).unwrap();
        assert_eq!(outbox.push(3), Err(Refused::Full));
        outbox.close();
        assert_eq!(outbox.push(4), Err(Refused::Closed));
        assert_eq!(outgoing.next().await, Some(1));
        assert_eq!(outgoing.next().await, Some(2));
        assert_eq!(outgoing.next().await, None);
    }

    #[tokio::test]
    async fn a_push_wakes_a_reader_that_waits() {
        let (outbox, mut outgoing) = Outbox::new(1);
        let reader = tokio::spawn(async move { outgoing.next().await });
        tokio::task::yield_now().await;
        outbox.push(7).unwrap();
        assert_eq!(reader.await.unwrap(), Some(7));
    }

    #[test]
    fn a_reader_that_is_gone_refuses_what_comes_after() {
        let (outbox, outgoing) = Outbox::new(1);
        drop(outgoing);
        assert_eq!(outbox.push(1), Err(Refused::Closed));
    }
}
