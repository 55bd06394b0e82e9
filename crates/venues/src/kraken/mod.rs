//! Kraken spot: the public and private calls over HTTP, and the public and private WebSocket, version 2, at one address.

mod market;
mod orders;
mod pairs;
mod prices;
mod query;
mod render;
mod sign;
mod stream;

use crate::desk::{Desk, FillRow, Habits, State, ids, not_possible};
use crate::dialect::{Answer, Dialect, Fields, Follower, Request, Trouble};
use crate::{Double, Options, StartError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mts_foundation::double::{Act, Call, Happening, NotPossible};
use mts_foundation::{Decimal, FillId, Symbol, Timestamp};
use mts_matching::{FeeModel, Rate};
use orders::Said;
use secrecy::SecretString;
use serde_json::{Value, json};
use sign::Params;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stream::{Executions, Tokens};

/// What the key may do: trade and ask, and no more.
const PERMISSIONS: &[&str] = &[
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "query-ledger",
    "modify-trades",
    "close-trades",
    "create-ws-token",
];

/// Longest time until everything is cancelled.
const CANCEL_AFTER_AT_MOST: u64 = 86_400;

/// Starts the double.
pub(crate) fn start(options: Options) -> Result<Double, StartError> {
    let habits = Habits {
        immediate_ends: State::Canceled,
        cancels_later: true,
        fees: |_| {
            let points = |points: u32| Rate::BasisPoints(Decimal::from(points));
            FeeModel::flat(points(25), points(40))
        },
        order_id: |seed, number| render::id('O', seed, "order", number),
    };
    let desk = Desk::new(options.seed, options.cash, habits)
        .map_err(|error| StartError::Setting(error.to_string()))?;
    let kraken = Kraken {
        seed: options.seed,
        key: STANDARD.encode(ids::bytes(options.seed, "kraken key", 42)),
        secret: ids::bytes(options.seed, "kraken secret", 64),
        nonce: 0,
        tokens: Arc::new(Tokens::new(options.seed)),
        cancels_at: None,
    };
    Double::run(Box::new(kraken), desk, options)
}

/// The venue's wire.
struct Kraken {
    seed: u64,
    key: String,
    secret: Vec<u8>,
    /// The highest that was used.
    nonce: u128,
    tokens: Arc<Tokens>,
    /// When everything is cancelled unless the client says otherwise.
    cancels_at: Option<Timestamp>,
}

/// A result.
fn result(result: impl Into<Value>) -> Answer {
    Answer::json(200, &json!({"error": [], "result": result.into()}))
}

/// An error in the venue's words; the status says nothing of it.
fn refused(error: impl Into<String>) -> Answer {
    Answer::json(200, &json!({"error": [error.into()]}))
}

fn said(said: Said<Value>) -> Answer {
    match said {
        Ok(value) => result(value),
        Err(error) => refused(error),
    }
}

impl Kraken {
    /// The parameters of a private call that is let in.
    fn enter(&mut self, request: &Request) -> Result<Params, Answer> {
        if request.method != http::Method::POST {
            return Err(refused("EGeneral:Unknown method"));
        }
        if request.header("api-key") != Some(self.key.as_str()) {
            return Err(refused("EAPI:Invalid key"));
        }
        let Some(params) = Params::of(request) else { return Err(refused("EGeneral:Invalid arguments")) };
        let nonce = params.get("nonce").unwrap_or_default().to_owned();
        let signature = request.header("api-sign").unwrap_or_default();
        if !sign::is_right(&self.secret, &request.path, &nonce, &request.body, signature) {
            return Err(refused("EAPI:Invalid signature"));
        }
        match nonce.parse::<u64>().map(u128::from) {
            Ok(nonce) if nonce > self.nonce => self.nonce = nonce,
            _ => return Err(refused("EAPI:Invalid nonce")),
        }
        Ok(params)
    }

    fn private(&mut self, desk: &mut Desk, request: &Request, call: &str) -> Answer {
        let params = match self.enter(request) {
            Ok(params) => params,
            Err(answer) => return answer,
        };
        let seed = self.seed;
        match call {
            "AddOrder" => added(desk, &params),
            "CancelOrder" => {
                said(orders::cancel(desk, &params).map(|count| json!({"count": count, "pending": true})))
            }
            "CancelAll" => result(json!({"count": orders::cancel_all(desk)})),
            "CancelAllOrdersAfter" => self.cancel_after(desk, &params),
            "AmendOrder" => said(orders::amend(desk, seed, &params).map(|id| json!({"amend_id": id}))),
            "EditOrder" => said(orders::edit(desk, &params)),
            "OpenOrders" => query::open(desk, seed, &params),
            "ClosedOrders" => query::closed(desk, seed, &params),
            "QueryOrders" => query::orders_by_id(desk, seed, &params),
            "TradesHistory" => query::trades(desk, seed, &params),
            "QueryTrades" => query::trades_by_id(desk, seed, &params),
            "Ledgers" => query::ledgers(desk, seed, &params),
            "Balance" => query::balance(desk),
            "BalanceEx" => query::balance_and_holds(desk),
            "TradeBalance" => query::trade_balance(desk),
            "GetApiKeyInfo" => query::key_info(&self.key, self.nonce, PERMISSIONS, desk.clock()),
            "GetWebSocketsToken" => {
                result(json!({"token": self.tokens.give(desk.clock()), "expires": stream::TOKEN_SECONDS}))
            }
            _ => refused("EGeneral:Unknown method"),
        }
    }

    fn cancel_after(&mut self, desk: &Desk, params: &Params) -> Answer {
        let now = desk.clock();
        let Some(Ok(seconds @ 0..=CANCEL_AFTER_AT_MOST)) = params.get("timeout").map(str::parse::<u64>)
        else {
            return refused("EGeneral:Invalid arguments:timeout");
        };
        self.cancels_at = (seconds > 0).then(|| now.plus(Duration::from_secs(seconds)));
        let trigger = self.cancels_at.map_or_else(|| "0".to_owned(), render::instant);
        result(json!({"currentTime": render::instant(now), "triggerTime": trigger}))
    }

    fn public(&self, desk: &Desk, request: &Request, call: &str) -> Answer {
        let now = desk.clock();
        match call {
            "Time" => result(json!({
                "unixtime": now.nanos().div_euclid(1_000_000_000),
                "rfc1123": now.to_datetime().format("%a, %d %b %y %H:%M:%S +0000").to_string(),
            })),
            "SystemStatus" => result(json!({
                "status": "online", "timestamp": now.to_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            })),
            "Assets" => pairs::assets(desk),
            "AssetPairs" => pairs::asset_pairs(desk, request),
            "Ticker" => pairs::ticker(desk, request),
            "Trades" => market::trades(desk, request).unwrap_or_else(|refusal| refusal),
            "OHLC" => market::candles(desk, request).unwrap_or_else(|refusal| refusal),
            _ => refused("EGeneral:Unknown method"),
        }
    }
}

/// The answer to an order.
fn added(desk: &mut Desk, params: &Params) -> Answer {
    match orders::add(desk, params) {
        Err(error) => refused(error),
        Ok(added) => match added.placed {
            None => result(json!({"descr": added.description})),
            Some(placed) => {
                let answer = result(json!({"descr": added.description, "txid": [placed.row.id]}));
                Answer { waits: placed.answer_waits, ..answer }
            }
        },
    }
}

impl Dialect for Kraken {
    fn name(&self) -> &'static str {
        "kraken"
    }

    fn endpoints(&self, host: &str, _tls: bool) -> BTreeMap<SmolStr, String> {
        BTreeMap::from([
            ("rest".into(), format!("http://{host}")),
            ("stream".into(), format!("ws://{host}/v2")),
        ])
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::from([
            ("api_key".into(), self.key.clone().into()),
            ("api_secret".into(), STANDARD.encode(&self.secret).into()),
        ])
    }

    fn symbols(&self) -> Vec<Symbol> {
        pairs::listed()
    }

    fn fill_id(&self, fill: &FillRow) -> Option<FillId> {
        FillId::new(render::trade_id(self.seed, fill)).ok()
    }

    fn possible(&self, act: &Act) -> Result<(), NotPossible> {
        let never = |what: &str| Err(not_possible(format!("Kraken {what}")));
        match act {
            Act::Happen(Happening::Correct { .. } | Happening::Bust { .. }) => {
                never("tells of no corrected or annulled executions in this API")
            }
            Act::Happen(Happening::Reject { .. }) => {
                never("has no state for an order that is refused after it was taken: it is cancelled")
            }
            _ => Ok(()),
        }
    }

    fn tick(&mut self, desk: &mut Desk) -> bool {
        if self.cancels_at.is_none_or(|at| at > desk.clock()) {
            return false;
        }
        self.cancels_at = None;
        orders::cancel_all(desk) > 0
    }

    fn expire_tokens(&mut self) {
        self.tokens.forget();
    }

    fn call_of(&self, request: &Request) -> Option<Call> {
        if request.path == "/v2" {
            return Some(Call::Stream);
        }
        let call =
            request.path.strip_prefix("/0/private/").or_else(|| request.path.strip_prefix("/0/public/"))?;
        match call {
            "AddOrder" => Some(Call::Submit),
            "CancelOrder" | "CancelAll" | "CancelAllOrdersAfter" => Some(Call::Cancel),
            "AmendOrder" | "EditOrder" => Some(Call::Replace),
            "QueryOrders" => Some(Call::Order),
            "OpenOrders" | "ClosedOrders" => Some(Call::Orders),
            "TradesHistory" | "QueryTrades" | "Ledgers" => Some(Call::Fills),
            "Balance" | "BalanceEx" => Some(Call::Positions),
            "TradeBalance" | "GetApiKeyInfo" => Some(Call::Account),
            "GetWebSocketsToken" => Some(Call::Login),
            "Assets" | "AssetPairs" => Some(Call::Instruments),
            "Ticker" | "Trades" | "OHLC" => Some(Call::Prices),
            "Time" | "SystemStatus" => Some(Call::Time),
            _ => None,
        }
    }

    fn answer(&mut self, desk: &mut Desk, request: &Request) -> Answer {
        if let Some(call) = request.path.strip_prefix("/0/private/") {
            return self.private(desk, request, call);
        }
        match request.path.strip_prefix("/0/public/") {
            Some(call) => self.public(desk, request, call),
            None => refused("EGeneral:Unknown method"),
        }
    }

    fn trouble(&self, trouble: Trouble, desk: &Desk) -> Answer {
        match trouble {
            // The venue says itself that it is down, or what stands before it does.
            Trouble::Down(503) => refused("EService:Unavailable"),
            Trouble::Down(500) => refused("EGeneral:Internal error"),
            Trouble::Down(status) => {
                let page = "<html><head><title>Bad gateway</title></head><body>cloudflare</body></html>";
                Answer { body: page.into(), ..Answer::empty(status) }.with("content-type", "text/html")
            }
            Trouble::TooMany(None) => refused("EAPI:Rate limit exceeded"),
            Trouble::TooMany(Some(seconds)) => {
                let until = desk.clock().nanos().div_euclid(1_000_000_000) + i64::from(seconds);
                refused(format!("EService:Throttled:{until}"))
            }
            Trouble::NotAuthorised => refused("EAPI:Invalid signature"),
            Trouble::Strange => refused("EOrder:The moon is in the wrong house"),
        }
    }

    fn fields(&self) -> Fields {
        Fields {
            names: &[
                "status",
                "type",
                "ordertype",
                "exec_type",
                "order_status",
                "order_type",
                "side",
                "time_in_force",
            ],
            numbers: &[
                "vol",
                "vol_exec",
                "price",
                "cost",
                "fee",
                "balance",
                "hold_trade",
                "eb",
                "unixtime",
                "opentm",
                "pair_decimals",
                "ordermin",
                "expires",
                "amount",
                "time",
            ],
            ids: &["cl_ord_id", "ordertxid", "pair"],
        }
    }

    fn follower(&mut self, _request: &Request, refused: bool) -> Box<dyn Follower> {
        Box::new(Executions::new(self.seed, Arc::clone(&self.tokens), refused))
    }
}
