//! Canonical symbols, asset classes and currencies.

use crate::ids::{InvalidId, checked, checked_text};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A canonical instrument symbol, such as `AAPL`, `BRK.B`, `0700.HK`, `BTC-USD` or `AAPL260116C00200000`
/// (decision M4). Kept in upper case, so that comparing two symbols compares their canonical forms; up to 23 bytes
/// are held without an allocation.
///
/// Any printable text without spaces is accepted, because an instrument table may hold ids that are in no canonical
/// form; `parts` reads the forms and refuses the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "SmolStr")]
#[cfg_attr(feature = "schema", schemars(extend(
    "minLength" = 1, "maxLength" = crate::ids::MAX_ID_BYTES, "pattern" = crate::schema::SYMBOL,
    "examples" = ["AAPL", "BRK.B", "BTC-USD"]
)))]
pub struct Symbol(SmolStr);

impl Symbol {
    /// Trims and upper-cases the text.
    ///
    /// # Errors
    /// [`InvalidId`] when it is empty, too long, or holds white space or control characters.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        checked("symbol", text.as_ref()).and_then(Self::of)
    }

    /// A symbol of a text that was checked as identifiers are.
    fn of(text: SmolStr) -> Result<Self, InvalidId> {
        // One look at the bytes says of nearly every symbol that there is nothing to do.
        let plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_lowercase();
        if text.bytes().fold(true, |so_far, byte| so_far & plain(byte)) {
            return Ok(Self(text));
        }
        if text.contains(char::is_whitespace) {
            return Err(InvalidId {
                kind: "symbol",
                value: text.to_string(),
                fault: "it holds white space; write the canonical form, such as BRK.B or BTC-USD",
            });
        }
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Ok(Self(SmolStr::new(text.to_ascii_uppercase())));
        }
        Ok(Self(text))
    }

    /// A symbol of a text that is canonical already.
    pub(crate) fn canonical(text: SmolStr) -> Self {
        Self(text)
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<SmolStr> for Symbol {
    type Error = InvalidId;
    fn try_from(text: SmolStr) -> Result<Self, InvalidId> {
        checked_text("symbol", text).and_then(Self::of)
    }
}

impl From<Symbol> for SmolStr {
    fn from(symbol: Symbol) -> SmolStr {
        symbol.0
    }
}

impl std::str::FromStr for Symbol {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(&self.0)
    }
}

impl AsRef<str> for Symbol {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What kind of thing an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AssetClass {
    /// Shares and exchange-traded funds.
    Equities,
    /// Listed options.
    Options,
    /// Currency pairs whose both sides are ISO 4217 codes.
    Fx,
    /// Dated and perpetual futures.
    Futures,
    /// Spot digital assets.
    Crypto,
    /// Prediction-market contracts.
    Prediction,
    /// Sports-market contracts.
    Sports,
}

impl AssetClass {
    /// All classes, in wire order.
    pub const ALL: [Self; 7] = [
        Self::Equities,
        Self::Options,
        Self::Fx,
        Self::Futures,
        Self::Crypto,
        Self::Prediction,
        Self::Sports,
    ];

    /// The wire spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equities => "equities",
            Self::Options => "options",
            Self::Fx => "fx",
            Self::Futures => "futures",
            Self::Crypto => "crypto",
            Self::Prediction => "prediction",
            Self::Sports => "sports",
        }
    }
}

impl std::fmt::Display for AssetClass {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(self.as_str())
    }
}

impl std::str::FromStr for AssetClass {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(text.trim())).ok_or_else(
            || InvalidId {
                kind: "asset_class",
                value: text.to_owned(),
                fault: "use one of equities, options, fx, futures, crypto, prediction, sports",
            },
        )
    }
}

/// A currency or a unit of account: an upper-case code of three to eight letters or digits (`USD`, `USDT`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "SmolStr", into = "SmolStr")]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = crate::schema::CURRENCY, "examples" = ["USD"])))]
pub struct Currency([u8; 8]);

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD\0\0\0\0\0");

    /// Trims and upper-cases the code.
    ///
    /// # Errors
    /// [`InvalidId`] when it is not three to eight ASCII letters or digits.
    pub fn new(code: impl AsRef<str>) -> Result<Self, InvalidId> {
        let code = code.as_ref().trim();
        let fits = (3..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            return Err(InvalidId {
                kind: "currency",
                value: code.chars().take(40).collect(),
                fault: "write a code of three to eight letters, such as USD",
            });
        }
        let mut bytes = [0_u8; 8];
        for (slot, byte) in bytes.iter_mut().zip(code.bytes()) {
            *slot = byte.to_ascii_uppercase();
        }
        Ok(Self(bytes))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..end).and_then(|code| std::str::from_utf8(code).ok()).unwrap_or("")
    }
}

impl std::str::FromStr for Currency {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl TryFrom<SmolStr> for Currency {
    type Error = InvalidId;
    fn try_from(text: SmolStr) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl From<Currency> for SmolStr {
    fn from(currency: Currency) -> SmolStr {
        SmolStr::new(currency.as_str())
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_compare_in_canonical_form() {
        assert_eq!(Symbol::new(" brk.b ").unwrap(), Symbol::new("BRK.B").unwrap());
        assert!(Symbol::new("BRK B").unwrap_err().to_string().contains("white space"));
        assert!(Symbol::new("").is_err());
    }

    #[test]
    fn currencies_and_classes_round_trip() {
        let currency: Currency = serde_json::from_str("\"usdt\"").unwrap();
        assert_eq!(serde_json::to_string(&currency).unwrap(), "\"USDT\"");
        assert!(Currency::new("US").is_err());
        for class in AssetClass::ALL {
            assert_eq!(class.as_str().parse::<AssetClass>().unwrap(), class);
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{class}\""));
        }
    }
}
