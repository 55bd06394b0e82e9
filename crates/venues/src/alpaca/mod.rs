//! Alpaca: trading API version 2, its stream of trade updates, and the data API with its streams, at one address.

mod activities;
mod assets;
mod data;
mod orders;
mod pack;
mod prices;
mod read;
mod render;
mod stream;

use crate::desk::{Desk, FillRow, Habits, State, ids, not_possible};
use crate::dialect::{Answer, Dialect, Fields, Follower, Request, Trouble};
use crate::{Double, Options, StartError};
use http::Method;
use mts_foundation::double::{Act, Call, CallFault, Happening, NotPossible, WrongAnswer};
use mts_foundation::{FillId, Symbol};
use mts_matching::FeeModel;
use secrecy::SecretString;
use serde_json::json;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Requests of a minute that the venue allows, as its headers say. Only a fault refuses one.
const REQUESTS_PER_MINUTE: u64 = 200;

/// Starts the double.
pub(crate) fn start(options: Options) -> Result<Double, StartError> {
    let variants = options.variants_of("alpaca", &["paid"])?;
    let habits = Habits {
        immediate_ends: State::Canceled,
        cancels_later: true,
        // Shares cost nothing. The fee of crypto is posted apart from its fill, at the end of the day, which a double
        // leaves to `Happening::Cash`.
        fees: |_| FeeModel::free(),
        order_id: |seed, number| ids::uuid(seed, "order", number),
    };
    let desk = Desk::new(options.seed, options.cash, habits)
        .map_err(|error| StartError::Setting(error.to_string()))?;
    let digits = |kind, length| ids::digits(options.seed, kind, 0, length);
    let alpaca = Alpaca {
        key: format!("PK{}", digits("alpaca key", 18).to_ascii_uppercase()),
        secret: digits("alpaca secret", 40),
        minute: 0,
        used: 0,
        paid: variants.iter().any(|variant| variant == "paid"),
        seats: prices::PATHS.map(|path| (path, Arc::default())).into(),
    };
    Double::run(Box::new(alpaca), desk, options)
}

/// The venue's wire.
struct Alpaca {
    key: String,
    secret: String,
    /// The minute that is counted, since 1970, and how many requests it has had.
    minute: i64,
    used: u64,
    /// Whether the plan has the data of all exchanges, and streams of any number of symbols.
    paid: bool,
    /// Clients of the streams of prices, by path.
    seats: BTreeMap<&'static str, Arc<AtomicUsize>>,
}

/// An error in Alpaca's words.
fn error(status: u16, code: u32, message: impl Into<String>) -> Answer {
    Answer::json(status, &json!({"code": code, "message": message.into()}))
}

fn unprocessable(message: impl Into<String>) -> Answer {
    error(422, 42_210_000, message)
}

fn forbidden(message: impl Into<String>) -> Answer {
    error(403, 40_310_000, message)
}

fn not_found(message: impl Into<String>) -> Answer {
    error(404, 40_410_000, message)
}

/// The rest of a path after a folder, decoded.
fn below(path: &str, folder: &str) -> Option<String> {
    let rest = path.strip_prefix(folder)?;
    (!rest.is_empty()).then(|| crate::server::decoded(rest))
}

impl Alpaca {
    fn is_authorised(&self, request: &Request) -> bool {
        request.header("apca-api-key-id") == Some(self.key.as_str())
            && request.header("apca-api-secret-key") == Some(self.secret.as_str())
    }

    fn route(&self, desk: &mut Desk, request: &Request) -> Answer {
        let path = request.path.as_str();
        if let Some(id) = below(path, "/v2/orders/") {
            return match request.method {
                Method::GET => orders::get(desk, &id),
                Method::DELETE => orders::cancel(desk, &id),
                Method::PATCH => orders::replace(desk, &id, request),
                _ => error(405, 40_510_000, "method not allowed"),
            };
        }
        if let Some(symbol) = below(path, "/v2/positions/") {
            return render::position_of(desk, &symbol);
        }
        if let Some(symbol) = below(path, "/v2/assets/") {
            return assets::one(desk, &symbol);
        }
        match (&request.method, path) {
            (&Method::POST, "/v2/orders") => orders::submit(desk, request),
            (&Method::GET, "/v2/orders") => orders::list(desk, request),
            (&Method::DELETE, "/v2/orders") => orders::cancel_all(desk),
            (&Method::GET, "/v2/orders:by_client_order_id") => orders::by_client_id(desk, request),
            (&Method::GET, "/v2/account") => Answer::json(200, &render::account(desk)),
            (&Method::GET, "/v2/positions") => Answer::json(200, &render::positions(desk)),
            (&Method::GET, "/v2/assets") => assets::all(desk, request),
            (&Method::GET, "/v2/clock") => assets::clock(desk),
            (&Method::GET, "/v2/calendar") => assets::calendar(desk, request),
            (&Method::GET, path) if data::is_data(path) => data::answer(desk, request, self.paid),
            (&Method::GET, path) if path.starts_with("/v2/account/activities") => {
                activities::list(desk, request)
            }
            _ => not_found("endpoint not found"),
        }
    }

    /// The headers that tell how many requests are left.
    fn count(&mut self, desk: &Desk, answer: Answer) -> Answer {
        let minute = desk.clock().nanos() / 60_000_000_000;
        if minute != self.minute {
            (self.minute, self.used) = (minute, 0);
        }
        self.used += 1;
        let left = REQUESTS_PER_MINUTE.saturating_sub(self.used);
        answer
            .with("x-ratelimit-limit", REQUESTS_PER_MINUTE)
            .with("x-ratelimit-remaining", left)
            .with("x-ratelimit-reset", (minute + 1) * 60)
            .with("x-request-id", desk.uuid("request", self.used))
    }
}

impl Dialect for Alpaca {
    fn name(&self) -> &'static str {
        "alpaca"
    }

    fn endpoints(&self, host: &str, _tls: bool) -> BTreeMap<SmolStr, String> {
        BTreeMap::from([
            ("rest".into(), format!("http://{host}")),
            ("data".into(), format!("http://{host}")),
            ("stream".into(), format!("ws://{host}/stream")),
        ])
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::from([
            ("key_id".into(), self.key.clone().into()),
            ("secret_key".into(), self.secret.clone().into()),
        ])
    }

    fn symbols(&self) -> Vec<Symbol> {
        assets::listed()
    }

    /// The venue's ids of an execution differ between stream and history, so that it is known by its order and how much
    /// of that was filled then.
    fn fill_id(&self, fill: &FillRow) -> Option<FillId> {
        FillId::new(format!("{}:{}", fill.order_id, fill.cumulative.normalize())).ok()
    }

    fn possible(&self, act: &Act) -> Result<(), NotPossible> {
        let never = |what: &str| Err(not_possible(format!("Alpaca {what}")));
        match act {
            Act::Call { call: Call::Login, .. } | Act::ExpireTokens => {
                never("has keys and no sessions that end")
            }
            Act::Call { call: Call::Cancel, fault: CallFault::Wrong(wrong), .. }
                if !matches!(wrong, WrongAnswer::Html) =>
            {
                never("answers a cancellation with a status and no body, which cannot be wrong in that way")
            }
            Act::Happen(Happening::Correct { .. } | Happening::Bust { .. }) => {
                never("tells of no corrected or annulled executions in this API")
            }
            _ => Ok(()),
        }
    }

    fn call_of(&self, request: &Request) -> Option<Call> {
        let path = request.path.as_str();
        let is = |prefix: &str| path.starts_with(prefix);
        match request.method {
            Method::POST if path == "/v2/orders" => Some(Call::Submit),
            Method::PATCH if is("/v2/orders/") => Some(Call::Replace),
            Method::DELETE if is("/v2/orders") => Some(Call::Cancel),
            Method::GET if path == "/stream" || prices::PATHS.contains(&path) => Some(Call::Stream),
            Method::GET if is("/v2/orders/") || is("/v2/orders:") => Some(Call::Order),
            Method::GET if path == "/v2/orders" => Some(Call::Orders),
            Method::GET if is("/v2/account/activities") => Some(Call::Fills),
            Method::GET if path == "/v2/account" => Some(Call::Account),
            Method::GET if is("/v2/positions") => Some(Call::Positions),
            Method::GET if is("/v2/assets") || is("/v2/calendar") => Some(Call::Instruments),
            Method::GET if data::is_data(path) => Some(Call::Prices),
            Method::GET if path == "/v2/clock" => Some(Call::Time),
            _ => None,
        }
    }

    fn answer(&mut self, desk: &mut Desk, request: &Request) -> Answer {
        let answer = if data::is_public(&request.path) || self.is_authorised(request) {
            self.route(desk, request)
        } else {
            self.trouble(Trouble::NotAuthorised, desk)
        };
        self.count(desk, answer)
    }

    fn trouble(&self, trouble: Trouble, _desk: &Desk) -> Answer {
        match trouble {
            Trouble::Down(status) => {
                error(status, u32::from(status) * 100_000 + 10_000, "internal server error occurred")
            }
            Trouble::TooMany(retry_after) => {
                let answer = error(429, 42_910_000, "rate limit exceeded")
                    .with("x-ratelimit-limit", REQUESTS_PER_MINUTE)
                    .with("x-ratelimit-remaining", 0);
                match retry_after {
                    Some(seconds) => answer.with("retry-after", seconds),
                    None => answer,
                }
            }
            Trouble::NotAuthorised => error(401, 40_110_000, "request is not authorized"),
            Trouble::Strange => error(422, 42_299_999, "the moon is in the wrong house"),
        }
    }

    fn fields(&self) -> Fields {
        Fields {
            names: &["status", "event", "type", "order_status", "order_type", "T"],
            numbers: &["qty", "filled_qty", "cum_qty", "price", "cash", "equity", "bp", "ap", "timestamp"],
            ids: &["id", "client_order_id", "order_id"],
        }
    }

    fn follower(&mut self, request: &Request, refused: bool) -> Box<dyn Follower> {
        let key = (self.key.clone(), self.secret.clone());
        if let Some(seats) = self.seats.get(request.path.as_str()) {
            let terms = prices::Terms { key, refused, paid: self.paid, seats: Arc::clone(seats) };
            return Box::new(prices::Prices::new(request, terms));
        }
        Box::new(stream::TradeUpdates::new(key, refused))
    }
}
