//! Exchanges with streams: Binance, OKX, Coinbase.

use super::web::{MINUTE, Reply, Web, bars, ends, gaps, health, ids, millis, named, stop};
use super::world::{Fake, SECOND, Speech, ms, wall};
use mts_foundation::market_data::{DataFeed, MarketEvent};
use mts_foundation::{Decimal, Interval};
use mts_marketdata::feeds::{CryptoConfig, CryptoFeed};
use std::sync::Arc;
use std::time::Duration;

fn feed(config: &CryptoConfig, web: &Arc<Web>) -> CryptoFeed {
    CryptoFeed::new(config, &web.parts()).unwrap()
}

fn prints(exchange: &str, symbol: &str) -> CryptoConfig {
    CryptoConfig { stream_trades: true, stream_ohlcv: false, ..CryptoConfig::new(exchange, [named(symbol)]) }
}

fn nobody(address: &str, _: Duration) -> Reply {
    panic!("{address} was asked")
}

/// A candle of Binance as it stands.
fn kline(minute: u32, close: u32, is_closed: bool) -> String {
    let (start, end) = (millis(MINUTE * minute), millis(MINUTE * (minute + 1)) - 1);
    format!(
        r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{end},"s":"BTCUSDT","k":{{"t":{start},"T":{end},"s":"BTCUSDT","i":"1m","o":"100","c":"{close}","h":"900","l":"50","v":"3","n":9,"x":{is_closed},"q":"300"}}}}}}"#
    )
}

#[test]
fn a_stream_does_not_hand_out_partial_candle_updates() {
    let web = Web::new(nobody);
    for minute in 0..5 {
        let at = MINUTE * minute;
        let mut venue = web.world.venue();
        for second in (2..60).step_by(2) {
            venue.says.push_back((at + SECOND * second, kline(minute, 100 + second, false)));
        }
        for _ in 0..2 {
            venue.says.push_back((at + MINUTE + ms(50), kline(minute, 500 + minute, true)));
        }
    }
    let mut feed = feed(&CryptoConfig::new("binance", [named("BTC-USDT")]), &web);
    let events = web.run(&mut feed, 5 * MINUTE + 30 * SECOND);
    let bars = bars(&events);
    assert_eq!(ends(&bars), [1, 2, 3, 4, 5]);
    for (place, (at, bar)) in bars.iter().enumerate() {
        assert_eq!((bar.close, bar.interval), (Decimal::from(500 + place), Interval::MINUTE));
        assert!(wall(*at).since(bar.timestamp) < 2 * SECOND, "the last of an instant waits for nobody");
    }
    assert!(gaps(&events).is_empty() && health(&events).is_empty(), "{events:?}");
}

#[test]
fn missed_prints_are_those_of_the_stream() {
    // Binance's raw trades have the ids of its stream; those that it sums up have others and are not asked for.
    let world = Fake::new(Speech::Binance);
    world.venue().never_sent.extend([50, 51, 52]);
    let past = world.clone();
    let history = move |address: &str, _: Duration| {
        assert!(
            address.starts_with("https://api.binance.com/api/v3/trades?symbol=BTCUSDT&limit=1000"),
            "{address}"
        );
        let row = |trade: &mts_foundation::Trade| {
            let time = trade.timestamp.nanos() / 1_000_000;
            format!(
                r#"{{"id":{},"price":"{}","qty":"1","time":{time},"isBuyerMaker":true}}"#,
                trade.trade_id, trade.price
            )
        };
        let rows: Vec<String> = past.venue().prints.iter().map(row).collect();
        Reply::Is(format!("[{}]", rows.join(",")))
    };
    let web = Web::of(world, history);
    let events = web.run(&mut feed(&prints("binance", "BTC-USDT"), &web), 20 * SECOND);
    let ids = ids(&events);
    assert!(ids.len() > 190 && ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    assert!(gaps(&events).is_empty() && web.count("/trades") >= 1);
}

#[test]
fn a_history_with_other_ids_is_not_asked_and_a_gap_is_said() {
    // OKX's stream sums up what its requests tell one by one.
    let world = Fake::new(Speech::Okx);
    world.venue().next_cut = 10 * SECOND;
    let web = Web::of(world, nobody);
    let events = web.run(&mut feed(&prints("okx", "BTC-USDT"), &web), 30 * SECOND);
    assert_eq!(gaps(&events).len(), 1, "{:?}", gaps(&events));
    assert!(events.iter().filter(|(_, event)| matches!(event, MarketEvent::Trade(_))).count() > 250);
}

#[test]
fn an_exchange_without_bars_has_them_of_its_prints() {
    let web = Web::new(|_, _| Reply::Is("[]".to_owned()));
    {
        let mut venue = web.world.venue();
        venue.acks = false;
        let ack = r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]}]}"#;
        venue.says.push_back((ms(100), ack.to_owned()));
        for number in 1..500_u32 {
            let at = SECOND * number;
            let time = wall(at);
            let price = 100 + number % 60;
            venue.says.push_back((
                at,
                format!(
                    r#"{{"type":"match","trade_id":{number},"product_id":"BTC-USD","price":"{price}","size":"2","side":"sell","time":"{time}","sequence":{number}}}"#
                ),
            ));
        }
    }
    let config = CryptoConfig::new("coinbase", [named("BTC-USD")]);
    let events = web.run(&mut feed(&config, &web), 5 * MINUTE + 30 * SECOND);
    let bars = bars(&events);
    // The first minute had begun.
    assert_eq!(ends(&bars), [2, 3, 4, 5], "{events:?}");
    for (_, bar) in &bars {
        let expected = (100.into(), 159.into(), 100.into(), 159.into(), 120.into());
        assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.volume), expected);
    }
    assert!(events.iter().all(|(_, event)| !matches!(event, MarketEvent::Trade(_))));
}

#[test]
fn prints_and_bars_come_by_a_connection_each() {
    let world = Fake::new(Speech::Binance);
    let web = Web::of(world, |_, _| Reply::Is("[]".to_owned()));
    let config = CryptoConfig { stream_trades: true, ..CryptoConfig::new("binance", [named("BTC-USDT")]) };
    let mut feed = feed(&config, &web);
    for minute in 0..2 {
        web.world.venue().says.push_back((MINUTE * (minute + 1) + ms(50), kline(minute, 500 + minute, true)));
    }
    let events = web.run(&mut feed, 2 * MINUTE + 10 * SECOND);
    let all = ids(&events);
    assert!(all.len() > 1_200 && all.windows(2).all(|pair| pair[1] == pair[0] + 1), "{}", all.len());
    assert_eq!(ends(&bars(&events)), [1, 2]);
    assert_eq!(web.world.venue().lines.len(), 2);
    assert_eq!((DataFeed::stats(&feed).symbols, DataFeed::name(&feed)), (1, "binance"));
    // Whoever stops closes the connections, and may do so twice.
    for _ in 0..2 {
        stop(&mut feed);
        assert!(web.world.venue().lines.is_empty());
    }
}

#[test]
fn spot_and_perpetual_futures_do_not_meet() {
    let web = Web::of(Fake::new(Speech::Binance), |_, _| Reply::Is("[]".to_owned()));
    let symbols = [named("BTC-USDT"), named("BTC-USDT-PERP")];
    let config =
        CryptoConfig { stream_trades: true, stream_ohlcv: false, ..CryptoConfig::new("binance", symbols) };
    let mut feed = feed(&config, &web);
    let events = web.run(&mut feed, 10 * SECOND);
    assert_eq!((web.world.venue().lines.len(), DataFeed::stats(&feed).symbols), (2, 2));
    let of = |name: &str| {
        let is =
            |event: &MarketEvent| matches!(event, MarketEvent::Trade(trade) if trade.symbol == named(name));
        events.iter().filter(|(_, event)| is(event)).count()
    };
    assert_eq!(of("BTC-USDT"), of("BTC-USDT-PERP"));
    assert!(of("BTC-USDT") > 90);
}
