//! The simulated world: a clock that jumps from one happening to the next, and everything that can happen.

use crate::check::{Checker, Excuses};
use crate::disk::Snapshot;
use crate::faults::{Fault, Faults};
use crate::plant::Plant;
use crate::random::Random;
use crate::setup::{BEGIN, CASH, Setup, SetupError, Size};
use crate::venue::Venue;
use mts_engine::{GateAnswer, Input, LookUp};
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome, OrderRef, SubmitOutcome};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::reconcile::AccountSnapshot;
use mts_foundation::{Decimal, Order, OrderId, Symbol, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

/// Milliseconds as a duration.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The answer to a call, on its way back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Submitted(OrderId, Box<SubmitOutcome>),
    Canceled(OrderId, CancelOutcome),
    LookedUp(OrderId, Box<LookUp>),
    /// Of the venue at this place; `None` = the question failed.
    Account(usize, Option<Box<AccountSnapshot>>),
    Gates(OrderId, GateAnswer),
}

/// Something the venue's stream brings.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// A place in its history.
    Past(usize),
    /// Something that has no place there.
    Now(Box<BrokerEvent>),
}

/// What an order meets on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) answer_lost: bool,
    pub(crate) late: bool,
    pub(crate) rejected: bool,
    pub(crate) hidden: bool,
    pub(crate) same_id: bool,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// Prices move.
    Market,
    /// A strategy decides.
    Decide,
    /// Something unforeseen, or an operator.
    Mischief,
    /// An order arrives at a venue.
    SubmitArrives { venue: usize, order: Box<Order>, fate: Fate },
    /// A cancellation arrives at a venue.
    CancelArrives { venue: usize, reference: Box<BrokerOrderRef>, answer_lost: bool },
    /// The question for an order arrives at a venue.
    LookUpArrives { venue: usize, order_id: OrderId, reference: OrderRef },
    /// The question for an account arrives at a venue.
    SnapshotArrives { venue: usize, stale: bool },
    /// An answer arrives at the process of this number.
    Answered { process: u32, answer: Answer },
    /// An order fills; `ended` = although it has ended.
    Execute { venue: usize, order: usize, ended: bool },
    /// The stream of this session brings something.
    Stream { venue: usize, session: u32, item: Item },
    /// A connection is back.
    Reconnect { venue: usize },
    /// The process of this number makes its inputs durable.
    Commit { process: u32 },
    /// The trading day ends, and another begins.
    NextDay,
    /// The process starts again.
    Restart,
    /// A person settles what nobody can find out.
    Settle,
    /// The end, unless it was put off since.
    Finish { number: u32 },
}

#[derive(Debug, Clone)]
struct Entry {
    time: Timestamp,
    number: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

/// A venue and the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) venue: Venue,
    pub(crate) connected: bool,
    /// Changes with every connection and process, so that what belongs to an earlier one is dropped.
    pub(crate) session: u32,
    pub(crate) broken_at: Timestamp,
    /// When the last thing of the stream arrives: the next comes later.
    pub(crate) last_arrival: Timestamp,
    /// What is older than this place in the history cannot be had any more.
    pub(crate) available_from: usize,
    /// The engine must be told that something is lost for ever.
    pub(crate) gap: bool,
    /// What an outdated cache shows.
    pub(crate) old: Option<Box<AccountSnapshot>>,
    /// A wrong position that is shown, and until when.
    pub(crate) wrong: Option<(Timestamp, Symbol, Decimal)>,
    /// How often each fill was delivered, for planted bugs.
    pub(crate) delivered: usize,
}

/// What is written down of a run: a hash always, lines on demand.
#[derive(Debug, Clone)]
pub struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    fn new(lines: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: lines.then(Vec::new) }
    }

    /// Adds numbers to the hash (FNV-1a, eight bytes at a time).
    pub(crate) fn fold(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
    }

    /// Adds a line, where lines are kept.
    pub(crate) fn line(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(text());
        }
    }

    /// The hash so far: the same for the same run.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Everything goes wrong that can.
    Storm,
    /// Nothing goes wrong any more; what is unclear becomes clear.
    Calm,
    /// Over.
    Over,
}

/// Everything but the process under test. It can be copied, so that a run can go on in many ways.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) setup: Rc<Setup>,
    pub(crate) size: Size,
    pub(crate) plant: Option<Plant>,
    pub(crate) faults: Faults,
    /// What strategies and operators want.
    pub(crate) load: Random,
    /// How long things take.
    pub(crate) net: Random,
    /// Where the disk tears.
    pub(crate) luck: Random,
    /// Groups, algorithms, and people who looked at the venue.
    pub(crate) kin: Random,
    /// For what asynchronous gates say.
    pub(crate) opinions: Random,
    /// Whether there are any of these.
    pub(crate) has_families: bool,
    /// It is a day of a number of orders, after which a person takes over what nobody can explain.
    pub(crate) day: bool,
    pub(crate) now: Timestamp,
    /// Our clock minus the true one.
    pub(crate) skew: Duration,
    pub(crate) links: Vec<Link>,
    pub(crate) prices: Vec<Decimal>,
    pub(crate) check: Checker,
    pub(crate) excuses: Excuses,
    pub(crate) trace: Trace,
    pub(crate) stage: Stage,
    /// How slowly strategies, prices and trouble follow each other.
    pub(crate) pace: u32,
    /// Things that happened.
    pub(crate) steps: u32,
    /// Things after which it becomes calm.
    pub(crate) limit: u32,
    /// Number of the process, from 1.
    pub(crate) process: u32,
    pub(crate) commit_due: bool,
    /// What the dead process left on its disk.
    pub(crate) image: Option<Vec<u8>>,
    /// The snapshots beside it, the newest last.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Times that a process began from one.
    pub(crate) from_snapshots: u32,
    /// State hash of the process when it died, where all of it was durable.
    pub(crate) left: Option<[u8; 32]>,
    /// Orders that strategies may try to cancel though they ended.
    pub(crate) known_orders: Vec<OrderId>,
    /// Times that a gap for ever was told to a process that lives on.
    pub(crate) gaps: u32,
    /// Times that the process died.
    pub(crate) deaths: u32,
    /// Times that the end was fixed or put off.
    pub(crate) ends: u32,
    queue: BinaryHeap<Reverse<Entry>>,
    numbers: u64,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        (size, asked): (Size, bool),
        plant: Option<Plant>,
        faults: Faults,
        limit: u32,
        lines: bool,
    ) -> Result<Self, SetupError> {
        let setup = Setup::drawn(seed, (size, asked), plant)?;
        let mut net = Random::new(seed, 3);
        let links = setup
            .brokers
            .iter()
            .zip(&setup.facts)
            .enumerate()
            .map(|(place, (name, facts))| {
                let funds = setup.funds.iter().filter(|fund| fund.venue == place).count();
                let cash = CASH * Decimal::from(funds);
                let fee = if net.chance(500) { Decimal::new(1, 2) } else { Decimal::ZERO };
                Ok(Link {
                    venue: Venue::new(name.clone(), facts.client_id_dedupe, fee, cash)?,
                    connected: true,
                    session: 0,
                    broken_at: BEGIN,
                    last_arrival: BEGIN,
                    available_from: 0,
                    gap: false,
                    old: None,
                    wrong: None,
                    delivered: 0,
                })
            })
            .collect::<Result<Vec<Link>, SetupError>>()?;
        let pace = net.pick(&[1, 1, 2, 5, 12]).copied().unwrap_or(1);
        let prices = setup
            .symbols
            .iter()
            .map(|_| Decimal::from(net.between(1_000, 10_000)) / Decimal::ONE_HUNDRED)
            .collect();
        let books = setup.books();
        Ok(Self {
            setup: Rc::new(setup),
            size,
            plant,
            faults,
            load: Random::new(seed, 4),
            net,
            luck: Random::new(seed, 5),
            has_families: Random::new(seed, 9).chance(600),
            kin: Random::new(seed, 8),
            opinions: Random::new(seed, 14),
            day: false,
            now: BEGIN,
            skew: Duration::ZERO,
            links,
            prices,
            check: Checker::new(plant == Some(Plant::Silent), books),
            excuses: Excuses::default(),
            trace: Trace::new(lines),
            stage: Stage::Storm,
            pace: if size == Size::Small { 1 } else { pace },
            steps: 0,
            limit,
            process: 0,
            commit_due: false,
            image: None,
            snapshots: Vec::new(),
            from_snapshots: 0,
            left: None,
            known_orders: Vec::new(),
            gaps: 0,
            deaths: 0,
            ends: 0,
            queue: BinaryHeap::new(),
            numbers: 0,
        })
    }

    /// Lets something happen after a pause.
    pub(crate) fn after(&mut self, pause: Duration, what: Happening) {
        let time = self.now.plus(pause);
        self.numbers = self.numbers.saturating_add(1);
        self.queue.push(Reverse(Entry { time, number: self.numbers, what }));
    }

    /// When the next thing happens.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        self.queue.peek().map(|Reverse(entry)| entry.time)
    }

    /// The next thing; the clock moves to it.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        let Reverse(entry) = self.queue.pop()?;
        self.now = self.now.max(entry.time);
        Some(entry.what)
    }

    /// A drawn number of milliseconds.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        ms(self.net.between(low, high))
    }

    /// A pause between two things of the same kind, by the pace of this world.
    pub(crate) fn beat(&mut self, low: u64, high: u64) -> Duration {
        self.millis(low, high) * self.pace
    }

    /// Answers the process that lives now.
    pub(crate) fn answer(&mut self, pause: Duration, answer: Answer) {
        let process = self.process;
        self.after(pause, Happening::Answered { process, answer });
    }

    /// Place of the venue of this name.
    pub(crate) fn place_of(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.venue.name.as_str() == name)
    }

    /// The price of an instrument now.
    pub(crate) fn price_of(&self, symbol: &Symbol) -> Decimal {
        let place = self.setup.symbols.iter().position(|known| known == symbol);
        place.and_then(|place| self.prices.get(place)).copied().unwrap_or(Decimal::TEN)
    }

    /// Puts an event into the venue's history and onto its way, in order unless events overtake each other.
    pub(crate) fn publish(&mut self, venue: usize, event: BrokerEvent) {
        let now = self.now;
        let dropped = self.faults.strikes(Fault::EventDropped);
        let Some(link) = self.links.get_mut(venue) else { return };
        if dropped && let BrokerEvent::Fill { fill, .. } = &event {
            self.excuses.dropped.insert(fill.fill_id.clone());
        }
        let past = link.venue.tell(now, event);
        if link.connected {
            let overtakes = self.faults.strikes(Fault::Reordered);
            if !dropped {
                self.send_along(venue, Item::Past(past), overtakes);
            }
        }
    }

    /// Puts something onto the stream; what overtakes need not wait for what was sent before, and arrives late.
    pub(crate) fn send_along(&mut self, venue: usize, item: Item, overtakes: bool) {
        let pause = if overtakes { self.millis(500, 3_000) } else { self.millis(1, 40) };
        let now = self.now;
        let Some(link) = self.links.get_mut(venue) else { return };
        let mut arrival = now.plus(pause);
        if !overtakes {
            arrival = arrival.max(link.last_arrival);
            link.last_arrival = arrival;
        }
        let session = link.session;
        self.after(arrival.since(now), Happening::Stream { venue, session, item });
    }

    /// Whether a run goes on as planned with this much happened.
    pub(crate) fn is_storm(&self) -> bool {
        self.stage == Stage::Storm
    }

    /// The books of this venue cannot agree in an instrument.
    pub(crate) fn excuse(&mut self, venue: usize, symbol: &Symbol, order_id: Option<&OrderId>) {
        self.excuses.positions.insert((venue, symbol.clone()));
        self.excuses.cash.insert(venue);
        self.excuses.orders.extend(order_id.cloned());
    }

    /// An input for an answer that arrived at `time`.
    pub(crate) fn input_of(&self, answer: Answer, time: Timestamp) -> Option<Input> {
        use mts_engine::AccountAnswer;
        Some(match answer {
            Answer::Submitted(order_id, outcome) => Input::Submitted { order_id, outcome: *outcome, time },
            Answer::Canceled(order_id, outcome) => Input::Canceled { order_id, outcome, time },
            Answer::LookedUp(order_id, answer) => Input::LookedUp { order_id, answer: *answer, time },
            Answer::Account(venue, snapshot) => {
                let broker = self.setup.brokers.get(venue)?.clone();
                let answer = match snapshot {
                    Some(snapshot) => AccountAnswer::Seen(snapshot),
                    None => AccountAnswer::Failed { message: "no answer".to_owned() },
                };
                Input::AccountSeen { broker, answer, time }
            }
            Answer::Gates(order_id, answer) => {
                Input::GateAnswered { order_id, answer, failures: Vec::new(), time }
            }
        })
    }
}
