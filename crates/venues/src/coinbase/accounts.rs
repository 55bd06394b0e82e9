//! Wallets, one a currency, and what the key may do.

use super::invalid;
use super::products::{CASH, listed, product};
use crate::desk::Desk;
use crate::dialect::{Answer, Request, number};
use mts_foundation::{Decimal, Symbol};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of an answer where no number is asked for, and most.
const PAGE: usize = 49;
const MAX_PAGE: usize = 250;

/// Money and units: what is free, and what is held for orders.
fn wallets(desk: &Desk) -> BTreeMap<String, (Decimal, Decimal)> {
    let mut wallets = BTreeMap::from([(CASH.to_owned(), (desk.cash(), desk.reserved()))]);
    let held = desk.positions().iter().map(|(symbol, _)| symbol.clone());
    let symbols: Vec<Symbol> = listed().into_iter().chain(held).collect();
    for symbol in symbols {
        let Some(product) = product(desk, &symbol) else { continue };
        wallets.insert(product.base, (desk.position(&symbol), desk.on_order(&symbol, false)));
    }
    wallets
}

fn wallet(desk: &Desk, currency: &str, total: Decimal, hold: Decimal) -> Value {
    let is_cash = currency == CASH;
    let money = |value: Decimal| json!({"value": number(value), "currency": currency});
    json!({
        "uuid": desk.uuid(currency, 0), "name": format!("{currency} Wallet"), "currency": currency,
        "available_balance": money(total - hold), "default": is_cash, "active": true,
        "created_at": "2021-05-31T09:59:59Z", "updated_at": "2021-05-31T09:59:59Z", "deleted_at": null,
        "type": if is_cash { "ACCOUNT_TYPE_FIAT" } else { "ACCOUNT_TYPE_CRYPTO" }, "ready": true,
        "hold": money(hold), "retail_portfolio_id": desk.uuid("portfolio", 0), "platform": "ACCOUNT_PLATFORM_CONSUMER",
    })
}

pub(super) fn list(desk: &Desk, request: &Request) -> Answer {
    let limit = match request.parameter("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit @ 1..=MAX_PAGE)) => limit,
        Some(_) => return invalid(format!("limit must be between 1 and {MAX_PAGE}")),
    };
    let after = request.parameter("cursor").unwrap_or_default();
    let rows = wallets(desk);
    // A cursor is the last currency that was told.
    let mut rest = rows.iter().filter(|(currency, _)| currency.as_str() > after);
    let page: Vec<(&String, &(Decimal, Decimal))> = rest.by_ref().take(limit).collect();
    let has_next = rest.next().is_some();
    let cursor = page.last().filter(|_| has_next).map(|(currency, _)| currency.as_str()).unwrap_or_default();
    let accounts: Vec<Value> =
        page.iter().map(|(currency, (total, hold))| wallet(desk, currency, *total, *hold)).collect();
    let size = accounts.len();
    Answer::json(200, &json!({"accounts": accounts, "has_next": has_next, "cursor": cursor, "size": size}))
}

pub(super) fn one(desk: &Desk, id: &str) -> Answer {
    let found = wallets(desk).into_iter().find(|(currency, _)| desk.uuid(currency, 0) == id);
    match found {
        Some((currency, (total, hold))) => {
            Answer::json(200, &json!({"account": wallet(desk, &currency, total, hold)}))
        }
        None => super::not_found("account not found"),
    }
}

pub(super) fn key_permissions(desk: &Desk, may_transfer: bool) -> Answer {
    let body = json!({
        "can_view": true, "can_trade": true, "can_transfer": may_transfer,
        "portfolio_uuid": desk.uuid("portfolio", 0), "portfolio_type": "DEFAULT",
    });
    Answer::json(200, &body)
}
