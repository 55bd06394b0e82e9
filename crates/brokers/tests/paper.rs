//! The paper broker from outside: what it claims it does, and a restart changes nothing.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "common/paper.rs"]
mod world;

use mts_brokers::{PaperBroker, PaperConfig};
use mts_foundation::broker::{
    Broker, BrokerOrderRef, CancelOutcome, OrderChange, OrderRef, ReplaceOutcome, SimulatedBroker,
    SubmitOutcome,
};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{
    BrokerEvent, Decimal, Fill, IdempotencyKey, Order, OrderRecord, OrderState, OrderType, Side, Symbol,
    TimeInForce, Timestamp, Trade, VenueName,
};
use mts_matching::{ExchangeConfig, FeeModel, Rate, Shorting};
use std::time::Duration;
use world::{at, bar, broker, d, drain, fills, limit, market, order, quote, ready, reference, submit, with};

#[test]
fn the_documented_defaults() {
    let broker = broker(PaperConfig::default());
    let mut stream = Broker::events(&broker, None);
    broker.on_quote(&quote("99", "100", "10", 1_000));
    let sent = submit(&broker, &market("k", "10"));
    let id = sent.broker_order_id.clone().unwrap();
    let digits = id.as_str().strip_prefix("PAPER-").unwrap();
    assert!(digits.len() == 8 && digits.chars().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    assert_eq!((sent.submitted_at, sent.accepted_at), (Some(at(1_000)), Some(at(1_000))));
    broker.set_time(at(1_099));
    assert!(drain(&mut stream).is_empty(), "a tenth of a second");
    broker.set_time(at(1_100));
    let events = drain(&mut stream);
    let [fill] = fills(&events)[..] else { panic!("{events:?}") };
    assert_eq!((fill.price, fill.fees, fill.timestamp), (d("100"), d("0.5"), at(1_100)));
    assert_eq!((Broker::name(&broker), fill.venue.as_str()), ("paper", "paper"));
    assert!(fill.raw.is_empty());
}

#[test]
fn what_it_claims_it_takes_and_what_it_does_not_claim_it_refuses() {
    let refusing = ExchangeConfig { shorting: Shorting::Refused, ..ExchangeConfig::default() };
    for (config, shorts) in [(PaperConfig::default(), true), (with(refusing), false)] {
        let broker = broker(config);
        let capabilities = Broker::capabilities(&broker).clone();
        for kind in OrderType::ALL.iter().copied() {
            for tif in TimeInForce::ALL.iter().copied() {
                let wanted = order(&format!("{kind}-{tif}"), Side::Buy, "1", kind, tif, "100");
                let taken = matches!(ready(Broker::submit(&broker, &wanted)), SubmitOutcome::Accepted(_));
                assert_eq!(taken, capabilities.takes(kind, tif), "{kind} {tif}");
            }
        }
        let short = ready(Broker::submit(&broker, &limit("short", Side::Short, "1", "100")));
        assert_eq!(matches!(short, SubmitOutcome::Accepted(_)), shorts);
        assert_eq!(capabilities.shorting, shorts);
        assert!(capabilities.replace && capabilities.extended_hours);
        broker.on_session(SessionPhase::Extended, at(1));
        broker.on_quote(&quote("99", "100", "10", 2));
        let open = ready(Broker::open_orders(&broker)).unwrap();
        assert!(open.iter().all(|report| report.filled.is_zero()), "none of them asked for extended hours");
    }
}

#[test]
fn parts_of_an_order_have_ids_that_follow_from_its_key() {
    let run = || {
        let config = ExchangeConfig { participation: Some(d("0.1")), ..ExchangeConfig::default() };
        let broker = broker(with(config));
        let mut stream = Broker::events(&broker, None);
        submit(&broker, &market("k", "10"));
        for minute in 1..4 {
            broker.on_bars(&[bar("100", "40", minute * 60_000)]);
        }
        drain(&mut stream)
    };
    let events = run();
    let parts: Vec<_> = fills(&events).iter().map(|fill| (fill.fill_id.to_string(), fill.quantity)).collect();
    let start = parts[0].0.strip_suffix("-1").unwrap().to_owned();
    let expected = [("1", "4"), ("2", "4"), ("3", "2")].map(|(n, units)| (format!("{start}-{n}"), d(units)));
    assert_eq!(parts, expected);
    assert_eq!(events, run());
    let cursors: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            BrokerEvent::Fill { cursor, .. } => Some(cursor.as_str().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(cursors, ["1", "2", "3"]);
}

#[test]
fn cash_and_positions_are_what_was_traded() {
    let maker_taker = FeeModel::flat(Rate::BasisPoints(d("-1")), Rate::BasisPoints(d("3")));
    let broker = broker(PaperConfig { fees: maker_taker, ..PaperConfig::default() });
    let mut stream = Broker::events(&broker, None);
    broker.on_quote(&quote("99", "101", "100", 0));
    submit(&broker, &limit("rests", Side::Buy, "10", "100"));
    submit(&broker, &order("takes", Side::Short, "20", OrderType::Market, TimeInForce::Ioc, ""));
    broker.set_time(at(100));
    broker.on_quote(&quote("98", "99", "100", 200));
    let trade = Trade {
        trade_id: "t".into(),
        symbol: Symbol::new("X").unwrap(),
        price: d("97"),
        size: d("1"),
        venue: VenueName::new("v").unwrap(),
        timestamp: at(300),
    };
    broker.on_trade(&trade);
    let events = drain(&mut stream);
    let seen: Vec<_> = fills(&events)
        .iter()
        .map(|fill| (fill.price, fill.fees, fill.raw.get("liquidity").unwrap().to_string()))
        .collect();
    let expected = [(d("99"), d("0.594"), "taker".to_owned()), (d("100"), d("-0.1"), "maker".to_owned())];
    assert_eq!(seen, expected);
    let account = ready(Broker::account(&broker)).unwrap();
    let flow: Decimal = fills(&events).iter().map(|fill| fill.net_proceeds()).sum();
    assert_eq!(account.cash, d("100000") + flow);
    assert_eq!(account.equity, account.cash - d("10") * d("97"));
}

#[test]
fn an_order_that_is_refused_in_the_market_says_why() {
    let broker = broker(PaperConfig::default());
    let mut stream = Broker::events(&broker, None);
    broker.on_quote(&quote("99", "100", "9999", 0));
    let sent = submit(&broker, &order("k", Side::Buy, "10000", OrderType::Limit, TimeInForce::Fok, "100"));
    broker.set_time(at(100));
    let events = drain(&mut stream);
    let [BrokerEvent::Order(report)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(report.state, OrderState::Rejected);
    assert!(report.reason.as_ref().unwrap().starts_with("only 9999 of 10000"), "{report:?}");
    let known =
        ready(Broker::order(&broker, &OrderRef::Venue(sent.broker_order_id.clone().unwrap()))).unwrap();
    assert_eq!(known.unwrap().state, OrderState::Rejected);
}

#[test]
fn a_cancellation_under_way_is_not_confirmed_and_can_lose() {
    let delay = Duration::from_millis(100);
    let config = ExchangeConfig { submit_delay: delay, cancel_delay: delay, ..ExchangeConfig::default() };
    let broker = broker(with(config));
    let mut stream = Broker::events(&broker, None);
    let first = submit(&broker, &limit("a", Side::Buy, "10", "100"));
    let second = submit(&broker, &limit("b", Side::Buy, "10", "90"));
    broker.set_time(at(200));
    for sent in [&first, &second] {
        let answer = ready(Broker::cancel(&broker, &reference(sent)));
        assert!(matches!(answer, CancelOutcome::Unknown { .. }), "{answer:?}");
    }
    broker.on_quote(&quote("94", "95", "100", 250));
    broker.set_time(at(300));
    let states: Vec<_> = drain(&mut stream)
        .iter()
        .map(|event| match event {
            BrokerEvent::Fill { fill, .. } => format!("{} filled", fill.order_id),
            BrokerEvent::Order(report) => format!("{} {}", report.order_id.as_ref().unwrap(), report.state),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, ["o-a filled", "o-b canceled"]);
    let late = ready(Broker::cancel(&broker, &reference(&first)));
    assert_eq!(late, CancelOutcome::TooLate { state: OrderState::Filled });
    assert_eq!(ready(Broker::cancel(&broker, &reference(&second))), CancelOutcome::Confirmed);
}

#[test]
fn a_working_order_is_replaced_in_place() {
    let broker = broker(PaperConfig::default());
    broker.on_quote(&quote("90", "110", "4", 0));
    let sent = submit(&broker, &limit("a", Side::Buy, "10", "100"));
    broker.set_time(at(100));
    let change = OrderChange { quantity: Some(d("6")), limit_price: Some(d("110")), stop_price: None };
    let answer = ready(Broker::replace(&broker, &reference(&sent), &change));
    assert_eq!(answer, ReplaceOutcome::Replaced(sent.broker_order_id.clone().unwrap()));
    let report = ready(Broker::open_orders(&broker)).unwrap().remove(0);
    assert_eq!((report.quantity, report.filled), (d("6"), d("4")));
    let less = OrderChange { quantity: Some(d("4")), ..OrderChange::default() };
    let refused = ready(Broker::replace(&broker, &reference(&sent), &less));
    assert!(matches!(refused, ReplaceOutcome::Rejected { .. }), "what is filled cannot be taken back");
}

/// What the engine would keep of an order by the events so far.
fn record(sent: &Order, events: &[BrokerEvent], asked: Option<Timestamp>) -> OrderRecord {
    let mut record = OrderRecord::new(sent.clone());
    record.submit(sent.created_at).unwrap();
    record.accept(sent.accepted_at.unwrap(), sent.broker_order_id.clone().unwrap()).unwrap();
    for fill in fills(events).into_iter().filter(|fill| fill.order_id == sent.order_id) {
        record.book(fill);
    }
    if let Some(asked) = asked {
        record.request_cancel(asked).unwrap();
    }
    record
}

#[test]
fn a_restart_changes_nothing_of_what_is_filled_in_part_or_under_way() {
    let run = |restart: bool| {
        let config = || PaperConfig {
            fees: FeeModel::per_unit(d("0.1")).bounded(Some(d("1")), None),
            exchange: ExchangeConfig {
                participation: Some(d("0.1")),
                submit_delay: Duration::from_secs(30),
                cancel_delay: Duration::from_secs(90),
                ..ExchangeConfig::default()
            },
            ..PaperConfig::default()
        };
        let before = broker(config());
        let mut stream = Broker::events(&before, None);
        before.on_session(SessionPhase::Regular, at(0));
        let parts = submit(&before, &market("parts", "20"));
        let leaves = submit(&before, &limit("leaves", Side::Buy, "10", "50"));
        before.on_bars(&[bar("100", "40", 60_000)]);
        let asked =
            matches!(ready(Broker::cancel(&before, &reference(&leaves))), CancelOutcome::Unknown { .. });
        assert!(asked);
        before.set_time(at(100_000));
        let flies = submit(&before, &market("flies", "3"));
        before.set_time(at(110_000));
        let mut events = drain(&mut stream);
        drop(stream);
        let after = if restart {
            let fresh = broker(config());
            fresh.set_time(at(110_000));
            fresh.on_session(SessionPhase::Regular, at(0));
            let open = [
                record(&parts, &events, None),
                record(&leaves, &events, Some(at(60_000))),
                record(&flies, &events, None),
            ];
            let known: Vec<Fill> = fills(&events).into_iter().cloned().collect();
            let cash = ready(Broker::account(&before)).unwrap().cash;
            fresh.restore(&open, &known, cash).unwrap();
            // Handed over again, as after a crash before the answer was journalled.
            assert_eq!(submit(&fresh, &market("flies", "3")), flies);
            fresh
        } else {
            before
        };
        let mut stream = Broker::events(&after, None);
        // A broker that was not made anew has fills to tell as well.
        let is_order = |event: &&BrokerEvent| matches!(event, BrokerEvent::Order(_));
        let open = drain(&mut stream).iter().filter(is_order).count();
        after.on_bars(&[bar("45", "50", 120_000)]);
        after.on_bars(&[bar("45", "500", 180_000)]);
        events.extend(drain(&mut stream));
        (events, ready(Broker::account(&after)).unwrap(), open)
    };
    let (events, account, open) = run(false);
    assert_eq!(open, 3);
    let told: Vec<_> = fills(&events)
        .iter()
        .map(|fill| format!("{} {} {}", fill.order_id, fill.quantity.normalize(), fill.fees))
        .collect();
    // The minimum is charged once; the order under way misses the bar it is overtaken by.
    assert_eq!(told, ["o-parts 4 1", "o-parts 5 0", "o-parts 11 1", "o-flies 3 1"]);
    let left = |event: &BrokerEvent| {
        matches!(event, BrokerEvent::Order(report) if report.state == OrderState::Canceled
            && report.timestamp == at(150_000))
    };
    assert!(events.iter().any(left), "{events:?}");
    assert_eq!(run(true), (events, account, open));
}

#[test]
fn an_order_is_accepted_once_and_fills_once() {
    let broker = broker(PaperConfig::default());
    let mut stream = Broker::events(&broker, None);
    let first = submit(&broker, &market("k", "10"));
    assert_eq!(submit(&broker, &market("k", "10")), first);
    let other = ready(Broker::submit(&broker, &market("k", "11")));
    assert!(matches!(other, SubmitOutcome::Rejected { .. }), "another order under the same key");
    broker.on_bars(&[bar("100", "0", 60_000)]);
    let events = drain(&mut stream);
    let [fill] = fills(&events)[..] else { panic!("{events:?}") };
    assert_eq!((fill.quantity, fill.price, fill.fees), (d("10"), d("100"), d("0.5")));
    let account = ready(Broker::account(&broker)).unwrap();
    assert_eq!((account.cash, account.equity), (d("98999.5"), d("99999.5")));
    assert_eq!(submit(&broker, &market("k", "10")), first, "still known after its end");
    assert!(ready(Broker::open_orders(&broker)).unwrap().is_empty());
}

#[test]
fn cancelling_is_idempotent_and_confirmed_only_when_it_is() {
    let broker = broker(PaperConfig::default());
    let sent = reference(&submit(&broker, &market("k", "10")));
    assert_eq!(ready(Broker::cancel(&broker, &sent)), CancelOutcome::Confirmed);
    assert_eq!(ready(Broker::cancel(&broker, &sent)), CancelOutcome::Confirmed);
    let filled = reference(&submit(&broker, &market("j", "1")));
    broker.on_bars(&[bar("5", "0", 60_000)]);
    let late = ready(Broker::cancel(&broker, &filled));
    assert_eq!(late, CancelOutcome::TooLate { state: OrderState::Filled });
    let unknown = BrokerOrderRef { idempotency_key: IdempotencyKey::new("x").unwrap(), ..sent };
    assert_eq!(ready(Broker::cancel(&broker, &unknown)), CancelOutcome::NotFound);
}

#[test]
fn a_stream_resumes_after_its_cursor_and_sees_what_it_missed_as_a_gap() {
    /// More events than are kept.
    const EVENTS: i64 = 65_600;
    let broker = broker(PaperConfig::default());
    submit(&broker, &market("k", "100000"));
    let mut all = Broker::events(&broker, None);
    for event in 1..4 {
        broker.on_quote(&quote("99", "100", "1", event * 1_000));
    }
    let events: Vec<_> =
        drain(&mut all).into_iter().filter(|event| matches!(event, BrokerEvent::Fill { .. })).collect();
    let BrokerEvent::Fill { cursor, .. } = &events[0] else { panic!() };
    let mut resumed = Broker::events(&broker, Some(cursor.clone()));
    assert_eq!(drain(&mut resumed), events[1..]);
    for event in 4..EVENTS {
        broker.on_quote(&quote("99", "100", "1", event * 1_000));
    }
    let mut late = Broker::events(&broker, Some(cursor.clone()));
    assert!(matches!(drain(&mut late)[0], BrokerEvent::Gap { recoverable: false, .. }));
}

#[test]
fn nothing_is_sent_before_connect_and_no_setting_is_out_of_range() {
    let alone = PaperBroker::new(PaperConfig::default()).unwrap();
    assert!(matches!(ready(Broker::submit(&alone, &market("k", "1"))), SubmitOutcome::NotSent { .. }));
    let negative = PaperConfig { fees: FeeModel::basis_points(d("-1")), ..PaperConfig::default() };
    let beyond = with(ExchangeConfig { participation: Some(d("2")), ..ExchangeConfig::default() });
    for (config, setting) in [(negative, "taker's rate is -1"), (beyond, "participation is 2")] {
        let error = PaperBroker::new(config).unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    }
}
