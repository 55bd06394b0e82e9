//! Orders at the desk.

use super::*;
use mts_foundation::double::Happening;
use mts_foundation::{FillId, OrderState, OrderType, VenueName};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn aapl() -> Symbol {
    Symbol::new("AAPL").unwrap()
}

fn desk() -> Desk {
    let habits = Habits {
        immediate_ends: State::Canceled,
        cancels_later: false,
        fees: |_| FeeModel::basis_points(Decimal::TEN),
        order_id: |seed, number| ids::uuid(seed, "order", number),
    };
    let mut desk = Desk::new(7, d("100000"), habits).unwrap();
    desk.set_time("2026-03-02T15:00:00Z".parse().unwrap());
    desk
}

fn quote(desk: &mut Desk, bid: &str, ask: &str) {
    let venue = VenueName::new("test").unwrap();
    let (bid, ask, size) = (d(bid), d(ask), Decimal::ZERO);
    let timestamp = Timestamp::EPOCH;
    desk.quote(&Quote { symbol: aapl(), bid, ask, bid_size: size, ask_size: size, venue, timestamp });
}

fn wanted(quantity: &str, limit: Option<&str>) -> Wanted {
    Wanted {
        client_id: None,
        symbol: aapl(),
        buys: true,
        order_type: if limit.is_some() { OrderType::Limit } else { OrderType::Market },
        tif: TimeInForce::Day,
        quantity: d(quantity),
        limit_price: limit.map(d),
        stop_price: None,
        extended_hours: false,
        expires: None,
        words: BTreeMap::new(),
    }
}

fn place(desk: &mut Desk, quantity: &str, limit: Option<&str>) -> BrokerOrderId {
    desk.place(wanted(quantity, limit)).unwrap().row.id
}

fn state(desk: &Desk, id: &BrokerOrderId) -> OrderState {
    desk.order(id.as_str()).unwrap().as_double().state
}

/// Parts are quantities and prices of the fills.
fn fills(desk: &Desk) -> Vec<(String, String)> {
    desk.fills().iter().map(|fill| (fill.quantity.to_string(), fill.price.to_string())).collect()
}

#[test]
fn a_purchase_pays_its_price_and_its_fee() {
    let mut desk = desk();
    quote(&mut desk, "99", "100");
    let id = place(&mut desk, "10", None);
    assert_eq!(state(&desk, &id), OrderState::Filled);
    // A thousand, and a tenth of a percent of it.
    assert_eq!((desk.cash(), desk.position(&aapl())), (d("98999"), d("10")));
    assert_eq!(desk.order(id.as_str()).unwrap().fees, d("1"));
}

#[test]
fn what_happens_fills_an_order_in_part_and_the_rest_meets_the_market() {
    let mut desk = desk();
    quote(&mut desk, "99", "100");
    let id = place(&mut desk, "10", Some("95"));
    let fill = Happening::Fill { order: id.clone(), quantity: d("4"), price: None };
    desk.happen(&fill, |_| false).unwrap();
    assert_eq!(
        (state(&desk, &id), fills(&desk)),
        (OrderState::PartiallyFilled, vec![("4".into(), "95".into())])
    );
    quote(&mut desk, "93", "94");
    assert_eq!(state(&desk, &id), OrderState::Filled);
    assert_eq!(fills(&desk)[1], ("6".into(), "95".into()));
    assert!(desk.happen(&fill, |_| false).is_err());
}

#[test]
fn without_matching_only_what_happens_fills() {
    let mut desk = desk();
    quote(&mut desk, "99", "100");
    desk.set_matching(false);
    let id = place(&mut desk, "10", None);
    let ioc = desk.place(Wanted { tif: TimeInForce::Ioc, ..wanted("10", Some("100")) }).unwrap().row.id;
    quote(&mut desk, "98", "99");
    assert_eq!((state(&desk, &id), state(&desk, &ioc)), (OrderState::Accepted, OrderState::Accepted));
    let too_much = Happening::Fill { order: id.clone(), quantity: d("11"), price: Some(d("1")) };
    assert!(desk.happen(&too_much, |_| false).unwrap_err().reason.contains("10 are open"));
    desk.set_matching(true);
    assert_eq!((state(&desk, &id), state(&desk, &ioc)), (OrderState::Filled, OrderState::Filled));
}

#[test]
fn fills_come_in_parts_with_events_each() {
    let mut desk = desk();
    quote(&mut desk, "99", "100");
    desk.fill_in_parts(3);
    place(&mut desk, "10", None);
    place(&mut desk, "10", None);
    let quantities: Vec<String> = fills(&desk).into_iter().map(|(quantity, _)| quantity).collect();
    assert_eq!(quantities, ["3", "3", "4", "10"]);
    let cumulative: Vec<Decimal> = (0..)
        .map_while(|number| desk.event(number))
        .filter_map(|event| match &event.what {
            What::Fill(fill) => Some(fill.cumulative),
            _ => None,
        })
        .collect();
    assert_eq!(cumulative, [d("3"), d("6"), d("10"), d("10")]);
}

#[test]
fn a_cancellation_ends_an_order_or_loses_its_race() {
    let mut desk = desk();
    let first = place(&mut desk, "10", Some("95"));
    assert!(desk.cancel(&first) && !desk.cancel(&first));
    assert_eq!(state(&desk, &first), OrderState::Canceled);
    let second = place(&mut desk, "10", Some("95"));
    desk.lose_next_cancel();
    assert!(desk.cancel(&second));
    assert_eq!(state(&desk, &second), OrderState::Filled);
}

#[test]
fn the_venue_ends_orders_by_itself() {
    let mut desk = desk();
    let ids: Vec<_> = (0..3).map(|_| place(&mut desk, "1", Some("95"))).collect();
    let [a, b, c] = [0, 1, 2].map(|n: usize| ids[n].clone());
    for happening in [
        Happening::Cancel { order: a.clone() },
        Happening::Expire { order: b.clone() },
        Happening::Reject { order: c.clone() },
    ] {
        desk.happen(&happening, |_| false).unwrap();
        assert!(desk.happen(&happening, |_| false).is_err());
    }
    let ended = [a, b, c].map(|id| state(&desk, &id));
    assert_eq!(ended, [OrderState::Canceled, OrderState::Expired, OrderState::Rejected]);
    // Off the exchange too: the market fills none of them.
    quote(&mut desk, "93", "94");
    assert!(desk.fills().is_empty());
}

#[test]
fn corrections_and_busts_set_the_books_right() {
    let mut desk = desk();
    quote(&mut desk, "99", "100");
    place(&mut desk, "10", None);
    let fill = FillId::new("any").unwrap();
    let correct = Happening::Correct { fill: fill.clone(), quantity: d("8"), price: d("101") };
    desk.happen(&correct, |fill| fill.number == 0).unwrap();
    assert_eq!((desk.position(&aapl()), desk.cash()), (d("8"), d("100000") - d("808") - d("1")));
    desk.happen(&Happening::Bust { fill: fill.clone() }, |fill| fill.number == 0).unwrap();
    assert_eq!((desk.position(&aapl()), desk.cash()), (d("0"), d("99999")));
    assert!(desk.happen(&Happening::Bust { fill: fill.clone() }, |fill| fill.number == 0).is_err());
    assert!(desk.happen(&Happening::Bust { fill }, |_| false).is_err());
}

#[test]
fn two_desks_of_one_seed_tell_the_same() {
    let run = || {
        let mut desk = desk();
        quote(&mut desk, "99", "100");
        desk.fill_in_parts(2);
        let id = place(&mut desk, "10", None);
        place(&mut desk, "10", Some("95"));
        desk.happen(&Happening::Cash { amount: d("-5") }, |_| false).unwrap();
        (id, format!("{desk:?}"))
    };
    assert_eq!(run(), run());
}

#[test]
fn the_clock_can_be_wrong() {
    let mut desk = desk();
    desk.set_offset(-90_000);
    assert_eq!(desk.clock().to_string(), "2026-03-02T14:58:30Z");
    let id = place(&mut desk, "1", Some("95"));
    assert_eq!(desk.order(id.as_str()).unwrap().created, desk.clock());
}

#[test]
fn a_replacement_takes_the_place_or_leaves_all_as_it_was() {
    let mut desk = desk();
    let old = place(&mut desk, "10", Some("95"));
    let change = |quantity: &str| OrderChange { quantity: Some(d(quantity)), ..OrderChange::default() };
    let fill = Happening::Fill { order: old.clone(), quantity: d("4"), price: None };
    desk.happen(&fill, |_| false).unwrap();
    assert!(desk.replace(&old, &change("4"), |wanted| wanted).is_err());
    assert_eq!(state(&desk, &old), OrderState::PartiallyFilled);
    let new = desk.replace(&old, &change("12"), |wanted| wanted).unwrap().row;
    assert_eq!((new.wanted.quantity, new.replaces), (d("8"), Some(old.clone())));
    let row = desk.order(old.as_str()).unwrap();
    assert_eq!((row.state, row.replaced_by.clone()), (State::Replaced, Some(new.id)));
}
