//! Everything the core remembers. All of it comes from inputs, so replaying them gives it back.

use super::accounts::AccountWatch;
use super::algorithms::Schedule;
use super::closing::Close;
use super::fill_memory::{FillMemory, FillName, name_of};
use super::groups::Group;
use super::idempotency::{KeyAge, KeyEntry};
use super::rebalance::Rebalance;
use super::timers::Timer;
use super::unknown::Inquiry;
use crate::record::append;
use chrono::NaiveDate;
use mts_foundation::broker_event::Cursor;
use mts_foundation::event::Event;
use mts_foundation::num::exact;
use mts_foundation::risk::RejectCode;
use mts_foundation::strategy::OrderRequest;
use mts_foundation::{
    AccountId, BrokerName, Decimal, Fill, FillId, FundId, IdempotencyKey, Ledger, OrderId, OrderRecord,
    OrderState, StrategyId, Symbol, Table, Timestamp,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use twox_hash::XxHash3_128;

/// Most fills that are set aside.
pub(crate) const MAX_UNBOOKED: usize = 10_000;

/// Most fills whose fees are waited for.
pub(crate) const MAX_PENDING_FEES: usize = 10_000;

/// How long the fees of a fill are waited for.
const FEES_WITHIN: Duration = Duration::from_secs(7 * 86_400);

/// What makes a fill unique: venues number them by account.
pub(crate) type FillKey = (BrokerName, AccountId, FillId);

/// How far the present session is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Progress {
    /// No session yet.
    #[default]
    Idle,
    /// Open: orders may leave.
    Opened,
    /// Its closes entered the ledger.
    Marked,
    /// Closed: funds are valued.
    Closed,
}

/// Totals since the beginning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Orders made, refused ones included.
    pub orders: u64,
    /// Orders refused by a gate or by the venue.
    pub rejected: u64,
    /// Sessions opened.
    pub sessions: u64,
    /// Fills booked.
    pub fills: u64,
    /// Fills seen again and ignored.
    pub duplicate_fills: u64,
    /// Events published.
    pub events: u64,
    /// Incidents raised.
    pub incidents: u64,
    /// Value traded, in the funds' currencies.
    #[serde(with = "exact")]
    pub traded: Decimal,
    /// Refusals by code.
    pub by_code: BTreeMap<RejectCode, u64>,
}

/// How many entries the growing parts of a [`State`] hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Orders: open ones, and those that ended within the key memory.
    pub orders: usize,
    /// Idempotency keys.
    pub keys: usize,
    /// Groups that are not over.
    pub groups: usize,
    /// Positions that are being closed.
    pub closes: usize,
    /// Orders that are asked for.
    pub inquiries: usize,
    /// Orders that wait for an asynchronous gate.
    pub asked: usize,
    /// What is due later.
    pub timers: usize,
    /// Cancellations that wait for the venue's id.
    pub cancels_wanted: usize,
    /// Orders with fills that stand for others.
    pub stand_ins: usize,
    /// Fills that are remembered for deduplication.
    pub fill_ids: usize,
    /// Fills that are set aside.
    pub unbooked: usize,
    /// Fills whose fees are waited for.
    pub pending_fees: usize,
    /// Movements of cash that are remembered for deduplication.
    pub movements: usize,
    /// Issuers' actions that are remembered for deduplication.
    pub actions: usize,
}

/// An order that waits for the next open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitingOrder {
    pub(crate) fund_id: FundId,
    pub(crate) strategy_id: StrategyId,
    pub(crate) decided: Timestamp,
    /// Which order in this instrument and direction of the same decision it is, from 1: part of a key made here.
    pub(crate) leg: u32,
    pub(crate) request: OrderRequest,
}

/// Units at a price: what a fill was booked as, or what was booked in the place of fills that did not come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Amount {
    #[serde(with = "exact")]
    pub(crate) quantity: Decimal,
    #[serde(with = "exact")]
    pub(crate) price: Decimal,
}

/// A fill whose fees follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingFees {
    pub(crate) fund_id: FundId,
    pub(crate) order_id: OrderId,
    pub(crate) symbol: Symbol,
    pub(crate) since: Timestamp,
    /// What was booked for them.
    #[serde(with = "exact")]
    pub(crate) booked: Decimal,
}

/// Units that were traded in a market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Traded {
    /// When that was told.
    pub(crate) time: Timestamp,
    #[serde(with = "exact")]
    pub(crate) units: Decimal,
}

/// The state of the core.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub(crate) now: Timestamp,
    pub(crate) inputs: u64,
    pub(crate) session: Option<NaiveDate>,
    pub(crate) progress: Progress,
    pub(crate) ledger: Ledger,
    pub(crate) orders: Table<OrderId, OrderRecord>,
    pub(crate) keys: Table<IdempotencyKey, KeyEntry>,
    pub(crate) key_ages: VecDeque<KeyAge>,
    /// What was booked under each id: a venue that says something else under it is told on.
    pub(crate) fill_ids: FillMemory,
    pub(crate) unbooked: BTreeMap<FillKey, Fill>,
    pub(crate) cursors: BTreeMap<BrokerName, Cursor>,
    pub(crate) cancels_wanted: BTreeSet<OrderId>,
    pub(crate) rebalances: BTreeMap<(FundId, StrategyId), Rebalance>,
    pub(crate) waiting: VecDeque<WaitingOrder>,
    pub(crate) closes: BTreeMap<(FundId, Symbol), Close>,
    pub(crate) decided: BTreeMap<(FundId, StrategyId), Timestamp>,
    pub(crate) memories: BTreeMap<(FundId, StrategyId), Vec<u8>>,
    pub(crate) counters: Counters,
    /// A process has begun that talks to venues: what is not known is asked for.
    pub(crate) live: bool,
    pub(crate) timers: BTreeSet<(Timestamp, Timer)>,
    pub(crate) inquiries: BTreeMap<OrderId, Inquiry>,
    pub(crate) accounts: BTreeMap<BrokerName, AccountWatch>,
    pub(crate) synthetic: BTreeMap<OrderId, Amount>,
    /// Open groups, by key.
    pub(crate) groups: BTreeMap<SmolStr, Group>,
    /// Parents that are worked.
    pub(crate) algorithms: BTreeMap<OrderId, Schedule>,
    /// Children that may still fill, by parent.
    pub(crate) children: BTreeMap<OrderId, BTreeSet<OrderId>>,
    /// The last traded volume of an instrument.
    pub(crate) volumes: BTreeMap<Symbol, Traded>,
    pub(crate) session_opened: Option<Timestamp>,
    event_chain: [u8; 16],
    /// Issuers' actions that were booked, by id: no one twice.
    pub(crate) actions: BTreeMap<SmolStr, NaiveDate>,
    /// Orders in state [`OrderState::PendingRisk`]: found in `orders` again, so no part of what is kept.
    #[serde(skip)]
    pub(crate) asked: BTreeSet<OrderId>,
}

impl State {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            now: Timestamp::from_nanos(i64::MIN),
            inputs: 0,
            session: None,
            progress: Progress::Idle,
            ledger,
            orders: Table::new(),
            keys: Table::new(),
            key_ages: VecDeque::new(),
            fill_ids: FillMemory::default(),
            unbooked: BTreeMap::new(),
            cursors: BTreeMap::new(),
            cancels_wanted: BTreeSet::new(),
            rebalances: BTreeMap::new(),
            waiting: VecDeque::new(),
            closes: BTreeMap::new(),
            decided: BTreeMap::new(),
            memories: BTreeMap::new(),
            counters: Counters::default(),
            live: false,
            timers: BTreeSet::new(),
            inquiries: BTreeMap::new(),
            accounts: BTreeMap::new(),
            synthetic: BTreeMap::new(),
            groups: BTreeMap::new(),
            algorithms: BTreeMap::new(),
            children: BTreeMap::new(),
            volumes: BTreeMap::new(),
            session_opened: None,
            event_chain: [0; 16],
            actions: BTreeMap::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Finds what is not kept because it is in the rest.
    pub(crate) fn restored(mut self) -> Self {
        let asked = self.orders.values().filter(|record| record.state == OrderState::PendingRisk);
        self.asked = asked.map(|record| record.order.order_id.clone()).collect();
        self
    }

    /// Time of the last input.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Inputs taken.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Date of the present session.
    #[must_use]
    pub fn session(&self) -> Option<NaiveDate> {
        self.session
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The books.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Totals.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Orders that are remembered: all that have not ended, and those that ended within the key memory.
    pub fn orders(&self) -> impl ExactSizeIterator<Item = &OrderRecord> {
        self.orders.values()
    }

    /// One remembered order.
    #[must_use]
    pub fn order(&self, order_id: &OrderId) -> Option<&OrderRecord> {
        self.orders.get(order_id)
    }

    /// The order behind a key.
    #[must_use]
    pub fn order_of_key(&self, key: &IdempotencyKey) -> Option<&OrderRecord> {
        self.orders.get(&self.keys.get(key)?.order_id)
    }

    /// Whether an order with this key waits for the next open.
    #[must_use]
    pub fn waits_for_open(&self, key: &IdempotencyKey) -> bool {
        self.waiting.iter().any(|waiting| waiting.request.idempotency_key.as_ref() == Some(key))
    }

    /// The orders of a fund that have not ended and are booked as working, by order id.
    pub fn working_orders(&self, fund_id: &FundId) -> impl Iterator<Item = &OrderRecord> {
        let book = self.ledger.fund(fund_id);
        book.into_iter().flat_map(|book| book.working()).filter_map(|(order_id, _)| self.orders.get(order_id))
    }

    /// Orders that wait for an asynchronous gate, by order id.
    pub fn pending_orders(&self) -> impl Iterator<Item = &OrderRecord> {
        let records = self.asked.iter().filter_map(|order_id| self.orders.get(order_id));
        records.filter(|record| record.state == OrderState::PendingRisk)
    }

    /// Whether an order is worked by an algorithm: it never leaves itself, its children do.
    #[must_use]
    pub fn is_worked(&self, order_id: &OrderId) -> bool {
        self.algorithms.contains_key(order_id)
    }

    /// The data time of the last decision of a strategy for a fund that was more than nothing.
    #[must_use]
    pub fn last_decision(&self, fund_id: &FundId, strategy_id: &StrategyId) -> Option<Timestamp> {
        self.decided.get(&(fund_id.clone(), strategy_id.clone())).copied()
    }

    /// What a strategy wanted remembered for a fund.
    #[must_use]
    pub fn memory(&self, fund_id: &FundId, strategy_id: &StrategyId) -> Option<&[u8]> {
        self.memories.get(&(fund_id.clone(), strategy_id.clone())).map(Vec::as_slice)
    }

    /// Fills that belong to no order or instrument known here. They are kept until somebody reconciles the account.
    pub fn unbooked_fills(&self) -> impl ExactSizeIterator<Item = &Fill> {
        self.unbooked.values()
    }

    /// Those of one broker.
    pub fn unbooked_fills_at(&self, broker: &BrokerName) -> impl Iterator<Item = &Fill> {
        self.unbooked.iter().filter(move |((name, ..), _)| name == broker).map(|(_, fill)| fill)
    }

    /// Takes fills that are set aside off the list; should they be told again, they are known. How many.
    pub(crate) fn settle_fills(&mut self, chosen: impl Fn(&FillKey, &Fill) -> bool) -> usize {
        let settled: Vec<_> = self.unbooked.extract_if(.., |key, fill| chosen(key, fill)).collect();
        for (key, fill) in &settled {
            self.fill_ids.insert(name_of(key), fill);
        }
        settled.len()
    }

    /// How far the events of a broker have been taken.
    #[must_use]
    pub fn cursor(&self, broker: &BrokerName) -> Option<&Cursor> {
        self.cursors.get(broker)
    }

    /// How many entries the growing parts hold, for those who watch that memory stays bounded.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            orders: self.orders.len(),
            keys: self.keys.len(),
            groups: self.groups.len(),
            closes: self.closes.len(),
            inquiries: self.inquiries.len(),
            asked: self.asked.len(),
            timers: self.timers.len(),
            cancels_wanted: self.cancels_wanted.len(),
            stand_ins: self.synthetic.len(),
            fill_ids: self.fill_ids.len(),
            unbooked: self.unbooked.len(),
            pending_fees: self.accounts.values().map(|watch| watch.pending_fees.len()).sum(),
            movements: self.accounts.values().map(|watch| watch.movements.len()).sum(),
            actions: self.actions.len(),
        }
    }

    /// The state as bytes: the same for the same inputs, on every machine.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // Encoding plain data into memory has no way to fail.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Adds the events of one input to the chain, so that the state hash covers all that ever happened. It tells runs apart and
    /// keeps nobody from forging one, which the journal's chain of SHA-256 over the inputs does: so it may be quick. `buffer` is
    /// room to write the events to; what it holds does not matter.
    pub(crate) fn chain_events(&mut self, events: &[Event], buffer: &mut Vec<u8>) {
        if events.is_empty() {
            return;
        }
        buffer.clear();
        buffer.extend_from_slice(&self.event_chain);
        for event in events {
            // Encoding plain data into memory has no way to fail.
            append(event, buffer).unwrap_or_default();
        }
        self.event_chain = XxHash3_128::oneshot(buffer).to_le_bytes();
        let events = u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.counters.events = self.counters.events.saturating_add(events);
    }

    /// What was booked or set aside under the id of a fill before.
    pub(crate) fn known_fill(&self, key: &FillKey, name: &FillName) -> Option<Amount> {
        let aside =
            || self.unbooked.get(key).map(|fill| Amount { quantity: fill.quantity, price: fill.price });
        self.fill_ids.get(name).cloned().or_else(aside)
    }

    /// Forgets keys that are older than the memory, and the orders behind them that ended as long ago.
    pub(crate) fn forget(&mut self, memory: Duration) {
        let now = self.now;
        for watch in self.accounts.values_mut() {
            watch.pending_fees.retain(|_, pending| now.since(pending.since) < FEES_WITHIN);
        }
        while let Some(oldest) = self.key_ages.front() {
            if self.now.since(oldest.time) < memory {
                return;
            }
            let Some(oldest) = self.key_ages.pop_front() else { return };
            let Some(entry) = self.keys.get_near(oldest.place, &oldest.key) else { continue };
            let lately = |record: &OrderRecord| self.now.since(record.updated_at) < memory;
            let order = self.orders.get_near(entry.place, &entry.order_id);
            if order.is_some_and(|record| !record.state.is_terminal() || lately(record)) {
                // What is open or unknown, or ended lately, is not forgotten; look at this key again later.
                self.key_ages.push_back(KeyAge { time: self.now, ..oldest });
                continue;
            }
            let Some(entry) = self.keys.remove_near(oldest.place, &oldest.key) else { continue };
            self.orders.remove_near(entry.place, &entry.order_id);
            self.synthetic.remove(&entry.order_id);
        }
    }
}
