//! Each fault, seen by a plain client.

mod client;

use client::{A_WHILE, Bench, PATIENCE, d, now, until};
use mts_foundation::double::{Act, Call, CallFault, Happening, StreamFault, VenueDouble, WrongAnswer};
use mts_foundation::{BrokerOrderId, OrderState};
use std::time::Duration;

const RESTING: &str = r#""type": "limit", "limit_price": "50""#;

#[test]
fn a_fault_says_whether_the_venue_has_acted() {
    // Fault, whether the venue acted, and the status of the answer if there is one.
    let cases = [
        (CallFault::NotRead, false, None),
        (CallFault::AnswerLost, true, None),
        (CallFault::AnswerCut, true, None),
        (CallFault::Silent, true, None),
        (CallFault::Ignored, false, None),
        (CallFault::Late { by_millis: 200 }, true, Some(200)),
        (CallFault::Down { status: 503 }, false, Some(503)),
        (CallFault::DownAfter { status: 500 }, true, Some(500)),
        (CallFault::TooMany { retry_after: Some(3) }, false, Some(429)),
        (CallFault::NotAuthorised, false, Some(401)),
        (CallFault::StrangeRefusal, false, Some(422)),
    ];
    let bench = Bench::new();
    for (place, (fault, acts, status)) in cases.into_iter().enumerate() {
        let before = bench.double.orders().len();
        bench.fault(Call::Submit, fault);
        let started = now();
        let for_ever = matches!(fault, CallFault::Silent | CallFault::Ignored);
        let wait = if for_ever { A_WHILE } else { PATIENCE };
        let reply = bench.send_within(wait, "POST", "/v2/orders", &client::order(RESTING));
        if for_ever {
            // It need not have come yet.
            until("the request", || bench.double.calls(Call::Submit) == place as u64 * 2 + 1);
        }
        assert_eq!(reply.as_ref().map(|reply| reply.status), status, "{fault:?}");
        assert_eq!(bench.double.orders().len(), before + usize::from(acts), "{fault:?}");
        assert_eq!(bench.double.calls(Call::Submit), place as u64 * 2 + 1, "{fault:?}");
        match (fault, reply) {
            (CallFault::Late { by_millis }, _) => {
                assert!(started.elapsed() >= Duration::from_millis(by_millis));
            }
            (CallFault::TooMany { .. }, Some(reply)) => {
                assert!(reply.head.to_lowercase().contains("retry-after: 3"), "{}", reply.head);
            }
            _ => {}
        }
        // Once.
        bench.taken(RESTING);
    }
}

#[test]
fn a_cut_answer_ends_in_its_midst() {
    use std::io::{Read, Write};
    let bench = Bench::new();
    bench.fault(Call::Time, CallFault::AnswerCut);
    let mut stream = std::net::TcpStream::connect(bench.double.address()).unwrap();
    stream.write_all(b"GET /v2/clock HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.to_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    assert!(!body.is_empty() && body.len() < length, "{text}");
}

#[test]
fn answers_can_be_wrong_in_every_way() {
    let bench = Bench::new();
    let id = bench.taken(RESTING);
    for wrong in WrongAnswer::ALL.iter().copied() {
        bench.fault(Call::Order, CallFault::Wrong(wrong));
        let reply = bench.send("GET", &format!("/v2/orders/{id}"), "");
        assert_eq!(reply.status, 200, "{wrong}");
        let right = serde_json::from_str::<serde_json::Value>(&reply.body).is_ok_and(|order| {
            order["id"] == id.as_str() && order["status"] == "new" && order["filled_qty"] == "0"
        });
        assert_eq!(right, wrong == WrongAnswer::ExtraField, "{wrong}: {}", reply.body);
    }
    let act = Act::Call { call: Call::Cancel, fault: CallFault::Wrong(WrongAnswer::OtherType), times: 1 };
    assert!(bench.double.act(&act).unwrap_err().reason.contains("no body"));
}

#[test]
fn what_alpaca_never_does_is_not_possible() {
    let bench = Bench::new();
    let fill = mts_foundation::FillId::new("x:1").unwrap();
    let never = [
        Act::ExpireTokens,
        Act::FeesLate(5),
        Act::Call { call: Call::Login, fault: CallFault::NotRead, times: 1 },
        Act::Happen(Happening::Bust { fill: fill.clone() }),
        Act::Happen(Happening::Correct { fill, quantity: d("1"), price: d("1") }),
        Act::Happen(Happening::Cancel { order: BrokerOrderId::new("none").unwrap() }),
    ];
    for act in never {
        assert!(bench.double.act(&act).is_err(), "{act:?}");
    }
}

#[test]
fn streams_are_cut_and_what_happens_meanwhile_is_not_told() {
    let bench = Bench::new();
    let mut stream = bench.follow();
    bench.act(Act::Stream(StreamFault::Cut));
    assert_eq!(bench.double.streams(), 0);
    let id = bench.taken(RESTING);
    assert!(stream.next().is_none());
    let mut again = bench.follow();
    assert!(again.is_quiet());
    bench.send("DELETE", &format!("/v2/orders/{id}"), "");
    assert_eq!(again.events(2), ["pending_cancel", "canceled"]);
}

#[test]
fn a_silent_stream_stays_open_and_says_nothing() {
    let bench = Bench::new();
    let mut stream = bench.follow();
    bench.act(Act::Stream(StreamFault::Silent));
    bench.taken(RESTING);
    assert!(stream.is_quiet());
    assert_eq!(bench.double.streams(), 1);
    drop(stream);
    until("the end of the stream", || bench.double.streams() == 0);
}

#[test]
fn messages_come_twice_swapped_never_or_strange() {
    let bench = Bench::new();
    bench.quote("AAPL", "99.99", "100");
    let mut stream = bench.follow();
    let mut told = |fault: StreamFault| {
        bench.act(Act::Stream(fault));
        bench.taken("");
        stream.events(match fault {
            StreamFault::Lost => 1,
            StreamFault::Twice | StreamFault::UnknownMessage => 3,
            _ => 2,
        })
    };
    assert_eq!(told(StreamFault::Twice), ["new", "new", "fill"]);
    assert_eq!(told(StreamFault::Swapped), ["fill", "new"]);
    assert_eq!(told(StreamFault::Lost), ["fill"]);
    assert_eq!(told(StreamFault::UnknownName), ["mts_unheard_of", "fill"]);
    assert_eq!(told(StreamFault::UnknownMessage), ["?", "new", "fill"]);
    bench.act(Act::Stream(StreamFault::Garbage));
    assert!(serde_json::from_str::<serde_json::Value>(&stream.raw().unwrap()).is_err());
    assert!(stream.is_quiet());
}

#[test]
fn handshakes_go_wrong_too() {
    let bench = Bench::new();
    for fault in [
        CallFault::NotRead,
        CallFault::Down { status: 503 },
        CallFault::TooMany { retry_after: None },
        CallFault::Wrong(WrongAnswer::Html),
    ] {
        bench.fault(Call::Stream, fault);
        assert!(bench.try_connect().is_none(), "{fault:?}");
    }
    bench.fault(Call::Stream, CallFault::Silent);
    let mut silent = bench.connect();
    silent.say("{}");
    assert!(silent.is_quiet());
    bench.follow();
    assert_eq!(bench.double.calls(Call::Stream), 6);
}

#[test]
fn nobody_connects_during_an_outage() {
    let bench = Bench::new();
    let id = bench.taken(RESTING);
    let mut stream = bench.follow();
    bench.act(Act::Outage(true));
    assert_eq!(bench.double.streams(), 0);
    assert!(stream.next().is_none());
    assert!(bench.try_send("GET", "/v2/clock", "").is_none());
    until("the door is shut", || std::net::TcpStream::connect(bench.double.address()).is_err());
    // What happens meanwhile happens.
    let order = BrokerOrderId::new(&id).unwrap();
    bench.act(Act::Happen(Happening::Fill { order, quantity: d("10"), price: None }));
    bench.act(Act::Outage(false));
    until("the door is open", || bench.try_send("GET", "/v2/clock", "").is_some());
    assert_eq!(bench.status(&id), "filled");
    bench.follow();
}

#[test]
fn the_answer_can_come_after_the_fill() {
    let bench = Bench::new();
    let mut stream = bench.follow();
    bench.act(Act::FillBeforeAnswer);
    let started = now();
    let reply = bench.submit(RESTING);
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(reply.json()["status"], "pending_new");
    assert_eq!(stream.events(2), ["new", "fill"]);
    assert_eq!(bench.double.orders()[0].state, OrderState::Filled);
}

#[test]
fn the_clock_goes_wrong_everywhere() {
    let bench = Bench::new();
    bench.act(Act::Clock(3_600_000));
    let reply = bench.send("GET", "/v2/clock", "");
    assert!(reply.json()["timestamp"].as_str().unwrap().starts_with("2026-03-02T11:00:0"));
    assert!(reply.head.contains("Mon, 02 Mar 2026 16:00:0"), "{}", reply.head);
}

#[test]
fn dropping_a_double_ends_it() {
    let bench = Bench::new();
    let address = bench.double.address();
    let mut stream = bench.follow();
    bench.fault(Call::Time, CallFault::Silent);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.send_within(A_WHILE, "GET", "/v2/clock", ""));
        assert!(waiting.join().unwrap().is_none());
    });
    drop(bench);
    assert!(stream.next().is_none());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn people_do_the_same_over_the_control_channel() {
    let bench = Bench::new();
    let facts = bench.get("/_mts/");
    assert_eq!((facts["name"].as_str(), facts["symbols"][0].as_str()), (Some("alpaca"), Some("AAPL")));
    let quote =
        r#"{"symbol":"AAPL","bid":"99.99","ask":"100","venue":"x","timestamp":"2026-03-02T15:00:00Z"}"#;
    assert_eq!(bench.send("POST", "/_mts/quotes", quote).status, 200);
    let act = r#"{"call": {"call": "submit", "fault": {"down": {"status": 502}}, "times": 1}}"#;
    assert_eq!(bench.send("POST", "/_mts/act", act).status, 200);
    assert_eq!(bench.submit("").status, 502);
    let id = bench.taken("");
    let (orders, fills) = (bench.get("/_mts/orders"), bench.get("/_mts/fills"));
    assert_eq!((orders[0]["id"].as_str(), orders[0]["state"].as_str()), (Some(id.as_str()), Some("filled")));
    assert_eq!((fills[0]["quantity"].as_str(), fills[0]["price"].as_str()), (Some("10"), Some("100")));
    assert_eq!(bench.get("/_mts/account")["positions"]["AAPL"], "10");
    let heard = bench.send("DELETE", "/_mts/heard", "").json();
    let sent: Vec<_> = heard
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["method"].as_str(), row["target"].as_str()))
        .collect();
    assert_eq!(sent, [(Some("POST"), Some("/v2/orders")); 2]);
    assert!(bench.send("DELETE", "/_mts/heard", "").json().as_array().unwrap().is_empty());
    assert_eq!(bench.send("POST", "/_mts/act", r#""expire_tokens""#).status, 409);
    assert_eq!(bench.send("POST", "/_mts/act", "{").status, 409);
    assert_eq!(bench.send("GET", "/_mts/none", "").status, 404);
}

#[test]
fn bars_drive_an_instrument_that_has_no_quotes() {
    let bench = Bench::new();
    let bar = |close: &str, minute: u32| {
        format!(
            r#"[{{"symbol":"SPY","interval":"1m","open":"{close}","high":"{close}","low":"{close}","close":"{close}","volume":"1000","timestamp":"2026-03-02T15:{minute:02}:00Z"}}]"#
        )
    };
    let reply = bench.send("POST", "/_mts/bars", &bar("400", 1));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let id = bench.taken(r#""symbol": "SPY""#);
    assert_eq!(bench.status(&id), "new");
    assert_eq!(bench.send("POST", "/_mts/bars", &bar("401", 2)).status, 200);
    let order = bench.get(&format!("/v2/orders/{id}"));
    assert_eq!((order["status"].as_str(), order["filled_avg_price"].as_str()), (Some("filled"), Some("401")));
    assert_eq!(bench.get("/v2/stocks/quotes/latest?symbols=SPY")["quotes"]["SPY"]["bp"].as_u64(), Some(401));
}
