//! What the paper venue keeps: orders it knows, cash, positions, and the exchange they meet.

use super::PaperConfig;
use super::ids::{fill_id, hash_of};
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::OrderReport;
use mts_foundation::{
    BrokerOrderId, Decimal, Fill, IdempotencyKey, Order, OrderId, OrderRecord, OrderState, Place,
    PositionBook, Symbol, Table, Timestamp, VenueName,
};
use mts_matching::{Accrued, Exchange, FeeState, Liquidity, MatchEvent, Restored, Standing};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};

/// Most ended orders that are remembered: so long an order that is handed over again is answered as before. The engine
/// remembers its keys for a day and hands none over again but at a restart, which begins with an empty venue.
const MAX_REMEMBERED: usize = 16_384;

/// What the venue keeps of an order.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) report: OrderReport,
    pub(super) order: Order,
    /// The start of its key's hash.
    hash: [u8; 8],
    fills: u32,
    fees: Accrued,
}

#[derive(Debug)]
pub(super) struct Venue {
    pub(super) config: PaperConfig,
    pub(super) now: Timestamp,
    pub(super) connected: Option<Timestamp>,
    pub(super) exchange: Exchange,
    pub(super) orders: Table<IdempotencyKey, Known>,
    by_id: Table<BrokerOrderId, IdempotencyKey>,
    ended: VecDeque<(IdempotencyKey, Place)>,
    pub(super) cash: Decimal,
    pub(super) positions: PositionBook,
    fees: FeeState,
}

/// What the venue tells of an event of its exchange.
pub(super) enum Told {
    /// An execution.
    Fill(Fill),
    /// A report.
    Report(OrderReport),
}

impl Venue {
    pub(super) fn new(config: PaperConfig, exchange: Exchange) -> Self {
        Self {
            cash: config.initial_cash,
            config,
            now: Timestamp::EPOCH,
            connected: None,
            exchange,
            orders: Table::new(),
            by_id: Table::new(),
            ended: VecDeque::new(),
            positions: PositionBook::new(),
            fees: FeeState::default(),
        }
    }

    pub(super) fn known_as(&self, id: &BrokerOrderId) -> Option<&Known> {
        self.orders.get(self.by_id.get(id)?)
    }

    /// The account, for the checks of an order.
    pub(super) fn standing(&self, order: &Order) -> Standing {
        let held = self.positions.get(&order.symbol).map_or(Decimal::ZERO, |holding| holding.quantity);
        Standing { position: held, cash: self.cash }
    }

    /// Books what the exchange did; what is to be told of it, and when it was.
    pub(super) fn book(&mut self, event: MatchEvent, venue: &VenueName) -> Option<(Timestamp, Told)> {
        match event {
            MatchEvent::Filled { order, quantity, price, liquidity, time } => {
                let (fill, ended) = self.fill(&order, (quantity, price), liquidity, time, venue)?;
                if ended {
                    self.end(&order.idempotency_key);
                }
                Some((time, Told::Fill(fill)))
            }
            MatchEvent::Triggered { order, time } => self.tell(&order, OrderState::Triggered, None, time),
            MatchEvent::Expired { order, time } => self.tell(&order, OrderState::Expired, None, time),
            MatchEvent::Cancelled { order, time } => self.tell(&order, OrderState::Canceled, None, time),
            MatchEvent::Rejected { order, reason, time } => {
                self.tell(&order, OrderState::Rejected, Some(SmolStr::new(reason.to_string())), time)
            }
            MatchEvent::Replaced { order, quantity, time } => {
                let known = self.orders.get_mut(&order.idempotency_key)?;
                known.report.quantity = quantity;
                let state = known.report.state;
                self.tell(&order, state, None, time)
            }
        }
    }

    fn tell(
        &mut self,
        order: &Order,
        state: OrderState,
        reason: Option<SmolStr>,
        time: Timestamp,
    ) -> Option<(Timestamp, Told)> {
        let report = self.change(order, state, reason, time)?;
        Some((time, Told::Report(report)))
    }

    /// Notes a new state; an order that has ended is remembered by its key for a while.
    pub(super) fn change(
        &mut self,
        order: &Order,
        state: OrderState,
        reason: Option<SmolStr>,
        time: Timestamp,
    ) -> Option<OrderReport> {
        let known = self.orders.get_mut(&order.idempotency_key)?;
        known.report.state = state;
        known.report.reason = reason.or(known.report.reason.take());
        known.report.timestamp = time;
        let report = known.report.clone();
        if state.is_terminal() {
            self.end(&order.idempotency_key);
        }
        Some(report)
    }

    /// Remembers an ended order's key, and forgets the oldest beyond the bound.
    fn end(&mut self, key: &IdempotencyKey) {
        let Some(place) = self.orders.place_of(key) else { return };
        self.ended.push_back((key.clone(), place));
        if self.ended.len() > MAX_REMEMBERED
            && let Some((oldest, place)) = self.ended.pop_front()
            && let Some(forgotten) = self.orders.remove_near(place, &oldest)
        {
            self.by_id.remove(&forgotten.report.broker_order_id);
        }
    }

    /// Books an execution; the fill, and whether the order is filled whole.
    fn fill(
        &mut self,
        order: &Order,
        (quantity, price): (Decimal, Decimal),
        liquidity: Liquidity,
        time: Timestamp,
        venue: &VenueName,
    ) -> Option<(Fill, bool)> {
        let multiplier = self.config.exchange.multiplier(&order.symbol);
        let known = self.orders.get_mut(&order.idempotency_key)?;
        let traded = (quantity, price, multiplier);
        let fees = self.config.fees.charge(&mut self.fees, &mut known.fees, traded, liquidity, time);
        known.fills += 1;
        // A restart counts the fees of an order anew; it needs to know who rested only where that makes a difference.
        let raw = if self.config.fees.knows_no_makers() {
            BTreeMap::new()
        } else {
            BTreeMap::from([(LIQUIDITY, SmolStr::new_static(liquidity.as_str()))])
        };
        let fill = Fill {
            fill_id: fill_id(&known.hash, known.fills)?,
            order_id: order.order_id.clone(),
            symbol: order.symbol.clone(),
            side: order.side,
            quantity,
            price,
            fees,
            venue: venue.clone(),
            timestamp: time,
            raw,
        };
        let report = &mut known.report;
        let so_far = report.average_price.unwrap_or_default().checked_mul(report.filled);
        let value = price.checked_mul(quantity).and_then(|value| so_far?.checked_add(value));
        report.filled = report.filled.saturating_add(quantity);
        report.average_price = value.and_then(|value| value.checked_div(report.filled));
        let whole = report.filled >= report.quantity;
        report.state = if whole { OrderState::Filled } else { OrderState::PartiallyFilled };
        report.timestamp = time;
        // The books of the venue cannot refuse what has traded; a value out of range leaves them as they were.
        if self.positions.apply(&fill.symbol, fill.side, quantity, price, multiplier, time).is_ok() {
            let value = quantity.saturating_mul(price).saturating_mul(multiplier);
            self.cash = self.cash.saturating_add(fill.side.signed(-value)).saturating_sub(fees);
        }
        Some((fill, whole))
    }

    /// Knows an order from now on.
    pub(super) fn know(&mut self, order: Order, id: BrokerOrderId, hash: &[u8; 32]) {
        let report = OrderReport {
            broker_order_id: id.clone(),
            order_id: Some(order.order_id.clone()),
            idempotency_key: Some(order.idempotency_key.clone()),
            symbol: order.symbol.clone(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            filled: Decimal::ZERO,
            average_price: None,
            state: OrderState::Accepted,
            reason: None,
            timestamp: self.now,
        };
        let key = order.idempotency_key.clone();
        self.by_id.insert(id, key.clone());
        let hash = hash.first_chunk().copied().unwrap_or_default();
        self.orders.insert(key, Known { report, order, hash, fills: 0, fees: Accrued::default() });
    }

    /// Forgets an order that was refused.
    pub(super) fn forget(&mut self, key: &IdempotencyKey) {
        if let Some(refused) = self.orders.remove(key) {
            self.by_id.remove(&refused.report.broker_order_id);
        }
    }

    /// Whether the account holds anything of an instrument.
    pub(super) fn holds(&self, symbol: &Symbol) -> bool {
        self.positions.get(symbol).is_some()
    }

    /// Notes a price for the value of the positions.
    pub(super) fn mark(&mut self, symbol: &Symbol, price: Decimal) {
        // Only a value out of range refuses a mark; the venue's own books then keep the older price.
        self.positions.mark(symbol, price).unwrap_or_default();
    }

    /// Books a fill from before a restart.
    fn restore_fill(
        &mut self,
        fill: &Fill,
        accrued: &mut BTreeMap<OrderId, Accrued>,
    ) -> Result<(), BrokerError> {
        let multiplier = self.config.exchange.multiplier(&fill.symbol);
        let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
        self.positions
            .apply(symbol, *side, *quantity, *price, multiplier, *timestamp)
            .map_err(|error| super::broker::refused("restore", error.to_string()))?;
        self.exchange.restore_fill(symbol, *side, *quantity, *timestamp);
        let rested = fill.raw.get(&LIQUIDITY).is_some_and(|text| text == Liquidity::Maker.as_str());
        let liquidity = if rested { Liquidity::Maker } else { Liquidity::Taker };
        // Orders that have ended pay nothing more; their fills still count for the tiers of the month.
        let mut over = Accrued::default();
        let order = accrued.get_mut(&fill.order_id).unwrap_or(&mut over);
        let traded = (*quantity, *price, multiplier);
        self.config.fees.charge(&mut self.fees, order, traded, liquidity, *timestamp);
        Ok(())
    }

    /// Takes back what the venue knew.
    pub(super) fn restore(
        &mut self,
        open: &[OrderRecord],
        fills: &[Fill],
        cash: Decimal,
    ) -> Result<(), BrokerError> {
        let refused = |message: String| super::broker::refused("restore", message);
        let mut accrued: BTreeMap<OrderId, Accrued> =
            open.iter().map(|record| (record.order.order_id.clone(), Accrued::default())).collect();
        let accepted = open.iter().filter_map(|record| record.order.accepted_at);
        let latest = fills.iter().map(|fill| fill.timestamp).chain(accepted).max();
        self.now = self.now.max(latest.unwrap_or(self.now));
        self.exchange.resume(self.now);
        for fill in fills {
            self.restore_fill(fill, &mut accrued)?;
        }
        self.cash = cash;
        for record in open {
            let order = record.order.clone();
            let Some(id) = order.broker_order_id.clone() else {
                let message = format!("order {} has no venue id; it was never accepted here", order.order_id);
                return Err(refused(message));
            };
            // A stop that has filled in part was triggered, whatever became of it since.
            let has_stop = order.stop_price.is_some();
            let triggered = record.state == OrderState::Triggered || (has_stop && !record.filled.is_zero());
            let restored = Restored {
                placed: order.accepted_at.unwrap_or(order.created_at),
                remaining: record.remaining(),
                triggered,
                cancel_asked: (record.state == OrderState::PendingCancel
                    && !self.config.exchange.cancel_delay.is_zero())
                .then_some(record.updated_at),
                order: order.clone(),
            };
            self.exchange.restore(restored).map_err(|error| refused(error.to_string()))?;
            let fees = accrued.remove(&order.order_id).unwrap_or_default();
            let key = order.idempotency_key.clone();
            let hash = hash_of(&key);
            self.know(order, id, &hash);
            if let Some(known) = self.orders.get_mut(&key) {
                (known.fills, known.fees) = (record.fills, fees);
                (known.report.filled, known.report.average_price) = (record.filled, record.average_price);
                if !record.filled.is_zero() {
                    known.report.state = OrderState::PartiallyFilled;
                } else if triggered {
                    known.report.state = OrderState::Triggered;
                }
            }
        }
        Ok(())
    }
}

/// Key of a fill's raw entry that says whether the order rested.
const LIQUIDITY: SmolStr = SmolStr::new_static("liquidity");
