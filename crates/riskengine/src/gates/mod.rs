//! The built-in gates, in pipeline order. Each is a pure function of the check; each refusal names code, limit,
//! observed value and the way out.

mod exposure;
mod instrument;
mod pace;
mod permissions;
mod price;
mod self_cross;
mod switches;

use crate::check::{Check, GateResult};
pub(crate) use exposure::Added;
use mts_foundation::risk::{Gate, GateTrace};

/// One gate's function.
pub(crate) type GateFn = fn(&Check<'_>, &mut GateTrace) -> GateResult;

/// When a gate is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applies {
    /// Always.
    Always,
    /// Not to orders that only shrink a position, nor to closes.
    NotReducing,
    /// Not to `close_position` and `close_all_positions`.
    NotClosing,
}

/// A gate, when it is asked, and its function.
pub(crate) type Step = (Gate, Applies, GateFn);

/// The pipeline (decisions R3 and R4). Gates 3 (idempotency) and 4 (schema) have no function here: the engine looks
/// keys up before the pipeline, and an `Order` is well formed by construction. Gate 25 is asynchronous.
pub(crate) const PIPELINE: &[Step] = &[
    (Gate::KillSwitch, Applies::NotClosing, switches::kill_switch),
    (Gate::Halts, Applies::NotClosing, switches::halts),
    (Gate::Authorised, Applies::Always, permissions::authorised),
    (Gate::Assets, Applies::NotClosing, permissions::assets),
    (Gate::Session, Applies::Always, permissions::session),
    (Gate::Instrument, Applies::Always, instrument::instrument),
    (Gate::DuplicateContent, Applies::NotClosing, pace::duplicate_content),
    (Gate::OrderRate, Applies::NotClosing, pace::order_rate),
    (Gate::RepeatedExecution, Applies::NotReducing, pace::repeated_execution),
    (Gate::ReferencePrice, Applies::Always, price::reference_price),
    (Gate::OrderQuantity, Applies::NotReducing, price::order_quantity),
    (Gate::OrderNotional, Applies::NotReducing, price::order_notional),
    (Gate::PriceCollar, Applies::Always, price::price_collar),
    (Gate::OpenOrders, Applies::NotReducing, pace::open_orders),
    (Gate::SelfCross, Applies::Always, self_cross::self_cross),
    (Gate::Position, Applies::NotReducing, exposure::position),
    (Gate::Exposure, Applies::NotReducing, exposure::exposure),
    (Gate::Concentration, Applies::NotReducing, exposure::concentration),
    (Gate::PositionCount, Applies::NotReducing, exposure::position_count),
    (Gate::ShortSide, Applies::NotReducing, permissions::short_side),
    (Gate::BuyingPower, Applies::NotReducing, exposure::buying_power),
    (Gate::Loss, Applies::NotReducing, switches::loss),
];
