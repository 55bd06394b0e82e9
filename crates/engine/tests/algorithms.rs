//! Execution algorithms: when children leave, how many units, and what becomes of what they give back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{Input, OperatorAct, VolumeUpdate};
use mts_engine::{Core, Output};
use mts_foundation::algorithm::{
    Algorithm, AlgorithmRequest, AlmgrenChriss, AtEnd, ChildType, Iceberg, ImplementationShortfall, Pov,
    Twap, VolumeProfile, Vwap,
};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    ActorId, Decimal, Event, IdempotencyKey, Order, OrderId, OrderRecord, OrderState, OrderType, Side, Symbol,
};
use proptest::prelude::*;

fn aapl() -> Symbol {
    Symbol::new("AAPL").unwrap()
}

fn worked(quantity: i64, algorithm: Algorithm, at_end: AtEnd) -> Command {
    let mut parent = OrderRequest::market(aapl(), Side::Buy, Decimal::from(quantity));
    parent.idempotency_key = Some(IdempotencyKey::new("p").unwrap());
    Command::Algorithm(AlgorithmRequest { at_end, ..AlgorithmRequest::new(parent, algorithm) })
}

fn twap(slices: u32, jitter: f64) -> Algorithm {
    Algorithm::Twap(Twap { horizon_minutes: 30, n_slices: slices, jitter_pct: jitter, ..Twap::default() })
}

/// A core whose market is open, and the parent that begins in minute 1, with what it sends at once.
fn begin(command: Command) -> (Core, OrderId, Vec<Order>) {
    let mut core = core(true);
    open(&mut core, 0);
    let first = orders(&step(&mut core, &decide(1, vec![command])));
    let parent = parent(&core).order.order_id.clone();
    (core, parent, first)
}

fn parent(core: &Core) -> &OrderRecord {
    core.state().orders().find(|record| record.order.idempotency_key.as_str() == "p").unwrap()
}

fn orders(output: &Output) -> Vec<Order> {
    submitted(output).into_iter().cloned().collect()
}

fn units(orders: &[Order]) -> Vec<i64> {
    orders.iter().map(|order| i64::try_from(order.quantity).unwrap()).collect()
}

fn volume(traded: i64, minute: i64) -> Input {
    let volumes = vec![VolumeUpdate { symbol: aapl(), units: Decimal::from(traded) }];
    Input::Volumes { time: at(minute), volumes }
}

/// Accepts and fills everything that leaves until `minute`; the units that left, with the minutes in which they did.
fn run(core: &mut Core, first: Vec<Order>, minute: i64) -> Vec<(i64, i64)> {
    let mut left = Vec::new();
    let mut fill_all = |core: &mut Core, orders: Vec<Order>, minute: i64| {
        for order in orders {
            accept(core, &order, minute);
            let all = i64::try_from(order.quantity).unwrap();
            left.push((minute, all));
            step(core, &fill(&order, order.order_id.as_str(), all, minute));
        }
    };
    fill_all(core, first, 1);
    while let Some(time) = core.next_timer().filter(|time| *time <= at(minute)) {
        let now = i64::try_from(time.since(at(0)).as_secs() / 60).unwrap();
        let output = step(core, &Input::Timer { time });
        // Answers come in the next minute, so that they are not before the timer.
        fill_all(core, orders(&output), now + i64::from(time > at(now)));
    }
    left
}

#[test]
fn twap_sends_equal_slices_at_fixed_intervals() {
    let (mut core, _, first) = begin(worked(100, twap(6, 0.0), AtEnd::Cancel));
    let record = parent(&core);
    assert_eq!((record.state, record.order.broker_order_id.clone()), (OrderState::Accepted, None));
    assert_eq!(units(&first), [17]);
    assert_eq!(first[0].idempotency_key.as_str(), "p#1");
    assert_eq!((first[0].order_type, first[0].limit_price), (OrderType::Limit, Some(Decimal::TEN)));
    let left = run(&mut core, first, 60);
    assert_eq!(left, [(1, 17), (6, 16), (11, 17), (16, 17), (21, 16), (26, 17)]);
    let record = parent(&core);
    assert_eq!((record.state, record.filled, record.fills), (OrderState::Filled, Decimal::from(100), 6));
    assert_eq!((held(&core), core.next_timer()), (Decimal::from(100), None));
    let children = core.state().orders().filter(|record| record.parent.is_some());
    assert_eq!(children.count(), 6);
}

#[test]
fn a_parent_counts_once_in_the_books() {
    let (core, parent, first) = begin(worked(100, twap(4, 0.2), AtEnd::Cancel));
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    assert_eq!(book.symbol_exposure(&aapl()).buys, Decimal::from(25));
    assert_eq!(book.working().map(|(id, _)| id).collect::<Vec<_>>(), [&first[0].order_id]);
    assert!(core.state().is_worked(&parent));
}

#[test]
fn what_a_child_gives_back_goes_with_a_later_slice() {
    let (mut core, _, first) = begin(worked(90, twap(3, 0.0), AtEnd::Cancel));
    let outcome = SubmitOutcome::Rejected { reason: "no".into() };
    step(&mut core, &Input::Submitted { order_id: first[0].order_id.clone(), outcome, time: at(1) });
    let left = run(&mut core, Vec::new(), 60);
    assert_eq!(left.iter().map(|(_, units)| units).sum::<i64>(), 90);
    // A cancelled child, too.
    let (mut core, _, first) = begin(worked(90, twap(3, 0.0), AtEnd::Cancel));
    accept(&mut core, &first[0], 1);
    step(&mut core, &fill(&first[0], "x", 10, 2));
    step(&mut core, &decide(3, vec![Command::Cancel(first[0].order_id.clone())]));
    assert!(orders(&step(&mut core, &cancel_answer(&first[0], CancelOutcome::Confirmed, 4))).is_empty());
    assert_eq!(run(&mut core, Vec::new(), 60), [(11, 50), (21, 30)]);
    assert_eq!(parent(&core).state, OrderState::Filled);
}

#[test]
fn at_the_end_what_is_left_is_cancelled_or_sent() {
    for (at_end, sent) in [(AtEnd::Cancel, 0), (AtEnd::Send, 45)] {
        let (mut core, parent_id, first) = begin(worked(60, twap(2, 0.0), at_end));
        accept(&mut core, &first[0], 1);
        step(&mut core, &fill(&first[0], "x", 15, 2));
        let second = orders(&step(&mut core, &Input::Timer { time: at(16) }));
        accept(&mut core, &second[0], 16);
        step(&mut core, &Input::Marks { time: at(17), marks: vec![mark(10)] });
        let end = step(&mut core, &Input::Timer { time: at(31) });
        assert_eq!(cancelled(&end).len(), 2);
        step(&mut core, &cancel_answer(&first[0], CancelOutcome::Confirmed, 32));
        let last = step(&mut core, &cancel_answer(&second[0], CancelOutcome::Confirmed, 33));
        let rest = orders(&last);
        assert_eq!(units(&rest).iter().sum::<i64>(), sent);
        if sent == 0 {
            assert_eq!(incidents(&last), ["ALGORITHM_UNFINISHED"]);
            assert_eq!(parent(&core).state, OrderState::Expired);
        } else {
            assert_eq!(rest[0].order_type, OrderType::Market);
            accept(&mut core, &rest[0], 34);
            step(&mut core, &fill(&rest[0], "y", 45, 34));
            assert_eq!(parent(&core).state, OrderState::Filled);
        }
        assert!(!core.state().is_worked(&parent_id) && core.next_timer().is_none());
    }
}

#[test]
fn cancelling_a_parent_cancels_its_children_and_the_schedule() {
    let kill = OperatorAct::Kill { reason: "drill".to_owned(), actor: ActorId::new("me").unwrap() };
    let (_, parent_id, _) = begin(worked(60, twap(2, 0.0), AtEnd::Send));
    for input in [
        decide(2, vec![Command::Cancel(parent_id)]),
        decide(2, vec![Command::Close(aapl())]),
        Input::Operator { act: kill, time: at(2) },
    ] {
        let (mut core, _, first) = begin(worked(60, twap(2, 0.0), AtEnd::Send));
        accept(&mut core, &first[0], 1);
        let asked = step(&mut core, &input);
        assert!(cancelled(&asked).contains(&first[0].order_id));
        let late = step(&mut core, &fill(&first[0], "x", 10, 3));
        assert!(orders(&late).is_empty());
        let ended = step(&mut core, &cancel_answer(&first[0], CancelOutcome::Confirmed, 4));
        assert!(ended.events.iter().any(|event| {
            matches!(event, Event::OrderCanceled(record) if record.order.idempotency_key.as_str() == "p")
        }));
        assert_eq!((parent(&core).state, parent(&core).filled), (OrderState::Canceled, Decimal::TEN));
        assert!(core.next_timer().is_none());
    }
}

#[test]
fn the_close_of_a_session_ends_it() {
    let date = at(0).to_datetime().date_naive();
    for (at_end, rest) in [(AtEnd::Cancel, vec![]), (AtEnd::Send, vec![40])] {
        let (mut core, _, first) = begin(worked(60, twap(3, 0.0), at_end));
        accept(&mut core, &first[0], 1);
        step(&mut core, &fill(&first[0], "x", 20, 2));
        let closed = step(&mut core, &Input::SessionClose { date, time: at(5) });
        assert!(orders(&closed).is_empty());
        assert_eq!(units(&orders(&open(&mut core, 1_440))), rest, "{at_end}");
    }
    // One that is decided while the market is closed begins with the next session.
    let mut core = core(true);
    open(&mut core, 0);
    step(&mut core, &Input::SessionClose { date, time: at(5) });
    let decided = step(&mut core, &decide(5, vec![worked(60, twap(3, 0.0), AtEnd::Cancel)]));
    assert!(decided.actions.is_empty());
    assert_eq!(units(&orders(&open(&mut core, 1_440))), [20]);
}

#[test]
fn vwap_follows_the_profile_up_to_its_share_of_the_volume() {
    let vwap = |profile, share| {
        let vwap = Vwap { volume_profile: profile, max_participation: share, ..Vwap::default() };
        worked(3_000, Algorithm::Vwap(vwap), AtEnd::Cancel)
    };
    let (mut core, _, first) = begin(vwap(VolumeProfile::Uniform, 0.1));
    assert!(first.is_empty(), "no volume is known yet");
    assert_eq!(units(&orders(&step(&mut core, &volume(500, 1)))), [50]);
    assert_eq!(units(&orders(&step(&mut core, &volume(5_000, 1)))), [50], "what the slice has left");
    // A volume that was told before counts where nothing newer is.
    let mut core = common::core(true);
    open(&mut core, 0);
    step(&mut core, &volume(1_000_000, 0));
    let first = orders(&step(&mut core, &decide(1, vec![vwap(VolumeProfile::IntradayEstimated, 0.1)])));
    let left = run(&mut core, first, 60);
    assert_eq!((left.len(), left.iter().map(|(_, units)| units).sum::<i64>()), (30, 3_000));
    assert!(
        left.is_sorted_by(|a, b| a.1 + 1 >= b.1) && left[0].1 > left[29].1,
        "less after the open: {left:?}"
    );
}

#[test]
fn pov_follows_the_volume() {
    let pov = Pov { target_participation: 0.2, volume_lookback_minutes: 5, ..Pov::default() };
    let (mut core, _, first) = begin(worked(300, Algorithm::Pov(pov), AtEnd::Cancel));
    assert!(first.is_empty());
    let one = orders(&step(&mut core, &volume(100, 2)));
    assert_eq!(units(&one), [20]);
    accept(&mut core, &one[0], 2);
    let two = orders(&step(&mut core, &volume(250, 3)));
    assert_eq!(units(&two), [50]);
    accept(&mut core, &two[0], 3);
    step(&mut core, &fill(&one[0], "x", 20, 3));
    step(&mut core, &decide(4, vec![Command::Cancel(two[0].order_id.clone())]));
    step(&mut core, &cancel_answer(&two[0], CancelOutcome::Confirmed, 4));
    // 50 were given back, of volume that is older than the look-back by now: only the new volume's share is sent.
    let three = orders(&step(&mut core, &volume(100, 30)));
    assert_eq!(units(&three), [20]);
    accept(&mut core, &three[0], 30);
    // The horizon ends once the market was seen after the last child left.
    let wait = step(&mut core, &Input::Timer { time: at(121) });
    assert!(wait.actions.is_empty() && core.next_timer().is_none());
    assert!(step(&mut core, &Input::Marks { time: at(122), marks: vec![mark(10)] }).actions.is_empty());
    let end = step(&mut core, &Input::Marks { time: at(123), marks: vec![mark(10)] });
    assert_eq!(cancelled(&end), std::slice::from_ref(&three[0].order_id));
    assert!(orders(&step(&mut core, &volume(1_000, 124))).is_empty());
}

#[test]
fn an_iceberg_shows_its_peak() {
    let iceberg = Iceberg {
        display_qty: Decimal::from(100),
        refill_threshold: Decimal::from(50),
        limit_price: Decimal::from(9),
    };
    let (mut core, _, first) = begin(worked(250, Algorithm::Iceberg(iceberg), AtEnd::Cancel));
    assert_eq!(units(&first), [100]);
    assert_eq!(first[0].limit_price, Some(Decimal::from(9)));
    accept(&mut core, &first[0], 1);
    assert!(orders(&step(&mut core, &fill(&first[0], "a", 50, 2))).is_empty(), "50 are left");
    let second = orders(&step(&mut core, &fill(&first[0], "b", 1, 3)));
    assert_eq!(units(&second), [51]);
    accept(&mut core, &second[0], 3);
    let third = orders(&step(&mut core, &fill(&second[0], "c", 51, 4)));
    assert_eq!(units(&third), [51], "the peak again: 49 and 51");
    accept(&mut core, &third[0], 4);
    step(&mut core, &fill(&first[0], "d", 49, 5));
    let last = orders(&step(&mut core, &fill(&third[0], "e", 51, 6)));
    assert_eq!(units(&last).iter().sum::<i64>() + 202, 250);
}

#[test]
fn a_peak_that_is_refused_is_tried_ten_times() {
    let iceberg =
        Iceberg { display_qty: Decimal::TEN, refill_threshold: Decimal::ONE, limit_price: Decimal::TEN };
    let (mut core, _, mut sent) = begin(worked(100, Algorithm::Iceberg(iceberg), AtEnd::Send));
    let mut tries = 0;
    while let Some(order) = sent.pop() {
        tries += 1;
        let outcome = SubmitOutcome::Rejected { reason: "no".into() };
        let time = core.state().now();
        let order_id = order.order_id.clone();
        let answer = step(&mut core, &Input::Submitted { order_id, outcome, time });
        assert!(orders(&answer).is_empty(), "not at once");
        if let Some(time) = core.next_timer() {
            sent = orders(&step(&mut core, &Input::Timer { time }));
        }
    }
    assert_eq!((tries, parent(&core).state), (10, OrderState::Expired));
}

#[test]
fn almgren_and_chriss_trade_early() {
    let chriss = AlmgrenChriss { risk_aversion: 10.0, ..AlmgrenChriss::default() };
    let (mut core, _, first) = begin(worked(1_000_000, Algorithm::AlmgrenChriss(chriss), AtEnd::Cancel));
    assert_eq!((first[0].order_type, first[0].limit_price), (OrderType::Limit, Some(Decimal::TEN)));
    let left = run(&mut core, first, 60);
    // 1 − 0.9204217028952268 and 0.014236948366790453 of tests/independent/almgren_chriss.py.
    assert_eq!((left[0], left[29]), ((1, 79_578), (30, 14_237)));
    assert_eq!((left.len(), left.iter().map(|(_, units)| units).sum::<i64>()), (30, 1_000_000));
}

#[test]
fn implementation_shortfall_hurries_within_its_share_of_the_volume() {
    let begin_at = |price: i64| {
        let shortfall = ImplementationShortfall {
            arrival_price: Some(Decimal::TEN),
            ..ImplementationShortfall::default()
        };
        let mut core = core(true);
        open(&mut core, 0);
        step(&mut core, &Input::Marks { time: at(0), marks: vec![mark(price)] });
        step(&mut core, &volume(1_000_000, 0));
        let algorithm = Algorithm::ImplementationShortfall(shortfall);
        orders(&step(&mut core, &decide(1, vec![worked(1_000_000, algorithm, AtEnd::Cancel)])))
    };
    let (calm, away, far) = (begin_at(10), begin_at(11), begin_at(100));
    assert!(units(&calm)[0] < units(&away)[0], "{} and {}", calm[0].quantity, away[0].quantity);
    assert_eq!(units(&far), [100_000], "a tenth of the volume");
}

#[test]
fn requests_at_fault_do_not_begin() {
    let mut core = core(true);
    open(&mut core, 0);
    let mut long = OrderRequest::market(aapl(), Side::Buy, Decimal::ONE);
    long.idempotency_key = IdempotencyKey::new("k".repeat(mts_foundation::ids::MAX_ID_BYTES)).ok();
    let mut unknown = OrderRequest::market(Symbol::new("MSFT").unwrap(), Side::Buy, Decimal::ONE);
    unknown.idempotency_key = None;
    let odd = OrderRequest::market(aapl(), Side::Buy, Decimal::new(15, 1));
    for (parent, word) in [(long, "numbered"), (unknown, "not in the table"), (odd, "no multiple of the lot")]
    {
        let command = Command::Algorithm(AlgorithmRequest::new(parent, twap(3, 0.0)));
        let output = step(&mut core, &decide(1, vec![command]));
        assert_eq!(incidents(&output), ["ALGORITHM_INVALID"]);
        assert!(format!("{:?}", output.events).contains(word), "{word}: {:?}", output.events);
    }
    let output = step(&mut core, &decide(1, vec![worked(10, twap(0, 0.0), AtEnd::Cancel)]));
    assert!(format!("{:?}", output.events).contains("algorithm.twap.n_slices: 0 is not within 1 to 1440"));
    assert_eq!(core.state().orders().len(), 0);
    // The same again is known; other content under its key is refused.
    step(&mut core, &decide(1, vec![worked(10, twap(2, 0.0), AtEnd::Cancel)]));
    let again = step(&mut core, &decide(1, vec![worked(10, twap(2, 0.0), AtEnd::Cancel)]));
    assert!(again.actions.is_empty() && again.events.is_empty());
    let other = step(&mut core, &decide(1, vec![worked(11, twap(2, 0.0), AtEnd::Cancel)]));
    assert_eq!(incidents(&other), ["ALGORITHM_KEY_REUSED"]);
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    let slices = (1_u32..8, 0.0..0.5_f64).prop_map(|(slices, jitter)| twap(slices, jitter));
    let vwap = any::<bool>().prop_map(|uniform| {
        let volume_profile = if uniform { VolumeProfile::Uniform } else { VolumeProfile::IntradayEstimated };
        Algorithm::Vwap(Vwap { volume_profile, max_participation: 1.0, ..Vwap::default() })
    });
    let pov = (0.01..1.0_f64)
        .prop_map(|share| Algorithm::Pov(Pov { target_participation: share, ..Pov::default() }));
    let iceberg = (1_i64..50, 1_i64..50).prop_map(|(shown, threshold)| {
        Algorithm::Iceberg(Iceberg {
            display_qty: Decimal::from(shown),
            refill_threshold: Decimal::from(threshold.min(shown)),
            limit_price: Decimal::TEN,
        })
    });
    let chriss = (0.0..20.0_f64).prop_map(|risk_aversion| {
        let child_order_type = ChildType::Market;
        Algorithm::AlmgrenChriss(AlmgrenChriss {
            risk_aversion,
            child_order_type,
            ..AlmgrenChriss::default()
        })
    });
    let shortfall = Just(Algorithm::ImplementationShortfall(ImplementationShortfall {
        max_participation: 1.0,
        ..ImplementationShortfall::default()
    }));
    prop_oneof![slices, vwap, pov, iceberg, chriss, shortfall]
}

/// Takes an input; the children that leave.
fn take(core: &mut Core, inputs: &mut Vec<Input>, known: &mut Vec<Order>, input: Input) {
    let output = step(core, &input);
    inputs.push(input);
    known.extend(orders(&output));
}

proptest! {
    /// Whatever venue and people do to children and parent: they are never more than the parent, what they fill is what the
    /// parent has filled, and a replay of the inputs gives the same state.
    #[test]
    fn children_are_never_more_than_their_parent(
        algorithm in algorithm(),
        quantity in 1_i64..400,
        send in any::<bool>(),
        steps in prop::collection::vec((0_u8..14, 0_usize..5, 1_i64..60), 1..50),
    ) {
        let mut core = core(true);
        let (mut inputs, mut known) = (Vec::new(), Vec::new());
        let date = at(0).to_datetime().date_naive();
        take(&mut core, &mut inputs, &mut known, Input::Closes { time: at(0), marks: vec![mark(10)] });
        take(&mut core, &mut inputs, &mut known, volume(1_000, 0));
        take(&mut core, &mut inputs, &mut known, Input::SessionOpen { date, time: at(0) });
        let at_end = if send { AtEnd::Send } else { AtEnd::Cancel };
        take(&mut core, &mut inputs, &mut known, decide(1, vec![worked(quantity, algorithm, at_end)]));
        let quantity = Decimal::from(quantity);
        for (number, (what, which, units)) in steps.into_iter().enumerate() {
            let minute = i64::try_from(number).unwrap() + 2;
            let time = at(minute);
            let from_last = known.len().checked_sub(1 + which % known.len().max(1));
            let order = from_last.map(|index: usize| known[index].clone());
            let state = order.as_ref().map(|order| core.state().order(&order.order_id).unwrap().state);
            let answer = |order: &Order, outcome| Input::Submitted { order_id: order.order_id.clone(), outcome, time };
            let input = match (what, &order, state) {
                (0..=3, Some(order), Some(OrderState::Submitting)) => {
                    let id = mts_foundation::BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap();
                    answer(order, SubmitOutcome::Accepted(order.clone().accepted(time, id)))
                }
                (4, Some(order), Some(OrderState::Submitting)) => {
                    answer(order, SubmitOutcome::Rejected { reason: "no".into() })
                }
                (5, Some(order), Some(OrderState::Submitting)) => {
                    answer(order, SubmitOutcome::Unknown { cause: "?".into() })
                }
                (6, Some(order), Some(OrderState::PendingCancel)) => {
                    cancel_answer(order, CancelOutcome::Confirmed, minute)
                }
                (7, Some(order), _) => decide(minute, vec![Command::Cancel(order.order_id.clone())]),
                (8..=10, Some(order), Some(state)) if !state.is_terminal() => {
                    let left = core.state().order(&order.order_id).unwrap().remaining();
                    let units = i64::try_from(Decimal::from(units).min(left)).unwrap();
                    if units == 0 { continue }
                    fill(order, &format!("x{number}"), units, minute)
                }
                (11, _, _) => volume(units, minute),
                (12, _, _) if units < 3 => {
                    let parent = parent(&core).order.order_id.clone();
                    decide(minute, vec![Command::Cancel(parent)])
                }
                (13, _, _) if units < 3 => Input::SessionClose { date, time },
                _ => Input::Timer { time },
            };
            take(&mut core, &mut inputs, &mut known, input);
            let children = core.state().orders().filter(|record| record.parent.is_some());
            let (mut open, mut filled) = (Decimal::ZERO, Decimal::ZERO);
            for child in children {
                filled += child.filled;
                open += if child.state.is_working() { child.remaining() } else { Decimal::ZERO };
            }
            prop_assert!(open + filled <= quantity, "{open} open and {filled} filled of {quantity}");
            prop_assert_eq!(parent(&core).filled, filled);
            prop_assert_eq!(held(&core), filled);
        }
        for cut in (0..inputs.len()).step_by(5) {
            let mut again = common::core(true);
            inputs[..cut].iter().for_each(|input| drop(step(&mut again, input)));
            inputs[cut..].iter().for_each(|input| drop(step(&mut again, input)));
            prop_assert_eq!(again.state_hash(), core.state_hash());
        }
    }

    /// When everything fills, the children are exactly the parent.
    #[test]
    fn children_that_all_fill_are_exactly_their_parent(algorithm in algorithm(), quantity in 1_i64..5_000) {
        prop_assume!(!matches!(algorithm, Algorithm::Pov(_) | Algorithm::Iceberg(_)));
        let mut core = core(true);
        open(&mut core, 0);
        step(&mut core, &volume(1_000_000, 0));
        let first = orders(&step(&mut core, &decide(1, vec![worked(quantity, algorithm, AtEnd::Cancel)])));
        let left = run(&mut core, first, 300);
        prop_assert_eq!(left.iter().map(|(_, units)| units).sum::<i64>(), quantity);
        prop_assert_eq!(parent(&core).state, OrderState::Filled);
    }
}
