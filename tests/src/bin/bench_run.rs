//! Where the time of the main job goes: reading, trading in memory, trading on disk, replaying, hashing.
//!
//! `mts-bench-run [--json] [ROUNDS]`. Each phase is the best of the rounds, so that a busy machine distorts it least.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use mts_brokers::{PaperBroker, PaperConfig};
use mts_cli::config::{Loaded, RunConfig, load};
use mts_cli::strategies::FactorStrategy;
use mts_engine::shell::Trader;
use mts_engine::shell::offline::{Backtest, OperatorScript, RunEnd};
use mts_engine::{Core, CoreConfig, FundSetup, Output, replay};
use mts_foundation::journal::Journal;
use mts_foundation::{ActorId, FundConfig, InstrumentTable, MarketCalendar};
use mts_journal::{FileJournal, MemoryJournal, SyncPolicy};
use mts_marketdata::ClosesFeed;
use mts_portfolio::WeightPlanner;
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The parts of the main job that do not change between rounds.
struct Job {
    config: RunConfig,
    instruments: InstrumentTable,
    closes: String,
    calendar: &'static MarketCalendar,
}

impl Job {
    fn read() -> Fallible<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let Loaded { config, folder, .. } = load(&root.join("examples/momentum.toml"))?;
        let read = |path: &Path| std::fs::read_to_string(folder.join(path));
        let instruments = read(&config.instruments.path)?;
        Ok(Self {
            instruments: mts_marketdata::instruments::from_csv("instruments", &instruments)?,
            closes: read(&config.data.path)?,
            calendar: MarketCalendar::builtin(&config.run.calendar)?,
            config,
        })
    }

    fn feed(&self) -> Fallible<ClosesFeed> {
        Ok(ClosesFeed::from_csv("closes", &self.closes, &self.instruments, self.calendar)?)
    }

    fn core(&self) -> Fallible<Core> {
        let fund: FundConfig = serde_json::from_value(json!({
            "fund_id": self.config.fund.fund_id, "name": "bench", "target_nav_usd": "1000000",
            "broker": self.config.broker.name, "created_at": self.config.envelope.created_at,
        }))?;
        let (envelope, limits) = (Some(self.config.envelope.clone()), self.config.gates.clone());
        let risk = FundRisk { config: fund.clone(), envelope, limits, borrow: BTreeMap::new() };
        let operators = OperatorPolicy {
            operators: vec![ActorId::new("bench")?],
            single_operator: true,
            ..OperatorPolicy::default()
        };
        let pipeline = RiskPipeline::new(vec![risk], operators)?;
        let buffer = self.config.sizer.as_ref().map(|sizer| sizer.cash_buffer).unwrap_or_default();
        let setup = FundSetup { config: fund, initial_cash: self.config.fund.initial_cash };
        let config = CoreConfig::new(vec![setup], self.instruments.clone());
        Ok(Core::new(config, Box::new(pipeline), Box::new(WeightPlanner::new(buffer)?))?)
    }

    fn trade(&self, journal: &mut dyn Journal) -> Fallible<RunEnd> {
        journal.append(mts_engine::record::GENESIS, b"{}")?;
        journal.commit()?;
        let mut feed = self.feed()?;
        let mut symbols = feed.symbols().to_vec();
        symbols.sort();
        let section = &self.config.strategy;
        let factor = mts_quantkit::factors::builtin()?.build("f_momentum_12_1", &section.params)?;
        let sizer = self.config.sizer.as_ref().ok_or("the example has a sizer")?;
        let sizer = mts_portfolio::sizers::builtin()?.build("equal_weight_long", &sizer.params)?;
        let (id, fund_id) = (section.strategy_id.clone(), self.config.fund.fund_id.clone());
        let strategy = FactorStrategy::new(id, fund_id.clone(), symbols, factor, sizer, section.rebalance);
        let venue = PaperBroker::new(PaperConfig {
            initial_cash: self.config.fund.initial_cash,
            ..PaperConfig::default()
        })?;
        let backtest = Backtest {
            core: self.core()?,
            journal,
            venue: &venue,
            traders: vec![Trader { strategy: Box::new(strategy), fund_id }],
            calendar: self.calendar,
            start: self.config.run.start,
            end: self.config.run.end,
            script: OperatorScript::ResumeNextSession { operator: ActorId::new("bench")? },
        };
        Ok(backtest.run(&mut feed, &mut |_| {})?)
    }
}

/// The best time of some rounds, and what the last one gave.
fn best<T>(rounds: usize, mut work: impl FnMut() -> Fallible<T>) -> Fallible<(Duration, T)> {
    let mut fastest: Option<Duration> = None;
    let mut last = None;
    for _ in 0..rounds {
        let began = Instant::now();
        last = Some(work()?);
        let took = began.elapsed();
        fastest = Some(fastest.map_or(took, |fastest| fastest.min(took)));
    }
    fastest.zip(last).ok_or_else(|| "give at least one round".into())
}

fn bench() -> Fallible<()> {
    let mut as_json = false;
    let mut rounds = 5;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => as_json = true,
            // What criterion takes when all benchmarks run short.
            "--quick" | "--bench" => rounds = 2,
            number => rounds = number.parse().map_err(|_| format!("{number:?} is no number of rounds"))?,
        }
    }
    let job = Job::read()?;
    let (reading, _) = best(rounds, || job.feed())?;
    let (memory, (end, journal)) = best(rounds, || {
        let mut journal = MemoryJournal::new();
        Ok((job.trade(&mut journal)?, journal))
    })?;
    let on_disk = |sync: SyncPolicy| {
        best(rounds, || {
            let folder = tempfile::tempdir()?;
            let mut journal = FileJournal::create(folder.path())?.with_sync(sync);
            job.trade(&mut journal)?;
            Ok((journal.syncs(), journal.bytes_written()))
        })
    };
    let (durable, (syncs, bytes)) = on_disk(SyncPolicy::EveryCommit)?;
    let (replaying, core) = best(rounds, || {
        let mut core = job.core()?;
        let mut output = Output::default();
        let mut failed = None;
        journal.replay(&mut |record| {
            if record.sequence > 0 && failed.is_none() {
                failed = replay::apply(&mut core, &record, &mut output).err();
            }
            Ok(())
        })?;
        failed.map_or(Ok(core), |error| Err(error.into()))
    })?;
    let (hashing, _) = best(rounds, || Ok(core.state_hash()))?;
    if core.state_hash() != end.core.state_hash() {
        return Err("the replay ends in another state than the run".into());
    }
    let counters = core.state().counters();
    let (inputs, events) = (core.state().inputs(), counters.events);
    let trading = memory.saturating_sub(reading);
    let per_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
    if as_json {
        let result = json!({
            "inputs": inputs, "events": events, "orders": counters.orders, "fills": counters.fills,
            "read_s": reading.as_secs_f64(), "trade_memory_s": trading.as_secs_f64(),
            "trade_durable_s": durable.saturating_sub(reading).as_secs_f64(), "syncs": syncs, "bytes": bytes,
            "replay_s": replaying.as_secs_f64(), "state_hash_s": hashing.as_secs_f64(),
            "inputs_per_second": per_second(inputs, trading), "events_per_second": per_second(events, trading),
        });
        println!("{result}");
        return Ok(());
    }
    println!(
        "main job: {inputs} inputs, {events} events, {} orders, {} fills",
        counters.orders, counters.fills
    );
    let line = |name: &str, time: Duration, note: String| {
        println!("{name:28} {:9.1} ms  {note}", time.as_secs_f64() * 1e3);
    };
    line("read and check the data", reading, format!("{} bytes of CSV", job.closes.len()));
    line(
        "trade, journal in memory",
        trading,
        format!("{:.0} inputs/s, {:.0} events/s", per_second(inputs, trading), per_second(events, trading)),
    );
    line("trade, journal on disk", durable.saturating_sub(reading), format!("{syncs} syncs, {bytes} bytes"));
    line("replay into a new core", replaying, format!("{:.0} inputs/s", per_second(inputs, replaying)));
    line("hash the state", hashing, String::new());
    Ok(())
}
