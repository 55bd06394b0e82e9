//! What the venue says its book is, against ours.

use super::levels::Book;
use crate::stream::protocol::Level;
use mts_foundation::Decimal;
use std::fmt::{self, Write};
use std::sync::LazyLock;

/// A checksum of the best levels after an update, as the venue makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Ten asks, then ten bids, best first: the digits of price and size.
    Kraken(u32),
    /// 25 bids and asks by turns, best first: `price:size` as they were sent.
    Okx(i32),
}

impl Checksum {
    /// Whether a book has it. The levels must have come with the digits that the venue sent, the last zeros included.
    #[must_use]
    pub fn fits(self, book: &Book) -> bool {
        match self {
            Self::Kraken(expected) => kraken(book) == expected,
            Self::Okx(expected) => okx(book).to_le_bytes() == expected.to_le_bytes(),
        }
    }
}

fn kraken(book: &Book) -> u32 {
    let mut crc = Crc::new();
    for Level { price, size } in book.asks().take(10).chain(book.bids().take(10)) {
        crc.digits(*price);
        crc.digits(*size);
    }
    crc.sum()
}

fn okx(book: &Book) -> u32 {
    let mut crc = Crc::new();
    let (mut bids, mut asks) = (book.bids(), book.asks());
    let mut separator = "";
    for _ in 0..25 {
        for Level { price, size } in [bids.next(), asks.next()].into_iter().flatten() {
            // Writing into a checksum cannot fail.
            write!(crc, "{separator}{price}:{size}").unwrap_or_default();
            separator = ":";
        }
    }
    crc.sum()
}

/// CRC-32 with the polynomial of Ethernet and of zip, a byte at a time.
static TABLE: LazyLock<[u32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|place| {
        let half = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        (0..8).fold(u32::try_from(place).unwrap_or_default(), half)
    })
});

struct Crc {
    state: u32,
    table: &'static [u32; 256],
}

impl Crc {
    fn new() -> Self {
        Self { state: u32::MAX, table: &TABLE }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [low, ..] = self.state.to_le_bytes();
            let entry = self.table.get(usize::from(low ^ byte)).copied().unwrap_or_default();
            self.state = (self.state >> 8) ^ entry;
        }
    }

    /// The digits of a number as it was sent, without its point and the zeros before it.
    fn digits(&mut self, number: Decimal) {
        let mut text = [0_u8; 40];
        let mut rest = number.mantissa().unsigned_abs();
        let mut length = 0;
        for place in text.iter_mut().rev() {
            let (digit, left) = match u64::try_from(rest) {
                Ok(small) => (u128::from(small % 10), u128::from(small / 10)),
                Err(_) => (rest % 10, rest / 10),
            };
            *place = b'0' + u8::try_from(digit).unwrap_or_default();
            length += 1;
            rest = left;
            if rest == 0 {
                break;
            }
        }
        self.bytes(text.get(text.len() - length..).unwrap_or_default());
    }

    fn sum(&self) -> u32 {
        !self.state
    }
}

impl Write for Crc {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
