//! Where events come from: what TWS tells, and the trades that it keeps.

use super::client::{Asked, Ibkr};
use super::feed::Feed;
use super::link::Link;
use super::map;
use super::session::OrderUpdates;
use crate::kit::{EventSource, Failure, KnownOrders};
use chrono::{Days, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use mts_foundation::Timestamp;
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::io::Socket;
use std::time::Duration;

/// How late trades come; they are told to the second.
const LATE: Duration = Duration::from_secs(10);

/// Since when TWS surely has all trades: since midnight in its zone, of today or of some days before.
fn kept(now: Timestamp, days: u8, zone: Option<&str>) -> Option<Timestamp> {
    let zone: Tz = zone.unwrap_or("UTC").parse().ok()?;
    let today = now.to_datetime().with_timezone(&zone).date_naive();
    let first = today.checked_sub_days(Days::new(u64::from(days.saturating_sub(1))))?;
    let midnight = zone.from_local_datetime(&first.and_time(NaiveTime::MIN)).earliest()?;
    Some(Timestamp::from(midnight.with_timezone(&Utc)))
}

impl Ibkr {
    async fn happened(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, Failure> {
        let link = self.link().await?;
        let now = self.connections.clock.now();
        let kept = kept(now, self.config.history_days, link.zone.as_deref()).unwrap_or(now);
        // It was asked for with some of what was before it.
        let place = from.plus(self.reach());
        let mut events = Vec::new();
        if place < kept && !self.has_told_since(place, &link, now) {
            events.push(BrokerEvent::Gap { from: place, to: kept, recoverable: false });
        }
        let base = self.base(&link).await?;
        let mut executions = link.executions(from, now).await?;
        for fees in executions.iter_mut().filter_map(|(_, fees)| fees.as_mut()) {
            self.rates.price(&link, fees, &base).await?;
        }
        // From here on nothing fails: what is told is noted as told.
        let known = (&*self.shared.orders, &*self.shared.book);
        for (execution, fees) in &executions {
            events.extend(map::of_execution(execution, fees.as_ref(), known, &link.account, now));
        }
        let mut known = self.known();
        let before = known.asked.filter(|asked| asked.connection == link.since);
        let place = before.map_or(place, |asked| asked.place.min(place));
        known.asked = Some(Asked { connection: link.since, place, at: now });
        Ok(events)
    }

    /// How much of what was before a place is asked for with it.
    fn reach(&self) -> Duration {
        Duration::from_millis(self.config.look_every_ms).saturating_add(LATE)
    }

    /// Whether everything after a place was told over this connection, so that TWS may forget it: it was asked for from there on
    /// or from earlier, everything since was listened to, and nothing has traded after the place.
    fn has_told_since(&self, place: Timestamp, link: &Link, now: Timestamp) -> bool {
        let asked = self.known().asked.filter(|asked| asked.connection == link.since);
        // Looks come regularly while somebody listens.
        asked.is_some_and(|asked| asked.place <= place && now.since(asked.at) <= self.reach() * 2)
            && self.shared.book.latest().is_none_or(|latest| latest <= place)
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
        // Nobody has listened since the listener before this one ended.
        self.known().asked = None;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tws_surely_has_what_has_traded_since_midnight_where_it_is() {
        let since = |now: &str, days, zone| kept(now.parse().unwrap(), days, zone).unwrap().to_string();
        let new_york = Some("Etc/GMT+5");
        assert_eq!(since("2026-11-22T04:59:59Z", 1, new_york), "2026-11-21T05:00:00Z");
        assert_eq!(since("2026-11-22T05:00:00Z", 1, new_york), "2026-11-22T05:00:00Z");
        assert_eq!(since("2026-11-22T06:00:00Z", 7, new_york), "2026-11-16T05:00:00Z");
        assert_eq!(since("2026-11-22T06:00:00Z", 1, None), "2026-11-22T00:00:00Z");
        assert_eq!(kept(Timestamp::EPOCH, 1, Some("Mars/Base")), None);
    }
}
