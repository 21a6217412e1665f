//! The ladder: code whose caller has gone is stopped by one means after the other, each rougher than the one before.
//!
//! The connection's thread keeps the time and needs nothing of the language for it. The means themselves are the
//! language's: a [`Stopper`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::proto::Rung;

/// Stops running code from outside.
pub trait Stopper: fmt::Debug + Send + Sync + 'static {
    /// Tries `rung` on the code of `request`, and on no other's. It must not wait: the connection's thread calls it.
    fn stop(&self, request: u64, rung: Rung) -> Stop;
}

/// What [`Stopper::stop`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The code is about to notice, or will as soon as it lets itself be stopped.
    Tried,
    /// This rung is not for this code. The next one is tried at once.
    Unfit,
    /// No thread runs it: it has just ended, or is about to begin. The same is tried again soon.
    Absent,
}

/// How long code has to notice by itself.
const COOPERATIVE: Duration = Duration::from_millis(200);

/// What is tried after that, and how long it has to work.
const RUNGS: [(Rung, Duration); 3] = [
    (Rung::Task, Duration::from_millis(200)),
    (Rung::Exception, Duration::from_millis(300)),
    (Rung::Signal, Duration::from_millis(500)),
];

/// Between two looks for code that no thread runs yet.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Tries to stop the code of `request`, which has been told. It is dropped when the code has ended.
pub(super) async fn climb(stopper: Arc<dyn Stopper>, request: u64) {
    tokio::time::sleep(COOPERATIVE).await;
    for (rung, patience) in RUNGS {
        loop {
            match stopper.stop(request, rung) {
                Stop::Tried => tokio::time::sleep(patience).await,
                Stop::Unfit => {}
                Stop::Absent => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
            }
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use tokio::time::Instant;

    use super::*;

    /// Notes what it was asked, and answers from a list.
    #[derive(Debug)]
    struct Script {
        begun: Instant,
        answers: Mutex<Vec<Stop>>,
        asked: Mutex<Vec<(Rung, u128)>>,
    }

    impl Stopper for Script {
        fn stop(&self, request: u64, rung: Rung) -> Stop {
            assert_eq!(request, 7);
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push((rung, self.begun.elapsed().as_millis()));
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.pop().unwrap_or(Stop::Tried)
        }
    }

    async fn climbed(answers: &[Stop]) -> (Vec<(Rung, u128)>, u128) {
        let begun = Instant::now();
        let script = Arc::new(Script {
            begun,
            answers: Mutex::new(answers.iter().rev().copied().collect()),
            asked: Mutex::default(),
        });
        climb(Arc::clone(&script) as Arc<dyn Stopper>, 7).await;
        let asked = std::mem::take(&mut *script.asked.lock().unwrap_or_else(PoisonError::into_inner));
        (asked, begun.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn each_rung_has_its_time() {
        let (asked, took) = climbed(&[]).await;
        assert_eq!(
            asked,
            [(Rung::Task, 200), (Rung::Exception, 400), (Rung::Signal, 700)]
        );
        assert_eq!(took, 1200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rung_that_does_not_fit_costs_no_time() {
        let (asked, _) = climbed(&[Stop::Unfit, Stop::Unfit]).await;
        assert_eq!(
            asked,
            [(Rung::Task, 200), (Rung::Exception, 200), (Rung::Signal, 200)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn code_that_is_about_to_begin_is_looked_for_again() {
        let (asked, _) = climbed(&[Stop::Absent, Stop::Absent, Stop::Unfit]).await;
        assert_eq!(
            asked[..4].iter().map(|ask| ask.1).collect::<Vec<_>>(),
            [200, 210, 220, 220]
        );
    }
}
