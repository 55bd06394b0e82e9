//! What Kraken's decoders, maps and session are held to, for any bytes. The fuzz target of `fuzz/` runs this too.
//!
//! The first byte says what the others are: `s` = messages of the stream, one a line; `p` = the answer to every call, the list of
//! pairs too; else the answer to every call but that.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "helpers of tests")]

#[path = "kraken_world.rs"]
mod kraken_world;

use bytes::Bytes;
use kraken_world::{World, order, session};
use mts_brokers::Kraken;
use mts_brokers::kit::{EventSource, Session, Step};
use mts_foundation::broker::{Broker, BrokerOrderRef, OrderRef, SubmitOutcome};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::ready::ready;
use mts_foundation::{BrokerOrderId, Decimal, Timestamp};

/// A venue's id that a broken answer may be about.
const ID: &str = "OUF4EM-FRGI2-MQMWZD";

/// Whatever comes is an event, an answer or an error, each of which says something.
pub fn check(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b's', rest)) => messages(rest),
        Some((b'p', rest)) => {
            let same = Bytes::from(rest.to_vec());
            answers(&World::new(move |_, _| Some(same.clone())));
        }
        Some((_, rest)) => answers(&World::same(rest.to_vec().into())),
        None => {}
    }
}

fn messages(bytes: &[u8]) {
    let (mut session, mut steps) = (session(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        // After an error the talk is over.
        if let Err(error) = session.take(line, Timestamp::EPOCH, &mut steps) {
            assert!(!error.message.is_empty());
            break;
        }
    }
    for step in steps {
        if let Step::Event(event) = step {
            sane(&event);
        }
    }
}

fn sane(event: &BrokerEvent) {
    if let BrokerEvent::Fill { fill, .. } = event {
        assert!(fill.quantity > Decimal::ZERO && fill.price > Decimal::ZERO, "{fill:?}");
    }
}

fn answers(world: &World) {
    let broker = world.broker(|_| {});
    let id = BrokerOrderId::new(ID).unwrap();
    let order = order();
    // Nothing here waits.
    let outcome = ready(broker.submit(&order)).unwrap();
    if let SubmitOutcome::Accepted(accepted) = &outcome {
        let named = accepted.broker_order_id.as_ref().unwrap();
        assert_eq!(named.as_str().len(), ID.len());
    }
    let reference = BrokerOrderRef {
        order_id: order.order_id.clone(),
        idempotency_key: order.idempotency_key.clone(),
        broker_order_id: id.clone(),
        symbol: order.symbol.clone(),
    };
    ready(broker.cancel(&reference)).unwrap();
    ready(broker.order(&OrderRef::Venue(id))).unwrap().ok();
    ready(broker.order(&OrderRef::Key(order.idempotency_key.clone()))).unwrap().ok();
    ready(broker.open_orders()).unwrap().ok();
    ready(broker.positions()).unwrap().ok();
    ready(broker.account()).unwrap().ok();
    let from = Timestamp::from_millis(1_700_000_000_000);
    for event in ready(Kraken::since(&broker, from)).unwrap().unwrap_or_default() {
        sane(&event);
    }
    ready(broker.connect()).unwrap().ok();
    assert!(ready(broker.diagnose(None)).unwrap().len() >= 7);
}
