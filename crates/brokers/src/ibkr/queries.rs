//! What can be asked of TWS, in words of our own.

use super::link::{Link, failure, lost, within};
use super::map::{Held, time_of, trade_of};
use super::request::library_contract;
use super::told;
use super::wire::{ContractFields, WireExecution, WireFees, WireOrder, exact};
use crate::kit::{Failure, number};
use futures_core::Stream;
use futures_util::StreamExt as _;
use ibapi::Error;
use ibapi::accounts::types::{AccountGroup, AccountId};
use ibapi::accounts::{AccountSummaryResult, AccountUpdate, PositionUpdate};
use ibapi::market_data::MarketDataType;
use ibapi::market_data::realtime::TickTypes;
use ibapi::orders::{ExecutionFilter, Executions, OrderData, Orders};
use ibapi::subscriptions::SubscriptionItem;
use mts_foundation::{Decimal, Timestamp};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Most days that TWS keeps executions for.
const MAX_DAYS: i32 = 7;

/// Balances.
#[derive(Debug, Clone, Default)]
pub(super) struct Balances {
    pub(super) net_liquidation: Option<Decimal>,
    pub(super) available_funds: Option<Decimal>,
    pub(super) buying_power: Option<Decimal>,
    pub(super) currency: SmolStr,
}

/// All rows of a list that goes on after its end.
async fn until<T>(
    rows: &mut (impl Stream<Item = Result<SubscriptionItem<T>, Error>> + Unpin),
    is_end: impl Fn(&T) -> bool,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    while let Some(row) = rows.next().await {
        match row? {
            SubscriptionItem::Data(row) if is_end(&row) => return Ok(all),
            SubscriptionItem::Data(row) => all.push(row),
            // Some of it was dropped.
            SubscriptionItem::Notice(notice) if notice.code < 0 => return Err(Error::Notice(notice)),
            SubscriptionItem::Notice(_) => {}
        }
    }
    Err(Error::UnexpectedEndOfStream)
}

impl Link {
    /// Everybody's open orders.
    pub(super) async fn open_orders(self: &Arc<Self>) -> Result<Vec<WireOrder>, Failure> {
        let rows = self.ask(|client, deadline| {
            Box::pin(async move { client.all_open_orders().await?.collect_to_end_within(deadline).await })
        });
        self.orders(rows.await?)
    }

    /// Orders that have ended lately.
    pub(super) async fn ended_orders(self: &Arc<Self>) -> Result<Vec<WireOrder>, Failure> {
        let rows = self.ask(|client, deadline| {
            Box::pin(
                async move { client.completed_orders(false).await?.collect_to_end_within(deadline).await },
            )
        });
        self.orders(rows.await?)
    }

    /// Orders of the account with their statuses. What is told twice is true as it is told last.
    fn orders(&self, rows: Vec<Orders>) -> Result<Vec<WireOrder>, Failure> {
        let mut orders: BTreeMap<i64, WireOrder> = BTreeMap::new();
        let mut statuses = BTreeMap::new();
        for row in rows {
            match row {
                Orders::OrderData(data) => match told::order(&data) {
                    Ok(order) => drop(orders.insert(order.perm_id, order)),
                    Err(failure) if self.may_be_ours(&data) => return Err(failure),
                    Err(_) => {}
                },
                Orders::OrderStatus(data) => match told::status(&data) {
                    Ok(status) => drop(statuses.insert(status.perm_id, status)),
                    Err(failure) if data.client_id == self.client.client_id() => return Err(failure),
                    Err(_) => {}
                },
            }
        }
        for (perm_id, status) in statuses {
            if let Some(order) = orders.get_mut(&perm_id) {
                order.status = status.status;
                order.filled = order.filled.max(status.filled);
                order.average_price = status.average_price;
            }
        }
        let ours = |order: &WireOrder| order.perm_id != 0 && order.account == self.account.as_str();
        Ok(orders.into_values().filter(ours).collect())
    }

    /// Whether an order that cannot be read may be one of ours. Ended ones are told without their client.
    fn may_be_ours(&self, data: &OrderData) -> bool {
        let is_own = data.order.client_id == self.client.client_id();
        data.order.account == self.account.as_str()
            && (is_own || Uuid::try_parse(&data.order.order_ref).is_ok())
    }

    /// The account's trades after an instant, oldest first, with their costs in the account's currency where they are known.
    pub(super) async fn executions(
        self: &Arc<Self>,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(WireExecution, Option<WireFees>)>, Failure> {
        let day = Duration::from_secs(24 * 3_600);
        // Days begin at midnight in TWS's zone, and it is not the clock that we have: one more is asked for.
        let age = i32::try_from(now.since(from).as_secs() / day.as_secs()).unwrap_or(MAX_DAYS);
        let filter = ExecutionFilter {
            account_code: self.account.to_string(),
            last_n_days: age.saturating_add(2).min(MAX_DAYS),
            ..ExecutionFilter::default()
        };
        let rows = self
            .ask(move |client, deadline| {
                Box::pin(
                    async move { client.executions(filter).await?.collect_to_end_within(deadline).await },
                )
            })
            .await?;
        let (mut executions, mut costs) = (Vec::new(), BTreeMap::new());
        for row in rows {
            match row {
                Executions::ExecutionData(data) => {
                    executions.push(told::execution(&data, self.zone.as_deref()));
                }
                Executions::CommissionReport(report) => {
                    // A cost that is no amount is not known yet.
                    if let Ok(fees) = told::fees(&report) {
                        costs.insert(fees.id.clone(), fees);
                    }
                }
            }
        }
        let mut keyed = Vec::with_capacity(executions.len());
        for execution in executions {
            // One that cannot be read is told as such, whenever it was.
            let time = time_of(&execution).unwrap_or(from);
            let revision = trade_of(&execution.id).map_or(1, |(_, revision)| revision);
            if time >= from {
                keyed.push(((time, execution.cumulative, revision), execution));
            }
        }
        keyed.sort_by_key(|(key, _)| *key);
        let with_cost = |(_, execution): (_, WireExecution)| {
            let fees = costs.get(&execution.id).cloned();
            (execution, fees)
        };
        Ok(keyed.into_iter().map(with_cost).collect())
    }

    /// What the account holds.
    pub(super) async fn holdings(self: &Arc<Self>) -> Result<Vec<Held>, Failure> {
        let rows = self.ask(|client, _| {
            Box::pin(async move {
                let mut rows = client.positions().await?;
                let all = until(&mut rows, |row| matches!(row, PositionUpdate::PositionEnd)).await;
                rows.cancel().await;
                all
            })
        });
        let mut holdings = Vec::new();
        for row in rows.await? {
            let PositionUpdate::Position(row) = row else { continue };
            let strange =
                || Failure::unreadable(format!("position {:e} at {:e}", row.position, row.average_cost));
            let quantity = exact(row.position).ok_or_else(strange)?;
            if row.account == self.account.as_str() && !quantity.is_zero() {
                holdings.push(Held {
                    contract: told::contract(&row.contract)?,
                    quantity,
                    average_cost: exact(row.average_cost).ok_or_else(strange)?,
                });
            }
        }
        Ok(holdings)
    }

    /// Balances of the account.
    pub(super) async fn balances(self: &Arc<Self>) -> Result<Balances, Failure> {
        let rows = self.ask(|client, _| {
            Box::pin(async move {
                let tags = ["NetLiquidation", "AvailableFunds", "BuyingPower"];
                let group = AccountGroup("All".to_owned());
                let mut rows = client.account_summary(&group, &tags).await?;
                let all = until(&mut rows, |row| matches!(row, AccountSummaryResult::End)).await;
                rows.cancel().await;
                all
            })
        });
        let mut balances = Balances::default();
        for row in rows.await? {
            let AccountSummaryResult::Summary(row) = row else { continue };
            if row.account != self.account.as_str() {
                continue;
            }
            let amount = number::parse(&row.value);
            let place = match row.tag.as_str() {
                "NetLiquidation" => {
                    balances.currency = row.currency.as_str().into();
                    &mut balances.net_liquidation
                }
                "AvailableFunds" => &mut balances.available_funds,
                "BuyingPower" => &mut balances.buying_power,
                _ => continue,
            };
            *place = Some(amount.ok_or_else(|| {
                Failure::unreadable(format!("{} is {:?}, which is no amount", row.tag, row.value))
            })?);
        }
        Ok(balances)
    }

    /// What one unit of each currency is worth in the account's own.
    pub(super) async fn rates(self: &Arc<Self>) -> Result<BTreeMap<SmolStr, Decimal>, Failure> {
        let account = AccountId(self.account.to_string());
        let rows = self.ask(move |client, _| {
            Box::pin(async move {
                let mut rows = client.account_updates(&account).await?;
                let all = until(&mut rows, |row| matches!(row, AccountUpdate::End)).await;
                rows.cancel().await;
                all
            })
        });
        let mut rates = BTreeMap::new();
        for row in rows.await? {
            let AccountUpdate::AccountValue(row) = row else { continue };
            if row.key == "ExchangeRate"
                && let Some(rate) = number::parse(&row.value).filter(|rate| *rate > Decimal::ZERO)
            {
                rates.insert(row.currency.as_str().into(), rate);
            }
        }
        Ok(rates)
    }

    /// The instruments that these fields may mean.
    pub(super) async fn contracts(
        self: &Arc<Self>,
        fields: &ContractFields,
    ) -> Result<Vec<ContractFields>, Failure> {
        let contract = library_contract(fields);
        let rows = self.ask(move |client, deadline| {
            Box::pin(async move {
                let mut rows = client.contract_details_stream(&contract).subscribe().await?;
                rows.collect_to_end_within(deadline).await
            })
        });
        rows.await?.iter().map(|row| told::contract(&row.contract)).collect()
    }

    /// The lowest order id that TWS takes now.
    pub(super) async fn next_order_id(self: &Arc<Self>) -> Result<i32, Failure> {
        self.ask(|client, _| Box::pin(client.next_valid_order_id())).await
    }

    /// TWS's time, to the second.
    pub(super) async fn time(&self) -> Result<Timestamp, Failure> {
        if !self.lives() {
            return Err(lost());
        }
        let asked = within(&*self.sleep, self.deadline, self.client.server_time()).await;
        let Some(answer) = asked else {
            self.end().await;
            return Err(failure(&ibapi::Error::Timeout));
        };
        let time = match answer {
            Ok(time) => time,
            Err(error) => {
                if matches!(error, ibapi::Error::Timeout) {
                    self.end().await;
                }
                return Err(failure(&error));
            }
        };
        Ok(Timestamp::from_millis(time.unix_timestamp().saturating_mul(1_000)))
    }

    /// The best prices of an instrument, delayed ones where the account has no others.
    pub(super) async fn touch(
        self: &Arc<Self>,
        fields: &ContractFields,
    ) -> Result<[Option<Decimal>; 2], Failure> {
        let contract = library_contract(fields);
        let rows = self.ask(move |client, deadline| {
            Box::pin(async move {
                client.switch_market_data_type(MarketDataType::Delayed).await?;
                client.market_data(&contract).snapshot_once(deadline * 3 / 4).await
            })
        });
        let mut touch = [None, None];
        for row in rows.await? {
            use ibapi::contracts::tick_types::TickType;
            let (tick, price) = match row {
                TickTypes::Price(row) => (row.tick_type, row.price),
                TickTypes::PriceSize(row) => (row.price_tick_type, row.price),
                _ => continue,
            };
            let place = match tick {
                TickType::Bid | TickType::DelayedBid => 0,
                TickType::Ask | TickType::DelayedAsk => 1,
                _ => continue,
            };
            if let Some(side) = touch.get_mut(place) {
                *side = exact(price).filter(|price| *price > Decimal::ZERO);
            }
        }
        Ok(touch)
    }
}
