//! Market data: what bars, quotes and prints do to the working orders, and what an order meets on arrival.

use super::market::{Market, Reach, Touch};
use super::{Exchange, Found, MatchEvent, Working, give};
use crate::config::{Displayed, MAX_INSTRUMENTS, StopTrigger};
use crate::fees::Liquidity;
use crate::reject::Reject;
use crate::rules::{self, Effect};
use mts_foundation::num::floor_to_lot;
use mts_foundation::risk::SessionPhase;
use mts_foundation::{Bar, Decimal, Quote, Side, Symbol, TimeInForce, Timestamp, Trade};

impl Exchange {
    /// Meets the working orders with the bars of one instant. Instruments that have quotes, prints or a book are filled
    /// by those and not by bars.
    pub fn on_bars(&mut self, bars: &[Bar], events: &mut Vec<MatchEvent>) {
        let Some(time) = bars.iter().map(|bar| bar.timestamp).max() else { return };
        let mut found = Found::new();
        self.advance(time, false, &mut found);
        give(found, events);
        let mut found = Found::new();
        for bar in bars {
            self.bar(bar, &mut found);
        }
        give(found, events);
        self.set_time(time, events);
    }

    /// Meets the working orders with a quote. One that nothing can trade on, a side missing or crossed, takes the touch
    /// away; one older than the last is not used.
    pub fn on_quote(&mut self, quote: &Quote, events: &mut Vec<MatchEvent>) {
        let time = quote.timestamp;
        let mut found = Found::new();
        self.advance(time, false, &mut found);
        give(found, events);
        let before_restart = self.resumed.is_some_and(|resumed| time < resumed);
        let Some(market) = self.market_of(&quote.symbol) else { return };
        if market.quoted.is_some_and(|quoted| quoted > time) {
            return;
        }
        let heard = market.heard();
        market.quoted = Some(time);
        market.touch = Touch::of(quote);
        let known_only = market.book.is_some() || before_restart;
        if let (false, Some(touch)) = (known_only, market.touch.clone()) {
            let mut found = Found::new();
            self.quote(&quote.symbol, &touch, heard, time, &mut found);
            give(found, events);
        }
        self.set_time(time, events);
    }

    /// Meets the working orders with a print; one older than the last is not used.
    pub fn on_trade(&mut self, trade: &Trade, events: &mut Vec<MatchEvent>) {
        let time = trade.timestamp;
        if trade.price <= Decimal::ZERO {
            return;
        }
        let mut found = Found::new();
        self.advance(time, false, &mut found);
        give(found, events);
        let before_restart = self.resumed.is_some_and(|resumed| time < resumed);
        let Some(market) = self.market_of(&trade.symbol) else { return };
        if market.printed.is_some_and(|printed| printed > time) {
            return;
        }
        let heard = market.heard();
        market.printed = Some(time);
        market.last = Some(trade.price);
        market.has_prints = true;
        let known_only = market.book.is_some() || before_restart;
        if !known_only {
            let mut found = Found::new();
            self.print(trade, heard, &mut found);
            give(found, events);
        }
        self.set_time(time, events);
    }

    /// What is known of an instrument; `None` for a new one beyond the bound.
    pub(super) fn market_of(&mut self, symbol: &Symbol) -> Option<&mut Market> {
        let place = match self.markets.place_of(symbol) {
            Some(place) => place,
            None if self.markets.len() < MAX_INSTRUMENTS => {
                self.markets.put(symbol.clone(), Market::default()).0
            }
            None => return None,
        };
        self.markets.get_mut_near(place, symbol)
    }

    fn bar(&mut self, bar: &Bar, found: &mut Found) {
        let time = bar.timestamp;
        let reach = Reach { offered: bar.low, wanted: bar.high, high: Some(bar.high), low: Some(bar.low) };
        let before_restart = self.resumed.is_some_and(|resumed| time < resumed);
        let Some(market) = self.market_of(&bar.symbol) else { return };
        if market.book.is_some() || market.touch.is_some() || market.has_prints {
            return;
        }
        market.last = Some(bar.close);
        if before_restart {
            return;
        }
        let (opening, reached) = (market.opening.clone(), market.reached(&reach));
        let length = i64::try_from(bar.interval.duration().as_nanos()).unwrap_or(i64::MAX);
        let start = Timestamp::from_nanos(time.nanos().saturating_sub(length));
        let began = self.opened.map_or(start, |opened| start.max(opened));
        let mut pool = self.share_of(bar);
        for number in opening {
            let Some(working) = self.orders.get(&number) else { continue };
            // The cross of the session that opened, or without sessions the beginning of this bar.
            let cross = if self.phase == SessionPhase::NoCalendar { Some(start) } else { self.opened };
            if cross.is_none_or(|cross| working.since > cross || cross >= time) {
                continue;
            }
            let seen = !bar.close_only && Some(began) == cross;
            let effect = if seen { rules::at_opening(&working.terms, bar.open) } else { Effect::NONE };
            self.apply(number, effect, &mut pool, time, found);
        }
        for number in reached {
            let Some(working) = self.orders.get(&number) else { continue };
            if working.since >= time || !self.may_trade(&working.order) {
                continue;
            }
            let effect = rules::on_bar(&working.terms, bar, working.since <= began);
            self.apply(number, effect, &mut pool, time, found);
        }
    }

    /// What of a bar's volume the account may take, in whole lots.
    fn share_of(&self, bar: &Bar) -> Option<Decimal> {
        let share = bar.volume.saturating_mul(self.config.participation?);
        let lot = self.config.instruments.as_ref().and_then(|table| table.get(&bar.symbol));
        let share = lot.map_or(share.normalize(), |instrument| floor_to_lot(share, instrument.lot));
        let used = self.used.get(&bar.symbol).filter(|(time, _)| *time == bar.timestamp);
        Some((share - used.map_or(Decimal::ZERO, |(_, used)| *used)).max(Decimal::ZERO))
    }

    fn quote(
        &mut self,
        symbol: &Symbol,
        touch: &Touch,
        heard: Option<Timestamp>,
        time: Timestamp,
        found: &mut Found,
    ) {
        let Some(market) = self.markets.get(symbol) else { return };
        let mut triggered = Vec::new();
        if !rules::listens_to_prints(self.config.stop_trigger, market.has_prints) {
            let stops = market.stops(touch.ask, touch.bid);
            triggered = self.trigger_all(stops);
        }
        let Some(market) = self.markets.get(symbol) else { return };
        let reach = Reach { offered: touch.ask, wanted: touch.bid, high: None, low: None };
        let (opening, reached) = (market.opening.clone(), market.reached(&reach));
        for number in opening {
            if self.crosses(number, time) {
                self.meet_touch(number, true, time, found);
            }
        }
        for number in reached {
            let Some(working) = self.orders.get(&number) else { continue };
            if self.may_trade(&working.order) {
                let arrives = arrives(working, heard);
                self.meet_touch(number, arrives, time, found);
            }
        }
        self.tell_triggered(triggered, time, found);
    }

    fn print(&mut self, trade: &Trade, heard: Option<Timestamp>, found: &mut Found) {
        let (price, time) = (trade.price, trade.timestamp);
        let Some(market) = self.markets.get(&trade.symbol) else { return };
        let quoted = market.touch.is_some();
        let mut triggered = Vec::new();
        if self.config.stop_trigger == StopTrigger::Last {
            let stops = market.stops(price, price);
            triggered = self.trigger_all(stops);
            if quoted {
                for (number, _) in &triggered {
                    self.meet_touch(*number, true, time, found);
                }
            }
        }
        let Some(market) = self.markets.get(&trade.symbol) else { return };
        let reach = Reach { offered: price, wanted: price, high: None, low: None };
        let (opening, reached) = (market.opening.clone(), market.reached(&reach));
        let shown =
            (self.config.displayed == Displayed::Size && trade.size > Decimal::ZERO).then_some(trade.size);
        let mut pool = shown;
        for number in opening {
            if !self.crosses(number, time) {
                continue;
            }
            let Some(working) = self.orders.get(&number) else { continue };
            let effect = rules::at_opening(&working.terms, price);
            self.apply(number, effect, &mut pool, time, found);
        }
        for number in reached {
            let Some(working) = self.orders.get(&number) else { continue };
            if !self.may_trade(&working.order) {
                continue;
            }
            let rule = self.config.resting_fill;
            let effect = rules::on_trade(&working.terms, price, arrives(working, heard), quoted, rule);
            self.apply(number, effect, &mut pool, time, found);
        }
        self.tell_triggered(triggered, time, found);
    }

    /// Whether this instant is the opening that an order has waited for.
    fn crosses(&self, number: u64, time: Timestamp) -> bool {
        let since = self.orders.get(&number).map(|working| working.since);
        self.opened.is_some_and(|opened| opened <= time && since.is_some_and(|since| since <= opened))
    }

    /// An order is in the market: it meets what is known of it.
    pub(super) fn arrive(&mut self, number: u64, found: &mut Found) {
        let Some(working) = self.orders.get_mut(&number) else { return };
        working.arrived = true;
        let (symbol, tif, time) = (working.order.symbol.clone(), working.order.tif, self.now);
        self.list(number);
        let has_book = self.markets.get(&symbol).is_some_and(|market| market.book.is_some());
        if tif == TimeInForce::Opg {
            if has_book {
                self.enter_book(number, found);
            }
            return;
        }
        let Some(working) = self.orders.get(&number) else { return };
        if !self.may_trade(&working.order) {
            // An immediate order whose session ended while it was under way.
            self.end_immediate(number, time, found);
            return;
        }
        let mut triggered = Vec::new();
        if let Some(market) = self.markets.get(&symbol) {
            let prints = rules::listens_to_prints(self.config.stop_trigger, market.has_prints);
            let touch = market.touch.as_ref().map(|touch| touch.price(working.terms.buys));
            let price = if prints { market.last } else { touch };
            if price.is_some_and(|price| rules::triggers(&working.terms, price)) {
                triggered = self.trigger_all(vec![number]);
            }
        }
        let known = self.markets.get(&symbol);
        if has_book {
            self.enter_book(number, found);
        } else if known.is_some_and(|market| market.touch.is_some()) {
            self.meet_touch(number, true, time, found);
        } else if let Some(last) = known.filter(|market| market.has_prints).and_then(|market| market.last)
            && let Some(working) = self.orders.get_mut(&number)
        {
            // Of a market known by its prints the last one says whether the order comes to it or rests.
            working.met = !rules::takes(&working.terms, last);
        }
        self.tell_triggered(triggered, time, found);
    }

    /// Puts an order where market data finds it.
    pub(super) fn list(&mut self, number: u64) {
        if let Some(working) = self.orders.get(&number) {
            self.markets.change(&working.order.symbol, |market| market.list(number, working));
        }
    }

    /// Triggers the stops among these that may trade now; each with what was open of it.
    pub(super) fn trigger_all(&mut self, stops: Vec<u64>) -> Vec<(u64, Decimal)> {
        let may_trade =
            |number: &u64| self.orders.get(number).is_some_and(|working| self.may_trade(&working.order));
        let stops: Vec<u64> = stops.into_iter().filter(may_trade).collect();
        stops.into_iter().filter_map(|number| Some((number, self.trigger(number)?))).collect()
    }

    fn trigger(&mut self, number: u64) -> Option<Decimal> {
        let working = self.orders.get_mut(&number)?;
        let market = self.markets.get_mut(&working.order.symbol)?;
        market.unlist(number, working);
        working.terms.triggered = true;
        working.met = false;
        market.list(number, working);
        Some(working.remaining)
    }

    /// Tells of stops that were triggered and have not filled at once.
    pub(super) fn tell_triggered(
        &mut self,
        triggered: Vec<(u64, Decimal)>,
        time: Timestamp,
        found: &mut Found,
    ) {
        for (number, before) in triggered {
            let Some(working) = self.orders.get_mut(&number) else { continue };
            // What triggered it was the market it met.
            working.met = true;
            if working.remaining == before {
                found.push((number, MatchEvent::Triggered { order: working.order.clone(), time }));
            }
        }
    }

    /// Meets an order with the touch, which gets smaller by what it takes.
    fn meet_touch(&mut self, number: u64, arrives: bool, time: Timestamp, found: &mut Found) {
        let Some(working) = self.orders.get(&number) else { return };
        let (symbol, terms) = (working.order.symbol.clone(), working.terms);
        let Some(touch) = self.markets.get_mut(&symbol).and_then(|market| market.touch.as_mut()) else {
            return;
        };
        let price = touch.price(terms.buys);
        let shown = *touch.size(terms.buys);
        let limited = self.config.displayed == Displayed::Size;
        let mut pool = if limited { shown } else { None };
        let effect = rules::on_quote(&terms, price, arrives, self.config.resting_fill);
        self.apply(number, effect, &mut pool, time, found);
        if limited && let Some(touch) = self.markets.get_mut(&symbol).and_then(|market| market.touch.as_mut())
        {
            *touch.size(terms.buys) = pool;
        }
    }

    /// Carries an effect out, as far as `pool` goes (`None` = any size), and ends what is immediate.
    fn apply(
        &mut self,
        number: u64,
        effect: Effect,
        pool: &mut Option<Decimal>,
        time: Timestamp,
        found: &mut Found,
    ) {
        let triggered = if effect.triggers { self.trigger_all(vec![number]) } else { Vec::new() };
        let Some(working) = self.orders.get_mut(&number) else { return };
        working.met = true;
        let wanted = working.remaining;
        let immediate_whole = working.order.tif == TimeInForce::Fok;
        if let Some((price, liquidity)) = effect.fill {
            let quantity = pool.map_or(wanted, |pool| wanted.min(pool));
            if immediate_whole && quantity < wanted {
                self.refuse_whole(number, quantity, time, found);
                return;
            }
            if quantity > Decimal::ZERO {
                if let Some(pool) = pool {
                    *pool -= quantity;
                }
                self.filled(number, quantity, price, liquidity, time, found);
            }
        }
        self.tell_triggered(triggered, time, found);
        self.end_immediate(number, time, found);
    }

    /// Ends an order that does not wait: immediate-or-cancel, fill-or-kill, and what crosses at the opening.
    fn end_immediate(&mut self, number: u64, time: Timestamp, found: &mut Found) {
        let Some(working) = self.orders.get(&number) else { return };
        match working.order.tif {
            TimeInForce::Fok => self.refuse_whole(number, Decimal::ZERO, time, found),
            TimeInForce::Ioc | TimeInForce::Opg => {
                if let Some(working) = self.remove(number) {
                    found.push((number, MatchEvent::Expired { order: working.order, time }));
                }
            }
            TimeInForce::Day | TimeInForce::Gtc => {}
        }
    }

    pub(super) fn refuse_whole(
        &mut self,
        number: u64,
        available: Decimal,
        time: Timestamp,
        found: &mut Found,
    ) {
        if let Some(Working { order, remaining: wanted, .. }) = self.remove(number) {
            let reason = Reject::NotAllAvailable { wanted, available };
            found.push((number, MatchEvent::Rejected { order, reason, time }));
        }
    }

    /// Books a fill, and ends the order with its last one.
    pub(super) fn filled(
        &mut self,
        number: u64,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        time: Timestamp,
        found: &mut Found,
    ) {
        let Some(working) = self.orders.get_mut(&number) else { return };
        working.remaining -= quantity;
        self.reserved -= working.reserve * quantity;
        let order = working.order.clone();
        let done = working.remaining.is_zero();
        if order.side == Side::Sell
            && let Some(market) = self.markets.get_mut(&order.symbol)
        {
            market.offered -= quantity;
        }
        if order.side == Side::Cover {
            self.give_back(&order.symbol, quantity);
        }
        found.push((number, MatchEvent::Filled { order, quantity, price, liquidity, time }));
        if done {
            self.remove(number);
        }
    }
}

/// Whether an order meets the market for the first time: nothing was heard since it arrived.
fn arrives(working: &Working, heard: Option<Timestamp>) -> bool {
    !working.met && heard.is_none_or(|heard| working.since >= heard)
}
