//! What is known of an order while its call waits: what TWS says, word by word, until that is enough. Pure.

use super::codes::{Verdict, verdict};
use super::map::{is_of, state};
use super::wire::{Told, WireNotice, WireOrder, WireStatus};
use mts_foundation::{Order, OrderState};
use smol_str::{SmolStr, format_smolstr};

/// What has become of an order that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handed {
    /// TWS has it, under this number.
    Taken(i64),
    /// TWS refuses it.
    Refused(SmolStr),
    /// Its number was used before.
    UsedId(SmolStr),
    /// What came cannot be about this order.
    Strange(SmolStr),
}

/// What was said of an order so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Submission {
    perm_id: i64,
    /// It has ended without a trade, and nobody has said why yet.
    ended: bool,
    /// It is held, and nobody has said why.
    inactive: bool,
    refusal: Option<SmolStr>,
    unclear: Option<SmolStr>,
}

impl Submission {
    /// Takes what was told; an answer once it is enough.
    pub(super) fn take(
        &mut self,
        told: &Told,
        order: &Order,
        order_id: i32,
        order_ref: &str,
    ) -> Option<Handed> {
        match told {
            Told::Order(there) if there.order_id == order_id => {
                if !is_of(order, there, order_ref) {
                    return Some(Handed::Strange(format_smolstr!(
                        "TWS has another order as number {order_id}: {} {} {} {} ({})",
                        there.action,
                        there.quantity,
                        there.contract.symbol,
                        there.order_type,
                        there.order_ref
                    )));
                }
                self.status(&there.status, there.perm_id, &there.reason)
            }
            Told::Status(there) if there.order_id == order_id => {
                self.status(&there.status, there.perm_id, "")
            }
            Told::Execution { execution, .. }
                if execution.order_id == order_id && execution.order_ref == order_ref =>
            {
                (execution.perm_id != 0).then_some(Handed::Taken(execution.perm_id))
            }
            Told::Notice(notice) if notice.about == Some(order_id) => self.notice(notice),
            _ => None,
        }
    }

    fn status(&mut self, status: &str, perm_id: i64, reason: &str) -> Option<Handed> {
        if perm_id != 0 {
            self.perm_id = perm_id;
        }
        let order = WireOrder { status: status.into(), reason: reason.into(), ..WireOrder::default() };
        match (status, state(&order)) {
            (_, OrderState::Rejected) => Some(Handed::Refused(reason.into())),
            ("PreSubmitted" | "Submitted" | "Filled" | "PendingCancel", _) => self.taken(),
            ("Cancelled" | "ApiCancelled" | "Inactive", _) => {
                self.ended |= status != "Inactive";
                self.inactive |= status == "Inactive";
                self.refusal.clone().map(Handed::Refused)
            }
            _ => None,
        }
    }

    fn notice(&mut self, notice: &WireNotice) -> Option<Handed> {
        let words = format_smolstr!("{} ({})", notice.message, notice.code);
        match verdict(notice.code) {
            // It is about a change: there is an order with this number.
            Verdict::Refused if notice.code == 105 => Some(Handed::Strange(words)),
            Verdict::Refused => {
                self.refusal = Some(words.clone());
                Some(Handed::Refused(words))
            }
            Verdict::UsedId => Some(Handed::UsedId(words)),
            // It was taken, and is over: what the venue does with what it cannot fill at once.
            Verdict::Canceled => self.taken(),
            Verdict::Unclear => {
                self.unclear = Some(words);
                None
            }
            Verdict::None | Verdict::NotCancellable => None,
        }
    }

    fn taken(&self) -> Option<Handed> {
        (self.perm_id != 0).then_some(Handed::Taken(self.perm_id))
    }

    /// Whether it has ended or is held, so that a word why may come very soon, or never.
    pub(super) fn is_settling(&self) -> bool {
        self.ended || self.inactive
    }

    /// What it comes to when nothing more is said.
    pub(super) fn in_the_end(self) -> Result<Handed, SmolStr> {
        match self.taken() {
            Some(taken) if self.is_settling() => Ok(taken),
            Some(_) => Err("TWS has the order and has not passed it on yet".into()),
            None => Err(self.unclear.unwrap_or_else(|| "TWS has not said anything about the order".into())),
        }
    }
}

/// What has become of an order that shall be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It will not fill any more.
    Canceled,
    /// It has filled.
    Filled,
    /// It was refused.
    Refused,
    /// TWS does not cancel it: it is looked up why.
    NotCancellable,
}

/// What something that was told says of the cancellation of an order.
pub(super) fn stopped(told: &Told, order_id: i32, perm_id: i64) -> Option<Stopped> {
    let of_status = |status: &str| match status {
        "Cancelled" | "ApiCancelled" => Some(Stopped::Canceled),
        "Filled" => Some(Stopped::Filled),
        _ => None,
    };
    match told {
        Told::Status(WireStatus { status, perm_id: its, .. }) if *its == perm_id => of_status(status),
        Told::Order(there) if there.perm_id == perm_id && state(there) == OrderState::Rejected => {
            Some(Stopped::Refused)
        }
        Told::Order(there) if there.perm_id == perm_id => of_status(&there.status),
        Told::Notice(notice) if notice.about == Some(order_id) => match verdict(notice.code) {
            Verdict::Canceled => Some(Stopped::Canceled),
            Verdict::NotCancellable => Some(Stopped::NotCancellable),
            _ => None,
        },
        _ => None,
    }
}

/// What has become of a change in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// The order is what was wanted.
    Done,
    /// It stays what it was, or has ended.
    Refused(SmolStr),
}

/// What something that was told says of the change of an order into another one.
pub(super) fn changed(told: &Told, order_id: i32, wanted: &WireOrder) -> Option<Changed> {
    match told {
        Told::Order(there) if there.perm_id == wanted.perm_id => {
            let is = there.quantity == wanted.quantity
                && there.limit_price == wanted.limit_price
                && there.stop_price == wanted.stop_price;
            match state(there) {
                OrderState::Submitting => None,
                state if state.is_terminal() => {
                    Some(Changed::Refused(format_smolstr!("the order is {state}")))
                }
                _ => is.then_some(Changed::Done),
            }
        }
        Told::Status(there) if there.perm_id == wanted.perm_id && super::book::is_end(&there.status) => {
            Some(Changed::Refused(format_smolstr!("the order is {}", there.status)))
        }
        Told::Notice(notice) if notice.about == Some(order_id) => {
            let words = || Changed::Refused(format_smolstr!("{} ({})", notice.message, notice.code));
            match verdict(notice.code) {
                Verdict::Refused | Verdict::UsedId | Verdict::Canceled => Some(words()),
                Verdict::None | Verdict::NotCancellable | Verdict::Unclear => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Decimal, OrderType, Side, TimeInForce, Timestamp};

    fn order() -> Order {
        let order = Order::builder().order_id("o1").idempotency_key("k1").symbol("AAPL").side(Side::Buy);
        let order = order.quantity(Decimal::TEN).order_type(OrderType::Market).tif(TimeInForce::Day);
        order
            .fund_id("f")
            .strategy_id("s")
            .broker("ibkr")
            .actor("s")
            .created_at(Timestamp::EPOCH)
            .build()
            .unwrap()
    }

    fn there(status: &str) -> Told {
        Told::Order(WireOrder {
            order_id: 3,
            perm_id: 9,
            order_ref: "ref".into(),
            action: "BUY".into(),
            quantity: Decimal::TEN,
            order_type: "MKT".into(),
            tif: "DAY".into(),
            status: status.into(),
            ..WireOrder::default()
        })
    }

    fn status(status: &str) -> Told {
        Told::Status(WireStatus { order_id: 3, perm_id: 9, status: status.into(), ..WireStatus::default() })
    }

    fn says(about: i32, code: i32) -> Told {
        Told::Notice(WireNotice { about: Some(about), code, message: "so".to_owned() })
    }

    /// What a call makes of all this, and whether it had to wait for the end.
    fn handed(told: &[Told]) -> (Result<Handed, SmolStr>, bool) {
        let mut submission = Submission::default();
        for told in told {
            if let Some(handed) = submission.take(told, &order(), 3, "ref") {
                return (Ok(handed), false);
            }
        }
        (submission.in_the_end(), true)
    }

    #[test]
    fn taken_is_what_the_market_has_and_refused_what_was_refused() {
        let taken = (Ok(Handed::Taken(9)), false);
        assert_eq!(handed(&[there("PendingSubmit"), there("PreSubmitted")]), taken);
        assert_eq!(handed(&[status("Filled")]), taken);
        assert_eq!(handed(&[says(3, 399), says(3, 2_109), status("Submitted")]), taken);
        assert_eq!(handed(&[there("PendingSubmit"), says(3, 202)]), taken);
        assert_eq!(handed(&[says(3, 201)]), (Ok(Handed::Refused("so (201)".into())), false));
        assert_eq!(handed(&[there("PendingSubmit"), says(3, 110)]).0, Ok(Handed::Refused("so (110)".into())));
        assert_eq!(handed(&[says(3, 105)]).0, Ok(Handed::Strange("so (105)".into())));
        assert_eq!(handed(&[says(3, 103)]).0, Ok(Handed::UsedId("so (103)".into())));
        // Held, or ended: a word why would have come.
        for end in ["Inactive", "Cancelled"] {
            assert_eq!(handed(&[status(end)]), (Ok(Handed::Taken(9)), true), "{end}");
            assert_eq!(
                handed(&[status(end), says(3, 201)]).0,
                Ok(Handed::Refused("so (201)".into())),
                "{end}"
            );
        }
    }

    #[test]
    fn what_is_not_said_of_this_order_says_nothing() {
        for told in [
            vec![],
            vec![there("PendingSubmit")],
            vec![status("OnHoliday")],
            vec![says(4, 201)],
            vec![says(3, 100)],
            vec![says(3, 10_999)],
            vec![Told::Status(WireStatus {
                order_id: 4,
                status: "Submitted".into(),
                perm_id: 8,
                ..WireStatus::default()
            })],
            vec![Told::Status(WireStatus {
                order_id: 3,
                status: "Submitted".into(),
                ..WireStatus::default()
            })],
        ] {
            assert!(matches!(handed(&told), (Err(_), true)), "{told:?}");
        }
        let Told::Order(mut other) = there("Submitted") else { panic!() };
        other.order_ref = "somebody's".into();
        assert!(matches!(handed(&[Told::Order(other)]).0, Ok(Handed::Strange(_))));
    }

    #[test]
    fn a_change_is_done_when_the_order_is_told_as_wanted() {
        let Told::Order(mut wanted) = there("Submitted") else { panic!() };
        wanted.quantity = Decimal::from(6);
        let is = |told: &Told| changed(told, 3, &wanted);
        assert_eq!(is(&there("Submitted")), None, "as it was");
        assert_eq!(is(&Told::Order(wanted.clone())), Some(Changed::Done));
        assert_eq!(is(&status("Filled")), Some(Changed::Refused("the order is Filled".into())));
        assert_eq!(is(&says(3, 104)), Some(Changed::Refused("so (104)".into())));
        assert_eq!(is(&says(3, 110)), Some(Changed::Refused("so (110)".into())));
        for nothing in [says(3, 399), says(4, 110), says(3, 504), status("Submitted")] {
            assert_eq!(is(&nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn only_the_end_of_an_order_is_its_cancellation() {
        let cases = [
            (status("PendingCancel"), None),
            (status("Cancelled"), Some(Stopped::Canceled)),
            (says(3, 202), Some(Stopped::Canceled)),
            (there("ApiCancelled"), Some(Stopped::Canceled)),
            (status("Filled"), Some(Stopped::Filled)),
            (says(3, 10_148), Some(Stopped::NotCancellable)),
            (says(3, 161), Some(Stopped::NotCancellable)),
            (says(4, 202), None),
            (says(3, 201), None),
        ];
        for (told, expected) in cases {
            assert_eq!(stopped(&told, 3, 9), expected, "{told:?}");
        }
    }
}
