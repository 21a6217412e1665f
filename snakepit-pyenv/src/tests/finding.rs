use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use snakepit_config::ExplicitPython;

use super::fakes::{answering, portable, real, script};
use crate::{FindError, InterpreterOrigin, Search};

fn chosen(path: impl Into<PathBuf>) -> ExplicitPython {
    ExplicitPython {
        path: path.into(),
        named_by: "SNAKEPIT_PYTHON".to_owned(),
    }
}

/// A folder that looks like a virtual environment, with an interpreter that works.
fn venv(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::write(folder.join("pyvenv.cfg"), "").unwrap();
    let python = folder.join("bin/python3");
    symlink(&real()[0].1.executable, &python).unwrap();
    python
}

fn refusal(found: Result<crate::Interpreter, FindError>, dir: &Path) -> String {
    let error = found.expect_err("nothing here can be used");
    portable(
        &format!(
            "{}: {error}\nhint: {}",
            error.code(),
            error.hint().unwrap_or_default()
        ),
        dir,
    )
}

#[test]
fn the_order_is_explicit_local_venv_active_venv_and_then_path() {
    let dir = tempfile::tempdir().unwrap();
    let explicit = dir.path().join("explicit");
    symlink(&real()[0].1.executable, &explicit).unwrap();
    let local = venv(&dir.path().join(".venv"));
    let active = venv(&dir.path().join("active"));
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(&real()[0].1.executable, bin.join("python3")).unwrap();
    symlink(&real()[0].1.executable, bin.join("python")).unwrap();

    let on_path = Search::new().path(&bin);
    let with_active = on_path.clone().virtual_env(dir.path().join("active"));
    let with_all = with_active.clone().current_dir(dir.path());
    let found = |search: &Search, explicit: Option<&ExplicitPython>| {
        let interpreter = search.find(explicit).unwrap();
        (interpreter.path, interpreter.origin)
    };
    assert_eq!(
        found(&with_all, Some(&chosen(&explicit))),
        (
            explicit,
            InterpreterOrigin::Explicit("SNAKEPIT_PYTHON".to_owned())
        )
    );
    // Each path is as it was found, though every one is a link to the same interpreter.
    assert_eq!(found(&with_all, None), (local, InterpreterOrigin::LocalVenv));
    assert_eq!(found(&with_active, None), (active, InterpreterOrigin::ActiveVenv));
    assert_eq!(
        found(&on_path, None),
        (bin.join("python3"), InterpreterOrigin::SearchPath("python3"))
    );
    fs::remove_file(bin.join("python3")).unwrap();
    assert_eq!(
        found(&on_path, None),
        (bin.join("python"), InterpreterOrigin::SearchPath("python"))
    );
}

#[test]
fn an_explicit_choice_that_fails_is_reported_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    symlink(&real()[0].1.executable, dir.path().join("python3")).unwrap();
    let search = Search::new().path(dir.path());
    let find = |path: PathBuf| refusal(search.find(Some(&chosen(path))), dir.path());
    insta::assert_snapshot!(find(dir.path().join("missing/python3")), @r"
    SP0201: `DIR/missing/python3` does not exist (chosen by SNAKEPIT_PYTHON)
    hint: check the path; `which -a python3` lists what there is
    ");
    insta::assert_snapshot!(find("python3.99".into()), @r"
    SP0210: there is no `python3.99` on PATH (chosen by SNAKEPIT_PYTHON)
    hint: give the interpreter's whole path, or put its folder on PATH
    ");
    assert!(search.find(Some(&chosen("python3"))).is_ok());
}

#[test]
fn a_broken_virtual_environment_is_reported_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join(".venv/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(&real()[0].1.executable, dir.path().join("python3")).unwrap();
    let search = Search::new().path(dir.path()).current_dir(dir.path());
    // A folder of that name without an interpreter is no virtual environment.
    assert!(search.find(None).is_ok());
    symlink(dir.path().join("uninstalled"), bin.join("python3")).unwrap();
    insta::assert_snapshot!(refusal(search.find(None), dir.path()), @r"
    SP0201: `DIR/.venv/bin/python3` does not exist: it is a link to `DIR/uninstalled`, which is gone (chosen by `.venv` in the current folder)
    hint: the Python it was made from is gone: make the virtual environment again
    ");
    let gone = Search::new()
        .path(dir.path())
        .virtual_env(dir.path().join("deleted"));
    insta::assert_snapshot!(refusal(gone.find(None), dir.path()), @r"
    SP0201: `DIR/deleted/bin/python3` does not exist (chosen by VIRTUAL_ENV)
    hint: check the path; `which -a python3` lists what there is
    ");
}

#[test]
fn an_unusable_python3_on_path_gives_way_to_python_and_both_are_reported_if_they_fail() {
    let dir = tempfile::tempdir().unwrap();
    let search = Search::new().path(dir.path());
    insta::assert_snapshot!(refusal(search.find(None), dir.path()), @r#"
    SP0211: no usable Python was found:
      - there is no `python3` on PATH
      - there is no `python` on PATH
    hint: install Python 3.9.0 or later, or name one by `python = "PATH"` or SNAKEPIT_PYTHON
    "#);
    script(
        &dir.path().join("python3"),
        "echo 'pyenv: no version is set' >&2; exit 127",
    );
    answering(
        &dir.path().join("python"),
        r#"{"version":[2,7,18],"implementation":"cpython"}"#,
    );
    insta::assert_snapshot!(refusal(search.find(None), dir.path()), @r#"
    SP0211: no usable Python was found:
      - `DIR/python3` does not work as Python: it ended with exit status: 127 and no answer. It said:
        pyenv: no version is set
      - `DIR/python` is Python 2.7.18, and snakepit needs 3.9.0 or later
    hint: install Python 3.9.0 or later, or name one by `python = "PATH"` or SNAKEPIT_PYTHON
    "#);
    fs::remove_file(dir.path().join("python")).unwrap();
    symlink(&real()[0].1.executable, dir.path().join("python")).unwrap();
    let found = search.find(None).unwrap();
    assert_eq!(found.origin, InterpreterOrigin::SearchPath("python"));
}

#[test]
fn a_shim_that_nobody_chose_is_replaced_by_what_it_starts() {
    let dir = tempfile::tempdir().unwrap();
    let (_, facts) = &real()[0];
    let shim = script(
        &dir.path().join("python3"),
        &format!("exec '{}' \"$@\"", facts.executable.display()),
    );

    let found = Search::new().path(dir.path()).find(None).unwrap();
    assert_eq!(found.path, found.facts.executable);
    assert_ne!(found.path, shim);

    let found = Search::new().find(Some(&chosen(&shim))).unwrap();
    assert_eq!(
        found.path, shim,
        "a script that was chosen may be there to set something up"
    );
}
