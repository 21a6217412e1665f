//! `snakepit tools`: what an adapter offers.

use clap::Args;

use crate::report;
use crate::source::{Source, ready_pool};

/// List the tools of a pool's adapter with their signatures.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Pool to ask [default: the first one]
    #[arg(long)]
    pool: Option<String>,
}

/// Runs the command and returns its exit code.
pub(crate) async fn run(arguments: Arguments) -> u8 {
    let work = async |pit: &snakepit::Snakepit| {
        let lines = list(pit, arguments.pool.as_deref()).await?;
        Ok(report::data(&lines.join("\n")))
    };
    arguments.source.serve(work).await
}

async fn list(pit: &snakepit::Snakepit, pool: Option<&str>) -> Result<Vec<String>, snakepit::Error> {
    let pool = ready_pool(pit, pool).await?;
    let facts = pool.worker_handles().into_iter().find_map(|worker| worker.facts);
    let tools = facts.iter().flat_map(|facts| &facts.tools);
    Ok(tools
        .map(|tool| {
            let summary = if tool.summary.is_empty() {
                String::new()
            } else {
                format!("\n    {}", tool.summary)
            };
            format!("{}{}{summary}", tool.name, tool.signature)
        })
        .collect())
}
