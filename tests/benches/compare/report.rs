//! The figures of all rounds, as text and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::Serialize;

use crate::job::{Metric, Readings};
use crate::stats::Summary;
use crate::targets::{COMPARISONS, Key, Outcome};
use crate::trials::{Contestant, Scenario, Trial};

/// Every figure with where it comes from.
pub(crate) type Figures = BTreeMap<Key, Summary>;

/// The conditions of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Conditions {
    pub(crate) python: PathBuf,
    pub(crate) cpus: usize,
    pub(crate) rounds: usize,
    /// How long each trial of calls measured in each round.
    pub(crate) seconds: f64,
    /// What a worker imports beyond a bare interpreter.
    pub(crate) imports: Vec<String>,
}

/// A whole run. It prints itself as a table.
#[derive(Debug)]
pub(crate) struct Report {
    conditions: Conditions,
    figures: Figures,
    outcomes: Vec<Outcome>,
}

/// Collects readings while the rounds go on.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<Key, Vec<f64>>);

#[derive(Serialize)]
struct Json<'a> {
    conditions: &'a Conditions,
    figures: Vec<JsonFigure>,
    comparisons: &'a [Outcome],
}

#[derive(Serialize)]
struct JsonFigure {
    scenario: Scenario,
    contestant: Contestant,
    metric: Metric,
    #[serde(flatten)]
    summary: Summary,
}

impl Samples {
    pub(crate) fn add(&mut self, trial: &Trial, readings: &Readings) {
        for (&metric, &value) in readings {
            self.0
                .entry((trial.scenario, trial.contestant, metric))
                .or_default()
                .push(value);
        }
    }

    pub(crate) fn report(self, conditions: Conditions) -> Report {
        let figures: Figures = self
            .0
            .iter()
            .filter_map(|(&key, values)| Some((key, Summary::of(values)?)))
            .collect();
        let outcomes = COMPARISONS
            .iter()
            .filter_map(|comparison| comparison.of(&figures))
            .collect();
        Report {
            conditions,
            figures,
            outcomes,
        }
    }
}

impl Report {
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        let figures = self
            .figures
            .iter()
            .map(|(&(scenario, contestant, metric), &summary)| JsonFigure {
                scenario,
                contestant,
                metric,
                summary,
            })
            .collect();
        serde_json::to_string_pretty(&Json {
            conditions: &self.conditions,
            figures,
            comparisons: &self.outcomes,
        })
    }

    /// One line per contestant, with a column for every metric that any of them has.
    fn write_scenario(&self, f: &mut Formatter<'_>, scenario: Scenario) -> fmt::Result {
        let of_scenario = || self.figures.iter().filter(|(key, _)| key.0 == scenario);
        let metrics: BTreeSet<_> = of_scenario().map(|(key, _)| key.2).collect();
        let contestants: BTreeSet<_> = of_scenario().map(|(key, _)| key.1).collect();

        writeln!(f, "\n{}", scenario.title())?;
        for contestant in contestants {
            let cells =
                metrics.iter().map(
                    |&metric| match self.figures.get(&(scenario, contestant, metric)) {
                        Some(&summary) => format!("{:<CELL$}", show(metric, summary)),
                        None => " ".repeat(CELL),
                    },
                );
            let line = format!(
                "  {:<26}{}{}",
                contestant.title(),
                cells.collect::<String>(),
                contestant.manner(scenario)
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Conditions {
            python,
            cpus,
            rounds,
            seconds,
            imports,
        } = &self.conditions;
        writeln!(f, "Echo of 64 bytes, {} on {cpus} CPUs.", python.display())?;
        writeln!(
            f,
            "Medians of {rounds} rounds of {seconds} s, with the spread of the rounds in brackets."
        )?;
        writeln!(
            f,
            "A worker imports {} modules beyond a bare interpreter: {}",
            imports.len(),
            imports.join(" ")
        )?;
        let mut scenarios: Vec<_> = self.figures.keys().map(|key| key.0).collect();
        scenarios.dedup();
        for scenario in scenarios {
            self.write_scenario(f, scenario)?;
        }
        writeln!(f, "\n{:<60}{:>10}{:>10}", "snakepit compared", "figure", "target")?;
        for Outcome {
            what,
            shown,
            wanted,
            missed_by,
            ..
        } in &self.outcomes
        {
            let verdict = match missed_by {
                None => String::new(),
                Some(0.0) => "met".to_owned(),
                Some(part) => format!("missed by {:.0} %", part * 100.0),
            };
            writeln!(
                f,
                "{}",
                format!("  {what:<58}{shown:>10}{wanted:>10}  {verdict}").trim_end()
            )?;
        }
        Ok(())
    }
}

/// Width of a figure with its spread, in characters.
const CELL: usize = 36;

/// One figure as it stands in the table.
fn show(metric: Metric, Summary { median, min, max }: Summary) -> String {
    let (name, unit, decimals) = match metric {
        Metric::P50Us => ("p50 ", "µs", 1),
        Metric::P99Us => ("p99 ", "µs", 1),
        Metric::CallsPerS => ("", "calls/s", 0),
        Metric::StartMs => ("", "ms", 0),
        Metric::WorkersMs => ("its workers ", "ms", 0),
        Metric::RssAnonMb => ("RssAnon ", "MB each", 2),
        Metric::CoreStepNs => ("", "ns a step", 1),
    };
    format!("{name}{median:.decimals$} {unit} ({min:.decimals$}–{max:.decimals$})")
}
