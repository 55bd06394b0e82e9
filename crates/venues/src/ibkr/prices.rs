//! Prices of instruments, once or as they change.

use super::contracts::find;
use super::message::Said;
use super::proto::{MarketDataRequest, MarketDataType, TickPrice, TickReqParams, TickSnapshotEnd};
use super::read::{float, text};
use super::render::error;
use crate::desk::Desk;
use mts_foundation::{Decimal, Symbol};
use std::collections::BTreeMap;

/// Most instruments that a client follows, as the venue has it.
const MAX_TICKERS: usize = 100;

/// The size that is told where any size is to be had.
const ANY_SIZE: Decimal = Decimal::ONE_HUNDRED;

/// Which price a tick is.
const BID: i32 = 1;
const ASK: i32 = 2;
const LAST: i32 = 4;

/// The prices that a client follows, by the id of its request.
#[derive(Debug, Default)]
pub(super) struct Tickers {
    /// 1 = live, 2 = frozen, 3 = delayed, 4 = delayed and frozen; 0 = the client has not said.
    pub(super) kind: i32,
    followed: BTreeMap<i32, (Symbol, Vec<Price>)>,
}

/// A tick's type, price and size.
type Price = (i32, Decimal, Decimal);

fn prices(desk: &Desk, symbol: &Symbol) -> Vec<Price> {
    let Some(quote) = desk.price(symbol) else {
        let last = desk.meets(symbol, true);
        return last.map(|last| (LAST, last, Decimal::ONE)).into_iter().collect();
    };
    let size = |size: Decimal| if size.is_zero() { ANY_SIZE } else { size };
    let (bid, ask) = ((BID, quote.bid, size(quote.bid_size)), (ASK, quote.ask, size(quote.ask_size)));
    vec![bid, ask, (LAST, quote.mid(), Decimal::ONE)]
}

fn tick(request: i32, (kind, price, size): Price) -> Said {
    Said::TickPrice(TickPrice {
        req_id: Some(request),
        tick_type: Some(kind),
        price: Some(float(price)),
        size: Some(text(size)),
        attr_mask: Some(1),
    })
}

impl Tickers {
    pub(super) fn begin(&mut self, desk: &Desk, asked: &MarketDataRequest) -> Vec<Said> {
        let request = asked.req_id.unwrap_or_default();
        let Some(found) = find(desk, &asked.contract.clone().unwrap_or_default()) else {
            return vec![error(request, 200, "No security definition has been found for the request", desk)];
        };
        if self.followed.contains_key(&request) {
            return vec![error(
                request,
                322,
                "Error processing request.-'b' : cause - Duplicate ticker id",
                desk,
            )];
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
        said.extend(now.iter().map(|price| tick(request, *price)));
        if snapshot {
            said.push(Said::TickSnapshotEnd(TickSnapshotEnd { req_id: Some(request) }));
        } else {
            self.followed.insert(request, (found.symbol, now));
        }
        said
    }

    pub(super) fn end(&mut self, request: i32) {
        self.followed.remove(&request);
    }

    /// What has changed since it was told.
    pub(super) fn news(&mut self, desk: &Desk) -> Vec<Said> {
        let mut said = Vec::new();
        for (request, (symbol, told)) in &mut self.followed {
            let now = prices(desk, symbol);
            said.extend(now.iter().filter(|price| !told.contains(price)).map(|price| tick(*request, *price)));
            *told = now;
        }
        said
    }
}
