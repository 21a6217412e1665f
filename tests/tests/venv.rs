//! A virtual environment's interpreter finds the environment's packages.

use std::process::Command;

use serde_json::Value;
use snakepit::PoolConfig;
use snakepit_tests::{Python, adapter, on_every_python, ready_pit};

on_every_python!(a_worker_of_a_venv_finds_what_is_installed_there);

async fn a_worker_of_a_venv_finds_what_is_installed_there(python: Python) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let venv = folder.path().join("venv");
    // The interpreter itself and not a shim that would start it: a venv links to the path that made it.
    let made = Command::new(&python.interpreter.facts.executable)
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status()
        .expect("Python starts");
    assert!(made.success());
    let version = python.interpreter.facts.version;
    let threads = if python.interpreter.facts.free_threaded {
        "t"
    } else {
        ""
    };
    let packages = venv.join(format!(
        "lib/python{}.{}{threads}/site-packages",
        version.major, version.minor
    ));
    std::fs::write(packages.join("only_in_the_venv.py"), "").expect("the venv's packages");

    let pool = PoolConfig::new("venv")
        .adapter(adapter("probe.py"))
        .python(venv.join("bin/python3"))
        .pool_size(1);
    let pit = ready_pit([pool]).await;
    let place: String = pit
        .call("imports")
        .arg("name", "only_in_the_venv")
        .await
        .expect("it is found");
    assert!(
        place.starts_with(packages.to_str().expect("a plain path")),
        "{place}"
    );
    let told: Value = pit.call("where").await.expect("an answer");
    assert_eq!(
        told["prefix"],
        venv.to_str().expect("a plain path"),
        "the link was not followed"
    );
    pit.shutdown().await;
}
