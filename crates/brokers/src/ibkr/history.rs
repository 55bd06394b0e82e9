//! Where events come from: what TWS tells, and the trades that it keeps.

use super::capabilities::HISTORY;
use super::client::Ibkr;
use super::feed::Feed;
use super::map;
use super::session::OrderUpdates;
use crate::kit::{EventSource, Failure, KnownOrders};
use mts_foundation::Timestamp;
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::io::Socket;
use std::time::Duration;

/// How late trades come; they are told to the second.
const LATE: Duration = Duration::from_secs(10);

fn before(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
}

impl Ibkr {
    async fn happened(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, Failure> {
        let link = self.link().await?;
        let now = self.connections.clock.now();
        let kept = before(now, HISTORY);
        let mut events = Vec::new();
        if from < kept {
            events.push(BrokerEvent::Gap { from, to: kept, recoverable: false });
        }
        let base = self.base(&link).await?;
        for (execution, mut fees) in link.executions(from.max(kept), now).await? {
            if let Some(fees) = &mut fees {
                self.rates.price(&link, fees, &base).await?;
            }
            let (orders, book) = (&self.shared.orders, &self.shared.book);
            events.extend(map::of_execution(&execution, fees.as_ref(), orders, book, &link.account)?);
        }
        Ok(events)
    }
}

impl EventSource for Ibkr {
    type Session = OrderUpdates;

    async fn open(&self) -> Result<(Box<dyn Socket>, OrderUpdates), BrokerError> {
        let failed = |failure: Failure| failure.of_query("events");
        let link = self.link().await.map_err(failed)?;
        let base = self.base(&link).await.map_err(failed)?;
        let (account, clock) = (link.account.clone(), self.connections.clock.clone());
        let fees_within = Duration::from_millis(self.config.fees_within_ms);
        let feed = Feed::open(link.clone(), clock, self.rates.clone(), base, fees_within).map_err(failed)?;
        // Statuses come without the order that they are about.
        for order in link.open_orders().await.map_err(failed)? {
            self.shared.book.learn(order);
        }
        let beat_every = Duration::from_millis(self.config.beat_every_ms);
        Ok((Box::new(feed), OrderUpdates::new(account, self.shared.clone(), beat_every)))
    }

    fn orders(&self) -> &KnownOrders {
        &self.shared.orders
    }

    async fn present(&self) -> Result<(Vec<OrderReport>, Timestamp), BrokerError> {
        let failed = |failure: Failure| failure.of_query("events");
        let link = self.link().await.map_err(failed)?;
        let time = link.time().await.map_err(failed)?;
        let open = self.list_open(&link).await.map_err(failed)?;
        Ok((open, time))
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
