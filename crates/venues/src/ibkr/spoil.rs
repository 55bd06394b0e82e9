//! Answers that cannot be right: what is said is changed before it is written, how it is written afterwards.

use super::message::Said;
use super::proto::Order;
use super::wire::Wire;
use crate::dialect::Frame;
use crate::server::UNKNOWN_NAME;
use mts_foundation::double::WrongAnswer;

/// A price beyond all reason; the largest number there is stands for one that is not set.
const HUGE: f64 = 1e300;
/// By how much ids of orders nobody has sent differ from those that somebody has.
const ELSEWHERE: i32 = 1_000_000;

/// Makes of a right answer one that is wrong in one way.
pub(super) fn frames(wire: Wire, mut said: Vec<Said>, wrong: WrongAnswer) -> Vec<Frame> {
    for said in &mut said {
        match wrong {
            WrongAnswer::UnknownName => rename(said),
            WrongAnswer::HugeNumber => grow(said),
            WrongAnswer::OtherOrder => confuse(said),
            _ => {}
        }
    }
    if wrong == WrongAnswer::Html {
        let page = b"<!doctype html><title>Welcome</title><p>Please sign in.</p>";
        return vec![Frame::Binary(page.to_vec())];
    }
    let written = said.iter().map(|said| wire.body(said));
    written
        .map(|(id, body)| {
            let body = match wrong {
                WrongAnswer::Empty => Vec::new(),
                WrongAnswer::Truncated => body.get(..body.len() / 2).unwrap_or_default().to_vec(),
                WrongAnswer::OtherType => wire.with_other_types(&body),
                WrongAnswer::ExtraField => wire.with_another_field(body),
                _ => body,
            };
            wire.frame(id, &body)
        })
        .collect()
}

/// States and sides that nobody has seen before.
pub(super) fn rename(said: &mut Said) {
    let unknown = || Some(UNKNOWN_NAME.to_owned());
    match said {
        Said::OrderStatus(said) => said.status = unknown(),
        Said::OpenOrder(said) => {
            if let Some(state) = &mut said.order_state {
                state.status = unknown();
            }
        }
        Said::CompletedOrder(said) => {
            if let Some(state) = &mut said.order_state {
                state.status = unknown();
            }
        }
        Said::Execution(said) => {
            if let Some(execution) = &mut said.execution {
                execution.side = unknown();
            }
        }
        Said::AccountSummary(said) => said.tag = unknown(),
        Said::AccountValue(said) => said.key = unknown(),
        Said::AccountUpdateMulti(said) => said.key = unknown(),
        _ => {}
    }
}

fn grow_order(order: Option<&mut Order>) {
    if let Some(order) = order {
        order.total_quantity = Some("1e400".to_owned());
        order.lmt_price = order.lmt_price.map(|_| HUGE);
    }
}

fn grow(said: &mut Said) {
    let huge = || Some("1e400".to_owned());
    match said {
        Said::OrderStatus(said) => (said.filled, said.remaining) = (huge(), huge()),
        Said::OpenOrder(said) => grow_order(said.order.as_mut()),
        Said::CompletedOrder(said) => grow_order(said.order.as_mut()),
        Said::Execution(said) => {
            if let Some(execution) = &mut said.execution {
                (execution.shares, execution.price) = (huge(), Some(HUGE));
            }
        }
        Said::Commission(said) => said.commission_and_fees = Some(HUGE),
        Said::Position(said) => (said.position, said.avg_cost) = (huge(), Some(HUGE)),
        Said::PortfolioValue(said) => (said.position, said.market_value) = (huge(), Some(HUGE)),
        Said::AccountSummary(said) => said.value = huge(),
        Said::AccountValue(said) => said.value = huge(),
        Said::AccountUpdateMulti(said) => said.value = huge(),
        Said::TickPrice(said) => said.price = Some(HUGE),
        _ => {}
    }
}

fn confuse_order(order: Option<&mut Order>) {
    if let Some(order) = order {
        order.order_id = order.order_id.map(|id| id + ELSEWHERE);
        order.perm_id = order.perm_id.map(|id| id + i64::from(ELSEWHERE));
        order.order_ref = Some("nobody's".to_owned());
    }
}

fn confuse(said: &mut Said) {
    match said {
        Said::OrderStatus(said) => {
            said.order_id = said.order_id.map(|id| id + ELSEWHERE);
            said.perm_id = said.perm_id.map(|id| id + i64::from(ELSEWHERE));
        }
        Said::OpenOrder(said) => {
            said.order_id = said.order_id.map(|id| id + ELSEWHERE);
            confuse_order(said.order.as_mut());
        }
        Said::CompletedOrder(said) => confuse_order(said.order.as_mut()),
        Said::Execution(said) => {
            if let Some(execution) = &mut said.execution {
                execution.order_id = execution.order_id.map(|id| id + ELSEWHERE);
                execution.perm_id = execution.perm_id.map(|id| id + i64::from(ELSEWHERE));
                execution.order_ref = Some("nobody's".to_owned());
            }
        }
        _ => {}
    }
}
