//! Faults that are planted to see whether a stream finds them: the machine is told something else than the oracle.

use mts_foundation::Decimal;
use mts_foundation::risk::{GateLimits, RiskEnvelope, Staleness};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This limit of the machine is higher than the fund's: a count or quantity by one, a share by a hundredth, a time by a
    /// second or ten, money by a hundredth or a tenth.
    Raised(Limit),
    /// Orders that wait hold no reservation.
    ReservationsForgotten,
    /// Sent orders enter no window and no rate.
    CommitsForgotten,
    /// A restart begins with no state.
    RestartsForget,
    /// The machine does not hear of prices.
    MarksForgotten,
    /// The machine does not hear of fills.
    FillsForgotten,
    /// The machine does not hear of capital that comes and goes.
    FlowsForgotten,
    /// The machine does not hear of a new trading day.
    DaysForgotten,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: |$envelope:ident, $limits:ident| $raise:expr;)+) => {
        /// A limit that can be raised.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit { $($(#[$doc])* $name),+ }

        impl Limit {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            fn raise(self, envelope: Option<&mut RiskEnvelope>, limits: &mut GateLimits) {
                match self {
                    $(Self::$name => {
                        let raise = |$envelope: Option<&mut RiskEnvelope>, $limits: &mut GateLimits| $raise;
                        raise(envelope, limits);
                    })+
                }
            }
        }
    };
}

fn of<T>(envelope: Option<&mut RiskEnvelope>, change: impl FnOnce(&mut RiskEnvelope) -> T) {
    envelope.map(change);
}

fn units(limit: &mut Option<Decimal>) {
    *limit = limit.map(|limit| limit + Decimal::ONE);
}

fn money(limit: &mut Option<Decimal>) {
    *limit = limit.map(|limit| limit * Decimal::new(101, 2));
}

fn share(limit: &mut Option<f64>) {
    *limit = limit.map(|limit| limit + 0.01);
}

fn count(limit: &mut Option<u32>) {
    *limit = limit.map(|limit| limit + 1);
}

limits! {
    /// Units of one order.
    OrderQuantity: |_envelope, limits| units(&mut limits.max_order_quantity);
    /// Units of one order, by the envelope.
    EnvelopeOrderQuantity: |envelope, _limits| of(envelope, |envelope| units(&mut envelope.max_order_qty));
    /// Value of one order.
    OrderValue: |_envelope, limits| money(&mut limits.max_order_value);
    /// Value of one order, by the envelope.
    OrderNotional: |envelope, _limits| of(envelope, |envelope| envelope.max_order_notional_usd *= Decimal::new(101, 2));
    /// Value of one order as a share.
    OrderShare: |_envelope, limits| share(&mut limits.max_order_notional_pct);
    /// Units of a position.
    PositionQuantity: |_envelope, limits| units(&mut limits.max_position_quantity);
    /// Value of a position.
    PositionValue: |_envelope, limits| money(&mut limits.max_position_value);
    /// Value of a position, by the envelope.
    PositionMoney: |envelope, _limits| of(envelope, |envelope| money(&mut envelope.max_position_usd));
    /// Value of a position as a share.
    PositionShare: |envelope, _limits| of(envelope, |envelope| envelope.max_position_pct += 0.01);
    /// Gross exposure.
    Gross: |envelope, _limits| of(envelope, |envelope| envelope.max_gross_exposure_pct += 0.01);
    /// Gross exposure in money.
    Total: |_envelope, limits| money(&mut limits.max_total_exposure);
    /// Net exposure.
    Net: |envelope, _limits| of(envelope, |envelope| envelope.max_net_exposure_pct += 0.01);
    /// One sector.
    Sector: |envelope, _limits| of(envelope, |envelope| envelope.max_sector_pct = (envelope.max_sector_pct + 0.01).min(1.0));
    /// One asset class.
    Class: |envelope, _limits| of(envelope, |envelope| envelope.max_asset_class_pct = (envelope.max_asset_class_pct + 0.01).min(1.0));
    /// One country.
    Country: |envelope, _limits| of(envelope, |envelope| envelope.max_country_pct = (envelope.max_country_pct + 0.01).min(1.0));
    /// Number of positions.
    Positions: |_envelope, limits| count(&mut limits.max_positions);
    /// Number of open orders.
    OpenOrders: |_envelope, limits| count(&mut limits.max_open_orders);
    /// Distance from the reference.
    Collar: |_envelope, limits| share(&mut limits.price_collar_pct);
    /// Age of the reference.
    Staleness: |_envelope, limits| limits.staleness = limits.staleness.map(|limit| match limit {
        Staleness::Millis(most) => Staleness::Millis(most + 1_000),
        Staleness::Bars(most) => Staleness::Bars(most + 1),
    });
    /// Window of duplicates.
    Duplicates: |_envelope, limits| limits.dedup_window_ms = limits.dedup_window_ms.map(|window| window + 10_000);
    /// Orders in a minute.
    Minute: |_envelope, limits| count(&mut limits.max_orders_per_minute);
    /// Orders at once of a fund.
    FundRate: |_envelope, limits| limits.fund_rate.iter_mut().for_each(|rate| rate.burst += 1);
    /// Orders at once of a strategy.
    StrategyRate: |_envelope, limits| limits.strategy_rate.iter_mut().for_each(|rate| rate.burst += 1);
    /// Orders at once in an instrument.
    SymbolRate: |_envelope, limits| limits.symbol_rate.iter_mut().for_each(|rate| rate.burst += 1);
    /// Orders at once at a broker.
    BrokerRate: |_envelope, limits| limits.broker_rate.iter_mut().for_each(|rate| rate.burst += 1);
    /// Repeated executions.
    Repeated: |_envelope, limits| count(&mut limits.max_repeated_executions);
    /// Cash.
    BuyingPower: |_envelope, limits| limits.buying_power = false;
    /// Cost of borrowing.
    BorrowFee: |envelope, _limits| of(envelope, |envelope| envelope.max_short_fee_bps += 1.0);
    /// The day's loss.
    Daily: |envelope, _limits| of(envelope, |envelope| envelope.daily_loss_halt_pct += 0.01);
    /// The day's loss in money.
    DailyMoney: |_envelope, limits| limits.max_daily_loss = limits.max_daily_loss.map(|most| most * Decimal::new(11, 1));
    /// The week's loss.
    Weekly: |envelope, _limits| of(envelope, |envelope| envelope.weekly_loss_halt_pct += 0.01);
    /// The month's loss.
    Monthly: |envelope, _limits| of(envelope, |envelope| envelope.monthly_loss_halt_pct += 0.01);
    /// The fall from the highest value.
    Drawdown: |_envelope, limits| share(&mut limits.max_drawdown_pct);
    /// The loss of a position that stops it out.
    Stop: |envelope, _limits| of(envelope, |envelope| envelope.synthetic_stop_pct += 0.01);
}

impl Fault {
    /// Those about what the machine does not hear of, or forgets.
    pub const UNHEARD: &'static [Self] = &[
        Self::ReservationsForgotten,
        Self::CommitsForgotten,
        Self::RestartsForget,
        Self::MarksForgotten,
        Self::FillsForgotten,
        Self::FlowsForgotten,
        Self::DaysForgotten,
    ];

    /// Raises the limit that the fault is about.
    pub fn raise(self, envelope: Option<&mut RiskEnvelope>, limits: &mut GateLimits) {
        if let Self::Raised(limit) = self {
            limit.raise(envelope, limits);
        }
    }
}
