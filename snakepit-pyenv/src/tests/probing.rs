use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use snakepit_config::ProfileKind;

use super::fakes::{answering, portable, real, real_with, script};
use crate::probe::{installed_distributions, probe, probe_within};
use crate::{InterpreterFacts, ProbeError, Version, recommend_profile_by_version};

/// Long enough for a script on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The message and the hint of a probe that must fail.
fn refusal(path: &Path, dir: &Path) -> String {
    let error = probe_within(path, PATIENCE).expect_err("this is no interpreter");
    let hint = error.hint().unwrap_or_default();
    portable(&format!("{}: {error}\nhint: {hint}", error.code()), dir)
}

#[test]
fn every_real_interpreter_answers_with_its_facts() {
    for (path, facts) in real() {
        let shown = path.display();
        assert!(
            facts.version
                >= Version {
                    major: 3,
                    minor: 9,
                    micro: 0
                },
            "{shown}"
        );
        assert_eq!(facts.implementation, "cpython", "{shown}");
        assert!(facts.executable.is_file(), "{shown}");
        assert!(facts.prefix.is_dir(), "{shown}");
        let tag = format!("{}{}", facts.version.major, facts.version.minor);
        assert!(
            facts.extension_suffix.contains(&tag),
            "{shown}: {}",
            facts.extension_suffix
        );
        assert!(facts.gil_enabled || facts.free_threaded, "{shown}");
    }
}

#[test]
fn a_free_threaded_build_is_told_apart_and_its_gil_is_another_fact() {
    let Some((path, facts)) = real_with(true) else {
        return;
    };
    assert!(!facts.gil_enabled);
    assert_eq!(facts.recommended_profile(), ProfileKind::Thread);
    let dir = tempfile::tempdir().unwrap();
    let with_gil = script(
        &dir.path().join("python3"),
        &format!("PYTHON_GIL=1 exec '{}' \"$@\"", path.display()),
    );
    let facts = probe(&with_gil).unwrap();
    assert!(facts.free_threaded);
    assert!(facts.gil_enabled);
}

#[test]
fn an_ordinary_build_is_a_process_interpreter_whatever_its_version() {
    for (path, facts) in real().iter().filter(|(_, facts)| !facts.free_threaded) {
        assert_eq!(
            facts.recommended_profile(),
            ProfileKind::Process,
            "{}",
            path.display()
        );
    }
    let version = |minor| Version {
        major: 3,
        minor,
        micro: 0,
    };
    assert_eq!(recommend_profile_by_version(version(12)), ProfileKind::Process);
    assert_eq!(recommend_profile_by_version(version(13)), ProfileKind::Thread);
}

#[test]
fn noise_of_sitecustomize_and_files_of_the_current_folder_do_not_change_the_answer() {
    let (real, facts) = &real()[0];
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("site");
    fs::create_dir(&site).unwrap();
    let sitecustomize = "import atexit, os, sys\n\
        print('noise', getattr(sys, 'orig_argv', None), flush=True)\n\
        atexit.register(print, 'more noise')\n\
        sys.stdout = open(os.devnull, 'w')\n";
    fs::write(site.join("sitecustomize.py"), sitecustomize).unwrap();
    for name in ["json.py", "os.py", "sysconfig.py"] {
        fs::write(dir.path().join(name), "raise SystemExit('the wrong module')").unwrap();
    }
    let noisy = script(
        &dir.path().join("python3"),
        &format!(
            "cd '{}'; echo before; PYTHONPATH='{}' exec '{}' \"$@\"",
            dir.path().display(),
            site.display(),
            real.display()
        ),
    );
    let answer = probe_within(&noisy, PATIENCE).unwrap();
    assert_eq!(
        InterpreterFacts {
            executable: facts.executable.clone(),
            ..answer
        },
        *facts
    );
}

#[test]
fn an_installed_bridge_is_found_without_being_imported() {
    let (real, _) = &real()[0];
    let dir = tempfile::tempdir().unwrap();
    let venv = dir.path().join("venv");
    let made = Command::new(real)
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status()
        .unwrap();
    assert!(made.success());
    let python = venv.join("bin/python3");
    assert_eq!(probe(&python).unwrap().installed_bridge, None);

    let lib = fs::read_dir(venv.join("lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let site = lib.join("site-packages");
    let package = site.join("snakepit_bridge");
    let metadata = site.join("snakepit_bridge-0.1.0.dist-info");
    fs::create_dir_all(&package).unwrap();
    fs::create_dir_all(&metadata).unwrap();
    fs::write(package.join("__init__.py"), "raise SystemExit('it was imported')").unwrap();
    fs::write(
        metadata.join("METADATA"),
        "Name: snakepit-bridge\nVersion: 0.1.0\n",
    )
    .unwrap();
    let facts = probe(&python).unwrap();
    assert_eq!(facts.installed_bridge, Some(("0.1.0".to_owned(), site)));
    assert_eq!(facts.prefix, venv);

    let distributions = installed_distributions(&python).unwrap();
    assert_eq!(
        distributions.get("snakepit-bridge").map(String::as_str),
        Some("0.1.0")
    );
    let report = crate::libraries::installed_report(&python).unwrap();
    assert_eq!(report.unknown, ["snakepit-bridge"]);
}

#[test]
fn what_is_no_interpreter_is_refused_with_what_is_wrong_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("text"), "no program").unwrap();
    std::os::unix::fs::symlink(at("gone"), at("dangling")).unwrap();

    insta::assert_snapshot!(refusal(&at("nothing"), dir.path()), @r"
    SP0201: `DIR/nothing` does not exist
    hint: check the path; `which -a python3` lists what there is
    ");
    insta::assert_snapshot!(refusal(&at("dangling"), dir.path()), @r"
    SP0201: `DIR/dangling` does not exist: it is a link to `DIR/gone`, which is gone
    hint: the Python it was made from is gone: make the virtual environment again
    ");
    insta::assert_snapshot!(refusal(&at("text"), dir.path()), @r"
    SP0202: `DIR/text` is not executable
    hint: name the interpreter itself, or make it executable: `chmod +x DIR/text`
    ");
    insta::assert_snapshot!(refusal(dir.path(), dir.path()), @r"
    SP0203: `DIR` is a directory, not a Python interpreter
    hint: name the interpreter in it, for a virtual environment `DIR/bin/python3`
    ");
}

#[test]
fn a_program_that_is_not_python_is_refused_with_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let garbage = script(&at("garbage"), "echo hello; echo world");
    insta::assert_snapshot!(refusal(&garbage, dir.path()), @r#"
    SP0204: `DIR/garbage` does not work as Python: it ended with exit status: 0 and no answer. It said:
        hello
        world
    hint: run `DIR/garbage -c "import sys, json; print(sys.version)"` to see what it does
    "#);
    let failing = script(
        &at("failing"),
        "echo noise; echo 'pyenv: python3: command not found' >&2; exit 127",
    );
    insta::assert_snapshot!(refusal(&failing, dir.path()), @r#"
    SP0204: `DIR/failing` does not work as Python: it ended with exit status: 127 and no answer. It said:
        pyenv: python3: command not found
    hint: run `DIR/failing -c "import sys, json; print(sys.version)"` to see what it does
    "#);
    let crashing = script(&at("crashing"), "kill -9 $$");
    insta::assert_snapshot!(refusal(&crashing, dir.path()), @r#"
    SP0204: `DIR/crashing` does not work as Python: it ended with signal: 9 (SIGKILL) and no answer
    hint: run `DIR/crashing -c "import sys, json; print(sys.version)"` to see what it does
    "#);
    let echoing = script(&at("echoing"), r#"echo "$@""#);
    assert!(matches!(probe(&echoing), Err(ProbeError::NotPython { .. })));
}

#[test]
fn another_python_than_snakepit_needs_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let old = answering(&at("old"), r#"{"version":[3,8,18],"implementation":"cpython"}"#);
    insta::assert_snapshot!(refusal(&old, dir.path()), @r"
    SP0205: `DIR/old` is Python 3.8.18, and snakepit needs 3.9.0 or later
    hint: choose Python 3.9.0 or later
    ");
    let pypy = answering(&at("pypy"), r#"{"version":[3,10,14],"implementation":"pypy"}"#);
    insta::assert_snapshot!(refusal(&pypy, dir.path()), @r"
    SP0206: `DIR/pypy` is pypy, and snakepit needs CPython
    hint: choose a CPython: snakepit's bridge is an extension module for it
    ");
    let strange = answering(&at("strange"), r#"{"version":"three"}"#);
    insta::assert_snapshot!(refusal(&strange, dir.path()), @r#"
    SP0208: `DIR/strange` did not answer as Python does: the answer is not what was asked for: invalid type: string "three", expected an array of length 3 at line 1 column 18
    hint: run `DIR/strange -c "import sys, json; print(sys.version)"` to see what it does
    "#);
}

#[test]
fn a_real_python_2_is_too_old_and_not_broken() {
    let versions = Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".pyenv/versions");
    let found = fs::read_dir(versions).into_iter().flatten().flatten();
    for version in found.filter(|entry| entry.file_name().to_string_lossy().starts_with("2.7")) {
        let error = probe(&version.path().join("bin/python")).unwrap_err();
        assert!(matches!(error, ProbeError::TooOld { .. }), "{error}");
    }
}

#[test]
fn a_flood_of_output_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let flooding = script(&dir.path().join("python3"), "exec yes");
    insta::assert_snapshot!(refusal(&flooding, dir.path()), @r#"
    SP0208: `DIR/python3` did not answer as Python does: it printed more than 4194304 bytes
    hint: run `DIR/python3 -c "import sys, json; print(sys.version)"` to see what it does
    "#);
}

#[test]
fn an_interpreter_that_hangs_is_killed_with_everything_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("alive");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // The script and its child hold the fifo open, as long as they live.
    let hanging = script(
        &dir.path().join("python3"),
        &format!("exec 3>'{}'; sleep 1000 & wait", fifo.display()),
    );
    let (sender, receiver) = mpsc::sync_channel(1);
    let watcher = thread::spawn(move || sender.send(fs::read(&fifo).unwrap()).unwrap());

    let started = Instant::now();
    let error = probe_within(&hanging, Duration::from_secs(1)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(matches!(error, ProbeError::TimedOut { .. }), "{error}");
    insta::assert_snapshot!(portable(&error, dir.path()), @"`DIR/python3` did not say within 1s which Python it is, and was killed");

    let left = receiver
        .recv_timeout(PATIENCE)
        .expect("nobody holds the fifo any more");
    assert!(left.is_empty());
    watcher.join().unwrap();
}

#[test]
fn a_probe_leaves_no_process_that_the_interpreter_has_started() {
    let (real, _) = &real()[0];
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("alive");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let starting = script(
        &dir.path().join("python3"),
        &format!(
            "exec 3>'{}'; sleep 1000 & exec '{}' \"$@\"",
            fifo.display(),
            real.display()
        ),
    );
    let (sender, receiver) = mpsc::sync_channel(1);
    let watcher = thread::spawn(move || sender.send(fs::read(&fifo).unwrap()).unwrap());
    probe_within(&starting, PATIENCE).unwrap();
    receiver
        .recv_timeout(PATIENCE)
        .expect("nobody holds the fifo any more");
    watcher.join().unwrap();
}
