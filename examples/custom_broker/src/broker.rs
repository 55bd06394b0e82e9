//! The adapter.

use super::feed::{Feed, HEARTBEAT};
use super::venue::{Answer, Lost, Venue, token};
use super::wire::{
    AcmeFill, AcmeOrder, Activity, Balance, Message, Named, News, Orders, Page, Positions, Touch, What,
    canonical, native,
};
use futures_core::Stream;
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, FillStream, Health, OrderRef, SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::double::Call;
use mts_foundation::{
    Account, AccountId, AssetClass, CashFlow, CashKind, Currency, Decimal, Fill, FundId, IdempotencyKey,
    Order, OrderId, OrderState, OrderType, Position, Symbol, TimeInForce, Timestamp, VenueName,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Acme's clock may be off by so much before a check fails.
const MOST_SKEW_MILLIS: i64 = 1_000;

/// The broker of Acme.
#[derive(Debug)]
pub struct AcmeBroker {
    venue: Arc<Venue>,
    secret: SecretString,
    deadline: Duration,
    staleness: Duration,
    capabilities: Capabilities,
    account: AccountId,
    venue_name: VenueName,
    connection: Mutex<Connection>,
    /// The orders of ours that may fill. A broker that runs for years forgets those that have ended.
    ours: Mutex<BTreeSet<OrderId>>,
}

#[derive(Debug, Default)]
struct Connection {
    since: Option<Timestamp>,
    token: Option<SecretString>,
    skew_millis: Option<i64>,
}

/// Why a request has no answer that can be used.
#[derive(Debug)]
enum Failure {
    NotConnected,
    Refused,
    NoAnswer(&'static str),
    Status(u16, Option<u32>, String),
    Unreadable,
}

impl Failure {
    fn words(&self) -> String {
        match self {
            Self::NotConnected => "not connected; call connect first".to_owned(),
            Self::Refused => "Acme cannot be reached; check that it runs and try again".to_owned(),
            Self::NoAnswer(why) => format!("no answer: {why}; look again later"),
            Self::Status(status, _, said) => {
                format!("Acme answers {status}: {}", said.chars().take(80).collect::<String>())
            }
            Self::Unreadable => "the answer cannot be read; report it with a recording".to_owned(),
        }
    }

    fn error(self, op: &'static str) -> BrokerError {
        use BrokerErrorKind as K;
        let (kind, status) = match &self {
            Self::NotConnected => (K::Disconnected, ErrorStatus::Permanent),
            Self::Refused => (K::Disconnected, ErrorStatus::Temporary),
            Self::NoAnswer(_) => (K::Timeout, ErrorStatus::Temporary),
            Self::Status(401, ..) => (K::Auth, ErrorStatus::Permanent),
            Self::Status(404, ..) => (K::NotFound, ErrorStatus::Permanent),
            Self::Status(429, ..) => (K::RateLimited, ErrorStatus::Temporary),
            Self::Status(500.., ..) => (K::VenueDown, ErrorStatus::Temporary),
            Self::Status(..) => (K::InvalidRequest, ErrorStatus::Permanent),
            Self::Unreadable => (K::Protocol, ErrorStatus::Temporary),
        };
        let mut error = BrokerError::new(op, kind, status, self.words());
        if let Self::Status(_, Some(seconds), _) = self {
            error.retry_after = Some(Duration::from_secs(seconds.into()));
        }
        error
    }
}

/// This machine's time; a library would be handed a clock.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_str(&answer.body).map_err(|_| Failure::Unreadable)
}

fn capabilities() -> Capabilities {
    use TimeInForce as T;
    let mut claims = Capabilities::none();
    claims.order_types = vec![
        (OrderType::Market, vec![T::Day, T::Ioc]),
        (OrderType::Limit, vec![T::Day, T::Gtc, T::Ioc, T::Fok]),
    ];
    claims.asset_classes = vec![AssetClass::Equities, AssetClass::Crypto];
    claims.shorting = true;
    claims.extended_hours = true;
    claims.client_id_dedupe = true;
    claims.fill_stream = FillStream::Push;
    claims.history_window = None;
    claims.sandbox = true;
    claims
}

impl AcmeBroker {
    /// A broker that is not connected. Requests end after `deadline`, streams that say nothing after `staleness`.
    ///
    /// # Errors
    /// None that can be met: the names are constants.
    pub fn new(
        venue: Arc<Venue>,
        secret: SecretString,
        deadline: Duration,
        staleness: Duration,
    ) -> Result<Self, mts_foundation::ids::InvalidId> {
        let (connection, ours) = (Mutex::default(), Mutex::default());
        let (account, venue_name) = (AccountId::new("acme")?, VenueName::new("acme")?);
        let capabilities = capabilities();
        Ok(Self { venue, secret, deadline, staleness, capabilities, account, venue_name, connection, ours })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ours(&self) -> MutexGuard<'_, BTreeSet<OrderId>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request, with no answer but in time.
    async fn send<T: Serialize>(&self, call: Call, body: &T) -> Result<Answer, Failure> {
        let token = self.connection().token.clone();
        let token = token.as_ref().map_or("", |token| token.expose_secret()).to_owned();
        let body = serde_json::to_string(body).map_err(|_| Failure::Unreadable)?;
        let answer = tokio::time::timeout(self.deadline, self.venue.request(call, &token, body)).await;
        let answer = match answer {
            Err(_) => return Err(Failure::NoAnswer("the deadline has passed")),
            Ok(Err(Lost::Refused)) => return Err(Failure::Refused),
            Ok(Err(Lost::Ended)) => return Err(Failure::NoAnswer("the connection ended")),
            Ok(Ok(answer)) => answer,
        };
        self.connection().skew_millis = Some((answer.time.nanos() - now().nanos()) / 1_000_000);
        Ok(answer)
    }

    async fn login(&self) -> Result<(), Failure> {
        // The secret itself is what Acme wants here.
        let answer = self.send(Call::Login, &self.secret.expose_secret()).await?;
        if answer.status != 200 {
            return Err(Failure::Status(answer.status, answer.retry_after, answer.body));
        }
        let number: u64 = read(&answer)?;
        self.connection().token = Some(token(&self.secret, number));
        Ok(())
    }

    /// One request of a client that is let in; a token that has run out is renewed. Answers with an error are answers too.
    async fn ask<T: Serialize>(&self, call: Call, body: &T) -> Result<Answer, Failure> {
        if self.connection().since.is_none() {
            return Err(Failure::NotConnected);
        }
        let answer = self.send(call, body).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // Acme has not acted.
        self.login().await?;
        self.send(call, body).await
    }

    /// A question with an answer of one kind.
    async fn query<Q: Serialize, T: DeserializeOwned>(&self, call: Call, body: &Q) -> Result<T, Failure> {
        let answer = self.ask(call, body).await?;
        if answer.status != 200 {
            return Err(Failure::Status(answer.status, answer.retry_after, answer.body));
        }
        read(&answer)
    }

    async fn named(&self, named: &Named) -> Result<Option<AcmeOrder>, Failure> {
        let order: AcmeOrder = match self.query(Call::Order, named).await {
            Ok(order) => order,
            Err(Failure::Status(404, ..)) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let right = match named {
            Named::Id(id) => order.id == *id,
            Named::ClientId(id) => order.client_id == *id,
        };
        if right { Ok(Some(order)) } else { Err(Failure::Unreadable) }
    }

    async fn open(&self) -> Result<Vec<OrderReport>, Failure> {
        let open: Orders = self.query(Call::Orders, &()).await?;
        open.orders.iter().map(|order| order.report().ok_or(Failure::Unreadable)).collect()
    }

    /// Why an order cannot be Acme's.
    fn refusal(&self, order: &Order) -> Option<String> {
        if !self.capabilities.takes(order.order_type, order.tif) {
            return Some(format!("Acme takes no {} {} orders", order.order_type, order.tif));
        }
        let class = order.symbol.parts().map(|parts| parts.asset_class());
        let takes = class.is_ok_and(|class| self.capabilities.asset_classes.contains(&class));
        (!takes).then(|| format!("{} is of no class that trades at Acme", order.symbol))
    }

    fn fill(&self, fill: AcmeFill) -> Option<(Fill, FeeStatus)> {
        let status = if fill.fees.is_some() { FeeStatus::Known } else { FeeStatus::Pending };
        let fill = Fill {
            fill_id: fill.id,
            order_id: fill.tag.order_id,
            symbol: canonical(&fill.instrument)?,
            side: fill.tag.side,
            quantity: fill.quantity,
            price: fill.price,
            fees: fill.fees.unwrap_or_default(),
            venue: self.venue_name.clone(),
            timestamp: fill.time,
            raw: BTreeMap::new(),
        };
        Some((fill.checked().ok()?, status))
    }

    fn event(&self, activity: Activity) -> Option<BrokerEvent> {
        let (account, cursor) = (self.account.clone(), Cursor::new(activity.number.to_string()).ok()?);
        Some(match activity.what {
            What::Fill(fill) => {
                let (fill, fees) = self.fill(fill)?;
                BrokerEvent::Fill { account, cursor, fill, fees }
            }
            What::Fees { fill, amount } => {
                BrokerEvent::FeesKnown { account, fill_id: fill, fees: amount, cursor }
            }
            What::Corrected(fill) => {
                let (fill, _) = self.fill(fill)?;
                BrokerEvent::Corrected { account, fill_id: fill.fill_id.clone(), fill, cursor }
            }
            What::Busted { fill } => BrokerEvent::Busted { account, fill_id: fill, cursor },
            What::Cash { amount } => {
                let flow = CashFlow {
                    id: SmolStr::from(format!("acme-cash-{}", activity.number)),
                    kind: CashKind::Other,
                    amount,
                    currency: Currency::USD,
                    symbol: None,
                    time: activity.time,
                };
                BrokerEvent::Cash { flow, cursor }
            }
        })
    }
}

/// A stream of events: what Acme pushes, and what has happened since the last that was seen.
struct Events<'a> {
    broker: &'a AcmeBroker,
    after: Option<Cursor>,
    feed: Option<Feed>,
    /// The number of the last message.
    messages: u64,
    /// The number of the last activity.
    seen: u64,
    ready: VecDeque<BrokerEvent>,
}

impl Events<'_> {
    /// Listens first and asks then, so that nothing falls between.
    async fn begin(&mut self) -> Result<(), Failure> {
        let token = self.broker.connection().token.clone().ok_or(Failure::NotConnected)?;
        let feed = match self.broker.venue.listen(token.expose_secret()) {
            Ok(feed) => feed,
            Err(_) => {
                // The token may have run out.
                self.broker.login().await?;
                let token = self.broker.connection().token.clone().ok_or(Failure::NotConnected)?;
                self.broker.venue.listen(token.expose_secret()).map_err(|_| Failure::Refused)?
            }
        };
        self.feed = Some(feed);
        let newest = self.broker.query::<_, Page>(Call::Fills, &u64::MAX).await?.newest;
        match self.after.take() {
            None => {
                self.first_fills().await?;
                self.seen = self.seen.max(newest);
                self.ready.extend(self.broker.open().await?.into_iter().map(BrokerEvent::Order));
            }
            Some(cursor) => match cursor.as_str().parse() {
                Ok(seen) => {
                    self.seen = seen;
                    self.catch_up().await?;
                }
                Err(_) => {
                    self.seen = newest;
                    let (from, to) = (Timestamp::EPOCH, now());
                    self.ready.push_back(BrokerEvent::Gap { from, to, recoverable: false });
                }
            },
        }
        Ok(())
    }

    /// What has become of our orders that nobody was told of yet; other people's fills are in the account's positions.
    async fn first_fills(&mut self) -> Result<(), Failure> {
        let ours = self.broker.ours().clone();
        if ours.is_empty() {
            return Ok(());
        }
        self.catch_up().await?;
        let mut fills = BTreeSet::new();
        self.ready.retain(|event| match event {
            BrokerEvent::Fill { fill, .. } => {
                ours.contains(&fill.order_id) && fills.insert(fill.fill_id.clone())
            }
            BrokerEvent::FeesKnown { fill_id, .. }
            | BrokerEvent::Corrected { fill_id, .. }
            | BrokerEvent::Busted { fill_id, .. } => fills.contains(fill_id),
            _ => false,
        });
        Ok(())
    }

    /// Asks for what has happened since, page by page.
    async fn catch_up(&mut self) -> Result<(), Failure> {
        loop {
            let page: Page = self.broker.query(Call::Fills, &self.seen).await?;
            if page.activities.is_empty() {
                return Ok(());
            }
            for activity in page.activities {
                self.seen = activity.number;
                self.ready.push_back(self.broker.event(activity).ok_or(Failure::Unreadable)?);
            }
        }
    }

    async fn take(&mut self, text: &str) -> Result<(), Failure> {
        if text == HEARTBEAT {
            return Ok(());
        }
        let expected = self.messages + 1;
        match serde_json::from_str::<Message>(text) {
            Ok(Message { number, news }) if number == expected => {
                self.messages = number;
                match news {
                    News::Order(order) => self.ready.extend(order.report().map(BrokerEvent::Order)),
                    News::Activity(activity) if activity.number == self.seen + 1 => {
                        self.seen = activity.number;
                        self.ready.push_back(self.broker.event(activity).ok_or(Failure::Unreadable)?);
                    }
                    News::Activity(activity) if activity.number <= self.seen => {}
                    News::Activity(_) => self.catch_up().await?,
                }
            }
            // Not what it should be: the whole truth is at the desk.
            Ok(Message { number, .. }) => {
                self.messages = self.messages.max(number);
                self.catch_up().await?;
            }
            Err(_) => self.catch_up().await?,
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<BrokerEvent, Failure> {
        loop {
            if self.feed.is_none() {
                self.begin().await?;
            }
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let Some(feed) = self.feed.as_mut() else { continue };
            match tokio::time::timeout(self.broker.staleness, feed.next()).await {
                Err(_) => return Err(Failure::NoAnswer("the stream has been silent for too long")),
                Ok(None) => return Err(Failure::NoAnswer("the stream has ended")),
                Ok(Some(text)) => self.take(&text).await?,
            }
        }
    }
}

type Step<'a> = Pin<Box<dyn Future<Output = (Events<'a>, Result<BrokerEvent, Failure>)> + Send + 'a>>;

/// The events as a stream that ends with its first error.
struct Unfolded<'a>(Option<Step<'a>>);

fn step(mut events: Events<'_>) -> Step<'_> {
    Box::pin(async move {
        let next = events.next().await;
        (events, next)
    })
}

impl Stream for Unfolded<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(running) = self.0.as_mut() else { return Poll::Ready(None) };
        match running.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready((events, Ok(event))) => {
                self.0 = Some(step(events));
                Poll::Ready(Some(Ok(event)))
            }
            Poll::Ready((_, Err(failure))) => {
                self.0 = None;
                Poll::Ready(Some(Err(failure.error("events"))))
            }
        }
    }
}

impl Broker for AcmeBroker {
    fn name(&self) -> &str {
        "acme"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recall(&self, orders: &[Order]) {
        self.ours().extend(orders.iter().map(|order| order.order_id.clone()));
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        if self.connection().since.is_none() {
            self.login().await.map_err(|failure| failure.error("connect"))?;
            self.connection().since.get_or_insert(now());
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), BrokerError> {
        *self.connection() = Connection::default();
        Ok(())
    }

    async fn health(&self) -> Health {
        let connection = self.connection();
        let (since, clock_skew_ms) = (connection.since, connection.skew_millis);
        Health { connected: since.is_some(), since, clock_skew_ms, token_expires: None }
    }

    async fn submit(&self, order: &Order) -> SubmitOutcome {
        if let Some(reason) = self.refusal(order) {
            return SubmitOutcome::NotSent { reason: reason.into() };
        }
        let Some(wanted) = AcmeOrder::wanted(order) else {
            return SubmitOutcome::NotSent { reason: "the order cannot be written as Acme wants it".into() };
        };
        self.ours().insert(order.order_id.clone());
        let answer = match self.ask(Call::Submit, &wanted).await {
            Ok(answer) => answer,
            Err(failure @ (Failure::NotConnected | Failure::Refused)) => {
                return SubmitOutcome::NotSent { reason: failure.words().into() };
            }
            Err(failure) => return SubmitOutcome::Unknown { cause: failure.words().into() },
        };
        let said: SmolStr = answer.body.chars().take(80).collect();
        match (answer.status, read::<AcmeOrder>(&answer)) {
            // 409: the client id is known there, with the order that has it.
            (200 | 409, Ok(there)) if there.client_id == wanted.client_id => {
                if there.same(&wanted) {
                    SubmitOutcome::Accepted(order.clone().accepted(there.time, there.id))
                } else {
                    SubmitOutcome::Rejected {
                        reason: "the key was used for another order; make a new one".into(),
                    }
                }
            }
            (400 | 422, _) => SubmitOutcome::Rejected { reason: said },
            (status, _) => SubmitOutcome::Unknown { cause: format!("Acme answers {status}: {said}").into() },
        }
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let unknown = |failure: Failure| CancelOutcome::Unknown { cause: failure.words().into() };
        let answer = match self.ask(Call::Cancel, &order.broker_order_id).await {
            Ok(answer) => answer,
            Err(failure) => return unknown(failure),
        };
        let state = match answer.status {
            404 => return CancelOutcome::NotFound,
            200 => read::<AcmeOrder>(&answer).map(|there| there.state),
            // Taken, and not done yet.
            202 => match self.named(&Named::Id(order.broker_order_id.clone())).await {
                Ok(Some(there)) => Ok(there.state),
                Ok(None) => return CancelOutcome::NotFound,
                Err(failure) => Err(failure),
            },
            status => Err(Failure::Status(status, None, answer.body.clone())),
        };
        match state {
            Ok(OrderState::Canceled) => CancelOutcome::Confirmed,
            Ok(state) if state.is_terminal() => CancelOutcome::TooLate { state },
            Ok(state) => CancelOutcome::Unknown { cause: format!("the order is {state}").into() },
            Err(failure) => unknown(failure),
        }
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let named = match order {
            OrderRef::Venue(id) => Named::Id(id.clone()),
            OrderRef::Key(key) => Named::ClientId(IdempotencyKey::hashed(&[key.as_str()]).as_str().into()),
        };
        match self.named(&named).await {
            Ok(None) => Ok(None),
            Ok(Some(order)) => order.report().map(Some).ok_or_else(|| Failure::Unreadable.error("order")),
            Err(failure) => Err(failure.error("order")),
        }
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        self.open().await.map_err(|failure| failure.error("open_orders"))
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let failed = |failure: Failure| failure.error("positions");
        let held: Positions = self.query(Call::Positions, &()).await.map_err(failed)?;
        let fund = FundId::new("acme").map_err(|_| failed(Failure::Unreadable))?;
        let position = |units: super::wire::Units| {
            Some(Position {
                fund_id: fund.clone(),
                symbol: canonical(&units.instrument)?,
                quantity: units.units,
                avg_price: units.average,
                last_price: units.average,
                market_value_usd: units.units.checked_mul(units.average)?,
                unrealized_pl_usd: Decimal::ZERO,
                realized_pl_ytd_usd: Decimal::ZERO,
                last_updated: now(),
                tax_lots: Vec::new(),
            })
        };
        held.positions
            .into_iter()
            .map(|units| position(units).ok_or_else(|| failed(Failure::Unreadable)))
            .collect()
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        let balance: Result<Balance, Failure> = self.query(Call::Account, &()).await;
        let Balance { cash, equity } = balance.map_err(|failure| failure.error("account"))?;
        Ok(Account { base_currency: Currency::USD, cash, equity, buying_power: None, asof: now() })
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        let events = Events { broker: self, after, feed: None, messages: 0, seen: 0, ready: VecDeque::new() };
        Box::pin(Unfolded(Some(step(events))))
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let check = |name: &str, result: Result<String, Failure>| {
            let ok = result.is_ok();
            Check { name: name.into(), ok, detail: result.unwrap_or_else(|failure| failure.words()) }
        };
        let reached = self.send(Call::Time, &()).await;
        let skew = self.connection().skew_millis;
        let mut checks = vec![
            check("API reachable", reached.map(|answer| format!("it says {}", answer.time))),
            check("auth", self.login().await.map(|()| "the secret is taken".to_owned())),
        ];
        let account: Result<Balance, Failure> = self.query(Call::Account, &()).await;
        checks.push(check("account info", account.map(|balance| format!("cash {}", balance.cash))));
        let book = match symbol {
            Some(symbol) => self
                .query::<_, Touch>(Call::Prices, &native(symbol))
                .await
                .map(|Touch { bid, ask }| format!("{symbol}: {bid} to {ask}")),
            None => self.open().await.map(|open| format!("{} open orders", open.len())),
        };
        checks.push(check("order book", book));
        let clock = match skew {
            Some(skew) if skew.abs() <= MOST_SKEW_MILLIS => Ok(format!("{skew} ms")),
            Some(_) => Err(Failure::NoAnswer("its clock is not ours: set this machine's by NTP")),
            None => Err(Failure::Refused),
        };
        checks.push(check("time skew", clock));
        let token = self.connection().token.clone();
        let token = token.as_ref().map_or("", |token| token.expose_secret());
        let stream = self.venue.listen(token).map(|_| "it opens".to_owned()).map_err(|_| Failure::Refused);
        checks.push(check("event stream", stream));
        checks.push(check("key permissions", Ok("Acme's secrets can trade and nothing else".to_owned())));
        checks
    }
}
