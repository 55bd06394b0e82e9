//! Comparing an engine's books with the log of the rehearsal venue, which is the truth: the venue lived while the engine was
//! killed.

use mts_foundation::Decimal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the engine believes, as `mts orders`, `fills`, `positions` and `status` print it.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Rows of `mts orders --json`.
    pub orders: Vec<Value>,
    /// Rows of `mts fills --json`.
    pub fills: Vec<Value>,
    /// Rows of `mts positions --json`.
    pub positions: Vec<Value>,
    /// What `mts status --json` prints.
    pub status: Value,
}

/// What the log says of one order.
#[derive(Debug, Clone)]
struct Order {
    key: String,
    symbol: String,
    buys: bool,
    quantity: Decimal,
    /// Limit price, where it has one.
    limit: Option<Decimal>,
    /// Ids that the venue gave for it.
    venue_ids: BTreeSet<String>,
    filled: Decimal,
    state: String,
}

/// What a log adds up to.
#[derive(Debug, Default)]
struct Truth {
    /// By the client's order id.
    orders: BTreeMap<String, Order>,
    fills: BTreeMap<String, Value>,
    held: BTreeMap<String, Decimal>,
    prices: BTreeMap<String, Decimal>,
    cash: Decimal,
    findings: Vec<String>,
}

/// Everything that is not as it must be; nothing where books and log agree. `largest` is the configured limit of a position in
/// money, working orders at their worst case; prices may have moved by a hundredth since an order was let through.
#[must_use]
pub fn compare(log: &[Value], books: &Books, largest: Decimal) -> Vec<String> {
    let mut truth = Truth::default();
    for line in log {
        truth.take(line, largest);
    }
    truth.compare_fills(books);
    truth.compare_orders(books);
    truth.compare_account(books);
    truth.findings
}

/// An exact number that is written as text.
fn number(value: &Value) -> Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn buys(side: &Value) -> bool {
    matches!(side.as_str(), Some("buy" | "cover"))
}

impl Truth {
    fn take(&mut self, line: &Value, largest: Decimal) {
        if let Some(opened) = line.get("opened") {
            self.cash = number(&opened["cash"]);
        } else if let Some(sent) = line.get("order") {
            self.order(sent, largest);
        } else if let Some(fill) = line.pointer("/event/Fill/fill") {
            self.fill(fill);
        } else if let Some(report) = line.pointer("/event/Order")
            && let Some(order) = self.orders.get_mut(&text(&report["order_id"]))
        {
            order.state = text(&report["state"]);
        }
    }

    fn order(&mut self, sent: &Value, largest: Decimal) {
        let Some(accepted) = sent.pointer("/outcome/Accepted") else { return };
        let asked = &sent["order"];
        let id = text(&asked["order_id"]);
        let (key, symbol) = (text(&asked["idempotency_key"]), text(&asked["symbol"]));
        let order = self.orders.entry(id.clone()).or_insert_with(|| Order {
            key: key.clone(),
            symbol: symbol.clone(),
            buys: buys(&asked["side"]),
            quantity: number(&asked["quantity"]),
            limit: asked["limit_price"].as_str().and_then(|price| price.parse().ok()),
            venue_ids: BTreeSet::new(),
            filled: Decimal::ZERO,
            state: "accepted".to_owned(),
        });
        order.venue_ids.insert(text(&accepted["broker_order_id"]));
        if order.venue_ids.len() > 1 {
            let ids = &order.venue_ids;
            self.findings.push(format!("order {id} was taken more than once, as {ids:?}"));
        }
        let others = self.orders.iter().filter(|(other, order)| **other != id && order.key == key);
        self.findings.extend(others.map(|(other, _)| format!("key {key} is of {id} and of {other}")));
        self.limit(&symbol, largest);
    }

    /// Whether the position could become larger than the limit if everything that works filled.
    fn limit(&mut self, symbol: &str, largest: Decimal) {
        let Some(price) = self.prices.get(symbol) else { return };
        let held = self.held.get(symbol).copied().unwrap_or_default();
        let (mut bought, mut sold) = (Decimal::ZERO, Decimal::ZERO);
        for order in self.orders.values().filter(|order| order.symbol == symbol && order.works()) {
            let value = (order.quantity - order.filled) * order.limit.unwrap_or(*price);
            *(if order.buys { &mut bought } else { &mut sold }) += value;
        }
        let worst = (held * price + bought).abs().max((held * price - sold).abs());
        if worst > largest * Decimal::new(101, 2) {
            self.findings.push(format!("{symbol} could become {worst}; its limit is {largest}"));
        }
    }

    fn fill(&mut self, fill: &Value) {
        let id = text(&fill["fill_id"]);
        if self.fills.insert(id.clone(), fill.clone()).is_some() {
            self.findings.push(format!("the venue tells fill {id} twice"));
            return;
        }
        let (quantity, price) = (number(&fill["quantity"]), number(&fill["price"]));
        let signed = if buys(&fill["side"]) { quantity } else { -quantity };
        *self.held.entry(text(&fill["symbol"])).or_default() += signed;
        self.prices.insert(text(&fill["symbol"]), price);
        self.cash -= signed * price + number(&fill["fees"]);
        let order_id = text(&fill["order_id"]);
        let Some(order) = self.orders.get_mut(&order_id) else {
            self.findings.push(format!("fill {id} is of order {order_id}, which never came"));
            return;
        };
        order.filled += quantity;
        order.state = if order.filled == order.quantity { "filled" } else { "partially_filled" }.to_owned();
        if order.filled > order.quantity {
            self.findings
                .push(format!("order {order_id} of {} was executed for {}", order.quantity, order.filled));
        }
    }

    /// Every fill is booked, and once.
    fn compare_fills(&mut self, books: &Books) {
        let mut booked: BTreeMap<String, usize> = BTreeMap::new();
        for row in &books.fills {
            let (fill, id) = (&row["fill"], text(&row["fill"]["fill_id"]));
            match self.fills.get(&id) {
                None => self.findings.push(format!("fill {id} is booked and never happened")),
                Some(truth) => {
                    for field in ["order_id", "symbol", "side", "quantity", "price", "fees"] {
                        if truth[field] != fill[field] {
                            self.findings.push(format!(
                                "fill {id} has {field} {} and is booked with {}",
                                truth[field], fill[field]
                            ));
                        }
                    }
                }
            }
            *booked.entry(id).or_default() += 1;
        }
        for id in self.fills.keys() {
            match booked.get(id).copied().unwrap_or_default() {
                1 => {}
                times => self.findings.push(format!("fill {id} is booked {times} times")),
            }
        }
    }

    /// Every order that the venue has is known, in the same state, and nothing else is believed to be there.
    fn compare_orders(&mut self, books: &Books) {
        let never_left = ["rejected", "not_sent"];
        let believed: BTreeMap<String, String> =
            books.orders.iter().map(|row| (text(&row["order"]["order_id"]), text(&row["state"]))).collect();
        for (id, order) in &self.orders {
            match believed.get(id) {
                None => self.findings.push(format!("order {id} is at the venue and not in the books")),
                Some(state) if *state != order.state => {
                    self.findings.push(format!("order {id} is {} and {state} in the books", order.state));
                }
                Some(_) => {}
            }
        }
        let missing = |(id, state): &(&String, &String)| {
            !self.orders.contains_key(*id) && !never_left.contains(&state.as_str())
        };
        let missing = believed.iter().filter(missing);
        self.findings.extend(missing.map(|(id, state)| format!("order {id} is {state} and never came")));
        if books.status["unknown_orders"] != 0 {
            self.findings.push(format!("orders are unknown: {}", books.status["unknown"]));
        }
    }

    /// Positions and cash are those of the executions.
    fn compare_account(&mut self, books: &Books) {
        let mut held = std::mem::take(&mut self.held);
        held.retain(|_, units| !units.is_zero());
        let believed: BTreeMap<String, Decimal> =
            books.positions.iter().map(|row| (text(&row["symbol"]), number(&row["quantity"]))).collect();
        if held != believed {
            self.findings.push(format!("positions are {held:?} and {believed:?} in the books"));
        }
        let funds = books.status["funds"].as_array().map(Vec::as_slice).unwrap_or_default();
        let cash: Decimal = funds.iter().map(|fund| number(&fund["cash"])).sum();
        if cash != self.cash {
            self.findings.push(format!("cash is {} and {cash} in the books", self.cash));
        }
    }
}

impl Order {
    fn works(&self) -> bool {
        !["filled", "canceled", "expired", "rejected"].contains(&self.state.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIMIT: Decimal = Decimal::ONE_THOUSAND;

    fn order(id: &str, side: &str, venue_id: &str) -> Value {
        let order = json!({
            "order_id": id, "idempotency_key": format!("key-{id}"), "symbol": "AAPL", "side": side,
            "quantity": "5", "limit_price": null,
        });
        let outcome = json!({ "Accepted": { "broker_order_id": venue_id } });
        json!({ "time": "t", "order": { "client": "mts 1", "order": order, "outcome": outcome } })
    }

    fn fill(id: &str, order: &str, side: &str) -> Value {
        json!({
            "fill_id": id, "order_id": order, "symbol": "AAPL", "side": side, "quantity": "5", "price": "100",
            "fees": "1",
        })
    }

    fn filled(fill: &Value) -> Value {
        json!({ "time": "t", "event": { "Fill": { "fill": fill } } })
    }

    /// Two purchases, one sold again and one cancelled, and books that agree.
    fn day() -> (Vec<Value>, Books) {
        let (bought, sold) = (fill("f-1", "o-1", "buy"), fill("f-2", "o-2", "sell"));
        let ended = json!({ "order_id": "o-3", "state": "canceled" });
        let log = vec![
            json!({ "time": "t", "opened": { "cash": "10000" } }),
            order("o-1", "buy", "v-1"),
            filled(&bought),
            order("o-3", "buy", "v-3"),
            json!({ "time": "t", "event": { "Order": ended } }),
            order("o-2", "sell", "v-2"),
            filled(&sold),
            order("o-4", "buy", "v-4"),
        ];
        let row = |id: &str, state: &str| json!({ "order": { "order_id": id }, "state": state });
        let books = Books {
            orders: vec![
                row("o-1", "filled"),
                row("o-2", "filled"),
                row("o-3", "canceled"),
                row("o-4", "accepted"),
                row("o-5", "rejected"),
            ],
            fills: vec![json!({ "fill": bought }), json!({ "fill": sold })],
            positions: Vec::new(),
            status: json!({ "unknown_orders": 0, "unknown": [], "funds": [{ "cash": "9998" }] }),
        };
        (log, books)
    }

    #[test]
    fn a_day_as_it_should_be_has_no_findings() {
        let (log, books) = day();
        assert_eq!(compare(&log, &books, LIMIT), Vec::<String>::new());
    }

    /// Whether one of the findings says so.
    fn finds(log: &[Value], books: &Books, what: &str) {
        let findings = compare(log, books, LIMIT);
        assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    }

    #[test]
    fn a_doctored_log_is_found_out() {
        let (log, books) = day();
        let with = |line: Value| [log.clone(), vec![line]].concat();
        finds(&with(order("o-4", "buy", "v-9")), &books, "order o-4 was taken more than once");
        finds(&with(filled(&fill("f-9", "o-1", "buy"))), &books, "order o-1 of 5 was executed for 10");
        finds(&with(filled(&fill("f-9", "o-4", "buy"))), &books, "fill f-9 is booked 0 times");
        finds(&with(filled(&fill("f-1", "o-1", "buy"))), &books, "fill f-1 twice");
        finds(&with(order("o-8", "buy", "v-8")), &books, "order o-8 is at the venue and not in the books");
        let mut reused = order("o-8", "buy", "v-8");
        reused["order"]["order"]["idempotency_key"] = json!("key-o-4");
        finds(&with(reused), &books, "key key-o-4 is of o-8 and of o-4");
        let mut large = order("o-8", "buy", "v-8");
        large["order"]["order"]["quantity"] = json!("6");
        finds(&with(large), &books, "AAPL could become 1100; its limit is 1000");
        let end = json!({ "event": { "Order": { "order_id": "o-4", "state": "expired" } } });
        finds(&with(end), &books, "order o-4 is expired and accepted in the books");
    }

    #[test]
    fn doctored_books_are_found_out() {
        let (log, books) = day();
        let changed = |change: &dyn Fn(&mut Books)| {
            let mut books = books.clone();
            change(&mut books);
            books
        };
        finds(&log, &changed(&|books| books.fills.truncate(1)), "fill f-2 is booked 0 times");
        let twice = changed(&|books| books.fills.extend(books.fills.clone()));
        finds(&log, &twice, "fill f-1 is booked 2 times");
        let dear = changed(&|books| books.fills[0]["fill"]["price"] = json!("101"));
        finds(&log, &dear, "fill f-1 has price");
        let made_up = changed(&|books| books.fills[0]["fill"]["fill_id"] = json!("synthetic-1"));
        finds(&log, &made_up, "synthetic-1 is booked and never happened");
        let held = json!({ "symbol": "AAPL", "quantity": "5" });
        finds(&log, &changed(&|books| books.positions.push(held.clone())), "positions are");
        finds(&log, &changed(&|books| books.status["funds"][0]["cash"] = json!("9999")), "cash is 9998");
        finds(&log, &changed(&|books| books.status["unknown_orders"] = json!(1)), "orders are unknown");
        finds(
            &log,
            &changed(&|books| books.orders[4]["state"] = json!("accepted")),
            "o-5 is accepted and never",
        );
    }
}
