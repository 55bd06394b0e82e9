//! The table of decision R4, cell by cell: which gates a new, a reducing and a closing order must pass. Getting out must
//! always be possible.

mod common;

use common::{Priced, Setup, World, d, fund_scope, market, refusal, strategy, strategy_scope, symbol};
use mts_foundation::RiskMachine;
use mts_foundation::order_builder::OrderBuilder;
use mts_foundation::risk::{Gate, HaltMode, HaltScope, RejectCode, SessionPhase, Staleness, Verdict};
use mts_foundation::{AssetClass, GateLimits, OrderType, RiskEnvelope, Side};
use std::collections::BTreeSet;

/// Which way the fund lies in `A`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Long,
    Short,
}

impl Way {
    fn opening(self, name: &str, quantity: &str) -> OrderBuilder {
        market(if self == Self::Long { Side::Buy } else { Side::Short }, name, quantity)
    }

    fn closing(self, name: &str, quantity: &str) -> OrderBuilder {
        market(if self == Self::Long { Side::Sell } else { Side::Cover }, name, quantity)
    }

    /// A new order, one that only shrinks the position, and one that comes from `close_position`.
    fn orders(self) -> [OrderBuilder; 3] {
        [self.opening("A", "1"), self.closing("A", "4"), self.closing("A", "4")]
    }

    /// A world that holds ten units of `A`.
    fn world(self, setup: Setup) -> World {
        let mut world = setup.build();
        world.hold("A", if self == Self::Long { "10" } else { "-10" });
        world
    }

    fn limits(self, change: impl FnOnce(&mut GateLimits)) -> (World, [OrderBuilder; 3]) {
        (self.world(Setup::new().limits(change)), self.orders())
    }

    fn envelope(self, change: impl FnOnce(&mut RiskEnvelope)) -> (World, [OrderBuilder; 3]) {
        (self.world(Setup::new().envelope(change)), self.orders())
    }

    fn changed(self, setup: Setup, change: impl FnOnce(&mut World)) -> (World, [OrderBuilder; 3]) {
        let mut world = self.world(setup);
        change(&mut world);
        (world, self.orders())
    }

    /// A loss of half a per cent, of which the machine hears only at the order.
    fn lost(self, setup: Setup) -> (World, [OrderBuilder; 3]) {
        self.changed(setup, |world| world.print("A", if self == Self::Long { "50" } else { "150" }))
    }

    /// The same orders were accepted and ended a moment ago.
    fn repeated(self, setup: Setup) -> (World, [OrderBuilder; 3]) {
        self.changed(setup, |world| {
            for order in [self.opening("A", "1"), self.closing("A", "4")] {
                let order = world.accept(order);
                world.cancel(&order);
            }
        })
    }

    fn shaped(self, setup: Setup, shape: fn(OrderBuilder) -> OrderBuilder) -> (World, [OrderBuilder; 3]) {
        (self.world(setup), self.orders().map(shape))
    }
}

/// Which of new, reducing and closing orders pass.
type Passes = [bool; 3];

const ONLY_CLOSES: Passes = [false, false, true];
const WHAT_SHRINKS: Passes = [false, true, true];
const NOTHING: Passes = [false, false, false];

type Case = (&'static str, Gate, RejectCode, Passes, fn(Way) -> (World, [OrderBuilder; 3]));

/// Each case breaks one rule for all three orders. Gates 3 and 4 are the engine's and the type `Order`'s, gate 25 is
/// asynchronous.
#[rustfmt::skip]
const TABLE: &[Case] = &[
    ("kill switch", Gate::KillSwitch, RejectCode::KillSwitch, ONLY_CLOSES,
        |way| way.changed(Setup::new(), |world| drop(world.kill()))),
    ("strategy halt, reduce only", Gate::Halts, RejectCode::StrategyHalted, WHAT_SHRINKS,
        |way| way.changed(Setup::new(), |world| drop(world.halt(strategy_scope("s"), HaltMode::ReduceOnly)))),
    ("strategy halt, full", Gate::Halts, RejectCode::StrategyHalted, ONLY_CLOSES,
        |way| way.changed(Setup::new(), |world| drop(world.halt(strategy_scope("s"), HaltMode::Full)))),
    ("fund halt, reduce only", Gate::Halts, RejectCode::FundHalted, WHAT_SHRINKS,
        |way| way.changed(Setup::new(), |world| drop(world.halt(fund_scope("f"), HaltMode::ReduceOnly)))),
    ("fund halt, full", Gate::Halts, RejectCode::FundHalted, ONLY_CLOSES,
        |way| way.changed(Setup::new(), |world| drop(world.halt(fund_scope("f"), HaltMode::Full)))),
    ("firm halt, reduce only", Gate::Halts, RejectCode::FirmHalted, WHAT_SHRINKS,
        |way| way.changed(Setup::new(), |world| drop(world.halt(HaltScope::Firm, HaltMode::ReduceOnly)))),
    ("firm halt, full", Gate::Halts, RejectCode::FirmHalted, ONLY_CLOSES,
        |way| way.changed(Setup::new(), |world| drop(world.halt(HaltScope::Firm, HaltMode::Full)))),

    ("unknown fund", Gate::Authorised, RejectCode::FundNotAuthorised, NOTHING,
        |way| way.shaped(Setup::new(), |order| order.fund_id("nobody"))),
    // R4 taken by the letter would keep the positions of an inactive fund for ever; its first sentence goes before.
    ("inactive fund", Gate::Authorised, RejectCode::FundNotAuthorised, WHAT_SHRINKS,
        |way| way.shaped(Setup::new().config(|fund| fund.active = false), |order| order)),
    ("strategy not listed", Gate::Authorised, RejectCode::StrategyNotAuthorised, ONLY_CLOSES,
        |way| way.shaped(Setup::new().config(|fund| fund.strategies = vec![strategy("t")]), |order| order)),
    ("broker not listed", Gate::Authorised, RejectCode::BrokerNotAllowed, ONLY_CLOSES,
        |way| way.envelope(|limits| limits.allowed_brokers.clear())),
    ("order type not listed", Gate::Authorised, RejectCode::OrderTypeNotAllowed, ONLY_CLOSES,
        |way| way.envelope(|limits| limits.allowed_order_types = vec![OrderType::Limit])),

    ("asset blocked", Gate::Assets, RejectCode::AssetBlocked, ONLY_CLOSES,
        |way| way.limits(|limits| limits.blocked_assets = vec![symbol("A")])),
    ("asset not listed", Gate::Assets, RejectCode::AssetNotAllowed, ONLY_CLOSES,
        |way| way.limits(|limits| limits.allowed_assets = vec![symbol("B")])),
    ("class not in the envelope", Gate::Assets, RejectCode::AssetClassNotAllowed, ONLY_CLOSES,
        |way| way.envelope(|limits| limits.allowed_asset_classes = vec![AssetClass::Crypto])),
    ("class not in the fund", Gate::Assets, RejectCode::AssetClassNotAllowed, ONLY_CLOSES,
        |way| way.shaped(Setup::new().config(|fund| fund.asset_classes = vec![AssetClass::Crypto]), |order| order)),

    ("closed market", Gate::Session, RejectCode::MarketClosed, NOTHING,
        |way| way.changed(Setup::new(), |world| world.session = SessionPhase::Closed)),
    ("extended hours", Gate::Session, RejectCode::MarketClosed, NOTHING,
        |way| way.changed(Setup::new(), |world| world.session = SessionPhase::Extended)),
    ("market order in extended hours", Gate::Session, RejectCode::MarketOrderOutsideHours, NOTHING, |way| {
        let (mut world, orders) = way.shaped(Setup::new(), |order| order.extended_hours(true));
        world.session = SessionPhase::Extended;
        (world, orders)
    }),

    ("unknown instrument", Gate::Instrument, RejectCode::UnknownInstrument, NOTHING,
        |way| way.shaped(Setup::new(), |order| order.symbol("Z"))),
    ("tick", Gate::Instrument, RejectCode::TickSize, NOTHING,
        |way| way.shaped(Setup::new(), |order| order.at("100.001"))),
    ("lot", Gate::Instrument, RejectCode::LotSize, ONLY_CLOSES,
        |way| way.shaped(Setup::new(), |order| order.quantity(d("0.5")))),
    ("through zero", Gate::Instrument, RejectCode::SideCrossesZero, NOTHING, |way| {
        let other = if way == Way::Long { Way::Short } else { Way::Long };
        (way.world(Setup::new()), [other.opening("A", "1"), way.closing("A", "11"), way.closing("A", "11")])
    }),

    ("duplicate content", Gate::DuplicateContent, RejectCode::DuplicateContent, ONLY_CLOSES,
        |way| way.repeated(Setup::new().limits(|limits| limits.dedup_window_ms = Some(60_000)))),
    ("orders a minute", Gate::OrderRate, RejectCode::OrderRate, ONLY_CLOSES,
        |way| way.repeated(Setup::new().limits(|limits| limits.max_orders_per_minute = Some(2)))),
    ("token bucket", Gate::OrderRate, RejectCode::OrderRate, ONLY_CLOSES, |way| {
        let rate = mts_foundation::risk::RateBucket { per_minute: 1, burst: 2 };
        way.repeated(Setup::new().limits(|limits| limits.fund_rate = Some(rate)))
    }),
    ("repeated execution", Gate::RepeatedExecution, RejectCode::RepeatedExecution, WHAT_SHRINKS, |way| {
        way.repeated(Setup::new().limits(|limits| {
            limits.max_repeated_executions = Some(1);
            limits.repeated_execution_window_ms = Some(60_000);
        }))
    }),

    ("no price", Gate::ReferencePrice, RejectCode::NoReferencePrice, ONLY_CLOSES,
        |way| way.changed(Setup::new(), |world| world.print("A", "0"))),
    ("stale price", Gate::ReferencePrice, RejectCode::StaleReferencePrice, ONLY_CLOSES, |way| {
        way.changed(Setup::new().limits(|limits| limits.staleness = Some(Staleness::Millis(1_000))),
            |world| world.wait(1_001))
    }),
    ("no price, with a collar", Gate::ReferencePrice, RejectCode::NoReferencePrice, ONLY_CLOSES, |way| {
        let (mut world, orders) = way.shaped(collar(), |order| order.at("110"));
        world.print("A", "0");
        (world, orders)
    }),
    ("stale price, with a collar", Gate::ReferencePrice, RejectCode::StaleReferencePrice, ONLY_CLOSES, |way| {
        let setup = collar().limits(|limits| limits.staleness = Some(Staleness::Millis(1_000)));
        let (mut world, orders) = way.shaped(setup, |order| order.at("110"));
        world.wait(1_001);
        (world, orders)
    }),

    ("units of an order", Gate::OrderQuantity, RejectCode::MaxOrderQuantity, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_order_qty = Some(d("0.5")))),
    ("value of an order", Gate::OrderNotional, RejectCode::MaxOrderNotional, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_order_notional_usd = d("50"))),
    ("share of an order", Gate::OrderNotional, RejectCode::MaxOrderNotionalPct, WHAT_SHRINKS,
        |way| way.limits(|limits| limits.max_order_notional_pct = Some(0.0001))),
    ("net asset value gone", Gate::Position, RejectCode::NavNotPositive, WHAT_SHRINKS,
        |way| way.changed(Setup::new(), |world| drop(world.flow("-100000")))),
    ("collar", Gate::PriceCollar, RejectCode::PriceCollar, NOTHING,
        |way| way.shaped(collar(), |order| order.at("110"))),
    ("open orders", Gate::OpenOrders, RejectCode::MaxOpenOrders, WHAT_SHRINKS, |way| {
        way.changed(Setup::new().limits(|limits| limits.max_open_orders = Some(1)),
            |world| drop(world.accept(way.opening("C", "1"))))
    }),
    ("self-cross", Gate::SelfCross, RejectCode::SelfCross, NOTHING, |way| {
        let [opening, closing] = if way == Way::Long { ["90", "110"] } else { ["110", "90"] };
        way.changed(Setup::new(), |world| {
            world.accept(way.opening("A", "1").at(opening));
            world.accept(way.closing("A", "1").at(closing));
        })
    }),

    ("units of a position", Gate::Position, RejectCode::MaxPositionQuantity, WHAT_SHRINKS,
        |way| way.limits(|limits| limits.max_position_quantity = Some(d("5")))),
    ("value of a position", Gate::Position, RejectCode::MaxPositionUsd, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_position_usd = Some(d("500")))),
    ("share of a position", Gate::Position, RejectCode::MaxPositionPct, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_position_pct = 0.005)),
    ("gross exposure", Gate::Exposure, RejectCode::MaxGrossExposure, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_gross_exposure_pct = 0.005)),
    ("net exposure", Gate::Exposure, RejectCode::MaxNetExposure, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_net_exposure_pct = 0.005)),
    ("exposure in money", Gate::Exposure, RejectCode::MaxTotalExposure, WHAT_SHRINKS,
        |way| way.limits(|limits| limits.max_total_exposure = Some(d("500")))),
    ("sector", Gate::Concentration, RejectCode::MaxSector, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_sector_pct = 0.005)),
    ("asset class", Gate::Concentration, RejectCode::MaxAssetClass, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_asset_class_pct = 0.005)),
    ("country", Gate::Concentration, RejectCode::MaxCountry, WHAT_SHRINKS,
        |way| way.envelope(|limits| limits.max_country_pct = 0.005)),
    ("number of positions", Gate::PositionCount, RejectCode::MaxPositions, WHAT_SHRINKS, |way| {
        let (world, [_, reducing, closing]) = way.limits(|limits| limits.max_positions = Some(1));
        (world, [way.opening("B", "1"), reducing, closing])
    }),
    ("short side", Gate::ShortSide, RejectCode::ShortingDisabled, WHAT_SHRINKS, |way| {
        let (world, [_, reducing, closing]) = way.envelope(|limits| limits.enable_shorting = false);
        (world, [Way::Short.opening("B", "1"), reducing, closing])
    }),
    ("buying power", Gate::BuyingPower, RejectCode::BuyingPower, WHAT_SHRINKS, |way| {
        let (mut world, [_, reducing, closing]) = way.limits(|limits| limits.buying_power = true);
        world.hold("C", "1009");
        world.hold("A", if way == Way::Long { "0.5" } else { "-0.5" });
        (world, [Way::Long.opening("B", "200"), reducing, closing])
    }),

    ("loss of the day", Gate::Loss, RejectCode::DailyLoss, WHAT_SHRINKS,
        |way| way.lost(Setup::new().envelope(|limits| limits.daily_loss_halt_pct = 0.005))),
    ("loss of the day in money", Gate::Loss, RejectCode::DailyLoss, WHAT_SHRINKS,
        |way| way.lost(Setup::new().limits(|limits| limits.max_daily_loss = Some(d("500"))))),
    ("loss of the week", Gate::Loss, RejectCode::WeeklyLoss, WHAT_SHRINKS,
        |way| way.lost(Setup::new().envelope(|limits| limits.weekly_loss_halt_pct = 0.005))),
    ("loss of the month", Gate::Loss, RejectCode::MonthlyLoss, WHAT_SHRINKS,
        |way| way.lost(Setup::new().envelope(|limits| limits.monthly_loss_halt_pct = 0.005))),
    ("drawdown", Gate::Loss, RejectCode::Drawdown, WHAT_SHRINKS,
        |way| way.lost(Setup::new().limits(|limits| limits.max_drawdown_pct = Some(0.005)))),
];

fn collar() -> Setup {
    Setup::new().limits(|limits| limits.price_collar_pct = Some(0.05))
}

#[test]
fn each_gate_refuses_new_reducing_and_closing_orders_as_decided() {
    let mut wrong = Vec::new();
    for (name, gate, code, passes, situation) in TABLE {
        for way in [Way::Long, Way::Short] {
            let (mut world, orders) = situation(way);
            for ((order, passes), kind) in orders.into_iter().zip(passes).zip(["new", "reducing", "closing"])
            {
                let found = refusal(world.ask(order, kind == "closing").0);
                let found = found.map(|rejection| (rejection.gate, rejection.code));
                let expected = (!passes).then_some((*gate, *code));
                if found != expected {
                    wrong.push(format!("{name}, {way:?}, {kind}: {found:?}, not {expected:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_a_case_for_every_gate() {
    let elsewhere = BTreeSet::from([Gate::Idempotency, Gate::Schema, Gate::Veto]);
    let covered: BTreeSet<_> = TABLE.iter().map(|(_, gate, ..)| *gate).collect();
    assert_eq!(covered.union(&elsewhere).count(), Gate::ALL.len());
    assert!(covered.is_disjoint(&elsewhere));
}

/// The numbers of the gates that were not asked of an order that passed because it shrinks a position.
fn exempt(world: &mut World, order: OrderBuilder, closing: bool) -> Vec<u8> {
    let (decision, trace) = world.ask(order, closing);
    assert!(decision.is_approved(), "{decision:?}");
    trace
        .iter()
        .filter(|(_, outcome)| outcome.verdict == Verdict::Exempt)
        .map(|(gate, _)| gate.number())
        .collect()
}

#[test]
fn the_trace_names_the_gates_that_do_not_apply() {
    for way in [Way::Long, Way::Short] {
        let (mut world, [new, reducing, closing]) = way.envelope(|_| {});
        assert!(exempt(&mut world, new, false).is_empty());
        assert_eq!(
            exempt(&mut world, reducing, false),
            [11, 13, 14, 16, 18, 19, 20, 21, 22, 23, 24],
            "gate 25 is not in the pipeline"
        );
        assert_eq!(
            exempt(&mut world, closing.clone(), true),
            [1, 2, 6, 9, 10, 11, 13, 14, 16, 18, 19, 20, 21, 22, 23, 24]
        );
        world.print("A", "0");
        assert_eq!(
            exempt(&mut world, closing, true),
            [1, 2, 6, 9, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21, 22, 23, 24]
        );
    }
}

#[test]
fn what_shrinks_is_counted_after_all_working_closers() {
    for way in [Way::Long, Way::Short] {
        let mut world = way.world(Setup::new());
        world.halt(fund_scope("f"), HaltMode::ReduceOnly);
        let working = world.accept(way.closing("A", "6"));
        assert_eq!(world.code(way.closing("A", "4")), None);
        assert_eq!(
            world.code(way.closing("A", "5")),
            Some(RejectCode::FundHalted),
            "only four are left to close"
        );
        assert_eq!(world.closing_code(way.closing("A", "5")), Some(RejectCode::SideCrossesZero));
        let reserved = world.reserve(way.closing("A", "3"));
        assert_eq!(
            world.code(way.closing("A", "2")),
            Some(RejectCode::FundHalted),
            "reserved closers count too"
        );
        world.machine.release(&reserved.order_id);
        world.cancel(&working);
        assert_eq!(world.code(way.closing("A", "10")), None);
    }
}

#[test]
fn an_order_that_opens_is_no_close_whatever_its_sender_says() {
    let mut world = Setup::new().build();
    world.kill();
    for way in [Way::Long, Way::Short] {
        assert_eq!(world.closing_code(way.opening("A", "1")), Some(RejectCode::KillSwitch));
    }
}

#[test]
fn an_odd_rest_is_closed_as_a_whole() {
    for way in [Way::Long, Way::Short] {
        let mut world = Setup::new().build();
        world.hold("A", if way == Way::Long { "10.5" } else { "-10.5" });
        assert_eq!(world.code(way.closing("A", "0.5")), Some(RejectCode::LotSize));
        assert_eq!(world.code(way.closing("A", "10.5")), None);
    }
}

#[test]
fn a_market_order_under_way_crosses_every_order_against_it() {
    let mut world = Way::Long.world(Setup::new());
    world.accept(Way::Long.opening("A", "1"));
    assert_eq!(world.code(Way::Long.closing("A", "4").at("150")), Some(RejectCode::SelfCross));
}

#[test]
fn a_close_of_a_stale_price_is_still_held_to_tick_session_and_self_cross() {
    let setup = collar().limits(|limits| limits.staleness = Some(Staleness::Millis(1_000)));
    let mut world = Way::Long.world(setup);
    world.wait(1_001);
    assert_eq!(world.closing_code(Way::Long.closing("A", "4").at("110.001")), Some(RejectCode::TickSize));
    world.print("A", "100");
    assert_eq!(
        world.closing_code(Way::Long.closing("A", "4").at("110")),
        Some(RejectCode::PriceCollar),
        "a fresh price binds a close again"
    );
}
