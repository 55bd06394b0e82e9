//! `mts quant`: what it says is what the vectors say, and wrong use is answered with the remedy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod common;

use common::{Done, folder, root, run_list, text};
use serde_json::Value;
use std::path::PathBuf;

fn quant(args: &[&str]) -> Done {
    run_list(&[&["quant"], args].concat())
}

fn vectors(file: &str) -> PathBuf {
    root().join("tests/vectors/quant").join(file)
}

fn json(args: &[&str]) -> Value {
    let done = quant(&[args, &["--json"]].concat());
    assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn allocations_are_those_of_the_vectors() {
    let returns = vectors("data/sp20.csv");
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(vectors("sp20.json")).unwrap()).unwrap();
    for (method, parameters, name) in [
        ("hrp", &[][..], "hrp_single_pypfopt"),
        ("risk_parity", &[], "erc_polished"),
        ("min_variance", &[], "min_variance_polished"),
        ("max_sharpe", &[], "max_sharpe_polished"),
        ("max_diversification", &[], "max_diversification_polished"),
        (
            "min_variance",
            &["--param", r#"constraints={"minimum":0.01,"maximum":0.15}"#],
            "min_variance_box_polished",
        ),
        ("nco", &["--param", r#"clusters={"exactly":3}"#], "nco_minvar_ward_k3_polished"),
    ] {
        let found =
            json(&[&["allocate", text(&returns), "--returns", "--method", method], parameters].concat());
        let wanted = expected["allocators"][name]["output"]["weights"].as_array().unwrap();
        let lines = found["weights"].as_array().unwrap();
        assert_eq!((lines.len(), wanted.len()), (20, 20));
        for (line, wanted) in lines.iter().zip(wanted) {
            let off = line["weight"].as_f64().unwrap() - wanted.as_f64().unwrap();
            assert!(off.abs() < 1e-9, "{method}: {} is off by {off:e}", line["symbol"]);
        }
        let parts: f64 = lines.iter().map(|line| line["risk_part"].as_f64().unwrap()).sum();
        assert!((parts - 1.0).abs() < 1e-12, "{method}: parts of the risk are {parts} in sum");
    }
}

#[test]
fn a_report_has_its_pictures_and_the_weights_as_a_table() {
    let out = folder();
    let out = out.path().join("allocation");
    let prices = root().join("examples/data/us20/closes.csv");
    let args =
        ["allocate", text(&prices), "--from", "2020-01-01", "--symbols", "AAPL,KO,XOM", "--out", text(&out)];
    let done = quant(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("part of risk") && done.stdout.contains("KO"), "{}", done.stdout);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "weights, frontier, correlations");
    let weights = std::fs::read_to_string(out.join("weights.csv")).unwrap();
    let sum: f64 =
        weights.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse::<f64>().unwrap()).sum();
    assert!(weights.starts_with("symbol,weight\n") && (sum - 1.0).abs() < 1e-12, "{weights}");
}

#[test]
fn factors_are_counted_and_figures_are_those_of_a_plain_calculation() {
    let listed = json(&["factors"]);
    assert_eq!(listed["factors"].as_array().unwrap().len(), 144);
    let folder = folder();
    let path = folder.path().join("returns.csv");
    std::fs::write(&path, "date,A,B\n2024-01-01,0.1,0.0\n2024-01-02,-0.5,\n2024-01-03,1.0,0.02\n").unwrap();
    let found = json(&["stats", text(&path), "--returns"]);
    assert_eq!(found["left_out"], 1, "the day without B");
    let first = &found["columns"][0];
    assert_eq!((&first["name"], &first["returns"]), (&Value::from("A"), &Value::from(2)));
    assert!((first["total_return"].as_f64().unwrap() - 1.2).abs() < 1e-12);
}

#[test]
fn wrong_use_says_what_to_do() {
    let returns = vectors("data/sp20.csv");
    let returns = text(&returns);
    let gone = folder();
    let gone = gone.path().join("gone.csv");
    for (args, code, said) in [
        (&["allocate", returns, "--returns", "--method", "hrpp"][..], 2, "use one of equal_weight"),
        (&["allocate", returns, "--returns", "--param", "linkage"], 2, "write NAME=VALUE"),
        (&["allocate", returns, "--returns", "--param", "linkag=ward"], 2, "expected one of"),
        (&["allocate", returns, "--returns", "--window", "1"], 4, "give more data"),
        (&["allocate", returns, "--returns", "--symbols", "NONE"], 4, "no column of returns is left"),
        (&["allocate", text(&gone)], 4, "gone.csv"),
        (
            &[
                "allocate",
                returns,
                "--returns",
                "--method",
                "min_variance",
                "--param",
                "constraints={\"maximum\":0.04}",
            ],
            4,
            "raise them",
        ),
    ] {
        let done = quant(args);
        assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
        assert_eq!(done.code, code, "{args:?}: {}", done.stderr);
    }
}
