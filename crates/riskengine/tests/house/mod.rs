//! A shell around a venue that misbehaves on command.

#![allow(dead_code, reason = "not every test program uses all of it")]

use crate::venue::{TestClock, Venue, d, symbol};
use mts_foundation::ready::ready;
use mts_foundation::risk::RejectCode;
use mts_foundation::{ActorId, Clock, Decimal, Order, Quote};
use mts_riskengine::safe_broker::{OrderTicket, SafeBrokerBuilder, SafeBrokerError};
use mts_riskengine::{LiveLimits, OperatorPolicy, SafeBroker};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    ready(future).unwrap()
}

/// Limits that bind nobody.
pub(crate) fn wide() -> LiveLimits {
    LiveLimits {
        max_position_value: None,
        max_position_shares: None,
        max_total_exposure: None,
        max_positions: None,
        max_order_value: None,
        max_order_shares: None,
        max_orders_per_minute: None,
        max_daily_loss: None,
        max_drawdown_pct: None,
        max_price_deviation_pct: None,
        max_data_staleness_seconds: None,
        dedup_window_seconds: None,
        ..LiveLimits::default()
    }
}

pub(crate) struct House {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) venue: Arc<Venue>,
    pub(crate) folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let clock = TestClock::new();
        let venue = Venue::new(&clock);
        Self { clock, venue, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn state_file(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn builder(&self, limits: LiveLimits) -> SafeBrokerBuilder {
        let operators = OperatorPolicy {
            operators: vec![ActorId::new("ann").unwrap(), ActorId::new("bob").unwrap()],
            single_operator: true,
            single_operator_delay: Duration::from_secs(60),
        };
        SafeBroker::wrap(self.venue.clone(), self.clock.clone())
            .live_limits(LiveLimits { state_file: self.state_file(), ..limits })
            .operators(operators)
    }

    pub(crate) fn start(&self, limits: LiveLimits) -> SafeBroker {
        let safe = self.builder(limits).start().unwrap();
        for name in ["A", "B", "C"] {
            self.quote(&safe, name);
        }
        safe
    }

    /// Tells the shell what the venue's price is.
    pub(crate) fn quote(&self, safe: &SafeBroker, name: &str) {
        let price = self.venue.inside().price_of(&symbol(name));
        let quote = Quote {
            symbol: symbol(name),
            bid: price,
            ask: price,
            bid_size: Decimal::ONE,
            ask_size: Decimal::ONE,
            venue: "venue".parse().unwrap(),
            timestamp: self.clock.now(),
        };
        now(safe.on_quote(&quote)).unwrap();
    }
}

pub(crate) fn ticket(name: &str, units: &str) -> OrderTicket {
    OrderTicket::new(symbol(name), d(units))
}

pub(crate) fn send(safe: &SafeBroker, ticket: OrderTicket) -> Result<Order, SafeBrokerError> {
    now(safe.submit_order(ticket))
}

pub(crate) fn code(result: Result<Order, SafeBrokerError>) -> RejectCode {
    match result {
        Err(SafeBrokerError::Refused(rejection)) => rejection.code,
        other => panic!("not refused: {other:?}"),
    }
}
