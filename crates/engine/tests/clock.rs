//! Time as the core sees it (R8): it comes with the inputs, stands still or goes forward, and never back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::core::Progress;
use mts_engine::record::{INPUT_V1, decode, encode};
use mts_engine::{AccountAnswer, Action, ClockFault, Core, CoreError, Input, LookUp, OperatorAct, Output};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::{ActorId, BrokerName, Decimal, Event, MarketCalendar, OrderState, Timestamp};
use std::time::Duration;

fn broker_name() -> BrokerName {
    "paper".parse().unwrap()
}

/// Every kind of input at one instant.
fn inputs(time: Timestamp, core: &mut Core) -> Vec<Input> {
    let date = time.to_datetime().date_naive();
    let order = submitted(&step(core, &decide(1, vec![buy("k", 10)])))[0].clone();
    let order_id = order.order_id.clone();
    let looked_up = order_id.clone();
    let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
    let cancel = CancelOutcome::Unknown { cause: "timeout".into() };
    let kill = OperatorAct::Kill { reason: "fire".to_owned(), actor: ActorId::new("ann").unwrap() };
    let Input::Broker { broker, event, .. } = fill(&order, "x1", 10, 0) else { panic!("a fill") };
    let Input::Decided { strategy_id, fund_id, commands, memory, .. } = decide(0, vec![buy("l", 1)]) else {
        panic!("a decision")
    };
    vec![
        Input::SessionOpen { date, time },
        Input::Closes { time, marks: vec![mark(11)] },
        Input::Submitted { order_id: order_id.clone(), outcome, time },
        Input::Canceled { order_id, outcome: cancel, time },
        Input::Broker { broker, event, time },
        Input::SessionClose { date, time },
        Input::Decided { strategy_id, fund_id, time, commands, memory },
        Input::Operator { act: kill, time },
        Input::Started { time },
        Input::Timer { time },
        Input::Marks { time, marks: vec![mark(12)] },
        Input::Connection { broker: broker_name(), connected: false, time },
        Input::LookedUp { order_id: looked_up, answer: LookUp::NotKnown, time },
        Input::AccountSeen {
            broker: broker_name(),
            answer: AccountAnswer::Failed { message: "no".into() },
            time,
        },
        Input::ClockWrong { fault: ClockFault::Jumped { by_millis: -3_600_000 }, time },
        Input::ClockWrong { fault: ClockFault::Behind { by_millis: 3_600_000 }, time },
    ]
}

#[test]
fn time_never_goes_back_and_what_is_refused_changes_nothing() {
    for back in [Duration::from_nanos(1), Duration::from_secs(1), Duration::from_secs(3_600)] {
        let now = at(600);
        let earlier = Timestamp::from_nanos(now.nanos() - i64::try_from(back.as_nanos()).unwrap());
        let mut core = core(true);
        open(&mut core, 0);
        let late = inputs(earlier, &mut core);
        step(&mut core, &Input::Closes { time: now, marks: vec![mark(10)] });
        let before = core.state_hash();
        for input in late {
            let mut output = Output::default();
            let refused = core.step(&input, &mut output).unwrap_err();
            assert_eq!(refused, CoreError::TimeWentBack { now, input: earlier }, "{input:?}");
            assert_eq!(
                refused.to_string(),
                format!("time went back from {now} to {earlier}; inputs come in time order")
            );
            assert!(output.actions.is_empty() && output.events.is_empty(), "{input:?}");
            assert_eq!((core.state_hash(), core.state().now()), (before, now), "{input:?}");
        }
    }
}

/// A clock that stands still, or is coarser than what happens, loses nothing: order within an instant is that of arrival.
#[test]
fn inputs_of_one_instant_are_taken_in_their_order_and_replayed_in_it() {
    let mut first = core(true);
    open(&mut first, 1);
    let all = inputs(at(1), &mut first);
    let mut again = core(true);
    open(&mut again, 1);
    step(&mut again, &decide(1, vec![buy("k", 10)]));
    let mut record = Vec::new();
    for (number, input) in all.iter().enumerate() {
        step(&mut first, input);
        encode(input, &mut record).unwrap();
        let read = decode(number as u64, INPUT_V1, &record).unwrap();
        assert_eq!(&read, input);
        step(&mut again, &read);
    }
    assert_eq!(first.state().now(), at(1));
    assert_eq!(first.state_hash(), again.state_hash());
    let mut other = core(true);
    open(&mut other, 1);
    let reversed = inputs(at(1), &mut other);
    reversed.iter().rev().for_each(|input| {
        step(&mut other, input);
    });
    assert_ne!(first.state_hash(), other.state_hash(), "the order counts");
}

#[test]
fn a_jump_forward_sends_nothing_again_and_makes_nothing_negative() {
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    for minute in [61, 60 * 24 * 400] {
        open(&mut core, minute);
        let again = step(&mut core, &decide(minute, vec![buy("k", 10)]));
        assert!(again.actions.is_empty(), "an open order is never forgotten");
        assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Accepted);
    }
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 1);
    // The clock was wrong and is put right: that is an end, not a guess.
    let input = Input::Closes { time: at(62), marks: vec![mark(10)] };
    assert!(matches!(core.step(&input, &mut Output::default()), Err(CoreError::TimeWentBack { .. })));
}

#[test]
fn a_timer_that_a_jump_has_passed_is_due_once() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(1) });
    // In this hour the order would have been asked for, and the account compared, many times.
    let asked = step(&mut core, &Input::Timer { time: at(61) }).actions;
    let look_ups = asked.iter().filter(|action| matches!(action, Action::LookUp { .. })).count();
    let snapshots = asked.iter().filter(|action| matches!(action, Action::Snapshot { .. })).count();
    assert_eq!((look_ups, snapshots, asked.len()), (1, 1, 2), "{asked:?}");
    assert!(core.next_timer().unwrap() > at(61), "what comes next counts from now");
    // Woken too early, nothing is due.
    assert!(step(&mut core, &Input::Timer { time: at(61) }).actions.is_empty());
}

/// The clocks change in New York, London and Sydney, forward and back; the sessions of the week around go on in order, and
/// the week-end is an hour shorter or longer.
#[test]
fn sessions_follow_the_exchange_over_both_changes_of_the_clocks() {
    for (market, friday, monday, hours) in [
        ("XNYS", "2024-03-08", "2024-03-11", 71),
        ("XNYS", "2024-11-01", "2024-11-04", 73),
        ("XLON", "2025-03-28", "2025-03-31", 71),
        ("XLON", "2025-10-24", "2025-10-27", 73),
        ("XASX", "2025-10-03", "2025-10-06", 71),
        ("XASX", "2025-04-04", "2025-04-07", 73),
    ] {
        let calendar = MarketCalendar::builtin(market).unwrap();
        let (friday, monday) = (friday.parse().unwrap(), monday.parse().unwrap());
        let before = calendar.previous_session(friday).unwrap();
        let after = calendar.next_session(monday).unwrap();
        let sessions = calendar.sessions(before.date, after.date).unwrap();
        let dates: Vec<_> = sessions.iter().map(|session| session.date).collect();
        assert_eq!(dates, [before.date, friday, monday, after.date], "{market}");
        assert_eq!((sessions[2].open - sessions[1].open).num_hours(), hours, "{market} {monday}");
        let mut core = core(true);
        for session in sessions {
            let (date, open, close) = (session.date, session.open.into(), session.close.into());
            assert_eq!(session.close - session.open, before.close - before.open, "{market} {date}");
            step(&mut core, &Input::SessionOpen { date, time: open });
            assert_eq!((core.state().session(), core.state().progress()), (Some(date), Progress::Opened));
            step(&mut core, &Input::Closes { time: close, marks: vec![mark(10)] });
            let ended = step(&mut core, &Input::SessionClose { date, time: close });
            let [Event::NavUpdated(snapshot)] = ended.events.as_slice() else { panic!("{:?}", ended.events) };
            assert_eq!((snapshot.asof, snapshot.nav_usd), (date, Decimal::from(1_000)));
        }
        assert_eq!(core.state().counters().sessions, 4);
    }
}

#[test]
fn seconds_beyond_32_bits_are_seconds_like_others() {
    // 2038-01-19T03:14:07Z is the last second that a signed 32-bit number holds.
    let (before, after) = (7_458_060, 7_458_061);
    assert_eq!(
        [before, after].map(|minute| at(minute).to_string()),
        ["2038-01-19T03:13:20Z", "2038-01-19T03:14:20Z"]
    );
    let mut core = core(true);
    open(&mut core, before);
    let order = submitted(&step(&mut core, &decide(before, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, after);
    let filled = fill(&order, "x1", 10, after);
    let mut record = Vec::new();
    encode(&filled, &mut record).unwrap();
    assert_eq!(decode(1, INPUT_V1, &record).unwrap(), filled);
    step(&mut core, &filled);
    let record = core.state().order(&order.order_id).unwrap();
    assert_eq!(
        (record.state, record.updated_at.since(order.created_at)),
        (OrderState::Filled, Duration::from_secs(60))
    );
    assert!(at(after).to_string().parse::<Timestamp>().unwrap() == at(after));
}

#[test]
fn the_ends_of_the_range_are_refused_or_kept_never_wrapped() {
    for beyond in ["1677-09-20T00:00:00Z", "2262-04-12T00:00:00Z"] {
        assert!(beyond.parse::<Timestamp>().is_err(), "{beyond}");
    }
    let last = Timestamp::from_nanos(i64::MAX);
    assert_eq!(last.plus(Duration::from_secs(1)), last);
    let mut core = core(true);
    open(&mut core, 0);
    for _ in 0..2 {
        step(&mut core, &Input::Closes { time: last, marks: vec![mark(10)] });
    }
    assert_eq!(core.state().now(), last);
}

/// A leap second has the instant of the second after it, so that the minute with 61 of them neither stops nor goes back.
#[test]
fn a_leap_second_is_the_second_after_it() {
    let [before, leap, after] = ["2016-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"]
        .map(|text| text.parse().unwrap());
    assert!(before < leap, "{leap}");
    assert_eq!(leap, after);
    let mut core = core(true);
    for time in [before, leap, after] {
        step(&mut core, &Input::Closes { time, marks: vec![mark(10)] });
    }
}
