//! Whether an action ended as the file says, and by which rule where it did not.

use super::scenario::{Action, Expect, Op, Shadow, Submit};
use super::{
    AT_THE_MARK, CANONICAL, CONTENT, Did, EVERY_MARK, NOTHING, ONCE, PAPER, PERSISTED, Play, REBASED,
    REDUCING, SHOWN, STATE, WELL_FORMED, WINDOWS, wait,
};
use mts_foundation::num::as_written;
use mts_foundation::ready::ready;
use mts_foundation::risk::RejectCode;
use mts_foundation::{Broker, Decimal};
use serde_json::Value;

/// Relative tolerance (decision N4).
const TOLERANCE: f64 = 1e-9;

impl Play<'_> {
    /// `Ok(None)`: as the file says; `Ok(Some(rule))`: otherwise, as decided; `Err`: otherwise.
    pub(super) fn verdict(
        &mut self,
        action: &Action,
        did: &Did,
    ) -> Result<Result<Option<&'static str>, String>, String> {
        let witness = action.v0_1_3.as_ref().filter(|_| action.known_bug || self.past.defect);
        let agrees = agree(did, &action.expect) && !action.known_bug;
        let agrees = agrees || witness.is_some_and(|witness| agree(did, witness));
        if !agrees {
            let expected = witness.unwrap_or(&action.expect);
            let rule = self.rule(action, did).or(self.past.bent);
            self.remember(action);
            return Ok(rule.map(Some).ok_or_else(|| {
                format!("{:?} gives {did:?}, the file has {} {:?}", action.op, expected.result, expected.rule)
            }));
        }
        self.remember(action);
        self.state_agrees(action)
    }

    fn remember(&mut self, action: &Action) {
        match &action.op {
            Op::DisableKill => self.past.kill_disabled = true,
            Op::Submit(submit) => {
                self.past.priced |= submit.order_type.as_deref().is_some_and(|kind| kind != "market");
            }
            Op::Close { asset } => self.past.closed.push(asset.clone()),
            Op::Cancel { order_id } => self.past.canceled.push(order_id.clone()),
            _ => {}
        }
    }

    /// The rule that makes this action end otherwise, if one does.
    fn rule(&self, action: &Action, did: &Did) -> Option<&'static str> {
        let capitals = |text: &str| text.chars().any(char::is_lowercase);
        let listed = self.scenario.config.iter().filter(|(field, _)| field.ends_with("_assets"));
        let small_list = listed.flat_map(|(_, list)| list.as_array().into_iter().flatten());
        let small_list = small_list.filter_map(Value::as_str).any(capitals);
        match &action.op {
            Op::Submit(submit) if capitals(&submit.asset) || small_list => Some(CANONICAL),
            Op::Submit(submit) => self.rule_of_order(submit, action, did),
            Op::Close { asset } if self.past.closed.contains(asset) => Some(ONCE),
            Op::Cancel { order_id } if self.past.canceled.contains(order_id) => Some(SHOWN),
            Op::Cancel { .. } | Op::Pending if self.shadow() => Some(SHOWN),
            Op::Close { .. } if self.shadow() => Some(PAPER),
            _ => None,
        }
    }

    fn rule_of_order(&self, submit: &Submit, action: &Action, did: &Did) -> Option<&'static str> {
        let held = self.held(&submit.asset);
        let sells = submit.side.as_deref().map_or(submit.quantity < 0.0, |side| side == "sell");
        let units = submit.quantity.abs();
        let against = (sells && held > 0.0) || (!sells && held < 0.0);
        let market = submit.order_type.as_deref().unwrap_or("market") == "market";
        let refused = |code| matches!(did, Did::Refused(codes) if codes.contains(&code));
        let rule = action.expect.rule.as_deref().unwrap_or_default();
        if matches!(did, Did::Exception(_)) {
            let unused = market && (submit.limit_price.is_some() || submit.stop_price.is_some());
            return (unused || (against && units > held.abs())).then_some(WELL_FORMED);
        }
        if *did == Did::Ok && against && units <= held.abs() && rule == "duplicate" {
            return Some(CONTENT);
        }
        if *did == Did::Ok && against && units <= held.abs() {
            return Some(REDUCING);
        }
        if *did == Did::Ok && rule == "duplicate" {
            return Some(CONTENT);
        }
        if self.past.restarted && (refused(RejectCode::OrderRate) || refused(RejectCode::DuplicateContent)) {
            return Some(WINDOWS);
        }
        if self.venue.inside().equity.is_some_and(|equity| equity <= Decimal::ZERO) {
            return Some(NOTHING);
        }
        if self.past.kill_disabled && *did == Did::Ok && matches!(rule, "drawdown" | "daily_loss") {
            return Some(REBASED);
        }
        if self.scenario.state_file.is_some() {
            return Some(STATE);
        }
        let other_price = submit
            .limit_price
            .is_some_and(|limit| as_written(limit) != as_written(self.price(&submit.asset)));
        let of_value = matches!(rule, "position_value" | "total_exposure")
            || refused(RejectCode::MaxPositionUsd)
            || refused(RejectCode::MaxTotalExposure);
        if other_price && of_value {
            return Some(AT_THE_MARK);
        }
        (self.shadow() && self.past.priced).then_some(PAPER)
    }

    /// Signed units of the account that takes the orders.
    fn held(&self, asset: &str) -> f64 {
        let Some(safe) = &self.safe else { return 0.0 };
        let positions = ready(Broker::positions(safe)).ok().and_then(Result::ok).unwrap_or_default();
        let same = positions.iter().find(|held| held.symbol.as_str().eq_ignore_ascii_case(asset));
        same.and_then(|held| held.quantity.to_string().parse().ok()).unwrap_or_default()
    }

    /// Compares what the file says of state and paper account after an action that agrees.
    fn state_agrees(&self, action: &Action) -> Result<Result<Option<&'static str>, String>, String> {
        let Some(safe) = &self.safe else { return Ok(Ok(None)) };
        if matches!(action.op, Op::Mark { .. })
            && safe.killed().is_some()
            && action.expect.state.as_ref().is_some_and(|state| !state.kill_switch_activated)
        {
            return Ok(Ok(Some(EVERY_MARK)));
        }
        if action.known_bug || self.past.defect || self.past.bent.is_some() {
            return Ok(Ok(None));
        }
        let ours = safe.risk_state();
        if let Some(state) = &action.expect.state {
            let placed =
                i64::try_from(ours.orders_placed).unwrap_or(i64::MAX).saturating_add(self.past.offset);
            let theirs = i64::try_from(state.orders_placed).unwrap_or(i64::MAX);
            // The trading day rolls with the next look at the account, theirs with the next start; a close counts.
            let counts = matches!(action.op, Op::Submit(_)) && self.past.closed.is_empty();
            if placed != theirs && counts {
                return Ok(Err(format!("{placed} orders were placed, the file has {theirs}")));
            }
            let switched_by_file = self.scenario.config.contains_key("kill_switch_enabled");
            if ours.kill_switch_activated != state.kill_switch_activated && !switched_by_file {
                return Ok(Err(format!("the kill switch is {}", ours.kill_switch_activated)));
            }
        }
        match action.expect.shadow.as_ref().filter(|_| self.shadow()) {
            Some(shadow) => self.paper_agrees(shadow),
            None => Ok(Ok(None)),
        }
    }

    fn paper_agrees(&self, shadow: &Shadow) -> Result<Result<Option<&'static str>, String>, String> {
        let close = |ours: Decimal, theirs: f64| {
            let ours: f64 = ours.to_string().parse().unwrap_or(f64::NAN);
            (ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0)
        };
        let account = wait(Broker::account(&*self.paper))?.map_err(|error| error.to_string())?;
        let positions = wait(Broker::positions(&*self.paper))?.map_err(|error| error.to_string())?;
        let same_positions = positions.len() == shadow.positions.len()
            && positions.iter().all(|held| {
                shadow
                    .positions
                    .get(held.symbol.as_str())
                    .is_some_and(|theirs| close(held.quantity, theirs.quantity))
            });
        if same_positions && close(account.cash, shadow.cash) {
            return Ok(Ok(None));
        }
        if self.past.restarted && positions.len() > shadow.positions.len() {
            return Ok(Ok(Some(PERSISTED)));
        }
        // An order with a price rests, or fills at a better one than its limit.
        let priced = self.scenario.actions.iter().any(|action| match &action.op {
            Op::Submit(submit) => submit.order_type.as_deref().is_some_and(|kind| kind != "market"),
            _ => false,
        });
        if priced {
            return Ok(Ok(Some(PAPER)));
        }
        Ok(Err(format!(
            "the paper account has {} and {} positions, the file {} and {}",
            account.cash,
            positions.len(),
            shadow.cash,
            shadow.positions.len()
        )))
    }
}

/// Whether what we did is what the file says.
fn agree(did: &Did, expect: &Expect) -> bool {
    let result = expect.result.as_str().unwrap_or_default();
    match did {
        Did::Ok => matches!(result, "accept" | "ok"),
        Did::Refused(codes) => {
            let rule = expect.rule.as_deref().unwrap_or_default();
            result == "reject" && codes.iter().any(|code| of_rule(rule).contains(code))
        }
        Did::Exception(_) => result == "exception",
        Did::NotConstructed => {
            matches!(result, "not_constructed" | "construct_error")
                || (result == "ok" && expect.rule.is_none())
        }
        Did::Answer(answer) => *answer == expect.result,
    }
}

/// The codes of one of the file's rules.
fn of_rule(rule: &str) -> &'static [RejectCode] {
    match rule {
        "kill_switch" => &[RejectCode::KillSwitch],
        "asset_blocked" => &[RejectCode::AssetBlocked],
        "asset_not_allowed" => &[RejectCode::AssetNotAllowed],
        "duplicate" => &[RejectCode::DuplicateContent],
        "rate_limit" => &[RejectCode::OrderRate],
        "order_shares" => &[RejectCode::MaxOrderQuantity],
        "order_value" => &[RejectCode::MaxOrderNotional],
        "position_value" => &[RejectCode::MaxPositionUsd],
        "position_shares" => &[RejectCode::MaxPositionQuantity],
        "total_exposure" => &[RejectCode::MaxTotalExposure],
        "max_positions" => &[RejectCode::MaxPositions],
        "price_deviation" => &[RejectCode::PriceCollar],
        "drawdown" => &[RejectCode::Drawdown],
        "daily_loss" => &[RejectCode::DailyLoss],
        "stale_data" => &[RejectCode::StaleReferencePrice],
        "no_market_data" => &[RejectCode::NoReferencePrice],
        _ => &[],
    }
}
