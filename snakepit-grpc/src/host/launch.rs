//! The host, and how it starts a worker.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use snakepit_profile::{LaunchSpec, Launcher, StartError, Worker, WorkerEvents};
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use crate::host::accept::Incoming;
use crate::host::command::{boot_message, command};
use crate::host::directory::RunDirectory;
use crate::host::error::HostError;
use crate::host::exit::ExitWatch;
use crate::host::lifeline::Lifeline;
use crate::host::link::Link;
use crate::host::memory::Census;
use crate::host::output::pump;
use crate::host::registry::{Expected, Registry, Token};
use crate::host::server::serve;
use crate::host::spawner::{Spawned, Spawner};
use crate::host::supervise::Supervisor;

/// One program's worker processes and the socket they dial. All pools of a program share one.
pub struct Host {
    registry: Arc<Registry>,
    spawner: Spawner,
    census: Arc<Census>,
    server: AbortHandle,
    runtime: Handle,
    directory: RunDirectory,
}

impl Host {
    /// Makes a private run directory with a socket in it, and serves. Directories that dead hosts left are removed.
    ///
    /// # Errors
    /// [`HostError`]; nothing is left behind then.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    pub fn bind() -> Result<Arc<Self>, HostError> {
        let setup = |what| move |source| HostError::Setup { what, source };
        let directory = RunDirectory::create()?;
        let listener =
            UnixListener::bind(directory.socket()).map_err(setup("listen on the workers' socket"))?;
        let spawner = Spawner::start().map_err(setup("start the spawner thread"))?;
        if spawner.lifeline() == Lifeline::EndOfFile {
            tracing::warn!(
                "this kernel sends no signal at the end of a pipe: if this program is killed, workers that are stopped can remain"
            );
        }
        let registry = Arc::new(Registry::default());
        let runtime = Handle::current();
        let incoming = Incoming::new(listener, Arc::clone(&registry));
        let server = runtime
            .spawn(serve(incoming, Arc::clone(&registry)))
            .abort_handle();
        Ok(Arc::new(Self {
            registry,
            spawner,
            census: Arc::default(),
            server,
            runtime,
            directory,
        }))
    }

    /// What ends the workers if this program dies.
    #[must_use]
    pub fn lifeline(&self) -> Lifeline {
        self.spawner.lifeline()
    }

    /// Kills every worker that is left, waits until each has ended and been reported, and starts no more.
    pub async fn shutdown(&self) {
        let alive = self.registry.close();
        for link in &alive {
            link.kill_because("the host shuts down");
        }
        for link in alive {
            link.exited().await;
        }
        self.server.abort();
    }

    async fn create(&self, spec: LaunchSpec, events: Arc<dyn WorkerEvents>) -> io::Result<Arc<Link>> {
        let token = Token::random()?;
        let boot = boot_message(&spec, token.to_bytes(), &self.directory.socket());
        let place = self
            .registry
            .reserve(token.clone(), &spec)
            .ok_or_else(|| io::Error::other("the host has been shut down"))?;
        let reservation = Reservation {
            registry: &self.registry,
            token: Some(token.clone()),
        };
        let process = self.spawner.spawn(command(&spec), boot).await?;
        let link = self.adopt(spec, events, &token, process, place)?;
        reservation.keep();
        Ok(link)
    }

    /// Gives a new process its place: output, supervision, and the right to dial home.
    fn adopt(
        &self,
        spec: LaunchSpec,
        events: Arc<dyn WorkerEvents>,
        token: &Token,
        process: Spawned,
        place: oneshot::Sender<Expected>,
    ) -> io::Result<Arc<Link>> {
        let Spawned {
            group,
            pidfd,
            stdout,
            stderr,
            lifeline,
        } = process;
        let _entered = self.runtime.enter();
        let exit = match ExitWatch::new(pidfd) {
            Ok(exit) => exit,
            Err(error) => {
                // It stays a zombie until this program ends: without its pidfd nobody can wait for it.
                group.kill();
                return Err(error);
            }
        };
        let link = Link::new(spec, events, group, lifeline, Arc::clone(&self.census));
        let mut pipes = JoinSet::new();
        pipes.spawn(pump(Arc::clone(&link), "stdout", stdout));
        pipes.spawn(pump(Arc::clone(&link), "stderr", stderr));
        if !self.registry.enlist(&link) {
            link.kill_because("the host shuts down");
        }
        let (connected, conversation) = oneshot::channel();
        // Nobody takes it where the host is shutting down.
        let _ = place.send(Expected {
            link: Arc::clone(&link),
            connected,
        });
        let registry = Arc::clone(&self.registry);
        let supervisor = Supervisor::new(Arc::clone(&link), registry, token.clone(), exit, pipes);
        self.runtime.spawn(supervisor.run(conversation));
        Ok(link)
    }
}

/// A place that is given up unless a worker comes of it, also where a launch is broken off half-way.
struct Reservation<'a> {
    registry: &'a Registry,
    token: Option<Token>,
}

impl Reservation<'_> {
    fn keep(mut self) {
        self.token = None;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            self.registry.revoke(token);
        }
    }
}

#[async_trait]
impl Launcher for Host {
    async fn launch(
        &self,
        spec: LaunchSpec,
        events: Arc<dyn WorkerEvents>,
    ) -> Result<Arc<dyn Worker>, StartError> {
        let program = spec.python.clone();
        match self.create(spec, events).await {
            Ok(link) => Ok(link),
            Err(error) => Err(StartError::Spawn {
                program,
                source: Arc::new(error),
            }),
        }
    }
}

/// Needs no runtime: what is left is killed before this returns.
impl Drop for Host {
    fn drop(&mut self) {
        for link in self.registry.close() {
            link.kill_because("the host was dropped");
        }
        self.server.abort();
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("lifeline", &self.lifeline())
            .finish_non_exhaustive()
    }
}
