//! The engine: the loop of the core's thread.

use super::brokers::{self, Calls, Venue};
use super::clock::{JumpWatch, SteadyClock};
use super::feed;
use super::gates::{self, Questions};
use super::handles::WaitingCall;
use super::lanes::{Handle, LANE, MarketMessage, Message};
use super::stats::{LiveStats, Told};
use super::traders::{Cause, TraderSeat};
use crate::core::{Core, State};
use crate::shell::Trader;
use crate::shell::conflation::Conflation;
use crate::shell::driver::{Driver, DriverError};
use crate::shell::sessions::Sessions;
use mts_foundation::broker::BrokerError;
use mts_foundation::calendar::CalendarError;
use mts_foundation::event::Event;
use mts_foundation::journal::Journal;
use mts_foundation::market_data::DynDataFeed;
use mts_foundation::risk::{DynAsyncRiskGate, SessionPhase};
use mts_foundation::{
    ActorId, BrokerName, Clock, Decimal, Fill, MarketCalendar, Order, OrderId, OrderRecord, OrderState, Side,
    Symbol, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

/// How the engine waits and gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRules {
    /// Longest wait for a broker's answer; after it the outcome is unknown.
    pub call_deadline: Duration,
    /// Longest wait for the asynchronous gates to answer about an order; after it the order is refused.
    pub gate_deadline: Duration,
    /// A feed may be silent for so long while the market is open.
    pub feed_silence: Duration,
    /// A strategy may think for so long before people are told.
    pub strategy_deadline: Duration,
    /// Most inputs of one commit.
    pub largest_group: u64,
    /// Longest wait of a strategy that talks with its broker for what became of its order; 30 seconds as documented.
    pub order_within: Duration,
    /// An error of a strategy ends the engine (the documented `halt_on_error`).
    pub halt_on_error: bool,
    /// The engine ends when its feeds have ended: for replays.
    pub end_with_feed: bool,
    /// Longest wait for answers and last decisions at the end.
    pub drain_within: Duration,
    /// Records between two snapshots, which shorten the next start; 0 keeps none.
    pub snapshot_every: u64,
}

impl Default for LiveRules {
    fn default() -> Self {
        Self {
            call_deadline: Duration::from_secs(30),
            gate_deadline: Duration::from_secs(30),
            feed_silence: Duration::from_secs(60),
            strategy_deadline: Duration::from_secs(5),
            largest_group: 256,
            order_within: Duration::from_secs(30),
            halt_on_error: false,
            end_with_feed: false,
            drain_within: Duration::from_secs(5),
            snapshot_every: 100_000,
        }
    }
}

/// A kill switch outside of the engine, such as a file: it is looked at before anything new leaves.
pub trait KillFlag: Send {
    /// Why and by whom, while it is set.
    fn wanted(&mut self) -> Option<(String, ActorId)>;
    /// The kill is durable in the journal: the flag is no longer needed.
    fn taken(&mut self);
}

/// What an engine is made of.
pub struct LiveParts<J> {
    /// The core, at its beginning.
    pub core: Core,
    /// The journal; its first record is there already.
    pub journal: J,
    /// The clocks of the machine: the time of day, which may be set, and the monotonic one.
    pub clock: Arc<dyn Clock>,
    /// The brokers of the funds.
    pub venues: BTreeMap<BrokerName, Venue>,
    /// Who is asked about orders that open or grow a position, of any fund, in this order; none unless the core's
    /// [`CoreConfig::async_gates`](crate::CoreConfig::async_gates) is on. They run on the engine's runtime and must not block it.
    pub gates: Vec<Arc<dyn DynAsyncRiskGate>>,
    /// Where data comes from.
    pub feeds: Vec<Box<dyn DynDataFeed>>,
    /// The strategies and their funds.
    pub traders: Vec<Trader>,
    /// Sessions, where the market has any.
    pub calendar: Option<&'static MarketCalendar>,
    /// How to wait and give up.
    pub rules: LiveRules,
    /// A kill switch that somebody else can set, where there is one.
    pub kill_flag: Option<Box<dyn KillFlag>>,
    /// Is told what happens, on the core's thread: it must be quick.
    pub observe: Box<dyn FnMut(Told<'_>) + Send>,
}

impl<J> std::fmt::Debug for LiveParts<J> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LiveParts")
            .field("venues", &self.venues)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Why an engine ends other than by being told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// Core or journal refuse; what worked was asked to be cancelled.
    #[error("{0}; the cancellation of {cancels} working orders was sent", cancels = .1)]
    Driver(DriverError, usize),
    /// The journal cannot be replayed.
    #[error(transparent)]
    Recovery(DriverError),
    /// The calendar does not cover today.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// A simulated venue cannot be restored.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A fund's broker is not there.
    #[error("fund {fund} trades at {broker}, and the engine has no such broker; add it")]
    NoBroker {
        /// Which fund.
        fund: String,
        /// Which broker.
        broker: BrokerName,
    },
    /// The core asks and nobody would answer.
    #[error(
        "async_gates is on and the engine has no asynchronous gate; add one, or set async_gates to false"
    )]
    NoGates,
    /// The engine has gates that nobody would ask.
    #[error(
        "the engine has asynchronous gates and async_gates is off, so that nothing would be asked; set it to true"
    )]
    GatesUnasked,
    /// Threads or the runtime cannot be started.
    #[error("the system gives no threads: {0}")]
    Threads(#[from] std::io::Error),
    /// A strategy failed and `halt_on_error` is set.
    #[error("strategy {strategy} failed, and halt_on_error is set: {message}")]
    Strategy {
        /// Which.
        strategy: String,
        /// What it said.
        message: String,
    },
    /// `run` without `connect`.
    #[error("the engine is not connected; call connect before run")]
    NotConnected,
}

/// Stops an engine from anywhere, also from a signal's thread; any number of times.
#[derive(Debug, Clone)]
pub struct Stopper {
    lane: mpsc::WeakSender<Message>,
    stop: watch::Sender<bool>,
}

impl Stopper {
    /// Asks the engine to end in order. It does so also when no data comes.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        if let Some(lane) = self.lane.upgrade() {
            // With a full lane the flag above is seen after the next batch.
            lane.try_send(Message::Stop).ok();
        }
    }
}

/// The live engine.
pub struct LiveEngine<J> {
    pub(super) driver: Driver<J>,
    pub(super) clock: Arc<SteadyClock>,
    pub(super) jumps: JumpWatch,
    pub(super) venues: BTreeMap<BrokerName, Venue>,
    pub(super) feeds: Vec<Box<dyn DynDataFeed>>,
    pub(super) feeds_left: usize,
    pub(super) waiting_traders: Vec<Trader>,
    pub(super) seats: Vec<TraderSeat>,
    pub(super) sessions: Sessions,
    pub(super) rules: LiveRules,
    pub(super) kill_flag: Option<Box<dyn KillFlag>>,
    pub(super) observe: Box<dyn FnMut(Told<'_>) + Send>,
    pub(super) stats: LiveStats,
    pub(super) conflation: Conflation,
    pub(super) calls: BTreeMap<BrokerName, Calls>,
    pub(super) gates: gates::Gates,
    /// The way to the gates, once they are connected.
    pub(super) questions: Option<Questions>,
    /// Orders that are asked about; no more than the core lets wait.
    pub(super) asking: BTreeSet<OrderId>,
    /// Orders that were handed over and not answered; no more than the queues hold.
    pub(super) leaving: BTreeSet<OrderId>,
    /// Answers of full queues and what ended the last wait, taken with the next batch.
    pub(super) refused: Vec<Message>,
    /// What ended the last wait.
    pub(super) held_market: Vec<MarketMessage>,
    /// Operators that wait for their act to be durable.
    pub(super) replies: Vec<(oneshot::Sender<Vec<Event>>, Vec<Event>)>,
    /// Strategies that wait for an order.
    pub(super) waiting_calls: Vec<WaitingCall>,
    pub(super) lane: mpsc::Sender<Message>,
    pub(super) inbox: mpsc::Receiver<Message>,
    pub(super) market_lane: mpsc::Sender<MarketMessage>,
    pub(super) market_inbox: mpsc::Receiver<MarketMessage>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) fills: Vec<Fill>,
    pub(super) memories: Vec<Option<Vec<u8>>>,
    pub(super) stopping: bool,
    pub(super) failed_strategy: Option<(String, String)>,
    // Last, so that tasks end after what they use.
    pub(super) runtime: Runtime,
}

impl<J> std::fmt::Debug for LiveEngine<J> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LiveEngine").field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl<J: Journal> LiveEngine<J> {
    /// Replays the journal from its newest snapshot on; nothing is connected yet. Not to be called inside an asynchronous runtime: the engine has its own.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn new(parts: LiveParts<J>) -> Result<Self, LiveError> {
        let LiveParts {
            core,
            journal,
            clock,
            venues,
            gates,
            feeds,
            traders,
            calendar,
            rules,
            kill_flag,
            mut observe,
        } = parts;
        match (core.config().async_gates, gates.is_empty()) {
            (true, true) => return Err(LiveError::NoGates),
            (false, false) => return Err(LiveError::GatesUnasked),
            _ => {}
        }
        for fund in &core.config().funds {
            let broker = &fund.config.broker;
            if !venues.contains_key(broker) {
                return Err(LiveError::NoBroker {
                    fund: fund.config.fund_id.to_string(),
                    broker: broker.clone(),
                });
            }
        }
        let simulated = venues.values().any(|venue| venue.simulated().is_some());
        let mut fills = Vec::new();
        let driver = Driver::recover(core, journal, &mut |_, output| {
            // Only a simulated venue has to be told what it did.
            if simulated {
                fills.extend(output.events.iter().filter_map(|event| match event {
                    Event::FillCreated { fill, .. } => Some(fill.clone()),
                    _ => None,
                }));
            }
        })
        .map_err(LiveError::Recovery)?
        .with_snapshots(rules.snapshot_every);
        if let Some(reason) = &driver.beginning().passed_over {
            observe(Told::Notice(&format!("{reason}; the journal was replayed from its start")));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("mts-io")
            .enable_all()
            .build()?;
        let (lane, inbox) = mpsc::channel(LANE);
        let (market_lane, market_inbox) = mpsc::channel(LANE);
        let (stop, _) = watch::channel(false);
        Ok(Self {
            clock: Arc::new(SteadyClock::new(Arc::clone(&clock), driver.core().state().now())),
            jumps: JumpWatch::new(clock),
            driver,
            venues,
            feeds_left: feeds.len(),
            feeds,
            memories: vec![None; traders.len()],
            waiting_traders: traders,
            seats: Vec::new(),
            sessions: Sessions::new(calendar),
            rules,
            kill_flag,
            observe,
            stats: LiveStats::default(),
            conflation: Conflation::default(),
            calls: BTreeMap::new(),
            gates: gates.into(),
            questions: None,
            asking: BTreeSet::new(),
            leaving: BTreeSet::new(),
            refused: Vec::new(),
            held_market: Vec::new(),
            replies: Vec::new(),
            waiting_calls: Vec::new(),
            lane,
            inbox,
            market_lane,
            market_inbox,
            stop,
            fills,
            stopping: false,
            failed_strategy: None,
            runtime,
        })
    }

    /// The way in for operators.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { lane: self.lane.downgrade() }
    }

    /// The way to end it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { lane: self.lane.downgrade(), stop: self.stop.clone() }
    }

    /// The core, for who looks before or after the run.
    #[must_use]
    pub fn core(&self) -> &Core {
        self.driver.core()
    }

    /// The engine's time, which does not go back: for servers that belong to it.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// How it is.
    #[must_use]
    pub fn stats(&self) -> &LiveStats {
        &self.stats
    }

    /// The runtime of calls and feeds, for servers that belong to the engine.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Starts brokers, feeds and strategies. Does nothing when it was called before.
    ///
    /// # Errors
    /// [`LiveError`]; what was started ends with the engine.
    pub fn connect(&mut self) -> Result<(), LiveError> {
        if self.stats.running {
            return Ok(());
        }
        let now = self.now();
        self.restore_venues(now)?;
        let _inside = self.runtime.enter();
        for (name, venue) in &self.venues {
            let cursor = self.driver.core().state().cursor(name).cloned();
            let stop = self.stop.subscribe();
            let calls = brokers::start(name, venue, cursor, self.rules.call_deadline, &self.lane, &stop);
            self.calls.insert(name.clone(), calls);
        }
        let asked = Arc::clone(&self.gates);
        self.questions = Some(gates::start(asked, self.rules.gate_deadline, self.clock(), self.lane.clone()));
        let first = self.driver.core().state().counters().sessions == 0;
        for (index, Trader { strategy, fund_id }) in
            std::mem::take(&mut self.waiting_traders).into_iter().enumerate()
        {
            let memory = self.driver.core().state().memory(&fund_id, strategy.id()).map(<[u8]>::to_vec);
            let begins = first && memory.is_none();
            if let Some(slot) = self.memories.get_mut(index) {
                *slot = memory;
            }
            let funds = &self.driver.core().config().funds;
            let fund = funds.iter().find(|fund| fund.config.fund_id == fund_id);
            let broker = fund.map(|fund| fund.config.broker.clone());
            let mut seat = TraderSeat::start(index, strategy, (fund_id, broker), self.lane.clone())?;
            if begins {
                seat.queue(Cause::Start);
            }
            self.seats.push(seat);
        }
        for feed in std::mem::take(&mut self.feeds) {
            tokio::spawn(feed::draw(feed, self.market_lane.clone(), self.stop.subscribe()));
        }
        self.stats.running = true;
        Ok(())
    }

    /// Gives simulated venues back what they knew.
    fn restore_venues(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let state = self.driver.core().state();
        let begun = state.inputs() > 0;
        let fills = match self.driver.beginning().from {
            0 => std::mem::take(&mut self.fills),
            _ => from_the_books(state, std::mem::take(&mut self.fills)),
        };
        for (name, venue) in &self.venues {
            let at = |record: &&OrderRecord| record.order.broker == *name;
            let Some(simulated) = venue.simulated() else {
                // One that waits for its gates has never left.
                let left = |record: &&OrderRecord| {
                    !matches!(record.state, OrderState::Created | OrderState::PendingRisk)
                };
                let kept: Vec<Order> =
                    state.orders().filter(at).filter(left).map(|record| record.order.clone()).collect();
                venue.broker().recall(&kept);
                continue;
            };
            let open: Vec<OrderRecord> = state
                .orders()
                .filter(at)
                // Without an id of the venue it was never known to have arrived: it is asked for, and sent again.
                .filter(|record| record.state.is_working() && record.order.broker_order_id.is_some())
                .filter(|record| !state.is_worked(&record.order.order_id))
                .cloned()
                .collect();
            let cash: Decimal = state.ledger().funds().map(|(_, book)| book.cash()).sum();
            simulated.set_time(now);
            if self.sessions.calendar().is_some() {
                let phase = match self.sessions.open_now(now)? {
                    Some(_) => SessionPhase::Regular,
                    None => SessionPhase::Closed,
                };
                simulated.on_session(phase, now);
            }
            if begun {
                simulated.restore(&open, &fills, cash)?;
            }
        }
        Ok(())
    }

    /// Trades until it is stopped, its feeds end (where the rules say so), or something fails that must end it.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn run(&mut self) -> Result<LiveStats, LiveError> {
        if !self.stats.running {
            return Err(LiveError::NotConnected);
        }
        let ended = self.trade();
        let ended = match ended {
            Ok(()) => self.finish(),
            Err(error) => Err(error),
        };
        self.stats.running = false;
        self.stop.send_replace(true);
        let ended = match ended {
            Err(LiveError::Driver(error, _)) => {
                let cancels = self.drain();
                Err(LiveError::Driver(error, cancels))
            }
            other => other,
        };
        self.close_brokers();
        ended.map(|()| self.stats.clone())
    }

    /// The driver, for who looks at the journal after the run.
    pub fn driver(&self) -> &Driver<J> {
        &self.driver
    }
}

/// What a simulated venue is told where the replay began at a snapshot: for each instrument one fill that stands for all
/// before, so that with the fills since then it holds what the books say.
fn from_the_books(state: &State, since: Vec<Fill>) -> Vec<Fill> {
    let mut before: BTreeMap<Symbol, (Decimal, Decimal)> = BTreeMap::new();
    for (symbol, holding) in state.ledger().funds().flat_map(|(_, book)| book.positions().iter()) {
        let (units, price) = before.entry(symbol.clone()).or_default();
        *units = units.saturating_add(holding.quantity);
        *price = holding.average_price;
    }
    for fill in &since {
        let (units, price) = before.entry(fill.symbol.clone()).or_default();
        *units = units.saturating_sub(fill.side.signed(fill.quantity));
        *price = if price.is_zero() { fill.price } else { *price };
    }
    let time = since.iter().map(|fill| fill.timestamp).min().unwrap_or_else(|| state.now());
    let stand_in = |(symbol, (units, price)): (Symbol, (Decimal, Decimal))| {
        let side = if units > Decimal::ZERO { Side::Buy } else { Side::Short };
        let id = format!("carried-{symbol}");
        // Nothing is held: no fill stands for it.
        Fill::new(&id, &id, symbol.as_str(), side, units.abs(), price, time).ok()
    };
    before.into_iter().filter_map(stand_in).chain(since).collect()
}
