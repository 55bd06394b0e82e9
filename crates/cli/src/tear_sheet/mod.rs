//! The tear sheet of a fund: what it earned, what that cost and where it came from, measured on its books.

mod files;
mod page;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;

use crate::error::{CliError, ExitKind, OrExit};
use crate::history::{History, LineKey};
use crate::run_report::float as as_float;
use chrono::{Datelike, NaiveDate};
use mts_foundation::fund::NavSnapshot;
use mts_foundation::num::exact;
use mts_foundation::{CashFlow, CashKind, Currency, Decimal, FundId};
use mts_portfolio::books::{Exposures, FundBooks, Posting, PostingKind};
use mts_portfolio::performance::{
    Attribution, AttributionPeriod, Contribution, ExternalFlow, FlowTiming, LineContribution, MoneyWeighted,
    TimeWeighted, TradedMoney, TradingCosts, UnderWater, Valuation, attribute, money_weighted, time_weighted,
    under_water,
};
use mts_quantkit::Performance;
use mts_quantkit::statistics::SESSIONS_PER_YEAR;
use serde::Serialize;
use std::collections::BTreeMap;

pub(crate) use files::{NAMES, write};

/// Everything that the sheet shows.
#[derive(Serialize)]
pub(crate) struct TearSheet<'a> {
    name: &'a str,
    fund_id: &'a FundId,
    currency: String,
    from: NaiveDate,
    to: NaiveDate,
    #[serde(with = "exact")]
    opening_cash: Decimal,
    #[serde(with = "exact")]
    final_nav: Decimal,
    /// Capital that came in less what went out.
    #[serde(with = "exact")]
    capital: Decimal,
    /// Everything that was earned, after fees.
    #[serde(with = "exact")]
    profit: Decimal,
    #[serde(with = "exact")]
    time_weighted: Decimal,
    /// `None` where no rate fits, with the reason beside it.
    money_weighted: Option<MoneyWeighted>,
    money_weighted_fault: Option<String>,
    /// Figures of the index of time-weighted returns: flows neither make nor hide anything.
    statistics: Option<Performance>,
    costs: TradingCosts,
    under_water: UnderWater,
    months: Vec<MonthReturn>,
    by_strategy: Vec<Part>,
    by_symbol: Vec<Part>,
    by_sector: Vec<Part>,
    /// Profit and return that no line explains: zero when the books are complete.
    residual: Contribution,
    exposures: Exposures,
    moved: BTreeMap<CashKind, Amount>,
    /// Cash that issuers paid: delistings and dividends that an operator booked.
    #[serde(with = "exact")]
    actions: Decimal,
    #[serde(skip)]
    returns: TimeWeighted,
    #[serde(skip)]
    lines: Vec<LineContribution<LineKey>>,
    #[serde(skip)]
    nav: Vec<&'a NavSnapshot>,
    #[serde(skip)]
    postings: Vec<&'a Posting>,
    #[serde(skip)]
    books: &'a FundBooks,
    #[serde(skip)]
    history: &'a History,
}

/// A sum of money.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Amount(#[serde(with = "exact")] pub(crate) Decimal);

/// The return of one month.
#[derive(Serialize)]
struct MonthReturn {
    year: i32,
    month: u32,
    #[serde(rename = "return")]
    value: f64,
}

/// What one group brought.
#[derive(Serialize)]
struct Part {
    name: String,
    #[serde(flatten)]
    part: Contribution,
}

impl<'a> TearSheet<'a> {
    /// Measures a fund.
    pub(crate) fn of(history: &'a History, fund: Option<&FundId>) -> Result<Self, CliError> {
        let (fund_id, books) = history.fund(fund)?;
        let nav: Vec<&NavSnapshot> =
            history.nav.iter().filter(|snapshot| snapshot.fund_id == *fund_id).collect();
        let (Some(first), Some(last)) = (nav.first(), nav.last()) else {
            let message = format!(
                "no session of fund {fund_id} has ended yet, so there is no return to show; mts books shows where it stands"
            );
            return Err(CliError::new(ExitKind::Data, message));
        };
        // The evening before the first session it was worth its cash.
        let before = first.asof.pred_opt().unwrap_or(first.asof);
        let mut valuations = vec![Valuation { date: before, nav: books.opening_cash() }];
        valuations
            .extend(nav.iter().map(|snapshot| Valuation { date: snapshot.asof, nav: snapshot.nav_usd }));
        let postings: Vec<&Posting> =
            history.postings.iter().filter(|posting| posting.fund_id == *fund_id).collect();
        // Capital belongs to the session at whose end it is first part of the value, whatever its date.
        let sessions = history.sessions.iter().filter(|session| session.fund_id == *fund_id);
        let flows: Vec<ExternalFlow> = nav
            .iter()
            .zip(sessions)
            .filter(|(_, session)| !session.flow.is_zero())
            .map(|(snapshot, session)| ExternalFlow { date: snapshot.asof, amount: session.flow })
            .collect();
        let returns = time_weighted(&valuations, &flows, FlowTiming::default()).or_exit(ExitKind::Data)?;
        let end = Valuation { date: last.asof, nav: last.nav_usd };
        let opening = ExternalFlow { date: before, amount: books.opening_cash() };
        let all: Vec<ExternalFlow> = std::iter::once(opening).chain(flows.iter().copied()).collect();
        let (money_weighted, money_weighted_fault) = match money_weighted(&all, end) {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let attribution = attribution(history, fund_id, &returns)?;
        let index: Vec<f64> =
            std::iter::once(1.0).chain(returns.steps.iter().map(|step| as_float(step.index))).collect();
        let costs = traded(&postings, books.currency())?.costs(&valuations).or_exit(ExitKind::Data)?;
        let flowed: Decimal = flows.iter().map(|flow| flow.amount).sum();
        Ok(Self {
            name: &history.config.run.name,
            fund_id,
            currency: books.currency().to_string(),
            from: first.asof,
            to: last.asof,
            opening_cash: books.opening_cash(),
            final_nav: last.nav_usd,
            capital: flowed,
            profit: last.nav_usd - books.opening_cash() - flowed,
            time_weighted: returns.total,
            money_weighted,
            money_weighted_fault,
            statistics: Performance::of_values(&index, SESSIONS_PER_YEAR),
            costs,
            under_water: under_water(&returns).or_exit(ExitKind::Data)?,
            months: months(&returns),
            by_strategy: parts(&attribution, |(strategy_id, _)| {
                strategy_id.as_ref().map_or_else(|| "no strategy".to_owned(), ToString::to_string)
            })?,
            by_symbol: parts(&attribution, |(_, symbol)| {
                symbol.as_ref().map_or_else(|| "cash".to_owned(), ToString::to_string)
            })?,
            by_sector: parts(&attribution, |(_, symbol)| {
                let found = symbol.as_ref().and_then(|symbol| history.books.instruments().get(symbol));
                match found.map(|found| found.sector.as_str()) {
                    None => "cash".to_owned(),
                    Some("") => "not known".to_owned(),
                    Some(sector) => sector.to_owned(),
                }
            })?,
            residual: attribution.residual,
            exposures: history.books.exposures(fund_id).unwrap_or_default(),
            moved: books.moved().iter().map(|(kind, amount)| (*kind, Amount(*amount))).collect(),
            actions: postings
                .iter()
                .filter(|posting| matches!(posting.kind, PostingKind::Action(_)))
                .map(|posting| posting.amount)
                .sum(),
            returns,
            lines: attribution.lines,
            nav,
            postings,
            books,
            history,
        })
    }

    /// The figures, by name.
    pub(crate) fn figures(&self) -> Vec<Vec<String>> {
        page::page(self).figures.into_iter().map(|figure| vec![figure.label, figure.value]).collect()
    }

    /// The page.
    pub(crate) fn page(&self) -> Result<String, CliError> {
        crate::report::render(&page::page(self)).or_exit(ExitKind::Internal)
    }
}

/// What was traded and what that cost. Units that were taken over from an account are no trade.
fn traded(postings: &[&Posting], currency: Currency) -> Result<TradedMoney, CliError> {
    let mut traded = TradedMoney::default();
    for posting in postings {
        let Posting { amount, fees, symbol, .. } = posting;
        match &posting.kind {
            PostingKind::Fill { side, .. } => traded.add(*side, amount.abs(), *fees),
            PostingKind::Cash(kind) => {
                let (id, symbol) = (posting.cause.clone(), symbol.clone());
                let (kind, amount, time) = (*kind, *amount, posting.time);
                traded.add_movement(&CashFlow { id, kind, amount, currency, symbol, time })
            }
            PostingKind::Adopted { .. } | PostingKind::Action(_) => Ok(()),
        }
        .or_exit(ExitKind::Data)?;
    }
    Ok(traded)
}

fn attribution(
    history: &History,
    fund_id: &FundId,
    returns: &TimeWeighted,
) -> Result<Attribution<LineKey>, CliError> {
    let sessions = history.sessions.iter().filter(|session| session.fund_id == *fund_id);
    let periods: Vec<AttributionPeriod<LineKey>> = returns
        .steps
        .iter()
        .zip(sessions)
        .map(|(step, session)| AttributionPeriod::of_step(step, session.lines.iter().cloned()))
        .collect();
    attribute(&periods).or_exit(ExitKind::Data)
}

/// Parts by name, the largest profit first.
fn parts(
    attribution: &Attribution<LineKey>,
    name: impl Fn(&LineKey) -> String,
) -> Result<Vec<Part>, CliError> {
    let grouped = attribution.grouped(name).or_exit(ExitKind::Data)?;
    let mut parts: Vec<Part> =
        grouped.into_iter().map(|LineContribution { key, part }| Part { name: key, part }).collect();
    parts.sort_by(|left, right| {
        right.part.money.cmp(&left.part.money).then_with(|| left.name.cmp(&right.name))
    });
    Ok(parts)
}

/// Returns linked by calendar month.
fn months(returns: &TimeWeighted) -> Vec<MonthReturn> {
    let mut months: BTreeMap<(i32, u32), f64> = BTreeMap::new();
    for step in &returns.steps {
        *months.entry((step.to.year(), step.to.month())).or_insert(1.0) *= 1.0 + as_float(step.value);
    }
    months
        .into_iter()
        .map(|((year, month), growth)| MonthReturn { year, month, value: growth - 1.0 })
        .collect()
}
