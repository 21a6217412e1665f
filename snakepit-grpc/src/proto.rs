//! The messages of `proto/snakepit/v1/worker.proto`, as prost makes them. The file itself has their meaning.

#![expect(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    reason = "generated; the .proto file is the documentation"
)]
#![cfg_attr(
    feature = "host",
    expect(clippy::allow_attributes, reason = "generated, in the server's half")
)]

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/snakepit.v1.rs"));

/// Stands for a token wherever a message is printed.
struct Secret;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boot")
            .field("protocol", &self.protocol)
            .field("token", &Secret)
            .field("worker", &self.worker)
            .field("adapter", &self.adapter)
            .field("adapter_class", &self.adapter_class)
            .field("threads", &self.threads)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("token", &Secret)
            .field("protocol", &self.protocol)
            .field("bridge_version", &self.bridge_version)
            .field("pid", &self.pid)
            .field("interpreter", &self.interpreter)
            .field("tools", &self.tools)
            .field("thread_safe", &self.thread_safe)
            .finish()
    }
}

/// Short ways to a message's only content.
macro_rules! from_body {
    ($message:ident, $module:ident: $($variant:ident($inner:ty)),+ $(,)?) => {
        $(impl From<$inner> for $message {
            fn from(inner: $inner) -> Self {
                Self { body: Some($module::Body::$variant(inner)) }
            }
        })+
    };
}

from_body!(WorkerMessage, worker_message:
    Hello(Hello), Ready(Ready), StartFailed(StartFailed), Completed(Completed), Pong(Pong));
from_body!(HostMessage, host_message:
    Welcome(Welcome), Dispatch(Dispatch), Abort(Abort), Drain(Drain), Ping(Ping));
