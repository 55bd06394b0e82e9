//! What the venue says, as fields.

use super::super::message::Said;
use super::super::price_messages::{HistoricalData, HistoricalDataEnd, HistoricalTicksLast, TickByTickData};
use super::super::proto::{
    CompletedOrder, Contract, ContractData, ExecutionDetails, OpenOrder, Order, OrderStatus, PortfolioValue,
};
use std::fmt::Display;

/// A number that is not set, where a field cannot be empty.
const UNSET: &str = "1.7976931348623157E308";

/// Builds the fields of a message.
#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    fn put(mut self, value: impl Display) -> Self {
        // A zero byte ends a field and can be in none.
        self.0.push(value.to_string().replace('\0', " "));
        self
    }

    /// The value, or nothing.
    fn maybe(self, value: Option<&(impl Display + ?Sized)>) -> Self {
        match value {
            Some(value) => self.put(value),
            None => self.put(""),
        }
    }

    fn flag(self, value: Option<bool>) -> Self {
        self.put(u8::from(value == Some(true)))
    }

    fn all(mut self, values: &[&str]) -> Self {
        self.0.extend(values.iter().map(ToString::to_string));
        self
    }

    /// So many empty ones.
    fn none(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, String::new());
        self
    }

    /// A contract, with what stands in the place of its exchange.
    fn contract(self, contract: Option<&Contract>, exchange: fn(&Contract) -> Option<&String>) -> Self {
        let Some(contract) = contract else { return self.none(11) };
        self.put(contract.con_id.unwrap_or_default())
            .maybe(contract.symbol.as_ref())
            .maybe(contract.sec_type.as_ref())
            .maybe(contract.last_trade_date_or_contract_month.as_ref())
            .put(contract.strike.unwrap_or_default())
            .maybe(contract.right.as_ref())
            .maybe(contract.multiplier.as_ref())
            .maybe(exchange(contract))
            .maybe(contract.currency.as_ref())
            .maybe(contract.local_symbol.as_ref())
            .maybe(contract.trading_class.as_ref())
    }

    /// What an order begins with, open or completed, up to its text of the client.
    fn order(self, order: &Order) -> Self {
        self.maybe(order.action.as_ref())
            .maybe(order.total_quantity.as_ref())
            .maybe(order.order_type.as_ref())
            .put(order.lmt_price.unwrap_or_default())
            .put(order.aux_price.unwrap_or_default())
            .maybe(order.tif.as_ref())
            .maybe(order.oca_group.as_ref())
            .maybe(order.account.as_ref())
            .maybe(order.open_close.as_ref())
            .put(order.origin.unwrap_or_default())
            .maybe(order.order_ref.as_ref())
    }
}

/// The id of a message and its fields.
pub(in super::super) fn fields(said: &Said) -> (u32, Vec<String>) {
    let new = Fields::default;
    let (id, fields) = match said {
        Said::TickPrice(said) => (
            1,
            new()
                .put(6)
                .maybe(said.req_id.as_ref())
                .maybe(said.tick_type.as_ref())
                .maybe(said.price.as_ref())
                .maybe(said.size.as_ref())
                .maybe(said.attr_mask.as_ref()),
        ),
        Said::TickSize(said) => (
            2,
            new().put(6).maybe(said.req_id.as_ref()).maybe(said.tick_type.as_ref()).maybe(said.size.as_ref()),
        ),
        Said::OrderStatus(said) => (3, order_status(said)),
        Said::Error(said) => (
            4,
            new()
                .put(2)
                .maybe(said.id.as_ref())
                .maybe(said.error_code.as_ref())
                .maybe(said.error_msg.as_ref())
                .maybe(said.advanced_order_reject_json.as_ref()),
        ),
        Said::OpenOrder(said) => (5, open_order(said)),
        Said::AccountValue(said) => (
            6,
            new()
                .put(2)
                .maybe(said.key.as_ref())
                .maybe(said.value.as_ref())
                .maybe(said.currency.as_ref())
                .maybe(said.account_name.as_ref()),
        ),
        Said::PortfolioValue(said) => (7, portfolio_value(said)),
        Said::AccountUpdateTime(said) => (8, new().put(1).maybe(said.time_stamp.as_ref())),
        Said::NextValidId(said) => (9, new().put(1).maybe(said.order_id.as_ref())),
        Said::ContractData(said) => (10, contract_data(said)),
        Said::Execution(said) => (11, execution(said)),
        Said::ManagedAccounts(said) => (15, new().put(1).maybe(said.accounts_list.as_ref())),
        Said::HistoricalData(said, span) => (17, historical_data(said, span)),
        Said::TickString(said) => (
            46,
            new()
                .put(6)
                .maybe(said.req_id.as_ref())
                .maybe(said.tick_type.as_ref())
                .maybe(said.value.as_ref()),
        ),
        Said::CurrentTime(said) => (49, new().put(1).maybe(said.current_time.as_ref())),
        Said::ContractDataEnd(said) => (52, new().put(1).maybe(said.req_id.as_ref())),
        Said::OpenOrdersEnd => (53, new().put(1)),
        Said::AccountDataEnd(said) => (54, new().put(1).maybe(said.account_name.as_ref())),
        Said::ExecutionsEnd(said) => (55, new().put(1).maybe(said.req_id.as_ref())),
        Said::TickSnapshotEnd(said) => (57, new().put(1).maybe(said.req_id.as_ref())),
        Said::MarketDataType(said) => {
            (58, new().put(1).maybe(said.req_id.as_ref()).maybe(said.market_data_type.as_ref()))
        }
        Said::Commission(said) => (
            59,
            new()
                .put(1)
                .maybe(said.exec_id.as_ref())
                .maybe(said.commission_and_fees.as_ref())
                .maybe(said.currency.as_ref())
                .put(said.realized_pnl.map_or_else(|| UNSET.to_owned(), |number| number.to_string()))
                .all(&[UNSET, ""]),
        ),
        Said::Position(said) => (
            61,
            new()
                .put(3)
                .maybe(said.account.as_ref())
                .contract(said.contract.as_ref(), |contract| contract.exchange.as_ref())
                .maybe(said.position.as_ref())
                .maybe(said.avg_cost.as_ref()),
        ),
        Said::PositionEnd => (62, new().put(1)),
        Said::AccountSummary(said) => (
            63,
            new()
                .put(1)
                .maybe(said.req_id.as_ref())
                .maybe(said.account.as_ref())
                .maybe(said.tag.as_ref())
                .maybe(said.value.as_ref())
                .maybe(said.currency.as_ref()),
        ),
        Said::AccountSummaryEnd(said) => (64, new().put(1).maybe(said.req_id.as_ref())),
        Said::AccountUpdateMulti(said) => (
            73,
            new()
                .put(1)
                .maybe(said.req_id.as_ref())
                .maybe(said.account.as_ref())
                .maybe(said.model_code.as_ref())
                .maybe(said.key.as_ref())
                .maybe(said.value.as_ref())
                .maybe(said.currency.as_ref()),
        ),
        Said::AccountUpdateMultiEnd(said) => (74, new().put(1).maybe(said.req_id.as_ref())),
        Said::TickReqParams(said) => (
            81,
            new()
                .maybe(said.req_id.as_ref())
                .maybe(said.min_tick.as_ref())
                .maybe(said.bbo_exchange.as_ref())
                .maybe(said.snapshot_permissions.as_ref()),
        ),
        Said::HistoricalTicks(said) => (98, historical_ticks(said)),
        Said::TickByTick(said) => (99, tick_by_tick(said)),
        Said::CompletedOrder(said) => (101, completed_order(said)),
        Said::CompletedOrdersEnd => (102, new()),
        Said::HistoricalDataEnd(said) => {
            (108, new().maybe(said.req_id.as_ref()).maybe(said.start.as_ref()).maybe(said.end.as_ref()))
        }
        Said::CurrentTimeInMillis(said) => (109, new().maybe(said.current_time_in_millis.as_ref())),
    };
    (id, fields.0)
}

fn historical_data(said: &HistoricalData, span: &HistoricalDataEnd) -> Fields {
    let fields = Fields::default()
        .maybe(said.req_id.as_ref())
        .maybe(span.start.as_ref())
        .maybe(span.end.as_ref())
        .put(said.bars.len());
    said.bars.iter().fold(fields, |fields, bar| {
        fields
            .maybe(bar.date.as_ref())
            .maybe(bar.open.as_ref())
            .maybe(bar.high.as_ref())
            .maybe(bar.low.as_ref())
            .maybe(bar.close.as_ref())
            .maybe(bar.volume.as_ref())
            .maybe(bar.wap.as_ref())
            .maybe(bar.bar_count.as_ref())
    })
}

fn historical_ticks(said: &HistoricalTicksLast) -> Fields {
    let fields = Fields::default().maybe(said.req_id.as_ref()).put(said.ticks.len());
    let fields = said.ticks.iter().fold(fields, |fields, tick| {
        fields
            .maybe(tick.time.as_ref())
            .put(0)
            .maybe(tick.price.as_ref())
            .maybe(tick.size.as_ref())
            .maybe(tick.exchange.as_ref())
            .maybe(tick.special_conditions.as_ref())
    });
    fields.flag(said.is_done)
}

fn tick_by_tick(said: &TickByTickData) -> Fields {
    let fields = Fields::default().maybe(said.req_id.as_ref()).maybe(said.tick_type.as_ref());
    match (&said.last, &said.bid_ask) {
        (Some(tick), _) => fields
            .maybe(tick.time.as_ref())
            .maybe(tick.price.as_ref())
            .maybe(tick.size.as_ref())
            .put(0)
            .maybe(tick.exchange.as_ref())
            .maybe(tick.special_conditions.as_ref()),
        (None, Some(tick)) => fields
            .maybe(tick.time.as_ref())
            .maybe(tick.price_bid.as_ref())
            .maybe(tick.price_ask.as_ref())
            .maybe(tick.size_bid.as_ref())
            .maybe(tick.size_ask.as_ref())
            .put(0),
        (None, None) => fields,
    }
}

fn order_status(said: &OrderStatus) -> Fields {
    Fields::default()
        .maybe(said.order_id.as_ref())
        .maybe(said.status.as_ref())
        .maybe(said.filled.as_ref())
        .maybe(said.remaining.as_ref())
        .maybe(said.avg_fill_price.as_ref())
        .maybe(said.perm_id.as_ref())
        .maybe(said.parent_id.as_ref())
        .maybe(said.last_fill_price.as_ref())
        .maybe(said.client_id.as_ref())
        .maybe(said.why_held.as_ref())
        .maybe(said.mkt_cap_price.as_ref())
}

fn execution(said: &ExecutionDetails) -> Fields {
    let execution = said.execution.clone().unwrap_or_default();
    Fields::default()
        .maybe(said.req_id.as_ref())
        .maybe(execution.order_id.as_ref())
        .contract(said.contract.as_ref(), |contract| contract.exchange.as_ref())
        .maybe(execution.exec_id.as_ref())
        .maybe(execution.time.as_ref())
        .maybe(execution.acct_number.as_ref())
        .maybe(execution.exchange.as_ref())
        .maybe(execution.side.as_ref())
        .maybe(execution.shares.as_ref())
        .maybe(execution.price.as_ref())
        .maybe(execution.perm_id.as_ref())
        .maybe(execution.client_id.as_ref())
        .flag(execution.is_liquidation)
        .maybe(execution.cum_qty.as_ref())
        .maybe(execution.avg_price.as_ref())
        .maybe(execution.order_ref.as_ref())
        // A rule of economic value, its multiplier, and a model.
        .none(3)
        .maybe(execution.last_liquidity.as_ref())
        .flag(execution.is_price_revision_pending)
}

fn portfolio_value(said: &PortfolioValue) -> Fields {
    Fields::default()
        .put(8)
        .contract(said.contract.as_ref(), |contract| contract.primary_exch.as_ref())
        .maybe(said.position.as_ref())
        .maybe(said.market_price.as_ref())
        .maybe(said.market_value.as_ref())
        .maybe(said.average_cost.as_ref())
        .maybe(said.unrealized_pnl.as_ref())
        .maybe(said.realized_pnl.as_ref())
        .maybe(said.account_name.as_ref())
}

fn contract_data(said: &ContractData) -> Fields {
    let contract = said.contract.clone().unwrap_or_default();
    let details = said.contract_details.clone().unwrap_or_default();
    Fields::default()
        .maybe(said.req_id.as_ref())
        .maybe(contract.symbol.as_ref())
        .maybe(contract.sec_type.as_ref())
        .maybe(contract.last_trade_date_or_contract_month.as_ref())
        .put(contract.strike.unwrap_or_default())
        .maybe(contract.right.as_ref())
        .maybe(contract.exchange.as_ref())
        .maybe(contract.currency.as_ref())
        .maybe(contract.local_symbol.as_ref())
        .maybe(details.market_name.as_ref())
        .maybe(contract.trading_class.as_ref())
        .maybe(contract.con_id.as_ref())
        .maybe(details.min_tick.as_ref())
        .maybe(contract.multiplier.as_ref())
        .maybe(details.order_types.as_ref())
        .maybe(details.valid_exchanges.as_ref())
        .maybe(details.price_magnifier.as_ref())
        .maybe(details.under_con_id.as_ref())
        .maybe(details.long_name.as_ref())
        .maybe(contract.primary_exch.as_ref())
        .maybe(details.contract_month.as_ref())
        // Industry, category and subcategory.
        .none(3)
        .maybe(details.time_zone_id.as_ref())
        .maybe(details.trading_hours.as_ref())
        .maybe(details.liquid_hours.as_ref())
        // A rule of economic value, its multiplier, and no other ids.
        .all(&["", "", "0"])
        .maybe(details.agg_group.as_ref())
        .maybe(details.under_symbol.as_ref())
        .maybe(details.under_sec_type.as_ref())
        .maybe(details.market_rule_ids.as_ref())
        .maybe(details.real_expiration_date.as_ref())
        .maybe(details.stock_type.as_ref())
        .maybe(details.min_size.as_ref())
        .maybe(details.size_increment.as_ref())
        .maybe(details.suggested_size_increment.as_ref())
}

fn open_order(said: &OpenOrder) -> Fields {
    let order = said.order.clone().unwrap_or_default();
    let state = said.order_state.clone().unwrap_or_default();
    Fields::default()
        .maybe(said.order_id.as_ref())
        .contract(said.contract.as_ref(), |contract| contract.exchange.as_ref())
        .order(&order)
        .put(order.client_id.unwrap_or_default())
        .put(order.perm_id.unwrap_or_default())
        .flag(order.outside_rth)
        // Hidden, and the discretionary amount.
        .all(&["0", "0"])
        .maybe(order.good_after_time.as_ref())
        // Allocations of advisors, and the model.
        .none(5)
        .maybe(order.good_till_date.as_ref())
        // Rule 80A, percent offset, settling firm; slot and place of short sales, exemption; auction strategy.
        .all(&["", "", "", "0", "", "-1", "0"])
        // Starting and reference price, delta, range.
        .none(5)
        .maybe(order.display_size.as_ref())
        // Block, sweep, all or none, least quantity.
        .all(&["0", "0", "0", ""])
        .put(order.oca_type.unwrap_or(3))
        // Electronic only, firm quotes only, cap of price.
        .all(&["0", "0", ""])
        .put(order.parent_id.unwrap_or_default())
        // Trigger method, and orders of volatility; "None" is a word, after which eight more fields of its kind follow.
        .all(&["0", "", "0", "None", "", "0", "", "", "", "", "0", "0", "", "0", "0"])
        // Trailing stops, and points of basis.
        .none(4)
        // No legs, prices of legs, and parameters of routing.
        .all(&["", "0", "0", "0"])
        // Scales, hedges.
        .none(4)
        // Routing, clearing, not held, delta neutral, algorithms, solicited.
        .all(&["0", "", "IB", "0", "0", "", "0"])
        .flag(order.what_if)
        .maybe(state.status.as_ref())
        .maybe(state.init_margin_before.as_ref())
        .none(2)
        .maybe(state.init_margin_change.as_ref())
        .none(2)
        .maybe(state.init_margin_after.as_ref())
        .none(2)
        .maybe(state.commission_and_fees.as_ref())
        .none(2)
        .maybe(state.commission_and_fees_currency.as_ref())
        .maybe(state.warning_text.as_ref())
        // Random size and price, conditions, what it becomes when it is adjusted.
        .all(&["0", "0", "0", "None"])
        .none(6)
        .all(&["0", "", "", ""])
        .maybe(order.cash_qty.as_ref())
        // Hedges' prices, containers, discretion, management of prices, duration, where it is posted, cancelling of the parent.
        .all(&["0", "0", "0", "0", "", "", "0"])
        // Least sizes and offsets of pegs.
        .none(5)
}

fn completed_order(said: &CompletedOrder) -> Fields {
    let order = said.order.clone().unwrap_or_default();
    let state = said.order_state.clone().unwrap_or_default();
    Fields::default()
        .contract(said.contract.as_ref(), |contract| contract.exchange.as_ref())
        .order(&order)
        .put(order.perm_id.unwrap_or_default())
        .flag(order.outside_rth)
        .all(&["0", "0"])
        .maybe(order.good_after_time.as_ref())
        .none(4)
        .maybe(order.good_till_date.as_ref())
        .all(&["", "", "", "0", "", "-1"])
        .none(5)
        .maybe(order.display_size.as_ref())
        // Sweep, all or none, least quantity.
        .all(&["0", "0", ""])
        .put(order.oca_type.unwrap_or(3))
        // Trigger method, and orders of volatility: three more fields of its kind follow "None" here.
        .all(&["0", "", "0", "None", "", "0", "0", "0", "", "0", "0"])
        .none(2)
        .all(&["", "0", "0", "0"])
        .none(4)
        .all(&["", "IB", "0", "0", "", "0"])
        .maybe(state.status.as_ref())
        // Random size and price, conditions, a trailing stop and an offset of the limit.
        .all(&["0", "0", "0", "", ""])
        .maybe(order.cash_qty.as_ref())
        .all(&["0", "0", ""])
        .maybe(order.filled_quantity.as_ref())
        // Futures' reference, cancelling of the parent, shareholder, imbalance, route, the parent.
        .all(&["0", "0", "", "0", "0", ""])
        .maybe(state.completed_time.as_ref())
        .maybe(state.completed_status.as_ref())
        .none(5)
}
