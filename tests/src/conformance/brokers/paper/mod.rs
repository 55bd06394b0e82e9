//! The paper broker as its own venue: there is no wire between the two, and so nothing that could go wrong on it.

use futures_core::Stream;
use mts_brokers::paper::{PaperBroker, PaperConfig};
use mts_conformance::broker::{BoxError, Subject, Suite};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities, Check, Health,
    OrderChange, OrderRef, ReplaceOutcome, SimulatedBroker as _, SubmitOutcome,
};
use mts_foundation::broker_event::Cursor;
use mts_foundation::double::{
    Act, Call, DoubleAccount, DoubleFill, DoubleOrder, Happening, NotPossible, VenueDouble,
};
use mts_foundation::ready::ready;
use mts_foundation::{
    Account, BrokerEvent, BrokerOrderId, Decimal, Fill, Order, OrderReport, OrderType, Position, Quote,
    Symbol, Timestamp, Trade, VenueName,
};
use mts_matching::ExchangeConfig;
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Instruments that the double names; the paper broker takes any.
const SYMBOLS: [&str; 3] = ["AAPL", "BRK.B", "BTC-USD"];

/// The suite for the paper broker.
pub(super) fn suite() -> Suite {
    Suite::new("paper", PaperDouble::new, |double: &PaperDouble, _| {
        let subject: Arc<dyn Subject> = Arc::new(Client(Arc::clone(&double.desk)));
        Box::pin(async { Ok(subject) })
    })
}

/// The paper broker, with what was handed to it.
#[derive(Debug)]
struct Desk {
    paper: PaperBroker,
    market: Mutex<Market>,
    streams: AtomicUsize,
}

#[derive(Debug, Default)]
struct Market {
    /// The orders that were taken, with their changes, oldest first.
    taken: Vec<(Order, OrderChange)>,
    quotes: BTreeMap<Symbol, Quote>,
    /// Quotes do not reach the exchange.
    still: bool,
}

impl Desk {
    fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, order: &Order) -> Option<OrderReport> {
        let named = OrderRef::Key(order.idempotency_key.clone());
        ready(Broker::order(&self.paper, &named)).ok()?.ok()?
    }
}

/// A stream that is counted while it is open.
struct Counted<'a> {
    stream: BrokerEventStream<'a>,
    open: &'a AtomicUsize,
}

impl Stream for Counted<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(context)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client of the desk: the broker on trial. Made anew it finds the same desk.
#[derive(Debug)]
struct Client(Arc<Desk>);

impl Broker for Client {
    fn name(&self) -> &str {
        Broker::name(&self.0.paper)
    }
    fn capabilities(&self) -> &Capabilities {
        Broker::capabilities(&self.0.paper)
    }
    async fn connect(&self) -> Result<(), BrokerError> {
        Broker::connect(&self.0.paper).await
    }
    async fn close(&self) -> Result<(), BrokerError> {
        Broker::close(&self.0.paper).await
    }
    async fn health(&self) -> Health {
        Broker::health(&self.0.paper).await
    }
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let known = self.0.report(order).is_some();
        let outcome = Broker::submit(&self.0.paper, order).await;
        if let (false, SubmitOutcome::Accepted(accepted)) = (known, &outcome) {
            self.0.market().taken.push((accepted.clone(), OrderChange::default()));
        }
        outcome
    }
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        Broker::cancel(&self.0.paper, order).await
    }
    async fn replace(&self, order: &BrokerOrderRef, change: &OrderChange) -> ReplaceOutcome {
        let outcome = Broker::replace(&self.0.paper, order, change).await;
        if let ReplaceOutcome::Replaced(id) = &outcome {
            let mut market = self.0.market();
            let is = |(taken, _): &&mut (Order, OrderChange)| taken.broker_order_id.as_ref() == Some(id);
            if let Some((_, so_far)) = market.taken.iter_mut().find(is) {
                so_far.quantity = change.quantity.or(so_far.quantity);
                so_far.limit_price = change.limit_price.or(so_far.limit_price);
                so_far.stop_price = change.stop_price.or(so_far.stop_price);
            }
        }
        outcome
    }
    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        Broker::order(&self.0.paper, order).await
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        Broker::open_orders(&self.0.paper).await
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        Broker::positions(&self.0.paper).await
    }
    async fn account(&self) -> Result<Account, BrokerError> {
        Broker::account(&self.0.paper).await
    }
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        Box::pin(Counted { stream: Broker::events(&self.0.paper, after), open: &self.0.streams })
    }
    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        Broker::diagnose(&self.0.paper, symbol).await
    }
}

/// The paper broker seen from the side of the venue.
#[derive(Debug)]
pub struct PaperDouble {
    desk: Arc<Desk>,
}

fn not_possible(reason: &str) -> Result<(), NotPossible> {
    Err(NotPossible { reason: reason.to_owned() })
}

impl PaperDouble {
    /// A paper broker that meets the market without delay.
    ///
    /// # Errors
    /// None that can be met: the settings are constants.
    pub fn new() -> Result<Self, BoxError> {
        let config = PaperConfig {
            initial_cash: Decimal::from(1_000_000),
            exchange: ExchangeConfig::default(),
            ..PaperConfig::default()
        };
        let desk =
            Desk { paper: PaperBroker::new(config)?, market: Mutex::default(), streams: AtomicUsize::new(0) };
        Ok(Self { desk: Arc::new(desk) })
    }

    /// All executions so far.
    fn executions(&self) -> Vec<Fill> {
        let Ok(beginning) = Cursor::new("0") else { return Vec::new() };
        let mut events = Broker::events(&self.desk.paper, Some(beginning));
        let mut fills = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(event))) = Stream::poll_next(events.as_mut(), &mut context) {
            if let BrokerEvent::Fill { fill, .. } = event {
                fills.push(fill);
            }
        }
        fills
    }

    /// Prints a trade that the order takes part in: it must be the first in line.
    fn trade(
        &self,
        id: &BrokerOrderId,
        quantity: Decimal,
        price: Option<Decimal>,
    ) -> Result<(), NotPossible> {
        let working: Vec<DoubleOrder> =
            self.orders().into_iter().filter(|order| !order.state.is_terminal()).collect();
        let Some(order) = working.iter().find(|order| order.id == *id) else {
            return not_possible("an order that has ended does not fill");
        };
        let first = working.iter().find(|other| other.symbol == order.symbol && other.buys == order.buys);
        if first.is_some_and(|first| first.id != *id) {
            return not_possible("the simulated market fills first what came first");
        }
        let Some(at) = price.or(order.limit_price) else {
            return not_possible("a trade needs a price");
        };
        let venue = VenueName::new("paper").map_err(|error| NotPossible { reason: error.to_string() })?;
        let trade = Trade {
            trade_id: "conformance".into(),
            symbol: order.symbol.clone(),
            price: at,
            size: quantity,
            venue,
            timestamp: self.now(),
        };
        self.desk.paper.on_trade(&trade);
        Ok(())
    }

    /// The venue's time: that of its last order or quote.
    fn now(&self) -> Timestamp {
        ready(Broker::account(&self.desk.paper))
            .ok()
            .and_then(Result::ok)
            .map_or(Timestamp::EPOCH, |account| account.asof)
    }

    fn happen(&self, happening: &Happening) -> Result<(), NotPossible> {
        match happening {
            Happening::Fill { order, quantity, price } => self.trade(order, *quantity, *price),
            Happening::Cancel { order } => {
                let taken = self.desk.market().taken.clone();
                let of = taken.iter().find(|(taken, _)| taken.broker_order_id.as_ref() == Some(order));
                if let Some((taken, _)) = of {
                    let reference = BrokerOrderRef {
                        order_id: taken.order_id.clone(),
                        idempotency_key: taken.idempotency_key.clone(),
                        broker_order_id: order.clone(),
                        symbol: taken.symbol.clone(),
                    };
                    drop(ready(Broker::cancel(&self.desk.paper, &reference)));
                }
                Ok(())
            }
            Happening::Expire { .. } => {
                self.desk.paper.on_session_close();
                Ok(())
            }
            Happening::Reject { .. } => not_possible("the simulated market refuses at once or not at all"),
            Happening::Correct { .. } | Happening::Bust { .. } => {
                not_possible("what has traded on the simulated market is never corrected or annulled")
            }
            Happening::Cash { .. } => not_possible("the paper account has no cash but what it trades"),
        }
    }
}

impl VenueDouble for PaperDouble {
    fn name(&self) -> &str {
        "paper"
    }

    fn endpoints(&self) -> BTreeMap<SmolStr, String> {
        BTreeMap::new()
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::new()
    }

    fn symbols(&self) -> Vec<Symbol> {
        SYMBOLS.iter().filter_map(|name| Symbol::new(name).ok()).collect()
    }

    fn quote(&self, quote: &Quote) {
        let mut market = self.desk.market();
        market.quotes.insert(quote.symbol.clone(), quote.clone());
        if !market.still {
            drop(market);
            self.desk.paper.on_quote(quote);
        }
    }

    fn act(&self, act: &Act) -> Result<(), NotPossible> {
        match act {
            Act::Call { .. } | Act::Outage(_) | Act::ExpireTokens => {
                not_possible("the paper broker is in this process: no call can be lost")
            }
            Act::Stream(_) => not_possible("the paper broker is in this process: no stream can be cut"),
            Act::Clock(_) => not_possible("the paper broker has no clock but the market's"),
            Act::CancelLosesRace => {
                not_possible("cancellations take effect at once unless a delay is configured")
            }
            Act::FillInParts(_) => not_possible("what trades in parts is the market's matter"),
            Act::FeesLate(_) => not_possible("fees of the paper broker are known with the fill"),
            Act::HistoryLate(_) => not_possible("the paper broker's history is its stream"),
            Act::Happen(happening) => self.happen(happening),
            Act::FillBeforeAnswer => {
                let quotes: Vec<Quote> = self.desk.market().quotes.values().cloned().collect();
                for quote in quotes {
                    // So low that every order to buy meets it as it arrives.
                    let low = Quote { bid: Decimal::from(97), ask: Decimal::from(98), ..quote };
                    self.desk.paper.on_quote(&low);
                }
                Ok(())
            }
            Act::Matching(on) => {
                let mut market = self.desk.market();
                market.still = !on;
                let quotes: Vec<Quote> = market.quotes.values().filter(|_| *on).cloned().collect();
                drop(market);
                quotes.iter().for_each(|quote| self.desk.paper.on_quote(quote));
                Ok(())
            }
        }
    }

    fn orders(&self) -> Vec<DoubleOrder> {
        let taken = self.desk.market().taken.clone();
        let order = |(order, change): (Order, OrderChange)| {
            let report = self.desk.report(&order)?;
            Some(DoubleOrder {
                id: report.broker_order_id,
                client_id: Some(order.idempotency_key.as_str().into()),
                symbol: report.symbol,
                buys: report.side.sign() > 0,
                order_type: if report.order_type == OrderType::MarketableLimit {
                    OrderType::Limit
                } else {
                    report.order_type
                },
                tif: order.tif,
                quantity: report.quantity,
                limit_price: change.limit_price.or(order.limit_price),
                stop_price: change.stop_price.or(order.stop_price),
                extended_hours: order.extended_hours,
                filled: report.filled,
                state: report.state,
            })
        };
        taken.into_iter().filter_map(order).collect()
    }

    fn fills(&self) -> Vec<DoubleFill> {
        let taken = self.desk.market().taken.clone();
        let fill = |fill: Fill| {
            let (order, _) = taken.iter().find(|(order, _)| order.order_id == fill.order_id)?;
            Some(DoubleFill {
                id: fill.fill_id,
                order: order.broker_order_id.clone()?,
                symbol: fill.symbol,
                bought: fill.side.sign() > 0,
                quantity: fill.quantity,
                price: fill.price,
                fees: fill.fees,
                time: fill.timestamp,
            })
        };
        self.executions().into_iter().filter_map(fill).collect()
    }

    fn account(&self) -> DoubleAccount {
        let cash = ready(Broker::account(&self.desk.paper)).ok().and_then(Result::ok);
        let held = ready(Broker::positions(&self.desk.paper)).ok().and_then(Result::ok);
        let positions =
            held.unwrap_or_default().into_iter().map(|held| (held.symbol, held.quantity)).collect();
        DoubleAccount { cash: cash.map(|account| account.cash).unwrap_or_default(), positions }
    }

    fn calls(&self, _: Call) -> u64 {
        0
    }

    fn streams(&self) -> usize {
        self.desk.streams.load(Ordering::Relaxed)
    }
}
