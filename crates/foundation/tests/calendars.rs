//! Every session of every built-in calendar: order, look-ups, windows, trading days, overrides.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use mts_foundation::calendar::{
    CalendarError, Change, DayRoll, LocalHours, Override, Window, WindowKind, read_overrides,
};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{MarketCalendar, Session};
use proptest::prelude::*;

fn calendar(name: &str) -> &'static MarketCalendar {
    MarketCalendar::builtin(name).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn moment() -> TimeDelta {
    TimeDelta::nanoseconds(1)
}

fn all(calendar: &MarketCalendar) -> &[Session] {
    calendar.sessions(calendar.first_session().date, calendar.last_session().date).unwrap()
}

/// As many sessions as the Python package gives that the tables were made from, but for the overrides (XHKG lacks two), and
/// 52 weeks of five days for FX, which is our own.
const SESSIONS: &str = "24/5=9915 24/7=13879 CMES=9801 FX=9915 IEPA=9800 XAMS=9690 XASX=9620 XBOM=7417 XCBF=9573 \
                        XETR=9661 XHKG=9374 XKRX=9351 XLON=9604 XNAS=9569 XNYS=9569 XPAR=9702 XSES=9291 XSHG=8809 \
                        XSWX=9547 XTKS=7593 XTSE=9551 us_futures=9806";

#[test]
fn every_table_has_its_sessions() {
    let found: Vec<String> =
        MarketCalendar::builtin_names().map(|name| format!("{name}={}", all(calendar(name)).len())).collect();
    assert_eq!(found.join(" "), SESSIONS);
}

#[test]
fn every_session_is_found_again() {
    for name in MarketCalendar::builtin_names() {
        let calendar = calendar(name);
        assert_eq!(calendar.name(), name);
        for pair in all(calendar).windows(2) {
            let [before, session] = pair else { unreachable!() };
            assert!(before.date < session.date && before.close <= session.open, "{name} {session:?}");
            assert!(session.open < session.close, "{name} {session:?}");
            let found = |at| calendar.session_at(at).unwrap();
            assert_eq!(found(session.open), Some(*session), "{name}");
            assert_eq!(found(session.close - moment()), Some(*session), "{name}");
            assert_ne!(calendar.session_at(session.close).ok().flatten(), Some(*session), "{name}");
            assert_eq!(calendar.session_on(session.date), Ok(Some(*session)), "{name}");
            assert_eq!(calendar.next_session(before.date), Ok(*session), "{name}");
            assert_eq!(calendar.previous_session(session.date), Ok(*before), "{name}");
            assert_eq!(calendar.trading_day(session.open), Ok(session.date), "{name}");
            assert_eq!(calendar.trading_day(before.close), Ok(session.date), "{name}");
            if let (Some(start), Some(end)) = (session.break_start, session.break_end) {
                assert!(session.open < start && start < end && end < session.close, "{name} {session:?}");
                let open = |at| calendar.is_open(at).unwrap();
                assert!(
                    open(start - moment()) && !open(start) && !open(end - moment()) && open(end),
                    "{name}"
                );
                assert_eq!(calendar.phase_at(start), Ok(SessionPhase::Closed), "{name}");
            }
        }
    }
}

#[test]
fn the_windows_of_every_session_stand_in_order_and_are_found_again() {
    for name in MarketCalendar::builtin_names() {
        let calendar = calendar(name);
        let mut last: Option<Window> = None;
        for session in all(calendar) {
            let windows: Vec<Window> = calendar.windows(session).collect();
            let us = matches!(name, "XNYS" | "XNAS");
            assert_eq!(windows.len(), if us { 4 } else { 1 }, "{name}");
            for window in windows {
                assert!(last.is_none_or(|last| last.close <= window.open), "{name} {last:?} {window:?}");
                assert_eq!(window.date, session.date);
                // The eve of the first session lies before the table.
                if window.open >= calendar.first_session().open {
                    assert_eq!(calendar.window_at(window.open), Ok(Some(window)), "{name}");
                    assert_eq!(calendar.phase_at(window.open), Ok(window.kind.phase()), "{name}");
                    let before = window.open - TimeDelta::minutes(1);
                    if before >= calendar.first_session().open {
                        assert_eq!(calendar.next_window(before, window.kind), Ok(Some(window)), "{name}");
                    }
                }
                if session.break_start.is_none() {
                    assert_eq!(calendar.window_at(window.close - moment()), Ok(Some(window)), "{name}");
                }
                assert_ne!(calendar.window_at(window.close).ok().flatten(), Some(window), "{name}");
                last = Some(window);
            }
        }
    }
}

#[test]
fn us_equities_trade_before_after_and_overnight() {
    let nyse = calendar("xnys");
    let kind = |instant: &str| nyse.window_at(at(instant)).unwrap().map(|window| window.kind);
    for (instant, expected) in [
        ("2026-01-05T00:59:59Z", None),                        // Sunday, 19:59:59
        ("2026-01-05T01:00:00Z", Some(WindowKind::Overnight)), // Sunday, 20:00
        ("2026-01-05T08:50:00Z", None),                        // Monday, 03:50
        ("2026-01-05T09:00:00Z", Some(WindowKind::Pre)),       // 04:00
        ("2026-01-05T14:30:00Z", Some(WindowKind::Regular)),   // 09:30
        ("2026-01-05T21:00:00Z", Some(WindowKind::Post)),      // 16:00
        ("2026-01-06T01:00:00Z", Some(WindowKind::Overnight)), // 20:00
        ("2026-11-26T21:00:00Z", None),                        // Thanksgiving, 16:00
        ("2026-11-27T01:00:00Z", Some(WindowKind::Overnight)), // Thanksgiving, 20:00, leads to a session
        ("2026-11-27T17:59:00Z", Some(WindowKind::Regular)),   // the day after, 12:59
        ("2026-11-27T18:00:00Z", Some(WindowKind::Post)),      // early close at 13:00
        ("2026-11-27T22:00:00Z", None),                        // 17:00
        ("2026-11-28T01:00:00Z", None),                        // Friday, 20:00, leads to no session
        ("2026-07-02T09:00:00Z", Some(WindowKind::Pre)),       // in summer: 05:00
        ("2026-07-02T08:00:00Z", Some(WindowKind::Pre)),       // 04:00
        ("2026-07-02T07:59:59Z", None),                        // 03:59:59
    ] {
        assert_eq!(kind(instant), expected, "{instant}");
    }
    let after = at("2026-11-27T18:30:00Z");
    let next = |kind| nyse.next_window(after, kind).unwrap().unwrap().open;
    assert_eq!(next(WindowKind::Overnight), at("2026-11-30T01:00:00Z"));
    assert_eq!(next(WindowKind::Pre), at("2026-11-30T09:00:00Z"));
    assert_eq!(next(WindowKind::Post), at("2026-11-30T21:00:00Z"));
    assert_eq!(
        calendar("XLON").next_window(after, WindowKind::Pre),
        Ok(None),
        "London has no such window here"
    );
}

#[test]
fn currencies_trade_from_sunday_to_friday_in_new_york() {
    let fx = calendar("FX");
    let phase = |instant: &str| fx.phase_at(at(instant)).unwrap();
    for (instant, expected) in [
        ("2026-01-04T21:59:59Z", SessionPhase::Closed), // Sunday, 16:59:59
        ("2026-01-04T22:00:00Z", SessionPhase::Regular),
        ("2026-01-07T22:00:00Z", SessionPhase::Regular),
        ("2026-01-09T21:59:59Z", SessionPhase::Regular), // Friday
        ("2026-01-09T22:00:00Z", SessionPhase::Closed),
        ("2026-07-03T20:59:59Z", SessionPhase::Regular), // in summer an hour earlier
        ("2026-07-03T21:00:00Z", SessionPhase::Closed),
    ] {
        assert_eq!(phase(instant), expected, "{instant}");
    }
    assert_eq!(fx.trading_day(at("2026-01-04T22:00:00Z")).unwrap(), day("2026-01-05"));
    assert_eq!(fx.window_at(at("2026-01-05T12:00:00Z")).unwrap().unwrap().kind, WindowKind::AroundTheClock);
    let roll: DayRoll = "17:00 America/New_York".parse().unwrap();
    for session in all(fx) {
        assert_eq!(roll.day_of(session.open), session.date);
        assert_eq!(roll.start_of(session.date), session.open);
        assert_eq!(roll.day_of(session.close - moment()), session.date);
    }
}

#[test]
fn a_bar_belongs_to_the_session_before_its_end() {
    for (name, end, expected) in [
        ("24/7", "2026-01-05T00:00:00Z", "2026-01-04"),
        ("24/7", "2026-01-05T00:01:00Z", "2026-01-05"),
        ("XNYS", "2026-01-05T21:00:00Z", "2026-01-05"),
        ("FX", "2026-01-05T22:00:00Z", "2026-01-05"),
        ("FX", "2026-01-05T23:00:00Z", "2026-01-06"),
        ("XNYS", "2026-01-11T03:00:00Z", "2026-01-10"), // Saturday, 22:00 in New York
        ("XNYS", "2026-01-11T05:00:00Z", "2026-01-10"), // Saturday, midnight in New York
        ("XNYS", "2050-01-05T21:00:00Z", "2050-01-05"),
    ] {
        assert_eq!(calendar(name).bar_date(at(end)), day(expected), "{name} {end}");
    }
}

#[test]
fn days_that_the_tables_do_not_know_are_overridden() {
    let hong_kong = calendar("XHKG");
    for closed in ["2017-08-23", "2020-10-13", "2021-10-13", "2023-07-17", "2023-09-01", "2023-09-08"] {
        assert_eq!(hong_kong.session_on(day(closed)), Ok(None), "{closed}");
    }
    for (late, open) in
        [("2020-08-19", "05:30"), ("2021-06-28", "05:30"), ("2022-08-25", "05:00"), ("2023-10-09", "06:00")]
    {
        let session = hong_kong.session_on(day(late)).unwrap().unwrap();
        assert_eq!(session.open, at(&format!("{late}T{open}:00Z")));
        assert_eq!((session.break_start, session.close), (None, at(&format!("{late}T08:00:00Z"))));
    }
    let early = hong_kong.session_on(day("2019-07-31")).unwrap().unwrap();
    assert_eq!(
        (early.close, early.break_end),
        (at("2019-07-31T05:55:00Z"), Some(at("2019-07-31T05:00:00Z")))
    );
    let hours = |open: &str, close: &str| {
        Change::Hours(LocalHours { open: open.parse().unwrap(), close: close.parse().unwrap(), pause: None })
    };
    let change = |date: &str, change| Override { date: day(date), change };
    let nyse = calendar("XNYS");
    let changed = nyse
        .with_overrides(&[
            change("2026-01-05", Change::Closed),
            change("2026-01-06", hours("11:00:00", "13:00:00")),
            change("2026-01-10", hours("09:30:00", "12:00:00")),
        ])
        .unwrap();
    assert_eq!(changed.session_on(day("2026-01-05")), Ok(None));
    assert_eq!(changed.phase_at(at("2026-01-05T15:00:00Z")), Ok(SessionPhase::Closed));
    assert_eq!(changed.phase_at(at("2026-01-06T15:30:00Z")), Ok(SessionPhase::Extended), "the open is later");
    assert_eq!(changed.phase_at(at("2026-01-06T19:00:00Z")), Ok(SessionPhase::Extended), "post-market");
    assert_eq!(changed.phase_at(at("2026-01-10T15:00:00Z")), Ok(SessionPhase::Regular), "a Saturday");
    assert_eq!(all(&changed).len(), all(nyse).len());
    for (bad, fault) in [
        (change("2026-01-10", Change::Closed), "no session to close"),
        (change("2026-01-06", hours("13:00:00", "11:00:00")), "out of order"),
        (change("2028-01-06", Change::Closed), "is outside calendar XNYS"),
    ] {
        let error = nyse.with_overrides(&[bad]).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
    let overlapping = calendar("FX").with_overrides(&[change("2026-01-05", hours("09:00:00", "18:00:00"))]);
    assert!(matches!(overlapping, Err(CalendarError::Override { .. })), "{overlapping:?}");
}

#[test]
fn overrides_are_read_by_line() {
    let read =
        read_overrides("# all of it\n\nXHKG 20230901 closed # storm\nX 20260105 10:00 12:00 - -\n").unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].0.as_str(), read[0].1.change), ("XHKG", Change::Closed));
    for (text, fault) in [
        ("X 20260105", "line 1: text \"X 20260105\" is no override"),
        ("\nX 2026-01-05 closed", "line 2: date \"2026-01-05\" is not a date"),
        ("X 20260105 10:00 9 - -", "line 1: time \"9\" is not a time"),
        ("X 20260105 -1/10:00 12:00 - -", "reaches into another day"),
    ] {
        let error = read_overrides(text).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn nothing_is_guessed_past_the_end_of_a_table() {
    for name in MarketCalendar::builtin_names() {
        let calendar = calendar(name);
        let beyond = calendar.last_session().close + Days::new(7);
        let before = calendar.first_session().open - Days::new(7);
        for outside in [beyond, before, DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
            assert!(calendar.session_at(outside).is_err(), "{name} {outside}");
            assert!(calendar.window_at(outside).is_err(), "{name} {outside}");
            assert!(calendar.phase_at(outside).is_err(), "{name} {outside}");
            assert!(calendar.trading_day(outside).is_err(), "{name} {outside}");
        }
        let last = calendar.windows(&calendar.last_session()).last().unwrap();
        assert!(calendar.next_window(last.open, last.kind).is_err(), "{name}");
        assert!(calendar.trading_day(calendar.last_session().close).is_err(), "{name}");
    }
    // Friday evening, 31 December 2027: the post-market is known, and that the night leads to no session.
    let nyse = calendar("XNYS");
    assert_eq!(nyse.phase_at(at("2027-12-31T22:00:00Z")), Ok(SessionPhase::Extended));
    assert_eq!(nyse.phase_at(at("2028-01-01T03:00:00Z")), Ok(SessionPhase::Closed));
    assert!(nyse.phase_at(at("2028-01-02T12:00:00Z")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// At any instant the answers agree with each other and with a search from scratch.
    #[test]
    fn any_instant_is_answered_consistently(
        name in prop::sample::select(MarketCalendar::builtin_names().collect::<Vec<_>>()),
        seconds in 0_i64..37 * 365 * 86_400,
    ) {
        let calendar = calendar(name);
        let instant = at("1990-06-01T00:00:00Z") + TimeDelta::seconds(seconds);
        prop_assume!(calendar.session_at(instant).is_ok() && instant >= calendar.first_session().open);
        let slow = all(calendar).iter().find(|session| session.open <= instant && instant < session.close);
        prop_assert_eq!(calendar.session_at(instant).unwrap(), slow.copied());
        prop_assert_eq!(calendar.is_open(instant).unwrap(), slow.is_some_and(|session| session.contains(instant)));
        let window = all(calendar)
            .iter()
            .flat_map(|session| calendar.windows(session).map(move |window| (session, window)))
            .find(|(_, window)| window.open <= instant && instant < window.close)
            .filter(|(session, window)| window.kind.phase() != SessionPhase::Regular || session.contains(instant))
            .map(|(_, window)| window);
        prop_assert_eq!(calendar.window_at(instant).unwrap(), window);
        if let Ok(day) = calendar.trading_day(instant) {
            let next = all(calendar).iter().find(|session| instant < session.close).unwrap();
            prop_assert_eq!(day, next.date);
        }
    }
}
