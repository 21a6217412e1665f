//! Compiles the `.proto` without `protoc`.

use std::error::Error;

const PROTO: &str = "proto/snakepit/v1/worker.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(std::env::var_os("CARGO_FEATURE_HOST").is_some())
        // The connection is ours: a unix socket, which the generated `connect` knows nothing of.
        .build_transport(false)
        // Arguments and values are handed on without being copied.
        .bytes(".")
        // These two hold the token; `proto.rs` prints them without it.
        .skip_debug([".snakepit.v1.Boot", ".snakepit.v1.Hello"])
        // Without it the enum within `Boot` could not be printed either.
        .enum_attribute(".snakepit.v1.Boot.adapter", "#[derive(Debug)]")
        .compile_fds(descriptors)?;
    Ok(())
}
