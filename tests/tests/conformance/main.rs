//! One set of promises, kept by every kind of worker: simulated ones, processes without Python over the real wire, and
//! Python as processes and as threads.
//!
//! A scenario knows of its workers only what `adapters/conformance.py` says of their tools, and how many calls each of
//! them runs at once. It waits for what happens, never for time to pass; where it looks at a clock, it asks whether enough
//! time has passed, not whether too much has.

mod calls;
mod deaths;
mod limits;
mod queue;
mod renewal;
mod sessions;
mod stage;
mod subject;
mod winding_down;

/// Writes one test per kind of worker for each named `async fn(Subject)`.
macro_rules! on_every_subject {
    ($($scenario:ident),+ $(,)?) => {
        on_every_subject!(@module simulated, Some($crate::subject::Subject::Simulated), $($scenario),+);
        on_every_subject!(@module wire, Some($crate::subject::Subject::Wire), $($scenario),+);
        on_every_subject!(@module python_processes, $crate::subject::Subject::processes(), $($scenario),+);
        on_every_subject!(@module python_threads, $crate::subject::Subject::threads(), $($scenario),+);
    };
    (@module $module:ident, $subject:expr, $($scenario:ident),+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    if let Some(subject) = $subject {
                        super::$scenario(subject).await;
                    }
                }
            )+
        }
    };
}
use on_every_subject;
