//! A system of linear equations, solved by NumPy.
//!
//! `cargo run -p snakepit --example numpy`
//!
//! Needs an interpreter with NumPy; without it, ends with the import error and its remedy.

use std::time::Duration;

use snakepit::{PoolConfig, Snakepit};

#[tokio::main]
async fn main() -> Result<(), snakepit::Error> {
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/numpy/adapter.py");
    let pit = Snakepit::builder()
        .pool(PoolConfig::new("default").adapter(adapter).pool_size(1))
        .start()
        .await?;

    pit.await_ready(Duration::from_secs(30)).await?;

    let x: Vec<f64> = pit
        .call("solve")
        .arg("matrix", [[2.0, 1.0], [1.0, 3.0]])
        .arg("right", [3.0, 5.0])
        .await?;
    println!("x = {x:?}");

    pit.shutdown().await;
    Ok(())
}
