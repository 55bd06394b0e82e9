//! What TWS tells, in words of our own: exact numbers in place of the library's floats, and JSON, so that what was told can be
//! kept and told again. Names that nobody has seen before are kept as they are.

use crate::kit::number;
use mts_foundation::Decimal;
use mts_foundation::num::{exact as exact_text, exact_option};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// One thing that TWS has told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// From here on everything is told.
    Live,
    /// An order with all that it is.
    Order(WireOrder),
    /// Where an order is in its life.
    Status(WireStatus),
    /// A trade, with what it cost if that is known.
    Execution {
        execution: WireExecution,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fees: Option<WireFees>,
    },
    /// What an earlier trade has cost.
    Fees(WireFees),
    /// A message for people, with a code.
    Notice(WireNotice),
}

/// An instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContractFields {
    /// TWS's number of it; 0 = not known.
    pub con_id: i32,
    /// `STK`, `OPT`, `FUT`, `CASH`, `CRYPTO` and others.
    pub sec_type: SmolStr,
    /// The underlying's.
    pub symbol: SmolStr,
    /// The instrument's own name.
    pub local_symbol: SmolStr,
    /// `yyyymmdd` or `yyyymm`.
    pub expiry: SmolStr,
    /// Of an option.
    #[serde(with = "exact_text")]
    pub strike: Decimal,
    /// `C`, `P` or nothing.
    pub right: SmolStr,
    /// Units of the underlying; 1 where none is said.
    #[serde(with = "exact_text")]
    pub multiplier: Decimal,
    /// Where it is routed to, or has traded.
    pub exchange: SmolStr,
    /// Where it is listed.
    pub primary_exchange: SmolStr,
    /// What it is paid with.
    pub currency: SmolStr,
}

/// An order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WireOrder {
    /// The number that its client gave it; below 1 where TWS does not say it.
    pub(super) order_id: i32,
    pub(super) client_id: i32,
    /// TWS's number of it, for ever; 0 = none yet.
    pub(super) perm_id: i64,
    /// What its client wrote on it.
    pub(super) order_ref: SmolStr,
    pub(super) account: SmolStr,
    pub(super) contract: ContractFields,
    pub(super) action: SmolStr,
    #[serde(with = "exact_text")]
    pub(super) quantity: Decimal,
    pub(super) order_type: SmolStr,
    #[serde(with = "exact_option")]
    pub(super) limit_price: Option<Decimal>,
    #[serde(with = "exact_option")]
    pub(super) stop_price: Option<Decimal>,
    pub(super) tif: SmolStr,
    pub(super) outside_rth: bool,
    pub(super) status: SmolStr,
    #[serde(with = "exact_text")]
    pub(super) filled: Decimal,
    #[serde(with = "exact_option")]
    pub(super) average_price: Option<Decimal>,
    /// Why it was refused or how it ended, in TWS's words.
    pub(super) reason: SmolStr,
}

/// Where an order is in its life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WireStatus {
    pub(super) order_id: i32,
    pub(super) client_id: i32,
    pub(super) perm_id: i64,
    pub(super) status: SmolStr,
    #[serde(with = "exact_text")]
    pub(super) filled: Decimal,
    #[serde(with = "exact_option")]
    pub(super) average_price: Option<Decimal>,
}

/// A trade.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WireExecution {
    /// `aaaaaaaa.bbbbbbbb.cc.dd`: all but the last group name the trade, the last one counts its corrections.
    pub(super) id: SmolStr,
    pub(super) order_id: i32,
    pub(super) client_id: i32,
    pub(super) perm_id: i64,
    pub(super) order_ref: SmolStr,
    pub(super) account: SmolStr,
    pub(super) contract: ContractFields,
    pub(super) bought: bool,
    #[serde(with = "exact_text")]
    pub(super) quantity: Decimal,
    #[serde(with = "exact_text")]
    pub(super) price: Decimal,
    /// Units of the order that were filled with it.
    #[serde(with = "exact_text")]
    pub(super) cumulative: Decimal,
    pub(super) exchange: SmolStr,
    /// ISO-8601, with seconds.
    pub(super) time: SmolStr,
    /// What of it cannot be read; whose it is always can.
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) fault: SmolStr,
}

/// What a trade has cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WireFees {
    /// Of the trade.
    pub(super) id: SmolStr,
    #[serde(with = "exact_text")]
    pub(super) amount: Decimal,
    pub(super) currency: SmolStr,
    /// What one unit of the currency is worth in the account's; `None` = nobody knows.
    #[serde(with = "exact_option")]
    pub(super) rate: Option<Decimal>,
}

/// A message for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WireNotice {
    /// The order or request that it is about; `None` = the connection.
    pub(super) about: Option<i32>,
    pub(super) code: i32,
    pub(super) message: String,
}

/// The decimal that a float stands for: the shortest one that reads back as the same float. TWS's own texts have at most 15
/// digits, for which that is the text it has sent.
pub(super) fn exact(value: f64) -> Option<Decimal> {
    value.is_finite().then(|| number::parse(&value.to_string())).flatten()
}

/// The float that stands for a decimal; `None` where another decimal would arrive.
pub(super) fn float(value: Decimal) -> Option<f64> {
    let float: f64 = value.to_string().parse().ok()?;
    (exact(float) == Some(value.normalize())).then_some(float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_float_cannot_say_is_not_said() {
        for (text, fits) in
            [("0.1", true), ("98.12345678", true), ("900000000000", true), ("0.00000001", true)]
        {
            let value: Decimal = text.parse().unwrap();
            assert_eq!(float(value).is_some(), fits, "{text}");
        }
        for text in ["12345678901234567.8", "0.12345678901234567890123"] {
            assert_eq!(float(text.parse().unwrap()), None, "{text}");
        }
        for strange in [f64::NAN, f64::INFINITY, f64::MAX, 1e300] {
            assert_eq!(exact(strange), None);
        }
    }

    proptest! {
        #[test]
        fn fifteen_digits_go_there_and_come_back(units in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u32..12) {
            let value = Decimal::new(units, scale).normalize();
            prop_assert_eq!(float(value).and_then(exact), Some(value));
        }
    }
}
