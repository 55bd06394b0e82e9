//! A consumer of a broker's events as the engine is one: it reconnects with its last cursor, and dedupes on fill ids.

use super::canary::Heard;
use super::probe::{Probe, hear_error};
use futures_core::Stream;
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::double::DoubleFill;
use mts_foundation::{CashFlow, Decimal, Fill, FillId};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// Pause before connecting again.
const PAUSE: Duration = Duration::from_millis(25);

/// Most events that are kept: a broker that repeats itself for ever is stopped here.
const MOST_EVENTS: usize = 50_000;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Fills by id, as first told or as corrected since.
    pub(super) fills: BTreeMap<FillId, Fill>,
    /// Ids of the fills in the order in which they were first told, with their cursors.
    pub(super) cursors: Vec<(FillId, Cursor)>,
    /// Fills whose fees were to follow, when they were told.
    pub(super) pending: Vec<FillId>,
    pub(super) busted: Vec<FillId>,
    pub(super) corrected: Vec<FillId>,
    pub(super) reports: Vec<OrderReport>,
    pub(super) cash: Vec<CashFlow>,
    pub(super) gaps: usize,
    /// How often the stream ended, and with what.
    pub(super) ends: Vec<String>,
    pub(super) events: usize,
    /// The same id with another content.
    pub(super) contradictions: Vec<String>,
    pub(super) last: Option<Cursor>,
}

impl Told {
    /// Whether an interruption was told in some way.
    pub(super) fn interrupted(&self) -> bool {
        self.gaps > 0 || !self.ends.is_empty()
    }

    fn take(&mut self, event: BrokerEvent) {
        self.events += 1;
        match event {
            BrokerEvent::Order(report) => self.reports.push(report),
            BrokerEvent::Cash { flow, cursor } => {
                self.last = Some(cursor);
                self.cash.push(flow);
            }
            BrokerEvent::Fill { cursor, fill, fees, .. } => {
                self.last = Some(cursor.clone());
                if let Some(known) = self.fills.get(&fill.fill_id) {
                    let same = Fill { fees: known.fees, raw: known.raw.clone(), ..fill.clone() };
                    if *known != same && !self.corrected.contains(&fill.fill_id) {
                        self.contradictions
                            .push(format!("fill {} was told twice with other content", fill.fill_id));
                    }
                    // A replay may know the fees that the stream did not.
                    if fees == FeeStatus::Known
                        && let Some(known) = self.fills.get_mut(&fill.fill_id)
                    {
                        known.fees = fill.fees;
                    }
                    return;
                }
                if fees == FeeStatus::Pending {
                    self.pending.push(fill.fill_id.clone());
                }
                self.cursors.push((fill.fill_id.clone(), cursor));
                self.fills.insert(fill.fill_id.clone(), fill);
            }
            BrokerEvent::FeesKnown { fill_id, fees, cursor, .. } => {
                self.last = Some(cursor);
                match self.fills.get_mut(&fill_id) {
                    Some(fill) => fill.fees = fees,
                    None => self.contradictions.push(format!("fees of fill {fill_id}, which was never told")),
                }
            }
            BrokerEvent::Corrected { fill_id, fill, cursor, .. } => {
                self.last = Some(cursor);
                self.fills.remove(&fill_id);
                self.corrected.push(fill_id);
                self.corrected.push(fill.fill_id.clone());
                self.fills.insert(fill.fill_id.clone(), fill);
            }
            BrokerEvent::Busted { fill_id, cursor, .. } => {
                self.last = Some(cursor);
                self.fills.remove(&fill_id);
                self.busted.push(fill_id);
            }
            BrokerEvent::Gap { .. } => self.gaps += 1,
        }
    }

    /// What is told otherwise than the double has it; fills that are missing are said by [`Told::lacks`].
    pub(super) fn differences(&self, fills: &[DoubleFill]) -> Vec<String> {
        let mut found = self.contradictions.clone();
        for (id, fill) in &self.fills {
            let Some(truth) = fills.iter().find(|truth| truth.id == *id) else {
                found.push(format!("fill {id} was told and never happened"));
                continue;
            };
            let mut compare =
                |field: &str, told: &dyn std::fmt::Display, is: &dyn std::fmt::Display, same: bool| {
                    if !same {
                        found.push(format!("fill {id}: {field} was told as {told} and is {is}"));
                    }
                };
            compare("quantity", &fill.quantity, &truth.quantity, fill.quantity == truth.quantity);
            compare("price", &fill.price, &truth.price, fill.price == truth.price);
            compare("fees", &fill.fees, &truth.fees, fill.fees == truth.fees);
            compare("symbol", &fill.symbol, &truth.symbol, fill.symbol == truth.symbol);
            compare("side", &fill.side, &truth.bought, (fill.side.sign() > 0) == truth.bought);
        }
        found
    }

    /// The fills of the double that were not told.
    pub(super) fn lacks(&self, fills: &[DoubleFill]) -> Vec<FillId> {
        let missing = |fill: &&DoubleFill| !self.fills.contains_key(&fill.id);
        fills.iter().filter(missing).map(|fill| fill.id.clone()).collect()
    }

    /// Units told for all fills of an order.
    pub(super) fn filled(&self, order: &mts_foundation::OrderId) -> Decimal {
        self.fills.values().filter(|fill| fill.order_id == *order).map(|fill| fill.quantity).sum()
    }
}

/// The consumer, until it is dropped.
pub(super) struct Follower {
    told: Arc<Mutex<Told>>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Follows a broker from a cursor on.
    pub(super) fn start(probe: &Probe, heard: Heard, after: Option<Cursor>) -> Self {
        let told = Arc::new(Mutex::new(Told { last: after, ..Told::default() }));
        let task = tokio::spawn(follow(probe.clone(), heard, Arc::clone(&told)));
        Self { told, task }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(probe: Probe, heard: Heard, told: Arc<Mutex<Told>>) {
    let lock = || told.lock().unwrap_or_else(PoisonError::into_inner);
    while lock().events < MOST_EVENTS {
        let after = lock().last.clone();
        let mut stream = probe.broker.events(after);
        let end = loop {
            // A panic of the stream must end the case and not this task alone.
            let next = poll_fn(|context| {
                let next = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut stream).poll_next(context)));
                next.unwrap_or_else(|_| {
                    lock().contradictions.push("the stream of events panicked".to_owned());
                    Poll::Ready(None)
                })
            });
            match next.await {
                Some(Ok(event)) => {
                    heard.hear(format_args!("event {event:?}"));
                    lock().take(event);
                }
                Some(Err(error)) => {
                    hear_error(&heard, &error);
                    break error.to_string();
                }
                None => break "without an error".to_owned(),
            }
            if lock().events >= MOST_EVENTS {
                return;
            }
        };
        drop(stream);
        lock().ends.push(end);
        tokio::time::sleep(PAUSE).await;
    }
}
