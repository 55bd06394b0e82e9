//! When events come, and in which order.

use super::made::{
    OPEN, SECOND, World, bar, drain, feed_in, feed_of, file, only, shares, symbol, told, trade,
};
use dbn::{Schema, rtype};
use mts_foundation::market_data::DataFeed;
use mts_foundation::ready::ready;
use mts_marketdata::databento::{DatabentoFeed, MAX_FILES, Replay};
use std::sync::Arc;
use std::time::Duration;

const USD: i64 = 1_000_000_000;

fn prints(seconds: &[u64]) -> Vec<u8> {
    let records: Vec<_> = (1..).zip(seconds).map(|(number, at)| trade(1, at * SECOND, USD, number)).collect();
    file(&shares(Schema::Trades), &records)
}

fn speed(replay_speed: f64) -> Replay {
    Replay { replay_speed, ..Replay::default() }
}

fn slept(bytes: Vec<u8>, replay: &Replay, world: World) -> Vec<Duration> {
    let world = Arc::new(world);
    let mut feed = feed_in(vec![bytes], replay, &world).unwrap();
    assert!(drain(&mut feed).1.is_none());
    world.slept.lock().unwrap().clone()
}

/// The reference sleeps from one record to the next: every lateness adds up.
#[test]
fn being_late_does_not_add_up() {
    let seconds: Vec<u64> = (0..=100).collect();
    let oversleep = Duration::from_millis(300);
    let world = Arc::new(World { oversleep, ..World::default() });
    let mut feed = feed_in(vec![prints(&seconds)], &speed(1.0), &world).unwrap();
    drain(&mut feed);
    assert_eq!(*world.now.lock().unwrap(), Duration::from_secs(100) + oversleep);
    assert_eq!(world.slept.lock().unwrap()[1], Duration::from_millis(700));
}

#[test]
fn speed_divides_time_and_zero_is_as_fast_as_possible() {
    let ms = Duration::from_millis;
    assert_eq!(slept(prints(&[0, 1, 3]), &speed(10.0), World::default()), [ms(100), ms(200)]);
    assert_eq!(slept(prints(&[0, 1]), &speed(0.5), World::default()), [ms(2_000)]);
    for fast in [0.0, f64::INFINITY] {
        assert!(slept(prints(&[0, 1, 3]), &speed(fast), World::default()).is_empty());
    }
    // Less than a millisecond ahead is on time.
    assert!(slept(prints(&[0, 1]), &speed(1_000.0), World::default()).is_empty());
    for wrong in [-1.0, f64::NAN] {
        let error = feed_of(vec![prints(&[0])], &speed(wrong)).unwrap_err().to_string();
        assert!(error.contains("replay_speed"), "{error}");
    }
}

#[test]
fn a_long_silence_can_be_cut_short() {
    let replay = Replay { longest_pause: Some(Duration::from_secs(5)), ..speed(1.0) };
    let secs = Duration::from_secs;
    let sleeps = slept(prints(&[0, 3, 60_000, 60_004]), &replay, World::default());
    assert_eq!(sleeps, [secs(3), secs(5), secs(4)]);
}

#[test]
fn a_dropped_call_loses_nothing() {
    let world = Arc::new(World::default());
    let mut feed = feed_in(vec![prints(&[0, 1])], &speed(1.0), &world).unwrap();
    let first = ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap();
    *world.hangs.lock().unwrap() = true;
    assert!(ready(DataFeed::next(&mut feed)).is_err());
    assert!(ready(DataFeed::next(&mut feed)).is_err());
    *world.hangs.lock().unwrap() = false;
    let second = ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap();
    assert_eq!(told(&[first, second]), ["AAPL 1x100 @0", "AAPL 1x100 @1"]);
    assert_eq!(DataFeed::stats(&feed).ticks, 2);
}

#[test]
fn stopped_it_is_silent_and_started_again_it_goes_on_without_haste() {
    let world = Arc::new(World::default());
    let mut feed = feed_in(vec![prints(&[0, 1, 2, 3])], &speed(1.0), &world).unwrap();
    ready(DataFeed::next(&mut feed)).unwrap().unwrap();
    ready(DataFeed::stop(&mut feed)).unwrap().unwrap();
    assert!(ready(DataFeed::next(&mut feed)).unwrap().unwrap().is_none());
    *world.now.lock().unwrap() += Duration::from_secs(50);
    ready(DataFeed::start(&mut feed)).unwrap().unwrap();
    let (events, _) = drain(&mut feed);
    assert_eq!(events.len(), 3);
    assert_eq!(*world.slept.lock().unwrap(), [Duration::from_secs(1); 2]);
}

#[test]
fn files_are_merged_by_time() {
    let first = file(&shares(Schema::Trades), &[trade(1, 0, USD, 1), trade(1, 2 * SECOND, USD, 2)]);
    let second = file(&shares(Schema::Trades), &[trade(2, SECOND, USD, 1), trade(2, 2 * SECOND, USD, 2)]);
    // A bar is known at its end: it comes after the prints that it is made of.
    let bars = file(&shares(Schema::Ohlcv1S), &[bar(1, rtype::OHLCV_1S, OPEN, USD)]);
    let mut feed = feed_of(vec![bars, first, second], &only(&[])).unwrap();
    let (events, _) = drain(&mut feed);
    let expected = ["AAPL 1x100 @0", "[AAPL 1s 1] @1", "BRK.B 1x100 @1", "AAPL 1x100 @2", "BRK.B 1x100 @2"];
    assert_eq!(told(&events), expected);
    let (counts, stats) = (feed.counts(), DataFeed::stats(&feed));
    assert_eq!((counts.records, counts.trades, counts.bars), (5, 4, 1));
    assert_eq!((stats.ticks, stats.symbols), (5, 2));
    assert!(feed.symbols().contains(&symbol("AAPL")));
}

#[test]
fn no_files_and_too_many_are_refused() {
    let world = Arc::new(World::default());
    assert!(DatabentoFeed::from_files(Vec::new(), &only(&[]), world.clone(), world.clone()).is_err());
    let error = feed_of(vec![prints(&[0]); MAX_FILES + 1], &only(&[])).unwrap_err().to_string();
    assert!(error.contains("1001 files"), "{error}");
}
