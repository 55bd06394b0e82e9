//! Databento's live gateway for Nasdaq's shares: lines until the session starts, then its binary encoding. Prices alone, as
//! they come; it has no account, and nothing of the past.

mod encode;
mod line;
mod session;

use crate::desk::{Desk, FillRow, Habits, State, ids, not_possible};
use crate::dialect::{Answer, Dialect, Fields, Follower, Request, Session, Trouble};
use crate::{Double, Options, StartError};
use mts_foundation::double::{Act, Call, CallFault, NotPossible, StreamFault, WrongAnswer};
use mts_foundation::symbology::{EquityForm, Form};
use mts_foundation::{FillId, Symbol, VenueSymbology};
use mts_matching::FeeModel;
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The data set that there is.
const DATASET: &str = "XNAS.ITCH";

/// How it spells instruments.
const SPELLING: VenueSymbology = VenueSymbology::new("databento", &[Form::Equity(EquityForm::PLAIN)]);

/// What is listed; an instrument's number is its place here, from 1.
const LISTED: [&str; 5] = ["AAPL", "MSFT", "SPY", "BRK.B", "F"];

/// Starts the double.
pub(crate) fn start(options: Options) -> Result<Double, StartError> {
    options.variants_of("databento", &[])?;
    if options.tls {
        let message = "tls is wanted, and Databento's gateway speaks plainly; leave it out";
        return Err(StartError::Setting(message.to_owned()));
    }
    let habits = Habits {
        immediate_ends: State::Canceled,
        cancels_later: false,
        fees: |_| FeeModel::free(),
        order_id: |seed, number| ids::uuid(seed, "order", number),
    };
    let desk = Desk::new(options.seed, options.cash, habits)
        .map_err(|error| StartError::Setting(error.to_string()))?;
    let databento = Databento {
        seed: options.seed,
        key: format!("db-{}", ids::letters(options.seed, "databento key", 0, 29)),
        connections: 0,
        seats: Arc::default(),
    };
    Double::run(Box::new(databento), desk, options)
}

/// The venue's wire.
struct Databento {
    seed: u64,
    key: String,
    /// How many there were.
    connections: u64,
    seats: Seats,
}

/// The places of sessions that are authenticated.
type Seats = Arc<AtomicUsize>;

/// A session's place, given back when it ends.
struct Seat(Seats);

impl Seat {
    /// Most sessions at once: those of the vendor's smallest plan.
    const MOST: usize = 10;

    /// One, if any is free.
    fn take(seats: &Seats) -> Option<Self> {
        let free = |taken: usize| (taken < Self::MOST).then_some(taken + 1);
        seats.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).is_ok().then(|| Self(Arc::clone(seats)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Databento {
    fn client(&mut self) -> session::Client {
        self.connections += 1;
        let number = self.connections;
        session::Client::new(session::Terms {
            key: self.key.clone(),
            challenge: ids::letters(self.seed, "databento challenge", number, 32),
            number,
            seats: Arc::clone(&self.seats),
        })
    }
}

impl Dialect for Databento {
    fn name(&self) -> &'static str {
        "databento"
    }

    fn endpoints(&self, host: &str, _tls: bool) -> BTreeMap<SmolStr, String> {
        BTreeMap::from([("dataset".into(), DATASET.to_owned()), ("gateway".into(), format!("tcp://{host}"))])
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
        let never = |what: &str| Err(not_possible(format!("Databento's gateway {what}")));
        match act {
            Act::Stream(
                StreamFault::Twice | StreamFault::Swapped | StreamFault::Lost | StreamFault::UnknownName,
            ) => never(
                "does not number its records or name anything in them: it can be cut, silent or garbled",
            ),
            Act::Call { call: Call::Prices | Call::Stream, fault: CallFault::Wrong(wrong), .. }
                if !matches!(wrong, WrongAnswer::Empty | WrongAnswer::Html | WrongAnswer::Truncated) =>
            {
                never("answers with a line or with records: they can be missing, cut short or a page")
            }
            Act::Stream(_)
            | Act::Outage(_)
            | Act::Clock(_)
            | Act::Call { call: Call::Prices | Call::Stream, .. } => Ok(()),
            _ => never("has prices as they come, and neither orders, an account nor a past"),
        }
    }

    fn call_of(&self, _request: &Request) -> Option<Call> {
        None
    }

    fn answer(&mut self, _desk: &mut Desk, _request: &Request) -> Answer {
        Answer::empty(404)
    }

    fn trouble(&self, _trouble: Trouble, _desk: &Desk) -> Answer {
        Answer::empty(404)
    }

    fn fields(&self) -> Fields {
        Fields { names: &[], numbers: &[], ids: &[] }
    }

    fn follower(&mut self, _request: &Request, _refused: bool) -> Box<dyn Follower> {
        Box::new(self.client())
    }

    fn speaks_first(&self) -> bool {
        true
    }

    fn session(&mut self) -> Option<Box<dyn Session>> {
        Some(Box::new(self.client()))
    }
}
