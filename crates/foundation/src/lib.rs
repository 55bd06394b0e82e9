#![doc = include_str!("../README.md")]
//!
//! The domain of mts.
//!
//! Types, their validation, position and cash arithmetic, and the traits through which every other crate of the
//! workspace meets. Nothing here performs I/O, reads a clock, draws randomness, logs or keeps global state: time and
//! ids come in as arguments, so the same inputs give the same outputs everywhere.
//!
//! Conventions: money, prices and quantities are exact [`Decimal`]s and travel as JSON strings; statistics and panels
//! are `f64`; instants are [`Timestamp`]s (nanoseconds, UTC); every public enum has one documented wire spelling.

pub mod account;
pub mod algorithm;
pub mod broker;
pub mod broker_event;
pub mod broker_handle;
pub mod calendar;
mod capability_table;
pub mod cash_flow;
pub mod contingent;
pub mod corporate_action;
pub mod double;
pub mod event;
pub mod fill;
pub mod fund;
pub mod ids;
pub mod instrument;
pub mod io;
pub mod journal;
pub mod key;
pub mod ledger;
pub mod lots;
pub mod market;
pub mod market_data;
pub mod market_snapshot;
pub mod num;
pub mod order;
pub mod order_builder;
pub mod order_intent;
pub mod order_record;
pub mod panel;
pub mod position;
pub mod ready;
pub mod reconcile;
pub mod reference;
pub mod registry;
pub mod risk;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod signal;
pub mod sizing;
pub mod strategy;
pub mod symbol;
pub mod symbology;
pub mod table;
pub mod time;
pub mod trading_session;

pub use account::Account;
pub use broker::{Broker, Capabilities, DynBroker};
pub use broker_event::{BrokerEvent, Cursor, OrderReport};
pub use calendar::{MarketCalendar, Session};
pub use capability_table::capability_matrix;
pub use cash_flow::{CashFlow, CashKind};
pub use corporate_action::{CorporateAction, CorporateActionKind};
pub use event::Event;
pub use fill::Fill;
pub use fund::{FundConfig, NavSnapshot, TaxLotMethod};
pub use ids::{
    AccountId, ActorId, BrokerName, BrokerOrderId, EnvelopeId, FillId, FundId, OrderId, StrategyId, VenueName,
};
pub use instrument::{Instrument, InstrumentTable};
pub use io::{HttpClient, SocketConnector};
pub use journal::Journal;
pub use key::IdempotencyKey;
pub use ledger::{FundBook, Ledger, Mark, MarkKind};
pub use lots::{LotBook, TaxLot};
pub use market::{Bar, FundingRate, Interval, Quote, Trade};
pub use market_data::{DataFeed, DynMarketData, MarketData};
pub use market_snapshot::MarketSnapshot;
pub use num::Decimal;
pub use order::{Order, OrderType, Side, TimeInForce};
pub use order_builder::{OrderBuilder, OrderFault, OrderFaults};
pub use order_record::{OrderRecord, OrderState};
pub use panel::UniversePanel;
pub use position::{Position, PositionBook};
pub use reference::ReferenceData;
pub use registry::Registry;
pub use risk::{
    AsyncRiskGate, Gate, GateLimits, HaltRequest, OrderRejection, RejectCode, RiskContext, RiskDecision,
    RiskEnvelope, RiskGate, RiskMachine,
};
pub use signal::{Signal, TargetWeight};
pub use sizing::{Allocator, Factor, Sizer, TargetPlanner};
pub use strategy::{Command, Commands, OrderIdentity, Strategy, View};
pub use symbol::{AssetClass, Currency, Symbol};
pub use symbology::{SymbolParts, VenueSymbology};
pub use table::{Place, Table};
pub use time::{Clock, Timestamp};
