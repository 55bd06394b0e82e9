//! The book against a model that is only two sorted maps, and the venues' checksums against what their documents say.

use super::world::book_venue::crc32;
use super::world::{SECOND, ms, wall};
use mts_foundation::{Decimal, Symbol};
use mts_marketdata::stream::book::{Book, Checksum, Fault, Numbers, Outcome, Synchroniser, Update};
use mts_marketdata::stream::protocol::{Level, Protocol, Said};
use mts_marketdata::stream::venues::Kraken;
use mts_marketdata::stream::{Options, Topic};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Side = BTreeMap<Decimal, Decimal>;

fn levels(side: impl IntoIterator<Item = (Decimal, Decimal)>) -> Vec<Level> {
    side.into_iter().map(|(price, size)| Level { price, size }).collect()
}

fn update(is_snapshot: bool, number: u64, bids: Vec<Level>, asks: Vec<Level>) -> Update {
    let numbers = Some(Numbers::one(number));
    Update { is_snapshot, limit: None, numbers, checksum: None, time: wall(ms(number)), bids, asks }
}

fn pairs<'a>(side: impl Iterator<Item = &'a Level>) -> Vec<(Decimal, Decimal)> {
    side.map(|level| (level.price, level.size)).collect()
}

/// The best ones of a side, best first.
fn top(side: &Side, is_bid: bool, most: usize) -> Side {
    let pair = |(price, size): (&Decimal, &Decimal)| (*price, *size);
    if is_bid {
        side.iter().rev().take(most).map(pair).collect()
    } else {
        side.iter().take(most).map(pair).collect()
    }
}

fn same(book: &Book, bids: &Side, asks: &Side) {
    assert_eq!(
        pairs(book.bids()),
        bids.iter().rev().map(|(price, size)| (*price, *size)).collect::<Vec<_>>()
    );
    assert_eq!(pairs(book.asks()), asks.iter().map(|(price, size)| (*price, *size)).collect::<Vec<_>>());
}

/// Side, distance of the price from the middle in ticks, size; zero is gone.
type Change = (bool, u8, u8);

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (any::<bool>(), 0_u8..60, prop_oneof![Just(0_u8), 1_u8..50]);
    prop::collection::vec(prop::collection::vec(change, 0..12), 1..60)
}

/// Prices of different scales, so that equal ones look different: 100.5 and 100.50.
fn price(is_bid: bool, distance: u8) -> Decimal {
    let ticks = i64::from(distance) + 1;
    let price = Decimal::new(if is_bid { 1_000_000 - ticks } else { 1_000_000 + ticks }, 4);
    if distance.is_multiple_of(3) { price.normalize() } else { price }
}

fn change(bids: &mut Side, asks: &mut Side, (is_bid, distance, size): Change) {
    let side = if is_bid { bids } else { asks };
    let (price, size) = (price(is_bid, distance), Decimal::new(i64::from(size), 1));
    side.remove(&price);
    if size > Decimal::ZERO {
        side.insert(price, size);
    }
}

fn start() -> (Side, Side) {
    let side = |is_bid| (0..40).map(|distance| (price(is_bid, distance), Decimal::ONE)).collect();
    (side(true), side(false))
}

/// What a venue that keeps up the best levels says of a change: a level that falls out of them is not told.
fn told(before: &Side, after: &Side, whole: &Side) -> Vec<Level> {
    let came = after.iter().filter(|(price, size)| before.get(price) != Some(size));
    let went = before.keys().filter(|price| !whole.contains_key(price));
    levels(came.map(|(price, size)| (*price, *size)).chain(went.map(|price| (*price, Decimal::ZERO))))
}

proptest! {
    #[test]
    fn a_book_of_the_best_levels_is_the_model(rounds in changes(), depth in 1_usize..30) {
        let options = Options::default();
        let (mut bids, mut asks) = start();
        let mut sync = Synchroniser::new(Some(depth), false, &options);
        let (mut best_bids, mut best_asks) = (top(&bids, true, depth), top(&asks, false, depth));
        // Snapshots come in any order.
        let snapshot = update(true, 1, levels(best_bids.clone()), levels(best_asks.clone()));
        assert_eq!(sync.take(snapshot, ms(0), &options), Outcome::Valid);
        for (number, round) in (2_u64..).zip(rounds) {
            round.into_iter().for_each(|one| change(&mut bids, &mut asks, one));
            let (new_bids, new_asks) = (top(&bids, true, depth), top(&asks, false, depth));
            let (b, a) = (told(&best_bids, &new_bids, &bids), told(&best_asks, &new_asks, &asks));
            assert_eq!(sync.take(update(false, number, b, a), ms(number), &options), Outcome::Valid);
            (best_bids, best_asks) = (new_bids, new_asks);
            same(sync.book().unwrap(), &best_bids, &best_asks);
        }
    }

    /// Of a book that is known down to some level, what is shown is true and without holes, or nothing is shown.
    #[test]
    fn a_book_that_is_cut_off_shows_nothing_beyond(rounds in changes(), known in 5_usize..40, most in 10_usize..40) {
        let options = Options { levels: most, ..Options::default() };
        let (mut bids, mut asks) = start();
        let mut sync = Synchroniser::new(None, false, &options);
        let snapshot = |number, bids: &Side, asks: &Side| Update {
            limit: Some(known),
            ..update(true, number, levels(top(bids, true, known)), levels(top(asks, false, known)))
        };
        sync.take(snapshot(1, &bids, &asks), ms(0), &options);
        for (number, round) in (2_u64..).zip(rounds) {
            let all = |is_bid| {
                let of = round.iter().filter(move |(side, ..)| *side == is_bid);
                levels(of.map(|(_, distance, size)| (price(is_bid, *distance), Decimal::new(i64::from(*size), 1))))
            };
            let (b, a) = (all(true), all(false));
            round.iter().for_each(|one| change(&mut bids, &mut asks, *one));
            match sync.take(update(false, number, b, a), ms(number), &options) {
                Outcome::Valid => {
                    let book = sync.book().unwrap();
                    let (count_bids, count_asks) = (book.bids().count(), book.asks().count());
                    prop_assert!(count_bids <= most && count_asks <= most);
                    same(book, &top(&bids, true, count_bids), &top(&asks, false, count_asks));
                }
                Outcome::Lost(fault) => {
                    prop_assert_eq!(fault, Fault::Short);
                    prop_assert!(sync.book().is_none());
                    sync.take(snapshot(number, &bids, &asks), ms(number), &options);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

const KRAKEN: &str = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,"qty":0.10000000},{"price":45283.4,"qty":1.54582015},{"price":45282.1,"qty":0.10000000},{"price":45281.0,"qty":0.10000000},{"price":45280.3,"qty":1.54592586},{"price":45279.0,"qty":0.07990000},{"price":45277.6,"qty":0.03310103},{"price":45277.5,"qty":0.30000000},{"price":45277.3,"qty":1.54602737},{"price":45276.6,"qty":0.15445238}],"asks":[{"price":45285.2,"qty":0.00100000},{"price":45286.4,"qty":1.54571953},{"price":45286.6,"qty":1.54571109},{"price":45289.6,"qty":1.54560911},{"price":45290.2,"qty":0.15890660},{"price":45291.8,"qty":1.54553491},{"price":45294.7,"qty":0.04454749},{"price":45296.1,"qty":0.35380000},{"price":45297.5,"qty":0.09945542},{"price":45299.5,"qty":0.18772827}],"checksum":3310070434}]}"#;

/// The example of Kraken's guide to the checksum.
#[test]
fn krakens_example_has_krakens_checksum() {
    let kraken = Kraken::new([Topic::book(Symbol::new("BTC-USD").unwrap())]).unwrap();
    let read = |frame: &str| {
        let mut said = Vec::new();
        kraken.read(frame.as_bytes(), wall(ms(0)), &mut said).unwrap();
        let Some(Said::Book { update, topic: 0 }) = said.pop() else { panic!("{said:?}") };
        update
    };
    let options = Options::default();
    let mut sync = Synchroniser::new(kraken.book_depth(), false, &options);
    assert_eq!(sync.take(read(KRAKEN), ms(0), &options), Outcome::Valid);
    assert_eq!(sync.book().unwrap().best().0.unwrap().price, Decimal::new(452_835, 1));
    // Another one, or one digit less of a size, is another book.
    for wrong in [KRAKEN.replace("3310070434", "3310070435"), KRAKEN.replace("0.10000000", "0.1000000")] {
        let mut sync = Synchroniser::new(kraken.book_depth(), false, &options);
        assert_eq!(sync.take(read(&wrong), ms(0), &options), Outcome::Lost(Fault::Checksum));
        assert!(sync.book().is_none());
    }
}

/// The examples of OKX's documents: bids and offers by turns, and what is left of the longer side.
#[test]
fn okxs_example_has_okxs_checksum() {
    let options = Options::default();
    let level =
        |price: &str, size: &str| Level { price: price.parse().unwrap(), size: size.parse().unwrap() };
    let snapshot = |bids: &[(&str, &str)], asks: &[(&str, &str)], checksum| {
        let side = |rows: &[(&str, &str)]| rows.iter().map(|(price, size)| level(price, size)).collect();
        Update { checksum: Some(Checksum::Okx(checksum)), ..update(true, 1, side(bids), side(asks)) }
    };
    for (bids, asks, expected) in [
        (&[("3366.1", "7"), ("3366", "6")][..], &[("3366.8", "9"), ("3368", "8")][..], -1_881_014_294),
        (&[("3366.1", "7")], &[("3366.8", "9"), ("3368", "8"), ("3372", "8")], 831_078_360),
    ] {
        let mut sync = Synchroniser::new(Some(400), false, &options);
        assert_eq!(sync.take(snapshot(bids, asks, expected), ms(0), &options), Outcome::Valid);
        let wrong = sync.take(snapshot(bids, asks, expected + 1), ms(0), &options);
        assert_eq!(wrong, Outcome::Lost(Fault::Checksum));
    }
    // The standard's own check.
    assert_eq!(crc32("123456789"), 0xcbf4_3926);
}

/// One that waits for its snapshot.
fn asked(options: &Options) -> Synchroniser {
    let mut sync = Synchroniser::new(None, true, options);
    assert!(sync.is_due(ms(0), options));
    sync.asked(ms(0), options);
    sync
}

#[test]
fn numbers_decide_what_follows() {
    let options = Options::default();
    let numbered = |first, last, previous| Update {
        numbers: Some(Numbers { first, last, previous }),
        ..update(false, 0, Vec::new(), Vec::new())
    };
    let snapshot =
        || update(true, 100, levels([(Decimal::ONE, Decimal::ONE)]), levels([(Decimal::TWO, Decimal::ONE)]));
    // Number of the snapshot asked for: 100. What comes first and then, and what becomes of it.
    use Outcome::{Lost, Repeated, Valid};
    let gap = Lost(Fault::Gap);
    for (first, next, expected) in [
        // Spot: the first lies across 101.
        (numbered(90, 100, None), numbered(101, 105, None), [Repeated, Valid]),
        (numbered(99, 103, None), numbered(104, 104, None), [Valid, Valid]),
        (numbered(101, 103, None), numbered(101, 103, None), [Valid, Repeated]),
        (numbered(101, 103, None), numbered(105, 106, None), [Valid, gap]),
        (numbered(101, 103, None), numbered(103, 106, None), [Valid, gap]),
        (numbered(101, 103, None), numbered(90, 95, None), [Valid, gap]),
        // Futures: across 100, and each names the one before it.
        (numbered(80, 99, Some(70)), numbered(100, 105, Some(99)), [Repeated, Valid]),
        (numbered(98, 104, Some(97)), numbered(110, 112, Some(104)), [Valid, Valid]),
        (numbered(98, 104, Some(97)), numbered(105, 112, Some(103)), [Valid, gap]),
        // In a quiet market the snapshot is as old as the update before.
        (numbered(103, 107, Some(100)), numbered(108, 109, Some(107)), [Valid, Valid]),
    ] {
        let mut sync = Synchroniser::new(None, true, &options);
        assert_eq!(sync.take(first.clone(), ms(0), &options), Outcome::Waits);
        assert_eq!(sync.answer(Some(snapshot()), ms(0), &options), Outcome::Waits, "nobody has asked");
        let mut sync = asked(&options);
        assert_eq!(sync.answer(Some(snapshot()), ms(0), &options), Valid);
        assert_eq!(
            [sync.take(first.clone(), ms(0), &options), sync.take(next.clone(), ms(0), &options)],
            expected
        );
    }
    // What lies wholly beyond the snapshot cannot follow it.
    let mut sync = asked(&options);
    sync.take(numbered(103, 104, None), ms(0), &options);
    assert_eq!(sync.answer(Some(snapshot()), SECOND, &options), gap);
}

/// Half of the levels are known, and are used up one after another.
#[test]
fn a_book_that_runs_short_goes_on_while_the_next_is_asked_for() {
    let options = Options { levels: 100, ..Options::default() };
    let side = |is_bid, from: u8, count: u8| {
        levels((from..from + count).map(|at| (price(is_bid, at), Decimal::ONE)))
    };
    let snapshot = |number, from| Update {
        limit: Some(40),
        ..update(true, number, side(true, from, 40), side(false, 0, 40))
    };
    let mut sync = asked(&options);
    assert_eq!(sync.answer(Some(snapshot(1, 0)), ms(0), &options), Outcome::Valid);
    let gone =
        |number: u64, at: u8| update(false, number, levels([(price(true, at), Decimal::ZERO)]), Vec::new());
    assert!(!sync.is_due(ms(1), &options));
    for at in 0..16 {
        assert_eq!(sync.take(gone(2 + u64::from(at), at), ms(2), &options), Outcome::Valid);
    }
    assert!(sync.is_due(ms(3), &options), "24 are less than a quarter of 100");
    sync.asked(ms(3), &options);
    assert!(!sync.is_due(ms(4), &options), "once");
    // It goes on meanwhile; the snapshot is older than the last update.
    assert_eq!(sync.take(gone(18, 16), ms(5), &options), Outcome::Valid);
    assert_eq!(sync.book().unwrap().bids().count(), 23);
    assert_eq!(sync.answer(None, ms(6), &options), Outcome::Waits);
    assert_eq!(sync.book().unwrap().bids().count(), 23, "no answer is no harm");
    assert!(!sync.is_due(ms(7), &options) && sync.is_due(2 * SECOND, &options));
    sync.asked(2 * SECOND, &options);
    assert_eq!(sync.take(gone(19, 17), 2 * SECOND, &options), Outcome::Valid);
    assert_eq!(sync.answer(Some(snapshot(18, 17)), 2 * SECOND, &options), Outcome::Valid);
    let book = sync.book().unwrap();
    assert_eq!((book.bids().count(), book.best().0.unwrap().price), (39, price(true, 18)));
    // With the last but one the book is lost.
    let mut sync = asked(&options);
    sync.answer(Some(snapshot(1, 0)), ms(0), &options);
    let outcomes: Vec<Outcome> =
        (0..39).map(|at| sync.take(gone(2 + u64::from(at), at), ms(2), &options)).collect();
    assert_eq!(outcomes[37..], [Outcome::Valid, Outcome::Lost(Fault::Short)]);
}
