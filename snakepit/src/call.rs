//! One call, from its arguments to its typed result.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use snakepit_config::Affinity;
use snakepit_grpc::values::{self, Fields, ValueError};
use snakepit_pool::{PoolCall, Priority, Receipt};

use crate::error::Error;
use crate::pit::Snakepit;

/// A call that is being put together; `.await` makes it.
///
/// Dropping the future gives the call up: out of the queue if it waits, aborted if it runs. Its slot is free once the
/// Python code has stopped.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<'p, T> {
    pit: &'p Snakepit,
    pool: Option<String>,
    /// Everything but the arguments.
    envelope: PoolCall,
    arguments: Result<Fields, ValueError>,
    result: PhantomData<fn() -> T>,
}

/// A [`Call`] that answers with its [`Receipt`] as well.
#[must_use = "a call does nothing until it is awaited"]
pub struct CallWithReceipt<'p, T>(Call<'p, T>);

// === impl Call ===

impl<'p, T> Call<'p, T> {
    pub(crate) fn new(pit: &'p Snakepit, tool: &str) -> Self {
        Self {
            pit,
            pool: None,
            envelope: PoolCall::new(tool, Bytes::new()),
            arguments: Ok(Fields::default()),
            result: PhantomData,
        }
    }

    /// Routes the call to this pool instead of the default one.
    pub fn pool(mut self, name: impl Into<String>) -> Self {
        self.pool = Some(name.into());
        self
    }

    /// Adds one keyword argument. A call that has one twice is refused by the worker.
    pub fn arg(self, name: &str, value: impl Serialize) -> Self {
        self.add(|fields| fields.insert(name, &value))
    }

    /// Adds every field of a struct, or every entry of a map with string keys, as a keyword argument.
    pub fn args(self, values: &impl Serialize) -> Self {
        self.add(|fields| fields.extend(values))
    }

    /// The first mistake is kept until the call is made: a chain of setters has no place to report it.
    fn add(mut self, add: impl FnOnce(&mut Fields) -> Result<(), ValueError>) -> Self {
        if let Ok(fields) = &mut self.arguments
            && let Err(error) = add(fields)
        {
            self.arguments = Err(error);
        }
        self
    }

    /// Gives the call this long, in the queue and in Python together, instead of the pool's `call_timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.envelope.timeout = Some(timeout);
        self
    }

    /// Sends this W3C trace context with the call.
    pub fn traceparent(mut self, traceparent: &str) -> Self {
        self.envelope.traceparent = Some(traceparent.into());
        self
    }

    /// Makes the call part of a session, which begins with its first call. By the pool's `affinity`, or this call's, it
    /// goes to the worker that served the session last.
    pub fn session(mut self, name: impl Into<Arc<str>>) -> Self {
        self.envelope.session = Some(name.into());
        self
    }

    /// What the call expects of its session's last worker, instead of the pool's `affinity`.
    pub fn affinity(mut self, affinity: Affinity) -> Self {
        self.envelope.affinity = Some(affinity);
        self
    }

    /// Who goes first of the calls that wait. None waits for ever: one of low priority is overtaken only by calls that
    /// come less than ten seconds after it, one of normal priority by those that come less than five.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.envelope.priority = priority;
        self
    }

    /// Says whether running the call twice does no harm, whatever its tool says. Only such a call is tried again after
    /// its worker has died.
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.envelope.idempotent = Some(idempotent);
        self
    }

    /// How often an idempotent call is given to a worker, instead of the pool's `retry_attempts`. After the second death
    /// it is given to no other, whatever this says.
    pub fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.envelope.attempts = Some(attempts);
        self
    }

    /// Asks for the receipt beside the result: which worker, how long in the queue, on the way and in Python.
    pub fn with_receipt(self) -> CallWithReceipt<'p, T> {
        CallWithReceipt(self)
    }
}

impl<T: DeserializeOwned> Call<'_, T> {
    async fn make(self) -> Result<(T, Receipt), Error> {
        let Self {
            pit,
            pool,
            envelope: mut call,
            arguments,
            ..
        } = self;
        let tool = Arc::clone(&call.tool);
        let entry = pit.entry(pool.as_deref())?;
        call.arguments = arguments
            .and_then(|fields| fields.finish(&entry.limits))
            .map_err(|source| Error::Arguments {
                tool: Arc::clone(&tool),
                source,
            })?;
        let answer = entry.pool.call(call).await?;
        let value = values::decode(&answer.reply.value, &entry.limits)
            .map_err(|source| Error::Result { tool, source })?;
        Ok((value, answer.receipt))
    }
}

impl<'p, T: DeserializeOwned + Send + 'p> IntoFuture for Call<'p, T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'p>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.make().await?.0) })
    }
}

impl<'p, T: DeserializeOwned + Send + 'p> IntoFuture for CallWithReceipt<'p, T> {
    type Output = Result<(T, Receipt), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'p>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.make())
    }
}

impl<T> fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("pool", &self.pool)
            .field("call", &self.envelope)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for CallWithReceipt<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallWithReceipt").field(&self.0).finish()
    }
}
