//! One connection to TWS, over the library, which opens its own socket (the named exception of decision H3). It never
//! reconnects by itself: when it is lost it is over, and a new one is made, so that nobody takes silence for calm.

use super::capabilities::MESSAGES_A_SECOND;
use super::codes::{Weather, weather};
use super::config::IbkrConfig;
use super::told;
use super::wire::WireNotice;
use crate::kit::{Failure, FailureKind};
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use ibapi::orders::OrderUpdate;
use ibapi::subscriptions::{NoticeStream, Subscription, SubscriptionItem};
use ibapi::{Client, Error, NOTICE_STREAM_LAG_CODE, RateLimiter};
use mts_foundation::io::Sleep;
use mts_foundation::{AccountId, Timestamp};
use smol_str::{SmolStr, format_smolstr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Pauses between attempts while TWS still holds a lost connection of this client, in milliseconds.
const HELD: &[u64] = &[50, 100, 200, 400, 800, 1_600, 3_200];

/// A connection.
pub(super) struct Link {
    pub(super) client: Client,
    /// All listeners are clones of this one, which is never read.
    updates: Subscription<OrderUpdate>,
    notices: Mutex<NoticeStream>,
    /// Whether TWS has lost Interactive Brokers.
    down: AtomicBool,
    over: AtomicBool,
    /// Lists are answered without a name of the question, so they are asked for one by one.
    pub(super) lists: tokio::sync::Mutex<()>,
    pub(super) sleep: Arc<dyn Sleep>,
    pub(super) deadline: Duration,
    pub(super) account: AccountId,
    /// The lowest order id that TWS takes.
    pub(super) floor: i32,
    /// TWS's time zone, for times that name none.
    pub(super) zone: Option<SmolStr>,
    pub(super) since: Timestamp,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Link").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A future's answer within a time, or nothing.
pub(super) async fn within<T>(
    sleep: &dyn Sleep,
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(future), sleep.sleep(time)).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

impl Link {
    /// Connects.
    pub(super) async fn open(
        config: &IbkrConfig,
        sleep: Arc<dyn Sleep>,
        limiter: RateLimiter,
        now: Timestamp,
    ) -> Result<Arc<Self>, Failure> {
        let opened = within(&*sleep, config.deadline(), shake(config, &sleep, limiter)).await;
        let (client, notices) = opened.ok_or_else(|| {
            Failure::new(
                FailureKind::Lost { timed_out: true },
                format!("{} does not answer; see that TWS or the gateway is logged in", config.address()),
            )
        })??;
        let account = chosen(config, client.handshake_managed_accounts())?;
        let updates = client.order_update_stream().await.map_err(|error| failure(&error))?;
        let floor = client.next_order_id();
        let zone = client.connection_time().map(|time| {
            // The names of these zones have the sign the other way.
            format_smolstr!("Etc/GMT{:+}", -time.offset().whole_hours())
        });
        Ok(Arc::new(Self {
            client,
            updates,
            notices: Mutex::new(notices),
            down: AtomicBool::new(false),
            over: AtomicBool::new(false),
            lists: tokio::sync::Mutex::new(()),
            sleep,
            deadline: config.deadline(),
            account,
            floor,
            zone,
            since: now,
        }))
    }

    /// Whether it can be used.
    pub(super) fn lives(&self) -> bool {
        !self.over.load(Ordering::Acquire) && self.client.is_connected()
    }

    /// Ends it for everybody.
    pub(super) async fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.client.disconnect().await;
    }

    /// Whether TWS has lost Interactive Brokers, as far as it has said.
    pub(super) fn is_down(&self) -> bool {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Some(notice)) = notices.next().now_or_never() {
            match weather(notice.code) {
                // Whether it is lost or back may be among what was dropped: a new connection knows.
                Weather::Missed if notice.code == NOTICE_STREAM_LAG_CODE => {
                    self.over.store(true, Ordering::Release);
                }
                Weather::Down => self.down.store(true, Ordering::Release),
                Weather::Up => self.down.store(false, Ordering::Release),
                Weather::Fair | Weather::NoAnswer | Weather::Over | Weather::TooMany | Weather::Missed => {}
            }
        }
        self.down.load(Ordering::Acquire)
    }

    /// A listener for everything that is told of orders from now on.
    pub(super) fn listen(&self) -> Subscription<OrderUpdate> {
        self.updates.clone()
    }

    /// A listener for messages that are about the connection.
    pub(super) fn notices(&self) -> Result<NoticeStream, Failure> {
        self.client.notice_stream().map_err(|error| failure(&error))
    }

    /// Runs a question to its end, whoever still waits for the answer: an answer that nobody reads would be taken for the
    /// next one's. Without an answer in time the connection is over.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl for<'a> FnOnce(
            &'a Client,
            Duration,
        ) -> mts_foundation::broker::BoxFuture<'a, Result<T, Error>>
        + Send
        + 'static,
    ) -> Result<T, Failure> {
        let link = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let _one_by_one = link.lists.lock().await;
            if !link.lives() {
                return Err(lost());
            }
            let mut notices = link.notices()?;
            let limit = link.deadline.saturating_add(link.deadline / 4);
            let answer = within(&*link.sleep, limit, question(&link.client, link.deadline)).await;
            match answer.unwrap_or(Err(Error::Timeout)) {
                Ok(answer) => Ok(answer),
                Err(Error::Timeout) => {
                    let word = words(&mut notices);
                    link.end().await;
                    Err(word.unwrap_or_else(|| failure(&Error::Timeout)))
                }
                Err(error) => Err(words(&mut notices).unwrap_or_else(|| failure(&error))),
            }
        });
        asked.await.map_err(|error| Failure::unreadable(format!("a question has ended early: {error}")))?
    }
}

/// Something of the stream of updates.
#[derive(Debug)]
pub(super) enum Heard {
    Update(Box<OrderUpdate>),
    Notice(WireNotice),
}

/// What a listener was given.
///
/// # Errors
/// [`Failure`] of kind `Lost` where the library has dropped some of what was told, as the listener was too slow: nobody may
/// take that for silence.
pub(super) fn heard(item: Result<SubscriptionItem<OrderUpdate>, Error>) -> Result<Heard, Failure> {
    match item.map_err(|error| failure(&error))? {
        SubscriptionItem::Notice(notice) if notice.code < 0 => Err(failure(&Error::Notice(notice))),
        SubscriptionItem::Notice(notice) => Ok(Heard::Notice(told::notice(&notice))),
        SubscriptionItem::Data(update) => Ok(Heard::Update(Box::new(update))),
    }
}

/// What TWS has said of the connection while a question was open, if that is why there is no answer.
fn words(notices: &mut NoticeStream) -> Option<Failure> {
    let mut last = None;
    while let Some(Some(notice)) = notices.next().now_or_never() {
        let kind = match weather(notice.code) {
            Weather::TooMany => FailureKind::TooMany { retry_after: None },
            Weather::Down | Weather::NoAnswer => FailureKind::Down,
            Weather::Over => FailureKind::Lost { timed_out: false },
            Weather::Fair | Weather::Up | Weather::Missed => continue,
        };
        last = Some(Failure {
            code: Some(format_smolstr!("{}", notice.code)),
            ..Failure::new(kind, notice.message)
        });
    }
    last
}

/// Connects, and waits while TWS still holds a lost connection of the same client.
async fn shake(
    config: &IbkrConfig,
    sleep: &Arc<dyn Sleep>,
    limiter: RateLimiter,
) -> Result<(Client, NoticeStream), Failure> {
    let mut pauses = HELD.iter();
    loop {
        let attempt = Client::builder()
            .address(config.address())
            .client_id(config.client_id)
            .tcp_no_delay(true)
            // Whoever needs a connection makes a new one.
            .max_reconnect_attempts(0)
            .rate_limiter(limiter.clone())
            .one_shot_timeout(config.deadline())
            .connect_with_notice_stream();
        match attempt.await {
            Ok(connected) => return Ok(connected),
            Err(Error::ClientIdInUse { client_id }) => match pauses.next() {
                Some(pause) => sleep.sleep(Duration::from_millis(*pause)).await,
                None => {
                    return Err(Failure::new(
                        FailureKind::Auth,
                        format!(
                            "another program is client {client_id} there; give this one a client_id of its own"
                        ),
                    ));
                }
            },
            Err(Error::ServerVersion(wanted, is, _)) => {
                return Err(Failure::new(
                    FailureKind::Refused,
                    format!("TWS speaks version {is} and {wanted} is needed; update it"),
                ));
            }
            Err(Error::ConnectionRejected(words)) => {
                return Err(Failure::new(
                    FailureKind::Down,
                    format!(
                        "{} ends the connection at once ({words}); see that it takes API clients from this machine, and is new",
                        config.address()
                    ),
                ));
            }
            Err(error) => {
                return Err(Failure::new(
                    FailureKind::NotSent,
                    format!(
                        "{}: {error}; see that TWS or the gateway runs there, takes API clients, and that paper and gateway fit",
                        config.address()
                    ),
                ));
            }
        }
    }
}

/// The account that is wanted, if this login has it and it is of the kind that is wanted.
fn chosen(config: &IbkrConfig, managed: &[String]) -> Result<AccountId, Failure> {
    let auth = |message: String| Failure::new(FailureKind::Auth, message);
    let first = managed.first().ok_or_else(|| auth("this login manages no account".to_owned()))?;
    let wanted = config.account.as_deref().unwrap_or(first);
    if !managed.iter().any(|account| account == wanted) {
        return Err(auth(format!(
            "account {wanted} is not managed by this login; it has {}",
            managed.join(", ")
        )));
    }
    if !config.fits(wanted) {
        return Err(auth(format!(
            "account {wanted} is {} account and paper = {}; set paper, or log in to the other",
            if config.paper { "a live" } else { "a paper" },
            config.paper
        )));
    }
    AccountId::new(wanted).map_err(|error| Failure::unreadable(error.to_string()))
}

/// The limiter of all connections of a broker.
pub(super) fn limiter() -> RateLimiter {
    RateLimiter::per_second(MESSAGES_A_SECOND)
}

pub(super) fn lost() -> Failure {
    Failure::new(FailureKind::Lost { timed_out: false }, "the connection to TWS is lost")
}

/// What an error of the library means.
pub(super) fn failure(error: &Error) -> Failure {
    let kind = match error {
        Error::ConnectionReset
        | Error::ConnectionFailed
        | Error::Shutdown
        | Error::Io(_)
        | Error::UnexpectedEndOfStream
        | Error::EndOfStream
        | Error::InvalidFrame(_) => return lost(),
        Error::Timeout => FailureKind::Lost { timed_out: true },
        Error::Notice(notice) => {
            let kind = match (weather(notice.code), notice.code) {
                (Weather::TooMany, _) => FailureKind::TooMany { retry_after: None },
                (Weather::Down | Weather::NoAnswer | Weather::Over, _) => FailureKind::Down,
                (_, 200) => FailureKind::NotFound,
                // Some of the answer was dropped: it can be asked for again.
                (Weather::Missed, _) => FailureKind::Lost { timed_out: false },
                _ => FailureKind::Refused,
            };
            let code = Some(format_smolstr!("{}", notice.code));
            return Failure { code, ..Failure::new(kind, notice.message.clone()) };
        }
        _ => FailureKind::Unreadable,
    };
    Failure::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ibapi::{Notice, SUBSCRIPTION_LAG_CODE};
    use mts_foundation::broker::{ErrorStatus, SubmitOutcome};

    fn notice(code: i32) -> Notice {
        Notice {
            request_id: None,
            code,
            message: "7 frames dropped".to_owned(),
            error_time: None,
            advanced_order_reject_json: String::new(),
        }
    }

    #[test]
    fn what_was_dropped_is_a_loss_and_no_silence() {
        let dropped = || heard(Ok(SubscriptionItem::Notice(notice(SUBSCRIPTION_LAG_CODE)))).unwrap_err();
        assert_eq!(dropped().kind, FailureKind::Lost { timed_out: false });
        assert!(matches!(dropped().of_submit(), SubmitOutcome::Unknown { .. }));
        // An answer with a hole can be asked for again.
        let answer = failure(&Error::Notice(notice(SUBSCRIPTION_LAG_CODE))).of_query("events");
        assert_eq!(answer.status, ErrorStatus::Temporary);
        assert!(matches!(heard(Ok(SubscriptionItem::Notice(notice(399)))), Ok(Heard::Notice(_))));
        assert_eq!(weather(NOTICE_STREAM_LAG_CODE), Weather::Missed);
    }
}
