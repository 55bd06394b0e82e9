//! Getting out: cancel what works in a position, then close what is confirmed to be held (decision R4).

use super::SafeBroker;
use super::books::Closing;
use super::error::SafeBrokerError;
use super::orders::reference;
use mts_foundation::broker::CancelOutcome;
use mts_foundation::{IdempotencyKey, Order, OrderId, OrderReport, OrderState, OrderType, Symbol};

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
                Some(Closing::Sent(order_id)) => {
                    let working = books.kept.live.get(order_id).map(|record| record.order.clone());
                    return Ok(working);
                }
                Some(Closing::Begun) => return Ok(None),
                None => books.closing.insert(symbol.clone(), Closing::Begun),
            };
        }
        // Taken back when this future is dropped or fails before the closing order is on its way.
        let _begun = Begun { shell: self, symbol };
        self.cancel_in(symbol).await?;
        self.read_account().await?;
        let order = {
            let now = self.clock.now();
            let mut books = self.books();
            let Some((side, units)) = books.to_close(symbol) else { return Ok(None) };
            let order_id = self.next_order_id(&mut books);
            let key = IdempotencyKey::hashed(&["close", &order_id]);
            let order = Order::builder()
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
                .thesis("close position")
                .build()?;
            books.closing.insert(symbol.clone(), Closing::Sent(order.order_id.clone()));
            order
        };
        let order_id = order.order_id.clone();
        let placed = self.place(order, true).await;
        if matches!(&placed, Err(error) if !may_be_live(error)) {
            self.books().closing.remove(symbol);
        }
        placed.map(Some).inspect_err(|_| self.forget_close(symbol, &order_id))
    }

    /// Ends a close whose order is not live, so that the next call begins anew.
    fn forget_close(&self, symbol: &Symbol, order_id: &OrderId) {
        let mut books = self.books();
        if !books.kept.live.contains_key(order_id) {
            books.closing.remove(symbol);
        }
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

    async fn cancel_where(&self, wanted: impl Fn(&Symbol) -> bool) -> Result<(), SafeBrokerError> {
        let open = self.venue.open_orders().await?;
        let mut failed = None;
        for report in open.iter().filter(|report| wanted(&report.symbol) && !report.state.is_terminal()) {
            let reference = self.reference_to(report)?;
            let order_id = reference.order_id.clone();
            let outcome = self.venue.cancel(&reference).await;
            self.canceled(&reference, &outcome);
            let ended = match outcome {
                CancelOutcome::Confirmed | CancelOutcome::NotFound => true,
                CancelOutcome::TooLate { state } => state.is_terminal(),
                CancelOutcome::Unknown { .. } => false,
            };
            if !ended {
                failed.get_or_insert((report.symbol.clone(), order_id));
            }
        }
        // Orders of ours that are under way, or of which it is unknown whether they live, may fill as well.
        let hidden = self.live(None).into_iter().find(|record| {
            wanted(&record.order.symbol)
                && matches!(record.state, OrderState::Submitting | OrderState::Unknown)
                && reference(&record.order).is_none()
        });
        let failed =
            failed.or(hidden.map(|record| (record.order.symbol.clone(), record.order.order_id.clone())));
        match failed {
            Some((symbol, order_id)) => Err(SafeBrokerError::CancelUnconfirmed { symbol, order_id }),
            None => Ok(()),
        }
    }
}

/// Whether the order of this failure may be live at the venue.
fn may_be_live(error: &SafeBrokerError) -> bool {
    matches!(error, SafeBrokerError::Unknown { .. })
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
