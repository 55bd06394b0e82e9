//! Strategies on threads of their own: slow, failing and panicking ones hold up nobody.

use super::handles::LanePort;
use super::lanes::{Message, Verdict};
use crate::core::State;
use mts_foundation::broker_handle::{BrokerHandle, BrokerPort, HandleStrategy};
use mts_foundation::event::Event;
use mts_foundation::strategy::{Commands, Strategy, StrategyError};
use mts_foundation::{
    Bar, BrokerName, FundBook, FundId, FundingRate, MarketCalendar, OrderRecord, Quote, Session, StrategyId,
    Timestamp, Trade, View,
};
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::mpsc;

/// Data that may wait for a strategy; beyond it the oldest is dropped.
const BACKLOG: usize = 1_024;

/// Events that may wait for a strategy; beyond it the oldest are dropped, and the strategy is told by its next view's orders.
const MAX_EVENTS: usize = 10_000;

/// Why a strategy is called.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    Start,
    Bars {
        time: Timestamp,
        bars: Arc<[Bar]>,
    },
    Quote(Quote),
    Trade(Trade),
    Revised(Bar),
    Funding(FundingRate),
    /// Only events.
    Events,
    End,
}

/// Everything one call needs: copies, because the books go on changing meanwhile.
#[derive(Debug)]
struct Task {
    cause: Cause,
    time: Timestamp,
    session: Option<Session>,
    calendar: Option<&'static MarketCalendar>,
    fund_id: FundId,
    book: FundBook,
    open_orders: Vec<OrderRecord>,
    events: Vec<Event>,
    memory: Option<Vec<u8>>,
}

/// One strategy, as the core's thread sees it.
#[derive(Debug)]
pub(super) struct TraderSeat {
    pub(super) strategy_id: StrategyId,
    pub(super) fund_id: FundId,
    /// Where the fund trades.
    pub(super) broker: Option<BrokerName>,
    /// The account there is not compared yet: what comes waits.
    held: bool,
    tasks: SyncSender<Task>,
    /// Since when it works on something; `None` = idle.
    pub(super) busy: Option<Timestamp>,
    /// It was told to be slow for the present call.
    pub(super) slow_told: bool,
    backlog: VecDeque<Cause>,
    events: VecDeque<Event>,
    /// Nothing is asked of it any more.
    pub(super) lost: bool,
}

impl TraderSeat {
    /// Starts the strategy's thread.
    pub(super) fn start(
        index: usize,
        strategy: Box<dyn Strategy>,
        (fund_id, broker): (FundId, Option<BrokerName>),
        lane: mpsc::Sender<Message>,
    ) -> std::io::Result<Self> {
        let strategy_id = strategy.id().clone();
        let (tasks, queue) = sync_channel(1);
        std::thread::Builder::new()
            .name(format!("strategy {strategy_id}"))
            .spawn(move || work(index, strategy, &queue, &lane))?;
        Ok(Self {
            strategy_id,
            fund_id,
            broker,
            held: true,
            tasks,
            busy: None,
            slow_told: false,
            backlog: VecDeque::new(),
            events: VecDeque::new(),
            lost: false,
        })
    }

    /// Puts data behind what waits already. How many were dropped for it: the oldest beyond the bound, and a quote that a newer
    /// one of its instrument overtook while the strategy had to wait.
    pub(super) fn queue(&mut self, cause: Cause) -> u64 {
        if self.lost {
            return 0;
        }
        let before = self.backlog.len();
        if let (true, Cause::Quote(newer)) = (self.held, &cause) {
            self.backlog
                .retain(|waiting| !matches!(waiting, Cause::Quote(old) if old.symbol == newer.symbol));
        }
        self.backlog.push_back(cause);
        let surplus = self.backlog.len().saturating_sub(BACKLOG);
        self.backlog.drain(..surplus);
        before.saturating_add(1).saturating_sub(self.backlog.len()) as u64
    }

    /// Lets it wait for its account, or not any more. How many of the quotes that wait were dropped, because they are not the
    /// newest of their instruments: what is handed over after the wait is the present, not the way to it.
    pub(super) fn hold(&mut self, held: bool) -> u64 {
        let before = self.backlog.len();
        if held && !self.held {
            let mut seen = BTreeSet::new();
            let newest_first = std::mem::take(&mut self.backlog).into_iter().rev();
            let kept = newest_first.filter(|cause| match cause {
                Cause::Quote(quote) => seen.insert(quote.symbol.clone()),
                _ => true,
            });
            self.backlog = kept.collect();
            self.backlog.make_contiguous().reverse();
        }
        self.held = held;
        before.saturating_sub(self.backlog.len()) as u64
    }

    /// Notes an event that concerns it.
    pub(super) fn note(&mut self, event: &Event) {
        if self.lost {
            return;
        }
        self.events.push_back(event.clone());
        if self.events.len() > MAX_EVENTS {
            self.events.pop_front();
        }
    }

    /// Whether it waits for nothing and is asked nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_none() && self.backlog.is_empty() && self.events.is_empty()
    }

    /// Gives it the next thing to do, if it is idle and there is one.
    pub(super) fn next(
        &mut self,
        state: &State,
        now: Timestamp,
        session: Option<Session>,
        calendar: Option<&'static MarketCalendar>,
        memory: Option<Vec<u8>>,
    ) {
        if self.lost || self.busy.is_some() {
            return;
        }
        let cause = match self.backlog.pop_front() {
            Some(cause) => cause,
            None if self.events.is_empty() => return,
            None => Cause::Events,
        };
        let Some(book) = state.ledger().fund(&self.fund_id) else { return };
        let open_orders = book.working().filter_map(|(order_id, _)| state.order(order_id)).cloned().collect();
        let task = Task {
            time: match &cause {
                Cause::Bars { time, .. } => *time,
                // Where it waited it is history, like a bar.
                Cause::Trade(trade) => trade.timestamp.min(now),
                _ => now,
            },
            cause,
            session,
            calendar,
            fund_id: self.fund_id.clone(),
            book: book.clone(),
            open_orders,
            events: self.events.drain(..).collect(),
            memory,
        };
        match self.tasks.try_send(task) {
            Ok(()) => (self.busy, self.slow_told) = (Some(now), false),
            // It is idle, so there is room; only a thread that is gone refuses.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.lost = true,
        }
    }
}

/// The strategy's thread: one call after the other, until the engine lets go of it.
fn work(index: usize, mut strategy: Box<dyn Strategy>, queue: &Receiver<Task>, lane: &mpsc::Sender<Message>) {
    while let Ok(task) = queue.recv() {
        let mut port = LanePort { trader: index, lane: lane.clone() };
        let verdict = match catch_unwind(AssertUnwindSafe(|| call(&mut *strategy, &task, &mut port))) {
            Ok(verdict) => verdict,
            Err(panic) => Verdict::Panicked(words(&*panic)),
        };
        let ends = matches!(verdict, Verdict::Panicked(_)) || matches!(task.cause, Cause::End);
        if lane.blocking_send(Message::Decided { trader: index, verdict }).is_err() || ends {
            return;
        }
    }
}

fn call(strategy: &mut dyn Strategy, task: &Task, port: &mut dyn BrokerPort) -> Verdict {
    let open_orders: Vec<&OrderRecord> = task.open_orders.iter().collect();
    let (mut bars, mut quotes, mut trades): (&[Bar], &[Quote], &[Trade]) = (&[], &[], &[]);
    let (mut revised, mut funding): (&[Bar], &[FundingRate]) = (&[], &[]);
    match &task.cause {
        Cause::Bars { bars: given, .. } => bars = given,
        Cause::Quote(quote) => quotes = std::slice::from_ref(quote),
        Cause::Trade(trade) => trades = std::slice::from_ref(trade),
        Cause::Revised(bar) => revised = std::slice::from_ref(bar),
        Cause::Funding(rate) => funding = std::slice::from_ref(rate),
        Cause::Start | Cause::Events | Cause::End => {}
    }
    let view = View {
        time: task.time,
        session: task.session.as_ref(),
        calendar: task.calendar,
        bars,
        quotes,
        trades,
        revised,
        funding,
        fund_id: &task.fund_id,
        book: &task.book,
        open_orders: &open_orders,
    };
    let mut commands = Commands::new();
    let restored = match &task.memory {
        Some(memory) => strategy.restore(memory),
        None => Ok(()),
    };
    let asked = match strategy.with_handle() {
        Some(strategy) => {
            let mut broker = BrokerHandle::new(task.fund_id.clone(), port);
            restored.and_then(|()| converse(strategy, task, &view, &mut broker))
        }
        None => restored.and_then(|()| listen(strategy, task, &view, &mut commands)),
    };
    if let Err(error) = asked {
        return Verdict::Failed(error.to_string());
    }
    if commands.dropped() > 0 {
        return Verdict::Failed(format!("{} commands beyond the limit of one call", commands.dropped()));
    }
    Verdict::Commands { memory: strategy.save(), commands: commands.into_list() }
}

/// Asks a strategy for its commands.
fn listen(
    strategy: &mut dyn Strategy,
    task: &Task,
    view: &View<'_>,
    commands: &mut Commands,
) -> Result<(), StrategyError> {
    for event in &task.events {
        strategy.on_order_event(view, event, commands)?;
    }
    match &task.cause {
        Cause::Start => strategy.on_start(view, commands),
        Cause::Events => Ok(()),
        Cause::End => strategy.on_end(view, commands),
        _ => strategy.on_data(view, commands),
    }
}

/// Lets a strategy talk with its broker.
fn converse(
    strategy: &mut dyn HandleStrategy,
    task: &Task,
    view: &View<'_>,
    broker: &mut BrokerHandle<'_>,
) -> Result<(), StrategyError> {
    for event in &task.events {
        strategy.on_order_event(view, event, broker)?;
    }
    match &task.cause {
        Cause::Start => strategy.on_start(view, broker),
        Cause::Events => Ok(()),
        Cause::End => strategy.on_end(view),
        _ => strategy.on_data(view, broker),
    }
}

/// What a panic says.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
