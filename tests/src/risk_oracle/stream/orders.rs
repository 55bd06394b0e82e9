//! Orders of every kind, many of them about as large as a limit lets them be.

use super::{Fallible, Stream};
use crate::risk_oracle::oracle::Counts;
use crate::risk_oracle::world::{ACTORS, BROKERS, STRATEGIES};
use mts_foundation::{Decimal, Order, OrderType, Side, TimeInForce};

impl Stream {
    /// The next order, and whether it comes from `close_position`.
    pub(super) fn new_order(&mut self) -> Fallible<(Order, bool)> {
        let name = self.name("o");
        if self.random.chance(60)
            && let Some(last) = &self.last
        {
            return Ok((self.again(&name, &last.clone())?, false));
        }
        let fund = self.random.below(self.world.funds.len());
        let fund = self.next_fund.take().unwrap_or(fund);
        let setup = &self.world.funds[fund];
        let counts = self.oracle.counts(&setup.config.fund_id).ok_or("the oracle knows the funds")?;
        let (fund_id, broker) = (setup.config.fund_id.clone(), setup.config.broker.clone());
        let place = self.random.below(self.world.instruments.len());
        let side = self.side(counts.held[place]);
        let kind = match self.random.below(100) {
            0..45 => OrderType::Market,
            45..80 => OrderType::Limit,
            80..86 => OrderType::MarketableLimit,
            86..93 => OrderType::Stop,
            _ => OrderType::StopLimit,
        };
        let closing = self.random.chance(60);
        let quantity = self.quantity(fund, place, side, &counts);
        let broker = if self.random.chance(10) { BROKERS[self.random.below(2)] } else { broker.as_str() };
        let stranger = self.random.chance(3);
        let fund_id = if stranger { "nobody" } else { fund_id.as_str() };
        let symbol = self.world.instruments[place].symbol.clone();
        let symbol = if self.random.chance(3) { "UNKNOWN" } else { symbol.as_str() };
        let tif = match self.random.below(20) {
            0 => TimeInForce::Opg,
            1 => TimeInForce::Gtc,
            _ => TimeInForce::Day,
        };
        let mut order = Order::builder()
            .order_id(&name)
            .idempotency_key(&name)
            .symbol(symbol)
            .side(side)
            .quantity(quantity)
            .order_type(kind)
            .fund_id(fund_id)
            .strategy_id(STRATEGIES[self.random.below(3)])
            .broker(broker)
            .actor(ACTORS[self.random.below(2)])
            .tif(tif)
            .extended_hours(self.random.chance(300))
            .created_at(self.now);
        if matches!(kind, OrderType::Limit | OrderType::StopLimit | OrderType::MarketableLimit) {
            order = order.limit_price(self.price_near(place));
        }
        if matches!(kind, OrderType::Stop | OrderType::StopLimit) {
            order = order.stop_price(self.price_near(place));
        }
        Ok((order.build()?, closing))
    }

    /// The same content under another name.
    fn again(&mut self, name: &str, last: &Order) -> Fallible<Order> {
        let mut order = Order::builder()
            .order_id(name)
            .idempotency_key(name)
            .symbol(last.symbol.as_str())
            .side(last.side)
            .quantity(last.quantity)
            .order_type(last.order_type)
            .fund_id(last.fund_id.as_str())
            .strategy_id(last.strategy_id.as_str())
            .broker(last.broker.as_str())
            .actor(last.actor.as_str())
            .tif(last.tif)
            .extended_hours(last.extended_hours)
            .created_at(self.now);
        if let Some(price) = last.limit_price {
            order = order.limit_price(price);
        }
        if let Some(price) = last.stop_price {
            order = order.stop_price(price);
        }
        Ok(order.build()?)
    }

    /// Mostly a side that fits what is held.
    fn side(&mut self, held: Decimal) -> Side {
        let (opens, closes) = match held.cmp(&Decimal::ZERO) {
            std::cmp::Ordering::Greater => (Side::Buy, Side::Sell),
            std::cmp::Ordering::Less => (Side::Short, Side::Cover),
            std::cmp::Ordering::Equal => (Side::Buy, Side::Short),
        };
        match self.random.below(100) {
            0..4 => self.random.pick(Side::ALL).copied().unwrap_or(Side::Buy),
            4..60 => opens,
            _ => closes,
        }
    }

    /// A price some per cent from the present one, mostly a multiple of the tick.
    fn price_near(&mut self, place: usize) -> Decimal {
        let ticks = self.ticks[place];
        let far = if self.random.chance(100) { ticks / 10 } else { ticks / 40 };
        let ticks = (ticks + self.random.between(-far, far)).max(1);
        let price = self.price_in_ticks(place, ticks);
        if self.random.chance(15) { price + Decimal::new(1, 3) } else { price }
    }

    fn quantity(&mut self, fund: usize, place: usize, side: Side, counts: &Counts) -> Decimal {
        let lot = self.world.instruments[place].lot;
        if self.random.chance(15) {
            return lot * Decimal::new(self.random.between(1, 99), 1);
        }
        let held = counts.held[place].abs();
        if !side.is_opening() && !held.is_zero() && self.random.chance(900) {
            let working = if side == Side::Sell { counts.down[place] } else { counts.up[place] };
            let part = match self.random.below(4) {
                0 => return held,
                1 => return (held - working).max(lot),
                _ => held * Decimal::from(self.random.between(1, 11)) / Decimal::TEN,
            };
            return ((part / lot).floor() * lot).max(lot);
        }
        let lots = if self.random.chance(350) {
            let most = self.room(fund, place, counts) / lot;
            most.floor() + Decimal::from(self.random.between(0, 1))
        } else {
            let price =
                self.price_in_ticks(place, self.ticks[place]) * self.world.instruments[place].multiplier;
            let money = [2_000, 8_000, 20_000][self.random.below(3)];
            (Decimal::from(self.random.between(1, money)) / price / lot).floor()
        };
        lots.clamp(Decimal::ONE, Decimal::ONE_THOUSAND * Decimal::TEN) * lot
    }

    /// Units that one of the limits leaves room for.
    fn room(&mut self, fund: usize, place: usize, counts: &Counts) -> Decimal {
        let (limits, held) = (&self.world.funds[fund].limits, counts.held[place].abs() + counts.up[place]);
        let envelope = self.oracle.envelope(&self.world.funds[fund].config.fund_id);
        let multiplier = self.world.instruments[place].multiplier;
        let price = self.oracle.price_of(place).map_or(Decimal::ONE, |price| price.mark) * multiplier;
        let share = |share: f64| share.to_string().parse::<Decimal>().unwrap_or_default() * counts.nav;
        let mut units = vec![limits.max_order_quantity, limits.max_position_quantity.map(|most| most - held)];
        let mut money = vec![
            limits.max_order_value,
            limits.max_order_notional_pct.map(share),
            limits.max_position_value.map(|most| most - held * price),
            limits.buying_power.then_some(counts.cash - counts.taken),
        ];
        if let Some(envelope) = envelope {
            units.push(envelope.max_order_qty);
            money.push(Some(envelope.max_order_notional_usd));
            money.push(envelope.max_position_usd.map(|most| most - held * price));
            money.push(Some(share(envelope.max_position_pct) - held * price));
        }
        units.extend(money.into_iter().map(|money| money.map(|money| money / price)));
        let room: Vec<Decimal> = units.into_iter().flatten().collect();
        self.random.pick(&room).copied().unwrap_or(Decimal::TEN).max(Decimal::ZERO)
    }
}
