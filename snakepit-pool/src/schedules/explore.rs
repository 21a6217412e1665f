//! The search for a schedule under which a property fails.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, Runner};

/// Schedules that are tried for a property, with another choice at every step.
const RANDOM: usize = 2000;
/// Schedules with few changes: they reach what needs a thread to rest for very long.
const FEW_CHANGES: usize = 500;
/// The same schedules every time.
const SEED: u64 = 0x5eed;
/// Times that one of these changes its mind about who goes first, and one more. Most defects need one to three.
const DEPTH: usize = 3;
/// Steps of one schedule. Properties need some hundreds: what takes longer goes round in circles.
const STEPS_MAX: usize = 20_000;
/// Bytes of a thread's stack. Unoptimised code and the formatting of a failure need more than the default.
const STACK: usize = 512 << 10;

/// Runs a property under many schedules, or under the one that the environment names.
pub(super) fn explore(property: fn()) {
    if let Ok(schedule) = std::env::var("PIT_TEST_SCHEDULE") {
        Runner::new(ReplayScheduler::new_from_encoded(&schedule), config()).run(property);
        return;
    }
    Runner::new(RandomScheduler::new_from_seed(SEED, RANDOM), config()).run(property);
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, FEW_CHANGES), config()).run(property);
}

/// A schedule under which a property fails, and how it failed.
pub(super) struct Failure {
    pub(super) message: String,
    schedule: Schedule,
}

/// Searches as [`explore`] does. `None` where nothing was found.
pub(super) fn search(property: fn()) -> Option<Failure> {
    let random = RandomScheduler::new_from_seed(SEED, RANDOM);
    let few_changes = PctScheduler::new_from_seed(SEED, DEPTH, FEW_CHANGES);
    failure(random, property).or_else(|| failure(few_changes, property))
}

/// Runs a property under the schedule of a failure. Returns how it fails now, if it does.
pub(super) fn replay(failure: &Failure, property: fn()) -> Option<String> {
    let scheduler = ReplayScheduler::new_from_schedule(failure.schedule.clone());
    self::failure(scheduler, property).map(|failure| failure.message)
}

fn failure(scheduler: impl Scheduler + 'static, property: fn()) -> Option<Failure> {
    let record = Arc::new(Mutex::new(Schedule::default()));
    let scheduler = Recording {
        scheduler,
        record: Arc::clone(&record),
    };
    let run = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(scheduler, config()).run(property);
    }));
    let message = message(run.err()?.as_ref());
    let schedule = record.lock().clone();
    Some(Failure { message, schedule })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = shuttle::MaxSteps::FailAfter(STEPS_MAX);
    // It warns that it knows no memory orderings, and takes each for the strictest.
    config.silence_warnings = true;
    config
}

/// A scheduler that writes down what it decides.
#[derive(Debug)]
struct Recording<S> {
    scheduler: S,
    record: Arc<Mutex<Schedule>>,
}

// === impl Recording ===

impl<S: Scheduler> Scheduler for Recording<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let schedule = self.scheduler.new_execution()?;
        *self.record.lock() = schedule.clone();
        Some(schedule)
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        let task = self.scheduler.next_task(runnable, current, yields)?;
        self.record.lock().push_task(task);
        Some(task)
    }

    fn next_u64(&mut self) -> u64 {
        self.record.lock().push_random();
        self.scheduler.next_u64()
    }
}
