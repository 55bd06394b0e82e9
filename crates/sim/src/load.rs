//! What strategies and operators want, and what else comes out of nowhere.

use crate::faults::Fault;
use crate::world::{Happening, World};
use mts_engine::Core;
use mts_engine::core::Sizes;
use mts_engine::input::{Input, OperatorAct};
use mts_foundation::ids::InvalidId;
use mts_foundation::risk::{HaltMode, HaltRequest, HaltScope, ResumeRequest};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    ActorId, Decimal, IdempotencyKey, OrderState, OrderType, Side, StrategyId, Symbol, Timestamp,
};
use std::time::Duration;

/// Most open orders with which strategies still want more: a person would have stopped them.
const ENOUGH: usize = 40;

impl World {
    /// Prices move a little.
    pub(crate) fn move_prices(&mut self) {
        for price in &mut self.prices {
            let by = Decimal::from(self.net.between(0, 200)) - Decimal::ONE_HUNDRED;
            let moved = *price + *price * by / Decimal::from(20_000);
            *price = moved.round_dp(2).max(Decimal::ONE);
        }
    }

    /// What a strategy decides, looking at the books as they are.
    pub(crate) fn decide(&mut self, core: &Core, time: Timestamp) -> Result<Option<Input>, InvalidId> {
        let setup = self.setup.clone();
        let Some(fund) = self.load.pick(&setup.funds) else { return Ok(None) };
        let Some(strategy_id) = self.load.pick(&fund.strategies) else { return Ok(None) };
        let count = self.load.between(1, 3);
        let Sizes { inquiries, .. } = core.state().sizes();
        let Some(book) = core.state().ledger().fund(&fund.fund_id) else { return Ok(None) };
        let mut commands = Vec::new();
        for _ in 0..count {
            let Some(symbol) = self.load.pick(&setup.symbols).cloned() else { continue };
            let held = book.positions().quantity(&symbol);
            let kind = self.load.between(0, 99);
            let request = self.request(&symbol, held, fund.envelope.enable_shorting);
            let own: Vec<_> =
                book.working().map(|(id, _)| id.clone()).chain(self.known_orders.last().cloned()).collect();
            let target = self.load.pick(&own).cloned();
            match kind {
                0..=69 if book.working_count() + inquiries < ENOUGH => {
                    commands.push(Command::Submit(request))
                }
                70..=84 => commands.extend(target.map(Command::Cancel)),
                85..=91 => commands.push(Command::Close(symbol)),
                92..=96 => commands.push(Command::Targets(self.targets(fund, strategy_id, time))),
                _ => {
                    // A key that comes again and again while it is remembered, with content that may or may not be the same.
                    let mut request = request;
                    let period =
                        time.nanos() / i64::try_from(setup.memory.as_nanos()).unwrap_or(i64::MAX).max(1);
                    let name = format!("again-{}-{}-{period}", fund.fund_id, self.load.between(0, 3));
                    request.idempotency_key = Some(IdempotencyKey::new(name)?);
                    commands.push(Command::Submit(request));
                }
            }
        }
        commands.extend(self.family(core, fund, time)?);
        self.check.families.asked(&fund.fund_id, &commands);
        Ok(Some(Input::Decided {
            strategy_id: strategy_id.clone(),
            fund_id: fund.fund_id.clone(),
            time,
            commands,
            memory: self.load.chance(50).then(|| vec![1, 2, 3]),
        }))
    }

    fn request(&mut self, symbol: &Symbol, held: Decimal, shorting: bool) -> OrderRequest {
        let grows = self.load.chance(650);
        let shorts = shorting && self.load.chance(400);
        let side = match (held.is_zero(), held > Decimal::ZERO, grows) {
            (true, _, _) => {
                if shorts {
                    Side::Short
                } else {
                    Side::Buy
                }
            }
            (false, true, true) => Side::Buy,
            (false, true, false) => Side::Sell,
            (false, false, true) => Side::Short,
            (false, false, false) => Side::Cover,
        };
        let mut quantity = Decimal::from(self.load.between(1, 900));
        if !side.is_opening() && self.load.chance(900) {
            quantity = quantity.min(held.abs());
        }
        let mut request = OrderRequest::market(symbol.clone(), side, quantity);
        let (limited, off) = (self.load.chance(400), self.load.between(0, 100));
        if limited {
            request.order_type = OrderType::Limit;
            let by = Decimal::from(off) - Decimal::from(50);
            request.limit_price = Some(
                (self.price_of(symbol) * (Decimal::ONE_THOUSAND + by) / Decimal::ONE_THOUSAND)
                    .round_dp(2)
                    .max(Decimal::ONE),
            );
        }
        request
    }

    fn targets(&mut self, fund: &crate::setup::Fund, strategy_id: &StrategyId, asof: Timestamp) -> TargetSet {
        let symbols = self.setup.symbols.clone();
        let weights = symbols
            .into_iter()
            .map(|symbol| {
                let weight = Decimal::new(i64::try_from(self.load.between(0, 15)).unwrap_or(0), 2);
                TargetWeight { symbol, weight, signal: None, rank: None }
            })
            .collect();
        TargetSet { fund_id: fund.fund_id.clone(), strategy_id: strategy_id.clone(), asof, weights }
    }

    /// What an operator does now; mostly nothing.
    pub(crate) fn operator(&mut self, core: &Core, time: Timestamp) -> Result<Option<Input>, InvalidId> {
        let setup = self.setup.clone();
        let Some(fund) = self.load.pick(&setup.funds) else { return Ok(None) };
        let (fund_id, actor) = (fund.fund_id.clone(), ActorId::new("ann")?);
        let kind = self.load.between(0, 119);
        let Some(symbol) = self.load.pick(&setup.symbols).cloned() else { return Ok(None) };
        let request = self.request(&symbol, Decimal::ZERO, false);
        let reason = "a drill".to_owned();
        let resume = |scope| ResumeRequest {
            scope,
            operators: setup.operators.clone(),
            reason: reason.clone(),
            timestamp: time,
        };
        let halted = core.risk().halts().into_iter().next();
        let act = if core.risk().killed().is_some() {
            OperatorAct::Resume(resume(None))
        } else if let Some(halt) = halted.filter(|_| kind > 20) {
            OperatorAct::Resume(resume(Some(halt.scope)))
        } else {
            match kind {
                0..=2 => OperatorAct::Kill { reason, actor },
                3..=8 => OperatorAct::Halt(HaltRequest {
                    scope: if kind < 5 { HaltScope::Firm } else { HaltScope::Fund(fund_id) },
                    mode: if kind.is_multiple_of(2) { HaltMode::Full } else { HaltMode::ReduceOnly },
                    reason,
                    causes: Vec::new(),
                    requested_by: actor,
                    timestamp: time,
                }),
                9..=12 => OperatorAct::CancelAll { fund_id: Some(fund_id), actor },
                13..=16 => OperatorAct::Flatten { fund_id: Some(fund_id), actor },
                17..=22 => OperatorAct::Reconcile { broker: None, actor },
                23..=30 => {
                    let strategy_id = StrategyId::new("by-hand")?;
                    OperatorAct::Submit { fund_id, strategy_id, request: Box::new(request), actor }
                }
                31..=36 => {
                    let Some(record) = core.state().orders().find(|record| record.state.is_working()) else {
                        return Ok(None);
                    };
                    OperatorAct::Cancel { order_id: record.order.order_id.clone(), actor }
                }
                _ => return Ok(None),
            }
        };
        Ok(Some(Input::Operator { act, time }))
    }

    /// What comes out of nowhere at the venues, and to our clock.
    pub(crate) fn mischief(&mut self) -> Result<(), InvalidId> {
        for venue in 0..self.links.len() {
            self.mischief_at(venue)?;
        }
        if self.faults.strikes(Fault::ClockJump) {
            let by = self.net.between(1, 3_600);
            self.skew += Duration::from_secs(by);
        }
        Ok(())
    }

    fn mischief_at(&mut self, venue: usize) -> Result<(), InvalidId> {
        let now = self.now;
        let [foreign, by_hand, forgets, bust, correction, wrong] = [
            Fault::ForeignOrder,
            Fault::ManualTrade,
            Fault::VenueForgets,
            Fault::Bust,
            Fault::Correction,
            Fault::WrongSnapshot,
        ]
        .map(|fault| self.faults.strikes(fault));
        let symbols = self.setup.symbols.clone();
        let Some(symbol) = self.net.pick(&symbols).cloned() else { return Ok(()) };
        let (units, pause, price) =
            (Decimal::from(self.net.between(1, 50)), self.millis(500, 160_000), self.price_of(&symbol));
        let executions = self.links.get(venue).map_or(0, |link| link.venue.executions.len());
        let number = self.net.index(executions);
        if foreign {
            let Some(link) = self.links.get_mut(venue) else { return Ok(()) };
            let place = link.venue.take_foreign(symbol.clone(), Side::Buy, units)?;
            let (fills, later) = (self.net.chance(300), self.millis(60_000, 100_000));
            if fills {
                self.after(later, Happening::Execute { venue, order: place, ended: false });
            }
        }
        if by_hand {
            self.excuse(venue, &symbol, None);
            if let Some(link) = self.links.get_mut(venue) {
                link.venue.trade_by_hand(&symbol, units, price);
            }
        }
        if forgets {
            self.forget_orders(venue);
        }
        if wrong && let Some(link) = self.links.get_mut(venue) {
            link.wrong = Some((now.plus(pause), symbol.clone(), units));
        }
        if bust {
            let event = self.links.get_mut(venue).and_then(|link| link.venue.bust(number));
            self.repent(venue, number, event);
        }
        if correction {
            let event = self.links.get_mut(venue).and_then(|link| {
                let price = link.venue.executions.get(number)?.price + Decimal::ONE;
                link.venue.correct(number, price)
            });
            self.repent(venue, number, event);
        }
        self.maybe_break(venue);
        Ok(())
    }

    /// A trade was annulled or changed after the fact.
    fn repent(&mut self, venue: usize, number: usize, event: Option<mts_foundation::BrokerEvent>) {
        let order = self.links.get(venue).and_then(|link| {
            link.venue
                .orders
                .get(link.venue.executions.get(number)?.order)
                .map(|order| (order.symbol.clone(), order.order_id.clone()))
        });
        let (Some(event), Some((symbol, order_id))) = (event, order) else { return };
        self.excuse(venue, &symbol, Some(&order_id));
        self.publish(venue, event);
    }

    fn forget_orders(&mut self, venue: usize) {
        let Some(link) = self.links.get_mut(venue) else { return };
        for order in link.venue.orders.iter_mut().filter(|order| order.is_open()) {
            order.state = OrderState::Canceled;
            order.forgotten = true;
            self.excuses.orders.insert(order.order_id.clone());
        }
    }

    /// The connection may break.
    fn maybe_break(&mut self, venue: usize) {
        let (broken, lost) = (self.faults.strikes(Fault::Disconnect), self.faults.strikes(Fault::LostGap));
        let pause = self.millis(500, 40_000);
        let now = self.now;
        let Some(link) = self.links.get_mut(venue) else { return };
        if (broken || lost) && link.connected {
            link.connected = false;
            link.session = link.session.saturating_add(1);
            link.broken_at = now;
            link.gap |= lost;
            self.after(pause, Happening::Reconnect { venue });
        }
    }
}
