//! What clients ask and what the venue says, and how the protobuf dialect writes both.

use super::price_messages::{
    HistoricalData, HistoricalDataEnd, HistoricalTicksLast, MarketDataType, TickByTickData, TickPrice,
    TickReqParams, TickSize, TickSnapshotEnd, TickString,
};
use super::proto::{
    AccountDataEnd, AccountSummary, AccountSummaryEnd, AccountUpdateMulti, AccountUpdateMultiEnd,
    AccountUpdateTime, AccountValue, CommissionAndFeesReport, CompletedOrder, ContractData, ContractDataEnd,
    CurrentTime, CurrentTimeInMillis, ErrorMessage, ExecutionDetails, ExecutionDetailsEnd, ManagedAccounts,
    NextValidId, OpenOrder, OrderStatus, PortfolioValue, Position,
};
use super::requests::{
    AccountDataRequest, AccountSummaryRequest, AccountUpdatesMultiRequest, CancelAccountSummary,
    CancelAccountUpdatesMulti, CancelMarketData, CancelOrderRequest, CancelTickByTick,
    CompletedOrdersRequest, ContractDataRequest, ExecutionRequest, HistoricalDataRequest,
    HistoricalTicksRequest, MarketDataRequest, MarketDataTypeRequest, PlaceOrderRequest, StartApiRequest,
    TickByTickRequest,
};
use mts_foundation::double::Call;
use prost::Message;

/// Ids of messages whose body is protobuf are higher by this.
pub(super) const PROTOBUF: u32 = 200;

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    StartApi(StartApiRequest),
    PlaceOrder(Box<PlaceOrderRequest>),
    CancelOrder(CancelOrderRequest),
    GlobalCancel,
    OpenOrders,
    AllOpenOrders,
    AutoOpenOrders,
    CompletedOrders(CompletedOrdersRequest),
    Executions(ExecutionRequest),
    Positions,
    CancelPositions,
    AccountSummary(AccountSummaryRequest),
    CancelAccountSummary(CancelAccountSummary),
    AccountData(AccountDataRequest),
    AccountUpdatesMulti(AccountUpdatesMultiRequest),
    CancelAccountUpdatesMulti(CancelAccountUpdatesMulti),
    ManagedAccounts,
    Ids,
    ContractData(Box<ContractDataRequest>),
    MarketData(Box<MarketDataRequest>),
    CancelMarketData(CancelMarketData),
    MarketDataType(MarketDataTypeRequest),
    TickByTick(Box<TickByTickRequest>),
    CancelTickByTick(CancelTickByTick),
    HistoricalData(Box<HistoricalDataRequest>),
    HistoricalTicks(Box<HistoricalTicksRequest>),
    /// Answers are complete at once: there is nothing left to cancel.
    CancelHistorical,
    CurrentTime,
    CurrentTimeInMillis,
    /// How much the gateway writes into its log, which is nobody's business here.
    LogLevel,
    /// Something that this double does not do.
    Other,
}

/// Ids of what clients send.
pub(super) mod asked {
    pub(crate) const MARKET_DATA: u32 = 1;
    pub(crate) const CANCEL_MARKET_DATA: u32 = 2;
    pub(crate) const PLACE_ORDER: u32 = 3;
    pub(crate) const CANCEL_ORDER: u32 = 4;
    pub(crate) const OPEN_ORDERS: u32 = 5;
    pub(crate) const ACCOUNT_DATA: u32 = 6;
    pub(crate) const EXECUTIONS: u32 = 7;
    pub(crate) const IDS: u32 = 8;
    pub(crate) const CONTRACT_DATA: u32 = 9;
    pub(crate) const LOG_LEVEL: u32 = 14;
    pub(crate) const AUTO_OPEN_ORDERS: u32 = 15;
    pub(crate) const ALL_OPEN_ORDERS: u32 = 16;
    pub(crate) const MANAGED_ACCOUNTS: u32 = 17;
    pub(crate) const HISTORICAL_DATA: u32 = 20;
    pub(crate) const CANCEL_HISTORICAL_DATA: u32 = 25;
    pub(crate) const CURRENT_TIME: u32 = 49;
    pub(crate) const GLOBAL_CANCEL: u32 = 58;
    pub(crate) const MARKET_DATA_TYPE: u32 = 59;
    pub(crate) const POSITIONS: u32 = 61;
    pub(crate) const ACCOUNT_SUMMARY: u32 = 62;
    pub(crate) const CANCEL_ACCOUNT_SUMMARY: u32 = 63;
    pub(crate) const CANCEL_POSITIONS: u32 = 64;
    pub(crate) const START_API: u32 = 71;
    pub(crate) const ACCOUNT_UPDATES_MULTI: u32 = 76;
    pub(crate) const CANCEL_ACCOUNT_UPDATES_MULTI: u32 = 77;
    pub(crate) const HISTORICAL_TICKS: u32 = 96;
    pub(crate) const TICK_BY_TICK: u32 = 97;
    pub(crate) const CANCEL_TICK_BY_TICK: u32 = 98;
    pub(crate) const COMPLETED_ORDERS: u32 = 99;
    pub(crate) const CURRENT_TIME_IN_MILLIS: u32 = 105;
    pub(crate) const CANCEL_HISTORICAL_TICKS: u32 = 107;
}

/// Which call a message is.
pub(super) fn call_of(id: u32) -> Option<Call> {
    match id {
        asked::START_API => Some(Call::Stream),
        asked::PLACE_ORDER => Some(Call::Submit),
        asked::CANCEL_ORDER | asked::GLOBAL_CANCEL => Some(Call::Cancel),
        asked::OPEN_ORDERS | asked::ALL_OPEN_ORDERS | asked::COMPLETED_ORDERS => Some(Call::Orders),
        asked::EXECUTIONS => Some(Call::Fills),
        asked::POSITIONS => Some(Call::Positions),
        asked::ACCOUNT_SUMMARY | asked::ACCOUNT_DATA | asked::ACCOUNT_UPDATES_MULTI => Some(Call::Account),
        asked::CONTRACT_DATA => Some(Call::Instruments),
        asked::MARKET_DATA | asked::TICK_BY_TICK | asked::HISTORICAL_DATA | asked::HISTORICAL_TICKS => {
            Some(Call::Prices)
        }
        asked::CURRENT_TIME | asked::CURRENT_TIME_IN_MILLIS => Some(Call::Time),
        _ => None,
    }
}

impl Asked {
    /// Reads the body of a message of the protobuf dialect; `None` = it cannot be read.
    pub(super) fn of_protobuf(id: u32, body: &[u8]) -> Option<Self> {
        fn read<T: Message + Default>(body: &[u8]) -> Option<T> {
            T::decode(body).ok()
        }
        Some(match id {
            asked::START_API => Self::StartApi(read(body)?),
            asked::PLACE_ORDER => Self::PlaceOrder(Box::new(read(body)?)),
            asked::CANCEL_ORDER => Self::CancelOrder(read(body)?),
            asked::GLOBAL_CANCEL => Self::GlobalCancel,
            asked::OPEN_ORDERS => Self::OpenOrders,
            asked::ALL_OPEN_ORDERS => Self::AllOpenOrders,
            asked::AUTO_OPEN_ORDERS => Self::AutoOpenOrders,
            asked::COMPLETED_ORDERS => Self::CompletedOrders(read(body)?),
            asked::EXECUTIONS => Self::Executions(read(body)?),
            asked::POSITIONS => Self::Positions,
            asked::CANCEL_POSITIONS => Self::CancelPositions,
            asked::ACCOUNT_SUMMARY => Self::AccountSummary(read(body)?),
            asked::CANCEL_ACCOUNT_SUMMARY => Self::CancelAccountSummary(read(body)?),
            asked::ACCOUNT_DATA => Self::AccountData(read(body)?),
            asked::ACCOUNT_UPDATES_MULTI => Self::AccountUpdatesMulti(read(body)?),
            asked::CANCEL_ACCOUNT_UPDATES_MULTI => Self::CancelAccountUpdatesMulti(read(body)?),
            asked::MANAGED_ACCOUNTS => Self::ManagedAccounts,
            asked::IDS => Self::Ids,
            asked::CONTRACT_DATA => Self::ContractData(Box::new(read(body)?)),
            asked::MARKET_DATA => Self::MarketData(Box::new(read(body)?)),
            asked::CANCEL_MARKET_DATA => Self::CancelMarketData(read(body)?),
            asked::MARKET_DATA_TYPE => Self::MarketDataType(read(body)?),
            asked::TICK_BY_TICK => Self::TickByTick(Box::new(read(body)?)),
            asked::CANCEL_TICK_BY_TICK => Self::CancelTickByTick(read(body)?),
            asked::HISTORICAL_DATA => Self::HistoricalData(Box::new(read(body)?)),
            asked::HISTORICAL_TICKS => Self::HistoricalTicks(Box::new(read(body)?)),
            asked::CANCEL_HISTORICAL_DATA | asked::CANCEL_HISTORICAL_TICKS => Self::CancelHistorical,
            asked::CURRENT_TIME => Self::CurrentTime,
            asked::CURRENT_TIME_IN_MILLIS => Self::CurrentTimeInMillis,
            asked::LOG_LEVEL => Self::LogLevel,
            _ => Self::Other,
        })
    }

    /// The id that an error about it carries; -1 where it has none.
    pub(super) fn id(&self) -> i32 {
        let id = match self {
            Self::PlaceOrder(asked) => asked.order_id,
            Self::CancelOrder(asked) => asked.order_id,
            Self::Executions(asked) => asked.req_id,
            Self::AccountSummary(asked) => asked.req_id,
            Self::AccountUpdatesMulti(asked) => asked.req_id,
            Self::ContractData(asked) => asked.req_id,
            Self::MarketData(asked) => asked.req_id,
            Self::TickByTick(asked) => asked.req_id,
            Self::HistoricalData(asked) => asked.req_id,
            Self::HistoricalTicks(asked) => asked.req_id,
            _ => None,
        };
        id.unwrap_or(-1)
    }
}

/// What the venue says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    ManagedAccounts(ManagedAccounts),
    NextValidId(NextValidId),
    Error(ErrorMessage),
    OpenOrder(Box<OpenOrder>),
    OpenOrdersEnd,
    OrderStatus(Box<OrderStatus>),
    CompletedOrder(Box<CompletedOrder>),
    CompletedOrdersEnd,
    Execution(Box<ExecutionDetails>),
    ExecutionsEnd(ExecutionDetailsEnd),
    Commission(CommissionAndFeesReport),
    Position(Box<Position>),
    PositionEnd,
    AccountSummary(AccountSummary),
    AccountSummaryEnd(AccountSummaryEnd),
    AccountValue(AccountValue),
    PortfolioValue(Box<PortfolioValue>),
    AccountUpdateTime(AccountUpdateTime),
    AccountDataEnd(AccountDataEnd),
    AccountUpdateMulti(AccountUpdateMulti),
    AccountUpdateMultiEnd(AccountUpdateMultiEnd),
    ContractData(Box<ContractData>),
    ContractDataEnd(ContractDataEnd),
    TickPrice(TickPrice),
    TickReqParams(TickReqParams),
    TickSnapshotEnd(TickSnapshotEnd),
    MarketDataType(MarketDataType),
    TickSize(TickSize),
    TickString(TickString),
    TickByTick(TickByTickData),
    HistoricalTicks(HistoricalTicksLast),
    /// With its span, which the protobuf dialect tells in a message of its own.
    HistoricalData(HistoricalData, HistoricalDataEnd),
    HistoricalDataEnd(HistoricalDataEnd),
    CurrentTime(CurrentTime),
    CurrentTimeInMillis(CurrentTimeInMillis),
}

impl Said {
    /// The id of the message, and its body in the protobuf dialect.
    pub(super) fn protobuf(&self) -> (u32, Vec<u8>) {
        match self {
            Self::TickPrice(said) => (1, said.encode_to_vec()),
            Self::TickSize(said) => (2, said.encode_to_vec()),
            Self::OrderStatus(said) => (3, said.encode_to_vec()),
            Self::Error(said) => (4, said.encode_to_vec()),
            Self::OpenOrder(said) => (5, said.encode_to_vec()),
            Self::AccountValue(said) => (6, said.encode_to_vec()),
            Self::PortfolioValue(said) => (7, said.encode_to_vec()),
            Self::AccountUpdateTime(said) => (8, said.encode_to_vec()),
            Self::NextValidId(said) => (9, said.encode_to_vec()),
            Self::ContractData(said) => (10, said.encode_to_vec()),
            Self::Execution(said) => (11, said.encode_to_vec()),
            Self::ManagedAccounts(said) => (15, said.encode_to_vec()),
            Self::HistoricalData(said, _) => (17, said.encode_to_vec()),
            Self::TickString(said) => (46, said.encode_to_vec()),
            Self::CurrentTime(said) => (49, said.encode_to_vec()),
            Self::ContractDataEnd(said) => (52, said.encode_to_vec()),
            Self::OpenOrdersEnd => (53, Vec::new()),
            Self::AccountDataEnd(said) => (54, said.encode_to_vec()),
            Self::ExecutionsEnd(said) => (55, said.encode_to_vec()),
            Self::TickSnapshotEnd(said) => (57, said.encode_to_vec()),
            Self::MarketDataType(said) => (58, said.encode_to_vec()),
            Self::Commission(said) => (59, said.encode_to_vec()),
            Self::Position(said) => (61, said.encode_to_vec()),
            Self::PositionEnd => (62, Vec::new()),
            Self::AccountSummary(said) => (63, said.encode_to_vec()),
            Self::AccountSummaryEnd(said) => (64, said.encode_to_vec()),
            Self::AccountUpdateMulti(said) => (73, said.encode_to_vec()),
            Self::AccountUpdateMultiEnd(said) => (74, said.encode_to_vec()),
            Self::TickReqParams(said) => (81, said.encode_to_vec()),
            Self::HistoricalTicks(said) => (98, said.encode_to_vec()),
            Self::TickByTick(said) => (99, said.encode_to_vec()),
            Self::CompletedOrder(said) => (101, said.encode_to_vec()),
            Self::CompletedOrdersEnd => (102, Vec::new()),
            Self::HistoricalDataEnd(said) => (108, said.encode_to_vec()),
            Self::CurrentTimeInMillis(said) => (109, said.encode_to_vec()),
        }
    }
}
