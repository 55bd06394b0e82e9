//! A strategy that holds in turns: what it wants is a matter of the minute alone, so that two runs of the same day end with the same
//! positions, whatever became of single orders on the way.

use crate::app::StrategyContext;
use crate::error::CliError;
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError};
use mts_foundation::{AssetClass, Decimal, Side, StrategyId, Symbol, TimeInForce, View};
use std::collections::BTreeMap;

/// Holds nothing for a number of bars, then some units of each instrument for as many, and so on. What is missing is ordered at
/// the market, once nothing is open there.
struct Shift {
    id: StrategyId,
    units: Decimal,
    bars: u64,
    /// Bars of each instrument so far.
    seen: BTreeMap<Symbol, u64>,
}

impl Strategy for Shift {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        for bar in view.bars {
            let Some(seen) = self.seen.get_mut(&bar.symbol) else { continue };
            let holds = !(*seen / self.bars).is_multiple_of(2);
            *seen += 1;
            if view.open_orders.iter().any(|record| record.order.symbol == bar.symbol) {
                continue;
            }
            let wanted = if holds { self.units } else { Decimal::ZERO };
            let missing = wanted - view.book.positions().quantity(&bar.symbol);
            if missing.is_zero() {
                continue;
            }
            let side = if missing > Decimal::ZERO { Side::Buy } else { Side::Sell };
            let is_crypto = bar.symbol.parts().is_ok_and(|parts| parts.asset_class() == AssetClass::Crypto);
            commands.submit(OrderRequest {
                // Crypto has no day that ends.
                tif: if is_crypto { TimeInForce::Ioc } else { TimeInForce::Day },
                ..OrderRequest::market(bar.symbol.clone(), side, missing.abs())
            });
        }
        Ok(())
    }
}

/// The strategy of a configuration: `strategy.params` may have `units` (1) and `bars` (39).
pub(crate) fn make(context: StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> {
    let params = super::numbers("strategy", "shift", &context.section.params, &["units", "bars"])?;
    let number = |name: &str, default: u64| params.get(name).copied().unwrap_or(default);
    Ok(Box::new(Shift {
        id: context.section.strategy_id.clone(),
        units: Decimal::from(number("units", 1)),
        bars: number("bars", 39),
        seen: context.symbols.iter().map(|symbol| (symbol.clone(), 0)).collect(),
    }))
}
