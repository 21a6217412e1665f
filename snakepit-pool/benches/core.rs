//! What a step of the core costs, by the number of workers and of requests that wait.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use snakepit_config::{Affinity, PoolConfig, Settings};
use snakepit_pool::core::{Action, Core, CoreConfig, End, Event, Moment, Priority, Terms};
use snakepit_profile::{RequestId, WorkerId};

/// A ready core of `size` workers with two slots each.
fn core(size: u32) -> Core {
    let pool = PoolConfig::new("p").adapter("none").pool_size(1);
    let settings = Settings::builder()
        .env(false)
        .pool(pool)
        .build()
        .expect("valid settings");
    let two = NonZeroU32::new(2).expect("not zero");
    let mut config = CoreConfig::new(&settings.pools[0], two, 0);
    config.size = NonZeroU32::new(size).expect("not zero");
    config.size_max = config.size;
    config.startup_batch_size = config.size;
    config.queue_max = 2_000_000;
    let mut core = Core::new(config);
    let mut actions = Vec::new();
    core.handle(Moment::ZERO, Event::Opened, &mut actions);
    for slot in 0..size {
        let worker = WorkerId { slot, generation: 1 };
        core.handle(Moment::ZERO, Event::Launched { worker }, &mut actions);
        core.handle(Moment::ZERO, Event::BecameReady { worker }, &mut actions);
    }
    core
}

/// Submits a request one microsecond later.
fn submit(core: &mut Core, now: &mut Moment, actions: &mut Vec<Action>) {
    *now = now.after(Duration::from_micros(1));
    let terms = Terms {
        deadline: now.after(Duration::from_mins(5)),
        priority: Priority::Normal,
        session: None,
        affinity: Affinity::Hint,
        attempts: NonZeroU32::MIN,
    };
    let request = core.next_request();
    core.handle(*now, Event::Submitted { request, terms }, actions);
}

/// Takes note of what was given to workers.
fn follow(actions: &mut Vec<Action>, running: &mut VecDeque<(RequestId, WorkerId)>) {
    for action in actions.drain(..) {
        if let Action::Dispatch { request, worker } = action {
            running.push_back((request, worker));
        }
    }
}

fn core_steps(criterion: &mut Criterion) {
    for (workers, queued) in [(10, 0), (10_000, 0), (10, 1_000_000), (10_000, 1_000_000)] {
        criterion.bench_function(
            &format!("two core steps: submit and complete ({workers} workers, {queued} queued)"),
            |bench| {
                let (mut core, mut now, mut actions) = (core(workers), Moment::ZERO, Vec::new());
                let mut running = VecDeque::new();
                let full = if queued > 0 { workers * 2 + queued } else { 0 };
                for _ in 0..full {
                    submit(&mut core, &mut now, &mut actions);
                }
                follow(&mut actions, &mut running);
                bench.iter(|| {
                    submit(&mut core, &mut now, &mut actions);
                    follow(&mut actions, &mut running);
                    let (request, worker) = running.pop_front().expect("something runs");
                    let end = End::Served;
                    core.handle(now, Event::Completed { request, worker, end }, &mut actions);
                    follow(&mut actions, &mut running);
                });
            },
        );
    }
}

criterion_group!(benches, core_steps);
criterion_main!(benches);
