//! The broker: each call as the requests that it takes.

use super::capabilities::{accepted, capabilities};
use super::config::AlpacaConfig;
use super::map;
use super::symbols::SYMBOLS;
use super::wire::{Quotes, WireAccount, WireClock, WireError, WireOrder, WirePosition};
use crate::kit::{
    Checks, Connections, Entry, Failure, FailureKind, KnownOrders, OrderEntry, Reply, Rest, Taken, Untold,
    canceled, client_id, follow, health, is_live, secret, sensitive, submit, unreadable,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, Health, OrderRef, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::io::RequestOptions;
use mts_foundation::{
    Account, AccountId, BrokerOrderId, Currency, FundId, Order, Position, Symbol, Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use smol_str::{SmolStr, ToSmolStr};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Registry name.
const NAME: &str = "alpaca";

/// Alpaca's code for a client id that is taken.
const DUPLICATE: &str = "40010001";

/// Alpaca's code for credentials that are not taken.
const NOT_AUTHORISED: u32 = 40_110_000;

/// Orders of one answer, and most answers to one question.
const PAGE: usize = 500;
const MAX_PAGES: usize = 100;

/// Pauses between looks whether a cancellation that was taken has come to pass, in milliseconds.
const LOOKS: &[u64] = &[20, 50, 100, 200, 400, 800];

/// An account at Alpaca.
pub struct Alpaca {
    pub(super) config: AlpacaConfig,
    pub(super) connections: Connections,
    pub(super) orders: Arc<KnownOrders>,
    capabilities: Capabilities,
    trading: Rest,
    data: Rest,
    known: Mutex<Known>,
}

/// What was learnt by connecting.
#[derive(Default)]
pub(super) struct Known {
    key: Option<(SecretString, SecretString)>,
    account: Option<(AccountId, Currency)>,
    since: Option<Timestamp>,
    clock_skew_ms: Option<i64>,
    /// Others' fills that were told as a gap in this stream.
    pub(super) untold: Untold,
}

impl std::fmt::Debug for Alpaca {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Alpaca").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Alpaca {
    /// An account, not connected.
    #[must_use]
    pub fn new(config: AlpacaConfig, connections: Connections) -> Self {
        let rest = |url: &str| Rest::new(connections.http.clone(), url, "x-request-id");
        Self {
            trading: rest(config.rest_url()),
            data: rest(config.data_url()),
            capabilities: capabilities(),
            orders: Arc::default(),
            known: Mutex::default(),
            config,
            connections,
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Key id and secret, as they were when the broker connected.
    pub(super) async fn key(&self) -> Result<(SecretString, SecretString), BrokerError> {
        if let Some(key) = self.known().key.clone() {
            return Ok(key);
        }
        let id = secret(&self.connections, "key_id", &self.config.key_id).await?;
        let secret = secret(&self.connections, "secret_key", &self.config.secret_key).await?;
        self.known().key = Some((id.clone(), secret.clone()));
        Ok((id, secret))
    }

    async fn ask(&self, rest: &Rest, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, Failure> {
        let key = self.key().await.map_err(|error| Failure::new(FailureKind::NotSent, error.message))?;
        let is_read = method == Method::GET;
        let mut request = Request::builder().method(method).uri(rest.url(path)).body(Bytes::from(body));
        if let Ok(request) = &mut request {
            let headers = request.headers_mut();
            for (name, value) in [("apca-api-key-id", &key.0), ("apca-api-secret-key", &key.1)] {
                headers.insert(name, sensitive(name, value.expose_secret())?);
            }
            headers.insert("accept", HeaderValue::from_static("application/json"));
            if !is_read {
                headers.insert("content-type", HeaderValue::from_static("application/json"));
            }
        }
        let request =
            request.map_err(|error| Failure::new(FailureKind::NotSent, format!("{path}: {error}")))?;
        let options = RequestOptions {
            deadline: self.config.deadline(),
            idempotent: is_read,
            ..RequestOptions::default()
        };
        let reply = rest.send(request, &options).await?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let mut code = None;
        let mut failure = rest.failure(&reply, |body| {
            let said: WireError = serde_json::from_slice(body).ok()?;
            code = said.code;
            Some((said.message, said.code.map(|code| code.to_smolstr())))
        });
        // 403 is also the answer to what the account cannot pay for.
        if failure.kind == FailureKind::Auth && code.is_some_and(|code| code != NOT_AUTHORISED) {
            failure.kind = FailureKind::Refused;
        }
        Err(failure)
    }

    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(&self.trading, Method::GET, path, Vec::new()).await?.json()
    }

    /// Reads something that need not exist.
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure { kind: FailureKind::NotFound, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn venue_clock(&self) -> Result<WireClock, Failure> {
        let (clock, ours) = self.connections.dated(self.get::<WireClock>("/v2/clock")).await?;
        self.known().clock_skew_ms = Some((clock.timestamp.nanos() - ours.nanos()) / 1_000_000);
        Ok(clock)
    }

    /// The account's number and currency.
    pub(super) async fn account_id(&self) -> Result<(AccountId, Currency), Failure> {
        if let Some(account) = self.known().account.clone() {
            return Ok(account);
        }
        let (_, id) = self.read_account().await?;
        Ok(id)
    }

    async fn read_account(&self) -> Result<(WireAccount, (AccountId, Currency)), Failure> {
        let wire: WireAccount = self.get("/v2/account").await?;
        let id = AccountId::new(&wire.account_number).map_err(unreadable)?;
        let account = (id, Currency::new(&wire.currency).map_err(unreadable)?);
        self.known().account = Some(account.clone());
        Ok((wire, account))
    }

    pub(super) async fn list_open(&self) -> Result<Vec<OrderReport>, Failure> {
        let (mut reports, mut met, mut after) = (Vec::new(), BTreeSet::new(), String::new());
        for _ in 0..MAX_PAGES {
            let path = format!("/v2/orders?status=open&direction=asc&nested=false&limit={PAGE}{after}");
            let page: Vec<WireOrder> = self.get(&path).await?;
            let last = page.last().and_then(|order| order.submitted_at);
            let new = page.iter().filter(|order| met.insert(order.id.clone()));
            reports.extend(self.orders.reports(
                new,
                |order| (Some(&order.client_order_id), &order.id),
                |order| map::report(order, &self.orders),
            )?);
            match last {
                Some(last) if page.len() >= PAGE => after = format!("&after={last}"),
                _ => return Ok(reports),
            }
        }
        Err(Failure::unreadable(format!("more than {} open orders", met.len())))
    }

    async fn by_client_id(&self, id: &str) -> Result<Option<WireOrder>, Failure> {
        self.find(&format!("/v2/orders:by_client_order_id?client_order_id={id}")).await
    }

    /// The venue's order of a try.
    fn taken(&self, entry: &Entry<'_, SmolStr>, wire: &WireOrder) -> Result<Taken, Failure> {
        map::is_of(entry.order, wire, &entry.id, &entry.ready)?;
        let report = map::report(wire, &self.orders)?;
        let at = wire.submitted_at.unwrap_or(report.timestamp);
        Ok(Taken::of(report, at))
    }

    /// What the venue says after it was asked to cancel.
    async fn canceled(&self, id: &BrokerOrderId) -> Result<CancelOutcome, Failure> {
        let path = format!("/v2/orders/{id}");
        let asked = self.ask(&self.trading, Method::DELETE, &path, Vec::new()).await.map(drop);
        canceled(&*self.connections.sleep, LOOKS, asked, || async {
            let Some(wire) = self.find::<WireOrder>(&path).await? else { return Ok(None) };
            if wire.id != id.as_str() {
                return Err(Failure::unreadable(format!("the answer is about order {}", wire.id)));
            }
            Ok(Some(map::report(&wire, &self.orders)?.state))
        })
        .await
    }
}

impl OrderEntry for Alpaca {
    /// Alpaca's name of the instrument.
    type Ready = SmolStr;

    async fn prepared(&self, order: &Order) -> Result<SmolStr, String> {
        accepted(&self.capabilities, order)
    }

    async fn sent(&self, entry: &Entry<'_, SmolStr>) -> Result<Taken, Failure> {
        let body = map::new_order(entry.order, &entry.ready, &entry.id)?;
        let reply = self.ask(&self.trading, Method::POST, "/v2/orders", body).await?;
        self.taken(entry, &reply.json()?)
    }

    fn is_taken(&self, refusal: &Failure) -> bool {
        refusal.code.as_deref() == Some(DUPLICATE) && refusal.message.contains("client_order_id")
    }

    async fn had(&self, entry: &Entry<'_, SmolStr>) -> Result<Option<Taken>, Failure> {
        self.by_client_id(&entry.id).await?.map(|wire| self.taken(entry, &wire)).transpose()
    }
}

impl Broker for Alpaca {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recall(&self, orders: &[Order]) {
        self.orders.recall(orders);
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        if self.known().since.is_some() {
            return Ok(());
        }
        self.config.validate().map_err(|error| {
            let (kind, status) = (BrokerErrorKind::InvalidRequest, ErrorStatus::Permanent);
            BrokerError::new("connect", kind, status, error.to_string())
        })?;
        self.known().key = None;
        let failed = |failure: Failure| failure.of_query("connect");
        let (account, _) = self.read_account().await.map_err(failed)?;
        if account.account_blocked || account.trading_blocked {
            let message = format!(
                "account {} is {} and blocked for trading; ask Alpaca why",
                account.account_number, account.status
            );
            return Err(BrokerError::new("connect", BrokerErrorKind::Auth, ErrorStatus::Permanent, message));
        }
        self.venue_clock().await.map_err(failed)?;
        self.known().since = Some(self.connections.clock.now());
        Ok(())
    }

    async fn close(&self) -> Result<(), BrokerError> {
        *self.known() = Known::default();
        Ok(())
    }

    async fn health(&self) -> Health {
        let known = self.known();
        health(known.since, known.clock_skew_ms)
    }

    async fn submit(&self, order: &Order) -> SubmitOutcome {
        submit(self, order).await
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        self.canceled(&order.broker_order_id).await.unwrap_or_else(Failure::of_cancel)
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let failed = |failure: Failure| failure.of_query("order");
        let (wire, wanted) = match order {
            OrderRef::Venue(id) => {
                (self.find::<WireOrder>(&format!("/v2/orders/{id}")).await, id.as_str().into())
            }
            OrderRef::Key(key) => {
                let id = client_id(key);
                (self.by_client_id(&id).await, id)
            }
        };
        let Some(wire) = wire.map_err(failed)? else { return Ok(None) };
        let is_wanted: fn(&WireOrder) -> &SmolStr = match order {
            OrderRef::Venue(_) => |wire| &wire.id,
            OrderRef::Key(_) => |wire| &wire.client_order_id,
        };
        if *is_wanted(&wire) != wanted {
            return Err(failed(Failure::unreadable(format!("the answer is about order {}", wire.id))));
        }
        let mut report = map::report(&wire, &self.orders).map_err(failed)?;
        if let OrderRef::Key(key) = order {
            report.idempotency_key = Some(key.clone());
        }
        Ok(Some(report))
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        self.list_open().await.map_err(|failure| failure.of_query("open_orders"))
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let failed = |failure: Failure| failure.of_query("positions");
        let wire: Vec<WirePosition> = self.get("/v2/positions").await.map_err(failed)?;
        let owner = FundId::new(NAME).map_err(|error| failed(unreadable(error)))?;
        let now = self.connections.clock.now();
        wire.iter().map(|row| map::position(row, &owner, now).map_err(failed)).collect()
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        let (wire, (_, base_currency)) =
            self.read_account().await.map_err(|failure| failure.of_query("account"))?;
        Ok(Account {
            base_currency,
            cash: wire.cash,
            equity: wire.equity,
            buying_power: wire.buying_power,
            asof: self.connections.clock.now(),
        })
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        follow(self, self.connections.followed(), after)
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let mut checks = Checks::default();
        let clock = self.venue_clock().await;
        checks.reachable(self.config.rest_url(), &clock, "https://status.alpaca.markets");
        checks.add(
            "auth",
            match &clock {
                Ok(_) => Ok(format!("key of {}", self.config.key_id)),
                Err(failure) => Err(format!(
                    "{}; see that {} and {} hold a key of the {} account",
                    failure.message,
                    self.config.key_id,
                    self.config.secret_key,
                    if self.config.paper { "paper" } else { "live" }
                )),
            },
        );
        let account = self.read_account().await;
        checks.add(
            "account info",
            match &account {
                Ok((wire, _)) => Ok(format!(
                    "{} {}, equity {} {}, short sales {}",
                    wire.account_number,
                    wire.status,
                    wire.equity,
                    wire.currency,
                    if wire.shorting_enabled { "allowed" } else { "refused" }
                )),
                Err(failure) => Err(failure.message.clone()),
            },
        );
        checks.add(
            "order book",
            self.touch(symbol)
                .await
                .map_err(|failure| format!("{}; see that the key may read market data", failure.message)),
        );
        let is_open = clock.as_ref().is_ok_and(|clock| clock.is_open);
        let market = if is_open { ", the market is open" } else { ", the market is closed" };
        let skew = self.known().clock_skew_ms;
        checks.skew("Alpaca", &clock, skew, 1_000, market);
        let stream = is_live(self, &self.connections.followed()).await;
        checks.add(
            "WebSocket stream",
            match stream {
                Ok(()) => Ok(self.config.stream_url().to_owned()),
                Err(error) => Err(format!(
                    "{error}; only one stream a key is allowed: see that no other program has it"
                )),
            },
        );
        checks.add(
            "key permissions",
            match &account {
                Ok((wire, _))
                    if wire.trading_blocked || wire.account_blocked || wire.trade_suspended_by_user =>
                {
                    Err("trading is blocked for this account; see its settings at Alpaca".to_owned())
                }
                Ok(_) => Ok("may trade; Alpaca's keys cannot withdraw".to_owned()),
                Err(failure) => Err(failure.message.clone()),
            },
        );
        checks.done()
    }
}

impl Alpaca {
    /// The best prices of an instrument, readable.
    async fn touch(&self, symbol: Option<&Symbol>) -> Result<String, Failure> {
        let native = match symbol {
            Some(symbol) => SYMBOLS.to_native(symbol).map_err(unreadable)?,
            None => "AAPL".into(),
        };
        let path = match native.split_once('/') {
            Some((base, quote)) => format!("/v1beta3/crypto/us/latest/quotes?symbols={base}%2F{quote}"),
            None => format!("/v2/stocks/quotes/latest?symbols={native}"),
        };
        let quotes: Quotes = self.ask(&self.data, Method::GET, &path, Vec::new()).await?.json()?;
        match quotes.quotes.get(&native) {
            Some(quote) => Ok(format!("{native} {} / {}", quote.bp, quote.ap)),
            None => Err(Failure::unreadable(format!("no quote of {native}"))),
        }
    }
}
