//! Calls to brokers, each with a deadline, and their event streams, which are opened again when they end.

use super::lanes::Message;
use crate::input::{AccountAnswer, LookUp};
use crate::output::Action;
use mts_foundation::broker::{
    BrokerOrderRef, CancelOutcome, DynBroker, OrderRef, SimulatedBroker, SubmitOutcome,
};
use mts_foundation::broker_event::Cursor;
use mts_foundation::reconcile::AccountSnapshot;
use mts_foundation::{BrokerName, Order, OrderId};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// Calls that may wait for a broker, in each of the three queues: orders, cancellations, and questions. A venue that answers
/// no question holds up no cancellation.
const QUEUE: usize = 1_024;

/// Calls of one queue under way at one time.
const UNDER_WAY: usize = 64;

/// Pauses between attempts to connect: first, and longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A broker of the engine.
#[derive(Clone)]
pub enum Venue {
    /// One with a market of its own.
    Real(Arc<dyn DynBroker>),
    /// One whose market is driven by the engine's own data: paper and shadow.
    Simulated(Arc<dyn SimulatedBroker>),
}

impl std::fmt::Debug for Venue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.simulated().is_some() { "Simulated" } else { "Real" };
        out.debug_tuple(kind).finish()
    }
}

impl Venue {
    /// The broker.
    #[must_use]
    pub fn broker(&self) -> &dyn DynBroker {
        match self {
            Self::Real(broker) => &**broker,
            Self::Simulated(broker) => &**broker,
        }
    }

    /// The broker, where the engine drives its market.
    #[must_use]
    pub fn simulated(&self) -> Option<&dyn SimulatedBroker> {
        match self {
            Self::Real(_) => None,
            Self::Simulated(broker) => Some(&**broker),
        }
    }
}

/// One call.
#[derive(Debug)]
enum Call {
    Submit(Order),
    Cancel(BrokerOrderRef),
    LookUp { order_id: OrderId, reference: OrderRef },
    Snapshot,
}

/// The queues to one broker.
#[derive(Debug)]
pub(super) struct Calls {
    broker: BrokerName,
    orders: mpsc::Sender<Call>,
    cancels: mpsc::Sender<Call>,
    questions: mpsc::Sender<Call>,
}

/// Starts the tasks of one broker.
pub(super) fn start(
    broker: &BrokerName,
    venue: &Venue,
    cursor: Option<Cursor>,
    deadline: Duration,
    lane: &mpsc::Sender<Message>,
    stop: &watch::Receiver<bool>,
) -> Calls {
    let (orders, from_orders) = mpsc::channel(QUEUE);
    let (cancels, from_cancels) = mpsc::channel(QUEUE);
    let (questions, from_questions) = mpsc::channel(QUEUE);
    for queue in [from_orders, from_cancels, from_questions] {
        tokio::spawn(carry_out(broker.clone(), venue.clone(), queue, deadline, lane.clone()));
    }
    tokio::spawn(follow(broker.clone(), venue.clone(), cursor, deadline, lane.clone(), stop.clone()));
    Calls { broker: broker.clone(), orders, cancels, questions }
}

impl Calls {
    /// Hands over an action without waiting. A full queue is answered at once: what did not leave is known not to have left.
    pub(super) fn hand_over(&self, action: Action) -> Result<(), Box<Message>> {
        let (queue, call) = match action {
            Action::Submit(order) => (&self.orders, Call::Submit(order)),
            Action::Cancel(reference) => (&self.cancels, Call::Cancel(reference)),
            Action::LookUp { order_id, reference, .. } => {
                (&self.questions, Call::LookUp { order_id, reference })
            }
            Action::Snapshot { .. } => (&self.questions, Call::Snapshot),
            // No broker's business.
            Action::Ask(_) => return Ok(()),
        };
        queue.try_send(call).map_err(|refused| {
            let reason = "too many calls to the broker are under way";
            Box::new(match refused.into_inner() {
                Call::Submit(order) => Message::Submitted {
                    order_id: order.order_id.clone(),
                    outcome: SubmitOutcome::NotSent { reason: reason.into() },
                },
                Call::Cancel(reference) => Message::Canceled {
                    order_id: reference.order_id,
                    outcome: CancelOutcome::Unknown { cause: reason.into() },
                },
                Call::LookUp { order_id, .. } => {
                    Message::LookedUp { order_id, answer: LookUp::Failed { message: reason.to_owned() } }
                }
                Call::Snapshot => Message::AccountSeen {
                    broker: self.broker.clone(),
                    answer: AccountAnswer::Failed { message: reason.to_owned() },
                },
            })
        })
    }
}

/// Carries out the calls of one queue, in the order they came and a bounded number at a time.
async fn carry_out(
    broker: BrokerName,
    venue: Venue,
    mut queue: mpsc::Receiver<Call>,
    deadline: Duration,
    lane: mpsc::Sender<Message>,
) {
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some(call) = queue.recv().await {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (broker, venue, lane) = (broker.clone(), venue.clone(), lane.clone());
        tokio::spawn(async move {
            let answer = one(broker, &venue, call, deadline).await;
            // Nobody takes answers once the engine has stopped.
            lane.send(answer).await.ok();
            drop(permit);
        });
    }
}

async fn one(broker: BrokerName, venue: &Venue, call: Call, deadline: Duration) -> Message {
    let late = || format!("no answer within {} s", deadline.as_secs_f64());
    let broker_of = venue.broker();
    match call {
        Call::Submit(order) => {
            let answer = tokio::time::timeout(deadline, broker_of.submit(&order)).await;
            // It may have left: only the venue can say what became of it.
            let outcome = answer.unwrap_or_else(|_| SubmitOutcome::Unknown { cause: late().into() });
            Message::Submitted { order_id: order.order_id.clone(), outcome }
        }
        Call::Cancel(reference) => {
            let answer = tokio::time::timeout(deadline, broker_of.cancel(&reference)).await;
            let outcome = answer.unwrap_or_else(|_| CancelOutcome::Unknown { cause: late().into() });
            Message::Canceled { order_id: reference.order_id, outcome }
        }
        Call::LookUp { order_id, reference } => {
            let answer = match tokio::time::timeout(deadline, broker_of.order(&reference)).await {
                Ok(Ok(Some(report))) => LookUp::Found(Box::new(report)),
                Ok(Ok(None)) => LookUp::NotKnown,
                Ok(Err(error)) => LookUp::Failed { message: error.to_string() },
                Err(_) => LookUp::Failed { message: late() },
            };
            Message::LookedUp { order_id, answer }
        }
        Call::Snapshot => {
            let answer = match tokio::time::timeout(deadline, snapshot(broker_of)).await {
                Ok(Ok(snapshot)) => AccountAnswer::Seen(Box::new(snapshot)),
                Ok(Err(message)) => AccountAnswer::Failed { message },
                Err(_) => AccountAnswer::Failed { message: late() },
            };
            Message::AccountSeen { broker, answer }
        }
    }
}

/// Everything of an account, or nothing.
async fn snapshot(broker: &dyn DynBroker) -> Result<AccountSnapshot, String> {
    let text = |error: mts_foundation::broker::BrokerError| error.to_string();
    let open_orders = broker.open_orders().await.map_err(text)?;
    // Cash before positions: a fill between the two shows as units that differ, which are looked at again, and not as money that
    // nobody can explain.
    let account = broker.account().await.map_err(text)?;
    let positions = broker.positions().await.map_err(text)?;
    Ok(AccountSnapshot { open_orders, positions, account })
}

/// Follows what a broker says by itself, from the cursor on, over any number of connections. One that is not there within the
/// deadline has failed.
async fn follow(
    broker: BrokerName,
    venue: Venue,
    mut cursor: Option<Cursor>,
    deadline: Duration,
    lane: mpsc::Sender<Message>,
    mut stop: watch::Receiver<bool>,
) {
    let of = venue.broker();
    let mut pause = FIRST_PAUSE;
    let mut connected = true;
    loop {
        let connects = tokio::select! {
            biased;
            _ = stop.changed() => return,
            answer = tokio::time::timeout(deadline, of.connect()) => answer,
        };
        if matches!(connects, Ok(Ok(()))) {
            if !connected
                && lane.send(Message::Connection { broker: broker.clone(), connected: true }).await.is_err()
            {
                return;
            }
            connected = true;
            let mut events = of.events(cursor.clone());
            loop {
                let next = tokio::select! {
                    biased;
                    _ = stop.changed() => return,
                    next = poll_fn(|context| events.as_mut().poll_next(context)) => next,
                };
                let Some(Ok(event)) = next else { break };
                pause = FIRST_PAUSE;
                if let Some(place) = event.cursor() {
                    cursor = Some(place.clone());
                }
                let message = Message::Broker { broker: broker.clone(), event: Box::new(event) };
                if lane.send(message).await.is_err() {
                    return;
                }
            }
        }
        if connected {
            connected = false;
            if lane.send(Message::Connection { broker: broker.clone(), connected: false }).await.is_err() {
                return;
            }
        }
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}
