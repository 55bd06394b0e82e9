use super::*;
use chrono_tz::America::New_York;
use chrono_tz::UTC;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Started on Monday, 2 March 2026, 15:00:30 UTC.
fn market(seed: u64) -> Market {
    let mut market = Market::new(seed);
    market.begin(at("2026-03-02T15:00:30Z"));
    market.begin(at("2027-03-02T15:00:30Z"));
    market
}

const NOW: &str = "2026-03-02T15:10:00Z";

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

#[test]
fn the_past_is_a_function_of_the_seed_and_the_instrument() {
    let all = |market: &Market, of: &str| market.prints(&symbol(of), Timestamp::EPOCH, at(NOW));
    let prints = all(&market(1), "BTC-USD");
    assert_eq!(prints, all(&market(1), "BTC-USD"));
    assert_ne!(prints, all(&market(2), "BTC-USD"));
    let other = all(&market(1), "ETH-USD");
    assert_ne!(prints[0].price, other[0].price);
    assert!(prints.len() > 10_000 && prints.len() < 40_000, "{}", prints.len());
    assert!(prints.windows(2).all(|two| two[0].time < two[1].time && two[0].id < two[1].id));
    assert!(
        prints[0].time > at("2026-02-20T15:00:00Z")
            && prints.last().unwrap().time < at("2026-03-02T15:00:00Z")
    );
    // Any part of it is the same as in the whole.
    let [from, to] = [prints[100].time, prints[200].time];
    assert_eq!(market(1).prints(&symbol("BTC-USD"), from, to), prints[100..=200]);
}

#[test]
fn shares_trade_in_the_sessions_of_new_york_alone() {
    let prints = market(1).prints(&symbol("AAPL"), Timestamp::EPOCH, at(NOW));
    let minute = |print: &Print| print.time.nanos().div_euclid(MINUTE) % 1_440;
    assert!(prints.iter().all(|print| (870..1_260).contains(&minute(print))));
    let days: std::collections::BTreeSet<_> =
        prints.iter().map(|print| print.time.to_datetime().date_naive()).collect();
    assert_eq!(days.len(), 7, "{days:?}");
}

#[test]
fn bars_of_every_length_hold_the_same_prints() {
    let market = market(1);
    let btc = symbol("BTC-USD");
    let prints = market.prints(&btc, Timestamp::EPOCH, at(NOW));
    let volume: Decimal = prints.iter().map(|print| print.size).sum();
    let highest = prints.iter().map(|print| print.price).max().unwrap();
    for (unit, count, zone) in [
        (Unit::Second, 5, UTC),
        (Unit::Minute, 1, UTC),
        (Unit::Minute, 15, UTC),
        (Unit::Hour, 4, UTC),
        (Unit::Day, 1, UTC),
        (Unit::Day, 1, New_York),
        (Unit::Week, 1, New_York),
        (Unit::Month, 1, UTC),
    ] {
        let step = Step::new(unit, count, zone).unwrap();
        let bars = market.bars(&btc, step, [Timestamp::EPOCH, at(NOW)], at(NOW));
        let count: u64 = bars.iter().map(|bar| bar.prints).sum();
        assert_eq!(
            (count, bars.iter().map(|bar| bar.volume).sum()),
            (prints.len() as u64, volume),
            "{step:?}"
        );
        assert_eq!(
            (bars[0].open, bars.last().unwrap().close),
            (prints[0].price, prints.last().unwrap().price)
        );
        assert_eq!(bars.iter().map(|bar| bar.high).max(), Some(highest));
        assert!(bars.iter().all(|bar| step.start(bar.start) == bar.start && step.end(bar.start) > bar.start));
    }
    assert_eq!(Step::minutes(240, UTC), Step::new(Unit::Hour, 4, UTC));
    for minutes in [0, 7, 90, 2_880] {
        assert_eq!(Step::minutes(minutes, UTC), None, "{minutes}");
    }
}

#[test]
fn days_begin_at_midnight_of_their_zone() {
    let step = Step::new(Unit::Day, 1, New_York).unwrap();
    assert_eq!(step.start(at("2026-03-08T12:00:00Z")), at("2026-03-08T05:00:00Z"));
    assert_eq!(step.end(at("2026-03-08T12:00:00Z")), at("2026-03-09T04:00:00Z"));
    let week = Step::new(Unit::Week, 1, UTC).unwrap();
    assert_eq!(week.start(at("2026-03-08T12:00:00Z")), at("2026-03-02T00:00:00Z"));
    let month = Step::new(Unit::Month, 1, UTC).unwrap();
    assert_eq!(month.end(at("2026-02-08T12:00:00Z")), at("2026-03-01T00:00:00Z"));
}

#[test]
fn what_is_told_comes_after_the_past_and_a_minute_told_again_is_a_revision() {
    let mut market = market(1);
    let aapl = symbol("AAPL");
    market.tell_print(aapl.clone(), Decimal::from(101), Decimal::from(5), at("2026-03-02T15:01:10Z"));
    market.tell_print(aapl.clone(), Decimal::from(103), Decimal::from(7), at("2026-03-02T15:02:10Z"));
    let step = Step::new(Unit::Minute, 1, UTC).unwrap();
    let bars =
        |market: &Market, now: &str| market.bars(&aapl, step, [at("2026-03-02T15:01:00Z"), at(now)], at(now));
    // The second minute is not over.
    let found = bars(&market, "2026-03-02T15:02:30Z");
    assert_eq!(found.iter().map(|bar| bar.close).collect::<Vec<_>>(), [Decimal::from(101)]);
    let bar = Bar {
        symbol: aapl.clone(),
        interval: Interval::MINUTE,
        open: Decimal::from(100),
        high: Decimal::from(110),
        low: Decimal::from(99),
        close: Decimal::from(105),
        volume: Decimal::from(9),
        vwap: None,
        n_trades: Some(2),
        timestamp: at("2026-03-02T15:02:00Z"),
        close_only: false,
        partial: false,
    };
    market.tell_bar(&bar);
    market.tell_bar(&bar);
    let found = bars(&market, "2026-03-02T15:03:00Z");
    assert_eq!(
        found.iter().map(|bar| bar.close).collect::<Vec<_>>(),
        [Decimal::from(105), Decimal::from(103)]
    );
    assert_eq!(found[0].vwap(), Decimal::from(105));
    let again: Vec<_> = (0..)
        .map_while(|number| market.news(number))
        .filter_map(|(_, news)| match news {
            News::Minute { again, .. } => Some(*again),
            _ => None,
        })
        .collect();
    assert_eq!((again, market.next_news()), (vec![false, true], 4));
    assert_eq!(market.last(&aapl, at(NOW)).unwrap().price, Decimal::from(103));
    assert_eq!(market.last(&symbol("MSFT"), at(NOW)).map(|print| print.id <= past::MAX_ID), Some(true));
}

#[test]
fn prints_of_an_instrument_are_numbered_without_holes() {
    let mut market = market(1);
    let time = at("2026-03-02T15:01:10Z");
    for name in ["BTC-USD", "AAPL", "BTC-USD", "BTC-USD", "AAPL"] {
        market.tell_print(symbol(name), Decimal::from(101), Decimal::from(5), time);
    }
    for name in ["BTC-USD", "AAPL"] {
        let prints = market.prints(&symbol(name), Timestamp::EPOCH, at(NOW));
        assert!(prints.iter().map(|print| print.number).eq(1..=prints.len() as u64), "{name}");
        // Also where only a part is asked for.
        let from = prints[500].time;
        assert_eq!(market.prints(&symbol(name), from, at(NOW))[0].number, 501, "{name}");
    }
}

#[test]
fn a_bar_that_forms_has_the_minutes_that_are_over_and_the_prints_since() {
    let mut market = market(1);
    let btc = symbol("BTC-USD");
    let tell = |market: &mut Market, price: i64, time: &str| {
        market.tell_print(btc.clone(), Decimal::from(price), Decimal::ONE, at(time));
    };
    let step = Step::new(Unit::Minute, 5, UTC).unwrap();
    tell(&mut market, 300, "2026-03-02T15:05:10Z");
    tell(&mut market, 310, "2026-03-02T15:06:10Z");
    tell(&mut market, 305, "2026-03-02T15:07:10Z");
    let now = at("2026-03-02T15:07:20Z");
    let bar = market.forming(&btc, step, now, now).unwrap();
    assert_eq!((bar.start, bar.prints, bar.open), (at("2026-03-02T15:05:00Z"), 3, Decimal::from(300)));
    assert_eq!((bar.high, bar.close), (Decimal::from(310), Decimal::from(305)));
    // One that is over has nothing of the minute that is not.
    let before = market.forming(&btc, step, at("2026-03-02T14:59:00Z"), now).unwrap();
    assert!(before.high < Decimal::from(200) && before.start == at("2026-03-02T14:55:00Z"));
    // In its first minute it is made of prints alone.
    let first = market.forming(&btc, step, at("2026-03-02T15:05:30Z"), at("2026-03-02T15:05:30Z")).unwrap();
    assert_eq!((first.prints, first.start), (1, at("2026-03-02T15:05:00Z")));
}

#[test]
fn what_is_kept_has_a_bound() {
    let mut market = market(1);
    let (aapl, time) = (symbol("AAPL"), at("2026-03-02T15:01:10Z"));
    for _ in 0..MAX_TOLD + 10 {
        market.tell_print(aapl.clone(), Decimal::from(101), Decimal::from(5), time);
    }
    assert_eq!((market.prints.len(), market.news.len(), market.next_news()), (MAX_TOLD, MAX_TOLD, 20_010));
    // Who has fallen behind goes on with the oldest that is kept.
    assert_eq!(market.news(3).map(|(number, _)| number), Some(10));
    assert!(market.news(20_010).is_none());
}
