//! Restarts that can only fail.

use std::time::Duration;

use rustix::process::Signal;
use snakepit::{Error, Observed, PoolError, PoolEventKind, ProfileKind};
use snakepit_tests::{Process, Python, Watch, on_every_python, ready_pit};

on_every_python!(an_adapter_that_no_longer_imports_is_not_tried_for_ever);

const SERVES: &str = "
from snakepit_bridge import tool

@tool
def answer():
    return 42
";

const DOES_NOT: &str = "import a_module_that_nobody_has\n";

/// Starts of a pool of two that can only fail: one for each slot, and then three trials.
const STARTS: usize = 2 + 3;

async fn an_adapter_that_no_longer_imports_is_not_tried_for_ever(python: Python) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let adapter = folder.path().join("edited.py");
    std::fs::write(&adapter, SERVES).expect("a writable folder");
    let window = Duration::from_millis(300);
    let edited = python
        .pool("edited", "conformance.py")
        .adapter(&adapter)
        .worker_profile(ProfileKind::Process)
        .pool_size(2)
        .restart_window(window)
        .restart_backoff_max(window);
    let healthy = python.pool("healthy", "conformance.py").pool_size(1);
    let pit = ready_pit([edited, healthy]).await;
    let answer: u32 = pit.call("answer").await.expect("it serves");
    assert_eq!(answer, 42);

    let mut watch = Watch::new(pit.events());
    let mut all = pit.events();
    std::fs::write(&adapter, DOES_NOT).expect("a writable folder");
    for worker in pit.default_pool().worker_handles() {
        Process::of(worker.pid)
            .expect("a living one")
            .signal(Signal::KILL);
    }
    for _ in 0..STARTS {
        watch
            .until(|event| matches!(event.kind, PoolEventKind::StartFailed { .. }).then_some(()))
            .await;
    }
    let error = pit.call::<u32>("answer").await.expect_err("it has failed");
    assert!(
        matches!(error, Error::Pool(PoolError::PoolNotInitialized { .. })),
        "{error:?}"
    );
    let why = error.python_error().expect("the exception of the import");
    assert_eq!(why.type_name, "ModuleNotFoundError");
    assert_eq!(pit.workers("edited").expect("a pool"), []);
    pit.call::<u32>("pid")
        .pool("healthy")
        .await
        .expect("the other pool serves on");
    pit.shutdown().await;

    let mut failed = 0;
    while let Some(seen) = all.next().await {
        let Observed::Event(event) = seen else {
            panic!("{seen:?}");
        };
        failed += usize::from(matches!(event.kind, PoolEventKind::StartFailed { .. }));
    }
    assert_eq!(failed, STARTS, "nothing was tried after that");
}
