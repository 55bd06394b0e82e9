//! OKX's perpetual futures: candles and funding rates.

use super::web::{MINUTE, Reply, Web, bars, ends, gaps, health, millis, named, number, stop};
use super::world::{SECOND, wall};
use mts_foundation::market_data::{DataFeed, MarketEvent};
use mts_foundation::{Decimal, FundingRate, Interval};
use mts_marketdata::feeds::{OkxFundingConfig, OkxFundingFeed};
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// Candles of a length as OKX tells them: newest first, at most so many, `confirm` a second after their end.
fn candles(address: &str, now: Duration, length: Duration) -> String {
    let step = i64::try_from(length.as_millis()).unwrap();
    let (before, after) = (number(address, "before").unwrap(), number(address, "after").unwrap());
    let now = millis(now);
    let first = (before.div_euclid(step) + 1) * step;
    let mut starts: Vec<i64> = (first..after.min(now)).step_by(usize::try_from(step).unwrap()).collect();
    starts.reverse();
    starts.truncate(usize::try_from(number(address, "limit").unwrap()).unwrap());
    let row = |start: &i64| {
        let is_final = now >= start + step + 1_000;
        let close = if is_final { 105 } else { 999 };
        format!(r#"["{start}","100","1000","90","{close}","700","7","70000","{}"]"#, u8::from(is_final))
    };
    let rows: Vec<String> = starts.iter().map(row).collect();
    format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, rows.join(","))
}

/// A funding rate, paid every four hours.
fn rate(now: Duration, next_rate: &str) -> String {
    let four = 4 * HOUR;
    let next = four * u32::try_from(now.as_secs() / four.as_secs() + 1).unwrap();
    let (due, after) = (millis(next), millis(next + four));
    let digits = now.as_secs() / four.as_secs() + 1;
    format!(
        r#"{{"code":"0","msg":"","data":[{{"instId":"BTC-USDT-SWAP","fundingRate":"0.000{digits}","fundingTime":"{due}","nextFundingRate":"{next_rate}","nextFundingTime":"{after}","method":"current_period"}}]}}"#
    )
}

fn okx(length: Duration) -> impl Fn(&str, Duration) -> Reply + Send + Sync + 'static {
    move |address, now| {
        assert!(
            address.contains("instId=BTC-USDT-SWAP") || address.contains("instId=ETH-USDT-SWAP"),
            "{address}"
        );
        if address.contains("/funding-rate") {
            return Reply::Is(rate(now, ""));
        }
        Reply::Is(candles(address, now, length))
    }
}

fn feed(web: &Arc<Web>, symbols: &[&str], timeframe: Interval) -> OkxFundingFeed {
    let config =
        OkxFundingConfig { timeframe, ..OkxFundingConfig::new(symbols.iter().map(|name| named(name))) };
    let parts = web.parts();
    OkxFundingFeed::new(config, parts.http, parts.clock, parts.sleep).unwrap()
}

fn funding(events: &[(Duration, MarketEvent)]) -> Vec<(Duration, MarketEvent)> {
    events.iter().filter(|(_, event)| matches!(event, MarketEvent::Funding(_))).cloned().collect()
}

#[test]
fn only_confirmed_candles_stamped_at_their_end() {
    let web = Web::new(okx(HOUR));
    let mut feed = feed(&web, &["BTC-USDT-PERP"], Interval::HOUR);
    let events = web.run(&mut feed, 5 * HOUR + 30 * MINUTE);
    let bars = bars(&events);
    assert_eq!(ends(&bars), [60, 120, 180, 240, 300]);
    for (at, bar) in &bars {
        // Volume in units of the base, not in contracts.
        assert_eq!((bar.close, bar.volume), (Decimal::from(105), Decimal::from(7)));
        let late = wall(*at).since(bar.timestamp);
        assert!(late >= SECOND && late < 5 * SECOND, "{late:?}");
    }
    assert!(gaps(&events).is_empty() && health(&events).is_empty(), "{:?}", health(&events));
    assert_eq!(OkxFundingConfig::new([]).poll_interval, 60 * SECOND);
}

#[test]
fn the_funding_interval_is_the_venues_and_never_a_fixed_eight_hours() {
    let web = Web::new(okx(HOUR));
    let events = web.run(&mut feed(&web, &["BTC-USDT-PERP"], Interval::HOUR), 9 * HOUR);
    let told = funding(&events);
    // Once for each of three periods, although it is asked for every minute.
    assert_eq!(told.len(), 3, "{told:?}");
    for (place, (_, event)) in told.iter().enumerate() {
        let MarketEvent::Funding(told) = event else { panic!() };
        let FundingRate { venue, symbol, rate, time, next_rate, next_time } = told;
        let periods = u32::try_from(place).unwrap() + 1;
        assert_eq!((venue.as_str(), symbol), ("okx", &named("BTC-USDT-PERP")));
        assert_eq!(*rate, Decimal::new(i64::from(periods), 4));
        assert_eq!((*time, *next_time), (wall(4 * HOUR * periods), Some(wall(4 * HOUR * (periods + 1)))));
        // `nextFundingRate` may be an empty text.
        assert_eq!(*next_rate, None);
    }
    assert!(matches!(events[0].1, MarketEvent::Funding(_)), "the first rate comes before the first bar");
    assert!((535..=545).contains(&web.count("/funding-rate")), "{}", web.count("/funding-rate"));
}

#[test]
fn a_rate_that_is_foretold_is_told() {
    let web = Web::new(|address, now| {
        let is_rate = address.contains("/funding-rate");
        Reply::Is(if is_rate { rate(now, "-0.00012345678901234567") } else { candles(address, now, HOUR) })
    });
    let events = web.run(&mut feed(&web, &["BTC-USDT-PERP"], Interval::HOUR), MINUTE);
    let MarketEvent::Funding(told) = &events[0].1 else { panic!("{events:?}") };
    assert_eq!(told.next_rate.unwrap().to_string(), "-0.00012345678901234567");
}

#[test]
fn missed_bars_are_backfilled_over_pages_and_errors_are_not_swallowed() {
    // OKX says for four hours and a half that it is asked too often: 270 minutes are missed, three pages of them.
    let (from, to) = (10 * MINUTE + 30 * SECOND, 280 * MINUTE + 30 * SECOND);
    let busy = move |address: &str, now: Duration| {
        if now >= from && now < to {
            return Reply::Is(r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#.to_owned());
        }
        okx(MINUTE)(address, now)
    };
    let web = Web::new(busy);
    let mut feed = feed(&web, &["BTC-USDT-PERP"], Interval::MINUTE);
    let events = web.run(&mut feed, 300 * MINUTE);
    assert_eq!(ends(&bars(&events)), (1..=299).collect::<Vec<_>>());
    assert!(gaps(&events).is_empty(), "{:?}", gaps(&events));
    let health = health(&events);
    assert_eq!(health.iter().map(|(_, good)| *good).collect::<Vec<_>>(), [false, true], "{health:?}");
    assert!(health[0].0 < 12 * MINUTE && health[1].0 < to + 2 * MINUTE, "{health:?}");
    assert!(events.iter().any(|(_, event)| matches!(event, MarketEvent::Backfilled { .. })));
    assert!(feed.polling().fault().unwrap().contains("50011") && feed.polling().counts().failed > 200);
    // It was not asked more often for it: the pauses grow to a minute.
    assert!(feed.polling().counts().failed < 600, "{:?}", feed.polling().counts());
}

#[test]
fn several_symbols_come_as_one_event_of_an_instant() {
    let web = Web::new(okx(HOUR));
    let mut feed = feed(&web, &["BTC-USDT-PERP", "ETH-USDT-PERP"], Interval::HOUR);
    let events = web.run(&mut feed, 3 * HOUR + MINUTE);
    let of = |(_, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Bars { bars, .. } => {
            Some(bars.iter().map(|bar| bar.symbol.to_string()).collect::<Vec<_>>())
        }
        _ => None,
    };
    let names: Vec<_> = events.iter().filter_map(of).collect();
    assert_eq!(names, vec![vec!["BTC-USDT-PERP", "ETH-USDT-PERP"]; 3]);
    assert_eq!(funding(&events).len(), 2);
}

#[test]
fn stop_ends_it() {
    let web = Web::new(okx(HOUR));
    let mut feed = feed(&web, &["BTC-USDT-PERP"], Interval::HOUR);
    web.run(&mut feed, HOUR + MINUTE);
    stop(&mut feed);
    stop(&mut feed);
    let asked = web.asked.lock().unwrap().len();
    assert_eq!(mts_foundation::ready::ready(DataFeed::next(&mut feed)).unwrap().unwrap(), None);
    assert_eq!(web.asked.lock().unwrap().len(), asked);
    assert!(asked > 60);
}

#[test]
fn only_perpetual_futures() {
    let web = Web::new(okx(HOUR));
    let parts = web.parts();
    for symbols in [vec![named("BTC-USDT")], Vec::new()] {
        let config = OkxFundingConfig::new(symbols);
        let made = OkxFundingFeed::new(config, parts.http.clone(), parts.clock.clone(), parts.sleep.clone());
        assert!(made.is_err());
    }
}
