//! The pool's core by itself, without tasks, locks or workers.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use snakepit::{Affinity, PoolConfig, Settings};
use snakepit_pool::core::{Action, Core, CoreConfig, End, Event, Moment, Priority, Terms};

use crate::job::{Fallible, Metric, Readings};

const WORKERS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
const REQUESTS: u32 = 100_000;

/// Measures one step: half of submitting a request, which dispatches it, and completing it, which answers it.
pub(crate) fn measure() -> Fallible<Readings> {
    let pool = PoolConfig::new("p").adapter("none").pool_size(WORKERS.get());
    let settings = Settings::builder().env(false).pool(pool).build()?;
    let mut core = Core::new(CoreConfig::new(&settings.pools[0], NonZeroU32::MIN, 0));
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
        let terms = Terms {
            deadline: now.after(Duration::from_mins(5)),
            priority: Priority::Normal,
            session: None,
            affinity: Affinity::Hint,
            attempts: NonZeroU32::MIN,
        };
        core.handle(now, Event::Submitted { request, terms }, &mut actions);
        let [Action::Dispatch { worker, .. }] = actions[..] else {
            return Err(format!("a free worker was not used: {actions:?}").into());
        };
        let end = End::Served;
        core.handle(now, Event::Completed { request, worker, end }, &mut actions);
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
