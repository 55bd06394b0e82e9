//! Halts, the kill switch, their end; stops; and what follows from marks, fills and flows.

use super::losses::Baselines;
use super::{Deviation, Fund, Oracle, Trade, written};
use mts_foundation::risk::{HaltMode, HaltScope, LossResponse, RejectCode, RiskEnvelope};
use mts_foundation::{ActorId, Decimal, FundId, Order, Symbol, Timestamp};

/// A halt in force.
#[derive(Debug, Clone)]
pub(super) struct Halt {
    pub(super) scope: HaltScope,
    pub(super) mode: HaltMode,
    since: Timestamp,
    tripped: Vec<RejectCode>,
}

/// The kill switch is on.
#[derive(Debug, Clone)]
pub(super) struct Kill {
    since: Timestamp,
    tripped: Vec<(FundId, RejectCode)>,
}

/// Something that the machine must say after an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consequence {
    /// A halt is in force.
    Halted(HaltScope, HaltMode),
    /// The kill switch is on.
    Killed,
    /// A halt (`None`: the kill switch) ended; for these funds these limits count from the second value instead of the
    /// first.
    Resumed(Option<HaltScope>, Vec<(FundId, RejectCode, Decimal, Decimal)>),
    /// A position reached its stop.
    StopOut(FundId, Symbol),
    /// An envelope has a new version.
    Envelope(FundId, u32),
}

impl Halt {
    pub(super) fn concerns(&self, order: &Order) -> bool {
        match &self.scope {
            HaltScope::Firm => true,
            HaltScope::Fund(id) => *id == order.fund_id,
            HaltScope::Strategy(id) => *id == order.strategy_id,
        }
    }

    pub(super) fn width(&self) -> u8 {
        match self.scope {
            HaltScope::Firm => 3,
            HaltScope::Fund(_) => 2,
            HaltScope::Strategy(_) => 1,
        }
    }

    pub(super) fn code(&self) -> RejectCode {
        match self.scope {
            HaltScope::Firm => RejectCode::FirmHalted,
            HaltScope::Fund(_) => RejectCode::FundHalted,
            HaltScope::Strategy(_) => RejectCode::StrategyHalted,
        }
    }
}

impl Oracle {
    /// Halts in force.
    #[must_use]
    pub fn halts(&self) -> Vec<(HaltScope, HaltMode)> {
        let mut halts: Vec<_> = self.halts.iter().map(|halt| (halt.scope.clone(), halt.mode)).collect();
        halts.sort();
        halts
    }

    /// Whether the kill switch is on.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.is_some()
    }

    /// Prices came: of one instrument, or of any number of them.
    pub fn marked(&mut self, only: Option<usize>, now: Timestamp) -> Vec<Consequence> {
        (0..self.funds.len()).flat_map(|fund| self.evaluate(fund, only, now)).collect()
    }

    /// Units changed hands; `of` is the order they belong to.
    pub fn traded(&mut self, fund: &FundId, of: &str, trade: Trade, now: Timestamp) -> Vec<Consequence> {
        let Some(place) = self.fund(fund) else { return Vec::new() };
        let (fund, instrument) = (&mut self.funds[place], trade.instrument);
        fund.trades.push(trade);
        for live in fund.working.iter_mut().filter(|live| live.order.order_id.as_str() == of) {
            live.left -= trade.units;
        }
        fund.working.retain(|live| !live.left.is_zero());
        let fund = &self.funds[place];
        let same = |(instrument, long): (&usize, &bool)| {
            let held = fund.entry(*instrument).0;
            !held.is_zero() && (held > Decimal::ZERO) == *long
        };
        let kept = fund.stopped.iter().filter(|stop| same(*stop)).map(|(place, long)| (*place, *long));
        let kept = kept.collect();
        self.funds[place].stopped = kept;
        self.evaluate(place, Some(instrument), now)
    }

    /// Capital came or went.
    pub fn flowed(&mut self, fund: &FundId, amount: Decimal) {
        if let Some(place) = self.fund(fund) {
            self.funds[place].flows.push(amount);
        }
    }

    /// Stops and loss limits of a fund.
    fn evaluate(&mut self, place: usize, only: Option<usize>, now: Timestamp) -> Vec<Consequence> {
        let mut follows = self.stops(place, only);
        let fund = &self.funds[place];
        let (nav, flowed, fund_id) = (self.nav(fund), fund.flowed(), fund.setup.config.fund_id.clone());
        let Some(baselines) = &mut self.funds[place].baselines else { return follows };
        baselines.highest = baselines.highest.max(nav - flowed);
        let fund = &self.funds[place];
        let tripped = self.tripped(fund, nav).unwrap_or_default();
        if tripped.is_empty() {
            return follows;
        }
        let scope = HaltScope::Fund(fund_id.clone());
        match fund.setup.limits.loss_response {
            Some(LossResponse::KillSwitch) if self.killed.is_none() => {
                let tripped = tripped.into_iter().map(|code| (fund_id.clone(), code)).collect();
                self.killed = Some(Kill { since: now, tripped });
                follows.push(Consequence::Killed);
            }
            None | Some(LossResponse::HaltFund) if self.halts.iter().all(|halt| halt.scope != scope) => {
                follows.push(Consequence::Halted(scope.clone(), HaltMode::ReduceOnly));
                self.halts.push(Halt { scope, mode: HaltMode::ReduceOnly, since: now, tripped });
            }
            _ => {}
        }
        follows
    }

    /// Positions that lost as much of their entry price as the envelope allows, each once.
    fn stops(&mut self, place: usize, only: Option<usize>) -> Vec<Consequence> {
        let fund = &self.funds[place];
        let envelope = fund.setup.envelope.as_ref().filter(|envelope| envelope.enable_synthetic_stop);
        let Some(share) = envelope.map(|envelope| written(envelope.synthetic_stop_pct)) else {
            return Vec::new();
        };
        let mut follows = Vec::new();
        let mut stopped = fund.stopped.clone();
        for instrument in (0..self.instruments.len()).filter(|place| only.is_none_or(|only| only == *place)) {
            let (held, entry) = fund.entry(instrument);
            let Some(price) = self.prices[instrument].map(|price| price.mark) else { continue };
            let long = held > Decimal::ZERO;
            let loss = if long { entry - price } else { price - entry };
            let hurts = !held.is_zero() && loss >= share * entry;
            if hurts && stopped.insert(instrument, long) != Some(long) {
                let symbol = self.instruments[instrument].symbol.clone();
                follows.push(Consequence::StopOut(fund.setup.config.fund_id.clone(), symbol));
            }
        }
        self.funds[place].stopped = stopped;
        follows
    }

    /// Somebody halts.
    pub fn halt(&mut self, scope: HaltScope, mode: HaltMode, now: Timestamp) -> Vec<Consequence> {
        let old = self.halts.iter().find(|halt| halt.scope == scope);
        let stronger = old.is_none_or(|old| old.mode == HaltMode::ReduceOnly && mode == HaltMode::Full);
        if !stronger {
            return Vec::new();
        }
        let forgets = self.deviates(Deviation::FullHaltForgets);
        let tripped = old.filter(|_| !forgets).map(|old| old.tripped.clone()).unwrap_or_default();
        self.halts.retain(|halt| halt.scope != scope);
        self.halts.push(Halt { scope: scope.clone(), mode, since: now, tripped });
        vec![Consequence::Halted(scope, mode)]
    }

    /// Somebody switches the kill switch on.
    pub fn kill(&mut self, now: Timestamp) -> Vec<Consequence> {
        if self.killed.is_some() {
            return Vec::new();
        }
        self.killed = Some(Kill { since: now, tripped: Vec::new() });
        vec![Consequence::Killed]
    }

    /// Somebody resumes; `None` when that is refused (R9).
    pub fn resume(
        &mut self,
        scope: Option<HaltScope>,
        operators: &[ActorId],
        reason: &str,
        now: Timestamp,
    ) -> Option<Vec<Consequence>> {
        let in_force = self.halts.iter().find(|halt| Some(&halt.scope) == scope.as_ref());
        let (since, tripped): (Timestamp, Vec<(Option<FundId>, RejectCode)>) = match &scope {
            None => {
                let kill = self.killed.as_ref()?;
                (kill.since, kill.tripped.iter().map(|(fund, code)| (Some(fund.clone()), *code)).collect())
            }
            Some(scope) => {
                let fund = if let HaltScope::Fund(id) = scope { Some(id.clone()) } else { None };
                let halt = in_force?;
                (halt.since, halt.tripped.iter().map(|code| (fund.clone(), *code)).collect())
            }
        };
        let mut different = operators.to_vec();
        different.sort();
        different.dedup();
        let strangers = different.iter().any(|operator| !self.operators.known.contains(operator));
        let of_strategy = matches!(scope, Some(HaltScope::Strategy(_)));
        let needed = if of_strategy || self.operators.single { 1 } else { 2 };
        let waited = now.since(since).as_millis() >= u128::from(self.operators.delay_ms);
        let too_soon = !of_strategy && different.len() == 1 && !waited;
        if reason.trim().is_empty() || strangers || different.len() < needed || too_soon {
            return None;
        }
        let everybody = scope.is_none() && self.deviates(Deviation::EveryFundIsRebased);
        let mut rebased = Vec::new();
        for place in 0..self.funds.len() {
            let fund = &self.funds[place];
            let (id, nav, flowed) = (fund.setup.config.fund_id.clone(), self.nav(fund), fund.flowed());
            let own = |of: &Option<FundId>| everybody || of.as_ref() == Some(&id);
            for (_, code) in tripped.iter().filter(|(of, _)| own(of)) {
                let baseline = self.funds[place].baselines.as_mut().and_then(|all| Baselines::of(all, *code));
                if let Some(earned) = baseline {
                    let old = std::mem::replace(earned, nav - flowed);
                    rebased.push((id.clone(), *code, old + flowed, nav));
                }
            }
        }
        match &scope {
            None => self.killed = None,
            Some(scope) => self.halts.retain(|halt| halt.scope != *scope),
        }
        Some(vec![Consequence::Resumed(scope, rebased)])
    }

    /// The envelope of a fund.
    #[must_use]
    pub fn envelope(&self, fund: &FundId) -> Option<&RiskEnvelope> {
        self.fund(fund).and_then(|fund| self.funds[fund].setup.envelope.as_ref())
    }

    /// A new version of an envelope, of which one says whether it loosens; `None` when it is refused (R9).
    pub fn envelope_updated(&mut self, envelope: &RiskEnvelope, loosens: bool) -> Option<Vec<Consequence>> {
        let id = envelope.fund_id.clone();
        let halted = self.killed.is_some()
            || self
                .halts
                .iter()
                .any(|halt| halt.scope == HaltScope::Firm || halt.scope == HaltScope::Fund(id.clone()));
        let fund: &mut Fund = self.fund(&id).map(|place| &mut self.funds[place])?;
        let current = fund.setup.envelope.as_mut()?;
        if envelope.version != current.version + 1 || (halted && loosens) {
            return None;
        }
        *current = envelope.clone();
        Some(vec![Consequence::Envelope(id, envelope.version)])
    }
}
