//! Numbers that look random and are the same for the same seed, on every machine.

/// xoshiro256++ of Blackman and Vigna, filled by splitmix64. Each concern of the simulation draws from a stream of its own,
/// so that switching one fault off leaves the draws of the others where they were.
#[derive(Debug, Clone)]
pub struct Random([u64; 4]);

impl Random {
    /// The stream `number` of a seed.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        let mut state = seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F);
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// A number from `low` to `high`, both included; `low` when `high` is less.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let drawn = self.bits();
        low + drawn % high.saturating_sub(low).saturating_add(1).max(1)
    }

    /// True in so many of a thousand cases. Draws once, whatever the rate.
    pub fn chance(&mut self, per_thousand: u32) -> bool {
        self.bits() % 1_000 < u64::from(per_thousand)
    }

    /// A place in a list of this length; zero for an empty one.
    pub fn index(&mut self, length: usize) -> usize {
        let end = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// One of them; none of nothing.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_streams_differ() {
        let draw = |seed, number| {
            let mut random = Random::new(seed, number);
            (0..50).map(|_| random.between(3, 9)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
        assert!((3..=9).all(|wanted| draw(1, 0).contains(&wanted)));
    }
}
