//! What moves on an account outside of orders (decision F6): what is known is booked by rule, the rest when a person says so.

use super::accounts::Mismatch;
use super::closing::is_close;
use super::fill_memory::{FillName, name_of_parts};
use super::state::{Amount, FillKey, MAX_PENDING_FEES, PendingFees};
use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::event::{ADOPTED, CashMoved, Event};
use mts_foundation::risk::RiskEvent;
use mts_foundation::{
    ActorId, BrokerName, CashFlow, CashKind, Decimal, Fill, FillId, FundId, OrderId, Side, Symbol, VenueName,
};

impl Core {
    /// A venue says that cash moved. It is booked once under its id, where there is no doubt whose it is.
    pub(super) fn cash_moved(
        &mut self,
        broker: &BrokerName,
        flow: &CashFlow,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let CashFlow { id, kind, amount, currency, .. } = flow;
        let name = name_of_parts(&["cash", broker.as_str(), id]);
        if let Some(known) = self.booked_as(broker, &name) {
            if known != *amount {
                let message = format!(
                    "cash movement {id} at {broker} was {known} and is told again as {amount}; the first is booked; look at the \
                     account"
                );
                self.incident("CASH_FLOW_DIFFERS", message, None, output);
            }
            return Ok(());
        }
        let mut funds = self.brokers.iter().filter(|(_, at)| *at == broker).map(|(fund_id, _)| fund_id);
        let (first, more) = (funds.next().cloned(), funds.next().is_some());
        let base = first.as_ref().and_then(|fund_id| self.state.ledger.fund(fund_id));
        let why_not = match (&first, base.map(mts_foundation::FundBook::base_currency)) {
            (None, _) => Some("no fund trades there".to_owned()),
            _ if !self.state.accounts.contains_key(broker) => {
                Some("no account is compared with these books".to_owned())
            }
            _ if more => Some("several funds share the account".to_owned()),
            (_, Some(base)) if base != *currency => Some(format!("the books are in {base}")),
            _ if !flow.has_plausible_sign() => Some("its sign does not fit".to_owned()),
            _ => None,
        };
        let (Some(fund_id), None) = (&first, &why_not) else {
            let message = format!(
                "{kind} of {amount} {currency} ({id}) at {broker} is not booked: {}; book it with `mts reconcile --book-cash`",
                why_not.unwrap_or_default()
            );
            self.incident("CASH_NOT_BOOKED", message, None, output);
            return Ok(());
        };
        self.booked(broker, name, *amount);
        let what = (*kind, *amount, flow.symbol.as_ref());
        self.book_cash((broker, fund_id), what, &format!("movement {id} of the venue"), output)
    }

    /// A person says that cash moved.
    pub(super) fn cash_by_hand(
        &mut self,
        (broker, fund_id): (&BrokerName, &FundId),
        (kind, amount): (CashKind, Decimal),
        (actor, reason): (&ActorId, &str),
        output: &mut Output,
    ) -> Result<(), CoreError> {
        if self.brokers.get(fund_id) != Some(broker) || !kind.allows(amount) {
            let message = format!(
                "{kind} of {amount} is not booked: fund {fund_id} must be one that trades at {broker}, a deposit above zero, a \
                 withdrawal below"
            );
            self.incident("CASH_NOT_BOOKED", message, None, output);
            return Ok(());
        }
        self.book_cash((broker, fund_id), (kind, amount, None), &format!("by {actor}, {reason}"), output)
    }

    /// Books cash into a fund. Capital is neither profit nor loss (decision R8), the rest is.
    fn book_cash(
        &mut self,
        (broker, fund_id): (&BrokerName, &FundId),
        (kind, amount, symbol): (CashKind, Decimal, Option<&Symbol>),
        by: &str,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        if let Err(error) = self.state.ledger.flow(fund_id, amount) {
            let message =
                format!("{kind} of {amount} at {broker} is not booked: {error}; correct the amount");
            self.incident("CASH_NOT_BOOKED", message, None, output);
            return Ok(());
        }
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.cash = watch.cash.map(|more| more.saturating_sub(amount));
        }
        self.cash_has_moved(fund_id, (kind, amount, symbol), (by, None), output);
        let message = format!("{kind} of {amount} at {broker} is booked into fund {fund_id}: {by}");
        self.incident("CASH_BOOKED", message, None, output);
        let event = if kind.is_capital() {
            RiskEvent::Flowed { fund_id: fund_id.clone(), amount }
        } else {
            RiskEvent::Marked { symbol: None }
        };
        self.risk_event(&event, output)
    }

    /// Tells that cash of a fund moved outside of fills: books that follow the events need all of it.
    pub(super) fn cash_has_moved(
        &self,
        fund_id: &FundId,
        (kind, amount, symbol): (CashKind, Decimal, Option<&Symbol>),
        (cause, of): (&str, Option<(&FillId, &OrderId)>),
        output: &mut Output,
    ) {
        let order = of.and_then(|(_, order_id)| self.state.orders.get(order_id)).map(|record| &record.order);
        let strategy_id = order.filter(|order| !is_close(order)).map(|order| order.strategy_id.clone());
        let cash = self.state.ledger.fund(fund_id).map(mts_foundation::FundBook::cash).unwrap_or_default();
        output.events.push(Event::CashMoved(CashMoved {
            fund_id: fund_id.clone(),
            kind,
            amount,
            symbol: symbol.cloned(),
            fill_id: of.map(|(fill_id, _)| fill_id.clone()),
            strategy_id,
            cause: cause.into(),
            cash,
            time: self.state.now,
        }));
    }

    /// What was booked under a name before.
    fn booked_as(&self, broker: &BrokerName, name: &FillName) -> Option<Decimal> {
        Some(self.state.accounts.get(broker)?.movements.get(name)?.quantity)
    }

    /// Remembers what was booked under a name.
    fn booked(&mut self, broker: &BrokerName, name: FillName, amount: Decimal) {
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.movements.insert_amount(name, Amount { quantity: amount, price: Decimal::ZERO });
        }
    }

    /// The fees of a fill are to follow. Beyond the bound they are told when they come, as those of a fill that nobody knows.
    pub(super) fn fees_follow(&mut self, key: &FillKey, fill: &Fill) {
        let Some(record) = self.state.orders.get(&fill.order_id) else { return };
        let Some(watch) = self.state.accounts.get_mut(&key.0) else { return };
        if watch.pending_fees.len() < MAX_PENDING_FEES {
            let pending = PendingFees {
                fund_id: record.order.fund_id.clone(),
                order_id: fill.order_id.clone(),
                symbol: fill.symbol.clone(),
                since: self.state.now,
                booked: fill.fees,
            };
            watch.pending_fees.insert(key.clone(), pending);
        }
    }

    /// Whether the fees of a fill are to follow.
    pub(super) fn awaits_fees(&self, key: &FillKey) -> bool {
        self.state.accounts.get(&key.0).is_some_and(|watch| watch.pending_fees.contains_key(key))
    }

    /// Whether the fees of a fill followed.
    pub(super) fn has_fees(&self, key: &FillKey) -> bool {
        self.booked_as(&key.0, &name_of_fees(key)).is_some()
    }

    /// The fees of a fill became known: what was booked for them is put right, once.
    pub(super) fn settle_fees(
        &mut self,
        key: FillKey,
        fees: Decimal,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let (broker, _, fill_id) = &key;
        let name = name_of_fees(&key);
        if let Some(known) = self.booked_as(broker, &name) {
            if known != fees {
                let message = format!(
                    "the fees of fill {fill_id} at {broker} were {known} and are told again as {fees}; the first are booked; \
                     look at the account"
                );
                self.incident("FEES_DIFFER", message, None, output);
            }
            return Ok(());
        }
        let watch = self.state.accounts.get_mut(broker);
        let Some(pending) = watch.and_then(|watch| watch.pending_fees.remove(&key)) else { return Ok(()) };
        let correction = pending.booked.saturating_sub(fees);
        if let Err(error) = self.state.ledger.flow(&pending.fund_id, correction) {
            let message = format!("the fees {fees} of fill {fill_id} at {broker} are not booked: {error}");
            self.incident("CASH_NOT_BOOKED", message, Some(&pending.order_id), output);
            return Ok(());
        }
        if !correction.is_zero() {
            let cause = format!("fees of fill {fill_id}");
            let what = (CashKind::Fee, correction, Some(&pending.symbol));
            self.cash_has_moved(&pending.fund_id, what, (&cause, Some((fill_id, &pending.order_id))), output);
        }
        self.booked(broker, name, fees);
        if let Some(record) = self.state.orders.get_mut(&pending.order_id) {
            record.fees = record.fees.saturating_sub(correction);
        }
        let PendingFees { fund_id, order_id, symbol, .. } = pending;
        self.risk_event(&RiskEvent::Filled { fund_id, order_id, symbol }, output)
    }

    /// Takes the fills of an order that are set aside off the list, on a person's word. How many.
    pub(super) fn settle_fills_of(&mut self, order_id: &OrderId) -> usize {
        self.state.settle_fills(|_, fill| fill.order_id == *order_id)
    }

    /// Takes what the account holds for right: the difference is booked without cash, at its last price.
    pub(crate) fn adopt(
        &mut self,
        (broker, fund_id, symbol): (&BrokerName, &FundId, &Symbol),
        reason: &str,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let found = self.state.accounts.get(broker).and_then(|watch| watch.unexplained.get(symbol)).cloned();
        let at_broker = self.brokers.get(fund_id) == Some(broker);
        let of_both = |(of, ..): &FillKey, fill: &Fill| of == broker && fill.symbol == *symbol;
        let Some(Mismatch { ours, theirs }) = found.filter(|_| at_broker) else {
            // Fills that were set aside change nothing where the account holds what the books say without them.
            let agrees = at_broker && self.agrees_now(broker, symbol);
            let settled = if agrees { self.state.settle_fills(of_both) } else { 0 };
            if settled > 0 {
                let message = format!(
                    "{settled} fills of {symbol} at {broker} that were set aside are not booked, the account agrees without \
                     them: {reason}"
                );
                self.incident("FILLS_SETTLED", message, None, output);
                return Ok(());
            }
            let message = format!(
                "there is nothing of {symbol} to adopt for fund {fund_id} at {broker}; `mts reconcile --dry-run` shows what there is"
            );
            self.incident("NOTHING_TO_ADOPT", message, None, output);
            return Ok(());
        };
        let by = theirs - ours;
        let Some(mark) = self.state.ledger.mark_of(symbol).map(|mark| mark.price) else {
            let message =
                format!("{symbol} has no price yet, so its value cannot be booked; adopt it once it has one");
            self.incident("ADOPT_WITHOUT_PRICE", message, None, output);
            return Ok(());
        };
        let held =
            self.state.ledger.fund(fund_id).map(|book| book.positions().quantity(symbol)).unwrap_or_default();
        let side = match (by > Decimal::ZERO, held < Decimal::ZERO) {
            (true, true) => Side::Cover,
            (true, false) => Side::Buy,
            (false, _) if held > Decimal::ZERO => Side::Sell,
            (false, _) => Side::Short,
        };
        let id = format!("adopted-{broker}-{symbol}-{}", self.state.inputs);
        let fill = mts_foundation::Fill::new(&id, &id, symbol.as_str(), side, by.abs(), mark, self.state.now);
        let Ok(mut fill) = fill else { return Ok(()) };
        // Nobody traded it: books tell it from what was.
        fill.venue = VenueName::new(ADOPTED)?;
        let nav = |core: &Self| {
            core.state.ledger.fund(fund_id).map(mts_foundation::FundBook::nav).unwrap_or_default()
        };
        let before = nav(self);
        let change = self.state.ledger.book_fill(&self.config.instruments, fund_id, &fill)?;
        // A fill takes cash; this did not.
        let multiplier = self.config.instruments.get(symbol).map_or(Decimal::ONE, |found| found.multiplier);
        self.fill_booked(fund_id, &fill, &change, output);
        let value = by * mark * multiplier;
        self.state.ledger.flow(fund_id, value)?;
        let kind = if value.is_sign_negative() { CashKind::Withdrawal } else { CashKind::Deposit };
        let cause = format!("adopted, {reason}");
        self.cash_has_moved(fund_id, (kind, value, Some(symbol)), (&cause, None), output);
        let amount = nav(self) - before;
        let settled = self.state.settle_fills(of_both);
        let with = if settled > 0 {
            format!(", and with them {settled} fills that were set aside")
        } else {
            String::new()
        };
        let message = format!("{by} {symbol} at {broker} are taken into fund {fund_id}{with}: {reason}");
        self.incident("POSITION_ADOPTED", message, None, output);
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.unexplained.remove(symbol);
        }
        self.risk_event(&RiskEvent::Flowed { fund_id: fund_id.clone(), amount }, output)
    }
}

/// Under which name the fees of a fill are remembered.
fn name_of_fees((broker, account, fill_id): &FillKey) -> FillName {
    name_of_parts(&["fees", broker.as_str(), account.as_str(), fill_id.as_str()])
}
