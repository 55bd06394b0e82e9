//! `mts reconcile`: compares accounts with the books, shows what differs, and takes over what a person says is right.

use super::act::config_of;
use super::operate::have_done;
use super::print::{exactly, say, say_json, table};
use crate::app::App;
use crate::args::order::ReconcileArgs;
use crate::error::{CliError, ExitKind};
use crate::run_folder::RunFolder;
use mts_engine::core::{AccountStanding, ForeignOrder};
use mts_engine::{Core, OperatorAct};
use mts_foundation::num::{exact, exact_option};
use mts_foundation::reconcile::Difference;
use mts_foundation::{
    ActorId, BrokerName, BrokerOrderId, Decimal, Fill, FundId, OrderId, OrderState, Side, Symbol, Timestamp,
};
use serde::Serialize;

/// Compares accounts with the books, shows what differs, or takes it over.
pub(crate) fn reconcile(app: &App, args: &ReconcileArgs) -> Result<(), CliError> {
    let folder = &args.act.out;
    if args.dry_run {
        let mut run = RunFolder::open(app, folder)?;
        run.catch_up()?;
        let wanted = |found: &Found| args.broker.as_ref().is_none_or(|broker| *broker == found.broker);
        let accounts: Vec<Found> = found(&run.core).filter(wanted).collect();
        return if args.act.json { say_json(&accounts) } else { tell(&accounts) };
    }
    let actor = match &args.actor {
        Some(actor) => actor.clone(),
        None => ActorId::new("operator").map_err(|error| CliError::new(ExitKind::Internal, error))?,
    };
    let reason = args.reason.clone().unwrap_or_default();
    if args.adopt.is_none() && args.book_cash.is_none() {
        let act = OperatorAct::Reconcile { broker: args.broker.clone(), actor };
        return have_done(folder, act)?.tell(folder, args.act.json);
    }
    let config = config_of(folder)?;
    let broker = args.broker.clone().unwrap_or(config.broker.name);
    let fund_id = args.fund.clone().unwrap_or(config.fund.fund_id);
    let act = match (&args.adopt, args.book_cash) {
        (Some(symbol), _) => OperatorAct::Adopt { broker, fund_id, symbol: symbol.clone(), actor, reason },
        (None, amount) => {
            let amount = amount.unwrap_or_default();
            OperatorAct::BookCash { broker, fund_id, kind: args.kind, amount, actor, reason }
        }
    };
    have_done(folder, act)?.tell(folder, args.act.json)
}

/// What is known of an account, from the last look at it and since.
#[derive(Debug, Serialize)]
struct Found {
    broker: BrokerName,
    connected: bool,
    /// When it was compared last; `None` = not since the start or the last reconnection.
    compared: Option<Timestamp>,
    /// When it was looked at last, also where a difference waits for another look.
    looked: Option<Timestamp>,
    /// Positions that differ, by instrument.
    positions: Vec<Position>,
    /// Cash that the account has more than the books; `None` = never compared.
    #[serde(with = "exact_option")]
    cash: Option<Decimal>,
    /// Our orders of which the venue is asked what became.
    asked_for: Vec<Asked>,
    /// Orders at the venue that nobody here made.
    foreign: Vec<Foreign>,
    /// Fills of no known order or instrument.
    set_aside: Vec<Fill>,
}

/// One position that differs.
#[derive(Debug, Serialize)]
struct Position {
    symbol: Symbol,
    #[serde(with = "exact")]
    books: Decimal,
    #[serde(with = "exact")]
    account: Decimal,
    /// It stayed: its instrument is blocked. Else it is looked at again.
    confirmed: bool,
    /// What `--adopt` would do; `None` where there is nothing to adopt yet.
    adopt: Option<String>,
}

/// One order that is asked for.
#[derive(Debug, Serialize)]
struct Asked {
    order_id: OrderId,
    state: OrderState,
    since: Timestamp,
}

/// One order of somebody else.
#[derive(Debug, Serialize)]
struct Foreign {
    broker_order_id: BrokerOrderId,
    symbol: Symbol,
    side: Side,
    #[serde(with = "exact")]
    quantity: Decimal,
}

/// What is known of each account.
fn found(core: &Core) -> impl Iterator<Item = Found> {
    core.accounts().map(|standing| {
        let AccountStanding { broker, connected, reconciled, looked, unexplained, suspects, foreign, cash } =
            standing;
        let aside: Vec<Fill> = core.state().unbooked_fills_at(&broker).cloned().collect();
        let fund = core.config().funds.iter().find(|fund| fund.config.broker == broker);
        let fund = fund.map(|fund| &fund.config.fund_id);
        let position = |found: Difference, confirmed: bool| {
            let adopt = confirmed.then(|| would_adopt(core, fund, &found, &aside));
            let Difference { symbol, ours, theirs } = found;
            Position { symbol, books: ours, account: theirs, confirmed, adopt }
        };
        let confirmed = unexplained.into_iter().map(|found| position(found, true));
        let positions = confirmed.chain(suspects.into_iter().map(|found| position(found, false))).collect();
        let of_broker = core.orders_asked_for().filter(|(record, _)| record.order.broker == broker);
        let asked_for = of_broker
            .map(|(record, since)| Asked {
                order_id: record.order.order_id.clone(),
                state: record.state,
                since,
            })
            .collect();
        let foreign = foreign
            .into_iter()
            .map(|(broker_order_id, ForeignOrder { symbol, side, quantity, .. })| Foreign {
                broker_order_id,
                symbol,
                side,
                quantity,
            })
            .collect();
        let set_aside = aside.clone();
        Found {
            broker,
            connected,
            compared: reconciled,
            looked,
            positions,
            cash,
            asked_for,
            foreign,
            set_aside,
        }
    })
}

/// What adopting a difference would do, in words.
fn would_adopt(core: &Core, fund: Option<&FundId>, found: &Difference, aside: &[Fill]) -> String {
    let symbol = &found.symbol;
    let Some(mark) = core.state().ledger().mark_of(symbol) else {
        return format!("nothing yet: {symbol} has no price");
    };
    let fund = fund.map_or("a fund".to_owned(), |fund_id| format!("fund {fund_id}"));
    let with = match aside.iter().filter(|fill| fill.symbol == *symbol).count() {
        0 => String::new(),
        1 => ", and settles the fill that was set aside".to_owned(),
        more => format!(", and settles {more} fills that were set aside"),
    };
    format!(
        "books {} {symbol} into {fund} at {}, without cash{with}",
        exactly(found.by()),
        exactly(mark.price)
    )
}

/// Says it.
fn tell(accounts: &[Found]) -> Result<(), CliError> {
    if accounts.is_empty() {
        say("no account was asked for yet; only runs in real time compare any");
    }
    for account in accounts {
        account.tell();
    }
    Ok(())
}

impl Found {
    fn tell(&self) {
        let Self { broker, positions, asked_for, foreign, set_aside, .. } = self;
        let connection = if self.connected { "connected" } else { "NOT CONNECTED" };
        let compared = match (self.compared, self.looked) {
            (Some(compared), Some(looked)) if looked > compared => {
                format!("compared at {compared}, looked at again at {looked}")
            }
            (Some(compared), _) => format!("compared at {compared}"),
            (None, Some(looked)) => {
                format!("not compared since the start or the last reconnection, looked at last at {looked}")
            }
            (None, None) => "never compared".to_owned(),
        };
        say(&format!("account at {broker}: {connection}, {compared}"));
        if positions.is_empty() && self.looked.is_some() {
            say("positions: account and books agree");
        }
        if !positions.is_empty() {
            let row = |found: &Position| {
                let next =
                    found.adopt.clone().unwrap_or_else(|| "looks again: a fill may be on its way".to_owned());
                vec![found.symbol.to_string(), exactly(found.books), exactly(found.account), next]
            };
            let rows = positions.iter().map(row).collect();
            say(&table(&["instrument", "books", "account", "--adopt"], rows, &[1, 2]));
        }
        match self.cash {
            Some(cash) if cash.is_zero() => say("cash: account and books agree"),
            Some(cash) => say(&format!(
                "cash: the account has {} more than the books; --book-cash AMOUNT --kind KIND books a movement",
                exactly(cash)
            )),
            None => say("cash: not compared"),
        }
        for Asked { order_id, state, since } in asked_for {
            say(&format!(
                "order {order_id} ({state}) is asked for since {since}; `mts order settle` ends it on your word"
            ));
        }
        for Foreign { broker_order_id, symbol, side, quantity } in foreign {
            say(&format!(
                "order {broker_order_id} ({side} {} {symbol}) works there and is not ours; cancel it there",
                exactly(*quantity)
            ));
        }
        for Fill { fill_id, side, quantity, symbol, order_id, .. } in set_aside {
            say(&format!(
                "fill {fill_id} ({side} {} {symbol}, order {order_id}) is set aside; --adopt {symbol} or `mts order settle \
                 {order_id}` settles it",
                exactly(*quantity)
            ));
        }
    }
}
