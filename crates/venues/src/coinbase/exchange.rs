//! Coinbase Exchange, the older API: its public feed of prices, and the prints that a client asks for when it has missed some.
//!
//! The venue has it at hosts of its own; here it is at the one address. A client's words show which feed it takes this for.

use super::products::{Product, by_id, product};
use crate::desk::{Desk, Event};
use crate::dialect::{Answer, Follower, Frame, Request, number};
use crate::market::{News, Print, before};
use mts_foundation::{Decimal, Quote, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Prints of an answer where the client says nothing, and the most.
const PRINTS: usize = 1_000;
/// What the double tells.
const CHANNELS: [&str; 4] = ["heartbeat", "level2_batch", "matches", "ticker"];
/// What the venue tells those alone who log in, which the double does not take.
const WITH_LOGIN: [&str; 4] = ["full", "level2", "level3", "user"];
/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// `/products/{id}/trades`, newest first; `None` for another path.
pub(super) fn trades(desk: &Desk, request: &Request) -> Option<Answer> {
    let id = request.path.strip_prefix("/products/")?.strip_suffix("/trades")?;
    let refused = |status: u16, words: &str| Some(Answer::json(status, &json!({"message": words})));
    let Some(product) = by_id(desk, &crate::server::decoded(id)) else { return refused(404, "NotFound") };
    let number_of = |name: &str| request.parameter(name).map(str::parse::<u64>).transpose();
    let (Ok(limit), Ok(after)) = (number_of("limit"), number_of("after")) else {
        return refused(400, "Invalid parameter");
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PRINTS).clamp(1, PRINTS);
    // Pages go back in time: those after a number in the list are older.
    let prints = desk.market().prints(&product.symbol, Timestamp::EPOCH, desk.clock());
    let older = prints.iter().rev().filter(|print| after.is_none_or(|after| print.number < after));
    let page: Vec<&Print> = older.take(limit).collect();
    let rows: Value = page
        .iter()
        .map(|print| {
            json!({
                "trade_id": print.number, "side": maker_side(print), "size": number(print.size),
                "price": number(print.price), "time": print.time.to_string(),
            })
        })
        .collect();
    let answer = Answer::json(200, &rows);
    Some(match (page.first(), page.last()) {
        (Some(first), Some(last)) => answer.with("cb-before", first.number).with("cb-after", last.number),
        _ => answer,
    })
}

/// The side of the one who waited.
fn maker_side(print: &Print) -> &'static str {
    if print.bought { "sell" } else { "buy" }
}

/// Price and size of a side of a book.
type Level = (Decimal, Decimal);

/// One client's feed.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// The products of each channel that is subscribed to.
    channels: BTreeMap<&'static str, BTreeMap<String, Product>>,
    /// Best bid and offer of a product as they were told last.
    books: BTreeMap<String, [Option<Level>; 2]>,
}

/// A message with its type and product.
fn say(kind: &str, product: &Product, more: Value) -> Frame {
    let mut message =
        Map::from_iter([("type".to_owned(), json!(kind)), ("product_id".to_owned(), json!(product.id))]);
    if let Value::Object(more) = more {
        message.extend(more);
    }
    Frame::Text(Value::Object(message).to_string())
}

fn failed(reason: &str) -> Vec<Frame> {
    let message = json!({"type": "error", "message": "Failed to subscribe", "reason": reason});
    vec![Frame::Text(message.to_string())]
}

/// The names in a list.
fn names(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether a client's words are those of this feed.
pub(super) fn is_meant(message: &Value) -> bool {
    message.get("channels").is_some()
}

impl Feed {
    /// The channels and products of a request; a channel may name its own.
    fn read(desk: &Desk, message: &Value) -> Result<Vec<(&'static str, Vec<Product>)>, String> {
        let common = names(message.get("product_ids"));
        let mut wanted = Vec::new();
        for channel in message.get("channels").and_then(Value::as_array).into_iter().flatten() {
            let name = channel.as_str().or_else(|| channel.get("name")?.as_str()).unwrap_or_default();
            if WITH_LOGIN.contains(&name) {
                return Err("level2, level3, and full channels now require authentication".to_owned());
            }
            let known = CHANNELS.into_iter().find(|known| *known == name);
            let known = known.ok_or_else(|| format!("{name} is not a valid channel"))?;
            let own = names(channel.get("product_ids"));
            let ids = if own.is_empty() { &common } else { &own };
            if ids.is_empty() {
                return Err(format!("You need to specify at least one product ID for channel {known}"));
            }
            let find = |id: &&str| by_id(desk, id).ok_or_else(|| format!("{id} is not a valid product"));
            wanted.push((known, ids.iter().map(find).collect::<Result<_, _>>()?));
        }
        Ok(wanted)
    }

    fn subscriptions(&self) -> Frame {
        let of = |(name, products): (&&str, &BTreeMap<String, Product>)| json!({"name": name, "product_ids": products.keys().collect::<Vec<_>>()});
        let channels: Value = self.channels.iter().map(of).collect();
        Frame::Text(json!({"type": "subscriptions", "channels": channels}).to_string())
    }

    /// What a channel begins with.
    fn first(&mut self, desk: &Desk, channel: &str, product: &Product) -> Option<Frame> {
        let last = || desk.market().last(&product.symbol, desk.clock());
        match channel {
            "matches" => last().map(|print| matched("last_match", product, &print)),
            "ticker" => last().and_then(|print| ticker(desk, product, &print)),
            "level2_batch" => {
                let sides @ [bid, ask] = desk.price(&product.symbol).map_or([None, None], sides);
                self.books.insert(product.id.clone(), sides);
                let rows = |level: Option<Level>| {
                    level
                        .into_iter()
                        .map(|(price, size)| json!([number(price), number(size)]))
                        .collect::<Value>()
                };
                Some(say("snapshot", product, json!({"bids": rows(bid), "asks": rows(ask)})))
            }
            _ => None,
        }
    }

    fn wants(&self, channel: &str, product: &Product) -> bool {
        self.channels.get(channel).is_some_and(|products| products.contains_key(&product.id))
    }

    fn book_update(&mut self, product: &Product, quote: &Quote) -> Option<Frame> {
        let new @ [bid, ask] = sides(quote);
        let [old_bid, old_ask] = self.books.insert(product.id.clone(), new).unwrap_or_default();
        let changes = [changes("buy", old_bid, bid), changes("sell", old_ask, ask)].concat();
        let time = quote.timestamp.to_string();
        (!changes.is_empty()).then(|| say("l2update", product, json!({"changes": changes, "time": time})))
    }

    /// Whether nothing is subscribed to.
    pub(super) fn is_idle(&self) -> bool {
        self.channels.is_empty()
    }
}

/// A print. The feed numbers what happens to a book; here that is its prints alone.
fn matched(kind: &str, product: &Product, print: &Print) -> Frame {
    let id = |part: &str| format!("{part}-{}", print.number);
    say(
        kind,
        product,
        json!({
            "trade_id": print.number, "sequence": print.number, "maker_order_id": id("maker"),
            "taker_order_id": id("taker"), "time": print.time.to_string(), "size": number(print.size),
            "price": number(print.price), "side": maker_side(print),
        }),
    )
}

/// A print, the last 24 hours with it, and the best prices; where there are none, those of the print.
fn ticker(desk: &Desk, product: &Product, print: &Print) -> Option<Frame> {
    let now = desk.clock();
    let day = desk.market().since(&product.symbol, before(now, DAY), now)?;
    let known = desk.price(&product.symbol).map_or([None, None], sides);
    let [bid, ask] = known.map(|level| level.unwrap_or((print.price, print.size)));
    let text = |(value, _): Level| number(value);
    let size = |(_, value): Level| number(value);
    Some(say(
        "ticker",
        product,
        json!({
            "sequence": print.number, "price": number(print.price), "open_24h": number(day.open),
            "volume_24h": number(day.volume), "low_24h": number(day.low), "high_24h": number(day.high),
            "best_bid": text(bid), "best_bid_size": size(bid), "best_ask": text(ask), "best_ask_size": size(ask),
            // That of who came to the market, unlike in a match.
            "side": if print.bought { "buy" } else { "sell" },
            "time": print.time.to_string(), "trade_id": print.number, "last_size": number(print.size),
        }),
    ))
}

/// The sides of a book that a quote is, bid and ask; one without sizes means any.
fn sides(quote: &Quote) -> [Option<Level>; 2] {
    let size = |size: Decimal| if size.is_zero() { Decimal::ONE } else { size };
    let level = |price: Decimal, of: Decimal| (price > Decimal::ZERO).then(|| (price, size(of)));
    [level(quote.bid, quote.bid_size), level(quote.ask, quote.ask_size)]
}

/// What changes a side: the level that is gone, and the one that has come or has another size.
fn changes(side: &str, old: Option<Level>, new: Option<Level>) -> Vec<Value> {
    let is_gone = |(price, _): &Level| new.is_none_or(|(other, _)| other != *price);
    let gone = old.filter(is_gone).map(|(price, _)| (price, Decimal::ZERO));
    let come = new.filter(|level| Some(*level) != old);
    gone.into_iter().chain(come).map(|(price, size)| json!([side, number(price), number(size)])).collect()
}

impl Follower for Feed {
    fn hear(&mut self, desk: &mut Desk, text: &str) -> Vec<Frame> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let kind = message.get("type").and_then(Value::as_str).unwrap_or_default();
        let wanted = match Self::read(desk, &message) {
            Ok(wanted) => wanted,
            Err(reason) => return failed(&reason),
        };
        let mut first = Vec::new();
        match kind {
            "subscribe" => {
                for (channel, products) in wanted {
                    for product in products {
                        first.extend(self.first(desk, channel, &product));
                        self.channels.entry(channel).or_default().insert(product.id.clone(), product);
                    }
                }
            }
            "unsubscribe" => {
                for (channel, products) in wanted {
                    let Some(list) = self.channels.get_mut(channel) else { continue };
                    for product in products {
                        list.remove(&product.id);
                    }
                    if list.is_empty() {
                        self.channels.remove(channel);
                    }
                }
            }
            _ => return failed("Type has to be either subscribe or unsubscribe"),
        }
        first.insert(0, self.subscriptions());
        first
    }

    fn follows(&self) -> bool {
        !self.channels.is_empty()
    }

    fn tell(&mut self, _desk: &Desk, _event: &Event) -> Vec<Frame> {
        Vec::new()
    }

    fn tell_news(&mut self, desk: &Desk, news: &News) -> Vec<Frame> {
        let Some(product) = product(desk, news.symbol()) else { return Vec::new() };
        match news {
            News::Print(print) => {
                let matches = self.wants("matches", &product).then(|| matched("match", &product, print));
                let wants_ticker = self.wants("ticker", &product);
                let ticker = wants_ticker.then(|| ticker(desk, &product, print)).flatten();
                matches.into_iter().chain(ticker).collect()
            }
            News::Quote(quote) if self.wants("level2_batch", &product) => {
                self.book_update(&product, quote).into_iter().collect()
            }
            // The feed has no candles.
            News::Quote(_) | News::Minute { .. } => Vec::new(),
        }
    }

    fn heartbeat(&mut self, desk: &Desk) -> Vec<Frame> {
        let products = self.channels.get("heartbeat").into_iter().flatten();
        let beat = |(_, product): (&String, &Product)| {
            let number = desk.market().last(&product.symbol, desk.clock()).map_or(0, |print| print.number);
            let time = desk.clock().to_string();
            say("heartbeat", product, json!({"sequence": number, "last_trade_id": number, "time": time}))
        };
        products.map(beat).collect()
    }

    fn unknown_message(&mut self, _desk: &Desk) -> Frame {
        Frame::Text(json!({"type": "mts_unheard_of", "since": 2027}).to_string())
    }

    fn frame(&self, text: String) -> Frame {
        Frame::Text(text)
    }
}
