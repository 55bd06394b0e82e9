//! What a suite found: the same shape for every suite.

use serde::Serialize;
use std::fmt::{self, Write as _};

/// One numbered requirement of a suite. Ids are stable: never renamed, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Such as `GATE-01`.
    pub id: &'static str,
    /// Counts what the case asks for: a stricter one of the same id has a higher version.
    pub version: u32,
    /// What is asked for, in a sentence.
    pub requirement: &'static str,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was found.
    Passed,
    /// The notes say what is wrong.
    Failed,
    /// Not tried; the notes say why.
    Skipped,
}

impl Outcome {
    /// The wire spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// A case with its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// Which.
    #[serde(flatten)]
    pub case: Case,
    /// How it ended.
    pub outcome: Outcome,
    /// How many questions it looked at.
    pub questions: usize,
    /// What is wrong, or why it was skipped; at most [`CaseReport::MOST_NOTES`] and one that counts the rest.
    pub notes: Vec<String>,
}

impl CaseReport {
    /// Most notes of one case that are kept word by word.
    pub const MOST_NOTES: usize = 3;

    /// A case that looked at `questions` and found these faults; it passed if there are none.
    #[must_use]
    pub fn judged(case: Case, questions: usize, mut faults: Vec<String>) -> Self {
        let outcome = if faults.is_empty() { Outcome::Passed } else { Outcome::Failed };
        let more = faults.len().saturating_sub(Self::MOST_NOTES);
        if more > 0 {
            faults.truncate(Self::MOST_NOTES);
            faults.push(format!("and {more} more"));
        }
        Self { case, outcome, questions, notes: faults }
    }

    /// The same with more to say about it, whether it passed or not.
    #[must_use]
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// A case that was not tried.
    #[must_use]
    pub fn skipped(case: Case, reason: impl Into<String>) -> Self {
        Self { case, outcome: Outcome::Skipped, questions: 0, notes: vec![reason.into()] }
    }
}

/// Something measured. Figures are told, never judged: they depend on the machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

/// What a suite found. It prints as a table and serialises as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Which suite: `gates` or `broker`.
    pub suite: &'static str,
    /// The suite's version, the crate's: a later one may have more cases.
    pub version: &'static str,
    /// What was tried, by the name it gives itself.
    pub subject: String,
    /// All cases, in the order of their ids.
    pub cases: Vec<CaseReport>,
    /// What was measured on the way.
    pub figures: Vec<Figure>,
}

impl Report {
    /// Whether no case failed. Skipped cases do not count against it: look at [`Report::count`].
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count(Outcome::Failed) == 0
    }

    /// How many cases ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }

    /// The ids of the cases that ended so.
    pub fn ids(&self, outcome: Outcome) -> impl Iterator<Item = &'static str> + '_ {
        self.cases.iter().filter(move |case| case.outcome == outcome).map(|case| case.case.id)
    }

    /// The report as JSON, in lines for people.
    ///
    /// # Errors
    /// [`serde_json::Error`], which no report of this crate causes.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Ends the test if a case failed.
    ///
    /// # Panics
    /// With the table, if a case failed.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.passed(), "\n{self}");
    }
}

impl Report {
    /// The cases as lines for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{} {}: {}\n", self.suite, self.version, self.subject);
        for CaseReport { case, outcome, questions, notes } in &self.cases {
            // A text is written to without errors.
            writeln!(text, "{}  {outcome:7}  {questions:5}  {}", case.id, case.requirement)
                .unwrap_or_default();
            for note in notes {
                writeln!(text, "{:26}{note}", "").unwrap_or_default();
            }
        }
        text
    }

    /// How many cases ended how, and what was measured.
    #[must_use]
    pub fn totals(&self) -> String {
        let [passed, failed, skipped] =
            [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|outcome| self.count(outcome));
        let mut text = format!("{passed} passed, {failed} failed, {skipped} skipped");
        for Figure { name, value, unit } in &self.figures {
            write!(text, "\n{name}: {value:.0} {unit}").unwrap_or_default();
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.table(), self.totals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: Case = Case { id: "TEST-01", version: 1, requirement: "it holds" };

    fn report(cases: Vec<CaseReport>) -> Report {
        Report { suite: "tests", version: "1", subject: "it".to_owned(), cases, figures: Vec::new() }
    }

    #[test]
    fn faults_fail_and_are_bounded() {
        assert_eq!(CaseReport::judged(CASE, 1, Vec::new()).outcome, Outcome::Passed);
        let many = CaseReport::judged(CASE, 9, vec!["fault".to_owned(); 9]);
        assert_eq!((many.outcome, many.notes.len()), (Outcome::Failed, 4));
        assert_eq!(many.notes.last().map(String::as_str), Some("and 6 more"));
    }

    #[test]
    fn a_report_prints_as_a_table_and_as_json() {
        let wrong = CaseReport::judged(CASE, 2, vec!["it does not".to_owned()]);
        let report = report(vec![wrong, CaseReport::skipped(CASE, "nothing to try")]);
        assert!(!report.passed());
        let table = report.to_string();
        assert!(table.contains("TEST-01  failed       2  it holds\n"), "{table}");
        assert!(table.contains("it does not") && table.ends_with("0 passed, 1 failed, 1 skipped"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["cases"][0]["id"], "TEST-01");
        assert_eq!(json["cases"][1]["outcome"], "skipped");
    }

    #[test]
    #[should_panic(expected = "it does not")]
    fn asserting_shows_what_failed() {
        report(vec![CaseReport::judged(CASE, 1, vec!["it does not".to_owned()])]).assert();
    }
}
