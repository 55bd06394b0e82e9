//! What happened after an instant: executions, and money that moved without a trade.

use super::client::Kraken;
use super::map;
use super::private::Call;
use super::session::Executions;
use super::wire::{WireLedgers, WireOrder, WireToken, WireTrade, WireTrades};
use crate::kit::{EventSource, Failure, KnownOrder, KnownOrders, Untold, venue_id};
use mts_foundation::Timestamp;
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::io::Socket;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far the history lags behind the stream.
const LATE: Duration = Duration::from_secs(30);

/// Rows of one answer, and most answers to one question.
const PAGE: usize = 50;
const MAX_PAGES: usize = 1_000;

/// Most orders of one question.
const MAX_IDS: usize = 50;

impl Kraken {
    /// All rows of a list after a second, newest first, by their ids. What comes in between moves rows to later pages: they come
    /// twice then, and are one.
    async fn rows<W: serde::de::DeserializeOwned, T>(
        &self,
        call: &'static str,
        more: &[(&'static str, String)],
        start: i64,
        of: impl Fn(W) -> BTreeMap<SmolStr, T>,
    ) -> Result<BTreeMap<SmolStr, T>, Failure> {
        let mut rows = BTreeMap::new();
        for page in 0..MAX_PAGES {
            let mut fields = vec![("start", start.to_string()), ("ofs", (page * PAGE).to_string())];
            fields.extend(more.iter().cloned());
            let found = of(self.private(Call::past(call), &fields).await?);
            let is_last = found.len() < PAGE;
            rows.extend(found);
            if is_last {
                return Ok(rows);
            }
        }
        Err(Failure::unreadable(format!("{call} has more than {} rows", rows.len())))
    }

    /// Whose orders executions are of; the venue is asked where this process does not know.
    async fn owners(
        &self,
        trades: &BTreeMap<SmolStr, WireTrade>,
    ) -> Result<BTreeMap<SmolStr, KnownOrder>, Failure> {
        let (mut owners, mut strangers) = (BTreeMap::new(), BTreeSet::new());
        for trade in trades.values() {
            let id = venue_id(&trade.ordertxid)?;
            match self.orders.of_venue(&id) {
                Some(known) => {
                    owners.insert(trade.ordertxid.clone(), known);
                }
                None => {
                    strangers.insert(trade.ordertxid.clone());
                }
            }
        }
        let strangers: Vec<SmolStr> = strangers.into_iter().collect();
        for ids in strangers.chunks(MAX_IDS) {
            let fields = [("txid", ids.join(","))];
            let found: BTreeMap<SmolStr, WireOrder> = self.private(Call::ask("QueryOrders"), &fields).await?;
            for (id, wire) in found {
                let venue = venue_id(&id)?;
                let known = wire.cl_ord_id.as_ref().and_then(|client_id| self.orders.meet(client_id, &venue));
                owners.extend(known.map(|known| (id, known)));
            }
        }
        Ok(owners)
    }

    async fn happened(&self, from: Timestamp, with_cash: bool) -> Result<Vec<BrokerEvent>, Failure> {
        // Whole seconds: what Kraken's documents promise.
        let start = from.nanos().div_euclid(1_000_000_000);
        let account = self.account_id().await?;
        let trades = self.rows("TradesHistory", &[], start, |page: WireTrades| page.trades).await?;
        let pairs = self.pairs_with(trades.values().map(|trade| &trade.pair)).await?;
        let owners = self.owners(&trades).await?;
        let mut events: Vec<(Timestamp, BrokerEvent)> = Vec::with_capacity(trades.len());
        let mut untold = BTreeMap::new();
        for (id, trade) in &trades {
            let known = owners.get(&trade.ordertxid);
            match map::of_trade(id, trade, known, &account, &pairs) {
                Ok(told) => events.push(told),
                // Somebody else's that cannot be said in our words must not keep ours from being told.
                Err(_) if known.is_none() => {
                    untold.insert(id.clone(), map::instant(trade.time).unwrap_or(Timestamp::EPOCH));
                }
                Err(failure) => return Err(failure),
            }
        }
        if let Some(money) = pairs.currency_id().filter(|_| with_cash) {
            let more = [("asset", money.to_owned())];
            let entries = self.rows("Ledgers", &more, start, |page: WireLedgers| page.ledger).await?;
            for (id, entry) in &entries {
                match map::of_entry(id, entry, &pairs, self.config.currency) {
                    Ok(Some(event)) => events.push((map::instant(entry.time)?, event)),
                    Ok(None) => {}
                    Err(_) => drop(untold.insert(id.clone(), from)),
                }
            }
        }
        events.sort_by_key(|(time, _)| *time);
        let gap = self.known().untold.gap(untold, self.connections.clock.now());
        Ok(events.into_iter().map(|(_, event)| event).chain(gap).collect())
    }
}

impl EventSource for Kraken {
    type Session = Executions;

    async fn open(&self) -> Result<(Box<dyn Socket>, Executions), BrokerError> {
        let failed = |failure: Failure| failure.of_query("events");
        let account = self.account_id().await.map_err(failed)?;
        let pairs = self.pairs_now().await.map_err(failed)?;
        self.known().untold = Untold::default();
        // A token is good for fifteen minutes and then as long as its subscription: each connection takes a new one.
        let token: WireToken = self.private(Call::ask("GetWebSocketsToken"), &[]).await.map_err(failed)?;
        let socket = self.connections.socket(self.config.stream_url(), self.config.deadline()).await?;
        let silence = Duration::from_millis(self.config.silence_ms);
        Ok((socket, Executions::new(token.token.into(), account, self.orders.clone(), pairs, silence)))
    }

    fn orders(&self) -> &KnownOrders {
        &self.orders
    }

    async fn present(&self) -> Result<(Vec<OrderReport>, Timestamp), BrokerError> {
        let failed = |failure: Failure| failure.of_query("events");
        let now = self.venue_time().await.map_err(failed)?;
        let open = self.list_open().await.map_err(failed)?;
        Ok((open, now))
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
