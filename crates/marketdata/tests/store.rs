//! The store: exact, in order, without twins, and never half of something.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use mts_foundation::market_data::{DataFeed, MarketEvent};
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp};
use mts_marketdata::panel::PanelBuilder;
use mts_marketdata::store::{
    Append, Appended, Duplicates, MANIFEST, Rows, Selection, Series, Store, StoreError, StoreFeed,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tempfile::TempDir;

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn days() -> Series {
    Series::new("csv", Interval::DAY).unwrap()
}

/// A bar of a day whose other values follow from its close.
fn bar(name: &str, at: &str, close: &str) -> Bar {
    let close = number(close);
    Bar {
        volume: number("1200"),
        close_only: false,
        ..Bar::close_only(symbol(name), Interval::DAY, close, time(at))
    }
}

fn add(store: &mut Store, bars: &[Bar], duplicates: Duplicates) -> Result<Appended, StoreError> {
    let mut append = store.append(days(), duplicates)?;
    for bar in bars {
        append.push(bar.clone())?;
    }
    append.commit()
}

fn all(store: &Store) -> Vec<Bar> {
    store.read(&days(), Selection::default()).collect::<Result<_, _>>().unwrap()
}

/// A store with two years, of which the second has two parts.
fn sample(folder: &Path) -> (Store, Vec<Bar>) {
    let mut store = Store::open_or_create(folder).unwrap();
    let first = [bar("B", "2019-12-30T21:00:00Z", "2.5"), bar("A", "2019-12-31T21:00:00Z", "10.25")];
    let second = [bar("B", "2020-01-02T21:00:00Z", "2.75"), bar("A", "2020-01-02T21:00:00Z", "10.5")];
    let third = [bar("C", "2020-01-02T21:00:00Z", "7")];
    for bars in [&first[..], &second[..], &third[..]] {
        add(&mut store, bars, Duplicates::Refuse).unwrap();
    }
    let mut bars = [&first[..], &second[..], &third[..]].concat();
    bars.sort_by_key(|bar| (bar.timestamp, bar.symbol.clone()));
    (store, bars)
}

#[test]
fn bars_come_back_as_they_went_in_order() {
    let folder = TempDir::new().unwrap();
    let (store, bars) = sample(folder.path());
    assert_eq!(all(&store), bars);
    assert_eq!(all(&Store::open(folder.path()).unwrap()), bars);
    let paths: Vec<&str> = store.parts().iter().map(|part| part.path.as_str()).collect();
    assert_eq!(
        paths,
        ["csv/1d/2019-000001.parquet", "csv/1d/2020-000002.parquet", "csv/1d/2020-000003.parquet"]
    );
    let series = store.series();
    assert_eq!((series.len(), series[0].rows, series[0].parts), (1, 5, 3));
    assert_eq!(series[0].first, time("2019-12-30T21:00:00Z"));
    let symbols = store.symbols(&days()).unwrap();
    assert_eq!((symbols.len(), symbols[&symbol("A")].rows), (3, 2));
}

#[test]
fn every_digit_comes_back() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open_or_create(folder.path()).unwrap();
    let exact = |at: &str, close: &str, volume: &str, vwap: Option<&str>| Bar {
        volume: number(volume),
        vwap: vwap.map(number),
        n_trades: vwap.map(|_| 17),
        partial: vwap.is_none(),
        ..bar("A", at, close)
    };
    let bars = [
        exact("2001-01-02T00:00:00Z", "0.000000000000000001", "1", None),
        exact("2001-01-03T00:00:00Z", "99999999999999999999", "0", Some("1")),
        exact(
            "2002-01-02T00:00:00Z",
            "1.00000001",
            "9999999999.99999999",
            Some("180.12345678901234567890123456"),
        ),
        exact("2003-01-02T00:00:00Z", "9999999999.99999999", "1000000000000000", None),
        exact(
            "2004-01-02T00:00:00Z",
            "7.9228162514264337593543950335",
            "0.0000000000000000000000000001",
            None,
        ),
    ];
    add(&mut store, &bars, Duplicates::Refuse).unwrap();
    assert_eq!(all(&store), bars);
    let digits = |bars: &[Bar]| -> Vec<String> {
        bars.iter().map(|bar| format!("{} {} {:?}", bar.close, bar.volume, bar.vwap)).collect()
    };
    assert_eq!(digits(&all(&store)), digits(&bars));

    let both = [
        exact("2005-01-02T00:00:00Z", "1", "0.00000000000000000000001", None),
        exact("2005-01-03T00:00:00Z", "1", "99999999999", None),
    ];
    let error = add(&mut store, &both, Duplicates::Refuse).unwrap_err();
    assert!(matches!(error, StoreError::Digits { field: "volume", .. }), "{error}");
    assert_eq!(all(&store), bars);
}

#[test]
fn the_same_bar_counts_once_and_another_one_is_refused() {
    let folder = TempDir::new().unwrap();
    let (mut store, bars) = sample(folder.path());
    let again = add(&mut store, &bars, Duplicates::Refuse).unwrap();
    assert_eq!((again.received, again.added, again.same, again.replaced), (5, 0, 5, 0));
    assert_eq!(store.parts().len(), 3, "nothing was written");

    let other = bar("A", "2020-01-02T21:00:00Z", "11");
    let error = add(&mut store, std::slice::from_ref(&other), Duplicates::Refuse).unwrap_err();
    assert_eq!(
        error.to_string(),
        "A: two bars end at 2020-01-02T21:00:00Z and differ in open: 10.5 is there, 11 came; correct one, or let the last \
         one win"
    );
    assert_eq!(all(&Store::open(folder.path()).unwrap()), bars);

    let done = add(&mut store, std::slice::from_ref(&other), Duplicates::LastWins).unwrap();
    assert_eq!((done.added, done.replaced), (0, 1));
    let after = all(&store);
    assert_eq!(after.len(), bars.len());
    assert!(after.contains(&other));
    assert_eq!(store.parts().len(), 2, "the year was written anew as one part");
    assert!(store.verify(|_| ()).unwrap().faults.is_empty());
}

#[test]
fn twins_within_one_append_follow_the_same_rule() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open_or_create(folder.path()).unwrap();
    let (first, second) = (bar("A", "2020-01-02T21:00:00Z", "1"), bar("A", "2020-01-02T21:00:00Z", "2"));
    let pair = [first.clone(), second.clone()];
    assert!(matches!(add(&mut store, &pair, Duplicates::Refuse), Err(StoreError::Conflict { .. })));
    let done = add(&mut store, &pair, Duplicates::LastWins).unwrap();
    assert_eq!((done.received, done.added, done.replaced), (2, 1, 1));
    assert_eq!(all(&store), [second]);
}

#[test]
fn many_small_appends_become_one_part() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open_or_create(folder.path()).unwrap();
    let mut expected = Vec::new();
    for day in 1..=28 {
        let one = bar("A", &format!("2020-02-{day:02}T21:00:00Z"), "3.5");
        add(&mut store, std::slice::from_ref(&one), Duplicates::Refuse).unwrap();
        expected.push(one);
        assert!(store.parts().len() < 8, "{}", store.parts().len());
    }
    assert_eq!(all(&store), expected);
    // What was superseded by the last append may still be there; the next one removes it.
    add(&mut store, &[bar("A", "2021-01-02T21:00:00Z", "1")], Duplicates::Refuse).unwrap();
    let found = store.verify(|_| ()).unwrap();
    assert!(found.faults.is_empty() && found.leftovers.is_empty(), "{found:?}");
}

#[test]
fn bars_that_cannot_be_are_refused() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open_or_create(folder.path()).unwrap();
    let outside = Bar { high: number("1"), ..bar("A", "2020-01-02T21:00:00Z", "2") };
    assert!(matches!(add(&mut store, &[outside], Duplicates::Refuse), Err(StoreError::Impossible { .. })));
    let minute = Bar { interval: Interval::MINUTE, ..bar("A", "2020-01-02T21:00:00Z", "2") };
    assert!(matches!(add(&mut store, &[minute], Duplicates::Refuse), Err(StoreError::Interval { .. })));
    assert!(all(&store).is_empty());
    for name in ["", "../x", "A", &"a".repeat(41)] {
        assert!(matches!(Series::new(name, Interval::DAY), Err(StoreError::Source { .. })), "{name}");
    }
}

#[test]
fn selections_choose_instruments_and_times() {
    let folder = TempDir::new().unwrap();
    let (store, bars) = sample(folder.path());
    let chosen = |selection: Selection| -> Vec<Bar> {
        store.read(&days(), selection).collect::<Result<_, _>>().unwrap()
    };
    let only_a = Selection { symbols: Some(BTreeSet::from([symbol("A")])), ..Selection::default() };
    assert!(chosen(only_a).iter().map(|bar| bar.close).eq([number("10.25"), number("10.5")]));
    let after = Selection { after: Some(bars[1].timestamp), ..Selection::default() };
    assert_eq!(chosen(after), bars[2..]);
    let until = Selection { until: Some(bars[1].timestamp), ..Selection::default() };
    assert_eq!(chosen(until), bars[..2]);
    let last = store.last_times(&days(), &BTreeSet::from([symbol("B"), symbol("Z")])).unwrap();
    assert_eq!(last, BTreeMap::from([(symbol("B"), time("2020-01-02T21:00:00Z"))]));
}

/// What happens to a file.
type Damage = fn(&Path);

#[test]
fn damage_of_each_kind_is_found_and_named() {
    let part = "csv/1d/2020-000002.parquet";
    let kinds: [(&str, Damage); 4] = [
        ("SHA-256", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("bytes instead of", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("missing", |path| std::fs::remove_file(path).unwrap()),
        ("SHA-256", |path| {
            // Another part of the same size in its place is found as well.
            let size = std::fs::metadata(path).unwrap().len();
            std::fs::write(path, vec![0; usize::try_from(size).unwrap()]).unwrap();
        }),
    ];
    for (word, damage) in kinds {
        let folder = TempDir::new().unwrap();
        let (store, bars) = sample(folder.path());
        damage(&folder.path().join(part));
        let found = store.verify(|_| ()).unwrap();
        assert_eq!(found.faults.len(), 1, "{found:?}");
        assert_eq!(found.faults[0].part, part);
        assert!(found.faults[0].message.contains(word), "{found:?}");
        // Reading gives what comes before, then an error, then nothing: never a wrong bar.
        let mut rows: Rows = store.read(&days(), Selection::default());
        let good: Vec<Bar> = rows.by_ref().map_while(Result::ok).collect();
        assert_eq!(good, bars[..2]);
        assert!(rows.next().is_none());
        let until = Selection { until: Some(bars[1].timestamp), ..Selection::default() };
        assert!(store.read(&days(), until).all(|bar| bar.is_ok()), "the other year can be read");
    }
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_, _) = sample(folder.path());
    let path = folder.path().join(MANIFEST);
    let text = std::fs::read_to_string(&path).unwrap();
    for changed in
        [text.replace("\"rows\":2", "\"rows\":3"), text[..text.len() / 2].to_owned(), String::new()]
    {
        assert_ne!(changed, text);
        std::fs::write(&path, &changed).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Manifest { .. }), "{error}");
        assert!(Store::open_or_create(folder.path()).is_err(), "never begun anew over a damaged one");
    }
    std::fs::write(&path, text).unwrap();
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn a_manifest_whose_part_is_another_is_found() {
    // Both checksums right, the part of another series: as if files had been exchanged together with their entries.
    let folder = TempDir::new().unwrap();
    let (store, _) = sample(folder.path());
    let of = |name: &str| folder.path().join("csv/1d").join(name);
    std::fs::copy(of("2020-000003.parquet"), of("2020-000002.parquet")).unwrap();
    let found = store.verify(|_| ()).unwrap();
    assert_eq!(found.faults.len(), 1);
    assert_eq!(found.faults[0].part, "csv/1d/2020-000002.parquet");
}

#[test]
fn a_crash_before_the_manifest_leaves_the_state_of_before() {
    let folder = TempDir::new().unwrap();
    let (mut store, bars) = sample(folder.path());
    // What a crash leaves at each step: an unfinished part, a whole part that no manifest names, an unfinished manifest.
    let within = folder.path().join("csv/1d");
    std::fs::copy(within.join("2020-000002.parquet"), within.join("2020-000004.parquet")).unwrap();
    std::fs::write(within.join("2020-000005.parquet.tmp"), b"half").unwrap();
    std::fs::write(folder.path().join(format!("{MANIFEST}.tmp")), b"{").unwrap();
    std::fs::write(within.join("notes.txt"), b"not of the store").unwrap();
    let reopened = Store::open(folder.path()).unwrap();
    assert_eq!(all(&reopened), bars);
    let found = reopened.verify(|_| ()).unwrap();
    assert!(found.faults.is_empty());
    assert_eq!(found.leftovers, ["csv/1d/2020-000004.parquet", "csv/1d/2020-000005.parquet.tmp"]);

    let next = bar("A", "2020-01-03T21:00:00Z", "10.75");
    add(&mut store, std::slice::from_ref(&next), Duplicates::Refuse).unwrap();
    let found = store.verify(|_| ()).unwrap();
    assert!(found.leftovers.is_empty() && found.faults.is_empty(), "{found:?}");
    assert!(within.join("notes.txt").exists());
    assert_eq!(all(&store), [bars, vec![next]].concat());
}

#[test]
fn an_append_that_is_dropped_has_not_happened() {
    let folder = TempDir::new().unwrap();
    let (mut store, bars) = sample(folder.path());
    let mut append: Append<'_> = store.append(days(), Duplicates::Refuse).unwrap();
    append.push(bar("A", "2020-01-03T21:00:00Z", "1")).unwrap();
    let mut other = Store::open(folder.path()).unwrap();
    assert!(matches!(other.append(days(), Duplicates::Refuse), Err(StoreError::Busy { .. })));
    drop(append);
    assert_eq!(all(&store), bars);
    // A store that was opened before another one appended sees what that one did when it appends itself.
    add(&mut other, &[bar("A", "2020-01-03T21:00:00Z", "1")], Duplicates::Refuse).unwrap();
    let error = add(&mut store, &[bar("A", "2020-01-03T21:00:00Z", "2")], Duplicates::Refuse).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }));
}

#[test]
fn a_folder_with_other_things_is_not_taken() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("letter.txt"), b"dear").unwrap();
    let error = Store::open_or_create(folder.path()).unwrap_err();
    assert!(matches!(&error, StoreError::Occupied { other, .. } if other == "letter.txt"), "{error}");
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Manifest { .. })));
}

#[test]
fn a_panel_and_a_feed_are_made_of_it() {
    let folder = TempDir::new().unwrap();
    let (store, bars) = sample(folder.path());
    let mut builder = PanelBuilder::new(Interval::DAY);
    assert_eq!(store.fill(&days(), Selection::default(), &mut builder).unwrap(), 5);
    assert_eq!(builder.finish().unwrap().shape(), (3, 3));

    let mut feed = StoreFeed::new(store.folder(), store.read(&days(), Selection::default()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(DataFeed::start(&mut feed)).poll(&mut context).is_ready());
    let mut events = Vec::new();
    while let Poll::Ready(Ok(Some(MarketEvent::Bars { time, bars }))) =
        pin!(DataFeed::next(&mut feed)).poll(&mut context)
    {
        assert!(bars.iter().all(|bar| bar.timestamp == time));
        events.push(bars.to_vec());
    }
    assert_eq!(events.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 3]);
    assert_eq!(events.concat(), bars);
    assert_eq!(DataFeed::stats(&feed).ticks, 5);
}

#[test]
fn periods_follow_the_length_of_bars() {
    let at = time("2020-03-05T12:00:00Z");
    for (interval, first) in
        [("1d", "2020-01-01"), ("1w", "2020-01-01"), ("4h", "2020-03-01"), ("1m", "2020-03-05")]
    {
        let series = Series::new("x", interval.parse().unwrap()).unwrap();
        assert_eq!(series.period(at).to_string(), first, "{interval}");
    }
}

/// A few instruments, days and prices, so that appends meet each other.
fn some_bars() -> impl Strategy<Value = Vec<Bar>> {
    let one = (0..4_u8, 0..40_i64, 1..4_u32, 0..19_u32).prop_map(|(name, day, price, places)| {
        let end = Timestamp::from_nanos((18_200 + day * 19) * 86_400_000_000_000);
        let close = Decimal::new(i64::from(price), places);
        let name = ["A", "BTC-USDT", "C", "D"][usize::from(name)];
        Bar { vwap: (price > 1).then_some(close), ..Bar::close_only(symbol(name), Interval::DAY, close, end) }
    });
    prop::collection::vec(one, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn appends_are_a_map_by_end_and_instrument(batches in prop::collection::vec(some_bars(), 1..6)) {
        let folder = TempDir::new().unwrap();
        let mut store = Store::open_or_create(folder.path()).unwrap();
        let mut expected = BTreeMap::new();
        for batch in &batches {
            let done = add(&mut store, batch, Duplicates::LastWins).unwrap();
            prop_assert_eq!(done.received, batch.len() as u64);
            prop_assert_eq!(done.received, done.added + done.same + done.replaced);
            for bar in batch {
                expected.insert((bar.timestamp, bar.symbol.clone()), bar.clone());
            }
        }
        let expected: Vec<Bar> = expected.into_values().collect();
        prop_assert_eq!(&all(&store), &expected);
        prop_assert_eq!(&all(&Store::open(folder.path()).unwrap()), &expected);
        let found = store.verify(|_| ()).unwrap();
        prop_assert!(found.faults.is_empty(), "{:?}", found.faults);
        prop_assert_eq!(found.rows, expected.len() as u64);
    }
}
