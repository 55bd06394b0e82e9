//! Interactive Brokers: the socket of Trader Workstation and its gateway, in the text dialect of version 178 and in protobuf.

mod account;
mod book;
mod contracts;
mod executions;
mod history;
mod message;
mod orders;
mod price_messages;
mod prices;
mod proto;
mod read;
mod render;
mod requests;
mod session;
mod spoil;
mod text;
mod tick_by_tick;
mod wire;

use crate::desk::{Desk, FillRow, Habits, State, What, not_possible};
use crate::dialect::{Answer, Dialect, Fields, Follower, Request, Session, Trouble};
use crate::{Double, Options, StartError};
use book::SharedBook;
use mts_foundation::double::{Act, Call, CallFault, Happening, NotPossible};
use mts_foundation::{AssetClass, Decimal, FillId, Symbol};
use mts_matching::FeeModel;
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Starts the double.
pub(crate) fn start(options: Options) -> Result<Double, StartError> {
    let habits =
        Habits { immediate_ends: State::Canceled, cancels_later: true, fees, order_id: render::order_id };
    let desk = Desk::new(options.seed, options.cash, habits)
        .map_err(|error| StartError::Setting(error.to_string()))?
        .with_multipliers(contracts::multiplier);
    let gateway = Gateway { book: SharedBook::new(options.seed), tended: 0 };
    Double::run(Box::new(gateway), desk, options)
}

/// What an order costs: the fixed rates of the venue's list for accounts in the United States, without the fees of
/// exchanges; a share's bound of one percent of the value is left out.
fn fees(symbol: &Symbol) -> FeeModel {
    let money = |value, places| Decimal::new(value, places);
    let class = symbol.parts().map(|parts| parts.asset_class());
    let (model, least) = match class {
        Ok(AssetClass::Options) => (FeeModel::per_unit(money(65, 2)), Decimal::ONE),
        Ok(AssetClass::Futures) => (FeeModel::per_unit(money(85, 2)), Decimal::ZERO),
        Ok(AssetClass::Fx) => (FeeModel::basis_points(money(2, 1)), Decimal::TWO),
        Ok(AssetClass::Crypto) => (FeeModel::basis_points(money(18, 0)), money(175, 2)),
        _ => (FeeModel::per_unit(money(5, 3)), Decimal::ONE),
    };
    model.bounded(Some(least), None).rounded(2)
}

/// The venue's wire.
struct Gateway {
    book: SharedBook,
    /// The number of the first event after which no group was looked at.
    tended: u64,
}

impl Dialect for Gateway {
    fn name(&self) -> &'static str {
        "ibkr"
    }

    fn endpoints(&self, host: &str, _tls: bool) -> BTreeMap<SmolStr, String> {
        let (host, port) = host.rsplit_once(':').unwrap_or((host, ""));
        BTreeMap::from([("host".into(), host.to_owned()), ("port".into(), port.to_owned())])
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        // Who reaches the port is in: the gateway has logged in by itself.
        BTreeMap::new()
    }

    fn symbols(&self) -> Vec<Symbol> {
        contracts::listed()
    }

    /// What the ids of an execution and of its corrections share.
    fn fill_id(&self, fill: &FillRow) -> Option<FillId> {
        FillId::new(render::execution_root(self.book.lock().mark(), fill.number)).ok()
    }

    fn possible(&self, act: &Act) -> Result<(), NotPossible> {
        let never = |what: &str| Err(not_possible(format!("Interactive Brokers {what}")));
        match act {
            Act::Call { call: Call::Login, .. } | Act::ExpireTokens => {
                never("lets in whoever reaches the gateway: clients have no sessions that end")
            }
            Act::Call { call: Call::Order, .. } => never("has no call that looks up one order"),
            Act::Call { fault: CallFault::TooMany { retry_after: Some(_) }, .. } => {
                never("does not say when to come again")
            }
            Act::Happen(Happening::Bust { .. }) => never("has no message that annuls an execution"),
            Act::Happen(Happening::Expire { .. }) => {
                never("tells of an expiry as of a cancellation, and has no word of its own for it")
            }
            _ => Ok(()),
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
        Box::new(session::Client::new(self.book.clone()))
    }

    fn tells_fees_apart(&self) -> bool {
        true
    }

    fn tick(&mut self, desk: &mut Desk) -> bool {
        let mut did = false;
        while let Some(event) = desk.event(self.tended).cloned() {
            self.tended = event.number + 1;
            did |= matches!(event.what, What::Fill(_)) && orders::cancel_group(desk, &event.order);
        }
        did
    }

    fn greeting(&self) -> Option<&'static [u8]> {
        Some(session::GREETING)
    }

    fn session(&mut self) -> Option<Box<dyn Session>> {
        Some(Box::new(session::Client::new(self.book.clone())))
    }
}
