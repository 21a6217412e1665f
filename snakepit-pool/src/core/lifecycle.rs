//! The life of one seat of a pool, as one table.

use crate::table;

/// Where a seat is: a place for one worker process after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkerState {
    /// Its next worker is started with the next batch.
    Waiting,
    /// Its worker's process is being created.
    Launching,
    /// As launching, but the worker is killed as soon as it exists.
    Unwanted,
    /// Its worker's process exists and warms up.
    Starting,
    /// Its worker takes calls.
    Ready,
    /// Its worker finishes what it has and what already waits for it, and takes nothing new.
    Retiring,
    /// Its worker was asked to exit.
    Stopping,
    /// Its worker was killed or has died, and the report of its end is awaited.
    Dying,
    /// Its worker has ended; the next one starts after a pause.
    BackingOff,
    /// Its worker has ended, and a limit of restarts is reached: it stays empty until a trial start succeeds.
    Parked,
    /// It has no worker, and none is to come.
    Vacant,
}

/// What moves a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The pool has grown: a worker is wanted here again.
    Wanted,
    /// The core decided to start a worker.
    Spawned,
    /// The process exists.
    Launched,
    /// The process could not be created.
    LaunchFailed,
    /// Handshake and warm-up are done.
    BecameReady,
    /// `startup_timeout` is over.
    StartupTimedOut,
    /// Another worker serves in its place, or the pool has shrunk.
    Superseded,
    /// The core no longer needs the worker.
    Dismissed,
    /// The worker is dead or takes no more calls, or nobody can use the pool any more: no time for manners.
    Condemned,
    /// `grace` is over.
    GraceOver,
    /// The process has ended.
    Exited,
    /// Restarts have reached their limit.
    LimitReached,
    /// The pool has recovered.
    Released,
    /// The core will not start another one.
    Retired,
}

use Input::{
    BecameReady, Condemned, Dismissed, Exited, GraceOver, LaunchFailed, Launched, LimitReached, Released,
    Retired, Spawned, StartupTimedOut, Superseded, Wanted,
};
use WorkerState::{
    BackingOff, Dying, Launching, Parked, Ready, Retiring, Starting, Stopping, Unwanted, Vacant, Waiting,
};

/// Every change there is. What is not here changes nothing.
#[rustfmt::skip]
const TRANSITIONS: &[(WorkerState, Input, WorkerState)] = &[
    (Vacant,     Wanted,          Waiting),
    (Waiting,    Spawned,         Launching),
    (BackingOff, Spawned,         Launching),
    // A trial start.
    (Parked,     Spawned,         Launching),
    // A successor, beside the worker that it is to follow.
    (Vacant,     Spawned,         Launching),
    (Launching,  Launched,        Starting),
    (Unwanted,   Launched,        Dying),
    (Launching,  LaunchFailed,    BackingOff),
    (Unwanted,   LaunchFailed,    BackingOff),
    (Starting,   BecameReady,     Ready),
    (Launching,  StartupTimedOut, Unwanted),
    (Starting,   StartupTimedOut, Dying),
    (Ready,      Superseded,      Retiring),
    (Launching,  Dismissed,       Unwanted),
    // A worker that was never ready has nothing to clean up.
    (Starting,   Dismissed,       Dying),
    (Ready,      Dismissed,       Stopping),
    (Retiring,   Dismissed,       Stopping),
    (Launching,  Condemned,       Unwanted),
    (Starting,   Condemned,       Dying),
    (Ready,      Condemned,       Dying),
    (Retiring,   Condemned,       Dying),
    (Stopping,   Condemned,       Dying),
    (Stopping,   GraceOver,       Dying),
    (Starting,   Exited,          BackingOff),
    (Ready,      Exited,          BackingOff),
    (Retiring,   Exited,          BackingOff),
    (Stopping,   Exited,          BackingOff),
    (Dying,      Exited,          BackingOff),
    (BackingOff, LimitReached,    Parked),
    (Waiting,    LimitReached,    Parked),
    (Parked,     Released,        Waiting),
    (Waiting,    Retired,         Vacant),
    (BackingOff, Retired,         Vacant),
    (Parked,     Retired,         Vacant),
];

impl WorkerState {
    /// Where `input` leads from here, if anywhere.
    pub(super) fn on(self, input: Input) -> Option<Self> {
        table::next(TRANSITIONS, self, input)
    }

    /// Whether a worker exists, or is being created.
    #[must_use]
    pub fn is_live(self) -> bool {
        !matches!(self, Waiting | BackingOff | Parked | Vacant)
    }

    /// Whether a process exists, as far as the pool knows.
    #[must_use]
    pub fn has_process(self) -> bool {
        matches!(self, Starting | Ready | Retiring | Stopping | Dying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::proof;
    use std::collections::BTreeSet;

    const STATES: [WorkerState; 11] = [
        Waiting, Launching, Unwanted, Starting, Ready, Retiring, Stopping, Dying, BackingOff, Parked, Vacant,
    ];
    const INPUTS: [Input; 14] = [
        Wanted,
        Spawned,
        Launched,
        LaunchFailed,
        BecameReady,
        StartupTimedOut,
        Superseded,
        Dismissed,
        Condemned,
        GraceOver,
        Exited,
        LimitReached,
        Released,
        Retired,
    ];

    #[test]
    fn every_state_with_every_input() {
        insta::assert_snapshot!(proof::matrix(TRANSITIONS, &STATES, &INPUTS, (16, 11)));
    }

    #[test]
    fn the_graph() {
        let edges = proof::edges(TRANSITIONS, |state| format!("{state:?}"));
        insta::assert_snapshot!(format!(
            "stateDiagram-v2\n    [*] --> Waiting\n{edges}\n    Vacant --> [*]"
        ));
    }

    #[test]
    fn one_state_and_input_lead_to_one_place() {
        proof::assert_none_is_shadowed(TRANSITIONS);
    }

    #[test]
    fn every_state_can_be_reached_and_left_for_good() {
        let reach = |start| proof::reach(TRANSITIONS, start);
        assert_eq!(reach(Waiting), BTreeSet::from(STATES));
        for state in STATES {
            assert!(reach(state).contains(&Vacant), "{state:?} has no way out");
        }
    }
}
