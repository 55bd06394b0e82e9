//! What is written is read back exactly, as JSON and as bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

#[cfg(feature = "schema")]
mod agreement;
mod spelled;

use mts_foundation::algorithm::{
    Algorithm, AlgorithmRequest, AlmgrenChriss, AtEnd, ChildType, Iceberg, ImplementationShortfall, Pov,
    Twap, VolumeProfile, Vwap,
};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::contingent::{Exits, OrderGroup};
use mts_foundation::event::CashMoved;
use mts_foundation::fund::NavSnapshot;
use mts_foundation::ledger::MarkKind;
use mts_foundation::risk::{
    Gate, HaltCause, HaltMode, HaltRequest, HaltScope, LossResponse, RateBucket, RejectCode, Rejection,
    ResumeRequest, Staleness,
};
use mts_foundation::signal::TargetSet;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    Account, Bar, CashFlow, CashKind, CorporateAction, CorporateActionKind, Currency, Decimal, Event, Fill,
    FundingRate, GateLimits, Interval, Order, OrderRecord, OrderState, OrderType, Quote, RiskEnvelope, Side,
    Signal, Symbol, TargetWeight, TimeInForce, Timestamp, Trade,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// JSON to object and back; and the type's schema agrees.
fn round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value, "{json}");
    let tree = serde_json::to_value(value).unwrap();
    assert_eq!(&serde_json::from_value::<T>(tree).unwrap(), value);
    assert_eq!(
        serde_json::to_string(&serde_json::from_str::<T>(&json).unwrap()).unwrap(),
        json,
        "text differs"
    );
    #[cfg(feature = "schema")]
    agreement::agrees(value);
}

fn bytes_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = postcard::to_stdvec(value).unwrap();
    assert_eq!(&postcard::from_bytes::<T>(&bytes).unwrap(), value);
}

/// A positive decimal of up to 15 digits before and 9 after the point.
fn positive() -> impl Strategy<Value = Decimal> {
    (1_i64..1_000_000_000_000, 0_u32..10).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

fn id() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9:_#.-]{1,40}"
}

fn instant() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_nanos)
}

fn order() -> impl Strategy<Value = Order> {
    let names = (id(), id(), "[A-Z0-9.-]{1,24}", id(), id(), id(), id());
    let choices = (0..4_usize, 0..5_usize, 0..5_usize, any::<bool>());
    let numbers = (positive(), positive(), positive(), prop::option::of(positive()), instant());
    (names, choices, numbers, prop::option::of("[^\u{0}-\u{1f}]{1,60}")).prop_map(
        |(names, choices, numbers, thesis)| {
            let (order_id, key, symbol, fund, strategy, broker, actor) = names;
            let (side, kind, tif, extended) = choices;
            let (quantity, limit, stop, nav, created) = numbers;
            let kind = OrderType::ALL[kind];
            let mut builder = Order::builder()
                .order_id(order_id)
                .idempotency_key(key)
                .symbol(symbol)
                .side(Side::ALL[side])
                .quantity(quantity)
                .order_type(kind)
                .tif(TimeInForce::ALL[tif])
                .fund_id(fund)
                .strategy_id(strategy)
                .broker(broker)
                .actor(actor)
                .extended_hours(extended)
                .created_at(created);
            if kind.takes_limit_price() {
                builder = builder.limit_price(limit);
            }
            if kind.takes_stop_price() {
                builder = builder.stop_price(stop);
            }
            if let Some(nav) = nav {
                builder = builder.nav_usd(nav);
            }
            if let Some(thesis) = thesis {
                builder = builder.thesis(thesis);
            }
            builder.build().unwrap()
        },
    )
}

fn fill() -> impl Strategy<Value = Fill> {
    let raw = prop::collection::btree_map("[a-z_]{1,12}", ".{0,30}", 0..5);
    (id(), id(), "[A-Z0-9.-]{1,24}", 0..4_usize, positive(), positive(), -1_000_i64..1_000, instant(), raw)
        .prop_map(|(fill_id, order_id, symbol, side, quantity, price, fees, time, raw)| {
            let mut fill =
                Fill::new(&fill_id, &order_id, &symbol, Side::ALL[side], quantity, price, time).unwrap();
            fill.fees = Decimal::new(fees, 4);
            fill.raw = raw.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
            fill.checked().unwrap()
        })
}

proptest! {
    #[test]
    fn every_order_comes_back_exactly(order in order()) {
        round_trips(&order);
        bytes_round_trip(&order);
        prop_assert_eq!(&Order::from_json(&serde_json::to_string(&order).unwrap()).unwrap(), &order);
        let sent = order.submitted(Timestamp::EPOCH).accepted(Timestamp::EPOCH, "B-1".parse().unwrap());
        round_trips(&sent);
        bytes_round_trip(&sent);
    }

    #[test]
    fn every_fill_comes_back_exactly(fill in fill()) {
        round_trips(&fill);
        bytes_round_trip(&fill);
    }

    /// Whatever fills an order gets, its record is exact and comes back exactly.
    #[test]
    fn every_order_record_comes_back_exactly(order in order(), fills in prop::collection::vec(fill(), 0..6)) {
        let mut record = OrderRecord::new(order);
        record.submit(Timestamp::EPOCH).unwrap();
        let mut filled = Decimal::ZERO;
        for fill in &fills {
            record.book(fill);
            filled += fill.quantity;
        }
        prop_assert_eq!(record.filled, filled);
        round_trips(&record);
        bytes_round_trip(&record);
    }
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn every_other_type_comes_back_exactly() {
    let (time, symbol) = (Timestamp::from_nanos(1_700_000_000_123_456_789), Symbol::new("BRK.B").unwrap());
    let venue = "XNYS".parse::<mts_foundation::VenueName>().unwrap();
    let fill = Fill::new("x", "o", "BRK.B", Side::Cover, d("1.50"), d("0.001"), time).unwrap();
    round_trips(&Quote {
        symbol: symbol.clone(),
        bid: d("1"),
        ask: d("1.10"),
        bid_size: d("5"),
        ask_size: d("0"),
        venue: venue.clone(),
        timestamp: time,
    });
    round_trips(&FundingRate {
        venue: venue.clone(),
        symbol: symbol.clone(),
        rate: d("-0.000123456789012345"),
        time,
        next_rate: Some(d("0.0001")),
        next_time: Some(time),
    });
    round_trips(&Trade {
        trade_id: "t".into(),
        symbol: symbol.clone(),
        price: d("1.0"),
        size: d("3"),
        venue,
        timestamp: time,
    });
    round_trips(&Bar::close_only(symbol.clone(), Interval::DAY, d("10.00"), time));
    round_trips(&Account {
        base_currency: Currency::USD,
        cash: d("-1.5"),
        equity: d("2"),
        buying_power: None,
        asof: time,
    });
    round_trips(&NavSnapshot {
        fund_id: "f".parse().unwrap(),
        asof: "2026-03-02".parse().unwrap(),
        nav_usd: d("1"),
        cash_usd: d("2"),
        long_usd: d("3"),
        short_usd: d("-4"),
        positions: 5,
    });
    let weight =
        TargetWeight { symbol: symbol.clone(), weight: d("0.2"), signal: Some(d("-1.5")), rank: Some(3) };
    let targets = TargetSet {
        fund_id: "f".parse().unwrap(),
        strategy_id: "s".parse().unwrap(),
        asof: time,
        weights: vec![weight.clone()],
    };
    round_trips(&weight);
    round_trips(&targets);
    round_trips(&Signal {
        strategy_id: "s".parse().unwrap(),
        symbol: symbol.clone(),
        value: d("0.25"),
        rank: None,
        asof: time,
    });
    let request = || OrderRequest::market(symbol.clone(), Side::Buy, d("100"));
    let iceberg = Iceberg { display_qty: d("10"), refill_threshold: d("5"), limit_price: d("9.5") };
    let shortfall =
        ImplementationShortfall { arrival_price: Some(d("10")), ..ImplementationShortfall::default() };
    round_trips(&Twap::default());
    round_trips(&Vwap::default());
    round_trips(&Pov::default());
    round_trips(&iceberg);
    round_trips(&AlmgrenChriss::default());
    round_trips(&shortfall);
    round_trips(&AtEnd::Send);
    round_trips(&ChildType::Limit);
    round_trips(&VolumeProfile::Uniform);
    round_trips(&AlgorithmRequest::new(request(), Algorithm::Iceberg(iceberg.clone())));
    round_trips(&Algorithm::Iceberg(iceberg.clone()));
    let group = OrderGroup::bracket(request(), d("110"), d("90.5"));
    round_trips(&group);
    round_trips(&group.contingency);
    round_trips(&Exits { take_profit: d("2"), stop_loss: d("1"), stop_limit: None, tif: TimeInForce::Day });
    let algorithms = [
        Algorithm::Twap(Twap::default()),
        Algorithm::Vwap(Vwap::default()),
        Algorithm::Pov(Pov::default()),
        Algorithm::Iceberg(iceberg),
        Algorithm::AlmgrenChriss(AlmgrenChriss::default()),
        Algorithm::ImplementationShortfall(shortfall),
    ];
    for command in [
        Command::Targets(targets.clone()),
        Command::Close(symbol.clone()),
        Command::Cancel("o".parse().unwrap()),
        Command::Submit(OrderRequest::market(symbol.clone(), Side::Short, d("2"))),
        Command::Group(OrderGroup::one_cancels_other(vec![request(), request()])),
        Command::Group(OrderGroup::one_triggers_other(request(), vec![request()])),
        Command::Group(OrderGroup::bracket(request(), d("110"), d("90.5"))),
    ]
    .into_iter()
    .chain(algorithms.map(|algorithm| Command::Algorithm(AlgorithmRequest::new(request(), algorithm))))
    {
        round_trips(&command);
        bytes_round_trip(&command);
    }
    let envelope: RiskEnvelope = serde_json::from_str(
        r#"{"envelope_id":"e","fund_id":"f","nav_usd":"1","max_position_usd":"5","created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    round_trips(&envelope);
    bytes_round_trip(&envelope);
    let limits = GateLimits {
        max_order_notional_pct: Some(0.25),
        staleness: Some(Staleness::Bars(1)),
        strategy_rate: Some(RateBucket { per_minute: 60, burst: 5 }),
        max_daily_loss: Some(d("5000")),
        loss_response: Some(LossResponse::KillSwitch),
        allowed_actors: vec!["ann".parse().unwrap()],
        blocked_assets: vec![symbol.clone()],
        buying_power: true,
        ..GateLimits::default()
    };
    round_trips(&limits);
    let rejection = Rejection {
        gate: Gate::PriceCollar,
        code: RejectCode::PriceCollar,
        limit: Some(d("0.05")),
        observed: None,
        message: "…".to_owned(),
    };
    round_trips(&rejection);
    let halt = HaltRequest {
        scope: HaltScope::Fund("f".parse().unwrap()),
        mode: HaltMode::ReduceOnly,
        reason: "loss".to_owned(),
        causes: vec![HaltCause {
            code: RejectCode::DailyLoss,
            limit: Some(d("0.03")),
            observed: Some(d("0.031")),
        }],
        requested_by: "riskengine".parse().unwrap(),
        timestamp: time,
    };
    round_trips(&halt);
    let resume = ResumeRequest {
        scope: Some(HaltScope::Firm),
        operators: vec!["ann".parse().unwrap()],
        reason: "over".to_owned(),
        timestamp: time,
    };
    round_trips(&resume);
    round_trips(&MarkKind::Quote { bid: d("1"), ask: d("2") });
    let report = OrderReport {
        broker_order_id: "b".parse().unwrap(),
        order_id: None,
        idempotency_key: None,
        symbol: symbol.clone(),
        side: Side::Buy,
        order_type: OrderType::Market,
        quantity: d("3"),
        filled: d("1"),
        average_price: Some(d("9.99")),
        state: OrderState::PartiallyFilled,
        reason: None,
        timestamp: time,
    };
    let cursor = Cursor::new("7").unwrap();
    let flow = CashFlow {
        id: "c".into(),
        kind: CashKind::Dividend,
        amount: d("1.25"),
        currency: Currency::USD,
        symbol: Some(symbol.clone()),
        time,
    };
    round_trips(&flow);
    for event in [
        BrokerEvent::Order(report),
        BrokerEvent::Fill {
            account: "a".parse().unwrap(),
            cursor: cursor.clone(),
            fill: fill.clone(),
            fees: FeeStatus::Pending,
        },
        BrokerEvent::Cash { flow, cursor },
        BrokerEvent::Gap { from: time, to: time, recoverable: false },
    ] {
        round_trips(&event);
        bytes_round_trip(&event);
    }
    for outcome in [
        SubmitOutcome::Rejected { reason: "no".into() },
        SubmitOutcome::NotSent { reason: "closed".into() },
        SubmitOutcome::Unknown { cause: "timeout".into() },
    ] {
        round_trips(&outcome);
        bytes_round_trip(&outcome);
    }
    let seen = mts_foundation::MarketSnapshot::new(symbol.clone(), time);
    round_trips(&seen);
    bytes_round_trip(&seen);
    for kind in [
        CorporateActionKind::Split { new_units: d("4"), old_units: d("1") },
        CorporateActionKind::CashDividend { amount: d("0.24"), currency: Currency::USD },
        CorporateActionKind::SymbolChange { to: Symbol::new("META").unwrap() },
        CorporateActionKind::Delisting { amount: Decimal::ZERO, currency: Currency::USD },
    ] {
        round_trips(&kind);
        let (action_id, ex_date) = ("ca-1".into(), chrono::NaiveDate::default());
        let action = CorporateAction { action_id, symbol: symbol.clone(), ex_date, kind };
        round_trips(&action);
        bytes_round_trip(&action);
    }
    bytes_round_trip(&CancelOutcome::TooLate { state: OrderState::Filled });
    let moved = CashMoved {
        fund_id: "f".parse().unwrap(),
        kind: CashKind::Dividend,
        amount: d("0.24"),
        symbol: Some("AAPL".parse().unwrap()),
        fill_id: Some("x".parse().unwrap()),
        strategy_id: Some("s".parse().unwrap()),
        cause: "movement 1".into(),
        cash: d("3.24"),
        time: Timestamp::EPOCH,
    };
    round_trips(&moved);
    for event in [
        Event::TargetsAccepted(targets),
        Event::HaltRequested(halt),
        Event::HaltResumed { request: resume, rebased: Vec::new() },
        Event::EnvelopeUpdated(envelope),
        Event::FillCreated {
            fund_id: "f".parse().unwrap(),
            fill,
            position_before: d("0"),
            position_after: d("1.5"),
            realized: d("-0.10"),
            cash: d("3"),
            nav: d("4"),
            strategy_id: Some("s".parse().unwrap()),
        },
        Event::CashMoved(moved),
        Event::CorporateActionApplied {
            fund_id: "f".parse().unwrap(),
            action: CorporateAction {
                action_id: "split".into(),
                symbol: "AAPL".parse().unwrap(),
                ex_date: chrono::NaiveDate::default(),
                kind: CorporateActionKind::Split { new_units: d("4"), old_units: d("1") },
            },
            position_before: d("1.5"),
            position_after: d("6.0"),
            cash: d("3.24"),
            time: Timestamp::EPOCH,
        },
    ] {
        round_trips(&event);
    }
    spelled::names_and_words();
    spelled::books();
    spelled::brokers_and_risk();
    #[cfg(feature = "schema")]
    agreement::every_type_was_seen(&["Order", "Fill", "OrderRecord", "Decimal", "PositiveDecimal"]);
}
