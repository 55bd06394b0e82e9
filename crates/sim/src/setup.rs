//! Funds, instruments, limits and venues of one seed, and the core made of them.

use crate::plant::{Plant, Ungated};
use crate::random::Random;
use mts_engine::{Core, CoreConfig, CoreError, FundSetup, Genesis, VenueFacts};
use mts_foundation::fund::TaxLotMethod;
use mts_foundation::ids::InvalidId;
use mts_foundation::instrument::InstrumentError;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::RiskMachine;
use mts_foundation::sizing::ComputeError;
use mts_foundation::{
    ActorId, BrokerName, Decimal, EnvelopeId, FundConfig, FundId, GateLimits, Instrument, InstrumentTable,
    OrderType, RiskEnvelope, StrategyId, Symbol, Timestamp,
};
use mts_portfolio::{Books, WeightPlanner};
use mts_riskengine::{ConfigFaults, FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;
use std::time::Duration;

/// When every simulated world begins.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_772_461_800_000);

/// Cash of each fund at the beginning.
pub const CASH: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Why a world cannot be set up. A fault of the simulation, not of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A name is not usable.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// An instrument is not usable.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The limits contradict each other.
    #[error(transparent)]
    Limits(#[from] ConfigFaults),
    /// The planner refuses.
    #[error(transparent)]
    Planner(#[from] ComputeError),
    /// The core refuses.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The genesis cannot be written.
    #[error("the genesis cannot be written: {0}")]
    Genesis(#[from] serde_json::Error),
}

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Several funds, a run of some hundred steps.
    Full,
    /// One fund and few orders: small enough to crash at every step.
    Small,
}

/// One fund as the simulation sees it.
#[derive(Debug, Clone)]
pub struct Fund {
    /// Its id.
    pub fund_id: FundId,
    /// Place of its broker in [`Setup::brokers`].
    pub venue: usize,
    /// The strategies that trade for it.
    pub strategies: Vec<StrategyId>,
    /// Its envelope.
    pub envelope: RiskEnvelope,
    /// Its further limits.
    pub limits: GateLimits,
}

/// Everything of a world that does not change.
#[derive(Debug)]
pub struct Setup {
    /// The funds.
    pub funds: Vec<Fund>,
    /// The instruments' symbols.
    pub symbols: Vec<Symbol>,
    /// Where orders go.
    pub brokers: Vec<BrokerName>,
    /// What each venue promises; the same the core is told.
    pub facts: Vec<VenueFacts>,
    /// Who may resume.
    pub operators: Vec<ActorId>,
    /// Whether trading is bound to sessions.
    pub sessions: bool,
    /// How long keys are remembered.
    pub memory: Duration,
    config: CoreConfig,
    risk: RiskPipeline,
    plant: Option<Plant>,
}

impl Setup {
    /// Books of the funds, before the first event.
    #[must_use]
    pub fn books(&self) -> Books {
        let mut books = Books::new(self.config.instruments.clone());
        // The engine does not know of lots: each fund tries another method.
        let methods = TaxLotMethod::ALL.iter().copied().cycle();
        for (FundSetup { config, initial_cash }, method) in self.config.funds.iter().zip(methods) {
            let (fund_id, currency) = (config.fund_id.clone(), config.base_currency);
            // No fund is there twice.
            books.open_fund(fund_id, currency, *initial_cash, method).ok();
        }
        books
    }

    /// The world of a seed; `asked` = orders wait for asynchronous gates.
    ///
    /// # Errors
    /// [`SetupError`]: a mistake in the simulation.
    pub fn drawn(seed: u64, (size, asked): (Size, bool), plant: Option<Plant>) -> Result<Self, SetupError> {
        let mut draw = Random::new(seed, 0);
        let small = size == Size::Small;
        let (funds, brokers) = (draw.between(1, 3), draw.between(1, 2));
        let brokers = if small { 1 } else { brokers };
        let brokers: Vec<BrokerName> = ["alpha", "beta"]
            .into_iter()
            .take(usize::try_from(brokers).unwrap_or(1))
            .map(BrokerName::new)
            .collect::<Result<_, _>>()?;
        let symbols: Vec<Symbol> = ["AAA", "BBB", "CCC", "DDD"]
            .into_iter()
            .take(if small { 2 } else { 4 })
            .map(Symbol::new)
            .collect::<Result<_, _>>()?;
        let operators = vec![ActorId::new("ann")?, ActorId::new("bob")?];
        let memory = Duration::from_secs(draw.between(60, 900));
        let sessions = draw.chance(300);
        let facts: Vec<VenueFacts> = brokers
            .iter()
            .map(|_| VenueFacts { client_id_dedupe: draw.chance(500), ..VenueFacts::default() })
            .collect();
        let funds = (0..if small { 1 } else { funds })
            .map(|number| fund(&mut draw, number, &brokers))
            .collect::<Result<Vec<Fund>, SetupError>>()?;
        let borrow: BTreeMap<Symbol, Borrow> = symbols
            .iter()
            .map(|symbol| {
                let terms = Borrow { fee_bps: Decimal::TEN, available: None, located: true, asof: BEGIN };
                (symbol.clone(), terms)
            })
            .collect();
        let (mut setups, mut risks) = (Vec::new(), Vec::new());
        for Fund { fund_id, venue, envelope, limits, .. } in &funds {
            let broker = brokers.get(*venue).or(brokers.first()).cloned();
            let Some(broker) = broker else { continue };
            let config = FundConfig::new(fund_id.clone(), broker, CASH, BEGIN);
            setups.push(FundSetup { config: config.clone(), initial_cash: CASH });
            risks.push(FundRisk {
                config,
                envelope: Some(envelope.clone()),
                limits: limits.clone(),
                borrow: borrow.clone(),
            });
        }
        let table = InstrumentTable::from_instruments(symbols.iter().cloned().map(Instrument::us_share))?;
        let mut config = CoreConfig::new(setups, table);
        config.sessions = sessions;
        config.async_gates = asked;
        config.idempotency_window = memory / 2;
        config.key_memory =
            if plant == Some(Plant::ForgetNothing) { Duration::from_secs(1_000_000) } else { memory };
        config.venues = brokers.iter().cloned().zip(facts.iter().cloned()).collect();
        let policy = OperatorPolicy { operators: operators.clone(), ..OperatorPolicy::default() };
        let risk = RiskPipeline::new(risks, policy)?;
        Ok(Self { funds, symbols, brokers, facts, operators, sessions, memory, config, risk, plant })
    }

    /// A core at its beginning.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn core(&self) -> Result<Core, SetupError> {
        let risk: Box<dyn RiskMachine> = match self.plant {
            Some(Plant::Ungated) => Box::new(Ungated(self.risk.clone())),
            _ => Box::new(self.risk.clone()),
        };
        let planner = WeightPlanner::new(Decimal::new(2, 2))?;
        Ok(Core::new(self.config.clone(), risk, Box::new(planner))?)
    }

    /// The first record of its journal.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn genesis(seed: u64) -> Result<Vec<u8>, SetupError> {
        Ok(serde_json::to_vec(&Genesis {
            program: "mts-sim".to_owned(),
            config: seed.to_string(),
            config_hash: String::new(),
            files: BTreeMap::new(),
            instruments: String::new(),
            venues: BTreeMap::new(),
            async_gates: false,
        })?)
    }
}

fn fund(draw: &mut Random, number: u64, brokers: &[BrokerName]) -> Result<Fund, SetupError> {
    let fund_id = FundId::new(format!("fund{number}"))?;
    let mut hundredths = |low, high| f64::from(u32::try_from(draw.between(low, high)).unwrap_or(1)) / 100.0;
    let mut envelope = RiskEnvelope::with_defaults(
        EnvelopeId::new(format!("envelope{number}"))?,
        fund_id.clone(),
        CASH,
        BEGIN,
    );
    envelope.max_gross_exposure_pct = hundredths(40, 150);
    envelope.max_net_exposure_pct = hundredths(30, 120);
    envelope.max_position_pct = hundredths(8, 40);
    envelope.max_sector_pct = 1.0;
    envelope.daily_loss_halt_pct = hundredths(2, 30);
    envelope.weekly_loss_halt_pct = 0.5;
    envelope.monthly_loss_halt_pct = 0.5;
    envelope.max_order_notional_usd = Decimal::from(draw.between(20_000, 120_000));
    envelope.max_order_qty = draw.chance(300).then_some(Decimal::from(800));
    envelope.allowed_brokers = brokers.to_vec();
    envelope.allowed_order_types =
        vec![OrderType::Market, OrderType::Limit, OrderType::Stop, OrderType::StopLimit];
    envelope.enable_shorting = draw.chance(600);
    envelope.enable_synthetic_stop = draw.chance(300);
    let open = u32::try_from(draw.between(4, 12)).unwrap_or(4);
    let limits = GateLimits { max_open_orders: draw.chance(500).then_some(open), ..GateLimits::default() };
    let strategies = ["s1", "s2"].map(StrategyId::new).into_iter().collect::<Result<_, _>>()?;
    let venue = draw.index(brokers.len());
    Ok(Fund { fund_id, venue, strategies, envelope, limits })
}
