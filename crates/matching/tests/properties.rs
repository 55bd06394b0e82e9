//! What holds for any orders on any market data, and that a restart changes nothing.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{World, at, d};
use mts_foundation::broker::OrderChange;
use mts_foundation::{Decimal, OrderId, OrderType, Side, TimeInForce};
use mts_matching::{BookOrder, BookSide, ExchangeConfig, MatchEvent, Participant, Restored, Standing};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which market data drive the exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Bars,
    Quotes,
    Trades,
    Book,
}

#[derive(Debug, Clone)]
enum Step {
    Submit {
        side: Side,
        quantity: i64,
        kind: OrderType,
        tif: TimeInForce,
        limit: i64,
        stop: i64,
    },
    Cancel(usize),
    Replace(usize, i64, i64),
    /// Open, high above it, low below it, close between, size.
    Data(i64, i64, i64, i64, i64),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell), Just(Side::Short), Just(Side::Cover)];
    let submit = (
        side,
        1_i64..30,
        prop::sample::select(OrderType::ALL),
        prop::sample::select(TimeInForce::ALL),
        90_i64..111,
        90_i64..111,
    );
    prop_oneof![
        5 => submit.prop_map(|(side, quantity, kind, tif, limit, stop)| {
            Step::Submit { side, quantity, kind, tif, limit, stop }
        }),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => (any::<usize>(), 1_i64..30, 90_i64..111).prop_map(|(which, quantity, limit)| {
            Step::Replace(which, quantity, limit)
        }),
        6 => (92_i64..109, 0_i64..4, 0_i64..4, 0_i64..4, 0_i64..60)
            .prop_map(|(open, up, down, close, size)| Step::Data(open, up, down, close, size)),
        1 => Just(Step::Close),
    ]
}

const MINUTE: i64 = 60_000;

struct Run {
    world: World,
    source: Source,
    time: i64,
    placed: Vec<String>,
    log: Vec<MatchEvent>,
}

impl Run {
    fn new(source: Source, config: ExchangeConfig) -> Self {
        Self { world: World::new(config), source, time: 0, placed: Vec::new(), log: Vec::new() }
    }

    fn order_id(&self, which: usize) -> Option<OrderId> {
        let name = self.placed.get(which.checked_rem(self.placed.len())?)?;
        OrderId::new(name).ok()
    }

    fn step(&mut self, step: &Step) {
        self.time += MINUTE;
        let (world, time) = (&mut self.world, self.time);
        match step {
            Step::Submit { side, quantity, kind, tif, limit, stop } => {
                let name = format!("o{}", self.placed.len());
                let spec = common::Spec {
                    tif: *tif,
                    limit: Decimal::from(*limit),
                    stop: Decimal::from(*stop),
                    ..common::spec(&name, *side, &quantity.to_string(), *kind)
                };
                drop(world.submit(&spec, time));
                self.placed.push(name);
            }
            Step::Cancel(which) => {
                if let Some(order_id) = self.order_id(*which) {
                    let world = &mut self.world;
                    if let mts_matching::CancelAnswer::Cancelled(order) =
                        world.exchange.cancel(&order_id, at(time), &mut world.events)
                    {
                        world.events.push(MatchEvent::Cancelled { order, time: at(time) });
                    }
                }
            }
            Step::Replace(which, quantity, limit) => {
                if let Some(order_id) = self.order_id(*which) {
                    let (quantity, limit) = (Some(Decimal::from(*quantity)), Some(Decimal::from(*limit)));
                    let change = OrderChange { quantity, limit_price: limit, stop_price: None };
                    let world = &mut self.world;
                    world.exchange.replace(
                        &order_id,
                        &change,
                        &Standing::default(),
                        at(time),
                        &mut world.events,
                    );
                }
            }
            Step::Data(open, up, down, close, size) => self.data([*open, *up, *down, *close, *size]),
            Step::Close => world.exchange.on_session_close(at(time), &mut world.events),
        }
        self.log.append(&mut self.world.events);
    }

    fn data(&mut self, [open, up, down, close, size]: [i64; 5]) {
        let (low, high) = (open - down, open + up);
        let close = (low + close).min(high);
        let text = |number: i64| number.to_string();
        let (world, time) = (&mut self.world, self.time);
        match self.source {
            Source::Bars => {
                let prices = [text(open), text(high), text(low), text(close)];
                let [open, high, low, close] = [0, 1, 2, 3].map(|index| prices[index].as_str());
                let bar = common::bar([open, high, low, close], &text(size), time);
                world.exchange.on_bars(&[bar], &mut world.events);
            }
            Source::Quotes => {
                let quote = common::quote(&text(low), &text(size), &text(high + 1), &text(size), time);
                world.exchange.on_quote(&quote, &mut world.events);
            }
            Source::Book => {
                let tif = if up == 3 { TimeInForce::Ioc } else { TimeInForce::Gtc };
                for (participant, side, price) in [(1, BookSide::Bid, low), (2, BookSide::Ask, high)] {
                    let (quantity, limit) = (Decimal::from(size + 1), Some(Decimal::from(price)));
                    let participant = Participant(participant);
                    let order = BookOrder { tag: 0, participant, side, quantity, limit, tif };
                    let symbol = common::symbol();
                    let fed =
                        world.exchange.feed(&symbol, &order, at(time), &mut world.events, &mut Vec::new());
                    assert!(fed.is_ok());
                    let book = world.exchange.book(&symbol).unwrap();
                    let best = |side| book.best(side).map(|level| level.price);
                    if let (Some(bid), Some(ask)) = (best(BookSide::Bid), best(BookSide::Ask)) {
                        assert!(bid < ask, "crossed");
                    }
                }
            }
            Source::Trades => {
                world.exchange.on_trade(&common::trade(&text(open), &text(size), time), &mut world.events);
            }
        }
    }
}

fn config(delay: u64) -> ExchangeConfig {
    ExchangeConfig {
        submit_delay: Duration::from_millis(delay),
        cancel_delay: Duration::from_millis(delay),
        participation: Some(d("0.5")),
        ..ExchangeConfig::default()
    }
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![Just(Source::Bars), Just(Source::Quotes), Just(Source::Trades), Just(Source::Book)]
}

/// The delay of orders and cancellations: none, half a minute, or longer than the next data.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(30_000), Just(90_000)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every order's units are filled, open or ended; no fill lies beyond a limit or outside of the data; what a piece of
    /// data has is not exceeded; nothing happens to an order after its end.
    #[test]
    fn quantity_is_conserved_and_no_fill_lies_beyond_a_limit(
        source in source(),
        delay in delay(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let steps: Vec<Step> =
            steps.into_iter().filter(|step| !matches!(step, Step::Replace(..))).collect();
        let mut run = Run::new(source, config(delay));
        let mut taken: BTreeMap<(i64, bool), Decimal> = BTreeMap::new();
        for step in &steps {
            let before = run.log.len();
            run.step(step);
            let Step::Data(open, up, down, _, size) = step else { continue };
            let at_data = at(run.time);
            for event in &run.log[before..] {
                let MatchEvent::Filled { order, quantity, price, time, .. } = event else { continue };
                if *time != at_data || source == Source::Book {
                    continue;
                }
                if source == Source::Bars {
                    let (low, high) = (Decimal::from(open - down), Decimal::from(open + up));
                    prop_assert!(*price >= low && *price <= high, "{price} outside of {low} to {high}");
                }
                let side = source == Source::Quotes && order.side.sign() > 0;
                let sum = taken.entry((run.time, side)).or_default();
                *sum += quantity;
                let most = if source == Source::Bars { Decimal::from(*size) / Decimal::TWO } else { Decimal::from(*size) };
                // A size of zero in a quote or print is not stated.
                prop_assert!(*sum <= most || (*size == 0 && source != Source::Bars), "{sum} of {most}");
            }
        }
        let mut filled: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut ended: BTreeMap<String, bool> = BTreeMap::new();
        for event in &run.log {
            let order = match event {
                MatchEvent::Filled { order, .. } | MatchEvent::Triggered { order, .. }
                | MatchEvent::Expired { order, .. } | MatchEvent::Cancelled { order, .. }
                | MatchEvent::Rejected { order, .. } | MatchEvent::Replaced { order, .. } => order,
            };
            let name = order.order_id.to_string();
            prop_assert!(!ended.contains_key(&name), "{name} goes on after its end");
            match event {
                MatchEvent::Filled { quantity, price, .. } => {
                    let good = order.limit_price.is_none_or(|limit| {
                        if order.side.sign() > 0 { *price <= limit } else { *price >= limit }
                    });
                    prop_assert!(good, "{name} at {price} beyond {:?}", order.limit_price);
                    let sum = filled.entry(name.clone()).or_default();
                    *sum += quantity;
                    prop_assert!(*sum <= order.quantity);
                    if *sum == order.quantity {
                        ended.insert(name, true);
                    }
                }
                MatchEvent::Rejected { .. } => {
                    prop_assert_eq!(order.tif, TimeInForce::Fok);
                    prop_assert!(!filled.contains_key(&name), "refused after a fill");
                    ended.insert(name, true);
                }
                MatchEvent::Expired { .. } | MatchEvent::Cancelled { .. } => {
                    ended.insert(name, true);
                }
                MatchEvent::Triggered { .. } | MatchEvent::Replaced { .. } => {}
            }
        }
        for (order, open) in run.world.exchange.resting() {
            let name = order.order_id.to_string();
            prop_assert!(!ended.contains_key(&name));
            prop_assert_eq!(filled.get(&name).copied().unwrap_or_default() + open, order.quantity);
        }
    }

    /// The same inputs give the same events, and a snapshot goes on as the original, also with orders, changes and
    /// cancellations under way.
    #[test]
    fn a_snapshot_goes_on_as_the_original(
        source in source(),
        delay in delay(),
        before in prop::collection::vec(step(), 1..40),
        after in prop::collection::vec(step(), 1..40),
    ) {
        let run = |snapshot: bool| {
            let mut run = Run::new(source, config(delay));
            before.iter().for_each(|step| run.step(step));
            if snapshot {
                run.world.exchange = run.world.exchange.clone();
            }
            after.iter().for_each(|step| run.step(step));
            run.log
        };
        prop_assert_eq!(run(false), run(true));
    }

    /// An exchange that gets its orders back from what a journal knows goes on as if it had never stopped.
    #[test]
    fn a_restart_from_the_journal_changes_nothing(
        delay in delay(),
        before in prop::collection::vec(step(), 1..40),
        after in prop::collection::vec(step(), 1..40),
    ) {
        // A journal does not know changes in place, and a cancellation hides that a stop was triggered.
        let usual = |steps: &[Step]| -> Vec<Step> {
            steps.iter().filter(|step| match step {
                Step::Replace(..) => false,
                Step::Submit { kind, .. } => delay == 0 || *kind != OrderType::StopLimit,
                _ => true,
            }).cloned().collect()
        };
        let run = |restart: bool| {
            let mut run = Run::new(Source::Bars, config(delay));
            let (mut placed, mut asked) = (BTreeMap::new(), BTreeMap::new());
            for step in usual(&before) {
                match &step {
                    Step::Submit { .. } => {
                        placed.insert(format!("o{}", run.placed.len()), at(run.time + MINUTE));
                    }
                    Step::Cancel(which) if delay > 0 => {
                        if let Some(order_id) = run.order_id(*which) {
                            asked.entry(order_id.to_string()).or_insert(at(run.time + MINUTE));
                        }
                    }
                    _ => {}
                }
                run.step(&step);
            }
            if restart {
                restore(&mut run, delay, &placed, &asked);
            }
            for step in usual(&after) {
                run.step(&step);
            }
            run.log
        };
        prop_assert_eq!(run(false), run(true));
    }
}

type Times = BTreeMap<String, mts_foundation::Timestamp>;

fn restore(run: &mut Run, delay: u64, placed: &Times, asked: &Times) {
    let mut fresh = World::new(config(delay));
    fresh.exchange.resume(at(run.time));
    let triggered = |name: &str| {
        run.log.iter().any(|event| match event {
            MatchEvent::Triggered { order, .. } | MatchEvent::Filled { order, .. } => {
                order.stop_price.is_some() && order.order_id.as_str() == name
            }
            _ => false,
        })
    };
    for event in &run.log {
        if let MatchEvent::Filled { order, quantity, time, .. } = event {
            fresh.exchange.restore_fill(&order.symbol, order.side, *quantity, *time);
        }
    }
    for (order, remaining) in run.world.exchange.resting() {
        let name = order.order_id.to_string();
        let restored = Restored {
            order: order.clone(),
            placed: placed[&name],
            remaining,
            triggered: triggered(&name),
            cancel_asked: asked.get(&name).copied(),
        };
        fresh.exchange.restore(restored).unwrap();
    }
    run.world.exchange = fresh.exchange;
}
