//! Reconciliation (reliability.md R16): a day of orders whose events are dropped, doubled and reordered, then two processes
//! that begin again, each on its own, and have to come to the venue's truth in the same way.

use crate::case::Case;
use crate::check::Violation;
use crate::plant::Plant;
use crate::process::{Fork, SimError, Simulation};
use crate::random::Random;
use crate::scenario::{Failure, Totals};
use crate::venue::{Resting, Venue};
use crate::world::{Stage, World};
use mts_engine::input::{Input, OperatorAct};
use mts_engine::shell::driver::Driver;
use mts_foundation::{ActorId, Decimal, FundId, OrderId, Symbol};
use std::collections::{BTreeMap, BTreeSet};

/// Orders of a day.
pub(crate) const ORDERS: u64 = 500;

/// Runs a day, and begins again twice from what it left.
///
/// # Errors
/// [`SimError`]: a mistake in the simulation.
pub fn day(seed: u64, plant: Option<Plant>, totals: &mut Totals) -> Result<Option<Failure>, SimError> {
    let case = Case::day(seed);
    let fail = |violation| Ok(Some(Failure { case: case.clone(), violation }));
    let mut simulation = case.begin(plant, false)?;
    let Some(left) = simulation.storm()? else {
        let shown = simulation.run()?;
        return shown.violation.map_or(Ok(None), fail);
    };
    let mut ways = Vec::new();
    for way in 0..2 {
        let mut again = Simulation::after_death(left.clone(), seed);
        if way == 1 {
            // Everything takes another time, and this process dies while it reconciles.
            again.world.net = Random::new(seed, 10);
            again.dies_in = Some(Random::new(seed, 11).between(10, 60));
        }
        let shown = again.run()?;
        totals.add(&shown);
        if let Some(violation) = shown.violation {
            return fail(violation);
        }
        if let Some(what) = again.differs() {
            return fail(Violation { promise: "P2", time: again.world.now, what });
        }
        totals.adopted += u64::from(again.incidents().get("POSITION_ADOPTED").copied().unwrap_or(0));
        ways.push(again);
    }
    // What one of them could still have from the venue's history needs no stand-in there.
    let came: BTreeSet<OrderId> = ways.iter().flat_map(|way| way.orders_with_lost_fills(true)).collect();
    let lost: BTreeSet<OrderId> = &simulation.orders_with_lost_fills(false) - &came;
    // What goes on filling is seen by each of them at another size.
    let grew: BTreeSet<OrderId> = ways.iter().flat_map(|way| way.orders_filled_since(&simulation)).collect();
    let lost = &lost - &grew;
    let ids: Vec<BTreeSet<String>> = ways.iter().map(|way| way.world.check.stand_ins(&lost)).collect();
    totals.stand_ins += ids.iter().map(|ids| ids.len() as u64).sum::<u64>();
    if ids.first() != ids.last() {
        let what = format!("two restarts made different stand-ins: {ids:?}");
        return fail(Violation { promise: "P4", time: simulation.world.now, what });
    }
    Ok(None)
}

impl Simulation {
    /// Runs until it becomes calm; the world as a process leaves it that dies then. `None` where a promise was broken, or no
    /// process was alive.
    fn storm(&mut self) -> Result<Option<Fork>, SimError> {
        while self.world.stage == Stage::Storm && self.world.check.violations.is_empty() {
            self.step()?;
        }
        let image = self.driver.as_ref().map(|driver| driver.journal().image(0));
        let clean = self.world.check.violations.is_empty();
        Ok(image.filter(|_| clean).map(|image| Fork { world: self.world.clone(), image, left: None }))
    }

    /// Ends the storm after the day's orders.
    pub(crate) fn is_evening(&self) -> bool {
        let orders = self.driver.as_ref().map_or(0, |driver| driver.core().state().counters().orders);
        self.world.day && orders >= ORDERS
    }

    /// Orders with fills whose event was left out; with those alone that came after all, or with all.
    fn orders_with_lost_fills(&self, came: bool) -> BTreeSet<OrderId> {
        let World { links, excuses, check, .. } = &self.world;
        let lost = links.iter().map(|link| &link.venue).flat_map(|venue| {
            let lost = venue.executions.iter().filter(|done| {
                excuses.dropped.contains(&done.fill_id) && (!came || check.is_booked(&done.fill_id))
            });
            lost.filter_map(|done| venue.orders.get(done.order)).map(|order| order.order_id.clone())
        });
        lost.collect()
    }

    /// Orders that have filled at their venues since another moment of the same world.
    fn orders_filled_since(&self, before: &Self) -> BTreeSet<OrderId> {
        let pairs = self.world.links.iter().zip(&before.world.links);
        let orders = pairs.flat_map(|(now, then)| {
            let since = now.venue.executions.iter().skip(then.venue.executions.len());
            since.filter_map(|done| now.venue.orders.get(done.order)).map(|order| order.order_id.clone())
        });
        orders.collect()
    }

    /// A person takes over what the venue holds and nobody can explain: fills of orders that had ended, whose events are lost.
    /// Any other difference stays, and is found.
    pub(crate) fn adopt_all(&mut self) -> Result<(), SimError> {
        let Some(driver) = self.driver.as_ref().filter(|_| self.world.day) else { return Ok(()) };
        let owner = |broker: &str| -> Option<FundId> {
            let place = self.world.place_of(broker)?;
            self.world.setup.funds.iter().find(|fund| fund.venue == place).map(|fund| fund.fund_id.clone())
        };
        let venues: Vec<&Venue> = self.world.links.iter().map(|link| &link.venue).collect();
        let lost = self.world.check.lost_for_good(driver.core(), &venues, &self.world.excuses).positions;
        let mut acts = Vec::new();
        for account in driver.core().accounts() {
            let broker = account.broker.as_str();
            let (Some(place), Some(fund_id)) = (self.world.place_of(broker), owner(broker)) else { continue };
            let by_loss = |symbol: &Symbol| lost.contains(&(place, symbol.clone()));
            for found in account.unexplained.iter().filter(|found| by_loss(&found.symbol)) {
                acts.push(OperatorAct::Adopt {
                    broker: account.broker.clone(),
                    fund_id: fund_id.clone(),
                    symbol: found.symbol.clone(),
                    actor: ActorId::new("ann")?,
                    reason: "the venue's own screen shows it".to_owned(),
                });
            }
        }
        for act in acts {
            let time = self.clock();
            if !self.feed(Input::Operator { act, time }) {
                break;
            }
        }
        Ok(())
    }

    /// Whether positions or open orders are not those of the venues at the end of a day, in words.
    fn differs(&self) -> Option<String> {
        let core = self.driver.as_ref().map(Driver::core)?;
        let state = core.state();
        for (place, link) in self.world.links.iter().enumerate() {
            let funds = self.world.setup.funds.iter().filter(|fund| fund.venue == place);
            let books: Vec<_> = funds.filter_map(|fund| state.ledger().fund(&fund.fund_id)).collect();
            if books.is_empty() {
                continue;
            }
            for symbol in &self.world.setup.symbols {
                let ours: Decimal = books.iter().map(|book| book.positions().quantity(symbol)).sum();
                let theirs = link.venue.positions.get(symbol).copied().unwrap_or_default();
                if ours != theirs {
                    return Some(format!("{} holds {theirs} {symbol}, the books {ours}", link.venue.name));
                }
            }
        }
        let open = |order: &&Resting| order.is_open() && order.key.is_some();
        let venues = self.world.links.iter().flat_map(|link| &link.venue.orders);
        let theirs: BTreeMap<&OrderId, Decimal> =
            venues.filter(open).map(|order| (&order.order_id, order.remaining())).collect();
        let ours: BTreeMap<&OrderId, Decimal> = state
            .orders()
            .filter(|record| record.state.is_working() && !state.is_worked(&record.order.order_id))
            .map(|record| (&record.order.order_id, record.remaining()))
            .collect();
        (ours != theirs).then(|| format!("open at the venues are {theirs:?}, in the books {ours:?}"))
    }
}
