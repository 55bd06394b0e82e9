//! The script of a double: what goes wrong, and when.
//!
//! ```toml
//! [[step]]
//! at = "2s"                                   # after the start
//! act = { stream = "cut" }
//!
//! [[step]]
//! after = { call = "submit", count = 3 }      # once so many requests of a kind have come
//! act = { call = { call = "submit", fault = "answer_lost", times = 1 } }
//! ```

use crate::error::{CliError, ExitKind};
use mts_foundation::double::{Act, Call, VenueDouble};
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// The steps that are still to come.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    #[serde(default)]
    step: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    after: Option<After>,
    act: Act,
    /// Read from `at`.
    #[serde(skip)]
    due: Duration,
}

/// So many requests of a kind.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    call: Call,
    count: u64,
}

impl Script {
    /// Reads a script.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let wrong = |why: String| {
            CliError::new(ExitKind::Config, format!("--script is {}, which {why}", path.display()))
        };
        let text =
            std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut script: Self = toml::from_str(text).map_err(|error| format!("is no script: {error}"))?;
        for (place, step) in script.step.iter_mut().enumerate() {
            let number = place + 1;
            match (&step.at, step.after) {
                (Some(at), None) => {
                    step.due = seconds(at).ok_or_else(|| {
                        format!("has at = {at:?} in step {number}; write seconds or milliseconds, such as \"2s\" or \"250ms\"")
                    })?;
                }
                (None, Some(_)) => {}
                _ => return Err(format!("has not exactly one of at and after in step {number}; give one")),
            }
        }
        Ok(script)
    }

    /// Does what is due; a line for each.
    pub(super) fn run(&mut self, double: &dyn VenueDouble, elapsed: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        self.step.retain(|step| {
            let due = match step.after {
                Some(after) => double.calls(after.call) >= after.count,
                None => elapsed >= step.due,
            };
            if due {
                lines.push(match double.act(&step.act) {
                    Ok(()) => format!("script: {:?}", step.act),
                    Err(error) => format!("script: {:?} is not possible: {error}", step.act),
                });
            }
            !due
        });
        lines
    }
}

/// `2s`, `1.5s` or `250ms`.
fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    Duration::try_from_secs_f64(number.trim().parse::<f64>().ok()? * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::double::{CallFault, StreamFault};

    #[test]
    fn a_script_says_what_goes_wrong_and_when() {
        let script = Script::parse(
            "[[step]]\nat = \"1.5s\"\nact = { stream = \"cut\" }\n\n[[step]]\nafter = { call = \"submit\", count = 3 }\n\
             act = { call = { call = \"submit\", fault = { down = { status = 503 } }, times = 2 } }\n",
        )
        .unwrap();
        let [cut, down] = &script.step[..] else { unreachable!("two steps were written") };
        assert_eq!((cut.due, &cut.act), (Duration::from_millis(1_500), &Act::Stream(StreamFault::Cut)));
        let fault = CallFault::Down { status: 503 };
        assert_eq!(down.act, Act::Call { call: Call::Submit, fault, times: 2 });
    }

    #[test]
    fn a_script_that_cannot_be_followed_is_refused_with_the_step() {
        let refused = |text: &str| Script::parse(text).unwrap_err();
        assert!(refused("[[step]]\nact = { stream = \"cut\" }\n").contains("step 1; give one"));
        assert!(refused("[[step]]\nat = \"soon\"\nact = { stream = \"cut\" }\n").contains("at = \"soon\""));
        assert!(refused("[[step]]\nat = \"1s\"\nact = { stream = \"slow\" }\n").contains("slow"));
    }
}
