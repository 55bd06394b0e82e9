//! The questions that every gate is asked.

use super::question::{FUND, PRICE, SHARE};
use super::{Need, Question, SuiteError};
use mts_foundation::ids::MAX_ID_BYTES;
use mts_foundation::num::{MAX_PRICE, MAX_QUANTITY};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{
    Currency, Decimal, Fill, FundId, Instrument, InstrumentTable, Ledger, MarkKind, OrderBuilder, OrderType,
    Side, Symbol, TimeInForce, Timestamp,
};
use std::time::Duration;

/// The questions by what they are for.
pub(super) struct Questions {
    /// Every side, order type, time in force and phase; every kind of position; moments of a session; the author's own.
    pub(super) kinds: Vec<Question>,
    /// Something is missing.
    pub(super) lacking: Vec<Question>,
    /// The ends of the ranges.
    pub(super) extremes: Vec<Question>,
}

/// Makes questions of one's own from the ordinary one.
pub(super) type Own<'a> = dyn Fn(&Question) -> Result<Vec<Question>, SuiteError> + 'a;

impl Questions {
    /// All of them, on the day whose session opened at `opened`.
    pub(super) fn new(opened: Timestamp, own: &[Box<Own<'_>>]) -> Result<Self, SuiteError> {
        let ordinary = Question::ordinary(opened)?;
        let mut kinds = kinds(&ordinary)?;
        kinds.extend(positions(&ordinary)?);
        kinds.extend(moments(&ordinary, opened));
        for make in own {
            kinds.extend(make(&ordinary)?);
        }
        Ok(Self { kinds, lacking: lacking(&ordinary)?, extremes: extremes(&ordinary)? })
    }
}

/// Gives an order its type and the prices that the type takes.
fn priced(order: OrderBuilder, order_type: OrderType, price: Decimal) -> OrderBuilder {
    let mut order = order.order_type(order_type);
    if order_type.takes_limit_price() {
        order = order.limit_price(price);
    }
    if order_type.takes_stop_price() {
        order = order.stop_price(price);
    }
    order
}

fn kinds(ordinary: &Question) -> Result<Vec<Question>, SuiteError> {
    let mut found = Vec::new();
    for phase in SessionPhase::ALL {
        let mut world = ordinary.clone();
        world.session = *phase;
        world.session_opened = ordinary.session_opened.filter(|_| *phase == SessionPhase::Regular);
        for side in Side::ALL {
            for order_type in OrderType::ALL {
                for tif in TimeInForce::ALL {
                    let name = format!("{side} {order_type} {tif} while {phase}");
                    found.push(world.with_order(name, |order| {
                        let extended = *phase == SessionPhase::Extended;
                        priced(order.side(*side), *order_type, Decimal::from(PRICE))
                            .tif(*tif)
                            .extended_hours(extended)
                    })?);
                }
            }
        }
    }
    Ok(found)
}

/// With a position, and with an order at work.
fn positions(ordinary: &Question) -> Result<Vec<Question>, SuiteError> {
    let mut found = Vec::new();
    let (fund_id, price) = (FundId::new(FUND)?, Decimal::from(PRICE));
    for held in [Side::Buy, Side::Short] {
        let mut world = ordinary.clone();
        let fill = Fill::new("fill-1", "filled-1", SHARE, held, Decimal::ONE_HUNDRED, price, ordinary.now)?;
        world.ledger.book_fill(&world.instruments, &fund_id, &fill)?;
        let working = world.with_order("at work", |order| {
            priced(order.order_id("working-1").idempotency_key("working-key-1"), OrderType::Limit, price)
        })?;
        let mut busy = world.clone();
        busy.ledger.add_working(&world.instruments, &working.order, price)?;
        for (state, world) in [("", &world), (" and a buy at work", &busy)] {
            for side in Side::ALL {
                let name = format!("{side} after {held} of 100{state}");
                found.push(world.with_order(name, |order| order.side(*side))?);
            }
        }
    }
    Ok(found)
}

/// From the opening to the last minute of a session of six and a half hours.
fn moments(ordinary: &Question, opened: Timestamp) -> Vec<Question> {
    const SECONDS: [u64; 14] =
        [0, 1, 30, 60, 120, 299, 300, 301, 600, 900, 1_800, 3_600, 6 * 3_600, 6 * 3_600 + 29 * 60];
    let at = |seconds| {
        ordinary.at(format!("{seconds} s after the opening"), opened.plus(Duration::from_secs(seconds)))
    };
    SECONDS.into_iter().map(at).collect()
}

fn lacking(ordinary: &Question) -> Result<Vec<Question>, SuiteError> {
    let each = Need::ALL.iter().map(std::slice::from_ref);
    let mut found = Vec::new();
    for lacks in each.chain([Need::ALL]) {
        let mut world = ordinary.clone();
        world.lacks = lacks.to_vec();
        let has = |need| !lacks.contains(&need);
        let mut ledger = Ledger::new();
        if has(Need::Fund) {
            ledger = ordinary.ledger.clone();
        }
        if !has(Need::Mark) && has(Need::Fund) {
            ledger = Ledger::new();
            ledger.open_fund(FundId::new(FUND)?, Currency::USD, Decimal::from(PRICE))?;
        }
        if has(Need::Mark) && !has(Need::Fund) {
            let (price, kind) = (Decimal::from(PRICE), MarkKind::Trade);
            ledger.mark(&ordinary.instruments, &ordinary.order.symbol, price, kind, ordinary.now)?;
        }
        world.ledger = ledger;
        if !has(Need::Instrument) {
            world.instruments = InstrumentTable::new();
        }
        world.envelope = world.envelope.filter(|_| has(Need::Envelope));
        world.session_opened = world.session_opened.filter(|_| has(Need::SessionOpened));
        let what = lacks.iter().map(|need| need.as_str()).collect::<Vec<_>>().join(", ");
        for side in Side::ALL {
            for order_type in [OrderType::Market, OrderType::Limit] {
                let name = format!("{side} {order_type} without {what}");
                found.push(
                    world.with_order(name, |order| {
                        priced(order.side(*side), order_type, Decimal::from(PRICE))
                    })?,
                );
            }
        }
    }
    Ok(found)
}

fn extremes(ordinary: &Question) -> Result<Vec<Question>, SuiteError> {
    let smallest = Decimal::new(1, 28);
    let mut worlds = vec![ordinary.named("")];
    let fund_id = FundId::new(FUND)?;
    let symbol = ordinary.order.symbol.clone();
    for (what, cash) in
        [("all the cash", Decimal::MAX), ("no cash", Decimal::ZERO), ("debts", Decimal::from(-1_000_000))]
    {
        let mut world = ordinary.named(format!(" with {what}"));
        world.ledger = Ledger::new();
        world.ledger.open_fund(fund_id.clone(), Currency::USD, cash)?;
        let (price, kind) = (Decimal::from(PRICE), MarkKind::Trade);
        world.ledger.mark(&world.instruments, &symbol, price, kind, world.now)?;
        worlds.push(world);
    }
    for (what, price) in [("dearest", MAX_PRICE), ("cheapest", smallest)] {
        let mut world = ordinary.named(format!(" at the {what} mark"));
        world.ledger.mark(&world.instruments, &symbol, price, MarkKind::Trade, world.now)?;
        worlds.push(world);
    }
    for held in [Side::Buy, Side::Short] {
        let mut world = ordinary.named(format!(" after {held} of all there is"));
        world.ledger.mark(&world.instruments, &symbol, Decimal::ONE, MarkKind::Trade, world.now)?;
        let fill = Fill::new("fill-1", "filled-1", SHARE, held, MAX_QUANTITY, Decimal::ONE, world.now)?;
        world.ledger.book_fill(&world.instruments, &fund_id, &fill)?;
        worlds.push(world);
    }
    let mut found = Vec::new();
    for world in &worlds {
        for side in Side::ALL {
            for (what, quantity, price) in [
                ("everything", MAX_QUANTITY, MAX_PRICE),
                ("everything for nothing", MAX_QUANTITY, smallest),
                ("a speck", smallest, MAX_PRICE),
                ("a speck for nothing", smallest, smallest),
            ] {
                for order_type in [OrderType::Market, OrderType::StopLimit] {
                    let name = format!("{side} {order_type} of {what}{}", world.name);
                    found.push(world.with_order(name, |order| {
                        priced(order.side(*side).quantity(quantity), order_type, price)
                    })?);
                }
            }
        }
    }
    found.extend(times(ordinary));
    found.push(long_names(ordinary)?);
    Ok(found)
}

/// The ends of time, and an opening that is still to come.
fn times(ordinary: &Question) -> Vec<Question> {
    let (first, last) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
    let opened = |name: &str, now, opened| {
        let mut question = ordinary.at(format!("an ordinary order {name}"), now);
        question.session_opened = Some(opened);
        question
    };
    vec![
        opened("at the beginning of time", first, first),
        opened("at the end of time", last, last),
        opened("in 1970", Timestamp::EPOCH, Timestamp::EPOCH),
        opened("at the end of a session without end", last, first),
        opened("long before the opening", first, last),
        opened("just before the opening", ordinary.now, ordinary.now.plus(Duration::from_nanos(1))),
    ]
}

/// Names as long as they may be.
fn long_names(ordinary: &Question) -> Result<Question, SuiteError> {
    let long = "A".repeat(MAX_ID_BYTES);
    let symbol = Symbol::new(&long)?;
    let mut world = ordinary.clone();
    world.instruments.insert(Instrument::us_share(symbol.clone()))?;
    let (price, kind) = (Decimal::from(PRICE), MarkKind::Trade);
    world.ledger.mark(&world.instruments, &symbol, price, kind, world.now)?;
    Ok(world.with_order("an ordinary order with the longest names", |order| {
        order.symbol(&long).order_id(&long).strategy_id(&long).actor(&long)
    })?)
}
