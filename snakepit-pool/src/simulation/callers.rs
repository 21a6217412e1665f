//! Callers: patient ones, short ones, and those that leave.

use std::fmt;
use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use snakepit_config::Affinity;
use tokio::task::yield_now;

use super::random::Random;
use super::workers::{TOLD, is_idempotent, tool};
use super::world::World;
use crate::call::{Answer, PoolCall};
use crate::core::{CoreConfig, Phase, Priority};
use crate::error::PoolError;
use crate::pool::Pool;
use crate::pools::Pools;

/// A call that somebody is about to make.
#[derive(Debug)]
pub(super) struct Plan {
    number: usize,
    /// The number of its pool.
    pool: usize,
    call: PoolCall,
    manner: Manner,
}

/// How long a caller wants its answer.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Waits,
    /// Leaves after so long.
    Leaves(Duration),
    /// Leaves when it has asked so often, all at once. One that never asks never makes the call.
    Asks(u32),
}

/// Longer than any call takes that does not misbehave.
const LONG: Duration = Duration::from_secs(5);

/// Sessions that are used.
pub(super) const SESSIONS: [&str; 5] = ["a", "b", "c", "d", "e"];

// === impl Plan ===

impl Plan {
    /// Any call.
    pub(super) fn draw(world: &World, pools: usize) -> Self {
        let number = world.judge.planned();
        let idempotent_itself = number < TOLD && is_idempotent(number);
        world.draw(|random| {
            let pool = random.between(0, u32::try_from(pools).expect("few pools") - 1) as usize;
            let mut call = named(number);
            call.timeout = match random.between(0, 9) {
                0 => Some(Duration::ZERO),
                1..4 => Some(random.ms(1, 50)),
                4..8 => Some(random.ms(50, 4000)),
                _ => None,
            };
            call.priority = random.pick([Priority::Low, Priority::Normal, Priority::High]);
            draw_session(&mut call, random);
            call.idempotent = match random.between(0, 3) {
                0 | 1 => Some(true),
                2 => Some(false),
                _ => None,
            };
            call.attempts = random
                .maybe(30, |random| NonZeroU32::new(random.between(1, 5)))
                .flatten();
            let settings = &world.layouts[pool].settings;
            let attempts = if call.idempotent.unwrap_or(idempotent_itself) {
                call.attempts.unwrap_or(settings.retry_attempts).get()
            } else {
                1
            };
            let number = world.judge.plan(pool, attempts.min(CoreConfig::POISONOUS));
            let manner = match random.between(0, 9) {
                0 => Manner::Asks(random.between(0, 4)),
                1..3 => Manner::Leaves(random.ms(0, 500)),
                _ => Manner::Waits,
            };
            Self {
                number,
                pool,
                call,
                manner,
            }
        })
    }

    /// A call without any wishes, whose caller has time.
    pub(super) fn plain(world: &World, pool: usize) -> Self {
        let number = world.judge.plan(pool, CoreConfig::POISONOUS);
        let mut call = named(number);
        call.timeout = Some(LONG);
        Self {
            number,
            pool,
            call,
            manner: Manner::Waits,
        }
    }

    /// A call that is too late as it comes.
    pub(super) fn hopeless(world: &World, pool: usize) -> Self {
        let mut plan = Self::plain(world, pool);
        plan.call.timeout = Some(Duration::ZERO);
        plan
    }
}

fn named(number: usize) -> PoolCall {
    PoolCall::new(tool(number), number.to_string().into_bytes())
}

fn draw_session(call: &mut PoolCall, random: &mut Random) {
    if random.chance(50) {
        call.session = Some(random.pick(SESSIONS).into());
        call.affinity = random.pick([
            None,
            Some(Affinity::Hint),
            Some(Affinity::StrictQueue),
            Some(Affinity::StrictFailFast),
        ]);
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = &self.call;
        write!(f, "call {} to p{}, {:?}", self.number, self.pool, call.priority)?;
        if let Some(session) = &call.session {
            write!(f, ", session {session} {:?}", call.affinity)?;
        }
        if let Some(timeout) = call.timeout {
            write!(f, ", within {timeout:?}")?;
        }
        if call.idempotent == Some(true) {
            write!(f, ", idempotent, attempts {:?}", call.attempts)?;
        }
        write!(f, ", {:?}", self.manner)
    }
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, PoolError>> + Send + 'a>>;

/// Makes a call, and tells the judge how it ended.
pub(super) async fn call(world: Arc<World>, pools: Pools, plan: Plan) -> Option<Result<Answer, PoolError>> {
    world.log.write(&plan);
    let Plan { number, manner, .. } = plan;
    if matches!(manner, Manner::Asks(0)) {
        drop(pools.iter().nth(plan.pool)?.call(plan.call));
        world.judge.never_made(number);
        return None;
    }
    let pool = pools.iter().nth(plan.pool)?;
    let at_once = refuses(pool);
    let settings = &world.layouts[plan.pool].settings;
    let timeout = plan.call.timeout.unwrap_or(settings.call_timeout);
    let began = world.log.now();
    let mut answering: Answering<'_> = Box::pin(pool.call(plan.call));
    let first = poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await;
    world.demand(
        first.is_ready() || !at_once,
        "a pool that cannot serve says so at once",
        || format!("call {number} to p{} has to wait", plan.pool),
    );
    let result = match first {
        Poll::Ready(result) => Some(result),
        Poll::Pending => patience(&mut answering, manner).await,
    };
    drop(answering);
    let Some(result) = result else {
        world.log.write(format_args!("call {number}: its caller left"));
        world.judge.left(number);
        return None;
    };
    match &result {
        Ok(answer) => world
            .log
            .write(format_args!("call {number}: served by {}", answer.receipt.worker)),
        Err(error) => world
            .log
            .write(format_args!("call {number}: {} {error}", error.code())),
    }
    let waited = world.log.now().saturating_sub(began);
    world
        .judge
        .answered(&world.log, number, &result, (waited, timeout));
    Some(result)
}

/// Whether a pool can serve nobody, and is to say so in the same moment.
fn refuses(pool: &Pool) -> bool {
    let stats = pool.stats();
    let phase = pool.shared().book.lock().core.phase();
    phase != Phase::Open || (stats.degraded && stats.ready == 0)
}

/// Waits for an answer as long as its caller does.
async fn patience(answering: &mut Answering<'_>, manner: Manner) -> Option<Result<Answer, PoolError>> {
    match manner {
        Manner::Waits => Some(answering.await),
        Manner::Leaves(after) => tokio::time::timeout(after, answering).await.ok(),
        Manner::Asks(times) => {
            for _ in 1..times {
                yield_now().await;
                let asked = poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await;
                if let Poll::Ready(result) = asked {
                    return Some(result);
                }
            }
            None
        }
    }
}
