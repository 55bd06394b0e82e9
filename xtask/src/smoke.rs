//! The run that must work for everybody, in every profile.

use serde_json::Value;

use crate::console;
use crate::error::{Error, Result};
use crate::folder::EmptyFolder;
use crate::process::Program;
use crate::steps::Outcome;
use crate::workspace;

/// The run that must work for everybody.
const EXAMPLE: &str = "examples/momentum.toml";

/// That of the strategy that `mts new strategy` writes, by the program that `tests` makes of it.
const OWN_STRATEGY: &str = "examples/own_strategy/own_strategy.toml";

/// What it must give, in every profile.
const GOLDEN: &str = "tests/golden/momentum.json";

/// What `mts run --json` promises at least.
const RESULT_KEYS: &[&str] =
    &["state_hash", "final_nav", "orders", "fills", "rejections", "events", "seconds"];

/// The README's first command, into a folder of its own, with each of these profiles.
pub(crate) fn check(profiles: &[&str]) -> Result<Outcome> {
    let golden = std::fs::read_to_string(workspace::root().join(GOLDEN))
        .map_err(|error| Error::failed(format!("{GOLDEN} cannot be read: {error}; restore it")))?;
    for profile in profiles {
        let folder = EmptyFolder::new("ci")?;
        let out = folder.path().display().to_string();
        let program = Program::file(&workspace::built(profile, "mts"));
        let text = program.args(["run", EXAMPLE, "--out", &out, "--json"]).output()?;
        console::out(summary(&text)?);
        same_as_golden(&text, &golden)
            .map_err(|error| Error::failed(format!("the {profile} build differs: {error}")))?;
    }
    let folder = EmptyFolder::new("ci")?;
    let out = folder.path().display().to_string();
    let program = Program::file(&workspace::built("debug", "own_strategy"));
    let text = program.args(["run", OWN_STRATEGY, "--out", &out, "--json"]).output()?;
    console::out(summary(&text)?);
    Ok(Outcome::Passed)
}

/// Whether a result has every value of the golden one.
fn same_as_golden(result: &str, golden: &str) -> Result<()> {
    let parse = |text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| Error::failed(format!("no JSON object: {error}")))
    };
    let (result, golden) = (parse(result)?, parse(golden)?);
    let wanted = golden.as_object().filter(|wanted| !wanted.is_empty());
    let Some(wanted) = wanted else {
        return Err(Error::failed(format!("{GOLDEN} holds nothing to compare with; restore it")));
    };
    for (key, value) in wanted {
        if result.get(key) != Some(value) {
            let found = result.get(key).cloned().unwrap_or(Value::Null);
            return Err(Error::failed(format!(
                "{key} is {found}, {GOLDEN} has {value}: all profiles must agree"
            )));
        }
    }
    Ok(())
}

/// The promised part of a result, as one line; an error if something is missing.
pub(crate) fn summary(text: &str) -> Result<String> {
    let result: Value = serde_json::from_str(text).map_err(|error| {
        Error::failed(format!("`mts run --json` must print one JSON object and nothing else: {error}"))
    })?;
    let missing: Vec<&str> = RESULT_KEYS.iter().copied().filter(|key| result.get(key).is_none()).collect();
    if !missing.is_empty() {
        return Err(Error::failed(format!("the result of `mts run --json` lacks {}", missing.join(", "))));
    }
    let number = |key: &str| result.get(key).and_then(Value::as_u64).unwrap_or(0);
    if number("orders") == 0 || number("fills") == 0 {
        return Err(Error::failed(format!("{EXAMPLE} must trade: its result has no orders or no fills")));
    }
    let pairs = RESULT_KEYS.iter().filter_map(|key| Some(format!("{key}={}", result.get(key)?)));
    Ok(pairs.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_must_hold_what_was_promised() {
        let good = r#"{"state_hash":"ab","final_nav":"1.00","orders":2,"fills":2,"rejections":0,"events":9,"seconds":0.1}"#;
        assert_eq!(
            summary(good).unwrap(),
            r#"state_hash="ab" final_nav="1.00" orders=2 fills=2 rejections=0 events=9 seconds=0.1"#
        );
        let idle = good.replace("\"fills\":2", "\"fills\":0");
        assert!(summary(&idle).unwrap_err().to_string().contains("must trade"));
        let poor = good.replace("state_hash", "hash");
        assert_eq!(
            summary(&poor).unwrap_err().to_string(),
            "the result of `mts run --json` lacks state_hash"
        );
        assert!(summary("loading…\n{}").is_err());
    }

    #[test]
    fn every_value_of_the_golden_result_counts() {
        let golden = r#"{"state_hash":"ab","fills":2}"#;
        assert!(same_as_golden(r#"{"state_hash":"ab","fills":2,"seconds":1}"#, golden).is_ok());
        let error = same_as_golden(r#"{"state_hash":"cd","fills":2}"#, golden).unwrap_err().to_string();
        assert!(error.contains("state_hash"), "{error}");
        assert!(same_as_golden("{}", "{}").is_err());
    }
}
