//! What the map and session of Interactive Brokers are held to, for any bytes. The fuzz target of `fuzz/` runs this too.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, missing_docs)]

use mts_brokers::ibkr::{OrderUpdates, Shared};
use mts_brokers::kit::{Session, Step};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::{AccountId, Timestamp};
use std::time::Duration;

/// Lines are what TWS has told, one after the other. Each is taken or is an error with a word why; what comes of it is in our
/// types, with a place in the history where it needs one, and can be kept. Answers how many events there were.
pub fn check(bytes: &[u8]) -> usize {
    let account = AccountId::new("DU1234567").unwrap();
    let mut session = OrderUpdates::new(account.clone(), Shared::of_client(1), Duration::from_secs(1));
    let (mut steps, mut events) = (Vec::new(), 0);
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Err(error) = session.take(line, Timestamp::EPOCH, &mut steps) {
            assert!(!error.message.is_empty());
        }
        for step in steps.drain(..) {
            let Step::Event(event) = step else { continue };
            events += 1;
            match &*event {
                BrokerEvent::Fill { account: its, fill, .. } => {
                    assert_eq!(*its, account);
                    assert_eq!(fill.clone().checked().unwrap(), *fill);
                }
                BrokerEvent::Order(report) => assert!(!report.broker_order_id.as_str().is_empty()),
                BrokerEvent::FeesKnown { .. } | BrokerEvent::Corrected { .. } => {}
                // No fill can be made of a trade.
                BrokerEvent::Gap { recoverable: false, .. } => {}
                other => panic!("TWS never says {other:?}"),
            }
            let has_no_place = matches!(*event, BrokerEvent::Order(_) | BrokerEvent::Gap { .. });
            assert!(event.cursor().is_some() || has_no_place);
            let kept = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<BrokerEvent>(&kept).unwrap(), *event);
        }
    }
    events
}
