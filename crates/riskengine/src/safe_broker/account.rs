//! Reading the account, taking marks, and what is done every second.

use super::books::{NoticeKind, Seen, ShadowAccount};
use super::error::SafeBrokerError;
use super::{Notice, SafeBroker};
use mts_foundation::broker::BrokerError;
use mts_foundation::num::{MAX_PRICE, fault_of_positive};
use mts_foundation::risk::{RiskEvent, SessionPhase};
use mts_foundation::{
    Account, Bar, Decimal, MarkKind, OrderRecord, Position, Quote, Symbol, Timestamp, Trade,
};

/// How long a quote stands against prints.
const TOUCH_STANDS: std::time::Duration = std::time::Duration::from_secs(5);

impl SafeBroker {
    /// Reads the account where what is known of it is older than an order may be checked against.
    pub(super) async fn fresh_account(&self) -> Result<(), SafeBrokerError> {
        // A reading that an order's end overtakes does not count; where orders end all the time, what is known from the
        // last one that counted, with everything that works at its worst case, has to do.
        for _ in 0..3 {
            if self.books().readings.is_fresh(self.clock.now(), self.account_age) {
                break;
            }
            self.read_account().await?;
        }
        Ok(())
    }

    /// Reads open orders, then positions, then balances: an order that fills in between counts twice until the next
    /// reading, never not at all.
    pub(super) async fn read_account(&self) -> Result<(), SafeBrokerError> {
        self.read(false).await
    }

    /// Reads orders and positions, and balances as far as they can be had: what is closed is the position, whatever the
    /// account is worth (decision R4).
    pub(super) async fn read_positions(&self) -> Result<(), SafeBrokerError> {
        self.read(true).await
    }

    async fn read(&self, without_balances: bool) -> Result<(), SafeBrokerError> {
        let asked = self.clock.now();
        let number = self.books().readings.begin();
        let open = self.venue.open_orders().await?;
        let missing = self.books().missing(&open, asked);
        let mut gone = Vec::new();
        for (order_id, reference) in missing {
            // An order that cannot be asked for stays as it is: a failed query is no evidence.
            if let Ok(report) = self.venue.order(&reference).await {
                gone.push((order_id, report));
            }
        }
        let positions = self.venue.positions().await?;
        let account = match self.venue.account().await {
            Ok(account) => Some(account),
            Err(_) if without_balances => None,
            Err(error) => return Err(error.into()),
        };
        let now = self.clock.now();
        let dedupes = self.capabilities.client_id_dedupe;
        let mut books = self.books();
        if let (Some(_), Some(account)) = (&self.shadow, &account) {
            books.kept.shadow = Some(ShadowAccount { cash: account.cash, positions: positions.clone() });
            books.changed = true;
        }
        books.see(Seen { number, asked, open, gone, positions, account, dedupes }, now)?;
        // The first reading is what losses are measured against.
        if books.readings.any() { books.roll_day(now) } else { Ok(()) }
    }

    /// What is to be done about every second: rolls the trading day, reads the account, evaluates losses and stops, carries
    /// out what follows, compares positions when that is due, and makes changes durable.
    ///
    /// # Errors
    /// [`SafeBrokerError::Account`] when the account cannot be read; what can be done without it is done.
    pub async fn tick(&self) -> Result<(), SafeBrokerError> {
        let read = self.read_account().await;
        let now = self.clock.now();
        {
            let mut books = self.books();
            // Without a value a new day would have nothing to measure losses against.
            if books.readings.any() {
                books.roll_day(now)?;
            }
            books.apply(&RiskEvent::Marked { symbol: None }, now)?;
            books.ask_stops_again(now);
        }
        if read.is_ok() {
            self.reconcile_if_due(now)?;
        }
        self.carry_out().await;
        self.books().save()?;
        read
    }

    /// Does what the machine asked for: cancels everything after a kill, closes what reached its stop. What fails is noted and
    /// asked for again at the next tick.
    pub(super) async fn carry_out(&self) {
        // Nothing is taken off the list before it is done: this future may be dropped at any await.
        let (cancel_all, stop_outs) = {
            let books = self.books();
            (books.to_do.cancel_all, books.to_do.stop_outs.clone())
        };
        if cancel_all {
            match self.cancel_all().await {
                Ok(()) => self.books().to_do.cancel_all = false,
                Err(error) => {
                    let message = format!("cancelling everything: {error}");
                    self.books().note(self.clock.now(), NoticeKind::Failed { message });
                }
            }
        }
        let closed = self.phase(self.clock.now()) == SessionPhase::Closed;
        // Outside of hours a close would only take the venue's own stops away; it waits for the market.
        for symbol in stop_outs.into_iter().filter(|_| !closed) {
            self.books().tried.insert(symbol.clone(), self.clock.now());
            let closed = self.close(&symbol).await;
            let mut books = self.books();
            // What failed is asked for again in a while.
            books.to_do.stop_outs.remove(&symbol);
            if let Err(error) = closed {
                let message = format!("the synthetic stop of {symbol}: {error}");
                books.note(self.clock.now(), NoticeKind::Failed { message });
            }
        }
    }

    /// Takes a quote: prices of orders are held against it, positions are valued at its middle, losses and stops are evaluated.
    ///
    /// # Errors
    /// [`SafeBrokerError`] for values out of range.
    pub async fn on_quote(&self, quote: &Quote) -> Result<(), SafeBrokerError> {
        if let Some(shadow) = &self.shadow {
            shadow.set_time(self.clock.now());
            shadow.on_quote(quote);
        }
        if !quote.is_sane() {
            return Ok(());
        }
        let kind = MarkKind::Quote { bid: quote.bid, ask: quote.ask };
        self.mark(&quote.symbol, quote.mid(), kind, quote.timestamp).await
    }

    /// Takes a print.
    ///
    /// # Errors
    /// [`SafeBrokerError`] for values out of range.
    pub async fn on_trade(&self, trade: &Trade) -> Result<(), SafeBrokerError> {
        if let Some(shadow) = &self.shadow {
            shadow.set_time(self.clock.now());
            shadow.on_trade(trade);
        }
        self.mark(&trade.symbol, trade.price, MarkKind::Trade, trade.timestamp).await
    }

    /// Takes the bars of one instant.
    ///
    /// # Errors
    /// [`SafeBrokerError`] for values out of range.
    pub async fn on_bars(&self, bars: &[Bar]) -> Result<(), SafeBrokerError> {
        if let Some(shadow) = &self.shadow {
            shadow.set_time(self.clock.now());
            shadow.on_bars(bars);
        }
        self.books().ledger.next_bar();
        for bar in bars {
            self.mark(&bar.symbol, bar.close, MarkKind::Close, bar.timestamp).await?;
        }
        Ok(())
    }

    async fn mark(
        &self,
        symbol: &Symbol,
        price: Decimal,
        kind: MarkKind,
        time: Timestamp,
    ) -> Result<(), SafeBrokerError> {
        // Zero is a missing price, never a price (decision R7); the last one stands.
        if fault_of_positive(price, MAX_PRICE).is_some() {
            return Ok(());
        }
        let waiting = {
            let now = self.clock.now();
            let mut books = self.books();
            if let Some(known) = books.ledger.mark_of(symbol) {
                // What is older says nothing, and a print does not replace the touch while that is fresh (decision R6).
                let quoted =
                    matches!(known.kind, MarkKind::Quote { .. }) && !matches!(kind, MarkKind::Quote { .. });
                if time < known.time || (quoted && time.since(known.time) < TOUCH_STANDS) {
                    return Ok(());
                }
            }
            books.meet(symbol);
            if books.instruments.get(symbol).is_none() {
                return Ok(());
            }
            let super::books::Books { ledger, instruments, .. } = &mut *books;
            ledger.mark(instruments, symbol, price, kind, time).map_err(super::books::out_of_range)?;
            books.apply(&RiskEvent::Marked { symbol: Some(symbol.clone()) }, now)?;
            books.save()?;
            books.to_do.cancel_all || !books.to_do.stop_outs.is_empty()
        };
        if waiting {
            self.carry_out().await;
        }
        Ok(())
    }

    /// Tells that capital moved in (positive) or out: that is neither gain nor loss. Flows that the broker's event stream
    /// reports are taken from there.
    ///
    /// # Errors
    /// [`SafeBrokerError::State`].
    pub fn capital_flow(&self, amount: Decimal) -> Result<(), SafeBrokerError> {
        let now = self.clock.now();
        let mut books = self.books();
        books.flow(amount, now)?;
        Ok(books.save()?)
    }

    /// All positions of the account (in shadow mode, of the paper account).
    ///
    /// # Errors
    /// [`BrokerError`] when they cannot be had.
    #[doc(alias = "get_positions_async")]
    pub async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        self.venue.positions().await
    }

    /// The position in one asset; `None` when flat.
    ///
    /// # Errors
    /// [`BrokerError`] when it cannot be had.
    #[doc(alias = "get_position_async")]
    pub async fn get_position(&self, asset: &Symbol) -> Result<Option<Position>, BrokerError> {
        Ok(self.positions().await?.into_iter().find(|held| held.symbol == *asset && !held.quantity.is_zero()))
    }

    /// Value of the account, in its base currency.
    ///
    /// # Errors
    /// [`BrokerError`] when it cannot be had.
    #[doc(alias = "get_account_value_async")]
    pub async fn get_account_value(&self) -> Result<Decimal, BrokerError> {
        Ok(self.account_now().await?.equity)
    }

    /// Cash, in the account's base currency.
    ///
    /// # Errors
    /// [`BrokerError`] when it cannot be had.
    #[doc(alias = "get_cash_async")]
    pub async fn get_cash(&self) -> Result<Decimal, BrokerError> {
        Ok(self.account_now().await?.cash)
    }

    pub(super) async fn account_now(&self) -> Result<Account, BrokerError> {
        self.venue.account().await
    }

    /// Our orders that may still fill, by id.
    #[must_use]
    #[doc(alias = "get_pending_orders_async")]
    pub fn pending_orders(&self) -> Vec<OrderRecord> {
        self.live(None)
    }

    /// Whether the broker is connected.
    #[doc(alias = "is_connected_async")]
    pub async fn is_connected(&self) -> bool {
        self.venue.health().await.connected
    }

    /// Connects; does nothing when connected.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn connect(&self) -> Result<(), BrokerError> {
        self.venue.connect().await
    }

    /// Makes the state durable and disconnects; does nothing when disconnected.
    ///
    /// # Errors
    /// [`SafeBrokerError`] of either; the other is done all the same.
    pub async fn disconnect(&self) -> Result<(), SafeBrokerError> {
        let saved = self.books().save();
        self.venue.close().await?;
        Ok(saved?)
    }

    /// Takes what has happened since the last call: refusals, halts, stops, incidents. At most the last 1,024.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.books().notices.drain(..).collect()
    }
}
