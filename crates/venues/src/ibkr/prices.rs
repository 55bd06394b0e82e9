//! Prices of instruments, once or as they change: what is told of the newest state, with everything between two looks
//! left out.

use super::contracts::find;
use super::message::Said;
use super::price_messages::{
    MarketDataType, TickPrice, TickReqParams, TickSize, TickSnapshotEnd, TickString,
};
use super::read::{float, text};
use super::render::error;
use super::requests::MarketDataRequest;
use crate::desk::{Desk, Print};
use mts_foundation::{Decimal, Symbol};
use std::collections::BTreeMap;

/// Most instruments that a client follows, as the venue has it.
const MAX_TICKERS: usize = 100;

/// The size that is told where any size is to be had.
const ANY_SIZE: Decimal = Decimal::ONE_HUNDRED;

/// The word for time and sales in the list of what a client wants besides prices.
const TIME_AND_SALES: &str = "233";

/// What a tick tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tick {
    Bid,
    Ask,
    Last,
    Volume,
    LastTime,
    TimeAndSales,
}

impl Tick {
    fn number(self) -> i32 {
        match self {
            Self::Bid => 1,
            Self::Ask => 2,
            Self::Last => 4,
            Self::Volume => 8,
            Self::LastTime => 45,
            Self::TimeAndSales => 48,
        }
    }

    /// The number of the tick that tells its size once more.
    fn size(self) -> Option<i32> {
        match self {
            Self::Bid => Some(0),
            Self::Ask => Some(3),
            Self::Last => Some(5),
            _ => None,
        }
    }
}

/// A tick's kind, price and size.
type Price = (Tick, Decimal, Decimal);

/// What a client follows of an instrument.
#[derive(Debug)]
struct Followed {
    symbol: Symbol,
    told: Vec<Price>,
    time_and_sales: bool,
    /// The number of the first print that it was not told of.
    next_print: u64,
}

/// The prices that a client follows, by the id of its request.
#[derive(Debug, Default)]
pub(super) struct Tickers {
    /// 1 = live, 2 = frozen, 3 = delayed, 4 = delayed and frozen; 0 = the client has not said.
    pub(super) kind: i32,
    followed: BTreeMap<i32, Followed>,
}

fn prices(desk: &Desk, symbol: &Symbol) -> Vec<Price> {
    let last = desk.prints(symbol).next_back().map(|print| (Tick::Last, print.price, print.size));
    let Some(quote) = desk.price(symbol) else {
        let price = || desk.meets(symbol, true).map(|last| (Tick::Last, last, Decimal::ONE));
        return last.or_else(price).into_iter().collect();
    };
    let size = |size: Decimal| if size.is_zero() { ANY_SIZE } else { size };
    let (bid, ask) =
        ((Tick::Bid, quote.bid, size(quote.bid_size)), (Tick::Ask, quote.ask, size(quote.ask_size)));
    vec![bid, ask, last.unwrap_or((Tick::Last, quote.mid(), Decimal::ONE))]
}

/// A price with its size, and its size once more, as the venue does it.
fn tick(request: i32, (kind, price, size): Price) -> Vec<Said> {
    let first = Said::TickPrice(TickPrice {
        req_id: Some(request),
        tick_type: Some(kind.number()),
        price: Some(float(price)),
        size: Some(text(size)),
        attr_mask: Some(1),
    });
    let again = kind.size().map(|kind| sized(request, kind, size));
    [first].into_iter().chain(again).collect()
}

fn sized(request: i32, kind: i32, size: Decimal) -> Said {
    Said::TickSize(TickSize { req_id: Some(request), tick_type: Some(kind), size: Some(text(size)) })
}

fn worded(request: i32, kind: i32, value: String) -> Said {
    Said::TickString(TickString { req_id: Some(request), tick_type: Some(kind), value: Some(value) })
}

/// What the newest print of an instrument comes to besides its price; `alone` = it is the only one since the client
/// was told.
fn printed(request: i32, print: &Print, alone: bool, time_and_sales: bool) -> Vec<Said> {
    let seconds = print.time.nanos() / 1_000_000_000;
    let mut said = vec![
        worded(request, Tick::LastTime.number(), seconds.to_string()),
        sized(request, Tick::Volume.number(), print.total),
    ];
    if time_and_sales {
        let millis = print.time.nanos() / 1_000_000;
        let (price, size, total) = (text(print.price), text(print.size), text(print.total));
        let value = format!("{price};{size};{millis};{total};{price};{alone}");
        said.push(worded(request, Tick::TimeAndSales.number(), value));
    }
    said
}

impl Tickers {
    pub(super) fn begin(&mut self, desk: &Desk, asked: &MarketDataRequest) -> Vec<Said> {
        let request = asked.req_id.unwrap_or_default();
        let Some(found) = find(desk, &asked.contract.clone().unwrap_or_default()) else {
            return vec![error(request, 200, "No security definition has been found for the request", desk)];
        };
        if self.followed.contains_key(&request) {
            let message = "Error processing request.-'b' : cause - Duplicate ticker id";
            return vec![error(request, 322, message, desk)];
        }
        let snapshot = asked.snapshot == Some(true);
        if !snapshot && self.followed.len() >= MAX_TICKERS {
            return vec![error(request, 101, "Max number of tickers has been reached.", desk)];
        }
        let now = prices(desk, &found.symbol);
        let parameters = TickReqParams {
            req_id: Some(request),
            min_tick: Some(text(found.kind.tick(Decimal::ONE))),
            bbo_exchange: Some("9c0001".to_owned()),
            snapshot_permissions: Some(3),
        };
        let kind = MarketDataType { req_id: Some(request), market_data_type: Some(self.kind.max(1)) };
        let mut said = vec![Said::TickReqParams(parameters), Said::MarketDataType(kind)];
        said.extend(now.iter().flat_map(|price| tick(request, *price)));
        if let Some(print) = desk.prints(&found.symbol).next_back() {
            said.extend(printed(request, print, true, false));
        }
        if snapshot {
            said.push(Said::TickSnapshotEnd(TickSnapshotEnd { req_id: Some(request) }));
        } else {
            let wants = asked.generic_tick_list.as_deref().unwrap_or_default();
            let time_and_sales = wants.split(',').any(|word| word.trim() == TIME_AND_SALES);
            let followed =
                Followed { symbol: found.symbol, told: now, time_and_sales, next_print: desk.next_print() };
            self.followed.insert(request, followed);
        }
        said
    }

    pub(super) fn end(&mut self, request: i32) {
        self.followed.remove(&request);
    }

    /// What has changed since it was told.
    pub(super) fn news(&mut self, desk: &Desk) -> Vec<Said> {
        let mut said = Vec::new();
        for (request, followed) in &mut self.followed {
            let now = prices(desk, &followed.symbol);
            let mut prints = desk.prints_from(followed.next_print).filter(|it| it.symbol == followed.symbol);
            let newest = prints.next_back();
            let is_new = |price: &&Price| {
                !followed.told.contains(price) || (newest.is_some() && price.0 == Tick::Last)
            };
            said.extend(now.iter().filter(is_new).flat_map(|price| tick(*request, *price)));
            if let Some(print) = newest {
                let alone = prints.next().is_none();
                said.extend(printed(*request, print, alone, followed.time_and_sales));
            }
            followed.next_print = desk.next_print();
            followed.told = now;
        }
        said
    }
}
