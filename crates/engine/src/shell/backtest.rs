//! The back-test shell: one thread, simulated venue, time from the data.
//!
//! A session is: open (the core sends what waits), venue answers, closes enter the ledger, the venue fills, close,
//! strategies decide. Every step is an input in the journal before the next one depends on it; a run that was killed
//! anywhere goes on from the last input and ends in the same state.

use crate::core::{Core, CoreError, Progress, reference};
use crate::input::{Input, MarkUpdate, OperatorAct};
use crate::output::{Action, Output};
use crate::record::{INPUT_V1, RecordError, encode};
use crate::replay::{ReplayError, apply};
use crate::shell::{NotReady, ready};
use chrono::NaiveDate;
use mts_foundation::broker::{BrokerError, BrokerEventStream, SimulatedBroker};
use mts_foundation::calendar::CalendarError;
use mts_foundation::event::Event;
use mts_foundation::journal::{Journal, JournalError, JournalRecord};
use mts_foundation::market_data::{DynDataFeed, MarketDataError, MarketEvent};
use mts_foundation::risk::{ResumeRequest, SessionPhase};
use mts_foundation::strategy::{Commands, Strategy};
use mts_foundation::{
    ActorId, Bar, BrokerName, Decimal, Fill, FundId, MarketCalendar, OrderId, OrderRecord, OrderState,
    Session, Timestamp, View,
};
use std::task::{Context, Poll, Waker};

/// Inputs that may wait for the disk while no action depends on them.
const MAX_UNCOMMITTED: u64 = 256;

/// Why a run stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The journal refuses; nothing may go on without it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record cannot be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The journal's inputs are refused.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// An invariant of the core is broken.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] MarketDataError),
    /// The calendar does not cover the run.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The venue refuses to be restored or fails.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A part did not answer at once.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A strategy fails.
    #[error("strategy {strategy} failed on {date}: {message}")]
    Strategy {
        /// Which.
        strategy: String,
        /// Session date.
        date: NaiveDate,
        /// What it said.
        message: String,
    },
    /// Data lies on a day without a session.
    #[error(
        "the data has bars on {date}, which is no session of {calendar}; correct the data or the calendar"
    )]
    NoSession {
        /// The day.
        date: NaiveDate,
        /// The calendar.
        calendar: String,
    },
    /// The feed gives bars of a second instant of a session.
    #[error(
        "the feed gives bars of {first} and of {second} for one session; a back-test takes one batch of bars a session, such \
         as 1d"
    )]
    Intraday {
        /// The first instant.
        first: Timestamp,
        /// The second.
        second: Timestamp,
    },
    /// The feed gives what a back-test cannot take.
    #[error("the feed {feed} gives {what}; a back-test takes bars")]
    NotBars {
        /// Which feed.
        feed: String,
        /// What it gives.
        what: &'static str,
    },
}

/// Stands in for the operator (decision R9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorScript {
    /// Nobody resumes: a halt stays to the end of the run.
    None,
    /// Every halt of an earlier session that a limit caused is lifted in the next session, after the orders of its open have met it.
    ResumeNextSession {
        /// Under this name; it must be an operator of the risk machine.
        operator: ActorId,
    },
}

/// What a run goes through, for progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunProgress {
    /// The session that ended.
    pub date: NaiveDate,
    /// Inputs so far.
    pub inputs: u64,
}

/// One strategy and the fund it trades for.
pub struct Trader {
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// Its fund.
    pub fund_id: FundId,
}

impl std::fmt::Debug for Trader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Trader")
            .field("strategy", self.strategy.id())
            .field("fund_id", &self.fund_id)
            .finish()
    }
}

/// The parts of a back-test.
pub struct Backtest<'a> {
    /// The core, at its beginning.
    pub core: Core,
    /// The journal; its first record is there already.
    pub journal: &'a mut dyn Journal,
    /// The venue.
    pub venue: &'a dyn SimulatedBroker,
    /// The strategies, in the order in which they decide.
    pub traders: Vec<Trader>,
    /// Sessions.
    pub calendar: &'a MarketCalendar,
    /// First session that trades; data before it warms strategies up.
    pub start: NaiveDate,
    /// Last session that trades.
    pub end: NaiveDate,
    /// Stands in for the operator.
    pub script: OperatorScript,
}

impl std::fmt::Debug for Backtest<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Backtest")
            .field("start", &self.start)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// What a finished run leaves.
#[derive(Debug)]
pub struct RunEnd {
    /// The core in its last state.
    pub core: Core,
    /// Inputs taken from the journal of an earlier, interrupted run.
    pub replayed: u64,
    /// The last session that was traded.
    pub last_session: Option<NaiveDate>,
}

/// Events of the present session that strategies have not seen yet, and the venue's fills, gathered while the journal
/// of an interrupted run is replayed.
#[derive(Default)]
struct Recovered {
    inputs: u64,
    fills: Vec<Fill>,
}

struct Runner<'a, 'p> {
    run: Backtest<'a>,
    output: Output,
    buffer: Vec<u8>,
    uncommitted: u64,
    broker: BrokerName,
    /// The date and time of the last batch of bars.
    last_batch: Option<(NaiveDate, Timestamp)>,
    /// What happened between the closes of the last two sessions: strategies see it when they decide.
    told: Vec<Event>,
    /// What happened since the last close; strategies see it at the next.
    unseen: Vec<Event>,
    /// Strategies still lack the memory that an interrupted run journalled.
    recovering: bool,
    progress: &'p mut dyn FnMut(RunProgress),
    observe: &'p mut dyn FnMut(&Event),
}

impl Backtest<'_> {
    /// Runs from where the journal ends to the end of the data or of the run.
    ///
    /// # Errors
    /// [`RunError`]; the journal holds everything up to it, and the same run can be started again.
    pub fn run(
        self,
        feed: &mut dyn DynDataFeed,
        progress: &mut dyn FnMut(RunProgress),
    ) -> Result<RunEnd, RunError> {
        self.run_observed(feed, progress, &mut |_| {})
    }

    /// The same for somebody who is told every event as it happens. Events of inputs that the journal held already are
    /// not told again, so that who alerts does so once.
    ///
    /// # Errors
    /// As [`Backtest::run`].
    pub fn run_observed(
        self,
        feed: &mut dyn DynDataFeed,
        progress: &mut dyn FnMut(RunProgress),
        observe: &mut dyn FnMut(&Event),
    ) -> Result<RunEnd, RunError> {
        let broker = self.venue.name().parse().map_err(CoreError::Id)?;
        let mut runner = Runner {
            run: self,
            output: Output::default(),
            buffer: Vec::new(),
            uncommitted: 0,
            broker,
            last_batch: None,
            told: Vec::new(),
            unseen: Vec::new(),
            recovering: false,
            progress,
            observe,
        };
        let recovered = runner.recover()?;
        runner.recovering = recovered.inputs > 0;
        let replayed = recovered.inputs;
        let venue = runner.run.venue;
        ready(venue.connect())??;
        runner.restore_venue(&recovered)?;
        let mut events = venue.events(None);
        drain(&mut events, &mut Vec::new())?;
        ready(feed.start())??;
        while let Some(event) = ready(feed.next())?? {
            let (time, bars) = match event {
                MarketEvent::Bars { time, bars } => (time, bars),
                MarketEvent::Quote(_) => return Err(runner.not_bars(feed, "quotes")),
                MarketEvent::Trade(_) => return Err(runner.not_bars(feed, "trades")),
                MarketEvent::Gap { .. } | MarketEvent::Stale { .. } => {
                    return Err(runner.not_bars(feed, "gaps"));
                }
                MarketEvent::Recovered { .. } => continue,
            };
            if !runner.bars(time, &bars, &mut events)? {
                break;
            }
        }
        ready(feed.stop())??;
        runner.finish()?;
        let last_session = runner.run.core.state().session();
        Ok(RunEnd { core: runner.run.core, replayed, last_session })
    }
}

/// Takes everything a stream has ready.
fn drain(
    events: &mut BrokerEventStream<'_>,
    out: &mut Vec<mts_foundation::BrokerEvent>,
) -> Result<(), RunError> {
    while let Poll::Ready(Some(event)) = events.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
        out.push(event?);
    }
    Ok(())
}

impl Runner<'_, '_> {
    fn not_bars(&self, feed: &dyn DynDataFeed, what: &'static str) -> RunError {
        RunError::NotBars { feed: feed.name().to_owned(), what }
    }

    /// Replays the journal into the core.
    fn recover(&mut self) -> Result<Recovered, RunError> {
        let mut recovered = Recovered::default();
        let mut failure: Option<RunError> = None;
        let (core, output) = (&mut self.run.core, &mut self.output);
        let (told, unseen) = (&mut self.told, &mut self.unseen);
        self.run.journal.replay(&mut |record: JournalRecord| {
            if record.sequence == 0 || failure.is_some() {
                return Ok(());
            }
            match apply(core, &record, output) {
                Ok(input) => {
                    recovered.inputs += 1;
                    recovered.fills.extend(output.events.iter().filter_map(|event| match event {
                        Event::FillCreated { fill, .. } => Some(fill.clone()),
                        _ => None,
                    }));
                    unseen.append(&mut output.events);
                    tell(&input, told, unseen);
                }
                Err(error) => failure = Some(error.into()),
            }
            Ok(())
        })?;
        match failure {
            Some(error) => Err(error),
            None => Ok(recovered),
        }
    }

    /// Gives the venue back what it knew: the orders it had accepted, in the order of their ids, which is the order in
    /// which they were sent.
    fn restore_venue(&mut self, recovered: &Recovered) -> Result<(), RunError> {
        if recovered.inputs == 0 {
            return Ok(());
        }
        let state = self.run.core.state();
        let open: Vec<OrderRecord> = state
            .orders()
            .filter(|record| record.state.is_working() && record.state != OrderState::Submitting)
            .cloned()
            .collect();
        let cash: Decimal = state.ledger().funds().map(|(_, book)| book.cash()).sum();
        self.run.venue.set_time(state.now());
        let session = match (state.session(), state.progress()) {
            (Some(date), Progress::Opened | Progress::Marked) => self.run.calendar.session_on(date)?,
            _ => None,
        };
        match session {
            Some(session) => self.run.venue.on_session(SessionPhase::Regular, session.open.into()),
            None => self.run.venue.on_session(SessionPhase::Closed, state.now()),
        }
        self.run.venue.restore(&open, &recovered.fills, cash)?;
        // Intents that were durable without an answer: this venue dedupes on the key and forgot everything that the
        // journal does not know, so handing them over again is safe (decision O7).
        let unanswered: Vec<OrderId> = state
            .orders()
            .filter(|record| record.state == OrderState::Submitting)
            .map(|record| record.order.order_id.clone())
            .collect();
        self.output.clear();
        for order_id in unanswered {
            if let Some(record) = self.run.core.state().order(&order_id) {
                self.output.actions.push(Action::Submit(record.order.clone()));
            }
        }
        // A cancel is idempotent: asking again for one that may have been answered costs nothing.
        let pending = open.iter().filter(|record| record.state == OrderState::PendingCancel);
        self.output.actions.extend(pending.filter_map(|record| reference(record).map(Action::Cancel)));
        self.act()
    }

    /// Journals an input and feeds it to the core.
    fn take(&mut self, input: &Input) -> Result<(), RunError> {
        encode(input, &mut self.buffer)?;
        self.run.journal.append(INPUT_V1, &self.buffer)?;
        self.uncommitted += 1;
        self.run.core.step(input, &mut self.output)?;
        self.output.events.iter().for_each(&mut *self.observe);
        self.unseen.append(&mut self.output.events);
        tell(input, &mut self.told, &mut self.unseen);
        if self.uncommitted >= MAX_UNCOMMITTED {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), RunError> {
        if self.uncommitted > 0 {
            self.run.journal.commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }

    /// Carries out what the core wants. Every input so far is durable before anything leaves (decision H6).
    fn act(&mut self) -> Result<(), RunError> {
        while !self.output.actions.is_empty() {
            self.commit()?;
            let actions = std::mem::take(&mut self.output.actions);
            for action in actions {
                let time = self.run.core.state().now();
                let answer = match action {
                    Action::Submit(order) => Input::Submitted {
                        order_id: order.order_id.clone(),
                        outcome: ready(self.run.venue.submit(&order))?,
                        time,
                    },
                    Action::Cancel(reference) => Input::Canceled {
                        order_id: reference.order_id.clone(),
                        outcome: ready(self.run.venue.cancel(&reference))?,
                        time,
                    },
                    // A simulated venue always answers, so nothing is ever asked for.
                    Action::LookUp { .. } | Action::Snapshot { .. } => continue,
                };
                self.take(&answer)?;
            }
        }
        Ok(())
    }

    /// Takes the bars of one instant; false when the run is over.
    fn bars(
        &mut self,
        time: Timestamp,
        bars: &[Bar],
        events: &mut BrokerEventStream<'_>,
    ) -> Result<bool, RunError> {
        let calendar = self.run.calendar;
        let date = calendar.bar_date(time.to_datetime());
        if date > self.run.end {
            return Ok(false);
        }
        if let Some((_, first)) = self.last_batch.replace((date, time)).filter(|(last, _)| *last == date) {
            return Err(RunError::Intraday { first, second: time });
        }
        let (reached, progress) = {
            let state = self.run.core.state();
            (state.session(), state.progress())
        };
        if date < self.run.start || reached.is_some_and(|reached| date < reached) {
            self.warm_up(bars, date)?;
            return Ok(true);
        }
        let session = calendar
            .session_on(date)?
            .ok_or_else(|| RunError::NoSession { date, calendar: calendar.name().to_owned() })?;
        let progress = if reached == Some(date) { progress } else { Progress::Idle };
        if progress < Progress::Opened {
            self.run.venue.set_time(session.open.into());
            self.run.venue.on_session(SessionPhase::Regular, session.open.into());
            self.take(&Input::SessionOpen { date, time: session.open.into() })?;
        }
        if progress <= Progress::Opened {
            self.act()?;
            self.resume_by_script(session.open.into())?;
            let marks =
                bars.iter().map(|bar| MarkUpdate { symbol: bar.symbol.clone(), price: bar.close }).collect();
            self.take(&Input::Closes { time, marks })?;
        }
        if progress <= Progress::Marked {
            self.act()?;
            self.trade(time, bars, events)?;
            self.take(&Input::SessionClose { date, time })?;
        }
        self.decide(time, bars, &session)?;
        (self.progress)(RunProgress { date, inputs: self.run.core.state().inputs() });
        Ok(true)
    }

    /// Lets the venue meet the bars and takes what it says.
    fn trade(
        &mut self,
        time: Timestamp,
        bars: &[Bar],
        events: &mut BrokerEventStream<'_>,
    ) -> Result<(), RunError> {
        let mut said = Vec::new();
        self.run.venue.on_bars(bars);
        self.run.venue.on_session_close();
        drain(events, &mut said)?;
        for event in said {
            if !self.run.core.is_news(&event) {
                continue;
            }
            let broker = self.broker.clone();
            self.take(&Input::Broker { broker, event, time })?;
            self.act()?;
        }
        Ok(())
    }

    fn resume_by_script(&mut self, open: Timestamp) -> Result<(), RunError> {
        let OperatorScript::ResumeNextSession { operator } = &self.run.script else { return Ok(()) };
        let operator = operator.clone();
        for halt in self.run.core.risk().halts() {
            // A halt without a limit behind it is a person's, and waits for persons.
            if halt.timestamp >= open || halt.causes.is_empty() {
                continue;
            }
            let request = ResumeRequest {
                scope: Some(halt.scope),
                operators: vec![operator.clone()],
                reason: "operator script: resume in the next session".to_owned(),
                timestamp: open,
            };
            self.take(&Input::Operator { act: OperatorAct::Resume(request), time: open })?;
        }
        self.act()
    }

    fn warm_up(&mut self, bars: &[Bar], date: NaiveDate) -> Result<(), RunError> {
        for trader in &mut self.run.traders {
            trader.strategy.warm_up(bars).map_err(|error| failed(trader, date, error.as_ref()))?;
        }
        Ok(())
    }

    /// Asks the strategies, each at most once for each session, also when the run was interrupted in between.
    fn decide(&mut self, time: Timestamp, bars: &[Bar], session: &Session) -> Result<(), RunError> {
        let told = std::mem::take(&mut self.told);
        for index in 0..self.run.traders.len() {
            let Some(trader) = self.run.traders.get_mut(index) else { continue };
            let state = self.run.core.state();
            let strategy_id = trader.strategy.id().clone();
            let fund_id = trader.fund_id.clone();
            let first = state.counters().sessions == 1;
            // What was journalled replaces what warming up has built.
            let memory = state.memory(&fund_id, &strategy_id).filter(|_| self.recovering);
            if let Some(memory) = memory {
                trader
                    .strategy
                    .restore(memory)
                    .map_err(|error| failed(trader, session.date, error.as_ref()))?;
            }
            if state.last_decision(&fund_id, &strategy_id) == Some(time) {
                if memory.is_none() {
                    trader
                        .strategy
                        .warm_up(bars)
                        .map_err(|error| failed(trader, session.date, error.as_ref()))?;
                }
                continue;
            }
            let Some(book) = state.ledger().fund(&fund_id) else { continue };
            let open_orders: Vec<&OrderRecord> = state
                .orders()
                .filter(|record| record.order.fund_id == fund_id && !record.state.is_terminal())
                .collect();
            let view = View {
                time,
                session: Some(session),
                calendar: Some(self.run.calendar),
                bars,
                quotes: &[],
                trades: &[],
                fund_id: &fund_id,
                book,
                open_orders: &open_orders,
            };
            let mut commands = Commands::new();
            let strategy = &mut trader.strategy;
            let mut asked = if first { strategy.on_start(&view, &mut commands) } else { Ok(()) };
            for event in told.iter().filter(|event| concerns(event, &fund_id)) {
                asked = asked.and_then(|()| strategy.on_order_event(&view, event, &mut commands));
            }
            asked = asked.and_then(|()| strategy.on_data(&view, &mut commands));
            asked.map_err(|error| failed(trader, session.date, error.as_ref()))?;
            if commands.dropped() > 0 {
                let message = format!("{} commands beyond the limit of one call", commands.dropped());
                return Err(RunError::Strategy {
                    strategy: strategy_id.to_string(),
                    date: session.date,
                    message,
                });
            }
            let memory =
                trader.strategy.save().filter(|memory| state.memory(&fund_id, &strategy_id) != Some(memory));
            if commands.is_empty() && memory.is_none() {
                continue;
            }
            let commands = commands.into_list();
            self.take(&Input::Decided { strategy_id, fund_id, time, commands, memory })?;
            self.act()?;
            self.commit()?;
        }
        self.recovering = false;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.commit()?;
        ready(self.run.venue.close())??;
        Ok(())
    }
}

/// At the close of a session, what happened until then is what strategies are told.
fn tell(input: &Input, told: &mut Vec<Event>, unseen: &mut Vec<Event>) {
    if matches!(input, Input::SessionClose { .. }) {
        *told = std::mem::take(unseen);
    }
}

fn failed(trader: &Trader, date: NaiveDate, error: &(dyn std::error::Error + Send + Sync)) -> RunError {
    RunError::Strategy { strategy: trader.strategy.id().to_string(), date, message: error.to_string() }
}

/// Whether an event is about an order of this fund.
pub(super) fn concerns(event: &Event, fund_id: &FundId) -> bool {
    match event {
        Event::FillCreated { fund_id: owner, .. } => owner == fund_id,
        event => event.order().is_some_and(|record| record.order.fund_id == *fund_id),
    }
}
