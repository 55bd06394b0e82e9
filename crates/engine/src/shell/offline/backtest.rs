//! The back-test: one batch of bars a session.
//!
//! A session is: open (the core sends what waits), venue answers, closes enter the ledger, the venue fills, close,
//! strategies decide; what they want meets the next open.

use super::desk::{Data, Desk, Moment};
use super::{RunEnd, RunError, RunProgress};
use crate::core::Core;
use crate::input::{Input, MarkUpdate};
use crate::shell::{Trader, ready};
use chrono::NaiveDate;
use mts_foundation::broker::SimulatedBroker;
use mts_foundation::event::Event;
use mts_foundation::journal::Journal;
use mts_foundation::market_data::{DynDataFeed, MarketEvent};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{ActorId, Bar, FundingRate, MarketCalendar, Symbol, Timestamp};
use std::collections::BTreeMap;

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

impl Backtest<'_> {
    /// Runs to the end of the data or of the run.
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
        let Backtest { core, journal, venue, traders, calendar, start, end, script } = self;
        let desk = Desk::new(core, journal, venue, traders, observe)?;
        let mut runner = Runner {
            desk,
            calendar,
            start,
            end,
            script,
            last_batch: None,
            revised: BTreeMap::new(),
            funding: BTreeMap::new(),
            market_events: 0,
            progress,
        };
        ready(feed.start())??;
        while let Some(event) = ready(feed.next())?? {
            runner.market_events += 1;
            let not_bars = |what| Err(RunError::NotBars { feed: feed.name().to_owned(), what });
            let (time, bars) = match event {
                MarketEvent::Bars { time, bars } => (time, bars),
                MarketEvent::Quote(_) => return not_bars("quotes"),
                MarketEvent::Trade(_) => return not_bars("trades"),
                MarketEvent::Gap { .. } | MarketEvent::Stale { .. } => return not_bars("gaps"),
                MarketEvent::Fatal { .. } => return not_bars("failures"),
                MarketEvent::Recovered { .. } | MarketEvent::Backfilled { .. } => continue,
                MarketEvent::Funding(rate) => {
                    // It is told with the next bars; a newer rate of its instrument takes its place.
                    runner.funding.insert(rate.symbol.clone(), rate);
                    continue;
                }
                MarketEvent::Revised(bar) => {
                    runner.revised.insert((bar.timestamp, bar.symbol.clone()), bar);
                    continue;
                }
            };
            if !runner.bars(time, &bars)? {
                break;
            }
        }
        ready(feed.stop())??;
        runner.finish()
    }
}

struct Runner<'a, 'p> {
    desk: Desk<'a, 'p>,
    calendar: &'a MarketCalendar,
    start: NaiveDate,
    end: NaiveDate,
    script: OperatorScript,
    /// The date and time of the last batch of bars.
    last_batch: Option<(NaiveDate, Timestamp)>,
    /// What was told of earlier bars since the last ones.
    revised: BTreeMap<(Timestamp, Symbol), Bar>,
    /// What was told since the last bars.
    funding: BTreeMap<Symbol, FundingRate>,
    market_events: u64,
    progress: &'p mut dyn FnMut(RunProgress),
}

impl Runner<'_, '_> {
    /// Takes the bars of one instant; false when the run is over.
    fn bars(&mut self, time: Timestamp, bars: &[Bar]) -> Result<bool, RunError> {
        let calendar = self.calendar;
        let date = calendar.bar_date(time.to_datetime());
        if date > self.end {
            return Ok(false);
        }
        if let Some((_, first)) = self.last_batch.replace((date, time)).filter(|(last, _)| *last == date) {
            return Err(RunError::Intraday { first, second: time });
        }
        if date < self.start {
            self.desk.warm_up(time, bars)?;
            return Ok(true);
        }
        let session = calendar
            .session_on(date)?
            .ok_or_else(|| RunError::NoSession { date, calendar: calendar.name().to_owned() })?;
        let first = self.desk.state().session().is_none();
        let (desk, open) = (&mut self.desk, Timestamp::from(session.open));
        desk.venue().set_time(open);
        desk.venue().on_session(SessionPhase::Regular, open);
        desk.take_and_act(&Input::SessionOpen { date, time: open })?;
        if let OperatorScript::ResumeNextSession { operator } = &self.script {
            desk.resume(operator, open)?;
        }
        while let Some(due) = desk.core().next_timer().filter(|due| *due < time) {
            desk.wake(due)?;
        }
        let marks = bars.iter().map(|bar| MarkUpdate { symbol: bar.symbol.clone(), price: bar.close });
        desk.take_and_act(&Input::Closes { time, marks: marks.collect() })?;
        desk.venue().on_bars(bars);
        desk.venue().on_session_close();
        desk.hear_venue(time)?;
        desk.take(&Input::SessionClose { date, time })?;
        let told = desk.news();
        let funding: Vec<FundingRate> = std::mem::take(&mut self.funding).into_values().collect();
        let revised: Vec<Bar> = std::mem::take(&mut self.revised).into_values().collect();
        let moment = Moment {
            time,
            session: Some(&session),
            calendar: Some(calendar),
            data: Data { bars, revised: &revised, funding: &funding, ..Data::default() },
            first,
            last: false,
        };
        desk.decide(moment, &told)?;
        desk.tell_volumes(time, bars)?;
        let (inputs, sessions) = (desk.state().inputs(), desk.state().counters().sessions);
        (self.progress)(RunProgress { date, sessions, inputs, market_events: self.market_events });
        Ok(true)
    }

    fn finish(mut self) -> Result<RunEnd, RunError> {
        let told = self.desk.news();
        if let Some((_, time)) = self.last_batch {
            let calendar = Some(self.calendar);
            let data = Data::default();
            let moment = Moment { time, session: None, calendar, data, first: false, last: true };
            self.desk.decide(moment, &told)?;
        }
        let (replayed, market_events) = (self.desk.replayed(), self.market_events);
        let core = self.desk.close()?;
        let last_session = core.state().session();
        Ok(RunEnd { core, replayed, last_session, market_events, late_events: 0 })
    }
}
