//! Why a fund cannot be registered, changed or given capital.

use super::plan::AllocationMethod;
use super::record::PlanId;
use mts_foundation::sizing::ComputeError;
use mts_foundation::{ActorId, Currency, Decimal, FundId};

/// A refusal. Nothing has changed where one is returned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FundError {
    /// The id is taken.
    #[error("fund_id {0} exists already; choose another id, or change that fund")]
    Duplicate(FundId),
    /// No fund has this id.
    #[error("there is no fund {fund_id} in the registry; it has {known}")]
    Unknown {
        /// The id.
        fund_id: FundId,
        /// Those there are.
        known: String,
    },
    /// Another currency than that of the registry.
    #[error(
        "fund {fund_id} keeps {currency}, the registry {registry}; books in several currencies need a registry each"
    )]
    OtherCurrency {
        /// The fund.
        fund_id: FundId,
        /// Its currency.
        currency: Currency,
        /// That of all others.
        registry: Currency,
    },
    /// An amount of money that is not taken.
    #[error("{field} is {value}; {remedy}")]
    Amount {
        /// Which.
        field: &'static str,
        /// Its value.
        value: Decimal,
        /// What to write instead.
        remedy: &'static str,
    },
    /// A change that changes nothing.
    #[error("the change of fund {0} names nothing; say what is to be different")]
    NoChange(FundId),
    /// No reason was given.
    #[error("reason is empty; say why, the registry keeps it")]
    NoReason,
    /// More is withdrawn than there is.
    #[error(
        "fund {fund_id} has {capital} of capital, {amount} cannot be withdrawn; withdraw at most what is there"
    )]
    Overdrawn {
        /// The fund.
        fund_id: FundId,
        /// What is there.
        capital: Decimal,
        /// What was wanted.
        amount: Decimal,
    },
    /// The same movement a second time.
    #[error(
        "fund {fund_id} has a movement with reference {reference:?} already; nothing is booked twice, name another reference if \
         it is another one"
    )]
    DuplicateReference {
        /// The fund.
        fund_id: FundId,
        /// The reference.
        reference: String,
    },
    /// More of something than is kept.
    #[error("the registry holds {limit} {what} and takes no more; begin another one")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// No plan has this number.
    #[error("there is no {0} in the registry; a plan that was only looked at (dry run) is not kept")]
    UnknownPlan(PlanId),
    /// A plan with another number than the next one.
    #[error("{got} cannot be kept, the next plan is {next}; plan again")]
    PlanNumber {
        /// Its number.
        got: PlanId,
        /// The number that it should have.
        next: PlanId,
    },
    /// A plan is executed once.
    #[error("{0} has been executed already; plan again")]
    AlreadyExecuted(PlanId),
    /// Funds, capital or allocations have changed since.
    #[error("{0} is out of date: funds or their capital have changed since; plan again")]
    OutOfDate(PlanId),
    /// One operator is not two.
    #[error(
        "executing an allocation needs two different operators, {0} is named twice; name another one who agrees"
    )]
    SameOperator(ActorId),
    /// Rows of a plan that do not belong together.
    #[error("the rows of {plan_id} do not fit: {fault}; plan again")]
    BadPlan {
        /// The plan.
        plan_id: PlanId,
        /// What is wrong.
        fault: &'static str,
    },
    /// Nothing to divide capital between.
    #[error("no fund takes part in an allocation; create one, or make one active")]
    NoFund,
    /// Nothing to divide.
    #[error("the funds that take part are worth {0} together; there is nothing to allocate")]
    NoCapital(Decimal),
    /// A constraint that makes no sense.
    #[error("{name} is {value}; {remedy}")]
    Constraint {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: Decimal,
        /// What to write instead.
        remedy: &'static str,
    },
    /// The minimum of all funds together is more than there is.
    #[error(
        "min_per_fund is {minimum}: {funds} funds need {needed}, {available} is there; lower min_per_fund, or let fewer funds \
         take part"
    )]
    MinimumsTooLarge {
        /// Of each fund.
        minimum: Decimal,
        /// How many.
        funds: usize,
        /// Together.
        needed: Decimal,
        /// What is there.
        available: Decimal,
    },
    /// The minimum of a fund is more than its maximum.
    #[error(
        "min_per_fund is {minimum}, more than the {maximum} that max_per_fund_pct allows one fund; lower the first or raise the \
         second"
    )]
    MinimumAboveMaximum {
        /// The minimum.
        minimum: Decimal,
        /// The maximum.
        maximum: Decimal,
    },
    /// Two funds that move alike cannot both have their minimum.
    #[error(
        "funds {first} and {second} have a correlation of {correlation:.2} and may have {cap} together (max_sleeve_correlation), \
         less than twice min_per_fund {minimum}; lower min_per_fund, or raise max_sleeve_correlation or max_per_fund_pct"
    )]
    PairTooTight {
        /// One of them.
        first: FundId,
        /// The other.
        second: FundId,
        /// Of their daily returns.
        correlation: f64,
        /// What both may have together.
        cap: Decimal,
        /// What each must have.
        minimum: Decimal,
    },
    /// Capital that no fund may take.
    #[error(
        "{left} cannot be placed with method {method}: every fund that it gives a share is at max_per_fund_pct, or with another \
         one at what max_sleeve_correlation allows both ({alike}); raise one of these, add a fund, or choose another method"
    )]
    NoRoom {
        /// How much.
        left: Decimal,
        /// The pairs that move alike, with their correlations.
        alike: String,
        /// The method.
        method: AllocationMethod,
    },
    /// A history that is too short, or none.
    #[error(
        "fund {fund_id} has {found} daily returns, {method} needs {needed}; name the folder of its run, wait until it has traded \
         that long, or choose method equal or manual"
    )]
    ShortHistory {
        /// Whose.
        fund_id: FundId,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
        /// What for.
        method: AllocationMethod,
    },
    /// Histories that hardly overlap.
    #[error(
        "the funds have {found} daily returns in common, {needed} are needed; {fund_id} reaches from {first} to {last}: give the \
         funds histories of the same time, or choose method equal or manual"
    )]
    ShortOverlap {
        /// The fund that fits the others least.
        fund_id: FundId,
        /// Its first day.
        first: chrono::NaiveDate,
        /// Its last day.
        last: chrono::NaiveDate,
        /// How many days there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Days out of order, or a value from which there is no return.
    #[error("the history of fund {fund_id} cannot be used at {date}: {fault}; choose method equal or manual")]
    BadHistory {
        /// Whose.
        fund_id: FundId,
        /// Where.
        date: chrono::NaiveDate,
        /// What is wrong.
        fault: &'static str,
    },
    /// A fund without risk has no share by risk.
    #[error(
        "fund {fund_id} has not moved in its history, so that {method} has no measure for it; choose method equal or manual"
    )]
    NoMovement {
        /// Which.
        fund_id: FundId,
        /// What for.
        method: AllocationMethod,
    },
    /// No share is above zero.
    #[error("{0} gives no fund a share above zero; choose another method")]
    NoShare(AllocationMethod),
    /// The injected allocator fails, or the covariance of the funds.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// Beyond the range of decimals.
    #[error("{0} leaves the range of decimals; check the unit of the amounts")]
    OutOfRange(&'static str),
    /// A record that this program cannot read or write.
    #[error(
        "record of kind {kind} is not readable: {message}; use the version of mts that wrote the registry"
    )]
    Unreadable {
        /// Its kind.
        kind: u16,
        /// What is wrong.
        message: String,
    },
}
