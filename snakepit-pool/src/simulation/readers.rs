//! Subscribers of events: one that keeps up, and one that does not.

use std::sync::Arc;

use super::world::World;
use crate::events::{Events, Observed, PoolEventKind};

/// Reads every event as it comes, into the log. Gives how many there were.
pub(super) async fn keen(world: Arc<World>, mut events: Events) -> u64 {
    let mut seen = 0;
    while let Some(observed) = events.next().await {
        seen += weight(&observed);
        if let Observed::Event(event) = observed {
            world
                .log
                .write(format_args!("{}: {}", event.pool, Described(&event.kind)));
        }
    }
    seen
}

/// Reads now and then, until the faults stop. Gives how many there were, those that were lost to it included.
pub(super) async fn slow(world: Arc<World>, mut events: Events) -> u64 {
    let mut seen = 0;
    while let Some(observed) = events.next().await {
        seen += weight(&observed);
        if let Observed::Missed(count) = observed {
            world
                .log
                .write(format_args!("the slow reader has missed {count} events"));
        }
        if !world.has_healed() && world.draw(|random| random.chance(5)) {
            let pause = world.draw(|random| random.ms(0, 3000));
            tokio::time::sleep(pause).await;
        }
    }
    seen
}

fn weight(observed: &Observed) -> u64 {
    match observed {
        Observed::Event(_) => 1,
        Observed::Missed(count) => *count,
    }
}

/// An event in few words.
struct Described<'a>(&'a PoolEventKind);

impl std::fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            PoolEventKind::WorkerStarted { worker, pid } => write!(f, "{worker} started as {pid}"),
            PoolEventKind::WorkerReady { worker, after, .. } => {
                write!(f, "{worker} is ready after {after:?}")
            }
            PoolEventKind::WorkerRecycled(report) => write!(
                f,
                "{} is renewed: {}; successor {:?}",
                report.worker,
                report.reason.as_str(),
                report.successor.as_ref().map(ToString::to_string),
            ),
            PoolEventKind::WorkerExited {
                worker, exit, cause, ..
            } => write!(f, "{worker} has ended: {exit}, {cause:?}"),
            PoolEventKind::StartFailed { worker, error } => write!(f, "{worker} did not start: {error}"),
            PoolEventKind::CallRetried {
                tool,
                lost_with,
                attempt,
                pause,
            } => write!(
                f,
                "{tool} was lost with {lost_with}; attempt {attempt} in {pause:?}"
            ),
            other => write!(f, "{other:?}"),
        }
    }
}
