//! The vectors are green, and the runner notices what is wrong with them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test program stand outside its test functions"
)]

use mts_tests::conformance::safe_broker;
use mts_tests::conformance::virtual_portfolio::{OUR_DUST, REFUSED, ROUNDED, RULES, THEIR_DUST};
use mts_tests::conformance::{Outcome, Report, Status, bar_aggregator, run, run_text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FORMAT: &str = "ml4t-virtual-portfolio/1";

fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn text() -> String {
    std::fs::read_to_string(own().join("ml4t/virtual_portfolio.json")).unwrap()
}

fn outcome(text: &str) -> Outcome {
    match run_text(text, &own()).1 {
        Status::Ran(outcome) => outcome,
        other => panic!("not run: {other:?}"),
    }
}

fn assert_green(report: &Report) {
    assert!(report.is_green(), "{report}");
    for rule in report.outcomes().flat_map(|outcome| outcome.deviations.keys()) {
        let known =
            [&RULES[..], &safe_broker::RULES, &bar_aggregator::RULES, mts_quant_vectors::RULES].concat();
        assert!(known.contains(rule), "{rule}");
    }
}

#[test]
fn the_projects_own_vectors_are_green() {
    let report = run(&[own().join("ml4t")], &[FORMAT.to_owned()]);
    assert_green(&report);
    let outcomes: Vec<&Outcome> = report.outcomes().collect();
    assert_eq!((report.files.len(), outcomes.len()), (3, 3));
    assert_eq!(
        (outcomes[0].cases(), outcomes[0].deviated()),
        (66, 4),
        "every stream of the file is compared"
    );
    assert_eq!(outcomes[1].cases(), 647, "every action of the file is compared");
    assert_eq!(outcomes[2].cases(), 3399, "every step of the file is compared");
    let deviations: Vec<(&str, usize)> =
        outcomes[2].deviations.iter().map(|(rule, count)| (*rule, *count)).collect();
    assert_eq!(deviations, [(REFUSED, 2), (ROUNDED, 5), (THEIR_DUST, 5), (OUR_DUST, 185)]);
}

#[test]
fn quantkit_agrees_with_the_projects_own_vectors() {
    let report = run(&[own().join("quant")], &["quant-allocators/1".to_owned(), "quant-stats/1".to_owned()]);
    assert_green(&report);
    assert_eq!((report.files.len(), report.passed(), report.deviated()), (5, 817, 5), "{report}");
}

#[test]
fn the_shared_vectors_are_green_where_they_exist() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let ml4t = shared.join("ml4t");
    if !ml4t.is_dir() {
        println!("skipped: there is no {}", ml4t.display());
        return;
    }
    let report = run(&[ml4t], &[FORMAT.to_owned()]);
    assert_green(&report);
    assert!(report.passed() > 3000, "{report}");
    // Every format that anybody made vectors for is in the table.
    assert_green(&run(&[shared], &[]));
}

/// The first step that fits, changed by the closure, in a copy of the file.
fn corrupted(fits: impl Fn(&Value) -> bool, change: impl Fn(&mut Value)) -> String {
    let mut file: Value = serde_json::from_str(&text()).unwrap();
    let step = file["sequences"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .flat_map(|sequence| sequence["steps"].as_array_mut().unwrap())
        .find(|step| fits(step))
        .unwrap();
    change(step);
    file.to_string()
}

/// Moves a number by a millionth.
fn nudge(number: &mut Value) {
    let value = number.as_f64().unwrap();
    *number = json!(if value.abs() > 0.0 { value * 1.000_001 } else { 0.000_001 });
}

fn flagged(step: &Value) -> bool {
    step["known_bug"] == true
}

fn holds(step: &Value) -> bool {
    step["expect"]["positions"].as_object().is_some_and(|held| !held.is_empty())
}

fn first_held(step: &mut Value) -> &mut Value {
    step["expect"]["positions"].as_object_mut().unwrap().values_mut().next().unwrap()
}

type Change = fn(&mut Value);

#[test]
fn one_changed_value_fails_one_step_and_is_named() {
    let plain = |step: &Value| !flagged(step) && holds(step);
    let changes: [(&str, Change); 7] = [
        ("quantity", |step| nudge(&mut first_held(step)["quantity"])),
        ("entry_price", |step| nudge(&mut first_held(step)["entry_price"])),
        ("current_price", |step| nudge(&mut first_held(step)["current_price"])),
        ("cash", |step| nudge(&mut step["expect"]["cash"])),
        ("account_value", |step| nudge(&mut step["expect"]["account_value"])),
        ("0 expected", |step| step["expect"]["positions"] = json!({})),
        ("NEW: 0 units held", |step| {
            let held = first_held(step).clone();
            step["expect"]["positions"]["NEW"] = held;
        }),
    ];
    for (name, change) in changes {
        let outcome = outcome(&corrupted(plain, change));
        assert_eq!(outcome.failed, 1, "{name}: {:?}", outcome.failures);
        assert!(outcome.failures[0].detail.contains(name), "{name}: {:?}", outcome.failures);
    }
}

#[test]
fn a_marked_defect_excuses_the_account_value_and_nothing_else() {
    let failed = |change: Change| outcome(&corrupted(flagged, change)).failed;
    assert_eq!(failed(|step| nudge(&mut step["expect"]["account_value"])), 0);
    assert_eq!(failed(|step| nudge(&mut step["account_value_correct"])), 1);
    assert_eq!(failed(|step| nudge(&mut step["expect"]["cash"])), 1);
    assert_eq!(failed(|step| nudge(&mut first_held(step)["entry_price"])), 1);
    // Nor does a deviation.
    let refused = |step: &Value| step["filled_quantity"].as_f64().is_some_and(|quantity| quantity < 0.0);
    let change: Change = |step| nudge(&mut step["expect"]["cash"]);
    assert_eq!(outcome(&corrupted(refused, change)).failed, 1);
}

#[test]
fn a_changed_value_is_noticed_in_every_step() {
    let mut file: Value = serde_json::from_str(&text()).unwrap();
    for sequence in file["sequences"].as_array_mut().unwrap() {
        for step in sequence["steps"].as_array_mut().unwrap() {
            nudge(&mut step["expect"]["cash"]);
        }
    }
    let outcome = outcome(&file.to_string());
    // The one step whose cash a float has rounded by more than a millionth.
    assert_eq!((outcome.failed, outcome.passed + outcome.deviated()), (3398, 1));
}

/// A folder with files of that name and content.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn runner(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mts-conformance-runner")).args(arguments).output().unwrap()
}

/// Exit code and lines of a run over a folder.
fn lines(folder: &Path, options: &[&str]) -> (Option<i32>, Vec<String>) {
    let folder = folder.display().to_string();
    let output = runner(&[&["--vectors", &folder], options].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text.lines().map(str::to_owned).collect())
}

const NOT_YET: &str = r#"{"header":{"format":"quant-ic/1"}}"#;

#[test]
fn the_program_runs_the_own_vectors() {
    let (code, lines) = lines(&own().join("ml4t"), &["--require", FORMAT]);
    assert_eq!(code, Some(0), "{lines:?}");
    let listed = |file: &str| lines.iter().any(|line| line.contains(file) && line.contains("ml4t-"));
    assert!(listed("virtual_portfolio.json") && listed("safe_broker.json"), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "3890 passed, 0 failed");
}

#[test]
fn a_corrupted_file_fails_the_program() {
    let cash: Change = |step| nudge(&mut step["expect"]["cash"]);
    let folder = folder(&[("deep/er/copy.json", &corrupted(holds, cash))]);
    let (code, lines) = lines(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(lines.iter().any(|line| line.starts_with("FAILED") && line.contains("cash is")), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "3201 passed, 1 failed");
}

#[test]
fn bars_that_differ_in_anything_fail() {
    let text = std::fs::read_to_string(own().join("ml4t/bar_aggregator.json")).unwrap();
    let first = |field: &str, value: &str| {
        let at = text.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
        let end = at + text[at..].find([',', '}']).unwrap();
        format!("{}{value}{}", &text[..at], &text[end..])
    };
    assert_eq!(outcome(&text).failed, 0);
    for field in ["open", "high", "low", "close", "volume"] {
        assert_eq!(outcome(&first(field, "1234")).failed, 1, "{field}");
    }
    let later =
        text.replacen("\"time\":\"2026-03-02T14:30:00+00:00\"", "\"time\":\"2026-03-02T14:29:00+00:00\"", 1);
    assert!(outcome(&later).failed > 0);
}

#[test]
fn an_unknown_format_fails_the_program() {
    let folder = folder(&[("x.json", r#"{"header":{"format":"ml4t-virtual-portfolio/2"}}"#)]);
    let (code, lines) = lines(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(lines[1].contains("unknown format ml4t-virtual-portfolio/2"), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "0 passed, 1 failed");
}

#[test]
fn a_file_without_a_format_is_ignored_with_a_line() {
    let folder = folder(&[("a.json", r#"{"captured":[]}"#), ("b.json", NOT_YET), ("c.txt", "no vectors")]);
    let (code, lines) = lines(folder.path(), &[]);
    assert_eq!(code, Some(0), "{lines:?}");
    assert!(
        lines[1].contains("a.json") && lines[1].ends_with("ignored: it has no header.format"),
        "{lines:?}"
    );
    assert!(lines[2].contains("b.json") && lines[2].ends_with("not yet"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("c.txt")), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "0 passed, 0 failed");
}

#[test]
fn a_required_format_that_does_not_run_fails_the_program() {
    let folder = folder(&[("a.json", NOT_YET)]);
    for (format, expected) in
        [("quant-ic/1", "it has no runner yet"), (FORMAT, "no file has it"), ("quant-ic", "is not known")]
    {
        let (code, lines) = lines(folder.path(), &["--require", format]);
        assert_eq!(code, Some(1), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(format) && line.contains(expected)), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "0 passed, 1 failed");
    }
}

#[test]
fn a_folder_without_vectors_fails_the_program() {
    let folder = folder(&[("sub/readme.md", "")]);
    for (path, expected) in
        [(folder.path().to_path_buf(), "holds no vectors"), (folder.path().join("gone"), "cannot be listed")]
    {
        let (code, lines) = lines(&path, &[]);
        assert_eq!(code, Some(1));
        assert!(lines.iter().any(|line| line.contains(expected)), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "0 passed, 1 failed");
    }
}

#[test]
fn json_is_one_object_with_the_same_facts() {
    let folder = own().join("ml4t").display().to_string();
    let output = runner(&["--json", "--vectors", &folder]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["passed"], &report["deviated"], &report["failed"]),
        (&json!(3890), &json!(222), &json!(0))
    );
    assert_eq!((&report["files"][1]["cases"], &report["files"][2]["cases"]), (&json!(647), &json!(3399)));
    assert_eq!(report["files"][2]["deviations"][REFUSED], 2);
}

#[test]
fn the_command_line_is_explained_and_checked() {
    let help = runner(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().starts_with("usage: mts-conformance-runner"));
    let wrong = runner(&["--vector", "x"]);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("see --help"));
}
