//! What long work shows: a spinner on a terminal, a line a step elsewhere.
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A step that is under way; ends when it is finished or dropped.
#[derive(Debug)]
pub struct Step {
    bar: Option<ProgressBar>,
    what: String,
    since: Instant,
}

/// Begins a step: `what` reads like "fetching linux-image-armmp".
pub fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}");
        let bar = ProgressBar::new_spinner().with_message(what.clone());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    });
    Step {
        bar,
        what,
        since: Instant::now(),
    }
}

impl Step {
    /// The step is done: leaves one line with the time it took.
    pub fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.since.elapsed().as_secs_f64();
        anstream::eprintln!("\u{1b}[32m  ok\u{1b}[0m {} ({seconds:.1} s)", self.what);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Something that the user should know, and that is no error.
pub fn note(what: &str) {
    anstream::eprintln!("\u{1b}[33mnote:\u{1b}[0m {what}");
}
