//! Trades and their costs, which TWS tells apart: a trade waits a moment for its cost, so that most fills are told whole. What
//! was told after it waits behind it: an order does not end before its trades are told. Pure.

use super::wire::{Told, WireFees};
use std::collections::VecDeque;
use std::time::Duration;

/// Most that waits at once; the oldest goes on as it is.
const MAX_WAITING: usize = 4_096;

/// Most costs that are kept in case their trade comes after them.
const MAX_EARLY: usize = 256;

/// What was told and waits, oldest first. Instants are readings of a monotonic clock.
#[derive(Debug)]
pub(super) struct Joiner {
    within: Duration,
    /// With the instant until which it waits for its cost.
    waiting: VecDeque<(Option<Duration>, Told)>,
    early: VecDeque<WireFees>,
}

impl Joiner {
    pub(super) fn new(within: Duration) -> Self {
        Self { within, waiting: VecDeque::new(), early: VecDeque::new() }
    }

    /// Takes what was told.
    pub(super) fn take(&mut self, mut told: Told, now: Duration, out: &mut VecDeque<Told>) {
        let mut until = None;
        match &mut told {
            Told::Execution { execution, fees } if fees.is_none() => {
                match self.early.iter().position(|early| early.id == execution.id) {
                    Some(place) => *fees = self.early.remove(place),
                    None => until = Some(now.saturating_add(self.within)),
                }
            }
            Told::Fees(cost) => {
                let mut queue = self.waiting.iter_mut();
                let of = queue.find_map(|(until, told)| match told {
                    Told::Execution { execution, fees } if fees.is_none() && execution.id == cost.id => {
                        Some((until, fees))
                    }
                    _ => None,
                });
                if let Some((until, fees)) = of {
                    (*until, *fees) = (None, Some(cost.clone()));
                    return self.release(now, out);
                }
                // Of a trade that went on without, or of one that comes yet.
                if self.early.len() >= MAX_EARLY {
                    self.early.pop_front();
                }
                self.early.push_back(cost.clone());
            }
            _ => {}
        }
        self.waiting.push_back((until, told));
        if self.waiting.len() > MAX_WAITING {
            out.extend(self.waiting.pop_front().map(|(_, told)| told));
        }
        self.release(now, out);
    }

    /// Lets go on what waits for nothing, or has waited long enough.
    pub(super) fn release(&mut self, now: Duration, out: &mut VecDeque<Told>) {
        while self.waiting.front().is_some_and(|(until, _)| until.is_none_or(|until| until <= now)) {
            out.extend(self.waiting.pop_front().map(|(_, told)| told));
        }
    }

    /// When the first has waited long enough.
    pub(super) fn due(&self) -> Option<Duration> {
        self.waiting.front().and_then(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{WireExecution, WireStatus};
    use super::*;

    fn trade(id: &str) -> Told {
        Told::Execution { execution: WireExecution { id: id.into(), ..WireExecution::default() }, fees: None }
    }

    fn cost(id: &str) -> Told {
        Told::Fees(WireFees { id: id.into(), ..WireFees::default() })
    }

    fn status(name: &str) -> Told {
        Told::Status(WireStatus { status: name.into(), ..WireStatus::default() })
    }

    /// What comes out of things that are told at some milliseconds, 100 of which a trade waits.
    fn out(told: Vec<(u64, Option<Told>)>) -> Vec<String> {
        let (mut joiner, mut out) = (Joiner::new(Duration::from_millis(100)), VecDeque::new());
        for (millis, told) in told {
            let now = Duration::from_millis(millis);
            match told {
                Some(told) => joiner.take(told, now, &mut out),
                None => joiner.release(now, &mut out),
            }
        }
        let name = |told: &Told| match told {
            Told::Execution { execution, fees } => format!("{} {}", execution.id, fees.is_some()),
            Told::Fees(fees) => format!("cost {}", fees.id),
            Told::Status(status) => status.status.to_string(),
            other => format!("{other:?}"),
        };
        out.iter().map(name).collect()
    }

    #[test]
    fn a_trade_waits_for_its_cost_and_not_for_ever() {
        let told = vec![(0, Some(trade("a"))), (50, Some(trade("b"))), (60, Some(cost("b")))];
        assert_eq!(out(told.clone()), [""; 0], "b waits behind a");
        let both = told.iter().cloned().chain([(70, Some(cost("a")))]).collect();
        assert_eq!(out(both), ["a true", "b true"]);
        let late = told.into_iter().chain([(99, None), (100, None), (120, Some(cost("a")))]).collect();
        assert_eq!(out(late), ["a false", "b true", "cost a"]);
    }

    #[test]
    fn an_order_does_not_end_before_its_trades() {
        let told = vec![(0, Some(trade("a"))), (0, Some(status("Filled"))), (1, Some(cost("a")))];
        assert_eq!(out(told), ["a true", "Filled"]);
        assert_eq!(out(vec![(0, Some(status("Submitted")))]), ["Submitted"]);
    }

    #[test]
    fn a_cost_may_come_first() {
        assert_eq!(out(vec![(0, Some(cost("a"))), (0, Some(trade("a")))]), ["cost a", "a true"]);
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let many = (0..=MAX_WAITING).map(|number| (0, Some(trade(&number.to_string())))).collect();
        assert_eq!(out(many), ["0 false"]);
    }
}
