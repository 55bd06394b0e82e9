//! What a gate is asked: an order, and the world it is asked in.

use super::SuiteError;
use mts_foundation::order_builder::OrderFaults;
use mts_foundation::risk::{RiskContext, SessionPhase};
use mts_foundation::{
    Currency, Decimal, EnvelopeId, FundId, Instrument, InstrumentTable, Ledger, MarkKind, Order,
    OrderBuilder, OrderType, RiskEnvelope, Side, Symbol, Timestamp,
};
use std::time::Duration;

/// Something a gate may need to look at. Where it is missing, a gate that needs it must refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// The order's instrument in the table of instruments.
    Instrument,
    /// A mark of the instrument in the ledger.
    Mark,
    /// The order's fund in the ledger.
    Fund,
    /// The fund's envelope.
    Envelope,
    /// When the regular session opened, while it is open.
    SessionOpened,
}

impl Need {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Instrument, Self::Mark, Self::Fund, Self::Envelope, Self::SessionOpened];

    /// What it is called in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instrument => "instrument",
            Self::Mark => "mark",
            Self::Fund => "fund",
            Self::Envelope => "envelope",
            Self::SessionOpened => "opening of the session",
        }
    }
}

/// A question: an order with everything that is lent to a gate. The fields may be changed at will.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is special about it, for the report.
    pub name: String,
    /// The order.
    pub order: Order,
    /// The fund's envelope.
    pub envelope: Option<RiskEnvelope>,
    /// Cash, positions, marks, working orders.
    pub ledger: Ledger,
    /// Instrument facts.
    pub instruments: InstrumentTable,
    /// Where the market stands.
    pub session: SessionPhase,
    /// When the regular session opened today.
    pub session_opened: Option<Timestamp>,
    /// The present instant.
    pub now: Timestamp,
    /// What it lacks on purpose.
    pub lacks: Vec<Need>,
    builder: OrderBuilder,
}

/// The fund of the ordinary question.
pub(super) const FUND: &str = "conformance";

/// Its instrument.
pub(super) const SHARE: &str = "AAPL";

/// Hours into the session at which the ordinary question is asked.
const HOURS_OPEN: u64 = 3;

/// The cash of its fund.
const CASH: i64 = 1_000_000;

/// The price of its instrument.
pub(super) const PRICE: i64 = 200;

impl Question {
    /// Three hours into a session that opened at `opened`, fund `conformance` with a million in cash and no position wants
    /// to buy 10 `AAPL` at the market; one costs 200. Nothing is missing.
    ///
    /// # Errors
    /// [`SuiteError`], which its constants do not cause.
    pub fn ordinary(opened: Timestamp) -> Result<Self, SuiteError> {
        let now = opened.plus(Duration::from_secs(HOURS_OPEN * 60 * 60));
        let (fund_id, symbol, cash) = (FundId::new(FUND)?, Symbol::new(SHARE)?, Decimal::from(CASH));
        let instruments = InstrumentTable::from_instruments([Instrument::us_share(symbol.clone())])?;
        let mut ledger = Ledger::new();
        ledger.open_fund(fund_id.clone(), Currency::USD, cash)?;
        ledger.mark(&instruments, &symbol, Decimal::from(PRICE), MarkKind::Trade, now)?;
        let mut envelope = RiskEnvelope::with_defaults(EnvelopeId::new("e-1")?, fund_id, cash, opened);
        envelope.allowed_brokers = vec!["paper".parse()?];
        envelope.allowed_order_types = OrderType::ALL.to_vec();
        envelope.enable_shorting = true;
        let builder = Order::builder()
            .order_id("conformance-1")
            .idempotency_key("conformance-key-1")
            .symbol(SHARE)
            .side(Side::Buy)
            .quantity(Decimal::TEN)
            .order_type(OrderType::Market)
            .fund_id(FUND)
            .strategy_id("suite")
            .broker("paper")
            .actor("suite")
            .created_at(now);
        Ok(Self {
            name: "an ordinary order".to_owned(),
            order: builder.clone().build()?,
            envelope: Some(envelope),
            ledger,
            instruments,
            session: SessionPhase::Regular,
            session_opened: Some(opened),
            now,
            lacks: Vec::new(),
            builder,
        })
    }

    /// The same question with another name.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// The same question about another order: `change` gets the builder of this one.
    ///
    /// # Errors
    /// [`OrderFaults`], if that is no order.
    pub fn with_order(
        &self,
        name: impl Into<String>,
        change: impl FnOnce(OrderBuilder) -> OrderBuilder,
    ) -> Result<Self, OrderFaults> {
        let builder = change(self.builder.clone());
        let order = builder.clone().build()?;
        Ok(Self { order, builder, ..self.named(name) })
    }

    /// The same question at another instant.
    #[must_use]
    pub fn at(&self, name: impl Into<String>, now: Timestamp) -> Self {
        Self { now, ..self.named(name) }
    }

    /// What the gate is lent.
    #[must_use]
    pub fn context(&self) -> RiskContext<'_> {
        RiskContext {
            now: self.now,
            ledger: &self.ledger,
            instruments: &self.instruments,
            session: self.session,
            session_opened: self.session_opened,
            closing: false,
        }
    }
}
