//! Notes the compiler's version: a bridge built by another compiler is another bridge, and asking `rustc` at every start
//! would cost more than everything else a start does.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default();
    println!("cargo::rustc-env=SNAKEPIT_RUSTC={}", version.trim());
}
