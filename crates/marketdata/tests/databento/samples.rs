//! Databento's own sample files, where they are.

use super::made::{drain, feed_of, only, told};
use dbn::decode::{DecodeRecordRef, DynDecoder};
use dbn::{Record, VersionUpgradePolicy};
use mts_foundation::market_data::MarketEvent;
use std::path::{Path, PathBuf};

fn files() -> Option<Vec<PathBuf>> {
    let root = std::env::var("MTS_SHARED").unwrap_or_else(|_| "/work/shared".to_owned());
    let root = Path::new(&root).join("data/databento-dbn");
    if !root.is_dir() {
        println!("skipped: {} does not exist here", root.display());
        return None;
    }
    let (mut folders, mut files) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if (name.ends_with(".dbn") || name.ends_with(".dbn.zst")) && !name.contains("frag") {
                files.push(path);
            }
        }
    }
    files.sort();
    Some(files)
}

/// Each is read to its end; each record is counted once, and by nothing but what became of it.
#[test]
fn every_sample_is_read_to_its_end() {
    let Some(files) = files() else { return };
    assert!(files.len() > 100, "{}", files.len());
    let (mut quotes, mut trades, mut bars) = (0, 0, 0);
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let mut theirs = DynDecoder::from_file(&path, VersionUpgradePolicy::UpgradeToV3).unwrap();
        let mut count = 0;
        while let Some(record) = theirs.decode_record_ref().unwrap() {
            assert!(record.record_size() > 0);
            count += 1;
        }
        let mut feed = feed_of(vec![bytes], &only(&[])).unwrap();
        let (events, error) = drain(&mut feed);
        assert!(error.is_none(), "{}: {error:?}", path.display());
        let counts = feed.counts();
        assert_eq!(counts.records, count, "{}", path.display());
        let left_out = counts.other + counts.unmapped + counts.unreadable + counts.no_time;
        assert!(events.is_empty() || left_out < count, "{}", path.display());
        (quotes, trades, bars) = (quotes + counts.quotes, trades + counts.trades, bars + counts.bars);
        let name = path.display();
        if !events.is_empty() || counts.unreadable > 0 {
            println!(
                "{name}: {:?} refused {:?}",
                told(&events[..events.len().min(2)]),
                counts.unreadable_names
            );
        }
    }
    println!("{quotes} quotes, {trades} prints, {bars} bars");
    assert!(quotes > 50 && trades > 20 && bars > 50, "{quotes} {trades} {bars}");
}

/// The first print of the sample of E-mini futures, as its publisher's own tests have it.
#[test]
fn the_sample_of_prints_says_what_its_publisher_says() {
    let Some(files) = files() else { return };
    let mut seen = 0;
    for path in files.iter().filter(|path| path.to_string_lossy().contains("/test_data.trades.")) {
        if path.to_string_lossy().contains("python") {
            continue;
        }
        let (events, _) = drain(&mut feed_of(vec![std::fs::read(path).unwrap()], &only(&["ESH21"])).unwrap());
        let Some(MarketEvent::Trade(first)) = events.first() else {
            panic!("{}: {events:?}", path.display())
        };
        assert_eq!((first.price.to_string().as_str(), first.size.to_string().as_str()), ("3720.25", "5"));
        assert_eq!(
            (first.venue.as_str(), first.timestamp.to_string().as_str()),
            ("GLBX", "2020-12-28T13:00:00.099150057Z")
        );
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}
