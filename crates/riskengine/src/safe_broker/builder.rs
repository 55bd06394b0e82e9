//! Putting a broker behind the gates.

use super::books::{AccountKey, Books, KEPT_VERSION, Kept, Readings, ShadowAccount, ToDo};
use super::reconcile::Schedule;
use super::{Identity, SafeBroker};
use crate::live_limits::{InvalidLiveLimits, LiveLimits};
use crate::store::{RiskStore, StateFile, StoreError};
use crate::{ConfigFaults, FundRisk, OperatorPolicy, RiskPipeline};
use mts_foundation::broker::{BrokerError, DynBroker, SimulatedBroker};
use mts_foundation::calendar::DayRoll;
use mts_foundation::ids::InvalidId;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{DynAsyncRiskGate, RiskEvent};
use mts_foundation::{
    ActorId, BrokerName, Clock, Decimal, Fill, FundConfig, FundId, GateLimits, InstrumentTable, Ledger,
    MarketCalendar, OrderRecord, OrderState, RiskEnvelope, RiskGate, RiskMachine, Side, StrategyId, Symbol,
    Timestamp,
};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Why a broker cannot be put behind the gates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Limits that make no sense.
    #[error("live limits: {0}")]
    LiveLimits(#[from] InvalidLiveLimits),
    /// Limits that make no sense.
    #[error(transparent)]
    Limits(#[from] ConfigFaults),
    /// The state cannot be had: never a fresh start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state is of another program or of other limits.
    #[error("the risk state cannot be used: {0}")]
    State(String),
    /// Nowhere to keep the state.
    #[error(
        "there is nowhere to keep halts and counters over a restart: give `state_file` or `store`, or say `forgetful` where \
         nothing is at stake"
    )]
    NoStore,
    /// Shadow mode without a paper broker.
    #[error("shadow mode needs a paper broker: give one with `shadow`")]
    NoShadow,
    /// A name that is not usable.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The paper broker does not take its account back.
    #[error("the paper account cannot be restored: {0}")]
    Shadow(#[from] BrokerError),
}

/// Settings of a [`SafeBroker`].
#[must_use]
pub struct SafeBrokerBuilder {
    broker: Arc<dyn DynBroker>,
    clock: Arc<dyn Clock>,
    shadow: Option<Arc<dyn SimulatedBroker>>,
    live: Option<LiveLimits>,
    limits: GateLimits,
    envelope: Option<RiskEnvelope>,
    borrow: BTreeMap<Symbol, Borrow>,
    operators: OperatorPolicy,
    own_gates: Vec<Arc<dyn RiskGate>>,
    gates: Vec<Arc<dyn DynAsyncRiskGate>>,
    instruments: Option<InstrumentTable>,
    calendar: Option<Arc<MarketCalendar>>,
    roll: DayRoll,
    store: Option<Box<dyn RiskStore>>,
    forgetful: bool,
    fund: String,
    strategy: String,
    actor: String,
    account_age: Duration,
    key_memory: Duration,
    reconcile_every: Duration,
    reconcile_halt_value: Option<Decimal>,
}

impl std::fmt::Debug for SafeBrokerBuilder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SafeBrokerBuilder").field("broker", &self.broker.name()).finish_non_exhaustive()
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident($field:ident: $kind:ty) = $value:expr;)+) => { $(
        $(#[$doc])*
        pub fn $name(mut self, $field: $kind) -> Self {
            self.$field = $value;
            self
        }
    )+ };
}

impl SafeBrokerBuilder {
    pub(super) fn new(broker: Arc<dyn DynBroker>, clock: Arc<dyn Clock>) -> Self {
        Self {
            broker,
            clock,
            shadow: None,
            live: None,
            limits: GateLimits::default(),
            envelope: None,
            borrow: BTreeMap::new(),
            operators: OperatorPolicy::default(),
            own_gates: Vec::new(),
            gates: Vec::new(),
            instruments: None,
            calendar: None,
            roll: DayRoll::MIDNIGHT_UTC,
            store: None,
            forgetful: false,
            fund: "account".to_owned(),
            strategy: "manual".to_owned(),
            actor: "safe-broker".to_owned(),
            account_age: Duration::from_secs(1),
            key_memory: Duration::from_secs(300),
            reconcile_every: Duration::from_secs(60),
            reconcile_halt_value: None,
        }
    }

    settings! {
        /// The limits of a single account: gates, shadow mode, the kill switch and the state file. They take the place of
        /// [`Self::gate_limits`].
        live_limits(live: LiveLimits) = Some(live);
        /// Limits beyond an envelope's, or without one.
        gate_limits(limits: GateLimits) = limits;
        /// The documented limits of a fund.
        envelope(envelope: RiskEnvelope) = Some(envelope);
        /// Terms of borrowing, for short sales.
        borrow(borrow: BTreeMap<Symbol, Borrow>) = borrow;
        /// Who may resume, and disable the kill switch.
        operators(operators: OperatorPolicy) = operators;
        /// Gates of one's own, asked after the built-in ones.
        own_gates(own_gates: Vec<Arc<dyn RiskGate>>) = own_gates;
        /// Gates that must ask somebody, asked last; the pure ones run again after them.
        async_gates(gates: Vec<Arc<dyn DynAsyncRiskGate>>) = gates;
        /// Facts of instruments. Without a table ticks, lots and asset classes are not checked, and futures are refused.
        instruments(instruments: InstrumentTable) = Some(instruments);
        /// Sessions of the market. Without them orders may be sent at any time.
        calendar(calendar: Arc<MarketCalendar>) = Some(calendar);
        /// When the trading day rolls; midnight UTC.
        day_roll(roll: DayRoll) = roll;
        /// Where the state is kept.
        store(store: Box<dyn RiskStore>) = Some(store);
        /// The paper broker that takes the orders in shadow mode.
        shadow(shadow: Arc<dyn SimulatedBroker>) = Some(shadow);
        /// Name of the account in ids and halts; `account`.
        account(fund: String) = fund;
        /// Strategy that the shell's own orders name; `manual`.
        strategy(strategy: String) = strategy;
        /// Actor that the shell's own orders name; `safe-broker`.
        actor(actor: String) = actor;
        /// How old the account may be when an order is checked; a second. Every reading asks the broker three times.
        account_age(account_age: Duration) = account_age;
        /// How long the key of an ended order is remembered; five minutes.
        key_memory(key_memory: Duration) = key_memory;
        /// How often positions are compared with our orders; a minute.
        reconcile_every(reconcile_every: Duration) = reconcile_every;
        /// Value of a difference of positions from which the account is halted; without it a difference is only noted.
        reconcile_halt_value(reconcile_halt_value: Decimal) = Some(reconcile_halt_value);
    }

    /// Keeps the state in this file, which is made if there never was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn state_file(self, path: impl Into<std::path::PathBuf>) -> Result<Self, StoreError> {
        Ok(self.store(Box::new(StateFile::open_or_create(path)?)))
    }

    /// Keeps no state: a restart forgets halts, counters and the kill switch. For tests and back-tests.
    pub fn forgetful(mut self) -> Self {
        self.forgetful = true;
        self
    }

    /// Puts the broker behind the gates.
    ///
    /// # Errors
    /// [`StartError`] for limits that make no sense, and for a state that is damaged, lost or in use.
    pub fn start(mut self) -> Result<SafeBroker, StartError> {
        if let Some(live) = &self.live {
            self.limits = live.to_gates()?;
            if live.shadow_mode && self.shadow.is_none() {
                return Err(StartError::NoShadow);
            }
            if !live.shadow_mode {
                self.shadow = None;
            }
            if self.store.is_none() && !self.forgetful {
                self.store = Some(Box::new(StateFile::open_or_create(&live.state_file)?));
            }
        }
        if self.store.is_none() && !self.forgetful {
            return Err(StartError::NoStore);
        }
        let now = self.clock.now();
        let venue: Arc<dyn DynBroker> = match &self.shadow {
            Some(shadow) => shadow.clone(),
            None => self.broker.clone(),
        };
        let mut capabilities = venue.capabilities().clone();
        capabilities.replace = false;
        let identity = Identity {
            fund_id: FundId::new(&self.fund)?,
            strategy_id: StrategyId::new(&self.strategy)?,
            broker: BrokerName::new(venue.name())?,
            actor: ActorId::new(&self.actor)?,
        };
        let name = format!("safe-{}", self.broker.name());
        let kill = self.live.as_ref().is_some_and(|live| live.kill_switch_enabled);
        let calendar = self.calendar.take();
        let gates = std::mem::take(&mut self.gates);
        let (clock, shadow) = (self.clock.clone(), self.shadow.clone());
        let account_age = self.account_age;
        let reconcile = Schedule {
            every: self.reconcile_every,
            halt_value: self.reconcile_halt_value,
            last: Mutex::new(None),
        };
        let mut books = self.books(&identity, shadow.is_some(), now)?;
        if let (Some(shadow), Some(kept)) = (&shadow, &books.kept.shadow) {
            give_back(&**shadow, kept, &books.kept.live, now)?;
        }
        let replaced = books.store.as_ref().is_some_and(|store| store.is_replaced());
        if (kill || replaced) && books.machine.killed().is_none() {
            let reason = if replaced {
                "the risk state was replaced: what it held is not known".to_owned()
            } else {
                "Manual activation".to_owned()
            };
            let kill = RiskEvent::Kill { reason, actor: identity.actor.clone() };
            books.apply(&kill, now).map_err(|error| StartError::State(error.to_string()))?;
        }
        // Nobody knows whether the last process got as far as cancelling everything.
        books.to_do.cancel_all = books.machine.killed().is_some();
        books.changed = true;
        books.save()?;
        let books = Mutex::new(books);
        Ok(SafeBroker {
            name,
            venue,
            shadow,
            capabilities,
            clock,
            calendar,
            gates,
            identity,
            account_age,
            reconcile,
            books,
        })
    }

    fn books(self, identity: &Identity, shadow: bool, now: Timestamp) -> Result<Books, StartError> {
        let config =
            FundConfig::new(identity.fund_id.clone(), identity.broker.clone(), Decimal::ONE_HUNDRED, now);
        let Self { envelope, limits, borrow, operators, own_gates, instruments, mut store, .. } = self;
        let fund = FundRisk { config, envelope, limits, borrow };
        let mut machine = RiskPipeline::new(vec![fund], operators)?.with_gates(own_gates);
        let loaded = store.as_mut().map(|store| store.load()).transpose()?.flatten();
        let mut kept = match loaded {
            None => Kept::default(),
            Some(bytes) => {
                let kept: Kept = postcard::from_bytes(&bytes)
                    .map_err(|error| StartError::State(format!("it cannot be read ({error})")))?;
                if kept.version != KEPT_VERSION {
                    return Err(StartError::State(format!(
                        "it has version {}, this program reads {KEPT_VERSION}",
                        kept.version
                    )));
                }
                let configured = machine.envelope(&identity.fund_id).cloned();
                machine.restore(&kept.machine).map_err(|refusal| StartError::State(refusal.message))?;
                if let (Some(ours), Some(theirs)) = (machine.envelope(&identity.fund_id), configured)
                    && ours.version <= theirs.version
                    && *ours != (RiskEnvelope { created_at: ours.created_at, ..theirs.clone() })
                {
                    return Err(StartError::State(format!(
                        "its envelope of version {} is not the one of the configuration, version {}: start with the one it \
                         has, then put the new one in force with `update_envelope`",
                        ours.version, theirs.version
                    )));
                }
                machine.release_all();
                kept
            }
        };
        // What was under way when the last process ended may or may not have arrived.
        for record in kept.live.values_mut().filter(|record| record.state == OrderState::Submitting) {
            record.unknown(now).unwrap_or_default();
        }
        let of = AccountKey { broker: identity.broker.as_str().into(), shadow };
        match &kept.account {
            Some(known) if *known != of => {
                return Err(StartError::State(format!(
                    "it is of broker {}{}, not of {}{}: give every account a state of its own",
                    known.broker,
                    if known.shadow { " in shadow mode" } else { "" },
                    of.broker,
                    if shadow { " in shadow mode" } else { "" },
                )));
            }
            _ => kept.account = Some(of),
        }
        if kept.life.is_empty() {
            kept.life = life(now);
        }
        let used = kept.used.iter().map(|(hash, _)| *hash).collect();
        let of_record =
            |record: &OrderRecord| (record.order.idempotency_key.clone(), record.order.order_id.clone());
        let keys = kept.live.values().chain(kept.ended.iter()).map(of_record).collect();
        Ok(Books {
            fund_id: identity.fund_id.clone(),
            roll: self.roll,
            day: machine.trading_day(),
            machine,
            ledger: Ledger::new(),
            has_table: instruments.is_some(),
            instruments: instruments.unwrap_or_default(),
            keys,
            claimed: BTreeMap::new(),
            kept,
            key_memory: self.key_memory,
            closing: BTreeMap::new(),
            suspects: BTreeMap::new(),
            absent: BTreeMap::new(),
            readings: Readings::default(),
            fills: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            strangers: BTreeSet::new(),
            tried: BTreeMap::new(),
            used,
            account: None,
            store,
            stopped: None,
            changed: true,
            to_do: ToDo::default(),
            notices: VecDeque::new(),
        })
    }
}

/// A part of ids that no other state has, unless it began in the same nanosecond: the time of the first start in base 36.
fn life(now: Timestamp) -> SmolStr {
    let mut rest = now.nanos().unsigned_abs();
    let mut digits = Vec::new();
    while rest > 0 {
        digits.push(char::from_digit(u32::try_from(rest % 36).unwrap_or(0), 36).unwrap_or('0'));
        rest /= 36;
    }
    digits.into_iter().rev().collect()
}

/// Gives the paper broker its account back: the positions as if each had been bought at once, and what still works.
fn give_back(
    shadow: &dyn SimulatedBroker,
    kept: &ShadowAccount,
    live: &BTreeMap<mts_foundation::OrderId, OrderRecord>,
    now: Timestamp,
) -> Result<(), StartError> {
    let fills = kept.positions.iter().enumerate().map(|(number, held)| {
        let side = if held.quantity > Decimal::ZERO { Side::Buy } else { Side::Short };
        let id = format!("restored-{number}");
        Fill::new(&id, &id, held.symbol.as_str(), side, held.quantity.abs(), held.avg_price, now)
            .map_err(|error| StartError::State(error.to_string()))
    });
    let fills: Vec<Fill> = fills.collect::<Result<_, _>>()?;
    let open: Vec<OrderRecord> = live.values().filter(|record| record.state.is_working()).cloned().collect();
    shadow.set_time(now);
    Ok(shadow.restore(&open, &fills, kept.cash)?)
}
