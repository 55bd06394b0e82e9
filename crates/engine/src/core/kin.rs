//! Orders that belong to others: children of an order that an algorithm works, and members of a group. Here is what both
//! have in common, and the last gate before the venue.

use super::{Core, CoreError};
use crate::output::{Action, Output};
use mts_foundation::risk::HaltScope;
use mts_foundation::{Decimal, Fill, FundId, Order, OrderId, OrderRecord, StrategyId, Symbol};
use smol_str::SmolStr;

/// What an order belongs to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kin {
    pub(crate) parent: Option<OrderId>,
    pub(crate) group: Option<SmolStr>,
}

impl Kin {
    pub(crate) fn record(&self, order: Order) -> OrderRecord {
        let Self { parent, group } = self.clone();
        OrderRecord { parent, group, ..OrderRecord::new(order) }
    }
}

impl Core {
    /// Hands an order to its venue. This is the only way out, and the last look at what Knight Capital lost a firm by:
    /// the children of an order are never more than the order.
    pub(crate) fn leave(&mut self, order: Order, output: &mut Output) -> Result<(), CoreError> {
        let parent = self.state.orders.get(&order.order_id).and_then(|record| record.parent.clone());
        if let Some(parent) = parent {
            self.check_children(&parent, &order)?;
            self.state.children.entry(parent).or_default().insert(order.order_id.clone());
        }
        output.actions.push(Action::Submit(order));
        Ok(())
    }

    /// Σ of what children have filled and may still fill, by the books and not by what any schedule believes.
    fn check_children(&self, parent: &OrderId, child: &Order) -> Result<(), CoreError> {
        let book = self.state.ledger.fund(&child.fund_id);
        let working: Decimal = book
            .into_iter()
            .flat_map(|book| book.working_in(&child.symbol))
            .filter_map(|(order_id, _)| self.state.orders.get(order_id))
            .filter(|record| record.parent.as_ref() == Some(parent))
            .map(OrderRecord::remaining)
            .fold(Decimal::ZERO, Decimal::saturating_add);
        // Children of an order that is not known here are too many, however few.
        let record = self.state.orders.get(parent);
        let (filled, quantity) =
            record.map(|record| (record.filled, record.order.quantity)).unwrap_or_default();
        let children = filled.saturating_add(working);
        if children > quantity {
            let (order_id, parent) = (child.order_id.clone(), parent.clone());
            return Err(CoreError::ChildrenExceedParent { order_id, parent, children, quantity });
        }
        Ok(())
    }

    /// Whether an order, if it is a child, may still be all of what it is.
    pub(crate) fn fits_its_parent(&self, order_id: &OrderId) -> bool {
        let record = self.state.orders.get(order_id);
        let child = record.and_then(|record| Some((record.parent.as_ref()?, &record.order)));
        child.is_none_or(|(parent, order)| self.check_children(parent, order).is_ok())
    }

    /// Units of an order's children that may still fill.
    pub(crate) fn open_children(&self, parent: &OrderId) -> Decimal {
        let children = self.state.children.get(parent);
        let records = children.into_iter().flatten().filter_map(|child| self.state.orders.get(child));
        records.map(OrderRecord::remaining).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    /// Notes that an order changed, for those it belongs to.
    pub(crate) fn touch(&mut self, order_id: &OrderId) {
        let record = self.state.orders.get(order_id);
        if record.is_some_and(|record| record.parent.is_some() || record.group.is_some()) {
            self.touched.push(order_id.clone());
        }
    }

    /// A fill was booked: it counts for the parent and the group of its order, too.
    pub(crate) fn kin_filled(
        &mut self,
        record: &OrderRecord,
        fill: &Fill,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let order_id = &record.order.order_id;
        if let Some(parent) = &record.parent {
            if record.state.is_working() {
                // It may have ended before, and turns out to be live.
                self.state.children.entry(parent.clone()).or_default().insert(order_id.clone());
            }
            if let Some(parent) = self.state.orders.get_mut(parent) {
                let _told_for_the_child = parent.book(fill);
            }
        }
        if let Some(key) = &record.group {
            self.group_filled(key, order_id, fill.quantity, output);
            self.count_members(key)?;
        }
        self.touch(order_id);
        Ok(())
    }

    /// An order can no longer fill.
    pub(crate) fn kin_ended(&mut self, record: &OrderRecord) -> Result<(), CoreError> {
        let order_id = &record.order.order_id;
        if let Some(parent) = &record.parent
            && let Some(children) = self.state.children.get_mut(parent)
        {
            children.remove(order_id);
            if children.is_empty() {
                self.state.children.remove(parent);
            }
        }
        // At once, not when the group's turn comes: another group may be gated before it.
        if let Some(key) = &record.group {
            self.count_members(key)?;
        }
        self.touch(order_id);
        Ok(())
    }

    /// Lets groups and algorithms go on after their orders changed.
    pub(crate) fn follow_up(&mut self, output: &mut Output) -> Result<(), CoreError> {
        self.end_withdrawn(output)?;
        while !self.touched.is_empty() {
            for order_id in std::mem::take(&mut self.touched) {
                let Some(record) = self.state.orders.get(&order_id) else { continue };
                let (parent, group) = (record.parent.clone(), record.group.clone());
                if let Some(group) = group {
                    self.sync_group(&group, output)?;
                }
                if let Some(parent) = parent {
                    self.child_changed(&parent, &order_id, output)?;
                }
            }
            self.end_withdrawn(output)?;
        }
        Ok(())
    }

    /// The market opens.
    pub(crate) fn kin_open(&mut self, output: &mut Output) -> Result<(), CoreError> {
        let groups: Vec<SmolStr> = self.state.groups.keys().cloned().collect();
        for key in groups {
            self.retry_group(&key);
            self.sync_group(&key, output)?;
        }
        let parents: Vec<OrderId> = self.state.algorithms.keys().cloned().collect();
        for parent in parents {
            self.advance(&parent, output)?;
        }
        Ok(())
    }

    /// Ends groups and algorithms, of one fund or all, in one instrument or all.
    pub(crate) fn stop_kin(
        &mut self,
        fund_id: Option<&FundId>,
        symbol: Option<&Symbol>,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let meant = |owner: &FundId, of: &Symbol| {
            fund_id.is_none_or(|fund_id| fund_id == owner) && symbol.is_none_or(|symbol| symbol == of)
        };
        let groups = self.state.groups.iter();
        let groups = groups.filter(|(_, group)| meant(&group.fund_id, &group.symbol));
        let groups: Vec<SmolStr> = groups.map(|(key, _)| key.clone()).collect();
        for key in groups {
            self.stop_group(&key, output)?;
        }
        let parents = self.state.algorithms.keys().filter(|parent| {
            let record = self.state.orders.get(*parent);
            record.is_some_and(|record| meant(&record.order.fund_id, &record.order.symbol))
        });
        let parents: Vec<OrderId> = parents.cloned().collect();
        for parent in parents {
            self.cancel_algorithm(&parent, output)?;
        }
        Ok(())
    }

    /// Cancels an order because somebody wants that: a parent ends with its children, a member of a group is not sent again.
    pub(crate) fn cancel_by_request(
        &mut self,
        order_id: &OrderId,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        if self.state.is_worked(order_id) {
            return self.cancel_algorithm(order_id, output);
        }
        if let Some(key) = self.state.orders.get(order_id).and_then(|record| record.group.clone()) {
            self.give_up_member(&key, order_id);
        }
        self.request_cancel(order_id, output);
        Ok(())
    }

    /// A halt: what would open positions in the name of a group is cancelled, what protects them stays (decision R4).
    pub(crate) fn cancel_entries(&mut self, scope: &HaltScope, output: &mut Output) {
        let groups = self.state.groups.values_mut();
        let groups = groups.filter(|group| concerns(scope, &group.fund_id, &group.strategy_id));
        let entries: Vec<OrderId> = groups.flat_map(|group| group.give_up_entries()).collect();
        for order_id in entries {
            self.request_cancel(&order_id, output);
        }
    }
}

/// Whether a halt concerns what a strategy does for a fund.
pub(crate) fn concerns(scope: &HaltScope, fund_id: &FundId, strategy_id: &StrategyId) -> bool {
    match scope {
        HaltScope::Strategy(halted) => halted == strategy_id,
        HaltScope::Fund(halted) => halted == fund_id,
        HaltScope::Firm => true,
    }
}

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    use super::common::{core, decide, open, step, submitted};
    use super::*;
    use mts_foundation::algorithm::{Algorithm, AlgorithmRequest, Twap};
    use mts_foundation::strategy::{Command, OrderRequest};
    use mts_foundation::{ActorId, IdempotencyKey, Side};

    /// A schedule that is wrong in every way is stopped where orders leave.
    #[test]
    fn nothing_leaves_that_makes_children_more_than_their_parent() {
        let mut core = core(true);
        open(&mut core, 0);
        let symbol = Symbol::new("AAPL").unwrap();
        let request = |units: i64| OrderRequest::market(symbol.clone(), Side::Buy, Decimal::from(units));
        let twap = Algorithm::Twap(Twap { n_slices: 2, ..Twap::default() });
        let asked = Command::Algorithm(AlgorithmRequest::new(request(10), twap));
        let output = step(&mut core, &decide(1, vec![asked]));
        let child = submitted(&output)[0].clone();
        let parent = core.state.orders.get(&child.order_id).unwrap().parent.clone().unwrap();
        let mut send = |parent: &OrderId, units: i64, key: &str| {
            let owner = (&child.fund_id, &child.strategy_id, &ActorId::new("a").unwrap());
            let mut output = Output::default();
            let key = IdempotencyKey::new(key).unwrap();
            let order = core.order_of(owner, &key, &request(units), &mut output).unwrap();
            let kin = Kin { parent: Some(parent.clone()), group: None };
            let sent = core.propose_kin(order, &kin, None, false, &mut output);
            (sent, submitted(&output).len())
        };
        assert_eq!(send(&parent, 5, "fits"), (Ok(()), 1));
        let (refused, left) = send(&parent, 1, "does not");
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("11, which is more than its 10; it does not leave"), "{error}");
        assert_eq!(left, 0);
        let stranger = OrderId::new("nobody").unwrap();
        assert!(matches!(send(&stranger, 1, "foreign"), (Err(CoreError::ChildrenExceedParent { .. }), 0)));
    }
}
