//! Getting out: cancel what works in a position, then close what is confirmed to be held (decision R4).

use super::SafeBroker;
use super::books::{CLOSE, Closing};
use super::error::SafeBrokerError;
use mts_foundation::{
    IdempotencyKey, Order, OrderId, OrderRecord, OrderReport, OrderState, OrderType, Symbol,
};
use std::collections::BTreeSet;

impl SafeBroker {
    /// Closes a position: cancels every working order in it, waits for the confirmations, and sends one market order over what
    /// is then held. Passes what getting out must pass: the kill switch, halts, lists, limits. Asking twice closes once: while
    /// a closing order works, it is what the second call answers. `None` when nothing is held.
    ///
    /// # Errors
    /// [`SafeBrokerError::CancelUnconfirmed`] when an order may still fill, so that closing could turn the position;
    /// [`SafeBrokerError`] as for an order.
    #[doc(alias = "close_position_async")]
    pub async fn close_position(&self, asset: &Symbol) -> Result<Option<Order>, SafeBrokerError> {
        let closed = self.close(asset).await;
        self.carry_out().await;
        closed
    }

    /// Closes every position, one after the other; one that cannot be closed does not hold up the others.
    ///
    /// # Errors
    /// [`SafeBrokerError::Account`] when the positions cannot be had.
    pub async fn close_all_positions(
        &self,
    ) -> Result<Vec<(Symbol, Result<Option<Order>, SafeBrokerError>)>, SafeBrokerError> {
        let positions = self.venue.positions().await?;
        let mut closed = Vec::new();
        for held in positions.into_iter().filter(|held| !held.quantity.is_zero()) {
            let result = self.close(&held.symbol).await;
            closed.push((held.symbol, result));
        }
        self.carry_out().await;
        Ok(closed)
    }

    pub(super) async fn close(&self, symbol: &Symbol) -> Result<Option<Order>, SafeBrokerError> {
        {
            let mut books = self.books();
            match books.closing.get(symbol) {
                Some(Closing::Sent(order_id)) => match books.kept.live.get(order_id) {
                    Some(record) if record.state == OrderState::Unknown => {
                        let (symbol, order_id) = (symbol.clone(), order_id.clone());
                        return Err(SafeBrokerError::Unresolved { symbol, order_id });
                    }
                    Some(record) => return Ok(Some(record.order.clone())),
                    // It has ended since.
                    None => {}
                },
                Some(Closing::Begun) => {
                    return Err(SafeBrokerError::ClosingAlready { symbol: symbol.clone() });
                }
                None => {}
            }
            books.closing.insert(symbol.clone(), Closing::Begun);
        }
        // Taken back when this future is dropped or fails before the closing order is on its way.
        let _begun = Begun { shell: self, symbol };
        self.cancel_in(symbol).await?;
        self.read_positions().await?;
        let order = {
            let now = self.clock.now();
            let mut books = self.books();
            if books.unsettled.contains(symbol) {
                return Err(SafeBrokerError::Unsettled { symbol: symbol.clone() });
            }
            let Some((side, units)) = books.to_close(symbol) else { return Ok(None) };
            let order_id = self.next_order_id(&mut books);
            let key = IdempotencyKey::hashed(&["close", &order_id]);
            Order::builder()
                .order_id(&order_id)
                .idempotency_key(key.as_str())
                .symbol(symbol.as_str())
                .side(side)
                .quantity(units)
                .order_type(OrderType::Market)
                .fund_id(self.identity.fund_id.as_str())
                .strategy_id(self.identity.strategy_id.as_str())
                .broker(self.identity.broker.as_str())
                .actor(self.identity.actor.as_str())
                .created_at(now)
                .thesis(CLOSE)
                .build()?
        };
        self.place(order, true).await.map(Some)
    }

    /// Cancels every working order in an instrument, ours and others of the account.
    async fn cancel_in(&self, symbol: &Symbol) -> Result<(), SafeBrokerError> {
        self.cancel_where(|other| other == symbol).await
    }

    /// Cancels every working order of the account.
    pub(super) async fn cancel_all(&self) -> Result<(), SafeBrokerError> {
        self.cancel_where(|_| true).await
    }

    /// How to name an open order to the venue, ours or not.
    pub(super) fn reference_to(
        &self,
        report: &OrderReport,
    ) -> Result<mts_foundation::broker::BrokerOrderRef, SafeBrokerError> {
        let order_id = match self.books().ours(report) {
            Some(order_id) => order_id,
            None => OrderId::new(format!("venue:{}", report.broker_order_id))
                .map_err(super::books::out_of_range)?,
        };
        let key = report.idempotency_key.clone();
        Ok(mts_foundation::broker::BrokerOrderRef {
            idempotency_key: key.unwrap_or_else(|| IdempotencyKey::hashed(&[order_id.as_str()])),
            order_id,
            broker_order_id: report.broker_order_id.clone(),
            symbol: report.symbol.clone(),
        })
    }

    /// Cancels what is open, and is content only when nothing is open any more and nothing of ours may come to be.
    async fn cancel_where(&self, wanted: impl Fn(&Symbol) -> bool) -> Result<(), SafeBrokerError> {
        let mine = |report: &OrderReport| wanted(&report.symbol) && !report.state.is_terminal();
        let mut failed = None;
        for report in self.venue.open_orders().await?.iter().filter(|report| mine(report)) {
            match self.reference_to(report) {
                Ok(reference) => {
                    let outcome = self.venue.cancel(&reference).await;
                    self.canceled(&reference, &outcome);
                }
                // One that cannot be named must not keep the others.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        // What the venue had before it is asked again, and does not name then, has ended.
        let settled: BTreeSet<OrderId> = self
            .live(None)
            .into_iter()
            .filter(was_taken)
            .map(|record| record.order.order_id.clone())
            .collect();
        if let Some(left) = self.venue.open_orders().await?.iter().find(|report| mine(report)) {
            let order_id = self.reference_to(left)?.order_id;
            return Err(SafeBrokerError::CancelUnconfirmed { symbol: left.symbol.clone(), order_id });
        }
        // Orders of ours that were not open: under way, unknown, or taken while we asked.
        let hidden = self.live(None).into_iter().find(|record| {
            wanted(&record.order.symbol)
                && !record.state.is_terminal()
                && !settled.contains(&record.order.order_id)
        });
        match (failed, hidden) {
            (Some(error), _) => Err(error),
            (None, Some(record)) => {
                let (symbol, order_id) = (record.order.symbol.clone(), record.order.order_id.clone());
                Err(SafeBrokerError::CancelUnconfirmed { symbol, order_id })
            }
            (None, None) => Ok(()),
        }
    }
}

/// Whether the venue has said that it has the order.
fn was_taken(record: &OrderRecord) -> bool {
    matches!(
        record.state,
        OrderState::Accepted
            | OrderState::PartiallyFilled
            | OrderState::Triggered
            | OrderState::PendingCancel
    )
}

/// A close that has begun and not sent its order.
struct Begun<'a> {
    shell: &'a SafeBroker,
    symbol: &'a Symbol,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut books = self.shell.books();
        if books.closing.get(self.symbol) == Some(&Closing::Begun) {
            books.closing.remove(self.symbol);
        }
    }
}
