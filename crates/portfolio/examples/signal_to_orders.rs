//! From one number per instrument to orders: a sizer makes weights, the planner makes sells, then purchases.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::ledger::MarkKind;
use mts_foundation::num::quantise;
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::sizing::{PlanRequest, PlanStage, Sizer, SizingInput, TargetPlanner};
use mts_foundation::{
    Currency, Decimal, Fill, FundId, Instrument, InstrumentTable, Ledger, Side, StrategyId, Symbol, Timestamp,
};
use mts_portfolio::{EqualWeightLong, WeightPlanner};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // The fund holds 100 of A; the signal now likes B and C.
    let now = Timestamp::from_millis(1_767_623_400_000);
    let symbols = ["A", "B", "C"].iter().map(Symbol::new).collect::<Result<Vec<_>, _>>()?;
    let instruments = InstrumentTable::from_instruments(symbols.iter().cloned().map(Instrument::us_share))?;
    let fund_id = FundId::new("growth")?;
    let mut ledger = Ledger::new();
    ledger.open_fund(fund_id.clone(), Currency::USD, Decimal::from(100_000))?;
    for (symbol, price) in symbols.iter().zip([100, 50, 33]) {
        ledger.mark(&instruments, symbol, Decimal::from(price), MarkKind::Trade, now)?;
    }
    let bought = Fill::new("x-1", "o-1", "A", Side::Buy, Decimal::from(100), Decimal::from(100), now)?;
    ledger.book_fill(&instruments, &fund_id, &bought)?;

    let signal = ndarray::array![-0.4, 1.3, 0.9];
    let weights =
        EqualWeightLong { n: 2, gross: 1.0 }.size(&SizingInput::of_signal(&symbols, signal.view()))?;
    let targets = TargetSet {
        fund_id,
        strategy_id: StrategyId::new("two-best")?,
        asof: now,
        weights: symbols
            .iter()
            .zip(&weights)
            .map(|(symbol, weight)| TargetWeight {
                symbol: symbol.clone(),
                weight: quantise(*weight).unwrap_or_default(),
                signal: None,
                rank: None,
            })
            .collect(),
    };
    for target in &targets.weights {
        println!("{} shall be {} of the fund", target.symbol, target.weight.normalize());
    }

    // Two per cent stay cash. In a run the second half is planned after the sells have filled.
    let planner = WeightPlanner::new(Decimal::new(2, 2))?;
    for stage in [PlanStage::Reduce, PlanStage::Increase] {
        let request = PlanRequest { targets: &targets, stage, ledger: &ledger, instruments: &instruments };
        println!("{stage:?}, on a net asset value of {}:", planner.basis(&ledger, &targets.fund_id)?);
        for order in planner.plan(&request)? {
            println!(
                "  {} {} {} at about {}",
                order.side, order.quantity, order.symbol, order.reference_price
            );
        }
    }
    Ok(())
}
