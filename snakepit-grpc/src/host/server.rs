//! The one gRPC server that all workers dial.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::http::{Request as HttpRequest, Response as HttpResponse};
use tonic::codegen::{BoxFuture, Service};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::host::accept::{Incoming, Peer};
use crate::host::handshake;
use crate::host::link::ToWorker;
use crate::host::registry::Registry;
use crate::outbox::Outgoing;
use crate::proto::WorkerMessage;
use crate::proto::worker_host_server::{WorkerHost, WorkerHostServer};
use crate::proto::worker_message::Body as Said;
use crate::window::{FRAME, WINDOW, decode_max};

/// Serves until it is dropped.
pub(super) async fn serve(incoming: Incoming, registry: Arc<Registry>) {
    let served = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .serve_with_incoming(Limited(Arc::new(Attach { registry })), incoming)
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the server that workers dial has ended");
    }
}

/// The service, with the decoder's limit as it is when a connection comes: later workers may have a larger one.
#[derive(Clone)]
struct Limited(Arc<Attach>);

struct Attach {
    registry: Arc<Registry>,
}

impl Service<HttpRequest<Body>> for Limited {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let limit = decode_max(self.0.registry.message_max());
        WorkerHostServer::from_arc(Arc::clone(&self.0))
            .max_decoding_message_size(limit)
            .max_encoding_message_size(usize::MAX)
            .call(request)
    }
}

#[tonic::async_trait]
impl WorkerHost for Attach {
    type AttachStream = Outgoing<ToWorker>;

    async fn attach(
        &self,
        request: Request<Streaming<WorkerMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let Some(peer) = peer else {
            return Err(Status::internal("the connection has no peer"));
        };
        let mut messages = request.into_inner();
        // A connection that says nothing is cut off, so this ends.
        let first = messages.message().await?.and_then(|message| message.body);
        let Some(Said::Hello(hello)) = first else {
            return Err(Status::invalid_argument("the first message must be `Hello`"));
        };
        let (expected, outgoing) = handshake::admit(&self.registry, &peer, hello).await?;
        expected
            .connected
            .send(messages)
            .map_err(|_| Status::unavailable("the worker has ended"))?;
        Ok(Response::new(outgoing))
    }
}
