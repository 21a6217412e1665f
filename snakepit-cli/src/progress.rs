//! Progress of a bridge build, on stderr.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use snakepit::pyenv::Progress;

/// A spinner with cargo's last line behind it; plain lines where stderr is no terminal.
#[derive(Default)]
pub(crate) struct BuildProgress(Mutex<Option<ProgressBar>>);

impl BuildProgress {
    fn with<R>(&self, act: impl FnOnce(&mut Option<ProgressBar>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Progress for BuildProgress {
    fn started(&self, what: &str) {
        let bar = ProgressBar::new_spinner();
        if bar.is_hidden() {
            anstream::eprintln!("{what}");
            return;
        }
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} ({elapsed})  {wide_msg:.dim}") {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        self.with(|current| *current = Some(bar));
    }

    fn line(&self, line: &str) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.set_message(line.to_owned());
            }
        });
    }

    fn finished(&self, _: bool) {
        if let Some(bar) = self.with(Option::take) {
            bar.finish_and_clear();
        }
    }
}
