//! What clients ask, from fields.

use super::super::message::{Asked, asked as id};
use super::super::proto::{Contract, Order};
use super::super::requests::{
    AccountDataRequest, AccountSummaryRequest, AccountUpdatesMultiRequest, CancelAccountSummary,
    CancelAccountUpdatesMulti, CancelMarketData, CancelOrderRequest, CancelTickByTick,
    CompletedOrdersRequest, ContractDataRequest, ExecutionFilter, ExecutionRequest, HistoricalDataRequest,
    HistoricalTicksRequest, MarketDataRequest, MarketDataTypeRequest, PlaceOrderRequest, StartApiRequest,
    TickByTickRequest,
};

/// Fields in the order in which they are read. What is missing or cannot be read makes the whole message unreadable.
struct Fields<'a>(std::str::SplitTerminator<'a, char>);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.0.next().map(drop))
    }

    fn text(&mut self) -> Option<Option<String>> {
        self.next().map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// A number, or none where the field is empty.
    fn number<T: std::str::FromStr>(&mut self) -> Option<Option<T>> {
        match self.next()? {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        }
    }

    fn flag(&mut self) -> Option<Option<bool>> {
        match self.next()? {
            "" | "0" => Some(Some(false)),
            "1" => Some(Some(true)),
            _ => None,
        }
    }

    /// A contract with its primary exchange.
    fn contract(&mut self) -> Option<Contract> {
        Some(Contract {
            con_id: self.number()?,
            symbol: self.text()?,
            sec_type: self.text()?,
            last_trade_date_or_contract_month: self.text()?,
            strike: self.number()?,
            right: self.text()?,
            multiplier: self.number()?,
            exchange: self.text()?,
            primary_exch: self.text()?,
            currency: self.text()?,
            local_symbol: self.text()?,
            trading_class: self.text()?,
            last_trade_date: None,
        })
    }
}

/// What a message asks; `None` = it cannot be read.
pub(in super::super) fn asked(message: u32, body: &[u8]) -> Option<Asked> {
    let text = std::str::from_utf8(body).ok()?;
    let mut fields = Fields(text.split_terminator('\0'));
    let fields = &mut fields;
    Some(match message {
        id::START_API => {
            fields.skip(1)?;
            Asked::StartApi(StartApiRequest { client_id: fields.number()? })
        }
        id::PLACE_ORDER => Asked::PlaceOrder(Box::new(place_order(fields)?)),
        id::CANCEL_ORDER => {
            fields.skip(1)?;
            Asked::CancelOrder(CancelOrderRequest { order_id: fields.number()?, order_cancel: None })
        }
        id::GLOBAL_CANCEL => Asked::GlobalCancel,
        id::OPEN_ORDERS => Asked::OpenOrders,
        id::ALL_OPEN_ORDERS => Asked::AllOpenOrders,
        id::AUTO_OPEN_ORDERS => Asked::AutoOpenOrders,
        id::COMPLETED_ORDERS => Asked::CompletedOrders(CompletedOrdersRequest { api_only: fields.flag()? }),
        id::EXECUTIONS => {
            fields.skip(1)?;
            let req_id = fields.number()?;
            let filter = ExecutionFilter {
                client_id: fields.number()?,
                acct_code: fields.text()?,
                time: fields.text()?,
                symbol: fields.text()?,
                sec_type: fields.text()?,
                exchange: fields.text()?,
                side: fields.text()?,
                ..ExecutionFilter::default()
            };
            Asked::Executions(ExecutionRequest { req_id, execution_filter: Some(filter) })
        }
        id::POSITIONS => Asked::Positions,
        id::CANCEL_POSITIONS => Asked::CancelPositions,
        id::ACCOUNT_SUMMARY => {
            fields.skip(1)?;
            let (req_id, group, tags) = (fields.number()?, fields.text()?, fields.text()?);
            Asked::AccountSummary(AccountSummaryRequest { req_id, group, tags })
        }
        id::CANCEL_ACCOUNT_SUMMARY => {
            fields.skip(1)?;
            Asked::CancelAccountSummary(CancelAccountSummary { req_id: fields.number()? })
        }
        id::ACCOUNT_DATA => {
            fields.skip(1)?;
            let (subscribe, acct_code) = (fields.flag()?, fields.text()?);
            Asked::AccountData(AccountDataRequest { subscribe, acct_code })
        }
        id::ACCOUNT_UPDATES_MULTI => {
            fields.skip(1)?;
            Asked::AccountUpdatesMulti(AccountUpdatesMultiRequest {
                req_id: fields.number()?,
                account: fields.text()?,
                model_code: fields.text()?,
                ledger_and_nlv: fields.flag()?,
            })
        }
        id::CANCEL_ACCOUNT_UPDATES_MULTI => {
            fields.skip(1)?;
            Asked::CancelAccountUpdatesMulti(CancelAccountUpdatesMulti { req_id: fields.number()? })
        }
        id::MANAGED_ACCOUNTS => Asked::ManagedAccounts,
        id::IDS => Asked::Ids,
        id::CONTRACT_DATA => {
            fields.skip(1)?;
            let (req_id, contract) = (fields.number()?, Some(fields.contract()?));
            Asked::ContractData(Box::new(ContractDataRequest { req_id, contract }))
        }
        id::MARKET_DATA => Asked::MarketData(Box::new(market_data(fields)?)),
        id::CANCEL_MARKET_DATA => {
            fields.skip(1)?;
            Asked::CancelMarketData(CancelMarketData { req_id: fields.number()? })
        }
        id::MARKET_DATA_TYPE => {
            fields.skip(1)?;
            Asked::MarketDataType(MarketDataTypeRequest { market_data_type: fields.number()? })
        }
        id::TICK_BY_TICK => Asked::TickByTick(Box::new(TickByTickRequest {
            req_id: fields.number()?,
            contract: Some(fields.contract()?),
            tick_type: fields.text()?,
            number_of_ticks: fields.number()?,
            ignore_size: fields.flag()?,
        })),
        id::CANCEL_TICK_BY_TICK => Asked::CancelTickByTick(CancelTickByTick { req_id: fields.number()? }),
        id::HISTORICAL_DATA => Asked::HistoricalData(Box::new(historical_data(fields)?)),
        id::HISTORICAL_TICKS => Asked::HistoricalTicks(Box::new(historical_ticks(fields)?)),
        id::CANCEL_HISTORICAL_DATA | id::CANCEL_HISTORICAL_TICKS => Asked::CancelHistorical,
        id::CURRENT_TIME => Asked::CurrentTime,
        id::CURRENT_TIME_IN_MILLIS => Asked::CurrentTimeInMillis,
        id::LOG_LEVEL => Asked::LogLevel,
        _ => Asked::Other,
    })
}

fn market_data(fields: &mut Fields<'_>) -> Option<MarketDataRequest> {
    fields.skip(1)?;
    let (req_id, contract) = (fields.number()?, Some(fields.contract()?));
    // Delta neutral.
    fields.skip(1)?;
    Some(MarketDataRequest {
        req_id,
        contract,
        generic_tick_list: fields.text()?,
        snapshot: fields.flag()?,
        regulatory_snapshot: fields.flag()?,
    })
}

fn historical_data(fields: &mut Fields<'_>) -> Option<HistoricalDataRequest> {
    let (req_id, contract) = (fields.number()?, Some(fields.contract()?));
    // Expired ones too.
    fields.skip(1)?;
    let (end_date_time, bar_size_setting, duration) = (fields.text()?, fields.text()?, fields.text()?);
    let (use_rth, what_to_show, format_date) = (fields.flag()?, fields.text()?, fields.number()?);
    Some(HistoricalDataRequest {
        req_id,
        contract,
        end_date_time,
        bar_size_setting,
        duration,
        use_rth,
        what_to_show,
        format_date,
        keep_up_to_date: fields.flag()?,
    })
}

fn historical_ticks(fields: &mut Fields<'_>) -> Option<HistoricalTicksRequest> {
    let (req_id, contract) = (fields.number()?, Some(fields.contract()?));
    // Expired ones too.
    fields.skip(1)?;
    Some(HistoricalTicksRequest {
        req_id,
        contract,
        start_date_time: fields.text()?,
        end_date_time: fields.text()?,
        number_of_ticks: fields.number()?,
        what_to_show: fields.text()?,
        use_rth: fields.flag()?,
        ignore_size: fields.flag()?,
    })
}

/// Orders with legs have more fields and are not read.
fn place_order(fields: &mut Fields<'_>) -> Option<PlaceOrderRequest> {
    let (order_id, contract) = (fields.number()?, Some(fields.contract()?));
    // Another id of the contract, and its kind.
    fields.skip(2)?;
    let mut order = Order {
        action: fields.text()?,
        total_quantity: fields.text()?,
        order_type: fields.text()?,
        lmt_price: fields.number()?,
        aux_price: fields.number()?,
        tif: fields.text()?,
        oca_group: fields.text()?,
        account: fields.text()?,
        open_close: fields.text()?,
        origin: fields.number()?,
        order_ref: fields.text()?,
        transmit: fields.flag()?,
        parent_id: fields.number()?,
        ..Order::default()
    };
    // Block, sweep.
    fields.skip(2)?;
    order.display_size = fields.number()?;
    // Trigger method.
    fields.skip(1)?;
    order.outside_rth = fields.flag()?;
    // Hidden, allocations, discretionary amount.
    fields.skip(3)?;
    order.good_after_time = fields.text()?;
    order.good_till_date = fields.text()?;
    // From the groups of advisors to the exemption of short sales.
    fields.skip(7)?;
    order.oca_type = fields.number()?;
    // From rule 80A to the id of an algorithm.
    fields.skip(37)?;
    order.what_if = fields.flag()?;
    Some(PlaceOrderRequest { order_id, contract, order: Some(order) })
}
