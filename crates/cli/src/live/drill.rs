//! A strategy that trades for the sake of trading: in and out of each instrument, to try an installation with.

use crate::app::StrategyContext;
use crate::error::{CliError, ExitKind, OrExit};
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError};
use mts_foundation::{
    ActorId, Decimal, IdempotencyKey, OrderState, OrderType, Quote, Side, StrategyId, TimeInForce, Timestamp,
    View,
};

/// Buys on every n-th price what it does not hold, and sells it on the next. Where it rests, each purchase comes with a second
/// order that cannot fill, which is cancelled before the sale.
struct Drill {
    id: StrategyId,
    /// In whose name its orders are.
    actor: ActorId,
    units: Decimal,
    every: u64,
    rest: bool,
    seen: u64,
}

impl Drill {
    /// A purchase far from the market.
    fn resting(&self, quote: &Quote, time: Timestamp) -> OrderRequest {
        OrderRequest {
            // The order that trades has the same instrument, side and time.
            idempotency_key: IdempotencyKey::new(format!("rest-{}-{time}", quote.symbol)).ok(),
            order_type: OrderType::Limit,
            // A whole number is a multiple of every usual tick.
            limit_price: Some((quote.bid / Decimal::TWO).ceil()),
            tif: TimeInForce::Gtc,
            ..OrderRequest::market(quote.symbol.clone(), Side::Buy, self.units)
        }
    }
}

impl Strategy for Drill {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        for quote in view.quotes {
            self.seen += 1;
            if !self.seen.is_multiple_of(self.every) {
                continue;
            }
            let open = || view.open_orders.iter().filter(|record| record.order.symbol == quote.symbol);
            if let Some(record) = open().find(|record| record.order.actor == self.actor) {
                if record.order.order_type == OrderType::Limit && record.state != OrderState::PendingCancel {
                    commands.cancel(record.order.order_id.clone());
                }
                continue;
            }
            // What a person has working here is that person's: nothing is done beside it.
            if open().next().is_some() {
                continue;
            }
            let held = view.book.positions().quantity(&quote.symbol);
            let (side, units) =
                if held > Decimal::ZERO { (Side::Sell, held) } else { (Side::Buy, self.units) };
            commands.submit(OrderRequest::market(quote.symbol.clone(), side, units));
            if self.rest && side == Side::Buy {
                commands.submit(self.resting(quote, view.time));
            }
        }
        Ok(())
    }
}

/// The strategy of a configuration: `strategy.params` may have `units` (1), `every` (10 prices) and `rest` (false).
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
    let rest = match params.get("rest").map(|value| (value.as_bool(), value)) {
        None => false,
        Some((Some(rest), _)) => rest,
        Some((None, value)) => {
            let message = format!("strategy.params.rest is {value}; give true or false");
            return Err(CliError::new(ExitKind::Config, message));
        }
    };
    if let Some(other) = params.keys().find(|name| !["units", "every", "rest"].contains(&name.as_str())) {
        let message = format!("strategy.params.{other} is not known to drill; it has units, every and rest");
        return Err(CliError::new(ExitKind::Config, message));
    }
    let id = context.section.strategy_id.clone();
    let actor = ActorId::new(format!("strategy:{id}")).or_exit(ExitKind::Config)?;
    Ok(Box::new(Drill {
        id,
        actor,
        units: Decimal::from(number("units", 1)?),
        every: number("every", 10)?,
        rest,
        seen: 0,
    }))
}
