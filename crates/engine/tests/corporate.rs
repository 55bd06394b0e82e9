//! What issuers do to instruments takes effect once, whole, and where nothing works.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{Input, OperatorAct};
use mts_engine::{Core, Output};
use mts_foundation::event::Event;
use mts_foundation::{ActorId, CorporateAction, CorporateActionKind, Currency, Decimal, Symbol, Timestamp};

fn action(id: &str, kind: CorporateActionKind, ex_date: &str) -> OperatorAct {
    let action = CorporateAction {
        action_id: id.into(),
        symbol: Symbol::new("AAPL").unwrap(),
        ex_date: ex_date.parse().unwrap(),
        kind,
    };
    OperatorAct::Corporate {
        action,
        actor: ActorId::new("ann").unwrap(),
        reason: "the issuer says so".into(),
    }
}

fn split() -> CorporateActionKind {
    CorporateActionKind::Split { new_units: Decimal::from(4), old_units: Decimal::ONE }
}

fn dividend() -> CorporateActionKind {
    CorporateActionKind::CashDividend { amount: Decimal::new(25, 2), currency: Currency::USD }
}

fn today(core: &Core) -> String {
    core.state().now().to_datetime().date_naive().to_string()
}

fn act(core: &mut Core, act: OperatorAct, time: Timestamp) -> Output {
    step(core, &Input::Operator { act, time })
}

fn books(core: &Core) -> (Decimal, Decimal) {
    (held(core), core.state().ledger().fund(&fund_id()).unwrap().cash())
}

/// A core that holds ten.
fn holder() -> Core {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "f1", 10, 1));
    core
}

#[test]
fn an_action_takes_effect_once() {
    let mut core = holder();
    let (units, cash) = books(&core);
    assert_eq!(units, Decimal::TEN);
    let (day, nav) = (today(&core), core.state().ledger().fund(&fund_id()).unwrap().nav());
    let told = act(&mut core, action("s", split(), &day), at(2));
    assert_eq!(incidents(&told), ["ACTION_BOOKED"]);
    let applied = told.events.iter().find_map(|event| match event {
        Event::CorporateActionApplied { position_before, position_after, cash, .. } => {
            Some((*position_before, *position_after, *cash))
        }
        _ => None,
    });
    assert_eq!(applied, Some((Decimal::TEN, Decimal::from(40), cash)));
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().nav(), nav);
    assert_eq!(incidents(&act(&mut core, action("s", split(), &day), at(2))), ["ACTION_NOT_BOOKED"]);
    assert_eq!(books(&core), (Decimal::from(40), cash));
    act(&mut core, action("d", dividend(), &day), at(2));
    assert_eq!(books(&core), (Decimal::from(40), cash + Decimal::TEN));

    let mut again = common::core(true);
    again.restore(&core.snapshot(), core.state().inputs()).unwrap();
    assert_eq!(incidents(&act(&mut again, action("d", dividend(), &day), at(3))), ["ACTION_NOT_BOOKED"]);
    assert_eq!(books(&again), books(&core), "also after a restart");
}

#[test]
fn what_nobody_holds_is_not_booked_and_may_be_told_again() {
    let mut core = live_core(0);
    let day = today(&core);
    let told = act(&mut core, action("s", split(), &day), at(1));
    assert_eq!(incidents(&told), ["ACTION_NOT_BOOKED"]);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "f1", 10, 1));
    assert_eq!(incidents(&act(&mut core, action("s", split(), &day), at(2))), ["ACTION_BOOKED"]);
}

#[test]
fn told_late_it_is_booked_only_where_nothing_was_traded_since() {
    let mut core = holder();
    let bought = today(&core);
    // Held since yesterday, told a day late: what is held was held then.
    let tomorrow = core.state().now().plus(std::time::Duration::from_secs(86_400));
    let next = core.state().now().plus(std::time::Duration::from_secs(2 * 86_400));
    let ex_date = tomorrow.to_datetime().date_naive().to_string();
    assert_eq!(incidents(&act(&mut core, action("late", split(), &bought), next)), ["ACTION_NOT_BOOKED"]);
    assert_eq!(incidents(&act(&mut core, action("later", split(), &ex_date), next)), ["ACTION_BOOKED"]);
    assert_eq!(books(&core).0, Decimal::from(40));
}

#[test]
fn what_is_not_due_too_old_or_meets_orders_is_not_booked() {
    let mut core = holder();
    let before = books(&core);
    for ex_date in ["2999-01-01", "1999-01-01"] {
        let told = act(&mut core, action("x", split(), ex_date), at(2));
        assert_eq!(incidents(&told), ["ACTION_NOT_BOOKED"], "{ex_date}");
    }
    let working = submitted(&step(&mut core, &decide(2, vec![buy("k2", 1)])))[0].clone();
    accept(&mut core, &working, 2);
    let day = today(&core);
    assert_eq!(incidents(&act(&mut core, action("x", split(), &day), at(2))), ["ACTION_NOT_BOOKED"]);
    assert_eq!(books(&core), before);
    step(&mut core, &fill(&working, "f2", 1, 2));
    assert_eq!(incidents(&act(&mut core, action("x", split(), &day), at(2))), ["ACTION_BOOKED"]);
    assert_eq!(books(&core).0, Decimal::from(44));
}
