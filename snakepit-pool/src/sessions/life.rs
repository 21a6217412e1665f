//! The life of one session, as one table.

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Life {
    /// There is no such session: not yet, or not any more.
    Absent,
    /// It exists, and its time to live runs.
    Idle,
    /// Calls use it, and its time to live stands still.
    InUse,
    /// It was ended while calls used it: its name and its values are gone, and its id lives on for those calls.
    Ended,
}

/// What moves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Somebody asked for it to exist.
    Created,
    /// A value of it was read or changed, or it was asked for again.
    Used,
    /// A call began to use it.
    Entered,
    /// The last call that used it has ended.
    LeftLast,
    /// Its time to live is over.
    Expired,
    /// Somebody asked for its end.
    EndRequested,
}

use Input::{Created, EndRequested, Entered, Expired, LeftLast, Used};
use Life::{Absent, Ended, Idle, InUse};

/// Every change there is. What is not here changes nothing.
#[rustfmt::skip]
const TRANSITIONS: &[(Life, Input, Life)] = &[
    (Absent, Created,      Idle),
    (Absent, Entered,      InUse),
    // Its time to live begins anew.
    (Idle,   Used,         Idle),
    (Idle,   Entered,      InUse),
    (Idle,   Expired,      Absent),
    (Idle,   EndRequested, Absent),
    (InUse,  LeftLast,     Idle),
    (InUse,  EndRequested, Ended),
    (Ended,  LeftLast,     Absent),
];

impl Life {
    /// Where `input` leads from here, if anywhere.
    pub(super) fn on(self, input: Input) -> Option<Self> {
        TRANSITIONS
            .iter()
            .find(|&&(from, with, _)| from == self && with == input)
            .map(|&(_, _, to)| to)
    }

    /// Whether it can be found by its name, and counts against the quota.
    pub(super) fn is_listed(self) -> bool {
        matches!(self, Idle | InUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    const STATES: [Life; 4] = [Absent, Idle, InUse, Ended];
    const INPUTS: [Input; 6] = [Created, Used, Entered, LeftLast, Expired, EndRequested];

    #[test]
    fn every_state_with_every_input() {
        let mut matrix = format!("{:<14}", "");
        for state in STATES {
            write!(matrix, "{:<8}", format!("{state:?}")).unwrap();
        }
        for input in INPUTS {
            write!(matrix, "\n{:<14}", format!("{input:?}")).unwrap();
            for state in STATES {
                let to = state.on(input).map_or("-".to_owned(), |to| format!("{to:?}"));
                write!(matrix, "{to:<8}").unwrap();
            }
        }
        let matrix: Vec<_> = matrix.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(matrix.join("\n"));
    }

    #[test]
    fn the_graph() {
        let mut graph = "stateDiagram-v2".to_owned();
        let name = |state: Life| match state {
            Absent => "[*]".to_owned(),
            state => format!("{state:?}"),
        };
        for &(from, input, to) in TRANSITIONS {
            write!(graph, "\n    {} --> {}: {input:?}", name(from), name(to)).unwrap();
        }
        insta::assert_snapshot!(graph);
    }

    #[test]
    fn one_state_and_input_lead_to_one_place() {
        for (at, &(from, input, to)) in TRANSITIONS.iter().enumerate() {
            assert_eq!(from.on(input), Some(to), "row {at} is shadowed by an earlier one");
        }
    }

    #[test]
    fn every_state_can_be_reached_from_every_other() {
        for start in STATES {
            let mut seen = BTreeSet::from([start]);
            while let Some(&(_, _, to)) = TRANSITIONS
                .iter()
                .find(|(from, _, to)| seen.contains(from) && !seen.contains(to))
            {
                seen.insert(to);
            }
            assert_eq!(seen, BTreeSet::from(STATES), "from {start:?}");
        }
    }
}
