//! The warm state: a fund with 500 positions, 1,000 working orders and every gate on, and orders that all of them pass.

use crate::Fallible;
use mts_foundation::ledger::MarkKind;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{
    GateLimits, GateTrace, RateBucket, RiskContext, RiskDecision, RiskEnvelope, RiskEvent, SessionPhase,
    Staleness,
};
use mts_foundation::{
    ActorId, AssetClass, BrokerName, Currency, Decimal, EnvelopeId, Fill, FundConfig, FundId, Instrument,
    InstrumentTable, Ledger, Order, OrderType, RiskMachine, Side, StrategyId, Symbol, Timestamp,
};
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;
use std::time::Duration;

/// Instruments that are held.
pub(crate) const POSITIONS: usize = 500;

/// Orders that work, two in each instrument that is held.
pub(crate) const WORKING: usize = 1_000;

/// Instruments, with some that are not held.
const INSTRUMENTS: usize = 600;

/// Instruments held short: the last ones of those that are held.
const FIRST_SHORT: usize = 400;

/// Different orders; they are sent round and round.
const ORDERS: usize = 4_096;

/// Time between two orders: a sliding minute holds 6,000 of them.
const PAUSE: Duration = Duration::from_millis(10);

const FUND: &str = "f";
const STRATEGIES: [&str; 4] = ["s1", "s2", "s3", "s4"];

/// Machine, books and orders.
pub(crate) struct Scene {
    machine: RiskPipeline,
    ledger: Ledger,
    table: InstrumentTable,
    orders: Vec<Order>,
    next: usize,
    now: Timestamp,
    trace: GateTrace,
}

fn name(place: usize) -> String {
    format!("I{place:03}")
}

fn order(number: usize, place: usize, side: Side, units: usize, limit: Option<i64>) -> Fallible<Order> {
    let name_of_order = format!("o-{number:05}");
    let mut order = Order::builder()
        .order_id(&name_of_order)
        .idempotency_key(&name_of_order)
        .symbol(name(place))
        .side(side)
        .quantity(Decimal::from(units))
        .order_type(if limit.is_some() { OrderType::Limit } else { OrderType::Market })
        .fund_id(FUND)
        .strategy_id(STRATEGIES[number % STRATEGIES.len()])
        .broker("paper")
        .actor("ann")
        .created_at(Timestamp::EPOCH);
    if let Some(limit) = limit {
        order = order.limit_price(Decimal::new(limit, 2));
    }
    Ok(order.build()?)
}

/// One of eight kinds: buys of what is held at the market and with a limit, shorts, buys of what is not held, sells of a
/// part of what is held.
fn order_to_pass(number: usize) -> Fallible<Order> {
    let (long, short) = (number % FIRST_SHORT, FIRST_SHORT + number % (POSITIONS - FIRST_SHORT));
    let new = POSITIONS + number % (INSTRUMENTS - POSITIONS);
    let units = 1 + number % 37;
    match number % 8 {
        0..4 => order(number, long, Side::Buy, units, None),
        4 => order(number, long, Side::Buy, units, Some(9_900)),
        5 => order(number, short, Side::Short, units, Some(10_100)),
        6 => order(number, new, Side::Buy, units, Some(10_000)),
        _ => order(number, long, Side::Sell, units, Some(10_200)),
    }
}

fn fund() -> Fallible<FundRisk> {
    let (fund_id, broker) = (FundId::new(FUND)?, BrokerName::new("paper")?);
    let nav = Decimal::from(100_000_000);
    let mut envelope =
        RiskEnvelope::with_defaults(EnvelopeId::new("e")?, fund_id.clone(), nav, Timestamp::EPOCH);
    envelope.max_asset_class_pct = 0.9;
    envelope.max_country_pct = 0.9;
    envelope.max_position_usd = Some(Decimal::from(10_000_000));
    envelope.max_order_qty = Some(Decimal::from(10_000));
    envelope.allowed_brokers = vec![broker.clone()];
    envelope.enable_shorting = true;
    envelope.require_borrow_locate = true;
    let rate = Some(RateBucket { per_minute: 60_000, burst: 1_000 });
    let millions = |count: i64| Some(Decimal::from(count * 1_000_000));
    let limits = GateLimits {
        max_order_notional_pct: Some(0.05),
        max_order_value: millions(1),
        max_order_quantity: Some(Decimal::from(10_000)),
        max_position_quantity: Some(Decimal::from(100_000)),
        max_position_value: millions(10),
        max_total_exposure: millions(90),
        max_positions: Some(1_000),
        max_open_orders: Some(2_000),
        price_collar_pct: Some(0.1),
        staleness: Some(Staleness::Bars(1)),
        dedup_window_ms: Some(5_000),
        max_orders_per_minute: Some(10_000),
        strategy_rate: rate,
        symbol_rate: rate,
        fund_rate: rate,
        broker_rate: rate,
        max_repeated_executions: Some(1_000),
        repeated_execution_window_ms: Some(10_000),
        buying_power: true,
        max_drawdown_pct: Some(0.2),
        max_daily_loss: millions(2),
        loss_response: None,
        allowed_actors: vec![ActorId::new("ann")?],
        allowed_assets: Vec::new(),
        blocked_assets: vec![Symbol::new("BLOCKED")?],
    };
    let mut borrow = BTreeMap::new();
    for place in FIRST_SHORT..POSITIONS {
        let terms = Borrow { fee_bps: Decimal::TEN, available: None, located: true, asof: Timestamp::EPOCH };
        borrow.insert(Symbol::new(name(place))?, terms);
    }
    let mut config = FundConfig::new(fund_id, broker, nav, Timestamp::EPOCH);
    config.asset_classes = vec![AssetClass::Equities];
    config.strategies = STRATEGIES.iter().map(StrategyId::new).collect::<Result<_, _>>()?;
    Ok(FundRisk { config, envelope: Some(envelope), limits, borrow })
}

impl Scene {
    /// Sets the scene, before any of its orders.
    pub(crate) fn new() -> Fallible<Self> {
        let fund = fund()?;
        let fund_id = fund.config.fund_id.clone();
        let mut table = InstrumentTable::new();
        let mut ledger = Ledger::new();
        ledger.open_fund(fund_id.clone(), Currency::USD, fund.config.target_nav_usd)?;
        let now = Timestamp::from_millis(1_767_623_400_000);
        ledger.next_bar();
        for place in 0..INSTRUMENTS {
            let symbol = Symbol::new(name(place))?;
            table.insert(Instrument {
                sector: format!("sector {}", place % 11).into(),
                country: ["US", "DE", "JP"][place % 3].into(),
                ..Instrument::us_share(symbol.clone())
            })?;
            ledger.mark(&table, &symbol, Decimal::ONE_HUNDRED, MarkKind::Close, now)?;
        }
        for place in 0..POSITIONS {
            let is_short = place >= FIRST_SHORT;
            let side = if is_short { Side::Short } else { Side::Buy };
            let (id, symbol) = (format!("x{place}"), name(place));
            let fill =
                Fill::new(&id, "before", &symbol, side, Decimal::from(200), Decimal::ONE_HUNDRED, now)?;
            ledger.book_fill(&table, &fund_id, &fill)?;
            for half in 0..WORKING / POSITIONS {
                let limit = if is_short { 10_500 } else { 9_500 };
                let working = order(100_000 + 2 * place + half, place, side, 10, Some(limit))?;
                ledger.add_working(&table, &working, working.quantity)?;
            }
        }
        let mut machine = RiskPipeline::new(vec![fund], OperatorPolicy::default())?;
        let date = chrono::NaiveDate::from_ymd_opt(2026, 1, 5).ok_or("no date")?;
        machine.apply(&RiskEvent::DayRolled { date }, &ledger, now, &mut Vec::new())?;
        let orders = (0..ORDERS).map(order_to_pass).collect::<Fallible<_>>()?;
        Ok(Self { machine, ledger, table, orders, next: 0, now, trace: GateTrace::off() })
    }

    /// Moves on to the next order and its moment.
    pub(crate) fn turn(&mut self) {
        self.next = (self.next + 1) % self.orders.len();
        self.now = self.now.plus(PAUSE);
    }

    /// Asks all gates about the present order. Not inlined: callgrind counts what is within.
    #[inline(never)]
    pub(crate) fn check(&mut self) -> RiskDecision {
        let context = context(self.now, &self.ledger, &self.table);
        self.machine.check(&self.orders[self.next], &context, &mut self.trace)
    }

    /// Takes the present order all the way: `reserve`, which asks all gates, and `commit`.
    #[inline(never)]
    pub(crate) fn accept(&mut self) -> RiskDecision {
        let (order, context) = (&self.orders[self.next], context(self.now, &self.ledger, &self.table));
        let decision = self.machine.reserve(order, &context, &mut self.trace);
        self.machine.commit(order, &context);
        decision
    }

    /// As many positions and working orders as there should be.
    pub(crate) fn is_warm(&self) -> bool {
        let books = self.ledger.funds().map(|(_, book)| book);
        books.map(|book| (book.positions().iter().count(), book.working_count())).eq([(POSITIONS, WORKING)])
    }
}

fn context<'a>(now: Timestamp, ledger: &'a Ledger, table: &'a InstrumentTable) -> RiskContext<'a> {
    RiskContext {
        now,
        ledger,
        instruments: table,
        session: SessionPhase::Regular,
        session_opened: None,
        closing: false,
    }
}

#[cfg(test)]
impl Scene {
    /// How each gate answers about the present order.
    pub(crate) fn explain(&self) -> GateTrace {
        let mut trace = GateTrace::on();
        let context = context(self.now, &self.ledger, &self.table);
        assert!(self.machine.check(&self.orders[self.next], &context, &mut trace).is_approved());
        trace
    }
}
