//! What a gate answers.

use crate::ids::{EnvelopeId, FundId, OrderId};
use crate::num::{Decimal, exact_option};
use crate::order::wire_enum;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

wire_enum! {
    /// The gates, in the order in which they are asked (decision R3). The first failure wins.
    Gate {
        /// 1: the kill switch.
        KillSwitch = "kill_switch",
        /// 2: halts of strategy, fund and firm.
        Halts = "halts",
        /// 3: the idempotency key, for callers without the engine.
        Idempotency = "idempotency",
        /// 4: the order is well formed (the `Order` type guarantees it; kept so that the numbering is complete).
        Schema = "schema",
        /// 5: fund, strategy, broker, actor and order type are authorised.
        Authorised = "authorised",
        /// 6: the asset and its class are permitted.
        Assets = "assets",
        /// 7: the market is open for this order.
        Session = "session",
        /// 8: tick, lot and side fit the instrument and the position.
        Instrument = "instrument",
        /// 9: identical content under a new key.
        DuplicateContent = "duplicate_content",
        /// 10: order rate.
        OrderRate = "order_rate",
        /// 11: repeated automated execution.
        RepeatedExecution = "repeated_execution",
        /// 12: a reference price, fresh enough.
        ReferencePrice = "reference_price",
        /// 13: quantity of one order.
        OrderQuantity = "order_quantity",
        /// 14: value of one order.
        OrderNotional = "order_notional",
        /// 15: prices near the reference.
        PriceCollar = "price_collar",
        /// 16: number of open orders.
        OpenOrders = "open_orders",
        /// 17: no order against our own.
        SelfCross = "self_cross",
        /// 18: the resulting position.
        Position = "position",
        /// 19: gross and net exposure.
        Exposure = "exposure",
        /// 20: concentration by sector, asset class and country.
        Concentration = "concentration",
        /// 21: number of positions.
        PositionCount = "position_count",
        /// 22: short-sale permission, borrow fee, locate.
        ShortSide = "short_side",
        /// 23: buying power.
        BuyingPower = "buying_power",
        /// 24: loss and drawdown.
        Loss = "loss",
        /// 25: an asynchronous, advisory veto.
        Veto = "veto",
    }
}

impl Gate {
    /// Its place in the pipeline, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }
}

wire_enum! {
    /// Why an order is refused: a stable code for machines. Never renamed, never reused.
    RejectCode {
        /// The kill switch is on.
        KillSwitch = "KILL_SWITCH",
        /// The strategy is halted.
        StrategyHalted = "STRATEGY_HALTED",
        /// The fund is halted.
        FundHalted = "FUND_HALTED",
        /// The firm is halted.
        FirmHalted = "FIRM_HALTED",
        /// The key was used for other content.
        IdempotencyConflict = "IDEMPOTENCY_CONFLICT",
        /// The key was used before and its window is over.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// The order is not well formed.
        SchemaInvalid = "SCHEMA_INVALID",
        /// No such fund, or it is not active.
        FundNotAuthorised = "FUND_NOT_AUTHORISED",
        /// The strategy may not write into this fund.
        StrategyNotAuthorised = "STRATEGY_NOT_AUTHORISED",
        /// The actor may not trade here.
        ActorNotAuthorised = "ACTOR_NOT_AUTHORISED",
        /// The broker is not allowed.
        BrokerNotAllowed = "BROKER_NOT_ALLOWED",
        /// The order type is not allowed.
        OrderTypeNotAllowed = "ORDER_TYPE_NOT_ALLOWED",
        /// The asset class is not allowed.
        AssetClassNotAllowed = "ASSET_CLASS_NOT_ALLOWED",
        /// The asset is blocked.
        AssetBlocked = "ASSET_BLOCKED",
        /// The asset is not on the list of allowed ones.
        AssetNotAllowed = "ASSET_NOT_ALLOWED",
        /// The market is closed for this order.
        MarketClosed = "MARKET_CLOSED",
        /// No market orders outside regular hours.
        MarketOrderOutsideHours = "MARKET_ORDER_OUTSIDE_HOURS",
        /// The instrument is not in the table.
        UnknownInstrument = "UNKNOWN_INSTRUMENT",
        /// A price is no multiple of the tick.
        TickSize = "TICK_SIZE",
        /// The quantity is no multiple of the lot.
        LotSize = "LOT_SIZE",
        /// The order would go through zero; the part beyond flat needs the other side (decision F4).
        SideCrossesZero = "SIDE_CROSSES_ZERO",
        /// The same content was accepted a moment ago.
        DuplicateContent = "DUPLICATE_CONTENT",
        /// Too many orders.
        OrderRate = "ORDER_RATE",
        /// The same automated execution again and again.
        RepeatedExecution = "REPEATED_EXECUTION",
        /// There is no reference price.
        NoReferencePrice = "NO_REFERENCE_PRICE",
        /// The reference price is too old.
        StaleReferencePrice = "STALE_REFERENCE_PRICE",
        /// Too many units in one order.
        MaxOrderQuantity = "MAX_ORDER_QUANTITY",
        /// Too much money in one order.
        MaxOrderNotional = "MAX_ORDER_NOTIONAL",
        /// Too large a share of net asset value in one order.
        MaxOrderNotionalPct = "MAX_ORDER_NOTIONAL_PCT",
        /// A price too far from the reference.
        PriceCollar = "PRICE_COLLAR",
        /// Too many open orders.
        MaxOpenOrders = "MAX_OPEN_ORDERS",
        /// It could trade against our own working order.
        SelfCross = "SELF_CROSS",
        /// The resulting position has too many units.
        MaxPositionQuantity = "MAX_POSITION_QUANTITY",
        /// The resulting position is worth too much.
        MaxPositionUsd = "MAX_POSITION_USD",
        /// The resulting position is too large a share of net asset value.
        MaxPositionPct = "MAX_POSITION_PCT",
        /// Gross exposure.
        MaxGrossExposure = "MAX_GROSS_EXPOSURE",
        /// Net exposure.
        MaxNetExposure = "MAX_NET_EXPOSURE",
        /// Total exposure in money.
        MaxTotalExposure = "MAX_TOTAL_EXPOSURE",
        /// Sector concentration.
        MaxSector = "MAX_SECTOR",
        /// Asset-class concentration.
        MaxAssetClass = "MAX_ASSET_CLASS",
        /// Country concentration.
        MaxCountry = "MAX_COUNTRY",
        /// Too many positions.
        MaxPositions = "MAX_POSITIONS",
        /// The fund may not sell short.
        ShortingDisabled = "SHORTING_DISABLED",
        /// Borrowing costs too much.
        BorrowFeeTooHigh = "BORROW_FEE_TOO_HIGH",
        /// The cost of borrowing has a limit and is not known.
        BorrowFeeUnknown = "BORROW_FEE_UNKNOWN",
        /// A locate is required and missing.
        NoLocate = "NO_LOCATE",
        /// Not enough cash.
        BuyingPower = "BUYING_POWER",
        /// A loss limit is on and there is no value yet to measure losses against.
        NoLossBaseline = "NO_LOSS_BASELINE",
        /// The day's loss reached its limit.
        DailyLoss = "DAILY_LOSS",
        /// The week's loss reached its limit.
        WeeklyLoss = "WEEKLY_LOSS",
        /// The month's loss reached its limit.
        MonthlyLoss = "MONTHLY_LOSS",
        /// The drawdown reached its limit.
        Drawdown = "DRAWDOWN",
        /// Net asset value is not positive, so that percentages of it mean nothing.
        NavNotPositive = "NAV_NOT_POSITIVE",
        /// A number left the range of exact decimals.
        ArithmeticRange = "ARITHMETIC_RANGE",
        /// An asynchronous gate vetoed.
        Vetoed = "VETOED",
        /// An order of this strategy in this instrument, or too many of the account, may or may not be live.
        UnknownOrderPending = "UNKNOWN_ORDER_PENDING",
        /// The account was not compared with the books since the process or the connection began.
        AccountNotReconciled = "ACCOUNT_NOT_RECONCILED",
        /// The account holds something else than the books, and nobody has said why.
        PositionUnexplained = "POSITION_UNEXPLAINED",
        /// An asynchronous gate gave no answer: it was too late, or it failed.
        GateUnanswered = "GATE_UNANSWERED",
    }
}

/// A refusal, with what is needed to understand it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rejection {
    /// Which gate.
    pub gate: Gate,
    /// Stable code.
    pub code: RejectCode,
    /// The limit, in the unit of `observed`.
    #[serde(with = "exact_option")]
    pub limit: Option<Decimal>,
    /// What was observed.
    #[serde(with = "exact_option")]
    pub observed: Option<Decimal>,
    /// A sentence for people, with the way out.
    pub message: String,
}

/// What the pipeline answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[must_use]
pub enum RiskDecision {
    /// No gate objects.
    Approved,
    /// The first gate that objects.
    Rejected(Box<Rejection>),
}

impl RiskDecision {
    /// Whether no gate objects.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        matches!(self, Self::Approved)
    }
}

/// The event payload of a refused order (`mts.v1.risk.gate.failed`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRejection {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub fund_id: FundId,
    /// Instrument.
    pub symbol: crate::symbol::Symbol,
    /// Why.
    pub rejection: Rejection,
    /// Envelope in force.
    pub envelope_id: EnvelopeId,
    /// Its version.
    pub envelope_version: u32,
    /// When.
    pub timestamp: Timestamp,
}

/// How one gate answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not asked, because an earlier gate refused.
    #[default]
    NotReached,
    /// Its limit is absent.
    Off,
    /// Does not apply to a reducing or closing order (decision R4).
    Exempt,
    /// No objection.
    Pass,
    /// Refused.
    Reject,
}

/// One line of a [`GateTrace`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GateOutcome {
    /// How it answered.
    pub verdict: Verdict,
    /// What it looked at; of several comparisons, the one closest to its limit.
    #[serde(with = "exact_option")]
    pub observed: Option<Decimal>,
    /// The limit, in the same unit.
    #[serde(with = "exact_option")]
    pub limit: Option<Decimal>,
}

/// How each gate answered: a fixed array, so that recording costs no allocation. Values are kept only when asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct GateTrace {
    outcomes: [GateOutcome; Gate::ALL.len()],
    record: bool,
}

impl GateTrace {
    /// A trace that records nothing: the fast path.
    #[must_use]
    pub fn off() -> Self {
        Self { outcomes: [GateOutcome::default(); Gate::ALL.len()], record: false }
    }

    /// A trace that records verdicts, observed values and limits.
    #[must_use]
    pub fn on() -> Self {
        Self { record: true, ..Self::off() }
    }

    /// Whether values are recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.record
    }

    /// Notes a verdict.
    pub fn verdict(&mut self, gate: Gate, verdict: Verdict) {
        if self.record
            && let Some(outcome) = self.outcomes.get_mut(gate as usize)
        {
            outcome.verdict = verdict;
        }
    }

    /// Notes a comparison that passed; of several of one gate the one closest to its limit stays.
    pub fn compared(&mut self, gate: Gate, observed: Decimal, limit: Decimal) {
        if !self.record {
            return;
        }
        if let Some(outcome) = self.outcomes.get_mut(gate as usize) {
            outcome.verdict = Verdict::Pass;
            let headroom = |observed: Decimal, limit: Decimal| {
                (limit - observed).checked_div(limit.abs()).unwrap_or(Decimal::ZERO)
            };
            let closer = match (outcome.observed, outcome.limit) {
                (Some(old), Some(old_limit)) => headroom(observed, limit) < headroom(old, old_limit),
                _ => true,
            };
            if closer {
                outcome.observed = Some(observed);
                outcome.limit = Some(limit);
            }
        }
    }

    /// Notes a refusal.
    pub fn rejected(&mut self, rejection: &Rejection) {
        if let Some(outcome) = self.outcomes.get_mut(rejection.gate as usize) {
            *outcome = GateOutcome {
                verdict: Verdict::Reject,
                observed: rejection.observed,
                limit: rejection.limit,
            };
        }
    }

    /// All gates with their answers, in pipeline order.
    pub fn iter(&self) -> impl Iterator<Item = (Gate, &GateOutcome)> {
        Gate::ALL.iter().copied().zip(self.outcomes.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_numbered_as_decided() {
        let numbered: Vec<_> = Gate::ALL.iter().map(|gate| gate.number()).collect();
        assert_eq!(numbered, (1..=25).collect::<Vec<_>>());
        assert_eq!((Gate::Session.number(), Gate::PriceCollar.number(), Gate::Loss.number()), (7, 15, 24));
    }

    #[test]
    fn a_trace_keeps_the_comparison_closest_to_its_limit() {
        let d = Decimal::from;
        let mut trace = GateTrace::on();
        trace.compared(Gate::Position, d(10), d(100));
        trace.compared(Gate::Position, d(90), d(100));
        trace.compared(Gate::Position, d(1), d(100));
        let outcome = trace.iter().find(|(gate, _)| *gate == Gate::Position).unwrap().1;
        assert_eq!((outcome.observed, outcome.limit), (Some(d(90)), Some(d(100))));
        let mut off = GateTrace::off();
        off.compared(Gate::Position, d(10), d(100));
        assert_eq!(off, GateTrace::off());
    }
}
