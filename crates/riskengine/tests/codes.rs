//! Every code that the pipeline can give is given once, with gate, limit and observed value; a new code without a test
//! fails `every_code_has_its_test`.

mod common;

use common::{Priced, Setup, World, buy, d, fund_scope, sell, short, strategy_scope};
use mts_foundation::risk::{
    Gate, HaltMode, HaltScope, RejectCode, Rejection, RiskContext, RiskGate, SessionPhase, Staleness,
};
use mts_foundation::{AssetClass, Decimal, Order, OrderType, RiskEnvelope};
use std::collections::BTreeSet;

/// Codes that other parts give: the engine's look-up of keys and its blocks, the type `Order`, asynchronous gates.
const OF_OTHERS: [RejectCode; 8] = [
    RejectCode::IdempotencyConflict,
    RejectCode::IdempotencyKeyReused,
    RejectCode::SchemaInvalid,
    RejectCode::Vetoed,
    RejectCode::UnknownOrderPending,
    RejectCode::AccountNotReconciled,
    RejectCode::PositionUnexplained,
    RejectCode::GateUnanswered,
];

fn number(text: &str) -> Option<Decimal> {
    (text != "-").then(|| d(text))
}

/// Defines a test for each line `name: code of gate, limit, observed => rejection;` (`-` = no number) and the list of
/// codes covered.
macro_rules! refusals {
    ($($name:ident: $code:ident of $gate:ident, $limit:literal, $observed:literal => $rejection:expr;)+) => {
        $(
            #[test]
            fn $name() {
                let rejection: Rejection = $rejection;
                assert_eq!(
                    (rejection.code, rejection.gate, rejection.limit, rejection.observed),
                    (RejectCode::$code, Gate::$gate, number($limit), number($observed)),
                    "{}",
                    rejection.message
                );
                assert!(rejection.message.len() > 20, "a sentence for people: {}", rejection.message);
            }
        )+

        const COVERED: &[RejectCode] = &[$(RejectCode::$code),+];
    };
}

refusals! {
    the_kill_switch_refuses: KillSwitch of KillSwitch, "-", "-" => {
        let mut world = Setup::new().build();
        world.kill();
        world.refused(buy("A", "1"))
    };
    a_halted_strategy_is_refused: StrategyHalted of Halts, "-", "-" => {
        halted(strategy_scope("s"))
    };
    a_halted_fund_is_refused: FundHalted of Halts, "-", "-" => halted(fund_scope("f"));
    a_halted_firm_is_refused: FirmHalted of Halts, "-", "-" => halted(HaltScope::Firm);

    an_unknown_fund_is_refused: FundNotAuthorised of Authorised, "-", "-" => {
        Setup::new().build().refused(buy("A", "1").fund_id("g"))
    };
    an_inactive_fund_is_refused: FundNotAuthorised of Authorised, "-", "-" => {
        Setup::new().config(|fund| fund.active = false).build().refused(buy("A", "1"))
    };
    a_strategy_that_is_not_listed_is_refused: StrategyNotAuthorised of Authorised, "-", "-" => {
        Setup::new().config(|fund| fund.strategies = vec!["t".parse().unwrap()]).build().refused(buy("A", "1"))
    };
    an_actor_that_is_not_listed_is_refused: ActorNotAuthorised of Authorised, "-", "-" => {
        let setup = Setup::new().limits(|limits| limits.allowed_actors = vec!["ann".parse().unwrap()]);
        setup.build().refused(buy("A", "1"))
    };
    a_broker_that_is_not_listed_is_refused: BrokerNotAllowed of Authorised, "-", "-" => {
        Setup::new().envelope(|limits| limits.allowed_brokers.clear()).build().refused(buy("A", "1"))
    };
    an_order_type_that_is_not_listed_is_refused: OrderTypeNotAllowed of Authorised, "-", "-" => {
        let setup = Setup::new().envelope(|limits| limits.allowed_order_types = vec![OrderType::Limit]);
        setup.build().refused(buy("A", "1"))
    };

    a_class_that_the_envelope_does_not_list_is_refused: AssetClassNotAllowed of Assets, "-", "-" => {
        let setup = Setup::new().envelope(|limits| limits.allowed_asset_classes = vec![AssetClass::Crypto]);
        setup.build().refused(buy("A", "1"))
    };
    a_class_that_the_fund_does_not_list_is_refused: AssetClassNotAllowed of Assets, "-", "-" => {
        Setup::new().config(|fund| fund.asset_classes = vec![AssetClass::Crypto]).build().refused(buy("A", "1"))
    };
    a_blocked_asset_is_refused: AssetBlocked of Assets, "-", "-" => {
        Setup::new().limits(|limits| limits.blocked_assets = vec!["a".parse().unwrap()]).build().refused(buy("A", "1"))
    };
    an_asset_that_is_not_listed_is_refused: AssetNotAllowed of Assets, "-", "-" => {
        Setup::new().limits(|limits| limits.allowed_assets = vec!["B".parse().unwrap()]).build().refused(buy("A", "1"))
    };

    a_closed_market_is_refused: MarketClosed of Session, "-", "-" => {
        in_session(SessionPhase::Closed).refused(buy("A", "1").at("100").extended_hours(true))
    };
    outside_regular_hours_an_order_that_does_not_ask_for_them_is_refused: MarketClosed of Session, "-", "-" => {
        in_session(SessionPhase::Extended).refused(buy("A", "1").at("100"))
    };
    a_market_order_outside_regular_hours_is_refused: MarketOrderOutsideHours of Session, "-", "-" => {
        in_session(SessionPhase::Extended).refused(buy("A", "1").extended_hours(true))
    };

    an_unknown_instrument_is_refused: UnknownInstrument of Instrument, "-", "-" => {
        Setup::new().build().refused(buy("Z", "1"))
    };
    a_limit_price_between_ticks_is_refused: TickSize of Instrument, "0.01", "100.005" => {
        Setup::new().build().refused(buy("A", "1").at("100.005"))
    };
    a_stop_price_between_ticks_is_refused: TickSize of Instrument, "0.01", "100.005" => {
        Setup::new().build().refused(buy("A", "1").stop_at("100.005"))
    };
    a_quantity_between_lots_is_refused: LotSize of Instrument, "1", "1.5" => {
        Setup::new().build().refused(buy("A", "1.5"))
    };
    a_sale_beyond_what_is_held_is_refused: SideCrossesZero of Instrument, "5", "6" => {
        let mut world = Setup::new().build();
        world.hold("A", "5");
        world.refused(sell("A", "6"))
    };
    a_purchase_of_what_is_short_is_refused: SideCrossesZero of Instrument, "0", "-5" => {
        let mut world = Setup::new().build();
        world.hold("A", "-5");
        world.refused(buy("A", "1"))
    };
    a_short_sale_of_what_is_held_is_refused: SideCrossesZero of Instrument, "0", "5" => {
        let mut world = Setup::new().build();
        world.hold("A", "5");
        world.refused(short("A", "1"))
    };

    the_same_content_again_is_refused: DuplicateContent of DuplicateContent, "-", "-" => {
        let mut world = Setup::new().limits(|limits| limits.dedup_window_ms = Some(1_000)).build();
        world.accept(buy("A", "1"));
        world.refused(buy("A", "1"))
    };
    too_many_orders_a_minute_are_refused: OrderRate of OrderRate, "1", "2" => {
        let mut world = Setup::new().limits(|limits| limits.max_orders_per_minute = Some(1)).build();
        world.accept(buy("A", "1"));
        world.refused(buy("B", "1"))
    };
    the_same_execution_too_often_is_refused: RepeatedExecution of RepeatedExecution, "1", "2" => {
        let setup = Setup::new().limits(|limits| {
            limits.max_repeated_executions = Some(1);
            limits.repeated_execution_window_ms = Some(1_000);
        });
        let mut world = setup.build();
        world.accept(buy("A", "1"));
        world.refused(buy("A", "2"))
    };

    an_instrument_without_a_price_is_refused: NoReferencePrice of ReferencePrice, "-", "-" => {
        let mut world = Setup::new().build();
        world.print("A", "0");
        world.refused(buy("A", "1").at("100"))
    };
    a_stale_price_is_refused: StaleReferencePrice of ReferencePrice, "1000", "1001" => {
        let mut world = Setup::new().limits(|limits| limits.staleness = Some(Staleness::Millis(1_000))).build();
        world.wait(1_001);
        world.refused(buy("A", "1"))
    };
    a_price_of_an_older_bar_is_refused: StaleReferencePrice of ReferencePrice, "1", "2" => {
        let mut world = Setup::new().limits(|limits| limits.staleness = Some(Staleness::Bars(1))).build();
        world.ledger.next_bar();
        world.refused(buy("A", "1"))
    };

    too_many_units_in_one_order_are_refused: MaxOrderQuantity of OrderQuantity, "10", "11" => {
        Setup::new().envelope(|limits| limits.max_order_qty = Some(d("10"))).build().refused(buy("A", "11"))
    };
    too_much_money_in_one_order_is_refused: MaxOrderNotional of OrderNotional, "1000", "1100" => {
        Setup::new().envelope(|limits| limits.max_order_notional_usd = d("1000")).build().refused(buy("A", "11"))
    };
    too_large_a_share_in_one_order_is_refused: MaxOrderNotionalPct of OrderNotional, "1000", "1100" => {
        Setup::new().limits(|limits| limits.max_order_notional_pct = Some(0.01)).build().refused(buy("A", "11"))
    };
    a_value_beyond_decimals_is_refused: ArithmeticRange of OrderNotional, "-", "-" => {
        let setup = Setup::new().instruments(|instrument| instrument.multiplier = d("100"));
        setup.build().refused(buy("A", "1000000000000000").at("1000000000000"))
    };
    a_price_far_from_the_reference_is_refused: PriceCollar of PriceCollar, "0.05", "0.06" => {
        Setup::new().limits(|limits| limits.price_collar_pct = Some(0.05)).build().refused(buy("A", "1").at("106"))
    };
    too_many_open_orders_are_refused: MaxOpenOrders of OpenOrders, "1", "2" => {
        let mut world = Setup::new().limits(|limits| limits.max_open_orders = Some(1)).build();
        world.accept(buy("A", "1"));
        world.refused(buy("B", "1"))
    };
    an_order_against_our_own_is_refused: SelfCross of SelfCross, "-", "5" => {
        let mut world = Setup::new().build();
        world.accept(short("A", "5").at("110"));
        world.refused(buy("A", "1"))
    };

    too_many_units_held_are_refused: MaxPositionQuantity of Position, "10", "11" => {
        Setup::new().limits(|limits| limits.max_position_quantity = Some(d("10"))).build().refused(buy("A", "11"))
    };
    too_much_money_in_one_position_is_refused: MaxPositionUsd of Position, "1000", "1100" => {
        Setup::new().envelope(|limits| limits.max_position_usd = Some(d("1000"))).build().refused(buy("A", "11"))
    };
    too_large_a_share_in_one_position_is_refused: MaxPositionPct of Position, "10000", "10100" => {
        Setup::new().envelope(|limits| limits.max_position_pct = 0.1).build().refused(short("A", "101"))
    };
    without_a_positive_value_nothing_is_opened: NavNotPositive of Position, "-", "0" => {
        let mut world = Setup::new().build();
        world.hold("A", "500");
        world.flow("-100000");
        world.refused(buy("B", "1"))
    };

    too_much_gross_exposure_is_refused: MaxGrossExposure of Exposure, "50000", "50100" => {
        let mut world = Setup::new().envelope(|limits| limits.max_gross_exposure_pct = 0.5).build();
        world.hold("A", "300");
        world.refused(short("C", "201"))
    };
    too_much_net_exposure_is_refused: MaxNetExposure of Exposure, "50000", "50100" => {
        let mut world = Setup::new().envelope(|limits| limits.max_net_exposure_pct = 0.5).build();
        world.hold("A", "300");
        world.refused(buy("C", "201"))
    };
    too_much_net_short_exposure_is_refused: MaxNetExposure of Exposure, "50000", "50100" => {
        let mut world = Setup::new().envelope(|limits| limits.max_net_exposure_pct = 0.5).build();
        world.hold("A", "-300");
        world.refused(short("C", "201"))
    };
    too_much_exposure_in_money_is_refused: MaxTotalExposure of Exposure, "1000", "1100" => {
        Setup::new().limits(|limits| limits.max_total_exposure = Some(d("1000"))).build().refused(buy("A", "11"))
    };
    too_much_in_one_sector_is_refused: MaxSector of Concentration, "20000", "20100" => {
        let mut world = Setup::new().envelope(|limits| limits.max_sector_pct = 0.2).build();
        world.hold("B", "100");
        world.refused(buy("A", "101"))
    };
    too_much_in_one_asset_class_is_refused: MaxAssetClass of Concentration, "20000", "20100" => {
        let mut world = Setup::new().envelope(|limits| limits.max_asset_class_pct = 0.2).build();
        world.hold("C", "-100");
        world.refused(buy("A", "101"))
    };
    too_much_in_one_country_is_refused: MaxCountry of Concentration, "20000", "20100" => {
        let mut world = Setup::new().envelope(|limits| limits.max_country_pct = 0.2).build();
        world.hold("C", "100");
        world.refused(buy("A", "101"))
    };
    too_many_positions_are_refused: MaxPositions of PositionCount, "1", "2" => {
        let mut world = Setup::new().limits(|limits| limits.max_positions = Some(1)).build();
        world.hold("A", "1");
        world.refused(buy("B", "1"))
    };

    short_sales_are_refused_where_they_are_not_allowed: ShortingDisabled of ShortSide, "-", "-" => {
        Setup::new().envelope(|limits| limits.enable_shorting = false).build().refused(short("A", "1"))
    };
    a_short_sale_without_a_locate_is_refused: NoLocate of ShortSide, "-", "-" => {
        let setup = Setup::new().envelope(|limits| limits.require_borrow_locate = true);
        setup.borrow("A", "1", false).build().refused(short("A", "1"))
    };
    a_borrow_of_unknown_cost_is_refused: BorrowFeeUnknown of ShortSide, "-", "-" => {
        let mut setup = Setup::new();
        setup.funds[0].borrow.clear();
        setup.build().refused(short("A", "1"))
    };
    a_borrow_that_costs_too_much_is_refused: BorrowFeeTooHigh of ShortSide, "200", "200.5" => {
        Setup::new().borrow("A", "200.5", true).build().refused(short("A", "1"))
    };
    a_purchase_beyond_the_cash_is_refused: BuyingPower of BuyingPower, "40000", "40100" => {
        let mut world = Setup::new().limits(|limits| limits.buying_power = true).build();
        world.hold("A", "600");
        world.refused(buy("B", "401"))
    };

    a_fund_without_a_value_to_measure_losses_against_is_refused: NoLossBaseline of Loss, "-", "-" => {
        let mut world = Setup::new().build();
        world.machine = Setup::new().machine();
        world.refused(buy("A", "1"))
    };
    a_loss_of_the_day_is_refused: DailyLoss of Loss, "0.03", "0.03" => {
        after_a_fall(Setup::new().envelope(|limits| limits.daily_loss_halt_pct = 0.03), "97")
    };
    a_loss_of_the_day_in_money_is_refused: DailyLoss of Loss, "2000", "3000" => {
        after_a_fall(Setup::new().limits(|limits| limits.max_daily_loss = Some(d("2000"))), "97")
    };
    a_loss_of_the_week_is_refused: WeeklyLoss of Loss, "0.08", "0.09" => {
        after_a_fall(Setup::new().envelope(|limits| limits.weekly_loss_halt_pct = 0.08), "91")
    };
    a_loss_of_the_month_is_refused: MonthlyLoss of Loss, "0.15", "0.15" => {
        after_a_fall(Setup::new().envelope(|limits| limits.monthly_loss_halt_pct = 0.15), "85")
    };
    a_drawdown_is_refused: Drawdown of Loss, "0.1", "0.1" => {
        let mut world = Setup::new().limits(|limits| limits.max_drawdown_pct = Some(0.1)).build();
        world.hold("A", "1000");
        world.mark("A", "110");
        world.print("A", "99");
        world.refused(buy("B", "1"))
    };
}

fn halted(scope: HaltScope) -> Rejection {
    let mut world = Setup::new().build();
    world.halt(scope, HaltMode::ReduceOnly);
    world.refused(buy("A", "1"))
}

fn in_session(session: SessionPhase) -> World {
    let mut world = Setup::new().build();
    world.session = session;
    world
}

/// A fund that is wholly in `A` when its price falls; the machine meets the loss only at the order.
fn after_a_fall(setup: Setup, price: &str) -> Rejection {
    let mut world = setup.build();
    world.hold("A", "1000");
    world.print("A", price);
    world.refused(buy("B", "1"))
}

#[test]
fn every_code_has_its_test() {
    let covered: BTreeSet<_> = COVERED.iter().copied().collect();
    let others: BTreeSet<_> = OF_OTHERS.into_iter().collect();
    let all: BTreeSet<_> = RejectCode::ALL.iter().copied().collect();
    assert!(covered.is_disjoint(&others));
    assert_eq!(covered.union(&others).copied().collect::<BTreeSet<_>>(), all);
}

#[test]
fn in_the_wide_world_every_kind_of_order_passes() {
    let mut world = Setup::new().build();
    world.hold("C", "5");
    for order in
        [buy("A", "1"), short("B", "1"), sell("C", "5"), buy("A", "1").at("99"), buy("A", "1").stop_at("101")]
    {
        assert_eq!(world.code(order), None);
    }
}

/// Refuses purchases of more than a lot, as a gate of one's own.
struct OneLot;

impl RiskGate for OneLot {
    fn name(&self) -> &str {
        "one_lot"
    }
    fn check(
        &self,
        order: &Order,
        _: Option<&RiskEnvelope>,
        _: &RiskContext<'_>,
    ) -> Result<(), Box<Rejection>> {
        let (gate, code) = (Gate::OrderQuantity, RejectCode::MaxOrderQuantity);
        let (limit, observed) = (Some(Decimal::ONE), Some(order.quantity));
        let refused = Rejection { gate, code, limit, observed, message: "one lot at a time".to_owned() };
        if order.quantity > Decimal::ONE { Err(Box::new(refused)) } else { Ok(()) }
    }
}

#[test]
fn a_gate_of_ones_own_is_asked_of_what_opens_and_of_nothing_that_shrinks() {
    let mut world = Setup::new().gate(OneLot).build();
    world.hold("A", "5");
    assert_eq!(world.code(buy("A", "1")), None);
    assert_eq!(world.refused(buy("A", "2")).message, "one lot at a time");
    assert_eq!(world.code(sell("A", "5")), None);
    world.kill();
    assert_eq!(world.closing_code(sell("A", "5")), None);
}
