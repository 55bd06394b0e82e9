//! What a stream begins with: instruments, funds and limits that bind, all from the seed.

use super::oracle::{FundSetup, Operators};
use super::random::Random;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{GateLimits, LossResponse, RateBucket, RiskEnvelope, Staleness};
use mts_foundation::{
    AccountId, ActorId, AssetClass, BrokerName, Decimal, EnvelopeId, FundConfig, FundId, Instrument,
    OrderType, StrategyId, Symbol, Timestamp,
};
use std::collections::BTreeMap;
use std::error::Error;

/// Cash of every fund at the beginning.
pub const CASH: i64 = 100_000;

/// Strategies that send orders.
pub const STRATEGIES: [&str; 3] = ["s1", "s2", "s3"];

/// Actors that send orders.
pub const ACTORS: [&str; 2] = ["ann", "bob"];

/// Operators that the configuration knows.
pub const OPERATORS: [&str; 3] = ["olga", "otto", "ove"];

/// Brokers; the first two funds share an account at the first one.
pub const BROKERS: [&str; 2] = ["paper", "other"];

/// Instruments and funds.
#[derive(Debug, Clone)]
pub struct World {
    /// In the order of their symbols.
    pub instruments: Vec<Instrument>,
    /// In the order of their ids.
    pub funds: Vec<FundSetup>,
    /// Who may resume.
    pub operators: Operators,
    /// Prices around which those of the instruments move, in ticks.
    pub ticks: Vec<i64>,
}

impl World {
    /// The world of a seed.
    ///
    /// # Errors
    /// When a name in here is no name; never, as long as its tests pass.
    pub fn new(random: &mut Random) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (mut instruments, mut ticks) = (Vec::new(), Vec::new());
        for (place, name) in ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"].iter().enumerate() {
            let class = if place < 9 { AssetClass::Equities } else { AssetClass::Futures };
            let multiplier = if place < 9 { Decimal::ONE } else { Decimal::TEN };
            let lots = [Decimal::ONE, Decimal::ONE, Decimal::TEN, Decimal::new(1, 1)];
            let tick = if place % 4 == 3 { Decimal::new(5, 2) } else { Decimal::new(1, 2) };
            instruments.push(Instrument {
                asset_class: class,
                sector: ["x", "y", "z", ""].get(place % 4).copied().unwrap_or_default().into(),
                country: if place % 3 == 0 { "DE" } else { "US" }.into(),
                tick,
                lot: lots.get(place % 4).copied().unwrap_or(Decimal::ONE),
                multiplier,
                ..Instrument::us_share(Symbol::new(name)?)
            });
            ticks.push(if place < 9 { random.between(800, 12_000) } else { random.between(200, 1_500) });
        }
        let mut funds = Vec::new();
        let rates = [0; 3].map(|_| rate(random));
        for (place, name) in ["f1", "f2", "f3", "f4"].iter().enumerate() {
            funds.push(fund(random, place, name, &instruments, rates)?);
        }
        let known = OPERATORS.iter().map(ActorId::new).collect::<Result<_, _>>()?;
        let delay_ms = if random.chance(500) { 10_000 } else { 0 };
        let operators = Operators { known, single: random.chance(300), delay_ms };
        Ok(Self { instruments, funds, operators, ticks })
    }
}

fn rate(random: &mut Random) -> Option<RateBucket> {
    let per_minute = u32::try_from(random.between(20, 120)).unwrap_or(60);
    let burst = u32::try_from(random.between(1, 8)).unwrap_or(5);
    random.chance(250).then_some(RateBucket { per_minute, burst })
}

fn fund(
    random: &mut Random,
    place: usize,
    name: &str,
    instruments: &[Instrument],
    rates: [Option<RateBucket>; 3],
) -> Result<FundSetup, Box<dyn Error + Send + Sync>> {
    let (fund_id, cash) = (FundId::new(name)?, Decimal::from(CASH));
    let broker = BrokerName::new(if place < 3 { "paper" } else { "other" })?;
    let mut config = FundConfig::new(fund_id.clone(), broker, cash, Timestamp::EPOCH);
    if place == 2 {
        config.broker_account_id = Some(AccountId::new("third")?);
    }
    config.active = !random.chance(20);
    if random.chance(80) {
        config.asset_classes = vec![AssetClass::Equities];
    }
    if random.chance(60) {
        config.strategies = vec![StrategyId::new("s1")?, StrategyId::new("s2")?];
    }
    let envelope = if place < 3 { Some(envelope(random, &fund_id)?) } else { None };
    let mut borrow = BTreeMap::new();
    for instrument in instruments {
        if random.chance(900) {
            let fee_bps = Decimal::from(random.between(10, 320));
            let terms =
                Borrow { fee_bps, available: None, located: random.chance(800), asof: Timestamp::EPOCH };
            borrow.insert(instrument.symbol.clone(), terms);
        }
    }
    let limits = limits(random, instruments, rates, place == 3)?;
    Ok(FundSetup { config, envelope, limits, borrow, cash })
}

/// Hundredths as a share.
fn hundredths(random: &mut Random, low: i64, high: i64) -> f64 {
    let hundredths = u32::try_from(random.between(low, high)).unwrap_or(1);
    f64::from(hundredths) / 100.0
}

fn envelope(random: &mut Random, fund_id: &FundId) -> Result<RiskEnvelope, Box<dyn Error + Send + Sync>> {
    let cash = Decimal::from(CASH);
    let mut envelope =
        RiskEnvelope::with_defaults(EnvelopeId::new("e")?, fund_id.clone(), cash, Timestamp::EPOCH);
    envelope.allowed_brokers = vec![BrokerName::new("paper")?];
    envelope.allowed_order_types = OrderType::ALL.to_vec();
    if random.chance(100) {
        envelope.allowed_order_types.pop();
    }
    envelope.allowed_asset_classes = vec![AssetClass::Equities, AssetClass::Futures];
    if random.chance(100) {
        envelope.allowed_asset_classes.pop();
    }
    envelope.max_position_pct = hundredths(random, 8, 40);
    envelope.max_gross_exposure_pct = hundredths(random, 40, 160);
    envelope.max_net_exposure_pct = hundredths(random, 30, 130);
    envelope.max_sector_pct = if random.chance(300) { 1.0 } else { hundredths(random, 20, 80) };
    envelope.max_asset_class_pct = if random.chance(500) { 1.0 } else { hundredths(random, 25, 90) };
    envelope.max_country_pct = if random.chance(500) { 1.0 } else { hundredths(random, 25, 90) };
    envelope.max_order_notional_usd = Decimal::from(random.between(8_000, 60_000));
    envelope.max_order_qty = random.chance(300).then(|| Decimal::from(random.between(100, 2_000)));
    envelope.max_position_usd = random.chance(300).then(|| Decimal::from(random.between(8_000, 40_000)));
    envelope.daily_loss_halt_pct = hundredths(random, 2, 20);
    envelope.weekly_loss_halt_pct = hundredths(random, 2, 25);
    envelope.monthly_loss_halt_pct = hundredths(random, 2, 30);
    envelope.enable_shorting = random.chance(850);
    envelope.require_borrow_locate = random.chance(300);
    envelope.max_short_fee_bps = 300.0;
    envelope.enable_synthetic_stop = random.chance(800);
    envelope.synthetic_stop_pct = hundredths(random, 1, 10);
    Ok(envelope)
}

fn limits(
    random: &mut Random,
    instruments: &[Instrument],
    rates: [Option<RateBucket>; 3],
    alone: bool,
) -> Result<GateLimits, Box<dyn Error + Send + Sync>> {
    let count = |random: &mut Random, low, high| u32::try_from(random.between(low, high)).unwrap_or(1);
    let millis = |random: &mut Random, low, high| u64::try_from(random.between(low, high)).unwrap_or(1);
    let money = |random: &mut Random, low, high| Decimal::from(random.between(low, high));
    // Limits that few orders meet are likelier than those that stop many.
    let mut limits = GateLimits {
        max_order_notional_pct: random.chance(300).then(|| hundredths(random, 8, 50)),
        max_order_value: random.chance(300).then(|| money(random, 8_000, 60_000)),
        max_order_quantity: random.chance(300).then(|| money(random, 100, 2_000)),
        max_position_quantity: random.chance(300).then(|| money(random, 100, 2_000)),
        max_position_value: random.chance(300).then(|| money(random, 8_000, 40_000)),
        max_total_exposure: random.chance(300).then(|| money(random, 30_000, 120_000)),
        max_positions: random.chance(400).then(|| count(random, 3, 9)),
        max_open_orders: random.chance(400).then(|| count(random, 3, 15)),
        price_collar_pct: random.chance(500).then(|| hundredths(random, 2, 6)),
        staleness: random.chance(500).then(|| Staleness::Millis(millis(random, 15_000, 90_000))),
        dedup_window_ms: random.chance(600).then(|| millis(random, 1_000, 30_000)),
        max_orders_per_minute: random.chance(300).then(|| count(random, 5, 30)),
        strategy_rate: rates[0],
        symbol_rate: rates[1],
        fund_rate: rate(random),
        broker_rate: rates[2],
        buying_power: random.chance(500),
        max_drawdown_pct: random.chance(400).then(|| hundredths(random, 3, 25)),
        max_daily_loss: random.chance(400).then(|| money(random, 1_000, 6_000)),
        ..GateLimits::default()
    };
    if random.chance(200) {
        limits.staleness = Some(Staleness::Bars(millis(random, 1, 3)));
    }
    if random.chance(300) {
        limits.max_repeated_executions = Some(count(random, 1, 4));
        limits.repeated_execution_window_ms = Some(millis(random, 5_000, 120_000));
    }
    if alone || random.chance(100) {
        limits.loss_response = Some(LossResponse::KillSwitch);
    }
    let mut some = |count: usize| -> Vec<Symbol> {
        (0..count).filter_map(|_| random.pick(instruments)).map(|one| one.symbol.clone()).collect()
    };
    limits.blocked_assets = some(1);
    let allowed = some(20);
    if random.chance(80) {
        limits.allowed_assets = allowed;
        let blocked = &limits.blocked_assets;
        limits.allowed_assets.retain(|asset| !blocked.contains(asset));
    }
    if random.chance(40) {
        limits.allowed_actors = vec![ActorId::new("ann")?];
    }
    Ok(limits)
}
