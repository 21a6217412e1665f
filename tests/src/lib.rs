//! The harness of the workspace's tests: which interpreters there are, the adapters they run, and how a test that needs
//! something absent says so.

mod processes;
mod python;
mod signalled;
mod watch;
mod wire;

pub use processes::{Process, wait_until};
pub use python::{Python, Wanted};
pub use signalled::Signalled;
pub use watch::Watch;
pub use wire::WireProfile;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use snakepit::{PoolConfig, Snakepit};

/// Long enough for a start on a machine that is busy with other tests; reached only when something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// An adapter of this folder's `adapters`.
#[must_use]
pub fn adapter(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/adapters")).join(name)
}

/// Says that a test was skipped, and why. Where everything is provided (`PIT_TEST_NO_SKIP` is set), that is a failure.
///
/// # Panics
/// Where skipping is a failure.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("PIT_TEST_NO_SKIP").is_none(),
        "skipped although everything must be here: {why}"
    );
    // Not `eprintln!`: what a passing test prints with that is never shown.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// Starts these pools and waits until all are ready.
///
/// # Panics
/// Where they do not become ready.
pub async fn ready_pit(pools: impl IntoIterator<Item = PoolConfig>) -> Snakepit {
    let pit = start_pit(pools).await;
    pit.await_ready(PATIENCE).await.expect("the pit becomes ready");
    pit.await_started(PATIENCE).await.expect("every worker starts");
    pit
}

/// Starts these pools.
///
/// # Panics
/// Where the configuration is refused.
pub async fn start_pit(pools: impl IntoIterator<Item = PoolConfig>) -> Snakepit {
    let builder = pools
        .into_iter()
        .fold(Snakepit::builder().env(false), snakepit::Builder::pool);
    builder.start().await.expect("the pit starts")
}

/// Writes one test per interpreter for each named `async fn(Python)`: the default one, 3.9, 3.13 and free-threaded 3.13.
#[macro_export]
macro_rules! on_every_python {
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_python!(@module default_python, Default, $($test),+);
        $crate::on_every_python!(@module python_3_9, V3_9, $($test),+);
        $crate::on_every_python!(@module python_3_13, V3_13, $($test),+);
        $crate::on_every_python!(@module python_3_13t, V3_13t, $($test),+);
    };
    (@module $module:ident, $wanted:ident, $($test:ident),+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(python) = $crate::Python::find($crate::Wanted::$wanted) {
                        super::$test(python).await;
                    }
                }
            )+
        }
    };
}
