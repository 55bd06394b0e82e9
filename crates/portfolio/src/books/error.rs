//! Why the books refuse an event.

use mts_foundation::corporate_action::CorporateActionError;
use mts_foundation::lots::LotError;
use mts_foundation::position::OutOfRange;
use mts_foundation::{Decimal, FundId, Symbol};

/// Why the books refuse an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BooksError {
    /// No such fund.
    #[error("fund {fund_id} is not in these books; open it with its first cash")]
    UnknownFund {
        /// Which.
        fund_id: FundId,
    },
    /// The fund is there already.
    #[error("fund {fund_id} is opened twice; give each fund its own id")]
    DuplicateFund {
        /// Which.
        fund_id: FundId,
    },
    /// The engine's ledger says something else.
    #[error(
        "{what} of fund {fund_id}{} is {ours} in the books and {ledger} in the ledger; were all events of the journal read, \
         from its beginning?",
        .symbol.as_ref().map(|symbol| format!(" in {symbol}")).unwrap_or_default()
    )]
    Diverged {
        /// Which fund.
        fund_id: FundId,
        /// What differs.
        what: &'static str,
        /// In which instrument.
        symbol: Option<Symbol>,
        /// By these books.
        ours: Decimal,
        /// By the ledger.
        ledger: Decimal,
    },
    /// The lots refuse a fill.
    #[error(transparent)]
    Lots(#[from] LotError),
    /// An issuer's action cannot take effect.
    #[error(transparent)]
    CorporateAction(#[from] CorporateActionError),
    /// A value leaves the range of decimals.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}
