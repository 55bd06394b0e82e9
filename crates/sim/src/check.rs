//! What must hold, judged from outside: from what was sent, what the venue knows, what was told and what is in the books. None
//! of it asks the engine whether the engine is right.

use crate::families::Families;
use crate::setup::Setup;
use crate::venue::Venue;
use mts_engine::Core;
use mts_foundation::num::as_written;
use mts_foundation::{
    Decimal, Event, FillId, FundId, IdempotencyKey, Order, OrderId, OrderRecord, OrderState, Symbol,
    Timestamp,
};
use mts_portfolio::Books;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A promise (reliability.md §3) that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub promise: &'static str,
    /// When.
    pub time: Timestamp,
    /// What was seen.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} broken at {}: {}", self.promise, self.time, self.what)
    }
}

/// What the world did that the books cannot agree with, because it was a lie or is lost for ever: there the engine must tell
/// the difference, everywhere else there must be none.
#[derive(Debug, Clone, Default)]
pub struct Excuses {
    /// Instruments by place of their venue.
    pub positions: BTreeSet<(usize, Symbol)>,
    /// Places of venues.
    pub cash: BTreeSet<usize>,
    /// Orders about which something untrue was said.
    pub orders: BTreeSet<OrderId>,
    /// Until when events of a venue may be lost for ever, by its place.
    pub lossy_until: BTreeMap<usize, Timestamp>,
    /// Fills of which the event was left out.
    pub dropped: BTreeSet<FillId>,
}

/// The checkers and what they remember.
#[derive(Debug, Clone, Default)]
pub struct Checker {
    /// Broken promises, in order.
    pub violations: Vec<Violation>,
    /// Incidents by code.
    pub incidents: BTreeMap<String, u32>,
    sent: BTreeMap<OrderId, (Timestamp, IdempotencyKey)>,
    by_key: BTreeMap<IdempotencyKey, OrderId>,
    booked: BTreeMap<FillId, u32>,
    replaced: BTreeSet<String>,
    held: BTreeMap<(FundId, Symbol), Decimal>,
    touched: BTreeMap<OrderId, Timestamp>,
    /// Orders that were compared with the limits when they were made: what other inputs of the instant do to the books is
    /// not their doing.
    judged: BTreeSet<OrderId>,
    /// Children and what they are children of.
    parents: BTreeMap<OrderId, OrderId>,
    cash_told: BTreeMap<String, Decimal>,
    /// Orders that asynchronous gates were asked about, and whether they ever let them pass.
    considered: BTreeMap<OrderId, bool>,
    /// The kill switch is on, and everything that was decided before has left.
    killed: bool,
    journal_failed: bool,
    deaf: bool,
    /// The fund's books, which hear the same events.
    books: Books,
    /// As they were before the first.
    unwritten: Books,
    /// Orders that belong together.
    pub families: Families,
}

impl Checker {
    /// Checkers; deaf ones hear no incidents (a planted bug).
    #[must_use]
    pub fn new(deaf: bool, books: Books) -> Self {
        Self { deaf, unwritten: books.clone(), books, ..Self::default() }
    }

    /// Notes a broken promise.
    pub fn broken(&mut self, promise: &'static str, time: Timestamp, what: String) {
        self.violations.push(Violation { promise, time, what });
    }

    /// The journal failed: nothing new may leave before the restart.
    pub fn journal_failed(&mut self) {
        self.journal_failed = true;
    }

    /// Asynchronous gates were asked about an order.
    pub fn considered(&mut self, order_id: &OrderId, passed: bool) {
        *self.considered.entry(order_id.clone()).or_default() |= passed;
    }

    /// An order leaves (P1, P3, P5). `at_risk` = records that a loss of power would take, `dedupes` = the venue refuses a second
    /// order with the same key.
    pub fn sends(&mut self, now: Timestamp, order: &Order, at_risk: u64, dedupes: bool) {
        let id = &order.order_id;
        if at_risk > 0 {
            self.broken("P1", now, format!("order {id} leaves while {at_risk} records are not durable"));
        }
        if self.journal_failed {
            self.broken("P5", now, format!("order {id} leaves after the journal failed"));
        }
        if self.considered.get(id) == Some(&false) {
            self.broken("P3", now, format!("order {id} leaves, and no asynchronous gate let it pass"));
        }
        let closes = order.thesis.as_deref() == Some("close position");
        if self.sent.contains_key(id) && self.killed && !closes {
            self.broken("P3", now, format!("order {id} leaves again after the kill"));
        }
        if self.sent.contains_key(id) && !dedupes {
            self.broken("P1", now, format!("order {id} leaves twice for a venue that does not dedupe"));
        }
        let owner = self.by_key.entry(order.idempotency_key.clone()).or_insert_with(|| id.clone());
        if owner != id {
            let what = format!("orders {owner} and {id} leave for one intent, {}", order.idempotency_key);
            self.broken("P1", now, what);
        }
        self.sent.entry(id.clone()).or_insert_with(|| (now, order.idempotency_key.clone()));
    }

    /// Everything that was durable has left; whether the kill switch was on by then.
    pub fn has_left(&mut self, killed: bool) {
        self.killed = killed;
    }

    /// A venue took an order (P1).
    pub fn taken(&mut self, now: Timestamp, venue: &Venue, key: &IdempotencyKey) {
        let times = venue.taken(key);
        if times > 1 {
            self.broken("P1", now, format!("{} took {times} orders with key {key}", venue.name));
        }
    }

    /// An event that is durable; `now` is the engine's time.
    pub fn heard(&mut self, event: &Event, now: Timestamp) {
        if let Err(error) = self.books.apply(event) {
            self.broken("P2", now, error.to_string());
        }
        match event {
            Event::FillCreated { fund_id, fill, .. } => {
                let times = self.booked.entry(fill.fill_id.clone()).or_default();
                *times += 1;
                if *times > 1 {
                    let what = format!("fill {} is booked {times} times", fill.fill_id);
                    self.broken("P2", fill.timestamp, what);
                }
                let held = self.held.entry((fund_id.clone(), fill.symbol.clone())).or_default();
                *held += fill.side.signed(fill.quantity);
                // It counts for the order that an algorithm works, too.
                if let Some(parent) = self.parents.get(&fill.order_id) {
                    self.touched.insert(parent.clone(), now);
                }
                self.touched.insert(fill.order_id.clone(), now);
            }
            Event::OrderCreated(record)
            | Event::OrderAccepted(record)
            | Event::OrderRejected(record)
            | Event::OrderCanceled(record)
            | Event::OrderExpired(record)
            | Event::OrderUnknown(record) => {
                if let Some(parent) = &record.parent {
                    self.parents.insert(record.order.order_id.clone(), parent.clone());
                    self.touched.insert(parent.clone(), now);
                }
                self.touched.insert(record.order.order_id.clone(), now);
            }
            Event::Incident { code, message, .. } if !self.deaf => {
                *self.incidents.entry(code.to_string()).or_default() += 1;
                self.families.heard(message);
                let mut words = message.split_whitespace();
                match code.as_str() {
                    "SYNTHETIC_FILL_REPLACED" => {
                        self.replaced.extend(words.nth(1).map(str::to_owned));
                    }
                    "CASH_DIFFERS" => {
                        let broker = words.nth(3).unwrap_or_default().to_owned();
                        let mut amounts = words.filter_map(|word| {
                            word.trim_matches(|c| c == ',' || c == ';').parse::<Decimal>().ok()
                        });
                        if let (Some(theirs), Some(ours)) = (amounts.next(), amounts.next()) {
                            self.cash_told.insert(broker, theirs - ours);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The process begins again: everything durable will be heard once more.
    pub fn restarts(&mut self) {
        self.incidents.clear();
        self.booked.clear();
        self.books = self.unwritten.clone();
        self.replaced.clear();
        self.held.clear();
        self.cash_told.clear();
        self.journal_failed = false;
        self.families.restarts();
    }

    /// Whether incidents are not heard, so that nothing can be said about what was told.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// The journal was replayed: what left before must be known (P1, P4).
    pub fn recovered(&mut self, now: Timestamp, core: &Core, memory: Duration) {
        self.has_left(core.risk().killed().is_some());
        let lost: Vec<OrderId> = self
            .sent
            .iter()
            .filter(|(id, (time, _))| now.since(*time) < memory && core.state().order(id).is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            self.broken("P1", now, format!("order {id} left and is not known after the restart"));
        }
    }

    /// Orders were made by the last input: none may pass a limit (P3). All sums are made anew, order by order.
    pub fn limits(&mut self, core: &Core, setup: &Setup) {
        let state = core.state();
        let now = state.now();
        let fresh: Vec<&OrderRecord> = state
            .orders()
            .filter(|record| {
                record.state == OrderState::Submitting
                    && record.order.submitted_at == Some(now)
                    && !self.sent.contains_key(&record.order.order_id)
                    && !self.judged.contains(&record.order.order_id)
            })
            .collect();
        for record in &fresh {
            // Getting out passes the limits on what is open, so what was made after this order does not count for it.
            let later = |other: &OrderRecord| {
                number(other) > number(record)
                    && fresh.iter().any(|one| one.order.order_id == other.order.order_id)
            };
            for what in passed(core, setup, record, &self.families, later) {
                self.broken("P3", now, what);
            }
        }
        let judged: Vec<OrderId> = fresh.iter().map(|record| record.order.order_id.clone()).collect();
        self.judged.extend(judged);
    }

    /// Nothing goes wrong any more and everything had time to be found out (P2).
    pub fn quiet(&mut self, core: &Core, setup: &Setup, venues: &[&Venue], excuses: &Excuses) {
        let now = core.state().now();
        let mut broken = Vec::new();
        let excuses = &self.lost_for_good(core, venues, excuses);
        self.fills(core, venues, excuses, &mut broken);
        for (place, venue) in venues.iter().enumerate() {
            self.books(core, setup, (place, venue), excuses, &mut broken);
            orders(core, venue, excuses, &mut broken);
        }
        // What the venue lies about may stay open, and be told, for ever.
        let lied_about = excuses.orders.iter().filter_map(|id| core.state().order(id));
        let may_stay = lied_about.filter(|record| record.state.is_working()).count();
        let open = core.state().sizes().inquiries;
        if open > may_stay {
            broken.push(format!("{open} orders are still asked for, {may_stay} of them with a reason"));
        }
        for (fund_id, book) in core.state().ledger().funds() {
            for symbol in &setup.symbols {
                let told = self.held.get(&(fund_id.clone(), symbol.clone())).copied().unwrap_or_default();
                let held = book.positions().quantity(symbol);
                if told != held {
                    broken.push(format!("fund {fund_id} holds {held} {symbol}, its fills add up to {told}"));
                }
            }
        }
        broken.extend(self.books.agree_with(core.state().ledger()).err().map(|error| error.to_string()));
        for what in broken {
            self.broken("P2", now, what);
        }
    }

    /// Adds what no engine could know: fills whose event is lost for ever and whose order had ended before.
    pub(crate) fn lost_for_good(&self, core: &Core, venues: &[&Venue], excuses: &Excuses) -> Excuses {
        let mut excuses = excuses.clone();
        for (place, venue) in venues.iter().enumerate() {
            let lossy = excuses.lossy_until.get(&place).copied();
            for execution in &venue.executions {
                let Some(order) = venue.orders.get(execution.order) else { continue };
                // Its order ended so long ago that it is not remembered: set aside, and told.
                let too_late = core.state().order(&order.order_id).is_none()
                    && self.incidents.contains_key("FILL_WITHOUT_ORDER");
                let lost = lossy.is_some_and(|until| execution.time <= until)
                    || excuses.dropped.contains(&execution.fill_id);
                if !(lost || too_late) || self.is_booked(&execution.fill_id) {
                    continue;
                }
                // The stand-in has no fees.
                excuses.cash.insert(place);
                let ended =
                    core.state().order(&order.order_id).is_none_or(|record| record.state.is_terminal());
                if ended {
                    excuses.positions.insert((place, order.symbol.clone()));
                    excuses.orders.insert(order.order_id.clone());
                }
            }
        }
        excuses
    }

    /// The fills that stood in for others of these orders.
    pub(crate) fn stand_ins(&self, orders: &BTreeSet<OrderId>) -> BTreeSet<String> {
        let made = self.booked.keys().map(FillId::as_str).chain(self.replaced.iter().map(String::as_str));
        let of_these = |id: &str| {
            let order = id.strip_prefix("synthetic-").and_then(|rest| rest.rsplit_once('-'));
            order.is_some_and(|(order, _)| orders.iter().any(|known| known.as_str() == order))
        };
        made.filter(|id| of_these(id)).map(str::to_owned).collect()
    }

    pub(crate) fn is_booked(&self, fill_id: &FillId) -> bool {
        self.booked.contains_key(fill_id) || self.replaced.contains(fill_id.as_str())
    }

    /// Every fill that was told truly is booked under its own id.
    fn fills(&self, core: &Core, venues: &[&Venue], excuses: &Excuses, broken: &mut Vec<String>) {
        for (place, venue) in venues.iter().enumerate() {
            let lossy = excuses.lossy_until.get(&place).copied();
            for execution in &venue.executions {
                let Some(order) = venue.orders.get(execution.order).filter(|order| order.key.is_some())
                else {
                    continue;
                };
                let lost = lossy.is_some_and(|until| execution.time <= until)
                    || excuses.dropped.contains(&execution.fill_id);
                let forgotten = core.state().order(&order.order_id).is_none();
                if lost || forgotten || excuses.orders.contains(&order.order_id) {
                    continue;
                }
                if !self.is_booked(&execution.fill_id) {
                    broken.push(format!(
                        "fill {} of order {} was told by {} and never booked",
                        execution.fill_id, order.order_id, venue.name
                    ));
                }
            }
        }
    }

    /// Positions and cash of the funds together are those of the account, or the difference is the one that was told.
    fn books(
        &self,
        core: &Core,
        setup: &Setup,
        (place, venue): (usize, &Venue),
        excuses: &Excuses,
        broken: &mut Vec<String>,
    ) {
        let funds: BTreeSet<&FundId> =
            setup.funds.iter().filter(|fund| fund.venue == place).map(|fund| &fund.fund_id).collect();
        if funds.is_empty() {
            return;
        }
        let books = || core.state().ledger().funds().filter(|(id, _)| funds.contains(id));
        let standing = core.accounts().find(|account| account.broker == venue.name);
        let Some(standing) = standing.filter(|standing| standing.reconciled.is_some()) else {
            broken.push(format!("the account at {} is not compared", venue.name));
            return;
        };
        for symbol in &setup.symbols {
            let ours: Decimal = books().map(|(_, book)| book.positions().quantity(symbol)).sum();
            let theirs = venue.positions.get(symbol).copied().unwrap_or_default();
            let told = standing.unexplained.iter().find(|found| found.symbol == *symbol);
            match told {
                None if ours == theirs => {}
                None => broken.push(format!(
                    "{} holds {theirs} {symbol}, the books {ours}, and nobody was told",
                    venue.name
                )),
                Some(found) if (found.ours, found.theirs) != (ours, theirs) => broken.push(format!(
                    "{} holds {theirs} {symbol}, the books {ours}; what was told is {} and {}",
                    venue.name, found.theirs, found.ours
                )),
                Some(_) if !excuses.positions.contains(&(place, symbol.clone())) => broken.push(format!(
                    "{} holds {theirs} {symbol}, the books {ours}, and the venue did nothing wrong",
                    venue.name
                )),
                Some(_) => {}
            }
        }
        let ours: Decimal = books().map(|(_, book)| book.cash()).sum();
        let by = venue.cash - ours;
        if by.abs() < Decimal::new(1, 4) {
            return;
        }
        if !excuses.cash.contains(&place) {
            broken.push(format!("{} has {} in cash, the books {ours}", venue.name, venue.cash));
            return;
        }
        let told = self.cash_told.get(venue.name.as_str()).copied().unwrap_or_default();
        // Less than one unit of money is not told.
        if !self.deaf && by.abs() >= Decimal::ONE && (by - told).abs() >= Decimal::TWO {
            broken.push(format!(
                "{} has {} in cash, the books {ours}; what was told is a difference of {told}",
                venue.name, venue.cash
            ));
        }
    }

    /// What the core remembers is bounded (P6).
    pub fn memory(&mut self, core: &Core, memory: Duration) {
        let state = core.state();
        let now = state.now();
        // A key is looked at again at most one memory after its order changed last, and timers come at least every minute.
        let window = memory * 2 + Duration::from_secs(120);
        let lately = self.touched.values().filter(|time| now.since(**time) < window).count();
        let counts = |state: OrderState| state.is_working() || state == OrderState::PendingRisk;
        let open = state.orders().filter(|record| counts(record.state)).count();
        let accounts = core.accounts().count();
        let bound = lately + open;
        for (name, size, bound) in [
            ("orders", state.sizes().orders, bound),
            ("keys", state.sizes().keys, bound),
            ("inquiries", state.sizes().inquiries, open),
            ("timers", state.sizes().timers, open + accounts + state.sizes().groups + state.sizes().closes),
            ("orders that wait", state.sizes().asked, open),
            ("cancels wanted", state.sizes().cancels_wanted, open),
            ("stand-ins", state.sizes().stand_ins, bound),
        ] {
            if size > bound {
                self.broken(
                    "P6",
                    now,
                    format!("{size} {name} are remembered, at most {bound} have a reason"),
                );
            }
        }
    }
}

/// Orders of the venue and of the books tell the same story.
fn orders(core: &Core, venue: &Venue, excuses: &Excuses, broken: &mut Vec<String>) {
    for order in venue.orders.iter().filter(|order| order.key.is_some()) {
        let Some(record) = core.state().order(&order.order_id) else { continue };
        if excuses.orders.contains(&order.order_id) {
            continue;
        }
        if record.filled != order.filled {
            broken.push(format!(
                "order {} is filled {} at {}, {} in the books",
                order.order_id, order.filled, venue.name, record.filled
            ));
        }
        if record.state.is_working() != order.is_open() {
            broken.push(format!(
                "order {} is {} at {}, {} in the books",
                order.order_id, order.state, venue.name, record.state
            ));
        }
    }
}

/// The number at the end of an order's id: orders are numbered in the order in which they are made.
fn number(record: &OrderRecord) -> u64 {
    record
        .order
        .order_id
        .as_str()
        .rsplit('-')
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(u64::MAX)
}

/// Limits that are passed now that this order works, in words.
fn passed(
    core: &Core,
    setup: &Setup,
    record: &OrderRecord,
    families: &Families,
    later: impl Fn(&OrderRecord) -> bool,
) -> Vec<String> {
    let order = &record.order;
    let ledger = core.state().ledger();
    let (Some(fund), Some(book)) =
        (setup.funds.iter().find(|fund| fund.fund_id == order.fund_id), ledger.fund(&order.fund_id))
    else {
        return vec![format!("order {} is of an unknown fund", order.order_id)];
    };
    let price = |symbol: &Symbol| ledger.mark_of(symbol).map(|mark| mark.price).unwrap_or_default();
    let working: Vec<&OrderRecord> = core
        .state()
        .orders()
        .filter(|other| other.state.is_working() && other.order.fund_id == order.fund_id && !later(other))
        // What an algorithm works is at the venue as its children.
        .filter(|other| !core.state().is_worked(&other.order.order_id))
        .collect();
    let units = |symbol: &Symbol, sign: i8| -> Decimal {
        // Of alternatives one can fill: the largest counts. Those beside this order count for nothing: what is larger than
        // what is left was asked to go (`Checker::alternatives`).
        let own = families.alternative(&order.idempotency_key);
        let (mut sum, mut largest) = (Decimal::ZERO, BTreeMap::new());
        let meant = |other: &&&OrderRecord| other.order.symbol == *symbol && other.order.side.sign() == sign;
        for other in working.iter().filter(meant) {
            match families.alternative(&other.order.idempotency_key) {
                Some(name) if own == Some(name) && other.order.order_id != order.order_id => {}
                Some(name) => {
                    let most: &mut Decimal = largest.entry(name).or_default();
                    *most = other.remaining().max(*most);
                }
                None => sum += other.remaining(),
            }
        }
        sum + largest.into_values().sum::<Decimal>()
    };
    let held = |symbol: &Symbol| book.positions().quantity(symbol);
    let (high, low) = (|s: &Symbol| held(s) + units(s, 1), |s: &Symbol| held(s) - units(s, -1));
    let id = &order.order_id;
    let mut found = Vec::new();
    let mut at_most = |what: &str, observed: Decimal, limit: Decimal| {
        if observed > limit {
            found.push(format!("with order {id} {what} can reach {observed}, the limit is {limit}"));
        }
    };
    let symbol = &order.symbol;
    if !order.side.is_opening() {
        // What closes may not go through zero, whatever else closes.
        let (closers, most) = match held(symbol) > Decimal::ZERO {
            true => (units(symbol, -1), held(symbol)),
            false => (units(symbol, 1), -held(symbol)),
        };
        at_most("what closes", closers, most);
        return found;
    }
    let nav = book.cash() + setup.symbols.iter().map(|symbol| held(symbol) * price(symbol)).sum::<Decimal>();
    let share = |part: f64| as_written(part).unwrap_or_default() * nav;
    let envelope = &fund.envelope;
    let worst = |symbol: &Symbol| high(symbol).abs().max(low(symbol).abs()) * price(symbol);
    let own = if order.side.sign() > 0 { high(symbol) } else { low(symbol) }.abs() * price(symbol);
    at_most("the position", own, share(envelope.max_position_pct));
    let gross: Decimal = setup.symbols.iter().map(worst).sum();
    at_most("gross exposure", gross, share(envelope.max_gross_exposure_pct));
    let net: Decimal = match order.side.sign() > 0 {
        true => setup.symbols.iter().map(|symbol| high(symbol) * price(symbol)).sum(),
        false => -setup.symbols.iter().map(|symbol| low(symbol) * price(symbol)).sum::<Decimal>(),
    };
    at_most("net exposure", net, share(envelope.max_net_exposure_pct));
    let value = order.limit_price.unwrap_or_else(|| price(symbol)) * order.quantity;
    at_most("its value", value, envelope.max_order_notional_usd);
    if let Some(limit) = envelope.max_order_qty {
        at_most("its quantity", order.quantity, limit);
    }
    if let Some(limit) = fund.limits.max_open_orders {
        at_most("the number of open orders", Decimal::from(working.len()), Decimal::from(limit));
    }
    if core.risk().killed().is_some() {
        found.push(format!("order {id} leaves under the kill switch"));
    }
    found
}
