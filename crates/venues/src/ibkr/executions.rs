//! Executions of some days, as a client filters them.

use super::message::Said;
use super::proto::ExecutionDetailsEnd;
use super::read::{day, instant};
use super::render::{Told, error, owner};
use super::requests::{ExecutionFilter, ExecutionRequest};
use crate::desk::{FillRow, Row};
use chrono::{DateTime, Datelike, Utc};
use chrono_tz::America::New_York;
use mts_foundation::Decimal;
use std::collections::BTreeMap;

/// Executions with what they cost, where it is known, and the end of them. A correction takes the place of what it corrects.
pub(super) fn list(told: &Told<'_>, asked: &ExecutionRequest, sees: impl Fn(&Row) -> bool) -> Vec<Said> {
    let request = asked.req_id.unwrap_or_default();
    let filter = asked.execution_filter.clone().unwrap_or_default();
    let from = match filter.time.as_deref().unwrap_or_default() {
        "" => None,
        text => match instant(text) {
            Some(instant) => Some(instant),
            None => {
                let message = "Invalid time in execution filter; use yyyymmdd hh:mm:ss US/Eastern";
                return vec![error(request, 321, message, told.desk)];
            }
        },
    };
    let mut said = Vec::new();
    // Units and value of each order so far.
    let mut so_far: BTreeMap<u64, (Decimal, Decimal)> = BTreeMap::new();
    for fill in told.desk.listed().filter(|fill| !fill.busted) {
        let (units, value) = so_far.entry(fill.order).or_default();
        *units += fill.quantity;
        *value = value.saturating_add(fill.quantity.saturating_mul(fill.price));
        let average = value.checked_div(*units).unwrap_or(fill.price);
        let row = usize::try_from(fill.order).ok().and_then(|place| told.desk.orders().get(place));
        let Some(row) = row.filter(|row| sees(row)) else { continue };
        if !is_of_days(told, &filter, fill) || !fits(told, &filter, from, fill, row) {
            continue;
        }
        said.extend(told.execution(fill, row, average, request));
        if fill.fees_known <= told.desk.now() {
            said.push(told.commission(fill));
        }
    }
    said.push(Said::ExecutionsEnd(ExecutionDetailsEnd { req_id: asked.req_id }));
    said
}

/// Without days those of today; the day begins at midnight in New York.
fn is_of_days(told: &Told<'_>, filter: &ExecutionFilter, fill: &FillRow) -> bool {
    let at = fill.time.to_datetime();
    if !filter.specific_dates.is_empty() {
        let date = at.with_timezone(&New_York).date_naive();
        let number = date.year() * 10_000 + (date.month() * 100 + date.day()).cast_signed();
        return filter.specific_dates.contains(&number);
    }
    // The largest number stands for one that is not set.
    let days = filter.last_n_days.filter(|days| *days > 0 && *days < i32::MAX).unwrap_or(1);
    at >= day(told.desk.clock(), i64::from(days) - 1)
}

fn fits(
    told: &Told<'_>,
    filter: &ExecutionFilter,
    from: Option<DateTime<Utc>>,
    fill: &FillRow,
    row: &Row,
) -> bool {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let side = if fill.bought { "BUY" } else { "SELL" };
    let client = filter.client_id.unwrap_or_default();
    let instrument = super::contracts::instrument(told.desk, &fill.symbol);
    let is = |wanted: &str, known: &str| wanted.is_empty() || wanted.eq_ignore_ascii_case(known);
    let contract = instrument.as_ref().map(|found| found.contract.clone()).unwrap_or_default();
    let exchange = instrument.as_ref().map_or("", |found| found.primary());
    from.is_none_or(|from| fill.time.to_datetime() >= from)
        && (client == 0 || client == owner(row).0)
        && is(&text(&filter.acct_code), told.account)
        && is(&text(&filter.symbol), &text(&contract.symbol))
        && is(&text(&filter.sec_type), &text(&contract.sec_type))
        && is(&text(&filter.exchange), exchange)
        && is(&text(&filter.side), side)
}
