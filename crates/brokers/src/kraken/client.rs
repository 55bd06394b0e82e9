//! The broker: each call as the requests that it takes.

use super::capabilities::{accepted, capabilities};
use super::config::KrakenConfig;
use super::error::{is_duplicate, of_order};
use super::listed::Listed;
use super::map;
use super::order_map as orders;
use super::pairs::Pair;
use super::private::Call;
use super::sign::Key;
use super::wire::{
    WireAdded, WireAmended, WireBalance, WireCanceled, WireClosed, WireKey, WireOpen, WireOrder, WireTicker,
    WireTime, WireTradeBalance,
};
use crate::kit::{
    Connections, Entry, Failure, FailureKind, KnownOrders, OrderEntry, Rest, Taken, Untold, canceled,
    client_id, follow, health, strange, submit, unreadable, venue_id,
};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, Health, OrderChange, OrderRef, ReplaceOutcome, SubmitOutcome,
};
use mts_foundation::broker_event::{Cursor, OrderReport};
use mts_foundation::{
    Account, AccountId, BrokerOrderId, Decimal, FundId, Order, Position, Symbol, Timestamp,
};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Registry name.
pub(super) const NAME: &str = "kraken";

/// Pauses between looks whether a cancellation that was taken has come to pass, in milliseconds. Few: each counts against the
/// budget of questions.
const LOOKS: &[u64] = &[30, 200, 800];

/// An account at Kraken.
pub struct Kraken {
    pub(super) config: KrakenConfig,
    pub(super) connections: Connections,
    pub(super) orders: Arc<KnownOrders>,
    pub(super) rest: Rest,
    capabilities: Capabilities,
    known: Mutex<Known>,
}

/// What was learnt by connecting.
#[derive(Default)]
pub(super) struct Known {
    pub(super) key: Option<Key>,
    account: Option<AccountId>,
    pub(super) listed: Option<Listed>,
    /// Executions of which a gap was told instead.
    pub(super) untold: Untold,
    since: Option<Timestamp>,
    pub(super) clock_skew_ms: Option<i64>,
}

impl std::fmt::Debug for Kraken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Kraken").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Kraken {
    /// An account, not connected.
    #[must_use]
    pub fn new(config: KrakenConfig, connections: Connections) -> Self {
        Self {
            rest: Rest::new(connections.http.clone(), config.rest_url(), "x-request-id"),
            capabilities: capabilities(&config),
            orders: Arc::default(),
            known: Mutex::default(),
            config,
            connections,
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The venue's time, as far as it is known.
    pub(super) fn venue_now(&self) -> Timestamp {
        let skew = self.known().clock_skew_ms.unwrap_or_default();
        let now = self.connections.clock.now();
        Timestamp::from_nanos(now.nanos().saturating_add(skew.saturating_mul(1_000_000)))
    }

    /// Asks for the venue's time, which has whole seconds, cut off.
    pub(super) async fn venue_time(&self) -> Result<Timestamp, Failure> {
        // The answer was made in the midst of its second.
        let (time, ours) = self.connections.dated(self.public::<WireTime>("Time")).await?;
        let ours = ours.nanos() / 1_000_000;
        let theirs = time.unixtime.checked_mul(1_000).ok_or_else(|| strange("unixtime", time.unixtime))?;
        self.known().clock_skew_ms = Some(theirs.saturating_add(500).saturating_sub(ours));
        Ok(Timestamp::from_millis(theirs))
    }

    /// What the key may do.
    pub(super) async fn key_info(&self) -> Result<WireKey, Failure> {
        let info: WireKey = self.private(Call::ask("GetApiKeyInfo"), &[]).await?;
        // The public number of the account stays when the key is changed, and is no secret.
        let number: String =
            info.iban.iter().flat_map(|iban| iban.chars()).filter(char::is_ascii_alphanumeric).collect();
        let name = self.config.account.clone().unwrap_or(number);
        if name.is_empty() {
            // A name made up here would be another than that of tomorrow, and fills would be booked twice.
            return Err(Failure::unreadable(
                "Kraken tells no number of the account (iban); set account to a name of your own that stays",
            ));
        }
        let id = AccountId::new(name).map_err(unreadable)?;
        self.known().account = Some(id);
        Ok(info)
    }

    /// What the account is called.
    pub(super) async fn account_id(&self) -> Result<AccountId, Failure> {
        if let Some(account) = self.known().account.clone() {
            return Ok(account);
        }
        self.key_info().await?;
        self.known().account.clone().ok_or_else(|| Failure::unreadable("the account has no name".to_owned()))
    }

    pub(super) async fn list_open(&self) -> Result<Vec<OrderReport>, Failure> {
        let open: WireOpen = self.private(Call::ask("OpenOrders"), &[]).await?;
        let pairs = self.pairs_with(open.open.values().map(|wire| &wire.descr.pair)).await?;
        let rows: Vec<(SmolStr, WireOrder)> = open.open.into_iter().collect();
        self.orders.reports(
            &rows,
            |(id, wire)| (wire.cl_ord_id.as_deref(), id),
            |(id, wire)| orders::report(id, wire, &self.orders, &pairs),
        )
    }

    /// The order of a client id: one that works, else the last that had it.
    async fn by_client_id(&self, id: &str) -> Result<Option<(SmolStr, WireOrder)>, Failure> {
        let fields = [("cl_ord_id", id.to_owned())];
        let is = |wire: &WireOrder| wire.cl_ord_id.as_deref() == Some(id);
        let newest = |rows: BTreeMap<SmolStr, WireOrder>| {
            let count = rows.len();
            let found = rows.into_iter().filter(|(_, wire)| is(wire)).max_by_key(|(_, wire)| wire.opentm);
            match (found, count) {
                (None, 1..) => Err(Failure::unreadable("the answer is about other orders".to_owned())),
                (found, _) => Ok(found),
            }
        };
        let open: WireOpen = self.private(Call::ask("OpenOrders"), &fields).await?;
        if let Some(found) = newest(open.open)? {
            return Ok(Some(found));
        }
        let closed: WireClosed = self.private(Call::ask("ClosedOrders"), &fields).await?;
        newest(closed.closed)
    }

    /// The order of the venue's id.
    async fn by_id(&self, id: &str) -> Result<Option<(SmolStr, WireOrder)>, Failure> {
        if !orders::is_id(id) {
            return Ok(None);
        }
        let fields = [("txid", id.to_owned())];
        let found: Result<BTreeMap<SmolStr, WireOrder>, Failure> =
            self.private(Call::ask("QueryOrders"), &fields).await;
        let mut found = match found {
            Ok(found) => found,
            // Which of the two it says is not documented.
            Err(failure)
                if failure.kind == FailureKind::NotFound
                    || (failure.kind == FailureKind::Refused
                        && failure.message.contains("Invalid order")) =>
            {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        match (found.remove_entry(id), found.len()) {
            (None, 1..) => Err(Failure::unreadable("the answer is about another order".to_owned())),
            (found, _) => Ok(found),
        }
    }

    /// What the venue says after it was asked to cancel.
    async fn canceled(&self, id: &BrokerOrderId) -> Result<CancelOutcome, Failure> {
        let pairs = self.pairs().await?;
        if !orders::is_id(id.as_str()) {
            return Ok(CancelOutcome::NotFound);
        }
        let asked: Result<WireCanceled, Failure> =
            self.private(Call::trade("CancelOrder"), &[("txid", id.to_string())]).await;
        let asked = asked.and_then(|wire| match wire.count {
            0 => Err(Failure::new(FailureKind::Refused, "nothing was cancelled")),
            _ => Ok(()),
        });
        canceled(&*self.connections.sleep, LOOKS, asked, || async {
            let Some((txid, wire)) = self.by_id(id.as_str()).await? else { return Ok(None) };
            Ok(Some(orders::report(&txid, &wire, &self.orders, &pairs)?.state))
        })
        .await
    }

    /// Balances by asset.
    async fn balances(&self) -> Result<BTreeMap<SmolStr, WireBalance>, Failure> {
        self.private(Call::ask("BalanceEx"), &[]).await
    }

    async fn held(&self) -> Result<Vec<Position>, Failure> {
        let (pairs, balances) = (self.pairs().await?, self.balances().await?);
        let mut coins: BTreeMap<&Symbol, (&Pair, Decimal)> = BTreeMap::new();
        for (asset, row) in balances.iter().filter(|(_, row)| !row.balance.is_zero()) {
            let pair = pairs
                .code(asset)
                .filter(|code| *code != pairs.currency())
                .and_then(|code| pairs.of_code(code));
            if let Some(pair) = pair {
                let held = &mut coins.entry(&pair.symbol).or_insert((pair, Decimal::ZERO)).1;
                *held = held.checked_add(row.balance).ok_or_else(|| strange("balance", row.balance))?;
            }
        }
        if coins.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = coins.values().map(|(pair, _)| pair.altname.as_str()).collect();
        let tickers: BTreeMap<SmolStr, WireTicker> =
            self.public(&format!("Ticker?pair={}", names.join(","))).await?;
        let by_symbol: BTreeMap<&Symbol, &WireTicker> =
            tickers.iter().filter_map(|(name, row)| Some((&pairs.of_name(name)?.symbol, row))).collect();
        let owner = FundId::new(NAME).map_err(unreadable)?;
        let now = self.connections.clock.now();
        coins
            .iter()
            .map(|(symbol, (pair, quantity))| {
                let ticker = by_symbol.get(symbol).ok_or_else(|| strange("price", "missing"))?;
                map::position(pair, *quantity, ticker, &owner, now)
            })
            .collect()
    }

    async fn money(&self) -> Result<Account, Failure> {
        let (pairs, balances) = (self.pairs().await?, self.balances().await?);
        let mut own = balances.iter().filter(|(asset, _)| pairs.code(asset) == Some(pairs.currency()));
        let row = own.next().map(|(_, row)| row);
        let cash = row.map_or(Decimal::ZERO, |row| row.balance);
        let held = row.and_then(|row| row.hold_trade).unwrap_or_default();
        let asset = pairs.currency_id().unwrap_or_default().to_owned();
        let whole: WireTradeBalance = self.private(Call::ask("TradeBalance"), &[("asset", asset)]).await?;
        Ok(Account {
            base_currency: self.config.currency,
            cash,
            equity: whole.eb,
            buying_power: Some(cash.checked_sub(held).ok_or_else(|| strange("hold_trade", held))?),
            asof: self.connections.clock.now(),
        })
    }
}

/// Whether a key may move money away.
pub(super) fn may_withdraw(info: &WireKey) -> bool {
    info.permissions.iter().any(|permission| permission.contains("withdraw"))
}

/// What to do about such a key.
pub(super) const WITHDRAWAL_KEY: &str =
    "the key may withdraw money; make one without that right, or set allow_withdrawal_key = true";

impl OrderEntry for Kraken {
    type Ready = Pair;
    /// Kraken takes a client id anew once its order has ended: what may have left is never sent again.
    const KNOWS_IDS: bool = false;

    async fn prepared(&self, order: &Order) -> Result<Pair, String> {
        let listed = match self.pairs().await {
            // Perhaps it was listed since.
            Ok(pairs) if pairs.of_symbol(&order.symbol).is_none() => self.pairs_now().await,
            listed => listed,
        };
        let without = |failure: Failure| format!("the list of pairs cannot be had: {}", failure.message);
        let pair = accepted(&self.capabilities, &*listed.map_err(without)?, order)?.clone();
        // Without a key nothing leaves, for whatever reason it cannot be had.
        self.key().await.map_err(|error| error.message)?;
        Ok(pair)
    }

    async fn sent(&self, entry: &Entry<'_, Pair>) -> Result<Taken, Failure> {
        let Entry { order, id, ready: pair, .. } = entry;
        let fields = orders::new_order(order, pair, id, self.venue_now(), self.config.order_deadline());
        let added: Result<WireAdded, Failure> = self.private(Call::trade("AddOrder"), &fields).await;
        let id = orders::added(order, pair, &added.map_err(of_order)?)?;
        Ok(Taken { id, at: self.connections.clock.now(), refused: None })
    }

    fn is_taken(&self, refusal: &Failure) -> bool {
        is_duplicate(refusal)
    }

    async fn had(&self, entry: &Entry<'_, Pair>) -> Result<Option<Taken>, Failure> {
        let Some((txid, wire)) = self.by_client_id(&entry.id).await? else { return Ok(None) };
        orders::is_of(entry.order, &wire, &txid, &entry.ready)?;
        let at = self.connections.clock.now();
        Ok(Some(Taken { id: venue_id(&txid)?, at, refused: None }))
    }
}

impl Broker for Kraken {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recall(&self, orders: &[Order]) {
        // Which of them have left is not known here: none is sent again.
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
        *self.known() = Known::default();
        let failed = |failure: Failure| failure.of_query("connect");
        let info = self.key_info().await.map_err(failed)?;
        if may_withdraw(&info) && !self.config.allow_withdrawal_key {
            return Err(BrokerError::new(
                "connect",
                BrokerErrorKind::Auth,
                ErrorStatus::Permanent,
                WITHDRAWAL_KEY,
            ));
        }
        self.venue_time().await.map_err(failed)?;
        self.pairs().await.map_err(failed)?;
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

    async fn replace(&self, order: &BrokerOrderRef, change: &OrderChange) -> ReplaceOutcome {
        let id = &order.broker_order_id;
        let fields = orders::amendment(id, change, self.venue_now(), self.config.order_deadline());
        let amended: Result<WireAmended, Failure> = self.private(Call::trade("AmendOrder"), &fields).await;
        match amended {
            // It keeps its id.
            Ok(wire) if !wire.amend_id.is_empty() => ReplaceOutcome::Replaced(id.clone()),
            Ok(_) => ReplaceOutcome::Unknown { cause: "the answer names no amendment".into() },
            Err(failure) => of_order(failure).of_replace(),
        }
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let failed = |failure: Failure| failure.of_query("order");
        let found = match order {
            OrderRef::Venue(id) => self.by_id(id.as_str()).await,
            OrderRef::Key(key) => self.by_client_id(&client_id(key)).await,
        };
        let Some((id, wire)) = found.map_err(failed)? else { return Ok(None) };
        let pairs = self.pairs_with([&wire.descr.pair]).await.map_err(failed)?;
        let mut report = orders::report(&id, &wire, &self.orders, &pairs).map_err(failed)?;
        if let OrderRef::Key(key) = order {
            if let Some(known) = self.orders.of_venue(&report.broker_order_id) {
                orders::is_known(&known, &wire, &id, &pairs).map_err(failed)?;
            }
            report.idempotency_key = Some(key.clone());
        }
        Ok(Some(report))
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        self.list_open().await.map_err(|failure| failure.of_query("open_orders"))
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        self.held().await.map_err(|failure| failure.of_query("positions"))
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        self.money().await.map_err(|failure| failure.of_query("account"))
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        follow(self, self.connections.followed(), after)
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        self.checks(symbol).await
    }
}
