//! Carrying closes forward, on request.

use mts_foundation::UniversePanel;
use mts_foundation::panel::PanelError;
use ndarray::{Array2, Zip};

/// What was last seen of one instrument.
#[derive(Debug, Clone, Copy)]
struct Seen {
    close: f64,
    /// Rows since.
    age: usize,
}

/// Carries each close forward over at most `limit` rows without one, and marks every such cell in
/// [`UniversePanel::filled`]. Only closes are carried: a price that is carried is a mark, not a bar, so that open, high, low
/// and volume stay missing. Cells that were carried before do not count as seen. Adjust before filling.
///
/// # Errors
/// None that a panel from a builder can meet.
pub fn ffill(mut panel: UniversePanel, limit: usize) -> Result<UniversePanel, PanelError> {
    let (rows, columns) = panel.shape();
    let mut filled = panel.filled().cloned().unwrap_or_else(|| Array2::from_elem((rows, columns), false));
    let mut seen = vec![Seen { close: f64::NAN, age: 0 }; columns];
    for (mut closes, mut marks) in panel.close_mut().outer_iter_mut().zip(filled.outer_iter_mut()) {
        Zip::from(&mut closes).and(&mut marks).and(&mut seen[..]).for_each(|close, mark, seen| {
            if !close.is_nan() && !*mark {
                *seen = Seen { close: *close, age: 0 };
                return;
            }
            seen.age = seen.age.saturating_add(1);
            if close.is_nan() && seen.age <= limit && !seen.close.is_nan() {
                *close = seen.close;
                *mark = true;
            }
        });
    }
    panel.with_filled(filled)
}
