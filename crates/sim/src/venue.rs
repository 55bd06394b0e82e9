//! The truth: what a venue has accepted, filled, holds and owes, kept apart from what it tells.

use mts_foundation::broker::OrderRef;
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::ids::InvalidId;
use mts_foundation::reconcile::AccountSnapshot;
use mts_foundation::{
    Account, AccountId, BrokerName, BrokerOrderId, Currency, Decimal, Fill, FillId, FundId, IdempotencyKey,
    Order, OrderId, OrderState, OrderType, Position, Side, Symbol, Timestamp,
};
use std::collections::BTreeMap;

/// An order at the venue.
#[derive(Debug, Clone)]
pub struct Resting {
    /// The venue's id.
    pub id: BrokerOrderId,
    /// Our id of it; a made-up one for orders of others.
    pub order_id: OrderId,
    /// The key it came with; `None` = it is not ours.
    pub key: Option<IdempotencyKey>,
    /// Instrument.
    pub symbol: Symbol,
    /// Direction.
    pub side: Side,
    /// How it is priced.
    pub order_type: OrderType,
    /// Its limit.
    pub limit: Option<Decimal>,
    /// Units ordered.
    pub quantity: Decimal,
    /// Units filled.
    pub filled: Decimal,
    /// Units of these of which nobody could know: filled after its end, or told by an event that was left out.
    pub hidden_fills: Decimal,
    /// Price times units of the fills.
    pub value: Decimal,
    /// Its state.
    pub state: OrderState,
    /// Until when the venue says that it does not know it.
    pub hidden_until: Timestamp,
    /// The venue lost it for good.
    pub forgotten: bool,
}

impl Resting {
    /// Whether it may fill.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.state.is_terminal()
    }

    /// Units left.
    #[must_use]
    pub fn remaining(&self) -> Decimal {
        (self.quantity - self.filled).max(Decimal::ZERO)
    }
}

/// A trade that happened.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its id.
    pub fill_id: FillId,
    /// Place of its order.
    pub order: usize,
    /// When.
    pub time: Timestamp,
    /// Units.
    pub quantity: Decimal,
    /// Price per unit.
    pub price: Decimal,
    /// What it cost.
    pub fees: Decimal,
    /// It was annulled.
    pub busted: bool,
}

/// Something the venue told, with its place in the history.
#[derive(Debug, Clone)]
pub struct Told {
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: BrokerEvent,
}

/// A venue with one account.
#[derive(Debug, Clone)]
pub struct Venue {
    /// Its name.
    pub name: BrokerName,
    /// Whether it refuses a second order with the same client id.
    pub dedupes: bool,
    /// Fee per unit.
    pub fee: Decimal,
    /// All orders it ever took.
    pub orders: Vec<Resting>,
    /// All trades.
    pub executions: Vec<Execution>,
    /// All it told.
    pub history: Vec<Told>,
    /// Signed units.
    pub positions: BTreeMap<Symbol, Decimal>,
    /// Money.
    pub cash: Decimal,
    account: AccountId,
    by_key: BTreeMap<IdempotencyKey, Vec<usize>>,
}

impl Venue {
    /// A venue where nothing has happened.
    ///
    /// # Errors
    /// [`InvalidId`]: a mistake in the simulation.
    pub fn new(name: BrokerName, dedupes: bool, fee: Decimal, cash: Decimal) -> Result<Self, InvalidId> {
        Ok(Self {
            name,
            dedupes,
            fee,
            orders: Vec::new(),
            executions: Vec::new(),
            history: Vec::new(),
            positions: BTreeMap::new(),
            cash,
            account: AccountId::new("account")?,
            by_key: BTreeMap::new(),
        })
    }

    /// How often an order with this key was taken.
    #[must_use]
    pub fn taken(&self, key: &IdempotencyKey) -> usize {
        self.by_key.get(key).map_or(0, Vec::len)
    }

    /// Takes an order; `None` when it has one with this key and refuses the second. `like` = with the id of that order.
    ///
    /// # Errors
    /// [`InvalidId`]: a mistake in the simulation.
    pub fn take(&mut self, order: &Order, like: Option<usize>) -> Result<Option<usize>, InvalidId> {
        if self.dedupes && self.taken(&order.idempotency_key) > 0 {
            return Ok(None);
        }
        let place = self.orders.len();
        let id = match like.and_then(|like| self.orders.get(like)) {
            Some(like) => like.id.clone(),
            None => BrokerOrderId::new(format!("{}-{place}", self.name))?,
        };
        self.orders.push(Resting {
            id,
            order_id: order.order_id.clone(),
            key: Some(order.idempotency_key.clone()),
            symbol: order.symbol.clone(),
            side: order.side,
            order_type: order.order_type,
            limit: order.limit_price,
            quantity: order.quantity,
            filled: Decimal::ZERO,
            hidden_fills: Decimal::ZERO,
            value: Decimal::ZERO,
            state: OrderState::Accepted,
            hidden_until: Timestamp::from_nanos(i64::MIN),
            forgotten: false,
        });
        self.by_key.entry(order.idempotency_key.clone()).or_default().push(place);
        Ok(Some(place))
    }

    /// Takes an order of somebody else.
    ///
    /// # Errors
    /// [`InvalidId`]: a mistake in the simulation.
    pub fn take_foreign(
        &mut self,
        symbol: Symbol,
        side: Side,
        quantity: Decimal,
    ) -> Result<usize, InvalidId> {
        let place = self.orders.len();
        self.orders.push(Resting {
            id: BrokerOrderId::new(format!("{}-{place}", self.name))?,
            order_id: OrderId::new(format!("foreign-{place}"))?,
            key: None,
            symbol,
            side,
            order_type: OrderType::Market,
            limit: None,
            quantity,
            filled: Decimal::ZERO,
            hidden_fills: Decimal::ZERO,
            value: Decimal::ZERO,
            state: OrderState::Accepted,
            hidden_until: Timestamp::from_nanos(i64::MIN),
            forgotten: false,
        });
        Ok(place)
    }

    /// Place of the order with this key, the first where there are several.
    #[must_use]
    pub fn find_key(&self, key: &IdempotencyKey) -> Option<usize> {
        self.by_key.get(key).and_then(|places| places.first()).copied()
    }

    /// Place of an order by what a question names; the last one where an id was used twice.
    #[must_use]
    pub fn find(&self, reference: &OrderRef) -> Option<usize> {
        match reference {
            OrderRef::Key(key) => self.find_key(key),
            OrderRef::Venue(id) => self.orders.iter().rposition(|order| order.id == *id),
        }
    }

    /// Fills units of an order, whatever its state; gives back the fill to tell.
    pub fn execute(
        &mut self,
        place: usize,
        quantity: Decimal,
        price: Decimal,
        now: Timestamp,
    ) -> Option<Fill> {
        let number = self.executions.len();
        let order = self.orders.get_mut(place)?;
        let id = format!("{}-fill-{number}", self.name);
        let mut fill =
            Fill::new(&id, order.order_id.as_str(), order.symbol.as_str(), order.side, quantity, price, now)
                .ok()?;
        fill.fees = self.fee * quantity;
        order.filled += quantity;
        order.value += price * quantity;
        if order.filled >= order.quantity {
            order.state = OrderState::Filled;
        } else if order.is_open() {
            order.state = OrderState::PartiallyFilled;
        }
        let signed = order.side.signed(quantity);
        *self.positions.entry(order.symbol.clone()).or_default() += signed;
        self.cash -= signed * price + fill.fees;
        self.executions.push(Execution {
            fill_id: fill.fill_id.clone(),
            order: place,
            time: now,
            quantity,
            price,
            fees: fill.fees,
            busted: false,
        });
        Some(fill)
    }

    /// Annuls a trade.
    pub fn bust(&mut self, number: usize) -> Option<BrokerEvent> {
        let cursor = self.next_cursor()?;
        let execution = self.executions.get_mut(number).filter(|execution| !execution.busted)?;
        let order = self.orders.get(execution.order)?;
        execution.busted = true;
        let signed = order.side.signed(execution.quantity);
        *self.positions.entry(order.symbol.clone()).or_default() -= signed;
        self.cash += signed * execution.price + execution.fees;
        Some(BrokerEvent::Busted {
            account: self.account.clone(),
            fill_id: execution.fill_id.clone(),
            cursor,
        })
    }

    /// Gives a trade another price.
    pub fn correct(&mut self, number: usize, price: Decimal) -> Option<BrokerEvent> {
        let cursor = self.next_cursor()?;
        let execution = self.executions.get_mut(number).filter(|execution| !execution.busted)?;
        let order = self.orders.get_mut(execution.order)?;
        let Execution { fill_id, quantity, price: old, fees, time, .. } = execution.clone();
        let (id, name) = (order.order_id.as_str(), order.symbol.as_str());
        let mut fill = Fill::new(fill_id.as_str(), id, name, order.side, quantity, price, time).ok()?;
        fill.fees = fees;
        execution.price = price;
        order.value += (price - old) * quantity;
        self.cash -= order.side.signed(quantity) * (price - old);
        Some(BrokerEvent::Corrected { account: self.account.clone(), fill_id, fill, cursor })
    }

    /// Somebody trades by hand.
    pub fn trade_by_hand(&mut self, symbol: &Symbol, units: Decimal, price: Decimal) {
        *self.positions.entry(symbol.clone()).or_default() += units;
        self.cash -= units * price;
    }

    /// The cursor of the next event.
    #[must_use]
    pub fn next_cursor(&self) -> Option<Cursor> {
        Cursor::new(self.history.len().to_string()).ok()
    }

    /// Puts an event into the history; gives back its place.
    pub fn tell(&mut self, time: Timestamp, event: BrokerEvent) -> usize {
        self.history.push(Told { time, event });
        self.history.len().saturating_sub(1)
    }

    /// The event of a fill.
    #[must_use]
    pub fn fill_event(&self, fill: Fill) -> Option<BrokerEvent> {
        let (account, cursor) = (self.account.clone(), self.next_cursor()?);
        Some(BrokerEvent::Fill { account, cursor, fill, fees: FeeStatus::Known })
    }

    /// What the venue says of an order.
    #[must_use]
    pub fn report(&self, place: usize, now: Timestamp) -> Option<OrderReport> {
        let order = self.orders.get(place)?;
        Some(OrderReport {
            broker_order_id: order.id.clone(),
            order_id: order.key.is_some().then(|| order.order_id.clone()),
            idempotency_key: order.key.clone(),
            symbol: order.symbol.clone(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            filled: order.filled,
            average_price: order.value.checked_div(order.filled),
            state: order.state,
            reason: None,
            timestamp: now,
        })
    }

    /// What the venue says of its account.
    #[must_use]
    pub fn snapshot(&self, owner: &FundId, now: Timestamp) -> AccountSnapshot {
        let shown = |order: &Resting| order.is_open() && order.hidden_until <= now && !order.forgotten;
        let open = self.orders.iter().enumerate().filter(|(_, order)| shown(order));
        AccountSnapshot {
            open_orders: open.filter_map(|(place, _)| self.report(place, now)).collect(),
            positions: self
                .positions
                .iter()
                .filter(|(_, units)| !units.is_zero())
                .map(|(symbol, units)| shown_position(owner, symbol, *units, now))
                .collect(),
            account: Account {
                base_currency: Currency::USD,
                cash: self.cash,
                equity: self.cash,
                buying_power: None,
                asof: now,
            },
        }
    }
}

/// A position as an account shows it.
pub(crate) fn shown_position(owner: &FundId, symbol: &Symbol, units: Decimal, now: Timestamp) -> Position {
    Position {
        fund_id: owner.clone(),
        symbol: symbol.clone(),
        quantity: units,
        avg_price: Decimal::ONE,
        last_price: Decimal::ONE,
        market_value_usd: Decimal::ZERO,
        unrealized_pl_usd: Decimal::ZERO,
        realized_pl_ytd_usd: Decimal::ZERO,
        last_updated: now,
        tax_lots: Vec::new(),
    }
}
