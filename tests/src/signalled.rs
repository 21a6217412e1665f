//! A signal that Python code waits for.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A file that does not exist until the signal is given. Code that waits for it ends when the test says so, and not after
/// a time that a busy machine may need for something else.
#[derive(Debug)]
pub struct Signalled {
    path: PathBuf,
    _folder: TempDir,
}

impl Signalled {
    /// A signal that is not given yet.
    ///
    /// # Panics
    /// Where there is no temporary folder.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            path: folder.path().join("signal"),
            _folder: folder,
        }
    }

    /// What to wait for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the signal.
    ///
    /// # Panics
    /// Where the file cannot be made.
    pub fn give(&self) {
        std::fs::write(&self.path, "").expect("a writable folder");
    }
}
