//! Which orders a phase of the trading day takes.

use crate::order::{OrderType, TimeInForce, wire_enum};

wire_enum! {
    /// Where a market stands.
    SessionPhase {
        /// There is no calendar; nothing is checked.
        NoCalendar = "no_calendar",
        /// The regular session is open.
        Regular = "regular",
        /// Pre-market, post-market or overnight trading is open.
        Extended = "extended",
        /// Nothing is open.
        Closed = "closed",
    }
}

/// Why an order may not be sent in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionFault {
    /// The market is closed.
    #[error("the market is closed; wait for its open")]
    Closed,
    /// Only extended trading is open, which the order does not ask for.
    #[error("the regular session is closed; set extended_hours or wait")]
    OutsideRegularHours,
    /// A market order outside of regular hours.
    #[error("no market orders outside regular hours; use a limit price")]
    MarketOutsideRegularHours,
}

/// Whether an order may be sent now. Outside of regular hours an order needs `extended_hours` and a limit on its price:
/// market orders and stops, which become market orders, are refused. An order for the opening
/// ([`TimeInForce::Opg`]) waits for it and may be sent at any time.
///
/// # Errors
/// [`SessionFault`].
pub fn may_be_sent(
    order_type: OrderType,
    tif: TimeInForce,
    extended_hours: bool,
    phase: SessionPhase,
) -> Result<(), SessionFault> {
    match phase {
        SessionPhase::Regular | SessionPhase::NoCalendar => Ok(()),
        SessionPhase::Extended | SessionPhase::Closed if tif == TimeInForce::Opg => Ok(()),
        SessionPhase::Closed => Err(SessionFault::Closed),
        SessionPhase::Extended if !extended_hours => Err(SessionFault::OutsideRegularHours),
        SessionPhase::Extended if matches!(order_type, OrderType::Market | OrderType::Stop) => {
            Err(SessionFault::MarketOutsideRegularHours)
        }
        SessionPhase::Extended => Ok(()),
    }
}

/// Whether an order that is working lives on when the window it was sent in ends: `ends_regular` says that the window was
/// the regular session. A good-till-cancelled order survives every boundary. A day order ends with the regular session,
/// and one with `extended_hours` with the window it was sent in, be it pre-market, regular or post-market; without
/// `extended_hours` it waits through the windows it cannot trade in. An order for the opening ends with the regular
/// session at the latest.
#[must_use]
pub fn survives(tif: TimeInForce, extended_hours: bool, ends_regular: bool) -> bool {
    match tif {
        TimeInForce::Gtc => true,
        TimeInForce::Day => !ends_regular && !extended_hours,
        TimeInForce::Opg => !ends_regular,
        TimeInForce::Ioc | TimeInForce::Fok => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_takes_its_orders() {
        use OrderType::{Limit, Market, MarketableLimit, Stop, StopLimit};
        use SessionFault::{Closed, MarketOutsideRegularHours as NoLimit, OutsideRegularHours as NotAsked};
        for kind in [Market, Limit, Stop, StopLimit, MarketableLimit] {
            for tif in TimeInForce::ALL {
                for asked in [false, true] {
                    let opening = *tif == TimeInForce::Opg;
                    let extended = match (opening, asked, matches!(kind, Market | Stop)) {
                        (true, ..) | (false, true, false) => Ok(()),
                        (false, false, _) => Err(NotAsked),
                        (false, true, true) => Err(NoLimit),
                    };
                    let closed = if opening { Ok(()) } else { Err(Closed) };
                    for (phase, expected) in [
                        (SessionPhase::Regular, Ok(())),
                        (SessionPhase::NoCalendar, Ok(())),
                        (SessionPhase::Extended, extended),
                        (SessionPhase::Closed, closed),
                    ] {
                        assert_eq!(
                            may_be_sent(kind, *tif, asked, phase),
                            expected,
                            "{kind} {tif} {asked} {phase}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn orders_end_with_their_window() {
        for (tif, asked, at_window, at_close) in [
            (TimeInForce::Gtc, false, true, true),
            (TimeInForce::Gtc, true, true, true),
            (TimeInForce::Day, false, true, false),
            (TimeInForce::Day, true, false, false),
            (TimeInForce::Opg, false, true, false),
            (TimeInForce::Ioc, true, false, false),
            (TimeInForce::Fok, false, false, false),
        ] {
            let lives = (survives(tif, asked, false), survives(tif, asked, true));
            assert_eq!(lives, (at_window, at_close), "{tif} {asked}");
        }
    }
}
