//! What happened after an instant: fills, and cash that moved without a trade.

use super::client::Alpaca;
use super::map;
use super::session::TradeUpdates;
use super::wire::{CashActivity, FillActivity, Owner};
use crate::kit::{EventSource, Failure, KnownOrder, KnownOrders, Untold};
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::io::Socket;
use mts_foundation::{BrokerOrderId, Timestamp};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// How late rows come; those of one moment come in any order.
const LATE: Duration = Duration::from_secs(10);

/// Rows of one answer, and most answers to one question.
const PAGE: usize = 100;
const MAX_PAGES: usize = 1_000;

/// Movements that are no trades. What Alpaca has beside them changes no cash.
const CASH: &str =
    "CFEE,CSD,CSW,DIV,DIVCGL,DIVCGS,DIVFEE,DIVFT,DIVNRA,DIVROC,DIVTW,DIVTXEX,FEE,INT,INTNRA,INTTW,JNLC,TRANS";

impl Alpaca {
    /// All rows of a list that goes on by the id of its last row.
    async fn rows<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        id: impl Fn(&T) -> &SmolStr,
    ) -> Result<Vec<T>, Failure> {
        let mut rows: Vec<T> = Vec::new();
        for _ in 0..MAX_PAGES {
            let token = rows.last().map(|row| format!("&page_token={}", id(row))).unwrap_or_default();
            let page: Vec<T> = self.get(&format!("{path}&direction=asc&page_size={PAGE}{token}")).await?;
            let is_last = page.len() < PAGE;
            rows.extend(page);
            if is_last {
                return Ok(rows);
            }
        }
        Err(Failure::unreadable(format!("{path} has more than {} rows", rows.len())))
    }

    /// Whose order a fill is of; the venue is asked where this process does not know. What the venue does not know either is
    /// somebody else's.
    async fn owner(
        &self,
        order: &str,
        strangers: &mut BTreeMap<SmolStr, Option<KnownOrder>>,
    ) -> Result<Option<KnownOrder>, Failure> {
        // What is no id is of no order of ours.
        let Ok(id) = BrokerOrderId::new(order) else { return Ok(None) };
        if let Some(known) = self.orders.of_venue(&id) {
            return Ok(Some(known));
        }
        if let Some(looked_up) = strangers.get(order) {
            return Ok(looked_up.clone());
        }
        let owner: Option<Owner> = self.find(&format!("/v2/orders/{order}")).await?;
        let known = owner.and_then(|owner| self.orders.meet(&owner.client_order_id, &id));
        strangers.insert(order.into(), known.clone());
        Ok(known)
    }

    async fn happened(&self, from: Timestamp, with_cash: bool) -> Result<Vec<BrokerEvent>, Failure> {
        let (account, currency) = self.account_id().await?;
        let path = format!("/v2/account/activities/FILL?after={from}");
        let mut fills: Vec<FillActivity> = self.rows(&path, |row: &FillActivity| &row.id).await?;
        // Rows of one moment come in any order.
        fills.sort_by_key(|row| (row.transaction_time, row.cum_qty));
        let (mut events, mut strangers) = (Vec::with_capacity(fills.len()), BTreeMap::new());
        let mut untold = BTreeMap::new();
        for row in &fills {
            let known = self.owner(&row.order_id, &mut strangers).await?;
            match map::of_activity(row, known.as_ref(), &account) {
                Ok(fill) => events.push(fill),
                Err(failure) if known.is_some() => return Err(failure),
                // Somebody else's that cannot be said in our words must not keep ours from being told.
                Err(_) => {
                    untold.insert(row.id.clone(), row.transaction_time);
                }
            }
        }
        let path = format!("/v2/account/activities?activity_types={CASH}&after={from}");
        let cash = if with_cash { self.rows(&path, |row: &CashActivity| &row.id).await? } else { Vec::new() };
        for row in &cash {
            match map::of_cash(row, currency) {
                Ok(told) => events.extend(told),
                Err(_) => drop(untold.insert(row.id.clone(), from)),
            }
        }
        events.extend(self.known().untold.gap(untold, self.connections.clock.now()));
        Ok(events)
    }
}

impl EventSource for Alpaca {
    type Session = TradeUpdates;

    async fn open(&self) -> Result<(Box<dyn Socket>, TradeUpdates), BrokerError> {
        let key = self.key().await?;
        let (account, _) = self.account_id().await.map_err(|failure| failure.of_query("events"))?;
        self.known().untold = Untold::default();
        let socket = self.connections.socket(self.config.stream_url(), self.config.deadline()).await?;
        Ok((socket, TradeUpdates::new(key, account, self.orders.clone())))
    }

    fn orders(&self) -> &KnownOrders {
        &self.orders
    }

    async fn present(&self) -> Result<(Vec<OrderReport>, Timestamp), BrokerError> {
        let failed = |failure: Failure| failure.of_query("events");
        let clock = self.venue_clock().await.map_err(failed)?;
        let open = self.list_open().await.map_err(failed)?;
        Ok((open, clock.timestamp))
    }

    async fn since(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, BrokerError> {
        self.happened(from, true).await.map_err(|failure| failure.of_query("events"))
    }

    async fn fills_since(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, BrokerError> {
        self.happened(from, false).await.map_err(|failure| failure.of_query("events"))
    }

    fn look_every(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.config.look_every_ms))
    }

    fn late(&self) -> Duration {
        LATE
    }
}

#[cfg(test)]
mod tests;
