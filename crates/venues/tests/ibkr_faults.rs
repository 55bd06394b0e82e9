//! Each fault of calls and of the stream on a plain socket, seen by a plain client in both dialects.

mod client;
mod gateway;

use client::now;
use gateway::{A_WHILE, BOTH, Bench, Client, Dialect, Message, decode, wanted};
use mts_foundation::double::{Act, Call, CallFault, Happening, StreamFault, VenueDouble, WrongAnswer};
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

/// What a client hears after a call that went wrong.
#[derive(Debug, PartialEq)]
enum Heard {
    /// The end of the connection, and not a whole message before it.
    End,
    /// Nothing.
    Nothing,
    /// Messages of these ids, and the code of an error among them.
    Said(Vec<u32>, Option<&'static str>),
}

fn heard(client: &mut Client, wanted: &Heard) -> Heard {
    let count = match wanted {
        Heard::Said(ids, _) => ids.len(),
        _ => 1,
    };
    if *wanted == Heard::Nothing {
        return if client.is_quiet() { Heard::Nothing } else { Heard::End };
    }
    let mut said = Vec::new();
    while said.len() < count {
        let Some(message) = client.next() else { return Heard::End };
        said.push(message);
    }
    let code = said.iter().find(|message| message.id == 4).map(|message| message.error().1);
    let known = ["504", "100", "321", "29999"].into_iter().find(|known| code.as_deref() == Some(*known));
    Heard::Said(said.iter().map(|message| message.id).collect(), known)
}

#[test]
fn a_fault_of_an_order_says_whether_the_venue_has_acted() {
    let taken = || Heard::Said(vec![5, 3, 5, 3], None);
    let error = |code| Heard::Said(vec![4], Some(code));
    let cases = [
        (CallFault::NotRead, false, Heard::End),
        (CallFault::AnswerLost, true, Heard::End),
        (CallFault::Silent, true, Heard::Nothing),
        (CallFault::Ignored, false, Heard::Nothing),
        (CallFault::Late { by_millis: 200 }, true, taken()),
        (CallFault::Down { status: 503 }, false, error("504")),
        (CallFault::DownAfter { status: 500 }, true, error("504")),
        (CallFault::TooMany { retry_after: None }, false, error("100")),
        (CallFault::NotAuthorised, false, error("321")),
        (CallFault::StrangeRefusal, false, error("29999")),
    ];
    for dialect in BOTH {
        for (fault, acts, wants) in &cases {
            let bench = Bench::new();
            let mut client = bench.client(dialect, 1);
            bench.fault(Call::Submit, *fault);
            let started = now();
            client.place(&wanted(1));
            assert_eq!(heard(&mut client, wants), *wants, "{fault:?}");
            if let CallFault::Late { by_millis } = fault {
                assert!(started.elapsed() >= Duration::from_millis(*by_millis));
            }
            assert_eq!(bench.double.orders().len(), usize::from(*acts), "{fault:?}");
            assert_eq!(bench.double.calls(Call::Submit), 1);
            if *wants == Heard::End {
                client = bench.client(dialect, 1);
            }
            // Once, and all is well again; what was acted on has used its id.
            client.place(&wanted(2));
            assert_eq!(heard(&mut client, &taken()), taken(), "after {fault:?}");
            let there = client.list(5, 53).iter().filter(|row| row.id == 5).count();
            assert_eq!(there, 1 + usize::from(*acts), "{fault:?}");
        }
    }
}

#[test]
fn an_answer_is_cut_in_the_midst_of_a_message() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        bench.fault(Call::Submit, CallFault::AnswerCut);
        client.place(&wanted(1));
        let mut bytes = Vec::new();
        client.stream.read_to_end(&mut bytes).unwrap();
        let mut rest = &bytes[..];
        let mut whole = 0;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
            if after.len() < length {
                break;
            }
            (rest, whole) = (&after[length..], whole + 1);
        }
        assert!(!rest.is_empty() && whole < 4, "{whole} whole messages and {} bytes", rest.len());
        assert_eq!(bench.double.orders().len(), 1);
    }
}

#[test]
fn handshakes_go_wrong_too() {
    let bench = Bench::new();
    for fault in
        [CallFault::NotRead, CallFault::AnswerLost, CallFault::Down { status: 503 }, CallFault::NotAuthorised]
    {
        bench.fault(Call::Stream, fault);
        assert_eq!(bench.knock("v157..178").1, None, "{fault:?}");
    }
    bench.fault(Call::Stream, CallFault::Wrong(WrongAnswer::UnknownName));
    assert_eq!(bench.knock("v157..178").1.unwrap()[0], "mts_unheard_of");
    bench.fault(Call::Stream, CallFault::Silent);
    let mut stream = TcpStream::connect(bench.double.address()).unwrap();
    std::io::Write::write_all(&mut stream, b"API\0\0\0\0\x09v157..178").unwrap();
    stream.set_read_timeout(Some(A_WHILE)).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    bench.client(Dialect::Text, 1);
}

fn text_of(message: &Message, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Text => message.fields.len() > 60,
        Dialect::Protobuf => decode(&message.body).is_some(),
    }
}

#[test]
fn answers_can_be_wrong_in_every_way() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        client.rest(&wanted(1));
        let mut ask = |wrong: WrongAnswer| {
            bench.fault(Call::Orders, CallFault::Wrong(wrong));
            client.list(5, 53).swap_remove(0)
        };
        let right = ask(WrongAnswer::ExtraField);
        assert_eq!((right.text(0, &[1]), right.status()), ("1".to_owned(), "Submitted".to_owned()));
        match dialect {
            Dialect::Text => assert_eq!(right.fields.last().unwrap(), "since 2027"),
            Dialect::Protobuf => assert_eq!(right.text(0, &[5_000]), "since 2027"),
        }
        let empty = ask(WrongAnswer::Empty);
        assert!(empty.fields.is_empty() && empty.body.is_empty());
        assert_eq!(ask(WrongAnswer::UnknownName).status(), "mts_unheard_of");
        assert_eq!(ask(WrongAnswer::HugeNumber).text(13, &[3, 6]), "1e400");
        assert_eq!(ask(WrongAnswer::OtherOrder).text(0, &[1]), "1000001");
        let truncated = ask(WrongAnswer::Truncated);
        assert!(!text_of(&truncated, dialect) || truncated.body.len() < 60, "{truncated:?}");
        let other = ask(WrongAnswer::OtherType);
        match dialect {
            Dialect::Text => assert_eq!(other.fields[13], "not a number"),
            Dialect::Protobuf => assert_eq!(other.text(0, &[1]), "not a number"),
        }
        bench.fault(Call::Orders, CallFault::Wrong(WrongAnswer::Html));
        client.ask(5, &[], &["1"]);
        let mut page = [0; 9];
        client.stream.read_exact(&mut page).unwrap();
        assert_eq!(&page, b"<!doctype");
    }
}

/// A client with an order of which a test fills units one after the other.
fn following(dialect: Dialect) -> (Bench, Client) {
    let bench = Bench::new();
    let mut client = bench.client(dialect, 1);
    client.rest(&wanted(1));
    (bench, client)
}

fn fill(bench: &Bench, units: &str) {
    let order = bench.double.orders()[0].id.clone();
    bench.act(Act::Happen(Happening::Fill { order, quantity: gateway::d(units), price: None }));
}

#[test]
fn messages_come_twice_swapped_never_or_strange() {
    for dialect in BOTH {
        let (bench, mut client) = following(dialect);
        bench.act(Act::Stream(StreamFault::Twice));
        fill(&bench, "1");
        assert_eq!(client.fills(2), ["1", "1"]);
        bench.act(Act::Stream(StreamFault::Swapped));
        fill(&bench, "2");
        fill(&bench, "3");
        assert_eq!(client.fills(2), ["3", "2"]);
        client.until(59);
        bench.act(Act::Stream(StreamFault::Lost));
        fill(&bench, "1");
        // The venue says that something may be missing.
        assert_eq!([client.next().unwrap().error().1, client.next().unwrap().error().1], ["1100", "1101"]);
        assert!(client.is_quiet());
        assert_eq!(client.executions(&[], &["0"]).len(), 8);
        bench.act(Act::Stream(StreamFault::UnknownMessage));
        assert_eq!(client.next().unwrap().id, 190);
        bench.act(Act::Stream(StreamFault::Garbage));
        let garbage = client.next().unwrap();
        assert_eq!(garbage.id, 3);
        match dialect {
            Dialect::Text => assert!(garbage.fields.len() < 11),
            Dialect::Protobuf => assert_eq!(decode(&garbage.body), None),
        }
        bench.act(Act::Stream(StreamFault::UnknownName));
        fill(&bench, "1");
        assert_eq!(client.until(11).pop().unwrap().text(17, &[3, 6]), "mts_unheard_of");
        assert_eq!(client.next().unwrap().status(), "mts_unheard_of");
        fill(&bench, "1");
        assert_eq!(client.fills(1), ["1"]);
    }
}

#[test]
fn a_silent_connection_stays_open_and_answers_nothing() {
    for dialect in BOTH {
        let (bench, mut client) = following(dialect);
        bench.act(Act::Stream(StreamFault::Silent));
        fill(&bench, "1");
        client.ask(49, &[], &["1"]);
        assert!(client.is_quiet());
        let mut other = bench.client(dialect, 2);
        other.ask(49, &[], &["1"]);
        assert_eq!(other.next().unwrap().id, 49);
    }
}

#[test]
fn a_connection_is_cut_and_what_happens_meanwhile_is_not_told() {
    for dialect in BOTH {
        let (bench, mut client) = following(dialect);
        bench.act(Act::Stream(StreamFault::Cut));
        assert!(client.next().is_none());
        fill(&bench, "4");
        let mut client = bench.client(dialect, 1);
        assert!(client.is_quiet());
        assert_eq!(client.executions(&[], &["0"]).len(), 2);
        fill(&bench, "1");
        assert_eq!(client.fills(1), ["1"]);
    }
}

#[test]
fn nobody_connects_during_an_outage() {
    let (bench, mut client) = following(Dialect::Protobuf);
    bench.act(Act::Outage(true));
    assert!(client.next().is_none());
    gateway::until("the shut door", || TcpStream::connect(bench.double.address()).is_err());
    bench.act(Act::Outage(false));
    gateway::until("the open door", || TcpStream::connect(bench.double.address()).is_ok());
    assert_eq!(bench.client(Dialect::Protobuf, 1).list(5, 53).len(), 2);
}

#[test]
fn the_answer_can_come_after_the_fill() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        bench.act(Act::FillBeforeAnswer);
        client.place(&wanted(1));
        assert_eq!(client.ids(8), [11, 5, 3, 59, 5, 3, 5, 3]);
    }
}

#[test]
fn what_the_venue_never_does_is_not_possible() {
    let bench = Bench::new();
    let fault = |call, fault| Act::Call { call, fault, times: 1 };
    let bust = Happening::Bust { fill: mts_foundation::FillId::new("x").unwrap() };
    for act in [
        Act::ExpireTokens,
        fault(Call::Login, CallFault::NotRead),
        fault(Call::Order, CallFault::NotRead),
        fault(Call::Submit, CallFault::TooMany { retry_after: Some(1) }),
        Act::Happen(bust),
    ] {
        let error = bench.double.act(&act).unwrap_err();
        assert!(error.reason.starts_with("Interactive Brokers"), "{error}");
    }
}

#[test]
fn people_drive_it_over_http_at_the_same_address() {
    use std::io::Write;
    let bench = Bench::new();
    let mut client = bench.client(Dialect::Text, 1);
    client.ask(49, &[], &["1"]);
    client.until(49);
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(bench.double.address()).unwrap();
        let head = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let facts = ask("GET /_mts/");
    assert!(facts.contains("\"name\":\"ibkr\"") && facts.contains("\"streams\":1"), "{facts}");
    let heard = ask("DELETE /_mts/heard");
    assert!(heard.contains("\"target\":\"49\"") && heard.contains("v157..178"), "{heard}");
    assert!(ask("GET /v1/orders").starts_with("HTTP/1.1 404"));
}
