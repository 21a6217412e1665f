//! State machines as tables: every change there is, one row each. What is not in the table changes nothing.

/// From a state, by an input, to a state.
pub(crate) type Row<S, I> = (S, I, S);

/// Where `with` leads from `from`, if anywhere.
pub(crate) fn next<S: Copy + PartialEq, I: Copy + PartialEq>(
    rows: &[Row<S, I>],
    from: S,
    with: I,
) -> Option<S> {
    let row = rows.iter().find(|row| row.0 == from && row.1 == with);
    row.map(|&(_, _, to)| to)
}

/// What the tests of every table need.
#[cfg(test)]
pub(crate) mod proof {
    use std::collections::BTreeSet;
    use std::fmt::{Debug, Write as _};

    use super::{Row, next};

    /// Every state with every input, in columns of these widths: of the inputs, and of each state.
    pub(crate) fn matrix<S: Copy + PartialEq + Debug, I: Copy + PartialEq + Debug>(
        rows: &[Row<S, I>],
        states: &[S],
        inputs: &[I],
        (first, width): (usize, usize),
    ) -> String {
        let mut matrix = format!("{:<first$}", "");
        for state in states {
            write!(matrix, "{:<width$}", format!("{state:?}")).unwrap();
        }
        for &input in inputs {
            write!(matrix, "\n{:<first$}", format!("{input:?}")).unwrap();
            for &state in states {
                let to = next(rows, state, input).map_or("-".to_owned(), |to| format!("{to:?}"));
                write!(matrix, "{to:<width$}").unwrap();
            }
        }
        let lines: Vec<_> = matrix.lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Every change, as a line of a state diagram; `name` says how a state is written.
    pub(crate) fn edges<S: Copy, I: Debug>(rows: &[Row<S, I>], name: impl Fn(S) -> String) -> String {
        let edge =
            |(from, input, to): &Row<S, I>| format!("    {} --> {}: {input:?}", name(*from), name(*to));
        rows.iter().map(edge).collect::<Vec<_>>().join("\n")
    }

    /// Panics where a row can never be used, because an earlier one is.
    pub(crate) fn assert_none_is_shadowed<S: Copy + PartialEq + Debug, I: Copy + PartialEq>(
        rows: &[Row<S, I>],
    ) {
        for (at, &(from, input, to)) in rows.iter().enumerate() {
            assert_eq!(
                next(rows, from, input),
                Some(to),
                "row {at} is shadowed by an earlier one"
            );
        }
    }

    /// Every state that can be reached from `start`, itself included.
    pub(crate) fn reach<S: Copy + Ord, I>(rows: &[Row<S, I>], start: S) -> BTreeSet<S> {
        let mut seen = BTreeSet::from([start]);
        while let Some(row) = rows
            .iter()
            .find(|row| seen.contains(&row.0) && !seen.contains(&row.2))
        {
            seen.insert(row.2);
        }
        seen
    }
}
