//! The arithmetic of the vectors' origin, written down once more in floating point.
//!
//! Where a decision makes a step of the file impossible for us (a fill of a negative quantity), everything behind it
//! differs too, and the file no longer says what is right. This does: it is the origin's own arithmetic, in its own
//! order of operations, and with [`Refusal::NotPositive`] it leaves out what we refuse. A test below shows that
//! with the origin's own refusal it gives every position and all cash of the file to the last bit.

use std::collections::BTreeMap;

/// What the reference refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What the origin refuses: fills without a quantity or a price, or with zero for one.
    Missing,
    /// Fills whose quantity or price is negative, too.
    NotPositive,
}

/// An open position, as the file shows it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
pub(super) struct FloatPosition {
    /// Signed units.
    pub(super) quantity: f64,
    /// Average price.
    pub(super) entry_price: f64,
    /// Last price seen.
    pub(super) current_price: f64,
}

/// A portfolio in floating point; `K` is how it names instruments.
#[derive(Debug, Clone)]
pub(super) struct Reference<K> {
    refusal: Refusal,
    pub(super) cash: f64,
    pub(super) positions: BTreeMap<K, FloatPosition>,
}

impl<K: Ord> Reference<K> {
    pub(super) fn new(refusal: Refusal, cash: f64) -> Self {
        Self { refusal, cash, positions: BTreeMap::new() }
    }

    /// Books a fill; `sign` is 1 for a purchase and -1 for a sale.
    pub(super) fn fill(&mut self, asset: K, sign: f64, quantity: Option<f64>, price: Option<f64>) {
        let (Some(quantity), Some(price)) = (quantity, price) else { return };
        let refused = match self.refusal {
            Refusal::Missing => quantity == 0.0 || price == 0.0,
            Refusal::NotPositive => quantity <= 0.0 || price <= 0.0,
        };
        if refused {
            return;
        }
        let amount = quantity * price;
        self.cash = if sign > 0.0 { self.cash - amount } else { self.cash + amount };
        let delta = sign * quantity;
        let opened = FloatPosition { quantity: delta, entry_price: price, current_price: price };
        let Some(held) = self.positions.get_mut(&asset) else {
            self.positions.insert(asset, opened);
            return;
        };
        let old = held.quantity;
        let new = old + delta;
        if new == 0.0 {
            self.positions.remove(&asset);
        } else if (old > 0.0) != (new > 0.0) {
            *held = FloatPosition { quantity: new, ..opened };
        } else {
            if new.abs() > old.abs() {
                held.entry_price = ((old * held.entry_price + delta * price) / new).abs();
            }
            held.quantity = new;
            held.current_price = price;
        }
    }

    /// Revalues an instrument that is held.
    pub(super) fn mark(&mut self, asset: &K, price: f64) {
        if let Some(held) = self.positions.get_mut(asset) {
            held.current_price = price;
        }
    }

    /// Cash and the signed value of what is held.
    pub(super) fn account_value(&self) -> f64 {
        self.cash + self.positions.values().map(|held| held.quantity * held.current_price).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sequences, Step};
    use super::*;

    fn own_vectors() -> Sequences {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/ml4t/virtual_portfolio.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn bits(held: &FloatPosition) -> [u64; 3] {
        [held.quantity, held.entry_price, held.current_price].map(f64::to_bits)
    }

    #[test]
    fn the_reference_repeats_the_file_to_the_last_bit() {
        let mut steps = 0;
        for sequence in own_vectors().sequences {
            let mut reference = Reference::new(Refusal::Missing, sequence.initial_cash);
            for step in &sequence.steps {
                match step {
                    Step::Fill(fill) => reference.fill(
                        fill.asset.clone(),
                        fill.side.sign(),
                        fill.filled_quantity,
                        fill.filled_price,
                    ),
                    Step::Mark(mark) => {
                        mark.prices.iter().for_each(|(asset, price)| reference.mark(asset, *price));
                    }
                }
                steps += 1;
                let expected = &step.checks().expect;
                let case = format!("{} step {steps}", sequence.id);
                assert_eq!(reference.cash.to_bits(), expected.cash.to_bits(), "{case}: cash");
                assert!(reference.positions.keys().eq(expected.positions.keys()), "{case}: positions");
                for (ours, theirs) in reference.positions.values().zip(expected.positions.values()) {
                    assert_eq!(bits(ours), bits(theirs), "{case}: {ours:?} and {theirs:?}");
                }
            }
        }
        assert_eq!(steps, 3399);
    }

    #[test]
    fn fills_that_are_not_positive_are_left_out_when_asked() {
        for (quantity, price) in [(-10.0, 10.0), (10.0, -10.0), (0.0, 10.0), (10.0, 0.0)] {
            let mut reference = Reference::new(Refusal::NotPositive, 1000.0);
            reference.fill("A", 1.0, Some(quantity), Some(price));
            assert!(reference.positions.is_empty(), "{quantity} at {price}");
            assert_eq!(reference.account_value().to_bits(), 1000_f64.to_bits());
        }
        let mut origin = Reference::new(Refusal::Missing, 1000.0);
        origin.fill("A", 1.0, Some(-10.0), Some(10.0));
        origin.fill("B", 1.0, None, Some(10.0));
        assert_eq!(origin.positions.keys().collect::<Vec<_>>(), [&"A"]);
    }
}
