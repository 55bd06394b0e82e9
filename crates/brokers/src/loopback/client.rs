//! The broker itself: calls over connections that are taken and given back.

use super::config::{InvalidAddress, LoopbackConfig};
use super::connection::{Connection, NoAnswer};
use super::stream::{Before, EventStream};
use super::wire::{Answer, Request, VERSION};
use crate::kit::KnownOrders;
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, FillStream, Health, OrderRef, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::io::{Departure, DynSocketConnector};
use mts_foundation::{Account, AssetClass, Order, OrderType, Position, Symbol, TimeInForce, Timestamp};
use smol_str::SmolStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Registry name.
const NAME: &str = "loopback";

/// Connections that are kept for the next call.
const MAX_IDLE: usize = 16;

/// The rehearsal venue's client.
pub struct LoopbackBroker {
    config: LoopbackConfig,
    connector: Arc<dyn DynSocketConnector>,
    capabilities: Capabilities,
    known: Mutex<Known>,
    orders: Arc<KnownOrders>,
}

/// What is known of the connection.
#[derive(Default)]
struct Known {
    idle: Vec<Connection>,
    /// The venue's time at the last `connect`; `None` = not connected.
    since: Option<Timestamp>,
}

impl std::fmt::Debug for LoopbackBroker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LoopbackBroker").field("config", &self.config).finish_non_exhaustive()
    }
}

impl LoopbackBroker {
    /// A client, not connected; `connector` opens `tcp://` addresses.
    ///
    /// # Errors
    /// [`InvalidAddress`] of another machine.
    pub fn new(
        config: LoopbackConfig,
        connector: Arc<dyn DynSocketConnector>,
    ) -> Result<Self, InvalidAddress> {
        config.validate()?;
        Ok(Self {
            config,
            connector,
            capabilities: capabilities(),
            known: Mutex::default(),
            orders: Arc::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection, and the venue's time.
    async fn open(&self) -> Result<(Connection, Timestamp), NoAnswer> {
        let not_sent = |message: String| NoAnswer::lost(Departure::NotSent, message);
        let request = http::Request::builder().uri(format!("tcp://{}", self.config.address)).body(());
        let request = request.map_err(|error| not_sent(error.to_string()))?;
        let socket = self.connector.connect(request, self.config.connect_within).await;
        let mut connection = Connection::new(socket.map_err(|error| not_sent(error.message))?);
        let hello = Request::Hello { version: VERSION, client: self.config.client.clone() };
        // What was asked for has not left yet.
        match connection.ask(&hello).await {
            Ok(Answer::Welcome { version: VERSION, time }) => Ok((connection, time)),
            Ok(other) => Err(not_sent(format!(
                "the venue greets with {other:?}; it must speak version {VERSION}, use the same mts on both sides"
            ))),
            Err(error) => Err(not_sent(error.message)),
        }
    }

    /// One question and its answer.
    async fn call(&self, request: &Request) -> Result<Answer, NoAnswer> {
        let idle = self.known().idle.pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open().await?.0,
        };
        let answer = connection.ask(request).await?;
        let mut known = self.known();
        if known.idle.len() < MAX_IDLE {
            known.idle.push(connection);
        }
        Ok(answer)
    }

    /// Hands an order over; what has come of this try.
    async fn hand_over(&self, order: &Order) -> SubmitOutcome {
        match self.call(&Request::Submit(Box::new(order.clone()))).await {
            Ok(Answer::Submitted(outcome)) => match *outcome {
                SubmitOutcome::Accepted(accepted) if accepted.idempotency_key != order.idempotency_key => {
                    let cause = format!("the venue answers for order {}", accepted.order_id);
                    SubmitOutcome::Unknown { cause: cause.into() }
                }
                outcome => outcome,
            },
            Ok(_) => SubmitOutcome::Unknown { cause: "the venue answers something else".into() },
            Err(NoAnswer { departure: Departure::NotSent, message, .. }) => {
                SubmitOutcome::NotSent { reason: message.into() }
            }
            Err(error) => SubmitOutcome::Unknown { cause: error.message.into() },
        }
    }

    /// A question that changes nothing.
    async fn query<T>(
        &self,
        op: &'static str,
        request: Request,
        expected: impl FnOnce(Answer) -> Option<T> + Send,
    ) -> Result<T, BrokerError> {
        let answer = self.call(&request).await.map_err(|error| failed(op, error))?;
        let unexpected = || failed(op, NoAnswer::unreadable("the venue answers something else"));
        expected(answer).ok_or_else(unexpected)
    }
}

/// What the venue takes; the rest is refused here.
fn capabilities() -> Capabilities {
    use TimeInForce::{Day, Fok, Gtc, Ioc};
    let mut capabilities = Capabilities::none();
    capabilities.order_types = vec![
        (OrderType::Market, vec![Day, Gtc, Ioc, Fok]),
        (OrderType::Limit, vec![Day, Gtc, Ioc, Fok]),
        (OrderType::MarketableLimit, vec![Day, Gtc, Ioc, Fok]),
        (OrderType::Stop, vec![Day, Gtc]),
        (OrderType::StopLimit, vec![Day, Gtc]),
    ];
    capabilities.asset_classes = AssetClass::ALL.to_vec();
    capabilities.shorting = true;
    capabilities.extended_hours = true;
    capabilities.client_id_dedupe = true;
    capabilities.fill_stream = FillStream::Push;
    capabilities.history_window = None;
    capabilities.sandbox = true;
    capabilities.margin = true;
    capabilities
}

fn failed(op: &'static str, error: NoAnswer) -> BrokerError {
    let (kind, status) = match error {
        NoAnswer { unreadable: true, .. } => (BrokerErrorKind::Protocol, ErrorStatus::Permanent),
        NoAnswer { .. } => (BrokerErrorKind::Disconnected, ErrorStatus::Temporary),
    };
    BrokerError::new(op, kind, status, error.message)
}

/// A stream that has ended.
pub(super) fn no_events(error: NoAnswer) -> BrokerError {
    failed("events", error)
}

impl Broker for LoopbackBroker {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        let (connection, time) = self.open().await.map_err(|error| failed("connect", error))?;
        let mut known = self.known();
        // Those from before may be as dead as the one whose end led here.
        known.idle = vec![connection];
        known.since = Some(time);
        Ok(())
    }

    async fn close(&self) -> Result<(), BrokerError> {
        *self.known() = Known::default();
        Ok(())
    }

    async fn health(&self) -> Health {
        let since = self.known().since;
        Health { connected: since.is_some(), since, clock_skew_ms: None, token_expires: None }
    }

    fn recall(&self, orders: &[Order]) {
        self.orders.recall(orders);
    }

    async fn submit(&self, order: &Order) -> SubmitOutcome {
        if !self.capabilities.takes(order.order_type, order.tif) {
            let reason = format!("the rehearsal venue takes no {} {} orders", order.order_type, order.tif);
            return self.orders.unsent(order, reason.into());
        }
        self.orders.insert(order);
        self.orders.judged(order, self.hand_over(order).await)
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        match self.call(&Request::Cancel(order.idempotency_key.clone())).await {
            Ok(Answer::Canceled(outcome)) => outcome,
            Ok(_) => CancelOutcome::Unknown { cause: "the venue answers something else".into() },
            Err(error) => CancelOutcome::Unknown { cause: error.message.into() },
        }
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let expected = |answer| match answer {
            Answer::Order(report) => Some(report.map(|report| *report)),
            _ => None,
        };
        self.query("order", Request::Order(order.clone()), expected).await
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        let expected = |answer| match answer {
            Answer::OpenOrders(reports) => Some(reports),
            _ => None,
        };
        self.query("open_orders", Request::OpenOrders, expected).await
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let expected = |answer| match answer {
            Answer::Positions(positions) => Some(positions),
            _ => None,
        };
        self.query("positions", Request::Positions, expected).await
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        let expected = |answer| match answer {
            Answer::Account(account) => Some(account),
            _ => None,
        };
        self.query("account", Request::Account, expected).await
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        let open = async move {
            let (mut connection, time) = self.open().await.map_err(no_events)?;
            // The venue tells all that ever filled, also what others had before.
            let before = after.is_none().then(|| Before { time, orders: self.orders.clone() });
            connection.send(&Request::Events(after)).await.map_err(no_events)?;
            Ok((connection, before))
        };
        Box::pin(EventStream::new(open))
    }

    async fn diagnose(&self, _symbol: Option<&Symbol>) -> Vec<Check> {
        let check = |name: &str, result: Result<String, String>| Check {
            name: SmolStr::new(name),
            ok: result.is_ok(),
            detail: result.unwrap_or_else(|message| message),
        };
        let text = |error: BrokerError| error.to_string();
        let reached = self.open().await.map(|(_, time)| format!("{}, time {time}", self.config.address));
        let account =
            self.account().await.map(|account| format!("{} {}", account.cash, account.base_currency));
        let orders = self.open_orders().await.map(|orders| format!("{} open orders", orders.len()));
        vec![
            check("API reachable", reached.map_err(|error| error.message)),
            check("auth", Ok("none needed".to_owned())),
            check("account info", account.map_err(text)),
            check("order book", orders.map_err(text)),
            check("time skew", Ok("the same machine".to_owned())),
            check("event stream", Ok("push".to_owned())),
            check("key permissions", Ok("no keys".to_owned())),
        ]
    }
}
