//! The whole of mts with a gate of one's own, on a few days of made-up prices.
//!
//! With arguments it is an ordinary `mts` (`cargo run -p mts-cli --example own_gate -- --help`); without, it writes a
//! small configuration into a temporary folder, runs it, and shows what its gate refused.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_cli::App;
use mts_foundation::risk::{Gate, RejectCode, Rejection, RiskContext};
use mts_foundation::{Order, RiskEnvelope, RiskGate};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// Refuses what begins with a `T`.
struct NoTs;

impl RiskGate for NoTs {
    fn name(&self) -> &str {
        "no_ts"
    }

    fn check(
        &self,
        order: &Order,
        _: Option<&RiskEnvelope>,
        _: &RiskContext<'_>,
    ) -> Result<(), Box<Rejection>> {
        if !order.symbol.as_str().starts_with('T') {
            return Ok(());
        }
        Err(Box::new(Rejection {
            gate: Gate::Assets,
            code: RejectCode::AssetBlocked,
            limit: None,
            observed: None,
            message: format!("{} begins with a T", order.symbol),
        }))
    }
}

fn app() -> App {
    App::new().gate(NoTs)
}

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return app().run();
    }
    let folder = std::env::temp_dir().join(format!("mts-own-gate-{}", std::process::id()));
    let done = demonstrate(&folder);
    drop(std::fs::remove_dir_all(&folder));
    match done {
        Ok(code) => code,
        Err(error) => {
            println!("the example failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in [
        ("run.toml", CONFIG),
        ("instruments.csv", INSTRUMENTS),
        ("closes.csv", CLOSES),
        ("targets.csv", TARGETS),
    ] {
        std::fs::write(folder.join(name), text)?;
    }
    let out = folder.join("run");
    let arguments =
        ["mts".into(), "run".into(), folder.join("run.toml"), "--out".into(), out.clone(), "--json".into()];
    let code = app().run_from(arguments);
    for line in std::fs::read_to_string(out.join("orders.jsonl"))?.lines() {
        let of = |key: &str| field(line, key).unwrap_or("?").to_owned();
        println!("{} {} {}: {}", of("side"), of("quantity"), of("symbol"), of("state"));
    }
    Ok(code)
}

/// The text value of a key in one line of JSON; enough for an example without a parser.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()
}

const CONFIG: &str = r#"
[run]
start = 2024-07-01
end = 2024-07-05

[fund]
fund_id = "example"
initial_cash = "100000"

[envelope]
max_position_pct = 0.5
max_sector_pct = 1.0
allowed_brokers = ["paper"]

[instruments]
path = "instruments.csv"

[data]
path = "closes.csv"

[strategy]
strategy_id = "from-a-file"
kind = "targets"
path = "targets.csv"

[broker]
name = "paper"
"#;

const INSTRUMENTS: &str = "\
symbol,asset_class,currency,calendar,tick,lot,multiplier
AAPL,equities,USD,XNYS,0.01,1,1
TSLA,equities,USD,XNYS,0.01,1,1
";

const CLOSES: &str = "\
Date,AAPL,TSLA
2024-07-01,100,200
2024-07-02,101,202
2024-07-03,102,204
2024-07-05,103,206
";

const TARGETS: &str = "\
date,symbol,weight
2024-07-01,AAPL,0.4
2024-07-01,TSLA,0.4
";
