//! Market data of Interactive Brokers against its double. Each defect of ml4t's `IBDataFeed` has a test here that it is absent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::market_data::{DataFeed, MarketData, MarketEvent, QuoteStream};
use mts_foundation::{Bar, Clock, Decimal, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::ibkr::{IbTicksConfig, IbTicksFeed, Ibkr, IbkrGateway, IbkrSettings};
use mts_transport::{SystemClock, TokioSleep};
use mts_venues::{Double, Options, Venue};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> Double {
    Venue::Ibkr.start(Options::new(Arc::new(SystemClock))).unwrap()
}

fn gateway(at: SocketAddr, client_id: i32) -> Arc<IbkrGateway> {
    let mut settings = IbkrSettings::default();
    settings.host = at.ip().to_string();
    settings.port = at.port();
    settings.client_id = client_id;
    settings.deadline_ms = 2_000;
    settings.beat_every_ms = 200;
    IbkrGateway::new(settings, Arc::new(SystemClock), Arc::new(TokioSleep)).unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn quote(double: &Double, name: &str, bid: &str, ask: &str) {
    double.quote(&Quote {
        symbol: symbol(name),
        bid: d(bid),
        ask: d(ask),
        bid_size: d("300"),
        ask_size: d("200"),
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    });
}

/// A moment ago, in whole milliseconds.
fn just_now() -> Timestamp {
    Timestamp::from_millis(SystemClock.now().nanos() / 1_000_000)
}

fn trade(double: &Double, name: &str, price: &str, size: &str) -> Timestamp {
    trades(double, name, price, &[size])
}

/// Trades that come at once, and their time.
fn trades(double: &Double, name: &str, price: &str, sizes: &[&str]) -> Timestamp {
    let timestamp = just_now();
    let trade = |size: &&str| {
        let (symbol, venue) = (symbol(name), VenueName::new("test").unwrap());
        Trade { trade_id: "".into(), symbol, price: d(price), size: d(size), venue, timestamp }
    };
    double.trades(&sizes.iter().map(trade).collect::<Vec<_>>());
    timestamp
}

async fn feed_of(at: SocketAddr, symbols: &[&str], change: impl FnOnce(&mut IbTicksConfig)) -> IbTicksFeed {
    let mut config = IbTicksConfig::of(symbols.iter().map(|name| symbol(name)).collect());
    config.tick_throttle_ms = 0;
    change(&mut config);
    let mut feed = IbTicksFeed::new(&config, gateway(at, 5)).unwrap();
    DataFeed::start(&mut feed).await.unwrap();
    feed
}

async fn next(feed: &mut IbTicksFeed) -> MarketEvent {
    let next = tokio::time::timeout(PATIENCE, DataFeed::next(feed)).await;
    next.expect("nothing came").unwrap().expect("the feed has ended")
}

/// All events up to the first one that fits, with it.
async fn until(feed: &mut IbTicksFeed, fits: impl Fn(&MarketEvent) -> bool) -> Vec<MarketEvent> {
    let mut heard = Vec::new();
    loop {
        heard.push(next(feed).await);
        if fits(heard.last().unwrap()) {
            return heard;
        }
    }
}

/// What comes for a while.
async fn for_a_while(feed: &mut IbTicksFeed, time: Duration) -> Vec<MarketEvent> {
    let mut heard = Vec::new();
    let end = tokio::time::Instant::now() + time;
    while let Ok(event) = tokio::time::timeout_at(end, DataFeed::next(feed)).await {
        heard.push(event.unwrap().unwrap());
    }
    heard
}

fn is_quote(event: &MarketEvent, name: &str, bid: &str) -> bool {
    matches!(event, MarketEvent::Quote(quote) if quote.symbol.as_str() == name && quote.bid == d(bid))
}

/// Sizes of the prints of an instrument, summed up.
fn volume(events: &[MarketEvent], name: &str) -> Decimal {
    let sizes = events.iter().filter_map(|event| match event {
        MarketEvent::Trade(trade) if trade.symbol.as_str() == name => Some(trade.size),
        _ => None,
    });
    sizes.sum()
}

/// The changes of health.
fn health(events: &[MarketEvent]) -> Vec<&'static str> {
    let name = |event: &MarketEvent| match event {
        MarketEvent::Stale { .. } => Some("stale"),
        MarketEvent::Recovered { .. } => Some("recovered"),
        MarketEvent::Gap { .. } => Some("gap"),
        MarketEvent::Fatal { .. } => Some("fatal"),
        _ => None,
    };
    events.iter().filter_map(name).collect()
}

const GAP: fn(&MarketEvent) -> bool = |event| matches!(event, MarketEvent::Gap { .. });

#[tokio::test]
async fn the_throttle_of_one_symbol_holds_back_no_tick_of_another() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    quote(&double, "MSFT", "400", "400.1");
    let mut feed =
        feed_of(double.address(), &["AAPL", "MSFT"], |config| config.tick_throttle_ms = 1_000).await;
    until(&mut feed, |event| is_quote(event, "AAPL", "180")).await;
    // Both symbols have just been told of: these come when their time is over, the last of each.
    quote(&double, "AAPL", "181", "181.1");
    tokio::time::sleep(Duration::from_millis(100)).await;
    quote(&double, "AAPL", "182", "182.1");
    quote(&double, "MSFT", "401", "401.1");
    for size in ["3", "4", "5"] {
        trade(&double, "AAPL", "182", size);
        trade(&double, "MSFT", "401", size);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let heard = for_a_while(&mut feed, Duration::from_millis(2_500)).await;
    assert!(heard.iter().any(|event| is_quote(event, "AAPL", "182")), "{heard:?}");
    assert!(heard.iter().any(|event| is_quote(event, "MSFT", "401")), "{heard:?}");
    assert_eq!((volume(&heard, "AAPL"), volume(&heard, "MSFT")), (d("12"), d("12")), "{heard:?}");
    let stats = DataFeed::stats(&feed);
    assert!(stats.running && stats.symbols == 2 && stats.throttled > 0 && stats.ticks > 4, "{stats:?}");
}

#[tokio::test]
async fn volume_does_not_count_again_when_sides_change() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    trade(&double, "AAPL", "180", "1000");
    let mut feed = feed_of(double.address(), &["AAPL"], |_| {}).await;
    until(&mut feed, |event| is_quote(event, "AAPL", "180")).await;
    let time = trade(&double, "AAPL", "180.05", "7");
    let heard = until(&mut feed, |event| matches!(event, MarketEvent::Trade(_))).await;
    let Some(MarketEvent::Trade(print)) = heard.last() else { panic!() };
    assert_eq!((print.price, print.size), (d("180.05"), d("7")), "what was before is no trade of ours");
    assert_eq!(print.timestamp, time, "the exchange's time, not that of this machine");
    for cents in 1..=9 {
        quote(&double, "AAPL", &format!("180.0{cents}"), "180.1");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard = for_a_while(&mut feed, Duration::from_millis(500)).await;
    assert_eq!(volume(&heard, "AAPL"), Decimal::ZERO, "{heard:?}");
    assert!(is_quote(heard.last().unwrap(), "AAPL", "180.09"));
    // Trades that come to one tick count all.
    trades(&double, "AAPL", "180.05", &["1", "2", "3"]);
    let heard = for_a_while(&mut feed, Duration::from_millis(500)).await;
    assert_eq!(volume(&heard, "AAPL"), d("6"), "{heard:?}");
}

#[tokio::test]
async fn a_symbol_without_prices_yet_loses_no_tick() {
    let double = start();
    let mut feed = feed_of(double.address(), &["AAPL"], |_| {}).await;
    assert!(for_a_while(&mut feed, Duration::from_millis(300)).await.is_empty());
    trade(&double, "AAPL", "180", "5");
    let MarketEvent::Trade(print) = next(&mut feed).await else { panic!() };
    assert_eq!(print.size, d("5"));
    quote(&double, "AAPL", "179.9", "180.1");
    let before = SystemClock.now();
    let heard = until(&mut feed, |event| is_quote(event, "AAPL", "179.9")).await;
    let Some(MarketEvent::Quote(quote)) = heard.last() else { panic!() };
    assert_eq!((quote.bid_size, quote.ask_size, quote.venue.as_str()), (d("300"), d("200"), "ibkr"));
    assert!(quote.timestamp.plus(Duration::from_secs(1)) > before, "UTC: {}", quote.timestamp);
}

#[tokio::test]
async fn a_lost_connection_is_made_again_with_all_symbols() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    quote(&double, "MSFT", "400", "400.1");
    let mut feed = feed_of(double.address(), &["AAPL", "MSFT"], |_| {}).await;
    until(&mut feed, |event| is_quote(event, "MSFT", "400")).await;
    double.act(&Act::Stream(StreamFault::Cut)).unwrap();
    let heard = until(&mut feed, GAP).await;
    assert_eq!(health(&heard), ["stale", "recovered", "gap"]);
    quote(&double, "AAPL", "181", "181.1");
    quote(&double, "MSFT", "401", "401.1");
    let heard = for_a_while(&mut feed, Duration::from_millis(700)).await;
    let both = [("AAPL", "181"), ("MSFT", "401")];
    assert!(both.iter().all(|(name, bid)| heard.iter().any(|event| is_quote(event, name, bid))), "{heard:?}");
    // Away for longer.
    double.act(&Act::Outage(true)).unwrap();
    let heard = until(&mut feed, |event| matches!(event, MarketEvent::Stale { .. })).await;
    assert_eq!(health(&heard), ["stale"]);
    trade(&double, "AAPL", "181", "9");
    tokio::time::sleep(Duration::from_secs(1)).await;
    double.act(&Act::Outage(false)).unwrap();
    let heard = until(&mut feed, GAP).await;
    assert_eq!(health(&heard), ["recovered", "gap"], "one loss however many attempts");
    trade(&double, "AAPL", "181", "2");
    let heard = for_a_while(&mut feed, Duration::from_millis(500)).await;
    assert_eq!(volume(&heard, "AAPL"), d("2"), "what was missed is a gap and no print of now");
}

#[tokio::test]
async fn start_and_stop_do_nothing_the_second_time() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    let mut feed = feed_of(double.address(), &["AAPL"], |_| {}).await;
    DataFeed::start(&mut feed).await.unwrap();
    until(&mut feed, |event| is_quote(event, "AAPL", "180")).await;
    assert_eq!((double.calls(Call::Prices), double.streams()), (1, 1));
    for _ in 0..2 {
        DataFeed::stop(&mut feed).await.unwrap();
        assert!(!DataFeed::stats(&feed).running);
        assert_eq!(DataFeed::next(&mut feed).await.unwrap(), None);
    }
    DataFeed::start(&mut feed).await.unwrap();
    let heard = until(&mut feed, GAP).await;
    assert_eq!(health(&heard), ["recovered", "gap"], "what was missed meanwhile");
    quote(&double, "AAPL", "181", "181.1");
    until(&mut feed, |event| is_quote(event, "AAPL", "181")).await;
    assert_eq!(double.streams(), 1, "the same connection");
    drop(feed);
    for _ in 0..200 {
        if double.streams() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the connection of a feed that is gone stays open");
}

#[tokio::test]
async fn a_symbol_that_is_refused_does_not_end_the_others() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    let mut feed = feed_of(double.address(), &["AAPL", "NOPE"], |_| {}).await;
    let heard = for_a_while(&mut feed, Duration::from_millis(500)).await;
    assert!(heard.iter().any(|event| is_quote(event, "AAPL", "180")) && health(&heard).is_empty());
    let complaints = feed.complaints();
    assert!(complaints.len() == 1 && complaints[0].starts_with("NOPE: code 200"), "{complaints:?}");
    quote(&double, "AAPL", "181", "181.1");
    until(&mut feed, |event| is_quote(event, "AAPL", "181")).await;
    let mut nothing =
        IbTicksFeed::new(&IbTicksConfig::of(vec![symbol("NOPE")]), gateway(double.address(), 6)).unwrap();
    DataFeed::start(&mut nothing).await.unwrap();
    let MarketEvent::Fatal { message, .. } = next(&mut nothing).await else { panic!() };
    assert!(message.contains("code 200"), "{message}");
    // No subscription to prices.
    let unpaid = CallFault::NotAuthorised;
    double.act(&Act::Call { call: Call::Prices, fault: unpaid, times: 1 }).unwrap();
    let mut unpaid = feed_of_id(&double, 7).await;
    let MarketEvent::Fatal { message, .. } = next(&mut unpaid).await else { panic!() };
    assert!(message.contains("code 354") && message.contains("subscribe to it"), "{message}");
}

async fn feed_of_id(double: &Double, id: i32) -> IbTicksFeed {
    let config = IbTicksConfig::of(vec![symbol("AAPL")]);
    let mut feed = IbTicksFeed::new(&config, gateway(double.address(), id)).unwrap();
    DataFeed::start(&mut feed).await.unwrap();
    feed
}

#[tokio::test]
async fn ticks_come_one_by_one_where_they_are_wanted() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    let mut feed = feed_of(double.address(), &["AAPL"], |config| config.tick_by_tick = true).await;
    until(&mut feed, |event| is_quote(event, "AAPL", "180")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    trades(&double, "AAPL", "180.05", &["1", "2", "3"]);
    let heard = for_a_while(&mut feed, Duration::from_millis(500)).await;
    let prints: Vec<_> = heard.iter().filter(|event| matches!(event, MarketEvent::Trade(_))).collect();
    assert_eq!((prints.len(), volume(&heard, "AAPL")), (3, d("6")), "{heard:?}");
}

/// Between a client and the double: passes everything on, and says what TWS says of itself, or nothing.
struct Proxy {
    address: SocketAddr,
    clients: Arc<Mutex<Vec<TcpStream>>>,
    silent: Arc<AtomicBool>,
}

impl Proxy {
    fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (clients, silent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let proxy = Self { address, clients: Arc::clone(&clients), silent: Arc::clone(&silent) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(to).unwrap();
                let (mut from, mut into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let mut known = clients.lock().unwrap();
                let place = known.len();
                known.push(client);
                drop(known);
                std::thread::spawn(move || {
                    let mut buffer = [0; 4_096];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        if into.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    drop(into.shutdown(Shutdown::Both));
                });
                let (all, silent, mut server) = (Arc::clone(&clients), Arc::clone(&silent), server);
                std::thread::spawn(move || {
                    let mut length = [0; 4];
                    while server.read_exact(&mut length).is_ok() {
                        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
                        if server.read_exact(&mut body).is_err() {
                            break;
                        }
                        let mut all = all.lock().unwrap();
                        if !silent.load(Ordering::SeqCst)
                            && all[place].write_all(&[&length[..], &body].concat()).is_err()
                        {
                            break;
                        }
                    }
                    drop(all.lock().unwrap()[place].shutdown(Shutdown::Both));
                });
            }
        });
        proxy
    }

    /// A notice of TWS; -1 = about no request.
    fn say(&self, id: i64, code: u64, message: &str) {
        let mut body = vec![0, 0, 0, 204, 0x08];
        varint(id.cast_unsigned(), &mut body);
        body.push(0x18);
        varint(code, &mut body);
        body.push(0x22);
        varint(message.len() as u64, &mut body);
        body.extend(message.as_bytes());
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let mut clients = self.clients.lock().unwrap();
        clients.last_mut().unwrap().write_all(&[&length[..], &body].concat()).unwrap();
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[tokio::test]
async fn prices_are_stale_while_tws_has_lost_the_venue_or_a_farm() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    let proxy = Proxy::new(double.address());
    let mut feed = feed_of(proxy.address, &["AAPL"], |_| {}).await;
    until(&mut feed, |event| is_quote(event, "AAPL", "180")).await;
    let quiet = for_a_while(&mut feed, Duration::from_millis(300)).await;
    assert!(quiet.is_empty(), "that farms are well is said at the start, and is no news: {quiet:?}");
    for (broken, back) in [
        ((1_100, "Connectivity has been lost."), (1_102, "restored - data maintained.")),
        (
            (2_103, "Market data farm connection is broken:usfarm"),
            (2_104, "Market data farm connection is OK:usfarm"),
        ),
    ] {
        proxy.say(-1, broken.0, broken.1);
        assert!(matches!(next(&mut feed).await, MarketEvent::Stale { .. }), "{broken:?}");
        proxy.say(-1, back.0, back.1);
        assert_eq!(health(&until(&mut feed, GAP).await), ["recovered", "gap"], "{back:?}");
    }
    assert_eq!(double.calls(Call::Prices), 1, "TWS has kept the subscription");
    proxy.say(-1, 1_100, "Connectivity has been lost.");
    proxy.say(-1, 1_101, "restored - data lost.");
    assert_eq!(health(&until(&mut feed, GAP).await), ["stale", "recovered", "gap"]);
    assert_eq!(double.calls(Call::Prices), 2, "it was asked for again");
    quote(&double, "AAPL", "181", "181.1");
    until(&mut feed, |event| is_quote(event, "AAPL", "181")).await;
}

#[tokio::test]
async fn a_tws_that_says_nothing_any_more_is_noticed() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    let proxy = Proxy::new(double.address());
    let mut feed = feed_of(proxy.address, &["AAPL"], |_| {}).await;
    until(&mut feed, |event| is_quote(event, "AAPL", "180")).await;
    assert!(for_a_while(&mut feed, Duration::from_secs(1)).await.is_empty(), "a quiet market is no loss");
    proxy.silent.store(true, Ordering::SeqCst);
    assert!(matches!(next(&mut feed).await, MarketEvent::Stale { .. }));
    proxy.silent.store(false, Ordering::SeqCst);
    assert_eq!(health(&until(&mut feed, GAP).await), ["recovered", "gap"]);
    quote(&double, "AAPL", "181", "181.1");
    until(&mut feed, |event| is_quote(event, "AAPL", "181")).await;
}

#[tokio::test]
async fn a_symbol_that_another_session_has_is_stale_alone() {
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    quote(&double, "MSFT", "400", "400.1");
    let proxy = Proxy::new(double.address());
    let mut feed = feed_of(proxy.address, &["AAPL", "MSFT"], |_| {}).await;
    until(&mut feed, |event| is_quote(event, "MSFT", "400")).await;
    // The library numbers requests from here on; the first is that of the first symbol.
    proxy.say(1_500_000_000, 10_197, "No market data during competing live session");
    let heard = until(&mut feed, |event| matches!(event, MarketEvent::Stale { .. })).await;
    let Some(MarketEvent::Stale { symbols, .. }) = heard.last() else { panic!() };
    assert_eq!(symbols[..], [symbol("AAPL")]);
    assert!(feed.complaints()[0].contains("AAPL: code 10197"), "{:?}", feed.complaints());
    quote(&double, "MSFT", "401", "401.1");
    let heard = until(&mut feed, |event| is_quote(event, "MSFT", "401")).await;
    assert!(health(&heard).is_empty(), "AAPL is asked for again half a minute later: {heard:?}");
}

fn bar(name: &str, interval: &str, close: &str, end: Timestamp) -> Bar {
    let bar = Bar::close_only(symbol(name), interval.parse().unwrap(), d(close), end);
    Bar { volume: d("300"), vwap: Some(d(close)), n_trades: Some(3), close_only: false, ..bar }
}

#[tokio::test]
async fn bars_come_in_pages_and_have_their_end() {
    let double = start();
    let data = Ibkr::new(gateway(double.address(), 5)).unwrap();
    let aapl = symbol("AAPL");
    let minute = 60 * 1_000_000_000_i64;
    let newest = just_now().nanos() / minute * minute;
    // One in two hours, of three days: an answer holds one day.
    let ends: Vec<Timestamp> =
        (0..36).rev().map(|step| Timestamp::from_nanos(newest - step * 120 * minute)).collect();
    for (place, end) in ends.iter().enumerate() {
        double.bars(&[bar("AAPL", "1m", &format!("18{place}"), *end)]);
    }
    let start = Timestamp::from_nanos(ends[0].nanos() - 1);
    let bars = data.bars(&aapl, "1m".parse().unwrap(), start, None).await.unwrap();
    assert_eq!(bars.iter().map(|bar| bar.timestamp).collect::<Vec<_>>(), ends);
    assert_eq!((bars[7].close, bars[7].volume, bars[7].n_trades), (d("187"), d("300"), Some(3)));
    assert!(bars.iter().all(|bar| !bar.partial && bar.interval.to_string() == "1m"));
    assert!((3..=6).contains(&double.calls(Call::Prices)), "{} pages", double.calls(Call::Prices));
    // Ends in (start, end].
    let some = data.bars(&aapl, "1m".parse().unwrap(), ends[3], Some(ends[5])).await.unwrap();
    assert_eq!(some.iter().map(|bar| bar.timestamp).collect::<Vec<_>>(), ends[4..=5]);
    let none = data.bars(&aapl, "5m".parse().unwrap(), ends[3], None).await.unwrap();
    assert!(none.is_empty(), "that there is no data is no error");

    let close = "2026-03-02T21:00:00Z".parse::<Timestamp>().unwrap();
    double.bars(&[bar("AAPL", "1d", "180", close)]);
    let (from, to) = ("2026-02-20T00:00:00Z".parse().unwrap(), "2026-03-03T00:00:00Z".parse().unwrap());
    let days = data.bars(&aapl, "1d".parse().unwrap(), from, Some(to)).await.unwrap();
    assert_eq!(days.iter().map(|bar| bar.timestamp).collect::<Vec<_>>(), [close], "at the session's close");

    let refused = |interval: &str, from: Timestamp| {
        let (data, aapl, interval) = (&data, &aapl, interval.parse().unwrap());
        async move { data.bars(aapl, interval, from, None).await.unwrap_err().to_string() }
    };
    assert!(refused("2h", ends[0]).await.contains("does not offer bars of 2h"));
    assert!(refused("5s", Timestamp::EPOCH).await.contains("180 days"));
    double
        .act(&Act::Call { call: Call::Prices, fault: CallFault::TooMany { retry_after: None }, times: 1 })
        .unwrap();
    let refusal = refused("1m", ends[30]).await;
    assert!(refusal.contains("code 162") && refusal.contains("wait ten minutes"), "{refusal}");
    let nope = data.bars(&symbol("NOPE"), "1m".parse().unwrap(), ends[0], None).await.unwrap_err();
    assert!(nope.to_string().contains("code 200"), "{nope}");
}

#[tokio::test]
async fn quotes_and_prints_of_the_past_are_told_on_request() {
    let double = start();
    let data = Ibkr::new(gateway(double.address(), 5)).unwrap();
    let aapl = symbol("AAPL");
    let none = data.quote(&aapl).await.unwrap_err().to_string();
    assert!(none.contains("AAPL has no bid and ask now"), "{none}");
    quote(&double, "AAPL", "179.99", "180.01");
    let told = data.quote(&aapl).await.unwrap();
    assert_eq!(
        (told.bid, told.ask, told.bid_size, told.ask_size),
        (d("179.99"), d("180.01"), d("300"), d("200"))
    );
    for (code, fault, name) in [("200", None, "NOPE"), ("354", Some(CallFault::NotAuthorised), "AAPL")] {
        if let Some(fault) = fault {
            double.act(&Act::Call { call: Call::Prices, fault, times: 1 }).unwrap();
        }
        let refusal = data.quote(&symbol(name)).await.unwrap_err().to_string();
        assert!(refusal.contains(&format!("code {code}")), "{refusal}");
    }
    let second = 1_000_000_000;
    let now = Timestamp::from_nanos(just_now().nanos() / second * second);
    let at = |back: i64| Timestamp::from_nanos(now.nanos() - back * second);
    let prints = [(9, "180", "1"), (6, "181", "2"), (6, "182", "3"), (2, "183", "4")];
    double.trades(&prints.map(|(back, price, size)| {
        let (venue, price, size) = (VenueName::new("test").unwrap(), d(price), d(size));
        Trade { trade_id: "".into(), symbol: aapl.clone(), price, size, venue, timestamp: at(back) }
    }));
    let told = data.trades(&aapl, at(5)).await.unwrap();
    let told: Vec<_> = told.iter().map(|print| (print.timestamp, print.price, print.size)).collect();
    let wanted = prints[..3].iter().map(|(back, price, size)| (at(*back), d(price), d(size)));
    assert_eq!(told, wanted.collect::<Vec<_>>(), "none that is later, in their order");
}

#[tokio::test]
async fn quotes_stream_over_the_same_connection() {
    async fn next(stream: &mut QuoteStream<'_>) -> Result<Quote, String> {
        let next = std::future::poll_fn(|context| stream.as_mut().poll_next(context));
        let quote = tokio::time::timeout(PATIENCE, next).await.unwrap().unwrap();
        quote.map_err(|error| error.to_string())
    }
    let double = start();
    quote(&double, "AAPL", "180", "180.1");
    let data = Ibkr::new(gateway(double.address(), 5)).unwrap();
    let mut stream = data.stream_quotes(&[symbol("AAPL")]);
    assert_eq!(next(&mut stream).await.unwrap().bid, d("180"));
    assert_eq!(data.quote(&symbol("AAPL")).await.unwrap().bid, d("180"));
    assert_eq!(double.streams(), 1);
    quote(&double, "AAPL", "181", "181.1");
    assert_eq!(next(&mut stream).await.unwrap().bid, d("181"));
    double.act(&Act::Stream(StreamFault::Cut)).unwrap();
    assert!(next(&mut stream).await.unwrap_err().contains("more may come"));
    assert_eq!(next(&mut stream).await.unwrap().bid, d("181"));
}
