use super::*;

const SMALL: &str = "[TEST]\ntz America/New_York\nweek 01234\nrange 20260302 20260313\n\
                     regime 20260302 09:30 16:00 12:00 13:00\nholidays 20260304\nextra 20260307\n\
                     special 09:30 13:00 - - : 20260306\n";

fn nyse() -> &'static MarketCalendar {
    MarketCalendar::builtin("xnys").unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn nyse_has_its_sessions_and_closures() {
    let nyse = nyse();
    assert_eq!((nyse.name(), nyse.time_zone()), ("XNYS", Tz::America__New_York));
    assert_eq!(nyse.sessions(day("1990-01-02"), nyse.valid_through()).unwrap().len(), 9_569);
    let ends = (nyse.first_session().date, nyse.last_session().date);
    assert_eq!(ends, (day("1990-01-02"), day("2027-12-31")));
    let closed = "2001-09-11 2001-09-12 2001-09-13 2001-09-14 2012-10-29 2012-10-30 2018-12-05 2025-01-09";
    for date in closed.split(' ') {
        assert_eq!(nyse.session_on(day(date)).unwrap(), None, "{date}");
    }
    assert_eq!(nyse.next_session(day("2001-09-10")).unwrap().date, day("2001-09-17"));
    assert_eq!(nyse.next_session(day("1990-01-01")).unwrap().date, ends.0);
    assert_eq!(nyse.previous_session(day("2012-10-31")).unwrap().date, day("2012-10-26"));
    assert_eq!(nyse.previous_session(day("2028-01-01")).unwrap().date, ends.1);
    let week = nyse.sessions(day("2012-10-27"), day("2012-11-04")).unwrap();
    assert_eq!(week.iter().map(|session| session.date.day()).collect::<Vec<_>>(), [31, 1, 2]);
    assert!(nyse.sessions(ends.1, ends.0).unwrap().is_empty());
}

#[test]
fn local_times_follow_the_clock_changes() {
    let open = |date| nyse().session_on(day(date)).unwrap().unwrap().open;
    assert_eq!(open("2020-03-06"), at("2020-03-06T14:30:00Z"));
    assert_eq!(open("2020-03-09"), at("2020-03-09T13:30:00Z"));
    let half = nyse().session_on(day("2019-11-29")).unwrap().unwrap();
    assert_eq!(half.close, at("2019-11-29T18:00:00Z"));
    assert!(nyse().is_open(half.open).unwrap() && !nyse().is_open(half.close).unwrap());
    assert_eq!(nyse().session_at(at("2019-11-29T17:59:59.999Z")).unwrap(), Some(half));
    assert_eq!(nyse().session_at(half.close).unwrap(), None);
    let one_day = |open: &str, date: &str| {
        let head = format!("[T]\ntz America/New_York\nweek 0123456\nrange {date} {date}");
        MarketCalendar::parse(&format!("{head}\nregime {date} {open} 16:00 - -"))
    };
    assert_eq!(one_day("01:30", "20261101").unwrap().first_session().open, at("2026-11-01T05:30:00Z"));
    let skipped = one_day("02:30", "20260308").unwrap_err().to_string();
    assert!(skipped.contains("line 5: local time \"2026-03-08 02:30:00\" does not exist"), "{skipped}");
}

#[test]
fn month_and_week_ends_are_sessions() {
    let month = |date| MarketCalendar::is_last_session_of_month(nyse(), day(date));
    let week = |date| MarketCalendar::is_last_session_of_week(nyse(), day(date));
    for (date, of_month, of_week) in [
        ("2024-03-28", true, true),   // Good Friday is the 29th
        ("2024-03-29", false, false), // no session
        ("2024-06-27", false, false),
        ("2024-06-28", true, true), // the 30th is a Sunday
        ("2024-07-31", true, false),
        ("2027-12-31", true, true), // only a week-end is beyond the table
    ] {
        assert_eq!((month(date), week(date)), (Ok(of_month), Ok(of_week)), "{date}");
    }
    let small = MarketCalendar::parse(SMALL).unwrap();
    assert_eq!(small.is_last_session_of_week(day("2026-03-06")), Ok(false));
    assert_eq!(small.is_last_session_of_week(day("2026-03-07")), Ok(true));
    assert!(small.is_last_session_of_week(day("2026-03-13")).is_err(), "Saturday may be an extra session");
    assert!(small.is_last_session_of_month(day("2026-03-13")).is_err());
}

#[test]
fn nothing_is_guessed_outside_the_table() {
    let (calendar, first, last) = ("XNYS".to_owned(), day("1990-01-02"), day("2027-12-31"));
    let date = day("2028-01-01");
    let error = CalendarError::OutOfRange { calendar, date, first, last };
    assert!(error.to_string().contains("2028-01-01 is outside calendar XNYS, 1990-01-02 to 2027-12-31"));
    assert_eq!(nyse().session_on(date), Err(error.clone()));
    assert_eq!(nyse().next_session(last), Err(error.clone()));
    assert_eq!(nyse().is_last_session_of_month(date), Err(error.clone()));
    assert_eq!(nyse().session_at(at("2028-01-01T05:00:00Z")), Err(error));
    assert_eq!(nyse().is_open(at("2028-01-01T04:59:59Z")), Ok(false));
    assert!(nyse().sessions(last, date).is_err() && nyse().previous_session(first).is_err());
    assert!(nyse().next_session(day("1989-12-30")).is_err());
    for far in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let day = far.date_naive();
        assert!(nyse().is_open(far).is_err() && nyse().session_on(day).is_err());
        assert!(nyse().next_session(day).is_err() && nyse().previous_session(day).is_err());
    }
    let unknown = MarketCalendar::builtin("XMAD").unwrap_err().to_string();
    assert!(unknown.contains("\"XMAD\" is not built in: use one of 24/5, 24/7, CMES, FX, "), "{unknown}");
}

#[test]
fn breaks_and_overnight_sessions_are_kept() {
    let small = MarketCalendar::parse(SMALL).unwrap();
    let noon = at("2026-03-03T17:00:00Z");
    assert_eq!(small.is_open(noon), Ok(false));
    assert_eq!(small.session_at(noon).unwrap().unwrap().break_end, Some(at("2026-03-03T18:00:00Z")));
    assert_eq!(small.session_on(day("2026-03-06")).unwrap().unwrap().break_start, None);
    let night = "[NIGHT]\ntz America/Chicago\nweek 01234\nrange 20260302 20260305\n\
                 regime 20260302 -1/17:00 16:00 - -";
    let night = MarketCalendar::parse(night).unwrap();
    assert_eq!(night.session_at(at("2026-03-02T23:00:00Z")).unwrap().unwrap().date, day("2026-03-03"));
    assert_eq!(night.first_session().open, at("2026-03-01T23:00:00Z"));
    assert!(night.is_open(at("2026-03-05T23:00:00Z")).is_err(), "Friday's session is not in the table");
}

#[test]
fn malformed_text_is_refused_by_line() {
    for (from, to, expected) in [
        ("tz America/New_York", "tz Mars/Base", "line 2: time zone \"Mars/Base\" is not a time zone"),
        ("week 01234", "week 01237", "line 3: week \"01237\""),
        ("20260302 20260313", "20260314 20260313", "range \"2026-03-14 to 2026-03-13\" holds no"),
        ("20260313\n", "2026031x\n", "line 4: date \"2026031x\" is not a date"),
        ("20260313\n", "+2026313\n", "line 4: date \"+2026313\" is not a date"),
        ("09:30 16:00", "9:30 16:00", "line 5: time \"9:30\" is not a time"),
        ("09:30 16:00", "+2/09:30 16:00", "line 5: time \"+2/09:30\""),
        ("12:00 13:00", "12:00 -", "line 5: time \"-\""),
        ("16:00 12:00", "16:00 17:00", "line 5: session \"2026-03-02\" has times out of order"),
        ("09:30 13:00 - -", "-1/09:30 13:00 - -", "line 8: session \"2026-03-06\" opens before"),
        ("regime 20260302", "regime 20260303", "line 8: regime \"2026-03-02\" is missing"),
        ("regime", "regine", "line 5: text \"regine 20260302"),
        ("holidays 20260304", "holidays 20260308", "line 6: date \"2026-03-08\" has no effect"),
        ("extra 20260307", "extra 20260309", "line 7: date \"2026-03-09\" has no effect"),
        (": 20260306", ": 20260304", "line 8: date \"2026-03-04\" has no effect"),
        ("extra 20260307", "holidays 20260304", "line 7: text \"holidays 20260304\" repeats"),
        ("extra 20260307", "[OTHER]", "line 7: text \"[OTHER]\" repeats"),
        ("[TEST]", "[]", "line 8: name \"\" is missing"),
        ("week 01234\n", "", "line 7: week \"\" is missing"),
        (SMALL, "", "line 0: name \"\" is missing"),
    ] {
        let error = MarketCalendar::parse(&SMALL.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.ends_with('.'), "{to}: {error}");
    }
}
