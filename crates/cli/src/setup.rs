//! From a configuration and its files to the parts of a run.

use crate::app::{App, BrokerContext, FeedContext, FeedParts, StrategyContext};
use crate::bars;
use crate::config::{LiveMode, LiveSection, Loaded, Resume, RunConfig, ShortingSection};
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::live::Driven;
use mts_engine::record::Genesis;
use mts_engine::shell::Trader;
use mts_engine::shell::offline::OperatorScript;
use mts_engine::{Core, CoreConfig, FundSetup, VenueFacts};
use mts_foundation::broker::{DynBroker, SimulatedBroker};
use mts_foundation::reference::Borrow;
use mts_foundation::registry::Registry;
use mts_foundation::sizing::ComputeError;
use mts_foundation::{
    ActorId, BrokerName, Decimal, FundConfig, InstrumentTable, MarketCalendar, Symbol, Timestamp,
};
use mts_portfolio::WeightPlanner;
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Name of the operator that stands for the script of a back-test.
pub(crate) const SCRIPT: &str = "operator-script";

/// The kind of data whose file is no text, and may be longer than the memory.
const DATABENTO: &str = "databento";

/// The files of a run, read.
pub(crate) struct Files {
    pub(crate) instruments: (PathBuf, String),
    /// The text of one that is none is empty.
    pub(crate) data: (PathBuf, String),
    /// SHA-256 of what lies there.
    pub(crate) data_hash: String,
    pub(crate) targets: Option<(PathBuf, String)>,
}

/// Reads every file that the configuration names.
pub(crate) fn read_files(loaded: &Loaded) -> Result<Files, CliError> {
    let read = |path: &Path, what: &str| {
        let path = loaded.folder.join(path);
        let text = files::read(&path, what, ExitKind::Data)?;
        Ok::<_, CliError>((path, text))
    };
    let config = &loaded.config;
    let data = &config.data.path;
    let (data, data_hash) = if data.as_os_str().is_empty() {
        (Default::default(), files::sha256(b""))
    } else if config.data.kind == DATABENTO {
        let path = loaded.folder.join(data);
        let hash = files::sha256_of(&path, "data file", ExitKind::Data)?;
        ((path, String::new()), hash)
    } else {
        let (path, text) = read(data, "data file")?;
        let hash = files::sha256(text.as_bytes());
        ((path, text), hash)
    };
    Ok(Files {
        instruments: read(&config.instruments.path, "instrument table")?,
        data,
        data_hash,
        targets: config.strategy.path.as_deref().map(|path| read(path, "file of targets")).transpose()?,
    })
}

/// What the journal begins with: enough to replay it without any other file.
pub(crate) fn genesis(app: &App, config: &RunConfig, files: &Files) -> Result<Genesis, CliError> {
    let venues = venue_facts(app, config)?;
    // What somebody said in real time cannot come about again in a back-test, so nobody is asked there.
    let real_time = config.live.as_ref().is_some_and(LiveSection::is_real_time);
    let async_gates = real_time && !app.async_gates.is_empty();
    let config = serde_json::to_string(config).or_exit(ExitKind::Internal)?;
    let mut parts = BTreeMap::from([
        ("data".to_owned(), files.data_hash.clone()),
        ("instruments".to_owned(), files::sha256(files.instruments.1.as_bytes())),
    ]);
    if let Some((_, text)) = &files.targets {
        parts.insert("targets".to_owned(), files::sha256(text.as_bytes()));
    }
    Ok(Genesis {
        program: format!("mts {}", env!("CARGO_PKG_VERSION")),
        config_hash: files::sha256(config.as_bytes()),
        config,
        files: parts,
        instruments: files.instruments.1.clone(),
        venues,
        async_gates,
    })
}

/// What the core must know of the venue of a live run; nothing in a back-test, whose venue always answers.
fn venue_facts(app: &App, config: &RunConfig) -> Result<BTreeMap<BrokerName, VenueFacts>, CliError> {
    let Some(live) = &config.live else { return Ok(BTreeMap::new()) };
    let dedupes = match live.mode {
        // The paper broker looks at the key.
        LiveMode::Replay | LiveMode::Paper | LiveMode::Shadow => true,
        LiveMode::Live => live_broker(app, config, None)?.capabilities().client_id_dedupe,
    };
    let facts = VenueFacts { client_id_dedupe: dedupes, ..VenueFacts::default() };
    Ok(BTreeMap::from([(config.broker.name.clone(), facts)]))
}

/// The real broker of a configuration, not connected.
pub(crate) fn live_broker(
    app: &App,
    config: &RunConfig,
    record: Option<&Path>,
) -> Result<Arc<dyn DynBroker>, CliError> {
    let make = chosen(&app.live_brokers, config.broker.name.as_str(), "broker.name")?;
    make(BrokerContext {
        section: &config.broker,
        instruments: &InstrumentTable::new(),
        initial_cash: config.fund.initial_cash,
        currency: config.fund.base_currency,
        record,
    })
}

/// The name of the broker that a run without a real one uses.
fn simulated_name(config: &RunConfig) -> &str {
    match config.live.as_ref().map(|live| live.mode) {
        Some(LiveMode::Shadow | LiveMode::Live) => "paper",
        Some(LiveMode::Replay | LiveMode::Paper) | None => config.broker.name.as_str(),
    }
}

/// Reads the instrument table and checks that the fund can hold it.
pub(crate) fn instruments(config: &RunConfig, path: &str, text: &str) -> Result<InstrumentTable, CliError> {
    let table = mts_marketdata::instruments::from_csv(path, text).or_exit(ExitKind::Data)?;
    let base = config.fund.base_currency;
    if let Some(foreign) = table.iter().find(|instrument| instrument.currency != base) {
        let message = format!(
            "{path}: {} trades in {}, the fund keeps {base}; books in several currencies are not built yet",
            foreign.symbol, foreign.currency
        );
        return Err(CliError::new(ExitKind::Data, message));
    }
    Ok(table)
}

/// The calendar of the run.
pub(crate) fn calendar(config: &RunConfig) -> Result<&'static MarketCalendar, CliError> {
    MarketCalendar::builtin(&config.run.calendar).or_exit(ExitKind::Config)
}

/// The fund of a run.
fn fund(config: &RunConfig) -> FundConfig {
    FundConfig {
        fund_id: config.fund.fund_id.clone(),
        name: config.fund.name.as_str().into(),
        description: Default::default(),
        base_currency: config.fund.base_currency,
        target_nav_usd: config.fund.initial_cash,
        broker: config.broker.name.clone(),
        broker_account_id: None,
        active: config.fund.active,
        asset_classes: config.fund.asset_classes.clone(),
        strategies: config.fund.strategies.clone(),
        tax_lot_method: config.fund.tax_lot_method,
        created_at: config.envelope.created_at,
        notes: Default::default(),
    }
}

/// The risk machine at its beginning.
pub(crate) fn risk(
    app: &App,
    config: &RunConfig,
    instruments: &InstrumentTable,
) -> Result<RiskPipeline, CliError> {
    let mut operators = OperatorPolicy {
        operators: config.operator.operators.clone(),
        single_operator: config.operator.single_operator,
        single_operator_delay: Duration::from_secs(config.operator.single_operator_delay_s),
    };
    if config.operator.resume == Resume::NextSession {
        operators.operators.push(ActorId::new(SCRIPT).or_exit(ExitKind::Internal)?);
        operators.single_operator = true;
        operators.single_operator_delay = Duration::ZERO;
    }
    let risk = FundRisk {
        config: fund(config),
        envelope: Some(config.envelope.clone()),
        limits: config.gates.clone(),
        borrow: borrow(config.broker.shorting.as_ref(), instruments),
    };
    let pipeline = RiskPipeline::new(vec![risk], operators).or_exit(ExitKind::Config)?;
    Ok(pipeline.with_gates(app.gates.clone()))
}

/// The core at its beginning; without a genesis that of a back-test.
pub(crate) fn core(
    app: &App,
    config: &RunConfig,
    instruments: InstrumentTable,
    genesis: Option<&Genesis>,
) -> Result<Core, CliError> {
    let pipeline = risk(app, config, &instruments)?;
    let planner = planner(config)?;
    let setup = FundSetup { config: fund(config), initial_cash: config.fund.initial_cash };
    let mut settings = CoreConfig::new(vec![setup], instruments);
    if let Some(genesis) = genesis {
        settings.venues.clone_from(&genesis.venues);
        settings.async_gates = genesis.async_gates;
    }
    Core::new(settings, Box::new(pipeline), Box::new(planner)).or_exit(ExitKind::Config)
}

/// Largest turnover of a rebalance.
fn turnover_cap(config: &RunConfig) -> Result<Option<Decimal>, CliError> {
    let cap = config.sizer.as_ref().and_then(|sizer| sizer.turnover_cap);
    match cap {
        Some(cap) if cap <= Decimal::ZERO => {
            let message = format!("sizer.turnover_cap is {cap}; it must be above 0, or left out for no cap");
            Err(CliError::new(ExitKind::Config, message))
        }
        _ => Ok(cap),
    }
}

/// What turns target weights into orders.
fn planner(config: &RunConfig) -> Result<WeightPlanner, CliError> {
    let (buffer, smallest) =
        config.sizer.as_ref().map(|sizer| (sizer.cash_buffer, sizer.minimum_trade)).unwrap_or_default();
    WeightPlanner::new(buffer)
        .and_then(|planner| planner.with_minimum_trade(smallest))
        .or_exit(ExitKind::Config)
}

/// What the paper broker lends: everything, or what its list says, at no cost.
fn borrow(shorting: Option<&ShortingSection>, instruments: &InstrumentTable) -> BTreeMap<Symbol, Borrow> {
    let terms =
        |available| Borrow { fee_bps: Decimal::ZERO, available, located: true, asof: Timestamp::EPOCH };
    match shorting {
        None | Some(ShortingSection::Allowed) => {
            instruments.iter().map(|instrument| (instrument.symbol.clone(), terms(None))).collect()
        }
        Some(ShortingSection::Refused) => BTreeMap::new(),
        Some(ShortingSection::Borrow(list)) => {
            list.iter().map(|(symbol, units)| (symbol.clone(), terms(Some(units.0)))).collect()
        }
    }
}

/// Checks what a configuration names, as far as that needs no file.
pub(crate) fn check_names(app: &App, config: &RunConfig) -> Result<(), CliError> {
    calendar(config)?;
    chosen(&app.feeds, &config.data.kind, "data.kind")?;
    chosen(&app.strategies, &config.strategy.kind, "strategy.kind")?;
    chosen(&app.brokers, simulated_name(config), "broker.name")?;
    if config.live.as_ref().is_some_and(|live| !matches!(live.mode, LiveMode::Replay | LiveMode::Paper)) {
        chosen(&app.live_brokers, config.broker.name.as_str(), "broker.name")?;
    }
    if let Some(factor) = &config.strategy.factor {
        built(&app.factors)?.build(factor, &config.strategy.params).or_exit(ExitKind::Config)?;
    }
    if let Some(sizer) = &config.sizer {
        planner(config)?;
        turnover_cap(config)?;
        if let Some(name) = &sizer.name {
            built(&app.sizers)?.build(name, &sizer.params).or_exit(ExitKind::Config)?;
        }
    }
    Ok(())
}

/// Everything of a run but the journal.
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) feed: FeedParts,
    pub(crate) venue: Box<dyn SimulatedBroker>,
    pub(crate) traders: Vec<Trader>,
    pub(crate) calendar: &'static MarketCalendar,
    pub(crate) script: OperatorScript,
}

/// Builds and checks every part.
pub(crate) fn parts(
    app: &App,
    config: &RunConfig,
    files: &Files,
    genesis: Option<&Genesis>,
) -> Result<Parts, CliError> {
    let calendar = calendar(config)?;
    let table = instruments(config, &files.instruments.0.display().to_string(), &files.instruments.1)?;
    let make_feed = chosen(&app.feeds, &config.data.kind, "data.kind")?;
    let mut feed = make_feed(FeedContext {
        section: &config.data,
        file: (&files.data.0, &files.data.1),
        instruments: &table,
        calendar,
    })?;
    let (first, last) = feed.range;
    let real_time = config.live.as_ref().is_some_and(LiveSection::is_real_time);
    if !real_time && (config.run.start > last || config.run.end < first) {
        let message = format!(
            "run.start {} to run.end {} lies outside of the data, {first} to {last}; change the dates or the file",
            config.run.start, config.run.end
        );
        return Err(CliError::new(ExitKind::Config, message));
    }
    let symbols = traded(config, &feed.symbols)?;
    if let Some(control) = &config.broker.control
        && real_time
    {
        feed.feed = Box::new(Driven::new(feed.feed, control, &table)?);
    }
    let feed = bars::of(config, &table, feed)?;
    let make_strategy = chosen(&app.strategies, &config.strategy.kind, "strategy.kind")?;
    let sizer = match config.sizer.as_ref().and_then(|sizer| Some((sizer.name.as_deref()?, sizer))) {
        Some((name, sizer)) => {
            Some(built(&app.sizers)?.build(name, &sizer.params).or_exit(ExitKind::Config)?)
        }
        None => None,
    };
    let strategy = make_strategy(StrategyContext {
        section: &config.strategy,
        fund_id: &config.fund.fund_id,
        symbols: &symbols,
        calendar,
        sizer,
        turnover_cap: turnover_cap(config)?,
        factors: built(&app.factors)?,
        file: files.targets.as_ref().map(|(path, text)| (path.as_path(), text.as_str())),
    })?;
    let make_broker = chosen(&app.brokers, simulated_name(config), "broker.name")?;
    let venue = make_broker(BrokerContext {
        section: &config.broker,
        instruments: &table,
        initial_cash: config.fund.initial_cash,
        currency: config.fund.base_currency,
        record: None,
    })?;
    let script = match config.operator.resume {
        Resume::Never => OperatorScript::None,
        Resume::NextSession => {
            OperatorScript::ResumeNextSession { operator: ActorId::new(SCRIPT).or_exit(ExitKind::Internal)? }
        }
    };
    let traders = vec![Trader { strategy, fund_id: config.fund.fund_id.clone() }];
    Ok(Parts { core: core(app, config, table, genesis)?, feed, venue, traders, calendar, script })
}

/// The instruments of the data that the broker trades, sorted.
fn traded(config: &RunConfig, of_data: &[Symbol]) -> Result<Vec<Symbol>, CliError> {
    let mut symbols = config.broker.symbols.clone().unwrap_or_else(|| of_data.to_vec());
    if let Some(missing) = symbols.iter().find(|symbol| !of_data.contains(symbol)) {
        let message = format!("broker.symbols has {missing}, which the data has no prices of; leave it out");
        return Err(CliError::new(ExitKind::Config, message));
    }
    symbols.sort();
    symbols.dedup();
    Ok(symbols)
}

fn chosen<'a, T>(known: &'a BTreeMap<String, T>, name: &str, key: &str) -> Result<&'a T, CliError> {
    known.get(name).ok_or_else(|| {
        let names: Vec<_> = known.keys().map(String::as_str).collect();
        CliError::new(ExitKind::Config, format!("{key} is {name:?}; this program has {}", names.join(", ")))
    })
}

fn built<T: ?Sized>(registry: &Result<Registry<T>, ComputeError>) -> Result<&Registry<T>, CliError> {
    registry.as_ref().map_err(|error| CliError::new(ExitKind::Internal, error))
}

/// A session's date of an instant.
pub(crate) fn date_of(calendar: &MarketCalendar, time: Timestamp) -> chrono::NaiveDate {
    calendar.bar_date(time.to_datetime())
}
