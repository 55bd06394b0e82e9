//! Funds and positions, as more than one command shows them.

use super::print::table;
use crate::app::App;
use crate::config::RunConfig;
use crate::error::CliError;
use crate::report::money;
use crate::standing::risk_of;
use mts_engine::Core;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::position::Position;
use mts_foundation::{Currency, Decimal, FundId};
use serde::Serialize;

/// Where a fund stands.
#[derive(Debug, Serialize)]
pub(super) struct FundLine {
    fund_id: FundId,
    currency: Currency,
    #[serde(with = "exact")]
    nav: Decimal,
    #[serde(with = "exact")]
    cash: Decimal,
    /// Σ |value| of all positions.
    #[serde(with = "exact")]
    gross: Decimal,
    /// Σ value of all positions, shorts negative.
    #[serde(with = "exact")]
    net: Decimal,
    /// Since the trading day began, capital flows excluded; `None` before the first.
    #[serde(with = "exact_option")]
    day_profit: Option<Decimal>,
    positions: usize,
    working_orders: usize,
}

impl FundLine {
    /// How many instruments it holds.
    pub(super) fn positions(&self) -> usize {
        self.positions
    }
}

/// All funds, by id.
pub(super) fn funds(app: &App, config: &RunConfig, core: &Core) -> Result<Vec<FundLine>, CliError> {
    let risk = risk_of(app, config, core)?;
    let line = |(fund_id, book): (&FundId, &mts_foundation::FundBook)| FundLine {
        fund_id: fund_id.clone(),
        currency: book.base_currency(),
        nav: book.nav().normalize(),
        cash: book.cash().normalize(),
        gross: book
            .positions()
            .iter()
            .map(|(_, held)| held.market_value().abs())
            .sum::<Decimal>()
            .normalize(),
        net: book.positions().market_value().normalize(),
        day_profit: risk.baselines(fund_id).map(|from| (book.nav() - from.day).normalize()),
        positions: book.positions().len(),
        working_orders: book.working_count(),
    };
    Ok(core.state().ledger().funds().map(line).collect())
}

/// The funds as a table.
pub(super) fn funds_table(funds: &[FundLine]) -> String {
    let row = |fund: &FundLine| {
        let mut cells = vec![fund.fund_id.to_string(), fund.currency.to_string()];
        cells.extend([fund.nav, fund.cash, fund.gross, fund.net].map(money));
        cells.push(fund.day_profit.map_or("not known".to_owned(), money));
        cells.extend([fund.positions, fund.working_orders].map(|count| count.to_string()));
        cells
    };
    let header = ["fund", "", "NAV", "cash", "gross", "net", "day P&L", "positions", "working orders"];
    table(&header, funds.iter().map(row).collect(), &[2, 3, 4, 5, 6, 7, 8])
}

/// The positions of one fund, or of all, the largest value first.
pub(super) fn positions(core: &Core, fund: Option<&FundId>) -> Vec<Position> {
    let mut positions: Vec<Position> = core
        .state()
        .ledger()
        .funds()
        .filter(|(fund_id, _)| fund.is_none_or(|wanted| wanted == *fund_id))
        .flat_map(|(fund_id, book)| book.positions().positions(fund_id))
        .collect();
    positions.sort_by_key(|position| std::cmp::Reverse(position.market_value_usd.abs()));
    positions
}

/// Header of a table of positions, and which of its columns are numbers.
pub(super) const POSITIONS: (&[&str], &[usize]) =
    (&["fund", "symbol", "quantity", "average", "last", "value", "unrealised", "changed"], &[2, 3, 4, 5, 6]);

/// A row of that table, with its numbers written so.
pub(super) fn position_cells(position: &Position, number: fn(Decimal) -> String) -> Vec<String> {
    let mut cells = vec![position.fund_id.to_string(), position.symbol.to_string()];
    let Position { quantity, avg_price, last_price, market_value_usd, unrealized_pl_usd, .. } = position;
    let numbers = [quantity, avg_price, last_price, market_value_usd, unrealized_pl_usd];
    cells.extend(numbers.map(|value| number(*value)));
    cells.push(position.last_updated.to_string());
    cells
}
