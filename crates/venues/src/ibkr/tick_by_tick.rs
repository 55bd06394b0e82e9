//! Every print or every change of the best prices of an instrument, each told once.

use super::contracts::{Instrument, find};
use super::message::Said;
use super::price_messages::{HistoricalTickBidAsk, HistoricalTickLast, HistoricalTicksLast, TickByTickData};
use super::read::{float, instant, text};
use super::render::error;
use super::requests::{HistoricalTicksRequest, TickByTickRequest};
use crate::desk::{Desk, Print};
use mts_foundation::Quote;
use std::collections::BTreeMap;

/// Most prints of one answer, as the venue has it.
const MAX_TICKS: usize = 1_000;

/// Which ticks are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Last,
    AllLast,
    BidAsk,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "Last" => Self::Last,
            "AllLast" => Self::AllLast,
            "BidAsk" => Self::BidAsk,
            _ => return None,
        })
    }

    fn number(self) -> i32 {
        match self {
            Self::Last => 1,
            Self::AllLast => 2,
            Self::BidAsk => 3,
        }
    }
}

#[derive(Debug)]
struct Followed {
    instrument: Instrument,
    kind: Kind,
    /// The number of the first print that it was not told of.
    next_print: u64,
    told: Option<Quote>,
}

/// The ticks that a client follows, by the id of its request.
#[derive(Debug, Default)]
pub(super) struct Ticks(BTreeMap<i32, Followed>);

fn seconds(nanos: i64) -> Option<i64> {
    Some(nanos / 1_000_000_000)
}

fn last(instrument: &Instrument, print: &Print) -> HistoricalTickLast {
    HistoricalTickLast {
        time: seconds(print.time.nanos()),
        price: Some(float(print.price)),
        size: Some(text(print.size)),
        exchange: Some(instrument.primary().to_owned()),
        special_conditions: Some(String::new()),
    }
}

fn data(request: i32, kind: Kind) -> TickByTickData {
    TickByTickData { req_id: Some(request), tick_type: Some(kind.number()), ..TickByTickData::default() }
}

impl Ticks {
    pub(super) fn begin(&mut self, desk: &Desk, asked: &TickByTickRequest) -> Vec<Said> {
        let request = asked.req_id.unwrap_or_default();
        let Some(instrument) = find(desk, &asked.contract.clone().unwrap_or_default()) else {
            return vec![error(request, 200, "No security definition has been found for the request", desk)];
        };
        let Some(kind) = Kind::of(asked.tick_type.as_deref().unwrap_or_default()) else {
            let message = "Error validating request.-'bW' : cause - Please enter a valid tick type";
            return vec![error(request, 321, message, desk)];
        };
        if self.0.contains_key(&request) {
            return vec![error(request, 102, "Duplicate ticker ID.", desk)];
        }
        let followed = Followed { instrument, kind, next_print: desk.next_print(), told: None };
        self.0.insert(request, followed);
        Vec::new()
    }

    pub(super) fn end(&mut self, request: i32) {
        self.0.remove(&request);
    }

    /// What has come since it was told.
    pub(super) fn news(&mut self, desk: &Desk) -> Vec<Said> {
        let mut said = Vec::new();
        for (request, followed) in &mut self.0 {
            let symbol = &followed.instrument.symbol;
            if followed.kind == Kind::BidAsk {
                let now = desk.price(symbol);
                if let Some(quote) = now.filter(|now| Some(*now) != followed.told.as_ref()) {
                    let bid_ask = HistoricalTickBidAsk {
                        time: seconds(quote.timestamp.nanos()),
                        price_bid: Some(float(quote.bid)),
                        price_ask: Some(float(quote.ask)),
                        size_bid: Some(text(quote.bid_size)),
                        size_ask: Some(text(quote.ask_size)),
                    };
                    let bid_ask = Some(bid_ask);
                    said.push(Said::TickByTick(TickByTickData { bid_ask, ..data(*request, followed.kind) }));
                }
                followed.told = now.cloned();
            } else {
                let prints = desk.prints_from(followed.next_print).filter(|print| print.symbol == *symbol);
                said.extend(prints.map(|print| {
                    let last = Some(last(&followed.instrument, print));
                    Said::TickByTick(TickByTickData { last, ..data(*request, followed.kind) })
                }));
            }
            followed.next_print = desk.next_print();
        }
        said
    }
}

/// Prints of the past: the first after a time, or the last before one, and all of the same second with them.
pub(super) fn history(desk: &Desk, asked: &HistoricalTicksRequest) -> Vec<Said> {
    let request = asked.req_id.unwrap_or_default();
    let refused = |code, message: &str| vec![error(request, code, message, desk)];
    let Some(instrument) = find(desk, &asked.contract.clone().unwrap_or_default()) else {
        return refused(200, "No security definition has been found for the request");
    };
    let time = |text: &Option<String>| match text.as_deref().unwrap_or_default() {
        "" => Ok(None),
        text => instant(text).map(|at| Some(at.timestamp())).ok_or(()),
    };
    let (Ok(start), Ok(end)) = (time(&asked.start_date_time), time(&asked.end_date_time)) else {
        return refused(10_314, "End Date/Time: The date, time, or time-zone entered is invalid.");
    };
    if start.is_some() == end.is_some() {
        return refused(
            321,
            "Error validating request.-'bT' : cause - Please specify one of start or end time",
        );
    }
    if asked.what_to_show.as_deref() != Some("TRADES") {
        return refused(321, "Error validating request.-'bT' : cause - this double keeps trades alone");
    }
    let wanted = usize::try_from(asked.number_of_ticks.unwrap_or_default()).unwrap_or(0);
    if !(1..=MAX_TICKS).contains(&wanted) {
        return refused(
            321,
            "Error validating request.-'bT' : cause - Historical ticks number must be 1-1000",
        );
    }
    let second = |print: &&Print| print.time.nanos() / 1_000_000_000;
    let fits = |print: &&Print| {
        start.is_none_or(|start| second(print) >= start) && end.is_none_or(|end| second(print) <= end)
    };
    let all: Vec<&Print> = desk.prints(&instrument.symbol).filter(fits).collect();
    let picked: Vec<&Print> = if end.is_some() {
        let edge = all.iter().rev().nth(wanted - 1).map(second);
        all.into_iter().filter(|print| edge.is_none_or(|edge| second(print) >= edge)).collect()
    } else {
        let edge = all.get(wanted - 1).map(second);
        all.into_iter().filter(|print| edge.is_none_or(|edge| second(print) <= edge)).collect()
    };
    vec![Said::HistoricalTicks(HistoricalTicksLast {
        req_id: Some(request),
        ticks: picked.into_iter().map(|print| last(&instrument, print)).collect(),
        is_done: Some(true),
    })]
}
