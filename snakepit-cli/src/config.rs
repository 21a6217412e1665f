//! `snakepit config`: a configuration, looked at without starting anything.

use clap::Subcommand;
use snakepit::PoolPlan;

use crate::report;
use crate::source::Source;

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a configuration and its interpreters; every mistake is reported at once.
    Check {
        #[command(flatten)]
        source: Source,
    },
}

/// Runs the command and returns its exit code.
pub(crate) async fn run(command: Command) -> u8 {
    let Command::Check { source } = command;
    let builder = match source.builder() {
        Ok(builder) => builder,
        Err(message) => {
            report::message(&message);
            return report::USAGE;
        }
    };
    match builder.plan().await {
        Ok(plans) => report::data(&plans.iter().map(line).collect::<Vec<_>>().join("\n")),
        Err(error) => report::error(&error),
    }
}

fn line(plan: &PoolPlan) -> String {
    let PoolPlan {
        settings,
        interpreter,
        ..
    } = plan;
    let (workers, slots) = (settings.pool_size.get(), plan.slots());
    let plural = |count| if count == 1 { "" } else { "s" };
    format!(
        "{}: {} profile, {workers} worker{} of {slots} slot{}, adapter {}, Python {} ({})",
        settings.name,
        plan.profile(),
        plural(workers),
        plural(slots),
        settings.adapter,
        interpreter.facts.version,
        interpreter.path.display(),
    )
}
