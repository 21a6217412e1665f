use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, Mutex};
use std::thread;

use super::checkout::Checkout;
use super::*;
use crate::facts::{InterpreterOrigin, Version};
use crate::tests::fakes::{portable, script};

const FREE_THREADED: &str = ".cpython-313t-x86_64-linux-gnu.so";

/// Remembers what it was told.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

// === impl Heard ===

impl Heard {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Heard {
    fn started(&self, what: &str) {
        self.0.lock().unwrap().push(format!("started: {what}"));
    }

    fn line(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    fn finished(&self, ok: bool) {
        self.0.lock().unwrap().push(format!("finished: {ok}"));
    }
}

/// An interpreter that nobody starts.
fn interpreter(suffix: &str) -> Interpreter {
    Interpreter {
        path: PathBuf::from("python3"),
        origin: InterpreterOrigin::SearchPath("python3"),
        facts: InterpreterFacts {
            version: Version {
                major: 3,
                minor: 13,
                micro: 0,
            },
            implementation: "cpython".to_owned(),
            free_threaded: suffix.contains("313t"),
            gil_enabled: !suffix.contains("313t"),
            executable: PathBuf::from("/opt/python/bin/python3"),
            prefix: PathBuf::from("/opt/python"),
            extension_suffix: suffix.to_owned(),
            installed_bridge: None,
        },
    }
}

fn ordinary() -> Interpreter {
    interpreter(".cpython-313-x86_64-linux-gnu.so")
}

/// A checkout with a cargo that notes how it was called, and makes a library that says what it was built from.
fn checkout(dir: &Path) -> Checkout {
    let root = dir.join("checkout");
    for (file, text) in [
        ("Cargo.toml", "[workspace]"),
        ("Cargo.lock", ""),
        ("snakepit-bridge/Cargo.toml", "[package]"),
        ("snakepit-bridge/src/lib.rs", "// the bridge"),
        (
            "snakepit-bridge/python/snakepit_bridge/__init__.py",
            "# the package",
        ),
        (
            "snakepit-bridge/python/snakepit_bridge/_native.abi3.so",
            "left by another tool",
        ),
        (
            "snakepit-bridge/python/snakepit_bridge/__pycache__/x.pyc",
            "litter",
        ),
        ("snakepit-grpc/src/lib.rs", "// the wire"),
    ] {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let cargo = script(
        &dir.join("cargo"),
        r#"
        echo run >> "$0.runs"
        echo "$@" > "$0.arguments"
        env > "$0.environment"
        echo "   Compiling snakepit-bridge" >&2
        while [ "$1" != --target-dir ]; do shift; done
        mkdir -p "$2/release"
        echo "built by PYO3_PYTHON=$PYO3_PYTHON" > "$2/release/libsnakepit_bridge.so"
        echo '{"reason":"compiler-artifact","target":{"name":"pyo3"},"filenames":["/elsewhere/libpyo3.rlib"]}'
        echo '{"reason":"compiler-artifact","target":{"name":"snakepit_bridge"},"filenames":["'"$2/release/libsnakepit_bridge.so"'"]}'
        echo '{"reason":"build-finished","success":true}'
        "#,
    );
    Checkout {
        root,
        cargo: cargo.into(),
    }
}

fn runs(dir: &Path) -> usize {
    fs::read_to_string(dir.join("cargo.runs"))
        .unwrap_or_default()
        .lines()
        .count()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn refusal(error: &BridgeError, dir: &Path) -> String {
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
fn a_bridge_is_built_once_and_then_found_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = checkout(dir.path());
    let heard = Heard::default();
    let bridge = find_or_build(&ordinary(), None, Some(&checkout), &heard).unwrap();
    assert_eq!(bridge.origin, BridgeOrigin::Built);
    let folder = bridge.path.clone().unwrap();
    assert_eq!(
        files(&folder.join("snakepit_bridge")),
        ["BUILT_FROM", "__init__.py", "_native.abi3.so"]
    );
    insta::assert_snapshot!(heard.all().join("\n"), @r"
    started: Building the bridge for Python 3.13 (abi3), which happens once; cargo may fetch its locked dependencies
       Compiling snakepit-bridge
    finished: true
    ");
    let arguments = fs::read_to_string(dir.path().join("cargo.arguments")).unwrap();
    insta::assert_snapshot!(portable(&arguments, dir.path()), @"build --profile bridge --locked --color=never --message-format=json-render-diagnostics --manifest-path DIR/checkout/snakepit-bridge/Cargo.toml --target-dir DIR/checkout/target/bridge");
    let environment = fs::read_to_string(dir.path().join("cargo.environment")).unwrap();
    assert!(environment.contains("PYO3_NO_PYTHON=1"));
    // This test runs under an outer cargo, whose variables are not for the inner one.
    assert!(!environment.contains("CARGO_PKG_NAME"));
    assert!(!environment.contains("CARGO_MANIFEST_DIR"));

    let silent = Heard::default();
    assert_eq!(
        find_or_build(&ordinary(), None, Some(&checkout), &silent).unwrap(),
        bridge
    );
    assert!(silent.all().is_empty());
    assert_eq!(runs(dir.path()), 1);
}

#[test]
fn a_change_in_the_sources_makes_another_bridge_and_litter_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = checkout(dir.path());
    let build = || find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap();
    let first = build();
    fs::write(
        checkout
            .root
            .join("snakepit-bridge/python/snakepit_bridge/__pycache__/y.pyc"),
        "",
    )
    .unwrap();
    fs::write(
        checkout
            .root
            .join("snakepit-bridge/python/snakepit_bridge/_native.abi3.so"),
        "other",
    )
    .unwrap();
    assert_eq!(build(), first);
    fs::write(checkout.root.join("snakepit-grpc/src/lib.rs"), "// another wire").unwrap();
    assert_ne!(build(), first);
    assert_eq!(runs(dir.path()), 2);
}

#[test]
fn a_free_threaded_interpreter_gets_a_build_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = checkout(dir.path());
    let python = interpreter(FREE_THREADED);
    let bridge = find_or_build(&python, None, Some(&checkout), &Heard::default()).unwrap();
    let module = bridge
        .path
        .unwrap()
        .join("snakepit_bridge/_native.cpython-313t-x86_64-linux-gnu.so");
    insta::assert_snapshot!(fs::read_to_string(module).unwrap(), @"built by PYO3_PYTHON=/opt/python/bin/python3");
    let arguments = fs::read_to_string(dir.path().join("cargo.arguments")).unwrap();
    assert!(arguments.contains("--no-default-features"));
}

#[test]
fn callers_that_come_together_build_once() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = checkout(dir.path());
    let barrier = Barrier::new(4);
    let built: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(runs(dir.path()), 1);
    assert!(built.iter().all(|bridge| bridge == &built[0]));
}

#[test]
fn what_a_killed_build_left_behind_is_not_taken_for_a_bridge() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = checkout(dir.path());
    let left = checkout
        .root
        .join("target/bridge/cache/.assembling/snakepit_bridge");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("_half.py"), "").unwrap();
    let bridge = find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap();
    let package = bridge.path.unwrap().join("snakepit_bridge");
    assert!(!package.join("_half.py").exists());

    fs::remove_file(package.join("_native.abi3.so")).unwrap();
    find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap();
    assert!(package.join("_native.abi3.so").exists());
    assert_eq!(runs(dir.path()), 2);
}

#[test]
fn sources_that_change_while_they_are_compiled_are_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkout = checkout(dir.path());
    let source = checkout.root.join("snakepit-grpc/src/lib.rs");
    // A cargo during whose first run somebody saves a file.
    let edited = format!(
        r#"[ -e "$0.edited" ] || echo '// edited' >> '{}'; touch "$0.edited"; exec '{}' "$@""#,
        source.display(),
        dir.path().join("cargo").display()
    );
    checkout.cargo = script(&dir.path().join("editing-cargo"), &edited).into();
    let bridge = find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap();
    assert_eq!(runs(dir.path()), 2);
    assert_eq!(
        find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap(),
        bridge
    );
    assert_eq!(runs(dir.path()), 2);
    assert_eq!(files(&checkout.root.join("target/bridge/cache")).len(), 1);

    let always = format!(
        r#"echo '// edited' >> '{}'; exec '{}' "$@""#,
        source.display(),
        dir.path().join("cargo").display()
    );
    checkout.cargo = script(&dir.path().join("editing-cargo"), &always).into();
    fs::write(&source, "// another wire").unwrap();
    let error = find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap_err();
    insta::assert_snapshot!(refusal(&error, dir.path()), @r"
    SP0230: the bridge could not be built: the sources in `DIR/checkout` keep changing
    hint: start again once nobody is writing there
    ");
}

#[test]
fn a_build_that_fails_says_what_cargo_said_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkout = checkout(dir.path());
    let failing = "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo \"line $i\" >&2; done; exit 101";
    checkout.cargo = script(&dir.path().join("cargo"), failing).into();
    let heard = Heard::default();
    let error = find_or_build(&ordinary(), None, Some(&checkout), &heard).unwrap_err();
    let BridgeError::BuildFailed { output, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(output.len(), 40);
    assert_eq!(output[39], "line 100");
    assert_eq!(heard.all().last().unwrap(), "finished: false");

    checkout.cargo = script(&dir.path().join("cargo"), "echo nothing to do >&2").into();
    let error = find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap_err();
    assert!(matches!(error, BridgeError::NothingBuilt { .. }), "{error}");

    checkout.cargo = dir.path().join("no-cargo").into();
    let error = find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap_err();
    insta::assert_snapshot!(refusal(&error, dir.path()), @r#"
    SP0225: the bridge cannot be built: `DIR/no-cargo` cannot be started
    hint: install Rust from https://rustup.rs, or name a finished bridge by `bridge = "DIR"` or SNAKEPIT_BRIDGE
    "#);
}

#[test]
fn a_given_bridge_is_used_if_the_interpreter_can_load_it_and_refused_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let package = dir.path().join("snakepit_bridge");
    let given = |python: &Interpreter| find_or_build(python, Some(dir.path()), None, &Heard::default());
    let refused = |python: &Interpreter| refusal(&given(python).unwrap_err(), dir.path());

    insta::assert_snapshot!(refused(&ordinary()), @r"
    SP0220: `DIR` is not a bridge folder: there is no `snakepit_bridge/__init__.py` in it
    hint: name the folder that contains `snakepit_bridge`, as `snakepit bridge build --out DIR` makes it
    ");
    fs::create_dir(&package).unwrap();
    fs::write(package.join("__init__.py"), "").unwrap();
    insta::assert_snapshot!(refused(&ordinary()), @r"
    SP0221: the bridge in `DIR` has nothing for `python3`: it would need `_native.abi3.so` or `_native.cpython-313-x86_64-linux-gnu.so`, and there is no extension module at all
    hint: add it: `snakepit bridge build --python python3 --out DIR`
    ");
    fs::write(package.join("_native.abi3.so"), "").unwrap();
    assert_eq!(given(&ordinary()).unwrap().path.as_deref(), Some(dir.path()));
    insta::assert_snapshot!(refused(&interpreter(FREE_THREADED)), @r"
    SP0221: the bridge in `DIR` has nothing for `python3`: it would need `_native.cpython-313t-x86_64-linux-gnu.so`, and there is only `_native.abi3.so`
    hint: add it: `snakepit bridge build --python python3 --out DIR`
    ");
    fs::write(package.join("BUILT_FROM"), "0.0.9\nsources\n").unwrap();
    insta::assert_snapshot!(refused(&ordinary()), @r"
    SP0222: the bridge in `DIR` has version 0.0.9, and this program needs 0.1.0
    hint: build it again with this version's `snakepit bridge build`, in an empty folder
    ");
}

#[test]
fn an_installed_bridge_is_used_if_it_has_this_version() {
    let mut python = ordinary();
    let find = |python: &Interpreter| find_or_build(python, None, None, &Heard::default());
    insta::assert_snapshot!(refusal(&find(&python).unwrap_err(), Path::new("/nowhere")), @r#"
    SP0223: there is no bridge for `python3`: none was named, none is installed, and there is no source checkout to build one from
    hint: where snakepit's source is, run `snakepit bridge build --python python3 --out DIR`, and name DIR by `bridge = "DIR"` or SNAKEPIT_BRIDGE; or install it: `pip install ./snakepit-bridge`
    "#);
    python.facts.installed_bridge = Some((BRIDGE_VERSION.to_owned(), PathBuf::from("/site")));
    let bridge = find(&python).unwrap();
    assert_eq!((bridge.path, bridge.origin), (None, BridgeOrigin::Installed));
    python.facts.installed_bridge = Some(("0.0.9".to_owned(), PathBuf::from("/site")));
    let error = find(&python).unwrap_err().to_string();
    assert!(error.contains("the installed one has version 0.0.9"), "{error}");
}

#[test]
fn the_status_tells_where_a_bridge_comes_from_and_builds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkout = checkout(dir.path());
    let told = |checkout: &Checkout| portable(&status(&ordinary(), Some(checkout)).unwrap(), dir.path());
    assert_eq!(
        told(&checkout),
        "not built yet; cargo builds it at the first start"
    );
    assert!(!checkout.root.join("target").exists());
    find_or_build(&ordinary(), None, Some(&checkout), &Heard::default()).unwrap();
    assert!(told(&checkout).starts_with("built, in DIR/checkout/target/bridge/cache/abi3-"));

    checkout.cargo = dir.path().join("no-cargo").into();
    let error = status(&interpreter(FREE_THREADED), Some(&checkout)).unwrap_err();
    assert!(matches!(error, BridgeError::NoCargo { .. }), "{error}");
    let error = status(&ordinary(), None).unwrap_err();
    assert!(matches!(error, BridgeError::NoBridge { .. }), "{error}");
}

#[test]
fn one_folder_can_serve_several_interpreters_and_nothing_else_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = checkout(dir.path());
    let out = dir.path().join("out");
    let build =
        |python: &Interpreter, out: &Path| build_into(python, out, Some(&checkout), &Heard::default());
    assert_eq!(build(&ordinary(), &out).unwrap(), out);
    build(&interpreter(FREE_THREADED), &out).unwrap();
    assert_eq!(
        files(&out.join("snakepit_bridge")),
        [
            "BUILT_FROM",
            "__init__.py",
            "_native.abi3.so",
            "_native.cpython-313t-x86_64-linux-gnu.so"
        ]
    );
    for python in [ordinary(), interpreter(FREE_THREADED)] {
        assert_eq!(
            folder::check(&out, &python).map_err(|error| error.to_string()),
            Ok(())
        );
    }

    // Modules of other sources would not fit the new Python files.
    fs::write(checkout.root.join("snakepit-bridge/src/lib.rs"), "// changed").unwrap();
    build(&ordinary(), &out).unwrap();
    assert_eq!(
        files(&out.join("snakepit_bridge")),
        ["BUILT_FROM", "__init__.py", "_native.abi3.so"]
    );

    let mine = dir.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("thesis.txt"), "").unwrap();
    let before = runs(dir.path());
    insta::assert_snapshot!(refusal(&build(&ordinary(), &mine).unwrap_err(), dir.path()), @r"
    SP0228: `DIR/mine` is not empty, and is no bridge folder of version 0.1.0: there is `thesis.txt` in it
    hint: choose a new or an empty folder
    ");
    assert_eq!(files(&mine), ["thesis.txt"]);
    fs::write(out.join("snakepit_bridge/BUILT_FROM"), "0.0.9\nsources\n").unwrap();
    insta::assert_snapshot!(refusal(&build(&ordinary(), &out).unwrap_err(), dir.path()), @r"
    SP0228: `DIR/out` is not empty, and is no bridge folder of version 0.1.0: it is one of version 0.0.9
    hint: choose a new or an empty folder
    ");
    assert_eq!(runs(dir.path()), before, "a refusal comes before the build");
}
