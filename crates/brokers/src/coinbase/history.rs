//! What happened after an instant: fills, and what has become of orders whose end may have been missed.

use super::client::Coinbase;
use super::map;
use super::session::UserChannel;
use super::wire::{FillPage, WireFill, WireOrder};
use crate::kit::{EventSource, Failure, KnownOrder, KnownOrders};
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
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

    /// The fills of an order, once they come to what the stream has told; else those that there are.
    async fn fills_of(&self, order: &BrokerOrderId, told: Decimal) -> Result<Vec<WireFill>, Failure> {
        let question = format!("order_ids={}", super::client::encoded(order.as_str()));
        let mut pauses = LOOKS.iter();
        loop {
            let rows = self.fills(&question).await?;
            let mut shown = Decimal::ZERO;
            for row in &rows {
                shown = shown.saturating_add(map::units(row)?);
            }
            if shown.saturating_add(ROUNDING) >= told {
                self.watch.shown(order, shown.max(told));
                return Ok(rows);
            }
            match pauses.next() {
                Some(pause) => self.connections.sleep.sleep(Duration::from_millis(*pause)).await,
                None => return Ok(rows),
            }
        }
    }

    /// Whose order a fill is of; the venue is asked where this process does not know.
    async fn owner(
        &self,
        order: &str,
        strangers: &mut BTreeMap<SmolStr, Option<KnownOrder>>,
    ) -> Result<Option<KnownOrder>, Failure> {
        let id = map::venue_id(order)?;
        if let Some(known) = self.orders.of_venue(&id) {
            return Ok(Some(known));
        }
        if let Some(looked_up) = strangers.get(order) {
            return Ok(looked_up.clone());
        }
        let wire = self.find_order(&id).await?;
        let known = wire.and_then(|wire| self.orders.meet(&wire.client_order_id, &id));
        strangers.insert(order.into(), known.clone());
        Ok(known)
    }

    /// What orders are whose end may have been missed.
    async fn doubtful(&self) -> Result<Vec<BrokerEvent>, Failure> {
        let mut events = Vec::new();
        for id in self.watch.doubtful() {
            let found: Option<WireOrder> = self.find_order(&id).await?;
            let report = found.map(|wire| map::report(&wire, &self.orders)).transpose()?;
            self.watch.settled(&id, report.as_ref().is_some_and(|report| !report.state.is_terminal()));
            events.extend(report.map(BrokerEvent::Order));
        }
        Ok(events)
    }

    async fn happened(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, Failure> {
        let account = self.account_id().await?;
        let mut rows = self.fills(&format!("start_sequence_timestamp={from}")).await?;
        let mut met: BTreeSet<SmolStr> = rows.iter().map(|row| row.entry_id.clone()).collect();
        for (order, told) in self.watch.lagging() {
            let of_order = self.fills_of(&order, told).await?;
            // However old: a row that came late may lie before fills that were told already.
            rows.extend(of_order.into_iter().filter(|row| met.insert(row.entry_id.clone())));
        }
        // Oldest first; of one moment in the order in which the venue has them.
        rows.reverse();
        rows.sort_by_key(|row| row.sequence_timestamp);
        let (mut events, mut strangers) = (Vec::with_capacity(rows.len()), BTreeMap::new());
        for row in &rows {
            if row.trade_type != "FILL" {
                // Reversals and corrections: which fill they change is not said anywhere, so that positions are compared.
                if self.watch.is_new(&row.entry_id) {
                    let to = self.connections.clock.now();
                    events.push(BrokerEvent::Gap { from: row.trade_time, to, recoverable: false });
                }
                continue;
            }
            let known = self.owner(&row.order_id, &mut strangers).await?;
            events.push(map::of_fill(row, known.as_ref(), &account, self.config.currency)?);
        }
        events.extend(self.doubtful().await?);
        Ok(events)
    }
}

impl EventSource for Coinbase {
    type Session = UserChannel;

    async fn open(&self) -> Result<(Box<dyn Socket>, UserChannel), BrokerError> {
        let signer = self.signer().await?;
        let temporary = |kind, message| BrokerError::new("events", kind, ErrorStatus::Temporary, message);
        let request = http::Request::builder()
            .uri(self.config.stream_url())
            .body(())
            .map_err(|error| temporary(BrokerErrorKind::InvalidRequest, format!("stream: {error}")))?;
        let socket = self.connections.sockets.connect(request, self.config.deadline()).await;
        let socket = socket.map_err(|error| temporary(BrokerErrorKind::Disconnected, error.message))?;
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
