//! What one event did to the books.

use chrono::NaiveDate;
use mts_foundation::lots::LotChange;
use mts_foundation::num::exact;
use mts_foundation::{
    CashKind, CorporateAction, Decimal, FillId, FundId, Side, StrategyId, Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What kind of thing happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingKind {
    /// Something was traded.
    Fill {
        /// Direction and effect.
        side: Side,
        /// Units.
        #[serde(with = "exact")]
        quantity: Decimal,
        /// Price per unit.
        #[serde(with = "exact")]
        price: Decimal,
    },
    /// Units were taken over from an account: nobody traded, and the cash comes back as capital.
    Adopted {
        /// Direction and effect.
        side: Side,
        /// Units.
        #[serde(with = "exact")]
        quantity: Decimal,
        /// Price at which they were taken over.
        #[serde(with = "exact")]
        price: Decimal,
    },
    /// Cash moved for another reason.
    Cash(CashKind),
    /// An issuer acted.
    Action(CorporateAction),
}

/// One line of the cash ledger, with what it did to lots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posting {
    /// Whose.
    pub fund_id: FundId,
    /// In whose strategy it counts; `None` = in none.
    pub strategy_id: Option<StrategyId>,
    /// When.
    pub time: Timestamp,
    /// Trade date, where the instrument trades.
    pub date: NaiveDate,
    /// What happened.
    pub kind: PostingKind,
    /// In which instrument.
    pub symbol: Option<Symbol>,
    /// The fill that it is, or belongs to.
    pub fill_id: Option<FillId>,
    /// What caused it: the fill, the movement, the action.
    pub cause: SmolStr,
    /// Cash that it brought (positive) or took, before fees, in the fund's currency.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Fees that it cost.
    #[serde(with = "exact")]
    pub fees: Decimal,
    /// Cash after.
    #[serde(with = "exact")]
    pub cash: Decimal,
    /// Profit that it realised, before fees, by average cost.
    #[serde(with = "exact")]
    pub realized: Decimal,
    /// Lots that it closed and opened.
    pub lots: LotChange,
}
