//! `cargo xtask mutants`: do the tests of a crate notice when its code is changed? cargo-mutants changes it, one place at a time.

use crate::console;
use crate::error::{Error, Result};
use crate::folder::EmptyFolder;
use crate::process::Program;
use crate::steps::Outcome;
use serde_json::{Value, json};

pub(crate) const HELP: &str = "\
usage: cargo xtask mutants [--package P] [--shard K/N] [--floor PERCENT] [--json]

Changes the code of a crate in one place after the other (cargo-mutants) and runs that crate's own tests against each change,
in a copy of the repository, one at a time. Prints how many changes were caught, missed, did not compile and ran out of time,
the places that were missed, and the score: caught or out of time, of those that compile. Below the floor the exit code is 1.

  --package P        mts-riskengine or mts-engine; both unless given
  --shard K/N        every Nth change, beginning with the Kth, K from 0; all of them take hours
  --floor PERCENT    lowest score; that of the package unless given
  --json             one JSON object on a line of its own in place of the table";

/// A package and what its tests must catch.
struct Subject {
    package: &'static str,
    /// Lowest score, per cent.
    floor: f64,
    /// The sample that `ci --full` takes: a quarter of an hour for both, on two cores.
    sample: &'static str,
}

const SUBJECTS: &[Subject] = &[
    // Two thirds of a first sample; raise them as survivors fall, towards the 95 of reliability.md R12.
    Subject { package: "mts-riskengine", floor: 65.0, sample: "0/60" },
    Subject { package: "mts-engine", floor: 65.0, sample: "0/60" },
];

/// Longest time of the tests against one change, in seconds; many times what they need.
const PATIENCE: &str = "300";

/// The version that CI installs.
const INSTALL: &str = "run `cargo install --locked cargo-mutants@27.1.0`";

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
struct Plan {
    package: Option<&'static str>,
    shard: Option<String>,
    floor: Option<f64>,
    json: bool,
}

/// How it went for one package.
#[derive(Debug, Default, PartialEq)]
struct Score {
    caught: u64,
    missed: u64,
    unviable: u64,
    timeout: u64,
    /// The changes that no test noticed.
    places: Vec<String>,
}

impl Score {
    /// Per cent of the changes that compile; `None` where there was none.
    fn percent(&self) -> Option<f64> {
        let noticed = self.caught + self.timeout;
        let all = noticed + self.missed;
        (all > 0).then(|| 100.0 * noticed as f64 / all as f64)
    }

    /// From what cargo-mutants writes: `outcomes.json` and `missed.txt`.
    fn read(outcomes: &str, missed: &str) -> Result<Self> {
        let unreadable = |what: &str| {
            Error::failed(format!(
                "outcomes.json of cargo-mutants {what}: {INSTALL}, the version that is known"
            ))
        };
        let value: Value = serde_json::from_str(outcomes).map_err(|error| unreadable(&error.to_string()))?;
        let count = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_u64)
                .ok_or_else(|| unreadable(&format!("has no number {name:?}")))
        };
        Ok(Self {
            caught: count("caught")?,
            missed: count("missed")?,
            unviable: count("unviable")?,
            timeout: count("timeout")?,
            places: missed.lines().map(str::to_owned).collect(),
        })
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let plan = parse(arguments)?;
    if !is_installed() {
        return Err(Error::failed(format!("cargo-mutants is not installed: {INSTALL}")));
    }
    let mut good = true;
    for subject in SUBJECTS.iter().filter(|subject| plan.package.is_none_or(|only| only == subject.package)) {
        let shard = plan.shard.as_deref();
        good &= measure(subject, shard, plan.floor.unwrap_or(subject.floor), plan.json)?;
    }
    Ok(u8::from(!good))
}

/// The samples of `ci --full`.
pub(crate) fn check() -> Result<Outcome> {
    if !is_installed() {
        return Outcome::without("cargo-mutants", INSTALL);
    }
    let mut low = Vec::new();
    for subject in SUBJECTS {
        if !measure(subject, Some(subject.sample), subject.floor, false)? {
            low.push(subject.package);
        }
    }
    if low.is_empty() {
        return Ok(Outcome::Passed);
    }
    Err(Error::failed(format!(
        "the mutation score of {} is below its floor: test what the missed changes alter",
        low.join(" and ")
    )))
}

fn is_installed() -> bool {
    Program::cargo(["mutants", "--version"]).works()
}

/// Whether the score of a package reaches the floor.
fn measure(subject: &Subject, shard: Option<&str>, floor: f64, json: bool) -> Result<bool> {
    let folder = EmptyFolder::new("mutants")?;
    let out = folder.path().display().to_string();
    let mut program = Program::cargo(["mutants", "--package", subject.package, "--output", &out]);
    // Its tests build small worlds and take seconds; those of other packages would catch more and take minutes a change.
    program = program.args(["--jobs", "1", "--timeout", PATIENCE, "--colors", "never"]);
    // What a person sees in a debugger is nobody's contract.
    program = program.args(["--exclude-re", "impl (std::)?fmt::Debug"]);
    if let Some(shard) = shard {
        program = program.args(["--sharding", "round-robin", "--shard", shard]);
    }
    // One process a test program: nextest starts one a test, which takes longer than these tests. The soak waits for its time
    // to pass whatever the code does.
    let code = program.args(["--", "--tests", "--", "--skip", "it_runs_at_full_rate"]).run_for_code()?;
    // 2: some were missed, 3: some ran out of time. Others are faults of the run.
    if !matches!(code, 0 | 2 | 3) {
        return Err(Error::failed(format!(
            "cargo-mutants ended with code {code}: its own output above says why"
        )));
    }
    let text = |name: &str| {
        let path = folder.path().join("mutants.out").join(name);
        std::fs::read_to_string(&path).map_err(|error| {
            Error::failed(format!("{} cannot be read: {error}; run it again", path.display()))
        })
    };
    let score = Score::read(&text("outcomes.json")?, &text("missed.txt")?)?;
    let percent = score.percent().ok_or_else(|| {
        Error::failed(format!("no change of {} compiles in this sample: choose another", subject.package))
    })?;
    if json {
        console::out(as_json(subject.package, shard, &score, percent, floor));
    } else {
        console::out(as_table(subject.package, shard, &score, percent, floor));
    }
    Ok(percent >= floor)
}

fn as_json(package: &str, shard: Option<&str>, score: &Score, percent: f64, floor: f64) -> Value {
    json!({ "package": package, "shard": shard, "caught": score.caught, "missed": score.missed,
        "unviable": score.unviable, "timeout": score.timeout, "score_percent": percent, "floor_percent": floor,
        "missed_changes": score.places })
}

fn as_table(package: &str, shard: Option<&str>, score: &Score, percent: f64, floor: f64) -> String {
    let mut lines: Vec<String> = score.places.iter().map(|place| format!("missed: {place}")).collect();
    lines.push(format!(
        "{package}, shard {}: {} caught, {} missed, {} do not compile, {} out of time; score {percent:.1} %, at least {floor}",
        shard.unwrap_or("0/1"),
        score.caught,
        score.missed,
        score.unviable,
        score.timeout
    ));
    lines.join("\n")
}

fn parse(arguments: &[String]) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().map(String::as_str).unwrap_or_default();
        match argument.as_str() {
            "--json" => plan.json = true,
            "--package" => {
                let wanted = value();
                let found = SUBJECTS.iter().find(|subject| subject.package == wanted);
                let names: Vec<&str> = SUBJECTS.iter().map(|subject| subject.package).collect();
                let unknown =
                    || Error::usage(format!("--package is {wanted:?}: write one of {}", names.join(", ")));
                plan.package = Some(found.ok_or_else(unknown)?.package);
            }
            "--shard" => {
                let text = value();
                if !is_shard(text) {
                    return Err(Error::usage(format!(
                        "--shard is {text:?}: write K/N with K from 0 and below N"
                    )));
                }
                plan.shard = Some(text.to_owned());
            }
            "--floor" => {
                let text = value();
                let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
                let wrong = || Error::usage(format!("--floor is {text:?}: write a number from 0 to 100"));
                plan.floor = Some(percent.ok_or_else(wrong)?);
            }
            _ => return Err(Error::usage(format!("mutants has no option {argument:?}: see --help"))),
        }
    }
    Ok(plan)
}

fn is_shard(text: &str) -> bool {
    let numbers =
        text.split_once('/').and_then(|(k, n)| Some((k.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
    numbers.is_some_and(|(k, n)| k < n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Plan> {
        parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_before_hours_of_work() {
        let plan =
            parsed(&["--package", "mts-engine", "--shard", "3/40", "--floor", "75.5", "--json"]).unwrap();
        let shard = Some("3/40".to_owned());
        assert_eq!(plan, Plan { package: Some("mts-engine"), shard, floor: Some(75.5), json: true });
        assert_eq!(parsed(&[]).unwrap(), Plan::default());
        for wrong in [
            &["--package", "mts-cli"][..],
            &["--shard", "4/4"],
            &["--shard", "1"],
            &["--floor", "101"],
            &["--floor", "NaN"],
            &["--jobs"],
        ] {
            assert_eq!(parsed(wrong).unwrap_err().code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn the_score_is_of_what_compiles() {
        let outcomes = r#"{"total_mutants":20,"caught":14,"missed":3,"unviable":2,"timeout":1,"success":0}"#;
        let score = Score::read(outcomes, "a.rs:1:2: replace x\nb.rs:3:4: replace y\n").unwrap();
        assert_eq!(score.places.len(), 2);
        assert!((score.percent().unwrap() - 100.0 * 15.0 / 18.0).abs() < 1e-9);
        assert_eq!(Score { unviable: 5, ..Score::default() }.percent(), None);
        let error = Score::read(r#"{"caught":14}"#, "").unwrap_err().to_string();
        assert!(error.contains("\"missed\""), "{error}");
        let said = as_table("mts-engine", None, &score, 83.3, 80.0);
        assert!(
            said.ends_with("14 caught, 3 missed, 2 do not compile, 1 out of time; score 83.3 %, at least 80"),
            "{said}"
        );
    }

    #[test]
    fn samples_are_shards() {
        assert!(SUBJECTS.iter().all(|subject| is_shard(subject.sample) && subject.floor > 0.0));
    }
}
