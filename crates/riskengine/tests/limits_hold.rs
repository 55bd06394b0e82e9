//! Whatever is asked, what is accepted cannot pass a limit, as an independent count from scratch finds it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_foundation::ledger::MarkKind;
use mts_foundation::risk::{GateTrace, RiskContext, RiskEvent, SessionPhase};
use mts_foundation::{
    Decimal, Fill, FundConfig, FundId, GateLimits, Instrument, InstrumentTable, Ledger, Order, OrderId,
    OrderType, RiskEnvelope, RiskMachine, Side, Symbol, Timestamp,
};
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use proptest::prelude::*;
use std::collections::BTreeMap;

const NAMES: [&str; 4] = ["A", "B", "C", "D"];

fn sector(name: &str) -> &'static str {
    if matches!(name, "A" | "B") { "x" } else { "y" }
}

fn table() -> InstrumentTable {
    InstrumentTable::from_instruments(NAMES.map(|name| Instrument {
        symbol: Symbol::new(name).unwrap(),
        name: Default::default(),
        asset_class: mts_foundation::AssetClass::Equities,
        currency: mts_foundation::Currency::USD,
        calendar: "XNYS".into(),
        sector: sector(name).into(),
        country: "US".into(),
        tick: Decimal::new(1, 2),
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        expiry: None,
    }))
    .unwrap()
}

fn machine() -> RiskPipeline {
    let config: FundConfig = serde_json::from_str(
        r#"{"fund_id":"f","name":"f","target_nav_usd":"100000","broker":"paper","created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let envelope: RiskEnvelope = serde_json::from_str(
        r#"{"envelope_id":"e","fund_id":"f","nav_usd":"100000","max_position_pct":0.3,"max_sector_pct":0.5,
            "max_gross_exposure_pct":0.9,"max_net_exposure_pct":0.8,"daily_loss_halt_pct":1.0,
            "weekly_loss_halt_pct":1.0,"monthly_loss_halt_pct":1.0,"enable_shorting":true,
            "allowed_brokers":["paper"],"created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let limits = GateLimits { buying_power: true, max_positions: Some(3), ..GateLimits::default() };
    let fund = FundRisk { config, envelope: Some(envelope), limits, borrow: BTreeMap::new() };
    RiskPipeline::new(vec![fund], OperatorPolicy::default()).unwrap()
}

fn order(number: usize, name: &str, side: Side, quantity: i64) -> Order {
    Order::builder()
        .order_id(format!("o-{number:05}"))
        .idempotency_key(format!("k-{number}"))
        .symbol(name)
        .side(side)
        .quantity(Decimal::from(quantity))
        .order_type(OrderType::Market)
        .fund_id("f")
        .strategy_id("s")
        .broker("paper")
        .actor("a")
        .created_at(Timestamp::EPOCH)
        .build()
        .unwrap()
}

/// The worst case of the books, counted from scratch out of positions and working orders.
struct Worst {
    gross: Decimal,
    high: Decimal,
    low: Decimal,
    committed: Decimal,
    by_position: BTreeMap<String, Decimal>,
    by_sector: BTreeMap<&'static str, Decimal>,
    open: usize,
}

fn worst(ledger: &Ledger, fund: &FundId) -> Worst {
    let book = ledger.fund(fund).unwrap();
    let zero = Decimal::ZERO;
    let mut found = Worst {
        gross: zero,
        high: zero,
        low: zero,
        committed: zero,
        by_position: BTreeMap::new(),
        by_sector: BTreeMap::new(),
        open: 0,
    };
    for name in NAMES {
        let symbol = Symbol::new(name).unwrap();
        let price = ledger.mark_of(&symbol).unwrap().price;
        let held = book.positions().quantity(&symbol);
        let (mut up, mut down) = (held, held);
        for (_, working) in book.working().filter(|(_, working)| working.symbol == symbol) {
            if matches!(working.side, Side::Buy | Side::Cover) {
                up += working.remaining;
                found.committed += working.remaining * working.price;
            } else {
                down -= working.remaining;
            }
        }
        let largest = (up * price).abs().max((down * price).abs());
        found.gross += largest;
        found.high += up * price;
        found.low += down * price;
        found.by_position.insert(name.to_owned(), largest);
        *found.by_sector.entry(sector(name)).or_default() += largest;
        found.open += usize::from(!up.is_zero() || !down.is_zero());
    }
    found
}

#[derive(Debug, Clone)]
enum Step {
    Order { name: usize, side: usize, quantity: i64, commit: bool },
    Fill { pick: usize, quantity: i64 },
    Cancel { pick: usize },
    Mark { name: usize, cents: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4_usize, 0..4_usize, 1_i64..400, prop::bool::weighted(0.9))
            .prop_map(|(name, side, quantity, commit)| Step::Order { name, side, quantity, commit }),
        3 => (any::<usize>(), 1_i64..400).prop_map(|(pick, quantity)| Step::Fill { pick, quantity }),
        1 => any::<usize>().prop_map(|pick| Step::Cancel { pick }),
        1 => (0..4_usize, 8_000_i64..12_000).prop_map(|(name, cents)| Step::Mark { name, cents }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Right after an order is accepted, nothing lies beyond its limit. (Later marks may push positions over; then only
    /// orders that open or grow are refused.)
    #[test]
    fn no_accepted_order_can_pass_a_limit(steps in prop::collection::vec(step(), 1..120)) {
        let (table, fund) = (table(), FundId::new("f").unwrap());
        let mut machine = machine();
        let mut ledger = Ledger::new();
        ledger.open_fund(fund.clone(), mts_foundation::Currency::USD, Decimal::from(100_000)).unwrap();
        for name in NAMES {
            let symbol = Symbol::new(name).unwrap();
            ledger.mark(&table, &symbol, Decimal::from(100), MarkKind::Close, Timestamp::EPOCH).unwrap();
        }
        for (number, step) in steps.into_iter().enumerate() {
            let book = ledger.fund(&fund).unwrap();
            let working: Vec<(OrderId, Symbol, Side, Decimal)> = book
                .working()
                .map(|(id, order)| (id.clone(), order.symbol.clone(), order.side, order.remaining))
                .collect();
            match step {
                Step::Mark { name, cents } => {
                    let symbol = Symbol::new(NAMES[name]).unwrap();
                    let price = Decimal::new(cents, 2);
                    ledger.mark(&table, &symbol, price, MarkKind::Close, Timestamp::EPOCH).unwrap();
                    machine.apply(&RiskEvent::Marked { symbol: None }, &ledger, Timestamp::EPOCH, &mut Vec::new()).unwrap();
                }
                Step::Fill { pick, quantity } if !working.is_empty() => {
                    let (id, symbol, side, remaining) = working[pick % working.len()].clone();
                    let units = Decimal::from(quantity).min(remaining);
                    let price = ledger.mark_of(&symbol).unwrap().price;
                    let fill = Fill::new(&format!("x{number}"), id.as_str(), symbol.as_str(), side, units, price,
                        Timestamp::EPOCH).unwrap();
                    ledger.book_fill(&table, &fund, &fill).unwrap();
                }
                Step::Cancel { pick } if !working.is_empty() => {
                    ledger.remove_working(&table, &fund, &working[pick % working.len()].0).unwrap();
                }
                Step::Fill { .. } | Step::Cancel { .. } => {}
                Step::Order { name, side, quantity, commit } => {
                    let order = order(number, NAMES[name], Side::ALL[side], quantity);
                    let nav = book.nav();
                    let context = RiskContext {
                        now: Timestamp::EPOCH,
                        ledger: &ledger,
                        instruments: &table,
                        session: SessionPhase::Regular,
                        session_opened: None,
                        closing: false,
                    };
                    if !machine.reserve(&order, &context, &mut GateTrace::off()).is_approved() {
                        continue;
                    }
                    if !commit {
                        machine.release(&order.order_id);
                        continue;
                    }
                    machine.commit(&order, &context);
                    ledger.add_working(&table, &order, order.quantity).unwrap();
                    let held = ledger.fund(&fund).unwrap().positions().quantity(&order.symbol);
                    if matches!(order.side, Side::Sell | Side::Cover) {
                        // What reduces may always go, and never goes through zero.
                        let after = worst(&ledger, &fund);
                        prop_assert!(!held.is_zero(), "{:?}", after.by_position);
                        continue;
                    }
                    let after = worst(&ledger, &fund);
                    let share = |percent: i64| nav * Decimal::new(percent, 2);
                    prop_assert!(after.by_position[NAMES[name]] <= share(30), "position");
                    prop_assert!(after.by_sector[sector(NAMES[name])] <= share(50), "sector");
                    prop_assert!(after.gross <= share(90), "gross");
                    if order.side == Side::Buy {
                        prop_assert!(after.high <= share(80), "net");
                        prop_assert!(after.committed <= ledger.fund(&fund).unwrap().cash(), "buying power");
                    } else {
                        prop_assert!(-after.low <= share(80), "net short");
                    }
                    prop_assert!(after.open <= 3, "positions");
                }
            }
        }
    }
}
