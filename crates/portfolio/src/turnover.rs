//! How much of a fund one rebalance may turn over.

use mts_foundation::ledger::FundBook;
use mts_foundation::num::round;
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::sizing::ComputeError;
use mts_foundation::{Decimal, Symbol};
use std::collections::BTreeMap;

const NAME: &str = "turnover";

/// Decimal places of a weight (decision H8).
const PLACES: u32 = 9;

/// Σ |target weight − weight held| over all instruments: 2 = everything is sold and something else bought for all of it.
///
/// # Errors
/// [`ComputeError`] for a fund that is worth nothing, and beyond the range of decimals.
pub fn turnover(targets: &TargetSet, book: &FundBook) -> Result<Decimal, ComputeError> {
    let moves = moves(targets, book)?;
    Ok(moves.values().map(|one| (one.wanted - one.held).abs()).sum())
}

/// The same targets, all drawn towards what is held, in the same proportion, until the turnover is `cap`. What is held and not
/// named is to be sold, so it is named in the answer where only a part of it may be. Targets within the cap stay what they
/// are.
///
/// # Errors
/// [`ComputeError`] unless the cap is above zero, and as [`turnover`].
pub fn cap_turnover(targets: TargetSet, book: &FundBook, cap: Decimal) -> Result<TargetSet, ComputeError> {
    if cap <= Decimal::ZERO {
        return Err(ComputeError::new(NAME, format!("turnover_cap is {cap}; it must be above 0")));
    }
    let moves = moves(&targets, book)?;
    let total: Decimal = moves.values().map(|one| (one.wanted - one.held).abs()).sum();
    if total <= cap {
        return Ok(targets);
    }
    let mut weights = Vec::with_capacity(moves.len());
    for (symbol, Move { held, wanted, target }) in moves {
        let part = (wanted - held).checked_mul(cap).and_then(|share| share.checked_div(total));
        let part = part.ok_or_else(|| out_of_range(&symbol))?;
        let (signal, rank) = target.map_or((None, None), |target| (target.signal, target.rank));
        weights.push(TargetWeight { symbol, weight: round(held + part, PLACES), signal, rank });
    }
    Ok(TargetSet { weights, ..targets })
}

struct Move {
    held: Decimal,
    wanted: Decimal,
    target: Option<TargetWeight>,
}

fn moves(targets: &TargetSet, book: &FundBook) -> Result<BTreeMap<Symbol, Move>, ComputeError> {
    let nav = book.nav();
    if nav <= Decimal::ZERO {
        let message = format!("fund {} is worth {nav}; nothing of it can be turned over", targets.fund_id);
        return Err(ComputeError::new(NAME, message));
    }
    let mut moves = BTreeMap::new();
    for (symbol, holding) in book.positions().iter() {
        let held = holding.market_value().checked_div(nav).ok_or_else(|| out_of_range(symbol))?;
        moves.insert(symbol.clone(), Move { held, wanted: Decimal::ZERO, target: None });
    }
    for target in &targets.weights {
        let nothing = Move { held: Decimal::ZERO, wanted: Decimal::ZERO, target: None };
        let one = moves.entry(target.symbol.clone()).or_insert(nothing);
        if one.target.is_some() {
            let message = format!("{} has two target weights; give one", target.symbol);
            return Err(ComputeError::new(NAME, message));
        }
        (one.wanted, one.target) = (target.weight, Some(target.clone()));
    }
    Ok(moves)
}

fn out_of_range(symbol: &Symbol) -> ComputeError {
    ComputeError::new(NAME, format!("the turnover of {symbol} leaves the range of decimals"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::ledger::MarkKind;
    use mts_foundation::{
        Currency, Fill, FundId, Instrument, InstrumentTable, Ledger, Side, StrategyId, Timestamp,
    };

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    /// 10,000 in all: 6,000 of A, 2,000 of B, the rest in cash.
    fn ledger() -> Ledger {
        let table =
            InstrumentTable::from_instruments(["A", "B"].map(|name| Instrument::us_share(symbol(name))));
        let (table, fund) = (table.unwrap(), FundId::new("f").unwrap());
        let mut ledger = Ledger::new();
        ledger.open_fund(fund.clone(), Currency::USD, d("10000")).unwrap();
        for (name, units) in [("A", "600"), ("B", "200")] {
            ledger.mark(&table, &symbol(name), d("10"), MarkKind::Close, Timestamp::EPOCH).unwrap();
            let fill = Fill::new(name, "o", name, Side::Buy, d(units), d("10"), Timestamp::EPOCH).unwrap();
            ledger.book_fill(&table, &fund, &fill).unwrap();
        }
        ledger
    }

    fn targets(weights: &[(&str, &str)]) -> TargetSet {
        TargetSet {
            fund_id: FundId::new("f").unwrap(),
            strategy_id: StrategyId::new("s").unwrap(),
            asof: Timestamp::EPOCH,
            weights: weights
                .iter()
                .map(|(name, weight)| TargetWeight {
                    symbol: symbol(name),
                    weight: d(weight),
                    signal: None,
                    rank: Some(1),
                })
                .collect(),
        }
    }

    #[test]
    fn all_moves_shrink_alike_until_the_cap() {
        let ledger = ledger();
        let book = ledger.fund(&FundId::new("f").unwrap()).unwrap();
        // A loses 0.4, B goes (0.2), C comes (0.6): 1.2 in all.
        let wanted = targets(&[("A", "0.2"), ("C", "0.6")]);
        assert_eq!(turnover(&wanted, book).unwrap(), d("1.2"));
        let capped = cap_turnover(wanted.clone(), book, d("0.3")).unwrap();
        let weights: Vec<String> =
            capped.weights.iter().map(|one| format!("{} {}", one.symbol, one.weight.normalize())).collect();
        assert_eq!(weights, ["A 0.5", "B 0.15", "C 0.15"]);
        assert_eq!(turnover(&capped, book).unwrap(), d("0.3"));
        assert_eq!(cap_turnover(wanted.clone(), book, d("1.2")).unwrap(), wanted);
    }

    #[test]
    fn what_has_no_turnover_is_refused() {
        let ledger = ledger();
        let book = ledger.fund(&FundId::new("f").unwrap()).unwrap();
        let broke = FundBook::new(Currency::USD, Decimal::ZERO);
        for (error, word) in [
            (cap_turnover(targets(&[]), book, Decimal::ZERO).unwrap_err(), "turnover_cap is 0"),
            (turnover(&targets(&[]), &broke).unwrap_err(), "worth 0"),
            (turnover(&targets(&[("A", "1"), ("A", "0")]), book).unwrap_err(), "two target weights"),
        ] {
            assert!(error.message.contains(word), "{error}");
        }
    }
}
