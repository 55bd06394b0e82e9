//! `mts schema`: what it prints, that nothing on the wire changes unseen, that what mts writes fits, and that somebody
//! else's program finds the document in order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, root, run, text};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn validator(name: &str) -> Validator {
    jsonschema::validator_for(&run(["schema", name]).json()).unwrap()
}

#[test]
fn the_schemas_are_the_golden_ones() {
    for (file, args) in [("openapi.json", ["schema", "--openapi"]), ("config.json", ["schema", "config"])] {
        let golden = root().join("tests/golden/schema").join(file);
        let printed = run(args).stdout;
        if std::env::var_os("MTS_UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &printed).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap();
        // The first line that differs says more than two documents.
        let lines = wanted.lines().zip(printed.lines());
        let changed = lines.enumerate().find(|(_, (wanted, printed))| wanted != printed);
        assert!(
            wanted == printed,
            "what travels has changed, at {changed:?} of tests/golden/schema/{file}; \
            MTS_UPDATE_GOLDEN=1 takes the new form as right"
        );
    }
}

#[test]
fn types_are_listed_and_mistyped_ones_suggested() {
    let list = run(["schema", "--json"]).json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in ["Order", "Event", "RunResult", "OrderStory", "config"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(list[0]["doc"].as_str().is_some_and(|doc| !doc.is_empty()));
    let table = run(["schema"]).stdout;
    assert!(table.contains("Side") && table.contains("Which way an order or fill goes"));
    let document = run(["schema", "--openapi"]).json();
    assert_eq!(document["components"]["schemas"].as_object().unwrap().len(), names.len() - 1);
    let part = run(["schema", "--openapi", "Side", "HaltMode"]).json();
    assert_eq!(part["components"]["schemas"].as_object().unwrap().len(), 2);
    for (args, words) in [
        (["schema", "Ordr", "--openapi"], "there is no type \"Ordr\"; did you mean Order?"),
        (["schema", "Order", "Fill"], "name one, or add --openapi"),
        (["schema", "something-else", "--json"], "`mts schema` lists the types"),
    ] {
        let refused = run(args);
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(words) && refused.stdout.is_empty(), "{}", refused.stderr);
    }
    let out = folder();
    let file = out.path().join("order.json");
    let written = run(["schema", "Order", "--out", text(&file)]);
    assert!(written.code == 0 && written.stdout.is_empty(), "{}", written.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), run(["schema", "Order"]).stdout);
}

/// TOML as the JSON that mts makes of it: dates become text.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(time) => json!(time.to_string()),
        toml::Value::Array(list) => list.into_iter().map(json_of).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json_of(value))).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn configuration(path: &Path) -> Value {
    json_of(toml::Value::Table(toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()))
}

#[test]
fn the_schema_of_the_configuration_takes_what_mts_takes() {
    let validator = validator("config");
    for example in ["momentum.toml", "momentum-strict.toml", "targets.toml", "own_strategy/own_strategy.toml"]
    {
        let config = configuration(&root().join("examples").join(example));
        assert!(validator.validate(&config).is_ok(), "{example}: {:?}", validator.validate(&config));
    }
    for (from, to) in [
        ("max_sector_pct", "max_sectr_pct"),
        ("[gates]", "[gate]"),
        ("max_position_pct = 0.25", "max_position_pct = 25"),
        ("max_position_pct = 0.25", "max_position_pct = \"much\""),
        ("max_position_pct = 0.25", "max_position_pct = 0.25\nnav_usd = \"1\""),
        ("initial_cash = \"1000000\"", "initial_cash = \"-5\""),
        ("initial_cash = \"1000000\"", "initial_cash = 0.1"),
        ("resume = \"next_session\"", "resume = \"soon\""),
    ] {
        let (_folder, file) = changed("momentum.toml", &[(from, to)]);
        assert_eq!(run(["config", "check", text(&file)]).code, 3, "{to}");
        assert!(!validator.is_valid(&configuration(&file)), "{to}");
    }
    // Without a section, both judge alike.
    let whole = std::fs::read_to_string(root().join("examples/momentum.toml")).unwrap();
    let whole: toml::Table = toml::from_str(&whole).unwrap();
    for section in whole.keys() {
        // The strategy of the example needs a sizer, which a strategy of one's own does not.
        if section == "sizer" {
            continue;
        }
        let mut less = whole.clone();
        less.remove(section);
        let data = format!("{}/", root().join("examples/data").display());
        let folder = folder();
        let file = folder.path().join("run.toml");
        std::fs::write(&file, toml::to_string(&less).unwrap().replace("\"data/", &format!("\"{data}")))
            .unwrap();
        let taken = run(["config", "check", text(&file)]).code == 0;
        assert_eq!(validator.is_valid(&configuration(&file)), taken, "[{section}]");
    }
}

#[test]
fn what_a_run_writes_fits_its_schemas() {
    let out = folder();
    let dir = text(out.path());
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-06-30")]);
    let result = run(["run", text(&config), "--out", dir, "--json"]).json();
    let fits = |validator: &Validator, value: &Value| {
        let verdict = validator.validate(value);
        assert!(verdict.is_ok(), "{verdict:?}: {value}");
    };
    fits(&validator("RunResult"), &result);
    for (file, name) in [("orders.jsonl", "OrderRecord"), ("fills.jsonl", "Event")] {
        let validator = validator(name);
        let lines = std::fs::read_to_string(out.path().join(file)).unwrap();
        let mut count = 0;
        for line in lines.lines() {
            fits(&validator, &serde_json::from_str(line).unwrap());
            count += 1;
        }
        assert!(count > 20, "{file} has {count} lines");
    }
    let story = run(["explain", "momentum-000003", "--out", dir, "--json"]).json();
    assert!(story["gates"].as_array().is_some_and(|gates| gates.len() == 25), "{story}");
    fits(&validator("OrderStory"), &story);
    let killed = folder();
    let dir = text(killed.path());
    run(["run", text(&config), "--out", dir, "--until", "2000-03-31", "--json"]).json();
    assert_eq!(run(["kill", "--reason", "an audit", "--actor", "ann", "--out", dir]).code, 0);
    for (list, name) in [("incidents", "Incident"), ("positions", "Position")] {
        let validator = validator(name);
        let lines = run([list, dir, "--json"]).stdout;
        assert!(!lines.is_empty(), "{list}");
        lines.lines().for_each(|line| fits(&validator, &serde_json::from_str(line).unwrap()));
    }
}

/// What openapi-spec-validator says of a document; `None` where it is not installed (never in CI).
fn judged_elsewhere(document: &Path) -> Option<bool> {
    match Command::new("openapi-spec-validator").arg(document).output() {
        Ok(done) => {
            println!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            Some(done.status.success())
        }
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "openapi-spec-validator is needed in CI, and .ci/run installs it: {error}"
            );
            println!("SKIPPED: openapi-spec-validator is not installed (pip install openapi-spec-validator)");
            None
        }
    }
}

#[test]
fn somebody_elses_validator_finds_the_document_in_order() {
    let out = folder();
    let file = out.path().join("openapi.json");
    assert_eq!(run(["schema", "--openapi", "--out", text(&file)]).code, 0);
    let Some(verdict) = judged_elsewhere(&file) else { return };
    assert!(verdict, "the validator's words are above");
    // And it can say no.
    let document = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [
        ("\"type\": \"object\"", "\"type\": \"thing\""),
        ("#/components/schemas/Symbol\"", "#/components/schemas/Simbol\""),
    ] {
        assert!(document.contains(from));
        std::fs::write(&file, document.replacen(from, to, 1)).unwrap();
        assert_eq!(judged_elsewhere(&file), Some(false), "{to}");
    }
}
