//! What the figures are held against.

use serde::Serialize;

use crate::job::Metric;
use crate::report::Figures;
use crate::trials::{Contestant, Scenario};

/// One comparison of two figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    what: &'static str,
    ours: Key,
    /// `None`: ours is held against a number.
    theirs: Option<(Contestant, Metric)>,
    goal: Goal,
}

/// Where a figure comes from.
pub(crate) type Key = (Scenario, Contestant, Metric);

/// How ours should compare with theirs.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// Ours is at most this many times theirs.
    AtMostTimes(f64),
    /// Ours is at least this many times theirs.
    AtLeastTimes(f64),
    /// Theirs takes at least this many times as long as ours.
    FasterBy(f64),
    /// Ours is at most this much more than theirs, in their unit.
    AtMostMore(f64),
    /// Ours is at most this, in its unit.
    AtMost(f64),
    /// Only to be known.
    None,
}

/// How a comparison came out.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) what: &'static str,
    /// A ratio, or a difference where the target is one.
    pub(crate) figure: f64,
    pub(crate) target: Option<f64>,
    /// By what part of the target it was missed; 0 where it was met.
    pub(crate) missed_by: Option<f64>,
    /// The figure as text.
    pub(crate) shown: String,
    /// The target as text.
    pub(crate) wanted: String,
}

/// Every comparison, in the order of the report.
#[rustfmt::skip]
pub(crate) const COMPARISONS: &[Comparison] = {
    use {Contestant as C, Goal as G, Metric as M, Scenario as S};
    &[
        Comparison::new("p50 to the floor's, one core", S::OneCore, C::Snakepit, C::Floor, M::P50Us, G::AtMostTimes(3.0)),
        Comparison::new("p50 to the floor's, two cores", S::TwoCores, C::Snakepit, C::Floor, M::P50Us, G::AtMostTimes(1.8)),
        Comparison::new("p50 to the floor's, unpinned", S::Unpinned, C::Snakepit, C::Floor, M::P50Us, G::None),
        Comparison::new("p50, faster than the executor, one core", S::OneCore, C::Snakepit, C::Executor, M::P50Us, G::None),
        Comparison::new("p50, faster than the executor, two cores", S::TwoCores, C::Snakepit, C::Executor, M::P50Us, G::None),
        Comparison::new("p50, faster than the executor, unpinned", S::Unpinned, C::Snakepit, C::Executor, M::P50Us, G::FasterBy(4.0)),
        Comparison::new("calls/s to the floor's, 1 worker, two cores", S::TwoCores, C::Snakepit, C::Floor, M::CallsPerS, G::AtLeastTimes(0.5)),
        Comparison::new("calls/s to the floor's, 2 workers", S::TwoWorkers, C::Snakepit, C::Floor, M::CallsPerS, G::None),
        Comparison::new("calls/s to the executor's, 2 workers", S::TwoWorkers, C::Snakepit, C::Executor, M::CallsPerS, G::None),
        Comparison::new("calls/s to the executor's, 8 in flight on 1 thread worker", S::OneWorkerBusy, C::SnakepitThreads, C::Executor, M::CallsPerS, G::AtLeastTimes(5.0)),
        Comparison::new("start of 8, to interpreters with the same imports", S::StartOfEight, C::Snakepit, C::SameImports, M::StartMs, G::AtMostTimes(1.3)),
        Comparison {
            what: "the same, once the interpreter was found",
            ours: (S::StartOfEight, C::Snakepit, M::WorkersMs),
            theirs: Some((C::SameImports, M::StartMs)),
            goal: G::None,
        },
        Comparison::new("start of 8, to bare interpreters", S::StartOfEight, C::Snakepit, C::Bare, M::StartMs, G::None),
        Comparison::new("memory above an interpreter with the same imports", S::StartOfEight, C::Snakepit, C::SameImports, M::RssAnonMb, G::AtMostMore(3.0)),
        Comparison::new("memory above a bare interpreter", S::StartOfEight, C::Snakepit, C::Bare, M::RssAnonMb, G::None),
        Comparison { what: "core step", ours: (S::Core, C::Snakepit, M::CoreStepNs), theirs: None, goal: G::AtMost(200.0) },
    ]
};

impl Comparison {
    const fn new(
        what: &'static str,
        scenario: Scenario,
        ours: Contestant,
        theirs: Contestant,
        metric: Metric,
        goal: Goal,
    ) -> Self {
        Self {
            what,
            ours: (scenario, ours, metric),
            theirs: Some((theirs, metric)),
            goal,
        }
    }

    /// Compares the medians; `None` where one of the two was not measured.
    pub(crate) fn of(&self, figures: &Figures) -> Option<Outcome> {
        let (scenario, _, metric) = self.ours;
        let ours = figures.get(&self.ours)?.median;
        let theirs = match self.theirs {
            Some((theirs, metric)) => figures.get(&(scenario, theirs, metric))?.median,
            None => 0.0,
        };
        let (figure, target, missed_by) = match self.goal {
            Goal::AtMostTimes(most) => (ours / theirs, Some(most), ours / theirs / most - 1.0),
            Goal::AtLeastTimes(least) => (ours / theirs, Some(least), 1.0 - ours / theirs / least),
            Goal::FasterBy(least) => (theirs / ours, Some(least), 1.0 - theirs / ours / least),
            Goal::AtMostMore(most) | Goal::AtMost(most) => {
                (ours - theirs, Some(most), (ours - theirs) / most - 1.0)
            }
            Goal::None if metric == Metric::RssAnonMb => (ours - theirs, None, 0.0),
            Goal::None if self.is_speed_up() => (theirs / ours, None, 0.0),
            Goal::None => (ours / theirs, None, 0.0),
        };
        let unit = match metric {
            Metric::RssAnonMb => " MB",
            Metric::CoreStepNs => " ns",
            _ => "×",
        };
        let wanted = match self.goal {
            Goal::AtMostTimes(most) | Goal::AtMostMore(most) | Goal::AtMost(most) => {
                format!("≤ {most}{unit}")
            }
            Goal::AtLeastTimes(least) | Goal::FasterBy(least) => format!("≥ {least}{unit}"),
            Goal::None => String::new(),
        };
        Some(Outcome {
            what: self.what,
            figure,
            target,
            missed_by: target.map(|_| missed_by.max(0.0)),
            shown: format!("{figure:.2}{unit}"),
            wanted,
        })
    }

    /// The slower executor is compared by how much slower it is.
    fn is_speed_up(&self) -> bool {
        self.theirs == Some((Contestant::Executor, Metric::P50Us))
    }
}
