//! The account: its values, positions and portfolio. No leverage: the margin of what is held is its whole value, so that the
//! available funds of an account without short positions are its cash.

use super::contracts::instrument;
use super::message::Said;
use super::proto::{
    AccountDataEnd, AccountSummary, AccountSummaryEnd, AccountUpdateMulti, AccountUpdateMultiEnd,
    AccountUpdateTime, AccountValue, PortfolioValue, Position,
};
use super::read::{float, text};
use super::requests::AccountSummaryRequest;
use crate::desk::Desk;
use chrono_tz::America::New_York;
use mts_foundation::position::Holding;
use mts_foundation::{Decimal, Symbol};

/// The account's currency.
pub(super) const CURRENCY: &str = "USD";

/// What the account is worth, and what can be bought for it.
pub(super) struct Means {
    cash: Decimal,
    /// Cash and the signed value of what is held.
    equity: Decimal,
    /// The unsigned value of what is held.
    gross: Decimal,
    /// What is not margin.
    pub(super) available: Decimal,
}

impl Means {
    pub(super) fn of(desk: &Desk) -> Self {
        let gross: Decimal = desk.positions().iter().map(|(_, held)| held.market_value().abs()).sum();
        let equity = desk.cash().saturating_add(desk.positions().market_value());
        Self { cash: desk.cash(), equity, gross, available: equity.saturating_sub(gross) }
    }
}

/// Money as the venue writes it: with two places at least.
fn money(value: Decimal) -> String {
    let value = value.normalize();
    format!("{value:.*}", usize::try_from(value.scale().max(2)).unwrap_or(2))
}

/// A value of the account: its name, itself, and its currency.
type Value = (&'static str, String, &'static str);

/// What a summary knows.
fn values(desk: &Desk) -> Vec<Value> {
    let means = Means::of(desk);
    let sum = |name, value| (name, money(value), CURRENCY);
    let realized = desk.positions().realized_total();
    let unrealized: Decimal = desk.positions().iter().map(|(_, held)| held.unrealized()).sum();
    vec![
        ("AccountType", "INDIVIDUAL".to_owned(), ""),
        ("AccountCode", String::new(), ""),
        sum("NetLiquidation", means.equity),
        sum("TotalCashValue", means.cash),
        sum("SettledCash", means.cash),
        sum("AccruedCash", Decimal::ZERO),
        sum("BuyingPower", means.available.max(Decimal::ZERO)),
        sum("EquityWithLoanValue", means.equity),
        sum("GrossPositionValue", means.gross),
        sum("InitMarginReq", means.gross),
        sum("MaintMarginReq", means.gross),
        sum("FullInitMarginReq", means.gross),
        sum("FullMaintMarginReq", means.gross),
        sum("AvailableFunds", means.available),
        sum("FullAvailableFunds", means.available),
        sum("ExcessLiquidity", means.available),
        sum("FullExcessLiquidity", means.available),
        sum("RealizedPnL", realized),
        sum("UnrealizedPnL", unrealized),
        ("Leverage", money(means.gross.checked_div(means.equity).unwrap_or_default().round_dp(2)), ""),
    ]
}

/// What is told by currency, in the account's own and once more as its base.
fn ledger(desk: &Desk) -> Vec<Value> {
    let means = Means::of(desk);
    let rows = |currency: &'static str| {
        let sum = move |name, value| (name, money(value), currency);
        [
            ("Currency", currency.to_owned(), currency),
            sum("CashBalance", means.cash),
            sum("TotalCashBalance", means.cash),
            sum("StockMarketValue", means.equity.saturating_sub(means.cash)),
            sum("NetLiquidationByCurrency", means.equity),
            ("ExchangeRate", "1.00".to_owned(), currency),
        ]
    };
    [rows(CURRENCY), rows("BASE")].concat()
}

pub(super) fn summary(desk: &Desk, account: &str, asked: &AccountSummaryRequest) -> Vec<Said> {
    let tags: Vec<&str> = asked.tags.as_deref().unwrap_or_default().split(',').map(str::trim).collect();
    let wants_ledger = tags.iter().any(|tag| tag.starts_with("$LEDGER"));
    let wanted = values(desk).into_iter().filter(|(name, ..)| tags.contains(name));
    let rows = wanted.chain(ledger(desk).into_iter().filter(|_| wants_ledger));
    let mut said: Vec<Said> = rows
        .map(|(name, value, currency)| {
            Said::AccountSummary(AccountSummary {
                req_id: asked.req_id,
                account: Some(account.to_owned()),
                tag: Some(name.to_owned()),
                value: Some(value),
                currency: Some(currency.to_owned()),
            })
        })
        .collect();
    said.push(Said::AccountSummaryEnd(AccountSummaryEnd { req_id: asked.req_id }));
    said
}

/// The values and the portfolio, as one who follows the account is told them.
pub(super) fn data(desk: &Desk, account: &str) -> Vec<Said> {
    let values = values(desk).into_iter().chain(ledger(desk)).map(|(name, value, currency)| {
        Said::AccountValue(AccountValue {
            key: Some(name.to_owned()),
            value: Some(if name == "AccountCode" { account.to_owned() } else { value }),
            currency: Some(currency.to_owned()),
            account_name: Some(account.to_owned()),
        })
    });
    let held = desk.positions().iter();
    let portfolio = held.filter_map(|(symbol, held)| portfolio_value(desk, account, symbol, held));
    let time = desk.clock().to_datetime().with_timezone(&New_York).format("%H:%M").to_string();
    let time = Said::AccountUpdateTime(AccountUpdateTime { time_stamp: Some(time) });
    values.chain(portfolio).chain([time]).collect()
}

pub(super) fn data_end(account: &str) -> Said {
    Said::AccountDataEnd(AccountDataEnd { account_name: Some(account.to_owned()) })
}

pub(super) fn multi(desk: &Desk, account: &str, request: Option<i32>, ledger_only: bool) -> Vec<Said> {
    let values = values(desk).into_iter().filter(|_| !ledger_only).chain(ledger(desk));
    let mut said: Vec<Said> = values
        .map(|(name, value, currency)| {
            Said::AccountUpdateMulti(AccountUpdateMulti {
                req_id: request,
                account: Some(account.to_owned()),
                model_code: None,
                key: Some(name.to_owned()),
                value: Some(value),
                currency: Some(currency.to_owned()),
            })
        })
        .collect();
    said.push(Said::AccountUpdateMultiEnd(AccountUpdateMultiEnd { req_id: request }));
    said
}

/// What is held of an instrument; none is told as zero to one who follows.
pub(super) fn position(desk: &Desk, account: &str, symbol: &Symbol) -> Option<Said> {
    let instrument = instrument(desk, symbol)?;
    let held = desk.positions().get(symbol);
    let cost = held.map_or(Decimal::ZERO, |held| held.average_price.saturating_mul(held.multiplier));
    Some(Said::Position(Box::new(Position {
        account: Some(account.to_owned()),
        contract: Some(instrument.contract),
        position: Some(text(held.map_or(Decimal::ZERO, |held| held.quantity))),
        avg_cost: Some(float(cost)),
    })))
}

pub(super) fn positions(desk: &Desk, account: &str) -> Vec<Said> {
    let held = desk.positions().iter().filter(|(_, held)| !held.quantity.is_zero());
    held.filter_map(|(symbol, _)| position(desk, account, symbol)).chain([Said::PositionEnd]).collect()
}

fn portfolio_value(desk: &Desk, account: &str, symbol: &Symbol, held: &Holding) -> Option<Said> {
    let mut contract = instrument(desk, symbol)?.details(None).contract?;
    contract.exchange = None;
    Some(Said::PortfolioValue(Box::new(PortfolioValue {
        contract: Some(contract),
        position: Some(text(held.quantity)),
        market_price: Some(float(held.last_price)),
        market_value: Some(float(held.market_value())),
        average_cost: Some(float(held.average_price.saturating_mul(held.multiplier))),
        unrealized_pnl: Some(float(held.unrealized())),
        realized_pnl: Some(float(desk.positions().realized(symbol))),
        account_name: Some(account.to_owned()),
    })))
}
