//! What was before the start: prints at about a hundred, none to three a minute, in the hours of the market.

use super::{MINUTE, Print};
use mts_foundation::symbology::SymbolKind;
use mts_foundation::{Decimal, MarketCalendar, Quote, Symbol, Timestamp, VenueName};

/// How many minutes of the past there are: ten days.
const MINUTES: i64 = 10 * 1_440;
/// Most prints of a minute.
const MOST: u64 = 3;
/// No print of the past has a larger id.
pub(super) const MAX_ID: u64 = 14_400 * 4;

/// The past of a double.
#[derive(Debug)]
pub(super) struct Past {
    seed: u64,
    /// The first minute after it, since 1970.
    end: Option<i64>,
    /// The sessions of shares, by their first minute and the one after their last.
    sessions: Vec<(i64, i64)>,
}

/// A number that looks like chance.
fn mixed(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Up to a height and down again, over twice as many minutes as the period.
fn wave(minute: i64, period: i64, height: i64) -> i64 {
    let at = minute.rem_euclid(2 * period);
    at.min(2 * period - at) * height / period
}

fn below(number: u64, bound: u64) -> i64 {
    i64::try_from(number % bound).unwrap_or_default()
}

impl Past {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, end: None, sessions: Vec::new() }
    }

    /// Ends it, the first time.
    pub(super) fn end(&mut self, now: Timestamp) {
        if self.end.is_some() {
            return;
        }
        let end = now.nanos().div_euclid(MINUTE);
        self.end = Some(end);
        let day =
            |minute: i64| Timestamp::from_nanos(minute.saturating_mul(MINUTE)).to_datetime().date_naive();
        let known = MarketCalendar::builtin("XNYS").ok();
        let sessions = known.and_then(|known| known.sessions(day(end - MINUTES), day(end)).ok());
        // Beyond the known calendars shares have no past.
        let sessions = sessions.unwrap_or_default();
        self.sessions = sessions
            .iter()
            .map(|session| (session.open.timestamp() / 60, session.close.timestamp() / 60))
            .collect();
    }

    fn is_open(&self, minute: i64, around_the_clock: bool) -> bool {
        around_the_clock || self.sessions.iter().any(|(open, close)| (*open..*close).contains(&minute))
    }

    /// What the minutes of an instrument are made of, and whether it trades in sessions.
    fn made_of(&self, symbol: &Symbol) -> (u64, bool) {
        let is_share = symbol.parts().is_ok_and(|parts| parts.kind() == SymbolKind::Equity);
        let name = symbol.as_str().bytes().fold(self.seed, |seed, byte| mixed(seed ^ u64::from(byte)));
        (name, is_share)
    }

    /// How many prints an instrument has before a minute.
    fn count_before(&self, symbol: &Symbol, minute: i64) -> u64 {
        let Some(end) = self.end else { return 0 };
        let (name, is_share) = self.made_of(symbol);
        let open = (end - MINUTES..minute.min(end)).filter(|minute| self.is_open(*minute, !is_share));
        open.map(|minute| mixed(name ^ minute.cast_unsigned()) % (MOST + 1)).sum()
    }

    /// How many prints an instrument has.
    pub(super) fn count(&self, symbol: &Symbol) -> u64 {
        self.count_before(symbol, i64::MAX)
    }

    pub(super) fn prints(&self, symbol: &Symbol, from: Timestamp, to: Timestamp) -> Vec<Print> {
        let Some(end) = self.end else { return Vec::new() };
        let (name, is_share) = self.made_of(symbol);
        let first = from.nanos().div_euclid(MINUTE).max(end - MINUTES);
        let last = to.nanos().div_euclid(MINUTE).min(end - 1);
        let mut before = self.count_before(symbol, first);
        let mut prints = Vec::new();
        for minute in (first..=last).filter(|minute| self.is_open(*minute, !is_share)) {
            let chance = mixed(name ^ minute.cast_unsigned());
            let count = chance % (MOST + 1);
            let phase = below(name, 1_000);
            let level = 9_820 + wave(minute + phase, 480, 300) + wave(minute + phase, 37, 60);
            for number in 0..count {
                let chance = mixed(chance ^ number);
                let part = MINUTE / i64::try_from(count + 1).unwrap_or(i64::MAX);
                let within = part * below(number + 1, MOST + 1) + below(chance, 1_000_000_000);
                let lots = 1 + below(chance >> 8, 500);
                prints.push(Print {
                    id: (minute - end + MINUTES).cast_unsigned() * (MOST + 1) + number,
                    number: before + number + 1,
                    symbol: symbol.clone(),
                    price: Decimal::new(level + below(chance >> 20, 11), 2),
                    size: if is_share { Decimal::from(lots) } else { Decimal::new(lots, 3) },
                    bought: chance.is_multiple_of(2),
                    time: Timestamp::from_nanos(minute * MINUTE + within),
                });
            }
            before += count;
        }
        prints.retain(|print| (from..=to).contains(&print.time));
        prints
    }

    /// One quote a millisecond before each print, a cent to each side of it.
    pub(super) fn quotes(&self, symbol: &Symbol, from: Timestamp, to: Timestamp) -> Vec<Quote> {
        let Ok(venue) = VenueName::new("double") else { return Vec::new() };
        let cent = Decimal::new(1, 2);
        let later = Timestamp::from_nanos(to.nanos().saturating_add(1_000_000));
        let quotes = self.prints(symbol, from, later).into_iter().map(|print| Quote {
            symbol: symbol.clone(),
            bid: print.price - cent,
            ask: print.price + cent,
            bid_size: print.size,
            ask_size: print.size + Decimal::ONE,
            venue: venue.clone(),
            timestamp: Timestamp::from_nanos(print.time.nanos() - 1_000_000),
        });
        quotes.filter(|quote| (from..=to).contains(&quote.timestamp)).collect()
    }
}
