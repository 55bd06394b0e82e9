//! Families of orders: the children of an order that an algorithm works, and the orders of a group. What strategies asked for
//! is noted where they ask; whose an order is follows from its key, which has the family's in front of its number.

use crate::check::{Checker, Excuses};
use crate::plant::Plant;
use crate::venue::{Resting, Venue};
use mts_engine::Core;
use mts_foundation::contingent::Contingency;
use mts_foundation::strategy::Command;
use mts_foundation::{
    Decimal, FundId, IdempotencyKey, Order, OrderId, OrderRecord, OrderState, Symbol, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the orders of a family are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// Children of an order of so many units.
    Children(Decimal),
    /// One cancels the other; each for so many units.
    Alternatives(Decimal),
    /// An entry, which has the first number, and exits of which one cancels the other.
    Bracket,
    /// Independent, but for when they are sent.
    Sequence,
}

#[derive(Debug, Clone)]
struct Family {
    bond: Bond,
    fund_id: FundId,
    symbol: Symbol,
    /// Somebody ended it, in part or whole: it need not protect anything any more.
    released: bool,
}

/// The families of a world, and what was done for them.
#[derive(Debug, Clone, Default)]
pub struct Families {
    known: BTreeMap<String, Family>,
    /// Whether there is a group among them.
    has_groups: bool,
    /// Orders of which the cancellation left.
    cancelled: BTreeSet<OrderId>,
    /// Families that an incident named.
    told: BTreeSet<String>,
}

/// The family's key and the order's number in it.
fn kin(key: &IdempotencyKey) -> Option<(&str, u32)> {
    let (family, number) = key.as_str().rsplit_once('#')?;
    Some((family, number.parse().ok()?))
}

impl Families {
    /// Notes what a strategy asks for. Families without a key of their own cannot be followed.
    pub(crate) fn asked(&mut self, fund_id: &FundId, commands: &[Command]) {
        for command in commands {
            let (key, bond, symbol) = match command {
                Command::Group(group) => {
                    let bond = match &group.contingency {
                        Contingency::OneCancelsOther { orders } => {
                            Bond::Alternatives(orders.first().map(|order| order.quantity).unwrap_or_default())
                        }
                        Contingency::OneTriggersOther { .. } => Bond::Sequence,
                        Contingency::Bracket { .. } => Bond::Bracket,
                    };
                    (&group.idempotency_key, bond, group.head().map(|order| order.symbol.clone()))
                }
                Command::Algorithm(asked) => {
                    let parent = &asked.parent;
                    let symbol = Some(parent.symbol.clone());
                    (&parent.idempotency_key, Bond::Children(parent.quantity), symbol)
                }
                Command::Close(symbol) => {
                    self.release(|family| family.fund_id == *fund_id && family.symbol == *symbol);
                    continue;
                }
                Command::Cancel(_) => {
                    // It may be an exit: then the group does not send it again.
                    self.release(|family| family.fund_id == *fund_id);
                    continue;
                }
                _ => continue,
            };
            self.has_groups |= matches!(command, Command::Group(_));
            if let (Some(key), Some(symbol)) = (key, symbol) {
                let family = Family { bond, fund_id: fund_id.clone(), symbol, released: false };
                self.known.insert(key.to_string(), family);
            }
        }
    }

    /// Somebody ended everything.
    pub(crate) fn release_all(&mut self) {
        self.release(|_| true);
    }

    fn release(&mut self, meant: impl Fn(&Family) -> bool) {
        for family in self.known.values_mut().filter(|family| meant(family)) {
            family.released = true;
        }
    }

    /// The cancellation of an order left.
    pub(crate) fn cancels(&mut self, order_id: &OrderId) {
        self.cancelled.insert(order_id.clone());
    }

    /// An incident was raised.
    pub(crate) fn heard(&mut self, message: &str) {
        let mut words = message.split_whitespace();
        if words.any(|word| word == "group")
            && let Some(key) = words.next()
        {
            self.told.insert(key.trim_end_matches([':', ',', ';']).to_owned());
        }
    }

    /// Everything durable will be heard once more.
    pub(crate) fn restarts(&mut self) {
        self.told.clear();
    }

    /// Units by which a planted bug makes an order larger on its way.
    pub(crate) fn planted(&self, plant: Option<Plant>, order: &Order) -> Decimal {
        let Some((name, number)) = kin(&order.idempotency_key) else { return Decimal::ZERO };
        let bond = self.known.get(name).map(|family| family.bond);
        match (plant, bond) {
            (Some(Plant::DoubleChildren), Some(Bond::Children(_))) => order.quantity,
            (Some(Plant::LargeExits), Some(Bond::Bracket)) if number > 1 => Decimal::TEN,
            _ => Decimal::ZERO,
        }
    }

    /// The key of the group in which this order is one of the alternatives.
    pub(crate) fn alternative<'a>(&self, key: &'a IdempotencyKey) -> Option<&'a str> {
        let (name, number) = kin(key)?;
        match self.known.get(name)?.bond {
            Bond::Alternatives(_) => Some(name),
            Bond::Bracket => (number > 1).then_some(name),
            Bond::Children(_) | Bond::Sequence => None,
        }
    }
}

/// Orders of a family at a venue, with their numbers.
fn members<'a>(venue: &'a Venue, name: &'a str) -> impl Iterator<Item = (u32, &'a Resting)> {
    venue.orders.iter().filter_map(move |order| {
        let (family, number) = kin(order.key.as_ref()?)?;
        (family == name).then_some((number, order))
    })
}

/// Units of an order that are filled or may still be; what a venue fills beyond an order, after its end or without a word
/// before it confirms a cancellation is its own doing.
fn claim(order: &Resting) -> Decimal {
    let filled = (order.filled - order.hidden_fills).min(order.quantity);
    if order.is_open() { order.quantity } else { filled }
}

impl Checker {
    /// A venue took an order: together with its family it is not more than was asked for (P3).
    pub(crate) fn family_taken(&mut self, now: Timestamp, venue: &Venue, order: &Resting) {
        let Some((name, number)) = order.key.as_ref().and_then(kin) else { return };
        let Some(bond) = self.families.known.get(name).map(|family| family.bond) else { return };
        let (what, found, bound) = match bond {
            Bond::Children(quantity) => {
                let claims = members(venue, name).map(|(_, order)| claim(order)).sum();
                ("the children together", claims, quantity)
            }
            Bond::Alternatives(quantity) => ("the alternative", order.quantity, quantity),
            Bond::Bracket if number > 1 => {
                let entries = members(venue, name).filter(|(number, _)| *number == 1);
                ("the exit", order.quantity, entries.map(|(_, entry)| entry.filled).sum())
            }
            Bond::Bracket | Bond::Sequence => return,
        };
        if found > bound {
            let id = &order.order_id;
            let what =
                format!("with order {id} of {name} {what} ask for {found}, {bound} are asked for or held");
            self.broken("P3", now, what);
        }
    }

    /// What was made durable has left: no alternative that is larger than what is left for it stands without having been
    /// asked to go (P3), also where the process died in between. What fills between that and the venue's hearing of it is the race, and not longer.
    pub(crate) fn alternatives(&mut self, core: &Core) {
        if !self.families.has_groups {
            return;
        }
        let mut groups: BTreeMap<&str, Vec<&OrderRecord>> = BTreeMap::new();
        let mut entered: BTreeMap<&str, Decimal> = BTreeMap::new();
        for record in core.state().orders() {
            let key = &record.order.idempotency_key;
            if let Some(name) = self.families.alternative(key) {
                groups.entry(name).or_default().push(record);
            } else if let Some((name, 1)) = kin(key) {
                entered.insert(name, record.filled);
            }
        }
        let mut found = Vec::new();
        for (name, records) in groups {
            let bond = self.families.known.get(name).map(|family| family.bond);
            let entered = match bond {
                Some(Bond::Alternatives(quantity)) => Some(quantity),
                _ => entered.get(name).copied(),
            };
            // An entry that is forgotten filled long ago.
            let Some(entered) = entered else { continue };
            let exited: Decimal = records.iter().map(|record| record.filled).sum();
            let left = (entered - exited).max(Decimal::ZERO);
            for record in records {
                let (id, open) = (&record.order.order_id, record.remaining());
                // What the venue has not confirmed cannot be cancelled yet.
                let stands = record.state.is_working()
                    && record.state != OrderState::Unknown
                    && record.order.broker_order_id.is_some();
                if stands && open > left && !self.families.cancelled.contains(id) {
                    found.push(format!(
                        "order {id} of {name} stands for {open}, {left} are left for it, and its cancellation never left"
                    ));
                }
            }
        }
        let now = core.state().now();
        for what in found {
            self.broken("P3", now, what);
        }
    }

    /// In the calm: what filled beyond the group was told, and so was what a bracket leaves without an exit (P7).
    pub(crate) fn families_quiet(&mut self, now: Timestamp, venues: &[&Venue], excuses: &Excuses) {
        if self.is_deaf() {
            return;
        }
        let late = self.incidents.contains_key("FILL_AFTER_END");
        let mut found = Vec::new();
        for (name, family) in &self.families.known {
            let orders: Vec<(u32, &Resting)> = venues.iter().flat_map(|venue| members(venue, name)).collect();
            let lied = orders.iter().any(|(_, order)| {
                order.forgotten
                    || order.hidden_fills > Decimal::ZERO
                    || order.filled > order.quantity
                    || excuses.orders.contains(&order.order_id)
            });
            let told = self.families.told.contains(name);
            if lied || told || matches!(family.bond, Bond::Children(_) | Bond::Sequence) {
                continue;
            }
            let entry = |number: u32| family.bond == Bond::Bracket && number == 1;
            let entered = match family.bond {
                Bond::Alternatives(quantity) => quantity,
                _ => orders.iter().filter(|(number, _)| entry(*number)).map(|(_, order)| order.filled).sum(),
            };
            let exits = || orders.iter().filter(|(number, _)| !entry(*number)).map(|(_, order)| order);
            let exited: Decimal = exits().map(|order| order.filled).sum();
            if exited > entered && !late {
                found.push(format!(
                    "alternatives of {name} filled {exited}, for {entered}, and nobody was told"
                ));
            }
            let bare = family.bond == Bond::Bracket && exited < entered;
            if bare && !family.released && !exits().any(|order| order.is_open()) {
                found.push(format!(
                    "the entry of {name} filled {entered}, its exits {exited}, none is open, and nobody was told"
                ));
            }
        }
        for what in found {
            self.broken("P7", now, what);
        }
    }
}
