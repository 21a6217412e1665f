//! What is decided before anything starts.

use std::path::PathBuf;

use snakepit_config::{PoolSettings, ProfileKind, Settings};
use snakepit_pyenv::{Bridge, Interpreter, Progress, Silent, bridge_for};

use crate::error::Error;

/// One pool's checked settings, and the interpreter that was found for them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolPlan {
    /// The checked settings.
    pub settings: PoolSettings,
    /// The interpreter that its workers will run.
    pub interpreter: Interpreter,
}

impl PoolPlan {
    /// The profile that its workers will have.
    #[must_use]
    pub fn profile(&self) -> ProfileKind {
        self.settings
            .worker_profile
            .on(self.interpreter.facts.gil_enabled)
    }

    /// Calls that each of its workers will run at once.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.settings.slots(self.profile()).get()
    }

    fn bridge(&self, progress: &dyn Progress) -> Result<Bridge, Error> {
        let given = self.settings.bridge.as_deref();
        bridge_for(&self.interpreter, given, progress).map_err(|source| Error::Bridge {
            pool: self.settings.name.to_string(),
            source,
        })
    }
}

/// Finds each interpreter once, however many pools share it. Blocks.
pub(crate) fn pools(settings: Settings) -> Result<Vec<PoolPlan>, Error> {
    let mut known: Vec<(Option<PathBuf>, Interpreter)> = Vec::new();
    let plan = |settings: PoolSettings| {
        let wanted = settings.python.as_ref().map(|python| python.path.clone());
        let interpreter = find_or_insert(&mut known, wanted, || {
            snakepit_pyenv::find(settings.python.as_ref()).map_err(|source| Error::Interpreter {
                pool: settings.name.to_string(),
                source,
            })
        })?;
        let plan = PoolPlan {
            settings,
            interpreter,
        };
        if plan.settings.bridge.is_some() {
            // A folder that was named is only looked at: the sooner its user hears that it is the wrong one, the better.
            plan.bridge(&Silent)?;
        }
        Ok(plan)
    };
    settings.pools.into_iter().map(plan).collect()
}

/// Finds or builds each bridge once. Blocks, for as long as a build takes.
pub(crate) fn with_bridges(
    plans: Vec<PoolPlan>,
    progress: &dyn Progress,
) -> Result<Vec<(PoolPlan, Bridge)>, Error> {
    let mut known: Vec<((PathBuf, Option<PathBuf>), Bridge)> = Vec::new();
    let with_bridge = |plan: PoolPlan| {
        let wanted = (plan.interpreter.path.clone(), plan.settings.bridge.clone());
        let bridge = find_or_insert(&mut known, wanted, || plan.bridge(progress))?;
        Ok((plan, bridge))
    };
    plans.into_iter().map(with_bridge).collect()
}

fn find_or_insert<K: PartialEq, V: Clone>(
    known: &mut Vec<(K, V)>,
    key: K,
    find: impl FnOnce() -> Result<V, Error>,
) -> Result<V, Error> {
    if let Some((_, value)) = known.iter().find(|(k, _)| *k == key) {
        return Ok(value.clone());
    }
    let value = find()?;
    known.push((key, value.clone()));
    Ok(value)
}
