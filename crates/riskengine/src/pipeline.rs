//! The machine: asks the gates in order, keeps the state.

use crate::check::{Check, closable, reject, short};
use crate::gates::{Applies, PIPELINE, buckets};
pub use crate::halts::OperatorPolicy;
use crate::limits::{ConfigFaults, ExactLimits};
use crate::loss::reached;
use crate::state::{
    Accepted, Baselines, Bucket, FundState, MAX_RECENT, Reservation, RiskState, STATE_VERSION,
};
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{
    Gate, GateTrace, HaltMode, HaltRequest, HaltScope, RejectCode, RiskAction, RiskContext, RiskDecision,
    RiskEvent, RiskRefusal, Verdict,
};
use mts_foundation::{
    ActorId, Decimal, FundConfig, FundId, GateLimits, Ledger, Order, OrderId, RiskEnvelope, RiskGate,
    RiskMachine, Side, Symbol, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the machine must know of one fund.
#[derive(Debug, Clone, PartialEq)]
pub struct FundRisk {
    /// The fund.
    pub config: FundConfig,
    /// Its first envelope; later versions come as events.
    pub envelope: RiskEnvelope,
    /// Its further limits.
    pub limits: GateLimits,
    /// Terms of borrowing, by instrument.
    pub borrow: BTreeMap<Symbol, Borrow>,
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
            match ExactLimits::new(&config, &envelope, &limits) {
                Err(found) => faults.extend(found.0),
                Ok(_) if known.contains_key(&fund_id) => {
                    faults.push(format!("fund {fund_id} is given twice; give each fund its own fund_id"));
                }
                Ok(exact) => {
                    let fund_state = FundState {
                        envelope,
                        baselines: None,
                        recent: Default::default(),
                        reservations: BTreeMap::new(),
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

    /// Gathers what the gates look at and asks them in order.
    fn run(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        let (fund, fund_state, book) = match (
            self.funds.get(&order.fund_id),
            self.state.funds.get(&order.fund_id),
            context.ledger.fund(&order.fund_id),
        ) {
            (Some(fund), Some(state), Some(book)) => (fund, state, book),
            _ => {
                let message =
                    format!("fund {} is not known here; add a [fund] section for it", order.fund_id);
                return refused(
                    trace,
                    reject(Gate::Authorised, RejectCode::FundNotAuthorised, None, None, message),
                );
            }
        };
        let Some(instrument) = context.instruments.get(&order.symbol) else {
            let message = format!("{} is not in the instrument table; add a row for it", order.symbol);
            return refused(
                trace,
                reject(Gate::Instrument, RejectCode::UnknownInstrument, None, None, message),
            );
        };
        let exposure = book.symbol_exposure(&order.symbol);
        let (mut buys, mut sells) = (exposure.buys, exposure.sells);
        for reserved in fund_state.reservations.values().filter(|reserved| reserved.symbol == order.symbol) {
            if reserved.side.sign() > 0 {
                buys += reserved.quantity;
            } else {
                sells += reserved.quantity;
            }
        }
        let held = book.positions().quantity(&order.symbol);
        let notional_price = context.ledger.notional_price(order);
        let mark = context.ledger.mark_of(&order.symbol).map(|mark| mark.price);
        let check = Check {
            order,
            context,
            state: &self.state,
            fund,
            fund_state,
            book,
            instrument,
            nav: book.nav(),
            reducing: !order.side.is_opening() && order.quantity <= closable(order.side, held, buys, sells),
            closing: context.closing && !order.side.is_opening(),
            held,
            buys,
            sells,
            reference: context.ledger.reference_price(&order.symbol, order.side),
            notional_price,
            value_price: mark.filter(|price| *price > Decimal::ZERO).or(notional_price),
        };
        trace.verdict(Gate::Idempotency, Verdict::Pass);
        trace.verdict(Gate::Schema, Verdict::Pass);
        trace.verdict(Gate::Veto, Verdict::Off);
        for (gate, applies, ask) in PIPELINE {
            let exempt = match applies {
                Applies::Always => false,
                Applies::NotReducing => check.reducing || check.closing,
                Applies::NotClosing => check.closing,
            };
            if exempt {
                trace.verdict(*gate, Verdict::Exempt);
            } else if let Err(rejection) = ask(&check, trace) {
                return refused(trace, rejection);
            }
        }
        if !check.reducing && !check.closing {
            for gate in &self.own_gates {
                if let Err(rejection) = gate.check(order, &fund_state.envelope, context) {
                    return refused(trace, rejection);
                }
            }
        }
        RiskDecision::Approved
    }

    fn nav(ledger: &Ledger, fund_id: &FundId) -> Option<Decimal> {
        ledger.fund(fund_id).map(mts_foundation::FundBook::nav)
    }

    /// Raises the high-water mark and halts the fund if a loss limit is reached.
    fn evaluate(&mut self, fund_id: &FundId, ledger: &Ledger, now: Timestamp, actions: &mut Vec<RiskAction>) {
        let (Some(fund), Some(state), Some(nav)) =
            (self.funds.get(fund_id), self.state.funds.get_mut(fund_id), Self::nav(ledger, fund_id))
        else {
            return;
        };
        let Some(baselines) = &mut state.baselines else { return };
        baselines.high_water = baselines.high_water.max(nav);
        let scope = HaltScope::Fund(fund_id.clone());
        if self.state.halts.contains_key(&scope) {
            return;
        }
        let causes: Vec<_> = reached(baselines, nav, &fund.exact, &fund.limits).collect();
        let Some(first) = causes.first() else { return };
        let Ok(requested_by) = ActorId::new("riskengine") else { return };
        let reason = format!(
            "{}: loss {} reached its limit {}",
            first.code,
            short(first.observed.unwrap_or_default()),
            first.limit.unwrap_or_default()
        );
        let halt = HaltRequest {
            scope: scope.clone(),
            mode: HaltMode::ReduceOnly,
            reason,
            causes,
            requested_by,
            timestamp: now,
        };
        self.state.halts.insert(scope, halt.clone());
        actions.push(RiskAction::Halted(halt));
    }
}

fn refused(trace: &mut GateTrace, rejection: Box<mts_foundation::risk::Rejection>) -> RiskDecision {
    trace.rejected(&rejection);
    RiskDecision::Rejected(rejection)
}

fn refusal(message: impl Into<String>) -> RiskRefusal {
    RiskRefusal { message: message.into() }
}

impl RiskMachine for RiskPipeline {
    fn check(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        self.run(order, context, trace)
    }

    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        let decision = self.run(order, context, trace);
        if decision.is_approved()
            && let Some(instrument) = context.instruments.get(&order.symbol)
            && let Some(state) = self.state.funds.get_mut(&order.fund_id)
        {
            let value_of = |price: Option<Decimal>| {
                price.and_then(|price| order.quantity.checked_mul(price)?.checked_mul(instrument.multiplier))
            };
            let mark = context.ledger.mark_of(&order.symbol).map(|mark| mark.price);
            let notional = context.ledger.notional_price(order);
            let reducing = matches!(order.side, Side::Sell | Side::Cover);
            let reservation = Reservation {
                symbol: order.symbol.clone(),
                side: order.side,
                quantity: order.quantity,
                value: if reducing { Decimal::ZERO } else { value_of(mark.or(notional)).unwrap_or_default() },
                committed: if order.side.sign() > 0 {
                    value_of(notional).unwrap_or_default()
                } else {
                    Decimal::ZERO
                },
                sector: instrument.sector.clone(),
                country: instrument.country.clone(),
                asset_class: instrument.asset_class,
            };
            state.reservations.insert(order.order_id.clone(), reservation);
        }
        decision
    }

    fn commit(&mut self, order: &Order, context: &RiskContext<'_>) {
        let Some(fund) = self.funds.get(&order.fund_id) else { return };
        let Some(state) = self.state.funds.get_mut(&order.fund_id) else { return };
        state.reservations.remove(&order.order_id);
        let limits = &fund.limits;
        let windows = [
            limits.dedup_window_ms,
            limits.max_orders_per_minute.map(|_| 60_000),
            limits.max_repeated_executions.and(limits.repeated_execution_window_ms),
        ];
        if let Some(longest) = windows.into_iter().flatten().max() {
            let over =
                |accepted: &Accepted| context.now.since(accepted.time).as_millis() >= u128::from(longest);
            while state.recent.front().is_some_and(over) || state.recent.len() >= MAX_RECENT {
                state.recent.pop_front();
            }
            state.recent.push_back(Accepted::of(order, context.now));
        }
        for (name, rate) in buckets(limits, order).into_iter().flatten() {
            self.state
                .buckets
                .entry(name)
                .or_insert_with(|| Bucket::full(rate, context.now))
                .take(rate, context.now);
        }
        self.state.orders_accepted = self.state.orders_accepted.saturating_add(1);
    }

    fn release(&mut self, order_id: &OrderId) {
        for state in self.state.funds.values_mut() {
            state.reservations.remove(order_id);
        }
    }

    fn apply(
        &mut self,
        event: &RiskEvent,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        match event {
            RiskEvent::DayRolled { date } => {
                let old = self.state.trading_day.replace(*date);
                for (fund_id, state) in &mut self.state.funds {
                    let Some(nav) = Self::nav(ledger, fund_id) else { continue };
                    match (&mut state.baselines, old) {
                        (Some(baselines), Some(old)) => baselines.rolled(old, *date, nav),
                        (slot, _) => *slot = Some(Baselines::at(nav)),
                    }
                }
                Ok(())
            }
            RiskEvent::Marked => {
                // Few funds share one machine; the list of ids ends the borrow of the state.
                let funds: Vec<FundId> = self.funds.keys().cloned().collect();
                for fund_id in funds {
                    self.evaluate(&fund_id, ledger, now, actions);
                }
                Ok(())
            }
            RiskEvent::Filled { fund_id, .. } => {
                self.evaluate(fund_id, ledger, now, actions);
                Ok(())
            }
            RiskEvent::Flowed { fund_id, amount } => {
                if let Some(baselines) =
                    self.state.funds.get_mut(fund_id).and_then(|state| state.baselines.as_mut())
                {
                    baselines.flowed(*amount);
                }
                Ok(())
            }
            RiskEvent::Halt(halt) => {
                // A wider mode replaces a narrower one; the same halt again changes nothing.
                let stronger = match self.state.halts.get(&halt.scope) {
                    Some(old) => old.mode == HaltMode::ReduceOnly && halt.mode == HaltMode::Full,
                    None => true,
                };
                if stronger {
                    self.state.halts.insert(halt.scope.clone(), halt.clone());
                    actions.push(RiskAction::Halted(halt.clone()));
                }
                Ok(())
            }
            RiskEvent::Resume(request) => {
                self.operators.allows(request)?;
                match &request.scope {
                    None if self.state.killed.take().is_none() => {
                        return Err(refusal("the kill switch is not on; there is nothing to resume"));
                    }
                    None => {}
                    Some(scope) => {
                        let Some(halt) = self.state.halts.remove(scope) else {
                            return Err(refusal(format!(
                                "{scope} is not halted; there is nothing to resume"
                            )));
                        };
                        for (fund_id, state) in &mut self.state.funds {
                            let concerned = match scope {
                                HaltScope::Fund(id) => id == fund_id,
                                HaltScope::Firm | HaltScope::Strategy(_) => true,
                            };
                            if let (true, Some(baselines), Some(nav)) =
                                (concerned, state.baselines.as_mut(), Self::nav(ledger, fund_id))
                            {
                                halt.causes.iter().for_each(|cause| baselines.rebase(cause.code, nav));
                            }
                        }
                    }
                }
                actions.push(RiskAction::Resumed(request.clone()));
                Ok(())
            }
            RiskEvent::Kill { reason, actor } => {
                if self.state.killed.is_none() {
                    self.state.killed = Some(reason.clone());
                    actions.push(RiskAction::Killed { reason: reason.clone(), actor: actor.clone() });
                }
                Ok(())
            }
            RiskEvent::EnvelopeUpdated(envelope) => self.update_envelope(envelope, actions),
        }
    }

    fn envelope(&self, fund_id: &FundId) -> Option<&RiskEnvelope> {
        self.state.funds.get(fund_id).map(|state| &state.envelope)
    }

    fn halts(&self) -> Vec<HaltRequest> {
        self.state.halts.values().cloned().collect()
    }

    fn killed(&self) -> Option<&str> {
        self.state.killed.as_deref()
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
            let limits = ExactLimits::new(&fund.config, &state.envelope, &fund.limits);
            exact.push(limits.map_err(|faults| refusal(faults.to_string()))?);
        }
        for (fund, exact) in self.funds.values_mut().zip(exact) {
            fund.exact = exact;
        }
        self.state = state;
        Ok(())
    }
}

impl RiskPipeline {
    fn update_envelope(
        &mut self,
        envelope: &RiskEnvelope,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        let fund_id = &envelope.fund_id;
        let halted = self.state.killed.is_some()
            || self.state.halts.keys().any(|scope| match scope {
                HaltScope::Firm => true,
                HaltScope::Fund(id) => id == fund_id,
                HaltScope::Strategy(_) => false,
            });
        let (Some(fund), Some(state)) = (self.funds.get_mut(fund_id), self.state.funds.get_mut(fund_id))
        else {
            return Err(refusal(format!("fund {fund_id} is not known here")));
        };
        let wanted = state.envelope.version.saturating_add(1);
        if envelope.version != wanted {
            return Err(refusal(format!(
                "the envelope has version {}; an update of version {} carries {wanted}",
                envelope.version, state.envelope.version
            )));
        }
        let exact = ExactLimits::new(&fund.config, envelope, &fund.limits)
            .map_err(|faults| refusal(faults.to_string()))?;
        if halted && loosens(&state.envelope, envelope) {
            return Err(refusal("an envelope is not loosened during a halt; resume first, then loosen"));
        }
        fund.exact = exact;
        state.envelope = envelope.clone();
        actions.push(RiskAction::EnvelopeUpdated(Box::new(envelope.clone())));
        Ok(())
    }
}

/// Whether any limit of `new` permits what `old` does not.
fn loosens(old: &RiskEnvelope, new: &RiskEnvelope) -> bool {
    let grows = [
        (old.max_gross_exposure_pct, new.max_gross_exposure_pct),
        (old.max_net_exposure_pct, new.max_net_exposure_pct),
        (old.max_position_pct, new.max_position_pct),
        (old.max_sector_pct, new.max_sector_pct),
        (old.max_asset_class_pct, new.max_asset_class_pct),
        (old.max_country_pct, new.max_country_pct),
        (old.daily_loss_halt_pct, new.daily_loss_halt_pct),
        (old.weekly_loss_halt_pct, new.weekly_loss_halt_pct),
        (old.monthly_loss_halt_pct, new.monthly_loss_halt_pct),
        (old.max_short_fee_bps, new.max_short_fee_bps),
        (old.synthetic_stop_pct, new.synthetic_stop_pct),
    ];
    let lifted = |old: Option<Decimal>, new: Option<Decimal>| match (old, new) {
        (Some(old), Some(new)) => new > old,
        (Some(_), None) => true,
        (None, _) => false,
    };
    grows.iter().any(|(old, new)| new > old)
        || new.max_order_notional_usd > old.max_order_notional_usd
        || lifted(old.max_position_usd, new.max_position_usd)
        || lifted(old.max_order_qty, new.max_order_qty)
        || new.allowed_brokers.iter().any(|broker| !old.allowed_brokers.contains(broker))
        || new.allowed_order_types.iter().any(|kind| !old.allowed_order_types.contains(kind))
        || new.allowed_asset_classes.iter().any(|class| !old.allowed_asset_classes.contains(class))
        || (new.enable_shorting && !old.enable_shorting)
        || (!new.require_borrow_locate && old.require_borrow_locate)
        || (!new.enable_synthetic_stop && old.enable_synthetic_stop)
        || (!new.cro_veto_enabled && old.cro_veto_enabled)
}
