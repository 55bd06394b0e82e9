//! `mts exchanges`: whose public market data is described, and what that rests on.

use super::print::{say, say_json, table};
use crate::args::ExchangesArgs;
use crate::error::{CliError, ExitKind, OrExit};
use mts_marketdata::exchanges::{DESCRIPTORS, Descriptor, Embedded, find};
use serde_json::{Value, json};

/// What a number of cases is worth.
const EVIDENCE: &str = "recorded replies, never a live exchange";

/// `mts exchanges`.
pub(crate) fn list(args: &ExchangesArgs) -> Result<(), CliError> {
    let chosen: Vec<&Embedded> = match &args.name {
        None => DESCRIPTORS.iter().collect(),
        Some(name) => vec![find(name).ok_or_else(|| unknown(name))?],
    };
    let read = |embedded: &&Embedded| embedded.read().or_exit(ExitKind::Internal);
    let all = chosen.iter().map(read).collect::<Result<Vec<Descriptor>, CliError>>()?;
    match (args.json, &args.name) {
        (true, _) => say_json(&all.iter().map(as_json).collect::<Vec<Value>>())?,
        (false, None) => say_all(&all),
        (false, Some(_)) => all.iter().for_each(say_one),
    }
    Ok(())
}

fn unknown(name: &str) -> CliError {
    let known: Vec<&str> = DESCRIPTORS.iter().map(|embedded| embedded.name).collect();
    let message = format!("there is no exchange {name:?}; use one of {}", known.join(", "));
    CliError::new(ExitKind::Usage, message)
}

fn kinds(exchange: &Descriptor) -> String {
    let names: Vec<&str> = exchange.markets.iter().map(|form| form.name.as_str()).collect();
    names.join(", ")
}

fn cases(exchange: &Descriptor, method: &str) -> Option<usize> {
    exchange.methods().find(|(name, _)| *name == method).map(|(_, cases)| cases)
}

fn say_all(all: &[Descriptor]) {
    let methods = ["ticker", "trades", "candles", "funding"];
    let rows =
        all.iter().map(|exchange| {
            let mut row = vec![exchange.id.clone(), kinds(exchange)];
            row.extend(methods.map(|method| {
                cases(exchange, method).map_or_else(|| "-".to_owned(), |cases| cases.to_string())
            }));
            row
        });
    let header = ["exchange", "markets", "ticker", "trades", "candles", "funding"];
    say(&table(&header, rows.collect(), &[2, 3, 4, 5]));
    let having = |method: &str| all.iter().filter(|exchange| cases(exchange, method).is_some()).count();
    let counts = methods.map(|method| format!("{} {method}", having(method)));
    say(&format!("\n{} exchanges: {}", all.len(), counts.join(", ")));
    say(&format!("a number is how many recorded cases agree; evidence: {EVIDENCE}"));
}

fn say_one(exchange: &Descriptor) {
    let method = |(name, cases): (&str, usize)| vec![name.to_owned(), cases.to_string(), EVIDENCE.to_owned()];
    say(&table(&["method", "cases", "evidence"], exchange.methods().map(method).collect(), &[1]));
    let timeframes: Vec<String> = exchange.timeframes.keys().map(ToString::to_string).collect();
    say(&format!("\nmarkets: {}", kinds(exchange)));
    if !timeframes.is_empty() {
        say(&format!("candles: {}", timeframes.join(", ")));
    }
    say(&format!("least time between requests: {} ms", exchange.pace_ms));
}

fn as_json(exchange: &Descriptor) -> Value {
    let markets: Vec<&str> = exchange.markets.iter().map(|form| form.name.as_str()).collect();
    let methods: serde_json::Map<String, Value> =
        exchange.methods().map(|(name, cases)| (name.to_owned(), json!({ "cases": cases }))).collect();
    json!({
        "exchange": exchange.id,
        "markets": markets,
        "methods": methods,
        "timeframes": exchange.timeframes.keys().map(ToString::to_string).collect::<Vec<String>>(),
        "pace_ms": exchange.pace_ms,
        "evidence": EVIDENCE,
    })
}
