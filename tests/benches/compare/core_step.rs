//! The pool's core by itself, without tasks, locks or workers.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use snakepit_pool::core::{Action, Core, CoreConfig, Event, Moment};

use crate::job::{Fallible, Metric, Readings};

const WORKERS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
const REQUESTS: u32 = 100_000;

/// Measures one step: half of submitting a request, which dispatches it, and completing it, which answers it.
pub(crate) fn measure() -> Fallible<Readings> {
    let mut core = Core::new(CoreConfig {
        size: WORKERS,
        capacity: NonZeroU32::MIN,
        startup_batch_size: WORKERS,
        startup_batch_delay: Duration::ZERO,
        startup_timeout: Duration::from_secs(30),
        queue_max: 1000,
        queue_timeout: Duration::from_secs(10),
        grace: Duration::from_secs(6),
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_secs(30),
        seed: 0,
    });
    let mut actions = Vec::new();
    core.handle(Moment::ZERO, Event::Opened, &mut actions);
    for action in std::mem::take(&mut actions) {
        if let Action::Spawn { worker } = action {
            core.handle(Moment::ZERO, Event::Launched { worker }, &mut actions);
            core.handle(Moment::ZERO, Event::BecameReady { worker }, &mut actions);
        }
    }
    actions.clear();

    let mut now = Moment::ZERO;
    let begin = Instant::now();
    for _ in 0..REQUESTS {
        now = now.after(Duration::from_micros(1));
        let request = core.next_request();
        let deadline = now.after(Duration::from_mins(5));
        core.handle(now, Event::Submitted { request, deadline }, &mut actions);
        core.handle(now, Event::Completed { request, lost: false }, &mut actions);
        if !matches!(actions[..], [Action::Dispatch { .. }, Action::Answer { .. }]) {
            return Err(format!("a free worker was given {actions:?}").into());
        }
        black_box(&mut actions).clear();
    }
    let steps = f64::from(2 * REQUESTS);
    Ok(Readings::from([(
        Metric::CoreStepNs,
        begin.elapsed().as_secs_f64() * 1e9 / steps,
    )]))
}
