//! One connection: the challenge, what is asked for, and the records.

use super::encode::{Encoder, Failure, Notice, Place, Side, Touch};
use super::line::{self, Kind, Schema, Subscription};
use super::{DATASET, LISTED, SPELLING, Seat, Seats};
use crate::desk::{Desk, Event};
use crate::dialect::{Follower, Frame, Reply, Session, Trouble, Unreadable};
use crate::market::{News, Print};
use bytes::{Bytes, BytesMut};
use mts_foundation::double::{Call, WrongAnswer};
use mts_foundation::{Decimal, Quote, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the gateway says first.
const VERSION: &str = "0.8.0";
/// Longest line of a client: two thousand symbols are the most of one request.
const MAX_LINE: usize = 1 << 16;
/// Most symbols of one line of which it is said one by one that there are none.
const MAX_UNKNOWN: usize = 100;
/// Most records that wait for the session to start.
const MAX_WAITING: usize = 1_000;
/// A client that has not proved its key by then is sent away.
const PROVE_WITHIN: Duration = Duration::from_secs(30);

/// What a connection may do.
pub(super) struct Terms {
    pub(super) key: String,
    pub(super) challenge: String,
    /// Of the session.
    pub(super) number: u64,
    pub(super) seats: Seats,
}

/// One client's connection.
pub(super) struct Client {
    terms: Terms,
    /// When it was challenged.
    since: Option<Timestamp>,
    /// It has proved its key.
    seat: Option<Seat>,
    /// What is to be said once the session starts.
    waiting: Vec<Vec<u8>>,
    /// Records come; the last one was sent at this time.
    last: Option<Timestamp>,
    heartbeat: Duration,
    encoder: Encoder,
    wanted: BTreeSet<(Schema, u32)>,
    /// The instruments whose number was told.
    named: BTreeSet<u32>,
}

/// Whole units; what is more than there is room for is the most.
fn units(size: Decimal) -> u32 {
    u32::try_from(size.max(Decimal::ZERO).trunc()).unwrap_or(u32::MAX)
}

fn text(line: String) -> Frame {
    Frame::Binary(line.into_bytes())
}

impl Client {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            since: None,
            seat: None,
            waiting: Vec::new(),
            last: None,
            heartbeat: Duration::MAX,
            encoder: Encoder::default(),
            wanted: BTreeSet::new(),
            named: BTreeSet::new(),
        }
    }

    /// Records leave, now or once the session starts.
    fn send(&mut self, records: Vec<Vec<u8>>, now: Timestamp) -> Vec<Frame> {
        if self.last.is_some() {
            self.last = Some(now);
            return records.into_iter().map(Frame::Binary).collect();
        }
        let room = MAX_WAITING.saturating_sub(self.waiting.len());
        self.waiting.extend(records.into_iter().take(room));
        Vec::new()
    }

    /// Refuses a client that is not in.
    fn turn_away(words: &str) -> Vec<Frame> {
        vec![text(format!("success=0|error={words}\n")), Frame::Close]
    }

    /// An error. One that is fatal ends the connection, also before the start: then it begins a stream of its own.
    fn fail(&mut self, failure: Failure, words: &str, now: Timestamp) -> Vec<Frame> {
        let mut frames = if failure.is_fatal() { self.start(now) } else { Vec::new() };
        frames.extend(self.send(vec![self.encoder.failure(failure, words, true, now)], now));
        if failure.is_fatal() {
            frames.push(Frame::Close);
        }
        frames
    }

    fn authenticate(&mut self, line: &str, now: Timestamp) -> Vec<Frame> {
        if self.seat.is_some() {
            return self.fail(Failure::InvalidSubscription, "Already authenticated.", now);
        }
        let wishes = match line::authenticate(line, &self.terms.challenge, &self.terms.key) {
            Ok(wishes) => wishes,
            Err(words) => return Self::turn_away(&words),
        };
        let Some(seat) = Seat::take(&self.terms.seats) else {
            return Self::turn_away("User has reached their open connection limit.");
        };
        self.seat = Some(seat);
        self.heartbeat = wishes.heartbeat;
        self.encoder.sent_times = wishes.sent_times;
        vec![text(format!("success=1|session_id={}\n", self.terms.number))]
    }

    fn subscribe(&mut self, line: &str, now: Timestamp) -> Vec<Frame> {
        let Subscription { schema, symbology, found, unknown, words } = match line::subscribe(line) {
            Ok(subscription) => subscription,
            Err(words) => return self.fail(Failure::InvalidSubscription, &words, now),
        };
        let encoder = self.encoder;
        let mut records = Vec::new();
        for (number, asked) in found {
            self.wanted.insert((schema, number));
            if self.named.insert(number)
                && let Some(name) = LISTED.get(place(number))
            {
                records.push(encoder.mapping(number, (symbology, &asked), name, now));
            }
        }
        let last = unknown.len().min(MAX_UNKNOWN);
        for (count, symbol) in (1..).zip(unknown.iter().take(MAX_UNKNOWN)) {
            let words = format!("Failed to resolve symbol: {symbol}");
            records.push(encoder.failure(Failure::UnknownSymbol, &words, count == last, now));
        }
        records.push(encoder.notice(Notice::Subscribed, &words, now));
        self.send(records, now)
    }

    /// Begins the stream, if it has not begun.
    fn start(&mut self, now: Timestamp) -> Vec<Frame> {
        if self.last.replace(now).is_some() {
            return Vec::new();
        }
        let head = self.encoder.head(DATASET, now);
        std::iter::once(head).chain(std::mem::take(&mut self.waiting)).map(Frame::Binary).collect()
    }

    /// The records of a print: that of prints, and that of the book's top as it was before.
    fn print(&self, desk: &Desk, number: u32, print: &Print) -> Vec<Vec<u8>> {
        let now = desk.clock();
        let size = units(print.size);
        if size == 0 {
            // The exchange knows whole shares alone.
            return Vec::new();
        }
        // Numbers of messages begin again where there is no room for them.
        let sequence = u32::try_from(print.id & u64::from(u32::MAX)).unwrap_or_default();
        let place = Place { instrument: number, time: print.time, sequence };
        let side = if print.bought { b'B' } else { b'A' };
        let touch = Touch { price: Some(print.price), size, side };
        let mut records = Vec::new();
        if self.wanted.contains(&(Schema::Trades, number)) {
            records.push(self.encoder.trade(place, touch, now));
        }
        if self.wanted.contains(&(Schema::Top, number)) {
            let sides = desk.price(&print.symbol).map_or([(None, 0); 2], sides);
            records.push(self.encoder.top(place, b'T', touch, sides, now));
        }
        records
    }

    fn records(&self, desk: &Desk, number: u32, news: &News) -> Vec<Vec<u8>> {
        let now = desk.clock();
        match news {
            News::Print(print) => self.print(desk, number, print),
            News::Quote(quote) if self.wanted.contains(&(Schema::Top, number)) => {
                let [bid, ask] = sides(quote);
                let place = Place { instrument: number, time: quote.timestamp, sequence: 0 };
                let touch = Touch { price: bid.0, size: bid.1, side: b'B' };
                vec![self.encoder.top(place, b'M', touch, [bid, ask], now)]
            }
            News::Minute { candle, again: false, .. } if self.wanted.contains(&(Schema::Minutes, number)) => {
                let prices = [candle.open, candle.high, candle.low, candle.close];
                let volume = u64::try_from(candle.volume.trunc()).unwrap_or_default();
                vec![self.encoder.minute((number, candle.start), prices, volume, now)]
            }
            // Bars are told once.
            News::Quote(_) | News::Minute { .. } => Vec::new(),
        }
    }
}

/// The place in the list of an instrument's number.
fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or_default().wrapping_sub(1)
}

fn sides(quote: &Quote) -> [Side; 2] {
    [(Some(quote.bid), units(quote.bid_size)), (Some(quote.ask), units(quote.ask_size))]
}

impl Follower for Client {
    fn greet(&mut self, desk: &Desk) -> Vec<Frame> {
        self.since = Some(desk.clock());
        vec![text(format!("lsg_version={VERSION}\ncram={}\n", self.terms.challenge))]
    }

    fn hear(&mut self, _desk: &mut Desk, _text: &str) -> Vec<Frame> {
        Vec::new()
    }

    fn follows(&self) -> bool {
        self.last.is_some()
    }

    fn tell(&mut self, _desk: &Desk, _event: &Event) -> Vec<Frame> {
        Vec::new()
    }

    fn tell_news(&mut self, desk: &Desk, news: &News) -> Vec<Frame> {
        let native = SPELLING.to_native(news.symbol()).unwrap_or_default();
        let number = (1..).zip(LISTED).find(|(_, listed)| *listed == native).map(|(number, _)| number);
        let records = number.map(|number| self.records(desk, number, news)).unwrap_or_default();
        if records.is_empty() { Vec::new() } else { self.send(records, desk.clock()) }
    }

    fn heartbeat(&mut self, desk: &Desk) -> Vec<Frame> {
        let now = desk.clock();
        let over = |since: Option<Timestamp>, limit| since.is_some_and(|since| now.since(since) >= limit);
        if self.seat.is_none() && over(self.since, PROVE_WITHIN) {
            return vec![Frame::Close];
        }
        if !over(self.last, self.heartbeat) {
            return Vec::new();
        }
        self.send(vec![self.encoder.notice(Notice::Heartbeat, "Heartbeat", now)], now)
    }

    fn missed(&mut self, desk: &Desk) -> Vec<Frame> {
        let words = "Records were skipped: the client reads too slowly.";
        self.fail(Failure::Skipped, words, desk.clock())
    }

    fn unknown_message(&mut self, desk: &Desk) -> Frame {
        Frame::Binary(self.encoder.unheard_of(desk.clock()))
    }

    fn frame(&self, _text: String) -> Frame {
        Frame::Binary(Encoder::garbage())
    }
}

impl Session for Client {
    fn split(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Unreadable> {
        let end = buffer.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(buffer.len()) > MAX_LINE {
            return Err(Unreadable);
        }
        Ok(end.map(|end| buffer.split_to(end + 1).freeze()))
    }

    fn call_of(&self, message: &[u8]) -> Option<Call> {
        match Kind::of(message) {
            Kind::Authenticate => Some(Call::Stream),
            Kind::Subscribe | Kind::Start => Some(Call::Prices),
            Kind::Other => None,
        }
    }

    fn heard(&self, message: &[u8]) -> (String, String) {
        (Kind::of(message).as_str().to_owned(), String::from_utf8_lossy(message).into_owned())
    }

    fn answer(&mut self, desk: &mut Desk, message: &[u8], wrong: Option<WrongAnswer>) -> Reply {
        let (now, line) = (desk.clock(), String::from_utf8_lossy(message));
        let (is_in, waits) = (self.seat.is_some(), self.last.is_some());
        let frames = match Kind::of(message) {
            Kind::Authenticate => self.authenticate(&line, now),
            Kind::Subscribe if is_in => self.subscribe(&line, now),
            Kind::Start if is_in => self.start(now),
            _ if is_in => self.fail(Failure::InvalidSubscription, "Unknown request.", now),
            _ => Self::turn_away("Authentication is required."),
        };
        let frames = match wrong {
            None => frames,
            Some(WrongAnswer::Empty) => Vec::new(),
            Some(WrongAnswer::Truncated) => frames.into_iter().map(half).collect(),
            Some(_) => vec![text("<!doctype html>\n<title>Welcome</title>\n".to_owned())],
        };
        Reply { frames, waits }
    }

    fn trouble(&mut self, desk: &Desk, trouble: Trouble, _message: &[u8]) -> Vec<Frame> {
        let (failure, words) = match trouble {
            Trouble::Down(_) => (Failure::Internal, "An internal error occurred."),
            Trouble::TooMany(_) => {
                (Failure::ConnectionLimit, "User has reached their open connection limit.")
            }
            Trouble::NotAuthorised => (Failure::InvalidSubscription, "Authentication failed."),
            Trouble::Strange => (Failure::Unset, "The moon is in the wrong house."),
        };
        if self.seat.is_some() { self.fail(failure, words, desk.clock()) } else { Self::turn_away(words) }
    }

    fn lags(&mut self, desk: &Desk) -> Vec<Frame> {
        if self.last.is_none() {
            return Vec::new();
        }
        let now = desk.clock();
        self.send(vec![self.encoder.notice(Notice::SlowReader, "The client reads too slowly.", now)], now)
    }
}

/// The first half of what a frame holds.
fn half(frame: Frame) -> Frame {
    match frame {
        Frame::Binary(mut bytes) => {
            bytes.truncate(bytes.len() / 2);
            Frame::Binary(bytes)
        }
        frame => frame,
    }
}
