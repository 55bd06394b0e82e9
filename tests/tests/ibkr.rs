//! Interactive Brokers' adapter where its double has more clients than one, restarts, or is away.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_brokers::kit::Connections;
use mts_brokers::{Ibkr, IbkrConfig};
use mts_foundation::broker::{
    BrokerEventStream, BrokerOrderRef, CancelOutcome, OrderChange, OrderRef, ReplaceOutcome, SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor};
use mts_foundation::double::{Act, Call, CallFault, Happening, VenueDouble};
use mts_foundation::{Broker, Clock, Decimal, Order, OrderState, OrderType, Side, TimeInForce};
use mts_transport::{Budget, FileState, Secrets, Stack, SystemClock, TokioSleep};
use mts_venues::{Double, Options, Venue};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn start() -> Double {
    Venue::Ibkr.start(Options::new(Arc::new(SystemClock))).unwrap()
}

/// A broker as a process of its own has it: nothing is shared but the folder for state.
fn process(double: &Double, state: &Path, change: impl FnOnce(&mut IbkrConfig)) -> Ibkr {
    let clock = Arc::new(SystemClock);
    let stack = Stack::builder("ibkr", clock.clone()).budgets([Budget::per_minute("", 60)]).build().unwrap();
    let mut config = IbkrConfig::default();
    config.host = double.endpoints()["host"].clone();
    config.port = Some(double.endpoints()["port"].parse().unwrap());
    config.deadline_ms = 2_000;
    change(&mut config);
    let connections = Connections {
        http: stack.http(),
        sockets: stack.sockets(),
        clock,
        sleep: Arc::new(TokioSleep),
        secrets: Arc::new(Secrets::new(mts_transport::Redactor::default())),
        state: Arc::new(FileState::open(state).unwrap()),
    };
    Ibkr::new(config, connections)
}

async fn client(double: &Double, state: &Path, client_id: i32) -> Ibkr {
    let broker = process(double, state, |config| config.client_id = client_id);
    broker.connect().await.unwrap();
    broker
}

/// An order that rests.
fn order(key: &str, quantity: i64) -> Order {
    let order = Order::builder().order_id(key).idempotency_key(key).symbol("AAPL").side(Side::Buy);
    let order = order.quantity(Decimal::from(quantity)).order_type(OrderType::Limit).tif(TimeInForce::Day);
    let order = order.limit_price(Decimal::TEN).fund_id("f").strategy_id("s").broker("ibkr").actor("s");
    order.created_at(SystemClock.now()).build().unwrap()
}

async fn place(broker: &Ibkr, order: &Order) -> BrokerOrderRef {
    let SubmitOutcome::Accepted(accepted) = broker.submit(order).await else { panic!("{order:?}") };
    let accepted = (*accepted).clone();
    BrokerOrderRef {
        order_id: accepted.order_id,
        broker_order_id: accepted.broker_order_id.unwrap(),
        idempotency_key: accepted.idempotency_key,
        symbol: accepted.symbol,
    }
}

async fn state(broker: &Ibkr, order: &BrokerOrderRef) -> OrderState {
    let found = broker.order(&OrderRef::Venue(order.broker_order_id.clone())).await;
    found.unwrap().unwrap().state
}

async fn next(stream: &mut BrokerEventStream<'_>) -> Option<Result<BrokerEvent, String>> {
    let next = std::future::poll_fn(|context| stream.as_mut().poll_next(context));
    let event = tokio::time::timeout(Duration::from_secs(10), next).await.unwrap();
    event.map(|event| event.map_err(|error| error.to_string()))
}

#[tokio::test]
async fn what_is_said_of_one_clients_order_is_not_said_of_anothers_with_the_same_number() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (client(&double, folder.path(), 1).await, client(&double, folder.path(), 2).await);
    let (our, their) = (place(&ours, &order("ours", 3)).await, place(&theirs, &order("theirs", 4)).await);
    // Both have the number 1; from here on theirs was heard of last.
    assert_eq!(ours.open_orders().await.unwrap().len(), 2);
    assert_eq!(state(&ours, &their).await, OrderState::Accepted);
    let not_ours = ours.cancel(&their).await;
    assert!(
        matches!(&not_ours, CancelOutcome::Unknown { cause } if cause.contains("client 2")),
        "{not_ours:?}"
    );
    let mut stream = ours.events(None);
    assert!(matches!(next(&mut stream).await, Some(Ok(BrokerEvent::Order(_)))));
    double.act(&Act::Happen(Happening::Reject { order: our.broker_order_id.clone() })).unwrap();
    loop {
        let Some(Ok(BrokerEvent::Order(report))) = next(&mut stream).await else { continue };
        assert!(report.broker_order_id == our.broker_order_id || report.reason.is_none(), "{report:?}");
        if report.broker_order_id == our.broker_order_id && report.state == OrderState::Rejected {
            break;
        }
    }
    let open = ours.open_orders().await.unwrap();
    assert!(open.len() == 1 && open[0].broker_order_id == their.broker_order_id, "{open:?}");
    assert_eq!((open[0].state, open[0].reason.as_deref()), (OrderState::Accepted, None));
    assert_eq!(theirs.cancel(&their).await, CancelOutcome::Confirmed);
    assert_eq!(state(&ours, &their).await, OrderState::Canceled, "it was not theirs that was refused");
}

#[tokio::test]
async fn an_order_stays_what_it_was_when_its_change_is_refused_in_time_or_later() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let broker = client(&double, folder.path(), 1).await;
    let mut stream = broker.events(None);
    let there = place(&broker, &order("k", 5)).await;
    let fill = Happening::Fill { order: there.broker_order_id.clone(), quantity: Decimal::TWO, price: None };
    double.act(&Act::Happen(fill)).unwrap();
    while !matches!(next(&mut stream).await, Some(Ok(BrokerEvent::Fill { .. }))) {}
    // So many are filled already.
    let change = OrderChange { quantity: Some(Decimal::ONE), ..OrderChange::default() };
    let refused = broker.replace(&there, &change).await;
    assert!(matches!(refused, ReplaceOutcome::Rejected { .. }), "{refused:?}");
    assert_eq!(state(&broker, &there).await, OrderState::PartiallyFilled);
    // The refusal comes after the call has given up.
    let late = CallFault::Late { by_millis: 2_500 };
    double.act(&Act::Call { call: Call::Replace, fault: late, times: 1 }).unwrap();
    let change = OrderChange { quantity: Some(Decimal::TWO), ..OrderChange::default() };
    let unknown = broker.replace(&there, &change).await;
    assert!(matches!(unknown, ReplaceOutcome::Unknown { .. }), "{unknown:?}");
    // The stream has heard it once it has heard what comes after it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fill = Happening::Fill { order: there.broker_order_id.clone(), quantity: Decimal::ONE, price: None };
    double.act(&Act::Happen(fill)).unwrap();
    while !matches!(next(&mut stream).await, Some(Ok(BrokerEvent::Fill { .. }))) {}
    assert_eq!(state(&broker, &there).await, OrderState::PartiallyFilled);
    double.act(&Act::Happen(Happening::Cancel { order: there.broker_order_id.clone() })).unwrap();
    loop {
        let Some(Ok(BrokerEvent::Order(report))) = next(&mut stream).await else { continue };
        assert_ne!(report.state, OrderState::Rejected, "{report:?}");
        if report.state == OrderState::Canceled {
            break;
        }
    }
}

#[tokio::test]
async fn what_may_be_there_is_never_not_sent() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let broker = client(&double, folder.path(), 1).await;
    let (sent, other) = (order("k", 5), order("k", 6));
    place(&broker, &sent).await;
    // The key with another content: it was not sent, and the key's order is live.
    let changed = broker.submit(&other).await;
    assert!(matches!(&changed, SubmitOutcome::Unknown { cause } if cause.contains("another")), "{changed:?}");
    assert_eq!(double.orders().len(), 1);
    assert_eq!(double.orders()[0].quantity, Decimal::from(5));
    double.act(&Act::Outage(true)).unwrap();
    let unknown = |outcome: SubmitOutcome| matches!(outcome, SubmitOutcome::Unknown { .. });
    let not_sent = |outcome: SubmitOutcome| matches!(outcome, SubmitOutcome::NotSent { .. });
    assert!(unknown(broker.submit(&sent).await));
    assert!(not_sent(broker.submit(&order("new", 5)).await));
    assert!(not_sent(broker.submit(&order("new", 5)).await), "it was not sent before either");
    drop(broker);
    // A process after it, which knows by what it was told of, or by the account's memory.
    let account = double_account(&double, folder.path());
    let after = |account: Option<&str>| {
        let broker = process(&double, folder.path(), |config| config.account = account.map(Into::into));
        async move { (broker.connect().await.unwrap_err(), broker).1 }
    };
    let recalled = after(None).await;
    recalled.recall(std::slice::from_ref(&sent));
    assert!(unknown(recalled.submit(&sent).await));
    let named = after(Some(&account)).await;
    assert!(unknown(named.submit(&sent).await));
    assert!(not_sent(named.submit(&order("new", 5)).await));
    double.act(&Act::Outage(false)).unwrap();
    until_connected(&named).await;
    assert!(matches!(named.submit(&sent).await, SubmitOutcome::Accepted(_)));
    assert_eq!(double.orders().len(), 1);
}

#[tokio::test]
async fn an_order_that_was_recalled_is_looked_for_although_its_number_was_lost() {
    let (double, folder, empty) = (start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sent = order("k", 5);
    let before = client(&double, folder.path(), 1).await;
    let there = place(&before, &sent).await;
    before.close().await.unwrap();
    let broker = client(&double, empty.path(), 1).await;
    broker.recall(std::slice::from_ref(&sent));
    double.act(&Act::Outage(true)).unwrap();
    let unknown = broker.submit(&sent).await;
    assert!(matches!(unknown, SubmitOutcome::Unknown { .. }), "{unknown:?}");
    double.act(&Act::Outage(false)).unwrap();
    until_connected(&broker).await;
    assert_eq!(place(&broker, &sent).await.broker_order_id, there.broker_order_id);
    assert_eq!(double.orders().len(), 1);
}

#[tokio::test]
async fn an_order_that_got_no_number_was_not_sent() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let broker = client(&double, folder.path(), 1).await;
    place(&broker, &order("first", 5)).await;
    let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let is_next = |path: &std::path::PathBuf| {
        let path = path.to_string_lossy();
        path.contains("-1-next") && !path.ends_with(".lock")
    };
    let next_number = entries.into_iter().find(is_next).unwrap();
    let right = std::fs::read(&next_number).unwrap();
    std::fs::write(&next_number, "?").unwrap();
    let not_sent = |outcome: SubmitOutcome| matches!(outcome, SubmitOutcome::NotSent { .. });
    assert!(not_sent(broker.submit(&order("k", 5)).await));
    std::fs::write(&next_number, right).unwrap();
    double.act(&Act::Outage(true)).unwrap();
    // The connection is known to be lost then.
    broker.account().await.unwrap_err();
    assert!(not_sent(broker.submit(&order("k", 5)).await));
}

/// The double needs a moment to listen again.
async fn until_connected(broker: &Ibkr) {
    for _ in 0..100 {
        if broker.connect().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    broker.connect().await.unwrap();
}

/// The account's number, by the name of what is remembered of its orders.
fn double_account(double: &Double, state: &Path) -> String {
    let names =
        std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.collect();
    assert!(!double.orders().is_empty());
    let next = names.iter().find_map(|name| name.split_once("-1-next")).unwrap().0;
    next.to_ascii_uppercase()
}

#[tokio::test]
async fn a_cursor_from_before_what_tws_surely_has_begins_with_a_gap() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let yesterday = SystemClock.now().nanos() - 25 * 3_600_000_000_000;
    let yesterday = mts_foundation::Timestamp::from_nanos(yesterday);
    let cursor = || Some(Cursor::new(yesterday.to_string()).unwrap());
    let broker = client(&double, folder.path(), 1).await;
    let mut stream = broker.events(cursor());
    let first = next(&mut stream).await;
    let Some(Ok(BrokerEvent::Gap { from, to, recoverable: false })) = first else { panic!("{first:?}") };
    assert!(from == yesterday && to > from && to <= SystemClock.now(), "{from} {to}");
    drop(stream);
    // Nobody listened for a while, though over the same connection.
    let mut stream = broker.events(cursor());
    let again = next(&mut stream).await;
    assert!(matches!(&again, Some(Ok(BrokerEvent::Gap { from, .. })) if *from == yesterday), "{again:?}");
    drop(stream);
    // TWS's own trade log shows more.
    broker.close().await.unwrap();
    let broker = process(&double, folder.path(), |config| config.history_days = 7);
    broker.connect().await.unwrap();
    let mut stream = broker.events(cursor());
    let (listened, _) = tokio::join!(next(&mut stream), async {
        let there = place(&broker, &order("k", 5)).await;
        let fill = Happening::Fill { order: there.broker_order_id, quantity: Decimal::TWO, price: None };
        double.act(&Act::Happen(fill)).unwrap();
    });
    assert!(!matches!(listened, Some(Ok(BrokerEvent::Gap { .. }))), "{listened:?}");
}

#[tokio::test]
async fn the_gap_is_told_once_and_not_at_every_look() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let broker = process(&double, folder.path(), |config| config.look_every_ms = 200);
    broker.connect().await.unwrap();
    fill_for_nothing(&double, &place(&broker, &order("k", 5)).await);
    let yesterday = SystemClock.now().nanos() - 25 * 3_600_000_000_000;
    let yesterday = mts_foundation::Timestamp::from_nanos(yesterday).to_string();
    let mut stream = broker.events(Some(Cursor::new(yesterday).unwrap()));
    // What TWS may have forgotten, and the trade.
    for _ in 0..2 {
        assert!(matches!(next(&mut stream).await, Some(Ok(BrokerEvent::Gap { .. }))));
    }
    // Several looks go by.
    let again = async {
        while let Some(event) = next(&mut stream).await {
            assert!(!matches!(event, Ok(BrokerEvent::Gap { .. })), "{event:?}");
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(2), again).await.is_err(), "the stream has ended");
}

/// A trade that no fill can be made of.
fn fill_for_nothing(double: &Double, order: &BrokerOrderRef) {
    let (order, price) = (order.broker_order_id.clone(), Some(Decimal::ZERO));
    double.act(&Act::Happen(Happening::Fill { order, quantity: Decimal::ONE, price })).unwrap();
}

/// Between a client and the double: the account's currency is another one than that of costs.
async fn in_euros(double: &Double) -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let there = (double.endpoints()["host"].clone(), double.endpoints()["port"].parse::<u16>().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(venue) = tokio::net::TcpStream::connect(there.clone()).await else { return };
            tokio::spawn(async move {
                let ((mut asks, mut hears), (mut says, mut takes)) =
                    (client.into_split(), venue.into_split());
                let said = async {
                    while let Ok(length) = says.read_u32().await {
                        let mut frame = vec![0; usize::try_from(length).unwrap()];
                        says.read_exact(&mut frame).await?;
                        let has_balances = frame.windows(14).any(|word| word == b"NetLiquidation");
                        if has_balances && let Some(at) = frame.windows(3).position(|word| word == b"USD") {
                            frame[at..at + 3].copy_from_slice(b"EUR");
                        }
                        hears.write_u32(length).await?;
                        hears.write_all(&frame).await?;
                    }
                    std::io::Result::Ok(())
                };
                // The end of one way is the end of both.
                tokio::select! {
                    _ = said => {}
                    _ = tokio::io::copy(&mut asks, &mut takes) => {}
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn what_was_not_told_as_a_rate_was_missing_is_told_later() {
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let port = in_euros(&double).await;
    let broker = process(&double, folder.path(), |config| {
        (config.port, config.history_days) = (Some(port), 7);
    });
    broker.connect().await.unwrap();
    assert_eq!(broker.account().await.unwrap().base_currency.as_str(), "EUR");
    let (strange, there) = (place(&broker, &order("a", 5)).await, place(&broker, &order("b", 5)).await);
    let mut stream = broker.events(None);
    assert!(matches!(next(&mut stream).await, Some(Ok(BrokerEvent::Order(_)))));
    drop(stream);
    let began = Cursor::new(SystemClock.now().to_string()).unwrap();
    // The first trade costs nothing yet, and nobody knows what the second one's cost is worth.
    double.act(&Act::FeesLate(3_600_000)).unwrap();
    fill_for_nothing(&double, &strange);
    double.act(&Act::FeesLate(0)).unwrap();
    let fill = Happening::Fill { order: there.broker_order_id, quantity: Decimal::ONE, price: None };
    double.act(&Act::Happen(fill)).unwrap();
    double.act(&Act::Call { call: Call::Account, fault: CallFault::NotRead, times: 1 }).unwrap();
    let mut stream = broker.events(Some(began.clone()));
    let failed = next(&mut stream).await;
    assert!(matches!(failed, Some(Err(_))), "{failed:?}");
    drop(stream);
    let mut stream = broker.events(Some(began));
    let first = next(&mut stream).await;
    assert!(matches!(first, Some(Ok(BrokerEvent::Gap { .. }))), "{first:?}");
    let second = next(&mut stream).await;
    assert!(matches!(second, Some(Ok(BrokerEvent::Fill { .. }))), "{second:?}");
}

/// More is told than the library keeps for one who does not listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_hears_of_it_and_finds_everything_in_the_history() {
    const FILLS: i64 = 3_000;
    let (double, folder) = (start(), tempfile::tempdir().unwrap());
    let broker = client(&double, folder.path(), 1).await;
    let there = place(&broker, &order("k", FILLS)).await;
    let mut stream = broker.events(None);
    assert!(matches!(next(&mut stream).await, Some(Ok(BrokerEvent::Order(_)))));
    for _ in 0..FILLS {
        let fill =
            Happening::Fill { order: there.broker_order_id.clone(), quantity: Decimal::ONE, price: None };
        double.act(&Act::Happen(fill)).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut error = None;
    while let Some(event) = next(&mut stream).await {
        error = event.err().or(error);
    }
    assert!(error.as_ref().is_some_and(|error| error.contains("dropped")), "{error:?}");
    drop(stream);
    let mut stream = broker.events(None);
    let mut fills = std::collections::BTreeSet::new();
    while i64::try_from(fills.len()).unwrap() < FILLS {
        match next(&mut stream).await {
            Some(Ok(BrokerEvent::Fill { fill, .. })) => drop(fills.insert(fill.fill_id)),
            Some(Ok(_)) => {}
            // What is still under way of so much may be too much again.
            Some(Err(_)) | None => stream = broker.events(None),
        }
    }
}
