//! The control channel: what the calls of a test do, over HTTP, for people and other processes.
//!
//! | request | does |
//! |---|---|
//! | `GET /_mts/` | name, endpoints, credentials and symbols |
//! | `POST /_mts/act` | an `Act`, as JSON |
//! | `POST /_mts/quotes` | a quote, or a list of them |
//! | `POST /_mts/bars` | a list of bars that have ended, of one instant |
//! | `POST /_mts/trades` | trades of others, as a list |
//! | `DELETE /_mts/heard` | what clients have sent since, and forgets it |
//! | `GET /_mts/orders`, `/_mts/fills`, `/_mts/account` | what the venue knows |

use super::Shared;
use crate::dialect::{Answer, Request};
use mts_foundation::double::Act;
use mts_foundation::{Bar, Quote, Trade};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What the paths of the control channel begin with.
pub(super) const PREFIX: &str = "/_mts/";

pub(super) fn answer(shared: &Shared, request: &Request) -> Answer {
    let what = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let done = |outcome: Result<(), String>| match outcome {
        Ok(()) => Answer::json(200, &json!({"done": true})),
        Err(error) => Answer::json(409, &json!({"error": error})),
    };
    match (request.method.as_str(), what) {
        ("GET", "") => Answer::json(200, &facts(shared)),
        ("POST", "act") => done(read::<Act>(request).and_then(|act| shared.act(&act).map_err(|e| e.reason))),
        ("POST", "quotes") => done(quotes(request).map(|quotes| quotes.iter().for_each(|q| shared.quote(q)))),
        ("POST", "bars") => done(read::<Vec<Bar>>(request).map(|bars| shared.bars(&bars))),
        ("POST", "trades") => done(read::<Vec<Trade>>(request).map(|trades| shared.trades(&trades))),
        ("DELETE", "heard") => Answer::json(200, &heard(shared)),
        ("GET", "orders") => Answer::json(200, &orders(shared)),
        ("GET", "fills") => Answer::json(200, &fills(shared)),
        ("GET", "account") => {
            let account = shared.lock().account();
            let held = account
                .positions
                .iter()
                .map(|(symbol, units)| (symbol.to_string(), json!(units.to_string())));
            let held: Map<String, Value> = held.collect();
            Answer::json(200, &json!({"cash": account.cash.to_string(), "positions": held}))
        }
        _ => Answer::json(404, &json!({"error": format!("there is no {} {}", request.method, request.path)})),
    }
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|error| format!("the body cannot be read: {error}"))
}

fn quotes(request: &Request) -> Result<Vec<Quote>, String> {
    if request.body.first() == Some(&b'[') { read(request) } else { Ok(vec![read(request)?]) }
}

fn facts(shared: &Shared) -> Value {
    let inner = shared.lock();
    let secrets = inner.dialect.credentials();
    let secrets: Map<String, Value> =
        secrets.iter().map(|(name, secret)| (name.to_string(), json!(secret.expose_secret()))).collect();
    json!({
        "name": inner.dialect.name(),
        "endpoints": inner.dialect.endpoints(&shared.host, false),
        "credentials": secrets,
        "symbols": inner.dialect.symbols(),
        "streams": inner.following(),
    })
}

fn heard(shared: &Shared) -> Value {
    let heard = std::mem::take(&mut shared.lock().heard);
    heard
        .into_iter()
        .map(|heard| {
            json!({
                "method": heard.method, "target": heard.target, "headers": heard.headers,
                "body": String::from_utf8_lossy(&heard.body),
            })
        })
        .collect()
}

fn orders(shared: &Shared) -> Value {
    let inner = shared.lock();
    inner
        .orders()
        .into_iter()
        .map(|order| {
            json!({
                "id": order.id, "client_id": order.client_id, "symbol": order.symbol, "buys": order.buys,
                "order_type": order.order_type, "tif": order.tif, "quantity": order.quantity.to_string(),
                "limit_price": order.limit_price.map(|price| price.to_string()),
                "stop_price": order.stop_price.map(|price| price.to_string()),
                "extended_hours": order.extended_hours, "filled": order.filled.to_string(),
                "state": order.state,
            })
        })
        .collect()
}

fn fills(shared: &Shared) -> Value {
    let inner = shared.lock();
    inner
        .fills()
        .into_iter()
        .map(|fill| {
            json!({
                "id": fill.id, "order": fill.order, "symbol": fill.symbol, "bought": fill.bought,
                "quantity": fill.quantity.to_string(), "price": fill.price.to_string(),
                "fees": fill.fees.to_string(), "time": fill.time.to_string(),
            })
        })
        .collect()
}
