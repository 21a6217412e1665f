//! Finding the interpreter to use.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use snakepit_config::ExplicitPython;

use crate::error::{FindError, ProbeError};
use crate::facts::{Interpreter, InterpreterOrigin};
use crate::probe::{PROBE_TIME_LIMIT, probe_within};

/// Finds the interpreter to use, and probes it.
///
/// The order is: `explicit`, `.venv` in the current folder, `$VIRTUAL_ENV`, `python3` on `PATH`, `python` on `PATH`. A
/// choice that somebody made, by a setting or by a virtual environment, is used or reported; only the names on `PATH`
/// are tried one after the other.
///
/// Blocks while interpreters start, at most [`PROBE_TIME_LIMIT`] for each.
pub fn find(explicit: Option<&ExplicitPython>) -> Result<Interpreter, FindError> {
    Search::here().find(explicit)
}

/// Where interpreters are looked for. [`find`] looks around this process; a test brings its own surroundings.
#[derive(Debug, Clone, Default)]
pub struct Search {
    current_dir: Option<PathBuf>,
    virtual_env: Option<PathBuf>,
    path: Option<OsString>,
    time_limit: Option<Duration>,
}

// === impl Search ===

impl Search {
    /// Nothing to look at but an explicit path.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This process's current folder and environment.
    #[must_use]
    pub fn here() -> Self {
        Self {
            current_dir: env::current_dir().ok(),
            virtual_env: env::var_os("VIRTUAL_ENV")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            path: env::var_os("PATH"),
            time_limit: None,
        }
    }

    /// Looks for `.venv` in this folder.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(folder.into());
        self
    }

    /// Takes this as `$VIRTUAL_ENV`.
    #[must_use]
    pub fn virtual_env(mut self, folder: impl Into<PathBuf>) -> Self {
        self.virtual_env = Some(folder.into());
        self
    }

    /// Takes this as `$PATH`.
    #[must_use]
    pub fn path(mut self, path: impl Into<OsString>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// How long each interpreter may take to answer; [`PROBE_TIME_LIMIT`] otherwise.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Finds an interpreter as [`find`] does.
    pub fn find(&self, explicit: Option<&ExplicitPython>) -> Result<Interpreter, FindError> {
        if let Some(explicit) = explicit {
            return self.explicit(explicit);
        }
        if let Some(here) = &self.current_dir
            && let Some(python) = venv_python(&here.join(".venv"))
        {
            return self.chosen(python, InterpreterOrigin::LocalVenv);
        }
        if let Some(venv) = &self.virtual_env {
            let python = venv_python(venv).unwrap_or_else(|| venv.join("bin/python3"));
            return self.chosen(python, InterpreterOrigin::ActiveVenv);
        }
        let mut attempts = Vec::new();
        for name in ["python3", "python"] {
            let Some(path) = self.on_path(Path::new(name)) else {
                attempts.push(format!("there is no `{name}` on PATH"));
                continue;
            };
            match self.probe(path, InterpreterOrigin::SearchPath(name)) {
                Ok(interpreter) => return Ok(behind_shim(interpreter)),
                Err(error) => attempts.push(error.to_string()),
            }
        }
        Err(FindError::NotFound { attempts })
    }

    fn explicit(&self, explicit: &ExplicitPython) -> Result<Interpreter, FindError> {
        let bare_name = explicit.path.components().count() == 1 && !explicit.path.is_absolute();
        let path = if bare_name {
            self.on_path(&explicit.path).ok_or_else(|| FindError::NotOnPath {
                name: explicit.path.display().to_string(),
                chosen_by: explicit.named_by.clone(),
            })?
        } else {
            explicit.path.clone()
        };
        self.chosen(path, InterpreterOrigin::Explicit(explicit.named_by.clone()))
    }

    /// An interpreter that somebody chose: used or reported.
    fn chosen(&self, path: PathBuf, origin: InterpreterOrigin) -> Result<Interpreter, FindError> {
        let chosen_by = origin.to_string();
        self.probe(path, origin)
            .map_err(|error| FindError::Chosen { chosen_by, error })
    }

    fn probe(&self, path: PathBuf, origin: InterpreterOrigin) -> Result<Interpreter, ProbeError> {
        let facts = probe_within(&path, self.time_limit.unwrap_or(PROBE_TIME_LIMIT))?;
        Ok(Interpreter { path, origin, facts })
    }

    /// The first executable file of that name on `PATH`, as a shell would find it.
    fn on_path(&self, name: &Path) -> Option<PathBuf> {
        env::split_paths(self.path.as_ref()?)
            .filter(|folder| !folder.as_os_str().is_empty())
            .map(|folder| folder.join(name))
            .find(|candidate| is_executable(candidate))
            // A relative folder on PATH means something else once somebody changes the current one. No link is
            // followed: that would turn a virtual environment's interpreter into another.
            .map(|path| std::path::absolute(&path).unwrap_or(path))
    }
}

/// A version manager's shim is a script that looks for the interpreter at every start, by rules of the folder that it is
/// started in. Nobody chose the script itself, so workers start what it has found. A script that somebody did choose may
/// be there to set something up, and is kept.
fn behind_shim(interpreter: Interpreter) -> Interpreter {
    if !is_script(&interpreter.path) {
        return interpreter;
    }
    let path = interpreter.facts.executable.clone();
    Interpreter { path, ..interpreter }
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok()
        && start == *b"#!"
}

/// The interpreter of a virtual environment, whether it works or not; `None` if the folder is no such thing.
fn venv_python(venv: &Path) -> Option<PathBuf> {
    let python3 = venv.join("bin/python3");
    let python = venv.join("bin/python");
    // A dangling link counts: the environment is there, and broken.
    if python3.symlink_metadata().is_ok() {
        Some(python3)
    } else if python.symlink_metadata().is_ok() {
        Some(python)
    } else {
        venv.join("pyvenv.cfg").exists().then_some(python3)
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
