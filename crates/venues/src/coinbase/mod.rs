//! Coinbase Advanced Trade: REST API version 3 and the user channel of its WebSocket; and the public feed of Coinbase Exchange.
//! All of it is at one address.

mod accounts;
mod exchange;
mod jwt;
mod market;
mod orders;
mod products;
mod render;
mod socket;
mod stream;

use crate::desk::{Desk, FillRow, Habits, State, ids, not_possible};
use crate::dialect::{Answer, Dialect, Fields, Follower, Request, Trouble};
use crate::{Double, Options, StartError};
use http::Method;
use jwt::ApiKey;
use mts_foundation::double::{Act, Call, Happening, NotPossible};
use mts_foundation::{FillId, Symbol};
use secrecy::SecretString;
use serde_json::json;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What all paths begin with.
const FOLDER: &str = "/api/v3/brokerage";

/// A key of this kind in place of an ECDSA one.
const ED25519: &str = "ed25519";
/// A used client id is refused, in place of answered with its order.
const REFUSES_DUPLICATES: &str = "duplicates_refused";
/// The key may move money out.
const TRANSFERS: &str = "transfer_key";

/// Starts the double.
pub(crate) fn start(options: Options) -> Result<Double, StartError> {
    let variants = options.variants_of("coinbase", &[ED25519, REFUSES_DUPLICATES, TRANSFERS])?;
    let has = |name: &str| variants.iter().any(|variant| variant == name);
    let habits = Habits {
        immediate_ends: State::Canceled,
        cancels_later: true,
        fees: products::fees,
        order_id: |seed, number| ids::uuid(seed, "order", number),
    };
    let setting = |error: &dyn ToString| StartError::Setting(error.to_string());
    let desk = Desk::new(options.seed, options.cash, habits).map_err(|error| setting(&error))?;
    let key = ApiKey::of_seed(options.seed, has(ED25519));
    let key = key.ok_or_else(|| setting(&format!("no key can be made of the seed {}", options.seed)))?;
    let (refuses_duplicates, transfers) = (has(REFUSES_DUPLICATES), has(TRANSFERS));
    let coinbase = Coinbase { key, seed: options.seed, refuses_duplicates, transfers };
    Double::run(Box::new(coinbase), desk, options)
}

/// The venue's wire.
struct Coinbase {
    key: ApiKey,
    seed: u64,
    refuses_duplicates: bool,
    transfers: bool,
}

/// An error in the venue's words.
fn error(status: u16, name: &str, message: impl Into<String>) -> Answer {
    let message = message.into();
    Answer::json(status, &json!({"error": name, "error_details": message, "message": message}))
}

fn invalid(message: impl Into<String>) -> Answer {
    error(400, "INVALID_ARGUMENT", message)
}

fn not_found(message: impl Into<String>) -> Answer {
    error(404, "NOT_FOUND", message)
}

/// The rest of a path below the common folder.
fn below(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER)
}

/// What needs no key.
fn is_public(path: &str) -> bool {
    path == "/time" || path.starts_with("/market/")
}

fn time(desk: &Desk) -> Answer {
    let now = desk.clock();
    let millis = now.nanos() / 1_000_000;
    let (seconds, millis) = ((millis / 1_000).to_string(), millis.to_string());
    Answer::json(200, &json!({"iso": now.to_string(), "epochSeconds": seconds, "epochMillis": millis}))
}

impl Coinbase {
    /// Whether a request has a token of the key for exactly this.
    fn is_authorised(&self, desk: &Desk, request: &Request) -> bool {
        let token = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let host = request.header("host").unwrap_or_default();
        let uri = format!("{} {host}{}", request.method, request.path);
        token.is_some_and(|token| self.key.verify(token, desk.clock(), Some(&uri)).is_ok())
    }

    fn route(&self, desk: &mut Desk, request: &Request, path: &str) -> Answer {
        match (&request.method, path.strip_prefix("/market").unwrap_or(path)) {
            (&Method::GET, "/time") => time(desk),
            (&Method::GET, "/accounts") => accounts::list(desk, request),
            (&Method::GET, "/key_permissions") => accounts::key_permissions(desk, self.transfers),
            (&Method::GET, "/transaction_summary") => products::transaction_summary(desk),
            (&Method::GET, "/products") => products::all(desk, request),
            (&Method::GET, "/best_bid_ask") => products::best_bid_ask(desk, request),
            (&Method::GET, "/product_book") => products::book(desk, request),
            (&Method::GET, "/orders/historical/batch") => orders::list(desk, request),
            (&Method::GET, "/orders/historical/fills") => render::fills(desk, request),
            (&Method::POST, "/orders") => orders::submit(desk, request, self.refuses_duplicates),
            (&Method::POST, "/orders/preview") => orders::preview(desk, request),
            (&Method::POST, "/orders/batch_cancel") => orders::cancel(desk, request),
            (&Method::POST, "/orders/edit") => orders::edit(desk, request),
            (&Method::GET, path) => {
                let of_product = path.strip_prefix("/products/");
                if let Some(answer) = of_product.and_then(|rest| market::answer(desk, request, rest)) {
                    return answer;
                }
                let (folder, id) = path.rsplit_once('/').unwrap_or_default();
                let id = crate::server::decoded(id);
                match folder {
                    "/orders/historical" => orders::get(desk, &id),
                    "/accounts" => accounts::one(desk, &id),
                    "/products" => products::one(desk, &id),
                    _ => not_found("endpoint not found"),
                }
            }
            _ => not_found("endpoint not found"),
        }
    }
}

impl Dialect for Coinbase {
    fn name(&self) -> &'static str {
        "coinbase"
    }

    fn endpoints(&self, host: &str, _tls: bool) -> BTreeMap<SmolStr, String> {
        BTreeMap::from([("rest".into(), format!("http://{host}")), ("stream".into(), format!("ws://{host}"))])
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::from([
            ("api_key".into(), self.key.name.clone().into()),
            ("api_secret".into(), self.key.secret.clone().into()),
        ])
    }

    fn symbols(&self) -> Vec<Symbol> {
        products::listed()
    }

    fn fill_id(&self, fill: &FillRow) -> Option<FillId> {
        FillId::new(ids::digits(self.seed, "coinbase entry", fill.number, render::ENTRY_DIGITS)).ok()
    }

    fn possible(&self, act: &Act) -> Result<(), NotPossible> {
        let never = |what: &str| Err(not_possible(format!("Coinbase {what}")));
        match act {
            Act::Call { call: Call::Login, .. } | Act::ExpireTokens => {
                never("has no sessions: each request is signed by itself")
            }
            Act::Call { call: Call::Positions, .. } => never("tells positions as accounts"),
            Act::Happen(Happening::Correct { .. } | Happening::Bust { .. }) => {
                never("names rows of corrected fills in its documents and not what stands in them")
            }
            Act::Happen(Happening::Cash { .. }) => {
                never("tells deposits and withdrawals by another API, which the double does not have")
            }
            _ => Ok(()),
        }
    }

    fn call_of(&self, request: &Request) -> Option<Call> {
        if request.method == Method::GET && request.path == "/" {
            return Some(Call::Stream);
        }
        if request.method == Method::GET && request.path.starts_with("/products/") {
            return Some(Call::Prices);
        }
        let path = below(&request.path)?;
        let path = path.strip_prefix("/market").unwrap_or(path);
        match (&request.method, path) {
            (&Method::POST, "/orders") => Some(Call::Submit),
            (&Method::POST, "/orders/batch_cancel") => Some(Call::Cancel),
            (&Method::POST, "/orders/edit") => Some(Call::Replace),
            (&Method::POST, "/orders/preview") => Some(Call::Prices),
            (&Method::GET, "/orders/historical/batch") => Some(Call::Orders),
            (&Method::GET, "/orders/historical/fills") => Some(Call::Fills),
            (&Method::GET, path) if path.starts_with("/orders/historical/") => Some(Call::Order),
            (&Method::GET, path) if path.starts_with("/accounts") => Some(Call::Account),
            (&Method::GET, "/key_permissions" | "/transaction_summary") => Some(Call::Account),
            (&Method::GET, path) if path.ends_with("/ticker") || path.ends_with("/candles") => {
                Some(Call::Prices)
            }
            (&Method::GET, path) if path.starts_with("/products") => Some(Call::Instruments),
            (&Method::GET, "/best_bid_ask" | "/product_book") => Some(Call::Prices),
            (&Method::GET, "/time") => Some(Call::Time),
            _ => None,
        }
    }

    fn answer(&mut self, desk: &mut Desk, request: &Request) -> Answer {
        let Some(path) = below(&request.path) else {
            let older = market::older(desk, &request.path).or_else(|| exchange::trades(desk, request));
            return older.unwrap_or_else(|| not_found("endpoint not found"));
        };
        if is_public(path) || self.is_authorised(desk, request) {
            self.route(desk, request, path)
        } else {
            self.trouble(Trouble::NotAuthorised, desk)
        }
    }

    fn trouble(&self, trouble: Trouble, _desk: &Desk) -> Answer {
        match trouble {
            Trouble::Down(status) => error(status, "INTERNAL", "internal server error"),
            Trouble::TooMany(retry_after) => {
                let errors =
                    json!({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]});
                let answer = Answer::json(429, &errors).with("x-ratelimit-remaining", 0);
                match retry_after {
                    Some(seconds) => answer.with("retry-after", seconds),
                    None => answer,
                }
            }
            // Not JSON at this venue.
            Trouble::NotAuthorised => {
                let answer = Answer::empty(401).with("content-type", "text/plain; charset=utf-8");
                Answer { body: "Unauthorized\n".into(), ..answer }
            }
            Trouble::Strange => error(400, "MOON_IN_WRONG_HOUSE", "the moon is in the wrong house"),
        }
    }

    fn fields(&self) -> Fields {
        Fields {
            names: &["status", "side", "order_side", "order_type", "type", "trade_type", "failure_reason"],
            numbers: &[
                "base_size",
                "limit_price",
                "filled_size",
                "average_filled_price",
                "total_fees",
                "price",
                "size",
                "commission",
                "value",
                "epochMillis",
            ],
            ids: &["order_id", "client_order_id"],
        }
    }

    fn follower(&mut self, _request: &Request, refused: bool) -> Box<dyn Follower> {
        Box::new(socket::Socket::new(stream::UserStream::new(self.key.clone(), refused)))
    }
}
