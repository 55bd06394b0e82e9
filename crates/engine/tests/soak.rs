//! The live engine at full rate for a long time, at a venue that misbehaves all the time: memory and descriptors stay flat.
//!
//! `cargo xtask soak` runs it for ten minutes; as a plain test it runs for seconds, so that it cannot rot.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]
#![expect(clippy::print_stdout, reason = "the soak prints a table")]
#![expect(clippy::disallowed_methods, reason = "the soak runs in real time")]

mod common;
mod desk;

use common::{accept, buy, core_with, decide, fill, fund_id, open, step, submitted};
use desk::{Desk, Doer, SystemClock, quote};
use mts_engine::Core;
use mts_engine::record::GENESIS;
use mts_engine::shell::Trader;
use mts_engine::shell::live::{LiveEngine, LiveParts, LiveRules, LiveStats, Told, Venue};
use mts_foundation::broker_event::OrderReport;
use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{Clock as _, Decimal, Event, IdempotencyKey, Side, Symbol};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Most MiB by which memory may grow in a minute after the warm-up, by the line of least squares.
const GROWTH: f64 = 0.5;

/// How long the core remembers orders that ended: what it holds is level after as long.
const MEMORY: Duration = Duration::from_secs(5);

/// Quotes as fast as they are taken.
struct Rush;

impl DataFeed for Rush {
    fn name(&self) -> &str {
        "rush"
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        tokio::task::yield_now().await;
        Ok(Some(MarketEvent::Quote(quote())))
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    fn stats(&self) -> FeedStats {
        FeedStats::default()
    }
}

/// A journal that syncs what it is given to a file, and begins the file again where it becomes large: the soak is of memory,
/// not of the disk.
struct Synced {
    file: File,
    bytes: Vec<u8>,
    next: Sequence,
    durable: Sequence,
}

impl Synced {
    fn new() -> Self {
        let name = format!("mts-soak-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let file = File::create(&path).unwrap();
        // It lives as long as it is open.
        std::fs::remove_file(&path).unwrap();
        Self { file, bytes: Vec::new(), next: 1, durable: 1 }
    }
}

impl Journal for Synced {
    fn append(&mut self, _: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        self.bytes.extend_from_slice(payload);
        self.next += 1;
        Ok(self.next - 1)
    }
    fn commit(&mut self) -> Result<(), JournalError> {
        if self.file.stream_position().unwrap() > 64 << 20 {
            self.file.set_len(0).unwrap();
            self.file.rewind().unwrap();
        }
        self.file.write_all(&self.bytes).and_then(|()| self.file.sync_data()).unwrap();
        self.bytes.clear();
        self.durable = self.next;
        Ok(())
    }
    fn next_sequence(&self) -> Sequence {
        self.next
    }
    fn durable(&self) -> Sequence {
        self.durable
    }
    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        visit(JournalRecord { sequence: 0, kind: GENESIS, payload: Vec::new() })
    }
}

/// What was seen at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    minutes: f64,
    mib: f64,
    descriptors: usize,
    threads: usize,
    orders: u64,
}

fn sample(began: Instant, orders: &AtomicU64) -> Sample {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| -> f64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    Sample {
        minutes: began.elapsed().as_secs_f64() / 60.0,
        mib: line("VmRSS:") / 1024.0,
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        threads: std::fs::read_dir("/proc/self/task").unwrap().count(),
        orders: orders.load(Ordering::Relaxed),
    }
}

/// MiB a minute, by the line of least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let (minutes, mib) = (mean(|sample| sample.minutes), mean(|sample| sample.mib));
    let covariance: f64 = samples.iter().map(|sample| (sample.minutes - minutes) * (sample.mib - mib)).sum();
    let variance: f64 = samples.iter().map(|sample| (sample.minutes - minutes).powi(2)).sum();
    covariance / variance
}

/// The venue misbehaves in turns: it does not answer, does not fill, and is well in between. It forgets what has ended.
fn misbehave(desk: &Desk, turn: u64) {
    desk.mute.store(turn % 7 == 3, Ordering::SeqCst);
    desk.fills.store(turn % 5 != 4, Ordering::SeqCst);
    let mut book = desk.book.lock().unwrap();
    book.sent.clear();
    book.cancels.clear();
    // As old as the core's own memory.
    let ended: Vec<IdempotencyKey> = book
        .orders
        .iter()
        .filter(|(_, report)| {
            report.state.is_terminal() && SystemClock.now().since(report.timestamp) > MEMORY * 2
        })
        .map(|(key, _)| key.clone())
        .collect();
    for key in ended {
        book.orders.remove(&key);
    }
    // What rests is filled in the end: open orders are remembered as long as they are open.
    let resting = |report: &OrderReport| {
        !report.state.is_terminal() && SystemClock.now().since(report.timestamp) > Duration::from_secs(1)
    };
    let open: Vec<IdempotencyKey> =
        book.orders.iter().filter(|(_, report)| resting(report)).map(|(key, _)| key.clone()).collect();
    drop(book);
    if desk.fills.load(Ordering::SeqCst) {
        open.iter().for_each(|key| desk.fill(key.as_str()));
    }
}

/// Fills that the core remembers for deduplication: a number and not a time, so a young core grows until it has them.
const FILLS: usize = 1_000_000;

/// Lets the core live through so many fills, one unit bought and one sold in turns, so that its memory of them is as large as it
/// becomes.
fn live_through(core: &mut Core, fills: usize) {
    let half = i64::try_from(fills / 2).unwrap();
    open(core, 0);
    let Command::Submit(mut sale) = buy("old sale", half) else { panic!("not an order") };
    sale.side = Side::Sell;
    let [bought, sold] = [buy("old purchase", half), Command::Submit(sale)].map(|command| {
        let order = submitted(&step(core, &decide(0, vec![command])))[0].clone();
        accept(core, &order, 0);
        order
    });
    for number in 0..half {
        step(core, &fill(&bought, &format!("b{number}"), 1, 0));
        step(core, &fill(&sold, &format!("s{number}"), 1, 0));
    }
    assert_eq!(core.state().sizes().fill_ids, fills.min(FILLS));
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 0);
}

/// Runs for a while with a core that has lived through so many fills; samples, and the engine's own figures.
fn soak(length: Duration, fills: usize) -> (Vec<Sample>, LiveStats) {
    let journal = Synced::new();
    let desk = Desk::new();
    desk.fills.store(true, Ordering::SeqCst);
    let orders = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&orders);
    let trouble = Arc::new(Mutex::new(BTreeMap::<String, u64>::new()));
    let told_trouble = Arc::clone(&trouble);
    let doer = Doer::new(move |nth, view, commands| {
        let held = view.book.positions().quantity(&Symbol::new("AAPL").unwrap());
        let side = if held > Decimal::ZERO { Side::Sell } else { Side::Buy };
        let mut order = OrderRequest::market(Symbol::new("AAPL").unwrap(), side, Decimal::ONE);
        order.idempotency_key = Some(IdempotencyKey::new(format!("soak-{nth}")).unwrap());
        commands.submit(order);
        Ok(())
    });
    // The strategy of these tests remembers everything it is told.
    let told = Arc::clone(&doer.events);
    let mut core = core_with(true, |config| {
        config.sessions = false;
        config.key_memory = MEMORY;
    });
    live_through(&mut core, fills);
    let began = Instant::now();
    let mut engine = LiveEngine::new(LiveParts {
        core,
        journal,
        clock: Arc::new(SystemClock),
        venues: BTreeMap::from([("paper".parse().unwrap(), Venue::Real(Arc::clone(&desk) as _))]),
        gates: Vec::new(),
        feeds: vec![Box::new(Rush)],
        traders: vec![Trader { strategy: Box::new(doer), fund_id: fund_id() }],
        calendar: None,
        rules: LiveRules { call_deadline: Duration::from_millis(300), ..LiveRules::default() },
        kill_flag: None,
        observe: Box::new(move |told| match told {
            Told::Event(Event::OrderCreated(_)) => {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Told::Event(Event::Incident { code, .. }) => {
                *told_trouble.lock().unwrap().entry(code.to_string()).or_default() += 1;
            }
            _ => {}
        }),
    })
    .unwrap();
    engine.connect().unwrap();
    let stopper = engine.stopper();
    let watched = Arc::clone(&desk);
    let memories = told;
    let watcher = std::thread::spawn(move || {
        let mut samples = Vec::new();
        let pause = Duration::from_millis(100);
        for turn in 0_u64.. {
            std::thread::sleep(pause);
            misbehave(&watched, turn / 5);
            memories.lock().unwrap().clear();
            if turn % 10 == 0 {
                samples.push(sample(began, &orders));
            }
            if began.elapsed() >= length {
                break;
            }
        }
        watched.mute.store(false, Ordering::SeqCst);
        stopper.stop();
        samples
    });
    let stats = engine.run().unwrap();
    println!("incidents: {:?}", trouble.lock().unwrap());
    (watcher.join().unwrap(), stats)
}

#[test]
fn it_runs_at_full_rate_at_a_venue_that_misbehaves() {
    let (samples, stats) = soak(Duration::from_secs(4), 100);
    let last = samples.last().unwrap();
    assert!(last.orders > 50 && stats.market_events > 50, "{last:?} {stats:?}");
    assert!(stats.error_count == 0 && stats.strategies_lost == 0, "{stats:?}");
}

#[test]
#[ignore = "minutes long: cargo xtask soak"]
fn memory_and_descriptors_stay_flat() {
    let minutes: f64 = std::env::var("MTS_SOAK_MINUTES").map_or(10.0, |text| text.parse().unwrap());
    // A tenth more, so that the room that is kept for the next ones has been used too.
    let (samples, stats) = soak(Duration::from_secs_f64(minutes * 60.0), FILLS + FILLS / 10);
    // The first fifth is the warm-up: memories fill, allocators settle.
    let warm = &samples[samples.len() / 5..];
    let growth = slope(warm);
    let most = |of: &[Sample]| of.iter().map(|sample| sample.descriptors).max().unwrap();
    let (early, late) = (most(&warm[..warm.len() / 2]), most(&warm[warm.len() / 2..]));
    if std::env::var_os("MTS_SOAK_JSON").is_some() {
        let rows: Vec<_> = samples
            .iter()
            .map(|at| {
                serde_json::json!({ "minutes": at.minutes, "resident_mib": at.mib, "descriptors": at.descriptors,
                    "threads": at.threads, "orders": at.orders })
            })
            .collect();
        println!(
            "{}",
            serde_json::json!({ "samples": rows, "mib_a_minute": growth, "bound": GROWTH,
                "market_events": stats.market_events, "commits": stats.commits })
        );
    } else {
        println!("minute  resident MiB  descriptors  threads     orders");
        let mut next = 0.0;
        for at in samples.iter().filter(|at| {
            let due = at.minutes >= next;
            next += if due { 1.0 } else { 0.0 };
            due
        }) {
            println!(
                "{:6.1}  {:12.1}  {:11}  {:7}  {:9}",
                at.minutes, at.mib, at.descriptors, at.threads, at.orders
            );
        }
        println!("{growth:.3} MiB a minute after the warm-up, at most {GROWTH}; {} commits", stats.commits);
    }
    assert!(growth < GROWTH, "memory grows by {growth:.3} MiB a minute");
    assert!(late <= early + 1, "descriptors grow from {early} to {late}");
    assert!(stats.error_count == 0 && stats.strategies_lost == 0, "{stats:?}");
}
