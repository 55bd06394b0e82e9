//! Made-up numbers for drills: the same for the same seed, on every machine.

/// A generator of Marsaglia's kind (xorshift, 2003).
#[derive(Debug, Clone)]
pub(crate) struct Xorshift(u64);

impl Xorshift {
    /// The numbers of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// True in so many of a thousand cases.
    pub(crate) fn chance(&mut self, per_thousand: u32) -> bool {
        self.draw() % 1_000 < u64::from(per_thousand)
    }
}
