//! TWS's codes and what they mean.
//!
//! | codes | mean |
//! |---|---|
//! | 100 | asked too often |
//! | 103, 104 | the order id was used before: whose order it was is looked up |
//! | 105–134, 200–398 without those below | this order is refused |
//! | 135, 136, 161, 10147, 10148 | there is nothing to cancel, or it cannot be: the order is looked up |
//! | 202 | cancelled |
//! | 317, 354, 399, 404, 2100–2199, 10089–10091, 10167 | say nothing about an order's fate |
//! | 502, 504, 1100, 1300, 2110 | TWS does not reach Interactive Brokers, or is not reached |
//! | 1101, 1102 | it does again: what was missed is asked for |
//!
//! Every other one leaves an order as unknown as it was.

/// What a code says of the order that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    None,
    /// It is refused.
    Refused,
    /// It is cancelled.
    Canceled,
    /// Its number was used before.
    UsedId,
    /// It cannot be cancelled, as it has ended or is not known.
    NotCancellable,
    /// Nobody can say.
    Unclear,
}

/// What a code with an order's number says of the order.
pub(super) fn verdict(code: i32) -> Verdict {
    match code {
        202 => Verdict::Canceled,
        103 | 104 => Verdict::UsedId,
        135 | 136 | 161 | 10_147 | 10_148 => Verdict::NotCancellable,
        // 399 warns, or says that the order is held or works under a condition: an order's end is told by its status.
        0 | 317 | 354 | 399 | 404 | 2_100..=2_199 | 10_089..=10_091 | 10_167 => Verdict::None,
        100 | 326 => Verdict::Unclear,
        105..=134 | 200..=398 => Verdict::Refused,
        _ => Verdict::Unclear,
    }
}

/// What a code without a number says of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing.
    Fair,
    /// TWS does not reach Interactive Brokers.
    Down,
    /// TWS does not answer this question, for that reason or another.
    NoAnswer,
    /// It reaches Interactive Brokers again.
    Up,
    /// This connection will not do any more.
    Over,
    /// Asked too often.
    TooMany,
    /// Something was told that was not understood or was dropped.
    Missed,
}

/// What a code says of the connection.
pub(super) fn weather(code: i32) -> Weather {
    match code {
        100 => Weather::TooMany,
        502 | 504 => Weather::NoAnswer,
        1_100 | 2_110 => Weather::Down,
        1_101 | 1_102 => Weather::Up,
        1_300 => Weather::Over,
        // The library's own: frames of a kind it does not know, and frames that were dropped.
        -7..=-3 => Weather::Missed,
        _ => Weather::Fair,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_refuse_an_order_does() {
        for code in [105, 109, 110, 113, 200, 201, 203, 321, 322, 323, 388] {
            assert_eq!(verdict(code), Verdict::Refused, "{code}");
        }
        for code in [399, 404, 2_109, 2_137, 10_167, 0] {
            assert_eq!(verdict(code), Verdict::None, "{code}");
        }
        for code in [100, 504, 1_100, 10_999, 20_000, -1] {
            assert_eq!(verdict(code), Verdict::Unclear, "{code}");
        }
        assert_eq!((verdict(202), verdict(103)), (Verdict::Canceled, Verdict::UsedId));
        for code in [135, 161, 10_147, 10_148] {
            assert_eq!(verdict(code), Verdict::NotCancellable, "{code}");
        }
    }
}
