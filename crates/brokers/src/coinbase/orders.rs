//! How the venue's orders are found: by its ids, by ours, and those that are open.

use super::client::{Coinbase, MAX_PAGES, PAGE, encoded};
use super::map;
use super::wire::{OneOrder, OrderPage, WireOrder};
use crate::kit::{Failure, FailureKind, reach_back};
use mts_foundation::broker_event::OrderReport;
use mts_foundation::{BrokerOrderId, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Orders of one question.
pub(super) const ORDERS: usize = 50;

/// The questions for the orders that may still fill. Those that wait for their entry, their change or their cancellation
/// the venue does not count as open, and older documents forbid to ask for both at once. So the waiting ones are asked for
/// before and after: an order that becomes open meanwhile, or ceases to be, is in one of the answers.
const WAITING: &str =
    "order_status=PENDING&order_status=QUEUED&order_status=EDIT_QUEUED&order_status=CANCEL_QUEUED";
const OPEN: [&str; 3] = [WAITING, "order_status=OPEN", WAITING];

/// Orders as a question names them.
pub(super) fn order_ids<'a>(ids: impl Iterator<Item = &'a BrokerOrderId>) -> String {
    let ids: Vec<String> = ids.map(|id| format!("order_ids={}", encoded(id.as_str()))).collect();
    ids.join("&")
}

impl Coinbase {
    /// An order by the venue's id, if the venue knows it.
    pub(super) async fn find_order(&self, id: &BrokerOrderId) -> Result<Option<WireOrder>, Failure> {
        let found: Result<OneOrder, Failure> =
            self.get(&format!("/orders/historical/{}", encoded(id.as_str()))).await;
        match found {
            Ok(found) if found.order.order_id == id.as_str() => Ok(Some(found.order)),
            Ok(other) => {
                Err(Failure::unreadable(format!("the answer is about order {}", other.order.order_id)))
            }
            Err(Failure { kind: FailureKind::NotFound, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Those of some orders that the venue lists, by its ids.
    async fn list_by_id(&self, ids: &[BrokerOrderId]) -> Result<BTreeMap<SmolStr, WireOrder>, Failure> {
        let question = order_ids(ids.iter());
        let page: OrderPage = self.get(&format!("/orders/historical/batch?{question}&limit={PAGE}")).await?;
        Ok(page.orders.into_iter().map(|wire| (wire.order_id.clone(), wire)).collect())
    }

    /// Orders by the venue's ids; `None` = the venue says that it does not know one.
    pub(super) async fn orders_by_id(
        &self,
        ids: &[BrokerOrderId],
    ) -> Result<Vec<(BrokerOrderId, Option<WireOrder>)>, Failure> {
        let mut orders = Vec::with_capacity(ids.len());
        for some in ids.chunks(ORDERS) {
            let mut listed = self.list_by_id(some).await?;
            for id in some {
                let wire = match listed.remove(id.as_str()) {
                    Some(wire) => Some(wire),
                    // A list that leaves an order out says nothing of it.
                    None => self.find_order(id).await?,
                };
                orders.push((id.clone(), wire));
            }
        }
        Ok(orders)
    }

    /// Orders of a question, newest first, until one is wanted no further.
    async fn orders_of(
        &self,
        question: &str,
        mut go_on: impl FnMut(WireOrder) -> bool + Send,
    ) -> Result<(), Failure> {
        let (mut met, mut cursor) = (BTreeSet::new(), String::new());
        for _ in 0..MAX_PAGES {
            let page: OrderPage =
                self.get(&format!("/orders/historical/batch?{question}&limit={PAGE}{cursor}")).await?;
            let before = met.len();
            for order in page.orders {
                if met.insert(order.order_id.clone()) && !go_on(order) {
                    return Ok(());
                }
            }
            match page.cursor.filter(|next| page.has_next && !next.is_empty()) {
                Some(next) if met.len() > before => cursor = format!("&cursor={}", encoded(&next)),
                _ => return Ok(()),
            }
        }
        Err(Failure::unreadable(format!("more than {} orders", met.len())))
    }

    /// The orders that may still fill.
    pub(super) async fn list_open(&self) -> Result<Vec<OrderReport>, Failure> {
        let mut rows: BTreeMap<SmolStr, WireOrder> = BTreeMap::new();
        for question in OPEN {
            self.orders_of(question, |wire| {
                rows.insert(wire.order_id.clone(), wire);
                true
            })
            .await?;
        }
        let mut reports = self.orders.reports(
            rows.values(),
            |wire| (Some(&wire.client_order_id), &wire.order_id),
            |wire| map::report(wire, &self.orders),
        )?;
        reports.retain(|report| !report.state.is_terminal());
        reports.sort_by_key(|report| report.timestamp);
        Ok(reports)
    }

    /// From when on an order is looked for that is not open.
    pub(super) fn looks_back_to(&self) -> Timestamp {
        let back = Duration::from_secs(u64::from(self.config.look_back_hours) * 3_600);
        reach_back(self.connections.clock.now(), back, Duration::ZERO)
    }

    /// The order with a client id, which the venue cannot be asked for: among those of late, and those that are open.
    pub(super) async fn by_client_id(&self, id: &str) -> Result<Option<WireOrder>, Failure> {
        let mut found = None;
        let of_late = format!("start_date={}", self.looks_back_to());
        for question in std::iter::once(of_late.as_str()).chain(OPEN) {
            self.orders_of(question, |wire| {
                found = Some(wire).filter(|wire| wire.client_order_id == id);
                found.is_none()
            })
            .await?;
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }

    /// The venue's order of a key, by its id where it is known.
    pub(super) async fn of_client_id(
        &self,
        id: &str,
        venue: Option<BrokerOrderId>,
    ) -> Result<Option<WireOrder>, Failure> {
        if let Some(venue) = venue
            && let Some(wire) = self.find_order(&venue).await?
        {
            return match wire.client_order_id == id {
                true => Ok(Some(wire)),
                false => {
                    Err(Failure::unreadable(format!("the answer is about order {}", wire.client_order_id)))
                }
            };
        }
        self.by_client_id(id).await
    }
}
