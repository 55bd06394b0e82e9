//! `ml4t-safe-broker/1`: scenarios of orders, halts and restarts against a stand-alone [`SafeBroker`].
//!
//! Every action is a case. The harness is that of decision N4: gates 7 and 8 off, positions, account and resting orders
//! from the scenario, prices from the scenario's market, else the position's, else 100. The result has to be the file's:
//! accepted, or refused by the file's rule, which must be among everything that our gates would object to. Actions that the
//! file marks as defects of its origin are held against what version 0.1.3 did with them. With each accepted action the
//! number of orders, the kill switch and, in shadow mode, the paper account are compared too.
//!
//! An action deviates, rather than fails, only for one of the [rules](RULES), each recognised by what the scenario contains.

mod scenario;
mod venue;
mod verdict;

use super::Outcome;
use mts_brokers::paper::{PaperBroker, PaperConfig};
use mts_foundation::num::as_written;
use mts_foundation::order_intent::Intent;
use mts_foundation::ready::ready;
use mts_foundation::risk::RejectCode;
use mts_foundation::{
    ActorId, Broker, BrokerOrderId, Clock, Decimal, OrderId, OrderReport, OrderState, OrderType, Quote, Side,
    Symbol, Timestamp,
};
use mts_matching::{ExchangeConfig, FeeModel};
use mts_riskengine::safe_broker::{OrderTicket, SafeBrokerError};
use mts_riskengine::{LiveLimits, OperatorPolicy, SafeBroker};
use scenario::{Action, Held, Op, Scenario, Scenarios, Submit, float};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use venue::{HeldUnits, ScenarioClock, ScenarioVenue};

/// The origin tells small letters from capitals in assets and in lists of them.
pub const CANONICAL: &str = "symbols are compared in their canonical form (R2)";
/// The origin refuses orders that shrink a position.
pub const REDUCING: &str = "getting out passes limits (R4)";
/// The origin forgets rates and duplicates with the process.
pub const WINDOWS: &str = "windows survive a restart (R8)";
/// The origin compares asset and quantity of duplicates only.
pub const CONTENT: &str = "a duplicate has the same side, type and prices, too (R7)";
/// The origin takes a price that the type does not use, and sends quantities through zero.
pub const WELL_FORMED: &str = "orders are well formed, and closed before they are turned (O1, S2)";
/// The origin fills every order in shadow mode at once, at a guess.
pub const PAPER: &str = "orders of shadow mode have the paper broker's semantics (R13)";
/// The origin trips again at once after its kill switch was disabled.
pub const REBASED: &str = "a resume counts losses anew (R9)";
/// The origin closes a position again while it is being closed.
pub const ONCE: &str = "closing twice closes once (R4)";
/// The origin's loss of the day comes from its file, ours from the account.
pub const STATE: &str = "a state of another program is no state of ours (R8)";
/// The origin values positions at the price of the order.
pub const AT_THE_MARK: &str = "positions are valued at the mark, orders at their price (R5, R6)";
/// The origin shows orders of the real account in shadow mode, and cancels an order again that was cancelled.
pub const SHOWN: &str =
    "shadow mode shows the paper account; only a confirmation is a cancellation (R13, O8)";
/// The origin's paper account ends with its process.
pub const PERSISTED: &str = "the paper account survives a restart (R8)";
/// The origin looks for losses when it is given an order.
pub const EVERY_MARK: &str = "losses are evaluated on every mark (R8)";
/// The origin lets an account of no value trade.
pub const NOTHING: &str = "of an account of no value everything is lost (R8, R10)";
/// The rules under which an action may deviate.
pub const RULES: [&str; 14] = [
    CANONICAL,
    REDUCING,
    WINDOWS,
    CONTENT,
    WELL_FORMED,
    PAPER,
    REBASED,
    ONCE,
    STATE,
    AT_THE_MARK,
    SHOWN,
    PERSISTED,
    EVERY_MARK,
    NOTHING,
];

/// Runs a file of scenarios.
///
/// # Errors
/// A sentence when the text is no such file.
pub fn run(text: &str) -> Result<Outcome, String> {
    let file: Scenarios =
        serde_json::from_str(text).map_err(|error| format!("these are no scenarios of orders: {error}"))?;
    let mut outcome = Outcome::default();
    for scenario in &file.scenarios {
        play(scenario, &mut outcome).map_err(|error| format!("{}: {error}", scenario.id))?;
    }
    outcome.notes.push(format!("{} scenarios", file.scenarios.len()));
    Ok(outcome)
}

/// What we did.
#[derive(Debug, Clone, PartialEq)]
enum Did {
    /// Done, or accepted.
    Ok,
    /// Refused by a gate; everything that the gates object to.
    Refused(Vec<RejectCode>),
    /// Not well formed, or the venue or the account failed.
    Exception(String),
    /// There is no broker: it refused to start.
    NotConstructed,
    /// An answer of its own.
    Answer(Value),
}

/// One scenario under way.
struct Play<'a> {
    scenario: &'a Scenario,
    clock: Arc<ScenarioClock>,
    venue: Arc<ScenarioVenue>,
    paper: Arc<PaperBroker>,
    folder: tempfile::TempDir,
    safe: Option<SafeBroker>,
    prices: BTreeMap<String, f64>,
    /// What has happened that lets later actions deviate.
    past: Past,
}

#[derive(Debug, Default)]
struct Past {
    restarted: bool,
    kill_disabled: bool,
    closed: Vec<String>,
    canceled: Vec<String>,
    /// The paper account took an order with a price, and goes its own way from there on.
    priced: bool,
    /// A rule under which an earlier action went another way, so that what follows may.
    bent: Option<&'static str>,
    /// The file's first marked defect has been passed: from there on version 0.1.3 is as good a witness.
    defect: bool,
    offset: i64,
}

fn decimal(value: f64) -> Result<Decimal, String> {
    as_written(value).ok_or_else(|| format!("{value} is no decimal"))
}

fn wait<T>(future: impl Future<Output = T>) -> Result<T, String> {
    ready(future).map_err(|error| error.to_string())
}

fn play(scenario: &Scenario, outcome: &mut Outcome) -> Result<(), String> {
    let mut play = Play::new(scenario)?;
    for (number, action) in scenario.actions.iter().enumerate() {
        let did = play.act(action)?;
        let case = format!("{} action {number}", scenario.id);
        match play.verdict(action, &did)? {
            Ok(None) => outcome.pass(),
            Ok(Some(rule)) => {
                play.past.bent = Some(rule);
                outcome.deviate(rule);
            }
            Err(detail) => outcome.fail(case, detail),
        }
        play.past.defect |= action.known_bug;
    }
    Ok(())
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario) -> Result<Self, String> {
        let start: Timestamp = "2026-03-02T15:00:00Z".parse().map_err(|error| format!("{error}"))?;
        let clock = ScenarioClock::at(start);
        let broker = scenario.broker.as_ref();
        let equity = broker.and_then(|broker| broker.account_value).unwrap_or(100_000.0);
        let venue = ScenarioVenue::new(&clock, equity);
        let paper = PaperBroker::new(PaperConfig {
            fees: FeeModel::basis_points(Decimal::ZERO),
            initial_cash: Decimal::from(100_000),
            exchange: ExchangeConfig { submit_delay: Duration::ZERO, ..ExchangeConfig::default() },
            ..PaperConfig::default()
        })
        .map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut play = Self {
            scenario,
            clock,
            venue,
            paper: Arc::new(paper),
            folder,
            safe: None,
            prices: BTreeMap::new(),
            past: Past::default(),
        };
        play.hold(broker.map_or(&[], |broker| broker.positions.as_slice()))?;
        play.prices.extend(scenario.market.clone().unwrap_or_default());
        play.first_state(start)?;
        play.start();
        Ok(play)
    }

    fn hold(&mut self, positions: &[Held]) -> Result<(), String> {
        let mut held = Vec::new();
        for position in positions {
            let price = position.current_price.unwrap_or(position.entry_price);
            self.prices.insert(position.asset.clone(), price);
            held.push(HeldUnits {
                symbol: Symbol::new(&position.asset).map_err(|error| error.to_string())?,
                quantity: decimal(position.quantity)?,
                entry: decimal(position.entry_price)?,
                price: decimal(price)?,
            });
        }
        self.venue.inside().positions = held;
        Ok(())
    }

    fn state_file(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Brings about the state that the scenario begins with: by acts where it is a state of the six documented fields,
    /// by the same bytes where it is none.
    fn first_state(&mut self, start: Timestamp) -> Result<(), String> {
        let Some(state) = &self.scenario.state_file else { return Ok(()) };
        let whole = state.as_object().filter(|fields| fields.len() == 6 && fields.contains_key("date"));
        let Some(fields) = whole else {
            let text = state.as_str().map_or_else(|| state.to_string(), str::to_owned);
            return std::fs::write(self.state_file(), text).map_err(|error| error.to_string());
        };
        // On the day before, so that the highest value is known and the day's loss is not.
        let high = fields.get("high_water_mark").and_then(float).unwrap_or_default();
        let equity = self.venue.inside().equity;
        self.venue.inside().equity = as_written(high);
        self.clock.set(Timestamp::from_nanos(start.nanos().saturating_sub(86_400_000_000_000)));
        self.start();
        if let Some(safe) = &self.safe {
            wait(safe.tick())?.map_err(|error| error.to_string())?;
            if fields.get("kill_switch_activated").and_then(Value::as_bool) == Some(true) {
                wait(safe.enable_kill_switch("from the file"))?.map_err(|error| error.to_string())?;
            }
        }
        self.safe = None;
        self.venue.inside().equity = equity;
        self.clock.set(start);
        let placed = fields.get("orders_placed").and_then(Value::as_i64).unwrap_or_default();
        let today = fields.get("date").and_then(Value::as_str) == Some("2026-03-02");
        self.past.offset = if today { placed } else { 0 };
        Ok(())
    }

    fn limits(&self) -> Result<LiveLimits, String> {
        let mut limits = LiveLimits { state_file: self.state_file(), ..LiveLimits::default() };
        for (field, value) in &self.scenario.config {
            let assets = || -> Result<Vec<Symbol>, String> {
                let listed = value.as_array().ok_or("a list of assets")?.iter();
                listed
                    .map(|asset| Symbol::new(asset.as_str().unwrap_or_default()).map_err(|e| e.to_string()))
                    .collect()
            };
            let number = float(value);
            match field.as_str() {
                "max_position_value" => limits.max_position_value = number,
                "max_position_shares" => limits.max_position_shares = number,
                "max_total_exposure" => limits.max_total_exposure = number,
                "max_positions" => limits.max_positions = number,
                "max_order_value" => limits.max_order_value = number,
                "max_order_shares" => limits.max_order_shares = number,
                "max_orders_per_minute" => limits.max_orders_per_minute = number,
                "max_daily_loss" => limits.max_daily_loss = number,
                "max_drawdown_pct" => limits.max_drawdown_pct = number,
                "max_price_deviation_pct" => limits.max_price_deviation_pct = number,
                "max_data_staleness_seconds" => limits.max_data_staleness_seconds = number,
                "dedup_window_seconds" => limits.dedup_window_seconds = number,
                "allowed_assets" => limits.allowed_assets = assets()?,
                "blocked_assets" => limits.blocked_assets = assets()?,
                "shadow_mode" => limits.shadow_mode = value.as_bool().unwrap_or_default(),
                "kill_switch_enabled" => limits.kill_switch_enabled = value.as_bool().unwrap_or_default(),
                other => return Err(format!("the limit {other} is not known here; add it to the harness")),
            }
        }
        Ok(limits)
    }

    /// Starts the broker; `None` when it refuses to.
    fn start(&mut self) {
        self.safe = None;
        let operators = OperatorPolicy {
            operators: ActorId::new("ann").into_iter().collect(),
            single_operator: true,
            single_operator_delay: Duration::ZERO,
        };
        let Ok(limits) = self.limits() else { return };
        let builder = SafeBroker::wrap(self.venue.clone(), self.clock.clone())
            .live_limits(limits)
            .operators(operators)
            .shadow(self.paper.clone());
        self.safe = builder.start().ok().filter(|safe| matches!(ready(safe.connect()), Ok(Ok(()))));
    }

    fn shadow(&self) -> bool {
        self.scenario.config.get("shadow_mode").and_then(Value::as_bool) == Some(true)
    }

    fn price(&self, asset: &str) -> f64 {
        self.prices.get(asset).copied().unwrap_or(100.0)
    }

    /// Tells the broker, and the paper market, what the price is.
    fn quote(&self, asset: &str) -> Result<(), String> {
        let Some(safe) = &self.safe else { return Ok(()) };
        let price = decimal(self.price(asset))?;
        let plenty = Decimal::from(1_000_000_000);
        let quote = Quote {
            symbol: Symbol::new(asset).map_err(|error| error.to_string())?,
            bid: price,
            ask: price,
            bid_size: plenty,
            ask_size: plenty,
            venue: "scenario".parse().map_err(|error| format!("{error}"))?,
            timestamp: self.clock.now(),
        };
        wait(safe.on_quote(&quote))?.map_err(|error| error.to_string())
    }

    fn act(&mut self, action: &Action) -> Result<Did, String> {
        match &action.op {
            Op::Advance { seconds } => {
                let nanos = decimal(*seconds)? * Decimal::from(1_000_000_000);
                let nanos = i64::try_from(nanos).map_err(|error| error.to_string())?;
                self.clock.set(Timestamp::from_nanos(self.clock.now().nanos().saturating_add(nanos)));
                return Ok(Did::Ok);
            }
            Op::SetClock { utc } => {
                self.clock.set(utc.parse().map_err(|error| format!("{error}"))?);
                return Ok(Did::Ok);
            }
            Op::SetAccount { value } => {
                self.venue.inside().equity = value.and_then(as_written);
                return Ok(Did::Ok);
            }
            Op::SetPositions { positions } => return self.hold(positions).map(|()| Did::Ok),
            Op::Mark { prices } | Op::Market { prices } => {
                self.prices.extend(prices.clone());
                for asset in prices.keys() {
                    self.quote(asset)?;
                }
                return Ok(Did::Ok);
            }
            Op::BrokerMode { mode } => {
                self.venue.inside().raises = mode == "raise";
                return Ok(Did::Ok);
            }
            Op::AddPending(pending) => return self.add_pending(pending).map(|()| Did::Ok),
            Op::Restart => {
                self.start();
                self.past.restarted = true;
                return Ok(if self.safe.is_some() { Did::Ok } else { Did::NotConstructed });
            }
            Op::CorruptStateFile { content } => {
                std::fs::write(self.state_file(), content).map_err(|error| error.to_string())?;
                return Ok(Did::Ok);
            }
            _ => {}
        }
        let Some(safe) = &self.safe else { return Ok(Did::NotConstructed) };
        let done = |result: Result<(), SafeBrokerError>| match result {
            Ok(()) => Did::Ok,
            Err(error) => Did::Exception(error.to_string()),
        };
        Ok(match &action.op {
            Op::Submit(submit) => self.submit(submit)?,
            Op::Close { asset } => {
                let symbol = Symbol::new(asset).map_err(|error| error.to_string())?;
                let closed = wait(safe.close_position(&symbol))?;
                self.quote(asset)?;
                match closed {
                    Ok(Some(_)) => Did::Answer("order".into()),
                    Ok(None) => Did::Answer("none".into()),
                    Err(error) => Did::Exception(error.to_string()),
                }
            }
            Op::CloseAll => match wait(safe.close_all_positions())? {
                Ok(closed) => Did::Answer(closed.len().into()),
                Err(error) => Did::Exception(error.to_string()),
            },
            Op::Cancel { order_id } => {
                let id = OrderId::new(order_id).map_err(|error| error.to_string())?;
                match wait(safe.cancel_order(&id))? {
                    Ok(canceled) => Did::Answer(canceled.into()),
                    Err(error) => Did::Exception(error.to_string()),
                }
            }
            Op::Pending => {
                let open = wait(safe.open_orders())?.map_err(|error| error.to_string())?;
                Did::Answer(open.iter().map(|open| open.broker_order_id.as_str()).collect())
            }
            Op::EnableKill { reason } => {
                done(wait(safe.enable_kill_switch(reason.as_deref().unwrap_or("Manual")))?)
            }
            Op::DisableKill => {
                let ann = ActorId::new("ann").map_err(|error| error.to_string())?;
                done(safe.disable_kill_switch(&[ann], "the scenario says so"))
            }
            Op::Disconnect => done(wait(safe.disconnect())?),
            _ => Did::Ok,
        })
    }

    fn add_pending(&self, pending: &scenario::Pending) -> Result<(), String> {
        let side = if pending.side == "buy" { Side::Buy } else { Side::Short };
        self.venue.inside().resting.push(OrderReport {
            broker_order_id: BrokerOrderId::new(&pending.order_id).map_err(|error| error.to_string())?,
            order_id: None,
            idempotency_key: None,
            symbol: Symbol::new(&pending.asset).map_err(|error| error.to_string())?,
            side,
            order_type: OrderType::Limit,
            quantity: decimal(pending.quantity)?,
            filled: Decimal::ZERO,
            average_price: None,
            state: OrderState::Accepted,
            reason: None,
            timestamp: self.clock.now(),
        });
        Ok(())
    }

    fn ticket(submit: &Submit) -> Result<OrderTicket, String> {
        let asset = Symbol::new(&submit.asset).map_err(|error| error.to_string())?;
        // What is no number is no decimal either: zero is refused for the same reason.
        let quantity = as_written(submit.quantity).unwrap_or_default();
        let order_type = submit.order_type.as_deref().unwrap_or("market");
        Ok(OrderTicket {
            side: match submit.side.as_deref() {
                Some("buy") => Some(Intent::Buy),
                Some(_) => Some(Intent::Sell),
                None => None,
            },
            order_type: order_type.parse().map_err(|error| format!("{error}"))?,
            limit_price: submit.limit_price.map(|price| as_written(price).unwrap_or_default()),
            stop_price: submit.stop_price.map(|price| as_written(price).unwrap_or_default()),
            ..OrderTicket::new(asset, quantity)
        })
    }

    fn submit(&self, submit: &Submit) -> Result<Did, String> {
        let Some(safe) = &self.safe else { return Ok(Did::NotConstructed) };
        let Ok(ticket) = Self::ticket(submit) else {
            return Ok(Did::Exception("not well formed".to_owned()));
        };
        if self.scenario.auto_market != Some(false) {
            self.quote(&submit.asset)?;
        }
        let objections = wait(safe.objections(&ticket))?;
        let placed = wait(safe.submit_order(ticket))?;
        if self.shadow() && self.scenario.auto_market != Some(false) {
            // What the market does next.
            self.quote(&submit.asset)?;
            wait(safe.tick())?.map_err(|error| error.to_string())?;
        }
        Ok(match placed {
            Ok(_) => Did::Ok,
            Err(SafeBrokerError::Refused(rejection)) => {
                let all = objections.unwrap_or_default();
                let mut codes: Vec<RejectCode> = all.iter().map(|rejection| rejection.code).collect();
                if !codes.contains(&rejection.code) {
                    codes.push(rejection.code);
                }
                Did::Refused(codes)
            }
            Err(error) => Did::Exception(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn file() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/ml4t/safe_broker.json");
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn every_action_ends_as_the_file_says_or_as_decided() {
        let outcome = run(&file()).unwrap();
        assert_eq!(outcome.failures, []);
        assert_eq!((outcome.cases(), outcome.deviated()), (647, 21));
        assert!(outcome.deviations.keys().all(|rule| RULES.contains(rule)));
    }

    #[test]
    fn another_expectation_fails() {
        let file: Value = serde_json::from_str(&file()).unwrap();
        let mut changed = 0;
        for id in ["sb-0015", "sb-0075", "sb-0206"] {
            let mut file = file.clone();
            let scenarios = file["scenarios"].as_array_mut().unwrap();
            scenarios.retain(|scenario| scenario["id"] == id);
            for action in scenarios[0]["actions"].as_array_mut().unwrap() {
                let other = match action["expect"]["result"].as_str().unwrap() {
                    "accept" => "reject",
                    "reject" => "accept",
                    _ => continue,
                };
                action["expect"]["result"] = other.into();
                changed += 1;
            }
            assert!(run(&file.to_string()).unwrap().failed > 0, "{id}");
        }
        assert!(changed > 3, "{changed}");
    }
}
