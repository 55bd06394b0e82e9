//! The order: an immutable request, valid by construction, plus the facts its lifecycle sets.

use crate::ids::{ActorId, BrokerName, BrokerOrderId, FundId, OrderId, StrategyId};
use crate::key::IdempotencyKey;
use crate::num::{Decimal, exact, exact_option};
use crate::order_builder::{OrderBuilder, OrderFaults};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;
use std::sync::Arc;

/// Gives a fieldless enum its wire spellings, `Display`, `FromStr` and the list of all values.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $wire)] $variant,)+
        }

        impl $name {
            /// All values, in wire order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The wire spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::order::UnknownName;
            fn from_str(text: &str) -> Result<Self, $crate::order::UnknownName> {
                let wanted = text.trim();
                Self::ALL.iter().copied().find(|value| value.as_str() == wanted).ok_or_else(|| {
                    $crate::order::UnknownName {
                        value: wanted.chars().take(40).collect(),
                        known: Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", "),
                    }
                })
            }
        }
    };
}
pub(crate) use wire_enum;

/// A text that names none of an enum's values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is unknown; use one of {known}")]
pub struct UnknownName {
    /// The text.
    pub value: String,
    /// The names that are known.
    pub known: String,
}

wire_enum! {
    /// Which way an order or fill goes, and whether it opens or closes. Selling and covering are told apart for tax
    /// lots and borrow.
    Side {
        /// Opens or adds to a long position.
        Buy = "buy",
        /// Reduces or closes a long position.
        Sell = "sell",
        /// Opens or adds to a short position.
        Short = "short",
        /// Reduces or closes a short position.
        Cover = "cover",
    }
}

impl Side {
    /// +1 when the position grows (`Buy`, `Cover`), −1 when it shrinks.
    #[must_use]
    pub const fn sign(self) -> i8 {
        match self {
            Self::Buy | Self::Cover => 1,
            Self::Sell | Self::Short => -1,
        }
    }

    /// The quantity with the sign of its effect on the position.
    #[must_use]
    pub fn signed(self, quantity: Decimal) -> Decimal {
        if self.sign() > 0 { quantity } else { -quantity }
    }

    /// Whether the side opens or adds to a position.
    #[must_use]
    pub const fn is_opening(self) -> bool {
        matches!(self, Self::Buy | Self::Short)
    }
}

wire_enum! {
    /// How an order is priced.
    OrderType {
        /// Immediate at the best price.
        Market = "market",
        /// At the limit price or better.
        Limit = "limit",
        /// Becomes a market order at the stop price.
        Stop = "stop",
        /// Becomes a limit order at the stop price.
        StopLimit = "stop_limit",
        /// A limit order priced at the touch; acts like a market order with a bound.
        MarketableLimit = "marketable_limit",
    }
}

impl OrderType {
    /// Whether the type needs a limit price; the others refuse one (decision O1).
    #[must_use]
    pub const fn takes_limit_price(self) -> bool {
        matches!(self, Self::Limit | Self::StopLimit | Self::MarketableLimit)
    }

    /// Whether the type needs a stop price; the others refuse one (decision O1).
    #[must_use]
    pub const fn takes_stop_price(self) -> bool {
        matches!(self, Self::Stop | Self::StopLimit)
    }
}

wire_enum! {
    /// How long an order lives.
    TimeInForce {
        /// Until the close of the session; with extended hours in the pre-market, that session only.
        Day = "day",
        /// Until it is cancelled; venues cap it.
        Gtc = "gtc",
        /// Takes what is there now and cancels the rest.
        Ioc = "ioc",
        /// All of it now, or nothing.
        Fok = "fok",
        /// Waits for the next opening cross.
        Opg = "opg",
    }
}

/// The fields of an [`Order`], for reading. An `Order` dereferences to this; nothing gives mutable access.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Order", transform = prices_by_type))]
pub struct OrderFields {
    /// Our id.
    pub order_id: OrderId,
    /// The caller's dedupe key.
    pub idempotency_key: IdempotencyKey,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Direction and effect.
    pub side: Side,
    /// Units of the instrument, greater than zero.
    #[serde(with = "exact")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::PositiveDecimal"))]
    pub quantity: Decimal,
    /// Pricing.
    pub order_type: OrderType,
    /// Present exactly for limit, stop-limit and marketable-limit orders; greater than zero.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub limit_price: Option<Decimal>,
    /// Present exactly for stop and stop-limit orders; greater than zero.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub stop_price: Option<Decimal>,
    /// Lifetime; `day` unless given.
    #[cfg_attr(feature = "schema", schemars(default = "crate::order_builder::day"))]
    pub tif: TimeInForce,
    /// Owner of the resulting position.
    pub fund_id: FundId,
    /// Who wants it.
    pub strategy_id: StrategyId,
    /// Registry key of the broker.
    pub broker: BrokerName,
    /// Audit identity.
    pub actor: ActorId,
    /// May trade outside regular hours.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub extended_hours: bool,
    /// The fund's net asset value when the order was sized, if the caller says so; greater than zero.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub nav_usd: Option<Decimal>,
    /// Why the order is wanted. It is logged and audited: no personal data.
    pub thesis: Option<SmolStr>,
    /// When the intent was made.
    pub created_at: Timestamp,
    /// Set by the lifecycle: when it left for the venue.
    pub submitted_at: Option<Timestamp>,
    /// Set by the lifecycle: when the venue acknowledged it.
    pub accepted_at: Option<Timestamp>,
    /// Set by the lifecycle: when its cancellation was confirmed.
    pub canceled_at: Option<Timestamp>,
    /// Set by the lifecycle: why it was refused.
    pub rejected_reason: Option<SmolStr>,
    /// Set by the adapter: the venue's id.
    pub broker_order_id: Option<BrokerOrderId>,
}

/// A valid, immutable order. It cannot be built invalid: [`Order::builder`] and every deserialiser check all rules
/// and report all faults at once. Copies share their fields: an order is held by many at once on its way.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "crate::order_builder::OrderWire")]
pub struct Order(pub(crate) Arc<OrderFields>);

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Order {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        OrderFields::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        OrderFields::json_schema(generator)
    }
}

/// The rule of decision O1: a price is there exactly when the type takes it.
#[cfg(feature = "schema")]
fn prices_by_type(schema: &mut schemars::Schema) {
    let rule = |price: &str, takes: fn(OrderType) -> bool| {
        let types: Vec<_> = OrderType::ALL.iter().filter(|kind| takes(**kind)).collect();
        serde_json::json!({
            "if": { "properties": { "order_type": { "enum": types } } },
            "then": { "required": [price], "properties": { price: { "not": { "type": "null" } } } },
            "else": { "properties": { price: { "type": "null" } } },
        })
    };
    let rules =
        [rule("limit_price", OrderType::takes_limit_price), rule("stop_price", OrderType::takes_stop_price)];
    schema.insert("allOf".to_owned(), rules.to_vec().into());
}

impl std::ops::Deref for Order {
    type Target = OrderFields;
    fn deref(&self) -> &OrderFields {
        &self.0
    }
}

impl From<Order> for OrderFields {
    fn from(order: Order) -> OrderFields {
        Arc::unwrap_or_clone(order.0)
    }
}

impl Order {
    /// Starts a new order; `tif` is `day` and `extended_hours` false unless set.
    #[must_use]
    pub fn builder() -> OrderBuilder {
        OrderBuilder::default()
    }

    /// Reads an order from JSON text, reporting every fault of every field at once (decision O2).
    ///
    /// # Errors
    /// [`OrderFaults`] with a field path for each fault; text that is no JSON object is one fault at the root.
    pub fn from_json(text: &str) -> Result<Self, OrderFaults> {
        OrderBuilder::from_json(text).build()
    }

    /// What makes two orders the same request: the content without ids, key, actor, times and lifecycle fields.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        fn content(order: &OrderFields) -> impl PartialEq {
            (
                (&order.symbol, order.side, order.quantity, order.order_type, order.tif),
                (order.limit_price, order.stop_price, order.extended_hours),
                (&order.fund_id, &order.strategy_id, &order.broker),
            )
        }
        content(self) == content(other)
    }

    /// This order as handed to the venue.
    #[must_use]
    pub fn submitted(mut self, at: Timestamp) -> Self {
        Arc::make_mut(&mut self.0).submitted_at = Some(at);
        self
    }

    /// This order as acknowledged by the venue.
    #[must_use]
    pub fn accepted(mut self, at: Timestamp, broker_order_id: BrokerOrderId) -> Self {
        self.accept(at, broker_order_id);
        self
    }

    /// The same in place: where nobody else holds the order, nothing is copied.
    pub(crate) fn accept(&mut self, at: Timestamp, broker_order_id: BrokerOrderId) {
        let fields = Arc::make_mut(&mut self.0);
        fields.submitted_at.get_or_insert(at);
        fields.accepted_at = Some(at);
        fields.broker_order_id = Some(broker_order_id);
    }

    /// This order with its cancellation confirmed.
    #[must_use]
    pub fn canceled(mut self, at: Timestamp) -> Self {
        Arc::make_mut(&mut self.0).canceled_at = Some(at);
        self
    }

    /// This order as refused.
    #[must_use]
    pub fn rejected(mut self, reason: impl Into<SmolStr>) -> Self {
        Arc::make_mut(&mut self.0).rejected_reason = Some(reason.into());
        self
    }
}
