//! Cancelling without the engine: over a connection of this command's own, for an engine that hangs or is down.

use crate::app::App;
use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::run_folder::RunFolder;
use crate::setup::live_broker;
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest wait for one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Cancellations under way at one time.
const UNDER_WAY: usize = 32;

/// Asks the broker to cancel every order that works: those that the broker shows, and those that only the journal knows. A
/// line for each.
pub(super) fn cancel_all(app: &App, config: &RunConfig, folder: &Path) -> Result<Vec<String>, CliError> {
    let broker = live_broker(app, config)?;
    // A journal that cannot be replayed does not keep what the broker shows from being cancelled.
    let known = journalled(app, folder).unwrap_or_default();
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
        let mut wanted = known;
        if let Ok(Ok(open)) = tokio::time::timeout(PATIENCE, broker.open_orders()).await {
            for report in open {
                let ours = |order: &&mut BrokerOrderRef| order.broker_order_id == report.broker_order_id;
                // Only what carries a key of ours is ours to cancel.
                let (Some(order_id), Some(key)) = (report.order_id, report.idempotency_key) else { continue };
                if wanted.iter_mut().find(ours).is_none() {
                    wanted.push(BrokerOrderRef {
                        order_id,
                        idempotency_key: key,
                        broker_order_id: report.broker_order_id,
                        symbol: report.symbol,
                    });
                }
            }
        }
        let room = Arc::new(Semaphore::new(UNDER_WAY));
        let mut calls = tokio::task::JoinSet::new();
        for order in wanted {
            let (broker, room) = (Arc::clone(&broker), Arc::clone(&room));
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
        lines.sort();
        Ok(lines)
    })
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
