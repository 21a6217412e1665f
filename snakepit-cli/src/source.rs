//! Where a command's pools come from: a configuration file, or one adapter.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use snakepit::{Builder, Error, Pool, PoolConfig, Snakepit};

use crate::interrupt::unless_killed;
use crate::progress::BuildProgress;
use crate::report;

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "snakepit.toml";

/// Which pools to start.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Configuration file [default: snakepit.toml in the current folder, if there is one]
    #[arg(long, value_name = "FILE", conflicts_with = "adapter")]
    pub(crate) config: Option<PathBuf>,
    /// Serve one adapter instead: a Python file or a module, `:Class` behind it where it has several
    #[arg(long, value_name = "ADAPTER")]
    pub(crate) adapter: Option<String>,
    /// Interpreter for `--adapter`
    #[arg(long, value_name = "PATH", requires = "adapter")]
    pub(crate) python: Option<PathBuf>,
    /// Folder made by `snakepit bridge build`, for `--adapter`
    #[arg(long, value_name = "DIR", requires = "adapter")]
    pub(crate) bridge: Option<PathBuf>,
}

/// The workers' own `startup_timeout` has spoken long before.
const READY_PATIENCE: Duration = Duration::from_hours(1);

/// The pool of this name, or the default one, once a worker of it is ready.
pub(crate) async fn ready_pool<'p>(pit: &'p Snakepit, name: Option<&str>) -> Result<&'p Pool, Error> {
    let pool = match name {
        Some(name) => pit.pool(name)?,
        None => pit.default_pool(),
    };
    pool.await_ready(READY_PATIENCE).await?;
    Ok(pool)
}

impl Source {
    /// Starts these pools, does `work` with them, and ends them in peace. Returns the exit code.
    pub(crate) async fn serve(&self, work: impl AsyncFnOnce(&Snakepit) -> Result<u8, Error>) -> u8 {
        let builder = match self.builder() {
            Ok(builder) => builder,
            Err(message) => {
                report::message(&message);
                return report::USAGE;
            }
        };
        unless_killed(async |_| {
            let pit = match builder.start().await {
                Ok(pit) => pit,
                Err(error) => return report::error(&error),
            };
            let code = work(&pit).await.unwrap_or_else(|error| report::error(&error));
            pit.shutdown().await;
            code
        })
        .await
    }

    /// A builder with these pools, or what to say where there are none.
    pub(crate) fn builder(&self) -> Result<Builder, String> {
        let builder = Snakepit::builder().progress(Arc::new(BuildProgress::default()));
        if let Some(adapter) = &self.adapter {
            let mut pool = PoolConfig::new("default").adapter(adapter).pool_size(1);
            if let Some(python) = &self.python {
                pool = pool.python(python);
            }
            if let Some(bridge) = &self.bridge {
                pool = pool.bridge(bridge);
            }
            return Ok(builder.pool(pool));
        }
        match &self.config {
            Some(file) => Ok(builder.config_file(file)),
            None if Path::new(DEFAULT_FILE).exists() => Ok(builder.config_file(DEFAULT_FILE)),
            None => Err(format!(
                "there is no {DEFAULT_FILE} in this folder: name a file with `--config`, or Python code with `--adapter`"
            )),
        }
    }
}
