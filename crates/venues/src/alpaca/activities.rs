//! The account's activities: fills, and cash that came or went.

use super::assets::asset;
use super::read::instant;
use super::render::number;
use super::unprocessable;
use crate::desk::{CashRow, Desk, FillRow};
use crate::dialect::{Answer, Request};
use chrono::DateTime;
use chrono_tz::America::New_York;
use mts_foundation::Timestamp;
use serde_json::{Value, json};

/// Most rows of an answer, and those of one that asks for no number.
const PAGE: usize = 100;

/// Ids begin with the time in New York, to the millisecond; rows of one millisecond come in the order of what follows,
/// which is none.
fn id(millis: i64, rest: &str) -> String {
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default().with_timezone(&New_York);
    format!("{}::{rest}", at.format("%Y%m%d%H%M%S%3f"))
}

struct Activity {
    /// What the venue sorts by. Its ids would not do: they are local time, and an hour comes twice.
    place: (i64, String),
    time: Timestamp,
    kind: &'static str,
    row: Value,
}

fn of_fill(desk: &Desk, fill: &FillRow) -> Option<Activity> {
    let asset = asset(desk, &fill.symbol)?;
    let (rest, whole) = (desk.uuid("activity", fill.number), fill.leaves.is_zero());
    let id = id(fill.moment, &rest);
    Some(Activity {
        place: (fill.moment, rest),
        time: fill.time,
        kind: "FILL",
        row: json!({
            "id": id, "activity_type": "FILL", "transaction_time": fill.time.to_string(),
            "type": if whole { "fill" } else { "partial_fill" }, "price": number(fill.price),
            "qty": number(fill.quantity), "side": if fill.bought { "buy" } else { "sell" },
            "symbol": asset.native, "leaves_qty": number(fill.leaves), "order_id": fill.order_id,
            "cum_qty": number(fill.cumulative), "order_status": if whole { "filled" } else { "partially_filled" },
            "account_id": desk.uuid("account", 0),
        }),
    })
}

fn of_cash(desk: &Desk, cash: &CashRow) -> Activity {
    let millis = cash.time.nanos() / 1_000_000;
    let kind = if cash.amount.is_sign_negative() { "CSW" } else { "CSD" };
    let rest = desk.uuid("cash", cash.number);
    let row = json!({
        "id": id(millis, &rest), "activity_type": kind, "date": cash.time.to_datetime().date_naive().to_string(),
        "net_amount": number(cash.amount), "description": "", "status": "executed",
        "account_id": desk.uuid("account", 0),
    });
    Activity { place: (millis, rest), time: cash.time, kind, row }
}

pub(super) fn list(desk: &Desk, request: &Request) -> Answer {
    let of_path = request.path.strip_prefix("/v2/account/activities/").map(str::to_owned);
    let kinds = of_path.or_else(|| request.parameter("activity_types").map(str::to_owned));
    let kinds: Vec<&str> = kinds.as_deref().map(|kinds| kinds.split(',').collect()).unwrap_or_default();
    let page = match request.parameter("page_size").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(page @ 1..=PAGE)) => page,
        Some(_) => return unprocessable(format!("page_size must be between 1 and {PAGE}")),
    };
    let bound = |name: &str| match request.parameter(name).map(|text| (text, instant(text))) {
        None => Ok(None),
        Some((_, Some(instant))) => Ok(Some(instant)),
        Some((text, None)) => Err(unprocessable(format!("invalid {name}: {text}"))),
    };
    let (after, until) = match (bound("after"), bound("until")) {
        (Ok(after), Ok(until)) => (after, until),
        (Err(answer), _) | (_, Err(answer)) => return answer,
    };
    let fills = desk.listed().filter_map(|fill| of_fill(desk, fill));
    let cash = desk.listed_cash().map(|cash| of_cash(desk, cash));
    let mut rows: Vec<Activity> = fills
        .chain(cash)
        .filter(|row| kinds.is_empty() || kinds.contains(&row.kind))
        .filter(|row| {
            after.is_none_or(|after| row.time > after) && until.is_none_or(|until| row.time < until)
        })
        .collect();
    rows.sort_by(|a, b| a.place.cmp(&b.place));
    if request.parameter("direction") != Some("asc") {
        rows.reverse();
    }
    let token = request.parameter("page_token").unwrap_or_default();
    let start = match rows.iter().position(|row| row.row.get("id").and_then(Value::as_str) == Some(token)) {
        Some(last) => last + 1,
        None if token.is_empty() => 0,
        None => return unprocessable("invalid page_token"),
    };
    let rows: Vec<Value> = rows.into_iter().skip(start).take(page).map(|row| row.row).collect();
    Answer::json(200, &json!(rows))
}
