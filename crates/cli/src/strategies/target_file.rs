//! Trades what another program decided: target weights or orders from a CSV or JSONL file (decision S4).

use crate::app::StrategyContext;
use crate::error::{CliError, ExitKind};
use chrono::NaiveDate;
use mts_foundation::num::{self, WEIGHT_SCALE, exact};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError, View};
use mts_foundation::{Decimal, FundId, StrategyId, Symbol};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Kind `targets`: at the close of each session named in the file it asks for what the file says.
///
/// CSV with columns `date,symbol,weight` gives complete sets of weights, one row per instrument. JSONL gives one
/// object per line: `{"date": …, "weights": {"AAPL": "0.5"}}` or `{"date": …, "orders": [{"symbol": …, "side": …,
/// "quantity": …}]}`. A date is the session at whose close the decision is taken; orders leave at the next open.
#[derive(Debug)]
pub struct TargetFileStrategy {
    id: StrategyId,
    fund_id: FundId,
    decisions: BTreeMap<NaiveDate, Decision>,
}

#[derive(Debug, Default, PartialEq)]
struct Decision {
    weights: Option<BTreeMap<Symbol, Decimal>>,
    orders: Vec<OrderRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    date: NaiveDate,
    #[serde(default)]
    weights: Option<BTreeMap<Symbol, Weight>>,
    #[serde(default)]
    orders: Vec<OrderRequest>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Weight(#[serde(with = "exact")] Decimal);

/// Makes it from its section.
pub(crate) fn make(context: StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> {
    let Some((path, text)) = context.file else {
        return Err(CliError::new(
            ExitKind::Config,
            "strategy.path is missing; name a CSV or JSONL file of targets",
        ));
    };
    let fault = |line: usize, message: String| {
        CliError::new(ExitKind::Data, format!("{}, line {line}: {message}", path.display()))
    };
    let decisions = if path.extension().is_some_and(|ending| ending == "jsonl") {
        read_jsonl(text)
    } else {
        read_csv(text)
    }
    .map_err(|(line, message)| fault(line, message))?;
    for (date, decision) in &decisions {
        let session = context.calendar.session_on(*date).map_err(|error| fault(0, error.to_string()))?;
        if session.is_none() {
            let message = format!(
                "{date} is no session of {}; use the session whose close decides",
                context.calendar.name()
            );
            return Err(fault(0, message));
        }
        let weighted = decision.weights.iter().flat_map(BTreeMap::keys);
        let ordered = decision.orders.iter().map(|order| &order.symbol);
        if let Some(symbol) = weighted.chain(ordered).find(|symbol| !context.symbols.contains(symbol)) {
            return Err(fault(
                0,
                format!("{symbol} (on {date}) has no column in the data; add one or remove the row"),
            ));
        }
    }
    Ok(Box::new(TargetFileStrategy {
        id: context.section.strategy_id.clone(),
        fund_id: context.fund_id.clone(),
        decisions,
    }))
}

type Decisions = BTreeMap<NaiveDate, Decision>;

fn weight(value: Decimal) -> Decimal {
    value.round_dp(WEIGHT_SCALE).normalize()
}

fn read_jsonl(text: &str) -> Result<Decisions, (usize, String)> {
    let mut decisions = Decisions::new();
    for (number, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(text).map_err(|error| (number, error.to_string()))?;
        let weights = line
            .weights
            .map(|weights| weights.into_iter().map(|(symbol, value)| (symbol, weight(value.0))).collect());
        let decision = Decision { weights, orders: line.orders };
        if decisions.insert(line.date, decision).is_some() {
            return Err((number, format!("{} stands twice; put all of a session on one line", line.date)));
        }
    }
    Ok(decisions)
}

fn read_csv(text: &str) -> Result<Decisions, (usize, String)> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| (1, error.to_string()))?.clone();
    if header.iter().ne(["date", "symbol", "weight"]) {
        return Err((1, "the header must be date,symbol,weight; orders are given as JSONL".to_owned()));
    }
    let mut decisions = Decisions::new();
    for record in reader.records() {
        let record = record.map_err(|error| (0, error.to_string()))?;
        let line = || usize::try_from(mts_marketdata::line_of(text, record.position())).unwrap_or(0);
        let cell = |column: usize| record.get(column).unwrap_or("");
        let date: NaiveDate = cell(0)
            .parse()
            .map_err(|_| (line(), format!("date {:?} must be written like 2000-01-31", cell(0))))?;
        let symbol = Symbol::new(cell(1)).map_err(|error| (line(), error.to_string()))?;
        let value = num::parse(cell(2)).map_err(|error| (line(), format!("weight {error}")))?;
        let weights = decisions.entry(date).or_default().weights.get_or_insert_default();
        if weights.insert(symbol.clone(), weight(value)).is_some() {
            return Err((line(), format!("{symbol} stands twice on {date}; remove one row")));
        }
    }
    Ok(decisions)
}

impl Strategy for TargetFileStrategy {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        let Some(decision) = view.session.and_then(|session| self.decisions.get(&session.date)) else {
            return Ok(());
        };
        if let Some(weights) = &decision.weights {
            let weights = weights
                .iter()
                .filter(|(_, weight)| !weight.is_zero())
                .map(|(symbol, weight)| TargetWeight {
                    symbol: symbol.clone(),
                    weight: *weight,
                    signal: None,
                    rank: None,
                })
                .collect();
            let (fund_id, strategy_id) = (self.fund_id.clone(), self.id.clone());
            commands.targets(TargetSet { fund_id, strategy_id, asof: view.time, weights });
        }
        for order in &decision.orders {
            commands.submit(order.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read() {
        let csv =
            read_csv("date,symbol,weight\n2000-01-31,AAPL,0.5\n2000-01-31,ko,0.25\n2000-02-29,AAPL,0\n")
                .unwrap();
        assert_eq!(csv.len(), 2);
        let first = csv.values().next().unwrap().weights.clone().unwrap();
        assert_eq!(first[&Symbol::new("KO").unwrap()], "0.25".parse().unwrap());
        let jsonl = read_jsonl(
            "{\"date\":\"2000-01-31\",\"weights\":{\"AAPL\":\"0.5\",\"KO\":0.25}}\n\n\
             {\"date\":\"2000-02-29\",\"orders\":[{\"symbol\":\"KO\",\"side\":\"buy\",\"quantity\":\"3\"}]}\n",
        )
        .unwrap();
        assert_eq!(jsonl.values().next(), csv.values().next());
        assert_eq!(jsonl.values().nth(1).unwrap().orders[0].quantity, Decimal::from(3));
    }

    #[test]
    fn faults_name_the_line() {
        let cases = [
            ("date,weight\n", 1),
            ("date,symbol,weight\n2000-01-31,AAPL,half\n", 2),
            ("date,symbol,weight\n2000-01-31,A,1\n2000-01-31,a,1\n", 3),
            ("date,symbol,weight\nJan,A,1\n", 2),
        ];
        for (text, line) in cases {
            assert_eq!(read_csv(text).unwrap_err().0, line, "{text}");
        }
        assert_eq!(read_jsonl("{\"date\":\"2000-01-31\",\"weigths\":{}}").unwrap_err().0, 1);
        assert_eq!(read_jsonl("{\"date\":\"2000-01-31\"}\n{\"date\":\"2000-01-31\"}").unwrap_err().0, 2);
    }
}
