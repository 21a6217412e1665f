//! Where sessions are: the worker that served each last.

use crate::table;

use std::collections::BTreeMap;
use std::fmt;

use snakepit_profile::WorkerId;

/// One session among all that there ever were: no two have the same. A name that is used again after its session's end
/// has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Every session that has been heard of and has not ended.
#[derive(Debug, Default)]
pub(super) struct Placements(BTreeMap<SessionId, Placement>);

/// Where one session is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    pub(super) state: PlacementState,
    /// The worker that served it last.
    pub(super) worker: Option<WorkerId>,
    /// A request of it has ended there, so that the worker may keep something for it.
    pub(super) kept: bool,
    /// Its requests that have not ended.
    pub(super) open: u32,
}

/// The states of a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PlacementState {
    /// Any worker may serve it.
    Unplaced,
    /// A worker has served it. Whether that is still there is asked when it matters.
    Placed,
    /// The session has ended, and requests of it have not.
    Ended,
}

/// What moves a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// A worker was given a request of it.
    Dispatched,
    /// A caller was told that the worker is gone.
    Told,
    /// The session has ended.
    SessionEnded,
}

use Input::{Dispatched, SessionEnded, Told};
use PlacementState::{Ended, Placed, Unplaced};

/// Every change there is. What is not here changes nothing.
#[rustfmt::skip]
const TRANSITIONS: &[(PlacementState, Input, PlacementState)] = &[
    (Unplaced, Dispatched,   Placed),
    // Elsewhere, if its worker was gone or had no room and it does not mind.
    (Placed,   Dispatched,   Placed),
    (Placed,   Told,         Unplaced),
    (Unplaced, SessionEnded, Ended),
    (Placed,   SessionEnded, Ended),
];

impl PlacementState {
    fn on(self, input: Input) -> Option<Self> {
        table::next(TRANSITIONS, self, input)
    }
}

impl Placement {
    /// Moves along the table. False: the input means nothing in its state, and nothing has changed.
    fn step(&mut self, input: Input) -> bool {
        let to = self.state.on(input);
        self.state = to.unwrap_or(self.state);
        to.is_some()
    }
}

impl Placements {
    pub(super) fn get(&self, session: SessionId) -> Option<Placement> {
        self.0.get(&session).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, Placement)> + '_ {
        self.0.iter().map(|(&session, &placement)| (session, placement))
    }

    /// A request of `session` was accepted.
    pub(super) fn opened(&mut self, session: SessionId) {
        let placement = self.0.entry(session).or_insert(Placement {
            state: Unplaced,
            worker: None,
            kept: false,
            open: 0,
        });
        placement.open += 1;
    }

    /// A request of `session` has ended.
    pub(super) fn closed(&mut self, session: SessionId) {
        if let Some(placement) = self.0.get_mut(&session) {
            placement.open -= 1;
            if placement.open == 0 && placement.state == Ended {
                self.0.remove(&session);
            }
        }
    }

    /// A request of `session` was given to `worker`.
    pub(super) fn dispatched(&mut self, session: SessionId, worker: WorkerId) {
        if let Some(placement) = self.0.get_mut(&session)
            && placement.step(Dispatched)
        {
            placement.kept &= placement.worker == Some(worker);
            placement.worker = Some(worker);
        }
    }

    /// A request of `session` has ended on `worker`.
    pub(super) fn served(&mut self, session: SessionId, worker: WorkerId) {
        if let Some(placement) = self.0.get_mut(&session) {
            placement.kept |= placement.worker == Some(worker);
        }
    }

    /// `worker` has died before it got a request of `session`. Where it never had another one, nothing is lost with it,
    /// and nobody need be told.
    pub(super) fn not_sent(&mut self, session: SessionId, worker: WorkerId) {
        if self.0.get(&session).is_some_and(|it| !it.kept && it.open == 1) {
            self.told(session, worker);
        }
    }

    /// A caller is told that `worker` is gone, for which a request of `session` was. If the session is still there, it
    /// is free to be placed again; it may be elsewhere since.
    pub(super) fn told(&mut self, session: SessionId, worker: WorkerId) {
        if let Some(placement) = self.0.get_mut(&session)
            && placement.worker == Some(worker)
        {
            placement.step(Told);
        }
    }

    /// `session` has ended.
    pub(super) fn ended(&mut self, session: SessionId) {
        if let Some(placement) = self.0.get_mut(&session) {
            placement.step(SessionEnded);
            if placement.open == 0 {
                self.0.remove(&session);
            }
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::proof;

    const STATES: [PlacementState; 3] = [Unplaced, Placed, Ended];
    const INPUTS: [Input; 3] = [Dispatched, Told, SessionEnded];

    #[test]
    fn every_state_with_every_input() {
        insta::assert_snapshot!(proof::matrix(TRANSITIONS, &STATES, &INPUTS, (14, 10)));
    }

    #[test]
    fn the_graph() {
        let edges = proof::edges(TRANSITIONS, |state| format!("{state:?}"));
        insta::assert_snapshot!(format!(
            "stateDiagram-v2\n    [*] --> Unplaced\n{edges}\n    Ended --> [*]"
        ));
    }

    #[test]
    fn one_state_and_input_lead_to_one_place() {
        proof::assert_none_is_shadowed(TRANSITIONS);
    }

    #[test]
    fn a_session_that_ends_is_forgotten_with_its_last_request() {
        let (mut placements, session) = (Placements::default(), SessionId(1));
        let worker = WorkerId {
            slot: 0,
            generation: 1,
        };
        placements.opened(session);
        placements.dispatched(session, worker);
        placements.ended(session);
        placements.dispatched(session, worker);
        assert_eq!(placements.get(session).unwrap().state, Ended);
        placements.closed(session);
        assert!(placements.get(session).is_none());
    }
}
