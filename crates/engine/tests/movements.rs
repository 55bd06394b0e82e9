//! Cash that moves outside of orders, fees that follow their fills, and fills that were set aside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{Input, OperatorAct};
use mts_engine::{Core, Output};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus};
use mts_foundation::event::{CashMoved, Event};
use mts_foundation::{AccountId, ActorId, CashFlow, CashKind, Currency, Decimal, Fill, Order, Symbol};

fn said(event: BrokerEvent, minute: i64) -> Input {
    Input::Broker { broker: "paper".parse().unwrap(), event, time: at(minute) }
}

fn flow(id: &str, kind: CashKind, amount: i64) -> CashFlow {
    let (amount, currency) = (Decimal::from(amount), Currency::USD);
    CashFlow { id: id.into(), kind, amount, currency, symbol: None, time: at(1) }
}

fn moved(flow: CashFlow, minute: i64) -> Input {
    said(BrokerEvent::Cash { flow, cursor: Cursor::new("c").unwrap() }, minute)
}

fn cash(core: &Core) -> Decimal {
    core.state().ledger().fund(&fund_id()).unwrap().cash()
}

/// What a step tells of cash that moved: kind, amount, cash after.
fn told(output: &Output) -> Vec<(CashKind, Decimal, Decimal)> {
    let events = output.events.iter().filter_map(|event| match event {
        Event::CashMoved(CashMoved { kind, amount, cash, .. }) => Some((*kind, *amount, *cash)),
        _ => None,
    });
    events.collect()
}

fn adopt() -> OperatorAct {
    OperatorAct::Adopt {
        broker: "paper".parse().unwrap(),
        fund_id: fund_id(),
        symbol: Symbol::new("AAPL").unwrap(),
        actor: ActorId::new("ann").unwrap(),
        reason: "seen on the venue's screen".into(),
    }
}

#[test]
fn cash_that_a_venue_tells_is_booked_once_under_its_id() {
    let mut core = live_core(0);
    for (movement, books, told) in [
        (flow("1", CashKind::Deposit, 500), 1_500, &["CASH_BOOKED"][..]),
        (flow("1", CashKind::Deposit, 500), 1_500, &[]),
        (flow("1", CashKind::Deposit, 400), 1_500, &["CASH_FLOW_DIFFERS"]),
        (flow("2", CashKind::Fee, -3), 1_497, &["CASH_BOOKED"]),
        (flow("3", CashKind::Withdrawal, 3), 1_497, &["CASH_NOT_BOOKED"]),
        (
            CashFlow { currency: Currency::new("EUR").unwrap(), ..flow("4", CashKind::Deposit, 9) },
            1_497,
            &["CASH_NOT_BOOKED"],
        ),
    ] {
        let output = step(&mut core, &moved(movement.clone(), 2));
        assert_eq!(incidents(&output), told, "{movement:?}");
        let events: Vec<_> = (told == ["CASH_BOOKED"])
            .then_some((movement.kind, movement.amount, Decimal::from(books)))
            .into_iter()
            .collect();
        assert_eq!(self::told(&output), events, "{movement:?}");
        assert_eq!(cash(&core), Decimal::from(books), "{movement:?}");
    }
    assert_eq!(core.state().cursor(&"paper".parse().unwrap()), Some(&Cursor::new("c").unwrap()));
    let mut again = common::core(true);
    again.restore(&core.snapshot(), core.state().inputs()).unwrap();
    step(&mut again, &moved(flow("1", CashKind::Deposit, 500), 3));
    assert_eq!(cash(&again), Decimal::from(1_497), "also after a restart");
}

#[test]
fn nobody_guesses_whose_cash_it_is() {
    let mut core = core_with(true, |config| {
        let mut second = config.funds[0].clone();
        second.config.fund_id = "g".parse().unwrap();
        config.funds.push(second);
    });
    step(&mut core, &Input::Started { time: at(0) });
    let told = step(&mut core, &moved(flow("1", CashKind::Deposit, 500), 2));
    assert_eq!(incidents(&told), ["CASH_NOT_BOOKED"]);
    assert_eq!(cash(&core), Decimal::from(1_000));
}

#[test]
fn a_person_books_what_no_venue_tells() {
    let mut core = live_core(0);
    let short = |minute, cash: i64| {
        let Input::AccountSeen { broker, answer, .. } = seen(&[], &[], minute) else {
            panic!("it is an account")
        };
        let mts_engine::AccountAnswer::Seen(mut account) = answer else { panic!("it is seen") };
        account.account.cash = Decimal::from(cash);
        let answer = mts_engine::AccountAnswer::Seen(account);
        Input::AccountSeen { broker, answer, time: at(minute) }
    };
    wait(&mut core, at(2));
    assert_eq!(incidents(&step(&mut core, &short(2, 1_040))), ["CASH_DIFFERS"]);
    assert_eq!(core.accounts().next().unwrap().cash, Some(Decimal::from(40)));
    let book = |kind, amount, fund: &str| OperatorAct::BookCash {
        broker: "paper".parse().unwrap(),
        fund_id: fund.parse().unwrap(),
        kind,
        amount,
        actor: ActorId::new("ann").unwrap(),
        reason: "the statement says so".into(),
    };
    let forty = Decimal::from(40);
    for (act, told) in [
        (book(CashKind::Dividend, Decimal::ZERO, "f"), "CASH_NOT_BOOKED"),
        (book(CashKind::Withdrawal, forty, "f"), "CASH_NOT_BOOKED"),
        (book(CashKind::Dividend, forty, "nobody"), "CASH_NOT_BOOKED"),
        (book(CashKind::Deposit, Decimal::MAX, "f"), "CASH_NOT_BOOKED"),
        (book(CashKind::Dividend, forty, "f"), "CASH_BOOKED"),
    ] {
        assert_eq!(incidents(&step(&mut core, &Input::Operator { act, time: at(3) })), [told]);
    }
    assert_eq!(cash(&core), Decimal::from(1_040));
    assert_eq!(core.accounts().next().unwrap().cash, Some(Decimal::ZERO));
    wait(&mut core, at(4));
    assert!(incidents(&step(&mut core, &short(4, 1_040))).is_empty());
}

/// A buy of ten that is filled, its fees as they are given.
fn filled(core: &mut Core, fees: FeeStatus) -> Order {
    let order = submitted(&step(core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(core, &order, 1);
    let Input::Broker { broker, event, time } = fill(&order, "x", 10, 1) else { panic!("it is a fill") };
    let BrokerEvent::Fill { account, cursor, fill, .. } = event else { panic!("it is a fill") };
    step(core, &Input::Broker { broker, event: BrokerEvent::Fill { account, cursor, fill, fees }, time });
    order
}

fn fees(amount: i64, minute: i64) -> Input {
    let (account, cursor) = (AccountId::new("a").unwrap(), Cursor::new("f").unwrap());
    let fees = Decimal::from(amount);
    said(BrokerEvent::FeesKnown { account, fill_id: "x".parse().unwrap(), fees, cursor }, minute)
}

#[test]
fn fees_that_follow_are_booked_once() {
    let mut core = live_core(0);
    let order = filled(&mut core, FeeStatus::Pending);
    assert_eq!((cash(&core), core.state().sizes().pending_fees), (Decimal::from(900), 1));
    let output = step(&mut core, &fees(2, 2));
    assert!(incidents(&output).is_empty());
    assert_eq!(told(&output), [(CashKind::Fee, Decimal::from(-2), Decimal::from(898))]);
    assert!(step(&mut core, &fees(2, 3)).events.is_empty());
    assert_eq!((cash(&core), core.state().sizes().pending_fees), (Decimal::from(898), 0));
    assert_eq!(core.state().order(&order.order_id).unwrap().fees, Decimal::TWO);
    assert_eq!(incidents(&step(&mut core, &fees(5, 4))), ["FEES_DIFFER"]);
    assert_eq!(cash(&core), Decimal::from(898));
}

/// The stream was lost before it told the fees: the history tells the fill again, with them.
#[test]
fn fees_that_come_with_the_fill_told_again_are_booked_once() {
    let mut core = live_core(0);
    let order = filled(&mut core, FeeStatus::Pending);
    let again = |minute| {
        let Input::Broker { event: BrokerEvent::Fill { account, cursor, mut fill, .. }, .. } =
            fill(&order, "x", 10, 1)
        else {
            panic!("it is a fill")
        };
        fill.fees = Decimal::TWO;
        said(BrokerEvent::Fill { account, cursor, fill, fees: FeeStatus::Known }, minute)
    };
    assert!(incidents(&step(&mut core, &again(2))).is_empty());
    assert!(incidents(&step(&mut core, &again(3))).is_empty());
    assert!(incidents(&step(&mut core, &fees(2, 4))).is_empty());
    assert_eq!((cash(&core), core.state().sizes().pending_fees), (Decimal::from(898), 0));
    assert_eq!(core.state().order(&order.order_id).unwrap().fees, Decimal::TWO);
}

#[test]
fn fees_of_a_fill_that_had_its_own_are_told() {
    let mut core = live_core(0);
    filled(&mut core, FeeStatus::Known);
    assert_eq!(incidents(&step(&mut core, &fees(2, 2))), ["UNBOOKED_BROKER_EVENT"]);
    assert_eq!(cash(&core), Decimal::from(900));
}

/// A fill of an order that nobody here made.
fn stray(id: &str, minute: i64) -> Input {
    let fill = Fill::new(
        id,
        "elsewhere",
        "AAPL",
        mts_foundation::Side::Buy,
        Decimal::from(7),
        Decimal::TEN,
        at(minute),
    );
    let (account, cursor) = (AccountId::new("a").unwrap(), Cursor::new(id).unwrap());
    said(BrokerEvent::Fill { account, cursor, fill: fill.unwrap(), fees: FeeStatus::Known }, minute)
}

#[test]
fn what_is_adopted_takes_the_fills_with_it_that_were_set_aside() {
    let mut core = live_core(0);
    assert_eq!(incidents(&step(&mut core, &stray("s", 1))), ["FILL_WITHOUT_ORDER"]);
    let act = |minute| Input::Operator { act: adopt(), time: at(minute) };
    // The account has them, which is not confirmed yet.
    wait(&mut core, at(2));
    step(&mut core, &seen(&[("AAPL", 7)], &[], 2));
    assert_eq!(incidents(&step(&mut core, &act(2))), ["NOTHING_TO_ADOPT"]);
    assert_eq!(core.state().unbooked_fills().len(), 1);
    step(&mut core, &seen(&[("AAPL", 7)], &[], 3));
    assert_eq!(incidents(&step(&mut core, &act(3))), ["POSITION_ADOPTED"]);
    assert_eq!((core.state().unbooked_fills().len(), held(&core)), (0, Decimal::from(7)));
    assert!(incidents(&step(&mut core, &stray("s", 4))).is_empty(), "it is known");
    assert_eq!((core.state().unbooked_fills().len(), held(&core)), (0, Decimal::from(7)));
}

#[test]
fn fills_that_the_account_does_not_show_go_on_a_persons_word() {
    let mut core = live_core(0);
    step(&mut core, &stray("s", 1));
    wait(&mut core, at(2));
    step(&mut core, &seen(&[], &[], 2));
    assert_eq!(
        incidents(&step(&mut core, &Input::Operator { act: adopt(), time: at(2) })),
        ["FILLS_SETTLED"]
    );
    assert_eq!((core.state().unbooked_fills().len(), held(&core)), (0, Decimal::ZERO));
    step(&mut core, &stray("t", 3));
    let act = OperatorAct::Settle {
        order_id: "elsewhere".parse().unwrap(),
        actor: ActorId::new("ann").unwrap(),
        reason: "it is the other desk's".into(),
    };
    assert_eq!(
        incidents(&step(&mut core, &Input::Operator { act: act.clone(), time: at(3) })),
        ["FILLS_SETTLED"]
    );
    assert_eq!(incidents(&step(&mut core, &Input::Operator { act, time: at(3) })), ["NOTHING_TO_SETTLE"]);
    assert_eq!(core.state().unbooked_fills().len(), 0);
}
