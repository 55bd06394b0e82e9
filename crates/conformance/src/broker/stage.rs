//! What a case plays on: a venue's double, brokers of it, orders, and what was found.

use super::canary::{self, Heard};
use super::follower::Follower;
use super::probe::{Probe, expect};
use super::stop::{Step, Stop};
use super::{MakeBroker, Setup, Start, SuiteError};
use mts_foundation::broker::{BrokerOrderRef, Capabilities, FillStream, SubmitOutcome};
use mts_foundation::broker_event::Cursor;
use mts_foundation::double::{Act, Call, CallFault, DoubleOrder, Happening, VenueDouble};
use mts_foundation::{
    AssetClass, BrokerOrderId, Decimal, Order, OrderBuilder, OrderState, OrderType, Quote, Side, Symbol,
    TimeInForce, Timestamp, VenueName,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The bid of every instrument at the start of a case.
pub(super) const BID: Decimal = Decimal::ONE_HUNDRED;

/// How long a case waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// How long it waits for what must not come.
pub(super) const QUIET: Duration = Duration::from_millis(120);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// The offer of every instrument at the start of a case.
pub(super) fn ask() -> Decimal {
    Decimal::new(10_010, 2)
}

/// A limit at which an order to buy rests.
pub(super) fn below() -> Decimal {
    Decimal::from(99)
}

/// A limit at which an order to sell rests.
pub(super) fn above() -> Decimal {
    Decimal::from(102)
}

/// Units of an ordinary order.
pub(super) const UNITS: Decimal = Decimal::TEN;

pub(super) struct Stage {
    case: &'static str,
    start: Arc<Start>,
    make: MakeBroker,
    pub(super) double: Arc<dyn VenueDouble>,
    pub(super) setup: Setup,
    pub(super) heard: Heard,
    pub(super) canaries: Vec<canary::Canary>,
    pub(super) faults: Vec<String>,
    /// What could not be tried within the case.
    pub(super) partly: Vec<String>,
    pub(super) questions: usize,
    orders: u32,
    folders: Vec<PathBuf>,
    /// Whether the double has had a broker.
    used: AtomicBool,
}

impl Stage {
    pub(super) fn new(case: &'static str, start: Arc<Start>, setup: Setup) -> Result<Self, SuiteError> {
        let started = |error| SuiteError::Double { case, error };
        let (double, make) = start().map_err(started)?;
        let mut stage = Self {
            case,
            start,
            make,
            canaries: canary::canaries(double.as_ref()),
            double,
            setup,
            heard: Heard::default(),
            faults: Vec::new(),
            partly: Vec::new(),
            questions: 0,
            orders: 0,
            folders: Vec::new(),
            used: AtomicBool::new(false),
        };
        stage.prepare()?;
        Ok(stage)
    }

    /// Quotes everything, stops the matching, and makes a new folder for state.
    fn prepare(&mut self) -> Result<(), SuiteError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("mts-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)
            .map_err(|error| SuiteError::State { path: folder.clone(), error: error.to_string() })?;
        self.folders.push(folder.clone());
        self.setup.state = folder;
        self.setup.secrets = self.double.credentials();
        // A double that cannot stop its matching has resting orders rest all the same: their prices are off the market.
        self.double.act(&Act::Matching(false)).unwrap_or_default();
        for symbol in self.double.symbols() {
            self.quote(&symbol, BID, ask());
        }
        Ok(())
    }

    /// Another double unless this one is new; findings stay.
    pub(super) fn renew(&mut self) -> Step {
        if !self.used.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let (double, make) =
            (self.start)().map_err(|error| Stop::Fault(format!("the double cannot be started: {error}")))?;
        (self.double, self.make) = (double, make);
        self.canaries.extend(canary::canaries(self.double.as_ref()));
        self.prepare().map_err(|error| Stop::Fault(error.to_string()))
    }

    /// Notes a fault unless it is as it should be; the text says what is wrong.
    pub(super) fn check(&mut self, is: bool, otherwise: impl FnOnce() -> String) -> bool {
        self.questions += 1;
        if !is {
            self.faults.push(otherwise());
        }
        is
    }

    /// Lets the double do something; the case is skipped if it cannot.
    pub(super) fn act(&self, act: &Act) -> Step {
        self.double.act(act).map_err(Stop::from)
    }

    /// Lets something happen.
    pub(super) fn happen(&self, happening: Happening) -> Step {
        self.act(&Act::Happen(happening))
    }

    /// Lets the double do something, or notes that it cannot; the case goes on with what else there is.
    pub(super) fn try_act(&mut self, act: &Act) -> bool {
        match self.double.act(act) {
            Ok(()) => true,
            Err(error) => {
                let reason = format!("the double: {}", error.reason);
                if !self.partly.contains(&reason) {
                    self.partly.push(reason);
                }
                false
            }
        }
    }

    /// Makes the next `times` calls of a kind go wrong, or notes that the double cannot.
    pub(super) fn break_calls(&mut self, call: Call, fault: CallFault, times: u32) -> bool {
        self.try_act(&Act::Call { call, fault, times })
    }

    /// Sets the best prices, with any size behind them.
    pub(super) fn quote(&self, symbol: &Symbol, bid: Decimal, ask: Decimal) {
        let Ok(venue) = VenueName::new(self.double.name()) else { return };
        let size = Decimal::from(1_000_000);
        self.double.quote(&Quote {
            symbol: symbol.clone(),
            bid,
            ask,
            bid_size: size,
            ask_size: size,
            venue,
            timestamp: now(),
        });
    }

    /// The instrument that is good for every case.
    pub(super) fn symbol(&self) -> Step<Symbol> {
        let none = || Stop::Fault("the double names no symbols; give it one that trades".to_owned());
        self.double.symbols().into_iter().next().ok_or_else(none)
    }

    /// A broker of the double that is not connected.
    pub(super) async fn broker(&self) -> Step<Probe> {
        self.try_broker().await.map_err(|error| Stop::Fault(format!("no broker could be made: {error}")))
    }

    /// A broker of the double that is not connected, or why there is none.
    pub(super) async fn try_broker(&self) -> Result<Probe, super::BoxError> {
        self.used.store(true, Ordering::Relaxed);
        let broker = (self.make)(&self.setup).await.inspect_err(|error| {
            self.heard.hear(format_args!("{error} {error:?}"));
        })?;
        Ok(Probe::new(broker, self.heard.clone(), &self.setup))
    }

    /// A broker of the double, connected.
    pub(super) async fn connected(&self) -> Step<Probe> {
        let probe = self.broker().await?;
        expect("connect", probe.connect().await?)?;
        Ok(probe)
    }

    /// Starts to listen, and waits until the double has the stream.
    pub(super) async fn follow(&self, probe: &Probe, after: Option<Cursor>) -> Follower {
        let before = self.double.streams();
        let follower = Follower::start(probe, self.heard.clone(), after);
        let pushed = matches!(probe.capabilities().fill_stream, FillStream::Push);
        let patience = if pushed { Duration::from_secs(3) } else { QUIET };
        within(patience, || self.double.streams() > before).await;
        // The venue has the connection; give the adapter a moment to say what it wants to hear.
        tokio::time::sleep(QUIET).await;
        follower
    }

    /// A new order without prices, with a key of its own.
    pub(super) fn blank(&mut self) -> Step<OrderBuilder> {
        self.orders += 1;
        let (case, count) = (self.case, self.orders);
        Ok(Order::builder()
            .order_id(format!("o-{case}-{count}"))
            .idempotency_key(format!("conformance-{case}-{count}"))
            .symbol(self.symbol()?)
            .side(Side::Buy)
            .quantity(UNITS)
            .fund_id("conformance")
            .strategy_id("suite")
            .broker(self.double.name())
            .actor("conformance")
            .created_at(now()))
    }

    /// An order to buy that rests, where the broker takes limit orders.
    pub(super) fn draft(&mut self, capabilities: &Capabilities) -> Step<OrderBuilder> {
        let tif = resting_tif(capabilities)?;
        Ok(self.blank()?.order_type(OrderType::Limit).limit_price(below()).tif(tif))
    }

    /// The same of another instrument. Where a market never closes, an order for the day is not a matter of course.
    pub(super) fn draft_of(&mut self, capabilities: &Capabilities, symbol: &Symbol) -> Step<OrderBuilder> {
        let draft = self.draft(capabilities)?.symbol(symbol);
        let is_crypto = symbol.parts().is_ok_and(|parts| parts.asset_class() == AssetClass::Crypto);
        let lasts = is_crypto && capabilities.takes(OrderType::Limit, TimeInForce::Gtc);
        Ok(if lasts { draft.tif(TimeInForce::Gtc) } else { draft })
    }

    /// Hands over an order that must be taken; its name at the venue.
    pub(super) async fn place(&mut self, probe: &Probe, order: &Order) -> Step<BrokerOrderRef> {
        let outcome = probe.submit(order).await?;
        let SubmitOutcome::Accepted(accepted) = outcome else {
            return Err(Stop::Fault(format!(
                "a {} {} order was not taken: {outcome:?}",
                order.order_type, order.tif
            )));
        };
        reference(&accepted)
            .ok_or_else(|| Stop::Fault("an accepted order has no broker_order_id; set it".to_owned()))
    }

    /// Hands over an ordinary resting order that must be taken.
    pub(super) async fn rest(&mut self, probe: &Probe) -> Step<(Order, BrokerOrderRef)> {
        let order = self.draft(probe.capabilities())?.build()?;
        let reference = self.place(probe, &order).await?;
        Ok((order, reference))
    }

    /// Fills a part of an order at its limit.
    pub(super) fn fill(&self, order: &BrokerOrderRef, quantity: impl Into<Decimal>) -> Step {
        self.happen(Happening::Fill {
            order: order.broker_order_id.clone(),
            quantity: quantity.into(),
            price: None,
        })
    }

    /// The double's order of this id.
    pub(super) fn at_venue(&self, id: &BrokerOrderId) -> Option<DoubleOrder> {
        self.double.orders().into_iter().find(|order| order.id == *id)
    }

    /// Its state there.
    pub(super) fn state(&self, id: &BrokerOrderId) -> Option<OrderState> {
        self.at_venue(id).map(|order| order.state)
    }

    /// How many orders of the double may have traded or still may.
    pub(super) fn live(&self) -> usize {
        self.double.orders().iter().filter(|order| order.state != OrderState::Rejected).count()
    }

    /// Waits until a follower was told all fills, and compares them.
    pub(super) async fn compare_fills(&mut self, follower: &Follower) {
        let double = Arc::clone(&self.double);
        within(PATIENCE, || {
            let (told, fills) = (follower.told(), double.fills());
            told.lacks(&fills).is_empty() && told.differences(&fills).is_empty()
        })
        .await;
        let fills = double.fills();
        let (lacks, differences) = {
            let told = follower.told();
            (told.lacks(&fills), told.differences(&fills))
        };
        self.check(lacks.is_empty(), || {
            let ids: Vec<&str> = lacks.iter().take(5).map(|id| id.as_str()).collect();
            format!("{} of {} fills were never told: {} …", lacks.len(), fills.len(), ids.join(", "))
        });
        self.questions += 1;
        self.faults.extend(differences);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for folder in &self.folders {
            // What is left lies in the folder for such things.
            std::fs::remove_dir_all(folder).unwrap_or_default();
        }
    }
}

/// How the venue calls an accepted order.
pub(super) fn reference(accepted: &Order) -> Option<BrokerOrderRef> {
    Some(BrokerOrderRef {
        order_id: accepted.order_id.clone(),
        idempotency_key: accepted.idempotency_key.clone(),
        broker_order_id: accepted.broker_order_id.clone()?,
        symbol: accepted.symbol.clone(),
    })
}

/// The time in force with which limit orders rest.
pub(super) fn resting_tif(capabilities: &Capabilities) -> Step<TimeInForce> {
    let takes = |tif: &TimeInForce| capabilities.takes(OrderType::Limit, *tif);
    [TimeInForce::Day, TimeInForce::Gtc]
        .into_iter()
        .find(takes)
        .ok_or_else(|| Stop::capability("order_types (limit with day or gtc)"))
}

/// Waits until it is so, at most so long; whether it is.
pub(super) async fn within(patience: Duration, mut is: impl FnMut() -> bool) -> bool {
    let mut waited = Duration::ZERO;
    while !is() {
        if waited >= patience {
            return false;
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
    true
}

/// This machine's time: orders of a real venue are of now.
#[expect(clippy::disallowed_methods, reason = "doubles and adapters live in real time")]
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}
