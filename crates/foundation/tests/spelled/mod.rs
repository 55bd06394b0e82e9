//! Values as they are spelled on the wire.

use super::{bytes_round_trip, d, round_trips};
use mts_foundation::broker::CancelOutcome;
use mts_foundation::broker_event::{Cursor, FeeStatus, OrderReport};
use mts_foundation::risk::{
    Gate, HaltCause, HaltMode, HaltRequest, HaltScope, LossResponse, RateBucket, Rebased, RejectCode,
    Staleness,
};
use mts_foundation::strategy::OrderRequest;
use mts_foundation::{
    CashKind, Currency, Interval, OrderState, OrderType, Side, Symbol, TimeInForce, Timestamp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

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

pub(crate) fn names_and_words() {
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

pub(crate) fn books() {
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

pub(crate) fn brokers_and_risk() {
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
