//! The machine: asks the gates in order, keeps the state.

mod events;

use crate::check::{Check, GateResult, closable, reject, working};
use crate::gates::{Applies, PIPELINE, Step};
pub use crate::halts::OperatorPolicy;
use crate::halts::{halted, in_force};
use crate::limits::{ConfigFaults, ExactLimits};
use crate::loss::reached;
use crate::state::{Baselines, FundState, Held, Reservation, RiskState, STATE_VERSION};
use crate::stops;
use chrono::NaiveDate;
use mts_foundation::ledger::notional_price;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{
    Gate, GateTrace, HaltRequest, HaltScope, LossResponse, RejectCode, Rejection, RiskAction, RiskContext,
    RiskDecision, RiskEvent, RiskRefusal, Verdict,
};
use mts_foundation::{
    Decimal, FundConfig, FundId, GateLimits, Instrument, InstrumentTable, Ledger, Order, OrderId,
    RiskEnvelope, RiskGate, RiskMachine, Symbol, Timestamp,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the machine must know of one fund.
#[derive(Debug, Clone, PartialEq)]
pub struct FundRisk {
    /// The fund.
    pub config: FundConfig,
    /// Its first envelope; later versions come as events. `None` = only `limits` limit it, as those of a single account
    /// do; nothing is denied for want of an envelope then.
    pub envelope: Option<RiskEnvelope>,
    /// Its further limits.
    pub limits: GateLimits,
    /// Terms of borrowing, by instrument.
    pub borrow: BTreeMap<Symbol, Borrow>,
}

/// Net asset values that losses are measured against, moved by capital flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossBaselines {
    /// At the beginning of the trading day.
    pub day: Decimal,
    /// At the beginning of the ISO week.
    pub week: Decimal,
    /// At the beginning of the month.
    pub month: Decimal,
    /// The highest there was.
    pub high_water: Decimal,
}

/// A fund as the gates see it: configuration, not state.
#[derive(Debug, Clone)]
pub(crate) struct Fund {
    pub(crate) config: FundConfig,
    pub(crate) limits: GateLimits,
    pub(crate) exact: ExactLimits,
    pub(crate) borrow: BTreeMap<Symbol, Borrow>,
    pub(crate) shares_account_with: Vec<FundId>,
}

/// The implementation of [`RiskMachine`].
#[derive(Clone)]
pub struct RiskPipeline {
    funds: BTreeMap<FundId, Fund>,
    operators: OperatorPolicy,
    own_gates: Vec<Arc<dyn RiskGate>>,
    state: RiskState,
}

impl std::fmt::Debug for RiskPipeline {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RiskPipeline")
            .field("funds", &self.funds)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl RiskPipeline {
    /// A machine for these funds.
    ///
    /// # Errors
    /// [`ConfigFaults`] with every fault of every fund, or when a fund is given twice.
    pub fn new(funds: Vec<FundRisk>, operators: OperatorPolicy) -> Result<Self, ConfigFaults> {
        let mut faults = Vec::new();
        let mut state = RiskState::default();
        let mut known: BTreeMap<FundId, Fund> = BTreeMap::new();
        for fund in funds {
            let FundRisk { config, envelope, limits, borrow } = fund;
            let fund_id = config.fund_id.clone();
            match ExactLimits::new(&config, envelope.as_ref(), &limits) {
                Err(found) => faults.extend(found.0),
                Ok(_) if known.contains_key(&fund_id) => {
                    faults.push(format!("fund {fund_id} is given twice; give each fund its own fund_id"));
                }
                Ok(exact) => {
                    let fund_state = FundState {
                        envelope,
                        baselines: None,
                        recent: Default::default(),
                        reservations: Vec::new(),
                        stopped: BTreeMap::new(),
                    };
                    state.funds.insert(fund_id.clone(), fund_state);
                    known.insert(
                        fund_id,
                        Fund { config, limits, exact, borrow, shares_account_with: Vec::new() },
                    );
                }
            }
        }
        if !faults.is_empty() {
            return Err(ConfigFaults(faults));
        }
        let accounts: Vec<_> = known
            .values()
            .map(|fund| {
                let config = &fund.config;
                (config.fund_id.clone(), config.broker.clone(), config.broker_account_id.clone())
            })
            .collect();
        for fund in known.values_mut() {
            let config = &fund.config;
            fund.shares_account_with = accounts
                .iter()
                .filter(|(id, broker, account)| {
                    *id != config.fund_id && *broker == config.broker && *account == config.broker_account_id
                })
                .map(|(id, ..)| id.clone())
                .collect();
        }
        Ok(Self { funds: known, operators, own_gates: Vec::new(), state })
    }

    /// Adds gates of one's own; they are asked after the built-in ones, of orders that open or grow a position.
    #[must_use]
    pub fn with_gates(mut self, gates: Vec<Arc<dyn RiskGate>>) -> Self {
        self.own_gates = gates;
        self
    }

    /// Instruments of a fund whose synthetic stops were reached and are not armed again.
    #[must_use]
    pub fn stopped(&self, fund_id: &FundId) -> Vec<Symbol> {
        self.state.funds.get(fund_id).map_or_else(Vec::new, |state| state.stopped.keys().cloned().collect())
    }

    /// Frees everything that is reserved: after a restart nobody is being asked any more.
    pub fn release_all(&mut self) {
        self.state.funds.values_mut().for_each(|state| state.reservations.clear());
    }

    /// What losses of a fund are measured against; `None` before its first trading day.
    #[must_use]
    pub fn baselines(&self, fund_id: &FundId) -> Option<LossBaselines> {
        let Baselines { day, week, month, high_water } = self.state.funds.get(fund_id)?.baselines?;
        Some(LossBaselines { day, week, month, high_water })
    }

    /// The trading day; `None` before the first.
    #[must_use]
    pub fn trading_day(&self) -> Option<NaiveDate> {
        self.state.trading_day
    }

    /// Asks the gates in order, up to the first that objects.
    fn run(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        let asked = self.with_check(order, context, |check| self.ask_all(check, trace));
        match asked.and_then(|verdict| verdict) {
            Ok(()) => RiskDecision::Approved,
            Err(rejection) => {
                trace.rejected(&rejection);
                RiskDecision::Rejected(rejection)
            }
        }
    }

    fn ask_all(&self, check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
        trace.verdict(Gate::Idempotency, Verdict::Pass);
        trace.verdict(Gate::Schema, Verdict::Pass);
        trace.verdict(Gate::Veto, Verdict::Off);
        PIPELINE.iter().try_for_each(|step| ask(check, step, trace))?;
        self.ask_own(check)
    }

    /// Gates of one's own are asked of orders that open or grow a position.
    fn ask_own(&self, check: &Check<'_>) -> GateResult {
        if check.reducing || check.closing {
            return Ok(());
        }
        let envelope = check.envelope();
        self.own_gates.iter().try_for_each(|gate| gate.check(check.order, envelope, check.context))
    }

    /// Gathers what the gates look at.
    fn with_check<T>(
        &self,
        order: &Order,
        context: &RiskContext<'_>,
        work: impl FnOnce(&Check<'_>) -> T,
    ) -> Result<T, Box<Rejection>> {
        let (Some(fund), Some(fund_state), Some(book)) = (
            self.funds.get(&order.fund_id),
            self.state.funds.get(&order.fund_id),
            context.ledger.fund(&order.fund_id),
        ) else {
            return Err(self.unknown_fund(order, context));
        };
        let known = context.instruments.get(&order.symbol);
        // Only on the way to a refusal by gate 8, which the gates before it may come ahead of.
        let stand_in;
        let instrument = match known {
            Some(instrument) => instrument,
            None => {
                stand_in = Instrument::us_share(order.symbol.clone());
                &stand_in
            }
        };
        let exposure = book.symbol_exposure(&order.symbol);
        let others = fund_state.reservations.iter().filter(|reserved| reserved.order_id != order.order_id);
        let (buys, sells) = working(exposure, others, &order.symbol);
        let held = book.positions().quantity(&order.symbol);
        // Everything about the instrument is looked up once, here.
        let mark = context.ledger.mark_of(&order.symbol);
        let reference = mark.and_then(|mark| mark.reference(order.side));
        let notional_price = notional_price(order, reference);
        let added = Cell::new(None);
        let check = Check {
            order,
            context,
            state: &self.state,
            fund,
            fund_state,
            book,
            instrument,
            instrument_known: known.is_some(),
            nav: book.nav(),
            reducing: !order.side.is_opening() && order.quantity <= closable(order.side, held, buys, sells),
            closing: context.closing && !order.side.is_opening(),
            mark,
            exposure,
            held,
            buys,
            sells,
            added: &added,
            objections: None,
            reference,
            notional_price,
            value_price: mark
                .map(|mark| mark.price)
                .filter(|price| *price > Decimal::ZERO)
                .or(notional_price),
        };
        Ok(work(&check))
    }

    /// Why an order of an unknown fund is refused: the switches come before the question who it is from.
    fn unknown_fund(&self, order: &Order, context: &RiskContext<'_>) -> Box<Rejection> {
        let halt = in_force(&self.state.halts, &order.fund_id, &order.strategy_id);
        match (&self.state.killed, halt) {
            (Some(killed), _) if !context.closing => killed.rejection(),
            (None, Some(halt)) if !context.closing => halted(halt),
            _ => {
                let message =
                    format!("fund {} is not known here; add a [fund] section for it", order.fund_id);
                reject(Gate::Authorised, RejectCode::FundNotAuthorised, None, None, message)
            }
        }
    }
}

/// Asks one gate, where it applies.
fn ask(check: &Check<'_>, (gate, applies, gate_fn): &Step, trace: &mut GateTrace) -> GateResult {
    let exempt = match applies {
        Applies::Always => false,
        Applies::NotReducing => check.reducing || check.closing,
        Applies::NotClosing => check.closing,
    };
    if exempt {
        trace.verdict(*gate, Verdict::Exempt);
        return Ok(());
    }
    gate_fn(check, trace)
}

fn refusal(message: impl Into<String>) -> RiskRefusal {
    RiskRefusal { message: message.into() }
}

impl RiskMachine for RiskPipeline {
    fn check(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        self.run(order, context, trace)
    }

    fn objections(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> Vec<Rejection> {
        for (gate, verdict) in
            [(Gate::Idempotency, Verdict::Pass), (Gate::Schema, Verdict::Pass), (Gate::Veto, Verdict::Off)]
        {
            trace.verdict(gate, verdict);
        }
        let asked = self.with_check(order, context, |check| {
            let objections = RefCell::new(Vec::new());
            let check = Check { objections: Some(&objections), ..*check };
            for step in PIPELINE {
                if let Err(rejection) = ask(&check, step, trace) {
                    objections.borrow_mut().push(*rejection);
                }
            }
            objections.borrow_mut().extend(self.ask_own(&check).err().map(|rejection| *rejection));
            objections.into_inner()
        });
        let objections = asked.unwrap_or_else(|rejection| vec![*rejection]);
        // The first of a gate is the one that the pipeline would give.
        objections.iter().rev().for_each(|rejection| trace.rejected(rejection));
        objections
    }

    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        let asked = self.with_check(order, context, |check| {
            self.ask_all(check, trace)?;
            let price = check.notional_price.unwrap_or_default();
            let value = order.quantity.checked_mul(price);
            let value = value.and_then(|value| value.checked_mul(check.instrument.multiplier));
            Ok((price, value.unwrap_or_default()))
        });
        let (price, value) = match asked.and_then(|verdict| verdict) {
            Ok(worth) => worth,
            Err(rejection) => {
                trace.rejected(&rejection);
                return RiskDecision::Rejected(rejection);
            }
        };
        if let Some(state) = self.state.funds.get_mut(&order.fund_id) {
            let reservation = Reservation {
                order_id: order.order_id.clone(),
                symbol: order.symbol.clone(),
                side: order.side,
                quantity: order.quantity,
                price,
                committed: if order.side.sign() > 0 { value } else { Decimal::ZERO },
            };
            match state.reservations.binary_search_by(|other| other.order_id.cmp(&order.order_id)) {
                Ok(place) => {
                    if let Some(old) = state.reservations.get_mut(place) {
                        *old = reservation;
                    }
                }
                Err(place) => state.reservations.insert(place, reservation),
            }
        }
        RiskDecision::Approved
    }

    fn reduces(&self, order: &Order, context: &RiskContext<'_>) -> bool {
        self.with_check(order, context, |check| check.reducing).unwrap_or(false)
    }

    fn commit(&mut self, order: &Order, context: &RiskContext<'_>) {
        let Some(fund) = self.funds.get(&order.fund_id) else { return };
        let Some(state) = self.state.funds.get_mut(&order.fund_id) else { return };
        state.reservations.retain(|reserved| reserved.order_id != order.order_id);
        if let Some(longest) = fund.exact.longest_window_ms {
            state.recent.push(order, context.now, longest);
        }
        self.state.buckets.take(&fund.limits, order, context.now);
        self.state.orders_accepted = self.state.orders_accepted.saturating_add(1);
    }

    fn release(&mut self, order_id: &OrderId) {
        for state in self.state.funds.values_mut() {
            state.reservations.retain(|reserved| reserved.order_id != *order_id);
        }
    }

    fn withdraw(&mut self, order: &Order) {
        let Some(fund) = self.funds.get(&order.fund_id) else { return };
        if let Some(state) = self.state.funds.get_mut(&order.fund_id) {
            state.recent.withdraw(order);
        }
        self.state.buckets.give_back(&fund.limits, order);
        self.state.orders_accepted = self.state.orders_accepted.saturating_sub(1);
    }

    fn apply(
        &mut self,
        event: &RiskEvent,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        self.hear(event, ledger, now, actions)
    }

    fn would_trip(
        &self,
        symbol: &Symbol,
        price: Decimal,
        ledger: &Ledger,
        instruments: &InstrumentTable,
    ) -> bool {
        let multiplier = instruments.get(symbol).map_or(Decimal::ONE, |instrument| instrument.multiplier);
        self.state.funds.iter().any(|(fund_id, state)| {
            let (Some(fund), Some(book)) = (self.funds.get(fund_id), ledger.fund(fund_id)) else {
                return false;
            };
            let Some(holding) = book.positions().get(symbol) else { return false };
            let moved = (price - holding.last_price)
                .checked_mul(holding.quantity)
                .and_then(|moved| moved.checked_mul(multiplier)?.checked_add(book.nav()));
            // What tripped already cannot trip again.
            let tripped = match fund.exact.loss_response {
                LossResponse::KillSwitch => self.state.killed.is_some(),
                LossResponse::HaltFund => self.state.halts.contains_key(&HaltScope::Fund(fund_id.clone())),
            };
            let stopped =
                state.stopped.get(symbol).is_some_and(|held| Held::of(holding.quantity) == Some(*held));
            // What cannot be computed is let through.
            let trips = |nav| {
                let baselines = state.baselines.as_ref();
                baselines.is_some_and(|baselines| reached(baselines, nav, &fund.exact).next().is_some())
            };
            (!tripped && moved.is_none_or(trips))
                || (!stopped && stops::would_reach(holding, fund.exact.synthetic_stop, price))
        })
    }

    fn envelope(&self, fund_id: &FundId) -> Option<&RiskEnvelope> {
        self.state.funds.get(fund_id).and_then(|state| state.envelope.as_ref())
    }

    fn halts(&self) -> Vec<HaltRequest> {
        self.state.halts.values().cloned().collect()
    }

    fn killed(&self) -> Option<&str> {
        self.state.killed.as_ref().map(|killed| killed.reason.as_str())
    }

    fn snapshot(&self) -> Vec<u8> {
        // Encoding plain data into memory has no way to fail.
        postcard::to_stdvec(&self.state).unwrap_or_default()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RiskRefusal> {
        let state: RiskState = postcard::from_bytes(snapshot).map_err(|error| {
            refusal(format!("the risk state cannot be read ({error}); replay the journal instead"))
        })?;
        if state.version != STATE_VERSION {
            return Err(refusal(format!(
                "the risk state has version {}, this program reads {STATE_VERSION}; replay the journal instead",
                state.version
            )));
        }
        if !state.funds.keys().eq(self.funds.keys()) {
            return Err(refusal("the risk state is of other funds; use the configuration it was made with"));
        }
        let mut exact = Vec::new();
        for (fund, state) in self.funds.values().zip(state.funds.values()) {
            let limits = ExactLimits::new(&fund.config, state.envelope.as_ref(), &fund.limits);
            exact.push(limits.map_err(|faults| refusal(faults.to_string()))?);
        }
        for (fund, exact) in self.funds.values_mut().zip(exact) {
            fund.exact = exact;
        }
        self.state = state;
        Ok(())
    }
}
