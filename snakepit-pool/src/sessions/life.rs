//! The life of one session, as one table.

use crate::table;

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
        table::next(TRANSITIONS, self, input)
    }

    /// Whether it can be found by its name, and counts against the quota.
    pub(super) fn is_listed(self) -> bool {
        matches!(self, Idle | InUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::proof;
    use std::collections::BTreeSet;

    const STATES: [Life; 4] = [Absent, Idle, InUse, Ended];
    const INPUTS: [Input; 6] = [Created, Used, Entered, LeftLast, Expired, EndRequested];

    #[test]
    fn every_state_with_every_input() {
        insta::assert_snapshot!(proof::matrix(TRANSITIONS, &STATES, &INPUTS, (14, 8)));
    }

    #[test]
    fn the_graph() {
        let edges = proof::edges(TRANSITIONS, |state| match state {
            Absent => "[*]".to_owned(),
            state => format!("{state:?}"),
        });
        insta::assert_snapshot!(format!("stateDiagram-v2\n{edges}"));
    }

    #[test]
    fn one_state_and_input_lead_to_one_place() {
        proof::assert_none_is_shadowed(TRANSITIONS);
    }

    #[test]
    fn every_state_can_be_reached_from_every_other() {
        for start in STATES {
            let seen = proof::reach(TRANSITIONS, start);
            assert_eq!(seen, BTreeSet::from(STATES), "from {start:?}");
        }
    }
}
