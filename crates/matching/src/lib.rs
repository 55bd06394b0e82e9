#![doc = include_str!("../README.md")]
//!
//! A simulated exchange: orders in, bars, quotes, trades or other people's orders in, fills out. Deterministic; no clock,
//! no randomness. `docs/matching.md` has the tables of what fills when and at which price.

mod book;
mod config;
mod exchange;
mod fees;
mod reject;
mod rules;

pub use book::{
    BookError, BookEvent, BookOrder, BookOrderId, BookSide, Crossed, Ended, LevelView, MAX_BOOK_ORDERS,
    OrderBook, Participant, Party, Placed, RestingView,
};
pub use config::{
    ClosedMarket, Displayed, ExchangeConfig, InvalidSetting, MAX_INSTRUMENTS, MAX_ORDERS, RestingFill,
    ScriptedReject, Shorting, StopTrigger,
};
pub use exchange::{CancelAnswer, Exchange, MatchEvent, ReplaceAnswer, Restored, Standing};
pub use fees::{Accrued, FeeModel, FeeState, InvalidFees, Liquidity, Rate, Tier};
pub use reject::Reject;
