//! `snakepit doctor`: what this machine offers, and what is missing.

use std::fmt;

use clap::Args;
use serde::Serialize;
use snakepit::pyenv::{self, Interpreter};

use crate::report;

/// Tell which interpreter would be used, what it can do, and whether everything else is there.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Interpreter to look at [default: the one that is found]
    #[arg(long, value_name = "PATH")]
    python: Option<std::path::PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Runs the command and returns its exit code: 2 where something is missing.
pub(crate) async fn run(arguments: Arguments) -> u8 {
    let json = arguments.json;
    let Ok(findings) = tokio::task::spawn_blocking(move || examine(arguments.python)).await else {
        return report::REFUSED;
    };
    let text = if json {
        format!("{:#}", serde_json::json!(findings))
    } else {
        findings
            .iter()
            .map(Finding::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    match report::data(&text) {
        report::DONE if findings.iter().any(|finding| !finding.ok) => report::USAGE,
        code => code,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.ok { "ok" } else { "missing" };
        write!(f, "{state:<8}{}: {}", self.what, self.found)?;
        match &self.hint {
            Some(hint) => write!(f, "\n        hint: {hint}"),
            None => Ok(()),
        }
    }
}

fn examine(python: Option<std::path::PathBuf>) -> Vec<Finding> {
    let explicit = python.map(|path| snakepit::ExplicitPython {
        path,
        named_by: "--python".to_owned(),
    });
    let mut findings = Vec::new();
    match pyenv::find(explicit.as_ref()) {
        Ok(interpreter) => {
            findings.extend(interpreter_findings(&interpreter));
            findings.push(bridge_finding(&interpreter));
        }
        Err(error) => findings.push(Finding {
            what: "interpreter",
            ok: false,
            found: error.to_string(),
            hint: error.hint(),
        }),
    }
    findings.push(host_finding());
    findings
}

fn interpreter_findings(interpreter: &Interpreter) -> Vec<Finding> {
    let facts = &interpreter.facts;
    let fact = |what, found| Finding {
        what,
        ok: true,
        found,
        hint: None,
    };
    vec![
        fact(
            "interpreter",
            format!(
                "{} {} at {}",
                facts.implementation,
                facts.version,
                interpreter.path.display()
            ),
        ),
        fact("chosen by", interpreter.origin.to_string()),
        fact(
            "free-threaded build",
            if facts.free_threaded { "yes" } else { "no" }.to_owned(),
        ),
        fact("GIL", if facts.gil_enabled { "on" } else { "off" }.to_owned()),
        fact("recommended profile", facts.recommended_profile().to_string()),
    ]
}

fn bridge_finding(interpreter: &Interpreter) -> Finding {
    match pyenv::bridge_status(interpreter) {
        Ok(found) => Finding {
            what: "bridge",
            ok: true,
            found,
            hint: None,
        },
        Err(error) => Finding {
            what: "bridge",
            ok: false,
            found: error.to_string(),
            hint: error.hint(),
        },
    }
}

/// Makes the private folder and socket that every pit needs, and tells how workers are tied to their host's life.
fn host_finding() -> Finding {
    match snakepit::Host::bind() {
        Ok(host) => Finding {
            what: "lifeline",
            ok: true,
            found: lifeline(host.lifeline()).to_owned(),
            hint: None,
        },
        Err(error) => Finding {
            what: "run directory",
            ok: false,
            found: error.to_string(),
            hint: error.hint().map(str::to_owned),
        },
    }
}

fn lifeline(lifeline: snakepit::Lifeline) -> &'static str {
    match lifeline {
        snakepit::Lifeline::Kernel => {
            "the kernel ends every worker and its process group if this program dies"
        }
        snakepit::Lifeline::EndOfFile => {
            "workers end themselves if this program dies; one that is stopped can remain, since this kernel sends no signal"
        }
    }
}
