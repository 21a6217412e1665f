//! From samples to figures.

use std::time::Duration;

use crate::job::{Metric, Readings};

/// One figure over all rounds.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// `None` of nothing.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let median = if sorted.len() % 2 == 1 {
            upper
        } else {
            f64::midpoint(sorted[middle - 1], upper)
        };
        Some(Self {
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
        })
    }
}

/// The readings of calls that took `latencies`, all of them within `elapsed`.
#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^52 calls")]
pub(crate) fn of_calls(mut latencies: Vec<Duration>, elapsed: Duration) -> Readings {
    latencies.sort_unstable();
    let micros = |at: usize| {
        latencies
            .get(at)
            .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    };
    let count = latencies.len();
    Readings::from([
        (Metric::P50Us, micros(count / 2)),
        (Metric::P99Us, micros(count * 99 / 100)),
        (Metric::CallsPerS, count as f64 / elapsed.as_secs_f64()),
    ])
}

/// The median of processes that ought to be alike.
pub(crate) fn typical(values: &[f64]) -> f64 {
    Summary::of(values).map_or(f64::NAN, |summary| summary.median)
}
