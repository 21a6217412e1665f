//! The interpreters that tests run on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use snakepit::PoolConfig;
use snakepit::pyenv::{self, Interpreter, InterpreterFacts};

/// An interpreter that a test asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The one that snakepit finds by itself.
    Default,
    /// The oldest that is supported.
    V3_9,
    /// An ordinary build of the newest.
    V3_13,
    /// A build without a GIL.
    V3_13t,
}

/// An interpreter, for pools of a test.
#[derive(Debug, Clone)]
pub struct Python {
    /// Its path, and what it says of itself.
    pub interpreter: Interpreter,
}

impl Python {
    /// The interpreter, or `None` after the test was told to be skipped.
    ///
    /// Looked for: `PIT_TEST_PYTHONS` (paths, separated like `PATH`), `PATH`, and pyenv's versions.
    ///
    /// # Panics
    /// Where skipping is a failure, see [`skip`](crate::skip).
    #[must_use]
    pub fn find(wanted: Wanted) -> Option<Self> {
        static KNOWN: Mutex<Vec<(PathBuf, Option<InterpreterFacts>)>> = Mutex::new(Vec::new());

        if wanted == Wanted::Default {
            return match pyenv::find(None) {
                Ok(interpreter) => Some(Self { interpreter }),
                Err(error) => {
                    crate::skip(&format!("no Python here: {error}"));
                    None
                }
            };
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        for path in candidates() {
            // Each is probed once, however many tests look for it.
            if !known.iter().any(|(probed, _)| *probed == path) {
                known.push((path.clone(), pyenv::probe(&path).ok()));
            }
        }
        let found = known.iter().find_map(|(path, facts)| {
            let facts = facts.as_ref().filter(|facts| wanted.fits(facts))?;
            Some(Interpreter {
                path: path.clone(),
                origin: pyenv::InterpreterOrigin::Explicit("the tests".to_owned()),
                facts: facts.clone(),
            })
        });
        if found.is_none() {
            crate::skip(&format!(
                "{} is not here; name it in PIT_TEST_PYTHONS",
                wanted.name()
            ));
        }
        found.map(|interpreter| Self { interpreter })
    }

    /// A pool of this interpreter that serves one of the tests' adapters.
    pub fn pool(&self, name: &str, adapter: &str) -> PoolConfig {
        PoolConfig::new(name)
            .adapter(crate::adapter(adapter))
            .python(&self.interpreter.path)
    }

    /// Whether its GIL is on in a fresh process.
    #[must_use]
    pub fn has_gil(&self) -> bool {
        self.interpreter.facts.gil_enabled
    }
}

impl Wanted {
    fn fits(self, facts: &InterpreterFacts) -> bool {
        let minor = (facts.version.major, facts.version.minor);
        match self {
            Self::Default => true,
            Self::V3_9 => minor == (3, 9),
            Self::V3_13 => minor == (3, 13) && !facts.free_threaded,
            Self::V3_13t => minor == (3, 13) && facts.free_threaded,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Default => "Python",
            Self::V3_9 => "Python 3.9",
            Self::V3_13 => "Python 3.13",
            Self::V3_13t => "free-threaded Python 3.13",
        }
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let Some(named) = std::env::var_os("PIT_TEST_PYTHONS") {
        paths.extend(std::env::split_paths(&named));
    }
    if let Some(path) = std::env::var_os("PATH") {
        for folder in std::env::split_paths(&path) {
            paths.extend(["python3.9", "python3.13", "python3.13t"].map(|name| folder.join(name)));
        }
    }
    if let Some(home) = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(pyenv_root)
        && let Ok(versions) = std::fs::read_dir(home.join("versions"))
    {
        paths.extend(
            versions
                .flatten()
                .map(|version| version.path().join("bin/python3")),
        );
    }
    // A pyenv shim answers for whichever version is active, which says nothing of the one it is named after.
    paths.retain(|path| path.is_file() && !path.parent().is_some_and(|folder| folder.ends_with("shims")));
    paths.sort();
    paths
}

fn pyenv_root() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"))
}
