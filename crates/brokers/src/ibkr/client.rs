//! The broker: each call as what is asked of TWS.

use super::capabilities::capabilities;
use super::config::IbkrConfig;
use super::contracts::{ContractFields, contract_of, words};
use super::feed::Rates;
use super::link::{Link, limiter};
use super::map;
use super::session::Shared;
use super::turns::Turns;
use super::wire::WireOrder;
use crate::kit::{Checks, Connections, Failure, FailureKind, client_id, follow, is_live};
use ibapi::RateLimiter;
use mts_foundation::broker::{
    Broker, BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities, Check, Health,
    OrderChange, OrderRef, ReplaceOutcome, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::{Account, Currency, Decimal, FundId, Order, Position, Symbol, Timestamp};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Registry name.
const NAME: &str = "ibkr";

/// Most instruments that are remembered.
const MAX_CONTRACTS: usize = 10_000;

/// Half a second: TWS tells its time without fractions.
const HALF: i64 = 500_000_000;

/// An account at Interactive Brokers.
pub struct Ibkr {
    pub(super) config: IbkrConfig,
    pub(super) connections: Connections,
    pub(super) shared: Shared,
    pub(super) rates: Arc<Rates>,
    pub(super) capabilities: Capabilities,
    limiter: RateLimiter,
    known: Mutex<Known>,
    /// Held while a connection is made, so that one is.
    opening: tokio::sync::Mutex<()>,
    pub(super) turns: Turns,
    /// Held from the choice of an order's number until it has left.
    pub(super) sending: tokio::sync::Mutex<()>,
}

/// A question for the history that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The connection, by when it was made.
    pub(super) connection: Timestamp,
    /// The earliest place that was asked from over it.
    pub(super) place: Timestamp,
    /// When it was asked last.
    pub(super) at: Timestamp,
}

/// What was learnt by connecting.
#[derive(Default)]
pub(super) struct Known {
    wanted: bool,
    link: Option<Arc<Link>>,
    account: Option<SmolStr>,
    /// When the history was asked last.
    pub(super) asked: Option<Asked>,
    clock_skew_ms: Option<i64>,
    base: Option<SmolStr>,
    contracts: BTreeMap<Symbol, ContractFields>,
}

impl std::fmt::Debug for Ibkr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ibkr").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Ibkr {
    /// An account, not connected.
    #[must_use]
    pub fn new(config: IbkrConfig, connections: Connections) -> Self {
        let mut capabilities = capabilities();
        capabilities.history_window = Some(config.history());
        Self {
            shared: Shared::of_client(config.client_id),
            config,
            connections,
            rates: Arc::default(),
            capabilities,
            limiter: limiter(),
            known: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            turns: Turns::default(),
            sending: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Option<Arc<Link>> {
        self.known().link.clone().filter(|link| link.lives())
    }

    /// The connection, made anew where it was lost.
    pub(super) async fn link(&self) -> Result<Arc<Link>, Failure> {
        if let Some(link) = self.live() {
            return Ok(link);
        }
        let _one_at_a_time = self.opening.lock().await;
        if let Some(link) = self.live() {
            return Ok(link);
        }
        if !self.known().wanted {
            return Err(Failure::new(FailureKind::NotSent, "not connected; connect first"));
        }
        // The client id is taken until the old connection is gone.
        let old = self.known().link.take();
        if let Some(old) = old {
            old.end().await;
        }
        let now = self.connections.clock.now();
        let link =
            Link::open(&self.config, self.connections.sleep.clone(), self.limiter.clone(), now).await?;
        // Somebody has closed the broker meanwhile.
        if !self.known().wanted {
            link.end().await;
            return Err(Failure::new(FailureKind::NotSent, "closed while it was connecting"));
        }
        let mut known = self.known();
        (known.link, known.account) = (Some(link.clone()), Some(link.account.as_str().into()));
        Ok(link)
    }

    /// The account, as far as it is known without a connection.
    pub(super) fn account_id(&self) -> Option<SmolStr> {
        self.config.account.clone().or_else(|| self.known().account.clone())
    }

    /// The account's currency.
    pub(super) async fn base(&self, link: &Arc<Link>) -> Result<SmolStr, Failure> {
        if let Some(base) = self.known().base.clone() {
            return Ok(base);
        }
        let balances = link.balances().await?;
        if balances.currency.is_empty() {
            return Err(Failure::unreadable("the account's net liquidation value has no currency"));
        }
        self.known().base = Some(balances.currency.clone());
        Ok(balances.currency)
    }

    /// The instrument of a symbol with TWS's number of it.
    pub(super) async fn contract(
        &self,
        link: &Arc<Link>,
        symbol: &Symbol,
        fields: ContractFields,
    ) -> Result<ContractFields, Failure> {
        if let Some(known) = self.known().contracts.get(symbol).cloned() {
            return Ok(known);
        }
        let mut found = link.contracts(&fields).await?;
        // Futures trade at copies of their exchange as well.
        found.retain(|contract| contract.exchange != "QBALGO");
        let contract = match found.as_slice() {
            [] => {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!("{symbol}: there is no such instrument"),
                ));
            }
            [only] => only.clone(),
            [first, rest @ ..] => {
                let others: Vec<&str> = rest.iter().map(|contract| contract.exchange.as_str()).collect();
                let exchange = &first.exchange;
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!(
                        "{symbol} may be one of {} instruments ({exchange}, {}); set exchanges for its root",
                        found.len(),
                        others.join(", ")
                    ),
                ));
            }
        };
        // It goes where the symbol says, and TWS says the rest.
        let exchange = if fields.exchange.is_empty() { contract.exchange.clone() } else { fields.exchange };
        let contract = ContractFields { exchange, ..contract };
        self.shared.book.name(contract.con_id, symbol);
        let mut known = self.known();
        if known.contracts.len() >= MAX_CONTRACTS {
            known.contracts.pop_first();
        }
        known.contracts.insert(symbol.clone(), contract.clone());
        Ok(contract)
    }

    async fn measure(&self, link: &Arc<Link>) -> Result<(), Failure> {
        // The answer was made half a second after what it says.
        let (theirs, ours) = self.connections.dated(link.time()).await?;
        let skew = (theirs.nanos().saturating_add(HALF).saturating_sub(ours.nanos())) / 1_000_000;
        // Below a second nothing is known.
        self.known().clock_skew_ms = Some(if skew.abs() < 600 { 0 } else { skew });
        Ok(())
    }

    fn report(&self, order: &WireOrder) -> Result<OrderReport, Failure> {
        let Shared { orders, book } = &self.shared;
        map::report(order, orders, book, self.connections.clock.now())
    }

    pub(super) async fn list_open(&self, link: &Arc<Link>) -> Result<Vec<OrderReport>, Failure> {
        let orders = link.open_orders().await?;
        let known = orders.into_iter().map(|order| self.shared.book.learn(order));
        // TWS lists what has just ended for a while.
        // One of another client that cannot be told is its own business.
        let reports = known.filter_map(|order| match self.report(&order) {
            Err(_) if order.client_id != self.config.client_id => None,
            report => Some(report),
        });
        let reports = reports.collect::<Result<Vec<_>, _>>()?;
        Ok(reports.into_iter().filter(|report| !report.state.is_terminal()).collect())
    }

    /// An order, open or ended, for whoever knows it when it is seen.
    pub(super) async fn find(
        &self,
        link: &Arc<Link>,
        is_it: impl Fn(&WireOrder) -> bool,
    ) -> Result<Option<WireOrder>, Failure> {
        let open = link.open_orders().await?;
        if let Some(order) = open.into_iter().find(|order| is_it(order)) {
            return Ok(Some(self.shared.book.learn(order)));
        }
        let ended = link.ended_orders().await?;
        let Some(order) = ended.into_iter().find(|order| is_it(order)) else {
            return self.forgotten(link, is_it).await;
        };
        let mut order = self.shared.book.learn(order);
        if order.average_price.is_none() && order.filled > Decimal::ZERO {
            order.average_price = self.average(link, order.perm_id).await?;
        }
        Ok(Some(self.shared.book.learn(order)))
    }

    /// TWS forgets orders sooner than what they have traded: one that has traded is none that it does not know.
    async fn forgotten(
        &self,
        link: &Arc<Link>,
        is_it: impl Fn(&WireOrder) -> bool,
    ) -> Result<Option<WireOrder>, Failure> {
        let now = self.connections.clock.now();
        let traded = link.executions(Timestamp::EPOCH, now).await?.into_iter().find(|(execution, _)| {
            is_it(&WireOrder {
                perm_id: execution.perm_id,
                order_ref: execution.order_ref.clone(),
                ..WireOrder::default()
            })
        });
        match traded {
            None => Ok(None),
            Some((execution, _)) => Err(Failure::unreadable(format!(
                "order {} has traded, and TWS does not list it any more; see its trade log",
                execution.perm_id
            ))),
        }
    }

    /// The average price of an order's trades, which TWS does not tell of orders that have ended.
    async fn average(&self, link: &Arc<Link>, perm_id: i64) -> Result<Option<Decimal>, Failure> {
        let now = self.connections.clock.now();
        let (mut units, mut value) = (Decimal::ZERO, Decimal::ZERO);
        for (execution, _) in link.executions(Timestamp::EPOCH, now).await? {
            if execution.perm_id == perm_id && execution.contract.sec_type != "BAG" {
                if !execution.fault.is_empty() {
                    return Ok(None);
                }
                units = units.saturating_add(execution.quantity);
                value = value.saturating_add(execution.quantity.saturating_mul(execution.price));
            }
        }
        Ok(value.checked_div(units))
    }

    /// The best prices of an instrument, readable.
    async fn touch(&self, link: &Arc<Link>, symbol: Option<&Symbol>) -> Result<String, Failure> {
        let apple = Symbol::new("AAPL").map_err(|error| Failure::unreadable(error.to_string()))?;
        let symbol = symbol.unwrap_or(&apple);
        let fields = contract_of(symbol, &self.config.exchanges).map_err(Failure::unreadable)?;
        let contract = self.contract(link, symbol, fields).await?;
        match link.touch(&contract).await? {
            [Some(bid), Some(ask)] => Ok(format!("{} {bid} / {ask}", words(&contract))),
            _ => Err(Failure::unreadable(format!("no prices of {symbol}"))),
        }
    }

    async fn checks(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let mut checks = Checks::default();
        let address = self.config.address();
        let link = match self.link().await {
            Ok(link) => link,
            Err(failure) => {
                let auth = failure.kind == FailureKind::Auth;
                let reached = if auth { Ok(address) } else { Err(failure.message.clone()) };
                checks.add("API reachable", reached);
                checks.add("auth", Err(failure.message));
                for name in ["account info", "order book", "time skew", "event stream", "key permissions"] {
                    checks.add(name, Err("there is no connection; see the checks above".to_owned()));
                }
                return checks.done();
            }
        };
        checks.add("API reachable", Ok(format!("{address}, version {}", link.client.server_version())));
        let kind = if self.config.paper { "paper" } else { "live" };
        checks.add("auth", Ok(format!("client {}, {kind} account {}", self.config.client_id, link.account)));
        checks.add(
            "account info",
            match link.balances().await {
                Ok(balances) => Ok(format!(
                    "net liquidation {} {}, available {}",
                    balances.net_liquidation.unwrap_or_default(),
                    balances.currency,
                    balances.available_funds.unwrap_or_default()
                )),
                Err(failure) => Err(format!("{}; see that the account is open in TWS", failure.message)),
            },
        );
        checks.add(
            "order book",
            self.touch(&link, symbol).await.map_err(|failure| {
                format!("{}; see the account's market data subscriptions", failure.message)
            }),
        );
        let measured = self.measure(&link).await;
        let skew = self.known().clock_skew_ms;
        checks.skew("TWS", &measured, skew, 2_000, "");
        checks.add(
            "event stream",
            match is_live(self, &self.connections.followed()).await {
                Ok(()) => Ok("orders and trades are told".to_owned()),
                Err(error) => Err(format!("{error}; see the log of TWS")),
            },
        );
        checks.add(
            "key permissions",
            match link.is_down() {
                false => Ok("there are no keys; TWS's settings say whether its clients may trade".to_owned()),
                true => Err("TWS has lost Interactive Brokers; wait, or see its own log".to_owned()),
            },
        );
        checks.done()
    }
}

impl Broker for Ibkr {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recall(&self, orders: &[Order]) {
        self.shared.orders.recall(orders);
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        self.known().wanted = true;
        let failed = |failure: Failure| failure.of_query("connect");
        let link = self.link().await.map_err(failed)?;
        if self.known().clock_skew_ms.is_none() {
            self.measure(&link).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), BrokerError> {
        let link = {
            let mut known = self.known();
            known.wanted = false;
            known.clock_skew_ms = None;
            known.base = None;
            known.link.take()
        };
        if let Some(link) = link {
            link.end().await;
        }
        Ok(())
    }

    async fn health(&self) -> Health {
        let link = self.live();
        Health {
            connected: link.as_ref().is_some_and(|link| !link.is_down()),
            since: link.map(|link| link.since),
            clock_skew_ms: self.known().clock_skew_ms,
            token_expires: None,
        }
    }

    async fn submit(&self, order: &Order) -> SubmitOutcome {
        self.submitted(order).await.unwrap_or_else(Failure::of_submit)
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        self.canceled(order).await.unwrap_or_else(Failure::of_cancel)
    }

    async fn replace(&self, order: &BrokerOrderRef, change: &OrderChange) -> ReplaceOutcome {
        self.replaced(order, change).await.unwrap_or_else(Failure::of_replace)
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let failed = |failure: Failure| failure.of_query("order");
        let link = self.link().await.map_err(failed)?;
        let found = match order {
            OrderRef::Venue(id) => match map::perm_id(id) {
                Some(perm_id) => self.find(&link, |there| there.perm_id == perm_id).await,
                None => return Ok(None),
            },
            OrderRef::Key(key) => {
                let order_ref = client_id(key);
                self.find(&link, |there| there.order_ref == order_ref).await
            }
        };
        let Some(found) = found.map_err(failed)? else { return Ok(None) };
        let mut report = self.report(&found).map_err(failed)?;
        if let OrderRef::Key(key) = order {
            report.idempotency_key = Some(key.clone());
        }
        Ok(Some(report))
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        let failed = |failure: Failure| failure.of_query("open_orders");
        let link = self.link().await.map_err(failed)?;
        self.list_open(&link).await.map_err(failed)
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let failed = |failure: Failure| failure.of_query("positions");
        let link = self.link().await.map_err(failed)?;
        let held = link.holdings().await.map_err(failed)?;
        let owner = FundId::new(NAME).map_err(|error| failed(Failure::unreadable(error.to_string())))?;
        let (now, book) = (self.connections.clock.now(), &self.shared.book);
        held.iter().map(|held| map::position(held, &owner, book, now).map_err(failed)).collect()
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        let failed = |failure: Failure| failure.of_query("account");
        let link = self.link().await.map_err(failed)?;
        let balances = link.balances().await.map_err(failed)?;
        let told = |name: &str, value: Option<Decimal>| {
            let missing = || failed(Failure::unreadable(format!("the account has no {name}")));
            value.ok_or_else(missing)
        };
        let base_currency = Currency::new(&balances.currency)
            .map_err(|error| failed(Failure::unreadable(error.to_string())))?;
        Ok(Account {
            base_currency,
            cash: told("AvailableFunds", balances.available_funds)?,
            equity: told("NetLiquidation", balances.net_liquidation)?,
            buying_power: balances.buying_power,
            asof: self.connections.clock.now(),
        })
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        follow(self, self.connections.followed(), after)
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let was_wanted = std::mem::replace(&mut self.known().wanted, true);
        let checks = self.checks(symbol).await;
        if !was_wanted {
            // It was not connected before and is not afterwards; what ending it says is of no use.
            drop(Broker::close(self).await);
        }
        checks
    }
}
