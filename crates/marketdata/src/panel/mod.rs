//! Universe panels for research: bars of any source become arrays of time by instrument (docs/panel.md).
//!
//! No step looks ahead and none fills silently. A row is made of the bars that end at its instant; who was a member and which
//! actions count is decided by what was known then; what is carried forward is asked for and marked.

mod adjust;
mod builder;
mod csv;
mod fill;
mod membership;
mod rows;

pub use adjust::{AdjustError, Adjustment, adjust};
pub use builder::{BuildError, Limits, PanelBuilder, Revisions};
pub use csv::{long_bars, read_long, read_wide, wide_bars};
pub use fill::ffill;
pub use membership::Membership;
pub use rows::Rows;
