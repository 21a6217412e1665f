//! What is compared: every scenario with its contestants, and one round through all of them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::job::{Fallible, Job, Readings};
use crate::{child, core_step, interpreters};

/// A question that several contestants answer under the same conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    OneCore,
    TwoCores,
    Unpinned,
    TwoWorkers,
    OneWorkerBusy,
    StartOfEight,
    Core,
}

/// Who answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contestant {
    Snakepit,
    SnakepitThreads,
    Floor,
    Executor,
    SameImports,
    Bare,
}

/// One scenario for one contestant.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) scenario: Scenario,
    pub(crate) contestant: Contestant,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Echo(Job),
    Start(Job),
    Interpreters {
        python: PathBuf,
        count: u32,
        modules: Vec<String>,
    },
    Core,
}

/// Workers, and interpreters, in [`Scenario::StartOfEight`].
const EIGHT: u32 = 8;

/// Enough futures that the executor's queues never run dry.
const EXECUTOR_IN_FLIGHT: u32 = 64;

/// All trials of a round, in the order of the first one. `modules` are what a worker imports beyond a bare interpreter.
pub(crate) fn all(python: &Path, cpus: &[usize], seconds: f64, modules: &[String]) -> Vec<Trial> {
    use {Contestant as C, Scenario as S};

    let free = Job {
        python: python.to_owned(),
        host_cpu: None,
        worker_cpu: None,
        workers: 1,
        threads: 1,
        in_flight: 1,
        seconds,
    };
    let one_core = Job {
        host_cpu: cpus.first().copied(),
        ..free.clone()
    };
    let two_cores = Job {
        worker_cpu: cpus.get(1).copied(),
        ..one_core.clone()
    };
    let two_workers = Job {
        workers: 2,
        ..free.clone()
    };
    let eight = Job {
        workers: EIGHT,
        ..free.clone()
    };

    let mut trials = Vec::new();
    let mut add = |scenario, contestant, task| {
        trials.push(Trial {
            scenario,
            contestant,
            task,
        });
    };
    let mut placements = vec![(S::OneCore, &one_core), (S::Unpinned, &free)];
    if two_cores.worker_cpu.is_some() {
        placements.insert(1, (S::TwoCores, &two_cores));
    }
    for (scenario, job) in placements {
        for contestant in [C::Snakepit, C::Floor, C::Executor] {
            add(scenario, contestant, Task::Echo(job.clone()));
        }
    }
    for contestant in [C::Snakepit, C::Floor] {
        add(S::TwoWorkers, contestant, Task::Echo(two_workers.clone()));
    }
    let busy = |job: &Job| {
        Task::Echo(Job {
            in_flight: EXECUTOR_IN_FLIGHT,
            ..job.clone()
        })
    };
    add(S::TwoWorkers, C::Executor, busy(&two_workers));
    add(S::OneWorkerBusy, C::Executor, busy(&free));
    add(
        S::OneWorkerBusy,
        C::SnakepitThreads,
        Task::Echo(Job {
            threads: 8,
            in_flight: 8,
            ..free.clone()
        }),
    );

    let interpreters = |modules| Task::Interpreters {
        python: python.to_owned(),
        count: EIGHT,
        modules,
    };
    add(S::StartOfEight, C::Snakepit, Task::Start(eight));
    add(S::StartOfEight, C::SameImports, interpreters(modules.to_vec()));
    add(S::StartOfEight, C::Bare, interpreters(Vec::new()));
    add(S::Core, C::Snakepit, Task::Core);
    trials
}

impl Trial {
    /// Takes the readings, in a process of its own where it has threads or a place to keep.
    pub(crate) fn run(&self) -> Fallible<Readings> {
        let readings = match &self.task {
            Task::Echo(job) => match self.contestant {
                Contestant::Floor => child::run_self("floor", job),
                Contestant::Executor => child::run_executor(job),
                _ => child::run_self("snakepit", job),
            },
            Task::Start(job) => child::run_self("snakepit-start", job),
            Task::Interpreters {
                python,
                count,
                modules,
            } => interpreters::measure_start(python, *count, modules),
            Task::Core => core_step::measure(),
        };
        readings.map_err(|error| {
            format!("{}, {}: {error}", self.scenario.title(), self.contestant.title()).into()
        })
    }
}

impl Scenario {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OneCore => "One call after the other, host and worker on one core",
            Self::TwoCores => "One call after the other, host and worker on a core each",
            Self::Unpinned => "One call after the other, unpinned",
            Self::TwoWorkers => "Two workers, unpinned",
            Self::OneWorkerBusy => "One worker with many calls in flight, unpinned",
            Self::StartOfEight => "Eight processes, started and each answering once",
            Self::Core => "The pool's core by itself",
        }
    }
}

impl Contestant {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Snakepit => "snakepit",
            Self::SnakepitThreads => "snakepit, thread profile",
            Self::Floor => "floor (raw frames)",
            Self::Executor => "ProcessPoolExecutor",
            Self::SameImports => "interpreter, same imports",
            Self::Bare => "interpreter, bare",
        }
    }

    /// How it was driven, where that matters to the figures.
    pub(crate) fn manner(self, scenario: Scenario) -> &'static str {
        match (self, scenario) {
            (Self::Snakepit, Scenario::OneCore | Scenario::TwoCores) => "tokio runtime of one thread",
            (Self::Snakepit, Scenario::TwoWorkers) => "multi-thread runtime, one call in flight per worker",
            (Self::Snakepit, Scenario::Core) => "submitted and completed in turn, 8 workers",
            (Self::Snakepit, _) => "multi-thread runtime",
            (Self::SnakepitThreads, _) => "multi-thread runtime, 8 threads, 8 in flight",
            (Self::Floor, Scenario::TwoWorkers) => "one blocking thread and one call in flight per worker",
            (Self::Floor, _) => "one blocking thread",
            (Self::Executor, Scenario::TwoWorkers | Scenario::OneWorkerBusy) => "64 in flight",
            _ => "",
        }
    }
}
