//! A small world to ask the risk machine in: one fund `f` with 100,000 in cash, the instruments `A` and `B` of sector
//! `x` and `C` of sector `y`, all at 100, and limits so wide that nothing is refused until a test narrows one.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_foundation::ledger::MarkKind;
use mts_foundation::order_builder::OrderBuilder;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{
    GateTrace, HaltMode, HaltRequest, HaltScope, RejectCode, Rejection, ResumeRequest, RiskAction,
    RiskContext, RiskDecision, RiskEvent, SessionPhase,
};
use mts_foundation::{
    ActorId, AssetClass, Currency, Decimal, EnvelopeId, Fill, FundConfig, FundId, GateLimits, Instrument,
    InstrumentTable, Ledger, Order, OrderType, RiskEnvelope, RiskGate, RiskMachine, Side, StrategyId, Symbol,
    TaxLotMethod, Timestamp,
};
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::sync::Arc;

/// Monday, 5 January 2026, half past two in the afternoon, UTC.
pub(crate) const START_MS: i64 = 1_767_623_400_000;

/// The trading day of [`START_MS`].
pub(crate) const START_DAY: &str = "2026-01-05";

/// What every fund begins with.
pub(crate) const CASH: i64 = 100_000;

pub(crate) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

pub(crate) fn fund(name: &str) -> FundId {
    FundId::new(name).unwrap()
}

pub(crate) fn actor(name: &str) -> ActorId {
    ActorId::new(name).unwrap()
}

pub(crate) fn strategy(name: &str) -> StrategyId {
    StrategyId::new(name).unwrap()
}

pub(crate) fn strategy_scope(name: &str) -> HaltScope {
    HaltScope::Strategy(strategy(name))
}

pub(crate) fn fund_scope(name: &str) -> HaltScope {
    HaltScope::Fund(fund(name))
}

/// A market order without ids, which [`World`] gives it, of fund `f` and strategy `s` by broker `paper`.
pub(crate) fn market(side: Side, name: &str, quantity: &str) -> OrderBuilder {
    Order::builder()
        .symbol(name)
        .side(side)
        .quantity(d(quantity))
        .order_type(OrderType::Market)
        .fund_id("f")
        .strategy_id("s")
        .broker("paper")
        .actor("a")
        .created_at(Timestamp::EPOCH)
}

pub(crate) fn buy(name: &str, quantity: &str) -> OrderBuilder {
    market(Side::Buy, name, quantity)
}

pub(crate) fn sell(name: &str, quantity: &str) -> OrderBuilder {
    market(Side::Sell, name, quantity)
}

pub(crate) fn short(name: &str, quantity: &str) -> OrderBuilder {
    market(Side::Short, name, quantity)
}

pub(crate) fn cover(name: &str, quantity: &str) -> OrderBuilder {
    market(Side::Cover, name, quantity)
}

/// Gives a market order a price.
pub(crate) trait Priced {
    fn at(self, limit: &str) -> Self;
    fn stop_at(self, stop: &str) -> Self;
}

impl Priced for OrderBuilder {
    fn at(self, limit: &str) -> Self {
        self.order_type(OrderType::Limit).limit_price(d(limit))
    }
    fn stop_at(self, stop: &str) -> Self {
        self.order_type(OrderType::Stop).stop_price(d(stop))
    }
}

pub(crate) fn instrument(name: &str, sector: &str) -> Instrument {
    Instrument {
        symbol: symbol(name),
        name: Default::default(),
        asset_class: AssetClass::Equities,
        currency: Currency::USD,
        calendar: "XNYS".into(),
        sector: sector.into(),
        country: "US".into(),
        tick: d("0.01"),
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        expiry: None,
    }
}

/// A fund whose limits refuse nothing.
pub(crate) fn wide_fund(name: &str) -> FundRisk {
    let cash = Decimal::from(CASH);
    let id = EnvelopeId::new("e").unwrap();
    let mut envelope = RiskEnvelope::with_defaults(id, fund(name), cash, Timestamp::EPOCH);
    envelope.max_gross_exposure_pct = 5.0;
    envelope.max_net_exposure_pct = 5.0;
    envelope.max_position_pct = 1.0;
    envelope.max_sector_pct = 1.0;
    envelope.daily_loss_halt_pct = 1.0;
    envelope.weekly_loss_halt_pct = 1.0;
    envelope.monthly_loss_halt_pct = 1.0;
    envelope.max_order_notional_usd = d("1000000000");
    envelope.allowed_brokers = vec!["paper".parse().unwrap()];
    envelope.allowed_order_types = OrderType::ALL.to_vec();
    envelope.allowed_asset_classes = AssetClass::ALL.to_vec();
    envelope.enable_shorting = true;
    envelope.enable_synthetic_stop = false;
    let config = FundConfig {
        fund_id: fund(name),
        name: "test".into(),
        description: Default::default(),
        base_currency: Currency::USD,
        target_nav_usd: cash,
        broker: "paper".parse().unwrap(),
        broker_account_id: None,
        active: true,
        asset_classes: Vec::new(),
        strategies: Vec::new(),
        tax_lot_method: TaxLotMethod::Fifo,
        created_at: Timestamp::EPOCH,
        notes: Default::default(),
    };
    let free = Borrow { fee_bps: Decimal::ZERO, available: None, located: true, asof: Timestamp::EPOCH };
    let borrow = ["A", "B", "C"].map(|name| (symbol(name), free)).into();
    FundRisk { config, envelope: Some(envelope), limits: GateLimits::default(), borrow }
}

/// A world under construction. Changes concern the fund that was added last.
pub(crate) struct Setup {
    pub(crate) funds: Vec<FundRisk>,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) operators: OperatorPolicy,
    gates: Vec<Arc<dyn RiskGate>>,
    cash: Decimal,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let operators = ["ann", "bob", "cyd"].map(actor).to_vec();
        Self {
            funds: vec![wide_fund("f")],
            instruments: vec![instrument("A", "x"), instrument("B", "x"), instrument("C", "y")],
            operators: OperatorPolicy { operators, ..OperatorPolicy::default() },
            gates: Vec::new(),
            cash: Decimal::from(CASH),
        }
    }

    fn last(&mut self) -> &mut FundRisk {
        self.funds.last_mut().unwrap()
    }

    pub(crate) fn envelope(mut self, change: impl FnOnce(&mut RiskEnvelope)) -> Self {
        change(self.last().envelope.as_mut().unwrap());
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut GateLimits)) -> Self {
        change(&mut self.last().limits);
        self
    }

    pub(crate) fn config(mut self, change: impl FnOnce(&mut FundConfig)) -> Self {
        change(&mut self.last().config);
        self
    }

    pub(crate) fn borrow(mut self, name: &str, fee_bps: &str, located: bool) -> Self {
        let terms = Borrow { fee_bps: d(fee_bps), available: None, located, asof: Timestamp::EPOCH };
        self.last().borrow.insert(symbol(name), terms);
        self
    }

    pub(crate) fn instruments(mut self, change: impl Fn(&mut Instrument)) -> Self {
        self.instruments.iter_mut().for_each(change);
        self
    }

    pub(crate) fn fund(mut self, name: &str) -> Self {
        self.funds.push(wide_fund(name));
        self
    }

    pub(crate) fn cash(mut self, cash: &str) -> Self {
        self.cash = d(cash);
        self
    }

    pub(crate) fn gate(mut self, gate: impl RiskGate + 'static) -> Self {
        self.gates.push(Arc::new(gate));
        self
    }

    pub(crate) fn single_operator(mut self) -> Self {
        self.operators.single_operator = true;
        self
    }

    pub(crate) fn machine(&self) -> RiskPipeline {
        let machine = RiskPipeline::new(self.funds.clone(), self.operators.clone()).unwrap();
        machine.with_gates(self.gates.clone())
    }

    pub(crate) fn build(self) -> World {
        let table = InstrumentTable::from_instruments(self.instruments.clone()).unwrap();
        let mut ledger = Ledger::new();
        for fund in &self.funds {
            ledger.open_fund(fund.config.fund_id.clone(), Currency::USD, self.cash).unwrap();
        }
        let mut world = World {
            machine: self.machine(),
            ledger,
            table,
            now: Timestamp::from_millis(START_MS),
            session: SessionPhase::Regular,
            issued: 0,
        };
        for instrument in &self.instruments {
            world.print(instrument.symbol.as_str(), "100");
        }
        world.roll(START_DAY);
        world
    }
}

/// A machine, the ledger it looks at, and the time.
pub(crate) struct World {
    pub(crate) machine: RiskPipeline,
    pub(crate) ledger: Ledger,
    pub(crate) table: InstrumentTable,
    pub(crate) now: Timestamp,
    pub(crate) session: SessionPhase,
    issued: u32,
}

impl World {
    pub(crate) fn context(&self) -> RiskContext<'_> {
        RiskContext {
            now: self.now,
            ledger: &self.ledger,
            instruments: &self.table,
            session: self.session,
            session_opened: None,
            closing: false,
        }
    }

    /// Gives an order its ids and makes it.
    pub(crate) fn order(&mut self, builder: OrderBuilder) -> Order {
        self.issued += 1;
        let id = format!("o-{:05}", self.issued);
        builder.order_id(&id).idempotency_key(&id).build().unwrap()
    }

    /// Asks with everything a context and a trace can say.
    pub(crate) fn ask(&mut self, builder: OrderBuilder, closing: bool) -> (RiskDecision, GateTrace) {
        let order = self.order(builder);
        let mut trace = GateTrace::on();
        let context = RiskContext { closing, ..self.context() };
        let decision = self.machine.check(&order, &context, &mut trace);
        let mut untraced = GateTrace::off();
        assert_eq!(
            self.machine.check(&order, &context, &mut untraced),
            decision,
            "a trace changes no answer"
        );
        (decision, trace)
    }

    /// The code of the refusal, `None` when the order passes.
    pub(crate) fn code(&mut self, builder: OrderBuilder) -> Option<RejectCode> {
        refusal(self.ask(builder, false).0).map(|rejection| rejection.code)
    }

    /// The same for an order that comes from `close_position`.
    pub(crate) fn closing_code(&mut self, builder: OrderBuilder) -> Option<RejectCode> {
        refusal(self.ask(builder, true).0).map(|rejection| rejection.code)
    }

    /// The refusal of an order that must not pass.
    pub(crate) fn refused(&mut self, builder: OrderBuilder) -> Rejection {
        refusal(self.ask(builder, false).0).unwrap_or_else(|| panic!("the order passes"))
    }

    /// Reserves, and says why not.
    pub(crate) fn try_reserve(&mut self, builder: OrderBuilder) -> Result<Order, RejectCode> {
        let order = self.order(builder);
        match self.reserve_again(&order) {
            None => Ok(order),
            Some(code) => Err(code),
        }
    }

    /// Runs the gates over an order that may be reserved already.
    pub(crate) fn reserve_again(&mut self, order: &Order) -> Option<RejectCode> {
        let context = RiskContext {
            now: self.now,
            ledger: &self.ledger,
            instruments: &self.table,
            session: self.session,
            session_opened: None,
            closing: false,
        };
        refusal(self.machine.reserve(order, &context, &mut GateTrace::off())).map(|rejection| rejection.code)
    }

    pub(crate) fn reserve(&mut self, builder: OrderBuilder) -> Order {
        self.try_reserve(builder).unwrap_or_else(|code| panic!("refused: {code}"))
    }

    /// Commits, and counts the order as working.
    pub(crate) fn commit(&mut self, order: &Order) {
        let context = RiskContext {
            now: self.now,
            ledger: &self.ledger,
            instruments: &self.table,
            session: self.session,
            session_opened: None,
            closing: false,
        };
        self.machine.commit(order, &context);
        self.ledger.add_working(&self.table, order, order.quantity).unwrap();
    }

    /// Takes an order all the way to working.
    pub(crate) fn accept(&mut self, builder: OrderBuilder) -> Order {
        let order = self.reserve(builder);
        self.commit(&order);
        order
    }

    /// Ends a working order without a fill.
    pub(crate) fn cancel(&mut self, order: &Order) {
        self.ledger.remove_working(&self.table, &order.fund_id, &order.order_id).unwrap();
    }

    /// Books a fill of fund `f` at the mark; negative units sell.
    pub(crate) fn hold(&mut self, name: &str, units: &str) {
        self.hold_for("f", name, units);
    }

    pub(crate) fn hold_for(&mut self, fund_id: &str, name: &str, units: &str) {
        let units = d(units);
        let side = if units > Decimal::ZERO { Side::Buy } else { Side::Short };
        let price = self.ledger.mark_of(&symbol(name)).unwrap().price;
        let fill = Fill::new("x", "before", name, side, units.abs(), price, self.now).unwrap();
        self.ledger.book_fill(&self.table, &fund(fund_id), &fill).unwrap();
    }

    /// Books a fill of a working order, at its mark.
    pub(crate) fn fill(&mut self, order: &Order, units: Decimal) {
        let price = self.ledger.mark_of(&order.symbol).unwrap().price;
        let (id, name) = (order.order_id.as_str(), order.symbol.as_str());
        let fill = Fill::new("x", id, name, order.side, units, price, self.now).unwrap();
        self.ledger.book_fill(&self.table, &order.fund_id, &fill).unwrap();
    }

    /// A trade at this price, of which only the ledger knows.
    pub(crate) fn print(&mut self, name: &str, price: &str) {
        self.ledger.mark(&self.table, &symbol(name), d(price), MarkKind::Trade, self.now).unwrap();
    }

    /// A quote, of which only the ledger knows; the mark is its middle.
    pub(crate) fn quote(&mut self, name: &str, bid: &str, ask: &str) {
        let (bid, ask) = (d(bid), d(ask));
        let kind = MarkKind::Quote { bid, ask };
        let middle = (bid + ask) / Decimal::TWO;
        self.ledger.mark(&self.table, &symbol(name), middle, kind, self.now).unwrap();
    }

    /// A trade at this price, of which the machine is told.
    pub(crate) fn mark(&mut self, name: &str, price: &str) -> Vec<RiskAction> {
        self.print(name, price);
        self.apply(RiskEvent::Marked { symbol: None }).unwrap()
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        self.now = self.now.plus(std::time::Duration::from_millis(millis));
    }

    pub(crate) fn apply(&mut self, event: RiskEvent) -> Result<Vec<RiskAction>, String> {
        let mut actions = Vec::new();
        let done = self.machine.apply(&event, &self.ledger, self.now, &mut actions);
        done.map(|()| actions).map_err(|refusal| refusal.message)
    }

    pub(crate) fn roll(&mut self, date: &str) {
        self.apply(RiskEvent::DayRolled { date: date.parse().unwrap() }).unwrap();
    }

    /// Moves cash and tells the machine.
    pub(crate) fn flow(&mut self, amount: &str) -> Vec<RiskAction> {
        self.ledger.flow(&fund("f"), d(amount)).unwrap();
        self.apply(RiskEvent::Flowed { fund_id: fund("f"), amount: d(amount) }).unwrap()
    }

    pub(crate) fn halt(&mut self, scope: HaltScope, mode: HaltMode) -> Vec<RiskAction> {
        let request = HaltRequest {
            scope,
            mode,
            reason: "drill".to_owned(),
            causes: Vec::new(),
            requested_by: actor("ann"),
            timestamp: self.now,
        };
        self.apply(RiskEvent::Halt(request)).unwrap()
    }

    /// `None` resumes from the kill switch.
    pub(crate) fn resume(
        &mut self,
        scope: Option<HaltScope>,
        operators: &[&str],
        reason: &str,
    ) -> Result<Vec<RiskAction>, String> {
        let operators = operators.iter().map(|name| actor(name)).collect();
        let timestamp = self.now;
        self.apply(RiskEvent::Resume(ResumeRequest {
            scope,
            operators,
            reason: reason.to_owned(),
            timestamp,
        }))
    }

    pub(crate) fn kill(&mut self) -> Vec<RiskAction> {
        self.apply(RiskEvent::Kill { reason: "drill".to_owned(), actor: actor("ann") }).unwrap()
    }
}

pub(crate) fn refusal(decision: RiskDecision) -> Option<Rejection> {
    match decision {
        RiskDecision::Approved => None,
        RiskDecision::Rejected(rejection) => Some(*rejection),
    }
}
