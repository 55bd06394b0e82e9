//! Cancelling without the engine: over a connection of this command's own, for an engine that hangs or is down.

use crate::app::App;
use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::run_folder::RunFolder;
use crate::setup::live_broker;
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome, DynBroker};
use mts_foundation::broker_event::OrderReport;
use mts_foundation::{IdempotencyKey, OrderId};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest wait for one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Cancellations under way at one time.
const UNDER_WAY: usize = 32;

/// Looks at the account: an order that had left just before the first look is found by the second.
const LOOKS: usize = 5;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks the broker to cancel every order that works: first those that the broker shows, until it shows no other, then those
/// that only the journal knows. A line for each.
pub(super) fn cancel_all(app: &App, config: &RunConfig, folder: &Path) -> Result<Vec<String>, CliError> {
    let broker = live_broker(app, config, None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .or_exit(ExitKind::Internal)?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, broker.connect())
            .await
            .map_err(|_| CliError::new(ExitKind::Refused, "the broker does not answer; call its desk"))?
            .or_exit(ExitKind::Refused)?;
        let (mut lines, mut asked) = (Vec::new(), BTreeSet::new());
        for look in 0..LOOKS {
            let Ok(Ok(open)) = tokio::time::timeout(PATIENCE, broker.open_orders()).await else { continue };
            let fresh = ours(open, &asked);
            // One look proves nothing about what was under way.
            if look > 0 && fresh.is_empty() {
                break;
            }
            asked.extend(fresh.iter().map(|order| order.idempotency_key.clone()));
            lines.extend(cancel(&broker, fresh).await?);
            tokio::time::sleep(PAUSE).await;
        }
        // A journal that cannot be replayed keeps nothing that the broker shows from being cancelled, and neither does the time
        // that this takes.
        let mut rest = journalled(app, folder).unwrap_or_default();
        rest.retain(|order| !asked.contains(&order.idempotency_key));
        lines.extend(cancel(&broker, rest).await?);
        lines.sort();
        Ok(lines)
    })
}

/// The orders that carry a key, which only ours do, and that were not asked for yet. A venue that gives back nothing else of
/// ours leaves the key to name the order with.
fn ours(open: Vec<OrderReport>, asked: &BTreeSet<IdempotencyKey>) -> Vec<BrokerOrderRef> {
    let reference = |report: OrderReport| {
        let key = report.idempotency_key.filter(|key| !asked.contains(key))?;
        Some(BrokerOrderRef {
            order_id: report.order_id.or_else(|| OrderId::new(key.as_str()).ok())?,
            idempotency_key: key,
            broker_order_id: report.broker_order_id,
            symbol: report.symbol,
        })
    };
    open.into_iter().filter_map(reference).collect()
}

/// Asks for cancellations, a bounded number at a time.
async fn cancel(broker: &Arc<dyn DynBroker>, orders: Vec<BrokerOrderRef>) -> Result<Vec<String>, CliError> {
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    let mut calls = tokio::task::JoinSet::new();
    for order in orders {
        let (broker, room) = (Arc::clone(broker), Arc::clone(&room));
        calls.spawn(async move {
            let _permit = room.acquire_owned().await;
            let outcome = match tokio::time::timeout(PATIENCE, broker.cancel(&order)).await {
                Ok(CancelOutcome::Confirmed) => "cancelled".to_owned(),
                Ok(CancelOutcome::TooLate { state }) => format!("too late, it is {state}"),
                Ok(CancelOutcome::NotFound) => "the broker does not know it".to_owned(),
                Ok(CancelOutcome::Unknown { cause }) => format!("not confirmed: {cause}"),
                Err(_) => "not confirmed: no answer".to_owned(),
            };
            format!("order {}: {outcome}", order.order_id)
        });
    }
    let mut lines = Vec::new();
    while let Some(line) = calls.join_next().await {
        lines.push(line.or_exit(ExitKind::Internal)?);
    }
    Ok(lines)
}

/// The orders that work by the journal.
fn journalled(app: &App, folder: &Path) -> Result<Vec<BrokerOrderRef>, CliError> {
    let mut run = RunFolder::open(app, folder)?;
    run.catch_up()?;
    let working = run.core.state().orders().filter(|record| record.state.is_working());
    let named = working.filter_map(|record| {
        Some(BrokerOrderRef {
            order_id: record.order.order_id.clone(),
            idempotency_key: record.order.idempotency_key.clone(),
            broker_order_id: record.order.broker_order_id.clone()?,
            symbol: record.order.symbol.clone(),
        })
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(venue_id: &str, order_id: Option<&str>, key: Option<&str>) -> OrderReport {
        let report = serde_json::json!({
            "broker_order_id": venue_id, "order_id": order_id, "idempotency_key": key, "symbol": "AAPL", "side": "buy",
            "order_type": "market", "quantity": "1", "filled": "0", "average_price": null, "state": "accepted",
            "reason": null, "timestamp": "2026-03-02T14:30:00Z",
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn an_order_is_ours_by_its_key_also_where_the_venue_says_nothing_else_of_ours() {
        let open = vec![
            report("v1", Some("fund-000001"), Some("k1")),
            report("v2", None, Some("k2")),
            report("v3", None, Some("asked")),
            report("v4", None, None),
        ];
        let asked = BTreeSet::from([IdempotencyKey::new("asked").unwrap()]);
        let ours: Vec<_> = ours(open, &asked)
            .into_iter()
            .map(|order| (order.order_id.to_string(), order.broker_order_id.to_string()))
            .collect();
        let wanted = [("fund-000001", "v1"), ("k2", "v2")];
        assert_eq!(ours, wanted.map(|(order, venue)| (order.to_owned(), venue.to_owned())));
    }
}
