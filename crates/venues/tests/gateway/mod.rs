//! A plain client of Interactive Brokers' socket in both dialects, and a clock, for the tests of its double. It shares no
//! code with the double: numbers of fields are written out here once more.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, dead_code, reason = "helpers of tests")]

pub(crate) use crate::client::{A_WHILE, PATIENCE, d, quote, until};
use mts_foundation::double::{Act, Call, CallFault, VenueDouble};
use mts_foundation::{Clock, Timestamp};
use mts_venues::{Double, Options, Venue};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that goes on by what it is told, and one microsecond with each look.
#[derive(Debug, Clone)]
pub(crate) struct Steps(Arc<AtomicI64>);

impl Steps {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.fetch_add(1_000, Ordering::SeqCst))
    }
}

/// A double, and its clock.
pub(crate) struct Bench {
    pub(crate) double: Double,
    pub(crate) clock: Steps,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of_seed(1)
    }

    pub(crate) fn of_seed(seed: u64) -> Self {
        // Monday, 2 March 2026, 15:00 UTC.
        let start = "2026-03-02T15:00:00Z".parse::<Timestamp>().unwrap().nanos();
        let clock = Steps(Arc::new(AtomicI64::new(start)));
        let mut options = Options::new(Arc::new(clock.clone()));
        options.seed = seed;
        let double = Venue::Ibkr.start(options).unwrap();
        Self { double, clock }
    }

    pub(crate) fn quote(&self, symbol: &str, bid: &str, ask: &str) {
        self.double.quote(&quote(symbol, bid, ask));
    }

    pub(crate) fn act(&self, act: Act) {
        self.double.act(&act).unwrap();
    }

    pub(crate) fn fault(&self, call: Call, fault: CallFault) {
        self.act(Act::Call { call, fault, times: 1 });
    }

    /// A client that is in.
    pub(crate) fn client(&self, dialect: Dialect, id: i64) -> Client {
        let mut client = self.greeted(dialect);
        client.ask(71, &[(1, id.into())], &["2", &id.to_string(), ""]);
        for _ in 0..5 {
            client.next().unwrap();
        }
        client
    }

    /// A client that has agreed on a version.
    pub(crate) fn greeted(&self, dialect: Dialect) -> Client {
        let (mut client, answer) = self.knock(dialect.versions());
        let version = if dialect == Dialect::Text { "178" } else { "225" };
        assert_eq!(answer.unwrap()[0], version);
        client.dialect = dialect;
        client
    }

    /// A client that has sent its versions, and the fields of the answer.
    pub(crate) fn knock(&self, versions: &str) -> (Client, Option<Vec<String>>) {
        let stream = TcpStream::connect(self.double.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client { stream, dialect: Dialect::Text };
        client.stream.write_all(b"API\0").unwrap();
        client.send_frame(versions.as_bytes());
        let answer = client.frame();
        (client, answer.map(|answer| split(&answer)))
    }
}

fn split(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text,
    Protobuf,
}

pub(crate) const BOTH: [Dialect; 2] = [Dialect::Text, Dialect::Protobuf];

impl Dialect {
    fn versions(self) -> &'static str {
        if self == Self::Text { "v157..178" } else { "v213..226" }
    }
}

/// The value of a field of protobuf.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(i64),
    Float(f64),
    Text(String),
    Message(BTreeMap<u32, Self>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&[(u32, Self)]> for Value {
    fn from(fields: &[(u32, Self)]) -> Self {
        Self::Message(fields.iter().cloned().collect())
    }
}

/// A message of the venue.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: u32,
    /// In the text dialect.
    pub(crate) fields: Vec<String>,
    /// In the protobuf dialect.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The text of a field: by its place in the text dialect, by its path of tags in protobuf.
    pub(crate) fn text(&self, place: usize, path: &[u32]) -> String {
        if !self.fields.is_empty() || self.body.is_empty() {
            return self.fields.get(place).cloned().unwrap_or_default();
        }
        let mut bytes = self.body.clone();
        let (last, way) = path.split_last().unwrap();
        for tag in way {
            // Text and messages look the same; who asks knows.
            let Some(Value::Text(inner)) = decode(&bytes).unwrap().remove(tag) else { return String::new() };
            bytes = unescape(&inner);
        }
        match decode(&bytes).unwrap().remove(last) {
            None => String::new(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Float(number)) => number.to_string(),
            Some(Value::Text(text)) => String::from_utf8(unescape(&text)).unwrap(),
            Some(Value::Message(_)) => panic!("what was decoded has no messages"),
        }
    }

    /// The id, code and words of an error.
    pub(crate) fn error(&self) -> (String, String, String) {
        assert_eq!(self.id, 4, "{self:?}");
        (self.text(1, &[1]), self.text(2, &[3]), self.text(3, &[4]))
    }

    /// The status that an order is told to be in.
    pub(crate) fn status(&self) -> String {
        match self.id {
            3 => self.text(1, &[2]),
            5 => self.text(92, &[4, 1]),
            other => panic!("{other} has no status: {self:?}"),
        }
    }
}

/// Bytes are kept as one letter each.
fn unescape(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

/// The fields of protobuf by their tags; `None` = it cannot be read.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<BTreeMap<u32, Value>> {
    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
    let mut fields = BTreeMap::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let tag = u32::try_from(key >> 3).ok()?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)?.cast_signed()),
            1 => {
                let (number, rest) = bytes.split_first_chunk::<8>()?;
                bytes = rest;
                Value::Float(f64::from_le_bytes(*number))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (text, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Value::Text(text.iter().map(|byte| char::from(*byte)).collect())
            }
            _ => return None,
        };
        fields.insert(tag, value);
    }
    Some(fields)
}

fn encode(fields: &BTreeMap<u32, Value>, out: &mut Vec<u8>) {
    fn varint(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        out.push(number.to_le_bytes()[0]);
    }
    for (tag, value) in fields {
        let key = u64::from(*tag) << 3;
        let bytes = match value {
            Value::Number(number) => {
                varint(key, out);
                varint(number.cast_unsigned(), out);
                continue;
            }
            Value::Float(number) => {
                varint(key | 1, out);
                out.extend(number.to_le_bytes());
                continue;
            }
            Value::Text(text) => text.clone().into_bytes(),
            Value::Message(inner) => {
                let mut bytes = Vec::new();
                encode(inner, &mut bytes);
                bytes
            }
        };
        varint(key | 2, out);
        varint(bytes.len() as u64, out);
        out.extend(bytes);
    }
}

/// An order to buy ten shares of Apple at 50 for the day, changed where a test wants it otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) id: i64,
    pub(crate) con_id: i64,
    pub(crate) symbol: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) exchange: &'static str,
    pub(crate) action: &'static str,
    pub(crate) quantity: &'static str,
    pub(crate) order_type: &'static str,
    pub(crate) limit: Option<f64>,
    pub(crate) stop: Option<f64>,
    pub(crate) tif: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) outside: bool,
    pub(crate) what_if: bool,
    pub(crate) parent: i64,
    pub(crate) group: &'static str,
    pub(crate) transmit: bool,
}

pub(crate) fn wanted(id: i64) -> Wanted {
    Wanted {
        id,
        con_id: 0,
        symbol: "AAPL",
        kind: "STK",
        exchange: "SMART",
        action: "BUY",
        quantity: "10",
        order_type: "LMT",
        limit: Some(50.0),
        stop: None,
        tif: "DAY",
        reference: "",
        outside: false,
        what_if: false,
        parent: 0,
        group: "",
        transmit: true,
    }
}

impl Wanted {
    pub(crate) fn market(self) -> Self {
        Self { order_type: "MKT", limit: None, ..self }
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) dialect: Dialect,
}

impl Client {
    pub(crate) fn send_frame(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len()).unwrap();
        self.stream.write_all(&[&length.to_be_bytes(), body].concat()).unwrap();
    }

    /// Asks in the dialect of the connection.
    pub(crate) fn ask(&mut self, id: u32, proto: &[(u32, Value)], fields: &[&str]) {
        match self.dialect {
            Dialect::Text => {
                let text: String = fields.iter().map(|field| format!("{field}\0")).collect();
                self.send_frame(format!("{id}\0{text}").as_bytes());
            }
            Dialect::Protobuf => {
                let mut body = (id + 200).to_be_bytes().to_vec();
                encode(&proto.iter().cloned().collect(), &mut body);
                self.send_frame(&body);
            }
        }
    }

    /// The next frame; `None` when the connection has ended.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut body).ok()?;
        Some(body)
    }

    pub(crate) fn next(&mut self) -> Option<Message> {
        let frame = self.frame()?;
        Some(match self.dialect {
            Dialect::Text => {
                let mut fields = split(&frame);
                let id = fields.remove(0).parse().unwrap();
                Message { id, fields, body: Vec::new() }
            }
            Dialect::Protobuf => {
                let (id, body) = frame.split_first_chunk::<4>().unwrap();
                let id = u32::from_be_bytes(*id) - 200;
                Message { id, fields: Vec::new(), body: body.to_vec() }
            }
        })
    }

    /// The next messages, so many.
    pub(crate) fn some(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.next().unwrap()).collect()
    }

    /// Their ids.
    pub(crate) fn ids(&mut self, count: usize) -> Vec<u32> {
        self.some(count).iter().map(|message| message.id).collect()
    }

    /// All messages up to one of this id, with it.
    pub(crate) fn until(&mut self, id: u32) -> Vec<Message> {
        let mut heard = Vec::new();
        loop {
            let message = self.next().unwrap_or_else(|| panic!("no {id} after {heard:?}"));
            heard.push(message);
            if heard.last().unwrap().id == id {
                return heard;
            }
        }
    }

    /// The statuses of an order up to this one.
    pub(crate) fn statuses(&mut self, last: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().map(String::as_str) != Some(last) {
            let message = self.until(3).pop().unwrap();
            heard.push(message.status());
        }
        heard
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.stream.set_read_timeout(Some(A_WHILE)).unwrap();
        let read = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        matches!(read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    pub(crate) fn place(&mut self, wanted: &Wanted) {
        let contract = [
            (1, wanted.con_id.into()),
            (2, wanted.symbol.into()),
            (3, wanted.kind.into()),
            (8, wanted.exchange.into()),
            (10, "USD".into()),
        ];
        let mut order: Vec<(u32, Value)> = vec![
            (4, wanted.parent.into()),
            (5, wanted.action.into()),
            (6, wanted.quantity.into()),
            (8, wanted.order_type.into()),
            (11, wanted.tif.into()),
            (19, i64::from(wanted.outside).into()),
            (27, wanted.group.into()),
            (28, wanted.reference.into()),
            (30, 1.into()),
            (65, i64::from(wanted.what_if).into()),
            (66, i64::from(wanted.transmit).into()),
        ];
        order.extend(wanted.limit.map(|limit| (9, limit.into())));
        order.extend(wanted.stop.map(|stop| (10, stop.into())));
        let proto = [(1, wanted.id.into()), (2, contract[..].into()), (3, order[..].into())];
        let text = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
        let flag = |flag: bool| u8::from(flag).to_string();
        let mut fields = vec![String::new(); 110];
        let given = [
            (0, wanted.id.to_string()),
            (1, wanted.con_id.to_string()),
            (2, wanted.symbol.to_owned()),
            (3, wanted.kind.to_owned()),
            (5, "0.0".to_owned()),
            (8, wanted.exchange.to_owned()),
            (10, "USD".to_owned()),
            (15, wanted.action.to_owned()),
            (16, wanted.quantity.to_owned()),
            (17, wanted.order_type.to_owned()),
            (18, text(wanted.limit)),
            (19, text(wanted.stop)),
            (20, wanted.tif.to_owned()),
            (21, wanted.group.to_owned()),
            (24, "0".to_owned()),
            (25, wanted.reference.to_owned()),
            (26, flag(wanted.transmit)),
            (27, wanted.parent.to_string()),
            (32, flag(wanted.outside)),
            (45, "1".to_owned()),
            (83, flag(wanted.what_if)),
        ];
        for (place, field) in given {
            fields[place] = field;
        }
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.ask(3, &proto, &fields);
    }

    /// Places an order that rests, and reads its four messages.
    pub(crate) fn rest(&mut self, wanted: &Wanted) -> Vec<Message> {
        self.place(wanted);
        self.some(4)
    }

    pub(crate) fn cancel(&mut self, id: i64) {
        self.ask(4, &[(1, id.into()), (2, Value::Message(BTreeMap::new()))], &["1", &id.to_string(), ""]);
    }

    /// What follows a request without arguments, up to its end.
    pub(crate) fn list(&mut self, id: u32, end: u32) -> Vec<Message> {
        self.ask(id, &[], &["1"]);
        let mut rows = self.until(end);
        rows.pop();
        rows
    }

    /// Units of the next executions that are told, so many.
    pub(crate) fn fills(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.until(11).pop().unwrap().text(18, &[3, 7])).collect()
    }

    pub(crate) fn executions(&mut self, filter: &[(u32, Value)], fields: &[&str]) -> Vec<Message> {
        let mut text = vec!["3", "77"];
        text.extend(fields);
        text.resize(9, "");
        self.ask(7, &[(1, 77.into()), (2, filter.into())], &text);
        let mut rows = self.until(55);
        rows.pop();
        rows
    }
}
