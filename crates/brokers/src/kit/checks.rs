//! The documented self-test of a broker, in its order.

use super::failure::Failure;
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

    /// Whether the venue answers at `url`; a refusal is an answer too. `status` is where the venue says whether it is well.
    pub fn reachable<T>(&mut self, url: &str, answer: &Result<T, Failure>, status: &str) -> bool {
        let seen = match answer {
            Err(failure) if !failure.refuses() => {
                let remedy = format!("see that this machine reaches it, and {status}");
                Err(format!("{url}: {}; {remedy}", failure.message))
            }
            _ => Ok(url.to_owned()),
        };
        self.add("API reachable", seen)
    }

    /// How far the clocks are apart, in milliseconds, and what is to be said beside it.
    pub fn skew<T>(
        &mut self,
        venue: &str,
        asked: &Result<T, Failure>,
        skew: Option<i64>,
        most: u64,
        beside: &str,
    ) -> bool {
        let seen = match (asked, skew) {
            (Ok(_), Some(skew)) if skew.unsigned_abs() < most => Ok(format!("{skew} ms{beside}")),
            (Ok(_), Some(skew)) => {
                Err(format!("this machine's clock is {skew} ms behind {venue}'s; set it by NTP"))
            }
            (Err(failure), _) => Err(format!("{venue}'s time is not known: {}", failure.message)),
            (Ok(_), None) => Err(format!("{venue}'s time is not known; ask again")),
        };
        self.add("time skew", seen)
    }

    /// The lines.
    #[must_use]
    pub fn done(self) -> Vec<Check> {
        self.0
    }
}
