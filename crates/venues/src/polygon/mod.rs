//! Polygon, now Massive: the REST API of prices and the stream of shares, at one address. It has no account.

mod rest;
mod stream;

use crate::desk::{Desk, FillRow, Habits, State, ids, not_possible};
use crate::dialect::{Answer, Dialect, Fields, Follower, Request, Trouble};
use crate::{Double, Options, StartError};
use mts_foundation::double::{Act, Call, NotPossible};
use mts_foundation::symbology::{EquityForm, Form, PairForm};
use mts_foundation::{Decimal, FillId, Symbol, VenueSymbology};
use mts_matching::FeeModel;
use secrecy::SecretString;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// How the venue spells instruments.
const SPELLING: VenueSymbology = VenueSymbology::new(
    "polygon",
    &[
        Form::Equity(EquityForm::PLAIN),
        Form::Fx(PairForm { prefix: "C:", separator: "", ..PairForm::PLAIN }),
        Form::Crypto(PairForm { prefix: "X:", separator: "", quotes: &["USD"], ..PairForm::PLAIN }),
    ],
);

/// What is listed.
const LISTED: [&str; 8] = ["AAPL", "MSFT", "SPY", "BRK.B", "F", "BTC-USD", "ETH-USD", "EUR-USD"];

/// Starts the double.
pub(crate) fn start(options: Options) -> Result<Double, StartError> {
    let variants = options.variants_of("polygon", &["bars_only"])?;
    let habits = Habits {
        immediate_ends: State::Canceled,
        cancels_later: false,
        fees: |_| FeeModel::free(),
        order_id: |seed, number| ids::uuid(seed, "order", number),
    };
    let desk = Desk::new(options.seed, options.cash, habits)
        .map_err(|error| StartError::Setting(error.to_string()))?;
    let polygon = Polygon {
        key: ids::letters(options.seed, "polygon key", 0, 32),
        bars_only: variants.iter().any(|variant| variant == "bars_only"),
        seats: Arc::default(),
    };
    Double::run(Box::new(polygon), desk, options)
}

/// The venue's wire.
struct Polygon {
    key: String,
    /// The plan streams bars, and neither prints nor quotes.
    bars_only: bool,
    /// Clients of the stream.
    seats: Arc<AtomicUsize>,
}

/// The id of a request, which every answer has.
fn request_id(desk: &Desk) -> Value {
    json!(desk.digits("request", desk.clock().nanos().cast_unsigned(), 32))
}

/// A refusal.
fn refused(desk: &Desk, status: u16, word: &str, message: impl Into<String>) -> Answer {
    let said = if word == "ERROR" { "error" } else { "message" };
    Answer::json(status, &json!({"status": word, "request_id": request_id(desk), said: message.into()}))
}

/// An instrument of a text of the venue's: what is listed or has a price.
fn by_native(desk: &Desk, native: &str) -> Option<Symbol> {
    let symbol = SPELLING.from_native(native).ok()?;
    let known = LISTED.contains(&symbol.as_str()) || desk.price(&symbol).is_some();
    known.then_some(symbol)
}

/// Prices are JSON numbers.
fn price(value: Decimal) -> Value {
    serde_json::from_str(&crate::dialect::number(value)).unwrap_or(Value::Null)
}

impl Polygon {
    fn is_authorised(&self, request: &Request) -> bool {
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        bearer.or(request.parameter("apiKey")) == Some(self.key.as_str())
    }
}

impl Dialect for Polygon {
    fn name(&self) -> &'static str {
        "polygon"
    }

    fn endpoints(&self, host: &str, _tls: bool) -> BTreeMap<SmolStr, String> {
        BTreeMap::from([
            ("rest".into(), format!("http://{host}")),
            ("stream".into(), format!("ws://{host}/stocks")),
        ])
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::from([("api_key".into(), self.key.clone().into())])
    }

    fn symbols(&self) -> Vec<Symbol> {
        LISTED.iter().filter_map(|symbol| Symbol::new(symbol).ok()).collect()
    }

    fn fill_id(&self, _fill: &FillRow) -> Option<FillId> {
        None
    }

    fn possible(&self, act: &Act) -> Result<(), NotPossible> {
        match act {
            Act::Stream(_)
            | Act::Outage(_)
            | Act::Clock(_)
            | Act::Call { call: Call::Prices | Call::Stream | Call::Instruments, .. } => Ok(()),
            _ => Err(not_possible("Polygon has prices, and neither orders nor an account".to_owned())),
        }
    }

    fn call_of(&self, request: &Request) -> Option<Call> {
        match request.path.as_str() {
            "/stocks" => Some(Call::Stream),
            path if path.starts_with("/v") => Some(Call::Prices),
            _ => None,
        }
    }

    fn answer(&mut self, desk: &mut Desk, request: &Request) -> Answer {
        if self.is_authorised(request) {
            rest::answer(desk, request)
        } else {
            self.trouble(Trouble::NotAuthorised, desk)
        }
    }

    fn trouble(&self, trouble: Trouble, desk: &Desk) -> Answer {
        match trouble {
            Trouble::Down(status) => refused(desk, status, "ERROR", "an unexpected error occurred"),
            Trouble::TooMany(retry_after) => {
                let answer = refused(desk, 429, "ERROR", "you've exceeded the maximum requests per minute");
                match retry_after {
                    Some(seconds) => answer.with("retry-after", seconds),
                    None => answer,
                }
            }
            Trouble::NotAuthorised => refused(desk, 401, "ERROR", "Unknown API Key"),
            Trouble::Strange => refused(desk, 400, "ERROR", "the moon is in the wrong house"),
        }
    }

    fn fields(&self) -> Fields {
        Fields {
            names: &["status", "ev"],
            numbers: &["p", "P", "s", "S", "o", "h", "l", "v", "price", "size", "bp", "ap", "t"],
            ids: &["id", "ticker", "T", "sym"],
        }
    }

    fn follower(&mut self, _request: &Request, refused: bool) -> Box<dyn Follower> {
        let terms = stream::Terms {
            key: self.key.clone(),
            refused,
            bars_only: self.bars_only,
            seats: Arc::clone(&self.seats),
        };
        Box::new(stream::Prices::new(terms))
    }
}
