//! Deliberate defects, so that tests can show that they would find them. Only tests can switch one on.

use super::Core;

/// A defect that other pools have shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canary {
    /// A call whose caller has gone keeps its slot for ever.
    LeaksSlotOnCancel,
    /// A slot becomes free, and nobody looks at the queue.
    LosesWakeUp,
    /// A caller is answered twice.
    AnswersTwice,
    /// A request waits beyond its deadline, and runs all the same.
    DispatchesExpired,
    /// A strict request runs on any worker.
    StrictAnywhere,
    /// A worker gets one call more than it has slots.
    Overloads,
    /// An abort reaches the worker before the call that it is about.
    AbortOvertakes,
    /// A worker is renewed before its successor is ready.
    RecyclesEarly,
    /// A call that may have run is given to another worker although it must run once at most.
    RetriesEverything,
    /// A dead worker is replaced however often it dies.
    RestartsForEver,
}

impl Canary {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::LeaksSlotOnCancel,
        Self::LosesWakeUp,
        Self::AnswersTwice,
        Self::DispatchesExpired,
        Self::StrictAnywhere,
        Self::Overloads,
        Self::AbortOvertakes,
        Self::RecyclesEarly,
        Self::RetriesEverything,
        Self::RestartsForEver,
    ];
}

impl Core {
    /// Whether this defect was switched on. Never outside tests.
    pub(crate) fn has(&self, canary: Canary) -> bool {
        self.canary == Some(canary)
    }
}
