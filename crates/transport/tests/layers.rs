//! Retries, rate limits and clock skew, in a time that tokio lets pass.

mod desk;

use desk::{Say, Script, clock, get};
use mts_foundation::io::{Departure, HttpClient, RequestOptions};
use mts_transport::{Attempts, Budget, ClockSkew, Jitter, Limit, Retry, RetryOptions, Skew};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const VENUE: &str = "http://venue.example/v1";

fn retrying(script: &Script) -> Retry<Script> {
    Retry::new(script.clone(), RetryOptions::default(), Arc::new(Jitter::new(7)), clock())
}

#[tokio::test(start_paused = true)]
async fn a_read_is_asked_again_three_times_with_growing_pauses() {
    let script =
        Script::of(vec![Say::Answer(503, &[]), Say::Lost, Say::Answer(502, &[]), Say::Answer(504, &[])]);
    let answer = retrying(&script).send(get(VENUE), &RequestOptions::read()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.extensions().get()), (504, Some(&Attempts(4))));
    let heard = script.heard.lock().unwrap().clone();
    let pauses: Vec<f64> = heard.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect();
    for (pause, mean) in pauses.iter().zip([0.5, 0.75, 1.125]) {
        assert!((pause / mean - 1.0).abs() < 0.26, "{pauses:?}");
    }
    assert_eq!(pauses.len(), 3);
    assert!(heard.windows(2).all(|pair| pair[1].2 < pair[0].2), "each attempt has what is left");
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_it_and_what_changes_something_is_never_repeated() {
    let script = Script::of(vec![Say::Refused, Say::Answer(200, &[])]);
    let answer = retrying(&script).send(get(VENUE), &RequestOptions::read()).await.unwrap();
    assert_eq!((answer.status().as_u16(), script.count()), (200, 2));
    for say in [Say::Answer(503, &[("retry-after", "1")]), Say::Lost, Say::Refused] {
        let script = Script::of(vec![say]);
        let _any = retrying(&script).send(get(VENUE), &RequestOptions::default()).await;
        assert_eq!(script.count(), 1);
    }
    for status in [400, 401, 404, 500, 501] {
        let script = Script::of(vec![Say::Answer(status, &[])]);
        let answer = retrying(&script).send(get(VENUE), &RequestOptions::read()).await.unwrap();
        assert_eq!((answer.status().as_u16(), script.count()), (status, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_says_how_often_and_whether_any_attempt_may_have_left() {
    let script = Script::of(vec![Say::Lost, Say::Refused, Say::Refused, Say::Refused]);
    let error = retrying(&script).send(get(VENUE), &RequestOptions::read()).await.unwrap_err();
    assert_eq!(error.departure, Departure::MayHaveLeft);
    assert!(error.message.contains("4 attempts"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_be_left_alone_is_honoured_within_the_deadline_only() {
    let began = Instant::now();
    let script = Script::of(vec![
        Say::Answer(429, &[("retry-after", "7")]),
        Say::Answer(
            503,
            &[("retry-after", "Sun, 06 Nov 1994 08:49:50 GMT"), ("date", "Sun, 06 Nov 1994 08:49:45 GMT")],
        ),
    ]);
    let answer = retrying(&script).send(get(VENUE), &RequestOptions::read()).await.unwrap();
    assert_eq!((answer.status().as_u16(), began.elapsed().as_secs()), (200, 12));
    // More than is left: the answer comes as it is, at once.
    let script = Script::of(vec![Say::Answer(429, &[("retry-after", "21")])]);
    let answer = retrying(&script).send(get(VENUE), &RequestOptions::read()).await.unwrap();
    assert_eq!((answer.status().as_u16(), began.elapsed().as_secs(), script.count()), (429, 12, 1));
}

fn limited(script: &Script) -> Limit<Script> {
    let budgets = vec![Budget::per_minute("orders", 40), Budget::per_minute("", 4)];
    Limit::new(script.clone(), budgets, clock())
}

fn of(budget: &'static str, weight: u32) -> RequestOptions {
    RequestOptions { budget, weight, deadline: Duration::from_secs(3600), ..RequestOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn no_minute_has_more_than_its_budget() {
    let (script, began) = (Script::default(), Instant::now());
    let limit = limited(&script);
    for _ in 0..100 {
        limit.send(get(VENUE), &of("orders", 1)).await.unwrap();
    }
    let times: Vec<Instant> = script.heard.lock().unwrap().iter().map(|heard| heard.0).collect();
    for (place, time) in times.iter().enumerate() {
        let within =
            times[place..].iter().take_while(|other| **other - *time < Duration::from_secs(60)).count();
        assert!(within <= 40, "{within} in a minute");
    }
    // Ten at once, then one in two seconds.
    assert_eq!((times[9] - began).as_millis(), 0);
    assert_eq!((times[99] - began).as_secs(), 180);
}

#[tokio::test(start_paused = true)]
async fn a_venue_s_own_bucket_gives_what_it_holds_at_once_and_fills_at_its_rate() {
    let (script, began) = (Script::default(), Instant::now());
    let limit = Limit::new(script.clone(), vec![Budget::bucket("private", 15, 20)], clock());
    for _ in 0..20 {
        limit.send(get(VENUE), &of("private", 1)).await.unwrap();
    }
    let times: Vec<u64> =
        script.heard.lock().unwrap().iter().map(|heard| (heard.0 - began).as_secs()).collect();
    assert_eq!((times[14], times[15], times[19]), (0, 3, 15));
}

#[tokio::test(start_paused = true)]
async fn weights_count_and_budgets_and_hosts_do_not_share() {
    let (script, began) = (Script::default(), Instant::now());
    let limit = limited(&script);
    limit.send(get(VENUE), &of("orders", 8)).await.unwrap();
    limit.send(get(VENUE), &of("", 1)).await.unwrap();
    limit.send(get("http://other.example/"), &of("orders", 10)).await.unwrap();
    assert_eq!(began.elapsed().as_millis(), 0);
    // Two are left: eight more are there in 16 s; what is more than the bucket holds waits for a full one.
    limit.send(get(VENUE), &of("orders", 10)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 16);
    limit.send(get(VENUE), &of("orders", 50)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 36);
    let unknown = limit.send(get(VENUE), &of("hunter", 1)).await.unwrap_err();
    assert_eq!((unknown.departure, unknown.timed_out), (Departure::NotSent, false));
    assert!(
        unknown.message.contains("\"hunter\"") && unknown.message.contains("not configured"),
        "{unknown}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_leave_by_its_deadline_fails_at_once_as_not_sent_and_takes_no_room() {
    let (script, began) = (Script::default(), Instant::now());
    let limit = limited(&script);
    limit.send(get(VENUE), &of("orders", 10)).await.unwrap();
    for _ in 0..100 {
        let hasty = RequestOptions { deadline: Duration::from_secs(1), ..of("orders", 1) };
        let error = limit.send(get(VENUE), &hasty).await.unwrap_err();
        assert_eq!((error.departure, error.timed_out), (Departure::NotSent, true));
        assert!(error.message.contains("2000 ms") && error.message.contains("orders"), "{error}");
    }
    // Whoever gives up waiting gives his room back.
    let patient = of("orders", 1);
    let given_up = tokio::time::timeout(Duration::from_millis(500), limit.send(get(VENUE), &patient)).await;
    assert!(given_up.is_err());
    limit.send(get(VENUE), &patient).await.unwrap();
    assert_eq!((began.elapsed().as_secs(), script.count()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_429_pauses_its_budget_for_everybody_and_a_retry_waits_with_it() {
    let script = Script::of(vec![Say::Answer(429, &[("retry-after", "5")])]);
    let began = Instant::now();
    let limit = Arc::new(limited(&script));
    assert_eq!(limit.send(get(VENUE), &of("orders", 1)).await.unwrap().status(), 429);
    limit.send(get(VENUE), &of("", 1)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 0, "another budget goes on");
    let hasty = RequestOptions { deadline: Duration::from_secs(2), ..of("orders", 1) };
    assert!(limit.send(get(VENUE), &hasty).await.unwrap_err().message.contains("5000 ms"));
    limit.send(get(VENUE), &of("orders", 1)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_server_is_known_to_half_a_second() {
    let skew = ClockSkew::default();
    let late = |ms| {
        let answer = Say::Answer(200, &[("date", "Sun, 06 Nov 1994 08:49:47 GMT")]);
        Say::After(Duration::from_millis(ms), Box::new(answer))
    };
    let script = Script::of(vec![late(200), Say::Answer(200, &[]), late(6_000)]);
    let client = Skew::new(script, skew.clone(), clock());
    assert_eq!(skew.milliseconds("venue.example"), None);
    client.send(get(VENUE), &RequestOptions::read()).await.unwrap();
    // Ten seconds and the half that a cut second has in the mean, less half of the way.
    assert_eq!(skew.milliseconds("venue.example"), Some(10_400));
    client.send(get(VENUE), &RequestOptions::read()).await.unwrap();
    client.send(get(VENUE), &RequestOptions::read()).await.unwrap();
    assert_eq!(skew.milliseconds("venue.example"), Some(10_400), "no date, and one that was long on its way");
    assert_eq!(skew.milliseconds("other.example"), None);
}

#[tokio::test(start_paused = true)]
async fn one_liar_does_not_move_the_clock() {
    let skew = ClockSkew::default();
    let honest = || Say::Answer(200, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let liar = || Say::Answer(200, &[("date", "Sun, 06 Nov 2094 08:49:37 GMT")]);
    let script = Script::of(vec![honest(), liar(), honest(), honest(), liar()]);
    let client = Skew::new(script, skew.clone(), clock());
    for _ in 0..5 {
        client.send(get(VENUE), &RequestOptions::read()).await.unwrap();
    }
    assert_eq!(skew.milliseconds("venue.example"), Some(500));
}
