//! What operators use around a run: init, doctor, exit codes, completions, manual pages, the unit of systemd.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{Done, changed, folder, mts, root, run, text};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `mts` in a folder with answers on its standard input.
fn answered(at: &Path, args: &[&str], answers: &str) -> Done {
    let mut child = Command::new(mts())
        .current_dir(at)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses an early answer does not read the rest.
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap_or_default();
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with the data that `mts init` expects by default.
fn with_data() -> tempfile::TempDir {
    let at = folder();
    std::fs::create_dir(at.path().join("data")).unwrap();
    for file in ["instruments.csv", "closes.csv"] {
        let from = root().join("examples/data/us20").join(file);
        std::fs::copy(from, at.path().join("data").join(file)).unwrap();
    }
    at
}

#[test]
fn init_writes_a_configuration_that_runs_and_keeps_what_exists() {
    let at = with_data();
    let made = answered(at.path(), &["init", "--yes"], "");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let config = std::fs::read_to_string(at.path().join("mts.toml")).unwrap();
    let keys = run(["config", "keys", "--json"]).json();
    for key in keys.as_array().unwrap() {
        let (name, doc) = (key["name"].as_str().unwrap(), key["doc"].as_str().unwrap());
        assert!(config.contains(&format!("{name} =")) && config.contains(doc), "{name}");
    }
    let result = answered(at.path(), &["run", "mts.toml", "--json"], "").json();
    assert!(result["finished"] == true && result["fills"].as_u64().unwrap() > 0, "{result}");
    let again = answered(at.path(), &["init", "--yes"], "");
    assert_eq!(again.code, 6);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    std::fs::write(at.path().join("mts.toml"), "").unwrap();
    assert_eq!(answered(at.path(), &["init", "--yes", "--force"], "").code, 0);
    assert_eq!(std::fs::read_to_string(at.path().join("mts.toml")).unwrap(), config);
}

#[test]
fn init_takes_answers_from_a_script_and_refuses_a_wrong_one_at_once() {
    let at = with_data();
    let made = answered(at.path(), &["init", "fund.toml"], "alpha\nAlpha \"one\"\n250000\n");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let checked = answered(at.path(), &["config", "check", "fund.toml", "--json"], "").json();
    assert_eq!(checked["config"]["fund"]["fund_id"], "alpha");
    assert_eq!(checked["config"]["fund"]["name"], "Alpha \"one\"");
    assert_eq!(checked["config"]["fund"]["initial_cash"], "250000");
    for (answers, words) in [
        ("\n\n-5\n", "fund.initial_cash is -5; it must be above zero"),
        ("\n\n\n\n\n\nsoon\n", "run.start is \"soon\", which is no TOML value"),
        ("\n\n\n\n\n\n2023-01-01\n", "run.end 2022-12-31 lies before run.start 2023-01-01"),
        ("\n\n\n\n\n\n\n\n\n\nmagic\n", "strategy.kind is \"magic\""),
        ("\n\n\n\n\n\n\n\n\n\n\nf_nothing\n", "f_momentum_12_1"),
    ] {
        let done = answered(at.path(), &["init", "wrong.toml"], answers);
        assert_eq!(done.code, 3, "{answers:?}: {}", done.stderr);
        assert!(done.stderr.contains(words), "no {words:?} in: {}", done.stderr);
        assert!(!at.path().join("wrong.toml").exists(), "nothing may be half-written");
    }
}

#[test]
fn the_doctor_passes_a_good_configuration() {
    let at = with_data();
    assert_eq!(answered(at.path(), &["init", "--yes"], "").code, 0);
    let found = answered(at.path(), &["doctor", "mts.toml", "--json"], "").json();
    let names: Vec<_> =
        found["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in ["clock", "configuration", "files", "credentials", "fdatasync", "file lock", "journal"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!at.path().join("runs").exists(), "the doctor leaves nothing behind");
}

#[test]
fn the_doctor_names_every_fault_and_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let at = folder();
    let secret = at.path().join("key");
    std::fs::write(&secret, "hunter2").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let params = format!(
        "params = {{ key = \"file:{}\", other = \"env:MTS_NOT_SET\", third = \"vault:desk/x#key\" }}\n",
        text(&secret)
    );
    let (_folder, config) = changed(
        "momentum.toml",
        &[("[broker]\n", &format!("[broker]\n{params}")), ("closes.csv", "nothing.csv")],
    );
    let done = run(["doctor", text(&config)]);
    assert_eq!(done.code, 7, "{}", done.stdout);
    for words in [
        "nothing.csv cannot be read",
        "chmod 600",
        "env:MTS_NOT_SET: it is not set",
        "vault:desk/x#key: ",
        "FAILED",
    ] {
        assert!(done.stdout.contains(words), "no {words:?} in: {}", done.stdout);
    }
    assert!(done.stderr.contains("4 checks failed"), "{}", done.stderr);
    assert!(!done.stdout.contains("hunter2") && !done.stderr.contains("hunter2"));
}

#[test]
fn the_doctor_sees_a_damaged_journal_and_one_in_use() {
    let at = with_data();
    assert_eq!(answered(at.path(), &["init", "--yes"], "").code, 0);
    let ran = answered(at.path(), &["run", "mts.toml", "--until", "2000-03-31"], "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let journal = at.path().join("runs/mts");
    let writer = mts_journal::FileJournal::open(&journal).unwrap();
    let used = answered(at.path(), &["doctor", "mts.toml"], "");
    assert_eq!(used.code, 0, "{}", used.stdout);
    assert!(used.stdout.contains("is held by a running process"), "{}", used.stdout);
    drop(writer);
    let file = journal.join(mts_journal::FILE_NAME);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let damaged = answered(at.path(), &["doctor", "mts.toml"], "");
    assert_eq!(damaged.code, 7, "{}", damaged.stdout);
    assert!(damaged.stdout.contains("restore it from a copy"), "{}", damaged.stdout);
}

#[test]
fn exit_codes_are_in_the_help_and_in_the_documentation() {
    let help = run(["--help"]).stdout;
    let docs = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for (kind, meaning) in mts_cli::ExitKind::ALL {
        assert!(help.contains(&format!("  {}  {meaning}\n", kind.code())), "{kind:?}: {help}");
        assert!(docs.contains(&format!("| {} | {meaning} |", kind.code())), "{kind:?}");
    }
}

#[test]
fn completions_load() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(["completions", shell]);
        assert_eq!(script.code, 0, "{}", script.stderr);
        assert!(script.stdout.contains("doctor"), "{shell}");
        if Command::new(shell).arg("--version").output().is_err() {
            println!("skipped: {shell} is not installed");
            continue;
        }
        let at = folder();
        let file = at.path().join("mts");
        std::fs::write(&file, &script.stdout).unwrap();
        let said = Command::new(shell).arg("-n").arg(&file).output().unwrap();
        assert!(said.status.success() && said.stderr.is_empty(), "{shell}: {said:?}");
    }
    assert_eq!(run(["completions", "csh"]).code, 2);
}

#[test]
fn every_command_has_a_manual_page() {
    let at = folder();
    assert_eq!(run(["man", "--out", text(at.path())]).code, 0);
    for command in
        ["", "-run", "-explain", "-config-check", "-new-strategy", "-init", "-doctor", "-risk-check", "-kill"]
    {
        let file = at.path().join(format!("mts{command}.1"));
        assert!(std::fs::read_to_string(&file).unwrap().contains(".SH SYNOPSIS"), "{}", file.display());
    }
    assert_eq!(run(["man"]).stdout.trim(), std::fs::read_to_string(at.path().join("mts.1")).unwrap().trim());
    match Command::new("man").env("LC_ALL", "C").arg("-l").arg(at.path().join("mts-run.1")).output() {
        Ok(page) => assert!(String::from_utf8_lossy(&page.stdout).contains("SYNOPSIS"), "{page:?}"),
        Err(_) => println!("skipped: man is not installed"),
    }
}

#[test]
fn systemd_accepts_the_unit() {
    let unit = std::fs::read_to_string(root().join("dist/mts@.service")).unwrap();
    for line in ["NoNewPrivileges=yes", "ProtectSystem=strict", "KillSignal=SIGTERM", "Restart=on-failure"] {
        assert!(unit.contains(line), "{line}");
    }
    // The tool wants the program to exist; that it is not installed here is no fault of the unit.
    let at = folder();
    let file = at.path().join("mts@test.service");
    std::fs::write(&file, unit.replace("/usr/bin/mts", text(mts()))).unwrap();
    match Command::new("systemd-analyze").arg("verify").arg(&file).output() {
        Ok(said) => assert!(said.status.success() && said.stderr.is_empty(), "{said:?}"),
        Err(_) => println!("skipped: systemd-analyze is not installed"),
    }
}
