//! Names and identifiers: trimmed, non-empty strings, each kind its own type.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Longest identifier in bytes; a venue cannot make us keep more.
pub const MAX_ID_BYTES: usize = 256;

/// A text that cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {value:?} is not usable: {fault}")]
pub struct InvalidId {
    /// Which kind of identifier was wanted, as its field name.
    pub kind: &'static str,
    /// The offending text, cut to a readable length.
    pub value: String,
    /// What is wrong and what to write instead.
    pub fault: &'static str,
}

/// Trims `text` and checks that it is non-empty, printable and not too long.
pub(crate) fn checked(kind: &'static str, text: &str) -> Result<SmolStr, InvalidId> {
    if is_plain(text) {
        return Ok(SmolStr::new(text));
    }
    let trimmed = text.trim();
    let fault = if trimmed.is_empty() {
        "it is empty; give at least one character"
    } else if trimmed.len() > MAX_ID_BYTES {
        "it is longer than 256 bytes; shorten it"
    } else if trimmed.chars().any(char::is_control) {
        "it holds a control character; remove it"
    } else {
        return Ok(SmolStr::new(trimmed));
    };
    Err(InvalidId { kind, value: trimmed.chars().take(40).collect(), fault })
}

/// The same of a text that is kept as it is where nothing is to be trimmed, as nearly always.
pub(crate) fn checked_text(kind: &'static str, text: SmolStr) -> Result<SmolStr, InvalidId> {
    if is_plain(&text) { Ok(text) } else { checked(kind, &text) }
}

/// Whether a text is an identifier at first sight: printable ASCII without a space at its ends.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let graphic = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    // Without a way out on the first byte that is not: short texts are looked at whole in a few instructions.
    let printable = bytes.iter().fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'));
    printable && bytes.len() <= MAX_ID_BYTES && graphic(bytes.first()) && graphic(bytes.last())
}

/// Defines a string newtype with the checks of [`checked`].
macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "SmolStr")]
        #[cfg_attr(feature = "schema", schemars(extend(
            "minLength" = 1, "maxLength" = MAX_ID_BYTES, "pattern" = crate::schema::IDENTIFIER
        )))]
        pub struct $name(SmolStr);

        impl $name {
            /// Trims and checks the text.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long or holds control characters.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                checked($kind, text.as_ref()).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl TryFrom<SmolStr> for $name {
            type Error = InvalidId;
            fn try_from(text: SmolStr) -> Result<Self, InvalidId> {
                checked_text($kind, text).map(Self)
            }
        }

        impl From<$name> for SmolStr {
            fn from(id: $name) -> SmolStr {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

string_id!(
    /// Our id of an order, unique for ever within one journal.
    OrderId,
    "order_id"
);
string_id!(
    /// A venue's id of an order.
    BrokerOrderId,
    "broker_order_id"
);
string_id!(
    /// A venue's id of an execution, unique per venue and account.
    FillId,
    "fill_id"
);
string_id!(
    /// A fund: the unit that owns cash, positions and an envelope.
    FundId,
    "fund_id"
);
string_id!(
    /// A strategy: the unit that gives commands.
    StrategyId,
    "strategy_id"
);
string_id!(
    /// The registry key of a broker: `paper`, `ibkr`, `coinbase`.
    BrokerName,
    "broker"
);
string_id!(
    /// An account at a broker; several funds may share one.
    AccountId,
    "account_id"
);
string_id!(
    /// Who acts, for the audit trail: a strategy, an operator, a script.
    ActorId,
    "actor"
);
string_id!(
    /// Where an execution took place.
    VenueName,
    "venue"
);
string_id!(
    /// The id of a risk envelope; its versions share it.
    EnvelopeId,
    "envelope_id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_trimmed_and_checked() {
        assert_eq!(FundId::new("  alpha ").unwrap().as_str(), "alpha");
        let error = OrderId::new("   ").unwrap_err().to_string();
        assert_eq!(error, "order_id \"\" is not usable: it is empty; give at least one character");
        assert!(ActorId::new("a\u{7}b").is_err());
        assert!(BrokerName::new("x".repeat(257)).is_err());
        assert!(serde_json::from_str::<FundId>("\" \"").is_err());
        assert_eq!(serde_json::to_string(&FundId::new("x").unwrap()).unwrap(), "\"x\"");
    }
}
