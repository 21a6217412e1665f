//! The first program: one pool, two calls with types.
//!
//! `cargo run -p snakepit --example quickstart`

use std::time::Duration;

use serde::Deserialize;
use snakepit::{PoolConfig, Snakepit};

#[derive(Debug, Deserialize)]
struct Description {
    min: f64,
    max: f64,
    mean: f64,
}

#[tokio::main]
async fn main() -> Result<(), snakepit::Error> {
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/adapter.py");
    let pit = Snakepit::builder()
        .pool(PoolConfig::new("default").adapter(adapter).pool_size(2))
        .start()
        .await?;
    pit.await_ready(Duration::from_secs(30)).await?;

    let values = [3.0, 1.0, 2.0];
    let mean: f64 = pit.call("mean").arg("values", values).await?;
    let Description { min, max, mean: same } = pit.call("describe").arg("values", values).await?;
    println!("mean {mean}, from {min} to {max}");
    assert!((mean - same).abs() < f64::EPSILON);

    pit.shutdown().await;
    Ok(())
}
