//! Panics anywhere in a simulation, also in tasks that nobody waits for.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// What panicked on this thread while it was watched.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Notes the panics of this thread, in place of printing them.
#[must_use = "it watches for as long as it lives"]
pub(super) struct Watch {
    _private: (),
}

// === impl Watch ===

impl Watch {
    pub(super) fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                let watched = SEEN.with_borrow_mut(|seen| match seen {
                    Some(seen) => {
                        seen.push(panic.to_string());
                        true
                    }
                    None => false,
                });
                if !watched {
                    before(panic);
                }
            }));
        });
        SEEN.set(Some(Vec::new()));
        Self { _private: () }
    }

    /// What has panicked.
    pub(super) fn end(self) -> Vec<String> {
        let seen = SEEN.take().unwrap_or_default();
        drop(self);
        seen
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        SEEN.set(None);
    }
}
