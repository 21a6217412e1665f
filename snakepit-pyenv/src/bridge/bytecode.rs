//! Byte code of the bridge's Python files.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::folder::PACKAGE;
use crate::child::Guarded;
use crate::facts::{Interpreter, Version};

/// Compiling a handful of files takes a tenth of a second.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Compiles the package in `folder` for this interpreter, once. Containers like to forbid Python to write byte code
/// (`PYTHONDONTWRITEBYTECODE`), and every worker would compile the files again at its start.
///
/// A failure costs each start some milliseconds, and is no error.
pub(super) fn ensure(interpreter: &Interpreter, folder: &Path) {
    let package = folder.join(PACKAGE);
    if package
        .join("__pycache__")
        .join(file_name(interpreter.facts.version))
        .exists()
    {
        return;
    }
    // Unchecked: the folder's name is made of its contents, so that the files never change.
    let mut command = Command::new(&interpreter.facts.executable);
    command
        .args([
            "-I",
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
        ])
        .arg(&package);
    let until = Instant::now() + TIME_LIMIT;
    let compiled = Guarded::start_group(&mut command).and_then(|mut child| {
        child.read(Some(until), |_, _| ControlFlow::Continue(()))?;
        child.wait(until)
    });
    match compiled {
        Ok(Some(status)) if status.success() => {}
        failed => tracing::debug!(?failed, "the bridge could not be compiled to byte code"),
    }
}

/// What Python calls the byte code of the first file that a worker imports (PEP 3147).
fn file_name(version: Version) -> String {
    format!("__init__.cpython-{}{}.pyc", version.major, version.minor)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::facts::InterpreterOrigin;
    use crate::tests::fakes::real;

    #[test]
    fn the_python_files_are_compiled_once_for_each_version() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join(PACKAGE);
        fs::create_dir(&package).unwrap();
        fs::write(package.join("__init__.py"), "answer = 42\n").unwrap();
        let (path, facts) = real()[0].clone();
        let interpreter = Interpreter {
            path,
            origin: InterpreterOrigin::SearchPath("python3"),
            facts,
        };
        ensure(&interpreter, dir.path());

        let cache = package.join("__pycache__");
        let compiled: Vec<_> = fs::read_dir(&cache).unwrap().flatten().collect();
        let [file] = &compiled[..] else {
            panic!("one file: {compiled:?}")
        };
        let before = file.metadata().unwrap().modified().unwrap();
        ensure(&interpreter, dir.path());
        assert_eq!(
            file.path().metadata().unwrap().modified().unwrap(),
            before,
            "what is there is kept"
        );
    }
}
