//! Ranks instruments by a factor and holds what the sizer makes of it.

use crate::app::StrategyContext;
use crate::config::Rebalance;
use crate::error::{CliError, ExitKind, OrExit};
use mts_foundation::num::quantise;
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::sizing::{Factor, Sizer, SizingInput};
use mts_foundation::strategy::{Commands, Strategy, StrategyError, View};
use mts_foundation::{Bar, Decimal, FundId, StrategyId, Symbol, Timestamp, UniversePanel};
use mts_portfolio::cap_turnover;
use mts_quantkit::cross_section::ranks_descending;
use ndarray::{Array2, Axis};
use rust_decimal::prelude::ToPrimitive;
use std::collections::VecDeque;

/// Kind `factor`: at the close of the last session of a period it computes the factor over the closes it remembers,
/// sizes the cross-section and asks for those weights. It remembers exactly the rows that factor and sizer need.
pub struct FactorStrategy {
    id: StrategyId,
    fund_id: FundId,
    symbols: Vec<Symbol>,
    factor: Box<dyn Factor>,
    sizer: Box<dyn Sizer>,
    rebalance: Rebalance,
    turnover_cap: Option<Decimal>,
    rows: VecDeque<(Timestamp, Vec<f64>)>,
}

impl std::fmt::Debug for FactorStrategy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FactorStrategy").field("id", &self.id).field("factor", &self.factor.name()).finish()
    }
}

/// Makes it from its section.
pub(crate) fn make(context: StrategyContext<'_>) -> Result<Box<dyn Strategy>, CliError> {
    let section = context.section;
    let config = |message: &str| CliError::new(ExitKind::Config, message);
    let name =
        section.factor.as_deref().ok_or_else(|| config("strategy.factor is missing; name a factor"))?;
    let factor = context.factors.build(name, &section.params).or_exit(ExitKind::Config)?;
    let sizer = context.sizer.ok_or_else(|| config("sizer.name is missing; name a sizer"))?;
    // A sizer that does not fit the universe must fail before the first order, not in the first month.
    sizer.check(context.symbols).or_exit(ExitKind::Config)?;
    let (id, fund_id) = (section.strategy_id.clone(), context.fund_id.clone());
    let strategy =
        FactorStrategy::new(id, fund_id, context.symbols.to_vec(), factor, sizer, section.rebalance);
    Ok(Box::new(FactorStrategy { turnover_cap: context.turnover_cap, ..strategy }))
}

impl FactorStrategy {
    /// A strategy over these instruments, in this order.
    #[must_use]
    pub fn new(
        id: StrategyId,
        fund_id: FundId,
        symbols: Vec<Symbol>,
        factor: Box<dyn Factor>,
        sizer: Box<dyn Sizer>,
        rebalance: Rebalance,
    ) -> Self {
        Self { id, fund_id, symbols, factor, sizer, rebalance, turnover_cap: None, rows: VecDeque::new() }
    }

    fn remember(&mut self, bars: &[Bar]) {
        let Some(time) = bars.first().map(|bar| bar.timestamp) else { return };
        let close = |symbol: &Symbol| {
            bars.binary_search_by(|bar| bar.symbol.cmp(symbol))
                .ok()
                .and_then(|at| bars.get(at))
                .and_then(|bar| bar.close.to_f64())
                .unwrap_or(f64::NAN)
        };
        let row = self.symbols.iter().map(close).collect();
        self.rows.push_back((time, row));
        while self.rows.len() > self.rows_needed() {
            self.rows.pop_front();
        }
    }

    /// A return takes two closes.
    fn rows_needed(&self) -> usize {
        let history = match self.sizer.history() {
            0 => 0,
            returns => returns.saturating_add(1),
        };
        self.factor.warm_up().max(history)
    }

    fn is_due(&self, view: &View<'_>) -> bool {
        match self.rebalance {
            Rebalance::MonthEnd => view.is_last_session_of_month(),
            Rebalance::WeekEnd => view.is_last_session_of_week(),
            Rebalance::Daily => true,
        }
    }

    /// The weights, and a weight of zero for what is held and no longer wanted, so that the journal says why it is sold.
    fn targets(&self, view: &View<'_>) -> Result<TargetSet, StrategyError> {
        let shape = (self.rows.len(), self.symbols.len());
        let values = self.rows.iter().flat_map(|(_, row)| row.iter().copied()).collect();
        let close = Array2::from_shape_vec(shape, values)?;
        let dates = self.rows.iter().map(|(time, _)| *time).collect();
        let logarithms = close.mapv(f64::ln);
        let later = logarithms.slice_axis(Axis(0), (1..).into());
        let returns = &later - &logarithms.slice_axis(Axis(0), (..-1).into());
        let panel = UniversePanel::of_closes(dates, self.symbols.clone(), close)?;
        let scores = self.factor.latest(&panel)?;
        let input =
            SizingInput { symbols: &self.symbols, signal: scores.view(), returns: Some(returns.view()) };
        let weights = self.sizer.size(&input)?;
        let ranks = ranks_descending(&scores);
        let mut set = TargetSet {
            fund_id: self.fund_id.clone(),
            strategy_id: self.id.clone(),
            asof: view.time,
            weights: Vec::new(),
        };
        for (((symbol, weight), score), rank) in self.symbols.iter().zip(weights).zip(scores).zip(ranks) {
            let weight = quantise(weight)
                .ok_or_else(|| format!("the sizer {} gives {weight} for {symbol}", self.sizer.name()))?;
            if !weight.is_zero() || view.book.positions().get(symbol).is_some() {
                set.weights.push(TargetWeight {
                    symbol: symbol.clone(),
                    weight,
                    signal: quantise(score),
                    rank,
                });
            }
        }
        Ok(match self.turnover_cap {
            Some(cap) => cap_turnover(set, view.book, cap)?,
            None => set,
        })
    }
}

impl Strategy for FactorStrategy {
    fn id(&self) -> &StrategyId {
        &self.id
    }

    fn warm_up(&mut self, bars: &[Bar]) -> Result<(), StrategyError> {
        self.remember(bars);
        Ok(())
    }

    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.remember(view.bars);
        if self.is_due(view) && self.rows.len() >= self.rows_needed() {
            commands.targets(self.targets(view)?);
        }
        Ok(())
    }
}
