//! What a user does: the README's program in a project of its own, then its binary where there is no cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{Failed, cargo_command, output, root};

/// What the README's program prints.
const PRINTS: &str = "2";

/// Runs the whole story in a temporary folder, which is removed if all goes well.
pub(crate) fn run() -> Result<(), Failed> {
    let folder = std::env::temp_dir().join(format!("snakepit-outside-{}", std::process::id()));
    let project = folder.join("project");
    write_project(&project)?;

    // The workspace's own target folder: the dependencies are the same and built already.
    let target = root().join("target");
    let mut build = cargo_command();
    build
        .current_dir(&project)
        .arg("run")
        .env("CARGO_TARGET_DIR", &target);
    expect(
        "the README's program, in a project outside the workspace",
        &mut build,
    )?;

    let python = output(
        "the interpreter behind `python3`",
        Command::new("python3").args(["-c", "import sys; print(sys.executable)"]),
    )?;
    let alone = folder.join("alone");
    let bridge = alone.join("bridge");
    let mut program = cargo_command();
    program.args([
        "run",
        "-q",
        "-p",
        "snakepit-cli",
        "--",
        "bridge",
        "build",
        "--python",
        &python,
        "--out",
    ]);
    output("snakepit bridge build", program.arg(&bridge))?;

    let binary = alone.join("outside");
    io(
        "copy the binary",
        std::fs::copy(target.join("debug/outside"), &binary),
    )?;
    io(
        "copy the adapter",
        std::fs::copy(project.join("stats.py"), alone.join("stats.py")),
    )?;
    let mut alone_command = Command::new(&binary);
    alone_command
        .current_dir(&alone)
        .env_clear()
        .env("PATH", "/nonexistent")
        .env("SNAKEPIT_PYTHON", &python)
        .env("SNAKEPIT_BRIDGE", &bridge);
    expect("its binary, with only a bridge and Python", &mut alone_command)?;

    io("remove the folder", std::fs::remove_dir_all(&folder))
}

fn write_project(project: &Path) -> Result<(), Failed> {
    let readme = io(
        "read README.md",
        std::fs::read_to_string(root().join("README.md")),
    )?;
    let program =
        code_block(&readme, "rust").ok_or_else(|| Failed("README.md has no Rust program".to_owned()))?;
    let adapter =
        code_block(&readme, "python").ok_or_else(|| Failed("README.md has no adapter".to_owned()))?;
    let snakepit = io("find the facade", root().join("snakepit").canonicalize())?;
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         snakepit = {{ path = \"{}\" }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n[workspace]\n",
        snakepit.display(),
    );
    let files: [(PathBuf, &str); 3] = [
        (project.join("Cargo.toml"), &manifest),
        (project.join("src/main.rs"), program),
        (project.join("stats.py"), adapter),
    ];
    io(
        "make the project's folder",
        std::fs::create_dir_all(project.join("src")),
    )?;
    for (path, text) in files {
        io("write the project", std::fs::write(path, text))?;
    }
    // The versions that the workspace was tested with.
    io(
        "copy Cargo.lock",
        std::fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")),
    )
    .map(drop)
}

/// The first fenced block of this language.
fn code_block<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("```{language}\n"))?;
    Some(rest.split_once("```")?.0)
}

fn expect(what: &str, command: &mut Command) -> Result<(), Failed> {
    let printed = output(what, command)?;
    if printed == PRINTS {
        return Ok(());
    }
    Err(Failed(format!("{what} printed {printed:?} and not {PRINTS:?}")))
}

fn io<T>(what: &str, result: std::io::Result<T>) -> Result<T, Failed> {
    result.map_err(|error| Failed(format!("cannot {what}: {error}")))
}
