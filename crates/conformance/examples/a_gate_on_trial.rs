//! A gate that counts its calls and says nothing when it refuses, and what the suite makes of it.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_conformance::gates::check;
use mts_foundation::risk::{Gate, RejectCode, Rejection, RiskContext};
use mts_foundation::{Order, RiskEnvelope, RiskGate};
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};

/// At most two orders, it thinks: but what it is asked about need not be sent, and a restart forgets the count.
struct TwoOrders(AtomicU32);

impl RiskGate for TwoOrders {
    fn name(&self) -> &str {
        "two_orders"
    }

    fn check(
        &self,
        order: &Order,
        _: Option<&RiskEnvelope>,
        _: &RiskContext<'_>,
    ) -> Result<(), Box<Rejection>> {
        if order.side.is_opening() && self.0.fetch_add(1, Ordering::Relaxed) < 2 {
            return Ok(());
        }
        Err(Box::new(Rejection {
            gate: Gate::OrderRate,
            code: RejectCode::OrderRate,
            limit: None,
            observed: None,
            message: String::new(),
        }))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let report = check(|| TwoOrders(AtomicU32::new(0))).run()?;
    println!("{report}");
    Ok(())
}
