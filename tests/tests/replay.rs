//! Recorded data of any kind through the whole order path, in the time of the data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

mod common;

use mts_brokers::{PaperBroker, PaperConfig};
use mts_engine::shell::Trader;
use mts_engine::shell::offline::{OperatorScript, Replay, RunEnd, RunError};
use mts_engine::{Core, CoreConfig, FundSetup, Input, OperatorAct};
use mts_foundation::broker_handle::{BrokerHandle, HandleStrategy, Handled, OrderAsk, Placed};
use mts_foundation::journal::Journal;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError, View};
use mts_foundation::{
    ActorId, Bar, Decimal, Event, FundConfig, FundId, GateLimits, Instrument, InstrumentTable, Interval,
    MarketCalendar, Quote, Side, StrategyId, Symbol, Timestamp, Trade,
};
use mts_journal::MemoryJournal;
use mts_marketdata::ticks::Tick;
use mts_portfolio::WeightPlanner;
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;

/// 2026-01-05, a Monday, 09:30 in New York.
const OPEN: i64 = 1_767_623_400_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(OPEN + millis)
}

fn symbol() -> Symbol {
    Symbol::new("AAPL").unwrap()
}

fn quote(millis: i64, cents: i64) -> MarketEvent {
    MarketEvent::Quote(Quote {
        symbol: symbol(),
        bid: Decimal::new(cents - 1, 2),
        ask: Decimal::new(cents + 1, 2),
        bid_size: Decimal::from(1_000),
        ask_size: Decimal::from(1_000),
        venue: "x".parse().unwrap(),
        timestamp: at(millis),
    })
}

/// Two sessions of quotes every 250 ms for a while around the open and around the close, prints between them, a bar a minute.
fn day() -> Vec<MarketEvent> {
    let mut events = Vec::new();
    for session in 0..2 {
        for part in [-60_000, 23_370_000] {
            let start = session * 86_400_000 + part;
            for step in 0..480_i64 {
                let millis = start + step * 250;
                let cents = 10_000 + (step * 37 + session * 11) % 29 - 14;
                events.push(quote(millis, cents));
                if step % 7 == 3 {
                    events.push(MarketEvent::Trade(Trade {
                        trade_id: format!("{session}-{millis}").into(),
                        symbol: symbol(),
                        price: Decimal::new(cents, 2),
                        size: Decimal::from(50),
                        venue: "x".parse().unwrap(),
                        timestamp: at(millis + 100),
                    }));
                }
                if step % 240 == 239 {
                    let price = Decimal::new(cents, 2);
                    let interval: Interval = "1m".parse().unwrap();
                    let mut bar = Bar::close_only(symbol(), interval, price, at(millis + 250));
                    bar.volume = Decimal::from(500);
                    events.push(MarketEvent::Bars { time: at(millis + 250), bars: vec![bar].into() });
                }
            }
        }
    }
    events
}

struct Recorded(std::vec::IntoIter<MarketEvent>);

impl DataFeed for Recorded {
    fn name(&self) -> &str {
        "recorded"
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        Ok(self.0.next())
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    fn stats(&self) -> FeedStats {
        FeedStats::default()
    }
}

/// Buys and sells by turns on every fortieth thing it hears, with a resting limit now and then; its memory is not journalled.
struct Restless {
    id: StrategyId,
    heard: u64,
}

impl Strategy for Restless {
    fn id(&self) -> &StrategyId {
        &self.id
    }
    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.heard += 1;
        if !self.heard.is_multiple_of(40) {
            return Ok(());
        }
        let held = view.book.positions().quantity(&symbol());
        let side = if held.is_zero() { Side::Buy } else { Side::Sell };
        let mut order =
            OrderRequest::market(symbol(), side, if held.is_zero() { Decimal::TEN } else { held });
        if self.heard.is_multiple_of(120) {
            order.order_type = mts_foundation::OrderType::Limit;
            order.limit_price = Some(Decimal::new(9_990, 2));
        }
        commands.submit(order);
        for order in view.open_orders {
            commands.cancel(order.order.order_id.clone());
        }
        Ok(())
    }
}

/// The same trader in the other style.
struct Talker {
    id: StrategyId,
    heard: u64,
    refused: u64,
}

impl HandleStrategy for Talker {
    fn id(&self) -> &StrategyId {
        &self.id
    }
    fn on_data(&mut self, view: &View<'_>, broker: &mut BrokerHandle<'_>) -> Result<(), StrategyError> {
        self.heard += 1;
        if !self.heard.is_multiple_of(40) {
            return Ok(());
        }
        assert!(broker.is_connected()?);
        let held = broker.get_position(&symbol())?.map(|position| position.quantity).unwrap_or_default();
        let units = if held.is_zero() { Decimal::TEN } else { -held };
        match broker.submit_order(OrderAsk::market(symbol(), units))? {
            Placed::Order(order) => {
                assert_eq!(order.order.quantity, units.abs());
                // A second one that rests far away, cancelled in the same breath.
                let far = OrderAsk::limit(symbol(), Decimal::ONE, Decimal::new(9_500, 2));
                if let Ok(Placed::Order(far)) = broker.submit_order(far) {
                    let ended = broker.cancel_order(&far.order.order_id)?;
                    assert!(ended.state.is_terminal(), "{}", ended.state);
                } else {
                    self.refused += 1;
                }
            }
            Placed::Waits(_) => assert!(view.session.is_none(), "the market is open at {}", view.time),
        }
        Ok(())
    }
}

fn core() -> Core {
    core_with(|_| {})
}

fn core_with(change: impl FnOnce(&mut CoreConfig)) -> Core {
    let fund: FundConfig = serde_json::from_str(
        r#"{"fund_id":"f","name":"f","target_nav_usd":"10000","broker":"paper","created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let envelope = serde_json::from_str(
        r#"{"envelope_id":"e","fund_id":"f","nav_usd":"10000","max_position_pct":0.9,"max_sector_pct":1.0,
            "allowed_brokers":["paper"],"allowed_order_types":["market","limit"],"created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let risk =
        FundRisk { config: fund.clone(), envelope, limits: GateLimits::default(), borrow: BTreeMap::new() };
    let operators =
        OperatorPolicy { operators: vec![ActorId::new("me").unwrap()], ..OperatorPolicy::default() };
    let pipeline = RiskPipeline::new(vec![risk], operators).unwrap();
    let planner = WeightPlanner::new(Decimal::new(1, 2)).unwrap();
    let setup = FundSetup { config: fund, initial_cash: Decimal::from(10_000) };
    let table = InstrumentTable::from_instruments([Instrument::us_share(symbol())]).unwrap();
    let mut config = CoreConfig::new(vec![setup], table);
    change(&mut config);
    Core::new(config, Box::new(pipeline), Box::new(planner)).unwrap()
}

fn restless() -> Box<dyn Strategy> {
    Box::new(Restless { id: "restless".parse().unwrap(), heard: 0 })
}

fn talker() -> Box<dyn Strategy> {
    Box::new(Handled(Talker { id: "talker".parse().unwrap(), heard: 0, refused: 0 }))
}

fn begun() -> MemoryJournal {
    let mut journal = MemoryJournal::new();
    journal.append(1, b"{}").unwrap();
    journal.commit().unwrap();
    journal
}

fn replay(
    journal: &mut MemoryJournal,
    events: Vec<MarketEvent>,
    strategy: Box<dyn Strategy>,
    observe: &mut dyn FnMut(&Event),
) -> Result<RunEnd, RunError> {
    replay_with(core(), journal, events, strategy, observe)
}

fn replay_with(
    core: Core,
    journal: &mut MemoryJournal,
    events: Vec<MarketEvent>,
    strategy: Box<dyn Strategy>,
    observe: &mut dyn FnMut(&Event),
) -> Result<RunEnd, RunError> {
    let config = PaperConfig { initial_cash: Decimal::from(10_000), ..PaperConfig::default() };
    let venue = PaperBroker::new(config).unwrap();
    let replay = Replay {
        core,
        journal,
        venue: &venue,
        traders: vec![Trader { strategy, fund_id: FundId::new("f").unwrap() }],
        calendar: Some(MarketCalendar::builtin("XNYS").unwrap()),
        start: at(-3_600_000),
        end: at(30 * 86_400_000),
        script: OperatorScript::None,
    };
    replay.run(&mut Recorded(events.into_iter()), &mut |_| {}, observe)
}

#[test]
fn a_replay_asks_nobody_and_says_so() {
    let core = core_with(|config| config.async_gates = true);
    let refused = replay_with(core, &mut begun(), day(), restless(), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, RunError::AsyncGates), "{refused}");
    assert!(refused.to_string().contains("set async_gates to false"));
}

#[test]
fn quotes_prints_and_bars_trade_through_sessions_in_the_datas_time() {
    let mut journal = begun();
    let mut fills = Vec::new();
    let end = replay(&mut journal, day(), restless(), &mut |event| {
        if let Event::FillCreated { fill, .. } = event {
            fills.push(fill.timestamp);
        }
    })
    .unwrap();
    let state = end.core.state();
    assert_eq!(end.market_events, day().len() as u64);
    assert_eq!((end.late_events, end.replayed), (0, 0));
    assert_eq!(state.counters().sessions, 2);
    assert_eq!(end.last_session, Some("2026-01-06".parse().unwrap()));
    assert!(fills.len() >= 30, "{}", fills.len());
    assert!(fills.is_sorted() && *fills.first().unwrap() >= at(0), "nothing fills before the open");
    assert_eq!(state.counters().incidents, 0);
    // Conflation: a mark a second at most, not one for each of the quotes.
    let mut marks = 0;
    journal
        .replay(&mut |record| {
            let input = mts_engine::record::decode(record.sequence, record.kind, &record.payload);
            marks += u64::from(matches!(input, Ok(Input::Marks { .. })));
            Ok(())
        })
        .unwrap();
    assert!(marks > 200 && marks < end.market_events / 3, "{marks} of {}", end.market_events);
}

/// Whatever is left of the journal, the run ends as if nothing had happened.
#[test]
fn a_replay_cut_at_every_commit_ends_in_the_same_state() {
    for strategy in [restless, talker] {
        let mut whole = begun();
        let expected = replay(&mut whole, day(), strategy(), &mut |_| {}).unwrap().core.state_hash();
        let bytes = whole.bytes().to_vec();
        let mut seen = std::collections::BTreeSet::new();
        for cut in (0..bytes.len()).step_by(1_499) {
            let mut partial = MemoryJournal::from_bytes(bytes[..cut].to_vec()).unwrap();
            let durable = partial.durable();
            if durable == 0 || !seen.insert(durable) {
                continue;
            }
            let end = replay(&mut partial, day(), strategy(), &mut |_| {}).unwrap();
            assert_eq!(end.core.state_hash(), expected, "cut at byte {cut}");
            assert_eq!(end.replayed, durable - 1);
            assert_eq!(partial.durable(), whole.durable());
        }
        assert!(seen.len() > 20, "{} cuts", seen.len());
    }
}

#[test]
fn events_of_the_past_are_not_told_again() {
    let mut journal = begun();
    let (mut first, mut second) = (0, 0);
    let half = day().len() / 2;
    replay(&mut journal, day()[..half].to_vec(), restless(), &mut |_| first += 1).unwrap();
    replay(&mut journal, day(), restless(), &mut |_| second += 1).unwrap();
    let mut whole = 0;
    replay(&mut begun(), day(), restless(), &mut |_| whole += 1).unwrap();
    assert_eq!(first + second, whole);
    assert!(first > 10 && second > 10);
}

#[test]
fn other_data_and_another_strategy_are_found_at_the_first_record_that_differs() {
    let mut journal = begun();
    replay(&mut journal, day(), restless(), &mut |_| {}).unwrap();
    let length = journal.durable();
    let mut changed = day();
    let middle = changed.len() / 2;
    changed[middle] = quote(0, 5_000);
    let error = replay(&mut journal, changed, restless(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("is not what this run does at the same place"), "{error}");
    let error = replay(&mut journal, day(), talker(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("start anew with --fresh"), "{error}");
    assert_eq!(journal.durable(), length, "nothing was added");
}

/// What a person did to the run while nothing ran stands at its place, whenever the run is gone through.
#[test]
fn acts_of_people_are_taken_where_they_stand() {
    let mut journal = begun();
    let half = day().len() / 2;
    let stopped = replay(&mut journal, day()[..half].to_vec(), restless(), &mut |_| {}).unwrap();
    let actor = ActorId::new("me").unwrap();
    let time = stopped.core.state().now();
    let kill = Input::Operator { act: OperatorAct::Kill { reason: "enough".to_owned(), actor }, time };
    let mut payload = Vec::new();
    mts_engine::record::encode(&kill, &mut payload).unwrap();
    journal.append(mts_engine::record::INPUT_V1, &payload).unwrap();
    journal.commit().unwrap();
    let orders = stopped.core.state().counters().fills;
    let end = replay(&mut journal, day(), restless(), &mut |_| {}).unwrap();
    assert_eq!(end.core.state().counters().fills, orders, "nothing was sent after the kill");
    assert!(end.core.risk().killed().is_some());
    let again = replay(&mut journal, day(), restless(), &mut |_| {}).unwrap();
    assert_eq!(again.core.state_hash(), end.core.state_hash());
}

#[test]
fn data_that_comes_late_counts_as_of_now() {
    let mut events = day();
    let middle = events.len() / 2;
    events.insert(middle, quote(0, 10_000));
    events.push(quote(86_400_000 + 23_370_000 + 480 * 250 + 1, 10_000));
    let end = replay(&mut begun(), events, restless(), &mut |_| {}).unwrap();
    assert_eq!(end.late_events, 1);
}

/// The example's strategy over its own data, with one word changed; and again after its journal was cut.
#[test]
fn the_program_replays_and_goes_on_where_it_was_interrupted() {
    let (_folder, config) = common::changed(
        "targets.toml",
        &[("[broker]", "[live]\nmode = \"replay\"\n\n[broker]"), ("end = 2022-12-31", "end = 2019-12-31")],
    );
    let (whole, partial) = (common::folder(), common::folder());
    let run = |out: &std::path::Path| {
        common::run(["run", common::text(&config), "--out", common::text(out), "--json"]).json()
    };
    let result = run(whole.path());
    assert!(result["fills"].as_u64().unwrap() > 1 && result["finished"] == true, "{result}");
    assert_eq!((&result["incidents"], result["sessions"].as_u64()), (&serde_json::json!(0), Some(252)));
    let status = common::run(["status", common::text(whole.path()), "--json"]).json();
    assert_eq!(status["mode"], "replay");
    let bytes = std::fs::read(whole.path().join("journal.mts")).unwrap();
    std::fs::write(partial.path().join("journal.mts"), &bytes[..bytes.len() * 2 / 3]).unwrap();
    assert_eq!(run(partial.path())["state_hash"], result["state_hash"]);
}

/// Quotes and prints from a file of JSON lines, in and out of one instrument.
#[test]
fn the_program_replays_ticks() {
    let lines: String = day()
        .into_iter()
        .filter_map(|event| match event {
            MarketEvent::Quote(quote) => serde_json::to_string(&Tick::Quote(quote)).ok(),
            MarketEvent::Trade(trade) => serde_json::to_string(&Tick::Trade(trade)).ok(),
            _ => None,
        })
        .map(|line| line + "\n")
        .collect();
    let folder = common::folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ticks.jsonl"), lines).unwrap();
    let (_example, config) = common::changed(
        "paper.toml",
        &[
            ("mode = \"paper\"", "mode = \"replay\""),
            ("[metrics]\nport = 9464\n", ""),
            (
                "kind = \"walk\"\npath = \"data/us20/closes.csv\"\nparams = { every_ms = 20 }",
                "kind = \"ticks\"\npath = \"TICKS\"",
            ),
        ],
    );
    let text = std::fs::read_to_string(&config).unwrap().replace("TICKS", common::text(&path("ticks.jsonl")));
    std::fs::write(&config, text).unwrap();
    let out = path("out");
    let result = common::run(["run", common::text(&config), "--out", common::text(&out), "--json"]).json();
    assert!(result["fills"].as_u64().unwrap() > 20, "{result}");
    // The last that has closed: the calendar is 24/7, and the data ends within its next day.
    assert_eq!(result["last_session"], "2026-01-05");
    let again = common::run(["run", common::text(&config), "--out", common::text(&out), "--json"]).json();
    assert_eq!(again["state_hash"], result["state_hash"]);
}
