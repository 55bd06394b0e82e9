//! A program made of mts and parts of one's own.

use crate::args::brokers::BrokersCommand;
use crate::args::data::DataCommand;
use crate::args::journal::JournalCommand;
use crate::args::operator::RiskCommand;
use crate::args::venue::VenueCommand;
use crate::args::{AlertCommand, Cli, Command, ConfigCommand, NewCommand};
use crate::brokers;
use crate::commands;
use crate::config::{BrokerSection, DataSection, StrategySection};
use crate::error::{CliError, ExitKind, OrExit};
use crate::feeds;
use crate::live;
use crate::strategies;
use crate::venue;
use chrono::NaiveDate;
use clap::Parser;
use mts_brokers::PaperBroker;
use mts_foundation::broker::{DynBroker, SimulatedBroker};
use mts_foundation::market_data::DynDataFeed;
use mts_foundation::registry::Registry;
use mts_foundation::risk::DynAsyncRiskGate;
use mts_foundation::sizing::{ComputeError, Factor, Sizer};
use mts_foundation::{
    Currency, Decimal, FundId, InstrumentTable, MarketCalendar, RiskGate, Strategy, Symbol,
};
use mts_venues::Venue;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// What a strategy is made from.
pub struct StrategyContext<'a> {
    /// Its section of the configuration.
    pub section: &'a StrategySection,
    /// The fund it trades for.
    pub fund_id: &'a FundId,
    /// The instruments of the data, sorted.
    pub symbols: &'a [Symbol],
    /// The calendar of the run.
    pub calendar: &'a MarketCalendar,
    /// The sizer of the configuration, where there is one.
    pub sizer: Option<Box<dyn Sizer>>,
    /// Largest turnover of a rebalance, where there is one.
    pub turnover_cap: Option<Decimal>,
    /// All factors by name.
    pub factors: &'a Registry<dyn Factor>,
    /// Text of the file that `strategy.path` names, where it does, with its path.
    pub file: Option<(&'a Path, &'a str)>,
}

/// What a feed is made from.
pub struct FeedContext<'a> {
    /// Its section of the configuration.
    pub section: &'a DataSection,
    /// Path and text of the data file; both are empty when `data.path` names none, and the text of one that is no text, too.
    pub file: (&'a Path, &'a str),
    /// The instruments.
    pub instruments: &'a InstrumentTable,
    /// The calendar of the run.
    pub calendar: &'a MarketCalendar,
}

/// A feed and what it covers.
pub struct FeedParts {
    /// The feed.
    pub feed: Box<dyn DynDataFeed>,
    /// Its instruments.
    pub symbols: Vec<Symbol>,
    /// First and last session.
    pub range: (NaiveDate, NaiveDate),
}

/// What a broker is made from.
pub struct BrokerContext<'a> {
    /// Its section of the configuration.
    pub section: &'a BrokerSection,
    /// The instruments.
    pub instruments: &'a InstrumentTable,
    /// Cash of the account at the start.
    pub initial_cash: Decimal,
    /// Currency of the account.
    pub currency: Currency,
    /// Folder for a tape of what goes over its connections, where one is wanted.
    pub record: Option<&'a Path>,
}

pub(crate) type MakeStrategy =
    Arc<dyn Fn(StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> + Send + Sync>;
pub(crate) type MakeFeed = Arc<dyn Fn(FeedContext<'_>) -> Result<FeedParts, CliError> + Send + Sync>;
pub(crate) type MakeBroker =
    Arc<dyn Fn(BrokerContext<'_>) -> Result<Box<dyn SimulatedBroker>, CliError> + Send + Sync>;
pub(crate) type MakeLiveBroker =
    Arc<dyn Fn(BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> + Send + Sync>;

/// Every command of `mts` plus parts of one's own (decision H10).
#[derive(Clone)]
pub struct App {
    pub(crate) strategies: BTreeMap<String, MakeStrategy>,
    pub(crate) feeds: BTreeMap<String, MakeFeed>,
    pub(crate) brokers: BTreeMap<String, MakeBroker>,
    pub(crate) live_brokers: BTreeMap<String, MakeLiveBroker>,
    pub(crate) gates: Vec<Arc<dyn RiskGate>>,
    pub(crate) async_gates: Vec<Arc<dyn DynAsyncRiskGate>>,
    pub(crate) factors: Result<Registry<dyn Factor>, ComputeError>,
    pub(crate) sizers: Result<Registry<dyn Sizer>, ComputeError>,
    faults: Vec<String>,
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("App")
            .field("strategies", &self.strategies.keys())
            .field("feeds", &self.feeds.keys())
            .field("brokers", &self.brokers.keys())
            .field("live_brokers", &self.live_brokers.keys())
            .finish_non_exhaustive()
    }
}

impl App {
    /// The program as it is shipped.
    #[must_use]
    pub fn new() -> Self {
        let app = Self {
            strategies: BTreeMap::new(),
            feeds: BTreeMap::new(),
            brokers: BTreeMap::new(),
            live_brokers: BTreeMap::new(),
            gates: Vec::new(),
            async_gates: Vec::new(),
            factors: mts_quantkit::factors::builtin(),
            sizers: mts_portfolio::sizers::builtin(),
            faults: Vec::new(),
        };
        app.strategy("factor", strategies::factor)
            .strategy("targets", strategies::targets)
            .strategy("drill", live::drill)
            .strategy("shift", live::shift)
            .feed("closes", feeds::closes)
            .feed("ticks", feeds::ticks)
            .feed("store", feeds::store)
            .feed("databento", feeds::databento)
            .feed("walk", live::walk)
            .feed("minutes", live::minutes)
            .feed("crypto", live::crypto)
            .feed("okx_funding", live::okx_funding)
            .feed("alpaca", live::of_alpaca)
            .feed("polygon", live::of_polygon)
            .feed("ibkr", live::ibkr)
            .broker("paper", paper)
            .live_broker("loopback", live::loopback)
            .live_broker("alpaca", brokers::alpaca)
            .live_broker("coinbase", brokers::coinbase)
            .live_broker("ibkr", brokers::ibkr)
            .live_broker("kraken", brokers::kraken)
    }

    /// Adds a strategy; `strategy.kind` chooses it.
    #[must_use]
    pub fn strategy(
        mut self,
        kind: &str,
        make: impl Fn(StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> + Send + Sync + 'static,
    ) -> Self {
        self.once("strategy", kind, |app| app.strategies.insert(kind.to_owned(), Arc::new(make)).is_some());
        self
    }

    /// Adds a feed; `data.kind` chooses it.
    #[must_use]
    pub fn feed(
        mut self,
        kind: &str,
        make: impl Fn(FeedContext<'_>) -> Result<FeedParts, CliError> + Send + Sync + 'static,
    ) -> Self {
        self.once("feed", kind, |app| app.feeds.insert(kind.to_owned(), Arc::new(make)).is_some());
        self
    }

    /// Adds a broker for back-tests; `broker.name` chooses it.
    #[must_use]
    pub fn broker(
        mut self,
        name: &str,
        make: impl Fn(BrokerContext<'_>) -> Result<Box<dyn SimulatedBroker>, CliError> + Send + Sync + 'static,
    ) -> Self {
        self.once("broker", name, |app| app.brokers.insert(name.to_owned(), Arc::new(make)).is_some());
        self
    }

    /// Adds a broker for live runs; `broker.name` chooses it. In shadow runs a paper broker stands in its place.
    #[must_use]
    pub fn live_broker(
        mut self,
        name: &str,
        make: impl Fn(BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> + Send + Sync + 'static,
    ) -> Self {
        self.once("live broker", name, |app| {
            app.live_brokers.insert(name.to_owned(), Arc::new(make)).is_some()
        });
        self
    }

    /// Adds a gate; it is asked after the built-in ones, of every order that opens or grows a position.
    #[must_use]
    pub fn gate(mut self, gate: impl RiskGate + 'static) -> Self {
        self.gates.push(Arc::new(gate));
        self
    }

    /// Adds a gate that must ask somebody, such as [`mts_riskengine::CroVeto`]. Runs in real time ask it about every order
    /// that opens or grows a position, after all others and in the order of adding; back-tests and replays do not. Without an
    /// answer within `live.gate_deadline_ms` the order is refused.
    #[must_use]
    pub fn async_gate(mut self, gate: impl DynAsyncRiskGate + 'static) -> Self {
        self.async_gates.push(Arc::new(gate));
        self
    }

    /// Adds a factor; `strategy.factor` chooses it. Its name starts with `f_`.
    #[must_use]
    pub fn factor(
        mut self,
        name: &str,
        make: impl Fn(&mts_foundation::registry::Parameters) -> Result<Box<dyn Factor>, ComputeError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        if let Ok(factors) = &mut self.factors
            && let Err(error) = factors.register(name, make)
        {
            self.faults.push(error.to_string());
        }
        self
    }

    /// Adds a sizer; `sizer.name` chooses it.
    #[must_use]
    pub fn sizer(
        mut self,
        name: &str,
        make: impl Fn(&mts_foundation::registry::Parameters) -> Result<Box<dyn Sizer>, ComputeError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        if let Ok(sizers) = &mut self.sizers
            && let Err(error) = sizers.register(name, make)
        {
            self.faults.push(error.to_string());
        }
        self
    }

    fn once(&mut self, what: &str, name: &str, insert: impl FnOnce(&mut Self) -> bool) {
        if insert(self) {
            self.faults.push(format!("{what} {name:?} is added twice; choose another name"));
        }
    }

    /// Reads the command line, does what it says, and gives the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        self.run_from(std::env::args_os())
    }

    /// The same with these arguments, of which the first is the program's name: for tests and for programs that embed
    /// this one.
    #[must_use]
    pub fn run_from(self, arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
        let cli = match Cli::try_parse_from(arguments) {
            Ok(cli) => cli,
            Err(error) => {
                // Help and version come this way too, with exit code 0. A closed pipe is no reason to fail.
                error.print().unwrap_or_default();
                return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
            }
        };
        match self.execute(cli.command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                commands::say_error(&error.message);
                ExitCode::from(error.kind.code())
            }
        }
    }

    fn execute(&self, command: Command) -> Result<(), CliError> {
        if !self.faults.is_empty() {
            return Err(CliError::new(ExitKind::Internal, self.faults.join("; ")));
        }
        match command {
            Command::Run(args) => commands::run(self, &args),
            Command::Status(args) => commands::status(self, &args),
            Command::Orders(args) => commands::orders(self, &args),
            Command::Fills(args) => commands::fills(self, &args),
            Command::Positions(args) => commands::list_positions(self, &args),
            Command::Incidents(args) => commands::list_incidents(self, &args),
            Command::Books(args) => commands::show_books(self, &args),
            Command::Report(args) => commands::report(self, &args),
            Command::Quant(command) => commands::quant::run(&command),
            Command::Tax(args) => commands::tax(self, &args),
            Command::Statement(args) => commands::statement(self, &args),
            Command::Action(command) => commands::action(&command),
            Command::Replay(args) => commands::replay(self, &args),
            Command::Explain(args) => commands::explain(self, &args),
            Command::Risk(RiskCommand::Check(args)) => commands::check_order(self, &args),
            Command::Risk(RiskCommand::Show(args)) => commands::show_risk(self, &args),
            Command::Halt(args) => commands::halt(self, &args),
            Command::Resume(args) => commands::resume(self, &args),
            Command::Kill(args) => commands::kill(self, &args),
            Command::Order(command) => commands::order(&command),
            Command::CancelAll(args) => commands::cancel_all(self, &args),
            Command::Flatten(args) => commands::flatten(&args),
            Command::Reconcile(args) => commands::reconcile(self, &args),
            Command::Limits(args) => commands::limits(self, &args),
            Command::Fund(command) => commands::fund(self, &command),
            Command::Exchanges(args) => commands::exchanges::list(&args),
            Command::Brokers(BrokersCommand::List { json }) => commands::brokers::list(self, json),
            Command::Brokers(BrokersCommand::Capabilities { name, json, markdown }) => {
                commands::brokers::capabilities(self, name.as_deref(), json, markdown)
            }
            Command::Brokers(BrokersCommand::Test(args)) => commands::brokers::test(self, &args),
            Command::Data(DataCommand::Fetch(args)) => commands::data::fetch(&args),
            Command::Data(DataCommand::Import(args)) => commands::data::import(&args),
            Command::Data(DataCommand::Info(args)) => commands::data::info(&args),
            Command::Data(DataCommand::Verify { folder, json }) => commands::data::verify(&folder, json),
            Command::Data(DataCommand::Plot(args)) => commands::data::plot(&args),
            Command::Venue(VenueCommand::Serve(args)) => venue::serve(self, &args),
            Command::Venue(VenueCommand::Alpaca(args)) => venue::double(Venue::Alpaca, &args),
            Command::Venue(VenueCommand::Coinbase(args)) => venue::double(Venue::Coinbase, &args),
            Command::Venue(VenueCommand::Databento(args)) => venue::double(Venue::Databento, &args),
            Command::Venue(VenueCommand::Ibkr(args)) => venue::double(Venue::Ibkr, &args),
            Command::Venue(VenueCommand::Kraken(args)) => venue::double(Venue::Kraken, &args),
            Command::Venue(VenueCommand::Polygon(args)) => venue::double(Venue::Polygon, &args),
            Command::Journal(JournalCommand::Show(args)) => commands::journal::show(&args),
            Command::Journal(JournalCommand::Verify(args)) => commands::journal::verify(&args),
            Command::Journal(JournalCommand::Tail(args)) => commands::journal::tail(&args),
            Command::Journal(JournalCommand::Export(args)) => commands::journal::export(&args),
            Command::Config(ConfigCommand::Check { config, json }) => commands::check(self, &config, json),
            Command::Config(ConfigCommand::Keys { json, markdown }) => commands::keys(json, markdown),
            Command::New(NewCommand::Strategy(args)) => commands::new_strategy(&args),
            Command::New(NewCommand::Broker(args)) | Command::NewBroker(args) => commands::new_broker(&args),
            Command::Schema(args) => commands::schema(&args),
            Command::Init(args) => commands::init(self, &args),
            Command::Doctor(args) => commands::doctor(self, &args),
            Command::Alert(AlertCommand::Test { config, severity, json }) => {
                commands::test_alerts(&config, severity, json)
            }
            Command::Completions { shell } => commands::completions(shell),
            Command::Man { out } => commands::man(out.as_deref()),
        }
    }
}

fn paper(context: BrokerContext<'_>) -> Result<Box<dyn SimulatedBroker>, CliError> {
    let config = context
        .section
        .paper(context.instruments, context.initial_cash, context.currency)
        .map_err(|faults| CliError::new(ExitKind::Config, faults.join("\n  ")))?;
    let broker = PaperBroker::new(config).or_exit(ExitKind::Config)?;
    Ok(Box::new(broker))
}
