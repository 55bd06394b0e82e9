//! The broker: each call as the requests that it takes.

use super::capabilities::{accepted, capabilities};
use super::config::CoinbaseConfig;
use super::map;
use super::sign::Signer;
use super::watch::Watch;
use super::wire::{Canceled, Permissions, WireError, WireOrder, WireTime};
use crate::kit::{
    Connections, Entry, Failure, FailureKind, KnownOrders, OrderEntry, Reply, Rest, Taken, canceled,
    client_id, follow, health, secret, sensitive, submit,
};
use bytes::Bytes;
use http::{Method, Request};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, Health, OrderRef, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::io::RequestOptions;
use mts_foundation::{Account, AccountId, BrokerOrderId, Order, Position, Symbol, Timestamp};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Registry name.
pub(super) const NAME: &str = "coinbase";

/// What all paths begin with.
const FOLDER: &str = "/api/v3/brokerage";

/// The reason of a refusal where a client id is taken.
const DUPLICATE: &str = "DUPLICATE_CLIENT_ORDER_ID";

/// Rows of one answer, and most answers to one question.
pub(super) const PAGE: usize = 250;
pub(super) const MAX_PAGES: usize = 400;

/// Pauses between looks whether a cancellation that was taken has come to pass, in milliseconds.
const LOOKS: &[u64] = &[20, 50, 100, 200, 400, 800];

/// An account at Coinbase Advanced Trade.
pub struct Coinbase {
    pub(super) config: CoinbaseConfig,
    pub(super) connections: Connections,
    pub(super) orders: Arc<KnownOrders>,
    pub(super) watch: Arc<Watch>,
    capabilities: Capabilities,
    rest: Rest,
    /// As tokens name it.
    host: String,
    known: Mutex<Known>,
}

/// What was learnt by connecting.
#[derive(Default)]
pub(super) struct Known {
    signer: Option<Arc<Signer>>,
    account: Option<AccountId>,
    since: Option<Timestamp>,
    pub(super) clock_skew_ms: Option<i64>,
}

impl std::fmt::Debug for Coinbase {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Coinbase").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A text as it may stand in a query.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a text cannot fail.
            _ => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
        out
    })
}

/// The venue's words of an answer that is no success: message and code.
fn words(body: &[u8]) -> Option<(String, Option<SmolStr>)> {
    // Not JSON, and still the venue.
    if body.trim_ascii().eq_ignore_ascii_case(b"unauthorized") {
        return Some(("Unauthorized".to_owned(), None));
    }
    let (code, message) = match serde_json::from_slice(body).ok()? {
        WireError::One { error, error_details, message } => {
            (error, if message.is_empty() { error_details } else { message })
        }
        WireError::Many { errors } => errors.into_iter().next().map(|row| (row.id, row.message))?,
    };
    Some((message, (!code.is_empty()).then_some(code)))
}

impl Coinbase {
    /// An account, not connected.
    #[must_use]
    pub fn new(config: CoinbaseConfig, connections: Connections) -> Self {
        let url = config.rest_url();
        let host = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/').to_owned();
        Self {
            rest: Rest::new(connections.http.clone(), url, "x-request-id"),
            host,
            capabilities: capabilities(),
            orders: Arc::default(),
            watch: Arc::default(),
            known: Mutex::default(),
            config,
            connections,
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key, as it was when the broker connected.
    pub(super) async fn signer(&self) -> Result<Arc<Signer>, BrokerError> {
        if let Some(signer) = self.known().signer.clone() {
            return Ok(signer);
        }
        let name = secret(&self.connections, "api_key", &self.config.api_key).await?;
        let secret = secret(&self.connections, "api_secret", &self.config.api_secret).await?;
        let signer = Arc::new(Signer::new(name, &secret).map_err(|fault| {
            BrokerError::new("connect", BrokerErrorKind::Auth, ErrorStatus::Permanent, fault.to_string())
        })?);
        self.known().signer = Some(signer.clone());
        Ok(signer)
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, Failure> {
        let signer = self.signer().await.map_err(|error| {
            // That a store of secrets cannot be reached says nothing of the key.
            let is_wrong = error.status == ErrorStatus::Permanent;
            Failure::new(if is_wrong { FailureKind::Auth } else { FailureKind::NotSent }, error.message)
        })?;
        self.ask_as(&signer, method, path, body).await
    }

    async fn ask_as(
        &self,
        signer: &Signer,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let not_sent = |message: String| Failure::new(FailureKind::NotSent, message);
        let is_read = method == Method::GET;
        let place = path.split_once('?').map_or(path, |(place, _)| place);
        let uri = format!("{method} {}{FOLDER}{place}", self.host);
        let token = format!("Bearer {}", signer.token(self.connections.clock.now(), Some(&uri)));
        let mut request = Request::builder()
            .method(method)
            .uri(self.rest.url(&format!("{FOLDER}{path}")))
            .header("authorization", sensitive("authorization", &token)?)
            .header("accept", "application/json");
        if !is_read {
            request = request.header("content-type", "application/json");
        }
        let request =
            request.body(Bytes::from(body)).map_err(|error| not_sent(format!("{path}: {error}")))?;
        let options = RequestOptions {
            deadline: self.config.deadline(),
            idempotent: is_read,
            ..RequestOptions::default()
        };
        let reply = self.rest.send(request, &options).await?;
        if reply.status.is_success() { Ok(reply) } else { Err(self.rest.failure(&reply, words)) }
    }

    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, Vec::new()).await?.json()
    }

    /// The venue's time; what it differs from ours is kept.
    pub(super) async fn venue_time(&self) -> Result<Timestamp, Failure> {
        let (time, ours) = self.connections.dated(self.get::<WireTime>("/time")).await?;
        let millis = i64::try_from(time.epoch_millis.trunc())
            .ok()
            .filter(|millis| millis.checked_mul(1_000_000).is_some())
            .ok_or_else(|| Failure::unreadable(format!("epochMillis is {}", time.epoch_millis)))?;
        self.known().clock_skew_ms = Some(millis.saturating_sub(ours.nanos() / 1_000_000));
        Ok(Timestamp::from_millis(millis))
    }

    /// What the key may do, and the portfolio it belongs to.
    pub(super) async fn permissions(&self) -> Result<Permissions, Failure> {
        let permissions: Permissions = self.get("/key_permissions").await?;
        let account = AccountId::new(&permissions.portfolio_uuid)
            .map_err(|error| Failure::unreadable(format!("portfolio_uuid: {error}")))?;
        self.known().account = Some(account);
        Ok(permissions)
    }

    /// Why a key is of no use, or of too much.
    pub(super) fn objection(&self, permissions: &Permissions) -> Option<String> {
        let Permissions { can_view, can_trade, can_transfer, .. } = *permissions;
        if !can_view || !can_trade {
            let message = "the key may not view and trade; give it both permissions at Coinbase";
            return Some(message.to_owned());
        }
        if can_transfer && !self.config.allow_withdrawal_key {
            let message = "the key may move money out (transfer); make one that may only view and trade, or set \
                           allow_withdrawal_key = true";
            return Some(message.to_owned());
        }
        None
    }

    /// The account's id: the portfolio that the key belongs to.
    pub(super) async fn account_id(&self) -> Result<AccountId, Failure> {
        if let Some(account) = self.known().account.clone() {
            return Ok(account);
        }
        let permissions = self.permissions().await?;
        AccountId::new(&permissions.portfolio_uuid).map_err(|error| Failure::unreadable(error.to_string()))
    }

    /// The venue's order of a try.
    fn taken(&self, entry: &Entry<'_, Ready>, wire: &WireOrder) -> Result<Taken, Failure> {
        map::is_of(entry.order, wire, &entry.id, &entry.ready.0)?;
        Ok(Taken::of(map::report(wire, &self.orders)?, self.connections.clock.now()))
    }

    /// What the venue says after it was asked to cancel.
    async fn canceled(&self, id: &BrokerOrderId) -> Result<CancelOutcome, Failure> {
        let body = serde_json::json!({ "order_ids": [id] }).to_string().into_bytes();
        let answer: Canceled = self.ask(Method::POST, "/orders/batch_cancel", body).await?.json()?;
        let result = answer.results.into_iter().find(|result| result.order_id == id.as_str());
        let result = result.ok_or_else(|| Failure::unreadable("the answer is about another order"))?;
        let asked = match result.failure_reason.as_str() {
            _ if result.success => Ok(()),
            "DUPLICATE_CANCEL_REQUEST" => Ok(()),
            reason => {
                let message = format!("the cancellation is refused: {reason}");
                Err(Failure::new(FailureKind::Refused, message))
            }
        };
        canceled(&*self.connections.sleep, LOOKS, asked, || async {
            let Some(wire) = self.find_order(id).await? else { return Ok(None) };
            Ok(Some(map::report(&wire, &self.orders)?.state))
        })
        .await
    }
}

/// Coinbase's name of the instrument, and the key.
type Ready = (SmolStr, Arc<Signer>);

impl OrderEntry for Coinbase {
    type Ready = Ready;

    async fn prepared(&self, order: &Order) -> Result<Ready, String> {
        let native = accepted(&self.capabilities, order)?;
        // A key that cannot be had signs nothing.
        let signer = self.signer().await.map_err(|error| error.message)?;
        Ok((native, signer))
    }

    async fn sent(&self, entry: &Entry<'_, Ready>) -> Result<Taken, Failure> {
        let (Entry { order, id, .. }, (native, signer)) = (entry, &entry.ready);
        let now = self.connections.clock.now();
        let body = map::new_order(order, native, id, now)?;
        let reply = self.ask_as(signer, Method::POST, "/orders", body).await?;
        let taken = map::submitted(reply.json()?, order, native, id)?;
        let venue = map::venue_id(&taken.order_id)?;
        if !entry.is_again {
            self.watch.opened(&venue);
            return Ok(Taken { id: venue, at: now, refused: None });
        }
        // The venue answers a used key with its order, whatever is asked for now.
        let wire = self.find_order(&venue).await.map_err(Failure::after_sending)?;
        self.taken(
            entry,
            &wire.ok_or_else(|| Failure::unreadable("the venue knows the key and not its order"))?,
        )
    }

    fn is_taken(&self, refusal: &Failure) -> bool {
        refusal.code.as_deref() == Some(DUPLICATE)
    }

    async fn had(&self, entry: &Entry<'_, Ready>) -> Result<Option<Taken>, Failure> {
        match self.by_client_id(&entry.id).await? {
            Some(wire) => self.taken(entry, &wire).map(Some),
            // Of what was sent before that, what has ended is not found.
            None if entry.order.created_at < self.looks_back_to() => Err(Failure::unreadable(format!(
                "the order is not among those of the last {} hours, and older; set look_back_hours higher",
                self.config.look_back_hours
            ))),
            None => Ok(None),
        }
    }
}

impl Broker for Coinbase {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recall(&self, orders: &[Order]) {
        self.orders.recall(orders);
        // What became of them meanwhile is asked for with the first connection.
        orders.iter().filter_map(|order| order.broker_order_id.as_ref()).for_each(|id| self.watch.opened(id));
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        if self.known().since.is_some() {
            return Ok(());
        }
        self.known().signer = None;
        let failed = |failure: Failure| failure.of_query("connect");
        let permissions = self.permissions().await.map_err(failed)?;
        if let Some(objection) = self.objection(&permissions) {
            let (kind, status) = (BrokerErrorKind::Auth, ErrorStatus::Permanent);
            return Err(BrokerError::new("connect", kind, status, objection));
        }
        self.venue_time().await.map_err(failed)?;
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
        let wire = match order {
            OrderRef::Venue(id) => self.find_order(id).await,
            OrderRef::Key(key) => self.of_client_id(&client_id(key), self.orders.venue_id(order)).await,
        };
        let Some(wire) = wire.map_err(failed)? else { return Ok(None) };
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
        self.read_positions().await.map_err(|failure| failure.of_query("positions"))
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        self.read_account().await.map_err(|failure| failure.of_query("account"))
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        follow(self, self.connections.followed(), after)
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        self.checks(symbol).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol_str::ToSmolStr;

    #[test]
    fn refusals_are_read_in_all_their_forms() {
        let of = |body: &str| {
            words(body.as_bytes()).map(|(message, code)| (message, code.map(|code| code.to_smolstr())))
        };
        assert_eq!(of("Unauthorized\n"), Some(("Unauthorized".to_owned(), None)));
        assert_eq!(
            of(r#"{"error":"NOT_FOUND","error_details":"gone","message":""}"#),
            Some(("gone".to_owned(), Some("NOT_FOUND".into())))
        );
        assert_eq!(
            of(r#"{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}"#),
            Some(("Too many requests".to_owned(), Some("rate_limit_exceeded".into())))
        );
        assert_eq!(of("<html>"), None);
        assert_eq!(of(r#"{"errors":[]}"#), None);
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encoded("a-b_c.d~1"), "a-b_c.d~1");
        assert_eq!(encoded("a=b&c d+é"), "a%3Db%26c%20d%2B%C3%A9");
    }
}
