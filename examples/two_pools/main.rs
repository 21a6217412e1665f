//! Two pools side by side, each with an interpreter of its own.
//!
//! `cargo run -p snakepit --example two_pools -- /usr/bin/python3 /opt/python3.13t/bin/python3.13t`
//!
//! Without arguments both pools use the interpreter that snakepit finds.

use std::time::Duration;

use serde::Deserialize;
use snakepit::{PoolConfig, ProfileKind, Snakepit};

#[derive(Debug, Deserialize)]
struct Interpreter {
    version: String,
    gil: bool,
    pid: u32,
    thread: String,
}

#[tokio::main]
async fn main() -> Result<(), snakepit::Error> {
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/two_pools/adapter.py");
    let mut interpreters = std::env::args().skip(1);

    let mut careful = PoolConfig::new("careful").adapter(adapter).pool_size(2);
    if let Some(python) = interpreters.next() {
        careful = careful.python(python);
    }
    let mut parallel = PoolConfig::new("parallel")
        .adapter(adapter)
        .worker_profile(ProfileKind::Thread)
        .pool_size(1)
        .threads_per_worker(4);
    if let Some(python) = interpreters.next() {
        parallel = parallel.python(python);
    }

    let pit = Snakepit::builder().pool(careful).pool(parallel).start().await?;
    pit.await_ready(Duration::from_secs(30)).await?;
    for pool in ["careful", "parallel"] {
        let Interpreter {
            version,
            gil,
            pid,
            thread,
        } = pit.call("interpreter").pool(pool).await?;
        let gil = if gil { "on" } else { "off" };
        println!("{pool}: Python {version}, GIL {gil}, process {pid}, thread {thread}");
    }

    pit.shutdown().await;
    Ok(())
}
