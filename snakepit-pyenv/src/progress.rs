//! Telling whoever waits what a build is doing.

/// Hears about a build. Only called when there is something to wait for: a bridge that is ready is handed over in
/// silence.
pub trait Progress: Send + Sync {
    /// Something begins that takes a while: a sentence without its full stop.
    fn started(&self, what: &str);
    /// A line of the compiler's output.
    fn line(&self, line: &str);
    /// It has ended. Called once for each [`started`](Progress::started).
    fn finished(&self, ok: bool);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

// === impl Silent ===

impl Progress for Silent {
    fn started(&self, _what: &str) {}
    fn line(&self, _line: &str) {}
    fn finished(&self, _ok: bool) {}
}
