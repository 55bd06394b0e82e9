//! What happens besides orders: fills, prices, days, capital, halts.

use super::faults::Fault;
use super::{Fallible, Stream, Working};
use crate::risk_oracle::oracle::{Price, Trade};
use crate::risk_oracle::world::OPERATORS;
use mts_foundation::ledger::MarkKind;
use mts_foundation::risk::{HaltMode, HaltRequest, HaltScope, ResumeRequest, RiskEvent, SessionPhase};
use mts_foundation::{ActorId, Decimal, Fill, FundId, Side, StrategyId};

impl Stream {
    /// Prices of everything, and mostly a first trading day: what a morning begins with.
    pub(super) fn begin(&mut self) -> Fallible<()> {
        for place in 0..self.world.instruments.len() {
            if !self.random.chance(30) {
                self.reprice(place, false)?;
            }
        }
        if self.random.chance(900) {
            self.roll_to(self.day)?;
        }
        Ok(())
    }

    pub(super) fn price_in_ticks(&self, place: usize, ticks: i64) -> Decimal {
        Decimal::from(ticks) * self.world.instruments[place].tick
    }

    /// Another price of an instrument, of which only the books know yet.
    fn reprice(&mut self, place: usize, is_bar: bool) -> Fallible<()> {
        let (base, now) = (self.world.ticks[place], self.ticks[place]);
        let jump = if self.random.chance(40) { 10 } else { 1 };
        let step = base * jump / 80 + 1;
        let ticks = (now + (base - now) / 30 + self.random.between(-step, step)).max(20);
        self.ticks[place] = ticks;
        let mark = self.price_in_ticks(place, ticks);
        let (kind, touch) = match self.random.below(3) {
            0 if !is_bar => {
                let half = self.random.between(1, 5);
                // Now and then nobody bids.
                let bid = if self.random.chance(40) { 0 } else { ticks - half };
                let touch = (self.price_in_ticks(place, bid), self.price_in_ticks(place, ticks + half));
                (MarkKind::Quote { bid: touch.0, ask: touch.1 }, Some(touch))
            }
            1 if !is_bar => (MarkKind::Trade, None),
            _ => (MarkKind::Close, None),
        };
        self.ledger.mark(&self.table, &self.world.instruments[place].symbol, mark, kind, self.now)?;
        self.oracle.price(place, Price { mark, touch, time: self.now, bar: self.oracle.bars() });
        Ok(())
    }

    pub(super) fn apply_marked(&mut self, only: Option<usize>) -> Fallible<()> {
        let follows = self.oracle.marked(only, self.now);
        if self.has(Fault::MarksForgotten) {
            return Ok(());
        }
        let symbol = only.map(|place| self.world.instruments[place].symbol.clone());
        self.apply(&RiskEvent::Marked { symbol }, Some(follows))
    }

    /// One price.
    pub(super) fn print(&mut self) -> Fallible<()> {
        let place = self.random.below(self.world.instruments.len());
        self.reprice(place, false)?;
        let only = self.random.chance(700).then_some(place);
        self.apply_marked(only)
    }

    /// A batch of bars.
    pub(super) fn bars(&mut self) -> Fallible<()> {
        self.ledger.next_bar();
        self.oracle.next_bar();
        for place in 0..self.world.instruments.len() {
            if self.random.chance(900) {
                self.reprice(place, true)?;
            }
        }
        self.apply_marked(None)
    }

    /// A working order fills, in part or wholly.
    pub(super) fn fill(&mut self) -> Fallible<()> {
        if self.working.is_empty() {
            return Ok(());
        }
        let place = self.random.below(self.working.len());
        let Working { order, left } = &self.working[place];
        let (order, left) = (order.clone(), *left);
        let units = if self.random.chance(500) {
            left
        } else {
            // Venues fill odd parts too.
            (left * Decimal::from(self.random.between(1, 9)) / Decimal::TEN)
                .round_dp(2)
                .max(Decimal::new(1, 2))
                .min(left)
        };
        if units == left {
            self.working.swap_remove(place);
        } else {
            self.working[place].left -= units;
        }
        let name = order.order_id.as_str().to_owned();
        self.book(&order.fund_id, &name, order.symbol.as_str(), order.side, units)
    }

    /// Somebody trades by hand at the venue.
    pub(super) fn strange_fill(&mut self) -> Fallible<()> {
        let (fund, place) =
            (self.random.below(self.world.funds.len()), self.random.below(self.table.iter().count()));
        let fund = self.world.funds[fund].config.fund_id.clone();
        let symbol = self.world.instruments[place].symbol.clone();
        let side = self.random.pick(Side::ALL).copied().unwrap_or(Side::Buy);
        let units = Decimal::from(self.random.between(1, 80));
        self.book(&fund, "by-hand", symbol.as_str(), side, units)
    }

    fn book(&mut self, fund: &FundId, order: &str, symbol: &str, side: Side, units: Decimal) -> Fallible<()> {
        let found = self.world.instruments.iter().position(|instrument| instrument.symbol.as_str() == symbol);
        let place = found.ok_or("a fill is of an instrument of the table")?;
        let slip = self.random.between(-4, 4);
        let price = self.price_in_ticks(place, (self.ticks[place] + slip).max(1));
        if self.oracle.price_of(place).is_none() {
            // A fill without any price before it would be the first price; a venue prints it.
            self.reprice(place, false)?;
        }
        let name = self.name("x");
        let mut fill = Fill::new(&name, order, symbol, side, units, price, self.now)?;
        fill.fees = Decimal::new(self.random.between(0, 200), 2);
        self.ledger.book_fill(&self.table, fund, &fill)?;
        let trade = Trade { instrument: place, side, units, price, fees: fill.fees };
        let follows = self.oracle.traded(fund, order, trade, self.now);
        self.tally.fills += 1;
        if self.has(Fault::FillsForgotten) {
            return Ok(());
        }
        let event = RiskEvent::Filled { fund_id: fund.clone(), order_id: fill.order_id, symbol: fill.symbol };
        self.apply(&event, Some(follows))
    }

    /// A working order ends without a fill.
    pub(super) fn cancel(&mut self) -> Fallible<()> {
        if self.working.is_empty() {
            return Ok(());
        }
        let place = self.random.below(self.working.len());
        let Working { order, .. } = self.working.swap_remove(place);
        self.ledger.remove_working(&self.table, &order.fund_id, &order.order_id)?;
        self.oracle.end(&order.order_id);
        Ok(())
    }

    pub(super) fn change_phase(&mut self) -> Fallible<()> {
        // Mostly open: nothing else gets through otherwise.
        let open = self.random.chance(750);
        let other = self.random.pick(SessionPhase::ALL).copied();
        self.phase = if open { SessionPhase::Regular } else { other.unwrap_or(SessionPhase::Regular) };
        Ok(())
    }

    /// Capital comes or goes, and then an order: losses weigh more when there is less capital.
    pub(super) fn flow(&mut self) -> Fallible<()> {
        let fund = self.random.below(self.world.funds.len());
        let fund_id = self.world.funds[fund].config.fund_id.clone();
        let low = if self.random.chance(30) { -150_000 } else { -25_000 };
        let amount = Decimal::from(self.random.between(low, 20_000));
        self.ledger.flow(&fund_id, amount)?;
        self.oracle.flowed(&fund_id, amount);
        if self.has(Fault::FlowsForgotten) {
            return Ok(());
        }
        self.apply(&RiskEvent::Flowed { fund_id, amount }, Some(Vec::new()))?;
        self.next_fund = Some(fund);
        self.ask()
    }

    /// The trading day rolls, now and then to a day that is not later.
    pub(super) fn roll(&mut self) -> Fallible<()> {
        let days =
            if self.random.chance(150) { self.random.between(-2, 0) } else { self.random.between(1, 4) };
        let date =
            self.day.checked_add_signed(chrono::TimeDelta::days(days)).ok_or("the calendar goes on")?;
        self.day = self.day.max(date);
        self.roll_to(date)
    }

    fn roll_to(&mut self, date: chrono::NaiveDate) -> Fallible<()> {
        self.oracle.day_rolled(date);
        if self.has(Fault::DaysForgotten) {
            return Ok(());
        }
        self.apply(&RiskEvent::DayRolled { date }, Some(Vec::new()))
    }

    pub(super) fn halt(&mut self) -> Fallible<()> {
        let fund = self.random.below(self.world.funds.len());
        let scope = match self.random.below(5) {
            0 => HaltScope::Firm,
            1 | 2 => HaltScope::Strategy(StrategyId::new("s1")?),
            _ => HaltScope::Fund(self.world.funds[fund].config.fund_id.clone()),
        };
        let mode = if self.random.chance(500) { HaltMode::Full } else { HaltMode::ReduceOnly };
        let follows = self.oracle.halt(scope.clone(), mode, self.now);
        let request = HaltRequest {
            scope,
            mode,
            reason: "drill".to_owned(),
            causes: Vec::new(),
            requested_by: ActorId::new("olga")?,
            timestamp: self.now,
        };
        self.apply(&RiskEvent::Halt(request), Some(follows))
    }

    pub(super) fn kill(&mut self) -> Fallible<()> {
        let follows = self.oracle.kill(self.now);
        let event = RiskEvent::Kill { reason: "drill".to_owned(), actor: ActorId::new("olga")? };
        self.apply(&event, Some(follows))
    }

    /// Somebody tries to end what is in force.
    pub(super) fn resume(&mut self) -> Fallible<()> {
        let mut all: Vec<_> = self.oracle.halts().into_iter().map(|(scope, _)| Some(scope)).collect();
        if self.oracle.is_killed() || self.random.chance(20) {
            all.push(None);
        }
        let Some(scope) = self.random.pick(&all).cloned() else { return Ok(()) };
        let mut operators = Vec::new();
        for _ in 0..self.random.between(1, 3) {
            let name = if self.random.chance(30) { "nobody" } else { OPERATORS[self.random.below(3)] };
            operators.push(ActorId::new(name)?);
        }
        let reason = if self.random.chance(30) { " " } else { "it is over" };
        let follows = self.oracle.resume(scope.clone(), &operators, reason, self.now);
        let request = ResumeRequest { scope, operators, reason: reason.to_owned(), timestamp: self.now };
        self.apply(&RiskEvent::Resume(request), follows)
    }

    /// A limit of an envelope is tightened or loosened, and then an order is asked for.
    pub(super) fn update_envelope(&mut self) -> Fallible<()> {
        let fund = self.random.below(self.world.funds.len());
        let fund_id = self.world.funds[fund].config.fund_id.clone();
        let Some(mut envelope) = self.oracle.envelope(&fund_id).cloned() else { return Ok(()) };
        let loosens = self.random.chance(500);
        let moved = |limit: f64, high: f64| {
            let hundredths = (limit * 100.0).round() + if loosens { 3.0 } else { -3.0 };
            (hundredths / 100.0).clamp(0.01, high)
        };
        let before = envelope.clone();
        match self.random.below(7) {
            0 => envelope.max_position_pct = moved(envelope.max_position_pct, 1.0),
            1 => envelope.max_gross_exposure_pct = moved(envelope.max_gross_exposure_pct, 5.0),
            2 => envelope.max_net_exposure_pct = moved(envelope.max_net_exposure_pct, 5.0),
            3 => envelope.daily_loss_halt_pct = moved(envelope.daily_loss_halt_pct, 1.0),
            4 => envelope.weekly_loss_halt_pct = moved(envelope.weekly_loss_halt_pct, 1.0),
            5 => envelope.monthly_loss_halt_pct = moved(envelope.monthly_loss_halt_pct, 1.0),
            _ => envelope.synthetic_stop_pct = moved(envelope.synthetic_stop_pct, 1.0),
        }
        // At the ends of a range nothing moves.
        let loosens = [
            (before.max_position_pct, envelope.max_position_pct),
            (before.max_gross_exposure_pct, envelope.max_gross_exposure_pct),
            (before.max_net_exposure_pct, envelope.max_net_exposure_pct),
            (before.daily_loss_halt_pct, envelope.daily_loss_halt_pct),
            (before.weekly_loss_halt_pct, envelope.weekly_loss_halt_pct),
            (before.monthly_loss_halt_pct, envelope.monthly_loss_halt_pct),
            (before.synthetic_stop_pct, envelope.synthetic_stop_pct),
        ]
        .iter()
        .any(|(old, new)| new > old);
        envelope.version += if self.random.chance(50) { 2 } else { 1 };
        let follows = self.oracle.envelope_updated(&envelope, loosens);
        if let Some(fault) = self.options.fault {
            fault.raise(Some(&mut envelope), &mut self.world.funds[fund].limits.clone());
        }
        self.apply(&RiskEvent::EnvelopeUpdated(Box::new(envelope)), follows)?;
        self.next_fund = Some(fund);
        self.ask()
    }
}
