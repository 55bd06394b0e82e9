//! An order that is placed far from the market, found, and cancelled: what shows that an account can be traded with.

use crate::error::{CliError, ExitKind, OrExit};
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome, Check, DynBroker, OrderRef, SubmitOutcome};
use mts_foundation::{
    AssetClass, Decimal, Order, OrderState, OrderType, Side, Symbol, TimeInForce, Timestamp,
};
use std::time::Duration;

/// Pauses between looks whether the cancellation has come to pass.
const LOOKS: [Duration; 6] = [Duration::from_millis(500); 6];

/// A purchase with a limit so low that it cannot fill.
pub(crate) fn order(
    broker: &str,
    symbol: &Symbol,
    limit: Decimal,
    quantity: Decimal,
    now: Timestamp,
) -> Result<Order, CliError> {
    let is_crypto = symbol.parts().is_ok_and(|parts| parts.asset_class() == AssetClass::Crypto);
    // A day order leaves nothing behind, whatever happens; crypto has no day that ends.
    let tif = if is_crypto { TimeInForce::Gtc } else { TimeInForce::Day };
    // The nanosecond makes the key one's own.
    let key = format!("trial-{}", now.nanos());
    Order::builder()
        .order_id(&key)
        .idempotency_key(&key)
        .symbol(symbol)
        .side(Side::Buy)
        .quantity(quantity)
        .order_type(OrderType::Limit)
        .limit_price(limit)
        .tif(tif)
        .fund_id("trial")
        .strategy_id("trial")
        .broker(broker)
        .actor("mts-brokers-test")
        .created_at(now)
        .build()
        .or_exit(ExitKind::Usage)
}

/// Sends it, and again with the same key, finds it by the key, and cancels it. What could not be cleared away is said with the
/// venue's id.
pub(crate) async fn place_and_cancel(broker: &dyn DynBroker, order: &Order) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut told = |name: &'static str, seen: Result<String, String>| {
        let ok = seen.is_ok();
        checks.push(Check { name: name.into(), ok, detail: seen.unwrap_or_else(|wrong| wrong) });
    };
    let placed = match broker.submit(order).await {
        SubmitOutcome::Accepted(placed) => placed,
        SubmitOutcome::Rejected { reason } => {
            told("order placed", Err(format!("the venue refuses it: {reason}")));
            return checks;
        }
        SubmitOutcome::NotSent { reason } => {
            told("order placed", Err(format!("not sent: {reason}")));
            return checks;
        }
        SubmitOutcome::Unknown { cause } => {
            told(
                "order placed",
                Err(format!("nobody knows: {cause}; look at the venue's own page for it, and cancel it")),
            );
            return checks;
        }
    };
    let Some(id) = placed.broker_order_id.clone() else {
        told("order placed", Err("accepted without the venue's id: a fault of the adapter".to_owned()));
        return checks;
    };
    told(
        "order placed",
        Ok(format!("{} {} at {}: {id}", order.quantity, order.symbol, order.limit_price.unwrap_or_default())),
    );
    if broker.capabilities().client_id_dedupe {
        let again = match broker.submit(order).await {
            SubmitOutcome::Accepted(again) if again.broker_order_id.as_ref() == Some(&id) => {
                Ok("the same order".to_owned())
            }
            SubmitOutcome::Rejected { reason } => Ok(format!("refused: {reason}")),
            other => Err(format!(
                "the same key gave {other:?}; look at the venue for a second order, and cancel it"
            )),
        };
        told("same key again", again);
    }
    let found = match broker.order(&OrderRef::Key(order.idempotency_key.clone())).await {
        Ok(Some(report)) if report.broker_order_id == id => Ok(report.state.to_string()),
        Ok(Some(report)) => Err(format!("another order was found: {}", report.broker_order_id)),
        Ok(None) => Err("the venue does not know it".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    told("found by its key", found);
    let reference = BrokerOrderRef {
        order_id: order.order_id.clone(),
        idempotency_key: order.idempotency_key.clone(),
        broker_order_id: id.clone(),
        symbol: order.symbol.clone(),
    };
    let mut outcome = broker.cancel(&reference).await;
    for pause in LOOKS {
        if matches!(outcome, CancelOutcome::Confirmed | CancelOutcome::TooLate { .. }) {
            break;
        }
        tokio::time::sleep(pause).await;
        outcome = broker.cancel(&reference).await;
    }
    told(
        "order cancelled",
        match outcome {
            CancelOutcome::Confirmed => Ok(id.to_string()),
            CancelOutcome::TooLate { state: OrderState::Canceled } => Ok(id.to_string()),
            CancelOutcome::TooLate { state: OrderState::Filled } => {
                Err(format!("{id} has filled: the account holds {} {} more", order.quantity, order.symbol))
            }
            other => Err(format!("{id} may still work ({other:?}); cancel it on the venue's own page")),
        },
    );
    checks
}
