//! The program as its user meets it: what it prints where, and how it exits.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A run of the program in a folder of its own.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a writable folder");
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snakepit"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SNAKEPIT_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }
}

fn quickstart() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart/adapter.py");
    path.to_str().expect("a plain path").to_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It exits 2, prints no data, and its message names all of these.
#[track_caller]
fn refused(output: &Output, names: &[&str]) {
    let told = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert_eq!(stdout(output), "", "stdout is for data");
    for name in names {
        assert!(told.contains(name), "it must name {name:?}: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_call_prints_its_result_as_json_and_nothing_else() {
    let output = Program::new().run(&[
        "call",
        "--adapter",
        &quickstart(),
        "mean",
        r#"{"values": [1, 2, 3]}"#,
    ]);
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("2.0\n", Some(0)),
        "{}",
        stderr(&output)
    );
}

#[test]
fn arguments_may_come_from_standard_input_and_prints_go_to_stderr() {
    let program = Program::new();
    let adapter = "from snakepit_bridge import tool\n\n@tool\ndef double(n: int) -> int:\n    print('doubling')\n    return 2 * n\n";
    program.file("double.py", adapter);
    let input = program.file("input.json", r#"{"n": 21}"#);
    let output = program
        .command(&["call", "--adapter", "double.py", "double", "-"])
        .stdin(std::fs::File::open(input).expect("a readable file"))
        .output()
        .expect("the program starts");
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("42\n", Some(0)),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("doubling"), "{}", stderr(&output));
}

#[test]
fn a_wrong_tool_name_lists_the_tools() {
    let output = Program::new().run(&["call", "--adapter", &quickstart(), "median", r#"{"values": []}"#]);
    refused(&output, &["median", "`mean`", "`describe`"]);
}

#[test]
fn a_raising_tool_shows_the_traceback_and_exits_1() {
    let output = Program::new().run(&["call", "--adapter", &quickstart(), "mean", r#"{"values": []}"#]);
    let told = stderr(&output);
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("", Some(1)),
        "{told}"
    );
    for part in [
        "Traceback (most recent call last)",
        "adapter.py",
        "sum(values) / len(values)",
        "ZeroDivisionError",
    ] {
        assert!(told.contains(part), "it must show {part:?}: {told}");
    }
}

#[test]
fn a_call_out_of_time_exits_3() {
    let program = Program::new();
    program.file(
        "slow.py",
        "import time\nfrom snakepit_bridge import tool\n\n@tool\ndef slow():\n    time.sleep(2)\n",
    );
    let output = program.run(&["call", "--adapter", "slow.py", "--timeout", "100ms", "slow"]);
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("", Some(3)),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_worker_that_dies_in_mid_call_exits_4_and_says_how() {
    let program = Program::new();
    program.file(
        "dies.py",
        "import os, signal\nfrom snakepit_bridge import tool\n\n@tool\ndef die():\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    );
    let output = program.run(&["call", "--adapter", "dies.py", "die"]);
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("", Some(4)),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("signal 9"), "{}", stderr(&output));
}

/// `kill -9` from outside, while the call runs.
#[test]
fn a_killed_worker_is_told_apart_from_everything_else() {
    let program = Program::new();
    let adapter = "import os, time\nfrom snakepit_bridge import tool\n\n@tool\ndef wait():\n    print(os.getpid(), flush=True)\n    time.sleep(600)\n";
    program.file("waits.py", adapter);
    let mut child = program
        .command(&["call", "--adapter", "waits.py", "wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut told = BufReader::new(child.stderr.take().expect("a pipe"));
    // The worker's own words come through the log, its process id last.
    let pid = loop {
        let mut line = String::new();
        assert_ne!(
            told.read_line(&mut line).expect("text"),
            0,
            "it ended before the tool ran"
        );
        if let Some(pid) = line
            .split_whitespace()
            .rev()
            .find_map(|word| word.parse::<u32>().ok())
        {
            break pid;
        }
    };
    let killed = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .expect("kill(1)");
    assert!(killed.success());

    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("text");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("", Some(4)),
        "{rest}"
    );
    assert!(rest.contains("signal 9 (SIGKILL)"), "{rest}");
}

#[test]
fn tools_lists_signatures_and_summaries() {
    let output = Program::new().run(&["tools", "--adapter", &quickstart()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "describe(values: list[float]) -> dict[str, float]\n    Smallest, largest and mean of a list of numbers.\n\
         mean(values: list[float]) -> float\n    Arithmetic mean of a list of numbers.\n"
    );
}

#[test]
fn config_check_tells_what_would_run() {
    let program = Program::new();
    program.file("adapter.py", "");
    program.file(
        "snakepit.toml",
        "[[pools]]\nname = \"default\"\nadapter = \"adapter.py\"\npool_size = 2\n\n\
         [[pools]]\nname = \"compute\"\nadapter = \"some.module\"\nworker_profile = \"thread\"\npool_size = 1\nthreads_per_worker = 8\n",
    );
    let output = program.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stdout(&output);
    assert!(
        told.contains("default: ") && told.contains("compute: ") && told.contains("some.module"),
        "{told}"
    );
}

#[test]
fn doctor_names_the_interpreter() {
    let output = Program::new().run(&["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let interpreter = findings
        .as_array()
        .expect("a list")
        .iter()
        .find(|finding| finding["what"] == "interpreter");
    assert!(
        interpreter.expect("a finding")["found"]
            .as_str()
            .expect("text")
            .starts_with("cpython 3."),
        "{findings}"
    );
}

mod bad_input {
    use super::{Program, quickstart, refused};

    #[test]
    fn a_broken_configuration_file() {
        let program = Program::new();
        program.file("snakepit.toml", "[[pools]\nname = \"default\"\n");
        refused(&program.run(&["call", "mean"]), &["snakepit.toml:1"]);
    }

    #[test]
    fn an_unknown_key_suggests_the_nearest() {
        let program = Program::new();
        program.file(
            "snakepit.toml",
            "[[pools]]\nname = \"a\"\nadapter = \"m\"\npoolsize = 3\n",
        );
        refused(
            &program.run(&["call", "mean"]),
            &["snakepit.toml:4", "poolsize", "pool_size"],
        );
    }

    #[test]
    fn two_pools_of_one_name() {
        let program = Program::new();
        program.file(
            "snakepit.toml",
            "[[pools]]\nname = \"a\"\nadapter = \"m\"\n\n[[pools]]\nname = \"a\"\nadapter = \"m\"\n",
        );
        refused(&program.run(&["call", "mean"]), &["snakepit.toml:6", "`a`"]);
    }

    #[test]
    fn threads_on_a_process_pool() {
        let program = Program::new();
        program.file(
            "snakepit.toml",
            "[[pools]]\nname = \"a\"\nadapter = \"m\"\nthreads_per_worker = 4\n",
        );
        refused(
            &program.run(&["call", "mean"]),
            &["snakepit.toml:4", "threads_per_worker", "process"],
        );
    }

    #[test]
    fn a_missing_interpreter() {
        let output = Program::new().run(&[
            "call",
            "--adapter",
            &quickstart(),
            "--python",
            "/nowhere/python3",
            "mean",
        ]);
        refused(&output, &["/nowhere/python3"]);
    }

    #[test]
    fn a_directory_as_interpreter() {
        let output = Program::new().run(&["call", "--adapter", &quickstart(), "--python", "/", "mean"]);
        refused(&output, &["`/`", "directory"]);
    }

    #[test]
    fn an_adapter_that_does_not_import() {
        let program = Program::new();
        program.file("broken.py", "import a_module_that_is_nowhere\n");
        let output = program.run(&["call", "--adapter", "broken.py", "mean"]);
        refused(&output, &["broken.py", "a_module_that_is_nowhere", "hint"]);
    }

    #[test]
    fn an_adapter_without_tools() {
        let program = Program::new();
        program.file("empty.py", "def plain():\n    pass\n");
        refused(
            &program.run(&["call", "--adapter", "empty.py", "plain"]),
            &["empty.py", "no tools", "@tool"],
        );
    }

    #[test]
    fn an_argument_that_is_not_json() {
        let output = Program::new().run(&["call", "--adapter", &quickstart(), "mean", "{values: 1}"]);
        refused(&output, &["not JSON", "hint"]);
        let output = Program::new().run(&["call", "--adapter", &quickstart(), "mean", "[1, 2]"]);
        refused(&output, &["an array", "object"]);
    }

    #[test]
    fn an_adapter_that_is_not_there() {
        refused(
            &Program::new().run(&["call", "--adapter", "nowhere.py", "mean"]),
            &["nowhere.py"],
        );
    }

    #[test]
    fn an_unknown_pool_lists_the_pools() {
        let output = Program::new().run(&["call", "--adapter", &quickstart(), "--pool", "other", "mean"]);
        refused(&output, &["`other`", "there is default"]);
    }

    #[test]
    fn nothing_to_call() {
        refused(
            &Program::new().run(&["call", "mean"]),
            &["snakepit.toml", "--adapter"],
        );
    }
}
