//! What TWS tells, as frames for a session: a socket that is none.

use super::join::Joiner;
use super::link::{Heard, Link, heard};
use super::told;
use super::wire::{Told, WireFees};
use crate::kit::{Failure, FailureKind};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use ibapi::Notice;
use ibapi::orders::OrderUpdate;
use ibapi::subscriptions::{NoticeStream, Subscription, SubscriptionItem};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, TransportError};
use mts_foundation::time::Clock;
use mts_foundation::{Decimal, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What currencies are worth in the account's own, as TWS said when it was asked first over a connection.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<(Option<Timestamp>, BTreeMap<SmolStr, Decimal>)>);

impl Rates {
    /// Of a connection that is known by when it was made.
    fn of(&self, since: Timestamp, currency: &str) -> Option<Decimal> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.1.get(currency).copied().filter(|_| asked.0 == Some(since))
    }

    fn learn(&self, since: Timestamp, rates: BTreeMap<SmolStr, Decimal>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Some(since), rates);
    }

    /// Sets the rate of a cost, by asking TWS where nobody knows it.
    pub(super) async fn price(
        &self,
        link: &Arc<Link>,
        fees: &mut WireFees,
        base: &str,
    ) -> Result<(), Failure> {
        if fees.currency == base || fees.amount.is_zero() {
            fees.rate = Some(Decimal::ONE);
            return Ok(());
        }
        if self.of(link.since, &fees.currency).is_none() {
            self.learn(link.since, link.rates().await?);
        }
        fees.rate = self.of(link.since, &fees.currency);
        Ok(())
    }
}

/// One listener.
pub(super) struct Feed {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    rates: Arc<Rates>,
    base: SmolStr,
    updates: Subscription<OrderUpdate>,
    notices: NoticeStream,
    joiner: Joiner,
    ready: VecDeque<Told>,
}

/// What comes next.
enum Next {
    Update(Box<Option<Result<SubscriptionItem<OrderUpdate>, ibapi::Error>>>),
    Notice(Option<Notice>),
    Due,
}

impl Feed {
    pub(super) fn open(
        link: Arc<Link>,
        clock: Arc<dyn Clock>,
        rates: Arc<Rates>,
        base: SmolStr,
        fees_within: Duration,
    ) -> Result<Self, Failure> {
        Ok(Self {
            updates: link.listen(),
            notices: link.notices()?,
            link,
            clock,
            rates,
            base,
            joiner: Joiner::new(fees_within),
            ready: VecDeque::from([Told::Live]),
        })
    }

    /// Waits for one thing. Safe to drop.
    async fn next(&mut self) -> Next {
        let due = self.joiner.due().map(|due| due.saturating_sub(self.clock.monotonic()));
        let told = async {
            match select(pin!(self.updates.next()), pin!(self.notices.next())).await {
                Either::Left((update, _)) => Next::Update(Box::new(update)),
                Either::Right((notice, _)) => Next::Notice(notice),
            }
        };
        match due {
            None => told.await,
            Some(due) => match select(pin!(told), self.link.sleep.sleep(due)).await {
                Either::Left((next, _)) => next,
                Either::Right(_) => Next::Due,
            },
        }
    }

    async fn told(&mut self) -> Result<Option<Told>, Failure> {
        loop {
            // Not taken out before its rate is known: this may be dropped while it is asked for.
            if let Some(told) = self.ready.front_mut() {
                let fees = match told {
                    Told::Fees(fees) | Told::Execution { fees: Some(fees), .. } => Some(fees),
                    _ => None,
                };
                if let Some(fees) = fees.filter(|fees| fees.rate.is_none()) {
                    self.rates.price(&self.link, fees, &self.base).await?;
                }
                return Ok(self.ready.pop_front());
            }
            let next = self.next().await;
            self.joiner.release(self.clock.monotonic(), &mut self.ready);
            let update = match next {
                Next::Due => continue,
                Next::Notice(None) => return Ok(None),
                Next::Notice(Some(notice)) => {
                    self.take(Told::Notice(told::notice(&notice)));
                    continue;
                }
                Next::Update(update) => *update,
            };
            let Some(update) = update else { return Ok(None) };
            // Where some of what was told was dropped the history has it: the stream begins anew.
            match heard(update)? {
                Heard::Notice(notice) => self.take(Told::Notice(notice)),
                Heard::Update(update) => {
                    if let Some(told) = told::update(&update, self.link.zone.as_deref())? {
                        self.take(told);
                    }
                }
            }
        }
    }

    fn take(&mut self, told: Told) {
        self.joiner.take(told, self.clock.monotonic(), &mut self.ready);
    }
}

fn cut(failure: Failure) -> TransportError {
    TransportError {
        departure: Departure::NotSent,
        timed_out: matches!(failure.kind, FailureKind::Lost { timed_out: true }),
        message: failure.message,
        source: None,
    }
}

impl Socket for Feed {
    /// Anything that is sent is a question whether TWS is there.
    fn send(&mut self, _frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { self.link.time().await.map(|_| ()).map_err(cut) })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(async {
            let Some(told) = self.told().await.map_err(cut)? else { return Ok(None) };
            let bytes = serde_json::to_vec(&told).map_err(|error| {
                cut(Failure::unreadable(format!("what was told cannot be kept: {error}")))
            })?;
            Ok(Some(Frame::Text(Bytes::from(bytes))))
        })
    }
}
