//! The demo's tables.

use std::fmt::Write as _;

use super::PoolRun;

/// Both tables as text: what each pool did, and the most complex functions.
pub(super) fn render(runs: &[PoolRun]) -> String {
    let mut rows = vec![
        [
            "pool",
            "profile",
            "interpreter",
            "GIL",
            "files",
            "lines",
            "functions",
            "branches",
            "seconds",
            "calls/s",
        ]
        .map(String::from),
    ];
    rows.extend(runs.iter().map(|run| {
        let seconds = run.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate, for people")]
        let rate = run.totals.files as f64 / seconds;
        [
            run.pool.to_owned(),
            run.profile.to_string(),
            run.interpreter.clone(),
            if run.gil_enabled { "on" } else { "off" }.to_owned(),
            run.totals.files.to_string(),
            run.totals.lines.to_string(),
            run.totals.functions.to_string(),
            run.totals.branches.to_string(),
            format!("{seconds:.1}"),
            format!("{rate:.0}"),
        ]
    }));
    let mut text = columns(&rows, 4);

    if let Some(run) = runs.first() {
        let _ = writeln!(
            text,
            "\nThe ten most complex functions ({} files do not parse):\n",
            run.totals.unparsable
        );
        let mut rows = vec![["complexity", "function", "where"].map(String::from)];
        rows.extend(run.totals.most_complex.iter().map(|found| {
            [
                found.complexity.to_string(),
                found.name.clone(),
                format!("{}:{}", found.path, found.line),
            ]
        }));
        text.push_str(&columns(&rows, usize::MAX));
    }
    text
}

/// Aligns rows; columns from `numbers_from` on are aligned to the right.
fn columns<const N: usize>(rows: &[[String; N]], numbers_from: usize) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = if column >= numbers_from {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
