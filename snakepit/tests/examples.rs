//! The examples do what they say.

use std::process::{Command, Output};

fn run(example: &str, arguments: &[&str]) -> Output {
    let mut path = std::env::current_exe().expect("this test's own path");
    // From target/<profile>/deps/<this test> to target/<profile>/examples/<example>.
    path.pop();
    path.pop();
    path.push("examples");
    path.push(example);
    let output = Command::new(&path).args(arguments).output();
    output.unwrap_or_else(|error| {
        panic!(
            "{}: {error}; cargo builds the examples for `cargo test -p snakepit`, not for `--test` alone",
            path.display()
        )
    })
}

fn printed(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn quickstart_computes() {
    assert_eq!(printed(&run("quickstart", &[])), "mean 2, from 1 to 3\n");
}

#[test]
fn two_pools_tell_which_interpreters_they_are() {
    let told = printed(&run("two_pools", &[]));
    let [careful, parallel] = told.lines().collect::<Vec<_>>()[..] else {
        panic!("two lines: {told}")
    };
    assert!(
        careful.starts_with("careful: Python 3.") && careful.ends_with("thread MainThread"),
        "{careful}"
    );
    assert!(
        parallel.starts_with("parallel: Python 3.") && parallel.contains("thread snakepit-"),
        "{parallel}"
    );
}

#[test]
fn sessions_stay_with_their_worker_until_it_is_renewed() {
    let told = printed(&run("sessions", &[]));
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(lines[0].ends_with("has heard it 2 times"), "{told}");
    assert!(
        lines[1..3]
            .iter()
            .all(|line| line.ends_with("#1 was renewed: it was asked for")),
        "{told}"
    );
    assert!(lines[3].ends_with("is gone, and what it knew with it"), "{told}");
    assert!(lines[4].ends_with("has heard it 1 time, after 2"), "{told}");
}

/// With NumPy it computes; without, it ends with the error that a user needs.
#[test]
fn numpy_computes_or_says_that_it_is_missing() {
    let python = snakepit::pyenv::find(None).expect("an interpreter");
    let libraries = snakepit::pyenv::installed_distributions(&python.path).expect("a list");
    let output = run("numpy", &[]);
    if libraries.contains_key("numpy") {
        assert_eq!(printed(&output), "x = [0.8, 1.4]\n");
    } else {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(
            told.contains("SP0402") && told.contains("No module named 'numpy'") && told.contains("hint: "),
            "{told}"
        );
    }
}
