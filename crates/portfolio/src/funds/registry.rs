//! The funds of a firm, as the fold over what was done.

use super::CENT;
use super::error::FundError;
use super::plan::AllocationPlan;
use super::record::{CapitalMove, FundChange, MoveKind, PlanId, RegistryRecord};
use mts_foundation::num::is_multiple;
use mts_foundation::{ActorId, Decimal, FundConfig, FundId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Most funds of a registry.
pub const MAX_FUNDS: usize = 100;

/// Most records of a registry.
pub const MAX_RECORDS: usize = 1_000_000;

/// Largest amount that is taken: 1e15, beyond every firm and well inside the range of decimals.
pub const MAX_CAPITAL: Decimal = mts_foundation::num::MAX_QUANTITY;

/// Longest reason and reference, in bytes.
const MAX_TEXT: usize = 2_000;

/// A fund and what was done to it.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisteredFund {
    /// What it is, with every change.
    pub config: FundConfig,
    /// Folder of its run.
    pub run: Option<String>,
    /// Its first allocation and what came since, less what went. What it has earned is not in it.
    pub capital: Decimal,
    /// What came and went, in order.
    pub moves: Vec<CapitalMove>,
}

/// Who put a plan in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Who.
    pub actor: ActorId,
    /// Who agreed.
    pub cosigned_by: ActorId,
    /// When.
    pub time: Timestamp,
}

/// A plan that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptPlan {
    /// What it says.
    pub plan: AllocationPlan,
    /// When it was made.
    pub time: Timestamp,
    /// How often funds, capital or allocations had changed before.
    revision: u64,
    /// Who put it in force; `None` while nobody has.
    pub execution: Option<Execution>,
}

/// The funds of a firm. Applying the same records to an empty one gives the same state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FundRegistry {
    funds: BTreeMap<FundId, RegisteredFund>,
    plans: BTreeMap<PlanId, KeptPlan>,
    references: BTreeSet<(FundId, String)>,
    revision: u64,
    records: usize,
}

impl FundRegistry {
    /// One without funds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every fund, by id.
    pub fn funds(&self) -> impl Iterator<Item = &RegisteredFund> {
        self.funds.values()
    }

    /// One fund.
    ///
    /// # Errors
    /// [`FundError::Unknown`], with those there are.
    pub fn fund(&self, fund_id: &FundId) -> Result<&RegisteredFund, FundError> {
        self.funds.get(fund_id).ok_or_else(|| {
            let known: Vec<&str> = self.funds.keys().map(FundId::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            FundError::Unknown { fund_id: fund_id.clone(), known }
        })
    }

    /// Every plan that was kept, by number.
    pub fn plans(&self) -> impl Iterator<Item = (PlanId, &KeptPlan)> {
        self.plans.iter().map(|(plan_id, plan)| (*plan_id, plan))
    }

    /// Number of the next plan.
    #[must_use]
    pub fn next_plan(&self) -> PlanId {
        PlanId::after(self.plans.len())
    }

    /// A plan that may be put in force now.
    ///
    /// # Errors
    /// [`FundError`] for one that is not there, was executed, or is older than the last change.
    pub fn executable(&self, plan_id: PlanId) -> Result<&KeptPlan, FundError> {
        let kept = self.plans.get(&plan_id).ok_or(FundError::UnknownPlan(plan_id))?;
        if kept.execution.is_some() {
            return Err(FundError::AlreadyExecuted(plan_id));
        }
        if kept.revision != self.revision {
            return Err(FundError::OutOfDate(plan_id));
        }
        Ok(kept)
    }

    /// Takes a record, whole or not at all.
    ///
    /// # Errors
    /// [`FundError`]; nothing has changed then.
    pub fn apply(&mut self, record: &RegistryRecord) -> Result<(), FundError> {
        if self.records >= MAX_RECORDS {
            return Err(FundError::TooMany { what: "records", limit: MAX_RECORDS });
        }
        match record {
            RegistryRecord::FundCreated { config, run } => self.create(config, run.as_ref())?,
            RegistryRecord::FundChanged { fund_id, change, reason, .. } => {
                self.change(fund_id, change, reason)?;
            }
            RegistryRecord::CapitalMoved(capital) => self.move_capital(capital)?,
            RegistryRecord::AllocationPlanned { plan_id, plan, time } => {
                self.keep(*plan_id, plan, *time)?;
            }
            RegistryRecord::AllocationExecuted { plan_id, actor, cosigned_by, time } => {
                let (actor, cosigned_by) = (actor.clone(), cosigned_by.clone());
                self.execute(*plan_id, Execution { actor, cosigned_by, time: *time })?;
            }
        }
        // A plan that is only kept makes no other one old.
        if !matches!(record, RegistryRecord::AllocationPlanned { .. }) {
            self.revision += 1;
        }
        self.records += 1;
        Ok(())
    }

    fn create(&mut self, config: &FundConfig, run: Option<&String>) -> Result<(), FundError> {
        let fund_id = &config.fund_id;
        if self.funds.contains_key(fund_id) {
            return Err(FundError::Duplicate(fund_id.clone()));
        }
        if self.funds.len() >= MAX_FUNDS {
            return Err(FundError::TooMany { what: "funds", limit: MAX_FUNDS });
        }
        let currency = config.base_currency;
        if let Some(other) = self.funds.values().find(|other| other.config.base_currency != currency) {
            let (fund_id, registry) = (fund_id.clone(), other.config.base_currency);
            return Err(FundError::OtherCurrency { fund_id, currency, registry });
        }
        let capital = config.target_nav_usd;
        check_amount("target_nav_usd", capital, true)?;
        let fund = RegisteredFund { config: config.clone(), run: run.cloned(), capital, moves: Vec::new() };
        self.funds.insert(fund_id.clone(), fund);
        Ok(())
    }

    fn change(&mut self, fund_id: &FundId, change: &FundChange, reason: &str) -> Result<(), FundError> {
        self.fund(fund_id)?;
        check_reason(reason)?;
        if *change == FundChange::default() {
            return Err(FundError::NoChange(fund_id.clone()));
        }
        if let Some(target) = change.target_nav_usd {
            check_amount("target_nav_usd", target, true)?;
        }
        if let Some(fund) = self.funds.get_mut(fund_id) {
            fund.config.active = change.active.unwrap_or(fund.config.active);
            fund.config.target_nav_usd = change.target_nav_usd.unwrap_or(fund.config.target_nav_usd);
            if change.run.is_some() {
                fund.run.clone_from(&change.run);
            }
        }
        Ok(())
    }

    fn move_capital(&mut self, capital: &CapitalMove) -> Result<(), FundError> {
        let CapitalMove { fund_id, kind, amount, reason, reference, .. } = capital;
        let fund = self.fund(fund_id)?;
        check_amount("amount", *amount, false)?;
        check_reason(reason)?;
        let reference = reference.as_ref().map(|reference| (fund_id.clone(), reference.clone()));
        if let Some((fund_id, reference)) = &reference {
            if reference.trim().is_empty() || reference.len() > MAX_TEXT {
                let value = Decimal::from(reference.len());
                let remedy = "give one character to 2,000";
                return Err(FundError::Amount { field: "length of reference", value, remedy });
            }
            if self.references.contains(&(fund_id.clone(), reference.clone())) {
                let (fund_id, reference) = (fund_id.clone(), reference.clone());
                return Err(FundError::DuplicateReference { fund_id, reference });
            }
        }
        let after = match kind {
            MoveKind::Deposit => fund.capital.checked_add(*amount),
            MoveKind::Withdrawal => fund.capital.checked_sub(*amount),
        };
        let after = after.filter(|after| after.abs() <= MAX_CAPITAL);
        let after = after.ok_or(FundError::OutOfRange("the capital of the fund"))?;
        // What a fund with a run has earned is in its books, not here: who reads those says what may go.
        if after < Decimal::ZERO && fund.run.is_none() {
            let (fund_id, capital) = (fund_id.clone(), fund.capital);
            return Err(FundError::Overdrawn { fund_id, capital, amount: *amount });
        }
        if let Some(fund) = self.funds.get_mut(fund_id) {
            fund.capital = after;
            fund.moves.push(capital.clone());
        }
        self.references.extend(reference);
        Ok(())
    }

    fn keep(&mut self, plan_id: PlanId, plan: &AllocationPlan, time: Timestamp) -> Result<(), FundError> {
        if plan_id != self.next_plan() {
            return Err(FundError::PlanNumber { got: plan_id, next: self.next_plan() });
        }
        let bad = |fault| Err(FundError::BadPlan { plan_id, fault });
        if !plan.rows.iter().map(|row| &row.fund_id).eq(self.funds.keys()) {
            return bad("they are not those of the registry");
        }
        let mut total = Decimal::ZERO;
        for row in &plan.rows {
            check_amount("target", row.target, true).or_else(|_| bad("a target is no amount"))?;
            total = total.checked_add(row.delta).ok_or(FundError::OutOfRange("a delta"))?;
        }
        if !total.is_zero() {
            return bad("their differences are not zero in sum");
        }
        let (plan, revision) = (plan.clone(), self.revision);
        self.plans.insert(plan_id, KeptPlan { plan, time, revision, execution: None });
        Ok(())
    }

    fn execute(&mut self, plan_id: PlanId, execution: Execution) -> Result<(), FundError> {
        if execution.actor.as_str().eq_ignore_ascii_case(execution.cosigned_by.as_str()) {
            return Err(FundError::SameOperator(execution.actor));
        }
        self.executable(plan_id)?;
        let Some(kept) = self.plans.get_mut(&plan_id) else { return Err(FundError::UnknownPlan(plan_id)) };
        for row in &kept.plan.rows {
            if let Some(fund) = self.funds.get_mut(&row.fund_id) {
                fund.config.target_nav_usd = row.target;
            }
        }
        kept.execution = Some(execution);
        Ok(())
    }
}

/// An amount of money in whole cents, above zero, or at least zero.
fn check_amount(field: &'static str, value: Decimal, zero: bool) -> Result<(), FundError> {
    let remedy = if value < Decimal::ZERO || (value.is_zero() && !zero) {
        if zero { "it must be at least 0" } else { "it must be above 0" }
    } else if value > MAX_CAPITAL {
        "it must be at most 1e15; check the unit"
    } else if !is_multiple(value, CENT) {
        "give whole cents"
    } else {
        return Ok(());
    };
    Err(FundError::Amount { field, value, remedy })
}

fn check_reason(reason: &str) -> Result<(), FundError> {
    if reason.trim().is_empty() {
        return Err(FundError::NoReason);
    }
    if reason.len() > MAX_TEXT {
        let remedy = "2,000 are enough";
        return Err(FundError::Amount {
            field: "length of reason",
            value: Decimal::from(reason.len()),
            remedy,
        });
    }
    Ok(())
}
