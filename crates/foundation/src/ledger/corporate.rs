//! What issuers do to instruments, in the books of all funds at once.

use super::{Acted, FundBook, Ledger, LedgerError, Mark, MarkKind, known};
use crate::corporate_action::{ActionEffect, CorporateAction};
use crate::instrument::InstrumentTable;
use crate::num::Decimal;
use crate::position::OutOfRange;
use crate::symbol::Symbol;

impl Ledger {
    /// Books an issuer's action into every fund that holds the instrument, and divides its mark where prices are divided. A
    /// fund in which orders in the instrument work refuses: nobody knows what the venue makes of those. What it did to each
    /// fund, those that hold nothing included; nothing where none holds the instrument, and then nothing has changed.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing has changed then.
    pub fn corporate_action(
        &mut self,
        instruments: &InstrumentTable,
        action: &CorporateAction,
    ) -> Result<Vec<Acted>, LedgerError> {
        let symbol = &action.symbol;
        let instrument = known(instruments, symbol)?;
        let of_price = action.effect_on(Decimal::ZERO, instrument.multiplier)?;
        let after = known(instruments, &of_price.symbol)?;
        let working = |book: &FundBook| book.working_in(symbol).next().is_some();
        if let Some((fund_id, _)) = self.funds.iter().find(|(_, book)| working(book)) {
            return Err(LedgerError::OrdersWork { fund_id: fund_id.clone(), symbol: symbol.clone() });
        }
        if self.funds.values().all(|book| book.positions().get(symbol).is_none()) {
            return Ok(Vec::new());
        }
        self.whole(false, |ledger| {
            ledger.divide_mark(symbol, &of_price)?;
            let price = ledger.marks.get(&after.symbol).map(|mark| mark.price);
            let mut acted = Vec::with_capacity(ledger.funds.len());
            for (fund_id, book) in &mut ledger.funds {
                let before = book.positions().quantity(symbol);
                let effect = book.apply_action(action)?.unwrap_or_else(|| of_price.clone());
                let (currency, base) = (effect.currency, book.base_currency());
                if let Some(currency) = currency.filter(|currency| *currency != base && !before.is_zero()) {
                    let (fund_id, action_id) = (fund_id.clone(), action.action_id.clone());
                    let symbol = symbol.clone();
                    return Err(LedgerError::ForeignPayment { fund_id, action_id, symbol, currency, base });
                }
                book.flow(effect.cash)?;
                let held = book.positions().get(&after.symbol).map(|held| held.last_price);
                let price = price.or(held).unwrap_or_default();
                book.mark(&after.symbol, price)?;
                book.refresh(instrument, price)?;
                if after.symbol != instrument.symbol {
                    book.refresh(after, price)?;
                }
                book.check_range()?;
                let (fund_id, after) = (fund_id.clone(), effect.quantity);
                acted.push(Acted { fund_id, before, after, cash: effect.cash });
            }
            Ok(acted)
        })
    }

    /// Takes a mark through an action; a newer one of the new symbol stays.
    fn divide_mark(&mut self, symbol: &Symbol, effect: &ActionEffect) -> Result<(), OutOfRange> {
        let divided = |price: Decimal| {
            price.checked_div(effect.price_divisor).ok_or(OutOfRange { what: "price after a split" })
        };
        let Some(mark) = self.marks.get(symbol).copied() else { return Ok(()) };
        if effect.symbol != *symbol
            && self.marks.get(&effect.symbol).is_some_and(|newer| newer.time > mark.time)
        {
            return Ok(());
        }
        let kind = match mark.kind {
            MarkKind::Quote { bid, ask } => MarkKind::Quote { bid: divided(bid)?, ask: divided(ask)? },
            kind @ (MarkKind::Trade | MarkKind::Close) => kind,
        };
        self.marks.insert(effect.symbol.clone(), Mark { price: divided(mark.price)?, kind, ..mark });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{instruments, ledger, order};
    use super::*;
    use crate::corporate_action::CorporateActionKind;
    use crate::fill::Fill;
    use crate::ids::OrderId;
    use crate::order::Side;
    use crate::symbol::Currency;
    use crate::time::Timestamp;

    #[test]
    fn an_issuers_action_is_booked_whole_into_every_fund_that_holds() {
        let table = instruments();
        let (mut ledger, fund) = ledger(&table);
        let (a, b) = (Symbol::new("A").unwrap(), Symbol::new("B").unwrap());
        let fill = Fill::new("x", "o", "A", Side::Buy, Decimal::from(7), Decimal::from(12), Timestamp::EPOCH)
            .unwrap();
        ledger.book_fill(&table, &fund, &fill).unwrap();
        let quote = MarkKind::Quote { bid: Decimal::from(9), ask: Decimal::from(15) };
        ledger.mark(&table, &a, Decimal::from(12), quote, Timestamp::EPOCH).unwrap();
        let nav = ledger.fund(&fund).unwrap().nav();
        let action = |kind| CorporateAction {
            action_id: "x".into(),
            symbol: a.clone(),
            ex_date: chrono::NaiveDate::default(),
            kind,
        };
        let split =
            action(CorporateActionKind::Split { new_units: Decimal::from(3), old_units: Decimal::TWO });
        ledger.add_working(&table, &order(1, "A", Side::Sell, 2), Decimal::TWO).unwrap();
        let before = ledger.clone();
        let refused = ledger.corporate_action(&table, &split).unwrap_err();
        assert!(matches!(refused, LedgerError::OrdersWork { .. }), "{refused}");
        assert_eq!(ledger, before);
        ledger.remove_working(&table, &fund, &OrderId::new("o-1").unwrap()).unwrap();
        let acted = ledger.corporate_action(&table, &split).unwrap();
        assert_eq!(acted.len(), 1);
        assert_eq!((acted[0].before, acted[0].after), (Decimal::from(7), Decimal::new(105, 1)));
        let mark = ledger.mark_of(&a).unwrap();
        assert_eq!((mark.price, mark.reference(Side::Buy)), (Decimal::from(8), Some(Decimal::TEN)));
        let book = ledger.fund(&fund).unwrap();
        assert_eq!((book.nav(), book.exposure().gross), (nav, Decimal::from(84)));

        let dividend = CorporateActionKind::CashDividend { amount: Decimal::TWO, currency: Currency::USD };
        ledger.corporate_action(&table, &action(dividend)).unwrap();
        assert_eq!(ledger.fund(&fund).unwrap().nav(), nav + Decimal::from(21));
        let euro = Currency::new("EUR").unwrap();
        let dividend = CorporateActionKind::CashDividend { amount: Decimal::TWO, currency: euro };
        let before = ledger.clone();
        assert!(ledger.corporate_action(&table, &action(dividend)).is_err());
        assert_eq!(ledger, before);

        ledger
            .corporate_action(&table, &action(CorporateActionKind::SymbolChange { to: b.clone() }))
            .unwrap();
        let book = ledger.fund(&fund).unwrap();
        assert_eq!(
            (book.positions().quantity(&a), book.positions().quantity(&b)),
            (Decimal::ZERO, Decimal::new(105, 1))
        );
        assert_eq!(book.exposure().by_sector["x"].0, Decimal::ZERO);
        assert_eq!((book.exposure().gross, book.is_in_use(&a)), (Decimal::from(84), false));
    }
}
