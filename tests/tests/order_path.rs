//! The order path with its real parts: core, gates, planner, paper broker, journal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

use chrono::NaiveDate;
use mts_brokers::{PaperBroker, PaperConfig};
use mts_engine::shell::backtest::{Backtest, OperatorScript, RunEnd, RunError, Trader};
use mts_engine::{Core, CoreConfig, FundSetup};
use mts_foundation::broker::{
    BoxFuture, BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities, Check, DynBroker,
    Health, OrderChange, OrderRef, ReplaceOutcome, SimulatedBroker, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::strategy::{Commands, Strategy, StrategyError, View};
use mts_foundation::{
    Account, Bar, Decimal, Event, Fill, FundConfig, FundId, GateLimits, InstrumentTable, MarketCalendar,
    Order, OrderRecord, Position, StrategyId, Symbol, Timestamp,
};
use mts_journal::MemoryJournal;
use mts_marketdata::ClosesFeed;
use mts_portfolio::WeightPlanner;
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How many records are appended and how many are durable, seen from outside.
#[derive(Default)]
struct Watched {
    appended: AtomicU64,
    durable: AtomicU64,
}

/// A journal whose progress can be watched, and that can fail.
struct WatchedJournal {
    inner: MemoryJournal,
    watched: Arc<Watched>,
    fail_commit: Option<u64>,
    commits: u64,
}

impl Journal for WatchedJournal {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        let sequence = self.inner.append(kind, payload)?;
        self.watched.appended.store(sequence + 1, Ordering::SeqCst);
        Ok(sequence)
    }
    fn commit(&mut self) -> Result<(), JournalError> {
        self.commits += 1;
        if self.fail_commit.is_some_and(|at| self.commits >= at) {
            return Err(JournalError::Stopped);
        }
        self.inner.commit()?;
        self.watched.durable.store(self.inner.durable(), Ordering::SeqCst);
        Ok(())
    }
    fn next_sequence(&self) -> Sequence {
        self.inner.next_sequence()
    }
    fn durable(&self) -> Sequence {
        self.inner.durable()
    }
    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.inner.replay(visit)
    }
}

/// A paper broker that looks at the journal whenever an order arrives.
struct WatchingBroker {
    inner: PaperBroker,
    watched: Arc<Watched>,
    submits: AtomicUsize,
}

impl DynBroker for WatchingBroker {
    fn name(&self) -> &str {
        DynBroker::name(&self.inner)
    }
    fn capabilities(&self) -> &Capabilities {
        DynBroker::capabilities(&self.inner)
    }
    fn connect(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        DynBroker::connect(&self.inner)
    }
    fn close(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        DynBroker::close(&self.inner)
    }
    fn health(&self) -> BoxFuture<'_, Health> {
        DynBroker::health(&self.inner)
    }
    fn submit<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, SubmitOutcome> {
        let (appended, durable) =
            (self.watched.appended.load(Ordering::SeqCst), self.watched.durable.load(Ordering::SeqCst));
        assert!(durable > 0 && appended == durable, "{appended} records appended, only {durable} durable");
        self.submits.fetch_add(1, Ordering::SeqCst);
        DynBroker::submit(&self.inner, order)
    }
    fn cancel<'a>(&'a self, order: &'a BrokerOrderRef) -> BoxFuture<'a, CancelOutcome> {
        DynBroker::cancel(&self.inner, order)
    }
    fn replace<'a>(
        &'a self,
        order: &'a BrokerOrderRef,
        change: &'a OrderChange,
    ) -> BoxFuture<'a, ReplaceOutcome> {
        DynBroker::replace(&self.inner, order, change)
    }
    fn order<'a>(&'a self, order: &'a OrderRef) -> BoxFuture<'a, Result<Option<OrderReport>, BrokerError>> {
        DynBroker::order(&self.inner, order)
    }
    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<OrderReport>, BrokerError>> {
        DynBroker::open_orders(&self.inner)
    }
    fn positions(&self) -> BoxFuture<'_, Result<Vec<Position>, BrokerError>> {
        DynBroker::positions(&self.inner)
    }
    fn account(&self) -> BoxFuture<'_, Result<Account, BrokerError>> {
        DynBroker::account(&self.inner)
    }
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        DynBroker::events(&self.inner, after)
    }
    fn diagnose<'a>(&'a self, symbol: Option<&'a Symbol>) -> BoxFuture<'a, Vec<Check>> {
        DynBroker::diagnose(&self.inner, symbol)
    }
}

impl SimulatedBroker for WatchingBroker {
    fn set_time(&self, now: Timestamp) {
        self.inner.set_time(now);
    }
    fn on_bars(&self, bars: &[Bar]) {
        self.inner.on_bars(bars);
    }
    fn on_session_close(&self) {
        self.inner.on_session_close();
    }
    fn restore(&self, open: &[OrderRecord], fills: &[Fill], cash: Decimal) -> Result<(), BrokerError> {
        self.inner.restore(open, fills, cash)
    }
}

/// Changes its mind every third session, remembers how often it did, and notes what it hears.
struct Alternating {
    id: StrategyId,
    sessions: u8,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Strategy for Alternating {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_order_event(
        &mut self,
        view: &View<'_>,
        event: &Event,
        _: &mut Commands,
    ) -> Result<(), StrategyError> {
        self.heard.lock().unwrap().push(format!("{} {}", view.time, event.subject()));
        Ok(())
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.sessions += 1;
        if self.sessions % 3 == 1 {
            let symbol = if self.sessions.is_multiple_of(2) { "AAPL" } else { "KO" };
            let weight = TargetWeight {
                symbol: Symbol::new(symbol)?,
                weight: Decimal::new(5, 1),
                signal: None,
                rank: Some(1),
            };
            let (fund_id, strategy_id) = (view.fund_id.clone(), self.id.clone());
            commands.targets(TargetSet { fund_id, strategy_id, asof: view.time, weights: vec![weight] });
        }
        Ok(())
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(vec![self.sessions])
    }

    fn restore(&mut self, memory: &[u8]) -> Result<(), StrategyError> {
        self.sessions = *memory.first().ok_or("no memory")?;
        Ok(())
    }
}

const INSTRUMENTS: &str = "symbol,asset_class,currency,calendar,sector,country,tick,lot,multiplier\n\
    AAPL,equities,USD,XNYS,a,US,0.01,1,1\nKO,equities,USD,XNYS,b,US,0.01,1,1\n";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn calendar() -> &'static MarketCalendar {
    MarketCalendar::builtin("XNYS").unwrap()
}

fn table() -> InstrumentTable {
    mts_marketdata::instruments::from_csv("instruments.csv", INSTRUMENTS).unwrap()
}

fn feed() -> ClosesFeed {
    let sessions = calendar().sessions(day("2020-01-02"), day("2020-02-28")).unwrap();
    let rows: String = (0_i64..)
        .zip(sessions)
        .map(|(row, session)| format!("{},{},{}\n", session.date, 100 + row * 7 % 11, 50 + row * 5 % 13))
        .collect();
    ClosesFeed::from_csv("closes.csv", &format!("Date,AAPL,KO\n{rows}"), &table(), calendar()).unwrap()
}

fn core() -> Core {
    let fund = serde_json::from_str::<FundConfig>(
        r#"{"fund_id":"f","name":"f","target_nav_usd":"10000","broker":"paper","created_at":"2020-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let envelope = serde_json::from_str(
        r#"{"envelope_id":"e","fund_id":"f","nav_usd":"10000","max_position_pct":0.6,"max_sector_pct":1.0,
            "daily_loss_halt_pct":0.5,"weekly_loss_halt_pct":0.5,"monthly_loss_halt_pct":0.5,
            "allowed_brokers":["paper"],"created_at":"2020-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let risk =
        FundRisk { config: fund.clone(), envelope, limits: GateLimits::default(), borrow: BTreeMap::new() };
    let pipeline = RiskPipeline::new(vec![risk], OperatorPolicy::default()).unwrap();
    let planner = WeightPlanner::new(Decimal::new(1, 2)).unwrap();
    let setup = FundSetup { config: fund, initial_cash: Decimal::from(10_000) };
    Core::new(CoreConfig::new(vec![setup], table()), Box::new(pipeline), Box::new(planner)).unwrap()
}

struct World {
    watched: Arc<Watched>,
    broker: WatchingBroker,
    heard: Arc<Mutex<Vec<String>>>,
}

fn world() -> World {
    let watched = Arc::new(Watched::default());
    let config = PaperConfig { initial_cash: Decimal::from(10_000), ..PaperConfig::default() };
    let broker = WatchingBroker {
        inner: PaperBroker::new(config).unwrap(),
        watched: Arc::clone(&watched),
        submits: AtomicUsize::new(0),
    };
    World { watched, broker, heard: Arc::default() }
}

/// Runs over a journal; the journal comes back whatever happens.
fn run(
    world: &World,
    journal: MemoryJournal,
    fail_commit: Option<u64>,
) -> (Result<RunEnd, RunError>, MemoryJournal) {
    let mut journal =
        WatchedJournal { inner: journal, watched: Arc::clone(&world.watched), fail_commit, commits: 0 };
    if journal.inner.durable() == 0 {
        // Stands for the genesis, which the program writes.
        journal.inner.append(1, b"{}").unwrap();
        journal.inner.commit().unwrap();
    }
    world.watched.appended.store(journal.inner.next_sequence(), Ordering::SeqCst);
    world.watched.durable.store(journal.inner.durable(), Ordering::SeqCst);
    let strategy = Alternating {
        id: StrategyId::new("alternating").unwrap(),
        sessions: 0,
        heard: Arc::clone(&world.heard),
    };
    let end = Backtest {
        core: core(),
        journal: &mut journal,
        venue: &world.broker,
        traders: vec![Trader { strategy: Box::new(strategy), fund_id: FundId::new("f").unwrap() }],
        calendar: calendar(),
        start: day("2020-01-02"),
        end: day("2020-02-28"),
        script: OperatorScript::None,
    }
    .run(&mut feed(), &mut |_| {});
    (end, journal.inner)
}

#[test]
fn every_input_is_durable_before_an_order_leaves() {
    let world = world();
    let (end, _) = run(&world, MemoryJournal::new(), None);
    let core = end.unwrap().core;
    // The broker asserts it at every submit.
    assert!(world.broker.submits.load(Ordering::SeqCst) > 20);
    assert_eq!(core.state().counters().incidents, 0);
    assert_eq!(core.state().counters().rejected, 0);
}

#[test]
fn a_run_cut_at_every_commit_ends_in_the_same_state() {
    let whole = world();
    let (end, journal) = run(&whole, MemoryJournal::new(), None);
    let expected = end.unwrap().core.state_hash();
    let bytes = journal.bytes().to_vec();
    let mut lengths = BTreeSet::new();
    for cut in (0..bytes.len()).step_by(7) {
        let partial = MemoryJournal::from_bytes(bytes[..cut].to_vec()).unwrap();
        // Cuts within one commit group are the same cut.
        if partial.durable() == 0 || !lengths.insert(partial.durable()) {
            continue;
        }
        let again = world();
        let (end, journal) = run(&again, partial, None);
        let end = end.unwrap();
        assert_eq!(end.core.state_hash(), expected, "cut at byte {cut}");
        assert_eq!(journal.durable(), lengths_of(&bytes), "cut at byte {cut}");
    }
    assert!(lengths.len() > 30, "{} different cuts", lengths.len());
}

fn lengths_of(bytes: &[u8]) -> u64 {
    MemoryJournal::from_bytes(bytes.to_vec()).unwrap().durable()
}

#[test]
fn when_the_journal_fails_nothing_leaves_any_more() {
    for fail_at in [1, 2, 5, 12] {
        let world = world();
        let (end, _) = run(&world, MemoryJournal::new(), Some(fail_at));
        assert!(matches!(end, Err(RunError::Journal(JournalError::Stopped))));
        let submits = world.broker.submits.load(Ordering::SeqCst);
        assert!(submits < 20, "{submits} orders left although commit {fail_at} failed");
        if fail_at == 1 {
            assert_eq!(submits, 0);
        }
    }
}

#[test]
fn strategies_hear_of_their_orders_before_the_data_of_the_session() {
    let world = world();
    run(&world, MemoryJournal::new(), None).0.unwrap();
    let heard = world.heard.lock().unwrap();
    let count = |subject: &str| heard.iter().filter(|line| line.ends_with(subject)).count();
    assert_eq!(count("orders.created"), count("orders.accepted"));
    assert_eq!(count("orders.created"), count("fills.created"));
    assert!(count("fills.created") > 20);
    assert!(heard.is_sorted_by_key(|line| line.split(' ').next().unwrap().to_owned()));
}
