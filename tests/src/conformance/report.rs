//! How a report is printed.

use super::{DETAILS, FileReport, Outcome, Report, Status};
use serde_json::{Value, json};
use std::fmt;

/// The table: a line per file, what deviates and fails, totals, and the last line `N passed, N failed`.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(out)?;
        self.failures(out)?;
        let count =
            |wanted: fn(&Status) -> bool| self.files.iter().filter(|file| wanted(&file.status)).count();
        writeln!(
            out,
            "\nfiles: {} run, {} not yet, {} ignored, {} that cannot be run",
            self.outcomes().count(),
            count(|status| matches!(status, Status::NotYet)),
            count(|status| matches!(status, Status::Ignored(_))),
            count(|status| matches!(status, Status::Broken(_))),
        )?;
        if self.outcomes().next().is_none() {
            writeln!(out, "note: no case was run; to make that a failure, name a format with --require")?;
        }
        writeln!(
            out,
            "cases: {}, of which {} deviate as a rule allows",
            self.outcomes().map(Outcome::cases).sum::<usize>(),
            self.deviated()
        )?;
        write!(out, "{} passed, {} failed", self.passed(), self.failed())
    }
}

impl Report {
    fn table(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.files.is_empty() {
            return Ok(());
        }
        let longest = |text: fn(&FileReport) -> usize| self.files.iter().map(text).max().unwrap_or(0);
        let file_width = longest(|file| file.path.display().to_string().chars().count()).max("file".len());
        let format_width = longest(|file| file.format().chars().count()).max("format".len());
        let header = format!("{:>7} {:>7} {:>10} {:>7}", "cases", "passed", "deviations", "failed");
        writeln!(out, "{:<file_width$}  {:<format_width$} {header}", "file", "format")?;
        for file in &self.files {
            let path = file.path.display().to_string();
            write!(out, "{path:<file_width$}  {:<format_width$} ", file.format())?;
            match &file.status {
                Status::Ran(outcome) => {
                    let (cases, deviated) = (outcome.cases(), outcome.deviated());
                    let (passed, failed) = (outcome.passed, outcome.failed);
                    writeln!(out, "{cases:>7} {passed:>7} {deviated:>10} {failed:>7}")?;
                    for (rule, count) in &outcome.deviations {
                        writeln!(out, "    {count} deviate: {rule}")?;
                    }
                    for note in &outcome.notes {
                        writeln!(out, "    {note}")?;
                    }
                }
                Status::NotYet => writeln!(out, "not yet")?,
                Status::Ignored(reason) => writeln!(out, "ignored: {reason}")?,
                Status::Broken(reason) => writeln!(out, "FAILED: {reason}")?,
            }
        }
        Ok(())
    }

    fn failures(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.files.iter().flat_map(|file| match &file.status {
            Status::Ran(outcome) => outcome.failures.iter().map(|failure| (&file.path, failure)).collect(),
            _ => Vec::new(),
        });
        let mut printed = 0;
        for (path, failure) in kept.take(DETAILS) {
            printed += 1;
            writeln!(out, "FAILED {}: {}: {}", path.display(), failure.case, failure.detail)?;
        }
        let failed: usize = self.outcomes().map(|outcome| outcome.failed).sum();
        if failed > printed {
            writeln!(out, "and {} more failed cases", failed - printed)?;
        }
        for problem in &self.problems {
            writeln!(out, "FAILED: {problem}")?;
        }
        Ok(())
    }

    /// The same facts as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "files": self.files.iter().map(FileReport::to_json).collect::<Vec<_>>(),
            "problems": self.problems,
            "cases": self.outcomes().map(Outcome::cases).sum::<usize>(),
            "passed": self.passed(),
            "deviated": self.deviated(),
            "failed": self.failed(),
        })
    }
}

impl FileReport {
    fn format(&self) -> &str {
        self.format.as_deref().unwrap_or("-")
    }

    fn to_json(&self) -> Value {
        let file = self.path.display().to_string();
        let format = &self.format;
        match &self.status {
            Status::Ran(outcome) => json!({
                "file": file,
                "format": format,
                "status": "run",
                "cases": outcome.cases(),
                "passed": outcome.passed,
                "deviations": outcome.deviations,
                "failed": outcome.failed,
                "failures": outcome
                    .failures
                    .iter()
                    .map(|failure| json!({"case": failure.case, "detail": failure.detail}))
                    .collect::<Vec<_>>(),
                "notes": outcome.notes,
            }),
            Status::NotYet => json!({"file": file, "format": format, "status": "not yet"}),
            Status::Ignored(reason) => {
                json!({"file": file, "format": format, "status": "ignored", "reason": reason})
            }
            Status::Broken(reason) => {
                json!({"file": file, "format": format, "status": "failed", "reason": reason})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut outcome = Outcome { notes: vec!["a case is a step".to_owned()], ..Outcome::default() };
        outcome.pass();
        outcome.deviate("a rule");
        for step in 0..DETAILS + 2 {
            outcome.fail(format!("step {step}"), "cash differs");
        }
        let file = |name: &str, format: Option<&str>, status| FileReport {
            path: name.into(),
            format: format.map(str::to_owned),
            status,
        };
        Report {
            files: vec![
                file("a.json", Some("f/1"), Status::Ran(outcome)),
                file("b.json", Some("g/1"), Status::NotYet),
                file("c.json", None, Status::Ignored("it has no header.format".to_owned())),
                file("d.json", Some("h/1"), Status::Broken("has the unknown format h/1".to_owned())),
            ],
            problems: vec!["x holds no vectors".to_owned()],
        }
    }

    #[test]
    fn the_table_holds_every_file_and_ends_with_the_totals() {
        let text = report().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].starts_with("a.json  f/1") && lines[1].ends_with("24       1          1      22"),
            "{text}"
        );
        for expected in [
            "    1 deviate: a rule",
            "    a case is a step",
            "b.json  g/1    not yet",
            "c.json  -      ignored: it has no header.format",
            "d.json  h/1    FAILED: has the unknown format h/1",
            "FAILED a.json: step 0: cash differs",
            "and 2 more failed cases",
            "FAILED: x holds no vectors",
            "files: 1 run, 1 not yet, 1 ignored, 1 that cannot be run",
        ] {
            assert!(lines.contains(&expected), "{expected}\n{text}");
        }
        assert_eq!(lines.iter().filter(|line| line.starts_with("FAILED a.json")).count(), DETAILS);
        assert_eq!(lines.last(), Some(&"1 passed, 24 failed"));
    }

    #[test]
    fn json_holds_the_same_facts() {
        let json = report().to_json();
        assert_eq!((&json["passed"], &json["deviated"], &json["failed"]), (&json!(1), &json!(1), &json!(24)));
        assert_eq!(json["files"][0]["deviations"], json!({"a rule": 1}));
        assert_eq!(json["files"][0]["failures"][0], json!({"case": "step 0", "detail": "cash differs"}));
        assert_eq!(json["files"][1]["status"], "not yet");
        assert_eq!(json["files"][3]["reason"], "has the unknown format h/1");
        assert_eq!(json["problems"][0], "x holds no vectors");
    }
}
