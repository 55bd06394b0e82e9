//! The replay: recorded data of any kind, taken as a live run takes it, in the time of the data.
//!
//! Sessions open and close when the data passes their hours, timers are due, marks are conflated, strategies hear every bar,
//! quote and print at once, and what they want leaves at once; it meets the next data. Nothing waits, so that a day takes
//! as long as the machine needs for it.

use super::backtest::OperatorScript;
use super::desk::{Data, Desk, Moment};
use super::{RunEnd, RunError, RunProgress};
use crate::core::{Core, Progress};
use crate::input::{Input, MarkUpdate};
use crate::shell::conflation::Conflation;
use crate::shell::sessions::Sessions;
use crate::shell::{Trader, ready};
use mts_foundation::broker::SimulatedBroker;
use mts_foundation::event::Event;
use mts_foundation::journal::Journal;
use mts_foundation::market_data::{DynDataFeed, MarketDataError, MarketEvent};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{MarketCalendar, Session, Timestamp};

/// Market events between two words of progress.
const WORD_EVERY: u64 = 1 << 16;

/// The parts of a replay.
pub struct Replay<'a> {
    /// The core, at its beginning.
    pub core: Core,
    /// The journal; its first record is there already.
    pub journal: &'a mut dyn Journal,
    /// The venue.
    pub venue: &'a dyn SimulatedBroker,
    /// The strategies, in the order in which they decide.
    pub traders: Vec<Trader>,
    /// Sessions, where the market has any.
    pub calendar: Option<&'static MarketCalendar>,
    /// Bars before it warm strategies up; other data before it is passed over.
    pub start: Timestamp,
    /// Data after it is not taken.
    pub end: Timestamp,
    /// Stands in for the operator.
    pub script: OperatorScript,
}

impl std::fmt::Debug for Replay<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Replay").field("start", &self.start).field("end", &self.end).finish_non_exhaustive()
    }
}

impl Replay<'_> {
    /// Runs to the end of the data or of the run. `observe` is told every event as it happens, but none of inputs that the
    /// journal held already.
    ///
    /// # Errors
    /// [`RunError`]; the journal holds everything up to it, and the same run can be started again.
    pub fn run(
        self,
        feed: &mut dyn DynDataFeed,
        progress: &mut dyn FnMut(RunProgress),
        observe: &mut dyn FnMut(&Event),
    ) -> Result<RunEnd, RunError> {
        let Replay { core, journal, venue, traders, calendar, start, end, script } = self;
        let mut runner = Runner {
            desk: Desk::new(core, journal, venue, traders, observe)?,
            sessions: Sessions::new(calendar),
            session: None,
            boundary: Timestamp::from_nanos(i64::MIN),
            conflation: Conflation::default(),
            script,
            asked: false,
            market_events: 0,
            late_events: 0,
            progress,
        };
        ready(feed.start())??;
        while let Some(event) = ready(feed.next())?? {
            runner.market_events += 1;
            if let MarketEvent::Fatal { venue, message } = event {
                let source_name = venue.to_string();
                return Err(MarketDataError::Venue { source_name, message }.into());
            }
            let told = match &event {
                // It has no stamp: it holds from what came before it on.
                MarketEvent::Funding(_) | MarketEvent::Revised(_) if runner.asked => {
                    Some(runner.desk.state().now())
                }
                event => event.priced_at(),
            };
            let Some(told) = told else { continue };
            if told > end {
                break;
            }
            if told < start {
                if let MarketEvent::Bars { time, bars } = &event {
                    runner.desk.warm_up(*time, bars)?;
                }
                continue;
            }
            runner.event(told, &event)?;
        }
        ready(feed.stop())??;
        runner.finish()
    }
}

struct Runner<'a, 'p> {
    desk: Desk<'a, 'p>,
    sessions: Sessions,
    /// The session that trades.
    session: Option<Session>,
    /// When the next session opens or the present one closes.
    boundary: Timestamp,
    conflation: Conflation,
    script: OperatorScript,
    /// Strategies were asked before.
    asked: bool,
    market_events: u64,
    late_events: u64,
    progress: &'p mut dyn FnMut(RunProgress),
}

impl Runner<'_, '_> {
    fn event(&mut self, told: Timestamp, event: &MarketEvent) -> Result<(), RunError> {
        let now = self.desk.state().now();
        self.late_events += u64::from(told < now);
        let time = told.max(now);
        self.pass(time)?;
        let venue = self.desk.venue();
        venue.set_time(time);
        let empty = Moment {
            time,
            session: None,
            calendar: self.sessions.calendar(),
            data: Data::default(),
            first: !self.asked,
            last: false,
        };
        let moment = match event {
            MarketEvent::Bars { bars, .. } => {
                venue.on_bars(bars);
                let instruments = &self.desk.core().config().instruments;
                let known = bars.iter().filter(|bar| instruments.get(&bar.symbol).is_some());
                let marks = known.map(|bar| MarkUpdate { symbol: bar.symbol.clone(), price: bar.close });
                let marks = marks.collect();
                self.desk.mark(time, marks)?;
                self.desk.tell_volumes(time, bars)?;
                Moment { data: Data { bars, ..Data::default() }, ..empty }
            }
            MarketEvent::Quote(quote) => {
                venue.on_quote(quote);
                let quotes = std::slice::from_ref(quote);
                Moment { data: Data { quotes, ..Data::default() }, ..empty }
            }
            MarketEvent::Trade(trade) => {
                venue.on_trade(trade);
                self.desk.tell_print(time, trade)?;
                let trades = std::slice::from_ref(trade);
                Moment { data: Data { trades, ..Data::default() }, ..empty }
            }
            MarketEvent::Revised(bar) => {
                let revised = std::slice::from_ref(bar);
                Moment { data: Data { revised, ..Data::default() }, ..empty }
            }
            MarketEvent::Funding(rate) => {
                let funding = std::slice::from_ref(rate);
                Moment { data: Data { funding, ..Data::default() }, ..empty }
            }
            MarketEvent::Gap { .. }
            | MarketEvent::Stale { .. }
            | MarketEvent::Recovered { .. }
            | MarketEvent::Backfilled { .. }
            | MarketEvent::Fatal { .. } => {
                return Ok(());
            }
        };
        self.desk.hear_venue(time)?;
        if let Some(mark) = self.conflation.of(event, self.desk.core(), time) {
            self.desk.mark(time, vec![mark])?;
        }
        // A bar that ends with the session belongs to it; who decides on it does so after the close.
        let session = self.session;
        if time >= self.boundary {
            self.sessions_pass(time)?;
        }
        let told = self.desk.news();
        self.desk.decide(Moment { session: session.as_ref(), ..moment }, &told)?;
        self.asked = true;
        if self.market_events.is_multiple_of(WORD_EVERY) {
            self.say_progress(time);
        }
        Ok(())
    }

    /// Lets everything happen that is due before an instant, in its order. An open at the instant itself comes before its
    /// data, a close after it.
    fn pass(&mut self, until: Timestamp) -> Result<(), RunError> {
        loop {
            let timer = self.desk.core().next_timer().filter(|due| *due < until);
            let held = self.conflation.next().filter(|due| *due < until);
            let opens = self.desk.state().progress() != Progress::Opened;
            let boundary = Some(self.boundary).filter(|due| *due < until || (*due == until && opens));
            let Some(due) = [timer, held, boundary].into_iter().flatten().min() else { return Ok(()) };
            let now = due.max(self.desk.state().now());
            if boundary == Some(due) {
                // Where nothing was known of sessions yet, the one that the first data falls into is open before it.
                let first = Timestamp::from_nanos(until.nanos().saturating_sub(1));
                self.sessions_pass(if due == Timestamp::from_nanos(i64::MIN) { first } else { now })?;
            } else if held == Some(due) {
                self.desk.venue().set_time(now);
                let marks = self.conflation.due(now);
                self.desk.mark(now, marks)?;
            } else {
                self.desk.wake(now)?;
            }
        }
    }

    fn say_progress(&mut self, time: Timestamp) {
        let (date, state) = (time.to_datetime().date_naive(), self.desk.state());
        let (inputs, sessions) = (state.inputs(), state.counters().sessions);
        (self.progress)(RunProgress { date, sessions, inputs, market_events: self.market_events });
    }

    /// Opens and closes sessions as the calendar wants it at an instant.
    fn sessions_pass(&mut self, now: Timestamp) -> Result<(), RunError> {
        let venue = self.desk.venue();
        venue.set_time(now);
        while let Some(input) = self.sessions.due(self.desk.state(), now)? {
            match &input {
                Input::SessionOpen { .. } => {
                    venue.on_session(SessionPhase::Regular, now);
                    self.desk.take_and_act(&input)?;
                    if let OperatorScript::ResumeNextSession { operator } = &self.script {
                        self.desk.resume(operator, now)?;
                    }
                }
                _ => {
                    venue.on_session_close();
                    venue.on_session(SessionPhase::Closed, now);
                    self.desk.hear_venue(now)?;
                    self.desk.take_and_act(&input)?;
                    self.say_progress(now);
                }
            }
        }
        self.session = self.sessions.open_now(now)?;
        self.boundary = self.sessions.next(now).unwrap_or(Timestamp::from_nanos(i64::MAX));
        Ok(())
    }

    fn finish(mut self) -> Result<RunEnd, RunError> {
        let told = self.desk.news();
        if self.asked {
            let moment = Moment {
                time: self.desk.state().now(),
                session: self.session.as_ref(),
                calendar: self.sessions.calendar(),
                data: Data::default(),
                first: false,
                last: true,
            };
            self.desk.decide(moment, &told)?;
        }
        let (replayed, market_events, late_events) =
            (self.desk.replayed(), self.market_events, self.late_events);
        let core = self.desk.close()?;
        let last_session = core.state().session();
        Ok(RunEnd { core, replayed, last_session, market_events, late_events })
    }
}
