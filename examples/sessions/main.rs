//! A session stays with its worker, and a worker is renewed while its pool serves.
//!
//! `cargo run -p snakepit --example sessions`

use std::time::Duration;

use serde::Deserialize;
use snakepit::{Affinity, Observed, PoolConfig, PoolError, PoolEventKind, Snakepit};

#[derive(Debug, Deserialize)]
struct Heard {
    times: u32,
    pid: u32,
}

#[tokio::main]
async fn main() -> Result<(), snakepit::Error> {
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/sessions/adapter.py");
    let pool = PoolConfig::new("listeners")
        .adapter(adapter)
        .pool_size(2)
        .affinity(Affinity::StrictQueue);
    let pit = Snakepit::builder().pool(pool).start().await?;
    pit.await_started(Duration::from_secs(30)).await?;
    let mut events = pit.events();

    // Every call of the session goes to the one worker that knows it.
    let session = pit.session("ada");
    let first: Heard = session.call("hear").arg("name", "ada").await?;
    let second: Heard = session.call("hear").arg("name", "ada").await?;
    assert_eq!(first.pid, second.pid);
    session.put("heard", &second.times)?;
    println!("worker {} has heard it {} times", second.pid, second.times);

    // Its worker is renewed, and no call fails by it. What it kept in Python is gone, which the session is told once.
    pit.pool("listeners")?.recycle_all()?;
    let mut renewed = 0;
    while renewed < 2 {
        match events.next().await {
            Some(Observed::Event(event)) => {
                if let PoolEventKind::WorkerRecycled(report) = event.kind {
                    println!("{} was renewed: {}", report.worker, report.reason.as_str());
                    renewed += 1;
                }
            }
            Some(Observed::Missed(_)) => {}
            None => break,
        }
    }
    let told = session.call::<Heard>("hear").arg("name", "ada").await;
    let Err(snakepit::Error::Pool(PoolError::SessionWorkerUnavailable { worker })) = told else {
        panic!("the session was not told: {told:?}");
    };
    println!("worker {worker} is gone, and what it knew with it");

    // What the host keeps for the session is still there.
    let before: Option<u32> = session.get("heard")?;
    let third: Heard = session.call("hear").arg("name", "ada").await?;
    println!(
        "worker {} has heard it {} time, after {}",
        third.pid,
        third.times,
        before.unwrap_or(0)
    );

    pit.shutdown().await;
    Ok(())
}
