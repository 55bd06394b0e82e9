//! `mts books`: value, profits, exposures, lots and cash of a run's funds.

use super::print::{exactly, say, say_json, table};
use crate::app::App;
use crate::args::books::BooksArgs;
use crate::error::CliError;
use crate::history::History;
use crate::report::money;
use crate::run_folder::Until;
use crate::tear_sheet::Amount;
use mts_foundation::fund::NavSnapshot;
use mts_foundation::lots::TaxLot;
use mts_foundation::num::exact;
use mts_foundation::{CashKind, Currency, Decimal, FundId, TaxLotMethod, Timestamp};
use mts_portfolio::books::{Exposures, FundBooks, LongShort, Posting, PostingKind, ProfitLine};
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// The books of a fund at one instant.
#[derive(Debug, Serialize)]
struct FundAt<'a> {
    #[serde(flatten)]
    snapshot: NavSnapshot,
    time: Timestamp,
    currency: Currency,
    tax_lot_method: TaxLotMethod,
    #[serde(with = "exact")]
    opening_cash: Decimal,
    /// Capital that came in less what went out.
    #[serde(with = "exact")]
    capital: Decimal,
    #[serde(with = "exact")]
    fees: Decimal,
    #[serde(with = "exact")]
    realized: Decimal,
    #[serde(with = "exact")]
    unrealized: Decimal,
    /// Cash that moved outside of fills, by reason.
    moved: BTreeMap<CashKind, Amount>,
    profit: Vec<ProfitLine>,
    exposures: Exposures,
    lots: Vec<&'a TaxLot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postings: Option<Vec<&'a Posting>>,
}

/// Shows the books.
pub(crate) fn show_books(app: &App, args: &BooksArgs) -> Result<(), CliError> {
    let run = &args.run;
    let history = History::read(app, &run.folder, run.until.unwrap_or(Until::END), run.picks.as_deref())?;
    let (fund_id, fund) = history.fund(run.fund.as_ref())?;
    let time = history.core.state().now();
    let lots: Vec<&TaxLot> =
        fund.positions().iter().flat_map(|(symbol, _)| fund.lots().lots(symbol)).collect();
    let postings: Vec<&Posting> =
        history.postings.iter().filter(|posting| posting.fund_id == *fund_id).collect();
    let at = FundAt {
        snapshot: fund.snapshot(history.core.state().session().unwrap_or_default()),
        time,
        currency: fund.currency(),
        tax_lot_method: history.config.fund.tax_lot_method,
        opening_cash: fund.opening_cash().normalize(),
        capital: fund.capital().normalize(),
        fees: fund.fees().normalize(),
        realized: fund.positions().realized_total().normalize(),
        unrealized: unrealized(fund).normalize(),
        moved: fund.moved().iter().map(|(kind, amount)| (*kind, Amount(*amount))).collect(),
        profit: fund.profit_lines(),
        exposures: history.books.exposures(fund_id).unwrap_or_default(),
        lots,
        postings: args.postings.then_some(postings),
    };
    if args.json { say_json(&at) } else { tell(fund_id, &at, args.lots) }
}

fn unrealized(fund: &FundBooks) -> Decimal {
    fund.positions().iter().map(|(_, held)| held.unrealized()).sum()
}

fn tell(fund_id: &FundId, at: &FundAt<'_>, lots: bool) -> Result<(), CliError> {
    let NavSnapshot { nav_usd, cash_usd, long_usd, short_usd, positions, .. } = &at.snapshot;
    say(&format!("fund {fund_id} at {}, in {}", at.time, at.currency));
    let mut rows = vec![
        ("net asset value", *nav_usd),
        ("cash", *cash_usd),
        ("long", *long_usd),
        ("short", *short_usd),
        ("opening cash", at.opening_cash),
        ("realised, before fees", at.realized),
        ("unrealised", at.unrealized),
        ("fees of fills", -at.fees),
    ];
    rows.extend(at.moved.iter().map(|(kind, amount)| (kind.as_str(), amount.0)));
    let cells = rows.iter().map(|(name, amount)| vec![(*name).to_owned(), money(*amount)]).collect();
    say(&table(&["", ""], cells, &[1]));
    say(&format!(
        "\n{positions} positions in {} lots, {}; books and ledger agree",
        at.lots.len(),
        at.tax_lot_method
    ));
    profits(&at.profit);
    let Exposures { by_sector, by_class, by_country, by_currency, .. } = &at.exposures;
    for (what, groups) in
        [("sector", by_sector), ("class", by_class), ("country", by_country), ("currency", by_currency)]
    {
        exposures(what, groups, *nav_usd);
    }
    if lots && !at.lots.is_empty() {
        say("");
        lot_table(at);
    }
    if let Some(postings) = &at.postings {
        say("");
        posting_table(postings);
    }
    Ok(())
}

fn profits(lines: &[ProfitLine]) {
    if lines.is_empty() {
        return;
    }
    say("");
    let rows = lines.iter().map(|line| {
        let name = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
        let mut cells = vec![
            name(line.strategy_id.as_ref().map(ToString::to_string)),
            name(line.symbol.as_ref().map(ToString::to_string)),
            exactly(line.quantity),
        ];
        let numbers =
            [line.market_value, line.realized, line.unrealized, line.income, -line.fees, line.total()];
        cells.extend(numbers.map(money));
        cells
    });
    let header =
        ["strategy", "symbol", "quantity", "value", "realised", "unrealised", "income", "fees", "profit"];
    say(&table(&header, rows.collect(), &[2, 3, 4, 5, 6, 7, 8]));
}

fn exposures(what: &str, groups: &BTreeMap<SmolStr, LongShort>, nav: Decimal) {
    if groups.is_empty() {
        return;
    }
    say("");
    let share = |value: Decimal| {
        let share = value.checked_mul(Decimal::ONE_HUNDRED).and_then(|value| value.checked_div(nav));
        share.map_or("-".to_owned(), |share| format!("{:.2}%", share.round_dp(2)))
    };
    let rows = groups.iter().map(|(name, side)| {
        let name = if name.is_empty() { "not known" } else { name.as_str() };
        let mut cells = vec![name.to_owned()];
        cells.extend([side.long, side.short, side.gross(), side.net()].map(money));
        cells.push(share(side.net()));
        cells
    });
    say(&table(&[what, "long", "short", "gross", "net", "net of NAV"], rows.collect(), &[1, 2, 3, 4, 5]));
}

fn lot_table(at: &FundAt<'_>) {
    let rows = at.lots.iter().map(|lot| {
        let days = at.snapshot.asof.signed_duration_since(lot.open_date).num_days();
        let mut cells = vec![lot.symbol.to_string(), lot.lot_id.to_string(), lot.open_date.to_string()];
        cells.extend([lot.remaining(), lot.open_price].map(exactly));
        cells.push(money(lot.open_cost));
        cells.push(days.to_string());
        cells
    });
    let header = ["symbol", "lot", "opened", "units", "price", "cost", "days"];
    say(&table(&header, rows.collect(), &[3, 4, 5, 6]));
}

fn posting_table(postings: &[&Posting]) {
    let rows = postings.iter().map(|posting| {
        let what = match &posting.kind {
            PostingKind::Fill { side, quantity, price } => format!("{side} {quantity} at {price}"),
            PostingKind::Adopted { side, quantity, price } => {
                format!("adopted, as {side} {quantity} at {price}")
            }
            PostingKind::Cash(kind) => kind.to_string(),
            PostingKind::Action(action) => format!("action {}", action.action_id),
        };
        let symbol = posting.symbol.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut cells = vec![posting.time.to_string(), symbol, what, posting.cause.to_string()];
        cells.extend([posting.amount, -posting.fees, posting.realized, posting.cash].map(exactly));
        cells
    });
    let header = ["time", "symbol", "what", "cause", "amount", "fees", "realised", "cash"];
    say(&table(&header, rows.collect(), &[4, 5, 6, 7]));
}
