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
use mts_engine::record::decode;
use mts_engine::shell::Trader;
use mts_engine::shell::driver::DriverError;
use mts_engine::shell::offline::{Backtest, OperatorScript, RunEnd, RunError};
use mts_engine::{Core, CoreConfig, FundSetup, Input};
use mts_foundation::algorithm::{Algorithm, AlgorithmRequest, AlmgrenChriss, AtEnd, ChildType, Twap};
use mts_foundation::broker::{
    BoxFuture, BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities, Check, DynBroker,
    Health, OrderChange, OrderRef, ReplaceOutcome, SimulatedBroker, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::contingent::OrderGroup;
use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::risk::SessionPhase;
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError, View};
use mts_foundation::{
    Account, Bar, Decimal, Event, Fill, FundConfig, FundId, GateLimits, InstrumentTable, MarketCalendar,
    Order, OrderRecord, OrderType, Position, Quote, Side, StrategyId, Symbol, TimeInForce, Timestamp, Trade,
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
    /// Answers of the venue since the last commit: they may wait, what caused an order may not.
    answers: AtomicU64,
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
        if let Ok(Input::Submitted { .. } | Input::Canceled { .. }) = decode(sequence, kind, payload) {
            self.watched.answers.fetch_add(1, Ordering::SeqCst);
        }
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
        self.watched.answers.store(0, Ordering::SeqCst);
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
    fn recall(&self, orders: &[Order]) {
        DynBroker::recall(&self.inner, orders);
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
        let answers = self.watched.answers.load(Ordering::SeqCst);
        assert!(
            durable > 0 && appended == durable + answers,
            "{appended} records appended, only {durable} durable, {answers} of them answers"
        );
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
    fn on_quote(&self, quote: &Quote) {
        self.inner.on_quote(quote);
    }
    fn on_trade(&self, trade: &Trade) {
        self.inner.on_trade(trade);
    }
    fn on_session(&self, phase: SessionPhase, time: Timestamp) {
        self.inner.on_session(phase, time);
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

/// Sends orders of every kind that can rest, cancels and closes, and lets what it hears decide how much: a run that hears
/// anything else ends differently.
struct Busy {
    id: StrategyId,
    sessions: u8,
    told: u8,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Strategy for Busy {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_order_event(
        &mut self,
        view: &View<'_>,
        event: &Event,
        _: &mut Commands,
    ) -> Result<(), StrategyError> {
        self.told = self.told.wrapping_add(1);
        self.heard.lock().unwrap().push(format!("{} {}", view.time, event.subject()));
        Ok(())
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.sessions += 1;
        let aapl = Symbol::new("AAPL")?;
        let units = Decimal::from(1 + self.told % 5);
        let resting = |kind: OrderType, stop: i64, limit: i64| {
            let mut request = OrderRequest::market(Symbol::new("AAPL")?, Side::Buy, units);
            request.order_type = kind;
            request.tif = TimeInForce::Gtc;
            request.stop_price = kind.takes_stop_price().then(|| Decimal::from(stop));
            request.limit_price = kind.takes_limit_price().then(|| Decimal::from(limit));
            Ok::<_, StrategyError>(request)
        };
        match self.sessions % 7 {
            1 => commands.submit(resting(OrderType::Limit, 0, 101)?),
            2 => commands.submit(resting(OrderType::StopLimit, 107, 103)?),
            3 => commands.submit(resting(OrderType::Stop, 109, 0)?),
            4 => {
                for record in view.open_orders.iter().take(1) {
                    commands.cancel(record.order.order_id.clone());
                }
                commands.submit(OrderRequest::market(Symbol::new("KO")?, Side::Buy, units));
            }
            6 => commands.close(aapl),
            _ => {}
        }
        Ok(())
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(vec![self.sessions, self.told])
    }

    fn restore(&mut self, memory: &[u8]) -> Result<(), StrategyError> {
        let [sessions, told] = memory else { return Err("no memory".into()) };
        (self.sessions, self.told) = (*sessions, *told);
        Ok(())
    }
}

/// Sends brackets and has orders worked, so that a run can be cut between their parts.
struct Contingent {
    id: StrategyId,
    sessions: u8,
    heard: Heard,
}

impl Strategy for Contingent {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn on_order_event(&mut self, _: &View<'_>, event: &Event, _: &mut Commands) -> Result<(), StrategyError> {
        let line = match event {
            Event::OrderRejected(record) => {
                let order = &record.order;
                format!(
                    "refused {} {} {}: {:?}",
                    order.symbol, order.side, order.quantity, order.rejected_reason
                )
            }
            Event::FillCreated { fill, .. } => format!("{} {} {}", fill.symbol, fill.side, fill.quantity),
            _ => return Ok(()),
        };
        self.heard.lock().unwrap().push(line);
        Ok(())
    }

    fn on_data(&mut self, _: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.sessions += 1;
        let units = Decimal::from(20);
        let market = |symbol: &str, side: Side| {
            Ok::<_, StrategyError>(OrderRequest::market(Symbol::new(symbol)?, side, units))
        };
        match self.sessions % 10 {
            1 => commands.group(OrderGroup::bracket(
                market("AAPL", Side::Buy)?,
                Decimal::from(108),
                Decimal::from(101),
            )),
            2 => {
                let twap = Twap {
                    n_slices: 4,
                    horizon_minutes: 30,
                    child_order_type: ChildType::Market,
                    ..Twap::default()
                };
                commands.algorithm(AlgorithmRequest::new(market("KO", Side::Buy)?, Algorithm::Twap(twap)));
            }
            5 => {
                let chriss = AlmgrenChriss {
                    horizon_minutes: 5,
                    child_order_type: ChildType::Market,
                    ..AlmgrenChriss::default()
                };
                let chriss = Algorithm::AlmgrenChriss(chriss);
                commands.algorithm(AlgorithmRequest::new(market("KO", Side::Buy)?, chriss));
            }
            8 => {
                // Prices move in steps of one: a limit at the last close rests, and its rest leaves at the next open.
                let twap = Algorithm::Twap(Twap { n_slices: 2, ..Twap::default() });
                let asked = AlgorithmRequest::new(market("KO", Side::Buy)?, twap);
                commands.algorithm(AlgorithmRequest { at_end: AtEnd::Send, ..asked });
            }
            0 => commands.close(Symbol::new("KO")?),
            _ => {}
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
            "allowed_brokers":["paper"],"allowed_order_types":["market","limit","stop","stop_limit"],"created_at":"2020-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let risk =
        FundRisk { config: fund.clone(), envelope, limits: GateLimits::default(), borrow: BTreeMap::new() };
    let pipeline = RiskPipeline::new(vec![risk], OperatorPolicy::default()).unwrap();
    let planner = WeightPlanner::new(Decimal::new(1, 2)).unwrap();
    let setup = FundSetup { config: fund, initial_cash: Decimal::from(10_000) };
    Core::new(CoreConfig::new(vec![setup], table()), Box::new(pipeline), Box::new(planner)).unwrap()
}

/// What is told to a strategy, and by which strategy.
type Heard = Arc<Mutex<Vec<String>>>;

struct World {
    watched: Arc<Watched>,
    broker: WatchingBroker,
    heard: Heard,
    strategies: fn(&Heard) -> Vec<Box<dyn Strategy>>,
}

fn alternating(heard: &Heard) -> Vec<Box<dyn Strategy>> {
    let id = StrategyId::new("alternating").unwrap();
    vec![Box::new(Alternating { id, sessions: 0, heard: Arc::clone(heard) })]
}

/// Two on one fund, so that a run can be cut between their decisions.
fn two_busy(heard: &Heard) -> Vec<Box<dyn Strategy>> {
    let busy = |name: &str| -> Box<dyn Strategy> {
        let id = StrategyId::new(name).unwrap();
        Box::new(Busy { id, sessions: 0, told: 0, heard: Arc::clone(heard) })
    };
    vec![busy("one"), busy("two")]
}

fn contingent(heard: &Heard) -> Vec<Box<dyn Strategy>> {
    let id = StrategyId::new("contingent").unwrap();
    vec![Box::new(Contingent { id, sessions: 0, heard: Arc::clone(heard) })]
}

fn world() -> World {
    world_of(alternating)
}

fn world_of(strategies: fn(&Heard) -> Vec<Box<dyn Strategy>>) -> World {
    let watched = Arc::new(Watched::default());
    let config = PaperConfig { initial_cash: Decimal::from(10_000), ..PaperConfig::default() };
    let broker = WatchingBroker {
        inner: PaperBroker::new(config).unwrap(),
        watched: Arc::clone(&watched),
        submits: AtomicUsize::new(0),
    };
    World { watched, broker, heard: Arc::default(), strategies }
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
    let fund_id = FundId::new("f").unwrap();
    let traders = (world.strategies)(&world.heard)
        .into_iter()
        .map(|strategy| Trader { strategy, fund_id: fund_id.clone() })
        .collect();
    let end = Backtest {
        core: core(),
        journal: &mut journal,
        venue: &world.broker,
        traders,
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

/// Cuts a run's journal wherever a commit ended and goes on from there; gives back the whole run's last core and what its
/// strategies heard.
fn cut_everywhere(strategies: fn(&Heard) -> Vec<Box<dyn Strategy>>) -> (Core, Vec<String>) {
    let whole = world_of(strategies);
    let (end, journal) = run(&whole, MemoryJournal::new(), None);
    let end = end.unwrap();
    let expected = end.core.state_hash();
    let bytes = journal.bytes().to_vec();
    let mut lengths = BTreeSet::new();
    for cut in (0..bytes.len()).step_by(7) {
        let partial = MemoryJournal::from_bytes(bytes[..cut].to_vec()).unwrap();
        // Cuts within one commit group are the same cut.
        if partial.durable() == 0 || !lengths.insert(partial.durable()) {
            continue;
        }
        let again = world_of(strategies);
        let (end, journal) = run(&again, partial, None);
        let end = end.unwrap();
        assert_eq!(end.core.state_hash(), expected, "cut at byte {cut}");
        assert_eq!(journal.durable(), lengths_of(&bytes), "cut at byte {cut}");
    }
    assert!(lengths.len() > 30, "{} different cuts", lengths.len());
    let heard = whole.heard.lock().unwrap().clone();
    (end.core, heard)
}

#[test]
fn a_run_cut_at_every_commit_ends_in_the_same_state() {
    cut_everywhere(alternating);
}

#[test]
fn a_run_with_resting_orders_cut_at_every_commit_ends_in_the_same_state() {
    let (core, heard) = cut_everywhere(two_busy);
    let count = |subject: &str| heard.iter().filter(|line| line.ends_with(subject)).count();
    assert!(count("fills.created") > 20 && count("orders.created") > 40, "{heard:?}");
    assert!(count("orders.canceled") > 4, "a strategy hears of what it cancelled");
    assert_eq!(core.state().counters().incidents, 0);
}

/// Brackets and algorithms with the real gates and the real venue, in a back-test of daily bars.
#[test]
fn a_run_with_groups_and_algorithms_cut_at_every_commit_ends_in_the_same_state() {
    let (core, heard) = cut_everywhere(contingent);
    let of = |word: &str| heard.iter().filter(|line| line.starts_with(word)).cloned().collect::<Vec<_>>();
    assert_eq!(of("refused"), Vec::<String>::new(), "both exits of a bracket pass the gates");
    // 40 sessions in rounds of ten: every bracket is entered and left whole, every parent filled by its children.
    assert_eq!((of("AAPL buy 20").len(), of("AAPL sell 20").len()), (4, 4), "{heard:?}");
    assert_eq!(of("KO buy 5").len(), 16, "four slices each: {heard:?}");
    assert_eq!(of("KO buy 4").len(), 20, "five minutes each: {heard:?}");
    assert_eq!(of("KO buy 10").len(), 2, "limits that the bar met: {heard:?}");
    assert_eq!(of("KO buy 20").len(), 3, "limits that it did not meet leave at the next open: {heard:?}");
    let book = core.state().ledger().funds().next().unwrap().1;
    assert!(book.positions().quantity(&Symbol::new("AAPL").unwrap()).is_zero());
}

#[test]
fn bars_of_a_second_instant_of_a_session_are_refused() {
    struct Twice(ClosesFeed, Option<MarketEvent>);
    impl DataFeed for Twice {
        fn name(&self) -> &str {
            "twice"
        }
        async fn start(&mut self) -> Result<(), MarketDataError> {
            DataFeed::start(&mut self.0).await
        }
        fn stats(&self) -> FeedStats {
            DataFeed::stats(&self.0)
        }
        async fn stop(&mut self) -> Result<(), MarketDataError> {
            DataFeed::stop(&mut self.0).await
        }
        async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
            if let Some(event) = self.1.take() {
                return Ok(Some(event));
            }
            let event = DataFeed::next(&mut self.0).await?;
            if let Some(MarketEvent::Bars { time, bars }) = &event {
                let time = time.plus(std::time::Duration::from_secs(60));
                self.1 = Some(MarketEvent::Bars { time, bars: bars.clone() });
            }
            Ok(event)
        }
    }
    let mut journal = MemoryJournal::new();
    journal.append(1, b"{}").unwrap();
    journal.commit().unwrap();
    let broker = PaperBroker::new(PaperConfig::default()).unwrap();
    let error = Backtest {
        core: core(),
        journal: &mut journal,
        venue: &broker,
        traders: Vec::new(),
        calendar: calendar(),
        start: day("2020-01-02"),
        end: day("2020-02-28"),
        script: OperatorScript::None,
    }
    .run(&mut Twice(feed(), None), &mut |_| {})
    .unwrap_err();
    assert!(matches!(error, RunError::Intraday { .. }), "{error}");
}

fn lengths_of(bytes: &[u8]) -> u64 {
    MemoryJournal::from_bytes(bytes.to_vec()).unwrap().durable()
}

#[test]
fn when_the_journal_fails_nothing_leaves_any_more() {
    for fail_at in [1, 2, 5, 12] {
        let world = world();
        let (end, _) = run(&world, MemoryJournal::new(), Some(fail_at));
        assert!(matches!(end, Err(RunError::Driver(DriverError::Journal(JournalError::Stopped)))));
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
