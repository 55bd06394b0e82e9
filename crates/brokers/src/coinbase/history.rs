//! What happened after an instant: fills, and what has become of orders whose end may have been missed.

use super::client::Coinbase;
use super::map;
use super::orders::{ORDERS, order_ids};
use super::session::UserChannel;
use super::watch::{Found, Lagging};
use super::wire::{FillPage, WireFill};
use crate::kit::{EventSource, Failure, KnownOrders};
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::io::Socket;
use mts_foundation::{BrokerOrderId, Decimal, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How late rows come.
const LATE: Duration = Duration::from_secs(10);

/// Rows of one answer, and most answers to one question.
const PAGE: usize = 100;
const MAX_PAGES: usize = 1_000;

/// Pauses between looks whether the history shows what the stream has told, in milliseconds.
const LOOKS: &[u64] = &[20, 50, 100, 200, 400];

/// Units by which sums may differ: those of fills that were paid by value are rounded.
const ROUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 10);

impl Coinbase {
    /// All fills of a question, newest first as the venue gives them. Its answers have a cursor on the last page too.
    async fn fills(&self, question: &str) -> Result<Vec<WireFill>, Failure> {
        let (mut rows, mut met, mut cursor) = (Vec::new(), BTreeSet::new(), String::new());
        for _ in 0..MAX_PAGES {
            let path = format!("/orders/historical/fills?{question}&limit={PAGE}{cursor}");
            let page: FillPage = self.get(&path).await?;
            let is_last = page.fills.len() < PAGE;
            let next = page.cursor.filter(|next| !next.is_empty());
            let before = rows.len();
            rows.extend(page.fills.into_iter().filter(|row| met.insert(row.entry_id.clone())));
            match next {
                // A page without anything new would come for ever.
                Some(next) if !is_last && rows.len() > before => {
                    cursor = format!("&cursor={}", super::client::encoded(&next));
                }
                _ => return Ok(rows),
            }
        }
        Err(Failure::unreadable(format!("more than {} fills", rows.len())))
    }

    /// The fills of orders of which the stream has told more than the history has listed, once they come to that; else those
    /// that there are.
    async fn late_fills(
        &self,
        listed: &[WireFill],
        now: Timestamp,
        found: &mut Found,
    ) -> Result<Vec<WireFill>, Failure> {
        let mut lagging = caught_up(self.watch.lagging(now), listed, found);
        let (mut late, mut pauses) = (Vec::new(), LOOKS.iter());
        while !lagging.is_empty() {
            let mut rows = Vec::new();
            for some in lagging.chunks(ORDERS) {
                rows.extend(self.fills(&order_ids(some.iter().map(|order| &order.id))).await?);
            }
            lagging = caught_up(lagging, &rows, found);
            // The newest answer has all rows of its orders in their order.
            rows.append(&mut late);
            late = rows;
            // What was asked for in vain before is not waited for.
            found.behind.extend(lagging.extract_if(.., |order| !order.is_new));
            match pauses.next() {
                Some(pause) if !lagging.is_empty() => {
                    self.connections.sleep.sleep(Duration::from_millis(*pause)).await;
                }
                _ => break,
            }
        }
        found.behind.extend(lagging);
        Ok(late)
    }

    /// Learns whose the orders of fills are that this process does not know.
    async fn meet_owners(&self, rows: &[WireFill]) -> Result<(), Failure> {
        let mut strangers = BTreeSet::new();
        for row in rows.iter().filter(|row| map::is_fill(row)) {
            // What is no id is of no order of ours.
            strangers
                .extend(map::venue_id(&row.order_id).ok().filter(|id| self.orders.of_venue(id).is_none()));
        }
        let strangers: Vec<BrokerOrderId> = strangers.into_iter().collect();
        for (id, wire) in self.orders_by_id(&strangers).await? {
            wire.and_then(|wire| self.orders.meet(&wire.client_order_id, &id));
        }
        Ok(())
    }

    /// What orders are whose end may have been missed.
    async fn doubtful(&self, found: &mut Found) -> Result<Vec<BrokerEvent>, Failure> {
        let mut events = Vec::new();
        for (id, wire) in self.orders_by_id(&self.watch.doubtful()).await? {
            let wire = wire.filter(|wire| map::is_named(&wire.product_id));
            let report = match wire.map(|wire| map::report(&wire, &self.orders)).transpose() {
                // Somebody else's that cannot be said in our words.
                Err(_) if self.orders.of_venue(&id).is_none() => None,
                report => report?,
            };
            found.settled.push((id, report.as_ref().is_some_and(|report| !report.state.is_terminal())));
            events.extend(report.map(BrokerEvent::Order));
        }
        Ok(events)
    }

    async fn happened(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, Failure> {
        let account = self.account_id().await?;
        let (now, mut found) = (self.connections.clock.now(), Found::default());
        let listed = self.fills(&format!("start_sequence_timestamp={from}")).await?;
        // However old: a row that came late may lie before fills that were told already.
        let mut rows = self.late_fills(&listed, now, &mut found).await?;
        rows.extend(listed);
        let mut met: BTreeSet<SmolStr> = BTreeSet::new();
        rows.retain(|row| met.insert(row.entry_id.clone()));
        // Oldest first; of one moment in the order in which the venue has them.
        rows.reverse();
        rows.sort_by_key(|row| row.sequence_timestamp);
        self.meet_owners(&rows).await?;
        let mut events = Vec::with_capacity(rows.len());
        // What stays behind for too long, and what the rows do not say, is found by comparing positions.
        let overdue = found.behind.iter().filter(|order| order.is_overdue);
        let mut gap = overdue.map(|order| order.since).min();
        for row in &rows {
            let known = map::venue_id(&row.order_id).ok().and_then(|id| self.orders.of_venue(&id));
            let fill = map::is_fill(row)
                .then(|| map::of_fill(row, known.as_ref(), &account, self.config.currency))
                .transpose();
            match fill {
                Ok(Some(fill)) => events.push(fill),
                Err(failure) if known.is_some() => return Err(failure),
                // Somebody else's that cannot be said in our words must not keep ours from being told.
                Ok(None) | Err(_) if !self.watch.is_told(&row.entry_id) => {
                    found.strange.insert(row.entry_id.clone());
                    gap = Some(gap.map_or(row.trade_time, |gap| gap.min(row.trade_time)));
                }
                Ok(None) | Err(_) => {}
            }
        }
        let to = self.connections.clock.now();
        events.extend(gap.map(|from| BrokerEvent::Gap { from, to, recoverable: false }));
        events.extend(self.doubtful(&mut found).await?);
        self.watch.note(found, now);
        Ok(events)
    }
}

/// The orders whose plain fills do not come to what the stream has told. A row whose units cannot be said shows none.
fn caught_up(lagging: Vec<Lagging>, rows: &[WireFill], found: &mut Found) -> Vec<Lagging> {
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    let lags: BTreeSet<&str> = lagging.iter().map(|order| order.id.as_str()).collect();
    for row in rows.iter().filter(|row| map::is_plain(row) && lags.contains(row.order_id.as_str())) {
        let sum = sums.entry(row.order_id.as_str()).or_default();
        *sum = sum.saturating_add(map::units(row).unwrap_or_default());
    }
    let mut behind = Vec::new();
    for order in lagging {
        let sum = sums.get(order.id.as_str()).copied().unwrap_or_default();
        if sum.saturating_add(ROUNDING) >= order.told {
            found.shown.push((order.id, sum.max(order.told)));
        } else {
            behind.push(order);
        }
    }
    behind
}

impl EventSource for Coinbase {
    type Session = UserChannel;

    async fn open(&self) -> Result<(Box<dyn Socket>, UserChannel), BrokerError> {
        let signer = self.signer().await?;
        let socket = self.connections.socket(self.config.stream_url(), self.config.deadline()).await?;
        // Whatever ended while nobody listened is asked for.
        self.watch.missed();
        let silence = Duration::from_millis(self.config.silence_ms);
        Ok((socket, UserChannel::watching(signer, self.orders.clone(), self.watch.clone(), silence)))
    }

    fn orders(&self) -> &KnownOrders {
        &self.orders
    }

    async fn present(&self) -> Result<(Vec<OrderReport>, Timestamp), BrokerError> {
        let failed = |failure: Failure| failure.of_query("events");
        let now = self.venue_time().await.map_err(failed)?;
        let open = self.list_open().await.map_err(failed)?;
        for report in &open {
            self.watch.settled(&report.broker_order_id, true);
        }
        Ok((open, now))
    }

    async fn since(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, BrokerError> {
        self.happened(from).await.map_err(|failure| failure.of_query("events"))
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
