//! What both kinds of runs work with: core and journal, the venue, the strategies.

use super::RunError;
use crate::core::{Core, CoreError, State};
use crate::input::{Input, MarkUpdate, OperatorAct, VolumeUpdate};
use crate::output::Action;
use crate::shell::driver::{Driver, DriverError};
use crate::shell::handle::{self, Called, Caller};
use crate::shell::ready;
use crate::shell::retrace::Retraced;
use crate::shell::trader::{Trader, concerns};
use mts_foundation::broker::{BrokerEventStream, SimulatedBroker};
use mts_foundation::broker_handle::{BrokerHandle, BrokerPort, HandleAnswer, HandleCall, HandleError};
use mts_foundation::event::Event;
use mts_foundation::journal::Journal;
use mts_foundation::risk::ResumeRequest;
use mts_foundation::strategy::{Command, Commands, StrategyError};
use mts_foundation::{
    ActorId, Bar, BrokerEvent, BrokerName, FundBook, FundId, FundingRate, MarketCalendar, OrderRecord, Quote,
    Session, Timestamp, Trade, View,
};
use std::task::{Context, Poll, Waker};

/// Inputs that may wait for the disk while no action depends on them.
const MAX_UNCOMMITTED: u64 = 256;

/// What came from the feed.
#[derive(Clone, Copy, Default)]
pub(super) struct Data<'a> {
    pub(super) bars: &'a [Bar],
    pub(super) quotes: &'a [Quote],
    pub(super) trades: &'a [Trade],
    pub(super) revised: &'a [Bar],
    pub(super) funding: &'a [FundingRate],
}

/// What a strategy is asked about.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) time: Timestamp,
    pub(super) session: Option<&'a Session>,
    pub(super) calendar: Option<&'a MarketCalendar>,
    pub(super) data: Data<'a>,
    /// Nothing was asked before.
    pub(super) first: bool,
    /// Nothing is asked after.
    pub(super) last: bool,
}

impl<'a> Moment<'a> {
    fn view<'v>(self, fund_id: &'v FundId, book: &'v FundBook, open_orders: &'v [&'v OrderRecord]) -> View<'v>
    where
        'a: 'v,
    {
        let Moment { time, session, calendar, data, .. } = self;
        let Data { bars, quotes, trades, revised, funding } = data;
        View { time, session, calendar, bars, quotes, trades, revised, funding, fund_id, book, open_orders }
    }
}

/// How a strategy's calls reach the desk. The simulated venue answers at once, so nothing is waited for.
struct DeskPort<'d, 'a, 'p> {
    desk: &'d mut Desk<'a, 'p>,
    caller: Caller,
    time: Timestamp,
    /// What ends the run.
    failure: Option<RunError>,
}

impl BrokerPort for DeskPort<'_, '_, '_> {
    fn call(&mut self, call: HandleCall) -> Result<HandleAnswer, HandleError> {
        if self.failure.is_some() {
            return Err(HandleError::Stopped);
        }
        let desk = &mut *self.desk;
        let (input, awaited) = match self.caller.call(call, desk.core(), self.time) {
            Called::Answer(answer) => return answer,
            Called::Input(input, awaited) => (input, awaited),
        };
        let before = desk.unseen.len();
        if let Err(failure) = desk.take_and_act(&input) {
            self.failure = Some(failure);
            return Err(HandleError::Stopped);
        }
        let news = desk.unseen.get(before..).unwrap_or_default();
        handle::answer(&awaited, desk.state(), news)
            .unwrap_or_else(|| handle::too_late(&awaited, desk.state()))
    }
}

/// The desk.
pub(super) struct Desk<'a, 'p> {
    driver: Driver<Retraced<&'a mut dyn Journal>>,
    venue: &'a dyn SimulatedBroker,
    events: BrokerEventStream<'a>,
    said: Vec<BrokerEvent>,
    broker: BrokerName,
    traders: Vec<Trader>,
    /// What happened and was not told to strategies.
    unseen: Vec<Event>,
    observe: &'p mut dyn FnMut(&Event),
    replayed: u64,
}

impl<'a, 'p> Desk<'a, 'p> {
    /// Everything in its place; the venue is connected.
    pub(super) fn new(
        core: Core,
        journal: &'a mut dyn Journal,
        venue: &'a dyn SimulatedBroker,
        traders: Vec<Trader>,
        observe: &'p mut dyn FnMut(&Event),
    ) -> Result<Self, RunError> {
        if core.config().async_gates {
            return Err(RunError::AsyncGates);
        }
        let broker = venue.name().parse().map_err(CoreError::Id)?;
        let journal = Retraced::new(journal).map_err(DriverError::from)?;
        let replayed = journal.left();
        let driver = Driver::recover(core, journal, &mut |_, _| {})?;
        ready(venue.connect())??;
        let (events, said, unseen) = (venue.events(None), Vec::new(), Vec::new());
        let mut desk = Self { driver, venue, events, said, broker, traders, unseen, observe, replayed };
        desk.drain()?;
        desk.said.clear();
        desk.take_acts()?;
        Ok(desk)
    }

    pub(super) fn core(&self) -> &Core {
        self.driver.core()
    }

    pub(super) fn state(&self) -> &State {
        self.driver.core().state()
    }

    pub(super) fn venue(&self) -> &'a dyn SimulatedBroker {
        self.venue
    }

    pub(super) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// Gives the events that were not told yet.
    pub(super) fn news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.unseen)
    }

    /// Journals an input and feeds it to the core, and what people did to the run at this place.
    pub(super) fn take(&mut self, input: &Input) -> Result<(), RunError> {
        self.take_one(input)?;
        self.take_acts()?;
        if self.driver.uncommitted() >= MAX_UNCOMMITTED {
            self.driver.commit()?;
        }
        Ok(())
    }

    fn take_acts(&mut self) -> Result<(), RunError> {
        while let Some(act) = self.driver.journal().act() {
            self.take_one(&act)?;
        }
        Ok(())
    }

    fn take_one(&mut self, input: &Input) -> Result<(), RunError> {
        let new = self.driver.journal().left() == 0;
        self.driver.take(input)?;
        let first = self.unseen.len();
        self.unseen.append(self.driver.events_so_far());
        if new {
            self.unseen.iter().skip(first).for_each(&mut *self.observe);
        }
        Ok(())
    }

    /// Carries out what the core wants. Every input so far is durable before anything leaves (decision H6).
    pub(super) fn act(&mut self) -> Result<(), RunError> {
        while self.driver.has_actions() {
            self.driver.commit()?;
            for action in self.driver.actions() {
                let time = self.state().now();
                let answer = match action {
                    Action::Submit(order) => Input::Submitted {
                        order_id: order.order_id.clone(),
                        outcome: ready(self.venue.submit(&order))?,
                        time,
                    },
                    Action::Cancel(reference) => Input::Canceled {
                        order_id: reference.order_id.clone(),
                        outcome: ready(self.venue.cancel(&reference))?,
                        time,
                    },
                    // A simulated venue always answers, so nothing is ever asked for; nor are asynchronous gates.
                    Action::LookUp { .. } | Action::Snapshot { .. } | Action::Ask(_) => continue,
                };
                self.take(&answer)?;
            }
        }
        Ok(())
    }

    /// Takes an input and carries out what follows.
    pub(super) fn take_and_act(&mut self, input: &Input) -> Result<(), RunError> {
        self.take(input)?;
        self.act()
    }

    fn drain(&mut self) -> Result<(), RunError> {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = self.events.as_mut().poll_next(&mut context) {
            self.said.push(event?);
        }
        Ok(())
    }

    /// Takes what the venue says.
    pub(super) fn hear_venue(&mut self, time: Timestamp) -> Result<(), RunError> {
        self.drain()?;
        for event in std::mem::take(&mut self.said) {
            if self.core().is_news(&event) {
                let broker = self.broker.clone();
                self.take_and_act(&Input::Broker { broker, event, time })?;
            }
        }
        Ok(())
    }

    /// Wakes the core if it wanted to be before an instant or at it.
    pub(super) fn wake(&mut self, due: Timestamp) -> Result<(), RunError> {
        let time = due.max(self.state().now());
        self.venue.set_time(time);
        self.take_and_act(&Input::Timer { time })
    }

    /// Tells prices to the core.
    pub(super) fn mark(&mut self, time: Timestamp, marks: Vec<MarkUpdate>) -> Result<(), RunError> {
        if marks.is_empty() { Ok(()) } else { self.take_and_act(&Input::Marks { time, marks }) }
    }

    /// Tells the volume of bars to algorithms that follow it.
    pub(super) fn tell_volumes(&mut self, time: Timestamp, bars: &[Bar]) -> Result<(), RunError> {
        let core = self.core();
        let wanted = bars.iter().filter(|bar| core.wants_volume(&bar.symbol, time));
        let volumes: Vec<VolumeUpdate> = wanted.map(VolumeUpdate::of).collect();
        if volumes.is_empty() { Ok(()) } else { self.take_and_act(&Input::Volumes { time, volumes }) }
    }

    /// Tells a print to them.
    pub(super) fn tell_print(&mut self, time: Timestamp, trade: &Trade) -> Result<(), RunError> {
        if !self.core().wants_volume(&trade.symbol, time) {
            return Ok(());
        }
        let volumes = vec![VolumeUpdate { symbol: trade.symbol.clone(), units: trade.size }];
        self.take_and_act(&Input::Volumes { time, volumes })
    }

    /// Lifts the halts of earlier sessions that limits caused.
    pub(super) fn resume(&mut self, operator: &ActorId, open: Timestamp) -> Result<(), RunError> {
        for halt in self.core().risk().halts() {
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

    /// Gives strategies data from before the run.
    pub(super) fn warm_up(&mut self, time: Timestamp, bars: &[Bar]) -> Result<(), RunError> {
        for trader in &mut self.traders {
            trader.strategy.warm_up(bars).map_err(|error| failed(trader, time, error.as_ref()))?;
        }
        Ok(())
    }

    /// Asks the strategies, one after the other; what each wants is done before the next is asked.
    pub(super) fn decide(&mut self, moment: Moment<'_>, told: &[Event]) -> Result<(), RunError> {
        // A strategy that talks with its broker needs the desk while it is asked.
        let mut traders = std::mem::take(&mut self.traders);
        let asked = traders.iter_mut().try_for_each(|trader| self.ask(trader, moment, told));
        self.traders = traders;
        asked
    }

    fn ask(&mut self, trader: &mut Trader, moment: Moment<'_>, told: &[Event]) -> Result<(), RunError> {
        let Moment { time, last, .. } = moment;
        let commands = if trader.strategy.with_handle().is_some() && !last {
            self.converse(trader, moment, told)?;
            Vec::new()
        } else {
            self.listen(trader, moment, told)?
        };
        if last {
            // Nothing comes after it, so nothing that it asked for could be done.
            return Ok(());
        }
        let (fund_id, strategy_id) = (&trader.fund_id, trader.strategy.id());
        let known = self.state().memory(fund_id, strategy_id);
        let memory = trader.strategy.save().filter(|memory| known != Some(memory));
        if commands.is_empty() && memory.is_none() {
            return Ok(());
        }
        let (strategy_id, fund_id) = (strategy_id.clone(), FundId::clone(fund_id));
        self.take_and_act(&Input::Decided { strategy_id, fund_id, time, commands, memory })?;
        Ok(self.driver.commit()?)
    }

    /// Asks a strategy for its commands.
    fn listen(
        &self,
        trader: &mut Trader,
        moment: Moment<'_>,
        told: &[Event],
    ) -> Result<Vec<Command>, RunError> {
        let state = self.state();
        let fund_id = &trader.fund_id;
        let Some(book) = state.ledger().fund(fund_id) else { return Ok(Vec::new()) };
        let open_orders: Vec<&OrderRecord> = state.working_orders(fund_id).collect();
        let view = moment.view(fund_id, book, &open_orders);
        let mut commands = Commands::new();
        let strategy = &mut trader.strategy;
        let mut asked = if moment.first { strategy.on_start(&view, &mut commands) } else { Ok(()) };
        for event in told.iter().filter(|event| concerns(event, fund_id)) {
            asked = asked.and_then(|()| strategy.on_order_event(&view, event, &mut commands));
        }
        asked = asked.and_then(|()| match moment.last {
            true => strategy.on_end(&view, &mut commands),
            false => strategy.on_data(&view, &mut commands),
        });
        asked.map_err(|error| failed(trader, moment.time, error.as_ref()))?;
        if commands.dropped() > 0 {
            let error = format!("{} commands beyond the limit of one call", commands.dropped());
            return Err(failed(trader, moment.time, StrategyError::from(error).as_ref()));
        }
        Ok(commands.into_list())
    }

    /// Lets a strategy talk with its broker.
    fn converse(&mut self, trader: &mut Trader, moment: Moment<'_>, told: &[Event]) -> Result<(), RunError> {
        let fund_id = trader.fund_id.clone();
        let Some(book) = self.state().ledger().fund(&fund_id).cloned() else { return Ok(()) };
        let orders: Vec<OrderRecord> = self.state().working_orders(&fund_id).cloned().collect();
        let open_orders: Vec<&OrderRecord> = orders.iter().collect();
        let view = moment.view(&fund_id, &book, &open_orders);
        let caller = Caller { strategy_id: trader.strategy.id().clone(), fund_id: fund_id.clone() };
        let Some(strategy) = trader.strategy.with_handle() else { return Ok(()) };
        let mut port = DeskPort { desk: self, caller, time: moment.time, failure: None };
        let mut broker = BrokerHandle::new(fund_id.clone(), &mut port);
        let mut asked = if moment.first { strategy.on_start(&view, &mut broker) } else { Ok(()) };
        for event in told.iter().filter(|event| concerns(event, &fund_id)) {
            asked = asked.and_then(|()| strategy.on_order_event(&view, event, &mut broker));
        }
        asked = asked.and_then(|()| strategy.on_data(&view, &mut broker));
        if let Some(failure) = port.failure {
            return Err(failure);
        }
        asked.map_err(|error| failed(trader, moment.time, error.as_ref()))
    }

    /// Makes everything durable and lets go of the venue.
    pub(super) fn close(mut self) -> Result<Core, RunError> {
        self.driver.commit()?;
        ready(self.venue.close())??;
        Ok(self.driver.into_parts().0)
    }
}

fn failed(trader: &Trader, time: Timestamp, error: &(dyn std::error::Error + Send + Sync)) -> RunError {
    RunError::Strategy { strategy: trader.strategy.id().to_string(), time, message: error.to_string() }
}
