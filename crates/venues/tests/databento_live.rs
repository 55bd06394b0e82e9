//! The double of Databento's live gateway, line by line and byte by byte. The layout of records is written out here once
//! more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod client;

use client::{A_WHILE, PATIENCE, Steps, d, quote, until};
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble, WrongAnswer};
use mts_foundation::{Bar, Clock, Interval, Symbol, Timestamp, Trade, VenueName};
use mts_venues::{Double, Options, Venue};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn double() -> (Double, Arc<Steps>) {
    let clock = Arc::new(Steps::new());
    (Venue::Databento.start(Options::new(clock.clone())).unwrap(), clock)
}

fn trade(of: &str, price: u32) -> Trade {
    Trade {
        trade_id: "".into(),
        symbol: Symbol::new(of).unwrap(),
        price: price.into(),
        size: d("5.5"),
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }
}

fn stream(fault: StreamFault) -> Act {
    Act::Stream(fault)
}

fn call(call: Call, fault: CallFault) -> Act {
    Act::Call { call, fault, times: 1 }
}

/// One connection.
struct Client {
    socket: TcpStream,
    proof: String,
}

/// A record: kind, number of the instrument, and all its bytes.
#[derive(Debug, Clone, PartialEq)]
struct Record(u8, u32, Vec<u8>);

impl Record {
    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.2[at..at + 8].try_into().unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.2[at..at + 4].try_into().unwrap())
    }

    /// The text from a byte on.
    fn text(&self, at: usize) -> String {
        let end = self.2[at..].iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8(self.2[at..at + end].to_vec()).unwrap()
    }

    /// Of an error: its code and words.
    fn error(&self) -> (u8, String) {
        assert_eq!((self.0, self.2.len()), (0x15, 320));
        (self.2[318], self.text(16))
    }

    /// Of a message of the gateway: its code.
    fn notice(&self) -> u8 {
        assert_eq!((self.0, self.2.len()), (0x17, 320));
        self.2[319]
    }
}

impl Client {
    /// Connected and challenged.
    fn new(double: &Double) -> Self {
        let socket = TcpStream::connect(double.address()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { socket, proof: String::new() };
        assert!(client.line().unwrap().starts_with("lsg_version="));
        let challenge = client.line().unwrap().strip_prefix("cram=").unwrap().to_owned();
        let key = double.credentials()["api_key"].expose_secret().to_owned();
        let hash = Sha256::digest(format!("{challenge}|{key}").as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        client.proof = format!("{hash}-{}", &key[key.len() - 5..]);
        client
    }

    /// One that has proved its key, with more wishes.
    fn of(double: &Double, more: &str) -> Self {
        let mut client = Self::new(double);
        let answer = client.prove(more).unwrap();
        assert!(answer.starts_with("success=1|session_id="), "{answer}");
        client
    }

    /// One whose stream has begun, with these subscriptions and so many records read.
    fn live(double: &Double, more: &str, lines: &[&str]) -> (Self, Vec<Record>) {
        let mut client = Self::of(double, more);
        for line in lines {
            client.say(line);
        }
        client.say("start_session");
        client.head();
        let mut first = Vec::new();
        while first.iter().filter(|record: &&Record| record.0 == 0x17).count() < lines.len() {
            first.push(client.record().unwrap());
        }
        until("a stream", || double.streams() > 0);
        (client, first)
    }

    fn prove(&mut self, more: &str) -> Option<String> {
        self.say(&format!("auth={}|dataset=XNAS.ITCH|encoding=dbn|ts_out=0{more}", self.proof));
        self.line()
    }

    fn say(&mut self, line: &str) {
        self.socket.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn read(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.socket.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            match self.read(1)?[0] {
                b'\n' => return Some(line),
                byte => line.push(char::from(byte)),
            }
        }
    }

    fn head(&mut self) -> Vec<u8> {
        let start = self.read(8).unwrap();
        assert_eq!(&start[..4], b"DBN\x03");
        let length = u32::from_le_bytes(start[4..].try_into().unwrap());
        let head = self.read(usize::try_from(length).unwrap()).unwrap();
        assert_eq!((&head[..10], head.len() % 8), (b"XNAS.ITCH\0".as_slice(), 0));
        head
    }

    /// The next record; `None` when the stream has ended.
    fn record(&mut self) -> Option<Record> {
        let mut bytes = self.read(1)?;
        let length = usize::from(bytes[0]) * 4;
        assert!(length >= 16, "a record of {length} bytes");
        bytes.extend(self.read(length - 1)?);
        let record = Record(bytes[1], 0, bytes);
        Some(Record(record.0, record.u32(4), record.2))
    }

    fn is_quiet(&mut self) -> bool {
        self.socket.set_read_timeout(Some(A_WHILE)).unwrap();
        let mut byte = [0];
        let quiet = self.socket.peek(&mut byte).is_err();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        quiet
    }

    fn has_ended(&mut self) -> bool {
        // A connection may end with a reset where something was not read.
        matches!(self.socket.read(&mut [0]), Ok(0) | Err(_))
    }
}

fn minute(of: &str) -> Bar {
    Bar {
        symbol: Symbol::new(of).unwrap(),
        interval: Interval::MINUTE,
        open: d("100"),
        high: d("120"),
        low: d("90"),
        close: d("111.5"),
        volume: d("7"),
        vwap: None,
        n_trades: Some(3),
        timestamp: "2026-03-02T15:00:00Z".parse().unwrap(),
        close_only: false,
        partial: false,
    }
}

#[test]
fn a_session_tells_what_was_asked_for() {
    let (double, clock) = double();
    let lines = [
        "schema=trades|stype_in=raw_symbol|symbols=AAPL,NONE,BRK.B|snapshot=0|is_last=1|id=1",
        "schema=mbp-1|stype_in=raw_symbol|symbols=AAPL|is_last=1|id=2",
        "schema=ohlcv-1m|stype_in=instrument_id|symbols=2|is_last=1|id=3",
    ];
    let (mut client, first) = Client::live(&double, "|heartbeat_interval_s=5", &lines);
    let kinds: Vec<u8> = first.iter().map(|record| record.0).collect();
    assert_eq!(kinds, [0x16, 0x16, 0x15, 0x17, 0x17, 0x16, 0x17]);
    let names = |record: &Record| (record.1, record.text(17), record.text(89));
    assert_eq!(names(&first[0]), (1, "AAPL".to_owned(), "AAPL".to_owned()));
    assert_eq!(names(&first[1]), (4, "BRK.B".to_owned(), "BRK.B".to_owned()));
    assert_eq!(names(&first[5]), (2, "2".to_owned(), "MSFT".to_owned()));
    assert!(matches!(first[2].error(), (4, words) if words.contains("NONE")));
    assert!(first[3..5].iter().all(|record| record.notice() == 1));

    double.trades(&[trade("MSFT", 1), trade("AAPL", 101), trade("BRK.B", 5)]);
    let print = client.record().unwrap();
    assert_eq!((print.0, print.1, print.2.len()), (0x00, 1, 48));
    assert_eq!((print.i64(16), print.u32(24), print.2[28]), (101_000_000_000, 5, b'T'));
    let top = client.record().unwrap();
    // No quote yet: no sides.
    assert_eq!((top.0, top.2.len(), top.i64(48), top.i64(56)), (0x01, 80, i64::MAX, i64::MAX));
    assert_eq!(client.record().unwrap().1, 4);
    double.quote(&quote("AAPL", "101.01", "101.02"));
    let top = client.record().unwrap();
    assert_eq!((top.0, top.2[28], top.i64(48), top.i64(56)), (0x01, b'M', 101_010_000_000, 101_020_000_000));
    double.bars(&[minute("MSFT"), minute("MSFT")]);
    double.bars(&[minute("AAPL")]);
    let bar = client.record().unwrap();
    assert_eq!((bar.0, bar.1, bar.2.len()), (0x21, 2, 56));
    assert_eq!([bar.i64(16), bar.i64(40), bar.i64(48)], [100_000_000_000, 111_500_000_000, 7]);
    assert_eq!(bar.i64(8), "2026-03-02T14:59:00Z".parse::<Timestamp>().unwrap().nanos());

    // Quiet for less than the interval, then for as long as that.
    clock.skip(4);
    assert!(client.is_quiet());
    clock.skip(2);
    assert_eq!(client.record().unwrap().notice(), 0);
    // More can be asked for at any time.
    client.say("schema=trades|symbols=ALL_SYMBOLS");
    let more: Vec<u8> = (0..3).map(|_| client.record().unwrap().0).collect();
    assert_eq!(more, [0x16, 0x16, 0x17]);
    double.trades(&[trade("F", 12)]);
    assert_eq!(client.record().unwrap().1, 5);
}

#[test]
fn records_say_when_they_were_sent_where_that_is_asked_for() {
    let (double, clock) = double();
    let (mut client, first) =
        Client::live(&double, "|heartbeat_interval_s=30", &["schema=trades|symbols=AAPL"]);
    assert_eq!(first.len(), 2);
    let mut other = Client::new(&double);
    other.say(&format!("auth={}|dataset=XNAS.ITCH|encoding=dbn|ts_out=1", other.proof));
    other.line().unwrap();
    other.say("schema=trades|symbols=AAPL");
    other.say("start_session");
    assert_eq!(other.head()[44], 1);
    assert_eq!([other.record().unwrap().2.len(), other.record().unwrap().2.len()], [184, 328]);
    until("both", || double.streams() == 2);
    double.trades(&[trade("AAPL", 1)]);
    let print = other.record().unwrap();
    assert_eq!((print.2.len(), client.record().unwrap().2.len()), (56, 48));
    assert!(print.i64(48) >= print.i64(32) && print.i64(48) <= clock.now().nanos());
}

#[test]
fn who_cannot_prove_the_key_is_turned_away() {
    let (double, clock) = double();
    let refused = |say: &dyn Fn(&Client) -> String| {
        let mut client = Client::new(&double);
        let line = say(&client);
        client.say(&line);
        let answer = client.line().unwrap();
        assert!(answer.starts_with("success=0|error="), "{answer}");
        assert!(client.has_ended());
        answer
    };
    let proof = |client: &Client| client.proof.clone();
    let wrong = refused(&|_| format!("auth={}-12345|dataset=XNAS.ITCH", "0".repeat(64)));
    assert!(wrong.contains("Authentication failed"), "{wrong}");
    // The proof of another challenge is none.
    let other = Client::new(&double);
    refused(&|_| format!("auth={}|dataset=XNAS.ITCH", proof(&other)));
    let dataset = refused(&|client| format!("auth={}|dataset=GLBX.MDP3", proof(client)));
    assert!(dataset.contains("GLBX.MDP3"), "{dataset}");
    refused(&|client| format!("auth={}|dataset=XNAS.ITCH|encoding=json", proof(client)));
    refused(&|_| "schema=trades|symbols=AAPL".to_owned());
    refused(&|_| "start_session".to_owned());
    let mut late = Client::new(&double);
    clock.skip(31);
    assert!(late.has_ended());

    let mut all: Vec<Client> = (0..10).map(|_| Client::of(&double, "")).collect();
    let full = refused(&|client| format!("auth={}|dataset=XNAS.ITCH", proof(client)));
    assert!(full.contains("connection limit"), "{full}");
    all.pop();
    until("a free place", || {
        Client::new(&double).prove("").is_some_and(|answer| answer.starts_with("success=1"))
    });
    // One that is a line without an end.
    let mut endless = Client::new(&double);
    let many = "x".repeat(70_000);
    endless.socket.write_all(many.as_bytes()).unwrap_or_default();
    assert!(endless.has_ended());
}

#[test]
fn what_cannot_be_asked_for_ends_the_session_with_the_reason() {
    let (double, _) = double();
    for line in [
        "schema=mbo|symbols=AAPL",
        "schema=trades|stype_in=parent|symbols=ES.FUT",
        "schema=trades|stype_in=continuous|symbols=ES.c.0",
        "schema=trades|symbols=AAPL|start=0",
        "what=1",
    ] {
        // Before the start, and after it.
        let mut client = Client::of(&double, "");
        client.say(line);
        client.head();
        assert_eq!(client.record().unwrap().error().0, 5, "{line}");
        assert!(client.has_ended(), "{line}");
        let (mut client, _) = Client::live(&double, "", &["schema=trades|symbols=AAPL"]);
        client.say(line);
        assert_eq!(client.record().unwrap().error().0, 5, "{line}");
        assert!(client.has_ended(), "{line}");
    }
    // So many symbols that there are none of: a hundred are named.
    let (_client, first) =
        Client::live(&double, "", &[&format!("schema=trades|symbols={}", vec!["NONE"; 2_000].join(","))]);
    assert_eq!(first.iter().filter(|record| record.0 == 0x15).count(), 100);
}

#[test]
fn streams_go_wrong_on_demand() {
    let (double, clock) = double();
    let lines = ["schema=trades|symbols=AAPL"];
    let (mut client, _) = Client::live(&double, "", &lines);
    double.act(&stream(StreamFault::UnknownMessage)).unwrap();
    double.trades(&[trade("AAPL", 1)]);
    let kinds = [client.record().unwrap().0, client.record().unwrap().0];
    assert!(kinds.contains(&0xee) && kinds.contains(&0), "{kinds:?}");
    double.act(&stream(StreamFault::Garbage)).unwrap();
    double.trades(&[trade("AAPL", 1)]);
    let bytes = client.read(16 + 48).unwrap();
    assert!(bytes[..16] == [0; 16] || bytes[48..] == [0; 16], "{bytes:?}");
    double.act(&stream(StreamFault::Silent)).unwrap();
    double.trades(&[trade("AAPL", 1)]);
    clock.skip(60);
    assert!(client.is_quiet());
    double.act(&stream(StreamFault::Cut)).unwrap();
    assert!(client.has_ended());
    assert_eq!(double.streams(), 0);

    double.act(&call(Call::Stream, CallFault::NotAuthorised)).unwrap();
    assert!(Client::new(&double).prove("").unwrap().contains("Authentication failed"));
    double.act(&call(Call::Stream, CallFault::TooMany { retry_after: None })).unwrap();
    assert!(Client::new(&double).prove("").unwrap().contains("connection limit"));
    double.act(&call(Call::Stream, CallFault::NotRead)).unwrap();
    assert_eq!(Client::new(&double).prove(""), None);
    double.act(&call(Call::Stream, CallFault::Wrong(WrongAnswer::Html))).unwrap();
    assert!(Client::new(&double).prove("").unwrap().contains("doctype"));
    double.act(&call(Call::Prices, CallFault::Down { status: 503 })).unwrap();
    let mut client = Client::of(&double, "");
    client.say(lines[0]);
    client.head();
    assert_eq!(client.record().unwrap().error().0, 6);
    assert!(client.has_ended());
    for never in [
        stream(StreamFault::Twice),
        stream(StreamFault::Lost),
        call(Call::Submit, CallFault::Silent),
        call(Call::Stream, CallFault::Wrong(WrongAnswer::HugeNumber)),
        Act::CancelLosesRace,
    ] {
        assert!(double.act(&never).is_err(), "{never:?}");
    }
}

#[test]
fn the_control_channel_has_an_address_of_its_own() {
    let (double, _) = double();
    assert_ne!(double.control(), double.address());
    let ask = |text: &str| {
        let mut stream = TcpStream::connect(double.control()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let get = "GET /_mts/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(ask(get).contains(&format!("tcp://{}", double.address())));
    // It answers also while the venue is out.
    double.act(&Act::Outage(true)).unwrap();
    until("the end of the gateway", || TcpStream::connect(double.address()).is_err());
    assert!(ask(get).starts_with("HTTP/1.1 200"));
    double.act(&Act::Outage(false)).unwrap();
    until("the gateway", || TcpStream::connect(double.address()).is_ok());
    // Elsewhere it is at the venue's own address.
    let other = Venue::Polygon.start(Options::new(Arc::new(Steps::new()))).unwrap();
    assert_eq!(other.control(), other.address());
    let mut options = Options::new(Arc::new(Steps::new()));
    options.tls = true;
    assert!(Venue::Databento.start(options).is_err());
}

/// More than sockets and the double itself keep, of which nothing is read.
fn flood(double: &Double) {
    for _ in 0..4 {
        double.trades(&vec![trade("AAPL", 100); 20_000]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_slow_reader_is_warned_told_what_it_missed_and_cut() {
    let (double, _) = double();
    let lines = ["schema=trades|symbols=AAPL", "schema=mbp-1|symbols=AAPL"];
    let (mut client, _) = Client::live(&double, "", &lines);
    flood(&double);
    // Long enough for a warning, and not for more.
    std::thread::sleep(Duration::from_secs(1));
    let (mut last, mut jumps, mut warned, mut skipped) = (0, 0, 0, 0);
    while jumps == 0 || skipped == 0 || warned == 0 {
        let record = client.record().unwrap();
        match record.0 {
            0x00 => {
                let number = record.u32(44);
                assert!(number > last, "{number} after {last}");
                jumps += u32::from(last > 0 && number != last + 1);
                last = number;
            }
            0x15 => skipped += u32::from(record.error().0 == 7),
            0x17 => warned += u32::from(record.notice() == 2),
            _ => {}
        }
        // What was left out is said before what comes after it.
        assert!(jumps <= skipped, "{jumps} of {skipped}");
    }
    // The others end by themselves.
    assert_eq!(double.streams(), 1);
    flood(&double);
    until("the end of the stream", || double.streams() == 0);
}
