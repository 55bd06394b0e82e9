//! The desk: one task that owns the exchange and the log, so that the log has everything in the order in which it happened.

use super::log::{Entry, Log};
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::SystemClock;
use crate::signals::StopSignal;
use mts_brokers::loopback::wire::{Answer, Request, VERSION};
use mts_foundation::broker::{
    BrokerError, BrokerOrderRef, CancelOutcome, OrderRef, SimulatedBroker, SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor};
use mts_foundation::market_data::{DynDataFeed, MarketDataError, MarketEvent};
use mts_foundation::ready::ready;
use mts_foundation::{Clock, IdempotencyKey, Order};
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait.
pub(super) const QUESTIONS: usize = 1_024;

/// Prices that may wait.
const QUOTES: usize = 64;

/// New events that may wait for one follower; who is slower loses its connection and comes back with its cursor.
const UNREAD: usize = 4_096;

/// Time between two looks at the clock, for orders that are on their way to the market.
const TICK: Duration = Duration::from_millis(5);

/// What a connection wants.
pub(super) enum Question {
    /// An answer.
    Ask { client: String, request: Request, answer: oneshot::Sender<Answer> },
    /// Events after a cursor.
    Follow { after: Option<Cursor>, events: oneshot::Sender<mpsc::Receiver<BrokerEvent>> },
}

/// The exchange, its log, and who follows.
pub(super) struct Desk<'a> {
    venue: &'a dyn SimulatedBroker,
    log: Log,
    followers: Vec<mpsc::Sender<BrokerEvent>>,
}

/// Serves until a signal comes.
pub(super) async fn run(
    venue: &dyn SimulatedBroker,
    feed: Box<dyn DynDataFeed>,
    mut questions: mpsc::Receiver<Question>,
    log: Log,
    signal: &StopSignal,
) -> Result<(), CliError> {
    let clock = SystemClock;
    venue.set_time(clock.now());
    venue.connect().await.or_exit(ExitKind::Internal)?;
    let (prices, mut priced) = mpsc::channel(QUOTES);
    tokio::spawn(draw(feed, prices));
    let mut told = venue.events(None);
    let mut desk = Desk { venue, log, followers: Vec::new() };
    let cash = venue.account().await.or_exit(ExitKind::Internal)?.cash;
    desk.log.write(clock.now(), Entry::Opened { cash })?;
    let mut tick = tokio::time::interval(TICK);
    let mut quoted = true;
    while signal.received().is_none() {
        tokio::select! {
            biased;
            question = questions.recv() => match question {
                Some(question) => {
                    venue.set_time(clock.now());
                    desk.question(question).await?;
                }
                None => break,
            },
            event = priced.recv(), if quoted => match event {
                Some(event) => desk.market(&event.or_exit(ExitKind::Data)?),
                // The last prices stand.
                None => quoted = false,
            },
            _ = tick.tick() => venue.set_time(clock.now()),
        }
        while let Ok(Some(event)) = ready(poll_fn(|context| told.as_mut().poll_next(context))) {
            let event = event.or_exit(ExitKind::Internal)?;
            desk.log.write(clock.now(), Entry::Event(&event))?;
            desk.followers.retain(|follower| follower.try_send(event.clone()).is_ok());
        }
    }
    Ok(())
}

/// Draws the prices of a feed; one that fails ends the venue.
async fn draw(mut feed: Box<dyn DynDataFeed>, prices: mpsc::Sender<Result<MarketEvent, MarketDataError>>) {
    if let Err(error) = feed.start().await {
        prices.send(Err(error)).await.ok();
        return;
    }
    while let Some(event) = feed.next().await.transpose() {
        if prices.send(event).await.is_err() {
            return;
        }
    }
}

impl Desk<'_> {
    fn market(&self, event: &MarketEvent) {
        match event {
            MarketEvent::Quote(quote) => self.venue.on_quote(quote),
            MarketEvent::Trade(trade) => self.venue.on_trade(trade),
            MarketEvent::Bars { bars, .. } => self.venue.on_bars(bars),
            _ => {}
        }
    }

    async fn question(&mut self, question: Question) -> Result<(), CliError> {
        match question {
            Question::Ask { client, request, answer } => {
                let given = self.answer(&client, request).await?;
                // Who asked may be gone.
                answer.send(given).ok();
            }
            Question::Follow { after, events } => {
                let mut past = Vec::new();
                let mut stream = self.venue.events(after);
                while let Ok(Some(Ok(event))) = ready(poll_fn(|context| stream.as_mut().poll_next(context))) {
                    past.push(event);
                }
                let (follower, queue) = mpsc::channel(past.len() + UNREAD);
                for event in past {
                    // There is room for all of them.
                    follower.try_send(event).ok();
                }
                if events.send(queue).is_ok() {
                    self.followers.push(follower);
                }
            }
        }
        Ok(())
    }

    async fn answer(&mut self, client: &str, request: Request) -> Result<Answer, CliError> {
        let refused = |error: BrokerError| Answer::Refused(error.to_string());
        Ok(match request {
            Request::Hello { version: VERSION, .. } => {
                Answer::Welcome { version: VERSION, time: SystemClock.now() }
            }
            Request::Hello { version, .. } => Answer::Refused(format!(
                "version is {version}; this venue speaks {VERSION}, use the same mts on both sides"
            )),
            Request::Submit(order) => Answer::Submitted(Box::new(self.submit(client, &order).await?)),
            Request::Cancel(key) => Answer::Canceled(self.cancel(client, &key).await?),
            Request::Order(reference) => match self.venue.order(&reference).await {
                Ok(report) => Answer::Order(report.map(Box::new)),
                Err(error) => refused(error),
            },
            Request::OpenOrders => self.venue.open_orders().await.map_or_else(refused, Answer::OpenOrders),
            Request::Positions => self.venue.positions().await.map_or_else(refused, Answer::Positions),
            Request::Account => self.venue.account().await.map_or_else(refused, Answer::Account),
            Request::Events(_) => Answer::Refused("this connection carries events already".to_owned()),
        })
    }

    async fn submit(&mut self, client: &str, order: &Order) -> Result<SubmitOutcome, CliError> {
        let outcome = match self.venue.submit(order).await {
            // It has left its sender and arrived here.
            SubmitOutcome::NotSent { reason } => SubmitOutcome::Rejected { reason },
            outcome => outcome,
        };
        self.log.write(SystemClock.now(), Entry::Order { client, order, outcome: &outcome })?;
        Ok(outcome)
    }

    async fn cancel(&mut self, client: &str, key: &IdempotencyKey) -> Result<CancelOutcome, CliError> {
        let known = self.venue.order(&OrderRef::Key(key.clone())).await.or_exit(ExitKind::Internal)?;
        let outcome = match known.and_then(|report| Some((report.order_id.clone()?, report))) {
            None => CancelOutcome::NotFound,
            Some((order_id, report)) => {
                let reference = BrokerOrderRef {
                    order_id,
                    idempotency_key: key.clone(),
                    broker_order_id: report.broker_order_id,
                    symbol: report.symbol,
                };
                self.venue.cancel(&reference).await
            }
        };
        self.log.write(SystemClock.now(), Entry::Cancel { client, key, outcome: &outcome })?;
        Ok(outcome)
    }
}
