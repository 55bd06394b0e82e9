//! From records to market events.

use super::counts::{Counts, add};
use super::names::{Name, Names, instant};
use dbn::{
    Action, BboMsg, CbboMsg, Cmbp1Msg, ErrorCode, ErrorMsg, FlagSet, HasRType, MboMsg, Mbp1Msg, Mbp10Msg,
    OhlcvMsg, Publisher, RecordHeader, RecordRef, SymbolMappingMsg, SystemCode, SystemMsg, TradeMsg,
    UNDEF_PRICE, UNDEF_TIMESTAMP, rtype,
};
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Bar, Decimal, Interval, Quote, Symbol, Timestamp, Trade, VenueName};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{HashMap, VecDeque};

/// Nanoseconds of an interval, and its text.
const SECOND: u64 = 1_000_000_000;

/// What a record of the gateway says of the connection itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// Something went wrong: the code, as far as it is known, and the gateway's words.
    Error(ErrorCode, String),
    /// All is well.
    System,
}

/// Where and when something happened, and to what.
struct Place {
    symbol: Symbol,
    venue: VenueName,
    time: Timestamp,
    is_doubtful: bool,
}

/// A side of the book: price in 1e-9, and units.
type Side = (i64, u32);

/// Turns records into events, in their order.
pub(super) struct Decoder {
    pub(super) names: Names,
    pub(super) counts: Counts,
    own: VenueName,
    venues: HashMap<u16, VenueName>,
    /// Bars that end at one instant, until one that does not comes.
    bars: Vec<Bar>,
    events: VecDeque<MarketEvent>,
    /// The time of the last event.
    last: Option<Timestamp>,
}

impl Decoder {
    /// `own` is where interruptions of the source itself happen.
    pub(super) fn new(names: Names, own: VenueName) -> Self {
        Self {
            names,
            counts: Counts::default(),
            own,
            venues: HashMap::new(),
            bars: Vec::new(),
            events: VecDeque::new(),
            last: None,
        }
    }

    /// The next event.
    pub(super) fn event(&mut self) -> Option<MarketEvent> {
        self.events.pop_front()
    }

    /// Adds an event that says something about the source.
    pub(super) fn say(&mut self, event: MarketEvent) {
        self.flush();
        self.events.push_back(event);
    }

    /// Adds one before all that wait to be handed out.
    pub(super) fn precede(&mut self, event: MarketEvent) {
        self.events.push_front(event);
    }

    /// Hands out the bars that wait for others of their instant.
    pub(super) fn flush(&mut self) {
        let mut bars = std::mem::take(&mut self.bars);
        let Some(time) = bars.first().map(|bar| bar.timestamp) else { return };
        bars.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        self.events.push_back(MarketEvent::Bars { time, bars: bars.into() });
    }

    /// Takes a record.
    pub(super) fn take(&mut self, record: RecordRef<'_>) -> Result<Option<Control>, String> {
        let kind = record.header().rtype;
        let mut control = None;
        match kind {
            rtype::MBP_0 => self.trade(whole(&record)?),
            rtype::MBP_1 | rtype::TBBO => self.mbp1(whole(&record)?),
            rtype::MBP_10 => self.mbp10(whole(&record)?),
            rtype::MBO => self.mbo(whole(&record)?),
            rtype::BBO_1S | rtype::BBO_1M => self.bbo(whole(&record)?),
            rtype::CMBP_1 | rtype::TCBBO => self.cmbp1(whole(&record)?),
            rtype::CBBO_1S | rtype::CBBO_1M => self.cbbo(whole(&record)?),
            rtype::OHLCV_1S | rtype::OHLCV_1M | rtype::OHLCV_1H | rtype::OHLCV_1D => {
                self.ohlcv(kind, whole(&record)?);
            }
            rtype::SYMBOL_MAPPING => self.mapping(whole(&record)?)?,
            rtype::ERROR => control = Some(self.error(whole(&record)?)),
            rtype::SYSTEM => control = Some(self.system(whole(&record)?)),
            _ => add(&mut self.counts.other),
        }
        add(&mut self.counts.records);
        Ok(control)
    }

    /// Where and when a record belongs, if it is wanted: by its time of receipt, which files are sorted by, else by that of the
    /// event.
    fn place(&mut self, header: &RecordHeader, received: Option<u64>, flags: FlagSet) -> Option<Place> {
        let nanos = received.filter(|nanos| *nanos != UNDEF_TIMESTAMP).unwrap_or(header.ts_event);
        let Some(time) = instant(nanos) else {
            add(&mut self.counts.no_time);
            return None;
        };
        let instrument = self.names.get(header.instrument_id);
        let (was_doubtful, symbol) = match instrument.map(|it| (it.name(nanos).cloned(), it)) {
            Some((Some(Name::Wanted(symbol)), it)) => {
                (std::mem::replace(&mut it.is_doubtful, flags.is_maybe_bad_book()), symbol)
            }
            Some((Some(Name::Unwanted), _)) => {
                add(&mut self.counts.unwanted);
                return None;
            }
            Some((Some(Name::Unreadable(name)), _)) => {
                self.counts.unreadable(&name);
                return None;
            }
            None | Some((None, _)) => {
                self.counts.unmapped(header.instrument_id);
                return None;
            }
        };
        if flags.is_bad_ts_recv() {
            add(&mut self.counts.doubtful_times);
        }
        let venue = self.venue(header.publisher_id);
        let is_doubtful = flags.is_maybe_bad_book();
        if is_doubtful && !was_doubtful {
            let from = self.last.unwrap_or(time).min(time);
            self.push(MarketEvent::Gap { venue: venue.clone(), from, to: time });
        }
        Some(Place { symbol, venue, time, is_doubtful })
    }

    /// The exchange behind a publisher.
    fn venue(&mut self, publisher: u16) -> VenueName {
        if let Some(venue) = self.venues.get(&publisher) {
            return venue.clone();
        }
        let known = Publisher::try_from(publisher).ok();
        let name =
            known.map_or_else(|| format_smolstr!("publisher-{publisher}"), |it| it.venue().as_str().into());
        let venue = VenueName::try_from(name).unwrap_or_else(|_| self.own.clone());
        self.venues.insert(publisher, venue.clone());
        venue
    }

    fn push(&mut self, event: MarketEvent) {
        self.flush();
        self.hear(event.priced_at());
        self.events.push_back(event);
    }

    fn hear(&mut self, time: Option<Timestamp>) {
        if time < self.last && time.is_some() {
            add(&mut self.counts.backwards);
        } else {
            self.last = time.or(self.last);
        }
    }

    fn quote(&mut self, place: &Place, (bid, bid_size): Side, (ask, ask_size): Side) {
        if place.is_doubtful {
            return add(&mut self.counts.doubtful_quotes);
        }
        let (Some(bid), Some(ask)) = (price(bid), price(ask)) else {
            return add(&mut self.counts.one_sided);
        };
        add(&mut self.counts.quotes);
        let quote = Quote {
            symbol: place.symbol.clone(),
            bid,
            ask,
            bid_size: bid_size.into(),
            ask_size: ask_size.into(),
            venue: place.venue.clone(),
            timestamp: place.time,
        };
        self.push(MarketEvent::Quote(quote));
    }

    /// A print. Its id is the number of its message; the prints of one message after the first have a count behind it.
    fn print(&mut self, id: u32, place: Place, sequence: u32, (at, size): Side) {
        let Some(price) = price(at).filter(|_| size > 0) else {
            return add(&mut self.counts.no_price);
        };
        let mut before = 0;
        if let Some(instrument) = self.names.get(id) {
            before = match instrument.printed {
                Some((last, count)) if last == sequence => count.saturating_add(1),
                _ => 0,
            };
            instrument.printed = Some((sequence, before));
        }
        add(&mut self.counts.trades);
        let trade = Trade {
            trade_id: print_id(sequence, before),
            symbol: place.symbol,
            price,
            size: size.into(),
            venue: place.venue,
            timestamp: place.time,
        };
        self.push(MarketEvent::Trade(trade));
    }

    fn trade(&mut self, it: &TradeMsg) {
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.print(it.hd.instrument_id, place, it.sequence, (it.price, it.size));
        }
    }

    /// The book's top, and the print, if it tells one: the book as it was before the print had its effect.
    fn mbp1(&mut self, it: &Mbp1Msg) {
        let [top] = &it.levels;
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.quote(&place, (top.bid_px, top.bid_sz), (top.ask_px, top.ask_sz));
            if matches!(it.action(), Ok(Action::Trade)) {
                self.print(it.hd.instrument_id, place, it.sequence, (it.price, it.size));
            }
        }
    }

    /// The first of ten levels.
    fn mbp10(&mut self, it: &Mbp10Msg) {
        let [top, ..] = &it.levels;
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.quote(&place, (top.bid_px, top.bid_sz), (top.ask_px, top.ask_sz));
            if matches!(it.action(), Ok(Action::Trade)) {
                self.print(it.hd.instrument_id, place, it.sequence, (it.price, it.size));
            }
        }
    }

    /// Single orders: prints alone, no book is built.
    fn mbo(&mut self, it: &MboMsg) {
        if !matches!(it.action(), Ok(Action::Trade)) {
            return add(&mut self.counts.other);
        }
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.print(it.hd.instrument_id, place, it.sequence, (it.price, it.size));
        }
    }

    /// The book's top at the end of an interval. The price beside it is a print that may be older, so it is none of ours.
    fn bbo(&mut self, it: &BboMsg) {
        let [top] = &it.levels;
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.quote(&place, (top.bid_px, top.bid_sz), (top.ask_px, top.ask_sz));
        }
    }

    /// The best of several exchanges. Its prints have no number of a message: that of the record stands for it.
    fn cmbp1(&mut self, it: &Cmbp1Msg) {
        let [top] = &it.levels;
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.quote(&place, (top.bid_px, top.bid_sz), (top.ask_px, top.ask_sz));
            if matches!(it.action(), Ok(Action::Trade)) {
                let number = u32::try_from(self.counts.records & u64::from(u32::MAX)).unwrap_or_default();
                self.print(it.hd.instrument_id, place, number, (it.price, it.size));
            }
        }
    }

    fn cbbo(&mut self, it: &CbboMsg) {
        let [top] = &it.levels;
        if let Some(place) = self.place(&it.hd, Some(it.ts_recv), it.flags) {
            self.quote(&place, (top.bid_px, top.bid_sz), (top.ask_px, top.ask_sz));
        }
    }

    /// A bar is labelled with its start there, and stamped with its end here.
    fn ohlcv(&mut self, kind: u8, it: &OhlcvMsg) {
        let (interval, seconds) = match kind {
            rtype::OHLCV_1S => ("1s", 1),
            rtype::OHLCV_1M => ("1m", 60),
            rtype::OHLCV_1H => ("1h", 3_600),
            _ => ("1d", 86_400),
        };
        let Some(place) = self.place(&it.hd, None, FlagSet::empty()) else { return };
        let end = it.hd.ts_event.checked_add(seconds * SECOND).and_then(instant);
        let (Some(end), Ok(interval)) = (end, interval.parse::<Interval>()) else {
            return add(&mut self.counts.no_time);
        };
        let prices = (price(it.open), price(it.high), price(it.low), price(it.close));
        let (Some(open), Some(high), Some(low), Some(close)) = prices else {
            return add(&mut self.counts.no_price);
        };
        add(&mut self.counts.bars);
        let bar = Bar {
            symbol: place.symbol,
            interval,
            open,
            high,
            low,
            close,
            volume: it.volume.into(),
            vwap: None,
            n_trades: None,
            timestamp: end,
            close_only: false,
            partial: false,
        };
        let fits = |other: &Bar| other.timestamp == end && other.symbol != bar.symbol;
        if !self.bars.iter().all(fits) {
            self.flush();
        }
        self.hear(Some(end));
        self.bars.push(bar);
    }

    fn mapping(&mut self, it: &SymbolMappingMsg) -> Result<(), String> {
        let name = it.stype_out_symbol().map_err(|error| format!("a symbol is no text: {error}"))?;
        let time = if it.hd.ts_event == UNDEF_TIMESTAMP { it.start_ts } else { it.hd.ts_event };
        self.names.replace(it.hd.instrument_id, name, time)
    }

    fn error(&mut self, it: &ErrorMsg) -> Control {
        add(&mut self.counts.other);
        let code = it.code().unwrap_or(ErrorCode::Unset);
        let time = instant(it.hd.ts_event).or(self.last);
        if let (ErrorCode::SkippedRecordsAfterSlowReading, Some(to)) = (code, time) {
            let from = self.last.unwrap_or(to).min(to);
            self.push(MarketEvent::Gap { venue: self.own.clone(), from, to });
        }
        Control::Error(code, it.err().unwrap_or("(no text)").chars().take(300).collect())
    }

    fn system(&mut self, it: &SystemMsg) -> Control {
        add(&mut self.counts.other);
        if matches!(it.code(), Ok(SystemCode::SlowReaderWarning)) {
            add(&mut self.counts.slow_warnings);
        }
        Control::System
    }
}

/// A record of a kind, if it is as long as its kind is.
fn whole<'a, T: HasRType<Header = RecordHeader>>(record: &RecordRef<'a>) -> Result<&'a T, String> {
    let length = record.header().record_size();
    let fault = |_| format!("a record of kind {:#04x} has {length} bytes, too few", record.header().rtype);
    record.try_get().map_err(fault)
}

/// An exact price; `None` where there is none.
fn price(nanos: i64) -> Option<Decimal> {
    if nanos == UNDEF_PRICE {
        return None;
    }
    // Without zeros at the end, which would travel through everything that is reckoned with it.
    let (mut digits, mut places) = (nanos, 9);
    if digits % 1_000_000 == 0 {
        (digits, places) = (digits / 1_000_000, 3);
    }
    while places > 0 && digits % 10 == 0 {
        (digits, places) = (digits / 10, places - 1);
    }
    Some(Decimal::new(digits, places))
}

fn print_id(sequence: u32, before: u32) -> SmolStr {
    if before == 0 { format_smolstr!("{sequence}") } else { format_smolstr!("{sequence}-{before}") }
}
