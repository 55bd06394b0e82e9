//! What is written is read back exactly, as JSON and as bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

#[cfg(feature = "schema")]
mod agreement;

use mts_foundation::algorithm::{
    Algorithm, AlgorithmRequest, AlmgrenChriss, AtEnd, ChildType, Iceberg, ImplementationShortfall, Pov,
    Twap, VolumeProfile, Vwap,
};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::contingent::{Exits, OrderGroup};
use mts_foundation::fund::NavSnapshot;
use mts_foundation::ledger::MarkKind;
use mts_foundation::risk::{
    Gate, HaltCause, HaltMode, HaltRequest, HaltScope, LossResponse, RateBucket, Rebased, RejectCode,
    Rejection, ResumeRequest, Staleness,
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
        },
    ] {
        round_trips(&event);
    }
    names_and_words();
    books();
    brokers_and_risk();
    #[cfg(feature = "schema")]
    agreement::every_type_was_seen(&["Order", "Fill", "OrderRecord", "Decimal", "PositiveDecimal"]);
}

/// Reads the value, which comes back exactly.
fn reads<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(json: &str) {
    let value: T = serde_json::from_str(json).unwrap();
    round_trips(&value);
    bytes_round_trip(&value);
}

/// All values of a type, by their wire spellings.
fn words<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(words: &[&str]) {
    for word in words {
        reads::<T>(&format!("{word:?}"));
    }
}

fn names_and_words() {
    use mts_foundation::ids;
    let names = ["a", "Zürich", "x y", "pa-1#3"];
    words::<ids::OrderId>(&names);
    words::<ids::BrokerOrderId>(&names);
    words::<ids::FillId>(&names);
    words::<ids::FundId>(&names);
    words::<ids::StrategyId>(&names);
    words::<ids::BrokerName>(&names);
    words::<ids::AccountId>(&names);
    words::<ids::ActorId>(&names);
    words::<ids::VenueName>(&names);
    words::<ids::EnvelopeId>(&names);
    words::<mts_foundation::IdempotencyKey>(&names);
    words::<Cursor>(&["", "7", "a b"]);
    words::<Symbol>(&["AAPL", "BRK.B", "BTC-USD"]);
    words::<Currency>(&["USD", "USDT"]);
    words::<Interval>(&["1m", "4h", "1d"]);
    words::<Timestamp>(&["2026-03-02T14:30:00Z", "1970-01-01T00:00:00.000000001Z"]);
    Side::ALL.iter().for_each(round_trips);
    OrderType::ALL.iter().for_each(round_trips);
    TimeInForce::ALL.iter().for_each(round_trips);
    OrderState::ALL.iter().for_each(round_trips);
    mts_foundation::AssetClass::ALL.iter().for_each(round_trips);
    mts_foundation::TaxLotMethod::ALL.iter().for_each(round_trips);
    CashKind::ALL.iter().for_each(round_trips);
    Gate::ALL.iter().for_each(round_trips);
    RejectCode::ALL.iter().for_each(round_trips);
    HaltMode::ALL.iter().for_each(round_trips);
    mts_foundation::risk::HaltSeverity::ALL.iter().for_each(round_trips);
    words::<FeeStatus>(&["Known", "Pending"]);
    words::<mts_foundation::broker::ErrorStatus>(&["Permanent", "Temporary"]);
    words::<mts_foundation::broker::BrokerErrorKind>(&["Auth", "RateLimited", "Internal"]);
    words::<mts_foundation::sizing::PlanStage>(&["Reduce", "Increase"]);
    words::<mts_foundation::risk::Verdict>(&["not_reached", "off", "exempt", "pass", "reject"]);
    mts_foundation::order_intent::Intent::ALL.iter().for_each(round_trips);
    mts_foundation::calendar::WindowKind::ALL.iter().for_each(round_trips);
    words::<mts_foundation::market_snapshot::PriceSource>(&["touch", "last_trade", "last_close"]);
    words::<mts_foundation::calendar::DayRoll>(&["17:00 America/New_York", "00:00 UTC"]);
    words::<mts_foundation::risk::SessionPhase>(&["no_calendar", "regular", "extended", "closed"]);
    words::<mts_foundation::secret::SecretRef>(&[
        "env:KEY",
        "file:/etc/key",
        "cred:key",
        "vault:brokers/a#key",
    ]);
    doubles();
}

fn doubles() {
    use mts_foundation::double::{Act, Call, CallFault, Happening, StreamFault, WrongAnswer};
    use mts_foundation::{BrokerOrderId, FillId};
    Call::ALL.iter().for_each(round_trips);
    WrongAnswer::ALL.iter().for_each(round_trips);
    let faults = [
        CallFault::NotRead,
        CallFault::AnswerLost,
        CallFault::AnswerCut,
        CallFault::Silent,
        CallFault::Ignored,
        CallFault::Late { by_millis: 5 },
        CallFault::Down { status: 503 },
        CallFault::DownAfter { status: 500 },
        CallFault::TooMany { retry_after: Some(1) },
        CallFault::NotAuthorised,
        CallFault::StrangeRefusal,
        CallFault::Wrong(WrongAnswer::Html),
    ];
    faults.iter().for_each(round_trips);
    words::<StreamFault>(&[
        "cut",
        "silent",
        "twice",
        "swapped",
        "lost",
        "unknown_message",
        "unknown_name",
        "garbage",
    ]);
    let (order, fill) = (BrokerOrderId::new("o").unwrap(), FillId::new("x").unwrap());
    let happenings = [
        Happening::Fill { order: order.clone(), quantity: d("1.50"), price: None },
        Happening::Cancel { order: order.clone() },
        Happening::Expire { order: order.clone() },
        Happening::Reject { order },
        Happening::Correct { fill: fill.clone(), quantity: d("1"), price: d("2.5") },
        Happening::Bust { fill },
        Happening::Cash { amount: d("-3") },
    ];
    happenings.iter().for_each(round_trips);
    let acts = [
        Act::Call { call: Call::Submit, fault: CallFault::AnswerLost, times: 2 },
        Act::Stream(StreamFault::Cut),
        Act::CancelLosesRace,
        Act::FillInParts(3),
        Act::FillBeforeAnswer,
        Act::FeesLate(100),
        Act::HistoryLate(500),
        Act::Matching(false),
        Act::Outage(true),
        Act::Clock(-1_500),
        Act::ExpireTokens,
    ];
    acts.iter().for_each(round_trips);
    happenings.into_iter().map(Act::Happen).for_each(|act| round_trips(&act));
}

fn books() {
    use mts_foundation::ledger::{Exposure, FundBook, Ledger, Mark, SymbolExposure, Total, WorkingOrder};
    use mts_foundation::lots::{LotBook, LotChange, LotClosure, LotPick, TaxLot};
    use mts_foundation::position::{Holding, Position, PositionBook};
    reads::<Total>("\"-1.50\"");
    let holding = r#"{"quantity":"5","average_price":"10","last_price":"11.5","multiplier":"1",
        "updated_at":"2026-03-02T14:30:00Z"}"#;
    reads::<Holding>(holding);
    let positions =
        format!(r#"{{"holdings":{{"AAPL":{holding}}},"realized":{{"AAPL":"-3"}},"market_value":"57.5"}}"#);
    reads::<PositionBook>(&positions);
    let lot = r#"{"lot_id":"l","fund_id":"f","symbol":"AAPL","open_date":"2026-03-02","open_qty":"5",
        "open_price":"10","close_date":null,"close_qty":"0","close_price":null,"open_cost":"50","open_fees":"0.1",
        "multiplier":"1"}"#;
    reads::<TaxLot>(lot);
    let closure = r#"{"lot_id":"l","fill_id":"x","symbol":"AAPL","quantity":"5","open_date":"2026-03-02",
        "close_date":"2026-03-03","open_cost":"50","proceeds":"60","open_fees":"0.1","close_fees":"0.2","realized":"10"}"#;
    reads::<LotClosure>(closure);
    reads::<LotPick>(r#"{"lot_id":"l","quantity":"5"}"#);
    reads::<LotChange>(&format!(r#"{{"closed":[{closure}],"opened":{lot}}}"#));
    reads::<LotBook>(&format!(r#"{{"fund_id":"f","method":"hifo","opened":1,"lots":[[1,{lot}]]}}"#));
    reads::<Position>(&format!(
        r#"{{"fund_id":"f","symbol":"AAPL","quantity":"5","avg_price":"10","last_price":"11.5",
        "market_value_usd":"57.5","unrealized_pl_usd":"7.5","realized_pl_ytd_usd":"0",
        "last_updated":"2026-03-02T14:30:00Z","tax_lots":[{lot}]}}"#
    ));
    let mark = r#"{"price":"11.5","kind":"Close","time":"2026-03-02T14:30:00Z","bar":3}"#;
    reads::<Mark>(mark);
    let working = r#"{"symbol":"AAPL","side":"buy","remaining":"2","price":"11","multiplier":"1",
        "at_market":false}"#;
    reads::<WorkingOrder>(working);
    let symbol = r#"{"buys":"2","sells":"0","worst":"80.5","high":"80.5","low":"57.5"}"#;
    reads::<SymbolExposure>(symbol);
    let exposure = format!(
        r#"{{"gross":"80.5","net_high":"80.5","net_low":"57.5","by_sector":{{"tech":"80.5"}},
        "by_class":{{"equities":"80.5"}},"by_country":{{"":"80.5"}},"committed":"22",
        "by_symbol":{{"AAPL":{symbol}}}}}"#
    );
    reads::<Exposure>(&exposure);
    let book = format!(
        r#"{{"base_currency":"USD","cash":"100","fees":"0.1","positions":{positions},
        "working":{{"o-1":{working}}},"working_by_symbol":{{"AAPL":["o-1"]}},"exposure":{exposure}}}"#
    );
    reads::<FundBook>(&book);
    let stale = r#"{"kraken":["2026-03-02T14:30:00Z",["AAPL"]]}"#;
    reads::<Ledger>(&format!(
        r#"{{"funds":{{"f":{book}}},"marks":{{"AAPL":{mark}}},"bars":3,"stale":{stale}}}"#
    ));
    reads::<mts_foundation::FundConfig>(
        r#"{"fund_id":"f","name":"n","description":"","base_currency":"USD","target_nav_usd":"1",
        "broker":"paper","broker_account_id":null,"active":true,"asset_classes":["fx"],"strategies":["s"],
        "tax_lot_method":"hifo","created_at":"2026-01-01T00:00:00Z","notes":""}"#,
    );
    reads::<mts_foundation::Instrument>(
        r#"{"symbol":"AAPL","name":"","asset_class":"equities","currency":"USD","calendar":"XNYS","sector":"",
        "country":"US","tick":"0.01","lot":"1","multiplier":"1","expiry":"2027-01-15"}"#,
    );
    reads::<mts_foundation::reference::Borrow>(
        r#"{"fee_bps":"30","available":null,"located":true,"asof":"2026-01-01T00:00:00Z"}"#,
    );
    reads::<mts_foundation::market_data::FeedStats>(
        r#"{"running":true,"ticks":7,"throttled":0,"symbols":2,"last_time":null}"#,
    );
    reads::<mts_foundation::journal::JournalRecord>(r#"{"sequence":1,"kind":2,"payload":[0,255]}"#);
}

fn brokers_and_risk() {
    use mts_foundation::broker::{
        BrokerOrderRef, Capabilities, Check, FillStream, Health, OrderRef, ReplaceOutcome,
    };
    use mts_foundation::risk::{GateOutcome, OrderRejection, RiskAction, RiskDecision, RiskEvent};
    reads::<std::time::Duration>(r#"{"secs":5,"nanos":7}"#);
    reads::<FillStream>(r#"{"Poll":{"seconds":5}}"#);
    reads::<Capabilities>(
        r#"{"order_types":[["market",["day","ioc"]]],"asset_classes":["crypto"],"shorting":false,
        "extended_hours":true,"client_id_dedupe":true,"replace":false,"fill_stream":"Push",
        "history_window":{"secs":60,"nanos":0},"gtc_max_days":90,"sandbox":true,"margin":false,
        "rate_budgets":[["orders",60]]}"#,
    );
    reads::<Health>(
        r#"{"connected":true,"since":"2026-01-01T00:00:00Z","clock_skew_ms":-3,"token_expires":null}"#,
    );
    for outcome in [r#""Confirmed""#, r#"{"TooLate":{"state":"filled"}}"#, r#"{"Unknown":{"cause":"c"}}"#] {
        reads::<CancelOutcome>(outcome);
    }
    for outcome in [r#"{"Replaced":"b"}"#, r#""NotSupported""#, r#"{"Rejected":{"reason":"r"}}"#] {
        reads::<ReplaceOutcome>(outcome);
    }
    reads::<OrderRef>(r#"{"Venue":"b"}"#);
    reads::<OrderRef>(r#"{"Key":"k"}"#);
    reads::<BrokerOrderRef>(
        r#"{"order_id":"o","idempotency_key":"k","broker_order_id":"b","symbol":"AAPL"}"#,
    );
    reads::<Check>(r#"{"name":"auth","ok":true,"detail":""}"#);
    reads::<OrderReport>(
        r#"{"broker_order_id":"b","order_id":"o","idempotency_key":"k","symbol":"AAPL","side":"buy",
        "order_type":"stop","quantity":"1","filled":"0","average_price":null,"state":"triggered",
        "reason":"r","timestamp":"2026-01-01T00:00:00Z"}"#,
    );
    reads::<OrderRequest>(
        r#"{"idempotency_key":null,"symbol":"AAPL","side":"buy","quantity":"1","order_type":"limit",
        "limit_price":"5","stop_price":null,"tif":"gtc","extended_hours":true,"thesis":"t"}"#,
    );
    words::<HaltScope>(&["firm"]);
    reads::<HaltScope>(r#"{"fund":"f"}"#);
    reads::<Staleness>(r#"{"millis":500}"#);
    reads::<RateBucket>(r#"{"per_minute":60,"burst":5}"#);
    reads::<HaltCause>(r#"{"code":"DAILY_LOSS","limit":"0.03","observed":null}"#);
    words::<LossResponse>(&["halt_fund", "kill_switch"]);
    reads::<Rebased>(r#"{"fund_id":"f","code":"DAILY_LOSS","old":"100","new":"97"}"#);
    reads::<mts_foundation::reconcile::Difference>(r#"{"symbol":"AAPL","ours":"5","theirs":"-3"}"#);
    reads::<mts_foundation::reconcile::AccountSnapshot>(
        r#"{"open_orders":[],"positions":[],
            "account":{"base_currency":"USD","cash":"1","equity":"2","buying_power":null,"asof":"2026-01-01T00:00:00Z"}}"#,
    );
    reads::<mts_foundation::risk::OrderContext>(
        r#"{"now":"2026-01-01T00:00:00Z","nav":"1","cash":"1","held":"-5","price":null,"gross":"2","open_orders":3}"#,
    );
    reads::<GateOutcome>(r#"{"verdict":"pass","observed":"1","limit":"2"}"#);
    let rejection =
        r#"{"gate":"loss","code":"DAILY_LOSS","limit":"0.03","observed":"0.04","message":"wait"}"#;
    reads::<RiskDecision>(r#""Approved""#);
    reads::<RiskDecision>(&format!(r#"{{"Rejected":{rejection}}}"#));
    reads::<OrderRejection>(&format!(
        r#"{{"order_id":"o","fund_id":"f","symbol":"AAPL","rejection":{rejection},"envelope_id":"e",
        "envelope_version":2,"timestamp":"2026-01-01T00:00:00Z"}}"#
    ));
    let halt = HaltRequest {
        scope: HaltScope::Strategy("s".parse().unwrap()),
        mode: HaltMode::Full,
        reason: String::new(),
        causes: Vec::new(),
        requested_by: "ann".parse().unwrap(),
        timestamp: Timestamp::EPOCH,
    };
    for event in [
        RiskEvent::DayRolled { date: "2026-03-02".parse().unwrap() },
        RiskEvent::Marked { symbol: None },
        RiskEvent::Marked { symbol: Some("AAPL".parse().unwrap()) },
        RiskEvent::Filled {
            fund_id: "f".parse().unwrap(),
            order_id: "o".parse().unwrap(),
            symbol: "AAPL".parse().unwrap(),
        },
        RiskEvent::Flowed { fund_id: "f".parse().unwrap(), amount: d("-5") },
        RiskEvent::Halt(halt.clone()),
        RiskEvent::Kill { reason: String::new(), actor: "ann".parse().unwrap() },
    ] {
        round_trips(&event);
        bytes_round_trip(&event);
    }
    for action in [
        RiskAction::Halted(halt),
        RiskAction::StopOut { fund_id: "f".parse().unwrap(), symbol: "AAPL".parse().unwrap() },
    ] {
        round_trips(&action);
        bytes_round_trip(&action);
    }
}
