//! A strategy that trades for the sake of trading: in and out of each instrument, to try an installation with.

use crate::app::StrategyContext;
use crate::error::{CliError, ExitKind};
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError};
use mts_foundation::{Decimal, Side, StrategyId, View};

/// Buys on every n-th price what it does not hold, and sells it on the next.
struct Drill {
    id: StrategyId,
    units: Decimal,
    every: u64,
    seen: u64,
}

impl Strategy for Drill {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        for quote in view.quotes {
            self.seen += 1;
            let working = view.open_orders.iter().any(|record| record.order.symbol == quote.symbol);
            if working || !self.seen.is_multiple_of(self.every) {
                continue;
            }
            let held = view.book.positions().quantity(&quote.symbol);
            let (side, units) =
                if held > Decimal::ZERO { (Side::Sell, held) } else { (Side::Buy, self.units) };
            commands.submit(OrderRequest::market(quote.symbol.clone(), side, units));
        }
        Ok(())
    }
}

/// The strategy of a configuration: `strategy.params` may have `units` (1) and `every` (10 prices).
pub(crate) fn make(context: StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> {
    let params = &context.section.params;
    let number = |name: &str, default: u64| match params.get(name) {
        None => Ok(default),
        Some(value) => value.as_u64().filter(|number| *number > 0).ok_or_else(|| {
            CliError::new(
                ExitKind::Config,
                format!("strategy.params.{name} is {value}; give a number above 0"),
            )
        }),
    };
    if let Some(other) = params.keys().find(|name| !["units", "every"].contains(&name.as_str())) {
        let message = format!("strategy.params.{other} is not known to drill; it has units and every");
        return Err(CliError::new(ExitKind::Config, message));
    }
    Ok(Box::new(Drill {
        id: context.section.strategy_id.clone(),
        units: Decimal::from(number("units", 1)?),
        every: number("every", 10)?,
        seen: 0,
    }))
}
