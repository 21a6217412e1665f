//! `snakepit call`: one call, its result as JSON on stdout.

use std::io::Read as _;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use snakepit::Snakepit;

use crate::report;
use crate::source::{Source, ready_pool};

mod json;

/// Most bytes that are read from standard input.
const INPUT_MAX: u64 = 64 * 1024 * 1024;

/// Call one tool and print its result as JSON.
///
/// Bytes are printed as an array of numbers, NaN and infinities as null. What the adapter prints goes to stderr.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Pool to call [default: the first one]
    #[arg(long)]
    pool: Option<String>,
    /// Make the call part of this session
    #[arg(long)]
    session: Option<String>,
    /// Give the call this long, like `5s` or `2m` [default: the pool's `call_timeout`]
    #[arg(long, value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Name of the tool
    tool: String,
    /// Keyword arguments as a JSON object, or `-` to read it from standard input
    #[arg(default_value = "{}", value_name = "JSON")]
    values: String,
}

/// Runs the command and returns its exit code.
pub(crate) async fn run(arguments: Arguments) -> u8 {
    let values = match keyword_arguments(&arguments.values) {
        Ok(values) => values,
        Err(message) => {
            report::message(&message);
            report::hint(
                r#"give a JSON object of keyword arguments, like '{"values": [1, 2, 3]}', or - for standard input"#,
            );
            return report::USAGE;
        }
    };
    let work = async |pit: &Snakepit| {
        let json::Printable(value) = call(pit, &arguments, values).await?;
        Ok(report::data(&value.to_string()))
    };
    arguments.source.serve(work).await
}

async fn call(
    pit: &Snakepit,
    arguments: &Arguments,
    values: Map<String, Value>,
) -> Result<json::Printable, snakepit::Error> {
    ready_pool(pit, arguments.pool.as_deref()).await?;

    let mut call = pit.call(&arguments.tool).args(&values);
    if let Some(pool) = &arguments.pool {
        call = call.pool(pool);
    }
    if let Some(session) = &arguments.session {
        call = call.session(session.as_str());
    }
    if let Some(timeout) = arguments.timeout {
        call = call.timeout(timeout);
    }
    call.await
}

fn keyword_arguments(given: &str) -> Result<Map<String, Value>, String> {
    let text = if given == "-" {
        standard_input()?
    } else {
        given.to_owned()
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(other) => Err(format!(
            "the arguments are {}, not a JSON object",
            json::kind(&other)
        )),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

fn standard_input() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(INPUT_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the arguments from standard input: {error}"))?;
    if text.len() as u64 > INPUT_MAX {
        return Err(format!("standard input holds more than {INPUT_MAX} bytes"));
    }
    Ok(text)
}
