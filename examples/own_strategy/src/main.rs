//! `mts` with one strategy more: own_strategy.
//!
//! At the end of each month it holds, in equal parts, the instruments whose close lies above the mean of their last
//! `window` closes. Change what you like; every command of `mts` works on this binary.

use mts_cli::{App, CliError, ExitKind, StrategyContext};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::strategy::{Commands, Strategy, StrategyError, View};
use mts_foundation::{Bar, Decimal, FundId, StrategyId, Symbol};
use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;

fn main() -> ExitCode {
    App::new().strategy("own_strategy", make).run()
}

/// Makes the strategy from `[strategy]`; `window` comes from `[strategy.params]`.
fn make(context: StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> {
    let window = match context.section.params.get("window") {
        None => 200,
        Some(value) => value
            .as_u64()
            .and_then(|window| usize::try_from(window).ok())
            .filter(|window| *window > 0)
            .ok_or_else(|| {
                CliError::new(
                    ExitKind::Config,
                    format!("strategy.params.window is {value}; write a number above 0"),
                )
            })?,
    };
    Ok(Box::new(OwnStrategy {
        id: context.section.strategy_id.clone(),
        fund_id: context.fund_id.clone(),
        window,
        closes: BTreeMap::new(),
    }))
}

struct OwnStrategy {
    id: StrategyId,
    fund_id: FundId,
    window: usize,
    closes: BTreeMap<Symbol, VecDeque<Decimal>>,
}

impl OwnStrategy {
    fn remember(&mut self, bars: &[Bar]) {
        for bar in bars {
            let closes = self.closes.entry(bar.symbol.clone()).or_default();
            closes.push_back(bar.close);
            if closes.len() > self.window {
                closes.pop_front();
            }
        }
    }

    /// The instruments above their mean; those with too short a history are left out.
    fn rising(&self) -> Vec<&Symbol> {
        let count = Decimal::from(self.window);
        let is_rising = |closes: &&VecDeque<Decimal>| {
            let total: Decimal = closes.iter().sum();
            closes.len() == self.window && closes.back().is_some_and(|last| *last * count > total)
        };
        self.closes.iter().filter(|(_, closes)| is_rising(closes)).map(|(symbol, _)| symbol).collect()
    }
}

impl Strategy for OwnStrategy {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn warm_up(&mut self, bars: &[Bar]) -> Result<(), StrategyError> {
        self.remember(bars);
        Ok(())
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.remember(view.bars);
        if !view.is_last_session_of_month() {
            return Ok(());
        }
        let rising = self.rising();
        let weight = Decimal::ONE.checked_div(Decimal::from(rising.len())).unwrap_or_default().round_dp(9);
        let weights = rising
            .into_iter()
            .map(|symbol| TargetWeight { symbol: symbol.clone(), weight, signal: None, rank: None })
            .collect();
        commands.targets(TargetSet {
            fund_id: self.fund_id.clone(),
            strategy_id: self.id.clone(),
            asof: view.time,
            weights,
        });
        Ok(())
    }
}
