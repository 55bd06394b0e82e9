//! What the shell knows: the machine, the account as it was read last, orders that may live, and what is to be done.

use super::error::SafeBrokerError;
use crate::RiskPipeline;
use crate::store::{RiskStore, StoreError};
use mts_foundation::calendar::DayRoll;
use mts_foundation::ledger::Adopted;
use mts_foundation::num::exact;
use mts_foundation::risk::{Rejection, RiskAction, RiskEvent};
use mts_foundation::{
    AssetClass, Currency, Decimal, FundId, IdempotencyKey, Instrument, InstrumentTable, Ledger, Order,
    OrderId, OrderRecord, OrderReport, OrderState, Position, RiskMachine, Side, Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Most ended orders that are remembered for their keys.
const MAX_ENDED: usize = 16_384;

/// Most notices that wait to be read; older ones give way.
const MAX_NOTICES: usize = 1_024;

/// Most orders that may live at once; one more is refused.
pub(super) const MAX_LIVE: usize = 65_536;

/// A hand-over to the venue that has not been answered for so long counts as unknown.
const SUBMIT_PATIENCE: Duration = Duration::from_secs(60);

/// Thesis of the orders that close a position.
pub(super) const CLOSE: &str = "close position";

/// How long after a try the close of a synthetic stop is tried again.
const STOP_AGAIN: Duration = Duration::from_secs(60);

/// How long a key cannot be used again after its order was forgotten (decision O6).
const USED_FOR: Duration = Duration::from_secs(86_400);

/// Most keys that are remembered for that; older ones give way.
const MAX_USED: usize = 65_536;

/// How long a venue that does not know an order must go on not knowing it.
const SETTLE: Duration = Duration::from_secs(5);

/// Smallest step of quantities and prices where no table gives one.
const NO_STEP: Decimal = Decimal::from_parts(1, 0, 0, false, 12);

/// Something a person should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// When.
    pub time: Timestamp,
    /// What.
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NoticeKind {
    /// A gate refused an order.
    Refused {
        /// Which.
        order_id: OrderId,
        /// Why.
        rejection: Rejection,
    },
    /// The machine acted: a halt, a kill, a stop, a resume.
    Risk(RiskAction),
    /// A position was closed although its price was stale or unknown (decision R4).
    ClosedWithoutReference {
        /// Which.
        symbol: Symbol,
    },
    /// The account's position is not the one that our orders make.
    PositionMismatch {
        /// Which instrument.
        symbol: Symbol,
        /// Signed units by our orders.
        ours: Decimal,
        /// Signed units by the account.
        theirs: Decimal,
    },
    /// An order's fate is unknown.
    OrderUnknown {
        /// Which.
        order_id: OrderId,
    },
    /// It was unknown whether an order was live, and the venue does not know it: it never arrived.
    NeverArrived {
        /// Which.
        order_id: OrderId,
    },
    /// An operator declared an order dead of which it was unknown whether it was live.
    Resolved {
        /// Which.
        order_id: OrderId,
        /// Why.
        reason: String,
    },
    /// An advisory gate had no opinion, so that an order passed without one.
    FailedOpen {
        /// Which gate.
        gate: String,
        /// Why, and which order.
        message: String,
    },
    /// Something could not be done; it is tried again.
    Failed {
        /// What and why.
        message: String,
    },
}

/// The part that outlives the process. [`RiskState`](super::RiskState) is the view for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) version: u32,
    /// Snapshot of the machine.
    pub(super) machine: Vec<u8>,
    /// Signed units by our own orders, per instrument; `None` before the account was read for the first time.
    pub(super) ours: Option<BTreeMap<Symbol, Units>>,
    /// Orders that may live.
    pub(super) live: BTreeMap<OrderId, OrderRecord>,
    /// Ended orders, the oldest first, while their keys are remembered.
    pub(super) ended: VecDeque<OrderRecord>,
    pub(super) next_order: u64,
    /// Orders that the venue took on this trading day.
    pub(super) orders_placed: u64,
    /// The paper account of shadow mode.
    pub(super) shadow: Option<ShadowAccount>,
    /// Ids of the last capital flows, so that one that is told twice counts once.
    pub(super) flows: VecDeque<SmolStr>,
    /// Hashes of keys whose orders are forgotten, with the time of that; the oldest first.
    pub(super) used: VecDeque<(u64, Timestamp)>,
    /// What the state is of; another account is refused.
    pub(super) account: Option<AccountKey>,
    /// Part of every id, made at the first start of this state: no other state makes the same ids.
    pub(super) life: SmolStr,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            version: KEPT_VERSION,
            machine: Vec::new(),
            ours: None,
            live: BTreeMap::new(),
            ended: VecDeque::new(),
            next_order: 0,
            orders_placed: 0,
            shadow: None,
            flows: VecDeque::new(),
            used: VecDeque::new(),
            account: None,
            life: SmolStr::default(),
        }
    }
}

/// A number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Units(#[serde(with = "exact")] pub(super) Decimal);

/// Which account a state is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccountKey {
    pub(super) broker: SmolStr,
    pub(super) shadow: bool,
}

/// What the paper broker of shadow mode must get back after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ShadowAccount {
    #[serde(with = "exact")]
    pub(super) cash: Decimal,
    pub(super) positions: Vec<Position>,
}

pub(super) const KEPT_VERSION: u32 = 1;

/// What is to be done outside of the lock.
#[derive(Debug, Default)]
pub(super) struct ToDo {
    pub(super) cancel_all: bool,
    pub(super) stop_outs: BTreeSet<Symbol>,
}

/// Where the close of a position stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closing {
    /// Orders are being cancelled.
    Begun,
    /// The closing order is on its way or working.
    Sent(OrderId),
}

/// Which readings of the account count. Numbers, not times: a clock may go back.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// The last number that was given.
    issued: u64,
    /// The newest reading that was taken.
    applied: u64,
    applied_at: Option<Timestamp>,
    /// The last number given before something happened to the account.
    dirty: u64,
    /// The last number given before an order ended: older readings may have its position without its fills.
    ended: u64,
}

impl Readings {
    pub(super) fn begin(&mut self) -> u64 {
        self.issued = self.issued.saturating_add(1);
        self.issued
    }

    /// Something happened: what was read before is no longer fresh.
    pub(super) fn dirty(&mut self) {
        self.dirty = self.issued;
    }

    pub(super) fn is_fresh(&self, now: Timestamp, age: Duration) -> bool {
        let young = |at: Timestamp| now >= at && now.since(at) <= age;
        self.applied > self.dirty && self.applied_at.is_some_and(young)
    }

    /// Whether the account has been read at all.
    pub(super) fn any(&self) -> bool {
        self.applied > 0
    }
}

/// What the account said, in the order in which it was asked: an order that filled in between counts twice, never not at
/// all.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its number: readings overlap, and their order is not that of their answers.
    pub(super) number: u64,
    /// When asking began.
    pub(super) asked: Timestamp,
    pub(super) open: Vec<OrderReport>,
    /// Orders of ours that were no longer open, with what the venue says of them.
    pub(super) gone: Vec<(OrderId, Option<OrderReport>)>,
    pub(super) positions: Vec<Position>,
    /// `None`: it could not be had; the equity of the last reading stands.
    pub(super) account: Option<mts_foundation::Account>,
    /// Whether the venue knows every order by our id, so that its not knowing one says something.
    pub(super) dedupes: bool,
}

pub(super) struct Books {
    pub(super) fund_id: FundId,
    pub(super) roll: DayRoll,
    pub(super) machine: RiskPipeline,
    pub(super) ledger: Ledger,
    pub(super) instruments: InstrumentTable,
    /// Whether `instruments` is the user's; otherwise it is filled with what symbols say of themselves.
    pub(super) has_table: bool,
    pub(super) kept: Kept,
    pub(super) keys: BTreeMap<IdempotencyKey, OrderId>,
    /// Orders that are being asked about; their keys are taken, too.
    pub(super) claimed: BTreeMap<IdempotencyKey, Order>,
    pub(super) key_memory: Duration,
    pub(super) closing: BTreeMap<Symbol, Closing>,
    pub(super) suspects: BTreeMap<Symbol, Decimal>,
    /// Orders that the venue did not know, since when.
    pub(super) absent: BTreeMap<OrderId, Timestamp>,
    pub(super) readings: Readings,
    /// When our own orders last filled, by instrument: positions may lag behind that.
    pub(super) fills: BTreeMap<Symbol, Timestamp>,
    /// Instruments whose positions do not have our last fills yet.
    pub(super) unsettled: BTreeSet<Symbol>,
    /// Instruments that the account holds and the user's table does not have: they are valued and closed, not opened.
    pub(super) strangers: BTreeSet<Symbol>,
    /// Synthetic stops whose close was tried, when.
    pub(super) tried: BTreeMap<Symbol, Timestamp>,
    /// Hashes of [`Kept::used`].
    pub(super) used: BTreeSet<u64>,
    pub(super) account: Option<mts_foundation::Account>,
    pub(super) day: Option<chrono::NaiveDate>,
    pub(super) store: Option<Box<dyn RiskStore>>,
    /// Why nothing new may leave any more.
    pub(super) stopped: Option<String>,
    pub(super) changed: bool,
    pub(super) to_do: ToDo,
    pub(super) notices: VecDeque<Notice>,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Books")
            .field("machine", &self.machine)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

/// What an instrument must be when no table says so. Futures are not guessed: their multiplier is not in their name.
fn assumed(symbol: &Symbol, currency: Currency) -> Option<Instrument> {
    let class = symbol.parts().map_or(AssetClass::Equities, |parts| parts.asset_class());
    let multiplier = match class {
        AssetClass::Futures => return None,
        AssetClass::Options => Decimal::ONE_HUNDRED,
        _ => Decimal::ONE,
    };
    let share = Instrument::us_share(symbol.clone());
    Some(Instrument { asset_class: class, currency, multiplier, tick: NO_STEP, lot: NO_STEP, ..share })
}

impl Books {
    /// Makes sure that the instrument is known where no table was given.
    pub(super) fn meet(&mut self, symbol: &Symbol) {
        if !self.has_table
            && self.instruments.get(symbol).is_none()
            && let Some(instrument) = assumed(symbol, self.currency())
        {
            self.instruments.insert(instrument).unwrap_or_default();
        }
    }

    fn currency(&self) -> Currency {
        self.account.as_ref().map_or(Currency::USD, |account| account.base_currency)
    }

    /// Makes sure that what the account has can be valued and closed, also where nobody said what it is. The multiplier is
    /// the one by which the account itself values it.
    fn meet_held(&mut self, symbol: &Symbol, held: Option<&Position>, now: Timestamp) {
        self.meet(symbol);
        if self.instruments.get(symbol).is_some() {
            return;
        }
        let unit = held.and_then(|held| held.quantity.checked_mul(held.last_price)).unwrap_or_default();
        let multiplier = held.and_then(|held| held.market_value_usd.checked_div(unit));
        let multiplier = multiplier.filter(|multiplier| *multiplier > Decimal::ZERO).unwrap_or(Decimal::ONE);
        let share = Instrument::us_share(symbol.clone());
        let currency = self.currency();
        let stand_in = Instrument { currency, multiplier, tick: NO_STEP, lot: NO_STEP, ..share };
        self.instruments.insert(stand_in).unwrap_or_default();
        self.strangers.insert(symbol.clone());
        let message =
            format!("{symbol} is in the account and not in the instrument table; it can only be closed");
        self.note(now, NoticeKind::Failed { message });
    }

    /// Whether an order would open or grow what is known from the account alone.
    pub(super) fn is_strange(&self, order: &Order) -> bool {
        order.side.is_opening() && self.strangers.contains(&order.symbol)
    }

    pub(super) fn note(&mut self, time: Timestamp, kind: NoticeKind) {
        if self.notices.len() >= MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(Notice { time, kind });
    }

    /// Tells the machine what happened and notes what follows from it.
    pub(super) fn apply(&mut self, event: &RiskEvent, now: Timestamp) -> Result<(), SafeBrokerError> {
        let mut actions = Vec::new();
        self.machine.apply(event, &self.ledger, now, &mut actions)?;
        for action in actions {
            match &action {
                RiskAction::Killed { .. } => self.to_do.cancel_all = true,
                RiskAction::StopOut { symbol, .. } => {
                    self.to_do.stop_outs.insert(symbol.clone());
                }
                RiskAction::Halted(_) | RiskAction::Resumed { .. } | RiskAction::EnvelopeUpdated(_) => {}
            }
            self.changed = true;
            self.note(now, NoticeKind::Risk(action));
        }
        Ok(())
    }

    /// Capital moved: value and what losses are measured against move together, until the next reading has it.
    pub(super) fn flow(&mut self, amount: Decimal, now: Timestamp) -> Result<(), SafeBrokerError> {
        let fund_id = self.fund_id.clone();
        self.changed = true;
        self.readings.dirty();
        if self.ledger.fund(&fund_id).is_some() {
            self.ledger.flow(&fund_id, amount).map_err(out_of_range)?;
        }
        self.apply(&RiskEvent::Flowed { fund_id, amount }, now)
    }

    /// Stops that were reached, whose positions are still held and that nothing closes: after a crash, a dropped call or a
    /// refusal. Tried again every minute.
    pub(super) fn ask_stops_again(&mut self, now: Timestamp) {
        let reached = self.machine.stopped(&self.fund_id);
        self.tried.retain(|symbol, _| reached.contains(symbol));
        for symbol in reached {
            let lately = self.tried.get(&symbol).is_some_and(|at| now.since(*at) < STOP_AGAIN);
            let closer = self.is_closing(&symbol)
                || self.kept.live.values().any(|record| {
                    record.order.symbol == symbol && record.order.thesis.as_deref() == Some(CLOSE)
                });
            if !lately && !closer && !self.held(&symbol).is_zero() {
                self.to_do.stop_outs.insert(symbol);
            }
        }
    }

    /// Rolls the trading day where it has ended, also inside a running process.
    pub(super) fn roll_day(&mut self, now: Timestamp) -> Result<(), SafeBrokerError> {
        let date = self.roll.day_of(now.to_datetime());
        if self.day.is_none_or(|day| date > day) {
            if self.day.is_some() {
                self.kept.orders_placed = 0;
            }
            self.day = Some(date);
            self.changed = true;
            self.apply(&RiskEvent::DayRolled { date }, now)?;
        }
        Ok(())
    }

    /// Makes everything durable, if anything has changed.
    ///
    /// A failure ends trading: what left before is accounted for, and nothing new leaves (promise P5).
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else { return Ok(()) };
        if !self.changed {
            return Ok(());
        }
        self.kept.machine = self.machine.snapshot();
        // Encoding plain data into memory has no way to fail.
        let bytes = postcard::to_stdvec(&self.kept).unwrap_or_default();
        match store.save(&bytes) {
            Ok(()) => {
                self.changed = false;
                Ok(())
            }
            Err(error) => {
                self.stopped.get_or_insert_with(|| error.to_string());
                Err(error)
            }
        }
    }

    /// An order of which it is unknown whether it is live, and that stands in the way of this one: any in the instrument,
    /// and for one that opens any of its strategy (decision O7).
    pub(super) fn unresolved(&self, order: &Order) -> Option<(Symbol, OrderId)> {
        let in_the_way = |record: &&OrderRecord| {
            let same = record.order.symbol == order.symbol;
            let of_strategy = order.side.is_opening() && record.order.strategy_id == order.strategy_id;
            record.state == OrderState::Unknown && (same || of_strategy)
        };
        let found = self.kept.live.values().find(in_the_way)?;
        Some((found.order.symbol.clone(), found.order.order_id.clone()))
    }

    /// The order that a key belongs to.
    pub(super) fn by_key(&self, key: &IdempotencyKey) -> Option<OrderRecord> {
        if let Some(order) = self.claimed.get(key) {
            return Some(OrderRecord::new(order.clone()));
        }
        let order_id = self.keys.get(key)?;
        let live = self.kept.live.get(order_id);
        live.or_else(|| self.kept.ended.iter().find(|record| record.order.order_id == *order_id)).cloned()
    }

    /// Whether an order of this id is live, remembered or being asked about.
    pub(super) fn has_id(&self, order_id: &OrderId) -> bool {
        self.kept.live.contains_key(order_id)
            || self.claimed.values().any(|order| order.order_id == *order_id)
            || self.kept.ended.iter().any(|record| record.order.order_id == *order_id)
    }

    /// An order does not leave after all: what it reserved is free, and so is its key.
    pub(super) fn let_go(&mut self, order: &Order) {
        self.machine.release(&order.order_id);
        self.claimed.remove(&order.idempotency_key);
    }

    /// An order is about to leave: it counts at its worst case, and its key is taken.
    pub(super) fn begin(&mut self, order: &Order, now: Timestamp) -> Result<(), SafeBrokerError> {
        self.ledger.add_working(&self.instruments, order, order.quantity).map_err(out_of_range)?;
        let mut record = OrderRecord::new(order.clone());
        // Created orders may always be submitted.
        record.submit(now).unwrap_or_default();
        self.claimed.remove(&order.idempotency_key);
        self.keys.insert(order.idempotency_key.clone(), order.order_id.clone());
        self.kept.live.insert(order.order_id.clone(), record);
        self.changed = true;
        Ok(())
    }

    /// An order has ended: it counts no longer; its key is remembered for a while.
    pub(super) fn end(&mut self, order_id: &OrderId, now: Timestamp) {
        let Some(mut record) = self.kept.live.remove(order_id) else { return };
        self.readings.ended = self.readings.issued;
        // The book may have forgotten it with its last fill.
        self.ledger.remove_working(&self.instruments, &self.fund_id, order_id).unwrap_or_default();
        self.closing.retain(|_, closing| *closing != Closing::Sent(order_id.clone()));
        record.updated_at = now;
        self.kept.ended.push_back(record);
        self.changed = true;
    }

    /// Forgets keys whose time is over. Answers whether there is room for one more.
    pub(super) fn forget_keys(&mut self, now: Timestamp) -> bool {
        let memory = self.key_memory;
        while let Some(oldest) =
            self.kept.ended.front().filter(|record| now.since(record.updated_at) >= memory)
        {
            let hash = hash(&oldest.order.idempotency_key);
            self.keys.remove(&oldest.order.idempotency_key);
            self.kept.used.push_back((hash, now));
            self.used.insert(hash);
            self.kept.ended.pop_front();
        }
        while let Some((hash, _)) = self
            .kept
            .used
            .front()
            .filter(|(_, at)| now.since(*at) >= USED_FOR || self.kept.used.len() > MAX_USED)
            .copied()
        {
            self.kept.used.pop_front();
            self.used.remove(&hash);
        }
        self.kept.ended.len() < MAX_ENDED && self.kept.live.len() < MAX_LIVE
    }

    /// Takes a venue's word on one order: fills make our position, an end ends it.
    pub(super) fn report(&mut self, order_id: &OrderId, report: &OrderReport, now: Timestamp) {
        let Some(record) = self.kept.live.get_mut(order_id) else { return };
        if report.filled > record.filled {
            let side = record.order.side;
            let symbol = record.order.symbol.clone();
            let units = side.signed(report.filled - record.filled);
            record.filled = report.filled;
            record.average_price = report.average_price;
            self.changed = true;
            self.fills.insert(symbol.clone(), now);
            if let Some(ours) = &mut self.kept.ours {
                let slot = ours.entry(symbol).or_insert(Units(Decimal::ZERO));
                slot.0 += units;
            }
        }
        let Some(record) = self.kept.live.get_mut(order_id) else { return };
        if record.state != report.state {
            // The venue's word counts, whatever we thought before.
            record.state = report.state;
            record.order = record.order.clone().accepted(now, report.broker_order_id.clone());
            self.changed = true;
        }
        if report.state.is_terminal() {
            self.end(order_id, now);
        }
    }

    /// Our order that a report speaks of.
    pub(super) fn ours(&self, report: &OrderReport) -> Option<OrderId> {
        if let Some(id) = report.order_id.as_ref().filter(|id| self.kept.live.contains_key(*id)) {
            return Some(id.clone());
        }
        let by_key = report.idempotency_key.as_ref().and_then(|key| self.keys.get(key));
        if let Some(id) = by_key.filter(|id| self.kept.live.contains_key(*id)) {
            return Some(id.clone());
        }
        let of_venue =
            |record: &&OrderRecord| record.order.broker_order_id.as_ref() == Some(&report.broker_order_id);
        self.kept.live.values().find(of_venue).map(|record| record.order.order_id.clone())
    }

    /// Orders of ours that the venue had before `asked` and that are not among its open ones: they have ended, or are not
    /// known to have arrived.
    pub(super) fn missing(
        &self,
        open: &[OrderReport],
        asked: Timestamp,
    ) -> Vec<(OrderId, mts_foundation::broker::OrderRef)> {
        use mts_foundation::broker::OrderRef;
        let open: BTreeSet<OrderId> = open.iter().filter_map(|report| self.ours(report)).collect();
        self.kept
            .live
            .values()
            .filter(|record| !open.contains(&record.order.order_id) && record.updated_at <= asked)
            .filter(|record| {
                record.state != OrderState::Submitting || asked.since(record.updated_at) >= SUBMIT_PATIENCE
            })
            .map(|record| {
                let order = &record.order;
                let reference = match &order.broker_order_id {
                    Some(id) => OrderRef::Venue(id.clone()),
                    None => OrderRef::Key(order.idempotency_key.clone()),
                };
                (order.order_id.clone(), reference)
            })
            .collect()
    }

    /// Takes the account as it was just read.
    pub(super) fn see(&mut self, seen: Seen, now: Timestamp) -> Result<(), SafeBrokerError> {
        if seen.number <= self.readings.applied || seen.number <= self.readings.ended {
            // A later one is in already, or an order ended since this one began, whose fills it may not have.
            return Ok(());
        }
        let Seen { number, asked, open, gone, positions, account, dedupes } = seen;
        let Some(account) = account.or_else(|| self.account.clone()) else { return Ok(()) };
        self.account = Some(account.clone());
        for held in &positions {
            self.meet_held(&held.symbol, Some(held), now);
        }
        for report in &open {
            self.meet_held(&report.symbol, None, now);
        }
        self.open_fund(&account)?;
        for (order_id, report) in &gone {
            self.gone(order_id, report.as_ref(), dedupes, now);
        }
        let mut foreign = Vec::new();
        for report in &open {
            match self.ours(report) {
                Some(order_id) => {
                    self.report(&order_id, report, now);
                    self.recount(&order_id)?;
                }
                None => foreign.push(report),
            }
        }
        self.recount_foreign(&foreign, asked)?;
        self.settle(&positions, now)?;
        let holdings: Vec<Adopted> = positions
            .iter()
            .filter(|held| !held.quantity.is_zero())
            .map(|held| Adopted {
                symbol: held.symbol.clone(),
                quantity: held.quantity,
                average_price: held.avg_price,
                last_price: held.last_price,
                time: held.last_updated,
            })
            .collect();
        let fund_id = self.fund_id.clone();
        self.ledger.adopt(&self.instruments, &fund_id, account.equity, &holdings).map_err(out_of_range)?;
        if self.kept.ours.is_none() {
            let units = holdings.iter().map(|held| (held.symbol.clone(), Units(held.quantity)));
            self.kept.ours = Some(units.collect());
            self.changed = true;
        }
        self.readings.applied = number;
        self.readings.applied_at = Some(asked);
        Ok(())
    }

    /// Positions may lag behind the orders that made them. For a while after our own fills a difference between both counts
    /// at its worst case, and nothing is closed that may be closed already.
    fn settle(&mut self, positions: &[Position], now: Timestamp) -> Result<(), SafeBrokerError> {
        self.fills.retain(|_, at| now.since(*at) < SETTLE);
        self.unsettled.clear();
        let Some(ours) = &self.kept.ours else { return Ok(()) };
        let mut late = Vec::new();
        for symbol in self.fills.keys() {
            let theirs = positions.iter().find(|held| held.symbol == *symbol);
            let theirs = theirs.map_or(Decimal::ZERO, |held| held.quantity);
            let ours = ours.get(symbol).map_or(Decimal::ZERO, |units| units.0);
            if ours != theirs {
                late.push((symbol.clone(), ours - theirs));
            }
        }
        for (symbol, units) in late {
            let side = if units > Decimal::ZERO { Side::Buy } else { Side::Short };
            let order = self.stand_in(&format!("unsettled:{symbol}"), &symbol, side, units.abs(), now)?;
            self.ledger.add_working(&self.instruments, &order, units.abs()).map_err(out_of_range)?;
            self.unsettled.insert(symbol);
        }
        Ok(())
    }

    /// An order that stands for something that may change a position and is none of ours.
    fn stand_in(
        &self,
        id: &str,
        symbol: &Symbol,
        side: Side,
        units: Decimal,
        now: Timestamp,
    ) -> Result<Order, SafeBrokerError> {
        Ok(Order::builder()
            .order_id(id)
            .idempotency_key(id)
            .symbol(symbol.as_str())
            .side(side)
            .quantity(units)
            .order_type(mts_foundation::OrderType::Market)
            .fund_id(self.fund_id.as_str())
            .strategy_id("foreign")
            .broker("foreign")
            .actor("foreign")
            .created_at(now)
            .build()?)
    }

    fn open_fund(&mut self, account: &mts_foundation::Account) -> Result<(), SafeBrokerError> {
        if self.ledger.fund(&self.fund_id).is_none() {
            let fund_id = self.fund_id.clone();
            self.ledger.open_fund(fund_id, account.base_currency, account.cash).map_err(out_of_range)?;
            // Orders of an earlier start that may still live.
            let live: Vec<Order> = self.kept.live.values().map(|record| record.order.clone()).collect();
            for order in live {
                self.meet(&order.symbol);
                self.ledger.add_working(&self.instruments, &order, order.quantity).map_err(out_of_range)?;
                self.recount(&order.order_id)?;
            }
        }
        Ok(())
    }

    /// An order that is not open any more, with the venue's last word on it.
    fn gone(&mut self, order_id: &OrderId, report: Option<&OrderReport>, dedupes: bool, now: Timestamp) {
        if let Some(report) = report {
            self.absent.remove(order_id);
            return self.report(order_id, report, now);
        }
        let Some(record) = self.kept.live.get_mut(order_id) else { return };
        match record.state {
            // Confirmed before; the venue has forgotten it since.
            OrderState::Canceled => self.end(order_id, now),
            // Not to be found is evidence only where the venue knows orders by our id, and says so twice (decision O7).
            OrderState::Unknown if dedupes => {
                let first = *self.absent.entry(order_id.clone()).or_insert(now);
                if now.since(first) >= SETTLE {
                    self.absent.remove(order_id);
                    self.note(now, NoticeKind::NeverArrived { order_id: order_id.clone() });
                    self.end(order_id, now);
                }
            }
            // Stays unknown, at its worst case, until there is evidence or an operator says so.
            OrderState::Unknown => {}
            OrderState::Submitting => {
                // Handed over long ago and never answered.
                record.unknown(now).unwrap_or_default();
                self.changed = true;
                self.note(now, NoticeKind::OrderUnknown { order_id: order_id.clone() });
            }
            // The venue had it and does not know it any more: not open, and what became of it nobody says.
            _ => {
                let first = *self.absent.entry(order_id.clone()).or_insert(now);
                if now.since(first) >= SETTLE {
                    record.state = OrderState::Unknown;
                    self.absent.remove(order_id);
                    self.changed = true;
                    self.note(now, NoticeKind::OrderUnknown { order_id: order_id.clone() });
                }
            }
        }
    }

    /// Counts what is left of a working order.
    fn recount(&mut self, order_id: &OrderId) -> Result<(), SafeBrokerError> {
        let Some(record) = self.kept.live.get(order_id) else { return Ok(()) };
        let (order, left) = (record.order.clone(), record.remaining());
        self.ledger.remove_working(&self.instruments, &self.fund_id, order_id).map_err(out_of_range)?;
        if left > Decimal::ZERO {
            self.ledger.add_working(&self.instruments, &order, left).map_err(out_of_range)?;
        }
        Ok(())
    }

    /// Orders of the account that are not ours count too. What they ask is not reported, so they count as orders at the
    /// market.
    fn recount_foreign(&mut self, foreign: &[&OrderReport], now: Timestamp) -> Result<(), SafeBrokerError> {
        let old: Vec<OrderId> = self
            .ledger
            .fund(&self.fund_id)
            .into_iter()
            .flat_map(mts_foundation::FundBook::working)
            .filter(|(id, _)| !self.kept.live.contains_key(*id))
            .map(|(id, _)| id.clone())
            .collect();
        for order_id in old {
            self.ledger.remove_working(&self.instruments, &self.fund_id, &order_id).map_err(out_of_range)?;
        }
        for report in foreign {
            let left = report.quantity - report.filled;
            if left <= Decimal::ZERO || report.state.is_terminal() {
                continue;
            }
            let id = format!("venue:{}", report.broker_order_id);
            let order = self.stand_in(&id, &report.symbol, report.side, report.quantity, now)?;
            self.ledger.add_working(&self.instruments, &order, left).map_err(out_of_range)?;
        }
        Ok(())
    }

    /// Signed units held.
    pub(super) fn held(&self, symbol: &Symbol) -> Decimal {
        self.ledger.fund(&self.fund_id).map_or(Decimal::ZERO, |book| book.positions().quantity(symbol))
    }

    /// Whether the position is being closed: nothing else is sent in it meanwhile.
    pub(super) fn is_closing(&self, symbol: &Symbol) -> bool {
        match self.closing.get(symbol) {
            Some(Closing::Begun) => true,
            Some(Closing::Sent(order_id)) => self.kept.live.contains_key(order_id),
            None => false,
        }
    }

    /// Side and units that close what is held.
    pub(super) fn to_close(&self, symbol: &Symbol) -> Option<(Side, Decimal)> {
        let held = self.held(symbol);
        match held.cmp(&Decimal::ZERO) {
            std::cmp::Ordering::Greater => Some((Side::Sell, held)),
            std::cmp::Ordering::Less => Some((Side::Cover, -held)),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// The beginning of a key's SHA-256.
pub(super) fn hash(key: &IdempotencyKey) -> u64 {
    let digest = Sha256::digest(key.as_str().as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

pub(super) fn out_of_range(error: impl std::fmt::Display) -> SafeBrokerError {
    SafeBrokerError::OutOfRange { what: error.to_string() }
}
