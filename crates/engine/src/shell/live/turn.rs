//! One turn of the loop: wait, take what came, make it durable, act.

use super::clock::TOLERATED;
use super::engine::{LiveEngine, LiveError};
use super::lanes::{MarketMessage, Message, Verdict};
use super::stats::Told;
use super::traders::Cause;
use crate::core::Progress;
use crate::input::{ClockFault, Input, MarkUpdate, OperatorAct, VolumeUpdate};
use crate::output::{Action, GateQuestion};
use crate::shell::trader::concerns;
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::event::Event;
use mts_foundation::journal::{Journal, JournalError};
use mts_foundation::market_data::{MarketEvent, StaleCause};
use mts_foundation::risk::{HaltMode, HaltRequest, HaltScope, SessionPhase};
use mts_foundation::{ActorId, Bar, Clock as _, Session, Symbol, Timestamp, Trade, VenueName};
use std::sync::Arc;
use std::time::Duration;

impl<J: Journal> LiveEngine<J> {
    pub(super) fn trade(&mut self) -> Result<(), LiveError> {
        self.take(|time| Input::Started { time })?;
        let behind = self.clock.ahead();
        if behind > TOLERATED {
            let by_millis = i64::try_from(behind.as_millis()).unwrap_or(i64::MAX);
            self.take(|time| Input::ClockWrong { fault: ClockFault::Behind { by_millis }, time })?;
        }
        self.settle()?;
        while !self.stopping {
            self.wait();
            let mut room = self.rules.largest_group;
            self.passing_time()?;
            room = self.messages(room)?;
            self.market(room)?;
            self.settle()?;
            let kept = self.driver.keep_snapshot_if_due();
            self.told_of_snapshot(kept);
            if *self.stop.borrow() {
                self.stopping = true;
            }
            if self.rules.end_with_feed && self.feeds_left == 0 && self.is_quiet() {
                self.stopping = true;
            }
        }
        Ok(())
    }

    /// A snapshot that could not be kept makes the next start longer, and nothing else.
    pub(super) fn told_of_snapshot(&mut self, kept: Result<bool, JournalError>) {
        match kept {
            Ok(kept) => self.stats.snapshots = self.stats.snapshots.saturating_add(u64::from(kept)),
            Err(error) => {
                (self.observe)(Told::Notice(&format!(
                    "no snapshot is kept, so the next start takes longer: {error}"
                )));
            }
        }
    }

    /// The present instant; never before the core's.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().max(self.driver.core().state().now())
    }

    /// Waits until something comes or is due.
    pub(super) fn wait(&mut self) {
        if !self.refused.is_empty() {
            return;
        }
        let now = self.now();
        let longest = if self.venues.values().any(|venue| venue.simulated().is_some()) {
            // A simulated venue has no clock of its own.
            Duration::from_millis(50)
        } else {
            // A jump of the clock is to be seen well within a second.
            Duration::from_millis(500)
        };
        let due =
            [self.driver.next_timer(), self.sessions.next(now), self.conflation.next(), self.next_call()];
        let until = due.into_iter().flatten().map(|at| at.since(now)).min();
        let pause = until.unwrap_or(longest).min(longest);
        let (inbox, market) = (&self.inbox, &self.market_inbox);
        if !inbox.is_empty() || !market.is_empty() || pause.is_zero() {
            return;
        }
        let (inbox, market) = (&mut self.inbox, &mut self.market_inbox);
        let (message, held) = self.runtime.block_on(async {
            tokio::select! {
                biased;
                message = inbox.recv() => (message, None),
                event = market.recv() => (None, event),
                () = tokio::time::sleep(pause) => (None, None),
            }
        });
        self.refused.extend(message);
        self.held_market.extend(held);
    }

    /// Timers, sessions, held-back marks, watchdogs.
    pub(super) fn passing_time(&mut self) -> Result<(), LiveError> {
        // Before anything that the jump makes due.
        if let Some(by_millis) = self.jumps.look() {
            self.take(|time| Input::ClockWrong { fault: ClockFault::Jumped { by_millis }, time })?;
        }
        let now = self.now();
        for venue in self.venues.values() {
            if let Some(simulated) = venue.simulated() {
                simulated.set_time(now);
            }
        }
        while let Some(input) = self.sessions.due(self.driver.core().state(), now)? {
            for venue in self.venues.values() {
                let Some(simulated) = venue.simulated() else { continue };
                match &input {
                    Input::SessionOpen { .. } => simulated.on_session(SessionPhase::Regular, now),
                    _ => {
                        simulated.on_session_close();
                        simulated.on_session(SessionPhase::Closed, now);
                    }
                }
            }
            self.take_input(&input)?;
        }
        while self.driver.next_timer().is_some_and(|at| at <= now) {
            self.take(|time| Input::Timer { time })?;
        }
        self.take_kill()?;
        let marks = self.conflation.due(now);
        self.marks(marks)?;
        self.stats.marks_conflated = self.conflation.conflated;
        self.watch(now);
        Ok(())
    }

    /// Feeds that are silent and strategies that think for too long.
    pub(super) fn watch(&mut self, now: Timestamp) {
        let open =
            self.sessions.calendar().is_none() || self.driver.core().state().progress() == Progress::Opened;
        let silent = open
            && self.feeds_left > 0
            && self.stats.last_market_event.is_some_and(|last| now.since(last) > self.rules.feed_silence);
        if silent != self.stats.feed_silent {
            self.stats.feed_silent = silent;
            let text = if silent { "no market data comes any more" } else { "market data comes again" };
            (self.observe)(Told::Notice(text));
        }
        for seat in &mut self.seats {
            let slow = seat.busy.is_some_and(|since| now.since(since) > self.rules.strategy_deadline);
            if slow && !seat.slow_told {
                seat.slow_told = true;
                let text =
                    format!("strategy {} thinks for longer than it may; its data waits", seat.strategy_id);
                (self.observe)(Told::Notice(&text));
            }
        }
    }

    /// Takes what brokers, strategies and people say; what is left of the room.
    pub(super) fn messages(&mut self, mut room: u64) -> Result<u64, LiveError> {
        self.stats.deepest_event_lane = self.stats.deepest_event_lane.max(self.inbox.len());
        for message in std::mem::take(&mut self.refused) {
            self.message(message)?;
            room = room.saturating_sub(1);
        }
        while room > 0 {
            let Ok(message) = self.inbox.try_recv() else { break };
            self.message(message)?;
            room -= 1;
        }
        Ok(room)
    }

    pub(super) fn message(&mut self, message: Message) -> Result<(), LiveError> {
        match message {
            Message::Submitted { order_id, outcome } => {
                self.leaving.remove(&order_id);
                self.take(|time| Input::Submitted { order_id, outcome, time })
            }
            Message::Canceled { order_id, outcome } => {
                self.take(|time| Input::Canceled { order_id, outcome, time })
            }
            Message::LookedUp { order_id, answer } => {
                self.take(|time| Input::LookedUp { order_id, answer, time })
            }
            Message::AccountSeen { broker, answer } => {
                self.take(|time| Input::AccountSeen { broker, answer, time })
            }
            Message::Broker { broker, event } => {
                if !self.driver.core().is_news(&event) {
                    return Ok(());
                }
                self.take(|time| Input::Broker { broker, event: *event, time })
            }
            Message::Connection { broker, connected } => {
                self.take(|time| Input::Connection { broker, connected, time })
            }
            Message::GateAnswered { order_id, answer, failures, took } => {
                self.asking.remove(&order_id);
                self.stats.gates.observe(took);
                self.take(|time| Input::GateAnswered { order_id, answer, failures, time })
            }
            Message::Decided { trader, verdict } => self.decided(trader, verdict),
            Message::Called { trader, call, reply } => self.called(trader, call, reply),
            Message::Operator { act, reply } => {
                // What happened before is told before, so that the answer holds only what the act did.
                self.settle()?;
                self.take(|time| Input::Operator { act: *act, time })?;
                self.driver.commit().map_err(|error| LiveError::Driver(error, 0))?;
                let events = self.driver.events();
                self.publish(&events);
                self.replies.push((reply, events));
                self.settle()
            }
            Message::Ask(question) => {
                self.settle()?;
                question(self.driver.core(), &self.stats);
                Ok(())
            }
            Message::Stop => {
                self.stopping = true;
                Ok(())
            }
        }
    }

    pub(super) fn decided(&mut self, index: usize, verdict: Verdict) -> Result<(), LiveError> {
        let Some(seat) = self.seats.get_mut(index) else { return Ok(()) };
        let began = seat.busy.take();
        let (strategy_id, fund_id) = (seat.strategy_id.clone(), seat.fund_id.clone());
        let (panicked, message) = match verdict {
            Verdict::Commands { commands, memory } => {
                let state = self.driver.core().state();
                let memory =
                    memory.filter(|memory| state.memory(&fund_id, &strategy_id) != Some(memory.as_slice()));
                if commands.is_empty() && memory.is_none() {
                    return Ok(());
                }
                return self.take(|time| Input::Decided { strategy_id, fund_id, time, commands, memory });
            }
            Verdict::Failed(message) => (false, message),
            Verdict::Panicked(message) => (true, message),
        };
        self.stats.error_count = self.stats.error_count.saturating_add(1);
        let time = began.unwrap_or_else(|| self.clock.now());
        (self.observe)(Told::StrategyError { strategy: &strategy_id, error: &message, time });
        if self.rules.halt_on_error {
            self.failed_strategy = Some((strategy_id.to_string(), message.clone()));
            self.stopping = true;
        }
        if !panicked {
            return Ok(());
        }
        if let Some(seat) = self.seats.get_mut(index) {
            seat.lost = true;
        }
        self.stats.strategies_lost = self.stats.strategies_lost.saturating_add(1);
        // Nothing is known of its state any more, so nothing new may come of it.
        let Ok(requested_by) = ActorId::new("live-engine") else { return Ok(()) };
        let request = HaltRequest {
            scope: HaltScope::Strategy(strategy_id),
            mode: HaltMode::ReduceOnly,
            reason: format!("it panicked: {message}"),
            causes: Vec::new(),
            requested_by,
            timestamp: self.now(),
        };
        self.take(|time| Input::Operator { act: OperatorAct::Halt(request), time })
    }

    /// Takes what feeds give.
    pub(super) fn market(&mut self, mut room: u64) -> Result<(), LiveError> {
        self.stats.deepest_market_lane = self.stats.deepest_market_lane.max(self.market_inbox.len());
        let held = std::mem::take(&mut self.held_market);
        for message in held {
            self.market_message(message)?;
            room = room.saturating_sub(1);
        }
        while room > 0 {
            let Ok(message) = self.market_inbox.try_recv() else { break };
            self.market_message(message)?;
            room -= 1;
        }
        Ok(())
    }

    pub(super) fn market_message(&mut self, message: MarketMessage) -> Result<(), LiveError> {
        let event = match message {
            MarketMessage::Event(event) => event,
            MarketMessage::Ended => {
                self.feeds_left = self.feeds_left.saturating_sub(1);
                self.stats.feed_ended = self.feeds_left == 0;
                return Ok(());
            }
            MarketMessage::Failed(error) => {
                let text = format!("a feed failed and is started again: {error}");
                (self.observe)(Told::Notice(&text));
                return Ok(());
            }
        };
        let now = self.now();
        self.stats.market_events = self.stats.market_events.saturating_add(1);
        self.stats.last_market_event = Some(now);
        let cause = match &event {
            MarketEvent::Bars { time, bars } => {
                self.stats.bar_count = self.stats.bar_count.saturating_add(1);
                self.stats.last_bar_time = Some(*time);
                let known = |symbol| self.driver.core().config().instruments.get(symbol).is_some();
                let marks = bars
                    .iter()
                    .filter(|bar| known(&bar.symbol))
                    .map(|bar| MarkUpdate { symbol: bar.symbol.clone(), price: bar.close })
                    .collect();
                for venue in self.venues.values() {
                    if let Some(simulated) = venue.simulated() {
                        simulated.on_bars(bars);
                    }
                }
                self.marks(marks)?;
                self.volumes(bars)?;
                Some(Cause::Bars { time: *time, bars: Arc::clone(bars) })
            }
            MarketEvent::Quote(quote) => {
                for venue in self.venues.values() {
                    if let Some(simulated) = venue.simulated() {
                        simulated.on_quote(quote);
                    }
                }
                Some(Cause::Quote(quote.clone()))
            }
            MarketEvent::Trade(trade) => {
                self.traded(trade)?;
                for venue in self.venues.values() {
                    if let Some(simulated) = venue.simulated() {
                        simulated.on_trade(trade);
                    }
                }
                Some(Cause::Trade(trade.clone()))
            }
            MarketEvent::Gap { venue, from, to } => {
                let text = format!("market data of {venue} between {from} and {to} is missing");
                (self.observe)(Told::Notice(&text));
                None
            }
            MarketEvent::Stale { venue, since, symbols, cause } => {
                self.stale_prices(venue, *since, symbols, *cause)?;
                None
            }
            MarketEvent::Recovered { venue, .. } => {
                let text = format!("market data of {venue} flows again");
                (self.observe)(Told::Notice(&text));
                self.take(|time| Input::StalePrices { venue: venue.clone(), symbols: Vec::new(), time })?;
                None
            }
            MarketEvent::Revised(bar) => Some(Cause::Revised(bar.clone())),
            MarketEvent::Funding(rate) => Some(Cause::Funding(rate.clone())),
            MarketEvent::Backfilled { venue, symbol, from, to } => {
                let text = format!("market data of {symbol} at {venue} from {from} to {to} follows late");
                (self.observe)(Told::Notice(&text));
                None
            }
            MarketEvent::Fatal { venue, message } => {
                let text = format!("market data of {venue} has ended: {message}");
                (self.observe)(Told::Notice(&text));
                None
            }
        };
        if let Some(mark) = self.conflation.of(&event, self.driver.core(), now) {
            self.marks(vec![mark])?;
        }
        if let Some(cause) = cause {
            for seat in &mut self.seats {
                let dropped = seat.queue(cause.clone());
                self.stats.data_dropped = self.stats.data_dropped.saturating_add(dropped);
            }
        }
        Ok(())
    }

    /// Tells people and the core that prices are not to be trusted.
    fn stale_prices(
        &mut self,
        venue: &VenueName,
        since: Timestamp,
        symbols: &[Symbol],
        cause: StaleCause,
    ) -> Result<(), LiveError> {
        /// Instruments that are named to people.
        const NAMED: usize = 8;
        let named: Vec<&str> = symbols.iter().take(NAMED).map(Symbol::as_str).collect();
        let more = symbols.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = match cause {
            StaleCause::Interrupted => "the stream is interrupted",
            StaleCause::Silent => "nothing comes",
        };
        let text =
            format!("market data of {venue} is stale since {since}, {why}: {}{more}", named.join(", "));
        (self.observe)(Told::Notice(&text));
        let instruments = &self.driver.core().config().instruments;
        let known = symbols.iter().filter(|symbol| instruments.get(symbol).is_some());
        let symbols = known.cloned().collect();
        self.take(|time| Input::StalePrices { venue: venue.clone(), symbols, time })
    }

    /// Tells the volume of bars to algorithms that follow it.
    fn volumes(&mut self, bars: &[Bar]) -> Result<(), LiveError> {
        let (now, core) = (self.now(), self.driver.core());
        let wanted = bars.iter().filter(|bar| core.wants_volume(&bar.symbol, now));
        let volumes: Vec<VolumeUpdate> = wanted.map(VolumeUpdate::of).collect();
        if volumes.is_empty() { Ok(()) } else { self.take(|time| Input::Volumes { time, volumes }) }
    }

    /// The same for a print.
    fn traded(&mut self, trade: &Trade) -> Result<(), LiveError> {
        if !self.driver.core().wants_volume(&trade.symbol, self.now()) {
            return Ok(());
        }
        let volumes = vec![VolumeUpdate { symbol: trade.symbol.clone(), units: trade.size }];
        self.take(|time| Input::Volumes { time, volumes })
    }

    pub(super) fn marks(&mut self, marks: Vec<MarkUpdate>) -> Result<(), LiveError> {
        if marks.is_empty() {
            return Ok(());
        }
        self.take(|time| Input::Marks { time, marks })
    }

    pub(super) fn take(&mut self, input: impl FnOnce(Timestamp) -> Input) -> Result<(), LiveError> {
        let input = input(self.now());
        self.take_input(&input)
    }

    pub(super) fn take_input(&mut self, input: &Input) -> Result<(), LiveError> {
        self.stats.inputs = self.stats.inputs.saturating_add(1);
        let began = self.clock.now();
        self.driver.take(input).map_err(|error| LiveError::Driver(error, 0))?;
        self.stats.decisions.observe(self.clock.now().since(began));
        Ok(())
    }

    /// Makes everything durable, then tells, acts and gives strategies their next data.
    pub(super) fn settle(&mut self) -> Result<(), LiveError> {
        let waiting = self.driver.uncommitted();
        if waiting > 0 {
            self.stats.commits = self.stats.commits.saturating_add(1);
            self.stats.largest_group = self.stats.largest_group.max(waiting);
        }
        let began = self.clock.now();
        self.driver.commit().map_err(|error| LiveError::Driver(error, 0))?;
        if waiting > 0 {
            let took = u64::try_from(self.clock.now().since(began).as_nanos()).unwrap_or(u64::MAX);
            self.stats.commit_nanos = self.stats.commit_nanos.saturating_add(took);
            self.stats.longest_commit_nanos = self.stats.longest_commit_nanos.max(took);
        }
        let events = self.driver.events();
        self.publish(&events);
        self.answer_calls(&events);
        for (reply, events) in std::mem::take(&mut self.replies) {
            // Who asked may have given up.
            reply.send(events).ok();
        }
        let actions = self.driver.actions();
        let killed = actions.iter().any(|action| matches!(action, Action::Submit(_))) && self.take_kill()?;
        for action in actions {
            match action {
                // It was decided before the kill and has not left.
                Action::Submit(order) if killed => self.refused.push(Message::Submitted {
                    order_id: order.order_id.clone(),
                    outcome: SubmitOutcome::NotSent { reason: "the kill switch was set".into() },
                }),
                action => self.act(action),
            }
        }
        if killed {
            // What the kill itself wants done.
            return self.settle();
        }
        self.wake_strategies()
    }

    pub(super) fn publish(&mut self, events: &[Event]) {
        for event in events {
            (self.observe)(Told::Event(event));
            for seat in &mut self.seats {
                if concerns(event, &seat.fund_id) {
                    seat.note(event);
                }
            }
        }
    }

    /// Takes a kill that somebody set outside of the engine; whether there was one.
    pub(super) fn take_kill(&mut self) -> Result<bool, LiveError> {
        let Some((reason, actor)) = self.kill_flag.as_mut().and_then(|flag| flag.wanted()) else {
            return Ok(false);
        };
        self.take(|time| Input::Operator { act: OperatorAct::Kill { reason, actor }, time })?;
        self.driver.commit().map_err(|error| LiveError::Driver(error, 0))?;
        if let Some(flag) = &mut self.kill_flag {
            flag.taken();
        }
        Ok(true)
    }

    /// Hands an action to its broker, or a question to the gates.
    pub(super) fn act(&mut self, action: Action) {
        let action = match action {
            Action::Ask(question) => return self.ask(question),
            action => action,
        };
        let state = self.driver.core().state();
        let broker = match &action {
            Action::Submit(order) => Some(order.broker.clone()),
            Action::Cancel(reference) => {
                state.order(&reference.order_id).map(|record| record.order.broker.clone())
            }
            Action::LookUp { broker, .. } | Action::Snapshot { broker } => Some(broker.clone()),
            Action::Ask(_) => None,
        };
        let Some(calls) = broker.and_then(|broker| self.calls.get(&broker)) else { return };
        let leaves = match &action {
            Action::Submit(order) => Some(order.order_id.clone()),
            _ => None,
        };
        match calls.hand_over(action) {
            Ok(()) => self.leaving.extend(leaves),
            Err(refused) => {
                self.stats.calls_refused = self.stats.calls_refused.saturating_add(1);
                self.refused.push(*refused);
            }
        }
    }

    /// Asks the gates about an order, unless they are asked already.
    fn ask(&mut self, question: Box<GateQuestion>) {
        let now = self.now();
        let Some(questions) = &self.questions else { return };
        if !self.asking.insert(question.order.order_id.clone()) {
            return;
        }
        if let Err(refused) = questions.hand_over(question, now) {
            self.refused.push(refused);
        }
    }

    /// Gives idle strategies what waits for them, each once the account of its fund is compared.
    pub(super) fn wake_strategies(&mut self) -> Result<(), LiveError> {
        let now = self.now();
        let session: Option<Session> = self.sessions.open_now(now)?;
        let core = self.driver.core();
        for (seat, memory) in self.seats.iter_mut().zip(&mut self.memories) {
            let held = seat.broker.as_ref().is_some_and(|broker| !core.is_compared(broker));
            self.stats.data_dropped = self.stats.data_dropped.saturating_add(seat.hold(held));
            if held {
                continue;
            }
            let was_idle = seat.busy.is_none();
            seat.next(core.state(), now, session, self.sessions.calendar(), memory.clone());
            if was_idle && seat.busy.is_some() {
                // It has its memory now.
                *memory = None;
            }
        }
        Ok(())
    }
}
