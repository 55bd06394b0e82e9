//! A recording of Databento as the data of a run. `golden/trades.dbn` was made up by the encoder of the `dbn` crate: a print of
//! AAPL each minute of two hours, 2026-03-02.

use std::path::Path;
use std::process::ExitCode;

const CONFIG: &str = r#"
[run]
start = "2026-03-02"
end = "2026-03-02"
[fund]
fund_id = "f"
initial_cash = 100000
[envelope]
allowed_brokers = ["paper"]
[instruments]
path = "instruments.csv"
[data]
kind = "databento"
path = "trades.dbn"
[strategy]
strategy_id = "s"
kind = "drill"
[broker]
name = "paper"
[live]
mode = "replay"
"#;

const TABLE: &str = "symbol,asset_class,currency,calendar,tick,lot,multiplier\n";

/// Runs it in a folder, and gives its report where it ends well.
fn run(folder: &Path, rows: &str) -> Result<serde_json::Value, ExitCode> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/trades.dbn");
    std::fs::copy(recording, folder.join("trades.dbn")).unwrap();
    std::fs::write(folder.join("instruments.csv"), format!("{TABLE}{rows}")).unwrap();
    std::fs::write(folder.join("run.toml"), CONFIG).unwrap();
    let (config, out) = (folder.join("run.toml"), folder.join("out"));
    let arguments = ["mts", "run", config.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"];
    let ended = mts_cli::App::new().run_from(arguments);
    if ended != ExitCode::SUCCESS {
        return Err(ended);
    }
    let summary = std::fs::read_to_string(out.join("result.json")).unwrap();
    Ok(serde_json::from_str(&summary).unwrap())
}

#[test]
fn every_print_of_a_recording_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path(), "AAPL,equities,USD,XNYS,0.01,1,1\n").unwrap();
    // A mark for each, and the open of the session.
    assert_eq!(run["inputs"], 121, "{run}");
}

#[test]
fn an_instrument_that_it_does_not_have_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(folder.path(), "MSFT,equities,USD,XNYS,0.01,1,1\n").unwrap_err();
    // That of data.
    assert_eq!(ended, ExitCode::from(4));
}
