//! What strategies want beyond single orders, groups and algorithms, and what operators do that needs a look at the venue.
//! All of it is drawn from a stream of its own, so that worlds without it stay what they were.

use crate::process::Simulation;
use crate::setup::Fund;
use crate::world::World;
use mts_engine::Core;
use mts_engine::input::{Input, OperatorAct, VolumeUpdate};
use mts_foundation::algorithm::{
    Algorithm, AlgorithmRequest, AlmgrenChriss, AtEnd, ChildType, Iceberg, ImplementationShortfall, Pov,
    Twap, Vwap,
};
use mts_foundation::contingent::{Contingency, OrderGroup};
use mts_foundation::ids::InvalidId;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    ActorId, Decimal, IdempotencyKey, OrderRecord, OrderType, Side, Symbol, TimeInForce, Timestamp,
};

/// Most open orders of a fund with which its strategies still begin a group or an algorithm.
const ENOUGH: usize = 20;

/// A price some thousandths above or below another, on the tick.
fn moved(price: Decimal, thousandths: i64) -> Decimal {
    (price * Decimal::from(1_000 + thousandths) / Decimal::ONE_THOUSAND).round_dp(2).max(Decimal::ONE)
}

fn limit(symbol: &Symbol, side: Side, quantity: Decimal, price: Decimal) -> OrderRequest {
    OrderRequest {
        order_type: OrderType::Limit,
        limit_price: Some(price),
        ..OrderRequest::market(symbol.clone(), side, quantity)
    }
}

fn stop(symbol: &Symbol, side: Side, quantity: Decimal, price: Decimal) -> OrderRequest {
    OrderRequest {
        order_type: OrderType::Stop,
        stop_price: Some(price),
        ..OrderRequest::market(symbol.clone(), side, quantity)
    }
}

impl World {
    /// A group or an algorithm, now and then.
    pub(crate) fn family(
        &mut self,
        core: &Core,
        fund: &Fund,
        time: Timestamp,
    ) -> Result<Option<Command>, InvalidId> {
        if !self.has_families {
            return Ok(None);
        }
        let setup = self.setup.clone();
        let [kind, way, units] =
            [self.kin.between(0, 999), self.kin.between(0, 5), self.kin.between(10, 400)];
        let (grows, at_once) = (self.kin.chance(700), self.kin.chance(600));
        let Some(symbol) = self.kin.pick(&setup.symbols).cloned() else { return Ok(None) };
        let Some(book) = core.state().ledger().fund(&fund.fund_id) else { return Ok(None) };
        if kind >= 220 || book.working_count() >= ENOUGH {
            return Ok(None);
        }
        let held = book.positions().quantity(&symbol);
        let short =
            held < Decimal::ZERO || (held.is_zero() && fund.envelope.enable_shorting && units % 3 == 0);
        let (opens, closes) = if short { (Side::Short, Side::Cover) } else { (Side::Buy, Side::Sell) };
        let grows = grows || held.is_zero();
        let units = Decimal::from(units);
        let name = format!("{}-{}-{}", fund.fund_id, time.nanos(), core.state().inputs());
        if kind < 130 {
            let (side, units) = if grows { (opens, units) } else { (closes, units.min(held.abs())) };
            let mut group = self.group(&symbol, (opens, closes), (side, units), way, at_once);
            group.idempotency_key = Some(IdempotencyKey::new(format!("group-{name}"))?);
            return Ok(Some(Command::Group(group)));
        }
        let (side, units) = if grows { (opens, units + units) } else { (closes, held.abs()) };
        let mut asked = self.algorithm(&symbol, side, units, way);
        asked.parent.idempotency_key = Some(IdempotencyKey::new(format!("worked-{name}"))?);
        if at_once {
            asked.at_end = AtEnd::Send;
        }
        Ok(Some(Command::Algorithm(asked)))
    }

    fn group(
        &self,
        symbol: &Symbol,
        (opens, closes): (Side, Side),
        (side, units): (Side, Decimal),
        way: u64,
        at_once: bool,
    ) -> OrderGroup {
        let price = self.price_of(symbol);
        // Thousandths in the direction that a gain has.
        let toward = |side: Side, by: i64| {
            moved(price, if side == Side::Buy || side == Side::Cover { by } else { -by })
        };
        match way {
            0 | 1 if side == closes => {
                // A way out with a gain and one with a loss.
                let gain = limit(symbol, closes, units, toward(closes, -20));
                let loss = stop(symbol, closes, units, toward(closes, 20));
                OrderGroup::one_cancels_other(vec![gain, loss])
            }
            0 => {
                let cheap = limit(symbol, opens, units, toward(opens, -10));
                let chase = stop(symbol, opens, units, toward(opens, 10));
                OrderGroup::one_cancels_other(vec![cheap, chase])
            }
            1 => {
                let then = vec![limit(symbol, closes, units, toward(opens, 15))];
                OrderGroup::one_triggers_other(OrderRequest::market(symbol.clone(), opens, units), then)
            }
            _ => {
                let entry = if at_once {
                    OrderRequest::market(symbol.clone(), opens, units)
                } else {
                    limit(symbol, opens, units, toward(opens, 2))
                };
                let mut group = OrderGroup::bracket(entry, toward(opens, 20), toward(opens, -20));
                if way == 2
                    && let Contingency::Bracket { exits, .. } = &mut group.contingency
                {
                    exits.stop_limit = Some(toward(opens, -30));
                    exits.tif = TimeInForce::Day;
                }
                group
            }
        }
    }

    fn algorithm(&mut self, symbol: &Symbol, side: Side, units: Decimal, way: u64) -> AlgorithmRequest {
        let minutes = u32::try_from(self.kin.between(1, 3)).unwrap_or(1);
        let slices = u32::try_from(self.kin.between(2, 9)).unwrap_or(2);
        let child = self.kin.pick(&[ChildType::Limit, ChildType::MarketableLimit, ChildType::Market]);
        let child_order_type = child.copied().unwrap_or(ChildType::Market);
        let algorithm = match way {
            0 => Algorithm::Twap(Twap {
                horizon_minutes: minutes,
                n_slices: slices,
                child_order_type,
                ..Twap::default()
            }),
            1 => Algorithm::Vwap(Vwap { horizon_minutes: minutes, child_order_type, ..Vwap::default() }),
            2 => Algorithm::Pov(Pov { max_horizon_minutes: minutes, child_order_type, ..Pov::default() }),
            3 => Algorithm::Iceberg(Iceberg {
                display_qty: Decimal::from(30),
                refill_threshold: Decimal::from(10),
                limit_price: self.price_of(symbol),
            }),
            4 => Algorithm::AlmgrenChriss(AlmgrenChriss {
                horizon_minutes: minutes,
                child_order_type,
                ..AlmgrenChriss::default()
            }),
            _ => Algorithm::ImplementationShortfall(ImplementationShortfall {
                max_horizon_minutes: minutes,
                child_order_type,
                ..ImplementationShortfall::default()
            }),
        };
        AlgorithmRequest::new(OrderRequest::market(symbol.clone(), side, units), algorithm)
    }

    /// Volume that the market traded, where anybody follows it.
    pub(crate) fn volumes(&mut self, time: Timestamp) -> Option<Input> {
        if !self.has_families {
            return None;
        }
        let symbols = self.setup.symbols.clone();
        let volumes = symbols
            .into_iter()
            .map(|symbol| VolumeUpdate { symbol, units: Decimal::from(self.kin.between(0, 2_000)) })
            .collect();
        Some(Input::Volumes { time, volumes })
    }

    /// An order that has no venue any more, as a person finds on the venue's own screen: it is not there, or has ended; the
    /// latter only helps where the venue lied.
    pub(crate) fn is_gone(&self, record: &OrderRecord) -> bool {
        let key = &record.order.idempotency_key;
        let lied = self.excuses.orders.contains(&record.order.order_id);
        !self.links.iter().any(|link| {
            let order = link.venue.find_key(key).and_then(|place| link.venue.orders.get(place));
            order.is_some_and(|order| order.is_open() || (!order.forgotten && !lied))
        })
    }

    /// What a person does who has looked at the venue: takes over what was traded by hand, settles what is not there.
    fn person(&mut self, core: &Core) -> Result<Option<OperatorAct>, InvalidId> {
        let (adopts, settles, actor) = (self.kin.chance(60), self.kin.chance(60), ActorId::new("bob")?);
        if !self.has_families {
            return Ok(None);
        }
        let reason = "seen on the venue's own screen".to_owned();
        if adopts {
            for account in core.accounts() {
                let Some(place) = self.place_of(account.broker.as_str()) else { continue };
                // Only what is known to come from elsewhere: the rest may be a fill on its way.
                let by_hand = |symbol: &Symbol| self.excuses.positions.contains(&(place, symbol.clone()));
                let found = account.unexplained.iter().find(|found| by_hand(&found.symbol));
                let fund = self.setup.funds.iter().find(|fund| fund.venue == place);
                if let (Some(found), Some(fund)) = (found, fund) {
                    return Ok(Some(OperatorAct::Adopt {
                        broker: account.broker.clone(),
                        fund_id: fund.fund_id.clone(),
                        symbol: found.symbol.clone(),
                        actor,
                        reason,
                    }));
                }
            }
        }
        let unknown = |record: &&OrderRecord| record.state == mts_foundation::OrderState::Unknown;
        if settles
            && let Some(record) = core.state().orders().filter(unknown).find(|record| self.is_gone(record))
        {
            return Ok(Some(OperatorAct::Settle { order_id: record.order.order_id.clone(), actor, reason }));
        }
        Ok(None)
    }
}

impl Simulation {
    /// A person may do something.
    pub(crate) fn feed_person(&mut self) -> Result<(), InvalidId> {
        let act = match &self.driver {
            Some(driver) => self.world.person(driver.core())?,
            None => None,
        };
        if let Some(act) = act {
            let time = self.clock();
            self.feed(Input::Operator { act, time });
        }
        Ok(())
    }
}
