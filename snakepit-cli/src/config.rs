//! `snakepit config`: a configuration, looked at without starting anything.

use clap::Subcommand;

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
        Ok(plans) => {
            for plan in plans {
                let settings = &plan.settings;
                report::data(&format!(
                    "{}: {} {} × {}, adapter {}, Python {} ({})",
                    settings.name,
                    settings.pool_size,
                    if settings.pool_size.get() == 1 {
                        "worker"
                    } else {
                        "workers"
                    },
                    plan.slots(),
                    settings.adapter,
                    plan.interpreter.facts.version,
                    plan.interpreter.path.display(),
                ));
            }
            report::DONE
        }
        Err(error) => report::error(&error),
    }
}
