//! Orders in Kraken's words and ours. Pure.

use super::map::{self, instant};
use super::pairs::{Pair, Pairs};
use super::wire::{WireAdded, WireDescription, WireOrder};
use crate::kit::{self, Failure, KnownOrder, KnownOrders, number, strange, venue_id};
use mts_foundation::broker::OrderChange;
use mts_foundation::broker_event::OrderReport;
use mts_foundation::{BrokerOrderId, Decimal, Order, OrderState, OrderType, Side, TimeInForce, Timestamp};
use serde_json::value::RawValue;
use smol_str::{SmolStr, ToSmolStr, format_smolstr};
use std::time::Duration;

const DAY: i64 = 86_400;

/// A number of a form.
fn text(value: Decimal) -> String {
    value.normalize().to_string()
}

/// Kraken's word for a type.
fn kind(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Market => "market",
        OrderType::Limit | OrderType::MarketableLimit => "limit",
        OrderType::Stop => "stop-loss",
        OrderType::StopLimit => "stop-loss-limit",
    }
}

/// Kraken's word for a side.
fn direction(side: Side) -> &'static str {
    if side.sign() > 0 { "buy" } else { "sell" }
}

/// Kraken's `price` and `price2`. Of a stop, the first is where it triggers.
fn prices(order: &Order) -> (Option<Decimal>, Option<Decimal>) {
    match order.order_type {
        OrderType::Stop | OrderType::StopLimit => (order.stop_price, order.limit_price),
        _ => (order.limit_price, None),
    }
}

/// The fields of a new order. `now` is the venue's time.
pub(super) fn new_order(
    order: &Order,
    pair: &Pair,
    client_id: &str,
    now: Timestamp,
    reach_within: Duration,
) -> Vec<(&'static str, String)> {
    let (price, price2) = prices(order);
    let mut fields = vec![
        ("ordertype", kind(order.order_type).to_owned()),
        ("type", direction(order.side).to_owned()),
        ("volume", text(order.quantity)),
        ("pair", pair.altname.to_string()),
        ("cl_ord_id", client_id.to_owned()),
        // Fees in the quote currency, whatever the account prefers.
        ("oflags", "fciq".to_owned()),
        ("deadline", deadline(now, reach_within)),
    ];
    for (name, price) in [("price", price), ("price2", price2)] {
        fields.extend(price.map(|price| (name, text(price))));
    }
    match order.tif {
        TimeInForce::Ioc => fields.push(("timeinforce", "IOC".to_owned())),
        TimeInForce::Fok => fields.push(("timeinforce", "FOK".to_owned())),
        TimeInForce::Day => {
            fields.push(("timeinforce", "GTD".to_owned()));
            fields.push(("expiretm", next_day(now).to_string()));
        }
        TimeInForce::Gtc | TimeInForce::Opg => {}
    }
    fields
}

/// A change of an order in place.
pub(super) fn amendment(
    id: &BrokerOrderId,
    change: &OrderChange,
    now: Timestamp,
    reach_within: Duration,
) -> Vec<(&'static str, String)> {
    let mut fields = vec![("txid", id.to_string()), ("deadline", deadline(now, reach_within))];
    let changed = [
        ("order_qty", change.quantity),
        ("limit_price", change.limit_price),
        ("trigger_price", change.stop_price),
    ];
    fields.extend(changed.into_iter().filter_map(|(name, value)| Some((name, text(value?)))));
    fields
}

/// Until when the market may be reached, to the millisecond.
fn deadline(now: Timestamp, reach_within: Duration) -> String {
    let at = now.plus(reach_within).nanos().div_euclid(1_000_000);
    Timestamp::from_millis(at).to_string()
}

/// The second in which the next day of UTC begins, where the venue's day ends.
fn next_day(now: Timestamp) -> i64 {
    (now.nanos().div_euclid(1_000_000_000 * DAY) + 1) * DAY
}

/// The venue's id of a new order, if the answer is about that order.
pub(super) fn added(order: &Order, pair: &Pair, wire: &WireAdded) -> Result<BrokerOrderId, Failure> {
    let mut words = wire.descr.order.split_whitespace();
    // `stop loss 37400.0 -> limit 37500.0`, of which nobody promises more than the first word and the prices.
    let kind = kind(order.order_type).split('-').next();
    let (price, price2) = prices(order);
    let right = words.next() == Some(direction(order.side))
        && words.next().and_then(number::parse) == Some(order.quantity)
        && words.next() == Some(pair.altname.as_str())
        && words.next() == Some("@")
        && words.next().and_then(|word| word.split('-').next()) == kind
        && words.filter_map(number::parse).eq(price.into_iter().chain(price2));
    match wire.txid.as_slice() {
        [id] if right && is_id(id) => venue_id(id),
        _ => Err(Failure::unreadable(format!(
            "the answer is about {:?} {:?}, another order than was sent",
            wire.txid, wire.descr.order
        ))),
    }
}

/// Whether a text has the form of the venue's ids, `OAAAAA-BBBBB-CCCCCC`.
pub(super) fn is_id(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [6, 5, 6]
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether the venue's order is the one that was meant, as far as it tells.
pub(super) fn is_of(order: &Order, wire: &WireOrder, id: &str, pair: &Pair) -> Result<(), Failure> {
    let told = |raw: &Option<Box<RawValue>>| number::parse(raw.as_ref()?.get().trim_matches('"'));
    let (price, price2) = prices(order);
    let right = wire.vol == order.quantity
        && wire.descr.pair == pair.altname
        && wire.descr.side == direction(order.side)
        && wire.descr.ordertype == kind(order.order_type)
        && (price.is_none() || told(&wire.descr.price) == price)
        && (price2.is_none() || told(&wire.descr.price2) == price2);
    if right { Ok(()) } else { Err(another(wire, id)) }
}

/// Whether an order with our client id is the one that we know by it. An amendment changes its quantity and prices, and nothing else.
pub(super) fn is_known(known: &KnownOrder, wire: &WireOrder, id: &str, pairs: &Pairs) -> Result<(), Failure> {
    let is_pair = match pairs.of_name(&wire.descr.pair) {
        Some(pair) => pair.symbol == known.symbol,
        // A pair that is listed no more has lost its name.
        None => pairs.of_symbol(&known.symbol).is_none(),
    };
    let right =
        is_pair && wire.descr.side == direction(known.side) && wire.descr.ordertype == kind(known.order_type);
    if right { Ok(()) } else { Err(another(wire, id)) }
}

fn another(wire: &WireOrder, id: &str) -> Failure {
    let WireDescription { pair, side, ordertype, .. } = &wire.descr;
    Failure::unreadable(format!(
        "the key was used for order {id} ({side} {} {pair} {ordertype}), another one than this",
        wire.vol
    ))
}

pub(super) fn side(wire: &str, known: Option<&KnownOrder>) -> Result<Side, Failure> {
    let side = match wire {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        other => return Err(strange("type", other)),
    };
    Ok(kit::side(side, known))
}

pub(super) fn order_type(wire: &str, known: Option<&KnownOrder>) -> Result<OrderType, Failure> {
    if let Some(known) = known {
        return Ok(known.order_type);
    }
    Ok(match wire {
        "market" | "settle-position" => OrderType::Market,
        "limit" | "iceberg" => OrderType::Limit,
        "stop-loss" | "take-profit" | "trailing-stop" => OrderType::Stop,
        "stop-loss-limit" | "take-profit-limit" | "trailing-stop-limit" => OrderType::StopLimit,
        other => return Err(strange("ordertype", other)),
    })
}

/// Where an order is in its life. A status that nobody has seen before is no end: the order may still fill.
fn state(wire: &WireOrder) -> OrderState {
    let working =
        if wire.vol_exec > Decimal::ZERO { OrderState::PartiallyFilled } else { OrderState::Accepted };
    match wire.status.as_str() {
        "closed" if wire.vol_exec >= wire.vol => OrderState::Filled,
        // Over without being full, such as a purchase that ran out of money.
        "closed" | "canceled" => OrderState::Canceled,
        "expired" => OrderState::Expired,
        _ => working,
    }
}

/// What Kraken says of an order.
pub(super) fn report(
    id: &str,
    wire: &WireOrder,
    orders: &KnownOrders,
    pairs: &Pairs,
) -> Result<OrderReport, Failure> {
    let broker_order_id = venue_id(id)?;
    let known = match &wire.cl_ord_id {
        Some(client_id) => orders.meet(client_id, &broker_order_id),
        None => orders.of_venue(&broker_order_id),
    };
    let symbol = map::traded(&wire.descr.pair, pairs, known.as_ref())?.clone();
    let is_known = matches!(wire.status.as_str(), "pending" | "open" | "closed" | "canceled" | "expired");
    let reason: Option<SmolStr> =
        if is_known { wire.reason.clone() } else { Some(format_smolstr!("status {}", wire.status)) };
    Ok(OrderReport {
        broker_order_id,
        side: side(&wire.descr.side, known.as_ref())?,
        symbol,
        order_type: order_type(&wire.descr.ordertype, known.as_ref())?,
        order_id: known.as_ref().map(|known| known.order_id.clone()),
        idempotency_key: known.map(|known| known.key),
        quantity: wire.vol,
        filled: wire.vol_exec,
        average_price: wire.price.filter(|_| wire.vol_exec > Decimal::ZERO),
        state: state(wire),
        reason: reason.filter(|text| !text.is_empty()).map(|text| text.to_smolstr()),
        timestamp: instant(wire.closetm.unwrap_or(wire.opentm))?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::pairs;
    use super::*;
    use crate::kit::client_id;
    use mts_foundation::Symbol;

    fn order(order_type: OrderType, tif: TimeInForce) -> Order {
        order_to(Side::Buy, order_type, tif)
    }

    fn order_to(side: Side, order_type: OrderType, tif: TimeInForce) -> Order {
        let builder = Order::builder().order_id("o1").idempotency_key("k1").symbol("BTC-USD").side(side);
        let mut builder = builder.quantity(Decimal::new(125, 2)).order_type(order_type).tif(tif);
        if order_type.takes_limit_price() {
            builder = builder.limit_price(Decimal::from(37_500));
        }
        if order_type.takes_stop_price() {
            builder = builder.stop_price(Decimal::from(37_400));
        }
        let time = Timestamp::from_millis(1_700_000_000_000);
        builder.fund_id("f").strategy_id("s").broker("kraken").actor("s").created_at(time).build().unwrap()
    }

    fn pair() -> Pair {
        pairs().of_symbol(&Symbol::new("BTC-USD").unwrap()).unwrap().clone()
    }

    #[test]
    fn an_order_has_the_fields_that_its_type_and_life_need() {
        let now = Timestamp::from_nanos(1_700_000_000_123_456_789);
        let fields = |order_type, tif| {
            let fields = new_order(&order(order_type, tif), &pair(), "id", now, Duration::from_secs(5));
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        let start = |kind: &str| {
            format!(
                "ordertype={kind}&type=buy&volume=1.25&pair=XBTUSD&cl_ord_id=id&oflags=fciq&deadline=2023-11-14T22:13:25.123Z"
            )
        };
        assert_eq!(fields(OrderType::Market, TimeInForce::Gtc), start("market"));
        assert_eq!(
            fields(OrderType::Limit, TimeInForce::Fok),
            start("limit") + "&price=37500&timeinforce=FOK"
        );
        assert_eq!(
            fields(OrderType::StopLimit, TimeInForce::Day),
            start("stop-loss-limit") + "&price=37400&price2=37500&timeinforce=GTD&expiretm=1700006400"
        );
        let change = OrderChange { quantity: Some(Decimal::TEN), ..OrderChange::default() };
        let fields = amendment(&BrokerOrderId::new("O1").unwrap(), &change, now, Duration::from_secs(2));
        assert_eq!((fields[0].1.as_str(), fields[2].clone()), ("O1", ("order_qty", "10".to_owned())));
    }

    #[test]
    fn an_acceptance_is_believed_of_the_order_that_was_sent_alone() {
        let of = |order_type, id: &str, words: &str| {
            let text = serde_json::json!({ "txid": [id], "descr": { "order": words } }).to_string();
            added(&order(order_type, TimeInForce::Gtc), &pair(), &serde_json::from_str(&text).unwrap())
        };
        let answer = |id: &str, words: &str| of(OrderType::Limit, id, words);
        let (id, words) = ("OUF4EM-FRGI2-MQMWZD", "buy 1.25000000 XBTUSD @ limit 37500.0");
        assert_eq!(answer(id, words).unwrap().as_str(), id);
        for (id, words) in [
            ("00000000-0000-4000-a000-000000000000", words),
            (id, "sell 1.25000000 XBTUSD @ limit 37500.0"),
            (id, "buy 1.24000000 XBTUSD @ limit 37500.0"),
            (id, "buy 1.25000000 ETHUSD @ limit 37500.0"),
            (id, "buy 1.25000000 XBTUSD @ limit 37500.1"),
            (id, "buy 1.25000000 XBTUSD @ market"),
            (id, "buy 1.25000000 XBTUSD @ stop loss 37500.0"),
            (id, "buy 1.25000000 XBTUSD"),
            (id, ""),
        ] {
            assert!(answer(id, words).is_err(), "{id} {words}");
        }
        for (order_type, words, right) in [
            (OrderType::Market, "@ market", true),
            (OrderType::Market, "@ limit 37500.0", false),
            (OrderType::MarketableLimit, "@ limit 37500.0", true),
            (OrderType::Stop, "@ stop loss 37400.0", true),
            (OrderType::Stop, "@ stop-loss 37400.0", true),
            (OrderType::Stop, "@ stop loss 37400.0 -> limit 37500.0", false),
            (OrderType::Stop, "@ take profit 37400.0", false),
            (OrderType::StopLimit, "@ stop loss 37400.0 -> limit 37500.0", true),
            (OrderType::StopLimit, "@ stop loss 37400.0 -> limit 37500.1", false),
            (OrderType::StopLimit, "@ stop loss 37500.0 -> limit 37400.0", false),
        ] {
            let words = format!("buy 1.25000000 XBTUSD {words}");
            assert_eq!(of(order_type, id, &words).is_ok(), right, "{order_type} {words}");
        }
    }

    #[test]
    fn an_order_that_is_found_is_ours_only_where_it_is_as_ordered() {
        let wire = |pair: &str, side: &str, kind: &str, volume: &str, prices: serde_json::Value| {
            let mut descr = serde_json::json!({"pair": pair, "type": side, "ordertype": kind});
            descr.as_object_mut().unwrap().extend(prices.as_object().unwrap().clone());
            let text = serde_json::json!({
                "status": "open", "opentm": 1, "descr": descr, "vol": volume, "vol_exec": "0",
            });
            serde_json::from_str::<WireOrder>(&text.to_string()).unwrap()
        };
        let one = |price: &str| serde_json::json!({"price": price, "price2": "0"});
        let two = |price: &str, price2: &str| serde_json::json!({"price": price, "price2": price2});
        let limit = |price: &str| wire("XBTUSD", "buy", "limit", "1.25000000", one(price));
        let cases = [
            (OrderType::Limit, limit("37500.0"), true),
            (OrderType::MarketableLimit, limit("37500"), true),
            (
                OrderType::Limit,
                wire("XBTUSD", "buy", "limit", "1.25", serde_json::json!({"price": 37500})),
                true,
            ),
            (OrderType::Limit, limit("37500.1"), false),
            (OrderType::Limit, limit("+1.5%"), false),
            (OrderType::Limit, wire("XBTUSD", "buy", "limit", "1.25", serde_json::json!({})), false),
            (OrderType::Limit, wire("ETHUSD", "buy", "limit", "1.25", one("37500")), false),
            (OrderType::Limit, wire("XBTUSD", "sell", "limit", "1.25", one("37500")), false),
            (OrderType::Limit, wire("XBTUSD", "buy", "limit", "1.24", one("37500")), false),
            (OrderType::Limit, wire("XBTUSD", "buy", "take-profit", "1.25", one("37500")), false),
            (OrderType::Market, wire("XBTUSD", "buy", "market", "1.25", one("0")), true),
            (OrderType::Market, limit("37500"), false),
            (OrderType::Stop, wire("XBTUSD", "buy", "stop-loss", "1.25", one("37400")), true),
            (OrderType::Stop, wire("XBTUSD", "buy", "stop-loss", "1.25", one("37500")), false),
            (
                OrderType::StopLimit,
                wire("XBTUSD", "buy", "stop-loss-limit", "1.25", two("37400", "37500")),
                true,
            ),
            (
                OrderType::StopLimit,
                wire("XBTUSD", "buy", "stop-loss-limit", "1.25", two("37400", "37501")),
                false,
            ),
            (OrderType::StopLimit, wire("XBTUSD", "buy", "stop-loss", "1.25", two("37400", "37500")), false),
        ];
        for (order_type, wire, right) in cases {
            let found = is_of(&order(order_type, TimeInForce::Gtc), &wire, "O1", &pair());
            assert_eq!(found.is_ok(), right, "{order_type} {wire:?}");
        }
        let sell = order_to(Side::Sell, OrderType::Limit, TimeInForce::Gtc);
        let strange = wire("XBTUSD", "strange", "limit", "1.25", one("37500"));
        assert!(is_of(&sell, &strange, "O1", &pair()).is_err(), "what is no purchase is not yet a sale");
    }

    /// Ours stay ours when their pair is listed no more; an order in another pair is another one.
    #[test]
    fn an_order_of_ours_is_known_by_what_was_ordered() {
        let known = |symbol: &str| {
            let orders = KnownOrders::default();
            let builder =
                Order::builder().order_id("o1").idempotency_key("k1").symbol(symbol).side(Side::Buy);
            let builder = builder.quantity(Decimal::ONE).order_type(OrderType::Market).tif(TimeInForce::Gtc);
            let builder = builder.fund_id("f").strategy_id("s").broker("kraken").actor("s");
            let order = builder.created_at(Timestamp::EPOCH).build().unwrap();
            let client = orders.insert(&order);
            orders.meet(&client, &venue_id("OUF4EM-FRGI2-MQMWZD").unwrap()).unwrap()
        };
        let wire = |pair: &str| {
            let descr = serde_json::json!({"pair": pair, "type": "buy", "ordertype": "market"});
            let order = serde_json::json!({"status": "open", "opentm": 1, "descr": descr, "vol": "1", "vol_exec": "0"});
            serde_json::from_str::<WireOrder>(&order.to_string()).unwrap()
        };
        for (symbol, pair, right) in [
            ("BTC-USD", "XBTUSD", true),
            ("BTC-USD", "USDTUSD", false),
            ("BTC-USD", "LUNAUSD", false),
            ("LUNA-USD", "LUNAUSD", true),
            ("LUNA-USD", "XBTUSD", false),
        ] {
            let found = is_known(&known(symbol), &wire(pair), "O1", &pairs());
            assert_eq!(found.is_ok(), right, "{symbol} {pair}");
        }
    }

    #[test]
    fn a_status_is_an_end_only_where_it_is_known_as_one() {
        let known = KnownOrders::default();
        let sent = order(OrderType::MarketableLimit, TimeInForce::Ioc);
        let client = known.insert(&sent);
        assert_eq!(client, client_id(&sent.idempotency_key));
        let wire = |status: &str, filled: &str| {
            let text = serde_json::json!({
                "cl_ord_id": client, "status": status, "opentm": 1_586_822_919.334_2, "closetm": "1705260547.4728658",
                "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit"}, "vol": "1.25", "vol_exec": filled,
                "price": "6851.5", "userref": "0", "reason": null
            });
            serde_json::from_str::<WireOrder>(&text.to_string()).unwrap()
        };
        let cases = [
            ("pending", "0", OrderState::Accepted),
            ("open", "0", OrderState::Accepted),
            ("open", "1", OrderState::PartiallyFilled),
            ("closed", "1.25", OrderState::Filled),
            ("closed", "1.2", OrderState::Canceled),
            ("canceled", "1", OrderState::Canceled),
            ("expired", "0", OrderState::Expired),
            ("new_and_strange", "1", OrderState::PartiallyFilled),
        ];
        for (status, filled, state) in cases {
            let report = report("OUF4EM-FRGI2-MQMWZD", &wire(status, filled), &known, &pairs()).unwrap();
            assert_eq!(report.state, state, "{status} {filled}");
            assert_eq!(
                (report.order_type, report.order_id.as_ref()),
                (OrderType::MarketableLimit, Some(&sent.order_id))
            );
            assert_eq!(report.timestamp, Timestamp::from_nanos(1_705_260_547_472_865_800));
            assert_eq!(report.average_price.is_some(), filled != "0");
        }
    }
}
