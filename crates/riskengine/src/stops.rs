//! Synthetic stops: a position that loses more than the envelope allows is closed, by us and not by the venue.

use crate::state::Held;
use mts_foundation::position::Holding;
use mts_foundation::risk::RiskAction;
use mts_foundation::{Decimal, FundBook, FundId, Symbol};
use std::collections::BTreeMap;

/// Says which positions of a fund reached their stop for the first time: of one instrument, or of all.
pub(crate) fn evaluate(
    fund_id: &FundId,
    book: &FundBook,
    stop: Option<Decimal>,
    only: Option<&Symbol>,
    stopped: &mut BTreeMap<Symbol, Held>,
    actions: &mut Vec<RiskAction>,
) {
    let Some(stop) = stop else { return };
    // A position that is flat or has turned has its stop back.
    stopped.retain(|symbol, held| Held::of(book.positions().quantity(symbol)) == Some(*held));
    let mut look = |symbol: &Symbol, holding: &Holding| {
        let Some(held) = Held::of(holding.quantity).filter(|held| reached(*held, holding, stop)) else {
            return;
        };
        if stopped.get(symbol) != Some(&held) {
            stopped.insert(symbol.clone(), held);
            actions.push(RiskAction::StopOut { fund_id: fund_id.clone(), symbol: symbol.clone() });
        }
    };
    match only {
        Some(symbol) => {
            if let Some(holding) = book.positions().get(symbol) {
                look(symbol, holding);
            }
        }
        None => book.positions().iter().for_each(|(symbol, holding)| look(symbol, holding)),
    }
}

/// Whether a price would take a position to its stop.
pub(crate) fn would_reach(holding: &Holding, stop: Option<Decimal>, price: Decimal) -> bool {
    let (Some(stop), Some(held)) = (stop, Held::of(holding.quantity)) else { return false };
    lost(held, holding.average_price, price, stop)
}

/// Whether a position lost that share of its entry value.
fn reached(held: Held, holding: &Holding, stop: Decimal) -> bool {
    lost(held, holding.average_price, holding.last_price, stop)
}

fn lost(held: Held, entry: Decimal, last: Decimal, stop: Decimal) -> bool {
    let loss = match held {
        Held::Long => entry - last,
        Held::Short => last - entry,
    };
    // A product out of range is of prices that no loss is small against.
    entry > Decimal::ZERO && last > Decimal::ZERO && entry.checked_mul(stop).is_none_or(|most| loss >= most)
}
