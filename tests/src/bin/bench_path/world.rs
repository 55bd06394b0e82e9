//! The world around the order path: a strategy that buys and sells, a paper broker that fills at once.

use crate::Fallible;
use mts_brokers::{PaperBroker, PaperConfig};
use mts_engine::input::MarkUpdate;
use mts_engine::shell::driver::Driver;
use mts_engine::{Action, Core, CoreConfig, FundSetup, Input};
use mts_foundation::broker::{Broker, BrokerEventStream, SimulatedBroker};
use mts_foundation::journal::Journal;
use mts_foundation::ready::ready;
use mts_foundation::risk::Staleness;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    ActorId, BrokerEvent, BrokerName, Decimal, EnvelopeId, FundConfig, FundId, GateLimits, Instrument,
    InstrumentTable, Quote, RiskEnvelope, Side, StrategyId, Symbol, Timestamp, VenueName,
};
use mts_portfolio::WeightPlanner;
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Orders of one commit.
pub(crate) const IN_FLIGHT: u64 = 64;

const INSTRUMENTS: u64 = 128;

/// Time between two orders.
const PAUSE: Duration = Duration::from_millis(1);

/// What is remembered of orders that ended: ten seconds, ten thousand orders.
const MEMORY: Duration = Duration::from_secs(10);

/// What orders waited from their decision on, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Until they were durable.
    pub(crate) durable: Vec<u32>,
    /// Until the broker was called.
    pub(crate) sent: Vec<u32>,
}

impl Waits {
    /// With room for so many orders.
    pub(crate) fn of(orders: usize) -> Self {
        Self { durable: Vec::with_capacity(orders), sent: Vec::with_capacity(orders) }
    }
}

/// Time between two instants, four seconds at the most.
pub(crate) fn nanos(from: Instant, to: Instant) -> u32 {
    u32::try_from(to.duration_since(from).as_nanos()).unwrap_or(u32::MAX)
}

pub(crate) struct World<J> {
    pub(crate) driver: Driver<J>,
    events: BrokerEventStream<'static>,
    paper: &'static PaperBroker,
    symbols: Vec<Symbol>,
    fund_id: FundId,
    strategy_id: StrategyId,
    broker: BrokerName,
    now: Timestamp,
    sent: u64,
}

/// A core with a fund, its instruments and the documented gates.
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) fund_id: FundId,
    pub(crate) now: Timestamp,
}

/// Cash of the fund.
fn cash() -> Decimal {
    Decimal::from(100_000_000)
}

pub(crate) fn parts() -> Fallible<Parts> {
    let now = Timestamp::from_millis(1_767_623_400_000);
    let (fund_id, broker) = (FundId::new("f")?, BrokerName::new("paper")?);
    let cash = cash();
    let symbols: Vec<Symbol> =
        (0..INSTRUMENTS).map(|place| Symbol::new(format!("I{place:03}"))).collect::<Result<_, _>>()?;
    let table =
        InstrumentTable::from_instruments(symbols.iter().map(|symbol| Instrument::us_share(symbol.clone())))?;
    let mut envelope = RiskEnvelope::with_defaults(EnvelopeId::new("e")?, fund_id.clone(), cash, now);
    envelope.allowed_brokers = vec![broker.clone()];
    envelope.max_sector_pct = 1.0;
    let limits = GateLimits {
        max_order_notional_pct: Some(0.05),
        max_positions: Some(200),
        max_open_orders: Some(1_000),
        price_collar_pct: Some(0.1),
        staleness: Some(Staleness::Millis(3_600_000)),
        max_orders_per_minute: Some(65_000),
        buying_power: true,
        max_drawdown_pct: Some(0.2),
        blocked_assets: vec![Symbol::new("BLOCKED")?],
        ..GateLimits::default()
    };
    let config = FundConfig::new(fund_id.clone(), broker.clone(), cash, now);
    let risk = FundRisk { config: config.clone(), envelope: Some(envelope), limits, borrow: BTreeMap::new() };
    let pipeline = RiskPipeline::new(vec![risk], OperatorPolicy::default())?;
    let mut settings = CoreConfig::new(vec![FundSetup { config, initial_cash: cash }], table);
    (settings.sessions, settings.key_memory) = (false, MEMORY);
    let core = Core::new(settings, Box::new(pipeline), Box::new(WeightPlanner::new(Decimal::ZERO)?))?;
    Ok(Parts { core, symbols, fund_id, now })
}

impl<J: Journal> World<J> {
    pub(crate) fn new(mut journal: J) -> Fallible<Self> {
        journal.append(mts_engine::record::GENESIS, b"{}")?;
        journal.commit()?;
        let Parts { core, symbols, fund_id, now } = parts()?;
        let broker = BrokerName::new("paper")?;
        let mut paper = PaperConfig { initial_cash: cash(), ..PaperConfig::default() };
        paper.exchange.submit_delay = Duration::ZERO;
        // It lives as long as the process: the stream borrows it.
        let paper: &'static PaperBroker = Box::leak(Box::new(PaperBroker::new(paper)?));
        ready(Broker::connect(paper))??;
        paper.set_time(now);
        let driver = Driver::recover(core, journal, &mut |_, _| {})?;
        let events = Broker::events(paper, None);
        let strategy_id = StrategyId::new("s")?;
        let mut world = Self { driver, events, paper, symbols, fund_id, strategy_id, broker, now, sent: 0 };
        // Losses are measured from here.
        let date = now.to_datetime().date_naive();
        world.driver.take(&Input::SessionOpen { date, time: now })?;
        world.quotes()?;
        Ok(world)
    }

    /// New prices of everything.
    fn quotes(&mut self) -> Fallible<()> {
        let venue = VenueName::new("x")?;
        for symbol in &self.symbols {
            let (bid, ask) = (Decimal::new(9_999, 2), Decimal::new(10_001, 2));
            let size = Decimal::from(1_000_000);
            self.paper.on_quote(&Quote {
                symbol: symbol.clone(),
                bid,
                ask,
                bid_size: size,
                ask_size: size,
                venue: venue.clone(),
                timestamp: self.now,
            });
        }
        let marks = self
            .symbols
            .iter()
            .map(|symbol| MarkUpdate { symbol: symbol.clone(), price: Decimal::ONE_HUNDRED });
        let input = Input::Marks { time: self.now, marks: marks.collect() };
        Ok(self.driver.take(&input)?)
    }

    /// Sends one group: decisions, the commit, the orders, their answers and fills. How long each order waited is added to
    /// the lists.
    pub(crate) fn turn(&mut self, waits: &mut Waits) -> Fallible<u64> {
        if self.sent.is_multiple_of(IN_FLIGHT * 1_000) {
            self.quotes()?;
        }
        let mut decided = [None; 64];
        for slot in &mut decided {
            *slot = Some(Instant::now());
            // Purchases of everything, then the sales.
            let place = usize::try_from(self.sent % INSTRUMENTS)?;
            let side = if (self.sent / INSTRUMENTS).is_multiple_of(2) { Side::Buy } else { Side::Sell };
            self.sent += 1;
            self.now = self.now.plus(PAUSE);
            let request = OrderRequest::market(self.symbols[place].clone(), side, Decimal::TEN);
            self.driver.take(&Input::Decided {
                strategy_id: self.strategy_id.clone(),
                fund_id: self.fund_id.clone(),
                time: self.now,
                commands: vec![Command::Submit(request)],
                memory: None,
            })?;
        }
        self.driver.commit()?;
        let durable = Instant::now();
        waits.durable.extend(decided.iter().flatten().map(|began| nanos(*began, durable)));
        self.driver.events();
        let mut decided = decided.iter().flatten();
        for action in self.driver.actions() {
            let Action::Submit(order) = action else { continue };
            waits.sent.extend(decided.next().map(|began| nanos(*began, Instant::now())));
            let outcome = ready(Broker::submit(self.paper, &order))?;
            let order_id = order.order_id.clone();
            self.driver.take(&Input::Submitted { order_id, outcome, time: self.now })?;
        }
        while let Poll::Ready(Some(event)) =
            self.events.as_mut().poll_next(&mut Context::from_waker(Waker::noop()))
        {
            let event: BrokerEvent = event?;
            if self.driver.core().is_news(&event) {
                self.driver.take(&Input::Broker { broker: self.broker.clone(), event, time: self.now })?;
            }
        }
        Ok(IN_FLIGHT)
    }

    /// Everything was accepted and filled: what was measured is the whole path.
    pub(crate) fn check(&self, sent: u64) -> Fallible<()> {
        let counters = self.driver.core().state().counters();
        let actor = ActorId::new("bench")?;
        if counters.orders != sent || counters.fills != sent || counters.rejected != 0 {
            return Err(format!("{actor}: {sent} sent, but {counters:?}").into());
        }
        Ok(())
    }

    pub(crate) fn journal(&self) -> &J {
        self.driver.journal()
    }
}
