//! The suite has teeth: each gate here is wrong in one way, and fails the case that is meant for it and no other.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_conformance::gates::{CASES, GateResult, Need, Suite, check, check_async, wait};
use mts_conformance::{Outcome, Report};
use mts_foundation::risk::{Gate, RejectCode, Rejection, RiskContext};
use mts_foundation::{AsyncRiskGate, Decimal, Order, OrderType, RiskEnvelope, RiskGate, Side, Timestamp};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A gate made of a name and a function.
struct Made<N, F>(N, F);

impl<N, F> RiskGate for Made<N, F>
where
    N: Fn() -> &'static str + Send + Sync,
    F: Fn(&Order, Option<&RiskEnvelope>, &RiskContext<'_>) -> GateResult + Send + Sync,
{
    fn name(&self) -> &str {
        self.0()
    }

    fn check(&self, order: &Order, envelope: Option<&RiskEnvelope>, context: &RiskContext<'_>) -> GateResult {
        self.1(order, envelope, context)
    }
}

fn gate<F>(answer: F) -> impl RiskGate
where
    F: Fn(&Order, Option<&RiskEnvelope>, &RiskContext<'_>) -> GateResult + Send + Sync,
{
    Made(|| "made", answer)
}

/// No short sales: what the wrong gates would be without their fault.
fn right(order: &Order) -> GateResult {
    refuse_if(order.side == Side::Short)
}

fn refuse_if(refuse: bool) -> GateResult {
    if refuse { Err(Box::new(refusal())) } else { Ok(()) }
}

fn refusal() -> Rejection {
    Rejection {
        gate: Gate::ShortSide,
        code: RejectCode::ShortingDisabled,
        limit: None,
        observed: None,
        message: "this house sells nothing short".to_owned(),
    }
}

fn report(suite: &Suite<'_>) -> Report {
    suite.run().unwrap()
}

/// The ids of the cases that fail, and the notes of the first.
fn failed(suite: &Suite<'_>) -> (Vec<&'static str>, String) {
    let report = report(suite);
    let notes = report.cases.iter().find(|case| case.outcome == Outcome::Failed);
    let notes = notes.map(|case| case.notes.join("\n")).unwrap_or_default();
    (report.ids(Outcome::Failed).collect(), notes)
}

#[track_caller]
fn fails(suite: &Suite<'_>, id: &str, said: &str) {
    let (ids, notes) = failed(suite);
    assert_eq!(ids, [id], "{notes}");
    assert!(notes.contains(said), "{notes}");
}

#[test]
fn a_right_gate_passes_all_there_is() {
    let report = report(&check(|| gate(|order, _, _| right(order))));
    assert!(report.passed(), "{report}");
    let skipped: Vec<_> = report.ids(Outcome::Skipped).collect();
    assert_eq!(skipped, ["GATE-11", "GATE-15"], "{report}");
    assert!(
        report.cases.iter().all(|case| case.outcome == Outcome::Skipped || case.questions > 0),
        "{report}"
    );
    assert_eq!(report.figures.len(), 2);
}

#[test]
fn a_name_must_be_a_name_and_nobody_elses() {
    for (name, said) in [
        ("", "is empty"),
        (" made", "white space"),
        ("ma\tde", "control"),
        ("position", "built-in"),
        ("taken", "another gate"),
    ] {
        let named = || {
            Made(move || name, |order: &Order, _: Option<&RiskEnvelope>, _: &RiskContext<'_>| right(order))
        };
        fails(&check(named).beside(["taken"]), "GATE-01", said);
    }
    let asked = AtomicUsize::new(0);
    let fickle = || {
        let name = || if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { "even" } else { "odd" };
        Made(name, |order: &Order, _: Option<&RiskEnvelope>, _: &RiskContext<'_>| right(order))
    };
    fails(&check(fickle), "GATE-01", "changes when asked again");
}

#[test]
fn counting_calls_is_not_pure() {
    let counting = || {
        let calls = AtomicU64::new(0);
        gate(move |_, _, _| refuse_if(calls.fetch_add(1, Ordering::Relaxed) % 3 == 2))
    };
    // Alone each of its instances passes the first question, so there is no refusal to look at either.
    fails(&check(counting), "GATE-02", "asked again");
}

#[test]
fn remembering_orders_is_not_pure() {
    let remembering = || {
        let last = std::sync::Mutex::new(None);
        gate(move |order, _, _| {
            let before = last.lock().unwrap().replace(order.side);
            refuse_if(before.is_some_and(|side| side != order.side))
        })
    };
    fails(&check(remembering), "GATE-02", "asked");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the gate is wrong because it reads a clock")]
fn growing_old_is_not_pure() {
    let ageing = || {
        let born = OnceLock::new();
        gate(move |_, _, _| {
            let born: &Instant = born.get_or_init(Instant::now);
            refuse_if(born.elapsed() > Duration::from_millis(40))
        })
    };
    fails(&check(ageing), "GATE-02", "asked");
}

#[test]
fn instances_must_agree() {
    let made = AtomicUsize::new(0);
    let numbered = || {
        let number = made.fetch_add(1, Ordering::Relaxed);
        gate(move |_, _, _| refuse_if(number % 2 == 1))
    };
    fails(&check(numbered), "GATE-03", "another instance");
}

#[test]
fn threads_must_agree() {
    let bound = || {
        let maker: ThreadId = std::thread::current().id();
        gate(move |_, _, _| refuse_if(std::thread::current().id() != maker))
    };
    fails(&check(bound), "GATE-04", "another thread");
    thread_local! { static WARM: Cell<bool> = const { Cell::new(false) } }
    WARM.set(true);
    fails(&check(|| gate(|_, _, _| refuse_if(!WARM.get()))), "GATE-04", "another thread");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the gate is wrong because it reads the system's clock")]
fn the_system_clock_is_not_the_context() {
    let clocked = || {
        gate(|_, _, context: &RiskContext<'_>| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let opened = context.session_opened.map(|opened| opened.plus(Duration::from_secs(300)));
            refuse_if(opened.is_some_and(|end| now.as_nanos() < u128::try_from(end.nanos()).unwrap_or(0)))
        })
    };
    fails(&check(clocked), "GATE-05", "read the time from the context alone");
    assert_eq!(failed(&check(clocked).knows_dates()).0, [""; 0], "who knows dates is not asked");
}

#[test]
fn names_of_orders_mean_nothing() {
    let reader = || gate(|order, _, _| refuse_if(order.order_id.as_str().len().is_multiple_of(2)));
    fails(&check(reader), "GATE-06", "as order");
}

#[test]
fn codes_belong_to_gates() {
    for (gate_of, code, said) in [
        (Gate::Assets, RejectCode::MarketClosed, "belongs to gate session"),
        (Gate::Halts, RejectCode::FundHalted, "the pipeline's own"),
        (Gate::Veto, RejectCode::Vetoed, "asynchronous"),
    ] {
        let coded = || {
            gate(move |order, _, _| {
                right(order).map_err(|rejection| Box::new(Rejection { gate: gate_of, code, ..*rejection }))
            })
        };
        fails(&check(coded), "GATE-07", said);
    }
}

#[test]
fn a_refusal_is_explained() {
    for (message, said) in [("", "is empty"), ("no\nshorts", "line break"), ("no: token=abc", "secret")] {
        let mute = || {
            gate(move |order, _, _| {
                right(order).map_err(|why| Box::new(Rejection { message: message.to_owned(), ..*why }))
            })
        };
        fails(&check(mute), "GATE-08", said);
    }
}

#[test]
fn numbers_agree_with_the_code() {
    let upside_down = || {
        gate(|order, _, _| {
            let (limit, observed) = (Decimal::from(100), order.quantity);
            right(order).map_err(|why| {
                Box::new(Rejection {
                    gate: Gate::OrderQuantity,
                    code: RejectCode::MaxOrderQuantity,
                    limit: Some(limit.max(observed)),
                    observed: Some(limit.min(observed)),
                    ..*why
                })
            })
        })
    };
    fails(&check(upside_down), "GATE-09", "is less");
}

#[test]
fn a_gate_must_answer_without_a_mark() {
    let careless = || {
        gate(|order, _, context| {
            let mark = context.ledger.mark_of(&order.symbol).expect("a mark");
            refuse_if(mark.price < Decimal::ZERO || order.side == Side::Short)
        })
    };
    fails(&check(careless), "GATE-10", "without mark: panicked");
}

#[test]
fn a_gate_must_refuse_without_what_it_needs() {
    let open = || {
        gate(|order, _, context| {
            let mark = context.ledger.mark_of(&order.symbol).map(|mark| mark.price);
            refuse_if(order.side == Side::Short && mark.is_some_and(|price| price > Decimal::ONE))
        })
    };
    fails(&check(open).needs([Need::Mark]), "GATE-11", "without mark: passed");
    // It passes buys by design, which is no fault; and shorts at a mark below one.
    let closed = || {
        gate(|order, _, context| {
            let mark = context.ledger.mark_of(&order.symbol).map(|mark| mark.price);
            refuse_if(order.side == Side::Short && mark.is_none_or(|price| price > Decimal::ONE))
        })
    };
    fails(&check(closed).needs([Need::Mark]), "GATE-11", "buy market without mark: passed");
    let suite = check(closed).needs([Need::Mark]).concerns(|order| order.side == Side::Short);
    assert_eq!(failed(&suite).0, [""; 0]);
    for need in Need::ALL {
        fails(&check(|| gate(|order, _, _| right(order))).needs([*need]), "GATE-11", need.as_str());
    }
}

#[test]
fn a_gate_must_answer_every_kind_of_order() {
    let partial = || {
        gate(|order, _, _| match order.order_type {
            OrderType::Stop => unreachable!("nobody sends stops"),
            _ => right(order),
        })
    };
    fails(&check(partial), "GATE-12", "nobody sends stops");
}

#[test]
fn a_gate_must_answer_at_the_ends_of_the_ranges() {
    let overflowing = || {
        gate(|order, _, _| {
            let price = order.limit_price.unwrap_or_default();
            let squared = order.quantity * price * price;
            refuse_if(order.side == Side::Short && squared >= Decimal::ZERO)
        })
    };
    fails(&check(overflowing), "GATE-13", "panicked");
    let timed = || {
        gate(|order, _, context| {
            // Checked, because a release build would wrap.
            let open = |from: Timestamp| context.now.nanos().checked_sub(from.nanos()).expect("a short time");
            let open = context.session_opened.map(open);
            refuse_if(order.side == Side::Short && open != Some(1))
        })
    };
    fails(&check(timed), "GATE-13", "panicked");
}

#[cfg(feature = "allocations")]
#[test]
fn passing_costs_no_allocation() {
    let wasteful = || {
        gate(|order, _, _| {
            let name = std::hint::black_box(order.symbol.to_string());
            refuse_if(order.side == Side::Short && !name.is_empty())
        })
    };
    fails(&check(wasteful), "GATE-14", "1 allocations");
}

#[test]
fn a_question_of_ones_own_brings_out_what_others_do_not() {
    let narrow = || gate(|order, _, _| if order.symbol.as_str() == "GME" { Err(mute()) } else { Ok(()) });
    let silent = report(&check(narrow));
    assert!(silent.passed(), "{silent}");
    assert_eq!(
        silent.ids(Outcome::Skipped).collect::<Vec<_>>(),
        ["GATE-07", "GATE-08", "GATE-09", "GATE-11", "GATE-15"]
    );
    let suite = check(narrow)
        .asking(|ordinary| Ok(vec![ordinary.with_order("the meme", |order| order.symbol("GME"))?]));
    fails(&suite, "GATE-08", "the meme");
    let wrong = check(narrow).asking(|ordinary| Ok(vec![ordinary.with_order("", |order| order.symbol(""))?]));
    assert!(wrong.run().unwrap_err().to_string().contains("symbol"));
}

fn mute() -> Box<Rejection> {
    Box::new(Rejection { message: String::new(), ..refusal() })
}

/// A gate that asks somebody who needs a moment.
struct Desk {
    asked: AtomicUsize,
    /// Whether it counts on every question being waited for.
    trusting: bool,
}

/// Ready at the second poll.
struct Moment<'a>(&'a Desk, bool);

impl Future for Moment<'_> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.1, true) {
            self.0.asked.fetch_sub(1, Ordering::Relaxed);
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRiskGate for Desk {
    fn name(&self) -> &str {
        "desk"
    }

    async fn check(&self, order: &Order, _: Option<&RiskEnvelope>) -> GateResult {
        let others = self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(!self.trusting || others == 0, "the last answer was never taken");
        Moment(self, false).await;
        right(order).map_err(|why| Box::new(Rejection { gate: Gate::Veto, code: RejectCode::Vetoed, ..*why }))
    }
}

#[test]
fn a_gate_that_asks_somebody_has_cases_of_its_own() {
    let desk = |trusting| move || Desk { asked: AtomicUsize::new(0), trusting };
    let run = |future: mts_foundation::broker::BoxFuture<'_, GateResult>| wait(future);
    let report = report(&check_async(desk(false), &run));
    assert!(report.passed(), "{report}");
    let passed: Vec<_> = report.ids(Outcome::Passed).collect();
    assert_eq!(
        passed,
        ["GATE-01", "GATE-07", "GATE-08", "GATE-09", "GATE-10", "GATE-12", "GATE-13", "GATE-15"],
        "{report}"
    );
    fails(&check_async(desk(true), &run), "GATE-15", "never taken");
    fails(&check_async(desk(false), &run).needs([Need::Envelope]), "GATE-11", "without envelope: passed");
}

#[test]
fn the_table_of_the_readme_is_the_list_of_cases() {
    let readme = include_str!("../README.md");
    for case in CASES {
        let row = format!("| {} | {}", case.id, case.requirement);
        assert!(readme.contains(&row), "README.md lacks {row:?}");
    }
    assert_eq!(readme.matches("\n| GATE-").count(), CASES.len());
    let report = report(&check(|| gate(|order, _, _| right(order))));
    assert!(report.cases.iter().map(|case| case.case).eq(CASES.iter().copied()));
}
