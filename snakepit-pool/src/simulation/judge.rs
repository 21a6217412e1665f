//! What callers were told, and whether that agrees with what the pools say and what the workers did.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use snakepit_profile::{Executed, Worker, WorkerName};

use super::log::Log;
use super::workers::tool;
use crate::call::Answer;
use crate::error::{ErrorKind, PoolError};
use crate::pool::Pool;
use crate::sim::SimProfile;

/// Keeps every call, and judges.
pub(super) struct Judge(Mutex<Books>);

struct Books {
    /// By number.
    cases: Vec<Case>,
    /// By the number of the pool.
    tallies: Vec<Tally>,
}

/// One call.
#[derive(Debug)]
struct Case {
    pool: usize,
    /// Workers that may have had it.
    attempts: u32,
    end: Option<End>,
}

/// How a call ended.
#[derive(Debug)]
enum End {
    /// Its caller never asked for it.
    NeverMade,
    /// Its caller left.
    Left,
    Served(WorkerName),
    Failed(Executed),
}

/// What the callers of one pool were told.
#[derive(Debug, Default)]
struct Tally {
    served: u64,
    errors: BTreeMap<ErrorKind, u64>,
    left: u64,
}

/// How late a timer may be: tokio's have a granularity of 1 ms.
const LATE: Duration = Duration::from_millis(2);

// === impl Judge ===

impl Judge {
    pub(super) fn new(pools: usize) -> Self {
        Self(Mutex::new(Books {
            cases: Vec::new(),
            tallies: (0..pools).map(|_| Tally::default()).collect(),
        }))
    }

    /// A call is planned, which so many workers may have. Gives its number.
    pub(super) fn plan(&self, pool: usize, attempts: u32) -> usize {
        let mut books = self.0.lock();
        books.cases.push(Case {
            pool,
            attempts,
            end: None,
        });
        books.cases.len() - 1
    }

    pub(super) fn planned(&self) -> usize {
        self.0.lock().cases.len()
    }

    pub(super) fn never_made(&self, number: usize) {
        self.0.lock().cases[number].end = Some(End::NeverMade);
    }

    // Ends.

    /// A caller left.
    pub(super) fn left(&self, number: usize) {
        let mut books = self.0.lock();
        let pool = books.cases[number].pool;
        books.tallies[pool].left += 1;
        books.cases[number].end = Some(End::Left);
    }

    /// A caller was answered, `waited` after it had asked.
    pub(super) fn answered(
        &self,
        log: &Log,
        number: usize,
        result: &Result<Answer, PoolError>,
        (waited, timeout): (Duration, Duration),
    ) {
        if waited > timeout + LATE {
            let found = format!("call {number} waited {waited:?} of {timeout:?}");
            log.accuse("a call is answered by its deadline", found);
        }
        let mut books = self.0.lock();
        let pool = books.cases[number].pool;
        let tally = &mut books.tallies[pool];
        let end = match result {
            Ok(answer) => {
                tally.served += 1;
                let value = &answer.reply.value;
                if !value.is_empty() && **value != *number.to_string().as_bytes() {
                    log.accuse(
                        "an answer is the answer of its call",
                        format!("call {number}: {value:?}"),
                    );
                }
                End::Served(answer.receipt.worker.clone())
            }
            Err(error) => {
                *tally.errors.entry(error.kind()).or_default() += 1;
                End::Failed(error.executed())
            }
        };
        if books.cases[number].end.replace(end).is_some() {
            log.accuse(
                "a call is answered once",
                format!("call {number} was answered before"),
            );
        }
    }

    // In the end.

    /// What a pool counts is what its callers were told.
    pub(super) fn compare(&self, log: &Log, number: usize, pool: &Pool) {
        let stats = pool.stats();
        let tally = &self.0.lock().tallies[number];
        let mut unseen = stats.cancelled + stats.completed;
        let mut agree = tally.served <= stats.completed;
        for kind in ErrorKind::ALL {
            let [told, counted] =
                [&tally.errors, &stats.errors].map(|errors| errors.get(&kind).copied().unwrap_or_default());
            agree &= told <= counted;
            unseen += counted.saturating_sub(told);
        }
        // Whoever leaves as the answer comes is counted as answered, and does not know.
        agree &= unseen == tally.left + tally.served;
        if !agree {
            let found = format!("{tally:?}, and {} says {stats:?}", pool.name());
            log.accuse("a pool counts what its callers were told", found);
        }
    }

    /// Every call has ended, and what its caller was told is what the workers did.
    pub(super) fn settle(&self, log: &Log, profiles: &[Arc<SimProfile>]) {
        let mut had: BTreeMap<String, Vec<WorkerName>> = BTreeMap::new();
        for worker in profiles.iter().flat_map(|profile| profile.all()) {
            for tool in worker.tools() {
                had.entry(tool).or_default().push(worker.name().clone());
            }
        }
        for (number, case) in self.0.lock().cases.iter().enumerate() {
            let had = had.remove(&tool(number)).unwrap_or_default();
            let accuse = |rule| log.accuse(rule, format!("call {number}: {case:?}; its workers: {had:?}"));
            if had.len() > case.attempts as usize {
                accuse("a call is given to no more workers than its caller allows");
            }
            match &case.end {
                None => accuse("every call is answered"),
                Some(End::NeverMade) if !had.is_empty() => accuse("only calls that were made run"),
                Some(End::Failed(Executed::No)) if !had.is_empty() => {
                    accuse("a call that is said not to have run has not");
                }
                Some(End::Failed(Executed::Yes)) if had.is_empty() => {
                    accuse("a call that is said to have run has");
                }
                Some(End::Served(worker)) if had.last() != Some(worker) && !had.contains(worker) => {
                    accuse("the worker on the receipt had the call");
                }
                Some(_) => {}
            }
        }
    }
}
