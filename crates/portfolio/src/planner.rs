//! From target weights to orders.

use mts_foundation::ledger::FundBook;
use mts_foundation::num::floor_to_lot;
use mts_foundation::signal::TargetWeight;
use mts_foundation::sizing::{ComputeError, PlanRequest, PlanStage, PlannedOrder, TargetPlanner};
use mts_foundation::{Decimal, Instrument, Side, Symbol};
use std::collections::BTreeMap;

/// Plans a rebalance in two halves: first what shrinks positions, then, sized anew on the value and prices of that
/// moment, what grows them. A weight stands for `weight × (1 − cash_buffer) × NAV`; quantities round down to lots.
///
/// Purchases together never take cash below `cash_buffer × NAV`: when they would, all are scaled down alike. Orders
/// come in the order of the targets' ranks; instruments without a rank or a weight come last, by symbol.
///
/// An order that is worth less than `minimum_trade` is left out, unless it closes a position as a whole: fees and spreads eat
/// small corrections.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightPlanner {
    cash_buffer: Decimal,
    minimum_trade: Decimal,
}

const NAME: &str = "planner";

impl WeightPlanner {
    /// A planner that keeps this share of net asset value in cash.
    ///
    /// # Errors
    /// [`ComputeError`] unless 0 ≤ buffer < 1.
    pub fn new(cash_buffer: Decimal) -> Result<Self, ComputeError> {
        if cash_buffer < Decimal::ZERO || cash_buffer >= Decimal::ONE {
            let message = format!("cash_buffer is {cash_buffer}; it must be at least 0 and below 1");
            return Err(ComputeError::new(NAME, message));
        }
        Ok(Self { cash_buffer, minimum_trade: Decimal::ZERO })
    }

    /// The same planner, which leaves out orders worth less than this, in the fund's currency.
    ///
    /// # Errors
    /// [`ComputeError`] for a negative value.
    pub fn with_minimum_trade(self, minimum_trade: Decimal) -> Result<Self, ComputeError> {
        if minimum_trade < Decimal::ZERO {
            let message = format!("minimum_trade is {minimum_trade}; it must be at least 0");
            return Err(ComputeError::new(NAME, message));
        }
        Ok(Self { minimum_trade, ..self })
    }

    fn order(
        &self,
        request: &PlanRequest<'_>,
        book: &FundBook,
        symbol: &Symbol,
        target: Option<&TargetWeight>,
    ) -> Result<Option<Sized>, ComputeError> {
        let held = book.positions().quantity(symbol);
        let weight = target.map_or(Decimal::ZERO, |target| target.weight);
        if held.is_zero() && weight.is_zero() {
            return Ok(None);
        }
        let instrument = request.instruments.get(symbol).ok_or_else(|| {
            ComputeError::new(NAME, format!("instrument {symbol} is not in the table; add a row for it"))
        })?;
        let price = request
            .ledger
            .mark_of(symbol)
            .map(|mark| mark.price)
            .filter(|price| *price > Decimal::ZERO)
            .ok_or_else(|| {
                ComputeError::new(
                    NAME,
                    format!("{symbol} has no price yet; start the data earlier or drop it"),
                )
            })?;
        let wanted = self.target_quantity(weight, book.nav(), price, instrument)?;
        let working = book.symbol_exposure(symbol);
        let (side, quantity) = match request.stage {
            PlanStage::Reduce => {
                let (side, open, keep) = if held > Decimal::ZERO {
                    (Side::Sell, held - working.sells, wanted.max(Decimal::ZERO))
                } else {
                    (Side::Cover, -held - working.buys, -wanted.min(Decimal::ZERO))
                };
                // What goes as a whole may be an odd rest.
                (side, if keep.is_zero() { open } else { floor_to_lot(open - keep, instrument.lot) })
            }
            PlanStage::Increase => {
                if wanted > Decimal::ZERO && held >= Decimal::ZERO {
                    (Side::Buy, floor_to_lot(wanted - held - working.buys, instrument.lot))
                } else if wanted < Decimal::ZERO && held <= Decimal::ZERO {
                    (Side::Short, floor_to_lot(held - working.sells - wanted, instrument.lot))
                } else {
                    return Ok(None);
                }
            }
        };
        if quantity <= Decimal::ZERO {
            return Ok(None);
        }
        let closes = request.stage == PlanStage::Reduce && quantity == held.abs();
        if !closes && self.is_small(quantity, price, instrument) {
            return Ok(None);
        }
        let planned = PlannedOrder {
            symbol: symbol.clone(),
            side,
            quantity,
            reference_price: price,
            target: target.cloned(),
            target_quantity: wanted,
        };
        Ok(Some(Sized { planned, lot: instrument.lot, multiplier: instrument.multiplier }))
    }

    /// Whether an order is worth less than the smallest trade. One whose value leaves the range of decimals is not.
    fn is_small(&self, quantity: Decimal, price: Decimal, instrument: &Instrument) -> bool {
        let value = quantity.checked_mul(price).and_then(|value| value.checked_mul(instrument.multiplier));
        value.is_some_and(|value| value < self.minimum_trade)
    }

    fn target_quantity(
        &self,
        weight: Decimal,
        nav: Decimal,
        price: Decimal,
        instrument: &Instrument,
    ) -> Result<Decimal, ComputeError> {
        let unit = price * instrument.multiplier;
        let units = (Decimal::ONE - self.cash_buffer)
            .checked_mul(weight.abs())
            .and_then(|share| share.checked_mul(nav.max(Decimal::ZERO)))
            .and_then(|value| value.checked_div(unit))
            .ok_or_else(|| {
                ComputeError::new(
                    NAME,
                    format!("the size of {} leaves the range of decimals", instrument.symbol),
                )
            })?;
        let units = floor_to_lot(units, instrument.lot);
        Ok(if weight < Decimal::ZERO { -units } else { units })
    }

    /// Scales purchases down alike until they leave the cash buffer untouched.
    fn fit_to_cash(&self, orders: &mut Vec<Sized>, book: &FundBook) -> Result<(), ComputeError> {
        let budget = book.available_cash() - self.cash_buffer * book.nav();
        let cost: Decimal =
            orders.iter().filter(|order| order.planned.side == Side::Buy).map(Sized::value).sum();
        if cost <= budget {
            return Ok(());
        }
        for order in orders.iter_mut().filter(|order| order.planned.side == Side::Buy) {
            let scaled = order
                .planned
                .quantity
                .checked_mul(budget.max(Decimal::ZERO))
                .and_then(|product| product.checked_div(cost))
                .ok_or_else(|| ComputeError::new(NAME, "scaling to cash leaves the range of decimals"))?;
            order.planned.quantity = floor_to_lot(scaled, order.lot);
        }
        orders.retain(|order| order.planned.quantity > Decimal::ZERO);
        Ok(())
    }
}

/// A planned order with what is needed to scale it.
struct Sized {
    planned: PlannedOrder,
    lot: Decimal,
    multiplier: Decimal,
}

impl Sized {
    fn value(&self) -> Decimal {
        self.planned.quantity * self.planned.reference_price * self.multiplier
    }
}

impl TargetPlanner for WeightPlanner {
    fn plan(&self, request: &PlanRequest<'_>) -> Result<Vec<PlannedOrder>, ComputeError> {
        let fund_id = &request.targets.fund_id;
        let book = request
            .ledger
            .fund(fund_id)
            .ok_or_else(|| ComputeError::new(NAME, format!("fund {fund_id} is not in the ledger")))?;
        let mut wanted: BTreeMap<&Symbol, Option<&TargetWeight>> =
            book.positions().iter().map(|(symbol, _)| (symbol, None)).collect();
        for target in &request.targets.weights {
            if wanted.insert(&target.symbol, Some(target)).flatten().is_some() {
                let message = format!("{} has two target weights; give one", target.symbol);
                return Err(ComputeError::new(NAME, message));
            }
        }
        let mut orders = Vec::new();
        for (symbol, target) in wanted {
            orders.extend(self.order(request, book, symbol, target)?);
        }
        orders.sort_by_key(|order| {
            let wanted = order.planned.target.as_ref().filter(|target| !target.weight.is_zero());
            wanted.and_then(|target| target.rank).unwrap_or(u32::MAX)
        });
        if request.stage == PlanStage::Increase {
            self.fit_to_cash(&mut orders, book)?;
        }
        Ok(orders.into_iter().map(|order| order.planned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::ledger::MarkKind;
    use mts_foundation::signal::TargetSet;
    use mts_foundation::{
        AssetClass, Currency, Fill, FundId, InstrumentTable, Ledger, StrategyId, Timestamp,
    };

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn world(prices: &[(&str, &str, &str)]) -> (InstrumentTable, Ledger) {
        let mut table = InstrumentTable::new();
        let mut ledger = Ledger::new();
        ledger.open_fund(FundId::new("f").unwrap(), Currency::USD, d("10000")).unwrap();
        for (symbol, price, lot) in prices {
            table
                .insert(Instrument {
                    symbol: Symbol::new(symbol).unwrap(),
                    name: Default::default(),
                    asset_class: AssetClass::Equities,
                    currency: Currency::USD,
                    calendar: "XNYS".into(),
                    sector: "s".into(),
                    country: "US".into(),
                    tick: d("0.01"),
                    lot: d(lot),
                    multiplier: Decimal::ONE,
                    expiry: None,
                })
                .unwrap();
            let symbol = Symbol::new(symbol).unwrap();
            ledger.mark(&table, &symbol, d(price), MarkKind::Close, Timestamp::EPOCH).unwrap();
        }
        (table, ledger)
    }

    fn hold(
        table: &InstrumentTable,
        ledger: &mut Ledger,
        symbol: &str,
        side: Side,
        quantity: &str,
        price: &str,
    ) {
        let fill = Fill::new("x", "o", symbol, side, d(quantity), d(price), Timestamp::EPOCH).unwrap();
        ledger.book_fill(table, &FundId::new("f").unwrap(), &fill).unwrap();
    }

    fn targets(weights: &[(&str, &str, u32)]) -> TargetSet {
        TargetSet {
            fund_id: FundId::new("f").unwrap(),
            strategy_id: StrategyId::new("s").unwrap(),
            asof: Timestamp::EPOCH,
            weights: weights
                .iter()
                .map(|(symbol, weight, rank)| TargetWeight {
                    symbol: Symbol::new(symbol).unwrap(),
                    weight: d(weight),
                    signal: None,
                    rank: Some(*rank),
                })
                .collect(),
        }
    }

    fn plan(table: &InstrumentTable, ledger: &Ledger, targets: &TargetSet, stage: PlanStage) -> Vec<String> {
        let planner = WeightPlanner::new(d("0.01")).unwrap();
        planner
            .plan(&PlanRequest { targets, stage, ledger, instruments: table })
            .unwrap()
            .iter()
            .map(|order| format!("{} {} {}", order.side, order.quantity, order.symbol))
            .collect()
    }

    #[test]
    fn purchases_come_by_rank_and_round_down_to_lots() {
        let (table, ledger) = world(&[("A", "33", "1"), ("B", "7", "10")]);
        let set = targets(&[("A", "0.5", 2), ("B", "0.5", 1)]);
        // 0.5 x 0.99 x 10,000 = 4,950: 707.14 / 7 in tens = 700, 150 x 33 = 4,950.
        assert_eq!(plan(&table, &ledger, &set, PlanStage::Increase), ["buy 700 B", "buy 150 A"]);
        assert!(plan(&table, &ledger, &set, PlanStage::Reduce).is_empty());
    }

    #[test]
    fn what_is_not_named_is_sold_first() {
        let (table, mut ledger) = world(&[("A", "10", "1"), ("B", "10", "1"), ("C", "10", "1")]);
        hold(&table, &mut ledger, "A", Side::Buy, "600", "10");
        hold(&table, &mut ledger, "C", Side::Buy, "100", "10");
        let set = targets(&[("A", "0.4", 2), ("B", "0.4", 1)]);
        assert_eq!(plan(&table, &ledger, &set, PlanStage::Reduce), ["sell 204 A", "sell 100 C"]);
    }

    #[test]
    fn purchases_leave_the_cash_buffer() {
        let (table, mut ledger) = world(&[("A", "10", "1"), ("B", "10", "1"), ("C", "10", "1")]);
        hold(&table, &mut ledger, "A", Side::Buy, "600", "10");
        // Not sold: A stays over its weight, so B and C cannot both reach theirs: (4000 - 100) / 2 each.
        let set = targets(&[("A", "0.4", 1), ("B", "0.3", 2), ("C", "0.3", 3)]);
        assert_eq!(plan(&table, &ledger, &set, PlanStage::Increase), ["buy 195 B", "buy 195 C"]);
    }

    #[test]
    fn small_trades_are_left_out_and_closing_ones_are_not() {
        let (table, mut ledger) = world(&[("A", "10", "1"), ("B", "10", "1"), ("C", "10", "1")]);
        hold(&table, &mut ledger, "A", Side::Buy, "400", "10");
        hold(&table, &mut ledger, "B", Side::Buy, "20", "10");
        hold(&table, &mut ledger, "C", Side::Buy, "100", "10");
        let planner = WeightPlanner::new(Decimal::ZERO).unwrap().with_minimum_trade(d("500")).unwrap();
        // A shall lose 40 units (400 in value), C shall gain 60 (600), B shall go (200).
        let set = targets(&[("A", "0.36", 1), ("C", "0.16", 2)]);
        let plan = |stage| {
            let request = PlanRequest { targets: &set, stage, ledger: &ledger, instruments: &table };
            let orders = planner.plan(&request).unwrap();
            orders
                .iter()
                .map(|order| format!("{} {} {}", order.side, order.quantity, order.symbol))
                .collect::<Vec<_>>()
        };
        assert_eq!(plan(PlanStage::Reduce), ["sell 20 B"]);
        assert_eq!(plan(PlanStage::Increase), ["buy 60 C"]);
        assert!(planner.with_minimum_trade(d("-1")).is_err());
    }

    #[test]
    fn a_flip_closes_before_it_opens() {
        let (table, mut ledger) = world(&[("A", "10", "1")]);
        hold(&table, &mut ledger, "A", Side::Buy, "100", "10");
        let set = targets(&[("A", "-0.5", 1)]);
        assert_eq!(plan(&table, &ledger, &set, PlanStage::Reduce), ["sell 100 A"]);
        assert!(
            plan(&table, &ledger, &set, PlanStage::Increase).is_empty(),
            "still long: nothing to open yet"
        );
        hold(&table, &mut ledger, "A", Side::Sell, "100", "10");
        assert_eq!(plan(&table, &ledger, &set, PlanStage::Increase), ["short 495 A"]);
        hold(&table, &mut ledger, "A", Side::Short, "600", "10");
        assert_eq!(plan(&table, &ledger, &set, PlanStage::Reduce), ["cover 105 A"]);
    }

    #[test]
    fn odd_lots_are_traded_by_lots_and_closed_as_a_whole() {
        let (table, mut ledger) = world(&[("A", "10", "100")]);
        hold(&table, &mut ledger, "A", Side::Buy, "150", "10");
        for (weight, stage, expected) in [
            ("0", PlanStage::Reduce, vec!["sell 150 A"]),
            ("0.11", PlanStage::Reduce, vec![]),
            ("0.4", PlanStage::Increase, vec!["buy 100 A"]),
        ] {
            assert_eq!(plan(&table, &ledger, &targets(&[("A", weight, 1)]), stage), expected, "{weight}");
        }
    }

    #[test]
    fn impossible_targets_are_refused() {
        let (table, ledger) = world(&[("A", "0", "1")]);
        let planner = WeightPlanner::new(Decimal::ZERO).unwrap();
        for (set, word) in [
            (targets(&[("A", "1", 1)]), "no price"),
            (targets(&[("Z", "1", 1)]), "not in the table"),
            (targets(&[("A", "1", 1), ("A", "1", 2)]), "two target weights"),
        ] {
            let request = PlanRequest {
                targets: &set,
                stage: PlanStage::Increase,
                ledger: &ledger,
                instruments: &table,
            };
            let error = planner.plan(&request).unwrap_err();
            assert!(error.message.contains(word), "{error}");
        }
        assert!(WeightPlanner::new(Decimal::ONE).is_err());
    }
}
