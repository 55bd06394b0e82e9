//! The documented self-test of a broker, in its order.

use mts_foundation::broker::Check;
use smol_str::SmolStr;

/// Collects the lines of a self-test.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// Adds a line: what was seen, or what is wrong and the way out. Returns whether it is well.
    pub fn add(&mut self, name: &'static str, seen: Result<String, String>) -> bool {
        let ok = seen.is_ok();
        let detail = seen.unwrap_or_else(|wrong| wrong);
        self.0.push(Check { name: SmolStr::new_static(name), ok, detail });
        ok
    }

    /// The lines.
    #[must_use]
    pub fn done(self) -> Vec<Check> {
        self.0
    }
}
