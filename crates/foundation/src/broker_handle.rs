//! The synchronous way to trade, for strategies that are written as a conversation with a broker (decision S2).
//!
//! A [`HandleStrategy`] asks, waits for the answer and goes on. Underneath is the same as for every [`Strategy`]: what it
//! wants becomes commands, commands become inputs in the journal, and every order meets every gate. [`Handled`] makes a
//! `Strategy` of it. In live modes each call waits on the strategy's own thread; in back-tests and replays it is answered at
//! once.

use crate::event::Event;
use crate::ids::{OrderId, StrategyId};
use crate::ledger::FundBook;
use crate::market::Bar;
use crate::num::Decimal;
use crate::order::{OrderType, Side, TimeInForce};
use crate::order_intent::{Intent, ThroughZero, side_of};
use crate::order_record::{OrderRecord, OrderState};
use crate::position::Position;
use crate::strategy::{Commands, OrderRequest, Strategy, StrategyError, View};
use crate::symbol::Symbol;
use crate::{FundId, IdempotencyKey};
use smol_str::SmolStr;

/// What is asked of the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum HandleCall {
    /// Whether orders can reach the broker now.
    Connected,
    /// The fund's book.
    Book,
    /// The fund's orders that have not ended.
    Orders,
    /// Send an order and wait for the broker's answer.
    Submit(Box<OrderRequest>),
    /// Cancel an order and wait until it has ended.
    Cancel(OrderId),
    /// Close a position.
    Close(Symbol),
}

/// What the engine answers.
#[derive(Debug, Clone, PartialEq)]
pub enum HandleAnswer {
    /// To [`HandleCall::Connected`].
    Connected(bool),
    /// To [`HandleCall::Book`].
    Book(Box<FundBook>),
    /// To [`HandleCall::Orders`], by order id.
    Orders(Vec<OrderRecord>),
    /// The order as it is now.
    Order(Box<OrderRecord>),
    /// The market is closed: the order leaves at the next open.
    Waits(IdempotencyKey),
    /// It is under way.
    Done,
}

/// Why a call is not answered with what was wanted. Every variant says what is known of the order.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// A gate or the broker refused it: it does not work and never will.
    #[error("order {order_id} was refused: {code}: {message}")]
    Rejected {
        /// Which order.
        order_id: OrderId,
        /// The gate's code, or the broker's reason.
        code: SmolStr,
        /// In words.
        message: String,
    },
    /// Nobody knows whether it works; the engine asks until it does, and tells by `on_order_event`.
    #[error(
        "it is not known whether order {order_id} works; the engine finds out: wait for its events, do not send it again"
    )]
    Unknown {
        /// Which order.
        order_id: OrderId,
    },
    /// No answer in time. The order is still under way, and its events will tell what became of it.
    #[error(
        "no answer about order {order_id} in time; the engine finds out: wait for its events, do not send it again"
    )]
    Timeout {
        /// Which order.
        order_id: OrderId,
    },
    /// It would take the position through zero.
    #[error(transparent)]
    ThroughZero(#[from] ThroughZero),
    /// The order cannot be one.
    #[error("{field}: {message}")]
    Invalid {
        /// The field at fault.
        field: &'static str,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// No such order of this strategy has not ended.
    #[error(
        "order {order_id} is none of this strategy's that could be cancelled; pending_orders() names them"
    )]
    NotCancelable {
        /// Which order.
        order_id: OrderId,
    },
    /// The engine ends.
    #[error("the engine has stopped")]
    Stopped,
}

/// How calls reach the engine; shells implement it.
pub trait BrokerPort {
    /// Carries out a call.
    ///
    /// # Errors
    /// [`HandleError`].
    fn call(&mut self, call: HandleCall) -> Result<HandleAnswer, HandleError>;
}

/// What is to be bought or sold.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderAsk {
    /// Instrument.
    pub symbol: Symbol,
    /// Units; without a side, their sign says whether to buy or to sell.
    pub quantity: Decimal,
    /// Direction; what is held decides between selling and selling short, buying and covering.
    pub side: Option<Side>,
    /// Pricing.
    pub order_type: OrderType,
    /// For types that take one.
    pub limit_price: Option<Decimal>,
    /// For types that take one.
    pub stop_price: Option<Decimal>,
    /// Lifetime.
    pub tif: TimeInForce,
    /// Dedupe key; absent = the engine makes one.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl OrderAsk {
    /// A market order for the session; a negative quantity sells.
    #[must_use]
    pub fn market(symbol: Symbol, quantity: Decimal) -> Self {
        Self {
            symbol,
            quantity,
            side: None,
            order_type: OrderType::Market,
            limit_price: None,
            stop_price: None,
            tif: TimeInForce::Day,
            idempotency_key: None,
        }
    }

    /// The same with a limit.
    #[must_use]
    pub fn limit(symbol: Symbol, quantity: Decimal, limit_price: Decimal) -> Self {
        let order_type = OrderType::Limit;
        Self { order_type, limit_price: Some(limit_price), ..Self::market(symbol, quantity) }
    }

    /// The request, given the signed units held.
    fn request(self, held: Decimal) -> Result<OrderRequest, HandleError> {
        let invalid = |message: String| HandleError::Invalid { field: "quantity", message };
        if self.quantity.is_zero() {
            return Err(invalid("it is 0; give units, negative to sell".to_owned()));
        }
        let intent = match self.side {
            None if self.quantity > Decimal::ZERO => Intent::Buy,
            None => Intent::Sell,
            Some(side) if self.quantity < Decimal::ZERO => {
                let message = format!(
                    "it is {} with the side {side}; give positive units with a side, or no side",
                    self.quantity
                );
                return Err(invalid(message));
            }
            Some(Side::Buy | Side::Cover) => Intent::Buy,
            Some(Side::Sell | Side::Short) => Intent::Sell,
        };
        let quantity = self.quantity.abs();
        let request = OrderRequest {
            idempotency_key: self.idempotency_key,
            order_type: self.order_type,
            limit_price: self.limit_price,
            stop_price: self.stop_price,
            tif: self.tif,
            ..OrderRequest::market(self.symbol, side_of(intent, held, quantity)?, quantity)
        };
        match request.faults().into_iter().next() {
            Some(fault) => Err(HandleError::Invalid { field: fault.field, message: fault.message }),
            None => Ok(request),
        }
    }
}

/// What became of an order that was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Placed {
    /// The broker has it.
    Order(Box<OrderRecord>),
    /// The market is closed: it leaves at the next open under this key.
    Waits(IdempotencyKey),
}

/// The broker of one fund, as a strategy sees it.
pub struct BrokerHandle<'p> {
    fund_id: FundId,
    port: &'p mut dyn BrokerPort,
}

impl std::fmt::Debug for BrokerHandle<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("BrokerHandle").field("fund_id", &self.fund_id).finish_non_exhaustive()
    }
}

impl<'p> BrokerHandle<'p> {
    /// A handle over a port; shells make it.
    pub fn new(fund_id: FundId, port: &'p mut dyn BrokerPort) -> Self {
        Self { fund_id, port }
    }

    fn book(&mut self) -> Result<FundBook, HandleError> {
        match self.port.call(HandleCall::Book)? {
            HandleAnswer::Book(book) => Ok(*book),
            _ => Err(HandleError::Stopped),
        }
    }

    /// Whether orders can reach the broker now: connected, and account and books compared.
    ///
    /// # Errors
    /// [`HandleError`], as for all calls here.
    pub fn is_connected(&mut self) -> Result<bool, HandleError> {
        Ok(self.port.call(HandleCall::Connected)? == HandleAnswer::Connected(true))
    }

    /// What the fund holds, in symbol order.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn positions(&mut self) -> Result<Vec<Position>, HandleError> {
        Ok(self.book()?.positions().positions(&self.fund_id))
    }

    /// What the fund holds of an instrument; `None` = nothing.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn get_position(&mut self, symbol: &Symbol) -> Result<Option<Position>, HandleError> {
        Ok(self.positions()?.into_iter().find(|position| position.symbol == *symbol))
    }

    /// Orders of the fund that have not ended, by order id.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn pending_orders(&mut self) -> Result<Vec<OrderRecord>, HandleError> {
        match self.port.call(HandleCall::Orders)? {
            HandleAnswer::Orders(orders) => Ok(orders),
            _ => Err(HandleError::Stopped),
        }
    }

    /// Cash of the fund.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn get_cash(&mut self) -> Result<Decimal, HandleError> {
        Ok(self.book()?.cash())
    }

    /// Net asset value of the fund.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn get_account_value(&mut self) -> Result<Decimal, HandleError> {
        Ok(self.book()?.nav())
    }

    /// Sends an order through the gates and waits until the broker has answered, 30 seconds unless the engine is told
    /// otherwise.
    ///
    /// # Errors
    /// [`HandleError::Rejected`], [`HandleError::Unknown`], [`HandleError::Timeout`], [`HandleError::ThroughZero`],
    /// [`HandleError::Invalid`], [`HandleError::Stopped`]. After `Unknown` and `Timeout` the order may work.
    pub fn submit_order(&mut self, ask: OrderAsk) -> Result<Placed, HandleError> {
        let held = self.book()?.positions().quantity(&ask.symbol);
        let request = ask.request(held)?;
        match self.port.call(HandleCall::Submit(Box::new(request)))? {
            HandleAnswer::Order(record) => Ok(Placed::Order(record)),
            HandleAnswer::Waits(key) => Ok(Placed::Waits(key)),
            _ => Err(HandleError::Stopped),
        }
    }

    /// Cancels an order of this strategy and waits until it has ended; it may have filled meanwhile: look at the record.
    ///
    /// # Errors
    /// [`HandleError::NotCancelable`], [`HandleError::Timeout`], [`HandleError::Stopped`].
    pub fn cancel_order(&mut self, order_id: &OrderId) -> Result<OrderRecord, HandleError> {
        match self.port.call(HandleCall::Cancel(order_id.clone()))? {
            HandleAnswer::Order(record) => Ok(*record),
            _ => Err(HandleError::Stopped),
        }
    }

    /// Cancels what works in an instrument and closes what is then held. It does not wait for the fill.
    ///
    /// # Errors
    /// [`HandleError::Stopped`].
    pub fn close_position(&mut self, symbol: &Symbol) -> Result<(), HandleError> {
        self.port.call(HandleCall::Close(symbol.clone())).map(|_| ())
    }
}

/// What a record says to somebody who waits for it; `None` while the broker has not answered.
#[must_use]
pub fn submit_answer(record: &OrderRecord, why: Option<&str>) -> Option<Result<HandleAnswer, HandleError>> {
    let order_id = record.order.order_id.clone();
    match record.state {
        OrderState::Created | OrderState::PendingRisk | OrderState::Submitting => None,
        OrderState::Rejected | OrderState::NotSent => {
            let code = record.order.rejected_reason.clone().unwrap_or_else(|| record.state.as_str().into());
            let message = why.map_or_else(|| "nothing more is known".to_owned(), str::to_owned);
            Some(Err(HandleError::Rejected { order_id, code, message }))
        }
        OrderState::Unknown => Some(Err(HandleError::Unknown { order_id })),
        _ => Some(Ok(HandleAnswer::Order(Box::new(record.clone())))),
    }
}

/// A strategy that talks with its broker. The same as [`Strategy`], with a handle in the place of a list of commands.
pub trait HandleStrategy: Send {
    /// Who it is; part of every order and key.
    fn id(&self) -> &StrategyId;

    /// Data from before the run: remember what is needed.
    ///
    /// # Errors
    /// The strategy's own.
    fn warm_up(&mut self, bars: &[Bar]) -> Result<(), StrategyError> {
        let _ignored = bars;
        Ok(())
    }

    /// The run begins; not called again when a run is continued after a crash.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_start(&mut self, view: &View<'_>, broker: &mut BrokerHandle<'_>) -> Result<(), StrategyError> {
        let _ignored = (view, broker);
        Ok(())
    }

    /// Data has come. The view is as things were when the call began; the broker's answers are as they are now.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_data(&mut self, view: &View<'_>, broker: &mut BrokerHandle<'_>) -> Result<(), StrategyError>;

    /// An order of the fund changed.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_order_event(
        &mut self,
        view: &View<'_>,
        event: &Event,
        broker: &mut BrokerHandle<'_>,
    ) -> Result<(), StrategyError> {
        let _ignored = (view, event, broker);
        Ok(())
    }

    /// The run ends.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_end(&mut self, view: &View<'_>) -> Result<(), StrategyError> {
        let _ignored = view;
        Ok(())
    }

    /// Memory to be journalled.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes back what [`HandleStrategy::save`] gave.
    ///
    /// # Errors
    /// The strategy's own.
    fn restore(&mut self, memory: &[u8]) -> Result<(), StrategyError> {
        let _ignored = memory;
        Ok(())
    }
}

/// Makes a [`Strategy`] of a [`HandleStrategy`].
#[derive(Debug, Clone)]
pub struct Handled<S>(pub S);

/// A shell that knows nothing of handles was given a strategy that needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this strategy talks with its broker, and what runs it offers no handle; run it with mts")]
pub struct NoHandle;

impl<S: HandleStrategy> Strategy for Handled<S> {
    fn id(&self) -> &StrategyId {
        self.0.id()
    }
    fn warm_up(&mut self, bars: &[Bar]) -> Result<(), StrategyError> {
        self.0.warm_up(bars)
    }
    fn on_data(&mut self, _view: &View<'_>, _commands: &mut Commands) -> Result<(), StrategyError> {
        Err(NoHandle.into())
    }
    fn on_end(&mut self, view: &View<'_>, _commands: &mut Commands) -> Result<(), StrategyError> {
        self.0.on_end(view)
    }
    fn save(&self) -> Option<Vec<u8>> {
        self.0.save()
    }
    fn restore(&mut self, memory: &[u8]) -> Result<(), StrategyError> {
        self.0.restore(memory)
    }
    fn with_handle(&mut self) -> Option<&mut dyn HandleStrategy> {
        Some(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::symbol::Currency;

    /// An engine that notes what reaches it.
    struct Noting(FundBook, Vec<HandleCall>);

    impl BrokerPort for Noting {
        fn call(&mut self, call: HandleCall) -> Result<HandleAnswer, HandleError> {
            let answer = match &call {
                HandleCall::Book => HandleAnswer::Book(Box::new(self.0.clone())),
                _ => HandleAnswer::Waits(IdempotencyKey::new("k").unwrap()),
            };
            self.1.push(call);
            Ok(answer)
        }
    }

    fn book(held: i64) -> FundBook {
        let fund_id = FundId::new("f").unwrap();
        let mut ledger = Ledger::new();
        ledger.open_fund(fund_id.clone(), Currency::USD, Decimal::from(1_000)).unwrap();
        if held != 0 {
            let fill: crate::Fill = serde_json::from_value(serde_json::json!({
                "fill_id": "1", "order_id": "o", "symbol": "AAPL", "side": if held > 0 { "buy" } else { "short" },
                "quantity": held.abs().to_string(), "price": "1", "fees": "0", "venue": "x",
                "timestamp": "2026-01-05T00:00:00Z", "raw": {},
            }))
            .unwrap();
            let table = crate::InstrumentTable::from_instruments([crate::Instrument::us_share(
                Symbol::new("AAPL").unwrap(),
            )])
            .unwrap();
            ledger.book_fill(&table, &fund_id, &fill).unwrap();
        }
        ledger.fund(&fund_id).unwrap().clone()
    }

    fn side(held: i64, quantity: i64, side: Option<Side>) -> Result<(Side, Decimal), HandleError> {
        let mut port = Noting(book(held), Vec::new());
        let ask =
            OrderAsk { side, ..OrderAsk::market(Symbol::new("AAPL").unwrap(), Decimal::from(quantity)) };
        BrokerHandle::new(FundId::new("f").unwrap(), &mut port).submit_order(ask)?;
        match port.1.pop() {
            Some(HandleCall::Submit(request)) => Ok((request.side, request.quantity)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_side_follows_from_the_sign_and_from_what_is_held() {
        for (held, quantity, given, expected) in [
            (0, 5, None, Side::Buy),
            (0, -5, None, Side::Short),
            (7, -5, None, Side::Sell),
            (-7, 5, None, Side::Cover),
            (0, 5, Some(Side::Sell), Side::Short),
            (-7, 5, Some(Side::Buy), Side::Cover),
        ] {
            let five = Decimal::from(5);
            assert_eq!(side(held, quantity, given), Ok((expected, five)), "{held} {quantity} {given:?}");
        }
    }

    #[test]
    fn what_cannot_be_an_order_never_leaves() {
        let error = side(7, -9, None).unwrap_err().to_string();
        assert!(error.contains("sell 7 closes the position") && error.contains("short 2 opens"), "{error}");
        assert!(side(0, 0, None).unwrap_err().to_string().starts_with("quantity: it is 0"));
        assert!(side(0, -5, Some(Side::Buy)).unwrap_err().to_string().contains("with the side buy"));
        let mut port = Noting(book(0), Vec::new());
        let mut ask = OrderAsk::market(Symbol::new("AAPL").unwrap(), Decimal::ONE);
        ask.order_type = OrderType::Limit;
        let error = BrokerHandle::new(FundId::new("f").unwrap(), &mut port).submit_order(ask).unwrap_err();
        assert!(matches!(error, HandleError::Invalid { field: "limit_price", .. }), "{error}");
        assert_eq!(port.1, [HandleCall::Book]);
    }
}
