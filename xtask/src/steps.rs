//! A job made of steps: each has a name and a time, all of them run, and a table at the end says how it went.

use crate::console;
use crate::error::{Error, Result};
use crate::process::Stopwatch;
use crate::workspace;

/// How a step ended when nothing stood in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Passed,
    /// The step could not run here, and that is no fault; the reason.
    Skipped(String),
}

impl Outcome {
    /// A step whose tool is not installed: skipped, but a failure in CI.
    pub(crate) fn without(tool: &str, install: &str) -> Result<Self> {
        Self::not_here(format!("{tool} is not installed: {install}"))
    }

    /// A step that this machine cannot take: skipped, but a failure in CI.
    pub(crate) fn not_here(sentence: String) -> Result<Self> {
        if workspace::is_ci() { Err(Error::failed(sentence)) } else { Ok(Self::Skipped(sentence)) }
    }
}

#[derive(Debug)]
struct Step {
    name: String,
    seconds: f64,
    result: std::result::Result<Outcome, String>,
}

/// The steps of a job, in the order in which they ran.
#[derive(Debug)]
pub(crate) struct Steps {
    job: &'static str,
    done: Vec<Step>,
}

impl Steps {
    /// A job without steps yet.
    pub(crate) fn new(job: &'static str) -> Self {
        Self { job, done: Vec::new() }
    }

    /// Runs a step. A failure is shown and remembered; the next step runs all the same.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) {
        console::err(format_args!("== {}: {name}", self.job));
        let watch = Stopwatch::start();
        let result = run().map_err(|error| error.to_string());
        let step = Step { name: name.to_owned(), seconds: watch.seconds(), result };
        let line = format!("{}: {name}: {} ({:.1} s)", self.job, step.word(), step.seconds);
        match &step.result {
            Ok(Outcome::Passed) => console::err(line),
            Ok(Outcome::Skipped(reason)) | Err(reason) => console::err(format_args!("{line}\n{reason}")),
        }
        self.done.push(step);
    }

    /// The names of the steps that failed.
    fn failed(&self) -> Vec<&str> {
        self.done.iter().filter(|step| step.result.is_err()).map(|step| step.name.as_str()).collect()
    }

    /// Step, seconds and result of each, and the total.
    fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0).max("total".len());
        let mut lines = vec![format!("{:width$}  {:>8}  result", self.job, "seconds")];
        for step in &self.done {
            lines.push(format!("{:width$}  {:>8.1}  {}", step.name, step.seconds, step.word()));
        }
        let total: f64 = self.done.iter().map(|step| step.seconds).sum();
        let result = if self.failed().is_empty() { "passed" } else { "FAILED" };
        lines.push(format!("{:width$}  {total:>8.1}  {result}", "total"));
        lines.join("\n")
    }

    /// Prints the table, and fails with the names of the steps that failed.
    pub(crate) fn finish(&self) -> Result<()> {
        console::out(format_args!("\n{}", self.table()));
        let failed = self.failed();
        if failed.is_empty() {
            return Ok(());
        }
        let first = self.done.iter().find_map(|step| step.result.as_ref().err());
        let first = first.and_then(|text| text.lines().next()).unwrap_or_default();
        Err(Error::failed(format!("{} failed in {}: {first}", self.job, failed.join(", "))))
    }
}

impl Step {
    fn word(&self) -> &'static str {
        match self.result {
            Ok(Outcome::Passed) => "passed",
            Ok(Outcome::Skipped(_)) => "skipped",
            Err(_) => "FAILED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_runs_and_the_job_fails_at_the_end() {
        let mut steps = Steps::new("job");
        let mut ran = Vec::new();
        steps.step("one", || Ok(Outcome::Passed));
        steps.step("two", || Err(Error::failed("broken: mend it")));
        steps.step("three", || {
            ran.push("three");
            Ok(Outcome::Skipped("no tool".to_owned()))
        });
        assert_eq!(ran, ["three"]);
        let table = steps.table();
        for row in ["one", "two", "three", "total"] {
            assert!(table.lines().any(|line| line.starts_with(row)), "{table}");
        }
        assert!(table.contains("FAILED"), "{table}");
        assert_eq!(steps.finish().unwrap_err().to_string(), "job failed in two: broken: mend it");
    }

    #[test]
    fn a_skipped_step_is_no_failure() {
        let mut steps = Steps::new("job");
        steps.step("one", || Ok(Outcome::Skipped("no tool".to_owned())));
        assert!(steps.finish().is_ok());
    }
}
