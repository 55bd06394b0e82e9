//! Progress on the error stream, where somebody looks at it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar over so many things, of which the number may be unknown; hidden where the answer is JSON or nobody looks.
pub(crate) fn bar(total: Option<u64>, things: &str, json: bool) -> ProgressBar {
    let visible = !json && std::io::stderr().is_terminal();
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target);
    let count = if total.is_some() { "{bar:40} {pos}/{len}" } else { "{spinner} {pos}" };
    match ProgressStyle::with_template(&format!("{count} {things}  {{per_sec}}  {{msg}}")) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
